"""The API key: a server that asks for one rejects requests without it.

A server that asks for no key is not judged. The error object of the rejection is judged by the rules for all errors.
"""

from conformance.kit import MUST, SHOULD, Answer, Chat, Models, assert_equal, assert_in, check, inconclusive_unless

NOT_GUARDED = "the server requires no API key: it accepted a request without a key, and one with a wrong key"


@check("api_key", MUST, "docs:guides/error-codes#401", core=True)
def test_refuses_without_the_key(wrong_key: Chat, no_key: Chat) -> None:
    """A request without an API key in `Authorization` is rejected with 401."""
    inconclusive_unless(not (no_key.ok and wrong_key.ok), NOT_GUARDED)
    assert_equal(no_key.status, 401, "HTTP status of a request without an API key")


@check("api_key", MUST, "docs:guides/error-codes#401", core=True)
def test_refuses_a_wrong_key(no_key: Chat, wrong_key: Chat) -> None:
    """A request with a wrong API key in `Authorization` is rejected with 401."""
    inconclusive_unless(not (no_key.ok and wrong_key.ok), NOT_GUARDED)
    assert_equal(wrong_key.status, 401, "HTTP status of a request with a wrong API key")


@check("api_key", SHOULD, "docs:guides/error-codes#401")
def test_guards_the_models(no_key: Chat, wrong_key: Chat, models_without_key: Models) -> None:
    """`GET /models` without an API key is rejected with 401."""
    inconclusive_unless(not (no_key.ok and wrong_key.ok), NOT_GUARDED)
    assert_equal(models_without_key.status, 401, "HTTP status of `GET /models` without an API key")


@check("api_key", MUST, "docs:guides/error-codes#401")
def test_guards_the_other_endpoints(no_key: Chat, wrong_key: Chat, others_without_key: list[Answer]) -> None:
    """`/completions`, `/embeddings` and `/responses` without an API key are rejected with 401, or 404 if absent."""
    inconclusive_unless(not (no_key.ok and wrong_key.ok), NOT_GUARDED)
    for answer in others_without_key:
        path = answer.exchange.request.path
        assert_in(answer.status, (401, 404), f"HTTP status of `POST {path}` without an API key")
