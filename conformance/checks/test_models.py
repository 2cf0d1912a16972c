"""`GET /models` and `GET /models/{model}`."""

from collections import Counter

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    Embeddings,
    Models,
    assert_equal,
    assert_in,
    assert_none_of,
    check,
    expect_rejection,
    inconclusive_unless,
    lenient,
    responding_model,
    shown,
)


@check("models", MUST, "openapi:ListModelsResponse.data", core=True)
def test_lists_the_model(capital: Chat, embedding: Embeddings, look_red: Chat, models_list: Models) -> None:
    """`GET /models` lists the `id` of a model that responds to requests."""
    asked = responding_model(models_list, capital, embedding, look_red)
    if asked not in models_list.ids:
        assert f"{asked}:latest" in models_list.ids, (
            f"expected {shown(asked)} in the list, got {shown(models_list.ids)} (`data[].id`)"
        )
        lenient(f"expected {shown(asked)}, got {shown(f'{asked}:latest')} (`data[].id`)")


@check("models", SHOULD, "openapi:Model.id")
def test_ids_are_unique(models_list: Models) -> None:
    """Each `id` occurs once in `GET /models`."""
    assert_none_of(
        [one for one, times in Counter(map(str, models_list.ids)).items() if times > 1],
        "values of `data[].id` that occur more than once",
    )


@check("retrieve_model", MUST, "openapi:/models/{model}", core=True)
def test_retrieves_the_model(capital: Chat, model: Models) -> None:
    """`GET /models/{model}` returns the model with this `id`."""
    assert_equal(model.body.get("id"), capital.sent["model"], "`id`")
    assert_equal(model.body.get("object"), "model", "`object`")


@check("retrieve_model", SHOULD, "openapi:/models/{model}")
def test_is_the_same_as_listed(models_list: Models, model: Models) -> None:
    """`GET /models/{model}` returns the same `object`, `created` and `owned_by` as `GET /models`."""
    described = {key: model.body.get(key) for key in ("object", "created", "owned_by")}
    listed = [{key: entry.get(key) for key in described} for entry in models_list.models]
    assert_in(described, listed, "fields of `GET /models/{model}`, compared with `GET /models`")


@check("retrieve_model", SHOULD, "sdk:models.retrieve encodes the id in the path")
def test_encoded_id_is_understood(models_list: Models, model: Models, model_encoded: Models) -> None:
    """`GET /models/{model}` accepts a percent-encoded id, which an id with a slash needs."""
    model.assert_accepted()
    assert_in(model_encoded.body.get("id"), models_list.ids, "`id`")


@check("retrieve_model", MAY, "de-facto:curl and older clients leave the slash as it is")
def test_id_with_a_slash_is_understood(models_list: Models, model: Models, model_with_slash: Models) -> None:
    """`GET /models/{model}` accepts an id with a slash that is not encoded."""
    model.assert_accepted()
    inconclusive_unless(
        "/" in model_with_slash.wire.request.path.removeprefix("/models/"),
        "no `data[].id` in `GET /models` has a slash",
    )
    assert_in(model_with_slash.body.get("id"), models_list.ids, "`id`")


@check("retrieve_model", SHOULD, "openapi:/models/{model}")
def test_unknown_id_is_not_found(model: Models, bad_model_id: Models) -> None:
    """`GET /models/{model}` with an unknown id is rejected with 404."""
    model.assert_accepted()
    expect_rejection(bad_model_id, 404)


@check("retrieve_model", MAY, "docs:guides/error-codes")
def test_unknown_id_has_the_code(model: Models, bad_model_id: Models) -> None:
    """`error.code` is `model_not_found` when the id in `GET /models/{model}` is unknown."""
    model.assert_accepted()
    assert_equal(bad_model_id.error.get("code"), "model_not_found", "`error.code`")
