"""The probe model's byte-level BPE: a token id means the same to the reference server and to a real backend."""

from __future__ import annotations

import itertools
import json
import re
from functools import lru_cache
from pathlib import Path

from fixtures.dialects import vocabulary

_FILE = Path(__file__).parents[2] / "fixtures" / "probe_model" / "probe" / "tokenizer.json"
_RUN = 64  # longer runs of letters are cut, so that merging stays linear

# The tokenizer's own pattern, in the words of `re`: [^\W\d_] is \p{L}, \d is \p{N}.
_WORDS = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:[^\r\n\w]|_)?[^\W\d_]+|\d| ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _byte_letters() -> dict[int, str]:
    """GPT-2's table of one printable letter a byte, in which byte-level vocabularies are written."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(rest)}


_LETTERS = _byte_letters()
_BYTES = {letter: byte for byte, letter in _LETTERS.items()}
_DATA = json.loads(_FILE.read_text("utf-8"))
_IDS: dict[str, int] = _DATA["model"]["vocab"]
_RANKS = {tuple(pair): rank for rank, pair in enumerate(_DATA["model"]["merges"])}
ADDED: dict[str, int] = {entry["content"]: entry["id"] for entry in _DATA["added_tokens"]}

VOCABULARY = max(*_IDS.values(), *ADDED.values()) + 1
END_OF_TEXT = ADDED["<|endoftext|>"]
END = ADDED["<|im_end|>"]
START = ADDED["<|im_start|>"]
IMAGE_PAD = ADDED["<|image_pad|>"]
IMAGE_START, IMAGE_END = ADDED["<|vision_start|>"], ADDED["<|vision_end|>"]

# What a token adds to the text; special tokens add nothing.
TOKEN_BYTES: list[bytes] = [b""] * VOCABULARY
for _piece, _id in _IDS.items():
    if _piece not in ADDED:
        TOKEN_BYTES[_id] = bytes(_BYTES[letter] for letter in _piece)

_MARKS = ADDED | {mark: VOCABULARY + at for at, mark in enumerate(vocabulary())}
_MARK = re.compile("|".join(map(re.escape, sorted(_MARKS, key=len, reverse=True))))
_MARK_BYTES = {token: mark.encode() for mark, token in _MARKS.items()}

BYTES: list[int] = [_IDS[_byte_letters()[byte]] for byte in range(256)]
"""The token that is one byte, for each byte."""


@lru_cache(maxsize=1 << 16)
def _merge(word: str) -> tuple[int, ...]:
    parts = [_LETTERS[byte] for byte in word.encode("utf-8", "replace")]
    while len(parts) > 1:
        ranks = [_RANKS.get(pair, 1 << 30) for pair in itertools.pairwise(parts)]
        best = min(ranks)
        if best == 1 << 30:
            break
        at = ranks.index(best)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return tuple(_IDS[part] for part in parts)


def encode(text: str) -> list[int]:
    """Token ids of a text; never special tokens, whatever the text says."""
    ids: list[int] = []
    for word in _WORDS.findall(text):
        for at in range(0, len(word), _RUN):
            ids += _merge(word[at : at + _RUN])
    return ids


def encode_marked(text: str) -> list[int]:
    """Token ids of what a model writes in a family's notation: a mark that is one token in its vocabulary is one."""
    ids, at = [], 0
    for mark in _MARK.finditer(text):
        ids += [*encode(text[at : mark.start()]), _MARKS[mark[0]]]
        at = mark.end()
    return ids + encode(text[at:])


def raw_bytes(token: int) -> bytes:
    """What a token is in a text with its special tokens."""
    return _MARK_BYTES.get(token) or TOKEN_BYTES[token]


def decode(ids: list[int]) -> str:
    """Text of token ids; bytes that are no UTF-8 become U+FFFD."""
    return b"".join(TOKEN_BYTES[i] for i in ids).decode("utf-8", "replace")


def shown(token: int, prefix: str = "") -> str:
    r"""A token as logprobs show it: its text, or `\xf0\x9f` for a part of a character (with `prefix` before it)."""
    raw = TOKEN_BYTES[token]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return prefix + "".join(f"\\x{byte:02x}" for byte in raw)
