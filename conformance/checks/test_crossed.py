"""Parameters beside each form of a conversation: what a parameter does alone, it does there, and it does no more."""

import json
from collections.abc import Callable
from itertools import combinations

from conformance.kit import (
    SHOULD,
    Chat,
    Choice,
    Fail,
    assert_at_least,
    assert_equal,
    assert_in,
    assert_none_of,
    assert_same_text,
    check,
    ignored_unless_varied,
    inconclusive_unless,
    shown,
    spelled,
    validate_against,
    whole,
)
from fixtures.scenarios import crossed as asked
from fixtures.scenarios.agents import CHAT_CUSTOM as CUSTOM

REQUEST = "openapi:CreateChatCompletionRequest"
NONE_ACCEPTED = "none of these requests was accepted"
ENDLESS = "the model did not end within max_tokens"
TELLING = ("tool_choice", "stop", "n", "stream", "logprobs", "response_format", "seed", "metadata")
"""Parameters that tell one request from the others; of long ones the name does."""

Rows = list[tuple[asked.Row, Chat]]


def told(row: asked.Row) -> str:
    """What tells a request from the others, in a few words."""
    kinds = {True: ["a custom tool"], False: ["tools"]}[CUSTOM in row["tools"]] if "tools" in row else []
    found = [f"{name}: {shown(row[name])}" if name in TELLING[:3] else name for name in TELLING if name in row]
    return f"{row['form']}, {', '.join(kinds + found) or 'nothing else'}"


def accepted(answers: list[Chat], judged: Callable[[asked.Row], object] = bool) -> Rows:
    """Each request to be judged that was accepted; other checks judge which may be rejected."""
    found = [(row, one) for row, one in zip(asked.rows(), answers, strict=True) if one.ok and judged(row)]
    inconclusive_unless(found, NONE_ACCEPTED)
    return found


def control(conversations: list[Chat], row: asked.Row) -> Chat:
    """The response to the same conversation without other parameters."""
    return conversations[2 * asked.FORMS.index(row["form"]) + ("tools" in row)]


def is_comparable(row: asked.Row) -> bool:
    """Whether a request has the messages and tools of a control, and no parameter that changes what is written."""
    return row.get("tools") in (None, [asked.BRACES]) and "response_format" not in row


def is_free(row: asked.Row) -> bool:
    """Whether a request forces no call. To force one, a server may add to the prompt."""
    return row.get("tool_choice") is None


def written(choice: Choice) -> str:
    """The text and the calls of a choice."""
    return shown([choice.text.strip(), [call.asks for call in choice.tool_calls]], 2000)


def joins(choice: Choice) -> bool:
    """Whether the tokens of the logprobs join to the text; characters that are not whole do not count."""
    return spelled(choice.logprobs or [], choice.text).strip() == whole(choice.text).strip()


def threes(row: asked.Row) -> set[frozenset[str]]:
    """Each up to three of a request's parameters with their values, its form aside."""
    values = [f"{name}: {json.dumps(value)}" for name, value in row.items() if name != "form"]
    return {frozenset(some) for size in (1, 2, 3) for some in combinations(values, size)}


@check("chat", SHOULD, REQUEST)
def test_responses_are_the_same(
    count: Chat, stop_empty_text: Chat, conversations: list[Chat], crossed: list[Chat]
) -> None:
    """After any history, `logprobs`, `n`, `stream`, `metadata` and a `stop` that does not occur change no response."""
    ends = stop_empty_text.ok and stop_empty_text.text != count.text
    for row, answer in accepted(crossed, is_comparable):
        if ends and row.get("stop") == "":
            continue
        plain = control(conversations, row)
        where = f"choice of {answer.name}: {told(row)}"
        assert_equal(len(answer.choices), row.get("n", 1), f"`choices` of {answer.name}: {told(row)}")
        inconclusive_unless(plain.finish_reason != "length", ENDLESS)
        inconclusive_unless(not any(mark in plain.said for mark in ("###", "END")), "the model wrote a stop string")
        for choice in answer.choices:
            assert_same_text(written(choice), written(plain.choice), where)
            assert_equal(choice.finish_reason, plain.finish_reason, f"`finish_reason` of a {where}")


@check("usage", SHOULD, "openapi:CompletionUsage.prompt_tokens")
def test_prompts_are_the_same(
    weather: Chat, weather_custom_tool: Chat, conversations: list[Chat], crossed: list[Chat]
) -> None:
    """Other parameters do not change `usage.prompt_tokens` of any history: no message or tool is lost."""
    offered = weather_custom_tool.ok and weather_custom_tool.tokens("prompt") > weather.tokens("prompt")
    customs: dict[str, int] = {}
    rows = accepted(crossed)
    inconclusive_unless(any(is_free(row) for row, _ in rows), NONE_ACCEPTED)
    for row, answer in rows:
        where = f"`usage.prompt_tokens` of {answer.name}: {told(row)}"
        known, found = control(conversations, row).tokens("prompt"), answer.tokens("prompt")
        if CUSTOM in row.get("tools", ()):
            customs[where] = found - known
        elif is_free(row) and "response_format" in row:
            assert_at_least(found, known, where)
        elif is_free(row):
            assert_in(found, (known, known * row.get("n", 1)), where)
    if offered and customs:
        fewest = min(customs, key=lambda where: customs[where])
        assert_at_least(customs[fewest], 1, f"tokens of a custom tool in {fewest}")


