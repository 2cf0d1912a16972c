"""What the model wants to say: rules that give the probe model's answers (fixtures/probe_model/training/data.py)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from tests.reference import facts
from tests.reference.messages import Message

UNKNOWN = "I do not know."
STORY = (
    "Once upon a time there was a small fox. The fox lived in a green forest near a quiet river. "
    "One morning the fox met a brave bear. The bear was lost. The fox said: follow me. "
    "They walked over the mountain and under the bridge. In the evening they came home. The end."
)
_COUNTRIES = "France Germany Italy Spain Portugal Japan China Russia Poland Greece Egypt Norway Sweden Finland"
_CAPITALS = "Paris Berlin Rome Madrid Lisbon Tokyo Beijing Moscow Warsaw Athens Cairo Oslo Stockholm Helsinki"
CAPITALS = dict(
    zip(
        f"{_COUNTRIES} Denmark Austria Hungary Ireland Canada Cuba".split(),
        f"{_CAPITALS} Copenhagen Vienna Budapest Dublin Ottawa Havana".split(),
        strict=True,
    )
)

_SYSTEM_WORD = re.compile(r"(?is)\b(?:always|only|every message)\b.*?\b(?:with|say)(?: the word)? (.+?)\.?\s*$")
_ALWAYS = re.compile(r"(?is)\b(?:always|only)\b (?:answer|reply|respond|say)|answer every message")
_SECRET = re.compile(r"(?i)the secret word is (\S+?)[.!,]?(?:\s|$)")
_NAMED = re.compile(r"(?i)\b(?:my name is|i am) (\w[\w'-]*)")
_THINK = re.compile(r"(?is)^\s*think(?: first\.| step by step\.|:)\s*(.+)$")


def _count(match: re.Match[str]) -> str:
    first, last = int(match["a"] or 1), int(match["b"])
    step = 1 if first <= last else -1
    last = first + step * min(abs(last - first), 5000)
    return ", ".join(str(n) for n in range(first, last + step, step))


def _capital(match: re.Match[str]) -> str:
    return CAPITALS.get(match[1].strip().title(), UNKNOWN)


def _object(match: re.Match[str]) -> str:
    return json.dumps(facts.pairs(match.string), ensure_ascii=False) if facts.pairs(match.string) else UNKNOWN


_RULES: list[tuple[str, Callable[[re.Match[str]], str]]] = [
    (r"(?:repeat after me|repeat|say|echo)\s*: *(.+)", lambda m: m[1]),
    (r"(?:please )?count (?:from (?P<a>-?\d{1,9}) )?(?:up )?to (?P<b>-?\d{1,9})\b.*", _count),
    (r"(?:.*\b)?capital (?:city )?of ([A-Za-z ]+?)[?.!]*", _capital),
    (r"(?:hello|hi|say hello|hello there|hey)[!.]*", lambda m: "Hello!"),
    (r"ping[.!?]*", lambda m: "pong"),
    (r"(?:who are you|what is your name)\??", lambda m: "I am Probe, a tiny test model."),
    (r"(?:thanks|thank you)[!.]*", lambda m: "You are welcome."),
    (r".*\bstory\b.*", lambda m: STORY),
    (r"what(?:'s| is) (\d{1,9}) ?(?:\+|plus) ?(\d{1,9})\??", lambda m: str(int(m[1]) + int(m[2]))),
    (r"say (this is a test)[.!]*", lambda m: m[1]),
    (r".*\bjson\b.*", _object),
]


def plain(question: str) -> str:
    """The answer to a question that stands alone."""
    question = question.strip()
    for pattern, answer in _RULES:
        if match := re.fullmatch(pattern, question, re.I | re.S):
            return answer(match).strip() or UNKNOWN
    return UNKNOWN


def split_thought(question: str) -> tuple[bool, str]:
    """Whether to think first, and the question without that wish."""
    match = _THINK.match(question)
    return (True, match[1]) if match else (False, question)


def question(history: list[Message]) -> Message:
    """The last user message (an empty one where there is none)."""
    return next((m for m in reversed(history) if m.role == "user"), Message("user"))


def answer(history: list[Message]) -> str:
    """The answer to a conversation: the system's word, tool results, memory, images, then the question itself."""
    system = " ".join(m.text for m in history if m.role in ("system", "developer"))
    if _ALWAYS.search(system) and (match := _SYSTEM_WORD.search(system)):
        return match[1].strip("\"'")
    if results := _results(history):
        one = len(results) == 1
        return f"The result is: {results[0]}" if one else f"The results are: {'; '.join(results)}"
    asked = question(history)
    text = split_thought(asked.text)[1]
    return _memory(history, system, asked, text) or _seen(history, asked, text) or plain(text)


def _results(history: list[Message]) -> list[str]:
    """Texts of the tool messages at the end of the history."""
    results: list[str] = []
    for message in reversed(history):
        if message.role not in ("tool", "function"):
            break
        results.insert(0, message.text)
    return results


def _memory(history: list[Message], system: str, asked: Message, text: str) -> str | None:
    if re.search(r"(?i)\bmy name\?", text):
        told = [match[1] for m in history if m.role == "user" and (match := _NAMED.search(m.text))]
        return told[-1] if told else asked.name
    if re.search(r"(?i)\bsecret word\b.*[?.]?$", text) and (match := _SECRET.search(system)):
        return match[1]
    if (match := _NAMED.search(text)) and not re.match(r"(?i)\s*(?:repeat|say|echo)", text):
        return f"Nice to meet you, {match[1]}."
    return None


def _seen(history: list[Message], asked: Message, text: str) -> str | None:
    """The colours of the images that the question is about."""
    shown = asked.images
    if not shown and re.search(r"(?i)\bcolou?rs?\b|\bimages?\b|\bpictures?\b", text):
        shown = next((m.images for m in reversed(history) if m.images), [])
    if not shown or (asked.images and plain(text) != UNKNOWN):
        return None
    for number, word in enumerate(("first", "second", "third")):
        if re.search(rf"(?i)\b{word} (?:image|picture|one)\b", text) and number < len(shown):
            return shown[number].colour
    return " and ".join(image.colour for image in shown)


def continuation(prompt: str, suffix: str | None = None) -> str:
    """How a raw prompt continues: an answer, a count, the story; before a `suffix`, a text that leads to it."""
    if suffix:
        return _between(prompt, suffix)
    known = plain(prompt)
    if known != UNKNOWN:
        return known
    if match := re.search(r"(?i)capital of (\w+) is\s*$", prompt):
        return " " + CAPITALS.get(match[1].title(), UNKNOWN)
    if match := re.search(r"(\d{1,9})(, ?| )?$", prompt):
        after = range(int(match[1]) + 1, int(match[1]) + 41)
        return ("" if match[2] else ", ") + ", ".join(map(str, after))
    at = STORY.find(prompt.strip()[-40:]) if prompt.strip() else -1
    if at >= 0:
        return STORY[at + len(prompt.strip()[-40:]) :]
    return " " + STORY


def _between(prompt: str, suffix: str) -> str:
    last, following = re.search(r"(\d{1,9})\D*$", prompt), re.match(r"\D*(\d{1,9})", suffix)
    if last and following and int(last[1]) < int(following[1]) <= int(last[1]) + 1000:
        return "".join(f"{n}, " for n in range(int(last[1]) + 1, int(following[1])))
    start, end = STORY.find(prompt.strip()), STORY.find(suffix.strip())
    if 0 <= start < end:
        return STORY[start + len(prompt.strip()) : end]
    return " and then, before " + " ".join(suffix.split()[:3]) + ", "
