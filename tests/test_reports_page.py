"""The page as a file: everything of an issue is in it, and nothing that a server said is more than text."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.clients.data import clients
from conformance.outcomes import Level
from conformance.results import Finding, Results
from reports.page import build
from tests.reports_data import HOSTILE, check, results, stream, target, wire
from tests.test_sources import FORMS

VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """Reads a page strictly: every tag known and closed, every id once; keeps what a browser would act on."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts = 0
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given_ = dict(attrs)
        self.tags.add(tag)
        self.attributes |= set(given_)
        self.ids += [given_["id"] or ""] if "id" in given_ else []
        self.links += [given_[a] or "" for a in ("href", "src", "action") if a in given_]
        self.scripts += tag == "script"
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if not self._open or self._open[-1] not in ("script", "style") else ""


def hostile_run(tmp_path: Path, text: str) -> Results:
    """Results in which everything that a server, or an edited file, can choose is `text`."""
    answer = wire('{"choices": ["' + text + '"]}', sent={"model": text, text: text}, headers=[["X-" + text, text]])
    answer["response"] |= {"error": "closed", "error_detail": text}
    made = check(
        outcome="fail",
        target=text,
        message=text,
        expected=text,
        actual=text + "x",
        held=[text],
        exchanges=["s", "t", text],
        controls=["t"],
        source="docs:" + text,
        requirement=text,
        known="known",
        breaks=["s", text],
    )
    column = target(text, text, version=text, found=text, missing={"chat": text}, details={text: text})
    column["deployments"] = [{"role": "chat", "base_url": text, "model": text}]
    others = [check("other.a", "pass", feature=text, target=text), check("n.a", "rejected", target=text, cause=text)]
    finding = Finding(target=text, sentence=text, exchanges=["t", text])
    run = results(tmp_path, [made, *others], targets=[column], stopped=text, findings=[finding])
    ended = {"file": text, "changes": [[text, text]], "exit_code": 1, "output": text, "errors": text}
    run.exchanges[(text, "s")] = {"exchanges": [answer, wire(text)], "log": text}
    run.exchanges[(text, "t")] = {"exchanges": [stream(text)], "program": ended}
    return run


def unique(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids)), sorted({i for i in page.ids if page.ids.count(i) > 1})


def built(tmp_path: Path, *runs: Results, **kwargs: Any) -> str:
    return build(runs, tmp_path / "site", **kwargs).read_text(encoding="utf-8")


TAGS = set(
    re.findall(
        r"\w+",
        "html head meta link title style body a header p h1 h2 h3 span i b em small code pre section dl div "
        "dt dd details summary ul ol li form label input select option button main mark br footer time script table "
        "thead tbody tr th td svg path noscript",
    )
)


def only_ours(html: str) -> Page:
    """The page, after the proof that it holds no element, attribute or link but the templates' own."""
    page = Page(html)
    assert page.tags <= TAGS
    assert page.scripts == 1
    assert not [a for a in page.attributes if a.startswith("on")]
    folders = "evidence|rows|checks|versions|clients|results|capabilities|badges"
    ours = rf"(#|data:,$|(\.\./)*(index|clients)\.html|(\.\./)*({folders})/|\w+\.(html|md|txt|json|xml)$)"
    sources = "|".join([*FORMS.values(), *(re.escape(client.homepage) for client in clients().values())])
    assert all(re.match(ours, link) or re.fullmatch(sources, link) for link in page.links), page.links
    return page


def test_hostile_text_is_text(tmp_path: Path) -> None:
    page = only_ours(built(tmp_path, hostile_run(tmp_path, HOSTILE)))
    assert "<script>alert(1)</script>" in page.text
    many = built(tmp_path, *[hostile_run(tmp_path, "</noscript>" + HOSTILE)] * 8)
    only_ours(many)
    assert many.count("</noscript") == many.count("<noscript>") > 0
    assert "{{ 7*7 }}" in page.text
    assert "\\x1b[31m\\x00\\u202e" in page.text


