"""The suite's command line options, and what they ask for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import pytest

from backends import access, address, data, find, upstream
from backends.containers.device import DEVICES
from backends.errors import CannotMeasure
from backends.suite import ROOT
from backends.target import RUNTIMES, Wanted
from backends.wire import REDACTED, Role, api_key
from conformance.clients import data as clients
from conformance.outcomes import Level
from conformance.requirements.revisions import BadRevision, Revision, revision
from conformance.run import internals
from fixtures.dialects import Dialect, dialects

DEFAULT_BACKEND = "llamacpp"
TIMEOUT = 60.0
"""Seconds for one response: enough for a 70B model on a slow GPU to write the longest response that we request."""

HOME = Path("reports" if Path.cwd() == ROOT.resolve() else "openai-conformance")
"""Where reports go, in the current directory: `reports/` of a clone, else a directory of their own."""

RUNS = HOME / "runs"

CHECKS = ROOT / "conformance" / "checks"

_ADDRESS = re.compile(r"https?://|[\w.-]+:\d+(/|$)", re.IGNORECASE)
"""How an argument begins that is an address and not a path; an address without a scheme is rejected with a sentence."""

_MODEL_OPTIONS: dict[Role, str] = {"embedding": "--embedding-model", "vision": "--vision-model"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for. `fail_on` is the lowest level whose violations fail the run; None: none does.

    `budget` is the number of seconds after which no more requests are sent.
    """

    wanted: tuple[Wanted, ...]
    report: Path
    fail_on: Level | None
    replay: Path | None
    timeout: float
    known: bool = False
    known_file: Path | None = None
    """Where the deviations are listed, if not in the backend's own file."""
    profile: str = "full"
    budget: float | None = None
    requirements: Revision | None = None
    """The revision that is judged by; None: the requirements of today."""
    upstream: upstream.Asked | None = None
    """Where the reference listens that is behind the measured gateway; None: it is not."""
    clients: tuple[clients.Row, ...] = ()
    """The real clients that are run, with the API that each speaks."""
    secrets: tuple[str, ...] = field(repr=False, default=())


