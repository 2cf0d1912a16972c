"""Streams of the Responses API: typed events, in order and numbered, of which the last holds the whole response."""

from itertools import groupby, takewhile
from typing import Any

from conformance.kit import (
    MUST,
    SHOULD,
    Every,
    Response,
    assert_matches_schema,
    assert_same_text,
    check,
    inconclusive_unless,
)

EVENT = "openapi:ResponseStreamEvent"
STREAM = "openapi:CreateResponse.stream"
PIECES = 4
"""Fewest pieces of a text of some tens of tokens."""


def last_item(answer: Response) -> list[Any]:
    """The types of the events of the last item of the output, in order, one for all that are repeated."""
    events = list(answer.by_item.values())[-1:]
    return [kind for kind, _ in groupby(event["type"] for item in events for event in item)]


@check("responses_stream", MUST, STREAM, core=True)
def test_text_is_that_of_the_plain_response(respond_count: Response, respond_count_streamed: Response) -> None:
    """The deltas joined are the text of the plain response."""
    assert_same_text(respond_count_streamed.text, respond_count.text)


@check("responses_stream", MUST, STREAM, core=True)
def test_text_comes_in_pieces(respond_count_streamed: Response) -> None:
    """A text of some tens of tokens comes in several deltas."""
    inconclusive_unless(len(respond_count_streamed.written) > 20, "the model gave no long answer")
    assert len(respond_count_streamed.typed("response.output_text.delta")) >= PIECES


@check("responses_stream", MUST, STREAM)
def test_only_when_asked(every: Every) -> None:
    """Without `stream: true` the response is one JSON object, not an event stream."""
    for answer in every.of(Response, lambda a: a.ok and a.asks_for_none, what="accepted plain"):
        assert not answer.unasked, f"{answer.name}: expected a JSON object, got an event stream"


@check("responses_stream", SHOULD, STREAM)
def test_same_as_the_plain_response(every: Every) -> None:
    """A stream has the text, thoughts and end of the plain response to the same request."""
    for plain, streamed in every.pairs(Response):
        if streamed.said or plain.said:
            assert_same_text(streamed.said, plain.said)
        assert streamed.state == plain.state


@check("responses_stream", MUST, "openapi:ResponseCompletedEvent.response")
def test_usage_is_that_of_the_plain_response(every: Every) -> None:
    """The last event has the usage of the plain response."""
    for plain, streamed in every.pairs(Response):
        assert streamed.tokens("input") == plain.tokens("input")
        if streamed.said == plain.said and streamed.calls == plain.calls:
            assert streamed.tokens("output") == plain.tokens("output")


@check("responses_stream", MUST, "openapi:ResponseCompletedEvent.response")
def test_the_last_event_has_the_whole_text(every: Every) -> None:
    """The response in the last event has the text of the deltas."""
    for answer in every.accepted(Response, streamed=True):
        assert answer.written == answer.text


# Order


@check("responses_stream", MUST, "sdk:openai-python responses.stream() wants response.created first")
def test_created_is_the_first_event(every: Every) -> None:
    """The first event is `response.created`, with a response in progress."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        assert answer.types[:1] == ["response.created"]
        assert answer.snapshots[0].get("status") in ("in_progress", "queued")


@check("responses_stream", SHOULD, "openapi:ResponseInProgressEvent")
def test_in_progress_comes_once(every: Every) -> None:
    """`response.in_progress` comes once, before any output."""
    for answer in every.accepted(Response, streamed=True):
        before = takewhile(lambda kind: "output" not in kind, answer.types)
        assert list(before).count("response.in_progress") == 1
        assert answer.types.count("response.in_progress") == 1


@check("responses_stream", MUST, "openapi:ResponseCompletedEvent")
def test_completed_is_the_last_event(respond_count_streamed: Response) -> None:
    """A stream that comes to its end has `response.completed` as its last event, and no other such event."""
    cut = respond_count_streamed.types[-1:] == ["response.incomplete"] and len(respond_count_streamed.said) > 1000
    inconclusive_unless(not cut, "the model does not come to its end")
    assert respond_count_streamed.types[-1:] == ["response.completed"]
    assert respond_count_streamed.types.count("response.completed") == 1


@check("responses_stream", SHOULD, "openapi:ResponseIncompleteEvent")
def test_a_cut_stream_ends_incomplete(respond_count: Response, respond_count_cut_streamed: Response) -> None:
    """A stream that max_output_tokens cut has `response.incomplete` as its last event, with the reason."""
    inconclusive_unless(respond_count.tokens("output") > 16, "the model's answer is shorter than the limit")
    assert respond_count_cut_streamed.types[-1:] == ["response.incomplete"]
    assert respond_count_cut_streamed.object.get("incomplete_details") == {"reason": "max_output_tokens"}


@check("responses_stream", SHOULD, f"{EVENT}.sequence_number")
def test_events_are_numbered(every: Every) -> None:
    """Each event has a sequence number, one higher than that of the event before."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        inconclusive_unless(answer.chunks, "the stream is empty")
        assert isinstance(answer.sequence[0], int)
        assert answer.sequence == list(range(answer.sequence[0], answer.sequence[0] + len(answer.sequence)))


