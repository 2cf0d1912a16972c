"""Measure many versions of a backend's package, one run each."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from backends import wheels
from backends.suite import suite_version
from conformance.results.versions import add, load

ROOT = Path(__file__).parents[2]


def measure(backend: str, last: int, file: Path, say: Callable[[str], None]) -> None:
    """Measure the newest versions of a backend's package that the file lacks, newest first; each is kept at once.

    A version that another commit of the suite measured is measured again. Raises CannotMeasure.
    """
    kept = load(file)
    for version in wheels.versions(backend)[:last]:
        if kept["versions"].get(version, {}).get("suite") == suite_version():
            continue
        say(f"measuring {backend} {version} …")
        with tempfile.TemporaryDirectory() as directory:
            chosen = [f"--backend={backend}", f"--server-version={version}", f"--report={directory}"]
            command = [sys.executable, "-m", "pytest", "-q", "--fail-on=never", *chosen]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            results = Path(directory) / "results.jsonl"
            if not results.exists():
                say(f"{version}: nothing was measured: {done.stdout.strip().splitlines()[-1:]}")
                continue
            add(kept, version, results)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
