"""`python -m conformance.replay_request FILE`: judge somebody's request, and reduce it to what shows the failure."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from backends import access, address, find, redaction, wire
from backends.data import BadBackend
from backends.errors import CannotMeasure
from backends.known import without_numbers
from backends.printable import printable, visible
from backends.target import Target, Wanted
from backends.wire import Client, Exchange, Request
from conformance.answers import Answer, view
from conformance.kit.every import Every
from conformance.outcomes import Level
from conformance.replay_request.reading import EXPECTED, Unreadable, read, read_file
from conformance.replay_request.reducing import reduced
from conformance.requirements.check import Check
from conformance.results.curl import curl
from conformance.run import catalogue
from conformance.run.again import judged
from conformance.run.judge import ACCUSING

REJECTED = "rejected"
"""The failure of a request that gets a 4xx: for the user to judge, since it may be right."""

SHOWN = 2000
"""Characters of a response that are printed."""


@dataclass(frozen=True)
class Failure:
    """What is wrong with a response: the check that fails, or `rejected`, with its message."""

    id: str
    level: Level
    message: str

    def __str__(self) -> str:
        about = self.id if self.id == REJECTED else f"{self.id} ({self.level})"
        return f"{about}: {printable(self.message)}"

    @property
    def gist(self) -> tuple[str, str]:
        """The part of a failure that is the same in another response with this failure."""
        return self.id, without_numbers(self.message)


def main(arguments: list[str] | None = None, prog: str = "python -m conformance.replay_request") -> int:
    """Run the command; exit code 0: no failure, 1: a failure, 2: called wrongly, from 10: nothing to measure."""
    asked = _parser(prog).parse_args(arguments)
    try:
        requests = read(sys.stdin.read(), asked.path) if asked.file == "-" else read_file(asked.file, asked.path)
    except (OSError, UnicodeDecodeError) as problem:
        return _complain(f"{asked.file} cannot be read: {problem}.")
    except Unreadable as problem:
        return _complain(f"{asked.file}: {problem}")
    try:
        running = find.run(_wanted(asked))
    except BadBackend as problem:
        return _complain(str(problem))
    except CannotMeasure as problem:
        _complain(str(problem))
        return problem.exit_code
    try:
        with wire.client(asked.timeout, running.target.access) as http:
            return max(_replay(one, running.target, http, asked) for one in requests)
    finally:
        running.stop()


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Judge a request, and reduce it to what shows the failure.")
    parser.add_argument("file", metavar="FILE", help=f"{EXPECTED}; - for standard input")
    parser.add_argument("--backend", help="the server to ask (default: llamacpp, or the one at --base-url)")
    parser.add_argument("--base-url", metavar="URL", help="the server's address, ending in /v1")
    parser.add_argument("--model", help="ask this model (default: the server's first for chats)")
    parser.add_argument("--path", metavar="PATH", help="the endpoint of a JSON body, such as /embeddings")
    parser.add_argument(
        "--check", metavar="ID", help="reduce for this failure (default: the first, MUST before SHOULD)"
    )
    parser.add_argument("--most", type=int, default=300, metavar="N", help="send at most N requests to reduce one")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="for each response")
    parser.add_argument("--header", action="append", metavar="'NAME: VALUE'", help="send this with each request")
    parser.add_argument("--ca-file", metavar="FILE", help="trust the certificates in this PEM file (or: SSL_CERT_FILE)")
    parser.add_argument("--insecure", action="store_true", help="trust any certificate")
    return parser


def _wanted(asked: argparse.Namespace) -> Wanted:
    """The server to ask. Raises CannotMeasure."""
    name = asked.backend or ("url" if asked.base_url else "llamacpp")
    if name not in find.backends():
        raise CannotMeasure(f"--backend {name}: there is no such backend; choose one of {', '.join(find.backends())}.")
    common = access.given(
        key=wire.api_key(), headers=asked.header or (), ca_file=asked.ca_file, insecure=asked.insecure
    )
    at = address.read(asked.base_url) if asked.base_url else None
    return Wanted(
        backend=name,
        base_url=at.base_url if at else None,
        models={"chat": asked.model} if asked.model else {},
        access=access.to(at, common) if at else common,
        timeout=asked.timeout,
        say=lambda text: print(text, file=sys.stderr),
    )


def _replay(request: Request, target: Target, http: Client, asked: argparse.Namespace) -> int:
    """Send one request, print what is wrong, and the smallest request that shows it."""
    deployment = target.asked(request.role, request.method) or target.deployment("chat")
    if deployment is None:
        return _complain(f"{target.name} has no model for {request.path}.")

    def send(one: Request) -> list[Answer]:
        exchanges = [wire.send(each, deployment.base_url, model=deployment.model, http=http) for each in _both(one)]
        return [view(e.request.path)("request", e) for e in exchanges]

    request, how = _with_model(request, deployment.model, asked.model)
    print(f"# {request.method} {request.path} on {printable(target.name)}{how}\n")
    answers = send(request)
    failures = _failures(answers, http)
    for one in failures:
        print(f"- {one}")
    if not failures:
        print(f"No rule is broken (HTTP status {answers[0].exchange.status}).\n")
        return 0
    chosen = next((one for one in failures if one.id == asked.check), None) if asked.check else failures[0]
    if chosen is None:
        return _complain(f"--check {asked.check}: this request does not fail it; it fails those above.")

    def fails(one: Request) -> bool:
        return any(found.gist == chosen.gist for found in _failures(send(one), http))

    smallest, tried = _smallest(request, fails, asked.most)
    steady = sum(fails(smallest) for _ in range(3))
    before, after = (len(one.content() or b"") for one in (request, smallest))
    print(f"\n## {chosen.id}: {before:,} bytes reduced to {after:,} with {tried} requests")
    print(f"\nThe failure came back in {steady} of 3 repetitions.\n" if steady < 3 else "")
    for answer in send(smallest):
        _show(answer.exchange, http)
    return 1


def _both(request: Request) -> list[Request]:
    """The request, and the same one streamed or plain, where both must agree: with `temperature: 0`."""
    body = request.body
    if not isinstance(body, dict) or body.get("temperature") != 0 or request.path.startswith("/embeddings"):
        return [request]
    other = {key: value for key, value in body.items() if key != "stream_options"}
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    if request.path.startswith("/responses"):
        streamed = {"stream": True}
    return [request, replace(request, body={**other, "stream": False} if body.get("stream") else {**other, **streamed})]


def _with_model(request: Request, model: str, wanted: str | None) -> tuple[Request, str]:
    """The request for a model that the server has, and what was changed, in words."""
    body = request.body
    if not isinstance(body, dict) or body.get("model") == model:
        return request, ""
    named = f" instead of {printable(str(body['model']))}" if "model" in body and not wanted else ""
    return replace(request, body={**body, "model": model}), f", model {printable(model)}{named}"


def _failures(answers: list[Answer], http: Client) -> list[Failure]:
    """What is wrong with the responses, MUSTs first."""
    found = []
    for check in _rules():
        result = judged(check, lambda _: Every(answers), "", hidden=http.access.secrets())
        if result.outcome in ACCUSING:
            found.append(Failure(check.id, check.level, result.message.partition(": ")[2] or result.message))
    first = answers[0]
    if 400 <= (first.exchange.status or 0) < 500:
        found.append(Failure(REJECTED, Level.MUST, f"HTTP status {first.exchange.status}: {_said(first)}"))
    return sorted(found, key=lambda one: list(Level).index(one.level))


def _rules() -> list[Check]:
    """The checks that judge any response; those of rejections and streams are among them."""
    return [check for check in catalogue.load().values() if check.scenarios == ("every",)]


def _said(answer: Answer) -> str:
    try:
        return str(answer.error.get("message", ""))
    except Exception:  # A rejection without an error object, which a rule of its own reports.
        return answer.exchange.body[:200].decode(errors="replace")


def _smallest(request: Request, fails: Callable[[Request], bool], most: int) -> tuple[Request, int]:
    """The smallest request that still fails, without the headers that it does not need; and how many were sent."""
    tries = 0
    if request.headers:
        tries += 1
        bare = replace(request, headers=())
        request = bare if fails(bare) else request
    if not isinstance(request.body, dict):
        return request, tries
    body, tried = reduced(request.body, lambda shorter: fails(replace(request, body=shorter)), most)
    return replace(request, body=body), tries + tried


def _show(exchange: Exchange, http: Client) -> None:
    """Print a request as a command for a shell, and its response."""
    command = curl(exchange.to_json()["request"], recorded_as=None)
    print(f"```sh\n{visible(redaction.text(command, http.access.secrets()))}\n```\n")
    body = exchange.body.decode(errors="replace")
    try:
        body = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        body = body.strip()
    cut = f"{body[:SHOWN]}\n… ({len(body):,} characters)" if len(body) > SHOWN else body
    print(f"HTTP status {exchange.status or exchange.error}\n\n```\n{visible(cut)}\n```")


def _complain(sentence: str) -> int:
    print(printable(sentence), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
