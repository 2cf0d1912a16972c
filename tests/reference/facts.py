"""Facts in a prompt: values that it names beside a key, to fill JSON objects and tool arguments with."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_YEARS = re.compile(r"(\w+) is (\d+) years old")
_PAIRS = re.compile(r"(?i)\b(?:json )?(?:object )?(?:in json )?with (.+?)\.?\s*$", re.S)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def literal(text: str) -> Any:
    """A number or boolean where the text is one (or `3 and more`), else the text."""
    if match := re.match(r"(-?\d+(?:\.\d+)?) and ", text):
        text = match[1]
    if re.fullmatch(r"-?\d{1,15}(\.\d+)?", text):
        return json.loads(text) if not re.match(r"-?0\d", text) else text
    return {"true": True, "false": False}.get(text.lower(), text)


def of_keys(text: str, keys: Sequence[str]) -> dict[str, Any]:
    """Values of these keys where the text says `key value`, up to a comma, `and key`, or the end."""
    found: dict[str, Any] = {}
    years = _YEARS.search(text)
    text = text.partition(" with ")[2] or text
    ends = "|".join(re.escape(key.replace("_", " ")) for key in keys) or "$"
    for key in keys:
        name = re.escape(key).replace("_", "[_ ]")
        start = r"\b" if len(key) > 1 else r"(?:^|, |\band )"  # "a" is mostly an article
        pattern = rf"(?is){start}{name}(?::| is| =|=)? +(.+?)(?=,\s|,$| and (?:{ends})\b|[.!?]?\s*$|[.!?]\s)"
        if match := re.search(pattern, text):
            found[key] = literal(match[1].strip("\"' "))
        if years and key in ("name", "age"):
            found[key] = years[1] if key == "name" else int(years[2])
    return found


def pairs(text: str) -> dict[str, Any]:
    """The object that `... JSON object with name Alice, age 30.` asks for; empty where none is."""
    if years := _YEARS.search(text):
        return {"name": years[1], "age": int(years[2])}
    match = _PAIRS.search(text)
    if not match or "json" not in text.lower():
        return {}
    found: dict[str, Any] = {}
    for part in re.split(r",\s*(?:and )?| and ", match[1]):
        key, _, value = part.strip().partition(" ")
        if value and re.fullmatch(r"\w+", key):
            found[key] = literal(value)
    return found


def numbers(text: str) -> list[float | int]:
    """All numbers in the text, in order."""
    return [json.loads(n) for n in _NUMBER.findall(text) if not re.match(r"-?0\d", n)]
