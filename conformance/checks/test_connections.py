"""Connections: clients that go away, and clients that come back."""

from conformance.kit import MUST, SHOULD, Chat, assert_same_text, check, inconclusive_unless


@check("connections", MUST, "rfc:9112#9.5 a client may close its connection at any time", core=True)
def test_answers_after_clients_went_away(capital: Chat, gone_away: list[Chat], capital_after_gone_away: Chat) -> None:
    """Clients that close their connections in the middle of streams do not keep the server from answering others."""
    inconclusive_unless(
        all("[DONE]" not in answer.wire.body.decode(errors="replace") for answer in gone_away), "the streams ended"
    )
    assert_same_text(capital_after_gone_away.text, capital.text)


@check("connections", MUST, "rfc:9112#9.5 a client may close its connection at any time")
def test_answers_as_many_after_clients_went_away(
    counts_together: list[Chat], gone_away: list[Chat], counts_after_gone_away: list[Chat]
) -> None:
    """A server that answered several requests at once does so after clients closed their connections, too."""
    inconclusive_unless(
        all("[DONE]" not in answer.wire.body.decode(errors="replace") for answer in gone_away), "the streams ended"
    )
    for before in counts_together:
        inconclusive_unless(before.ok, "not all of several requests at once are accepted")
    for after in counts_after_gone_away:
        assert after.text != ""


@check("connections", SHOULD, "sdk:official clients reuse connections")
def test_connection_lasts_after_a_stream(capital_after_stream: list[Chat]) -> None:
    """A connection is open for the next request after a stream, unless the answer said `Connection: close`."""
    stream, question = capital_after_stream
    stream.accepted()
    question.accepted()
    if "close" not in (stream.wire.header("connection") or "").lower():
        assert question.wire.port == stream.wire.port, "another connection had to be opened"
