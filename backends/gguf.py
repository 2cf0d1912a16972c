"""Read what a GGUF file says about itself, and add a value to it: no more of the format than that needs.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

ALIGNMENT = 32
"""Bytes to which tensor data is aligned if `general.alignment` does not say otherwise."""

_UINT32, _STRING, _ARRAY = 4, 8, 9
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip
"""Names of `general.file_type` (llama.cpp's `llama_ftype`)."""

TENSOR_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
    13: "Q5_K", 14: "Q6_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip
"""Names of tensor types (`ggml_type`)."""


class NotGGUF(ValueError):
    """The file is none, or of a version that is not read here."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """`values` are the metadata (of arrays only the length); `tensors` counts elements by type's name."""

    values: dict[str, Any]
    tensors: dict[str, int]
    values_end: int
    tensors_end: int

    @property
    def quantisation(self) -> str:
        """What the file calls its quantisation; else the type of most of its weights."""
        named = FILE_TYPES.get(self.values.get("general.file_type", -1))
        return named or max(self.tensors, key=lambda kind: self.tensors[kind], default="unknown")


def read(path: Path) -> Header:
    """The header of a GGUF file (versions 2 and 3, little-endian). Raises NotGGUF or OSError."""
    with path.open("rb") as file:
        try:
            if file.read(4) != b"GGUF" or _number(file, "I") not in (2, 3):
                raise NotGGUF(f"{path} is not a GGUF file of version 2 or 3")
            tensor_count, value_count = _number(file, "Q"), _number(file, "Q")
            values = {_string(file): _value(file, _number(file, "I")) for _ in range(value_count)}
            values_end = file.tell()
            tensors: Counter[str] = Counter()
            for _ in range(tensor_count):
                _string(file)
                size = 1
                for _ in range(_number(file, "I")):
                    size *= _number(file, "Q")
                kind = _number(file, "I")
                tensors[TENSOR_TYPES.get(kind, f"type {kind}")] += size
                _number(file, "Q")
            return Header(values=values, tensors=dict(tensors), values_end=values_end, tensors_end=file.tell())
        except (struct.error, KeyError, UnicodeDecodeError) as problem:
            raise NotGGUF(f"{path} is incomplete or damaged: {problem!r}") from None


def with_number(path: Path, key: str, number: int) -> bytes:
    """The file with one more (unsigned, 32 bits) value; the key must not be there yet."""
    raw, header = path.read_bytes(), read(path)
    if key in header.values:
        raise ValueError(f"{path} already has a {key}")
    alignment = int(header.values.get("general.alignment", ALIGNMENT))
    added = struct.pack("<Q", len(key)) + key.encode() + struct.pack("<II", _UINT32, number)
    (count,) = struct.unpack_from("<Q", raw, 16)
    start = raw[:16] + struct.pack("<Q", count + 1) + raw[24 : header.values_end] + added
    start += raw[header.values_end : header.tensors_end]
    return start + b"\0" * (-len(start) % alignment) + raw[_aligned(header.tensors_end, alignment) :]


def _aligned(position: int, alignment: int) -> int:
    return position + (-position % alignment)


def _number(file: BinaryIO, code: str) -> Any:
    return struct.unpack(f"<{code}", file.read(struct.calcsize(f"<{code}")))[0]


def _string(file: BinaryIO) -> str:
    return str(file.read(_number(file, "Q")), "utf-8", "replace")


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    if kind != _ARRAY:
        return _number(file, _NUMBERS[kind])
    of, length = _number(file, "I"), _number(file, "Q")
    if of in (_STRING, _ARRAY):
        for _ in range(length):
            _value(file, of)
    else:
        file.seek(length * struct.calcsize(f"<{_NUMBERS[of]}"), 1)
    return length
