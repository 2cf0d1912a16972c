"""What pages and terminal show of results: the table, the evidence, hostile text, `curl`, the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.outcomes import Level
from conformance.results.curl import curl, raw_body
from conformance.results.grading import Agreement
from reports import known, page, terminal
from reports.__main__ import main
from reports.evidence import differences, evidence
from reports.hostile import cut, difference, line, visible
from reports.pretty import pretty
from reports.table import table
from tests.fake import Reply, as_json, serving
from tests.reports_data import HOSTILE, check, results, stream, target, wire, write

# The table


def test_a_column_for_each_target_of_each_file(tmp_path: Path) -> None:
    two = results(tmp_path, [check()], targets=[target(), target("url@host:1", "url")])
    shown = table([two, two])
    assert [c.key for c in shown.columns] == ["llamacpp", "url@host_1", "llamacpp-2", "url@host_1-2"]


def test_overclaims_are_named_with_all_who_claim(tmp_path: Path) -> None:
    shown = table([results(tmp_path, [check("stop.a", "ignored"), check("n.a")])])
    found = {
        kind: [(cell.feature.id, claim.says, sources) for cell, claim, sources in some]
        for kind, some in shown.disagreements.items()
    }
    assert found == {
        Agreement.OVERCLAIMED: [("stop", "yes", ["guide", "own"])],
        Agreement.UNDERCLAIMED: [("n", "partial", ["guide"])],
    }


def test_a_row_without_checks_is_not_measured(tmp_path: Path) -> None:
    shown = table([results(tmp_path, [check()])])
    words = {row.feature.id: row.cells[0].word for row in shown.rows}
    assert words["stop"] == "yes"
    assert words["vision"] == "not measured"


def test_a_feature_that_the_matrix_lacks_has_a_row(tmp_path: Path) -> None:
    shown = table([results(tmp_path, [check("future.a", "fail")])])
    assert [row.feature.id for row in shown.rows][-1] == "future"


@pytest.mark.parametrize(
    ("footer", "stopped", "said"),
    [(True, None, None), (True, "no server", "Stopped: no server"), (False, None, "Incomplete: ")],
)
def test_a_run_that_is_not_whole_says_so(tmp_path: Path, footer: bool, stopped: str | None, said: str | None) -> None:
    planned = [check(), check("stop.later")]
    [column] = table([results(tmp_path, [check()], planned=planned, footer=footer, stopped=stopped)]).columns
    assert (column.trouble or "").startswith(said or "")
    assert bool(column.trouble) == bool(said)
    assert list(column.not_run.values()) == [1]


def test_violations_must_first(tmp_path: Path) -> None:
    made = [check("stop.a", "fail", level="MAY"), check("n.b", "ignored"), check("n.c"), check("n.d", "rejected")]
    assert [c.id for c in table([results(tmp_path, made)]).violations] == ["n.b", "stop.a"]


# Evidence


def test_events_have_times_and_say_what_is_the_same(tmp_path: Path) -> None:
    events = ['{"id": 1, "text": "a"}', '{"id": 1, "text": "b"}', "[DONE]"]
    run = results(tmp_path, [check(exchanges=["s"])], {"s": stream(*events)})
    [shown] = evidence(table([run]).columns[0], run.checks[0]).exchanges
    assert [(e.at, e.data, e.same) for e in shown.events] == [
        (0.01, events[0], ()),
        (0.02, '{"text":"b"}', ("id",)),
        (0.03, "[DONE]", ()),
    ]


def test_the_control_is_explained(tmp_path: Path) -> None:
    sent = {"count": wire(sent={"model": "m", "n": 1}), "count_stop": wire(sent={"model": "m", "n": 1, "stop": "6"})}
    one = check(exchanges=["count_stop", "count"], controls=["count"])
    shown = evidence(table([results(tmp_path, [one], sent)]).columns[0], one)
    assert shown.explanations == ['count_stop differs from the control count in: stop = "6"']
    assert [e.control for e in shown.exchanges] == [True, False]


def test_what_was_not_sent_says_why(tmp_path: Path) -> None:
    one = check(exchanges=["gone"])
    shown = evidence(table([results(tmp_path, [one])]).columns[0], one)
    assert shown.unsent == [("gone", "the results file has no such exchange")]


@pytest.mark.parametrize(
    ("control", "judged", "said"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({}, {"n": 2}, ["n = 2"]),
        ({"n": 2}, {}, ["no n"]),
        ({"n": 1}, {"n": True}, ["n = true (control: 1)"]),
        ({"m": [{"c": "x"}]}, {"m": [{"c": "y"}]}, ['m[0].c = "y" (control: "x")']),
        ({"m": [1]}, {"m": [1, 2]}, ["m = [1, 2] (control: [1])"]),
    ],
)
def test_differences(control: Any, judged: Any, said: list[str]) -> None:
    assert differences(control, judged) == said


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A known deviation, of whatever backend."""
    entry = '[[deviation]]\noutcome = "ignored"\nchecks = ["stop.a"]\nversions = ["b1"]\nreason = "it is so"\n'
    (tmp_path / "known.toml").write_text(entry + 'link = "https://example.org/issues/1"\n')
    monkeypatch.setattr("backends.known.path", lambda backend: tmp_path / "known.toml")
    known._listed.cache_clear()
    yield
    known._listed.cache_clear()


