"""`python -m conformance.new` adds what a check needs, changes nothing that exists, and explains bad input."""

from __future__ import annotations

import difflib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import new
from conformance.new import MARK, main

ROOT = Path(__file__).parent.parent
STOP = "openapi:CreateChatCompletionRequest.stop"


def made(*arguments: str) -> dict[str, str]:
    return new.texts(new.asked(list(arguments)))


def removed(path: str, text: str) -> list[str]:
    """The lines of a file that a new text of it lacks."""
    file = ROOT / path
    old = file.read_text().splitlines() if file.exists() else []
    return [line[2:] for line in difflib.ndiff(old, text.splitlines()) if line.startswith("- ")]


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (
            ["stop.new", "--level=SHOULD", f"--source={STOP}", "--parameter=stop"],
            {"conformance/checks/test_stop.py", "fixtures/scenarios/stop.py", "tests/reference/faults/chat.py"},
        ),
        (
            ["stop.new", "--level=MUST", f"--source={STOP}", "--scenario=count_stop"],
            {
                "conformance/checks/test_stop.py",
                "tests/reference/faults/chat.py",
                "conformance/requirements/musts.toml",
            },
        ),
        (
            ["fresh.new", "--row=embeddings", "--level=MUST", "--source=openapi:CreateEmbeddingRequest.model"],
            {
                *("conformance/checks/test_fresh.py", "fixtures/scenarios/fresh.py"),
                *("tests/reference/faults/embeddings.py", "conformance/ledger/embeddings.toml"),
                "conformance/requirements/musts.toml",
            },
        ),
        (
            ["chat.new", "--row=usage", "--level=MAY", "--source=openapi:CompletionUsage.total_tokens"],
            {
                *("conformance/checks/test_chat.py", "fixtures/scenarios/chat.py"),
                *("tests/reference/faults/chat.py", "conformance/ledger/chat.toml"),
            },
        ),
        (
            ["chat.new", "--row=chat", "--level=MAY", "--source=de-facto:x", "--covers=No request does harm"],
            {
                *("conformance/checks/test_chat.py", "fixtures/scenarios/chat.py"),
                *("tests/reference/faults/chat.py", "conformance/ledger/general.toml"),
            },
        ),
    ],
)
def test_it_only_adds(arguments: list[str], files: set[str]) -> None:
    found = made(*arguments)
    assert found.keys() == files
    for path, text in found.items():
        lost = removed(path, text)
        assert all(line.strip('[] ,"') in text for line in lost), lost  # An array of the ledger gets longer.
        assert len(lost) <= 1
        if path.endswith(".py"):
            compile(text, path, "exec")
            assert MARK in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stop.Bad", "--level=MAY", "--source=docs:x"], "'stop.Bad' is not an id; write AREA.NAME"),
        (["stop.ends_the_text", "--level=MAY", "--source=docs:x"], "there is a check stop.ends_the_text already"),
        (["stop.new", "--level=HIGH", "--source=docs:x"], "--level=HIGH: write MUST, SHOULD or MAY."),
        (["stop.new", "--level=MAY", "--source=docs"], "--source=docs: write openapi:…"),
        (["stop.new", "--level=MAY", "--source=sdk:foo"], "--source=sdk:foo has no link"),
        (["stop.new", "--level=MAY", "--source=openapi:Foo.bar"], "openapi_lines.json does not list this name"),
        (["stop.new", "--level=MUST", "--source=de-facto:foo"], "--level=MUST needs a published source"),
        (["foo.new", "--level=MAY", "--source=docs:x"], "conformance/requirements/matrix.toml has no row 'foo'"),
        (["chat.new", "--row=chat", "--level=MAY", "--source=docs:x"], "the ledger's row does not follow"),
        (["usage.new", "--level=MAY", "--source=docs:x", "--covers=chat:request.foo"], "names.json has no such name"),
        (["stop.new", "--level=MAY", f"--source={STOP}", "--endpoint=foo"], "--endpoint=foo: write one of chat, "),
        (["stop.new", "--level=MAY", f"--source={STOP}", "--fault=Stop-Lost"], "--fault=Stop-Lost: write a name"),
        (["stop.new", "--level=MAY", f"--source={STOP}", "--fault=usage_zero"], "choose another name"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new, "_write", lambda made: pytest.fail(f"it would write {list(made)}"))
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert says in said.err


@pytest.mark.slow
def test_what_it_writes_satisfies_the_registries_once_it_is_filled_in(tmp_path: Path) -> None:
    """All but the fault's entry in kills.toml, which the gate measures and writes."""
    for name in ("backends", "conformance", "docs", "fixtures", "openai_conformance", "reports", "tests"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "recordings", "runs")
        )
    for name in ("CONTRIBUTING.md", "conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", *arguments], cwd=tmp_path, capture_output=True, text=True)

    arguments = ["stop.new", "--level=MUST", f"--source={STOP}", "--parameter=stop"]
    done = run("conformance.new", *arguments)
    assert done.returncode == 0, done.stderr
    tests = [f"tests/test_{name}.py" for name in ("registries", "ledger", "musts", "sources", "rooms")]
    done = run("pytest", "-q", *tests)
    assert "write what is marked FILL IN, and remove the mark:" in done.stdout
    for path in new.texts(new.asked(arguments)):
        file = tmp_path / path
        file.write_text(file.read_text().replace(MARK, "a word"))
    done = run("pytest", "-q", *tests)
    assert done.returncode == 0, done.stdout[-2000:]
    assert run("ruff", "check", "-q", "conformance", "fixtures", "tests").stdout == ""
