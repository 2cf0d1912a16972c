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
    "reports": (
        "conformance",
        *(f"backends.{name}" for name in ("wire", "program", "known", "printable", "suite", "errors")),
    ),
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


FLOORS = (
    ("outcomes",),
    ("requirements",),
    ("answers", "results"),
    ("kit", "sdk"),
    ("checks", "clients", "gateways"),
    ("run",),
    ("ledger", "plugin", "replay_request"),
    ("freeze", "new"),
)
"""The parts of conformance/, from the ground up."""


def test_conformance_imports_downwards() -> None:
    """A part of conformance/ imports itself and the floors beneath its own."""
    floor = {f"conformance.{part}": number for number, parts in enumerate(FLOORS) for part in parts}
    wrong = []
    for file in sorted((ROOT / "conformance").rglob("*.py")):
        part = ".".join((*file.relative_to(ROOT).parts[:-1], file.stem)).removesuffix(".__init__")
        if part == "conformance":
            continue
        part = ".".join(part.split(".")[:2])
        assert part in floor, f"{file.name}: add {part} to FLOORS"
        for name in imported(ast.parse(file.read_bytes())):
            other = ".".join(name.split(".")[:2])
            if other in floor and other != part and floor[other] >= floor[part]:
                wrong.append(f"{file.relative_to(ROOT)} imports {name}")
    assert not wrong, f"move what they have in common to a lower floor: {wrong}"
