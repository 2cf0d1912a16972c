"""`POST /embeddings`: texts become vectors, and vectors of similar texts are closer together."""

import math

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Embeddings,
    assert_at_least,
    assert_contains,
    assert_equal,
    assert_less,
    assert_more,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    lenient,
    too_long,
)
from fixtures.scenarios.embeddings import PERMUTED

NOISE = 0.01
"""How far apart two vectors of one text may be, relative to their length.

Sums in another order, as in another batch, move a vector by less than a thousandth (float32) or a few thousandths
(float16). Other texts are tens of times farther away.
"""

EMBEDDING, INDEXES = "`data[0].embedding`", "`data[].index`"
ONE_NUMBER = f"expected several dimensions, got 1, which all strings may have in common ({EMBEDDING})"
PROMPT_TOKENS, TOTAL_TOKENS = "`usage.prompt_tokens`", "`usage.total_tokens`"

Vector = list[float]


def distance(one: Vector, other: Vector) -> float:
    """The distance of two vectors relative to the length of the second; infinite if their dimensions differ."""
    return math.dist(one, other) / (math.hypot(*other) or 1.0) if len(one) == len(other) else math.inf


def same(one: Vector, other: Vector) -> bool:
    """Whether two vectors are close enough to belong to one text."""
    return distance(one, other) < NOISE


def assert_same_vector(actual: Vector, expected: Vector, where: str) -> None:
    """End the check unless two vectors are close enough to belong to one text."""
    assert_equal(len(actual), len(expected), f"number of dimensions of {where}")
    assert_less(distance(actual, expected), NOISE, f"relative distance to the expected vector of {where}")


def nearest(vector: Vector, others: list[Vector]) -> int:
    """The position of the vector that is nearest."""
    return min(range(len(others)), key=lambda place: distance(vector, others[place]))


# Vectors


@check("embeddings", MUST, "openapi:CreateEmbeddingResponse.data")
def test_text_becomes_a_vector(embedding: Embeddings) -> None:
    """A string as `input` gets one `embedding` in `data`, an array of numbers that are not all zero."""
    assert_equal(len(embedding.vectors), 1, "number of entries of `data`")
    assert_more(math.hypot(*embedding.vector), 0, f"length of the vector {EMBEDDING}")


@check("embeddings", MUST, "docs:guides/embeddings", core=True)
def test_other_texts_have_other_vectors(embedding_batch: Embeddings) -> None:
    """Each of several different strings in `input` gets a different `embedding`."""
    first, second, third = embedding_batch.each
    inconclusive_unless(len(first) > 1, ONE_NUMBER)
    where = "relative distance of `data[{}].embedding` and `data[{}].embedding`"
    assert_more(distance(first, second), NOISE, where.format(0, 1))
    assert_more(distance(second, third), NOISE, where.format(1, 2))
    assert_more(distance(third, first), NOISE, where.format(2, 0))


@check("embeddings", MUST, "docs:guides/embeddings")
def test_same_text_has_the_same_vector(embedding: Embeddings, embedding_same: Embeddings) -> None:
    """The same string gets the same `embedding` each time, alone and in an array."""
    first, second = embedding_same.each
    assert_same_vector(first, second, f"{EMBEDDING}, compared with `data[1].embedding`")
    assert_same_vector(first, embedding.vector, f"{EMBEDDING} of an array, compared with the string alone")


@check("embeddings", SHOULD, "docs:guides/embeddings")
def test_similar_texts_are_closer(embedding_alike: list[Embeddings]) -> None:
    """Two strings with the same meaning have closer `embedding`s than two strings with different meanings."""
    cat, same_cat, bank = (answer.vector for answer in embedding_alike)
    inconclusive_unless(len(cat) > 1, ONE_NUMBER)
    ignored_unless(distance(cat, bank) > NOISE, f"{EMBEDDING} is the same for different strings")
    inconclusive_unless(
        distance(cat, same_cat) < distance(cat, bank),
        f"the model's vectors of similar strings are no closer ({distance(cat, same_cat):.3f}) "
        f"than those of different strings ({distance(cat, bank):.3f})",
    )


