"""The command `openai-conformance`: pytest with the suite's plugins, and the commands that ask no pytest."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOMS = HERE if (HERE / "conformance").is_dir() else HERE.parent
"""The directory of the rooms: in a wheel they lie beside this file, in a clone beside its directory."""

CHECKS = ROOMS / "conformance" / "checks"

OF_BACKENDS = ("doctor", "compose", "known")
OF_REPORTS = ("accept", "build", "dialects", "diff", "export", "site", "keep", "alarm", "body", "versions", "bisect")

USAGE = """\
usage: openai-conformance [URL] [OPTION …]        measure the server at URL
       openai-conformance --backend=NAME          find or start a server, and measure it
       openai-conformance COMMAND …               one of the commands below; COMMAND --help says more

Options are pytest's, and those below. `openai-conformance test_stop.py` measures one file of checks.
Reports go to the current directory.

look at servers:  doctor NAME, compose NAME, known NAME RESULTS
read results:     accept, build, dialects, diff, export, site, keep, alarm, body
measure versions: versions NAME, bisect CHECK
your requests:    replay-request FILE
real clients:     clients list, clients install NAME …

"""


def main() -> int:
    """Run the command; returns its exit code."""
    if ROOMS is HERE:
        _write_nothing_here()
    sys.path.insert(0, str(ROOMS))
    given = sys.argv[1:]
    first = given[0] if given else ""
    if first in OF_BACKENDS:
        from backends.__main__ import main as backends

        return backends(given, prog="openai-conformance")
    if first in OF_REPORTS:
        from reports.__main__ import main as reports

        return reports(given, prog="openai-conformance")
    if first == "replay-request":
        from conformance.replay_request.__main__ import main as replay_request

        return replay_request(given[1:], prog="openai-conformance replay-request")
    if first == "clients":
        from conformance.clients.__main__ import main as clients

        return clients(given[1:], prog="openai-conformance clients")
    if first == "--version":
        print(f"openai-conformance {importlib.metadata.version('openai-conformance')}")
        return 0
    if first in ("-h", "--help"):
        try:
            print(USAGE + _options(), flush=True)
        except BrokenPipeError:  # A pager, or `head`, need not read all.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return _pytest(given)


def _pytest(given: list[str]) -> int:
    import pytest

    from backends import suite

    suite.started_as[:] = ["openai-conformance", *given]
    checks = [found for argument in given if (found := _check_file(argument))]
    others = [argument for argument in given if not _check_file(argument)]
    ours = [f"--config-file={ROOMS / 'pyproject.toml'}", "-p", "conformance.plugin", "-p", "reports.plugin"]
    return int(pytest.main([*ours, *(checks or [str(CHECKS)]), *others]))


def _write_nothing_here() -> None:
    """Where the suite is installed, no compiled module is written; workers of pytest inherit this.

    An installation that was not compiled, such as uv's, is compiled into the user's cache.
    """
    if (HERE / "conformance" / "__pycache__").exists():
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "openai-conformance", "compiled")
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(cache)


def _check_file(argument: str) -> str:
    """Where a file of checks is that an argument names, with what follows `::`; empty if it names none."""
    path, separator, name = argument.partition("::")
    file = CHECKS / Path(path).name
    return f"{file}{separator}{name}" if path.endswith(".py") and file.is_file() else ""


def _options() -> str:
    """The suite's own options, of all that pytest has."""
    with contextlib.redirect_stdout(io.StringIO()) as help:
        _pytest(["--help"])
    return "what is measured:" + help.getvalue().partition("what is measured:")[2].partition("\n\n")[0]


if __name__ == "__main__":
    sys.exit(main())
