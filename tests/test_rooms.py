"""Imports go one way, from room to room, as ARCHITECTURE.md says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "backends": (),
    "fixtures": ("backends.wire", "backends.program"),
    "conformance": ("backends", "fixtures"),
    "reports": ("conformance", "backends.wire", "backends.program", "backends.known", "backends.printable"),
}


def imported(node: ast.AST) -> list[str]:
    """The modules and names that a module imports, but for those whose types alone it names."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return []
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{name.name}" for name in node.names]
    return [name for child in ast.iter_child_nodes(node) for name in imported(child)]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    others = {*MAY_IMPORT, "tests"} - {room}
    files = {file: imported(ast.parse(file.read_bytes())) for file in (ROOT / room).rglob("*.py")}
    found = [(file.name, name) for file, names in files.items() for name in names if name.split(".")[0] in others]
    allowed = tuple(f"{name}." for name in MAY_IMPORT[room])
    assert files
    wrong = [f"{file} imports {name}" for file, name in found if not f"{name}.".startswith(allowed)]
    assert not wrong, f"{room}/ may import no other room than {', '.join(MAY_IMPORT[room]) or 'itself'}: {wrong}"
