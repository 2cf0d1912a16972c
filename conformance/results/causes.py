"""Fold the results of one target into causes: why checks did not pass.

Each check belongs to one cause, by the first rule that fits:

1. the judge named the cause: an endpoint is absent;
   or a gateway changed, on the way, the exchange on which the check failed, in what the check is about;
2. a finding about the whole server has the exchange on which the check failed (but streams that nobody asked for are
   read all the same, and explain only what is about their form);
3. `known.toml` lists the check with this outcome: its entry is the cause;
4. the judge saw that it failed only on errors of unknown paths;
5. a parameter is ignored, and the check is about it: its source is that parameter too, or its message is the same, or
   it is in the parameter's row, in which no core check passed;
6. other checks have the same outcome and message, apart from names of exchanges and numbers (but a comparison counts
   as the same only with the same numbers and the same field, or on the same exchanges);
7. other checks failed on the same single exchange, as those with the same message did;
8. otherwise the check stands alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from backends.known import Deviation, without_numbers
from conformance.outcomes import Level, Outcome
from conformance.results import CheckResult, Finding
from conformance.results.gateways import Change

EVIDENCE = 3
"""Exchanges that are shown first as the evidence of a cause."""

_LEVELS = list(Level)
STOPPED = "The server stopped answering"
"""How the finding begins that says so."""

_COUNTED = re.compile(r"^\d+ of \d+ \w+: ")
_ACCEPTED = "… was accepted"

_COMPARISON = re.compile(r"(accepted, but )?expected ")
_FIELD = re.compile(r"\([^()]*`[^`]+`[^()]*\)$")
"""The end of a comparison's message that names the field: "(`choices[0].finish_reason`)"."""


_UNASKED = re.compile(r"POST \S+ streams ")
"""The beginning of a finding about streams that nobody asked for."""


Kind = Literal["absent", "gateway", "finding", "known", "paths", "parameter", "message", "exchange", "check"]
"""By which rule checks are folded: those above, in their order."""


_PARAMETERS = {
    "ChatCompletionAllowedTools": "tool_choice",
    "ChatCompletionNamedToolChoice": "tool_choice",
    "ChatCompletionStreamOptions": "stream_options",
    "ChatCompletionToolChoiceOption": "tool_choice",
    "ParallelToolCalls": "parallel_tool_calls",
    "ResponseFormat": "response_format",
    "TextResponseFormat": "text.format",
    "ToolChoice": "tool_choice",
}
"""The parameter whose value a schema of the document describes, by the beginning of the schema's name."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One reason why checks did not pass: a sentence, the checks (worst first), and the exchanges that show it.

    `detail` is the message of the first check where `sentence` is its requirement; `link` leads to a known issue.
    """

    kind: Kind
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
    def told(self) -> bool:
        """Whether reports show it by default: a clean rejection is shown only on request."""
        return bool(self.violations) or self.kind in ("absent", "gateway", "finding")

    @property
    def level(self) -> Level:
        """The highest level among its violations, or among its checks if none is one; without checks MAY, or SHOULD if
        a gateway breaks something."""
        levels = [check.level for check in self.violations or self.checks]
        return min(levels, key=_LEVELS.index, default=Level.SHOULD if self.kind == "gateway" else Level.MAY)

    @property
    def evidence(self) -> tuple[str, ...]:
        """The exchanges to look at first, by the names of their scenarios, numbered if a scenario has several."""
        return self.exchanges[:EVIDENCE]


@dataclass
class _Fold:
    """Checks that were folded together so far."""

    kind: Kind
    checks: list[CheckResult]
    sentence: str = ""
    link: str = ""
    exchanges: tuple[str, ...] = ()


def causes(
    checks: Iterable[CheckResult],
    findings: Sequence[Finding] = (),
    listed: Sequence[Deviation] = (),
    changes: Sequence[Change] = (),
) -> list[Cause]:
    """Fold the results of one target: MUST before SHOULD before MAY, then the cause with most checks first.

    Checks that passed, and undecided checks for which the server is not the reason, belong to no cause. `listed` are
    the known deviations of the target's version, `changes` what a gateway does that it may not do.
    """
    changes = sorted((one for one in changes if not one.legal), key=lambda one: (one.by_itself, len(one.exchanges)))
    folds: dict[tuple[str, ...], _Fold] = {
        ("finding", one.sentence): _Fold("finding", [], one.sentence, exchanges=tuple(one.exchanges))
        for one in findings
    }
    folds |= {
        ("gateway", one.sentence): _Fold("gateway", [], one.counted, exchanges=tuple(one.exchanges)) for one in changes
    }
    others: list[CheckResult] = []
    checks = sorted(checks, key=_worst_first)
    for check in checks:
        if check.cause or check.outcome.bad or check.outcome is Outcome.REJECTED:
            named = _named(check, findings, listed, changes)
            if named:
                folds.setdefault(named[0], named[1]).checks.append(check)
            else:
                others.append(check)
    ignored = [check for check in others if check.outcome is Outcome.IGNORED and not check.cause and _parameter(check)]
    moot = _without_effect(checks, ignored)
    for check in others:
        key, fold = _alike(check, ignored, moot)
        folds.setdefault(key, fold).checks.append(check)
    together: dict[tuple[str, ...], _Fold] = {}
    for key, fold in folds.items():
        exchanges = {_failed_on(check) for check in fold.checks}
        if fold.kind == "message" and (len(fold.checks) == 1 or (len(exchanges) == 1 and "" not in exchanges)):
            exchange = exchanges.pop()
            key = ("exchange", exchange) if exchange else ("check", fold.checks[0].id)
            fold.kind = "exchange" if exchange else "check"
        together.setdefault(key, _Fold(fold.kind, [], fold.sentence, fold.link, fold.exchanges)).checks += fold.checks
    return sorted(map(_cause, together.values()), key=_first_to_read)


