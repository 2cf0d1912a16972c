"""The site's pages of real clients: one for all, and one for each, from what is kept of their runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from conformance.clients import kept, page, retries, story
from conformance.clients.kept import Kept
from reports.page import rendered
from reports.table import slug


def write(found: Kept, out: Path, checks: Iterable[str] = ()) -> None:
    """Write `clients.html` and `clients/NAME.html` into a directory. `checks` are the ids that have a page there."""
    rows, pages = found.rows(), set(checks)
    shown = {
        "kept": found,
        "marks": page.MARKS,
        "api": page.API,
        "sentence": story.sentence,
        "trouble": page.trouble,
        "retries": retries.read(),
        "check_page": lambda id: f"checks/{slug(id)}.html" if id in pages else "",
    }
    of = {row.id: story.stories(found, row) for row in rows}
    losses = [(server, story.losses(found, server)) for server in found.servers]
    text = rendered("clients.html.j2", rows=rows, stories=of, losses=losses, root="", **shown)
    (out / "clients.html").write_bytes(text)
    (out / "clients").mkdir(exist_ok=True)
    for client in dict.fromkeys(row.client for row in rows):
        of_client = [row for row in rows if row.client == client]
        done = [one for one in found.results if one.client == client.name]
        text = rendered(
            "client.html.j2",
            client=client,
            rows=of_client,
            stories=of,
            seconds=kept.median(done),
            cost=found.costs.get(client.name, {}),
            root="../",
            **shown,
        )
        (out / "clients" / f"{client.name}.html").write_bytes(text)
