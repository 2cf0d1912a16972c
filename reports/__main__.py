"""`python -m reports`: pages, diffs and exports from results files, without running anything."""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from backends.errors import CannotMeasure
from conformance.results import BadResults, read_all
from conformance.results.curl import raw_body
from conformance.results.versions import load
from conformance.run.versions import bisect, measure
from reports import accept, diff_text, families, history, merge, nightly, page, site, versions
from reports.diff import Diff, diff
from reports.exports import OF_COLUMN, OF_TABLE
from reports.hostile import visible
from reports.table import Table, table


def main(arguments: list[str] | None = None, prog: str = "python -m reports") -> int:
    """Run a command; returns its exit code. 2 means a mistake of the user, which is explained in one sentence."""
    asked = _parser(prog).parse_args(arguments)
    try:
        return int(asked.run(asked))
    except (BadResults, CannotMeasure) as problem:
        return _complain(str(problem))
    except BrokenPipeError:
        return 0
    except OSError as problem:
        where = problem.filename or _written_to(asked)
        return _complain(f"{where}: cannot write there ({problem.strerror}); name another directory.")


def _written_to(asked: argparse.Namespace) -> Path | str:
    """What the command writes; an error of a full disk does not name it."""
    named = (getattr(asked, name, None) for name in ("out", "html", "data"))
    return next(filter(None, named), "standard output")


def _parser(prog: str = "python -m reports") -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Pages from results files.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], what: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=what, description=what)
        added.set_defaults(run=run)
        return added

    def takes_results(parser: argparse.ArgumentParser) -> None:
        several = "results.jsonl, or a directory with such files"
        parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS", help=several)

    build = command("build", _build, "the matrix page of any number of results files")
    takes_results(build)
    build.add_argument("--out", type=Path, required=True, metavar="DIR", help="where index.html goes")

    changes = command("diff", _diff, "print which checks regressed, were fixed, are new or are gone")
    changes.add_argument(
        "old", type=Path, metavar="OLD", nargs="?", help="earlier results; or, alone, a directory of many runs"
    )
    changes.add_argument("new", type=Path, metavar="NEW", nargs="?", help="newer results")
    changes.add_argument("--markdown", action="store_true", help="Markdown, for a job's summary")
    changes.add_argument("--html", type=Path, metavar="FILE", help="also write a page")
    changes.add_argument("--fail-on-regression", action="store_true", help="exit with 1 if anything regressed")

    export = command("export", _export, "write results in formats for other programs")
    takes_results(export)
    export.add_argument("--format", required=True, choices=[*OF_COLUMN, *OF_TABLE])
    export.add_argument("--out", type=Path, metavar="PATH", help="a file; a directory if each target has its own")

    notations = command("dialects", _dialects, "print how a server reads each model family's notation, as Markdown")
    takes_results(notations)
    notations.add_argument(
        "--raw", type=Path, metavar="FILE", help="what the model wrote, as python -m conformance.run.raw printed it"
    )
    notations.add_argument(
        "--reread",
        type=Path,
        metavar="FILE",
        help="how it was read, as python -m tests.reference.reread --json printed it",
    )
    notations.add_argument("--out", type=Path, metavar="FILE")

    publish = command("site", _site, "the published site: newest runs, changes, histories, files")
    publish.add_argument("results", type=Path, metavar="DIR", help="a directory with the results of many runs")
    publish.add_argument("--out", type=Path, required=True, metavar="DIR")

    kept = command("keep", _keep, "add the results of a night to a directory of many runs")
    kept.add_argument("new", type=Path, metavar="NEW", help="a directory for each job, with its results")
    kept.add_argument("data", type=Path, metavar="DATA", help="the directory of many runs")

    alarm = command("alarm", _alarm, "open or update a GitHub issue if the newest runs regressed; needs gh")
    alarm.add_argument("data", type=Path, metavar="DATA", help="the directory of many runs")
    alarm.add_argument("--hours", type=float, default=24, help="the age up to which a run is news (default: 24)")
    alarm.add_argument("--link", default="", metavar="URL", help="where the whole diff can be read")

    accepted = command(
        "accept",
        _accept,
        "check whether a contributed results file can become a column: complete, and confirmed by its own exchanges",
    )
    accepted.add_argument("results", type=Path, metavar="FILE")

    every = command("versions", _versions, "measure many versions of a backend's package, and say what each changed")
    every.add_argument("backend", metavar="BACKEND")
    every.add_argument(
        "--last", type=int, default=0, metavar="N", help="measure those of the newest N versions that are missing"
    )
    every.add_argument("--out", type=Path, default=Path("docs/versions"), metavar="DIR", help="default: docs/versions")

    find = command(
        "bisect", _bisect, "find the version that changed a check, by measuring only this check on a few versions"
    )
    find.add_argument("check", metavar="CHECK", help="its id, such as stop.ends_the_text")
    find.add_argument("--backend", default="llamacpp", metavar="NAME", help="default: llamacpp")
    find.add_argument("--good", metavar="VERSION", help="the older end (default: the oldest that is measured)")
    find.add_argument("--bad", metavar="VERSION", help="the newer end (default: the newest)")

    body = command("body", _body, "the body of a recorded request, as it was sent, for curl --data-binary @-")
    body.add_argument("results", type=Path, metavar="RESULTS")
    body.add_argument("target", help="the column, as the results file names it")
    body.add_argument("scenario")
    body.add_argument("--number", type=int, default=1, help="of the scenario's requests, counted from 1")
    return parser