def shown_by(check: CheckResult) -> list[str]:
    """The exchanges on which a check failed: those that break its rule, the one its message begins with, or all."""
    if check.breaks:
        return check.breaks
    for name in sorted(check.exchanges, key=len, reverse=True):
        if begins := re.match(rf"{re.escape(name)}(\[\d+\])?(?!\w)", check.message):
            return [begins[0]]
    return [name for name in check.exchanges if name not in check.controls] or check.exchanges


def gist(check: CheckResult) -> str:
    """A check's message without the parts that differ from check to check: names of exchanges, counts, numbers, ids.

    An HTTP status stays, since 400 and 500 are two causes. So do the values of a comparison.
    """
    text = _COUNTED.sub("", check.message)
    for name in sorted({*check.exchanges, *check.breaks}, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.]){re.escape(name)}(\[\d+\])?(?!\w)", "…", text)
    if text.startswith(_ACCEPTED):
        return _ACCEPTED
    if _COMPARISON.match(text):
        return text
    status = re.match(r"…( failed| was \w[\w ]*)?: (expected [\w ]*, got )?\d{3}\b", text)
    kept = status[0] if status else ""
    return kept + without_numbers(text[len(kept) :])


def _named(
    check: CheckResult, findings: Sequence[Finding], listed: Sequence[Deviation], changes: Sequence[Change]
) -> tuple[tuple[str, ...], _Fold] | None:
    """The cause that the judge, a finding or `known.toml` names for a check, as a key and a new fold; or None."""
    if check.cause and not check.outcome.bad:
        return ("absent", check.cause), _Fold("absent", [], check.cause)
    failed = {_scenario(name) for name in shown_by(check)}
    for change in changes:
        if failed & {_scenario(name) for name in change.exchanges} and (change.by_itself or _is_about(check, change)):
            return ("gateway", change.sentence), _Fold("gateway", [], change.counted)
    for finding in findings:
        if _UNASKED.match(finding.sentence) and not _is_about_form(check):
            continue
        explained = failed & {_scenario(name) for name in finding.exchanges}
        if explained == failed or (explained and not check.breaks):
            return ("finding", finding.sentence), _Fold("finding", [], finding.sentence)
    for entry in listed:
        if check.id in entry.checks and check.outcome == entry.outcome:
            return ("known", entry.reason), _Fold("known", [], entry.reason, entry.link)
    return None


def _without_effect(checks: Iterable[CheckResult], ignored: Sequence[CheckResult]) -> dict[str, str]:
    """Rows of which no core check passed because a parameter is ignored: the parameter by the row."""
    works = {check.feature for check in checks if check.core and not check.outcome.bad}
    return {one.feature: _parameter(one) for one in reversed(ignored) if one.core and one.feature not in works}


def _is_about(check: CheckResult, change: Change) -> bool:
    """Whether a check says something of the member that a gateway changed: in its source, requirement or message."""
    said = {*re.findall(r"`([^`]+)`", f"{check.requirement} {check.message}"), check.source}
    words = {word for text in said for word in re.findall(r"\w+", text)}
    return bool(words & set(change.members))


def _is_about_form(check: CheckResult) -> bool:
    """Whether a check fails because a response is a stream: it says so, or a client cannot read it."""
    return "event stream" in check.message or check.id.startswith(("sdk_", "examples."))