@pytest.mark.usefixtures("listed")
def test_known_deviations_have_their_reason(tmp_path: Path) -> None:

    def said(outcome: str, **changes: Any) -> list[str]:
        one = check("stop.a", outcome)
        [column] = table([results(tmp_path, [one], targets=[target(**changes)])]).columns
        return [deviation.reason for deviation in known.deviations(column, one)]

    assert said("ignored") == said("ignored", backend="llama-cpp-python") == ["it is so"]
    assert said("fail") == said("ignored", version="b2") == said("ignored", backend="../llamacpp") == []


@pytest.mark.usefixtures("listed")
def test_known_deviations_are_linked(tmp_path: Path) -> None:
    """With reason and versions where the evidence is; and from the matrix of several targets."""
    run = results(tmp_path, [check("stop.a", "ignored")])
    alone = page.build([run], tmp_path / "alone").read_text()
    assert '<dt>Known</dt><dd>it is so <span class="quiet">Listed for b1.</span> <a href="https://example.org/' in alone
    assert '<span class="tag">known</span>' in alone
    passed = results(tmp_path, [check("stop.a")])
    link = '<a class="tag" href="https://example.org/issues/1" rel="noreferrer" title="it is so">known issue</a>'
    assert page.build([run, passed], tmp_path / "two").read_text().count(link) == 1
    assert "example.org" not in page.build([passed], tmp_path / "passed").read_text()


# Text


@given(st.text(), st.text())
def test_difference_keeps_both_texts(expected: str, actual: str) -> None:
    one, other = difference(expected, actual)
    assert ("".join(one), "".join(other)) == (expected, actual)
    assert (one[0], one[2]) == (other[0], other[2])


@given(st.text(alphabet=st.characters(codec=None)))
def test_visible_text_can_be_written_and_has_no_controls(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert not any(ord(c) < 32 and c not in "\n\t" for c in shown)
    assert "\n" not in line(text, 50)
    assert len(line(text, 50)) <= 50


def test_long_text_is_cut_with_a_note() -> None:
    assert cut("x" * 5_000_000).endswith("… cut here; 5,000,000 characters in all, the results file has them")
    assert len(pretty({"a": ["y" * 5_000_000], "b": list(range(100_000))})) < 4_000
    assert len(pretty(json.loads("[" * 500 + "]" * 500))) < 10_000


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20), st.lists, max_leaves=20))
def test_short_json_stays_json(value: Any) -> None:
    assert json.loads(pretty(value)) == value


def test_a_data_url_is_shortened() -> None:
    url = "data:image/png;base64," + "A" * 10_000
    assert pretty(url) == f'"data:image/png;base64,{"A" * 24}… (10,022 characters)"'


# curl


@pytest.mark.parametrize(
    "changes",
    [
        {"sent": {"content": 'it\'s $HOME `id` \\ "quoted" 😀\nEND'}},
        {"sent": {"content": "x" * 2_000 + "END"}},
        {"sent": [1, "@file"]},
        {"sent": {"content": "\u202e\x7f\x9b"}},
        {"body_bytes": {"text": "{broken"}},
        {"body_bytes": {"base64": "AAECJSf/"}},
        {"headers": [["X-Odd", "a'b $(id)"]], "path": "/chat/completions"},
        {"method": "DELETE", "path": "/models/a b?c=1&d"},
    ],
    ids=["quotes", "long", "list", "invisible", "broken", "binary", "headers", "method"],
)
def test_curl_sends_the_same_bytes(changes: dict[str, Any]) -> None:
    got: list[tuple[str, bytes, dict[str, str]]] = []

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        got.append((method, body, headers))
        return as_json({})

    request = wire(**changes)["request"]
    if "body_bytes" in request:
        del request["body"]
    with serving(reply) as origin:
        request["path"] = request["path"].replace(" ", "%20")
        request["url"] = f"{origin}/v1{request['path']}"
        command = curl(request, recorded_as=("t", "s", 1))
        subprocess.run(["bash", "-c", command], env={"OPENAI_API_KEY": "k", "PATH": "/usr/bin:/bin"}, check=True)
    [(method, body, headers)] = got
    assert method == request["method"]
    assert body == raw_body(request)
    assert headers["authorization"] == "Bearer k"
    assert headers.get("x-odd") == dict(request["headers"]).get("X-Odd")


def test_curl_says_http_1_0() -> None:
    request = wire(path="/models", method="GET")["request"] | {"http_version": "1.0"}
    assert "--http1.0" in curl(request, recorded_as=("t", "s", 1))