@check("embeddings", SHOULD, "docs:guides/embeddings vectors have length 1")
def test_vectors_have_length_one(embedding_batch: Embeddings) -> None:
    """Each `embedding` has length 1, as OpenAI's do; another length is lenient, because it depends on the model."""
    lengths = [math.hypot(*vector) for vector in embedding_batch.vectors]
    assert_more(min(lengths), 0, "length of an `embedding`")
    furthest = max(lengths, key=lambda length: abs(length - 1))
    if abs(furthest - 1) >= NOISE:
        lenient(f"expected vectors of length 1, got {furthest:.3g}: their dot product is not their similarity")


@check("embeddings", MUST, "openapi:Embedding.embedding")
def test_vectors_have_one_size(embedding: Embeddings, embedding_batch: Embeddings) -> None:
    """Each `embedding` of a model has the same number of dimensions."""
    assert_equal(
        sorted({len(vector) for vector in embedding_batch.vectors}),
        [len(embedding.vector)],
        "numbers of dimensions of `data[].embedding`",
    )


# Arrays


@check("embeddings", MUST, "openapi:Embedding.index")
def test_list_is_in_order(embedding_batch: Embeddings) -> None:
    """An array of strings as `input` gets one entry of `data` for each string, in order, with `index` from 0."""
    assert_equal([item.get("index") for item in embedding_batch.items], [0, 1, 2], INDEXES)


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.input")
def test_list_gives_what_single_texts_give(embedding_one_by_one: list[Embeddings], embedding_batch: Embeddings) -> None:
    """Each string in an array as `input` gets the same `embedding` as when sent alone."""
    expected = [answer.vector for answer in embedding_one_by_one]
    for place, (vector, alone) in enumerate(zip(embedding_batch.each, expected, strict=True)):
        assert_same_vector(vector, alone, f"`data[{place}].embedding`, compared with the string alone")


@check("embeddings", MUST, "openapi:Embedding.index")
def test_permuted_texts_have_permuted_vectors(embedding_batch: Embeddings, embedding_permuted: Embeddings) -> None:
    """`index` says to which string of `input` an `embedding` belongs, in whatever order the strings are sent."""
    inconclusive_unless(len(embedding_batch.vector) > 1, ONE_NUMBER)
    places = [nearest(vector, embedding_batch.each) for vector in embedding_permuted.each]
    assert_equal(places, PERMUTED, "original positions of reordered strings, by the nearest `data[].embedding`")


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.input")
def test_long_list_is_complete(embedding_many: Embeddings) -> None:
    """An array of forty strings as `input` gets forty entries of `data`."""
    assert_equal([item.get("index") for item in embedding_many.items], list(range(40)), INDEXES)


@check("embeddings", SHOULD, "openapi:Embedding.embedding")
def test_long_list_gives_what_single_texts_give(
    embedding_of_many: list[Embeddings], embedding_many: Embeddings
) -> None:
    """Each string in an array of forty as `input` gets the same `embedding` as when sent alone."""
    for place, alone in zip((0, -1), embedding_of_many, strict=True):
        assert_same_vector(
            embedding_many.each[place], alone.vector, f"`data[{place % 40}].embedding`, compared with the string alone"
        )


# Encodings


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.encoding_format")
def test_base64_is_the_same_vector(embedding: Embeddings, embedding_base64: Embeddings) -> None:
    """With `encoding_format: base64`, `embedding` is the same vector as base64 of little-endian float32 numbers."""
    ignored_unless(
        not isinstance(embedding_base64.items[0].get("embedding"), list), f"{EMBEDDING} is an array, not a string"
    )
    assert_same_vector(embedding_base64.decoded, embedding.vector, f"{EMBEDDING}, decoded from base64")


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.encoding_format")
def test_float_is_the_default(embedding: Embeddings, embedding_float: Embeddings) -> None:
    """`encoding_format: float` gives the same vector as no `encoding_format`."""
    assert_same_vector(embedding_float.vector, embedding.vector, f"{EMBEDDING} with `encoding_format: float`")


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.dimensions")
def test_dimensions_shorten_the_vector(embedding: Embeddings, embedding_dimensions: Embeddings) -> None:
    """`embedding` has as many numbers as `dimensions` says."""
    ignored_unless(
        len(embedding_dimensions.vector) != len(embedding.vector), f"{EMBEDDING} is as long as without `dimensions`"
    )
    assert_equal(
        len(embedding_dimensions.vector),
        embedding_dimensions.sent["dimensions"],
        f"number of dimensions of {EMBEDDING}",
    )


