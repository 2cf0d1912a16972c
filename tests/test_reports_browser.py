"""The page in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends import node
from reports import page, site
from reports.page import build
from reports.table import table
from tests.reports_data import HOSTILE, check, client, results, stream, target, wire, write

CHROMIUM = Path("/usr/bin/chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[test]'")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium")
BUSY = 4
"""How many times slower than an idle one a machine may be that runs the tests."""
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield chromium
        chromium.close()


CLIENTS = [
    client(),
    client("tools", "fail", message=HOSTILE, cause=f"works once {HOSTILE}", checks=["n.several"], forced=True),
    client("structured", "blocked", title=HOSTILE, api="responses", message="long" * 200),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with one target, on which some things fail, and a hostile answer."""
    made = [
        check("stop.ends_the_text", "ignored", message=HOSTILE, exchanges=["s", "t"], controls=["t"]),
        check("stop.streamed", "pass", exchanges=["t"], level="SHOULD"),
        check(
            "n.several", "fail", requirement="Each has an index.", expected="[1, 2]", actual="[1, 3]", exchanges=["s"]
        ),
    ]
    sent = {"s": wire('{"x": "' + "long " * 2000 + '"}', sent={"stop": HOSTILE}), "t": stream(*['{"a": 1}'] * 30)}
    directory = tmp_path_factory.mktemp("one")
    run = results(directory, made, sent, clients=CLIENTS)
    ended = {"file": "chat.py", "changes": [], "exit_code": 1, "output": "so far " * 99, "errors": HOSTILE}
    run.exchanges[("llamacpp", "s")] |= {"log": f"slot 0: {'x' * 999}\n{HOSTILE}", "program": ended}
    return build([run], directory)


