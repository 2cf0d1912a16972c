"""No form of a secret stays, and nothing else is changed."""

from __future__ import annotations

import base64
import html
import json
import textwrap
import time
import urllib.parse
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import redaction
from backends.redaction import REDACTED, secrets

KEY = "sk-abc/def+GHI=1234567890"
HIDDEN = secrets(KEY)

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "slash": lambda s: s.replace("/", "\\/"),
    "unicode": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "unicode in JSON in JSON": lambda s: "".join(f"\\\\u{ord(c):04X}" for c in s),
    "one character": lambda s: s.replace("a", "\\u0061"),
    "source": lambda s: "".join(f"\\x{ord(c):02x}" for c in s),
    "percent": lambda s: urllib.parse.quote(s, safe=""),
    "percent twice": lambda s: urllib.parse.quote(urllib.parse.quote(s, safe=""), safe=""),
    "HTML": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 after one": lambda s: base64.b64encode(f"u{s}".encode()).decode(),
    "base64 after two": lambda s: base64.urlsafe_b64encode(f"u:{s}:x".encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "hex with spaces": lambda s: s.encode().hex(" ").upper(),
    "hex with dashes": lambda s: s.encode().hex("-"),
    "array of hex": lambda s: ", ".join(map(hex, s.encode())),
    "array of numbers": lambda s: json.dumps(list(s.encode())),
    "octal": lambda s: "".join(f"\\{ord(c):03o}" for c in s),
    "long escapes": lambda s: "".join(f"\\U{ord(c):08x}" for c in s),
    "quoted-printable": lambda s: "".join(f"={ord(c):02X}" for c in s),
    "base64url without padding": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "base64 of UTF-16": lambda s: base64.b64encode(s.encode("utf-16-le")).decode(),
    "other case": str.swapcase,
    "spaced": " ".join,
    "named in HTML": lambda s: s.replace("/", "&sol;").replace("+", "&plus;"),
    "HTML in HTML": lambda s: html.escape("".join(f"&#{ord(c)};" for c in s)),
    "style sheet": lambda s: "".join(f"\\{ord(c):x} " for c in s),
    "percent u": lambda s: "".join(f"%u{ord(c):04x}" for c in s),
    "base64 on lines": lambda s: "\n".join(textwrap.wrap(base64.b64encode(s.encode()).decode(), 10)),
    "base64 on lines in JSON": lambda s: json.dumps(
        "\r\n".join(textwrap.wrap(base64.b64encode(s.encode()).decode(), 9))
    ),
    "hex of UTF-16": lambda s: s.encode("utf-16-be").hex(),
    "hex on lines": lambda s: s.encode().hex("\n"),
    "indented array of numbers": lambda s: json.dumps(list(s.encode()), indent=4),
    "JSON in JSON in JSON": lambda s: json.dumps(json.dumps(json.dumps("".join(f"\\u{ord(c):04x}" for c in s)))),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_found(form: str) -> None:
    made = FORMS[form](KEY)
    for said in (
        redaction.text(f"before {made} after", HIDDEN),
        redaction.raw(f"before {made} after".encode(), HIDDEN).decode(),
    ):
        assert said.startswith("before ")
        assert said.endswith(" after")
        assert REDACTED in said
        assert made[8:-8] not in said


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32-le"])
def test_bytes_of_any_encoding_are_found(encoding: str) -> None:
    assert REDACTED.encode() in redaction.raw(f"a {KEY} b".encode(encoding), HIDDEN)


def stream(*deltas: str) -> bytes:
    chunks = [{"choices": [{"index": i, "delta": {"content": c}} for i, c in enumerate((d, "other"))]} for d in deltas]
    return "".join(f"data: {json.dumps(one)}\r\n\r\n" for one in chunks).encode() + b"data: [DONE]\n\n"


def joined(body: bytes, index: int = 0) -> str:
    chunks = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    return "".join(one["choices"][index]["delta"]["content"] for one in chunks)


@given(st.lists(st.integers(1, len(KEY) - 1)), st.text("xyz", max_size=5))
def test_a_secret_split_over_events_is_found(cuts: list[int], around: str) -> None:
    at = [0, *sorted(cuts), len(KEY)]
    body = stream("Hello ", around, *(KEY[a:b] for a, b in pairwise(at)), around, "!")
    clean = redaction.body(body, HIDDEN)
    assert joined(clean) == f"Hello {around}{REDACTED}{around}!"
    assert joined(clean, 1) == joined(body, 1)
    assert clean.count(b"\n") == body.count(b"\n")


def test_a_secret_split_over_an_array_is_found() -> None:
    tokens = [{"token": KEY[:9]}, {"token": KEY[9:]}, {"token": "."}]
    clean = redaction.body(json.dumps({"content": tokens}).encode(), HIDDEN)
    assert json.loads(clean) == {"content": [{"token": REDACTED}, {"token": ""}, {"token": "."}]}


@given(st.binary(max_size=200))
def test_what_holds_no_secret_stays_as_it_is(body: bytes) -> None:
    assert redaction.body(body, HIDDEN) == body
    assert redaction.body(b'data: {"a": "' + body + b'"}\n\n', HIDDEN) == b'data: {"a": "' + body + b'"}\n\n'


def test_a_short_key_is_a_placeholder() -> None:
    assert secrets("none", None, "", "EMPTY", KEY, KEY) == (KEY,)
    assert redaction.text('"tool_choice": "none"', secrets("none")) == '"tool_choice": "none"'


def test_secret_headers_are_not_kept_at_all() -> None:
    pairs = (("Set-Cookie", "a=b"), ("X-A", f"1 {KEY} 2"), ("Location", FORMS["percent"](KEY)), ("Server", "x"))
    kept = ("Set-Cookie", REDACTED), ("X-A", f"1 {REDACTED} 2"), ("Location", REDACTED), ("Server", "x")
    assert redaction.headers(pairs, HIDDEN) == kept


@given(st.text('nrtu\\"/abcdefgh', min_size=8), st.text('nrtu\\"/ab\n\t', max_size=9))
def test_a_line_stays_json(key: str, before: str) -> None:
    line = json.dumps({"a": before + key, key: [before, key]})
    clean = redaction.line(line, (key,))
    assert isinstance(json.loads(clean), dict)
    if key not in before and json.dumps(key) == f'"{key}"':
        assert key not in clean.replace(REDACTED, "")


def test_a_large_body_takes_seconds_at_most() -> None:
    body = b'{"a": "hello \\n world", "b": [1, 2, 3]},' * 100_000
    begun = time.process_time()
    assert redaction.body(body, HIDDEN) == body
    assert time.process_time() - begun < 20


@pytest.mark.parametrize("part", ["\\", "%25", "=", "sk-", "\\u{0", "73", "&#0", "c2st", "&amp;", "115, ", "s \n"])
def test_what_begins_like_a_secret_again_and_again_takes_seconds_at_most(part: str) -> None:
    begun = time.process_time()
    redaction.text(part * 300_000, HIDDEN)
    assert time.process_time() - begun < 20


def test_a_secret_split_over_headers_is_found() -> None:
    got = redaction.headers((("x-a", KEY[:9]), ("server", KEY[9:]), ("x-b", "kept")), HIDDEN)
    assert got == (("x-a", REDACTED), ("server", ""), ("x-b", "kept"))


@pytest.mark.parametrize("split", [{"a": KEY[:9], "b": {"c": KEY[9:]}}, [KEY[:3], KEY[3:5], {"d": KEY[5:]}]])
def test_a_secret_split_over_strings_of_a_document_is_found(split: object) -> None:
    body = redaction.body(json.dumps(split).encode(), HIDDEN).decode()
    assert REDACTED in body
    assert KEY[5:] not in body


def test_a_text_made_for_one_key_takes_seconds_at_most() -> None:
    """Each letter may be read in two ways, so there would be 2**60 to try."""
    key = "sk-" + "trn" * 20
    begun = time.process_time()
    for between in ("\\n\\n", "\\n ", "= ", "\\\\n", "00 ", " \\t"):
        for form in (list(key), [f"\\{char}" for char in key], [f"{ord(char):02x}" for char in key]):
            redaction.text((between.join(form)[:-1] + "x") * 100, secrets(key))
    assert time.process_time() - begun < 20


@pytest.mark.parametrize("key", ['sk-abc&<"x"\'=1', "a\\b\\c%25%41d", "p=q=r==", "two words+more"])
@pytest.mark.parametrize("form", ["plain", "percent", "HTML", "base64", "unicode", "JSON"])
def test_keys_of_other_characters_are_found(key: str, form: str) -> None:
    said = json.dumps(key) if form == "JSON" else FORMS[form](key)
    assert REDACTED in redaction.text(f"before {said} after", secrets(key))


def test_a_secret_split_over_logprobs_is_found() -> None:
    tokens = [{"token": part, "bytes": list(part.encode()), "logprob": -1.5} for part in (KEY[:4], KEY[4:9], KEY[9:])]
    clean = json.loads(redaction.body(json.dumps({"content": tokens, "ids": [1, 2, 300]}).encode(), HIDDEN))
    assert "".join(one["token"] for one in clean["content"]) == REDACTED
    assert bytes(octet for one in clean["content"] for octet in one["bytes"]).decode() == REDACTED
    assert clean["ids"] == [1, 2, 300]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_secret_split_over_lines_is_found(end: str) -> None:
    halves = [{"a": {"b": KEY[:9]}}, {"a": {"b": KEY[9:]}}]
    on_lines = end.join(map(json.dumps, halves))
    events = "".join(f"data: {json.dumps(one, indent=1)}".replace("\n", f"{end}data: ") + end + end for one in halves)
    crowded = "".join(f"data: {json.dumps(one)}{end}" for one in halves)
    for body in (on_lines, events, crowded):
        clean = redaction.body(body.encode(), HIDDEN).decode()
        assert REDACTED in clean
        assert KEY[:9] not in clean
        assert KEY[9:] not in clean
