"""State in the Responses API: responses are stored, continued, retrieved and deleted."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Response,
    assert_contains,
    assert_equal,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    shown,
)

PREVIOUS = "openapi:CreateResponse.previous_response_id"
STORE = "openapi:CreateResponse.store"
PAGES = "docs:api-reference/responses"
INPUT = "`usage.input_tokens`"
FORGOTTEN = f"expected more tokens with the earlier turn than without it, got no more ({INPUT})"
NOT_STORED = "expected a stored response, got none (HTTP status of `GET /responses/{id}`)"


@check("responses_state", MUST, PREVIOUS, core=True)
def test_a_conversation_goes_on(respond_name_unknown: Response, respond_name_recalled: Response) -> None:
    """With `previous_response_id`, the model reads the earlier input and output."""
    counts = respond_name_unknown.tokens("input"), respond_name_recalled.tokens("input")
    ignored_unless(counts[1] > counts[0], f"expected more than {counts[0]} tokens, got {counts[1]} ({INPUT})")
    inconclusive_unless(
        "Alice" not in respond_name_unknown.text, "expected no 'Alice' without the earlier turn, got it (`output_text`)"
    )
    inconclusive_unless(
        "Alice" in respond_name_recalled.text, "expected 'Alice' in the text, got a response without it (`output_text`)"
    )


@check("responses_state", SHOULD, "openapi:Response.previous_response_id")
def test_the_previous_response_is_named(respond_name_recalled: Response) -> None:
    """The response repeats `previous_response_id` of the request."""
    got, sent = respond_name_recalled.body.get("previous_response_id"), respond_name_recalled.sent
    assert_equal(got, sent["previous_response_id"], "`previous_response_id` of the response")


@check("responses_state", MUST, PREVIOUS)
def test_a_conversation_goes_on_in_a_stream(
    respond_name_unknown: Response, respond_name_recalled: Response, respond_name_recalled_streamed: Response
) -> None:
    """With `previous_response_id`, a stream has the same text as the plain response."""
    counts = respond_name_unknown.tokens("input"), respond_name_recalled.tokens("input")
    inconclusive_unless(counts[1] > counts[0], FORGOTTEN)
    assert_same_text(
        respond_name_recalled_streamed.text, respond_name_recalled.text, "`response.output_text.delta`, joined"
    )


@check("responses_state", SHOULD, STORE)
def test_streamed_responses_are_stored(
    respond_name_recalled: Response, retrieved: Response, respond_name_streamed: Response, streams_kept: list[Response]
) -> None:
    """A streamed response is stored as a plain one is: it has its text, and the next turn goes on from it."""
    inconclusive_unless(retrieved.ok and respond_name_recalled.ok, "no plain response is stored")
    kept, recalled = streams_kept
    assert_equal(kept.status, 200, "HTTP status of `GET /responses/{id}` of a streamed response")
    assert_same_text(kept.text, respond_name_streamed.text, "`output` of the stored response")
    assert_equal(recalled.status, 200, "HTTP status of a request with `previous_response_id` of a streamed response")
    if respond_name_streamed.tokens("output") == retrieved.tokens("output"):
        assert_equal(recalled.tokens("input"), respond_name_recalled.tokens("input"), INPUT)


@check("responses_state", MUST, "openapi:CreateResponse.instructions")
def test_instructions_do_not_go_on(
    respond_capital: Response,
    respond_banana: Response,
    respond_after_banana_by_hand: Response,
    respond_after_banana: Response,
) -> None:
    """With `previous_response_id`, the model reads the earlier turns but not their `instructions`."""
    inconclusive_unless(
        respond_banana.tokens("input") > respond_capital.tokens("input"),
        f"expected more tokens with `instructions` than without, got no more ({INPUT})",
    )
    inconclusive_unless(respond_after_banana.tokens("input") > respond_capital.tokens("input"), FORGOTTEN)
    assert_equal(respond_after_banana.tokens("input"), respond_after_banana_by_hand.tokens("input"), INPUT)
    assert_same_text(respond_after_banana.text, respond_after_banana_by_hand.text, "`output_text`")


@check("responses_state", MUST, PREVIOUS)
def test_an_unknown_previous_response_is_refused(respond_capital: Response, bad_respond_previous: Response) -> None:
    """An unknown `previous_response_id` is rejected with 400, or 404."""
    expect_rejection(bad_respond_previous, 400, or_leniently=(404, 422))


@check("responses_state", MUST, f"{PAGES}/get", core=True)
def test_a_response_can_be_retrieved(respond_name: Response, retrieved: Response) -> None:
    """`GET /responses/{id}` returns a stored response, unchanged."""
    assert_equal(f"/responses/{retrieved.id}", retrieved.wire.request.path, "path of the retrieved `id`")
    assert_equal(retrieved.text, respond_name.text, "`output_text` of the retrieved response")
    assert_equal(retrieved.body.get("usage"), respond_name.body.get("usage"), "`usage` of the retrieved response")


@check("responses_state", MAY, f"{PAGES}/input-items")
def test_input_items_can_be_listed(retrieved: Response, input_items: Response) -> None:
    """`GET /responses/{id}/input_items` lists the input of a stored response in `data`."""
    inconclusive_unless(retrieved.ok, NOT_STORED)
    assert_contains(str(input_items.body.get("data")), "Alice", "`data` of the input items")


@check("responses_state", SHOULD, f"{PAGES}/get")
def test_an_unknown_response_is_not_found(respond_capital: Response, bad_retrieved: Response) -> None:
    """`GET /responses/{id}` with an unknown id is rejected with 404."""
    respond_capital.assert_accepted()
    expect_rejection(bad_retrieved, 404, or_leniently=())


@check("responses_state", MUST, STORE)
def test_store_false_is_not_stored(retrieved: Response, retrieved_unstored: Response) -> None:
    """A response to a request with `store: false` cannot be retrieved."""
    inconclusive_unless(retrieved.ok, NOT_STORED)
    ignored_unless(
        not retrieved_unstored.ok, "expected 404 for the response with `store: false`, got a 2xx (HTTP status)"
    )
    expect_rejection(retrieved_unstored, 404, or_leniently=())


@check("responses_state", SHOULD, "de-facto:OpenAI, Ollama and vLLM repeat `store`")
def test_a_response_says_whether_it_is_stored(respond_name: Response, retrieved: Response) -> None:
    """`store` of the response says whether it can be retrieved."""
    inconclusive_unless("store" in respond_name.body, "expected true or false, got nothing (`store` of the response)")
    assert_equal(respond_name.body["store"], retrieved.ok, "`store`, beside whether the response can be retrieved")


@check("responses_state", MUST, f"{PAGES}/delete")
def test_a_response_can_be_deleted(deleted: list[Response]) -> None:
    """`DELETE /responses/{id}` deletes a stored response, which then cannot be retrieved."""
    deletion, retrieval = deleted
    deletion.assert_accepted()
    expect_rejection(retrieval, 404, or_leniently=())


@check("responses_state", SHOULD, f"{PAGES}/delete")
def test_a_deletion_says_so(deleted: list[Response]) -> None:
    """The response to a deletion has the `id`, and `deleted` is true."""
    asked = deleted[0].wire.request.path
    assert_equal(f"/responses/{deleted[0].body.get('id')}", asked, "path of the `id` of the deleted response")
    told = deleted[0].body.get("deleted")
    assert told is True, f"expected true, got {shown(told)} (`deleted`)"


@check("responses_state", MAY, "openapi:CreateResponse.background")
def test_background_is_honoured_or_refused(respond_background: Response) -> None:
    """`background: true` gets `status` `queued` or `in_progress` at once, or is rejected."""
    honoured = respond_background.cleanly_refused or respond_background.state in ("queued", "in_progress")
    ignored_unless(honoured, "expected `queued` or `in_progress` at once, got the finished response (`status`)")
