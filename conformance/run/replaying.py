"""Old results instead of a server: their targets, and their exchanges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backends.target import Deployment, Target
from conformance import results
from conformance.answers.recording import Recording, Replay
from conformance.results import Exchanges
from fixtures import scenario


def replayed(path: Path) -> tuple[dict[str, Target], dict[str, Replay], list[str]]:
    """The targets and the exchanges of old results, by the target's name, and what they lack. Raises BadResults."""
    targets: dict[str, Target] = {}
    sources: dict[str, Replay] = {}
    notes: list[str] = []
    for one in results.read_all([path]):
        if one.footer is None:
            planned = len(one.targets) * len(one.header["selected"])
            notes.append(f"cut: the run was cut; the file holds {len(one.checks)} of its {planned} checks")
        for old in one.targets:
            kept = _Recordings(one.exchanges, old["name"])
            held = sum("exchanges" in kept[name] for name in kept.keys() & scenario.SCENARIOS.keys())
            if held < len(scenario.SCENARIOS):
                few = f"{held} of {len(scenario.SCENARIOS)} scenarios of {old['name']}"
                notes.append(f"recorded: the file holds {few}; checks of the others are not-run or blocked")
            targets[old["name"]] = target_of(old, found=f"replayed from {path}")
            sources[old["name"]] = Replay(kept, targets[old["name"]])
    return targets, sources, notes


class _Recordings(Mapping[str, Recording]):
    """The recordings of a target in a results file by scenario, each parsed whenever it is asked for."""

    def __init__(self, lines: Exchanges, target: str) -> None:
        self._lines = lines
        self._target = target

    def __getitem__(self, name: str) -> Recording:
        return Recording(self._lines[self._target, name])

    def __iter__(self) -> Iterator[str]:
        return (scenario for target, scenario in self._lines if target == self._target)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def target_of(data: dict[str, Any], **changes: Any) -> Target:
    """The inverse of `Target.to_json`; keys of later suites are left out."""
    deployments = tuple(Deployment(**_of(Deployment, d)) for d in data["deployments"])
    return Target(**{**_of(Target, data), "deployments": deployments, **changes})


def _of(made: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    """What is a field of a dataclass."""
    return {key: value for key, value in data.items() if key in made.__dataclass_fields__}
