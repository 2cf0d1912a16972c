"""Streams of the Responses API: typed events, in order and numbered; the last one holds the whole response."""

from itertools import groupby, takewhile
from typing import Any

from conformance.kit import (
    MUST,
    SHOULD,
    Every,
    Response,
    assert_at_least,
    assert_equal,
    assert_in,
    assert_matches_schema,
    assert_none_of,
    assert_same_text,
    check,
    inconclusive_unless,
    shown,
    spelled,
    whole,
)

EVENT = "openapi:ResponseStreamEvent"
STREAM = "openapi:CreateResponse.stream"
DELTAS = 4
"""The fewest deltas of a text of some tens of tokens."""

ENDED_EARLY = "expected a response longer than 16 tokens without `max_output_tokens`, got a shorter one"
LAST = "`type` of the last event"
ENDS = ("response.completed", "response.incomplete", "response.failed", "error")
ORDER = "`type` of the events of the last item, in order"
ARGUMENTS_DONE = "response.function_call_arguments.done"


def named(event: dict[str, Any]) -> str:
    """An event in a message."""
    return f"the event {shown(event.get('type'))}"


def last_item(answer: Response) -> list[Any]:
    """The types of the events of the last item of the output, in order, repeated ones once."""
    events = list(answer.by_item.values())[-1:]
    return [kind for kind, _ in groupby(event["type"] for item in events for event in item)]


@check("responses_stream", MUST, STREAM, core=True)
def test_text_is_that_of_the_plain_response(respond_count: Response, respond_count_streamed: Response) -> None:
    """The concatenated `response.output_text.delta`s equal the text of the plain response."""
    assert_same_text(respond_count_streamed.text, respond_count.text, "`response.output_text.delta`, joined")


@check("responses_stream", MUST, STREAM, core=True)
def test_text_comes_in_pieces(respond_count_streamed: Response) -> None:
    """A text of a few dozen tokens comes in several `response.output_text.delta` events."""
    inconclusive_unless(
        len(respond_count_streamed.written) > 20, "expected a text of more than 20 characters, got a shorter one"
    )
    deltas = respond_count_streamed.typed("response.output_text.delta")
    assert_at_least(len(deltas), DELTAS, "number of `response.output_text.delta` events")


@check("responses_stream", MUST, STREAM)
def test_only_when_asked(every: Every) -> None:
    """Without `stream: true`, the response is one JSON object, not an event stream."""
    for answer in every.of(Response, lambda a: a.ok and a.asks_for_none, what="accepted plain"):
        assert not answer.unasked, f"{answer.name}: expected a JSON object, got an event stream"


@check("responses_stream", SHOULD, STREAM)
def test_same_as_the_plain_response(every: Every) -> None:
    """A stream has the same text, reasoning and `status` as the plain response to the same request."""
    for plain, streamed in every.pairs(Response):
        if streamed.said or plain.said:
            assert_same_text(streamed.said, plain.said, "reasoning and text of the stream")
        assert_equal(streamed.state, plain.state, "`status` of the streamed response")


@check("responses_stream", MUST, "openapi:ResponseCompletedEvent.response")
def test_usage_is_that_of_the_plain_response(every: Every) -> None:
    """The last event has the `usage` of the plain response."""
    for plain, streamed in every.pairs(Response):
        assert_equal(streamed.tokens("input"), plain.tokens("input"), "`usage.input_tokens` of the streamed response")
        if streamed.said == plain.said and streamed.calls == plain.calls:
            where = "`usage.output_tokens` of the streamed response"
            assert_equal(streamed.tokens("output"), plain.tokens("output"), where)


@check("responses_stream", MUST, "openapi:ResponseCompletedEvent.response")
def test_the_last_event_has_the_whole_text(every: Every) -> None:
    """The `response` in the last event has the text of the deltas."""
    for answer in every.accepted(Response, streamed=True):
        assert_equal(answer.written, answer.text, "`output_text` in the last event")


# Order


