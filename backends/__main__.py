"""`python -m backends`: look at servers without measuring them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from backends import access, address, doctor, known, redaction
from backends.access import Access
from backends.containers import compose, device, plan
from backends.data import BadBackend
from backends.errors import CannotMeasure, CannotStart
from backends.find import backends
from backends.json_lines import BadResults
from backends.printable import printable
from backends.wire import api_key


def main(argv: list[str], prog: str = "python -m backends") -> int:
    """Run a command; the exit code is 1 if it found a problem, 2 if it was called wrongly."""
    try:
        known_backends = backends()
    except BadBackend as problem:
        print(printable(str(problem)), file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(prog=prog, description="Look at servers without measuring them.")
    commands = parser.add_subparsers(dest="command", required=True)
    ask = commands.add_parser("doctor", help="say what is wrong with a server's set-up, and how to mend it")
    ask.add_argument("name", choices=sorted(known_backends))
    ask.add_argument("--base-url", help="the server's address, ending in /v1 (default: where the backend usually is)")
    ask.add_argument("--model", help="the model to ask (default: the first that is listed)")
    ask.add_argument("--header", action="append", metavar="'NAME: VALUE'", help="send this with each request")
    ask.add_argument("--ca-file", metavar="FILE", help="trust the certificates in this PEM file (or: SSL_CERT_FILE)")
    ask.add_argument("--insecure", action="store_true", help="trust any certificate")
    listing = commands.add_parser(
        "known", help="print the deviations in results that backends/NAME/known.toml does not list"
    )
    listing.add_argument("name", choices=sorted(known_backends))
    listing.add_argument("results", type=Path, nargs="+", metavar="RESULTS")
    composing = commands.add_parser("compose", help="print the compose file of what --runtime container would start")
    composing.add_argument("name", choices=sorted(name for name, data in known_backends.items() if "container" in data))
    composing.add_argument("--device", choices=device.DEVICES, default="auto")
    composing.add_argument("--image", metavar="NAME:TAG", help="another image than the backend's usual one")
    asked = parser.parse_args(argv)
    if asked.command == "known":
        return _known(asked.name, asked.results)
    if asked.command == "compose":
        return _compose(asked.name, asked.device, asked.image)
    try:
        base_url, allowed = _server(asked)
    except CannotMeasure as problem:
        print(f"problem options: {problem}\n1 problem found.")
        return 1
    problems = 0
    for finding in doctor.examine(asked.name, base_url, asked.model, allowed):
        print(printable(redaction.text(str(finding), allowed.secrets())), flush=True)
        problems += finding.state == "problem"
    print(f"{problems} problem{'s' * (problems != 1)} found." if problems else "No problem found.")
    return int(problems > 0)


def _server(asked: argparse.Namespace) -> tuple[str | None, Access]:
    """The address to examine, and the access to it. Raises CannotMeasure."""
    common = access.given(key=api_key(), headers=asked.header or (), ca_file=asked.ca_file, insecure=asked.insecure)
    if not asked.base_url:
        return None, common
    at = address.read(asked.base_url)
    return at.base_url, access.to(at, common)


def _known(name: str, results: list[Path]) -> int:
    """Print drafts of the entries that a known.toml lacks, and what is stale in it."""
    try:
        print(known.unlisted(results, name))
    except (known.BadKnown, BadResults) as problem:
        print(printable(str(problem)), file=sys.stderr)
        return 1
    return 0


def _compose(name: str, wanted: str, image: str | None) -> int:
    """Print a compose file for a device, which this machine need not have."""
    env = plan.environment(dict(os.environ), Path.cwd())
    try:
        chosen = device.described(wanted, env, backends()[name]["container"])
        services = plan.services(backends()[name], chosen, env, image)
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    print(compose.text(services, f"openai-conformance compose {name} --device {chosen.name}"), end="")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as problem:  # A full disk, or a reader that went away.
        print(f"standard output: cannot write there ({problem.strerror}).", file=sys.stderr)
        os._exit(2)  # What is left to write would fail again.
