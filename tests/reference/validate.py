"""Types and ranges of request parameters, with OpenAI's error codes (openapi: the Create*Request schemas)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.reference.errors import ApiError

Body = dict[str, Any]
Rule = Callable[[Any, str], None]

_NAMES = {str: "a string", bool: "a boolean", int: "an integer", float: "a number", list: "an array", dict: "an object"}


def type_name(value: Any) -> str:
    """What a JSON value is, in words."""
    return "null" if value is None else _NAMES[type(value)]


def wrong_type(param: str, expected: str, value: Any) -> ApiError:
    message = f"Invalid type for '{param}': expected {expected}, but got {type_name(value)} instead."
    return ApiError(message, param=param, code="invalid_type")


def invalid(param: str, message: str, code: str = "invalid_value") -> ApiError:
    return ApiError(f"Invalid '{param}': {message}", param=param, code=code)


def missing(param: str) -> ApiError:
    return ApiError(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def boolean(value: Any, param: str) -> None:
    if not isinstance(value, bool):
        raise wrong_type(param, "a boolean", value)


def string(value: Any, param: str) -> None:
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)


def mapping(value: Any, param: str) -> None:
    if not isinstance(value, dict):
        raise wrong_type(param, "an object", value)


def number(low: float, high: float) -> Rule:
    def rule(value: Any, param: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(param, "a decimal", value)
        if value < low:
            raise invalid(param, f"expected a value >= {low}, but got {value}.", "decimal_below_min_value")
        if value > high:
            raise invalid(param, f"expected a value <= {high}, but got {value}.", "decimal_above_max_value")

    return rule


def integer(low: int, high: int) -> Rule:
    def rule(value: Any, param: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(param, "an integer", value)
        if value < low:
            raise invalid(param, f"expected a value >= {low}, but got {value}.", "integer_below_min_value")
        if value > high:
            raise invalid(param, f"expected a value <= {high}, but got {value}.", "integer_above_max_value")

    return rule


def one_of(*values: str) -> Rule:
    def rule(value: Any, param: str) -> None:
        string(value, param)
        if value not in values:
            raise invalid(param, f"'{value}' is not one of {', '.join(values)}.")

    return rule


def stop(value: Any, param: str) -> None:
    """openapi StopConfiguration: a string, or up to four."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise wrong_type(param, "a string or an array of strings", value)
    if len(value) > 4:
        raise invalid(param, f"expected at most 4 strings, but got {len(value)}.", "array_above_max_length")
    for at, item in enumerate(value):
        string(item, f"{param}[{at}]")
        if not item:
            raise invalid(param, "a stop string is empty.", "string_below_min_length")


def logit_bias(vocabulary: int) -> Rule:
    """openapi logit_bias: token ids as keys, -100 to 100 as values."""
    in_range = number(-100, 100)

    def rule(value: Any, param: str) -> None:
        mapping(value, param)
        for key, bias in value.items():
            if not (key.isascii() and key.isdigit()) or int(key) >= vocabulary:
                raise invalid(param, f"'{key}' is not the id of a token.", "invalid_logit_bias")
            in_range(bias, f"{param}.{key}")

    return rule


def metadata(value: Any, param: str) -> None:
    """openapi Metadata: up to 16 pairs of strings, 64 and 512 characters long."""
    mapping(value, param)
    if len(value) > 16:
        raise invalid(param, "expected at most 16 pairs.", "object_above_max_properties")
    for key, item in value.items():
        string(item, f"{param}.{key}")
        if len(key) > 64 or len(item) > 512:
            raise invalid(f"{param}.{key}", "the key or value is too long.", "string_above_max_length")


def check(body: Mapping[str, Any], rules: Mapping[str, Rule], *, nullable: bool = True) -> None:
    """Apply each rule to its parameter where that is present; null means absent. Unknown parameters are tolerated."""
    for param, rule in rules.items():
        value = body.get(param)
        if value is not None or (param in body and not nullable):
            rule(value, param)


def stream_options(body: Body) -> None:
    """stream_options is an object and only legal with stream: true (openapi ChatCompletionStreamOptions)."""
    options = body.get("stream_options")
    if options is None:
        return
    mapping(options, "stream_options")
    for key in ("include_usage", "include_obfuscation"):
        if options.get(key) is not None:
            boolean(options[key], f"stream_options.{key}")
    if not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise ApiError(message, param="stream_options")


SERVICE_TIERS = ("auto", "default", "flex", "scale", "priority", "fast")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


MOST_TOKENS = 2**31 - 1
"""The largest limit of tokens. More than what is left of the context is accepted: the context ends the response."""


def sampling_rules(vocabulary: int) -> dict[str, Rule]:
    """Parameters that chat and legacy completions share."""
    return {
        "temperature": number(0, 2),
        "top_p": number(0, 1),
        "frequency_penalty": number(-2, 2),
        "presence_penalty": number(-2, 2),
        "n": integer(1, 128),
        "seed": integer(-(2**63), 2**63 - 1),
        "stop": stop,
        "logit_bias": logit_bias(vocabulary),
        "max_tokens": integer(1, MOST_TOKENS),
        "stream": boolean,
        "user": string,
    }