@check("responses_stream", SHOULD, "docs:api-reference/responses-streaming the examples begin with 0 or 1")
def test_numbers_begin_at_the_beginning(every: Every) -> None:
    """The first event has the number 0, or 1 as in older examples."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        assert answer.sequence[:1] in ([0], [1])


@check("responses_stream", MUST, "sdk:openai-python responses.stream() appends deltas to items that were added")
def test_a_text_is_wrapped(respond_count_streamed: Response) -> None:
    """A text begins with its item and its part, and ends with text, part and item, in this order."""
    assert last_item(respond_count_streamed) == [
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
    ]


@check("responses_stream", MUST, "sdk:openai-python responses.stream() appends deltas to items that were added")
def test_a_call_is_wrapped(respond_weather_streamed: Response) -> None:
    """A call begins with its item, and ends with its arguments and its item, in this order."""
    inconclusive_unless(respond_weather_streamed.tool_calls, "the model called no tool")
    assert last_item(respond_weather_streamed) == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]


@check("responses_stream", SHOULD, "openapi:ResponseReasoningTextDeltaEvent")
def test_thoughts_have_events_of_their_own(respond_think_streamed: Response) -> None:
    """Thoughts come as deltas of their own item, before the text."""
    kinds = [item.get("type") for item in respond_think_streamed.added.values()]
    inconclusive_unless("reasoning" in kinds and "message" in kinds, "the model did not think, or wrote nothing then")
    assert kinds == ["reasoning", "message"]
    assert respond_think_streamed.reasoning.strip() != ""


# Contents


@check("responses_stream", MUST, EVENT)
def test_shape(every: Every) -> None:
    """Each event has all that clients read, in the right types."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        for event in answer.distinct:
            assert_matches_schema(event, "response.event")


@check("responses_stream", SHOULD, EVENT)
def test_full_shape(every: Every) -> None:
    """Each event has the complete published form."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        for event in answer.distinct:
            assert_matches_schema(event, "response.event.full")


@check("responses_stream", SHOULD, "docs:guides/streaming-responses")
def test_events_are_named(every: Every) -> None:
    """Each server-sent event has the type in its data as its name: browsers listen by name."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        named = [event.event for event in answer.events.events if event.data.strip() != "[DONE]"]
        assert named == answer.types


@check("responses_stream", MUST, STREAM)
def test_framing_loses_nothing(every: Every) -> None:
    """A stream is text/event-stream, and each byte is part of an event that clients receive, or a comment."""
    for answer in every.accepted(Response, streamed=True, malformed=True):
        assert answer.events.violations == ()


@check("responses_stream", MUST, "openapi:ResponseTextDoneEvent.text")
def test_the_end_of_a_text_has_all_of_it(respond_count_streamed: Response) -> None:
    """`response.output_text.done` and `response.content_part.done` have the text of the deltas."""
    ended = respond_count_streamed.typed("response.output_text.done")
    parts = respond_count_streamed.held("response.content_part.done", "part")
    assert [event.get("text") for event in ended][-1:] == [respond_count_streamed.text]
    assert [part.get("text") for part in parts][-1:] == [respond_count_streamed.text]


@check("responses_stream", MUST, "openapi:ResponseOutputItemDoneEvent.item")
def test_done_items_are_those_of_the_response(every: Every) -> None:
    """The items that ended are the output of the last event, in order."""
    for answer in every.accepted(Response, streamed=True):
        ended = answer.held("response.output_item.done", "item")
        assert [item.get("type") for item in ended] == [item.get("type") for item in answer.output]


@check("responses_stream", MUST, "openapi:ResponseTextDeltaEvent.item_id")
def test_events_name_their_item(every: Every) -> None:
    """Each event of an item has the id with which the item was added, and which it has in the end."""
    for answer in every.accepted(Response, streamed=True):
        assert list(answer.by_item) == list(answer.added)
        assert list(answer.added) == [item.get("id", at) for at, item in enumerate(answer.output)]


@check("responses_stream", MUST, "openapi:ResponseTextDeltaEvent.output_index")
def test_events_say_which_item(every: Every) -> None:
    """Each event of an item has its place in the output: clients keep items by that number."""
    for answer in every.accepted(Response, streamed=True):
        for at, events in enumerate(answer.by_item.values()):
            assert {event.get("output_index") for event in events} == {at}


@check("responses_stream", MUST, "openapi:Response.id")
def test_the_response_keeps_its_id(every: Every) -> None:
    """The response has the same id in all events that hold it."""
    for answer in every.accepted(Response, streamed=True):
        assert [one.get("id") for one in answer.snapshots] == [answer.id] * len(answer.snapshots)


@check("responses_stream", SHOULD, "openapi:ResponseTextDeltaEvent.logprobs")
def test_logprobs_are_streamed(respond_logprobs: Response, respond_logprobs_streamed: Response) -> None:
    """The logprobs of the deltas are those of the tokens of the text."""
    plain = [entry for part in respond_logprobs.parts for entry in part.get("logprobs") or []]
    inconclusive_unless(plain, "the plain response has no logprobs")
    assert_same_text(respond_logprobs_streamed.said, respond_logprobs.said)
    deltas = respond_logprobs_streamed.typed("response.output_text.delta")
    streamed = [entry for event in deltas for entry in event.get("logprobs") or []]
    assert [entry["token"] for entry in streamed] == [entry["token"] for entry in plain]
