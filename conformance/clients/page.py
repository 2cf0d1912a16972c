"""`docs/clients.md`: the table of clients and servers, from results files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from conformance.clients import data, install, retries
from conformance.outcomes import Outcome
from conformance.results import Results
from conformance.results.clients import ClientResult

MARKS = {
    Outcome.PASS: "✓",
    Outcome.LENIENT: "≈",
    Outcome.FAIL: "✕",
    Outcome.IGNORED: "⊘",
    Outcome.REJECTED: "⊖",
    Outcome.INCONCLUSIVE: "?",
    Outcome.BLOCKED: "‖",
    Outcome.TIMEOUT: "◷",
    Outcome.ERROR: "!",
    Outcome.NOT_RUN: "·",
}

HEAD = """\
# Real clients

Users do not call an API, they run a client. The suite runs real clients against a server, through a relay that records
requests and responses. It judges these, because exit codes mislead. No client runs by default.

    openai-conformance clients list                        # which there are
    openai-conformance clients install ai-sdk opencode     # in your cache, from lock files with hashes
    openai-conformance http://127.0.0.1:8000/v1 --clients=ai-sdk,opencode -m clients

Without `-m clients`, the checks also run, and the report links each cause to its check. `--clients=all` runs every
client; `--clients=ai-sdk.responses` runs one client with one of its APIs. A client that is not installed is `blocked`.

A client runs in a scratch directory, with its own environment, and with limited time and requests. Where Linux
allows it, the client has its own network, which contains only the relay; elsewhere, its proxy settings name an address
where nothing listens. Processes that it started end with it. Its API key is useless: the relay sends yours.

| task | the client works if |
|---|---|
| plain, streamed | the request gets a response, and the client shows the text |
| tools | the response calls a tool, a request with its result under the same id gets a response, and the loop ends |
| structured | the response matches the schema of the request, and the client shows it |
| errors | the server rejects an unknown `model`, and the user sees its message; `lenient` if it accepts any name |
| overflow | the server rejects a prompt of 12,000 words, and the user soon sees why; `inconclusive` if it fits |

- **The server, not the client.** A failure counts against the server only if the same client does the same task on the
  [reference](../tests/reference/README.md) in the same run. Otherwise the task is `blocked`.
- **The server, not the model.** If the model calls no tool, the relay forces it (`tool_choice: required`, one tool);
  the evidence says so. A shell is never forced. A schema that is not `strict`, arguments that do not match
  it, and a truncated or empty response are `inconclusive`.
- **Not by chance.** A failure must occur again in a second run. What happens after calls that the model chose itself is
  not judged.
- **Causes are proved.** Where a known deviation may be the reason, the relay mends it and runs the client again. It
  names the fewest repairs with which the client works, and the checks that find these deviations.

Codex has only one tool, a shell: commands of the model run in its read-only sandbox, in an empty directory and
without network, but they can read the user's files. Run it against servers that you trust.

This page was written by `python -m conformance.clients page RESULTS`.
"""


def text(results: Sequence[Results]) -> str:
    """The page. Servers are columns, in the order of the files."""
    columns = [(one, target) for one in results for target in one.targets]
    of = {
        (target["name"], client.client, client.api): [
            c for c in one.clients if (c.target, c.client, c.api) == (target["name"], client.client, client.api)
        ]
        for one, target in columns
        for client in one.clients
    }
    parts = [HEAD, "## Clients and servers\n", ", ".join(f"{MARKS[o]} {o}" for o in list(MARKS)[:7]) + ".\n"]
    names = [f"{target['name']} {target['version'] or ''}".strip() for _, target in columns]
    ran = {(client, api) for _, client, api in of}
    rows = [row for row in data.chosen(data.ALL) if (row.client.name, row.api) in ran]
    cells = [
        [f"{row.client.title} {row.client.version}, {row.api}"]
        + [_marks(of.get((target["name"], row.client.name, row.api), [])) for _, target in columns]
        for row in rows
    ]
    parts += [_table(["client", *names], cells), ""]
    for one, target in columns:
        told = [c for c in one.clients if c.target == target["name"] and (c.checks or not c.outcome.good)]
        if told:
            parts += [f"## {target['name']} {target['version'] or ''}".rstrip() + "\n", *map(_sentence, told), ""]
    parts += ["## What they cost\n", "Seconds depend on the machine and its load.\n", _costs(rows, of.values()), ""]
    parts += ["## A server in trouble\n", TROUBLE, _retries(rows)]
    return "\n".join([*parts, ADD]).rstrip() + "\n"


ADD = """
## Add a client

`fixtures/clients/NAME/` contains a client's files:

| file | what |
|---|---|
| `client.toml` | package, APIs, tasks and bounds; `conformance/clients/data.py` says what each key means |
| `requirements.txt`, or `package.json` and `package-lock.json` | the versions, each with its hash |
| `program.py` or `program.mjs` | does one task, and prints what a user sees |

The program finds in its environment: `CLIENT_TASK`, `CLIENT_API`, `CLIENT_URL`, `CLIENT_MODEL`, `CLIENT_PROMPT`,
`CLIENT_HOME` (where the client is installed) and `OPENAI_API_KEY`. For a command line it writes the configuration, and
becomes the command. It must do every task on the reference:

    pytest --backend=reference --clients=NAME -m clients
"""

TROUBLE = f"""\
What each client does if every request gets a 500, or a 400 that says that the context is too long. A client that was
stopped after {retries.REQUESTS} requests or {retries.SECONDS:g} s would go on. This is about the client, not about
any server.
"""


def _marks(results: Iterable[ClientResult]) -> str:
    return "<br>".join(f"{MARKS[one.outcome]} {one.task}" for one in results) or "did not run"


def _sentence(one: ClientResult) -> str:
    found = f" Found by {', '.join(f'`{id}`' for id in one.checks)}." if one.checks else ""
    cause = f" **It {one.cause}.**" if one.cause else ""
    message = one.message.replace("|", "\\|").rstrip(".")
    return f"- {one.title}, {one.api}, {one.task}: {one.outcome}. {message[:1].upper()}{message[1:]}.{cause}{found}"


def _costs(rows: Sequence[data.Row], results: Iterable[list[ClientResult]]) -> str:
    seconds: dict[str, list[float]] = {}
    for some in results:
        for one in some:
            if one.seconds:
                seconds.setdefault(one.client, []).append(one.seconds)
    lines = []
    for client in dict.fromkeys(row.client for row in rows):
        took, facts = sorted(seconds.get(client.name, [])), install.facts(client)
        middle = f"{took[len(took) // 2]:.1f}" if took else ""
        lines.append(
            [f"{client.title} {client.version}", str(facts.get("mb", "")), str(facts.get("seconds", "")), middle]
        )
    return _table(["client", "MB", "seconds to install", "seconds a task (median)"], lines)


def _retries(rows: Sequence[data.Row]) -> str:
    kept = retries.read()
    names = {"500": "every request gets a 500", "overflow": "the context is too long"}
    lines = [
        [f"{row.client.title} {kept[row.id]['version']}, {row.api}", *(_trouble(kept[row.id][name]) for name in names)]
        for row in rows
        if row.id in kept
    ]
    return _table(["client", *names.values()], lines)


def _trouble(did: dict[str, Any]) -> str:
    requests = f"{did['requests']} request{'s' * (did['requests'] != 1)} in {did['seconds']} s"
    end = f"stopped {did['stopped']}" if did["stopped"] else f"exit code {did['exit_code']}"
    return f"{requests}, {end}; the user {'sees' if did['shows'] else 'does not see'} the server's message"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
