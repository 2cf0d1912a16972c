"""The server-sent events parser: everything that is legal parses back, everything that is lost is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.answers import sse
from conformance.answers.sse import Event, Parsed, Violation, parse, timed

DATA = Path(__file__).parent / "data" / "ollama-0.33.0-rc2.json"

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12)
names = texts.filter(lambda text: text != "")
ends = st.sampled_from(["\n", "\r", "\r\n"])
wanted = st.builds(
    lambda lines, event, id: (lines, event, id),
    st.lists(texts, min_size=1, max_size=3),
    st.none() | names,
    st.none() | texts.filter(lambda text: "\0" not in text),
)


class Writer:
    """Serialises events in any way that the standard allows, as drawn."""

    def __init__(self, draw: Any) -> None:
        self.draw, self.raw, self.previous = draw, b"", ""

    def line(self, text: str) -> None:
        end = self.draw(ends)
        if not text and self.previous == "\r" and end == "\n":
            end = "\r"  # CR and then LF would be one line end, not a blank line
        self.raw += (text + end).encode()
        self.previous = end

    def field(self, name: str, value: str) -> None:
        if not value and self.draw(st.booleans()):
            self.line(name)
        else:
            space = " " if value.startswith(" ") else self.draw(st.sampled_from(["", " "]))
            self.line(f"{name}:{space}{value}")

    def noise(self) -> None:
        kind = self.draw(st.sampled_from(["nothing", "nothing", "comment", "unknown", "retry"]))
        if kind == "comment":
            self.line(":" + self.draw(texts))
        elif kind == "unknown":
            self.line("x-trace:" + self.draw(texts))
        elif kind == "retry":
            self.line("retry: 3000")


@st.composite
def streams(draw: Any) -> tuple[bytes, list[tuple[str, str, str | None]]]:
    """Legal bytes, and what each event in them is: data, type and last id."""
    writer, expected, last = Writer(draw), [], None
    for lines, event, id in draw(st.lists(wanted, max_size=4)):
        writer.noise()
        if event is not None:
            writer.field("event", event)
        if id is not None:
            writer.field("id", id)
            last = id
        for data in lines:
            writer.field("data", data)
            writer.noise()
        for _ in range(draw(st.integers(1, 3))):
            writer.line("")
        expected.append(("\n".join(lines), event or "message", last))
    writer.noise()
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + writer.raw, expected


@given(streams())
def test_every_legal_form_parses_back_without_violation(stream: Any) -> None:
    raw, expected = stream
    parsed = parse(raw)
    assert [(one.data, one.event, one.id) for one in parsed.events] == expected
    assert parsed.violations == ()
    assert parsed.pending is None


# What matters to the parser, dense enough to meet by chance.
pieces = st.sampled_from([b"\r", b"\n", b"\n\n", b":", b" ", b"data", b"data: ", b"id", b"\0", b"retry:"])
bytes_of_interest = st.lists(pieces | st.binary(max_size=3), max_size=30).map(b"".join)


@given(st.binary(max_size=200) | bytes_of_interest)
@settings(max_examples=500)
def test_any_bytes_parse_to_ordered_places_inside_them(raw: bytes) -> None:
    parsed = parse(raw)
    assert_places(parsed, len(raw))


def assert_places(parsed: Parsed, length: int) -> None:
    position = 0
    for event in [*parsed.events, *([parsed.pending] if parsed.pending else [])]:
        assert position <= event.offset < event.end <= length
        position = event.end
    if parsed.pending:
        assert parsed.pending.end == length
        assert Violation(parsed.pending.offset, sse.INSIDE_EVENT) in parsed.violations
    offsets = [violation.offset for violation in parsed.violations]
    assert offsets == sorted(offsets)
    assert all(0 <= offset < length for offset in offsets)


@given(streams(), st.data())
def test_a_cut_stream_keeps_the_whole_events_before_the_cut(stream: Any, data: Any) -> None:
    raw, _ = stream
    cut = data.draw(st.integers(0, len(raw)))
    whole, part = parse(raw), parse(raw[:cut])
    complete = [event for event in whole.events if event.end <= cut]
    assert list(part.events[: len(complete)]) == complete
    # A CRLF cut in the middle completes an event one byte early.
    assert len(part.events) - len(complete) <= 1
    assert_places(part, cut)


BEFORE = b"data: 1\n\n"


@pytest.mark.parametrize(
    ("after", "shift", "rule"),
    [
        (b"data: caf\xe9\n\n", 9, sse.NOT_UTF8),
        (b"data: \xf0\x9f\x98\n\n", 6, sse.NOT_UTF8),
        (b"data: \xed\xa0\x80\n\n", 6, sse.NOT_UTF8),  # a surrogate is no character
        (b": \xff\n\ndata: 2\n\n", 2, sse.NOT_UTF8),
        (b"data: [DONE]\n", 0, sse.INSIDE_EVENT),
        (b"data: [DONE]", 0, sse.INSIDE_EVENT),
        (b"\n: ping\nevent: error\n", 8, sse.INSIDE_EVENT),
        (b"id: 7\n", 0, sse.INSIDE_EVENT),
        (b"dat", 0, sse.INSIDE_EVENT),
        (b"id: a\0b\ndata: 2\n\n", 0, sse.NUL_IN_ID),
        (b"retry: 1s\n\n", 0, sse.BAD_RETRY),
        (b"retry:\n\n", 0, sse.BAD_RETRY),
        (b"retry: -1\n\n", 0, sse.BAD_RETRY),
        ("retry: ٣\n\n".encode(), 0, sse.BAD_RETRY),  # digits, but not ASCII
        (b'{"error": {"message": "out of memory"}}\n\n', 0, sse.STRAY_TEXT),
        (b'{"error": {"message": "out of memory"}}', 0, sse.STRAY_TEXT),
        (b"Internal Server Error\n\n", 0, sse.STRAY_TEXT),
        (b"[DONE]\n\n", 0, sse.STRAY_TEXT),
        (b"dat\n", 0, sse.STRAY_TEXT),  # a whole line, not one that was cut off
        (b"1a4\r\ndata: 2\n\n", 0, sse.STRAY_TEXT),  # the size of a chunk, encoded twice
        (b"data: one\ntwo\n\n", 10, sse.STRAY_TEXT),  # a raw line break inside the payload
        (b"\xef\xbb\xbfdata: 2\n\n", 0, sse.MISNAMED),  # only the first byte order mark is none of the text
        (b" data: 2\n\n", 0, sse.MISNAMED),
        (b"Data: 2\n\n", 0, sse.MISNAMED),
        (b'error: {"code": 500}\n\n', 0, sse.MISNAMED),
    ],
)
def test_a_violation_has_its_rule_and_its_offset(after: bytes, shift: int, rule: str) -> None:
    parsed = parse(BEFORE + after)
    assert parsed.violations == (Violation(len(BEFORE) + shift, rule),)
    assert parsed.events[0] == Event("1", offset=0, end=len(BEFORE))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\r\n\r",
        b"\xef\xbb\xbf",
        b": ping\n",
        b": cut in a comm",
        b"data: 1\n\n: bye",
        b"event: nothing to say\n\n",
        b"x-trace: 1\n",
        b"x-trace: 1",
        b"retry: 10\n",
    ],
)
def test_nothing_pending_and_nothing_lost_is_legal(raw: bytes) -> None:
    assert parse(raw).violations == ()
    assert parse(raw).pending is None


def test_a_pending_event_is_returned_though_clients_drop_it() -> None:
    parsed = parse(b"data: 1\n\nevent: end\ndata: [DONE]")
    assert [event.data for event in parsed.events] == ["1"]
    assert parsed.pending == Event("[DONE]", "end", offset=9, end=32)


def test_the_examples_of_the_standard() -> None:
    assert [one.data for one in parse(b"data: YHOO\ndata: +2\ndata: 10\n\n").events] == ["YHOO\n+2\n10"]
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n"
    parsed = parse(stream + b"\n")
    assert [(one.data, one.id) for one in parsed.events] == [
        ("first event", "1"),
        ("second event", ""),
        (" third event", ""),
    ]
    assert parsed.comments == 1
    assert [one.data for one in parse(b"data\n\ndata\ndata\n\ndata:").events] == ["", "\n"]
    assert [one.data for one in parse(b"data:test\n\ndata: test\n\n").events] == ["test", "test"]


def test_without_data_nothing_is_dispatched_and_the_type_is_forgotten() -> None:
    parsed = parse(b"event: one\nid: 1\n\ndata: 2\n\n")
    assert parsed.events == (Event("2", "message", "1", 18, 27),)


def test_unknown_fields_and_comments_are_counted() -> None:
    parsed = parse(b": a\n:\nfoo: 1\nX-Bar:\ndat: 2\ndata: 1\n\n")
    assert (parsed.comments, parsed.unknown, parsed.violations) == (2, ("foo", "X-Bar", "dat"), ())
    assert parsed.events[0].data == "1"


def test_a_broken_byte_changes_the_text_and_nothing_else() -> None:
    parsed = parse(b"data: a\xffb\n\ndata: c\n\n")
    assert [event.data for event in parsed.events] == ["a\ufffdb", "c"]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_multi_byte_characters_survive_every_split(end: str) -> None:
    """Cut at every byte: never a half character in an event, and the parts arrive when their read does."""
    text = "é€😀"
    raw = f"data: {text}{end}{end}data: {text[::-1]}{end}{end}".encode()
    events = parse(raw).events
    assert [event.data for event in events] == [text, text[::-1]]
    for cut in range(len(raw) + 1):
        reads = [(1.0, cut), (2.0, len(raw) - cut)]
        assert timed(events, reads) == [1.0 if cut >= events[0].end else 2.0, 1.0 if cut == len(raw) else 2.0]
        part = parse(raw[:cut])
        assert all("\ufffd" not in event.data for event in part.events)


def test_an_event_beyond_the_reads_has_no_time() -> None:
    events = parse(b"data: 1\n\ndata: 2\n\n").events
    assert timed(events, [(0.1, 8), (0.2, 2)]) == [0.2, None]
    assert timed(events, []) == [None, None]


def test_real_streams_parse_and_are_timed_by_their_reads() -> None:
    for name, recorded in json.loads(DATA.read_text("utf-8")).items():
        if not name.endswith("stream"):
            continue
        raw = recorded["body"].encode()
        parsed = parse(raw)
        assert (parsed.violations, parsed.pending, parsed.unknown) == ((), None, ()), name
        times = timed(parsed.events, recorded["reads"])
        assert times == sorted(times)
        assert times[-1] == recorded["reads"][-1][0]
        assert parsed.events[-1].end == len(raw)
