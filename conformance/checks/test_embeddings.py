"""`POST /embeddings`: texts go in, vectors come out, closer for texts that are alike."""

import math

from conformance.kit import MAY, MUST, SHOULD, Embeddings, check, expect_rejection, ignored_unless, inconclusive_unless
from fixtures.scenarios.embeddings import PERMUTED

NOISE = 0.01
"""How far apart two vectors of one text may be, as a part of their length. Sums in another order, as in another batch,
move a vector by less than a thousandth (float32) or a few (float16); other texts are tens of times farther away."""

Vector = list[float]


def distance(one: Vector, other: Vector) -> float:
    """The distance of two vectors as a part of the length of the second; infinite if they do not fit together."""
    return math.dist(one, other) / (math.hypot(*other) or 1.0) if len(one) == len(other) else math.inf


def same(one: Vector, other: Vector) -> bool:
    """Whether two vectors are those of one text."""
    return distance(one, other) < NOISE


def nearest(vector: Vector, others: list[Vector]) -> int:
    """The place of the vector that is nearest."""
    return min(range(len(others)), key=lambda place: distance(vector, others[place]))


# Vectors


@check("embeddings", MUST, "openapi:CreateEmbeddingResponse.data")
def test_text_becomes_a_vector(embedding: Embeddings) -> None:
    """One text becomes one vector of numbers, not all of them zero."""
    assert len(embedding.vectors) == 1
    assert math.hypot(*embedding.vector) > 0


@check("embeddings", MUST, "docs:guides/embeddings", core=True)
def test_other_texts_have_other_vectors(embedding_batch: Embeddings) -> None:
    """Texts that differ have vectors that differ."""
    first, second, third = embedding_batch.each
    assert distance(first, second) > NOISE
    assert distance(second, third) > NOISE
    assert distance(third, first) > NOISE


@check("embeddings", MUST, "docs:guides/embeddings")
def test_same_text_has_the_same_vector(embedding: Embeddings, embedding_same: Embeddings) -> None:
    """A text has the same vector each time, alone and in a list."""
    first, second = embedding_same.each
    assert same(first, second)
    assert same(first, embedding.vector)


@check("embeddings", SHOULD, "docs:guides/embeddings")
def test_similar_texts_are_closer(embedding_alike: list[Embeddings]) -> None:
    """Texts with one meaning are closer than texts with different ones."""
    cat, same_cat, bank = (answer.vector for answer in embedding_alike)
    ignored_unless(distance(cat, bank) > NOISE, "all texts have one vector")
    inconclusive_unless(distance(cat, same_cat) < distance(cat, bank), "the model does not tell them apart")


@check("embeddings", SHOULD, "docs:guides/embeddings vectors have length 1")
def test_vectors_have_length_one(embedding_batch: Embeddings) -> None:
    """Vectors have length 1, so that a dot product is the similarity."""
    lengths = [math.hypot(*vector) for vector in embedding_batch.vectors]
    assert max(abs(length - 1) for length in lengths) < NOISE


@check("embeddings", MUST, "openapi:Embedding.embedding")
def test_vectors_have_one_size(embedding: Embeddings, embedding_batch: Embeddings) -> None:
    """All vectors of a model have the same number of dimensions."""
    assert {len(vector) for vector in embedding_batch.vectors} == {len(embedding.vector)}


# Lists


@check("embeddings", MUST, "openapi:Embedding.index")
def test_list_is_in_order(embedding_batch: Embeddings) -> None:
    """A list of texts becomes as many vectors, numbered from 0 in the order of the texts."""
    assert [item.get("index") for item in embedding_batch.items] == [0, 1, 2]


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.input")
def test_list_gives_what_single_texts_give(embedding_one_by_one: list[Embeddings], embedding_batch: Embeddings) -> None:
    """Each text of a list has the vector that it has alone."""
    expected = [answer.vector for answer in embedding_one_by_one]
    assert list(map(same, embedding_batch.each, expected)) == [True, True, True]


@check("embeddings", MUST, "openapi:Embedding.index")
def test_permuted_texts_have_permuted_vectors(embedding_batch: Embeddings, embedding_permuted: Embeddings) -> None:
    """Each vector belongs to the text with its index: texts in another order have vectors in that order."""
    places = [nearest(vector, embedding_batch.each) for vector in embedding_permuted.each]
    assert places == PERMUTED


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.input")
def test_long_list_is_complete(embedding_many: Embeddings) -> None:
    """Forty texts in one request become forty vectors."""
    assert [item.get("index") for item in embedding_many.items] == list(range(40))


# Encodings


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.encoding_format")
def test_base64_is_the_same_vector(embedding: Embeddings, embedding_base64: Embeddings) -> None:
    """`base64` gives the same numbers as little-endian float32, in a string."""
    ignored_unless(not isinstance(embedding_base64.items[0].get("embedding"), list), "the vector is a list of numbers")
    assert len(embedding_base64.decoded) == len(embedding.vector)
    assert same(embedding_base64.decoded, embedding.vector)


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.encoding_format")
def test_float_is_the_default(embedding: Embeddings, embedding_float: Embeddings) -> None:
    """`float` gives what is given without it."""
    assert same(embedding_float.vector, embedding.vector)


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.dimensions")
def test_dimensions_shorten_the_vector(embedding: Embeddings, embedding_dimensions: Embeddings) -> None:
    """`dimensions` is the number of dimensions that the vector has."""
    ignored_unless(
        len(embedding_dimensions.vector) != len(embedding.vector), "the vector is as long as without dimensions"
    )
    assert len(embedding_dimensions.vector) == embedding_dimensions.sent["dimensions"]


