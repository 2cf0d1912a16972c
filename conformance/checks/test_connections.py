"""Connections: clients that close them early, and clients that use them again."""

from conformance.kit import (
    MUST,
    SHOULD,
    Answer,
    Chat,
    Every,
    assert_in,
    assert_same_text,
    check,
    inconclusive_unless,
    shown,
)


def all_left(gone_away: list[Chat]) -> None:
    """End the check unless the clients of all streams but the last, which stays, left before their end."""
    ended = [answer for answer in gone_away[:-1] if "[DONE]" in answer.wire.body.decode(errors="replace")]
    inconclusive_unless(not ended, ENDED)


ENDED = "a stream came to its end (`[DONE]`) before its client closed the connection"


@check("connections", MUST, "rfc:9112#9.5 a client may close its connection at any time", core=True)
def test_answers_after_clients_went_away(capital: Chat, gone_away: list[Chat], capital_after_gone_away: Chat) -> None:
    """The server still responds after clients closed their connections in the middle of streams."""
    all_left(gone_away)
    assert_same_text(
        capital_after_gone_away.text, capital.text, "`choices[0].message.content` after clients closed their streams"
    )


@check("connections", MUST, "rfc:9112#9.5 a client may close its connection at any time")
def test_answers_as_many_after_clients_went_away(
    counts_together: list[Chat], gone_away: list[Chat], counts_after_gone_away: list[Chat]
) -> None:
    """The server handles as many requests at the same time as before clients closed their connections."""
    all_left(gone_away)
    for before in counts_together:
        inconclusive_unless(before.ok, f"`{before.name}` was rejected, before any client closed its connection")
    for after in counts_after_gone_away:
        assert after.text, f"expected a text, got an empty one (`choices[0].message.content` of `{after.name}`)"


@check("connections", SHOULD, "rfc:9112#9.5 a client may close its connection at any time")
def test_a_client_that_stays_gets_its_whole_stream(count_streamed: Chat, gone_away: list[Chat]) -> None:
    """A stream goes on to its end while the clients of other streams leave."""
    inconclusive_unless(count_streamed.finish_reason, "a stream without other clients has no `finish_reason`")
    all_left(gone_away)
    stays = gone_away[-1]
    stays.assert_accepted()
    assert_in(stays.finish_reason, ("stop", "length"), "`finish_reason` of the stream whose client stayed")


@check("connections", SHOULD, "sdk:official clients reuse connections")
def test_connection_lasts_after_a_stream(capital_after_stream: list[Chat]) -> None:
    """After a stream the connection stays open for the next request, unless `Connection: close` was sent."""
    stream, question = capital_after_stream
    stream.assert_accepted()
    question.assert_accepted()
    if "close" not in (stream.wire.header("connection") or "").lower():
        assert question.wire.port == stream.wire.port, (
            "expected the next request on the connection of the stream, but the server had closed it "
            "(without `Connection: close` in its response)"
        )


@check("connections", SHOULD, "rfc:9112#9.2 data without an outstanding request is no valid response")
def test_nothing_follows_the_response(every: Every) -> None:
    """A response ends where `Content-Length` or its last chunk says: no bytes follow it on its connection."""
    for answer in every.of(Answer, lambda a: a.exchange.surplus is not None, what="complete"):
        surplus = answer.exchange.surplus or b""
        assert surplus == b"", f"expected no bytes after the end of the response, got {shown(surplus[:60])}"
