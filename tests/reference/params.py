"""From the body of a chat request to what the generator needs: sampling, response_format, tools and tool_choice."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from tests.reference import jsongen
from tests.reference.errors import ApiError
from tests.reference.generator import Sampling
from tests.reference.script import Wish
from tests.reference.tokens import VOCABULARY
from tests.reference.toolcalls import Tool
from tests.reference.validate import (
    EFFORTS,
    MOST_TOKENS,
    SERVICE_TIERS,
    Body,
    boolean,
    check,
    integer,
    invalid,
    mapping,
    metadata,
    missing,
    one_of,
    sampling_rules,
    stream_options,
    string,
    wrong_type,
)

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

CHAT_RULES = sampling_rules(VOCABULARY) | {
    "max_completion_tokens": integer(1, MOST_TOKENS),
    "logprobs": boolean,
    "top_logprobs": integer(0, 20),
    "parallel_tool_calls": boolean,
    "response_format": mapping,
    "reasoning_effort": one_of(*EFFORTS),
    "verbosity": one_of("low", "medium", "high"),
    "service_tier": one_of(*SERVICE_TIERS),
    "store": boolean,
    "metadata": metadata,
}


def check_chat(body: Body) -> None:
    """Types, ranges and combinations of a chat request's parameters (openapi CreateChatCompletionRequest)."""
    check(body, CHAT_RULES)
    stream_options(body)
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise ApiError("'top_logprobs' is only allowed when 'logprobs' is true.", param="top_logprobs")
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise ApiError(message, param="max_tokens", code="invalid_parameter_combination")
    modalities = body.get("modalities")
    if modalities is not None and modalities != ["text"]:
        if not isinstance(modalities, list):
            raise wrong_type("modalities", "an array of strings", modalities)
        raise invalid("modalities", "this server answers in text only.", "unsupported_value")
    for name in ("audio", "web_search_options"):
        if body.get(name) is not None:
            raise ApiError(f"'{name}' is not supported here.", param=name, code="unsupported_parameter")


def sampling(body: Body, room: int) -> Sampling:
    """The generator's parameters; null and absent are the defaults. `room`: tokens left in the context."""
    plain = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "top_logprobs")
    given = {name: body[name] for name in plain if body.get(name) is not None}
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or room
    stop = body.get("stop") or []
    return Sampling(
        **given,
        logit_bias={int(token): bias for token, bias in (body.get("logit_bias") or {}).items()},
        stop=[stop] if isinstance(stop, str) else list(stop),
        max_tokens=min(limit, room),
        logprobs=bool(body.get("logprobs")),
    )


def wish(body: Body) -> Wish:
    """Tools, tool_choice and response_format of a chat request."""
    result = Wish(effort=body.get("reasoning_effort"))
    template = body.get("chat_template_kwargs")
    if isinstance(template, dict) and template.get("enable_thinking") is False:
        result.effort = "none"
    response_format(body.get("response_format"), result)
    result.tools = tools(body.get("tools"))
    result.parallel = body.get("parallel_tool_calls") is not False
    for name in ("tool_choice", "parallel_tool_calls"):
        if body.get(name) is not None and body.get("tools") is None:
            raise ApiError(f"'{name}' is only allowed when 'tools' are specified.", param=name)
    tool_choice(body.get("tool_choice"), result)
    return result


def response_format(raw: Any, result: Wish) -> None:
    """openapi ResponseFormatText, ResponseFormatJsonObject, ResponseFormatJsonSchema."""
    if raw is None:
        return
    if raw.get("type") is None:
        raise missing("response_format.type")
    one_of("text", "json_object", "json_schema")(raw["type"], "response_format.type")
    result.format = raw["type"]
    if result.format == "json_schema":
        wrapper = raw.get("json_schema")
        if wrapper is None:
            raise missing("response_format.json_schema")
        mapping(wrapper, "response_format.json_schema")
        result.schema = json_schema(wrapper, "response_format.json_schema")


def json_schema(wrapper: Body, at: str) -> Any:
    """The schema out of {name, schema, strict}, checked."""
    if wrapper.get("name") is None:
        raise missing(f"{at}.name")
    string(wrapper["name"], f"{at}.name")
    if not _NAME.fullmatch(wrapper["name"]):
        raise invalid(f"{at}.name", f"expected a name that matches {_NAME.pattern}.")
    if wrapper.get("strict") is not None:
        boolean(wrapper["strict"], f"{at}.strict")
    if wrapper.get("description") is not None:
        string(wrapper["description"], f"{at}.description")
    if wrapper.get("schema") is None:
        raise missing(f"{at}.schema")
    mapping(wrapper["schema"], f"{at}.schema")
    if why := jsongen.check_schema(wrapper["schema"]):
        raise invalid(f"{at}.schema", why, "invalid_json_schema")
    return wrapper["schema"]