def test_curl_of_a_very_long_body_takes_it_from_the_file(tmp_path: Path, capfdbinary: Any) -> None:
    sent = {"content": "y" * 100_000}
    file = write(tmp_path / "results.jsonl", [check(exchanges=["long"])], {"long": wire(sent=sent)})
    command = curl(wire(sent=sent)["request"], recorded_as=("llamacpp", "long", 1))
    assert len(command) < 500
    assert command.startswith("openai-conformance body results.jsonl llamacpp long --number 1 | \\\n")
    assert main(["body", str(file), "llamacpp", "long", "--number", "1"]) == 0
    assert json.loads(capfdbinary.readouterr().out) == sent


# Terminal


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_terminal_shows_matrix_causes_and_what_did_not_run(tmp_path: Path, width: int) -> None:
    made = [check("stop.a", "fail", message=f"accepted, but {HOSTILE}"), check("n.a", "blocked")]
    run = results(tmp_path, made, planned=[*made, check("logprobs.a")], footer=False)
    text = terminal.text(table([run]), width=width, colour=False)
    assert "✕ no" in text
    assert "overclaimed" in text
    assert "✕ fail    MUST   stop.a  Generation ends before a `stop` string.  accepted, but <script>" in text
    assert "Neither passed nor violated: 1 blocked" in text
    assert "Not run: 1 of 3, the run was cut before this check" in text
    assert text.startswith("Incomplete")
    assert "\x1b" not in text


def test_the_terminal_folds_checks_into_causes(tmp_path: Path) -> None:
    absent = "POST /v1/embeddings is absent (404)"
    made = [
        check("stop.a", "fail", message="count_stop was accepted", exchanges=["count_stop"]),
        check("stop.b", "fail", message="stop_empty was accepted", exchanges=["stop_empty"], level=Level.SHOULD),
        check("embeddings.a", "rejected", message=absent, cause=absent),
        check("errors.a", "blocked", message=f"not judged: {absent}", cause=absent),
        check("n.a", "rejected", message="count_n was rejected: 400 no n", exchanges=["count_n"]),
    ]
    shown = table([results(tmp_path, made)])
    text = terminal.text(shown, width=80, colour=False)
    assert "What was found (2 causes of 2 violations, MUST first)" in text
    folded = "✕ fail    MUST   2 checks  Invalid requests are accepted instead of rejected  (count_stop, stop_empty)\n"
    assert folded in text
    assert f"⊖ absent  MUST   2 checks  {absent}\n" in text
    assert "stop.a" not in text
    assert "    ✕ fail    MUST   stop.a" in terminal.text(shown, width=80, colour=False, verbose=True)


def test_a_server_without_violations_may_lack_an_endpoint(tmp_path: Path) -> None:
    shown = table([results(tmp_path, [check("n.a", "rejected", message="x", cause="GET /v1/models is absent (404)")])])
    text = terminal.text(shown, width=80, colour=False)
    assert "What was found (1 cause, no violation, MUST first)" in text


def test_the_terminal_has_colour_of_ours_only(tmp_path: Path) -> None:
    run = results(tmp_path, [check(outcome="fail", message=HOSTILE)])
    text = terminal.text(table([run]), width=100, colour=True)
    assert "\x1b[31m" in text
    assert "\\x1b[31m" in text
    assert text.replace("\x1b[31m", "").count("alert(1)") == 1


def test_a_run_of_which_nothing_ran_has_no_matrix(tmp_path: Path) -> None:
    run = results(tmp_path, [], planned=[check()], stopped="nothing answers")
    text = terminal.text(table([run]), width=80, colour=False)
    assert text == "Stopped: nothing answers\nNot run: 1 of 1\n"


# Command line


def test_build_merges_files_and_directories(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old").mkdir()
    write(tmp_path / "old" / "results.jsonl", [check(outcome="fail")])
    new = write(tmp_path / "new.jsonl", [check()])
    assert main(["build", str(tmp_path / "old"), str(new), "--out", str(tmp_path / "site")]) == 0
    index = tmp_path / "site" / "index.html"
    assert capsys.readouterr().out == f"{index}\n"
    assert "2 targets, side by side" in index.read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read as a results file"),
        ("", "does not begin with a header"),
        ('{"kind": "check"}', "does not begin with a header"),
        ("<html>\n<body>", "is not JSON"),
        ('{"kind": "header", "format": 99, "suite": "9"}', "was written by a later suite (9)"),
        (b"\xff\xfe\n\n", "cannot be read as a results file"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, content: str | bytes | None, said: str) -> None:
    file = tmp_path / "results.jsonl"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    command = [sys.executable, "-m", "reports", "build", str(file), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_run_that_was_cut_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "cut.jsonl", [check()], planned=[check(), check("n.a")], footer=False)
    assert main(["build", str(file), "--out", str(tmp_path / "site")]) == 0
    assert capsys.readouterr().err == "The run of llamacpp is incomplete: its results hold 1 of its 2 checks.\n"


def test_an_unwritable_directory_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "results.jsonl", [check()])
    assert main(["build", str(file), "--out", str(file / "below")]) == 2
    assert "cannot write there" in capsys.readouterr().err
