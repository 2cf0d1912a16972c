"""How openai-node reads recorded responses: one node process, started when first needed, reads them all."""

from __future__ import annotations

import atexit
import base64
import json
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path
from queue import Empty, Queue

from backends import environment, node, scratch
from conformance.answers import Answer
from conformance.outcomes import Blocked, Fail
from conformance.sdk import reading as own
from conformance.sdk.reading import Reading

READER = Path(__file__).parent / "reader.mjs"

SECONDS = 30.0
"""For one response; most take a millisecond, the first some hundred."""


def read_by_node(answer: Answer, *, helper: bool = False) -> Reading:
    """What the SDK understands of a response, with `helper` by its stream helper. Blocked without node."""
    recorded = {
        "kind": "helper" if helper else own.kind(answer),
        "streamed": answer.streamed,
        "base64": answer.sent.get("encoding_format") == "base64",
        "status": answer.status,
        "headers": own.headers(answer),
        "body": base64.b64encode(own.given(answer)).decode(),
    }
    got = _reader().read(json.dumps(recorded))
    if "failed" in got:
        raise Fail(
            f"{answer.name}: expected a response that OpenAI's Node SDK reads, got {got['failed']}",
            expected="a response that the SDK reads",
            actual=answer.whole.body[:300].decode(errors="replace"),
        )
    return own.rejection(got["raised"], got.get("message")) if "raised" in got else got


class _Reader:
    """The node process. It ends when its input does, and never outlives this one."""

    def __init__(self, directory: Path, program: str) -> None:
        (directory / "node_modules").symlink_to(node.sdk() / "node_modules", target_is_directory=True)
        script = directory / READER.name
        script.write_text(READER.read_text(encoding="utf-8"), encoding="utf-8")
        self._process = subprocess.Popen(
            [program, str(script)],
            env=environment.for_clients(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def read(self, line: str) -> Reading:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            return dict(json.loads(self._lines.get(timeout=SECONDS)))
        except (OSError, Empty, ValueError) as problem:
            self.close()
            _reader.cache_clear()
            raise RuntimeError(f"the node process that reads responses stopped ({problem!r})") from None

    def close(self) -> None:
        self._process.kill()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")  # Nobody waits for a process that has ended.


@cache
def _reader() -> _Reader:
    """The reader, started once. Ends the check if there is no node, or no SDK for it."""
    directory = tempfile.TemporaryDirectory(prefix=scratch.prefix())
    try:
        reader = _Reader(Path(directory.name), node.node())
    except node.NoNode as problem:
        raise Blocked(str(problem)) from None
    atexit.register(directory.cleanup)
    atexit.register(reader.close)
    return reader
