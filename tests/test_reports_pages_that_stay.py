"""The pages of a site that stay: of rows, checks and versions; its plain data and its feed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest

from conformance.results.versions import save
from reports import feed, of_checks, site, versions
from reports.history import series
from tests.reports_data import HOSTILE, check, target, wire, write
from tests.test_reports_page import only_ours, unique
from tests.test_reports_versions import kept_in

DAY = 86_400.0
CHECK = "stop.ends_the_text"
WHY = "expected the text before the stop string, got the whole text (`content`)"


@pytest.fixture
def own_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three made versions of llama.cpp, instead of the measured ones."""
    save(kept_in(tmp_path), tmp_path / "versions" / "llamacpp.json")
    monkeypatch.setattr(versions, "FILES", tmp_path / "versions")
    versions.of_backend.cache_clear()
    yield
    versions.of_backend.cache_clear()


def night(path: Path, number: int, outcome: str, why: str = "", **changes: Any) -> None:
    made = [
        check(CHECK, outcome, message=why, exchanges=["count", "count_stop"], controls=["count"]),
        check("seed.repeats_the_answer"),
    ]
    sent = {"count": wire("12"), "count_stop": wire("1")}
    write(path, made, sent, targets=[target(**changes)], started=1_790_000_000 + number * DAY)


@pytest.fixture
def built(tmp_path: Path, own_versions: None) -> Path:
    night(tmp_path / "data" / "cpu" / "a.jsonl", 1, "pass", version="b1")
    night(tmp_path / "data" / "cpu" / "b.jsonl", 2, "fail", WHY, version="b2")
    night(tmp_path / "data" / "rocm" / "a.jsonl", 1, "pass", version="b1")
    site.build(tmp_path / "data", tmp_path / "site")
    return tmp_path / "site"


def text_of(path: Path) -> str:
    page = only_ours(path.read_text())
    unique(page)
    return " ".join(page.text.split())


def test_a_page_for_each_check(built: Path) -> None:
    said = text_of(built / "checks" / f"{CHECK}.html")
    for part in (
        "MUST stop.ends_the_text core",
        "OpenAI's OpenAPI document",
        "cpu b2 ✕ fail expected the text before the stop string, got the whole text (content)",
        "✕ fail since 2026-09-23 (b2), 2 runs",
        "rocm b1 ✓ pass one run",
        "✓ pass since 2026.10.1; fail until 2026.4.8672",
        "What breaks",
        "The response breaks the requirement: change what the message names.",
        "openai-conformance http://127.0.0.1:8000/v1 test_stop.py::test_ends_the_text",
        "curl -sSi",
    ):
        assert part in said
    assert "The server accepts the parameter and does nothing" not in said
    links = only_ours((built / "checks" / f"{CHECK}.html").read_text()).links
    assert {
        "../rows/stop.html",
        f"../evidence/cpu/stop.html#{CHECK}",
        "../versions/llamacpp.html#2026.10.1",
    } <= set(links)


def test_a_renamed_check_is_at_its_old_address_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_checks, "renamed", lambda: {"stop.as_it_was_called": CHECK})
    night(tmp_path / "data" / "cpu" / "a.jsonl", 1, "pass")
    site.build(tmp_path / "data", tmp_path / "site")
    assert "MUST stop.ends_the_text" in text_of(tmp_path / "site" / "checks" / "stop.as_it_was_called.html")


def test_a_page_for_each_row(built: Path) -> None:
    said = text_of(built / "rows" / "stop.html")
    assert "cpu b2 ✕ no" in said
    assert "✕ no since 2026-09-23 (b2), 2 runs" in said
    assert "◐ partial since 2026.10.1; no until 2026.4.8672" in said
    links = only_ours((built / "rows" / "stop.html").read_text()).links
    assert {"../evidence/rocm/stop.html", f"../checks/{CHECK}.html"} <= set(links)
    assert "No check" not in text_of(built / "rows" / "vision.html")  # Not measured: the address is there all the same.


def test_a_page_for_the_versions(built: Path) -> None:
    said = text_of(built / "versions" / "llamacpp.html")
    assert "3 versions" in said
    assert "✕ fail → ✓ pass" in said
    page = only_ours((built / "versions" / "llamacpp.html").read_text())
    assert {"2026.10.1", "2026.4.8672.1", "2026.4.8672"} <= set(page.ids)
    assert f"../checks/{CHECK}.html" in page.links
    assert "## 2026.10.1" in (built / "versions" / "llamacpp.md").read_text()


