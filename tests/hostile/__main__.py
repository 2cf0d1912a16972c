"""The table of modes: `python -m tests.hostile ROWS` prints it, with `--write` also puts it into README.md.

ROWS is the file that the gate writes where HOSTILE_ROWS names one: a JSON array on each line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

README = Path(__file__).with_name("README.md")
MARK = "<!-- The rest is written by `.ci/hostile --write`. -->\n"


def table(rows: list[list[str]]) -> str:
    """The rows as a table of Markdown, by the mode's name."""
    head = ["mode", "seconds", "CPU seconds", "peak MB", "exit code", "outcomes"]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *sorted(rows)])


def main(words: list[str]) -> None:
    """Print the table; write it if that is asked."""
    write = "--write" in words
    (file,) = (word for word in words if word != "--write")
    text = table([json.loads(line) for line in Path(file).read_text().splitlines()])
    print(text)
    if write:
        before = README.read_text(encoding="utf-8").partition(MARK)[0]
        README.write_text(f"{before}{MARK}\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
