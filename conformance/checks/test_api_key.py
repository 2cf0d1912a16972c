"""The API key. Judged only on a target with one; the server may not know of it, which is not held against it.

The form of the refusal is judged by the rules for all errors.
"""

from conformance.kit import MUST, SHOULD, Answer, Chat, Models, check, inconclusive_unless

NOT_GUARDED = "the server wants no key: it was started without one, or has none"


@check("api_key", MUST, "docs:guides/error-codes#401", core=True)
def test_refuses_without_the_key(wrong_key: Chat, no_key: Chat) -> None:
    """A request without the API key is refused with 401."""
    inconclusive_unless(not (no_key.ok and wrong_key.ok), NOT_GUARDED)
    assert no_key.status == 401


@check("api_key", MUST, "docs:guides/error-codes#401", core=True)
def test_refuses_a_wrong_key(no_key: Chat, wrong_key: Chat) -> None:
    """A request with a wrong API key is refused with 401."""
    inconclusive_unless(not (no_key.ok and wrong_key.ok), NOT_GUARDED)
    assert wrong_key.status == 401


@check("api_key", SHOULD, "docs:guides/error-codes#401")
def test_guards_the_models(no_key: Chat, wrong_key: Chat, models_without_key: Models) -> None:
    """The list of models is refused without the API key, too."""
    inconclusive_unless(not (no_key.ok and wrong_key.ok), NOT_GUARDED)
    assert models_without_key.status == 401


@check("api_key", MUST, "docs:guides/error-codes#401")
def test_guards_the_other_endpoints(no_key: Chat, wrong_key: Chat, others_without_key: list[Answer]) -> None:
    """Completions, embeddings and responses are refused without the API key, if the server has them at all."""
    inconclusive_unless(not (no_key.ok and wrong_key.ok), NOT_GUARDED)
    for answer in others_without_key:
        assert answer.status in (401, 404)