@settings(max_examples=40)
@given(st.text(alphabet=st.characters(codec=None) | st.sampled_from("<>&\"'`{}%#\x1b\ud800"), min_size=1, max_size=30))
def test_any_text_is_text(tmp_path: Path, text: str) -> None:
    only_ours(built(tmp_path, hostile_run(tmp_path, text)))


def test_causes_lead_to_their_checks_and_exchanges(tmp_path: Path) -> None:
    absent = "POST /v1/embeddings is absent (404)"
    made = [
        check("n.a", "fail", message="s was accepted", exchanges=["s"]),
        check("stop.a", "fail", message="t[2] was accepted", exchanges=["s", "t"]),
        check("embeddings.a", "rejected", message=absent, exchanges=["s"], cause=absent),
        check("tools.a", "fail", level=Level.SHOULD, message="2 of 9 responses: x", exchanges=["t"], breaks=["t[1]"]),
    ]
    run = results(tmp_path, made, {"s": wire()})
    run.exchanges[("llamacpp", "t")] = {"exchanges": [wire(), wire()], "single": False}
    whole = built(tmp_path, run)
    assert "2 causes of 2 violations" in whole
    assert "Invalid requests are accepted instead of rejected" in whole
    assert whole.index(absent) < whole.index('id="ui-matrix"')
    page = Page(whole)
    shown = ["wire/llamacpp/n/s", "wire/llamacpp/stop/t_2_", "wire/llamacpp/embeddings/s", "wire/llamacpp/tools/t_1_"]
    linked = [link.removeprefix("#") for link in page.links if link.startswith(("#wire/", "#llamacpp/"))]
    assert set(shown) | {f"llamacpp/{one.id}" for one in made} <= set(linked)
    assert set(linked) <= set(page.ids)
    assert "<dt>Broken by</dt><dd><code>t[1]</code></dd>" in whole
    apart = Page(built(tmp_path, run, limit=0))
    for link in (link for link in apart.links if "#wire/" in link or "#llamacpp/" in link):
        path, _, anchor = link.partition("#")
        assert anchor in Page((tmp_path / "site" / path).read_text(encoding="utf-8")).ids
    assert f"evidence/llamacpp/stop.html#{shown[1]}" in apart.links


def test_megabytes_are_cut_with_a_note(tmp_path: Path) -> None:
    body = '{"big": [' + '"x", ' * 800_000 + '"x"]}'
    run = results(tmp_path, [check(exchanges=["s", "t"])], {"s": wire(body), "t": wire("y" * 3_000_000)})
    html = built(tmp_path, run)
    assert len(html) < 200_000
    assert "… 799977 more" in html
    assert "cut here; 3,000,000 characters in all" in html


def test_a_check_shows_its_verdict_and_evidence(tmp_path: Path) -> None:
    sent = {"count": wire(sent={"n": 1}), "count_stop": stream('{"a": 1}', "[DONE]")}
    made = check(
        outcome="fail",
        message="not so",
        expected="'1, 2, 3'",
        actual="'1, 2, 3, 4'",
        held=["answer.ok"],
        exchanges=["count", "count_stop"],
        controls=["count"],
    )
    html = built(tmp_path, results(tmp_path, [made], sent))
    page = only_ours(html)
    assert {"stop", "stop.ends_the_text", "llamacpp/stop.ends_the_text"} <= set(page.ids)
    text = " ".join(page.text.split())
    for shown in (
        "✕ fail MUST Generation ends before a stop string. core stop.ends_the_text",
        "CreateChatCompletionRequest.stop · OpenAI's OpenAPI document",
        'count_stop differs from the control count in: model = "m"; no n',
        '+10.0 ms {"a": 1}',
        "curl -sSi",
        "overclaimed",
        "no vision: the server has none",
    ):
        assert shown in text, shown
    assert "<mark>, 4</mark>" in html


