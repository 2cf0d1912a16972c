"""`openai-conformance clients`: which clients there are, and their installation."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from backends.printable import printable
from conformance import results
from conformance.clients import data, install, kept, page, retries

DOCS = Path(__file__).parents[2] / "docs"


def main(argv: list[str], prog: str = "python -m conformance.clients") -> int:
    """Run a command; the exit code is 1 if a client cannot be installed, 2 if it was called wrongly."""
    parser = argparse.ArgumentParser(prog=prog, description="Real clients that --clients runs against a server.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list the clients, and which of them are installed")
    installing = commands.add_parser("install", help="install clients in your cache, from lock files with hashes")
    installing.add_argument("names", nargs="+", metavar="NAME", help=f"a client, or {data.ALL}")
    trouble = commands.add_parser(
        "retries", help="measure what clients do with a server that responds only with errors"
    )
    trouble.add_argument("names", nargs="+", metavar="NAME")
    keeping = commands.add_parser("keep", help="keep what runs measured, and write docs/clients.md")
    keeping.add_argument("results", nargs="*", type=Path, metavar="RESULTS", help="results files of runs")
    asked = parser.parse_args(argv)
    if asked.command == "keep":
        return _keep(asked.results)
    if asked.command == "list":
        for client in data.clients().values():
            state = install.lacking(client) or f"installed, {install.facts(client)['mb']} MB"
            print(f"{client.name:14} {client.version:10} {', '.join(client.apis):16} {printable(state)}")
        return 0
    try:
        rows = data.chosen(",".join(asked.names))
    except data.UnknownClient as problem:
        print(printable(str(problem)), file=sys.stderr)
        return 2
    if asked.command == "retries":
        return _retries(rows)
    failed = 0
    for client in dict.fromkeys(row.client for row in rows):
        try:
            install.install(client, lambda text: print(printable(text), flush=True))
        except install.CannotInstall as problem:
            print(printable(f"{client.name}: {problem}"), file=sys.stderr)
            failed = 1
    return failed


def _retries(rows: list[data.Row]) -> int:
    kept = retries.read()
    for row in rows:
        if why := install.lacking(row.client):
            print(printable(why), file=sys.stderr)
            return 1
        kept[row.id] = {"version": row.client.version, **retries.measure(row)}
        print(row.id, json.dumps(kept[row.id]), flush=True)
        retries.write(kept)
    return 0


def _keep(files: list[Path]) -> int:
    try:
        runs = results.read_all(files) if files else []
    except results.BadResults as problem:
        print(printable(str(problem)), file=sys.stderr)
        return 2
    if not DOCS.is_dir():
        print("keep writes pages of the project: run it in a clone.", file=sys.stderr)
        return 2
    found = kept.add(kept.read(), runs)
    kept.write(found)
    for name, text in page.files(found).items():
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
