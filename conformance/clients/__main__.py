"""`openai-conformance clients`: which clients there are, and their installation."""

from __future__ import annotations

import argparse
import sys

from backends.printable import printable
from conformance.clients import data, install


def main(argv: list[str], prog: str = "python -m conformance.clients") -> int:
    """Run a command; the exit code is 1 if a client cannot be installed, 2 if it was called wrongly."""
    parser = argparse.ArgumentParser(prog=prog, description="Real clients that --clients runs against a server.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print which clients there are, and which are installed")
    installing = commands.add_parser("install", help="install clients in your cache, from lock files with hashes")
    installing.add_argument("names", nargs="+", metavar="NAME", help=f"a client, or {data.ALL}")
    asked = parser.parse_args(argv)
    if asked.command == "list":
        for client in data.clients().values():
            state = install.lacking(client) or f"installed, {install.facts(client)['mb']} MB"
            print(f"{client.name:14} {client.version:10} {', '.join(client.apis):16} {printable(state)}")
        return 0
    try:
        wanted = {row.client.name: row.client for row in data.chosen(",".join(asked.names))}
    except data.UnknownClient as problem:
        print(printable(str(problem)), file=sys.stderr)
        return 2
    failed = 0
    for client in wanted.values():
        try:
            install.install(client, lambda text: print(printable(text), flush=True))
        except install.CannotInstall as problem:
            print(printable(f"{client.name}: {problem}"), file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