def test_evidence_of_a_cause_is_one_click_away_without_script(browser: Any, index: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(index.as_uri())
    cause = page.locator("details.cause").first
    cause.locator("summary").click()
    link = cause.locator("a[href^='#wire/']").first
    target = link.get_attribute("href").removeprefix("#")
    link.click()
    assert page.locator(f"id={target}").is_visible()
    context.close()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of two backends, of which one has regressed since the run before."""
    directory = tmp_path_factory.mktemp("data")
    for number, outcome in enumerate(["pass", "ignored"], start=1):
        made = [check("stop.a", outcome, exchanges=["s"]), check("n.a", "pass"), check("tools.a", "fail")]
        write(directory / "llamacpp" / f"{number}.jsonl", made, {"s": wire()}, started=number * 86_400.0)
    other = [target("vllm", "vllm")]
    write(directory / "vllm" / "1.jsonl", [check(target="vllm"), check("n.a", "fail", target="vllm")], targets=other)
    return site.build(directory, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, which npm brings once."""
    try:
        kept = node.installed(Path(__file__).parent / "data" / "axe", "axe-core")
    except node.NoNode as problem:
        pytest.skip(f"{problem}; axe-core comes from npm")
    return (kept / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with eight targets, and evidence on pages of its own."""
    directory = tmp_path_factory.mktemp("several")
    hostile = check("n.several", "ignored", requirement=f"</noscript>{HOSTILE}")
    run = results(directory, [check(exchanges=["s"]), hostile], {"s": wire()}, clients=CLIENTS)
    return build([run] * 8, directory, limit=1000)


class Watched:
    """A page and everything that went wrong or over the network in it."""

    def __init__(self, context: Any, path: Path, fragment: str = "") -> None:
        self.problems: list[str] = []
        self.page = context.new_page()
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: self.problems.append(dialog.message))
        self.page.on("request", lambda request: self._requested(request.url))
        self.page.goto(path.as_uri() + fragment)

    def _requested(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.problems.append(url)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1440])
@pytest.mark.parametrize("which", ["index", "several"])
def test_quiet_and_no_wider_than_the_window(
    browser: Any, request: pytest.FixtureRequest, which: str, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    shown = Watched(context, request.getfixturevalue(which))
    shown.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.problems == []
    ground = shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    context.close()


def test_a_key_opens_a_row_and_its_check(browser: Any, index: Path) -> None:
    context = browser.new_context()
    page = Watched(context, index).page
    page.locator("details.row#stop > summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#stop").get_attribute("open") is not None
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.locator("details.check[open] .verdict").is_visible()
    assert page.evaluate("location.hash") == "#llamacpp/stop.ends_the_text"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "ui-search"
    context.close()


def test_without_script_all_is_there(browser: Any, index: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = Watched(context, index).page
    assert not page.locator("#ui-tools").is_visible()
    page.locator("#n > summary").click()
    page.locator("[id='llamacpp/n.several'] > summary").click()
    assert page.locator("[id='llamacpp/n.several'] mark").first.is_visible()
    page.locator("[id='llamacpp/n.several'] .exchange > summary").click()
    assert page.locator("[id='llamacpp/n.several'] .exchange").get_by_text("Send it again").is_visible()
    assert page.locator(".copy:visible").count() == 0
    context.close()


def test_without_script_the_checks_of_many_targets_are_there(browser: Any, several: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = Watched(context, several).page
    page.locator("#n > summary").click()
    assert page.locator("[id='n.several'] td").count() == 8
    assert page.locator("[id='n.several']").get_by_text("ignored").first.is_visible()
    context.close()


@pytest.mark.parametrize("early", [True, False])
def test_the_checks_of_many_targets_are_there_when_they_are_needed(browser: Any, several: Path, early: bool) -> None:
    """Before the browser had time to make elements of them, and after."""
    context = browser.new_context()
    if early:
        context.add_init_script("window.requestIdleCallback = () => {}")
    page = Watched(context, several, "#n.several").page
    if not early:
        playwright.expect(page.locator("noscript")).to_have_count(0)
    assert page.locator("[id='n.several']:visible td").count() == 8
    assert page.locator("noscript").count() == (len(page.locator("details.row").all()) - 1) * early
    page.locator("#stop > summary").click()
    assert page.locator("[id='stop.ends_the_text']:visible td").count() == 8
    page.locator("#ui-outcome").select_option("pass")
    assert [row.get_attribute("id") for row in page.locator("details.row:visible").all()] == ["stop"]
    assert page.locator("noscript").count() == 0
    context.close()


@pytest.mark.parametrize("fragment", ["#stop", "#stop.ends_the_text", "#llamacpp/stop.ends_the_text"])
def test_deep_links_open_their_place(browser: Any, index: Path, fragment: str) -> None:
    context = browser.new_context()
    page = Watched(context, index, fragment).page
    assert page.locator("details.row#stop").get_attribute("open") is not None
    assert page.locator("details.check[open]").count() == ("." in fragment)
    context.close()


def test_filters(browser: Any, index: Path) -> None:
    context = browser.new_context()
    page = Watched(context, index).page
    rows = page.locator("details.row:visible")

    def shown() -> list[str]:
        return [row.get_attribute("id") for row in rows.all()]

    page.locator("#ui-outcome").select_option("!")
    assert shown() == ["stop", "n"]
    page.locator("#ui-outcome").select_option("pass")
    assert shown() == ["stop"]
    page.locator("#ui-level").select_option("MUST")
    assert shown() == []
    page.locator("#ui-outcome").select_option("")
    page.locator("#ui-level").select_option("")
    page.locator("#ui-search").fill("several choices")
    assert shown() == ["n"]
    page.locator("#ui-search").fill("")
    page.locator("#ui-surprising").check()
    assert shown() == ["stop", "n"]
    page.locator("#ui-expand").click()
    assert page.locator("details.row[open]").count() == 2
    context.close()


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ("stop: before", ["stop"]),
        ("`stop` STRING.", ["stop"]),
        ("stop.ends_the_text", ["stop"]),
        ('"streamed" should', ["stop"]),
        ("choices: several index", ["n"]),
        ("must core", ["stop", "n"]),
        ("streamed several", []),
    ],
)
def test_a_search_is_for_words(browser: Any, index: Path, typed: str, rows: list[str]) -> None:
    context = browser.new_context()
    page = Watched(context, index).page
    page.locator("#ui-search").fill(typed)
    assert [row.get_attribute("id") for row in page.locator("details.row:visible").all()] == rows
    said = {0: "No row matches: all words", 1: "1 row matches", 2: "2 rows match"}
    assert page.locator("#ui-found").inner_text().startswith(said[len(rows)])
    page.locator("#ui-search").fill("")
    assert page.locator("#ui-found").inner_text() == ""
    context.close()


def test_a_search_opens_rows_while_it_lasts(browser: Any, index: Path) -> None:
    context = browser.new_context()
    page = Watched(context, index).page

    def searched(text: str) -> tuple[list[str], list[str]]:
        page.locator("#ui-search").fill(text)
        opened = [row.get_attribute("id") for row in page.locator("details.row[open]").all()]
        return opened, [check.inner_text() for check in page.locator("details.check:visible > summary > .id").all()]

    page.locator("#n > summary").click()
    assert searched("streamed")[0] == ["stop", "n"]
    assert searched("streamed")[1] == ["stop.streamed"]
    assert searched("stop") == (["n"], [])  # The row itself has the word.
    assert searched("") == (["n"], ["n.several"])
    # What the user opens or closes meanwhile stays so.
    searched("streamed")
    page.locator("#stop > summary").click()
    page.locator("#stop > summary").click()
    assert searched("")[0] == ["stop", "n"]
    context.close()


def test_a_command_is_copied(browser: Any, index: Path) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = Watched(context, index, "#wire/llamacpp/stop/t").page
    button = page.locator("[id='wire/llamacpp/stop/t'] .copy")
    button.focus()
    page.keyboard.press("Enter")
    playwright.expect(button).to_have_text("Copied")
    assert page.locator("#ui-said[aria-live]").inner_text() == "Copied"
    command = page.locator("[id='wire/llamacpp/stop/t'] .curl").inner_text()
    assert command.startswith("curl ")
    assert page.evaluate("navigator.clipboard.readText()") == command
    playwright.expect(button).to_have_text("Copy")
    assert page.locator("#ui-said").inner_text() == ""
    context.close()


def test_without_a_clipboard_nothing_offers_to_copy(browser: Any, index: Path) -> None:
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined })")
    shown = Watched(context, index, "#wire/llamacpp/stop/t")
    assert shown.page.locator(".curl:visible").count() == 1
    assert shown.page.locator(".copy:visible").count() == 0
    assert shown.problems == []
    context.close()


def test_evidence_pages_lead_back(browser: Any, several: Path) -> None:
    context = browser.new_context()
    shown = Watched(context, several, "#stop.ends_the_text")
    shown.page.locator("[id='stop.ends_the_text'] td:nth-child(4) a").click()
    assert shown.page.url.endswith("evidence/llamacpp-3/stop.html#stop.ends_the_text")
    assert shown.page.locator("details.check[open] .exchange").count() == 1
    shown.page.locator(".suite a").click()
    assert shown.page.url.endswith("index.html#stop")
    assert shown.problems == []
    context.close()


def test_it_prints(browser: Any, index: Path) -> None:
    context = browser.new_context()
    page = Watched(context, index).page
    page.emulate_media(media="print")
    assert not page.locator("#ui-tools").is_visible()
    assert page.locator("details.row#stop").is_visible()
    assert page.pdf()[:5] == b"%PDF-"
    context.close()


def test_a_backend_alone(browser: Any, published: Path) -> None:
    context = browser.new_context()
    page = Watched(context, published).page
    page.locator("#ui-backend").select_option("vllm")
    assert [head.inner_text().split("\n")[0] for head in page.locator(".heads .target:visible").all()] == ["2 vllm"]
    page.locator("#n > summary").click()
    assert page.locator("#n td:visible").count() == 1
    page.locator("#ui-outcome").select_option("ignored")
    assert page.locator("details.row:visible").count() == 0
    page.locator("#ui-backend").select_option("")
    assert [row.get_attribute("id") for row in page.locator("details.row:visible").all()] == ["stop"]
    context.close()


def test_a_phone_shows_the_search_on_its_first_screen(browser: Any, tmp_path: Path) -> None:
    features = table([results(tmp_path, [check()])]).rows
    made = [check(f"{row.feature.id}.a", "fail") for row in features]
    columns = [target(details={f"fact {n}": "said at length " * 9 for n in range(12)})]
    file = build([results(tmp_path, made, targets=columns)], tmp_path)
    context = browser.new_context(viewport={"width": 400, "height": 900})
    page = Watched(context, file).page
    box = page.locator("#ui-search").bounding_box()
    assert box["y"] + box["height"] < 900
    assert not page.get_by_text("Fact 11").is_visible()
    page.get_by_text("What was measured").click()
    assert page.get_by_text("Fact 11").is_visible()
    page.get_by_text("What was measured").click()
    page.set_viewport_size({"width": 1440, "height": 900})
    playwright.expect(page.get_by_text("Fact 11")).to_be_visible()
    assert not page.get_by_text("What was measured").is_visible()
    context.close()


SITE = (
    *("index.html", "changes.html", "tools.html", "evidence/llamacpp/stop.html"),
    *("rows/stop.html", "checks/stop.a.html", "versions/llamacpp.html", "clients.html", "clients/opencode.html"),
)


@pytest.mark.parametrize("width", [400, 1440])
def test_the_pages_of_a_site_are_quiet(browser: Any, published: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    for name in SITE:
        shown = Watched(context, published.parent / name)
        shown.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert shown.problems == []
    context.close()


# The page of versions has the most elements, and no colours of its own: one scheme is enough.
AUDITED = [(name, scheme) for name in ("alone", *SITE) for scheme in ("light", "dark") if "versions" not in name]
AUDITED += [("versions/llamacpp.html", "light")]


@pytest.mark.parametrize(("name", "scheme"), AUDITED)
def test_axe_finds_nothing(browser: Any, axe: str, published: Path, index: Path, name: str, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = Watched(context, index if name == "alone" else published.parent / name).page
    page.evaluate(axe)
    for opened in ("false", "true"):
        page.evaluate(f"document.querySelectorAll('details').forEach((d) => {{ d.open ||= {opened}; }})")
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    context.close()


def test_fifty_targets_are_usable_at_once(browser: Any, tmp_path: Path) -> None:
    """50 targets x 600 checks: a page below 15 MB, ready and filtered within a second on an idle machine."""
    features = [row.feature.id for row in table([results(tmp_path, [check()])]).rows]
    endings = ["pass"] * 7 + ["fail", "ignored", "rejected"]
    sentence = "The parameter has the effect that the API's documentation says it has."
    made = [
        check(f"{features[n % 40]}.is_as_the_document_says_{n}", endings[n % 10], requirement=sentence, core=n < 40)
        for n in range(600)
    ]
    run = results(tmp_path, made)
    html = page.render(table([run] * 50), apart=True)
    assert len(html) < 15_000_000
    file = tmp_path / "index.html"
    file.write_bytes(html)
    context = browser.new_context()
    shown = Watched(context, file)
    loaded = shown.page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    filtered = shown.page.evaluate(
        """() => {
          const begin = performance.now(), search = document.getElementById("ui-search");
          search.value = "says_599";
          search.dispatchEvent(new Event("input"));
          return performance.now() - begin + document.body.offsetHeight * 0;
        }"""
    )
    assert shown.page.locator("details.row:visible").count() == 1
    assert loaded + filtered < 1000 * BUSY
    assert shown.problems == []
    context.close()
