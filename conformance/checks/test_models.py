"""`GET /models` and `GET /models/{model}`."""

from collections import Counter

from conformance.kit import MAY, MUST, SHOULD, Chat, Models, check, expect_rejection, inconclusive_unless, lenient


@check("models", MUST, "openapi:ListModelsResponse.data", core=True)
def test_lists_the_model(capital: Chat, models_list: Models) -> None:
    """The list has the model that answers."""
    asked = capital.sent["model"]
    if asked not in models_list.ids:
        assert f"{asked}:latest" in models_list.ids
        lenient(f"{asked} is listed as {asked}:latest")


@check("models", SHOULD, "openapi:Model.id")
def test_ids_are_unique(models_list: Models) -> None:
    """Each model is listed once."""
    assert [one for one, times in Counter(map(str, models_list.ids)).items() if times > 1] == []


@check("retrieve_model", MUST, "openapi:/models/{model}", core=True)
def test_retrieves_the_model(capital: Chat, model: Models) -> None:
    """A model is found by its id."""
    assert (model.body.get("id"), model.body.get("object")) == (capital.sent["model"], "model")


@check("retrieve_model", SHOULD, "openapi:/models/{model}")
def test_is_the_same_as_listed(models_list: Models, model: Models) -> None:
    """A model that is found by its id is the same as in the list."""
    described = {key: model.body.get(key) for key in ("object", "created", "owned_by")}
    assert described in [{key: entry.get(key) for key in described} for entry in models_list.models]


@check("retrieve_model", SHOULD, "sdk:models.retrieve encodes the id in the path")
def test_encoded_id_is_understood(models_list: Models, model: Models, model_encoded: Models) -> None:
    """The id in the path may be percent-encoded, as it must be where it has a slash."""
    model.accepted()
    assert model_encoded.body.get("id") in models_list.ids


@check("retrieve_model", MAY, "de-facto:curl and older clients leave the slash as it is")
def test_id_with_a_slash_is_understood(models_list: Models, model: Models, model_with_slash: Models) -> None:
    """The id in the path may have a slash that is not encoded."""
    model.accepted()
    inconclusive_unless(
        "/" in model_with_slash.wire.request.path.removeprefix("/models/"), "no listed model has a slash in its id"
    )
    assert model_with_slash.body.get("id") in models_list.ids


@check("retrieve_model", SHOULD, "openapi:/models/{model}")
def test_unknown_id_is_not_found(model: Models, bad_model_id: Models) -> None:
    """An id that no model has is answered with 404."""
    model.accepted()
    expect_rejection(bad_model_id, 404)


@check("retrieve_model", MAY, "docs:guides/error-codes")
def test_unknown_id_has_the_code(model: Models, bad_model_id: Models) -> None:
    """The error's code for an unknown model is `model_not_found`."""
    model.accepted()
    assert bad_model_id.error.get("code") == "model_not_found"
