"""Faults of image input."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fixtures.images import BLUE, RED
from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.faults.chat import messages
from tests.reference.faults.kit import payload, request

Parts = list[dict[str, Any]]


def _change_images(body: dict[str, Any], change: Callable[[Parts], Parts]) -> None:
    for message in messages(body):
        parts = message.get("content")
        if isinstance(parts, list) and all(isinstance(part, dict) for part in parts):
            images = [part for part in parts if part.get("type") == "image_url"]
            others = [part for part in parts if part.get("type") != "image_url"]
            if images:
                message["content"] = [*others, *change(images)] or [{"type": "text", "text": ""}]


@request("chat")
def images_ignored(body: dict[str, Any], _call: Call) -> None:
    """Images are dropped, and only the text is read."""
    _change_images(body, lambda _images: [])


@request("chat")
def only_the_first_image(body: dict[str, Any], _call: Call) -> None:
    """Of several images, only the first is seen."""
    _change_images(body, lambda images: images[:1])


@request("chat")
def images_in_wrong_order(body: dict[str, Any], _call: Call) -> None:
    """Images are seen in reverse order."""
    _change_images(body, lambda images: images[::-1])


@request("chat")
def malformed_images_dropped(body: dict[str, Any], _call: Call) -> None:
    """Images that cannot be read are silently dropped."""
    _change_images(body, lambda images: [i for i in images if len(str(i.get("image_url"))) > 200])


@request("chat")
def every_image_rejected(body: dict[str, Any], _call: Call) -> None:
    """Every message with an image is rejected."""

    def reject(images: Parts) -> Parts:
        raise ApiError("This server takes no images.", param="messages")

    _change_images(body, reject)


@payload("chat")
def images_cost_no_tokens(body: Any, call: Call) -> None:
    """prompt_tokens does not count images."""
    has = any(isinstance(m.get("content"), list) for m in messages(call.body))
    if body.get("usage") and has:
        body["usage"]["prompt_tokens"] = 12
        body["usage"]["total_tokens"] = 12 + body["usage"]["completion_tokens"]


@request("chat")
def text_model_swallows_images(body: dict[str, Any], _call: Call) -> None:
    """A text-only model accepts images and does not see them."""
    if body.get("model") == "reference-text":
        _change_images(body, lambda _images: [])


@request("chat")
def image_detail_refused(body: dict[str, Any], _call: Call) -> None:
    """An image with `detail` is rejected."""
    if "'detail':" in str(messages(body)):
        raise ApiError("Unknown parameter: 'detail'.", param="messages")


@request("chat")
def only_png_is_read(body: dict[str, Any], _call: Call) -> None:
    """Images that are not PNGs get a 500."""
    for message in messages(body):
        if (
            isinstance(message.get("content"), list)
            and "data:image/" in str(message)
            and "image/png" not in str(message)
        ):
            raise TypeError("cannot identify image file")


@request("chat")
def last_image_for_all(body: dict[str, Any], _call: Call) -> None:
    """The last of several images is seen in the place of all."""
    _change_images(body, lambda images: images[-1:] * len(images))


@request("chat", stream=True)
def images_ignored_in_streams(body: dict[str, Any], _call: Call) -> None:
    """In streams, images are dropped, and only the text is read."""
    _change_images(body, lambda _images: [])


@request("chat")
def first_part_must_be_text(body: dict[str, Any], _call: Call) -> None:
    """An image before the text is dropped."""
    for message in messages(body):
        parts = message.get("content")
        if isinstance(parts, list) and len(parts) > 1 and parts[0].get("type") == "image_url":
            del parts[0]


@request("chat")
def unknown_detail_dropped(body: dict[str, Any], _call: Call) -> None:
    """An unknown `detail` is ignored."""
    for message in messages(body):
        for part in message["content"] if isinstance(message.get("content"), list) else []:
            image = part.get("image_url")
            if isinstance(image, dict) and image.get("detail") not in ("low", "high", "auto"):
                image.pop("detail", None)


@request("chat")
def red_is_blue(body: dict[str, Any], _call: Call) -> None:
    """A red image is seen as blue."""
    _change_images(body, lambda images: json.loads(json.dumps(images).replace(RED, BLUE)))


@request("chat")
def gif_refused(body: dict[str, Any], _call: Call) -> None:
    """A GIF is rejected as if it were not an image."""
    for message in messages(body):
        if "data:image/gif" in str(message.get("content")):
            raise ApiError("Unsupported image format: gif.", param="messages")