def test_the_servers_log_is_under_the_last_exchange(tmp_path: Path) -> None:
    run = results(tmp_path, [check(exchanges=["s", "t"])], {"s": wire(), "t": wire()})
    assert "The server's log" not in built(tmp_path, run)
    run.exchanges[("llamacpp", "s")] |= {"exchanges": [wire("first"), wire("second")], "log": f"slot 0\n{HOSTILE}"}
    page = only_ours(built(tmp_path, run))
    assert page.text.count("The server's log meanwhile") == 1
    shown = ["first", "second", "During all 2 requests of s.", "slot 0\n<script>"]
    assert sorted(shown, key=page.text.index) == shown
    assert "lines about others may be among these" in page.text


@pytest.mark.parametrize(
    ("about", "command"),
    [
        ({}, None),
        ({"found": "attached to http://127.0.0.1:8080/v1", "details": {"command": "x"}}, None),
        ({"found": "started from /bin/x", "details": {"command": "x -m '$(y)'"}}, "x -m '$(y)'"),
        ({"found": "started from /bin/ollama, with a model store of its own"}, "pytest"),
    ],
)
def test_a_server_that_the_run_started_can_be_started_again(
    tmp_path: Path, about: dict[str, Any], command: str | None
) -> None:
    columns = [target(**{**about, "details": about.get("details", {})})]
    run = results(tmp_path, [check(exchanges=["s"])], {"s": wire()}, targets=columns)
    folds = re.findall(r"The server was stopped.*?</details>", built(tmp_path, run), re.DOTALL)
    assert [unescape(re.findall("<pre[^>]*>(.*?)</pre>", fold)[0]) for fold in folds] == [command] * bool(command)
    assert "went to another" not in "".join(folds)


def test_the_server_of_another_role_is_not_started_as_that_of_chat(tmp_path: Path) -> None:
    sent = {"s": wire(url="http://127.0.0.1:2/v1/embeddings")}
    for found, other in (("from the xllamacpp wheel", True), ("in a container from x:y (cpu)", False)):
        columns = [target(found=f"started {found}", details={"command": "x"})]
        page = built(tmp_path, results(tmp_path, [check(exchanges=["s"])], sent, targets=columns))
        assert ("It is the server of chat: this request went to another" in page) == other


def test_a_program_is_shown_with_how_it_ended(tmp_path: Path) -> None:
    run = results(tmp_path, [check(exchanges=["s"])], {"s": wire("the answer")})
    ended = {"file": "chat.py", "changes": [["gpt", "<model>"]], "exit_code": 0, "output": "Paris\n", "errors": ""}
    run.exchanges[("llamacpp", "s")] |= {"program": ended}
    text = " ".join(only_ours(built(tmp_path, run)).text.split())
    assert "chat.py sent 1 request and ended with exit code 0. Its text was changed: gpt → <model>." in text
    assert "Output Paris" in text
    assert "the answer" in text
    run.exchanges[("llamacpp", "s")] |= {"exchanges": [], "program": {**ended, "exit_code": None, "errors": "too slow"}}
    text = " ".join(only_ours(built(tmp_path, run)).text.split())
    assert "chat.py sent 0 requests and was stopped after its time." in text
    assert "Errors too slow" in text
    assert "no such exchange" not in text
    # With other targets beside it, the matrix names the program, and its own page has what it printed.
    index = built(tmp_path, run, limit=1000)
    assert "was stopped after its time" in index
    assert "too slow" not in index
    assert "too slow" in (tmp_path / "site" / "evidence" / "llamacpp" / "stop.html").read_text()


def test_the_page_names_suite_and_sdks(tmp_path: Path) -> None:
    new = results(tmp_path, [check()])
    assert f"suite {new.header['suite']}, openai-python {new.header['sdks']['openai-python']}" in built(tmp_path, new)
    old = replace(new, header={key: value for key, value in new.header.items() if key != "sdks"})
    assert "openai-python" not in built(tmp_path, old).partition("<h2")[0]


