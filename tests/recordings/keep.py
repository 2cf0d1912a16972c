"""Keep what real servers answered, to be judged again by `--replay`: one results file of several runs, compressed.

    python -m tests.recordings.keep OUT.jsonl.xz RESULTS="NAME (CODE PATH)" ...

Each RESULTS is the results file of a run of one target, which gets this name and code path. Verdicts and logs are left
out. `xz -dk OUT.jsonl.xz` gives the file for `pytest --replay=OUT.jsonl`.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
from pathlib import Path

from conformance import results


def main(out: str, *named: str) -> None:
    """Write the file."""
    targets, lines = [], []
    read = {name: results.read(Path(file)) for file, _, name in (one.partition("=") for one in named)}
    for name, one in read.items():
        (target,) = one.targets
        path = re.search(r"\((.*)\)$", name)
        targets.append({**target, "name": name, "code_path": path[1] if path else None})
        for (_, scenario), line in one.exchanges.items():
            kept = {key: value for key, value in line.items() if key != "log"}
            lines.append({**kept, "target": name, "scenario": scenario})
    first = next(iter(read.values()))
    command = "python -m tests.recordings.keep"
    header = {**first.header, "command": command, "targets": targets}
    footer = {"kind": "footer", "duration": 0.0, "exit_code": 0, "stopped": None}
    text = "".join(json.dumps(line) + "\n" for line in [header, *lines, footer])
    Path(out).write_bytes(lzma.compress(text.encode(), preset=9))


if __name__ == "__main__":
    main(*sys.argv[1:])
