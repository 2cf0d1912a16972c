"""Make a results file of raw recordings of an Ollama, so that `--replay` judges what they can tell.

    python -m tests.recordings.import_ollama RECORDINGS RESULTS

RECORDINGS is a directory of JSON files, one a request, with what came back. A scenario is taken over if each of its
requests is one that was recorded: same method, path and body. Equal requests of one scenario need a recording each.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from backends.target import Deployment, Target
from backends.wire import Exchange, Request
from conformance import results
from conformance.outcomes import Verdict
from conformance.recording import Recording, Replay, answers
from fixtures import scenario
from fixtures.scenario import SCENARIOS, Scenario

BASE_URL = "http://127.0.0.1:11434/v1"
MODELS = {"chat": "probe", "embedding": "probe-embed"}
MISSING = "the recordings have no requests to a model that sees"


class Recordings:
    """What was recorded, by request; remembers which recordings were used."""

    def __init__(self, directory: Path) -> None:
        self._by_request: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for file in sorted(directory.glob("*.json")):
            recorded = json.loads(file.read_text(encoding="utf-8"))
            sent = recorded["request"]
            self._by_request[_key(sent["method"], sent["path"], sent["body"])].append(recorded)
        self.started_at = min(map(_time, self.all()))
        self.used: set[str] = set()

    def all(self) -> Iterator[dict[str, Any]]:
        """Every recording."""
        for recorded in self._by_request.values():
            yield from recorded

    def exchanges(self, requests: list[Request]) -> list[Exchange] | None:
        """What came back on each of these requests, each time another recording; None if one of them is missing."""
        left = {key: list(recorded) for key, recorded in self._by_request.items()}
        found: list[Exchange] = []
        names = set()
        for request in requests:
            if request.role not in MODELS or request.headers or request.hang_up_after is not None:
                return None
            request = request.with_model(MODELS[request.role])
            body = request.body.decode("utf-8", "replace") if isinstance(request.body, bytes) else request.body
            same = left.get(_key(request.method, f"/v1{request.path}", body))
            if not same:
                return None
            recorded = same.pop(0)
            names.add(recorded["scenario"])
            found.append(_exchange(request, recorded))
        self.used |= names
        return found


def lines(recordings: Recordings) -> Iterator[dict[str, Any]]:
    """The lines of the results file: a header, what was recorded of each scenario, a footer."""
    target = Target(
        name="ollama",
        backend="ollama",
        version="0.33.0-rc2",
        found="imported from recordings",
        deployments=tuple(
            Deployment(role="chat" if role == "chat" else "embedding", base_url=BASE_URL, model=model)
            for role, model in MODELS.items()
        ),
        missing={"vision": MISSING},
        details={"quantisation": "chat: F16, embedding: F16", "device": "CPU"},
    )
    yield {
        "kind": "header",
        "format": results.FORMAT,
        "suite": results.suite_version(),
        "started": recordings.started_at,
        "command": "python -m tests.recordings.import_ollama",
        "targets": [target.to_json()],
        "selected": [],
    }
    known: dict[str, Recording] = {}
    for name in scenario.with_needs(scenario.load()):
        if (recording := _recording(SCENARIOS[name], recordings, Replay(known, target))) is not None:
            known[name] = recording
            yield {"kind": "exchange", "target": target.name, "scenario": name, **recording}
    yield {"kind": "footer", "duration": 0.0, "exit_code": 0, "stopped": None}


def _recording(wanted: Scenario, recordings: Recordings, earlier: Replay) -> Recording | None:
    """What was recorded of a scenario, or None. What it needs must be there; connections and keys were not tried."""
    needed = [earlier.recording(name) for name in wanted.needs]
    if wanted.together or wanted.one_connection or wanted.keyed or any("exchanges" not in one for one in needed):
        return None
    try:
        built = wanted.build(*(answers(earlier, name) for name in wanted.needs))
    except Verdict:
        return None
    requests = built if isinstance(built, list) else [built]
    plain = [request for request in requests if isinstance(request, Request)]
    found = recordings.exchanges(plain) if len(plain) == len(requests) else None
    return found and Recording(exchanges=[e.to_json() for e in found], single=not isinstance(built, list))


def _key(method: str, path: str, body: Any) -> str:
    """A request as text that is equal for equal requests; the order of keys counts only inside of parameters."""
    return json.dumps([method, path, sorted(body.items()) if isinstance(body, dict) else body])


def _exchange(request: Request, recorded: dict[str, Any]) -> Exchange:
    got = recorded["response"]
    data = {
        "started_at": _time(recorded),
        "request": {**Exchange(request=request).to_json()["request"], "url": f"{BASE_URL}{request.path}"},
        "response": {**got, "error": None, "error_detail": ""},
    }
    return Exchange.from_json(data)


def _time(recorded: dict[str, Any]) -> float:
    date = next(value for name, value in recorded["response"]["headers"] if name == "Date")
    return parsedate_to_datetime(date).timestamp()


def main(directory: Path, file: Path) -> None:
    """Write the results file, and say what was of no use."""
    recordings = Recordings(directory)
    written = list(lines(recordings))
    file.write_text("".join(json.dumps(line) + "\n" for line in written), encoding="utf-8")
    unused = sorted(
        recorded["scenario"] for recorded in recordings.all() if recorded["scenario"] not in recordings.used
    )
    print(f"{len(written) - 2} scenarios. Recordings that no scenario asks for: {', '.join(unused) or 'none'}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
