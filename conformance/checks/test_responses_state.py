"""State in the Responses API: responses are stored, go on, are retrieved and deleted."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Response,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
)

PREVIOUS = "openapi:CreateResponse.previous_response_id"
STORE = "openapi:CreateResponse.store"
PAGES = "docs:api-reference/responses"
FORGOTTEN = "the earlier turn adds no tokens"


@check("responses_state", MUST, PREVIOUS, core=True)
def test_a_conversation_goes_on(respond_name_unknown: Response, respond_name_recalled: Response) -> None:
    """With previous_response_id the model reads the earlier input and output."""
    counts = respond_name_unknown.tokens("input"), respond_name_recalled.tokens("input")
    ignored_unless(counts[1] > counts[0], "the input has no more tokens than the question alone")
    inconclusive_unless("Alice" not in respond_name_unknown.text, "the model knows the name by itself")
    inconclusive_unless("Alice" in respond_name_recalled.text, "the model did not use what it read")


@check("responses_state", SHOULD, "openapi:Response.previous_response_id")
def test_the_previous_response_is_named(respond_name_recalled: Response) -> None:
    """A response names the one that it goes on from."""
    assert respond_name_recalled.body.get("previous_response_id") == respond_name_recalled.sent["previous_response_id"]


@check("responses_state", MUST, PREVIOUS)
def test_a_conversation_goes_on_in_a_stream(
    respond_name_unknown: Response, respond_name_recalled: Response, respond_name_recalled_streamed: Response
) -> None:
    """A streamed next turn is the plain one."""
    counts = respond_name_unknown.tokens("input"), respond_name_recalled.tokens("input")
    inconclusive_unless(counts[1] > counts[0], FORGOTTEN)
    assert_same_text(respond_name_recalled_streamed.text, respond_name_recalled.text)


@check("responses_state", MUST, "openapi:CreateResponse.instructions")
def test_instructions_do_not_go_on(
    respond_capital: Response,
    respond_banana: Response,
    respond_after_banana_by_hand: Response,
    respond_after_banana: Response,
) -> None:
    """The next turn is the same as with input and output sent again: earlier instructions are not in it."""
    inconclusive_unless(
        respond_banana.tokens("input") > respond_capital.tokens("input"), "`instructions` have no effect"
    )
    inconclusive_unless(respond_after_banana.tokens("input") > respond_capital.tokens("input"), FORGOTTEN)
    assert respond_after_banana.tokens("input") == respond_after_banana_by_hand.tokens("input")
    assert_same_text(respond_after_banana.text, respond_after_banana_by_hand.text)


@check("responses_state", MUST, PREVIOUS)
def test_an_unknown_previous_response_is_refused(respond_capital: Response, bad_respond_previous: Response) -> None:
    """The id of a response that nobody made is refused with 400, or 404."""
    expect_rejection(bad_respond_previous, 400, or_leniently=(404, 422))


@check("responses_state", MUST, f"{PAGES}/get", core=True)
def test_a_response_can_be_retrieved(respond_name: Response, retrieved: Response) -> None:
    """A stored response can be asked for by its id, and is the same."""
    assert retrieved.wire.request.path == f"/responses/{retrieved.id}"
    assert retrieved.text == respond_name.text
    assert retrieved.body.get("usage") == respond_name.body.get("usage")


@check("responses_state", MAY, f"{PAGES}/input-items")
def test_input_items_can_be_listed(retrieved: Response, input_items: Response) -> None:
    """The input of a stored response can be asked for, as a list of items."""
    inconclusive_unless(retrieved.ok, "the server stores no response")
    assert "Alice" in str(input_items.body.get("data"))


@check("responses_state", SHOULD, f"{PAGES}/get")
def test_an_unknown_response_is_not_found(respond_capital: Response, bad_retrieved: Response) -> None:
    """A response that nobody made is not found: 404."""
    respond_capital.accepted()
    expect_rejection(bad_retrieved, 404, or_leniently=())


@check("responses_state", MUST, STORE)
def test_store_false_is_not_stored(retrieved: Response, retrieved_unstored: Response) -> None:
    """A response that is not to be stored cannot be retrieved."""
    inconclusive_unless(retrieved.ok, "the server stores no response")
    ignored_unless(not retrieved_unstored.ok, "the response can be retrieved")
    expect_rejection(retrieved_unstored, 404, or_leniently=())


@check("responses_state", SHOULD, "de-facto:OpenAI, Ollama and vLLM repeat `store`")
def test_a_response_says_whether_it_is_stored(respond_name: Response, retrieved: Response) -> None:
    """A response that says that it is stored can be retrieved, and one that says that it is not cannot."""
    inconclusive_unless("store" in respond_name.body, "the response does not say")
    assert retrieved.ok == respond_name.body["store"]


@check("responses_state", MUST, f"{PAGES}/delete")
def test_a_response_can_be_deleted(deleted: list[Response]) -> None:
    """A stored response can be deleted, and is gone."""
    deletion, retrieval = deleted
    deletion.accepted()
    expect_rejection(retrieval, 404, or_leniently=())


@check("responses_state", SHOULD, f"{PAGES}/delete")
def test_a_deletion_says_so(deleted: list[Response]) -> None:
    """The answer to a deletion has the id, and says that the response is deleted."""
    assert deleted[0].wire.request.path == f"/responses/{deleted[0].body.get('id')}"
    assert deleted[0].body.get("deleted") is True


@check("responses_state", MAY, "openapi:CreateResponse.background")
def test_background_is_honoured_or_refused(respond_background: Response) -> None:
    """A response in the background is answered at once, before it is made, or refused."""
    honoured = respond_background.cleanly_refused or respond_background.state in ("queued", "in_progress")
    ignored_unless(honoured, "the response was made while the client waited")