@check("embeddings", SHOULD, "docs:guides/embeddings vectors have length 1")
def test_shortened_vectors_have_length_one(embedding: Embeddings, embedding_dimensions: Embeddings) -> None:
    """An `embedding` that `dimensions` shortens has length 1, if it has length 1 without `dimensions`."""
    inconclusive_unless(
        len(embedding_dimensions.vector) != len(embedding.vector), f"{EMBEDDING} is as long as without `dimensions`"
    )
    whole, shortened = (math.hypot(*answer.vector) for answer in (embedding, embedding_dimensions))
    inconclusive_unless(abs(whole - 1) < NOISE, f"{EMBEDDING} does not have length 1 without `dimensions` either")
    assert_less(abs(shortened - 1), NOISE, f"difference of 1 and the length of {EMBEDDING}")


# Tokens


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.input")
def test_tokens_are_one_text(embedding: Embeddings, embedding_tokens: Embeddings) -> None:
    """An array of token ids as `input` is one text, with one `embedding`."""
    assert_equal(len(embedding_tokens.vectors), 1, "number of entries of `data`")
    assert_equal(len(embedding_tokens.vector), len(embedding.vector), f"number of dimensions of {EMBEDDING}")


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.input")
def test_token_lists_are_texts(embedding_tokens: Embeddings, embedding_token_lists: Embeddings) -> None:
    """In an array of arrays of token ids, each inner array is a text with its own `embedding`."""
    first, second = embedding_token_lists.each
    assert_equal(len(first), len(embedding_tokens.vector), f"number of dimensions of {EMBEDDING}")
    assert_more(distance(second, first), NOISE, f"relative distance of {EMBEDDING} and `data[1].embedding`")


@check("embeddings", MUST, "openapi:CreateEmbeddingResponse.usage")
def test_usage_counts_tokens(embedding: Embeddings, embedding_many: Embeddings) -> None:
    """`usage.prompt_tokens` counts the tokens of `input`, at least one for each word."""
    words = [len(text.split()) for text in embedding_many.sent["input"]]
    assert_at_least(embedding_many.tokens("prompt"), sum(words), f"{PROMPT_TOKENS} of forty strings")
    assert_more(
        embedding_many.tokens("prompt"), embedding.tokens("prompt"), f"{PROMPT_TOKENS}, compared with a shorter `input`"
    )
    assert_more(embedding.tokens("prompt"), 0, f"{PROMPT_TOKENS} of one string")
    assert_equal(embedding_many.tokens("total"), embedding_many.tokens("prompt"), TOTAL_TOKENS)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingResponse.usage")
def test_usage_counts_token_ids(embedding_tokens: Embeddings) -> None:
    """`usage.prompt_tokens` counts the token ids of `input`; a model may add one at each end."""
    counted = embedding_tokens.tokens("prompt")
    assert_at_least(counted, 3, f"{PROMPT_TOKENS} of 3 token ids")
    inconclusive_unless(
        counted <= 5, f"expected at most 5, got {counted}: the model may have a prefix ({PROMPT_TOKENS})"
    )
    assert_equal(embedding_tokens.tokens("total"), embedding_tokens.tokens("prompt"), TOTAL_TOKENS)


@check("embeddings", MUST, "openapi:CreateEmbeddingResponse.usage")
def test_usage_counts_all_texts(embedding: Embeddings, embedding_same: Embeddings) -> None:
    """`usage.prompt_tokens` for an array of strings is the sum over the strings."""
    assert_equal(
        embedding_same.tokens("prompt"), 2 * embedding.tokens("prompt"), f"{PROMPT_TOKENS} of one string sent twice"
    )