def _table(paths: list[Path]) -> Table:
    """The runs of some files, those of one backend side by side."""
    found = merge.runs(read_all(paths))
    order = list(dict.fromkeys(run.targets[0]["backend"] for run in found))
    shown = table(sorted(found, key=lambda run: order.index(run.targets[0]["backend"])))
    for column in (column for column in shown.columns if column.results.footer is None):
        held = f"{len(column.results.checks)} of its {len(column.checks)} checks"
        print(f"The run of {visible(column.name)} is incomplete: its results hold {held}.", file=sys.stderr)
    return shown


def _build(asked: argparse.Namespace) -> int:
    print(page.write(_table(asked.results), asked.out))
    return 0


def _diff(asked: argparse.Namespace) -> int:
    if asked.old is None or (asked.new is None and not asked.old.is_dir()):
        return _complain("Name two results files, OLD and NEW; or a directory of many runs, whose newest are compared.")
    if asked.new is None:
        found = site.changed(history.series(asked.old))
        if not found.targets:
            print("Nothing to compare yet: no target has two runs.")
    else:
        found = diff(_table([asked.old]), _table([asked.new]))
    print(_diff_text(found, asked.markdown), end="")
    if asked.html:
        asked.html.parent.mkdir(parents=True, exist_ok=True)
        asked.html.write_bytes(page.render_diff(found, title="What changed"))
    return 1 if asked.fail_on_regression and found.regressed else 0


def _diff_text(found: Diff, as_markdown: bool) -> str:
    if as_markdown:
        return diff_text.markdown(found)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return diff_text.text(found, width=shutil.get_terminal_size((100, 24)).columns, colour=colour)


def _export(asked: argparse.Namespace) -> int:
    shown = _table(asked.results)
    if asked.format in OF_TABLE:
        export, _ = OF_TABLE[asked.format]
        _put(export(shown), asked.out)
        return 0
    export_column, ending = OF_COLUMN[asked.format]
    if len(shown.columns) == 1 and (asked.out is None or not asked.out.is_dir()):
        _put(export_column(shown, shown.columns[0]), asked.out)
        return 0
    if asked.out is None:
        return _complain(f"{len(shown.columns)} targets have a file of this format each: name a directory with --out.")
    for column in shown.columns:
        _put(export_column(shown, column), asked.out / f"{column.key}{ending}")
    return 0


def _dialects(asked: argparse.Namespace) -> int:
    raw, reread = (json.loads(file.read_text(encoding="utf-8")) if file else None for file in (asked.raw, asked.reread))
    old = asked.out.read_text(encoding="utf-8") if asked.out and asked.out.exists() else ""
    _put(families.markdown(_table(asked.results), raw, old, reread), asked.out)
    return 0


def _put(text: str, path: Path | None) -> None:
    if path is None:
        sys.stdout.write(text)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(path)


def _site(asked: argparse.Namespace) -> int:
    print(site.build(asked.results, asked.out))
    return 0


def _keep(asked: argparse.Namespace) -> int:
    for path in nightly.keep(asked.new, asked.data):
        print(path)
    return 0


def _alarm(asked: argparse.Namespace) -> int:
    news = [one for one in history.series(asked.data) if time.time() - one.newest < asked.hours * 3600]
    try:
        print(nightly.alarm(site.changed(news), asked.link, nightly.run_gh))
    except FileNotFoundError:
        return _complain("The program gh is not installed: install GitHub's command line.")
    except subprocess.CalledProcessError as problem:
        return _complain(f"gh {problem.cmd[1]} {problem.cmd[2]} failed: {' '.join(problem.stderr.split())}")
    return 0


def _accept(asked: argparse.Namespace) -> int:
    found = accept.problems(asked.results)
    for sentence in found or ["The results can become a column: every outcome follows from the file's own exchanges."]:
        print(visible(sentence))
    return int(bool(found))


def _versions(asked: argparse.Namespace) -> int:
    file = asked.out / f"{asked.backend}.json"
    if asked.last:
        measure(asked.backend, asked.last, file, _say)
    kept = load(file)
    if not kept["versions"]:
        return _complain(f"{file} has no version yet: add --last=N to measure the newest N.")
    written = asked.out / f"{asked.backend}.md"
    written.write_text(versions.markdown(versions.timeline(kept, asked.backend)), encoding="utf-8")
    print(written)
    return 0


def _bisect(asked: argparse.Namespace) -> int:
    known = load(versions.FILES / f"{asked.backend}.json")["versions"]
    before, after = bisect(asked.check, asked.backend, asked.good, asked.bad, _say, known)
    print(visible(f"{asked.check}: {before.outcome} until {before.version}, {after.outcome} since {after.version}."))
    return 0


def _say(text: str) -> None:
    print(visible(text), file=sys.stderr)


def _body(asked: argparse.Namespace) -> int:
    for one in read_all([asked.results]):
        recorded = one.exchanges.get((asked.target, asked.scenario), {}).get("exchanges", [])
        if 0 < asked.number <= len(recorded):
            sys.stdout.buffer.write(raw_body(recorded[asked.number - 1]["request"]) or b"")
            return 0
    return _complain(f"{asked.results} has no request {asked.number} of {asked.scenario} on {asked.target}.")


def _complain(sentence: str) -> int:
    print(visible(sentence), file=sys.stderr)
    return 2


if __name__ == "__main__":
    gc.disable()  # A short life with millions of objects that all stay: searching them for garbage took half of it.
    sys.exit(main())