def test_a_stopped_run_has_a_page_that_says_so(tmp_path: Path) -> None:
    html = built(tmp_path, results(tmp_path, [], planned=[check()], stopped="Nothing answers at http://x"))
    assert "Stopped: Nothing answers at http://x" in only_ours(html).text
    assert "not-run" in html


def test_a_cut_run_has_a_page_that_says_so(tmp_path: Path) -> None:
    html = built(tmp_path, results(tmp_path, [check()], planned=[check(), check("n.a")], footer=False))
    assert "Incomplete" in only_ours(html).text
    assert "the run was cut before this check" in html


def test_several_targets_have_a_page_for_each_cell(tmp_path: Path) -> None:
    run = results(tmp_path, [check(exchanges=["s"])], {"s": wire("the answer")})
    other = results(tmp_path, [check(outcome="ignored", exchanges=["s"])], {"s": wire("another answer")})
    index = only_ours(built(tmp_path, run, other))
    assert "evidence/llamacpp-2/stop.html#stop.ends_the_text" in index.links
    page = only_ours((tmp_path / "site" / "evidence" / "llamacpp-2" / "stop.html").read_text())
    assert "another answer" in page.text
    assert "llamacpp-2/stop.ends_the_text" in page.ids
    # A smaller report in the same place leaves none of them behind, and nothing of somebody else's is removed.
    built(tmp_path, run)
    assert not (tmp_path / "site" / "evidence").exists()


def test_large_evidence_of_one_target_has_pages_of_its_own(tmp_path: Path) -> None:
    run = results(tmp_path, [check(exchanges=["s"])], {"s": wire("the answer")})
    index = only_ours(built(tmp_path, run, limit=1000))
    assert "evidence/llamacpp/stop.html#llamacpp/stop.ends_the_text" in index.links
    assert "the answer" in only_ours((tmp_path / "site" / "evidence" / "llamacpp" / "stop.html").read_text()).text


def test_many_targets_are_written_by_several_processes(tmp_path: Path) -> None:
    run = results(tmp_path, [check(exchanges=["s"])], {"s": wire("the answer")})
    only_ours(built(tmp_path, *[run] * 8))
    pages = sorted((tmp_path / "site" / "evidence").rglob("*.html"))
    assert len(pages) == 8
    assert all("the answer" in page.read_text() for page in pages)


def test_every_link_inside_leads_somewhere(tmp_path: Path) -> None:
    run = results(tmp_path, [check(outcome="fail"), check("n.a", "ignored")])
    for html in (built(tmp_path, run), built(tmp_path, run, run)):
        page = Page(html)
        unique(page)
        assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_building_twice_gives_the_same_page(tmp_path: Path) -> None:
    run = results(tmp_path, [check()])

    def page() -> str:
        return re.sub(r"<time>[^<]*</time>", "", built(tmp_path, run))

    assert page() == page()


CSS = (Path(__file__).parent.parent / "reports" / "templates" / "page.css").read_text()


def luminance(colour: str) -> float:
    full = "".join(c * 2 for c in colour) if len(colour) == 3 else colour
    parts = [int(full[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_have_contrast(theme: str) -> None:
    """At least 4.5:1 for text, WCAG 2.2, 1.4.3."""
    light, dark = CSS.split("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([\w-]+): #([0-9a-f]+);", light if theme == "light" else dark.split("* {")[0]))
    words = ["yes", "partial", "ignored", "no", "unknown"]
    pairs = [(w, ground) for w in words for ground in (f"{w}-ground", "ground", "raised")]
    pairs += [(w, ground) for w in ("ink", "quiet", "link") for ground in ("ground", "raised")] + [("mark-ink", "mark")]
    for text, ground in pairs:
        high, low = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)
