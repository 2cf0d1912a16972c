"""python -m tests.reference [--host H] [--port P] [--api-key KEY] [--delay SECONDS] [--fault NAME ...]
    [--absent ENDPOINTS] [--context TOKENS] [--tape FILE]

Prints `listening http://HOST:PORT` when ready. Where standard input is a pipe, the server ends when that does, so that
it never outlives its parent.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
import threading
from pathlib import Path
from typing import Any

from tests.reference import model, server
from tests.reference.app import create_app
from tests.reference.tape import Taped


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reference", description="A correct OpenAI server.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument(
        "--api-key",
        default=os.environ.get("REFERENCE_API_KEY"),
        help="refuse /v1 requests without this key, or one of these, separated by spaces (default: REFERENCE_API_KEY)",
    )
    parser.add_argument("--delay", type=float, default=0.001, help="seconds between the events of a stream")
    parser.add_argument("--fault", action="append", default=[], help="a fault for every request; may be repeated")
    parser.add_argument("--absent", default="", help="endpoints that it lacks, as X-Absent names them")
    about = "tokens of prompt and response together; agents need 65536"
    parser.add_argument("--context", type=int, default=model.CONTEXT, help=about)
    parser.add_argument("--tape", type=Path, help="write what arrives and what is sent to this file, a line each")
    options = parser.parse_args()
    app: Any = create_app(options.fault, options.api_key, options.delay, options.absent, options.context)
    if options.tape:
        app = Taped(app, options.tape)
    sock = server.listen(options.host, options.port)
    stop = threading.Event()

    def until_stdin_ends() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        stop.set()

    if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        threading.Thread(target=until_stdin_ends, daemon=True).start()
    print(f"listening {server.url(sock)}", flush=True)
    server.serve(app, sock, stop)


if __name__ == "__main__":
    main()
