"""How many pairs of parameters are noticed: each ignored only beside another, by a fault of its own.

python -m tests.reference.pairs [--every N]
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.reference import kills
from tests.reference.bench import bench
from tests.reference.faults.pairs import PAIRS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reference.pairs", description="Try pairs of parameters.")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one of N pairs (default: all, minutes)")
    names = list(PAIRS)[:: parser.parse_args().every]
    workers = os.cpu_count() or 1
    noticed: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    with ProcessPoolExecutor(workers) as pool:
        for found in pool.map(_try, [names[at::workers] for at in range(workers)]):
            for name, by in found:
                endpoint = next(iter(PAIRS[name].on))
                tried[endpoint] += 1
                noticed[endpoint] += bool(by)
    for endpoint, number in tried.items():
        print(f"{endpoint}: {noticed[endpoint]} of {number} pairs are noticed")


def _try(names: Sequence[str]) -> list[tuple[str, list[str]]]:
    return list(_tried(names))


def _tried(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each pair, and the checks that notice it."""
    with bench() as on:
        for name in names:
            begun = time.monotonic()
            by = [check for check, outcome in on.outcomes(PAIRS[name]).items() if outcome in kills.JUDGED]
            print(f"{name}: {len(by)} {', '.join(by[:3]) or 'MISSED'} ({time.monotonic() - begun:.1f} s)", flush=True)
            yield name, by


if __name__ == "__main__":
    main()