def add(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("conformance", "what is measured")
    names = ", ".join(data.names())
    group.addoption(
        "--backend",
        action="append",
        metavar="NAME[@URL]",
        help=f"the server to measure: {names}, or any name for the server at URL; several give several columns "
        f"(default: {DEFAULT_BACKEND})",
    )
    group.addoption(
        "--name",
        action="append",
        metavar="LABEL",
        help="the name of the column; with several servers, one name for each, in their order",
    )
    group.addoption(
        "--slots",
        type=int,
        metavar="N",
        help="how many requests are sent at the same time (default: what the server reports, else 4; "
        "1 if it handles one at a time)",
    )
    group.addoption(
        "--base-url",
        metavar="URL",
        help=f"measure the server that answers here, e.g. {address.EXAMPLE}",
    )
    group.addoption(
        "--runtime",
        choices=RUNTIMES,
        help="how to reach a server, and in no other way: one that already runs, a child process, or a container "
        "(default: the first of these that works)",
    )
    group.addoption(
        "--header",
        action="append",
        metavar="'NAME: VALUE'",
        help="send this with each request, e.g. 'X-API-Key: …'; may be repeated; the value is kept out of all output",
    )
    group.addoption(
        "--ca-file",
        metavar="FILE",
        help="also trust the certificates in this PEM file (default: SSL_CERT_FILE)",
    )
    group.addoption("--insecure", action="store_true", help="trust any certificate of an https server")
    group.addoption(
        "--device",
        choices=DEVICES,
        default="auto",
        help="what a container runs on (default: a GPU if there is one)",
    )
    group.addoption("--image", metavar="NAME:TAG", help="start a container from this image instead of the usual one")
    group.addoption(
        "--model",
        action="append",
        metavar="ID",
        help="the chat model: an id, or the path of a model for a server that is started; several give several columns",
    )
    group.addoption(
        "--embedding-model", metavar="ID", help="the model for embeddings (default: the first one that responds)"
    )
    group.addoption("--vision-model", metavar="ID", help="the model for images (default: the first one that sees them)")
    group.addoption(
        "--server-binary",
        metavar="PROGRAM",
        help="start this program, or the server's module in this Python, instead of the usual one",
    )
    group.addoption(
        "--server-version",
        metavar="VERSION",
        help="start this version of the backend's package on PyPI, installed in a separate environment",
    )
    group.addoption(
        "--chat-template",
        metavar="FILE",
        help="start the server with this Jinja chat template instead of the model's own (llama.cpp, vLLM)",
    )
    group.addoption(
        "--dialect",
        metavar="all|NAME,...",
        help="measure tool calls and reasoning in the notation of these model families, each as a column "
        f"(llama.cpp, vLLM), one server after the other: {', '.join(dialects())}",
    )
    group.addoption(
        "--known",
        nargs="?",
        const=True,
        metavar="FILE",
        help="deviations listed in backends/NAME/known.toml, or in FILE, do not fail the run; one that passes does",
    )
    group.addoption(
        "--profile",
        choices=["core", "full"],
        default="full",
        help="core: a quick look, with the most important checks of the rows in the guide's tables (default: full)",
    )
    group.addoption(
        "--requirements",
        metavar="REVISION",
        help="judge and grade by this frozen revision of the requirements, e.g. 2026-11; "
        "checks that came later never fail the run",
    )
    group.addoption(
        "--budget",
        metavar="TIME",
        help="stop sending requests after this time, e.g. 90s, 10m or 1h; core checks come first, "
        "and checks that did not fit are not-run",
    )
    group.addoption(
        "--upstream",
        metavar="reference[@HOST:PORT]",
        help="start the suite's reference as the server behind the gateway that --backend=NAME@URL names, and "
        f"report how the gateway changes requests and responses (default: {upstream.HOST}:{upstream.PORT})",
    )
    group.addoption(
        "--clients",
        metavar="NAMES",
        help="also run real clients, e.g. ai-sdk,opencode or all; with -m clients, only these "
        "(`openai-conformance clients list`)",
    )
    group.addoption("--replay", metavar="RESULTS", help="judge the exchanges of an old results file, without a server")
    group.addoption("--report", metavar="DIR", help=f"where results and pages go (default: {RUNS}/TIME-BACKEND)")
    group.addoption(
        "--fail-on",
        choices=["must", "should", "never"],
        default="must",
        help="the lowest level of requirement whose violation fails the run (default: must)",
    )
    group.addoption(
        "--timeout",
        type=float,
        default=TIMEOUT,
        metavar="SECONDS",
        help=f"time limit for one response (default: {TIMEOUT:g})",
    )


def take_urls(config: pytest.Config) -> None:
    """A plain URL among the arguments is `--base-url`; without other arguments, all checks are run."""
    here = config.invocation_params.dir
    urls = [one for one in config.args if _ADDRESS.match(one) and not Path(here, one).exists()]
    if not urls:
        return
    if len(urls) > 1 or config.option.base_url:
        raise pytest.UsageError("expected one URL; to measure several servers, give each as --backend=NAME@URL.")
    config.option.base_url = urls[0]
    config.args = [argument for argument in config.args if argument not in urls] or [str(CHECKS)]


def suggest(parser: pytest.Parser, given: Iterable[str]) -> None:
    """If pytest rejects an option that resembles one of ours, ours is suggested below the error."""
    ours = [name for option in parser.getgroup("conformance").options for name in option.names()]
    for name in (text.partition("=")[0] for text in given if text.startswith("--")):
        if name not in ours and (close := get_close_matches(name, ours, 1, 0.8)):
            parser.extra_info["did you mean"] = f"{close[0]} for {name}?"


def parse(config: pytest.Config) -> Options:
    """Read the options. Raises pytest.UsageError with a sentence for the user."""
    get = config.getoption
    _must_be_expressions(config)
    _must_be_marks(config)
    try:
        wanted = _wanted(config)
    except CannotMeasure as problem:
        raise pytest.UsageError(str(problem)) from None
    started = dict.fromkeys(w.backend for w in wanted if w.base_url is None)
    if get("--server-binary") and len(started) > 1:
        raise pytest.UsageError(
            f"--server-binary {get('--server-binary')} is one program, but {' and '.join(started)} would be started: "
            "measure one of them in a run of its own, or name its address with --backend=NAME@URL."
        )
    if get("--chat-template") and (get("--base-url") or get("--runtime") in ("attach", "container")):
        raise pytest.UsageError("--chat-template is for a process that is started: start your server with the file.")
    other = next((option for option in ("--server-binary", "--base-url") if get(option)), None)
    if get("--server-version") and (other or len(started) > 1):
        other = other or " and ".join(started)
        raise pytest.UsageError(f"--server-version is the version of one server that is started; leave out {other}.")
    if get("--dialect"):
        _must_suit_dialects(config)
    names = [w.name for w in wanted]
    if len(set(names)) < len(names):
        raise pytest.UsageError(f"{', '.join(names)}: name each server once, and each model.")
    fail_on = get("--fail-on")
    replay = get("--replay")
    return Options(
        wanted=tuple(wanted),
        report=_report_directory(get("--report"), wanted),
        fail_on=None if fail_on == "never" else Level(fail_on.upper()),
        replay=Path(replay) if replay else None,
        timeout=get("--timeout"),
        known=get("--known") is not None,
        known_file=_known_file(get("--known")),
        profile=get("--profile"),
        requirements=_revision(get("--requirements")),
        budget=_seconds(get("--budget")),
        upstream=_upstream(get("--upstream"), wanted, replay),
        clients=_clients(get("--clients"), replay),
        secrets=tuple(dict.fromkeys(secret for one in wanted for secret in one.access.secrets())),
    )


def _revision(asked: str | None) -> Revision | None:
    try:
        return revision(asked) if asked is not None else None
    except BadRevision as problem:
        raise pytest.UsageError(f"--requirements: {problem}") from None


def _clients(asked: str | None, replay: str | None) -> tuple[clients.Row, ...]:
    if asked is None:
        return ()
    if replay:
        raise pytest.UsageError("--clients needs a server: leave out --replay, in which no client runs.")
    try:
        return tuple(clients.chosen(asked))
    except clients.UnknownClient as problem:
        raise pytest.UsageError(f"--clients {asked}: {problem}") from None


def _upstream(asked: str | None, wanted: list[Wanted], replay: str | None) -> upstream.Asked | None:
    if asked is None:
        return None
    if replay:
        raise pytest.UsageError("--upstream starts a server: leave out --replay, in which nothing is sent.")
    if len(wanted) != 1 or wanted[0].base_url is None:
        raise pytest.UsageError("--upstream needs the address of one gateway: add --backend=NAME@URL.")
    try:
        return upstream.read_option(asked)
    except CannotMeasure as problem:
        raise pytest.UsageError(str(problem)) from None


def _known_file(asked: str | bool | None) -> Path | None:
    if asked is None or asked is True:
        return None
    if not str(asked).endswith(".toml"):
        raise pytest.UsageError(f"--known {asked}: give a file that ends in .toml, or write --known behind {asked}.")
    return Path(str(asked)).resolve()


def _must_be_expressions(config: pytest.Config) -> None:
    """`-k` and `-m`; pytest itself checks them after a server was started, and with `-n` fails without a reason."""
    for option, asked in (("-k", config.option.keyword), ("-m", config.option.markexpr)):
        if wrong := internals.misspelt(asked):
            how = "names are joined with `and`, `or`, `not` and brackets"
            raise pytest.UsageError(f"{option}: {asked!r} cannot be read: {wrong}; {how}.")


def _must_be_marks(config: pytest.Config) -> None:
    """The marks that `-m` names; pytest checks them after a server was started, and with `-n` its message is lost."""
    marks = [line.partition(":")[0].partition("(")[0] for line in config.getini("markers")]
    for name in re.findall(r"[^\s()]+", config.option.markexpr):
        if name not in (*marks, "and", "or", "not"):
            close = "".join(f"; did you mean {mark}?" for mark in get_close_matches(name, marks, 1))
            raise pytest.UsageError(f"-m: there is no mark {name}{close or '.'} `pytest --markers` lists all.")


def _wanted(config: pytest.Config) -> list[Wanted]:
    """Each column: every server with every chat model. Raises CannotMeasure for what cannot be an address or header."""
    get = config.getoption
    base_url = get("--base-url")
    if base_url == "":
        raise pytest.UsageError(f"--base-url is empty: give an address, e.g. {address.EXAMPLE}.")
    others: dict[Role, str] = {role: get(option) for role, option in _MODEL_OPTIONS.items() if get(option)}
    chats: list[dict[Role, str]] = [{"chat": model} for model in get("--model") or []] or [{}]
    notations: list[Dialect | None] = list(_dialects(get("--dialect"))) if get("--dialect") is not None else [None]
    slots = get("--slots")
    if slots is not None and slots < 1:
        raise pytest.UsageError(f"--slots {slots}: give a number from 1.")
    common = access.given(
        key=api_key(), headers=get("--header") or (), ca_file=get("--ca-file"), insecure=get("--insecure")
    )
    wanted = []
    servers = get("--backend") or ["url" if base_url else DEFAULT_BACKEND]
    for text, named in zip(servers, _names(get("--name"), len(servers)), strict=True):
        name, _, url = text.partition("@")
        label = None
        if url and name not in find.backends():
            name, label = "url", _label("--backend", name)
        if name not in find.backends():
            raise pytest.UsageError(
                f"--backend {name}: there is no such backend; choose one of {', '.join(find.backends())}, "
                "or give any server's address with --base-url or --backend NAME@URL."
            )
        at = address.read(url or base_url) if url or base_url else None
        wanted += [
            Wanted(
                backend=name,
                base_url=at.base_url if at else None,
                models={**chat, **others},
                among=len(chats) > 1,
                label=label,
                named=named,
                slots=slots,
                server_binary=get("--server-binary"),
                server_version=get("--server-version"),
                chat_template=notation.template if notation else _path(get("--chat-template")),
                dialect=notation.name if notation else None,
                readers=notation.readers(name) if notation else {},
                runtime=get("--runtime"),
                device=get("--device"),
                image=get("--image"),
                access=access.to(at, common) if at else common,
                timeout=get("--timeout"),
            )
            for chat in chats
            for notation in notations
        ]
    return wanted


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _dialects(asked: str) -> list[Dialect]:
    """The dialects of `--dialect`, each once."""
    known = dialects()
    named = list(dict.fromkeys(known if asked == "all" else (name.strip() for name in asked.split(","))))
    for name in named:
        if name not in known:
            raise pytest.UsageError(f"--dialect: there is no dialect {name!r}; choose all, or of {', '.join(known)}.")
    return [known[name] for name in named]


def _must_suit_dialects(config: pytest.Config) -> None:
    """A dialect is a model and a template of the suite's own, in a server that it starts."""
    for option in ("--base-url", "--chat-template", "--model", "--embedding-model", "--vision-model"):
        if config.getoption(option):
            raise pytest.UsageError(f"--dialect starts servers with the suite's own model; leave out {option}.")
    if config.getoption("--runtime") in ("attach", "container"):
        raise pytest.UsageError("--dialect is for a process that is started; leave out --runtime.")
    if internals.has_workers(config):
        raise pytest.UsageError("--dialect starts one server after the other; leave out -n.")


def _seconds(text: str | None) -> float | None:
    """A time such as 90s, 10m or 1h."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smh])", text)
    if not found or not float(found[1]):
        raise pytest.UsageError(f"--budget {text}: expected a time such as 90s, 10m or 1h.")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def _names(asked: list[str] | None, servers: int) -> Sequence[str | None]:
    """The names of the columns by server; None for one that the user did not name."""
    if not asked:
        return [None] * servers
    if len(asked) != servers:
        raise pytest.UsageError(f"--name: {len(asked)} names for {servers} servers; give one for each --backend.")
    return [_label("--name", name) for name in asked]


def _label(option: str, name: str) -> str:
    """A name that can stand in a header, a path and a link."""
    if not re.fullmatch(r"[^\W_][\w .,+()-]{0,59}", name):
        raise pytest.UsageError(
            f"{option} {name!r}: a name has up to 60 letters, digits, spaces and `.,+()_-`, and begins with a letter "
            "or digit."
        )
    return name


def shown(args: Iterable[str]) -> list[str]:
    """The command line without what is secret in it: the values of headers; login and query of an address."""
    words: list[str] = []
    before = ""
    for word in args:
        option = "--header=" if word.startswith("--header=") else ""
        if option or before == "--header":
            word = f"{option}{word.removeprefix(option).partition(':')[0]}: {REDACTED}"
        if re.match(r"(--(base-url|backend)=)?(\w+@)?https?://", word):
            word = re.sub(r"\?.*", f"?{REDACTED}", word)
        words.append(re.sub(r"(?<=//)[^/?#\s]*@", f"{REDACTED}@", word))
        before = word
    return words


def _report_directory(asked: str | None, wanted: list[Wanted]) -> Path:
    name = "+".join(w.name.replace("/", "_").replace(":", "_") for w in wanted)
    return Path(asked) if asked else RUNS / f"{time.strftime('%Y-%m-%dT%H%M%S')}-{name}"