@check("responses_stream", MUST, "sdk:openai-python responses.stream() wants response.created first")
def test_created_is_the_first_event(every: Every) -> None:
    """The first event is `response.created`, with the `status` `in_progress` or `queued`."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        assert_equal(answer.types[:1], ["response.created"], "`type` of the first event")
        status = answer.snapshots[0].get("status")
        assert_in(status, ("in_progress", "queued"), "`response.status` of `response.created`")


@check("responses_stream", SHOULD, "openapi:ResponseInProgressEvent")
def test_in_progress_comes_once(every: Every) -> None:
    """`response.in_progress` comes exactly once, before any output."""
    for answer in every.accepted(Response, streamed=True):
        before = takewhile(lambda kind: "output" not in kind, answer.types)
        early = list(before).count("response.in_progress")
        assert_equal(early, 1, "number of `response.in_progress` events before any output")
        assert_equal(answer.types.count("response.in_progress"), 1, "number of `response.in_progress` events")


@check("responses_stream", MUST, "openapi:ResponseCompletedEvent")
def test_completed_is_the_last_event(respond_count_streamed: Response) -> None:
    """The last event of a complete stream is `response.completed`, which comes exactly once."""
    truncated = respond_count_streamed.types[-1:] == ["response.incomplete"] and len(respond_count_streamed.said) > 1000
    inconclusive_unless(not truncated, "expected the model to end by itself, got a truncated response")
    assert_equal(respond_count_streamed.types[-1:], ["response.completed"], LAST)
    completed = respond_count_streamed.types.count("response.completed")
    assert_equal(completed, 1, "number of `response.completed` events")


@check("responses_stream", SHOULD, "openapi:ResponseCompletedEvent")
def test_each_stream_has_its_end(every: Every) -> None:
    """Each stream ends with `response.completed`, `response.incomplete` or `response.failed`, or with an error."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        assert_in((answer.types or [""])[-1], ENDS, f"{LAST} of {answer.name}")


@check("responses_stream", SHOULD, "openapi:ResponseIncompleteEvent")
def test_a_cut_stream_ends_incomplete(respond_count: Response, respond_count_cut_streamed: Response) -> None:
    """A stream that `max_output_tokens` truncates ends with `response.incomplete` and the reason."""
    inconclusive_unless(respond_count.tokens("output") > 16, ENDED_EARLY)
    assert_equal(respond_count_cut_streamed.types[-1:], ["response.incomplete"], LAST)
    where = "`response.incomplete_details.reason` of the last event"
    assert_equal(respond_count_cut_streamed.incomplete_reason, "max_output_tokens", where)


@check("responses_stream", SHOULD, f"{EVENT}.sequence_number")
def test_events_are_numbered(every: Every) -> None:
    """Each event has a `sequence_number`, one higher than that of the event before."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        inconclusive_unless(answer.chunks, "expected events, got an empty stream")
        first = answer.sequence[0]
        assert isinstance(first, int), f"expected an integer, got {shown(first)} (`sequence_number` of the first event)"
        assert_equal(
            answer.sequence, list(range(first, first + len(answer.sequence))), "`sequence_number` of the events"
        )


@check("responses_stream", SHOULD, "docs:api-reference/responses-streaming the examples begin with 0 or 1")
def test_numbers_begin_at_the_beginning(every: Every) -> None:
    """`sequence_number` of the first event is 0, or 1 as in older examples."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        first = answer.sequence[0] if answer.sequence else None
        assert_in(first, (0, 1), "`sequence_number` of the first event")


@check("responses_stream", MUST, "sdk:openai-python responses.stream() appends deltas to items that were added")
def test_a_text_is_wrapped(respond_count_streamed: Response) -> None:
    """A text has `output_item.added`, `content_part.added`, deltas, and three `done` events: of text, part and item."""
    expected = [
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
    ]
    assert_equal(last_item(respond_count_streamed), expected, ORDER)


@check("responses_stream", MUST, "sdk:openai-python responses.stream() appends deltas to items that were added")
def test_a_call_is_wrapped(respond_weather_streamed: Response) -> None:
    """A tool call has `output_item.added`, deltas and `output_item.done`, in this order."""
    inconclusive_unless(respond_weather_streamed.tool_calls, "expected a tool call, got none")
    found = last_item(respond_weather_streamed)
    expected = ["response.output_item.added", "response.function_call_arguments.delta", "response.output_item.done"]
    if ARGUMENTS_DONE in found:  # `responses_tools.streamed_arguments_end_whole` requires it.
        expected.insert(2, ARGUMENTS_DONE)
    assert_equal(found, expected, ORDER)


@check("responses_stream", SHOULD, "openapi:ResponseReasoningTextDeltaEvent")
def test_thoughts_have_events_of_their_own(respond_think_streamed: Response) -> None:
    """Reasoning comes as deltas of its own `reasoning` item, before the `message` item."""
    kinds = [item.get("type") for item in respond_think_streamed.added.values()]
    inconclusive_unless(
        "reasoning" in kinds and "message" in kinds, f"expected reasoning and a message, got {shown(kinds)}"
    )
    found = list(dict.fromkeys(kinds))
    assert_equal(found, ["reasoning", "message"], "`item.type` of the `response.output_item.added` events")
    told = [item.get("content") or item.get("summary") for item in respond_think_streamed.items("reasoning")]
    inconclusive_unless(any(told), "the server does not show the reasoning (`content`, `summary`)")
    assert respond_think_streamed.reasoning.strip(), "expected reasoning, got none (`response.reasoning_text.delta`)"


# Contents


@check("responses_stream", MUST, EVENT)
def test_shape(every: Every) -> None:
    """Each event has all fields that clients read, with the right types."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        for event in answer.distinct:
            assert_matches_schema(event, "response.event", named(event))


@check("responses_stream", SHOULD, EVENT)
def test_full_shape(every: Every) -> None:
    """Each event has every published field."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        for event in answer.distinct:
            assert_matches_schema(event, "response.event.full", named(event))


