"""The sentences that users read first: they are plain, short, and in OpenAI's words, and say what to change."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.checks import __file__ as checks
from conformance.requirements import musts
from tests.reference.faults import FAULTS

FILES = sorted(Path(checks).parent.glob("test_*.py"))

MOST_WORDS = 25
"""The longest requirement."""

LEAST_WORDS = 4
"""The shortest message that can say what was expected and what came."""

BANNED = {
    "cut": "truncate",
    "cuts": "truncates",
    "piece": "chunk or delta",
    "pieces": "chunks or deltas",
    "refused": "rejected",
    "refuses": "rejects",
    "thought": "reasoning",
    "thoughts": "reasoning",
}
"""Words that requirements do not use, and OpenAI's word for each."""

PHRASES = {
    r", too\b": "also",
    r"\bas well\b(?! as)": "also; plain and streamed",
    r"\bwithout a word\b": "silently",
    r"\bmarks (?:of|in)\b": "markers",
    r"\b(?:is|are) answered\b": "gets a response",
    r"\bjoins? to\b": "the concatenated … equal …",
    r"\btaken for\b": "treated as",
    r"\bthat there is not\b": "unknown",
    r"\bis a [45]\d\d\b": "gets a 400",
    r"\bwords more\b": "extra words",
    r"(?<!here )\b(?:is|are) no (?!\w+er\b|more\b)": "is not a",
}
"""Phrases that readers had to read twice, and plain ones."""

MESSAGE = {"ignored_unless": 1, "inconclusive_unless": 1, "lenient": 0, "Fail": 0}
"""The words that take a message, and at which place."""


def requirements(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The name and the requirement of each check of a file."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, (ast.get_docstring(node) or "").partition("\n")[0]


def messages(tree: ast.Module) -> Iterator[tuple[int, ast.expr | None]]:
    """The line and the message of each `assert`, and of each word of the kit that takes a message."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield node.lineno, node.msg
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MESSAGE:
            yield node.lineno, node.args[MESSAGE[node.func.id]]


def sentence(message: ast.expr | None, constants: dict[str, ast.expr]) -> str | None:
    """The fixed words of a message, with `…` for each value; None if the message is nothing but a value."""
    match message:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            parts = [one.value if isinstance(one, ast.Constant) else " … " for one in values]
            return "".join(map(str, parts))
        case ast.Name(id=name) if name in constants:
            return sentence(constants[name], {})
        case ast.Call(func=ast.Name()):  # A function of the file that makes the sentence.
            return " ".join(["…"] * LEAST_WORDS)
        case _:
            return None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_message_is_a_sentence_and_no_value(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    constants = {node.targets[0].id: node.value for node in assigned if isinstance(node.targets[0], ast.Name)}
    for line, message in messages(tree):
        said = sentence(message, constants)
        shows = [one for one in ast.walk(message) if isinstance(one, ast.FormattedValue)] if message else []
        assert all(one.conversion != ord("r") for one in shows), (
            f"{file.name}:{line}: write {{shown(x)}} instead of {{x!r}}"
        )
        assert said is not None, f"{file.name}:{line}: give a message: expected …, got … (`field`)"
        assert len(said.split()) >= LEAST_WORDS, f"{file.name}:{line}: say what was expected and what came: {said!r}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_requirement_is_one_short_sentence_in_the_words_of_the_api(file: Path) -> None:
    for name, requirement in requirements(ast.parse(file.read_text(encoding="utf-8"))):
        where = f"{file.name}::{name}"
        words = re.findall(r"[a-z]+", re.sub(r"`[^`]*`", "", requirement.lower()))
        assert requirement.endswith("."), f"{where}: the first line of the docstring is the whole requirement"
        assert len(requirement.split()) <= MOST_WORDS, f"{where}: use at most {MOST_WORDS} words"
        for word in BANNED.keys() & set(words):
            pytest.fail(f"{where}: write {BANNED[word]!r} instead of {word!r}")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("assert x", None),
        ("assert x, y.text", None),
        ("assert x, y", None),
        ("assert x, f'{y}'", " … "),
        ("assert x, 'expected one, got none'", "expected one, got none"),
        ("lenient(f'expected {y}, got none')", "expected  … , got none"),
        ("ignored_unless(x, SAID)", "expected that"),
    ],
)
def test_what_a_message_says(source: str, said: str | None) -> None:
    ((_, message),) = messages(ast.parse(source))
    assert sentence(message, {"SAID": ast.Constant("expected that")}) == said


def toml(*files: Path, array: str, key: str) -> Iterator[tuple[str, str]]:
    """The file and the text of each entry of an array of tables."""
    for file in files:
        for entry in tomllib.loads(file.read_text(encoding="utf-8")).get(array, []):
            yield f"{file.parent.name}/{file.name}", entry[key]


@pytest.fixture(scope="module")
def sentences() -> list[tuple[str, str]]:
    """Where a sentence is, and the sentence: requirements, messages, faults, MUSTs, deviations, exclusions."""
    return list(_sentences())


def _sentences() -> Iterator[tuple[str, str]]:
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        yield from ((f"{file.name}::{name}", requirement) for name, requirement in requirements(tree))
        yield from ((f"{file.name}:{line}", sentence(message, {}) or "") for line, message in messages(tree))
    yield from ((f"fault {name}", fault.sentence) for name, fault in FAULTS.items())
    for must in musts.musts():
        yield from ((f"musts.toml, {must.source}", text) for text in (must.says, must.breaks))
    root = Path(checks).parents[2]
    yield from toml(*root.glob("backends/*/known.toml"), array="deviation", key="reason")
    yield from toml(*root.glob("conformance/ledger/*.toml"), array="excluded", key="why")


@pytest.mark.parametrize(("phrase", "better"), PHRASES.items())
def test_no_sentence_has_to_be_read_twice(sentences: list[tuple[str, str]], phrase: str, better: str) -> None:
    found = [f"{where}: {text}" for where, text in sentences if re.search(phrase, text)]
    assert not found, f"write {better!r} instead:\n" + "\n".join(found)