def test_evidence_tells_of_versions_and_leads_to_the_pages(built: Path) -> None:
    page = only_ours((built / "evidence" / "cpu" / "stop.html").read_text())
    assert "✓ pass since 2026.10.1; fail until 2026.4.8672" in page.text
    assert {"../../rows/stop.html", f"../../checks/{CHECK}.html"} <= set(page.links)


def test_plain_data(built: Path) -> None:
    data = json.loads((built / "data.json").read_text())
    assert [(one["key"], one["version"], one["complete"]) for one in data["columns"]] == [
        ("cpu", "b2", True),
        ("rocm", "b1", True),
    ]
    [stop] = [row for row in data["rows"] if row["id"] == "stop"]
    assert {key: cell["status"] for key, cell in stop["cells"].items()} == {"cpu": "no", "rocm": "yes"}
    assert stop["since"]["llamacpp"]["version"] == "2026.10.1"
    [one] = [one for one in data["checks"] if one["id"] == CHECK]
    assert one["outcomes"]["cpu"] == {"outcome": "fail", "message": WHY}
    assert one["breaks"]
    newest = data["versions"]["llamacpp"][0]
    assert (newest["version"], newest["fixes"]) == ("2026.10.1", [CHECK])
    for path in (stop["page"], one["page"], *(cell["page"] for cell in stop["cells"].values())):
        assert (built / path).exists()


def test_plain_text(built: Path) -> None:
    text = (built / "llms.txt").read_text()
    assert text.startswith("# OpenAI API conformance\n\n> ")
    files = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert {"matrix.md", "checks.md", "data.json", "feed.xml", "versions/llamacpp.md"} <= set(files)
    assert [file for file in files if not (built / file).exists()] == []
    assert f"## {CHECK}\n\nMUST, row stop." in (built / "checks.md").read_text()
    assert f"- cpu: fail: {WHY}\n- rocm: pass\n" in (built / "checks.md").read_text()


def test_a_feed_of_changes(built: Path) -> None:
    name = f"{{{feed.ATOM}}}"
    found = xml.parse(built / "feed.xml").getroot()
    entries = found.findall(f"{name}entry")
    told = {entry.findtext(f"{name}title"): entry for entry in entries}
    assert set(told) == {"cpu b1 → b2: 1 regressed, 0 fixed", "llamacpp 2026.10.1: 1 regressed, 1 fixed"}
    run = told["cpu b1 → b2: 1 regressed, 0 fixed"]
    assert run.findtext(f"{name}updated") == "2026-09-23T14:13:20Z"
    assert (run.findtext(f"{name}content") or "").startswith(f"regression: {CHECK} (pass → fail): ")
    links = [link.get("href", "") for entry in entries for link in entry.findall(f"{name}link")]
    for link in links:
        path, _, anchor = link.partition("#")
        assert f'id="{anchor}"' in (built / path).read_text()
    assert len({entry.findtext(f"{name}id") for entry in entries}) == len(entries)


def test_a_hostile_run_stays_text(tmp_path: Path, own_versions: None) -> None:
    for number, outcome in enumerate(["pass", "fail"]):
        made = [check("stop.a", outcome, message=HOSTILE, requirement=HOSTILE, exchanges=["s"])]
        columns = [target(version=HOSTILE)]
        write(
            tmp_path / "data" / "cpu" / f"{number}.jsonl",
            made,
            {"s": wire(HOSTILE)},
            targets=columns,
            started=number * DAY,
        )
    out = tmp_path / "site"
    site.build(tmp_path / "data", out)
    for path in sorted(out.rglob("*.html")):
        only_ours(path.read_text())
    xml.parse(out / "feed.xml")
    assert json.loads((out / "data.json").read_text())["checks"][0]["requirement"] == HOSTILE
    assert "<script>" not in (out / "llms.txt").read_text() + (out / "checks.md").read_text()


def test_only_newest_runs_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "RUNS", 2)
    for number, outcome in enumerate(["pass", "fail", "pass"]):
        night(tmp_path / "cpu" / f"{number}.jsonl", number, outcome)
    [entry] = feed.entries(series(tmp_path), [])
    assert entry.title == "cpu b1: 0 regressed, 1 fixed"
