"""A curl command, as browsers, documentation and shells write it: its address, headers and body."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

BEGINS = re.compile(
    r"^[ \t]*(?:[$>%#] *)?(?:(?:\w+=\S*|time|sudo|(?:docker|podman|kubectl) exec(?: \S+)+?) +)*"
    r"(?:/\S*/)?curl(?:\.exe)?\s",
    re.MULTILINE,
)
"""Where a command begins: behind a prompt, variables that are set for it, and commands that run it."""

_ENDS = ("|", ">", ">>", "<", "&&", "||", ";", "&")
"""Words of a shell that end the command, or say where its output goes."""

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1[^\n]*\n(.*?)\n\s*\2\s*$", re.DOTALL | re.MULTILINE)

_WITH_VALUE = set("AbcCdeEFhHKmoPQrtTuUwxXyYz")
"""Short options of curl that have a value."""

_SECRET = {"-u", "--user", "--oauth2-bearer", "-b", "--cookie", "--proxy-user", "-U"}

_SKIPPED = _SECRET | {
    "-e", "--referer", "-x", "--proxy", "-A", "--user-agent", "-o", "--output", "-c", "--cookie-jar",
    "-m", "--max-time", "-w", "--write-out", "--connect-timeout", "--retry", "--cacert", "--cert", "--key", "--resolve",
}  # fmt: skip
"""Options whose value says nothing of the request, or is a secret."""


@dataclass
class Command:
    """What a command asks for. `words` are all that may be its address, `secrets` what its options keep secret."""

    method: str = ""
    words: list[str] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)


def command(text: str, file: Callable[[str], str]) -> Command:
    """The first curl command of a text. `file` reads a file that the command names (`-d @FILE`), by that name.

    Raises ValueError if quotes do not end, and IndexError if an option has no value.
    """
    begun = BEGINS.search(text)
    assert begun is not None
    text = text[begun.start() :]
    stdin = _HEREDOC.search(text)
    if stdin:
        text = text[: stdin.start()] + text[stdin.end() :]
    if re.search(r"curl(?:\.exe)?\s+\^\"|[\"\s]\^[ \t]*$", text, re.MULTILINE):
        text = _of_windows(text)
    elif '"{""' in text:  # Windows' other way to write a quote between quotes.
        text = text.replace('""', '\\"')
    text = re.sub(r"[`\\][ \t]*\n", " ", text)
    words = shlex.split(_QUOTED.sub(_ansi, text))
    first = next((at for at, word in enumerate(words) if re.fullmatch(r"(?:/\S*/)?curl(?:\.exe)?", word)), None)
    if first is None:
        raise ValueError("curl itself is between quotes")
    found = Command()
    for option, value in _options(words[first + 1 :]):
        if option in ("-X", "--request"):
            found.method = value
        elif option in ("-H", "--header"):
            name, _, said = value.partition(":")
            found.headers.append((name.strip(), said.strip()))
        elif option in ("-d", "--json") or option.startswith("--data"):
            at = value.startswith("@") and option != "--data-raw"
            found.data.append((stdin[3] if stdin and value == "@-" else file(value[1:])) if at else value)
        elif option in _SECRET:
            found.secrets += [value, *re.split(r"[:;=\s]+", value)]
        elif option in ("", "--url"):
            found.words.append(value)
    return found


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Each option with its value, and each other word with an empty option, up to the end of the command."""
    words = list(words)
    while words:
        word = words.pop(0)
        if word in _ENDS or word.startswith("#"):
            return
        if word.startswith("--"):
            option, mark, value = word.partition("=")
            known = option in ("--request", "--header", "--json", "--url") or option.startswith("--data")
            if mark:
                yield option, value
            elif known or option in _SKIPPED:
                yield option, words.pop(0)
        elif word.startswith("-") and len(word) > 1:
            at = next((at for at, letter in enumerate(word) if at and letter in _WITH_VALUE), 0)
            if at:
                yield f"-{word[at]}", word[at + 1 :] or words.pop(0)
        else:
            yield "", word


def _of_windows(text: str) -> str:
    """A command of Windows' cmd, whose `^` quotes the next character or the end of a line."""
    text = re.sub(r"\^[ \t]*\n(\n)?", lambda found: found[1] or " ", text)
    return re.sub(r"\^(.)", r"\1", text)


_QUOTED = re.compile(r"\$'((?:[^'\\]|\\.)*)'|'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.", re.DOTALL)
"""Quoted words: those of bash's `$'…'` have something in the group."""

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)|([^\\]+)", re.DOTALL)


def _ansi(found: re.Match[str]) -> str:
    """A string in bash's `$'…'`, as browsers copy it, in plain quotes; others stay as they are."""
    if found[1] is None:
        return found[0]
    plain = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "e": "\x1b", "E": "\x1b"}
    made = bytearray()
    for escape, rest in _ESCAPE.findall(found[1]):
        if rest:
            made += rest.encode()
        elif escape[0] in "uU" and len(escape) > 1:
            made += chr(int(escape[1:], 16)).encode(errors="surrogatepass")
        elif escape[0] == "x" and len(escape) > 1:
            made.append(int(escape[1:], 16))
        elif escape[0] in "01234567":
            made.append(int(escape, 8) & 255)
        else:
            made += plain.get(escape, escape).encode()
    said = made.decode(errors="surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return shlex.quote(said)


__all__ = ["BEGINS", "Command", "command"]
