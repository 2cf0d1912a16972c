"""Images of a request: data URLs, and URLs on this machine; reduced to their average colour and a number of tokens."""

from __future__ import annotations

import base64
import binascii
import io
import math
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

from PIL import Image as Pillow

from tests.reference.errors import ApiError
from tests.reference.validate import invalid, mapping, missing, one_of, string

_COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "purple": (160, 0, 200),
    "orange": (255, 140, 0),
}
LOCAL = "http://127.0.0.1:"
SECONDS = 2.0  # for an image to come
_FORMATS = {"png": "PNG", "jpeg": "JPEG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF"}
_PATCH = 28  # pixels a token covers, as in Qwen2-VL
_LOW, _HIGH = 16, 256  # tokens of an image with detail low, and at most


@dataclass(frozen=True)
class Image:
    """What the model sees of an image."""

    colour: str
    tokens: int
    digest: int


def read(part: dict[str, Any], param: str) -> Image:
    """The image of an image_url part (openapi ChatCompletionRequestMessageContentPartImage)."""
    source = part.get("image_url")
    if source is None:
        raise missing(f"{param}.image_url")
    mapping(source, f"{param}.image_url")
    detail = source.get("detail")
    if detail is not None:
        one_of("auto", "low", "high")(detail, f"{param}.image_url.detail")
    return from_url(source.get("url"), f"{param}.image_url.url", detail or "auto")


def from_url(url: Any, param: str, detail: str) -> Image:
    """The image of a URL; this server fetches images only from this machine."""
    if url is None:
        raise missing(param)
    string(url, param)
    if url.startswith(LOCAL):
        url = _fetched(url, param)
    head, comma, data = url.partition(",")
    if not head.startswith("data:"):
        raise invalid(param, "images are not fetched from other machines, send a data URL.", "unsupported_image_url")
    kind, _, encoding = head.removeprefix("data:").partition(";")
    if not comma or encoding != "base64" or kind.removeprefix("image/") not in _FORMATS:
        raise invalid(param, "expected data:image/png;base64,... (or jpeg, webp, gif).", "invalid_image_format")
    try:
        raw = base64.b64decode(data, validate=True)
        with Pillow.open(io.BytesIO(raw), formats=sorted(set(_FORMATS.values()))) as image:
            width, height = image.size
            pixel = image.convert("RGB").resize((1, 1), Pillow.Resampling.BOX).getpixel((0, 0))
    except (binascii.Error, OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise _malformed(param) from error
    assert isinstance(pixel, tuple)
    colour = min(_COLOURS, key=lambda name: math.dist(_COLOURS[name], pixel))
    size = math.ceil(width / _PATCH) * math.ceil(height / _PATCH)
    tokens = _LOW if detail == "low" else min(size, _HIGH)
    return Image(colour, tokens, zlib.crc32(raw))


def _fetched(url: str, param: str) -> str:
    """The image as a data URL."""
    try:
        with urlopen(url, timeout=SECONDS) as got:
            return f"data:image/png;base64,{base64.b64encode(got.read()).decode()}"
    except (OSError, ValueError) as error:
        raise invalid(param, "the image cannot be fetched.", "invalid_image_url") from error


def _malformed(param: str) -> ApiError:
    return invalid(param, "the data is no image of a supported format.", "invalid_image")