# Tokens


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.input")
def test_tokens_are_one_text(embedding: Embeddings, embedding_tokens: Embeddings) -> None:
    """A list of token ids is one text."""
    assert len(embedding_tokens.vectors) == 1
    assert len(embedding_tokens.vector) == len(embedding.vector)


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.input")
def test_token_lists_are_texts(embedding_tokens: Embeddings, embedding_token_lists: Embeddings) -> None:
    """Each of several lists of token ids is a text of its own."""
    first, second = embedding_token_lists.each
    assert len(first) == len(embedding_tokens.vector)
    assert distance(second, first) > NOISE


@check("embeddings", MUST, "openapi:CreateEmbeddingResponse.usage")
def test_usage_counts_tokens(embedding: Embeddings, embedding_many: Embeddings) -> None:
    """`usage` counts the tokens of the input: each word is one or more, and a longer input has more of them."""
    words = [len(text.split()) for text in embedding_many.sent["input"]]
    assert embedding_many.tokens("prompt") >= sum(words)
    assert embedding_many.tokens("prompt") > embedding.tokens("prompt") > 0
    assert embedding_many.tokens("total") == embedding_many.tokens("prompt")


@check("embeddings", SHOULD, "openapi:CreateEmbeddingResponse.usage")
def test_usage_counts_token_ids(embedding_tokens: Embeddings) -> None:
    """`usage` counts the token ids of the input, to which a model may add one at each end."""
    assert 3 <= embedding_tokens.tokens("prompt") <= 5
    assert embedding_tokens.tokens("total") == embedding_tokens.tokens("prompt")


@check("embeddings", MUST, "openapi:CreateEmbeddingResponse.usage")
def test_usage_counts_all_texts(embedding: Embeddings, embedding_same: Embeddings) -> None:
    """The usage of a list is the sum of its texts'."""
    assert embedding_same.tokens("prompt") == 2 * embedding.tokens("prompt")


# Fields that change nothing


@check("embeddings", SHOULD, "openapi:CreateEmbeddingResponse.model")
def test_names_the_model(embedding: Embeddings) -> None:
    """The answer names the model that was asked for, perhaps with its version."""
    assert str(embedding.sent["model"]) in str(embedding.body.get("model"))


@check("embeddings", MAY, "openapi:CreateEmbeddingRequest.user")
def test_user_changes_nothing(embedding: Embeddings, embedding_user: Embeddings) -> None:
    """`user` is accepted, and does not change the vector."""
    assert same(embedding_user.vector, embedding.vector)


# Refused


@check("embeddings", MUST, "openapi:CreateEmbeddingRequest.input")
def test_long_text_is_never_cut(
    embedding: Embeddings,
    embedding_ends: list[Embeddings],
    embedding_too_long: Embeddings,
    embedding_too_long_otherwise: Embeddings,
) -> None:
    """A text is embedded in full or refused: each of its words is a token or more, and its end changes the vector."""
    if embedding_too_long.cleanly_refused:
        return
    assert embedding_too_long.tokens("prompt") >= len(str(embedding_too_long.sent["input"]).split())
    if embedding_too_long_otherwise.cleanly_refused:
        return
    one, other = (answer.vector for answer in embedding_ends)
    inconclusive_unless(distance(other, one) > 3 * NOISE, "the model does not tell two texts apart by their last tenth")
    assert not same(embedding_too_long_otherwise.vector, embedding_too_long.vector)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.encoding_format")
def test_unknown_encoding_is_refused(embedding: Embeddings, bad_embedding_format: Embeddings) -> None:
    """An encoding_format that does not exist is refused."""
    expect_rejection(bad_embedding_format)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.dimensions")
def test_no_dimensions_are_refused(embedding: Embeddings, bad_embedding_dimensions: Embeddings) -> None:
    """A vector must have at least one dimension."""
    expect_rejection(bad_embedding_dimensions)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.input")
def test_missing_input_is_refused(embedding: Embeddings, bad_embedding_missing: Embeddings) -> None:
    """A request without input is refused."""
    expect_rejection(bad_embedding_missing)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.input")
def test_number_is_refused(embedding: Embeddings, bad_embedding_number: Embeddings) -> None:
    """A number is no input."""
    expect_rejection(bad_embedding_number)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.input")
def test_mixed_list_is_refused(embedding: Embeddings, bad_embedding_mixed: Embeddings) -> None:
    """A list holds texts or tokens, not both."""
    expect_rejection(bad_embedding_mixed)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.input")
def test_empty_text_is_refused(embedding: Embeddings, bad_embedding_empty: Embeddings) -> None:
    """A text may not be empty."""
    expect_rejection(bad_embedding_empty)


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.input")
def test_empty_list_is_refused(embedding: Embeddings, bad_embedding_no_input: Embeddings) -> None:
    """A list has at least one text."""
    expect_rejection(bad_embedding_no_input)


@check("errors", MAY, "docs:guides/error-codes model not found")
def test_unknown_model_is_refused(embedding: Embeddings, bad_embedding_model: Embeddings) -> None:
    """A model that does not exist is answered with 404, not with another model's vector."""
    expect_rejection(bad_embedding_model, 404, or_leniently=(400,))
