"""`docs/clients.md` and `docs/clients/NAME.md`: clients and servers, from what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from conformance.clients import data, retries
from conformance.clients.data import Client
from conformance.clients.kept import Kept, median
from conformance.clients.story import Loss, listed, losses, sentence, stories
from conformance.outcomes import Outcome
from conformance.results.clients import ClientResult

API = {"chat": "Chat Completions", "responses": "Responses"}

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
  [reference](../tests/reference/README.md) in the same run. Otherwise the task is `blocked`. Only a clone has the
  reference: with an installed wheel, tasks that fail are `blocked`.
- **The server, not the model.** If the model calls no tool, or calls it with arguments that do not match, the relay
  forces the call (`tool_choice: required`, one tool); the evidence says so. A shell is never forced. If that does not
  help, or the schema is not `strict`, or a response is truncated or empty, the task is `inconclusive`.
- **Not by chance.** A failure must occur again in a second run. What happens after calls that the model chose itself is
  not judged.
- **Causes are proved.** Where a known deviation may be the reason, the relay mends it and runs the client again. It
  names the fewest repairs with which the client works, and the checks that find these deviations.
- **Compared.** `openai-conformance diff` shows the tasks whose outcome changed in a newer run. No client runs in a
  `--replay`.

Codex has only one tool, a shell: commands of the model run in its read-only sandbox, in an empty directory and
without network, but they can read the user's files. Run it against servers that you trust.

`python -m conformance.clients keep RESULTS` keeps the results of runs, and writes this page and those of the clients.
"""


def files(kept: Kept) -> dict[str, str]:
    """All pages, by their names below `docs`."""
    clients = dict.fromkeys(row.client for row in kept.rows())
    return {"clients.md": text(kept)} | {f"clients/{one.name}.md": of_client(kept, one) for one in clients}


def text(kept: Kept) -> str:
    """The page of all clients. Servers are columns."""
    rows = kept.rows()
    cells = [
        [f"[{row.client.title}](clients/{row.client.name}.md) {row.client.version}, {row.api}"]
        + [_marks(kept.of(server, row)) for server in kept.servers]
        for row in rows
    ]
    names = [f"{server.title} ({server.version})" for server in kept.servers]
    parts = [HEAD, "## Clients and servers\n", ", ".join(f"{MARKS[o]} {o}" for o in list(MARKS)[:7]) + ".\n"]
    parts += ["Each client has a page that says why. " + _measured(kept), "", _table(["client", *names], cells), ""]
    parts += ["## What clients lose\n", "By server; the reason that most tasks share comes first.\n"]
    for server in kept.servers:
        lost = [_loss(one) for one in losses(kept, server)]
        parts += [f"### {server.title} ({server.version})\n", *(lost or ["Nothing."]), ""]
    parts += ["## What they cost\n", "Seconds depend on the machine and its load.\n", _costs(kept), ""]
    parts += ["## A server in trouble\n", TROUBLE, _retries(rows)]
    return "\n".join([*parts, ADD]).rstrip() + "\n"


def of_client(kept: Kept, client: Client) -> str:
    """The page of one client: what it can do with each server, and why not more."""
    rows = [row for row in kept.rows() if row.client == client]
    cost = kept.costs.get(client.name, {})
    registry = "PyPI" if client.language == "python" else "npm"
    parts = [
        f"# {client.title} {client.version}\n",
        f"[{client.title}]({client.homepage}), `{client.package}` on {registry}, {cost.get('mb', '?')} MB. "
        f"It speaks {listed([API[api] for api in client.apis])}. "
        "[Real clients](../clients.md) says what the tasks are.\n",
        f"    openai-conformance clients install {client.name}",
        f"    openai-conformance http://127.0.0.1:8000/v1 --clients={client.name} -m clients\n",
    ]
    for row in rows:
        several = f", {API[row.api]}" if len(client.apis) > 1 else ""
        for one in stories(kept, row):
            parts.append(f"## {client.title} on {one.server.title}{several}\n")
            if not one.results:
                parts.append("It did not run.\n")
                continue
            parts.append(f"{one.server.version}: {one.summary}.\n")
            parts += [*(_sentence(told) for told in one.told), ""] if one.told else []
    parts += (
        ["## A server in trouble\n", TROUBLE, _retries(rows)] if any(row.id in retries.read() for row in rows) else []
    )
    return "\n".join(parts).rstrip() + "\n"


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


def _measured(kept: Kept) -> str:
    days = sorted({server.day for server in kept.servers})
    return f"Measured on {listed(days)}." if days else "Nothing is measured yet."


def _sentence(one: ClientResult) -> str:
    found = f" Found by {', '.join(f'`{id}`' for id in one.checks)}." if one.checks else ""
    return f"- {MARKS[one.outcome]} {one.task}: {one.outcome}. {sentence(one)}{found}".rstrip()


def _loss(one: Loss) -> str:
    who = listed([f"{each.title} ({each.api}, {each.task})" for each in one.of])
    if not one.checks:
        return f"- {who}: {sentence(one.of[0])}"
    found = ", ".join(f"`{id}`" for id in one.checks)
    cause = f" The client {one.cause}: proved." if one.cause else ""
    return f"- {found}:{cause} {who}."


def _costs(kept: Kept) -> str:
    lines = []
    for client in dict.fromkeys(row.client for row in kept.rows()):
        cost = kept.costs.get(client.name, {})
        middle = median([one for one in kept.results if one.client == client.name])
        facts = [str(cost.get("mb", "")), str(cost.get("seconds", "")), f"{middle:.1f}" if middle else ""]
        lines.append([f"{client.title} {client.version}", *facts])
    return _table(["client", "MB", "seconds to install", "seconds a task (median)"], lines)


def _retries(rows: Sequence[data.Row]) -> str:
    kept = retries.read()
    names = {"500": "every request gets a 500", "overflow": "the context is too long"}
    lines = [
        [f"{row.client.title} {kept[row.id]['version']}, {row.api}", *(trouble(kept[row.id][name]) for name in names)]
        for row in rows
        if row.id in kept
    ]
    return _table(["client", *names.values()], lines)


def trouble(did: dict[str, Any]) -> str:
    """What a client did with a server in trouble, in words."""
    requests = f"{did['requests']} request{'s' * (did['requests'] != 1)} in {did['seconds']} s"
    end = f"stopped {did['stopped']}" if did["stopped"] else f"exit code {did['exit_code']}"
    return f"{requests}, {end}; the user {'sees' if did['shows'] else 'does not see'} the server's message"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
