"""JUnit XML, which most CI servers show: a suite for each target, a case for each check."""

from __future__ import annotations

import re
from xml.etree import ElementTree as xml

from conformance.outcomes import Outcome
from conformance.results import CheckResult
from reports.hostile import cut, visible
from reports.table import Column, Table

_NOT_XML = re.compile("[\ufffe\uffff]")
"""Characters that are text and that no XML may hold; `visible` writes the others as escapes."""


def export(shown: Table) -> str:
    """The document. Violations are failures, faults of the suite are errors, all else that did not pass is skipped."""
    root = xml.Element("testsuites", name="openai-conformance")
    for column in shown.columns:
        root.append(_suite(column))
    xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + xml.tostring(root, encoding="unicode") + "\n"


def _suite(column: Column) -> xml.Element:
    outcomes = [check.outcome for check in column.checks]
    failures = sum(o.bad and o is not Outcome.ERROR for o in outcomes)
    errors = outcomes.count(Outcome.ERROR)
    skipped = sum(not o.bad and not o.good for o in outcomes)
    suite = xml.Element(
        "testsuite",
        name=_text(f"{column.name} {column.version}"),
        tests=str(len(outcomes)),
        failures=str(failures),
        errors=str(errors),
        skipped=str(skipped),
        time=f"{sum(check.duration for check in column.checks):.3f}",
    )
    for check in column.checks:
        suite.append(_case(column, check))
    return suite


def _case(column: Column, check: CheckResult) -> xml.Element:
    case = xml.Element(
        "testcase",
        classname=_text(f"{column.name}.{check.feature}"),
        name=_text(check.id),
        time=f"{check.duration:.3f}",
    )
    if check.outcome.good:
        return case
    tag = "skipped"
    if check.outcome.bad:
        tag = "error" if check.outcome is Outcome.ERROR else "failure"
    said = f"{check.outcome}: {check.message}" if check.message else str(check.outcome)
    why = xml.SubElement(case, tag, message=_text(said), type=_text(f"{check.level} {check.outcome}"))
    lines = [check.requirement, f"source: {check.source}"]
    lines += [f"expected: {check.expected}", f"actual: {check.actual}"] if check.expected or check.actual else []
    why.text = _text("\n".join(lines))
    return case


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda c: f"\\u{ord(c[0]):04x}", visible(cut(text)))
