"""Keep what real servers answered, to be judged again by `--replay`: one results file of several runs, compressed.

    python -m tests.recordings.keep OUT.jsonl.xz RESULTS="NAME (CODE PATH)" ...

Of each RESULTS the target with this code path is kept, or the only one, and gets this name and code path. Verdicts and
logs are left out. `xz -dk OUT.jsonl.xz` gives the file for `pytest --replay=OUT.jsonl`.
"""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path

from conformance import results


def main(out: str, *named: str) -> None:
    """Write the file."""
    targets, lines = [], []
    read = {name: results.read(Path(file)) for file, _, name in (one.partition("=") for one in named)}
    for name, one in read.items():
        path = name.rpartition("(")[2].rstrip(")")
        target = next(t for t in one.targets if t.get("code_path") == path or len(one.targets) == 1)
        targets.append({**target, "name": name, "code_path": path})
        for (of, _), line in one.exchanges.items():
            if of == target["name"]:
                kept = {key: value for key, value in line.items() if key != "log"}
                lines.append({**kept, "target": name})
    first = next(iter(read.values()))
    command = "python -m tests.recordings.keep"
    header = {**first.header, "command": command, "targets": targets}
    footer = {"kind": "footer", "duration": 0.0, "exit_code": 0, "stopped": None}
    text = "".join(json.dumps(line) + "\n" for line in [header, *lines, footer])
    Path(out).write_bytes(lzma.compress(text.encode(), preset=9))


if __name__ == "__main__":
    main(*sys.argv[1:])
