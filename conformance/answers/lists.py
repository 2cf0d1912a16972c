"""Responses of POST /embeddings and GET /models."""

from __future__ import annotations

import base64
import struct
from functools import cached_property
from typing import Any

from conformance.answers.answer import Answer
from conformance.answers.values import expect
from conformance.outcomes import Fail
from conformance.outcomes.comparisons import shown


class Embeddings(Answer):
    """A response of POST /embeddings."""

    @cached_property
    def items(self) -> list[dict[str, Any]]:
        """The elements of `data`, as they came."""
        data = expect(self.body.get("data"), list, f"{self.name}: `data`")
        return [expect(item, dict, f"{self.name}: `data[]`") for item in data]

    @cached_property
    def vectors(self) -> list[list[float]]:
        """The embeddings as arrays of numbers, in the order of their `index`."""
        ordered = sorted(self.items, key=lambda i: expect(i.get("index"), int, f"{self.name}: `data[].index`"))
        return [self._numbers(item.get("embedding")) for item in ordered]

    @property
    def each(self) -> list[list[float]]:
        """The embeddings, of which there must be one for each input."""
        sent = self.sent.get("input")
        texts = 1 if not isinstance(sent, list) or all(isinstance(token, int) for token in sent) else len(sent)
        if len(self.vectors) != texts:
            raise Fail(
                f"{self.name}: expected {texts} embeddings, got {len(self.vectors)} (`data`)",
                expected=f"{texts}",
                actual=f"{len(self.vectors)}",
            )
        return self.vectors

    @property
    def vector(self) -> list[float]:
        """The only, or first, embedding."""
        if not self.vectors:
            raise Fail(f"{self.name}: expected one embedding, got none (`data`)", expected="one embedding", actual="[]")
        return self.vectors[0]

    @property
    def decoded(self) -> list[float]:
        """The first embedding, which came as base64 of little-endian float32."""
        encoded = expect(
            self.items[0].get("embedding") if self.items else None, str, f"{self.name}: `data[0].embedding`"
        )
        return unpacked(encoded)

    def _numbers(self, raw: Any) -> list[float]:
        numbers = expect(raw, list, f"{self.name}: `data[].embedding`")
        return [expect(number, float, f"{self.name}: `data[].embedding[]`") for number in numbers]

    @property
    def usage(self) -> dict[str, Any]:
        """The usage object."""
        return expect(self.body.get("usage"), dict, f"{self.name}: `usage`")

    def tokens(self, kind: str) -> int:
        """One count of the usage object: `prompt` or `total`."""
        return expect(self.usage.get(f"{kind}_tokens"), int, f"{self.name}: `usage.{kind}_tokens`")


class Models(Answer):
    """A response of GET /models or GET /models/{model}."""

    @cached_property
    def models(self) -> list[dict[str, Any]]:
        """The elements of `data`."""
        data = expect(self.body.get("data"), list, f"{self.name}: `data`")
        return [expect(model, dict, f"{self.name}: `data[]`") for model in data]

    @property
    def ids(self) -> list[Any]:
        """The ids of the listed models."""
        return [model.get("id") for model in self.models]


def unpacked(encoded: str) -> list[float]:
    """The numbers of an embedding that came as base64 of little-endian float32."""
    try:
        return [number for (number,) in struct.iter_unpack("<f", base64.b64decode(encoded, validate=True))]
    except (ValueError, struct.error) as problem:
        raise Fail(
            f"expected float32 numbers in base64, got {shown(encoded, 40)} (`data[].embedding`; {problem})",
            expected="base64 of four bytes for each number",
            actual=encoded[:200],
        ) from None
