"""python -m conformance.new AREA.NAME --level LEVEL --source SOURCE: write what a new check needs.

It writes the check, its scenario, a fault that the check must notice, its line of the ledger and, for a MUST, its line
of `musts.toml`. Three places are left to you; each has the words FILL IN. Nothing that exists is changed or replaced.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from conformance import ledger
from conformance.outcomes import Level
from conformance.requirements import matrix, sources
from conformance.requirements.check import SOURCES
from conformance.requirements.musts import by_check
from conformance.run import catalogue
from fixtures import scenario

ROOT = Path(__file__).parent.parent
MARK = "FILL IN"
"""Stands in each place that is left to the author; `tests/test_registries.py` finds it."""


class BadInput(Exception):
    """What was asked cannot be written; `str()` says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """How a check of an endpoint is written: the class of its answers, and a request as code."""

    answer: str
    build: str
    first: str


ENDPOINTS = {
    "chat": Endpoint(answer="Chat", build="chat", first='"Count from 1 to 10"'),
    "completions": Endpoint(answer="Completion", build="complete", first='"1 2 3 4"'),
    "embeddings": Endpoint(answer="Embeddings", build="embed", first='"The sky is blue."'),
    "models": Endpoint(answer="Models", build="get", first='"/models"'),
    "responses": Endpoint(answer="Response", build="respond", first='"Count from 1 to 10"'),
}


@dataclass(frozen=True, kw_only=True)
class New:
    """What is asked for. `covers` is a name of the ledger (`chat:request.stop`) or a rule of `general.toml`."""

    area: str
    name: str
    row: str
    level: Level
    source: str
    endpoint: str
    parameter: str
    scenario: str
    fault: str
    covers: str
    core: bool

    @property
    def id(self) -> str:
        """The check's id."""
        return f"{self.area}.{self.name}"


def main(arguments: list[str] | None = None) -> int:
    """Write the files, and print what is left to do; 2 if the arguments are wrong."""
    try:
        new = asked(arguments)
        made = texts(new)
    except BadInput as problem:
        print(f"python -m conformance.new: {problem}", file=sys.stderr)
        return 2
    _write(made)
    print(
        f"Now fill in what is marked {MARK} in each of these files, then run:\n"
        "  python -m conformance.ledger\n"
        f"  python -m tests.reference.gate --write {new.fault.replace('_', '-')}\n"
        "  ruff format . && ruff check . && mypy && pytest tests -m 'not slow' -n 2\n"
        "To start over: git checkout on the files that changed, and remove those that were created."
    )
    return 0


def asked(arguments: list[str] | None) -> New:
    """What the arguments ask for. Raises BadInput."""
    parser = argparse.ArgumentParser(prog="python -m conformance.new", description="Write what a new check needs.")
    parser.add_argument("id", metavar="AREA.NAME", help="the check's id: conformance/checks/test_AREA.py::test_NAME")
    parser.add_argument("--level", required=True, help="MUST, SHOULD or MAY")
    parser.add_argument(
        "--source", required=True, help="where the rule is published: openapi:Schema.field, docs:page, …"
    )
    parser.add_argument("--parameter", default="", help="the request's parameter, if the check is about its effect")
    parser.add_argument("--row", default="", help="a row of conformance/requirements/matrix.toml; default: AREA")
    ends = "default: that of --source or --covers, or chat"
    parser.add_argument("--endpoint", default="", help=f"{', '.join(ENDPOINTS)}; {ends}")
    parser.add_argument("--scenario", default="", help="an existing scenario, or the name of a new one")
    parser.add_argument("--fault", default="", help="the name of the new fault; default: AREA_NAME_is_broken")
    parser.add_argument("--covers", default="", help="ENDPOINT:PART.NAME of the ledger, or a rule of its general.toml")
    parser.add_argument("--core", action="store_true", help="the check shows that the row's feature works")
    given = parser.parse_args(arguments)
    if not re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", given.id):
        raise BadInput(f"{given.id!r} is not an id; write AREA.NAME in lower case, such as stop.ends_the_text.")
    if given.id in catalogue.load():
        raise BadInput(f"there is a check {given.id} already; choose another name.")
    area, _, name = given.id.partition(".")
    if given.level not in list(Level):
        raise BadInput(f"--level={given.level}: write MUST, SHOULD or MAY.")
    kind, _, where = given.source.partition(":")
    if kind not in SOURCES or not where:
        raise BadInput(f"--source={given.source}: write {', '.join(f'{one}:…' for one in SOURCES)}.")
    if kind == "openapi" and sources.url(given.source) is None:
        raise BadInput(
            f"--source={given.source}: conformance/requirements/openapi_lines.json does not list this name. Take one "
            "that it lists, or name the page of the reference that has the rule: --source=docs:api-reference/…"
        )
    if kind not in ("guide", "de-facto") and sources.url(given.source) is None:
        raise BadInput(
            f"--source={given.source} has no link; conformance/requirements/sources.py says which forms have one."
        )
    if given.level == Level.MUST and kind == "de-facto":
        raise BadInput(
            "--level=MUST needs a published source; a de-facto: source is not published, so write --level=SHOULD."
        )
    row = given.row or area
    if row not in matrix.features():
        raise BadInput(
            f"conformance/requirements/matrix.toml has no row {row!r}; name one with --row, or add it there first."
        )
    covers = given.covers or _covered(given.id, given.source, given.parameter)
    of_covers = covers.partition(":")[0] if covers.partition(":")[0] in ENDPOINTS else ""
    endpoint = given.endpoint or ledger.named(given.source)[0] or of_covers or "chat"
    if endpoint not in ENDPOINTS:
        raise BadInput(f"--endpoint={endpoint}: write one of {', '.join(ENDPOINTS)}.")
    for option in ("parameter", "scenario", "fault"):
        value = getattr(given, option)
        if value and not re.fullmatch(r"[a-z][a-z0-9_]*", value):
            raise BadInput(f"--{option}={value}: write a name of lower-case letters, digits and underscores.")
    return New(
        area=area,
        name=name,
        row=row,
        level=Level(given.level),
        source=given.source,
        endpoint=endpoint,
        parameter=given.parameter,
        scenario=given.scenario or f"{area}_{name}",
        fault=given.fault or f"{area}_{name}_is_broken",
        covers=covers,
        core=given.core,
    )


