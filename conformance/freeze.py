"""`python -m conformance.freeze NAME`: freeze today's requirements as a revision, e.g. 2026-11."""

from __future__ import annotations

import sys
import time

from backends.suite import suite_version
from conformance.requirements import revisions
from conformance.run import catalogue


def main(arguments: list[str]) -> int:
    """Write `conformance/requirements/revisions/NAME.json`; returns the exit code."""
    if len(arguments) != 1:
        print("usage: python -m conformance.freeze NAME, e.g. 2026-12", file=sys.stderr)
        return 4
    checks = catalogue.load().values()
    try:
        file = revisions.write(arguments[0], time.strftime("%Y-%m-%d", time.gmtime()), suite_version(), checks)
    except revisions.BadRevision as problem:
        print(problem, file=sys.stderr)
        return 4
    print(f"{file.name}: {len(checks)} checks. Commit it; --requirements={arguments[0]} judges by it from now on.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
