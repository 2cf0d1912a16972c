"""The gate, its quick part: the reference passes every check, and the declared matrix has a sharp fault for each.

That each fault really does what is declared takes minutes: `.ci/gate`.
"""

from __future__ import annotations

import typing

from conformance.outcomes import Outcome
from conformance.requirements import dialect_rows
from conformance.run import catalogue
from tests.reference.bench import Bench
from tests.reference.faults import FAULTS
from tests.reference.gate import DECLARED, LEGAL
from tests.reference.kills import JUDGED, MOST, area

WRITE = "run: python -m tests.reference.gate --write"


def test_the_reference_passes_every_check(on: Bench) -> None:
    others = [f"{i}: {r.outcome}: {r.message}" for i, r in on.sound.items() if r.outcome is not Outcome.PASS]
    assert not others, (
        "the reference server must pass every check. Correct the check, its scenario "
        "(fixtures/scenarios/), or the reference (tests/reference/):\n  " + "\n  ".join(others)
    )


def test_annotations_say_what_checks_get(on: Bench) -> None:
    wrong = [
        f"{check.id}: {name} is {written}, not {type(found).__name__}"
        for check in on.checks
        for name, written in typing.get_type_hints(check.function).items()
        if name in check.scenarios and name != "every" and not _is(found := on.answers(name), written)
    ]
    assert not wrong, "correct the annotations of these parameters:\n  " + "\n  ".join(wrong)


def _is(found: object, written: typing.Any) -> bool:
    """Whether a value is of a class, or a list of values of one."""
    if typing.get_origin(written) is list:
        return isinstance(found, list) and all(isinstance(one, *typing.get_args(written)) for one in found)
    return isinstance(found, written)


def test_every_check_is_failed_by_a_sharp_fault() -> None:
    """A broken envelope fails a hundred checks, and proves only that each looks at an answer at all."""
    failed = {
        check for entry in DECLARED.values() for check, seen in entry.rows.items() if {*seen.split("|")} <= {*JUDGED}
    }
    only = [name.removeprefix("test_") for name in dialect_rows.modules()]  # `test_notations.py` proves it of these.
    missing = [check for check in catalogue.load() if check not in failed and area(check) not in only]
    assert not missing, f"no sharp fault (one that flips at most {MOST} checks) fails these checks:" + "".join(
        f"\n  {check}: add a function FAULT to tests/reference/faults/, or find the one there that breaks this rule; "
        f"then {WRITE} FAULT"
        for check in missing
    )


def test_what_is_legal_accuses_nobody() -> None:
    """At most it leaves open, by chance, what it makes impossible to judge."""
    legal = [fault.name for fault in LEGAL if fault.name in DECLARED]
    accusing = [name for name in legal if DECLARED[name].rows or DECLARED[name].only != "inconclusive"]
    assert not accusing, f'a legal fault flips no check: remove from tests/reference/kills.toml "[{accusing[0]}]"'


def test_the_declared_matrix_names_what_exists() -> None:
    faults = [name for name in DECLARED if name not in FAULTS]
    assert not faults, f"tests/reference/kills.toml names no fault: remove or rename {faults}"
    checks = catalogue.load()
    areas = {area(check) for check in checks}
    stale = [name for name, entry in DECLARED.items() if not entry.rows.keys() <= checks.keys()]
    stale += [name for name, entry in DECLARED.items() if not {*entry.areas} <= areas]
    assert not stale, f"tests/reference/kills.toml names checks or areas that do not exist; {WRITE} {' '.join(stale)}"


def test_only_sharp_faults_have_rows() -> None:
    broad = [name for name, entry in DECLARED.items() if len(entry.rows) > MOST]
    assert not broad, f"these faults flip more than {MOST} checks, and need no rows; {WRITE} {' '.join(broad)}"
    errors = [name for name, entry in DECLARED.items() if "error" in entry.rows.values()]
    assert not errors, f"a check ends in `error`, which is never the server's fault: correct the checks in {errors}"