def _covered(id: str, source: str, parameter: str) -> str:
    """Where the ledger has what a check is about; empty if it names the check already, as one of its area."""
    ids = f"{id.partition('.')[0]}.*"
    if any(ids in entry.checks for one in ledger.TITLES for entry in ledger.entries(one)):
        return ""
    if any(ids in checks for checks in ledger.general().values()):
        return ""
    endpoint, name = ledger.named(source)
    name = f"request.{parameter}" if parameter else name
    if name in ledger.names().get(endpoint or "chat", ()):
        return f"{endpoint or 'chat'}:{name}"
    raise BadInput(
        "the ledger's row does not follow from --source and --parameter; name it with --covers, "
        'such as --covers=chat:request.stop, or --covers="No request does harm" for a rule of '
        "conformance/ledger/general.toml."
    )


def texts(new: New) -> dict[str, str]:
    """The text of each file that changes, by its path. Raises BadInput."""
    made = [_check(new), _fault(new)]
    if new.scenario not in scenario.load():
        made.append(_scenario(new))
    if new.covers:
        made.append(_ledger_row(new))
    if new.level is Level.MUST:
        made.append(_must(new))
    return dict(made)


def _write(made: dict[str, str]) -> None:
    for path, text in made.items():
        file = ROOT / path
        print(f"{'changed' if file.exists() else 'created'} {path}")
        file.write_text(text, encoding="utf-8")
    python = [path for path in made if path.endswith(".py")]
    for command in (["check", "-q", "--select=I", "--fix"], ["format", "-q"]):  # Sorts the imports.
        subprocess.run([sys.executable, "-m", "ruff", *command, *python], cwd=ROOT, check=False)
    subprocess.run([sys.executable, "-m", "conformance.ledger"], cwd=ROOT, check=True)
    print("changed docs/coverage.md, docs/census.md")


def _check(new: New) -> tuple[str, str]:
    endpoint = ENDPOINTS[new.endpoint]
    words = {str(new.level), "check", "assert_equal", endpoint.answer}
    parameters = f"{new.scenario}: {endpoint.answer}"
    body = f'    assert_equal({new.scenario}.json, "{MARK}", "`{MARK}: the field`")\n'
    if new.parameter and new.endpoint == "chat":
        parameters = f"count: Chat, {parameters}"
        words |= {"ignored_unless"}
        same = f"the response is the same as without `{new.parameter}`"
        body = f'    ignored_unless({new.scenario}.text != count.text, "{same}")\n' + body
    code = (
        f'@check("{new.row}", {new.level}, "{new.source}"{", core=True" if new.core else ""})\n'
        f"def test_{new.name}({parameters}) -> None:\n"
        f'    """{MARK}: the rule that every server must keep, with the field\'s name in it."""\n{body}'
    )
    return _added(
        f"conformance/checks/test_{new.area}.py", f"test_{new.name}", code, {"conformance.kit": words}, future=False
    )