def tools(raw: Any) -> list[Tool]:
    """openapi ChatCompletionTool and CustomToolChatCompletions; an empty array is as if there were none."""
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise wrong_type("tools", "an array of objects", raw)
    if len(raw) > 128:
        raise invalid("tools", f"expected at most 128 tools, but got {len(raw)}.", "array_above_max_length")
    found: list[Tool] = []
    for number, entry in enumerate(raw):
        at = f"tools[{number}]"
        mapping(entry, at)
        if entry.get("type") is None:
            raise missing(f"{at}.type")
        kind = entry["type"]
        one_of("function", "custom")(kind, f"{at}.type")
        if entry.get(kind) is None:
            raise missing(f"{at}.{kind}")
        mapping(entry[kind], f"{at}.{kind}")
        made = custom(entry["custom"], f"{at}.custom") if kind == "custom" else function(entry[kind], f"{at}.{kind}")
        found.append(replace(made, namespace=entry.get("namespace", "")))
        if made.name in [tool.name for tool in found[:-1]]:
            raise invalid(f"{at}.{kind}.name", f"there are two tools named '{made.name}'.", "duplicate_name")
    return found


def custom(raw: Body, at: str) -> Tool:
    """One custom tool, whose `format` is text or a grammar; of the two syntaxes only `regex` is supported here."""
    _check_name(raw, at)
    format = raw.get("format") or {"type": "text"}
    mapping(format, f"{at}.format")
    one_of("text", "grammar")(format.get("type"), f"{at}.format.type")
    schema: Body = {"type": "string"}
    if format["type"] == "grammar":
        grammar = format.get("grammar", format)  # chat has it one level below
        one_of("regex")(grammar.get("syntax"), f"{at}.format.syntax")
        string(grammar.get("definition"), f"{at}.format.definition")
        schema["pattern"] = f"^(?:{grammar['definition']})$"
    parameters = {"type": "object", "properties": {"input": schema}, "required": ["input"]}
    if why := jsongen.check_schema(parameters):
        raise invalid(f"{at}.format.definition", why, "invalid_grammar")
    return Tool(raw["name"], raw.get("description") or "", parameters, custom=True)


def _check_name(raw: Body, at: str) -> None:
    if raw.get("name") is None:
        raise missing(f"{at}.name")
    string(raw["name"], f"{at}.name")
    if not _NAME.fullmatch(raw["name"]):
        raise invalid(f"{at}.name", f"expected a name that matches {_NAME.pattern}.")
    if raw.get("description") is not None:
        string(raw["description"], f"{at}.description")


def function(raw: Body, at: str) -> Tool:
    """One function (openapi FunctionObject), its parameters a JSON Schema of an object."""
    _check_name(raw, at)
    if raw.get("strict") is not None:
        boolean(raw["strict"], f"{at}.strict")
    parameters = raw.get("parameters") or {}
    if raw.get("parameters") is not None:
        mapping(raw["parameters"], f"{at}.parameters")
    if parameters and parameters.get("type") != "object":
        message = "the schema must have type 'object'."
        raise invalid(f"{at}.parameters", message, "invalid_function_parameters")
    if why := jsongen.check_schema(parameters):
        raise invalid(f"{at}.parameters", why, "invalid_function_parameters")
    return Tool(raw["name"], raw.get("description") or "", parameters)


def tool_choice(raw: Any, result: Wish) -> None:
    """openapi ChatCompletionToolChoiceOption: none, auto, required, a named tool, or allowed_tools."""
    if raw is None:
        return
    if isinstance(raw, str):
        one_of("none", "auto", "required")(raw, "tool_choice")
        result.mode = raw
        return
    if not isinstance(raw, dict):
        raise wrong_type("tool_choice", "a string or an object", raw)
    kind = raw.get("type")
    if kind is None:
        raise missing("tool_choice.type")
    one_of("function", "custom", "allowed_tools")(kind, "tool_choice.type")
    if kind in ("function", "custom"):
        name = _named(raw.get(kind), f"tool_choice.{kind}", result.tools)
        result.tools = [tool for tool in result.tools if tool.name == name]
        result.mode, result.named = "required", True
        return
    allowed = raw.get("allowed_tools")
    if allowed is None:
        raise missing("tool_choice.allowed_tools")
    mapping(allowed, "tool_choice.allowed_tools")
    one_of("auto", "required")(allowed.get("mode"), "tool_choice.allowed_tools.mode")
    listed = allowed.get("tools")
    if not isinstance(listed, list) or not listed:
        raise invalid("tool_choice.allowed_tools.tools", "expected a non-empty array of tools.")
    names = []
    for number, entry in enumerate(listed):
        at = f"tool_choice.allowed_tools.tools[{number}]"
        mapping(entry, at)
        kind = "custom" if entry.get("type") == "custom" else "function"
        names.append(_named(entry.get(kind), f"{at}.{kind}", result.tools))
    result.tools = [tool for tool in result.tools if tool.name in names]
    result.mode = allowed["mode"]


def _named(raw: Any, at: str, known: list[Tool]) -> str:
    if raw is None:
        raise missing(at)
    mapping(raw, at)
    if raw.get("name") is None:
        raise missing(f"{at}.name")
    string(raw["name"], f"{at}.name")
    if raw["name"] not in [tool.name for tool in known]:
        raise invalid(f"{at}.name", f"there is no tool named '{raw['name']}'.")
    name: str = raw["name"]
    return name
