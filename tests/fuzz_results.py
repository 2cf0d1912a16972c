"""Changes a results file in random, repeatable ways, and gives it to every command that reads one.

`python -m tests.fuzz_results 10000` runs as many changes as it is told, and prints what went wrong.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from backends.__main__ import main as backends
from conformance import results
from conformance.answers.recording import answers
from conformance.run.replaying import replayed
from fixtures import scenario
from fixtures.scenario import SCENARIOS
from reports.__main__ import main as reports
from tests.reports_data import check, stream, target, wire, write

SLOW = 5.0
"""Seconds from which a command counts as one that hangs."""

DEEP = (30, 400, 3_000)
"""Levels of values that are nested."""

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    float("nan"),
    float("inf"),
    -1e300,
    1e300,
    "",
    "\ud800",
    "\x1b[31m\x00\u202e\n::error::x",
    '"]\n[[deviation]]\nreason = "x',
    "(a+)+$" * 20,
    "a" * 30_000 + "!",
    "[1]" * 8_000,
    "../../x",
    "fail",
    [],
    {},
    [[]],
    [None, 1, "a"],
    {"text": 5},
    {"base64": "%"},
    {"base64": "é"},
]


def valid(path: Path) -> Path:
    """A small results file with a line of every kind."""
    checks = [
        check(exchanges=["count"], held=["a == b"]),
        check("chat.a", "fail", message="count: no", exchanges=["count", "capital"], expected="a", actual="b"),
        check(
            "chat.b", "ignored", message="count[1]: no", exchanges=["count"], controls=["count"], breaks=["count[1]"]
        ),
        check("wire.c", "rejected", message="404", exchanges=["capital"], cause="absent"),
    ]
    found = [results.Finding(target="llamacpp", sentence="It streams.", exchanges=["count"])]
    events = ['{"choices": [{"index": 0, "delta": {"content": "a"}}]}', "[DONE]"]
    recorded = {"count": wire(), "capital": stream(*events)}
    return write(
        path, checks, recorded, targets=[target(code_path=None)], planned=[*checks, check("n.a")], findings=found
    )


def changed(text: str, chance: random.Random) -> bytes:
    """The file's text with one to three changes: of its values, its lines, or its bytes."""
    lines = [json.loads(line) for line in text.splitlines()]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        chance.choice((_value, _value, _value, _value, _lines))(lines, chance)
    raw = "".join(json.dumps(line) + "\n" for line in lines).encode()
    for levels in DEEP:  # Put in as text: deeper than Python's own encoder goes.
        raw = raw.replace(f'"deep{levels}"'.encode(), b'{"a":[' * levels + b"1" + b"]}" * levels)
    if chance.random() < 0.15:
        raw = _bytes(raw, chance)
    return raw


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a value, with each of its keys."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def _value(lines: list[Any], chance: random.Random) -> None:
    if not (places := list(_places(lines))):
        return
    inside, key = chance.choice(places)
    alike = [odd for odd in ODD if type(odd) is type(inside[key])]
    match chance.randrange(10):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, dict):
            inside[chance.choice(("", "x", "kind", "\ud800", "started_at"))] = chance.choice(ODD)
        case 2:
            inside[key] = f"deep{chance.choice(DEEP)}"
        case 3 | 4:
            inside[key] = chance.choice(ODD)
        case _:  # Of the same type, so that more than the schema is tried.
            inside[key] = chance.choice(alike or ODD)


def _lines(lines: list[Any], chance: random.Random) -> None:
    if not lines:
        return
    number = chance.randrange(len(lines))
    match chance.randrange(3):
        case 0:
            del lines[number]
        case 1:
            lines.insert(chance.randrange(len(lines) + 1), json.loads(json.dumps(lines[number])))
        case _:
            lines[number] = chance.choice(ODD)