# Fields that change nothing


@check("embeddings", SHOULD, "openapi:CreateEmbeddingResponse.model")
def test_names_the_model(embedding: Embeddings) -> None:
    """`model` in the response contains the `model` of the request; a version may be added."""
    assert_contains(str(embedding.body.get("model")), str(embedding.sent["model"]), "`model`")


@check("embeddings", MAY, "openapi:CreateEmbeddingRequest.user")
def test_user_changes_nothing(embedding: Embeddings, embedding_user: Embeddings) -> None:
    """`user` is accepted, and does not change the `embedding`."""
    assert_same_vector(embedding_user.vector, embedding.vector, f"{EMBEDDING} with `user`")


# Rejected


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.input")
def test_long_text_is_never_cut(
    embedding: Embeddings,
    embedding_ends: list[Embeddings],
    embedding_too_long: Embeddings,
    embedding_too_long_otherwise: Embeddings,
) -> None:
    """`input` is embedded in full or rejected: each word counts in `usage`, and the end changes the `embedding`."""
    if too_long(embedding_too_long):
        return
    assert_at_least(
        embedding_too_long.tokens("prompt"),
        len(str(embedding_too_long.sent["input"]).split()),
        f"{PROMPT_TOKENS}: a token or more for each word",
    )
    if too_long(embedding_too_long_otherwise):
        return
    one, other = (answer.vector for answer in embedding_ends)
    inconclusive_unless(
        distance(other, one) > 3 * NOISE,
        f"the model's vectors of two short strings that differ in their last tenth are too close ({EMBEDDING})",
    )
    assert not same(embedding_too_long_otherwise.vector, embedding_too_long.vector), (
        "expected different vectors for long strings that differ in their last tenth, "
        f"got the same vector twice ({EMBEDDING})"
    )


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.input")
def test_long_text_is_rejected_with_400(embedding: Embeddings, embedding_too_long: Embeddings) -> None:
    """A long `input` is embedded, or rejected with 400."""
    if not embedding_too_long.ok:
        expect_rejection(embedding_too_long, 400, or_leniently=(413, 422))


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.encoding_format")
def test_unknown_encoding_is_refused(embedding: Embeddings, bad_embedding_format: Embeddings) -> None:
    """An unknown `encoding_format` is rejected with 400."""
    expect_rejection(bad_embedding_format)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.dimensions")
def test_no_dimensions_are_refused(embedding: Embeddings, bad_embedding_dimensions: Embeddings) -> None:
    """`dimensions: 0` is rejected with 400."""
    expect_rejection(bad_embedding_dimensions)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.input")
def test_missing_input_is_refused(embedding: Embeddings, bad_embedding_missing: Embeddings) -> None:
    """A request without `input` is rejected with 400."""
    expect_rejection(bad_embedding_missing)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.input")
def test_number_is_refused(embedding: Embeddings, bad_embedding_number: Embeddings) -> None:
    """A number as `input` is rejected with 400."""
    expect_rejection(bad_embedding_number)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.input")
def test_mixed_list_is_refused(embedding: Embeddings, bad_embedding_mixed: Embeddings) -> None:
    """An array that mixes strings and token ids as `input` is rejected with 400."""
    expect_rejection(bad_embedding_mixed)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.input")
def test_empty_text_is_refused(embedding: Embeddings, bad_embedding_empty: Embeddings) -> None:
    """An empty string as `input` is rejected with 400."""
    expect_rejection(bad_embedding_empty)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.input")
def test_empty_list_is_refused(embedding: Embeddings, bad_embedding_no_input: Embeddings) -> None:
    """An empty array as `input` is rejected with 400."""
    expect_rejection(bad_embedding_no_input)


@check("errors", MAY, "docs:guides/error-codes model not found")
def test_unknown_model_is_refused(embedding: Embeddings, bad_embedding_model: Embeddings) -> None:
    """An unknown `model` in `POST /embeddings` is rejected with 404."""
    expect_rejection(bad_embedding_model, 404, or_leniently=(400,))