@check("responses_stream", SHOULD, "docs:guides/streaming-responses")
def test_events_are_named(every: Every) -> None:
    """The `event` name of each server-sent event is the `type` in its data."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        named = [event.event for event in answer.events.events if event.data.strip() != "[DONE]"]
        assert_equal(named, answer.types, "`event` names of the server-sent events")


@check("responses_stream", MUST, STREAM)
def test_framing_loses_nothing(every: Every) -> None:
    """Every byte of a stream is part of an event that clients receive, or of a comment."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        lost = [f"{one.rule} (byte {one.offset})" for one in answer.events.violations]
        assert_none_of(lost, "lines of the event stream that clients lose")


@check("responses_stream", MUST, "openapi:ResponseTextDoneEvent.text")
def test_the_end_of_a_text_has_all_of_it(respond_count_streamed: Response) -> None:
    """`response.output_text.done` and `response.content_part.done` have the text of the deltas."""
    ended = respond_count_streamed.typed("response.output_text.done")
    parts = respond_count_streamed.held("response.content_part.done", "part")
    parts = [part for part in parts if part.get("type") == "output_text"]
    for objects, where in (
        (ended, "`text` of the `response.output_text.done`s, joined"),
        (parts, "`part.text` of the `response.content_part.done`s, joined"),
    ):
        assert_equal("".join(str(one.get("text")) for one in objects), respond_count_streamed.text, where)


@check("responses_stream", MUST, "openapi:ResponseOutputItemDoneEvent.item")
def test_done_items_are_those_of_the_response(every: Every) -> None:
    """The items of `response.output_item.done` are the `output` of the last event, in order."""
    for answer in every.accepted(Response, streamed=True):
        ended = answer.held("response.output_item.done", "item")
        expected = [item.get("type") for item in answer.output]
        assert_equal(
            [item.get("type") for item in ended], expected, "`item.type` of the `response.output_item.done` events"
        )


@check("responses_stream", MUST, "openapi:ResponseTextDeltaEvent.item_id")
def test_events_name_their_item(every: Every) -> None:
    """All events of an item have the `item_id` that `response.output_item.added` gave it, as has the final `output`."""
    for answer in every.accepted(Response, streamed=True):
        assert_equal(list(answer.by_item), list(answer.added), "`item_id` of the events, each once")
        final = [item.get("id", at) for at, item in enumerate(answer.output)]
        assert_equal(final, list(answer.added), "`response.output[].id` in the last event")


@check("responses_stream", MUST, "openapi:ResponseTextDeltaEvent.output_index")
def test_events_say_which_item(every: Every) -> None:
    """`output_index` of each event is the place of its item in `output`."""
    for answer in every.accepted(Response, streamed=True):
        for at, events in enumerate(answer.by_item.values()):
            told = list(dict.fromkeys(event.get("output_index") for event in events))
            assert_equal(told, [at], f"`output_index` of the events of item {at}")


@check("responses_stream", MUST, "openapi:ResponseTextDeltaEvent.content_index")
def test_events_say_which_part(every: Every) -> None:
    """`content_index` of each event is the place of its part in the `content` of its item."""
    for answer in every.accepted(Response, streamed=True):
        for at, events in enumerate(answer.by_item.values()):
            told = list(dict.fromkeys(event["content_index"] for event in events if "content_index" in event))
            assert_equal(told, list(range(len(told))), f"`content_index` of the events of item {at}")


@check("responses_stream", MUST, "openapi:Response.id")
def test_the_response_keeps_its_id(every: Every) -> None:
    """`response.id` is the same in all events of a stream."""
    for answer in every.accepted(Response, streamed=True):
        ids = [one.get("id") for one in answer.snapshots]
        assert_equal(ids, [answer.id] * len(answer.snapshots), "`response.id` in the events that have it")


@check("responses_stream", SHOULD, "openapi:ResponseTextDeltaEvent.logprobs")
def test_logprobs_are_streamed(respond_logprobs: Response, respond_logprobs_streamed: Response) -> None:
    """`logprobs` of the deltas have the tokens of the text."""
    plain = [entry for part in respond_logprobs.parts for entry in part.get("logprobs") or []]
    inconclusive_unless(plain, "expected `logprobs` in the plain response, got none")
    assert_same_text(respond_logprobs_streamed.said, respond_logprobs.said, "reasoning and text of the stream")
    deltas = respond_logprobs_streamed.typed("response.output_text.delta")
    streamed = [entry for event in deltas for entry in event.get("logprobs") or []]
    text = respond_logprobs_streamed.text
    assert_equal(spelled(streamed, text), whole(text), "`logprobs[].token` of the deltas, joined")