def _bytes(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw))
    match chance.randrange(4):
        case 0:
            return raw[:at]
        case 1:
            return raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
        case 2:
            return raw[:at] + raw[at + chance.randrange(40) :]
        case _:
            return raw[:at] + chance.choice((b"\n", b"\r", b"\xff", b"\x00", b"9" * 5_000, b"[" * 9_000)) + raw[at:]


def replay(file: Path) -> int:
    """What `--replay` does before checks judge: read the file, and the responses to all that today's scenarios ask."""
    try:
        _, sources, _ = replayed(file)
    except results.BadResults as problem:
        print(problem.args[0].encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
        return 2
    for source in sources.values():
        for name in ("count", "capital"):
            answers(source, name)
            recording = source._recordings.get(name)
            if recording is not None:
                recording.answers(SCENARIOS[name])
    return 0


def commands(file: Path, out: Path) -> dict[str, Callable[[], int]]:
    """Every command that reads a results file, by name."""
    given = str(file)
    valid_file = str(out.parent / "valid.jsonl")
    called = {
        "build": ["build", given, "--out", str(out / "build")],
        "diff": ["diff", valid_file, given],
        "diff --markdown --html": ["diff", given, valid_file, "--markdown", "--html", str(out / "diff.html")],
        "site": ["site", str(file.parent), "--out", str(out / "site")],
        "keep": ["keep", str(file.parent), str(out / "kept")],
        "body": ["body", given, "llamacpp", "count"],
    }
    formats = ("markdown", "junit", "ctrf", "capabilities", "badge", "shields")
    called |= {f"export {name}": ["export", given, "--format", name, "--out", str(out / "export")] for name in formats}
    made = {name: lambda arguments=arguments: reports(arguments) for name, arguments in called.items()}
    return {**made, "known": lambda: backends(["known", "llamacpp", given]), "--replay": lambda: replay(file)}


def trial(seed: int, text: str, directory: Path, found: Counter[str], only: int | None = None) -> list[str]:
    """Give one changed file to the commands; what went wrong, in sentences. `only` the one of that number, modulo."""
    (directory / "in").mkdir(exist_ok=True)
    file = directory / "in" / "results.jsonl"
    file.write_bytes(changed(text, random.Random(seed)))
    wrong = []
    some = list(commands(file, directory / "out").items())
    for name, run in some if only is None else [some[only % len(some)]]:
        said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        complaint = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        begun = time.monotonic()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complaint):
                code = run()
            found["refused" if code else "read"] += 1
            sentence = complaint.buffer.getvalue().decode()  # type: ignore[attr-defined]
            if code and (not sentence.strip() or sentence.count("\n") > 1):
                wrong.append(f"seed {seed}, {name}: exit {code} with {sentence[:200]!r}")
        except Exception as problem:
            frame = traceback.extract_tb(problem.__traceback__)[-1]
            at = f"{Path(frame.filename).name}:{frame.lineno}"
            wrong.append(f"seed {seed}, {name}: {type(problem).__name__}: {str(problem)[:80]} ({at})")
        if (took := time.monotonic() - begun) > SLOW:
            wrong.append(f"seed {seed}, {name}: took {took:.1f} s")
    return wrong


def main(count: int, all_commands: bool) -> int:
    """Print what went wrong."""
    SCENARIOS or scenario.load()
    found: Counter[str] = Counter()
    wrong: list[str] = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        text = valid(Path(name, "valid.jsonl")).read_text()
        for seed in range(count):
            wrong += trial(seed, text, Path(name), found, None if all_commands else seed)
    kinds = Counter(one.partition(": ")[2] for one in wrong)
    print(*(f"{number:5} {kind}" for kind, number in kinds.most_common()), *wrong[:10], sep="\n")
    tried = sum(found.values()) + len(wrong)
    print(f"{tried} commands on {count} files: {dict(found)}, {len(wrong)} wrong, {time.monotonic() - begun:.1f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 2_000, "--all" in sys.argv))
