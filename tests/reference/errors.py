"""Errors as OpenAI sends them: a status and the envelope {"error": {message, type, param, code}}."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A request that is rejected. `param` names the invalid parameter as a path, `code` is the reason for programs."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.error: dict[str, Any] = {"message": message, "type": kind, "param": param, "code": code}


def not_found(path: str, method: str) -> ApiError:
    return ApiError(f"Unknown request URL: {method} {path}.", status=404, code="unknown_url")


def wrong_method(path: str, method: str, allowed: str) -> ApiError:
    message = f"Not allowed to {method} on {path}; allowed: {allowed}."
    return ApiError(message, status=405, code="method_not_supported", headers={"allow": allowed})


def unknown_model(name: str) -> ApiError:
    message = f"The model `{name}` does not exist or you do not have access to it."
    return ApiError(message, status=404, param="model", code="model_not_found")


def context_exceeded(limit: int, tokens: int, param: str = "messages") -> ApiError:
    message = f"This model's maximum context length is {limit} tokens, but the input has {tokens} tokens."
    return ApiError(message, param=param, code="context_length_exceeded")
