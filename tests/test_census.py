"""The census of forms is complete, and its page up to date."""

from __future__ import annotations

from conformance.ledger import census


def test_each_form_is_sent_or_has_a_reason() -> None:
    unsent = census.unsent()
    where = "send it in a scenario (fixtures/scenarios/forms.py), or say in conformance/ledger/census.toml why not"
    assert not unsent, f"{where}: {', '.join(unsent)}"


def test_no_reason_is_stale() -> None:
    stale = census.stale()
    assert not stale, f"remove from conformance/ledger/census.toml: {', '.join(stale)}"


def test_the_page_is_up_to_date() -> None:
    current = census.PAGE.read_text(encoding="utf-8") == census.page()
    assert current, "docs/census.md is out of date; run: python -m conformance.ledger"