def _alike(
    check: CheckResult, ignored: Sequence[CheckResult], moot: Mapping[str, str]
) -> tuple[tuple[str, ...], _Fold]:
    """What a check has in common with others, as a key and a new fold.

    `ignored` are the checks of ignored parameters, `moot` the rows in which such a parameter has no effect at all.
    """
    if check.cause:
        return ("paths", check.cause), _Fold("paths", [], check.cause)
    alike, parameter = gist(check), _parameter(check)
    violates = check.outcome in (Outcome.FAIL, Outcome.IGNORED) and not alike.startswith(("… was ", "… failed: "))
    if violates and check.feature in moot and not _expects_rejection(check):
        parameter = moot[check.feature]
    elif check.outcome is Outcome.IGNORED and not parameter:
        parameter = next((_parameter(one) for one in ignored if gist(one) == alike), "")
    if violates and parameter in {*map(_parameter, ignored)} - {""}:
        return ("parameter", parameter), _Fold("parameter", [], parameter)
    if not alike or _is_generic(alike):  # Such messages are equal by chance, unless the exchanges are too.
        return ("message", check.outcome, check.message, *(check.exchanges or [check.id])), _Fold("message", [])
    return ("message", check.outcome, alike), _Fold("message", [])


def _expects_rejection(check: CheckResult) -> bool:
    """Whether a check is about an invalid request."""
    return all(name.startswith("bad_") for name in shown_by(check))


def _is_generic(alike: str) -> bool:
    """Whether a message is a comparison that names no field."""
    return bool(_COMPARISON.match(alike)) and not _FIELD.search(alike)


def _failed_on(check: CheckResult) -> str:
    """The only exchange on which a check failed, if its result names one."""
    shown = shown_by(check)
    return shown[0] if len(shown) == 1 and (check.breaks or check.message.startswith(shown[0])) else ""


def _cause(fold: _Fold) -> Cause:
    first = fold.checks[0] if fold.checks else None
    kind: Kind = "check" if fold.kind == "exchange" and len(fold.checks) == 1 else fold.kind
    sentence, detail = fold.sentence, ""
    if first and kind == "check":
        sentence, detail = first.requirement, first.message
    elif first and kind == "exchange":
        name, message = _failed_on(first), _COUNTED.sub("", first.message) or first.requirement
        sentence = message if message.startswith(name) else f"{name}: {message}"
    elif first and kind == "parameter":
        says_so = [one for one in fold.checks if one.outcome is Outcome.IGNORED] or fold.checks
        said = Counter(one.message or one.requirement for one in says_so)
        sentence = f"`{fold.sentence}`: {said.most_common(1)[0][0]}"
    elif first and kind == "message":
        sentence = _in_common(first)
    shown = dict.fromkeys([*fold.exchanges, *(name for check in fold.checks for name in shown_by(check))])
    return Cause(
        kind=kind,
        sentence=sentence,
        checks=tuple(fold.checks),
        exchanges=tuple(shown),
        detail=detail,
        link=fold.link,
    )


def _parameter(check: CheckResult) -> str:
    """The request's parameter that a check is about, by its source; empty if it is about something else."""
    kind, _, where = check.source.partition(":")
    schema, _, field = where.partition(".")
    if kind != "openapi":
        return ""
    if schema in ("CreateChatCompletionRequest", "CreateCompletionRequest", "CreateEmbeddingRequest", "CreateResponse"):
        return field.partition(".")[0]
    if " " in field:  # Not the parameter alone, as in "ChatCompletionStreamOptions.include_usage [DONE]".
        return ""
    name = next((name for begins, name in _PARAMETERS.items() if schema.startswith(begins)), "")
    return "text.format" if name == "response_format" and check.feature.startswith("responses") else name


def _in_common(first: CheckResult) -> str:
    """The message that checks have in common, as a sentence of its own."""
    alike = gist(first)
    if alike == _ACCEPTED:
        return "Invalid requests are accepted instead of rejected"
    if not alike or _is_generic(alike):
        return first.message or first.requirement
    if late := re.match(r"…: expected (?:HTTP status )?400(?: with an error object)?, got (5\d\d)\b", alike):
        return f"Invalid requests get HTTP status {late[1]} instead of 400"
    text = re.sub(r"^…(\[…\])?", "A request", alike)
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+[ ,]", text) else text  # A field keeps its name.


def _scenario(exchange: str) -> str:
    return exchange.partition("[")[0]


def _worst_first(check: CheckResult) -> tuple[bool, int, bool, str]:
    return not check.outcome.bad, _LEVELS.index(check.level), not check.core, check.id


def _first_to_read(cause: Cause) -> tuple[bool, int, bool, int, int, str, str]:
    """First that the server stopped, then the causes because of which a feature does not work, then those with many
    checks of their highest level: one MUST among fifty checks of bad input says less.
    """
    stopped = cause.kind == "finding" and cause.sentence.startswith(STOPPED)
    highest = [check for check in cause.checks if check.level is cause.level]
    fails = any(check.core and check.outcome.bad for check in highest)
    first = cause.checks[0].id if cause.checks else ""
    return (
        not stopped,
        _LEVELS.index(cause.level),
        not fails,
        -len(highest),
        -len(cause.checks),
        cause.sentence,
        first,
    )