@check("tool_choice", SHOULD, f"{REQUEST}.tool_choice")
def test_required_forces_whole_calls(capital_required: Chat, call_with_pattern: Chat, crossed: list[Chat]) -> None:
    """`tool_choice: required` forces a call after any history, in each choice; its `arguments` match the schema."""
    inconclusive_unless(capital_required.tool_calls, "`tool_choice: required` has no effect by itself")
    calls = call_with_pattern.tool_calls if call_with_pattern.ok else []
    form = call_with_pattern.sent["tools"][0]["function"]["parameters"]
    strict = bool(calls) and not validate_against(calls[0].args, form)
    for row, answer in accepted(crossed, lambda row: row.get("tool_choice") == "required"):
        for choice in answer.choices:
            where = f"`choices[{choice.index}]` of {answer.name}: {told(row)}"
            inconclusive_unless(choice.finish_reason != "length", ENDLESS)
            assert choice.tool_calls, f"expected a tool call, got none ({where})"
            for call in choice.tool_calls if strict else []:
                problems = validate_against(call.args, asked.CODE["function"]["parameters"])
                assert_none_of(problems[:1], f"violations in `arguments` in {where}")


@check("logprobs", SHOULD, f"{REQUEST}.logprobs")
def test_logprobs_spell_each_text(capital_logprobs: Chat, crossed: list[Chat]) -> None:
    """After any history, the tokens of `logprobs.content` concatenate to each `content`, plain and streamed."""
    inconclusive_unless(
        capital_logprobs.logprobs and joins(capital_logprobs.choice),
        "`logprobs` has no effect without other parameters",
    )
    judged = 0
    for row, answer in accepted(crossed, lambda row: "logprobs" in row):
        for choice in answer.choices:
            if choice.text.strip() and not choice.tool_calls:
                judged += 1
                where = f"`choices[{choice.index}].logprobs` of {answer.name}: {told(row)}"
                assert choice.logprobs, f"expected an array, got nothing ({where})"
                found = "".join(entry["token"] for entry in choice.logprobs)
                assert joins(choice), (
                    f"expected tokens that concatenate to {shown(choice.text)}, got {shown(found)} ({where})"
                )
    inconclusive_unless(judged, "the model wrote no text beside `logprobs`")


@check("chat", SHOULD, REQUEST)
def test_no_history_is_rejected_beside_parameters(conversations: list[Chat], crossed: list[Chat]) -> None:
    """A history that is accepted alone is also accepted with parameters that are accepted together, three by three."""
    known = set().union(*(threes(row) for row, _ in accepted(crossed)))
    for row, answer in zip(asked.rows(), crossed, strict=True):
        if not answer.ok and control(conversations, row).ok and threes(row) <= known:
            raise Fail(f"expected 2xx, got {answer.status} (HTTP status of {answer.name}: {told(row)})")


@check("max_tokens", SHOULD, f"{REQUEST}.max_tokens")
def test_a_limit_truncates_after_any_history(conversations: list[Chat], crossed_cut: list[Chat]) -> None:
    """After any history, `max_tokens` gives the first tokens of the response, with `finish_reason` `length`."""
    inconclusive_unless(not all(answer.cleanly_refused for answer in crossed_cut), NONE_ACCEPTED)
    judged = 0
    for at, answer in enumerate(crossed_cut):
        forced, form = at % 2 == 0, asked.FORMS[at // 2]
        if answer.cleanly_refused:
            continue
        where = f"{answer.name}: {form}, {'a forced call' if forced else 'a text'}"
        if forced:
            whole = any(not validate_against(_value(call.arguments), {"type": "object"}) for call in answer.tool_calls)
            if not whole:
                judged += 1
                assert_equal(answer.finish_reason, "length", f"`finish_reason` of {where}")
            continue
        plain = conversations[at // 2 * 2]
        if plain.tokens("completion") > 2 * asked.CUT and not plain.tool_calls:
            judged += 1
            assert_equal(answer.finish_reason, "length", f"`finish_reason` of {where}")
            for name, part, all_of_it in (
                ("content", answer.text.strip(), plain.text.strip()),
                ("reasoning", answer.reasoning.strip(), plain.reasoning.strip()),
            ):
                if part:
                    assert_same_text(part, all_of_it[: len(part)], f"`{name}` of {where}")
    inconclusive_unless(judged, "the model wrote nothing that is longer than the limit")


def _value(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except ValueError:
        return None


@check("seed", SHOULD, f"{REQUEST}.seed")
def test_seeds_differ_on_a_second_turn(
    hot: list[Chat], sampled: list[Chat], sampled_again: list[Chat], seeded_later: list[Chat]
) -> None:
    """On a second turn, different `seed`s still give different responses."""
    repeated = any(one.said == again.said for one, again in zip(sampled, sampled_again, strict=True))
    inconclusive_unless(repeated, "the same `seed` does not give the same response")
    varied = len({answer.said for answer in hot}) > 1 and len({answer.said for answer in sampled}) > 1
    inconclusive_unless(varied, "different `seed`s give the same response on a first turn")
    found = {answer.said for answer in seeded_later}
    ignored_unless_varied(len(found) > 1, "expected different responses to 4 different `seed`s, got one response")


@check("tools", SHOULD, "openapi:ChatCompletionMessageToolCallChunk.function.arguments")
def test_arguments_come_in_pieces_later(call_flags_streamed: Chat, flags_later: Chat) -> None:
    """On a second turn, `arguments` of about a hundred tokens are still streamed in several deltas."""
    pieces = []
    for answer in (call_flags_streamed, flags_later):
        inconclusive_unless(
            answer.tool_calls and len(answer.tool_calls[0].arguments) > 200,
            "the model wrote no call with long `arguments`",
        )
        deltas = next(iter(answer.call_deltas().values()), [])
        pieces.append(len([delta for delta in deltas if (delta.get("function") or {}).get("arguments")]))
    inconclusive_unless(pieces[0] > 2, "on a first turn, `arguments` come in one or two deltas")
    assert_at_least(pieces[1], 3, f"deltas with `function.arguments` in {flags_later.name}")
