"""Texts that only this server can read, for `encrypted_content` (openapi ReasoningItem)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from tests.reference.errors import ApiError

_BEGINNING = "ref1."


def sealed(value: Any) -> str:
    """JSON data as an opaque string."""
    return _BEGINNING + base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def opened(raw: Any, at: str) -> Any:
    """The data of a string that `sealed` made. Any other string is rejected, like one with another server's key."""
    try:
        if isinstance(raw, str) and raw.startswith(_BEGINNING):
            return json.loads(base64.urlsafe_b64decode(raw.removeprefix(_BEGINNING)))
    except (ValueError, binascii.Error):
        pass
    raise ApiError("The encrypted content could not be verified.", param=at, code="invalid_encrypted_content")
