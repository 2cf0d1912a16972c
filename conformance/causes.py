"""Why checks did not pass: the results of one target, folded into causes.

Each check belongs to one cause, by the first rule that fits:

1. the judge named the cause (an endpoint that is absent);
2. a finding about the whole server has the exchange on which the check failed;
3. `known.toml` lists the check with this outcome: its entry is the cause;
4. other checks ended in the same way with the same message, names of exchanges and numbers aside;
5. otherwise the check stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backends.known import Deviation
from conformance.outcomes import Level, Outcome
from conformance.results import CheckResult, Finding

EVIDENCE = 3
"""Exchanges that are shown first as the evidence of a cause."""

_LEVELS = list(Level)
_COUNTED = re.compile(r"^\d+ of \d+ \w+: ")
_COMPARISON = "not so: "
_ACCEPTED = "… was accepted"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One reason why checks did not pass: a sentence, the checks (worst first), and the exchanges that show it.

    `detail` is the message of the first check where `sentence` is only its rule; `link` leads to a known issue.
    """

    sentence: str
    checks: tuple[CheckResult, ...]
    exchanges: tuple[str, ...]
    detail: str = ""
    link: str = ""

    @property
    def violations(self) -> tuple[CheckResult, ...]:
        """The checks that are a reason to fail a run."""
        return tuple(check for check in self.checks if check.outcome.bad)

    @property
    def level(self) -> Level:
        """The highest level among its violations, or among its checks if none is one."""
        return min((check.level for check in self.violations or self.checks), key=_LEVELS.index)

    @property
    def evidence(self) -> tuple[str, ...]:
        """The exchanges to look at first, by the names of their scenarios, numbered if a scenario has several."""
        return self.exchanges[:EVIDENCE]


def causes(
    checks: Iterable[CheckResult], findings: Sequence[Finding] = (), listed: Sequence[Deviation] = ()
) -> list[Cause]:
    """Fold the results of one target: MUST before SHOULD before MAY, then the cause with most checks first.

    What passed, or was not decided for a reason that is not the server's, belongs to no cause. `listed` are the known
    deviations that apply to the target's version.
    """
    folded: dict[tuple[str, ...], list[CheckResult]] = {}
    told: dict[tuple[str, ...], tuple[str, str]] = {}
    for check in checks:
        if not (check.cause or check.outcome.bad or check.outcome is Outcome.REJECTED):
            continue
        key, sentence, link = _cause(check, findings, listed)
        folded.setdefault(key, []).append(check)
        told[key] = sentence, link
    for finding in findings:  # A finding is worth telling even if it failed no check.
        folded.setdefault(("finding", finding.sentence), [])
        told[("finding", finding.sentence)] = finding.sentence, ""
    found = [_made(key, *told[key], sorted(group, key=_worst_first), findings) for key, group in folded.items()]
    return sorted(found, key=_first_to_read)


def leading(found: Iterable[Cause], feature: str) -> Cause | None:
    """The cause that matters most for a row: of those with its unmet checks the one with a core check, else the highest
    level, else most checks of the row."""

    def weight(cause: Cause) -> tuple[bool, int, int]:
        unmet = _unmet(cause, feature)
        return any(c.core for c in unmet), -min(_LEVELS.index(c.level) for c in unmet), len(unmet)

    return max((cause for cause in found if _unmet(cause, feature)), key=weight, default=None)


def shown_by(check: CheckResult) -> list[str]:
    """The exchanges on which a check failed: those that break its rule, the one its message begins with, or all."""
    if check.breaks:
        return check.breaks
    for name in sorted(check.exchanges, key=len, reverse=True):
        if begins := re.match(rf"{re.escape(name)}(\[\d+\])?(?!\w)", check.message):
            return [begins[0]]
    return [name for name in check.exchanges if name not in check.controls] or check.exchanges


def gist(check: CheckResult) -> str:
    """A check's message without what differs from check to check: names of exchanges, counts, numbers, ids.

    The status of a rejection stays: 400 and 500 are two causes.
    """
    text = _COUNTED.sub("", check.message)
    for name in sorted({*check.exchanges, *check.breaks}, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.]){re.escape(name)}(\[\d+\])?(?!\w)", "…", text)
    status = re.match(r"… was \w+: \d{3}", text)
    kept = status[0] if status else ""
    return kept + re.sub(r"\w*\d\w*", "…", text[len(kept) :])


def _cause(
    check: CheckResult, findings: Sequence[Finding], listed: Sequence[Deviation]
) -> tuple[tuple[str, ...], str, str]:
    """What a check is folded by, the cause's sentence (empty: made of its checks), and its link."""
    if check.cause:
        return ("named", check.cause), check.cause, ""
    bases = {name.partition("[")[0] for name in shown_by(check)}
    for finding in findings:
        if bases & {name.partition("[")[0] for name in finding.exchanges}:
            return ("finding", finding.sentence), finding.sentence, ""
    for entry in listed:
        if check.id in entry.checks and check.outcome == entry.outcome:
            return ("known", entry.reason), entry.reason, entry.link
    if not check.message:
        return ("alone", check.id), "", ""
    if check.message.startswith(_COMPARISON):  # Two comparisons look alike by chance unless they judged the same.
        return ("compared", check.outcome, check.message, *check.exchanges), "", ""
    return ("message", check.outcome, gist(check)), "", ""


def _made(
    key: tuple[str, ...], sentence: str, link: str, checks: list[CheckResult], findings: Sequence[Finding]
) -> Cause:
    seen = dict.fromkeys(name for check in checks for name in shown_by(check))
    for finding in findings:
        if key == ("finding", finding.sentence):
            seen = dict.fromkeys([*finding.exchanges, *seen])
    detail = ""
    if not sentence and len(checks) == 1:
        sentence, detail = checks[0].requirement, checks[0].message
    elif not sentence:
        sentence = _sentence(checks[0], key)
    return Cause(sentence=sentence, checks=tuple(checks), exchanges=tuple(seen), detail=detail, link=link)


def _sentence(first: CheckResult, key: tuple[str, ...]) -> str:
    """The message that checks have in common, as a sentence of its own."""
    if key[0] != "message":
        return first.message
    if key[-1] == _ACCEPTED:
        return "Invalid requests are accepted instead of rejected"
    text = re.sub(r"^…(\[…\])?", "A request", key[-1])
    return text[:1].upper() + text[1:]


def _unmet(cause: Cause, feature: str) -> list[CheckResult]:
    rejected = Outcome.REJECTED
    return [c for c in cause.checks if c.feature == feature and (c.outcome.bad or c.outcome is rejected)]


def _worst_first(check: CheckResult) -> tuple[bool, int, bool, str]:
    return not check.outcome.bad, _LEVELS.index(check.level), not check.core, check.id


def _first_to_read(cause: Cause) -> tuple[int, int, str, str]:
    level = _LEVELS.index(cause.level) if cause.checks else 0
    return level, -len(cause.checks), cause.sentence, cause.checks[0].id if cause.checks else ""
