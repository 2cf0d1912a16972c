"""Whether contributed results can become a column: complete, made by this suite, and confirmed by their exchanges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from backends.suite import suite_version
from conformance.results import Results, read
from conformance.run import catalogue
from conformance.run.again import outcomes

SHOWN = 10
"""How many checks with another outcome are named."""


def problems(file: Path) -> list[str]:
    """Why a results file cannot become a column, in sentences; none if it can. Raises BadResults."""
    found = read(file)
    return [*_of_header(found), *_of_checks(found, file)]


def _of_header(found: Results) -> Iterator[str]:
    suite, ours = str(found.header["suite"]), suite_version().removesuffix(".dirty")
    if found.footer is None:
        yield "The run was interrupted: measure again, to the end."
    if suite.endswith(".dirty"):
        yield f"The suite had uncommitted changes ({suite}): measure with an unchanged checkout, or a release."
    elif suite != ours:
        yield f"The run used another version of the suite ({suite}; this one is {ours}): check out its commit."
    if left := set(catalogue.load()) - {one["id"] for one in found.header["selected"]}:
        yield f"{len(left)} checks were not selected: measure all of them, without -m, -k and --profile."
    if any(one.get("later") for one in found.header["selected"]):
        yield f"The run judged by requirements {found.header['requirements']}: measure again without --requirements."
    for target in found.targets:
        if not target["version"]:
            yield f"{target['name']} has no version: use a server that reports it, or name the column with --name."


def _of_checks(found: Results, file: Path) -> Iterator[str]:
    """The outcomes of the file against those that its exchanges give now."""
    again = outcomes(file)
    for name in (target["name"] for target in found.targets):
        kept = [one for one in found.checks if one.target == name and (name, one.id) in again]
        differ = [f"{one.id} ({one.outcome}, now {now})" for one in kept if (now := again[name, one.id]) != one.outcome]
        if differ:
            more = f" and {len(differ) - SHOWN} more" if len(differ) > SHOWN else ""
            yield f"{name}: the file's exchanges give other outcomes for {', '.join(differ[:SHOWN])}{more}."
