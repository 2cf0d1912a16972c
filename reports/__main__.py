"""`python -m reports`: pages from results files, without running anything."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from conformance.results import BadResults, Results, read_all
from reports.curl import raw_body
from reports.page import build


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code: 2 for what the user got wrong, said in one sentence."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.run(asked))
    except BadResults as problem:
        return _complain(str(problem))
    except BrokenPipeError:
        return 0
    except OSError as problem:
        return _complain(f"{problem.filename}: cannot write there ({problem.strerror}); name another directory.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reports", description="Pages from results files.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    page = commands.add_parser("build", help="the matrix page of any number of results files")
    page.add_argument(
        "results", nargs="+", type=Path, metavar="RESULTS", help="results.jsonl, or a directory with some"
    )
    page.add_argument("--out", type=Path, required=True, metavar="DIR", help="where index.html goes")
    page.set_defaults(run=_build)

    body = commands.add_parser("body", help="the body of a recorded request, as it was sent, for curl --data-binary @-")
    body.add_argument("results", type=Path, metavar="RESULTS")
    body.add_argument("target", help="the column, as the results file names it")
    body.add_argument("scenario")
    body.add_argument("--number", type=int, default=1, help="of the scenario's requests, counted from 1")
    body.set_defaults(run=_body)
    return parser


def _build(asked: argparse.Namespace) -> int:
    results: list[Results] = read_all(asked.results)
    print(build(results, asked.out))
    return 0


def _body(asked: argparse.Namespace) -> int:
    for one in read_all([asked.results]):
        recorded = one.exchanges.get((asked.target, asked.scenario), {}).get("exchanges", [])
        if 0 < asked.number <= len(recorded):
            sys.stdout.buffer.write(raw_body(recorded[asked.number - 1]["request"]) or b"")
            return 0
    return _complain(f"{asked.results} has no request {asked.number} of {asked.scenario} on {asked.target}.")


def _complain(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