def _scenario(new: New) -> tuple[str, str]:
    endpoint = ENDPOINTS[new.endpoint]
    more = f', {new.parameter}="{MARK}"' if new.parameter else ""
    code = (
        f"@scenario()\ndef {new.scenario}() -> Request:\n"
        f'    """{MARK}: what is asked."""\n'
        f"    return {endpoint.build}({endpoint.first}{more})  # {MARK}: the request\n"
    )
    imports = {
        "backends.wire": {"Request"},
        "fixtures.requests": {endpoint.build},
        "fixtures.scenario": {"scenario"},
    }
    return _added(f"fixtures/scenarios/{new.area}.py", new.scenario, code, imports)


def _fault(new: New) -> tuple[str, str]:
    faults = sorted((ROOT / "tests/reference/faults").glob("*.py"))
    if there := [file.name for file in faults if f"\ndef {new.fault}(" in file.read_text(encoding="utf-8")]:
        raise BadInput(f"tests/reference/faults/{there[0]} has a fault {new.fault} already; choose another name.")
    code = (
        f'@answer("{new.endpoint}")\ndef {new.fault}(body: Any, _call: Call) -> None:\n'
        f'    """{MARK}: what the server does wrong."""\n'
        f'    body["{MARK}"] = None  # {MARK}: change the body; tests/reference/README.md lists other hooks\n'
    )
    imports = {
        "typing": {"Any"},
        "tests.reference.call": {"Call"},
        "tests.reference.faults.kit": {"answer"},
    }
    return _added(f"tests/reference/faults/{new.endpoint}.py", new.fault, code, imports)


def _added(path: str, name: str, code: str, imports: dict[str, set[str]], *, future: bool = True) -> tuple[str, str]:
    """A Python file with a function more, and with the imports that it lacks."""
    file = ROOT / path
    first = f'"""{MARK}: what this file is about."""\n\n' + ("from __future__ import annotations\n" if future else "")
    text = file.read_text(encoding="utf-8") if file.exists() else first
    body = ast.parse(text).body
    if any(isinstance(node, ast.FunctionDef) and node.name == name for node in body):
        raise BadInput(f"{path} has a function {name} already; choose another name.")
    has = {alias.asname or alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}
    lines = [
        f"from {module} import {', '.join(sorted(names - has))}" for module, names in imports.items() if names - has
    ]
    at = max(
        (node.end_lineno or 0 for node in body if isinstance(node, ast.Import | ast.ImportFrom)),
        default=body[0].end_lineno or 0,
    )
    old = text.splitlines()
    return path, "\n".join([*old[:at], *lines, *old[at:], "", "", code])


def _ledger_row(new: New) -> tuple[str, str]:
    endpoint, _, name = new.covers.partition(":")
    if endpoint in ledger.TITLES and name:
        part, _, key = name.partition(".")
        if name not in ledger.names()[endpoint]:
            raise BadInput(f"--covers={new.covers}: conformance/ledger/names.json has no such name.")
        path, table = f"conformance/ledger/{endpoint}.toml", f"[{part}]"
    else:
        path, table, key = "conformance/ledger/general.toml", "", new.covers
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    start = lines.index(table) + 1 if table else 0
    end = next((at for at in range(start, len(lines)) if lines[at].startswith("[")), len(lines))
    while end > start and not lines[end - 1].strip():
        end -= 1
    row = next((at for at in range(start, end) if lines[at].startswith(f'"{key}" = [')), None)
    if row is None:
        return path, "\n".join([*lines[:end], f'"{key}" = ["{new.id}"]', *lines[end:]]) + "\n"
    last = next(at for at in range(row, end) if lines[at].endswith("]"))
    if lines[last] == "]":
        lines.insert(last, f'  "{new.id}",')
    else:
        lines[last] = f'{lines[last].removesuffix("]").rstrip(", ")}, "{new.id}"]'
    return path, "\n".join(lines) + "\n"


def _must(new: New) -> tuple[str, str]:
    """Below the last check of an entry with the same source; else an entry of its own."""
    path = "conformance/requirements/musts.toml"
    text = (ROOT / path).read_text(encoding="utf-8")
    line = f'"{new.id}" = "{MARK}: what a user sees"'
    known = next((must for must in by_check().values() if must.source == new.source), None)
    if known is None:
        entry = f'source = "{new.source}"\nsays = "{MARK}: what it says."\nbreaks = "{MARK}: what breaks without it."\n'
        return path, f"{text}\n[[must]]\n{entry}\n[must.checks]\n{line}\n"
    last = list(known.checks)[-1]
    lines = text.splitlines()
    at = next(number for number, old in enumerate(lines) if old.startswith(f'"{last}"'))
    return path, "\n".join([*lines[: at + 1], line, *lines[at + 1 :]]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
