"""The forms of a request: those that mean the same give the same, and none breaks the server."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from conformance.kit import (
    SHOULD,
    Answer,
    Chat,
    Choice,
    Completion,
    Embeddings,
    Response,
    assert_equal,
    assert_in,
    assert_matches_schema,
    assert_none_broken,
    assert_none_of,
    assert_same_calls,
    assert_same_text,
    check,
    expect_rejection,
    inconclusive_unless,
    shown,
)
from fixtures import schemas

REQUEST = "openapi:CreateChatCompletionRequest"
PLAIN = ("model", "messages", "temperature", "max_tokens", "prompt", "input", "max_output_tokens")
"""What each request has; what it has beside them tells one form from another."""


def form(answer: Answer) -> str:
    """What tells the request from others, in at most 160 characters: its parameters, or what its messages have that is
    null or empty."""
    request = answer.exchange.request
    if isinstance(request.body, bytes):
        return request.body.decode(errors="replace")[:160]
    if request.headers:
        return str(dict(request.headers))[:160]
    sent = answer.sent
    told = [_told(key, value) for key, value in sent.items() if key not in PLAIN]
    told = told or list(_blanks(sent.get("messages"), "messages"))
    rest = [
        _told(key, sent[key]) for key in ("max_tokens", "temperature", "prompt", "input", "messages") if key in sent
    ]
    return ", ".join(told or rest)[:160]


def _told(name: str, value: Any) -> str:
    """A parameter with its value; of a large value, its type or nothing."""
    if isinstance(value, dict) and "type" in value:
        return f"{name}: {value['type']}"
    if isinstance(value, str) and value:
        return f"{name}: {value}"
    text = shown(value)
    return name if len(text) > 30 else f"{name}: {text}"


def _blanks(value: Any, where: str) -> Iterator[str]:
    """The members that are null or empty, as `messages[1].name: null`."""
    if not value and value not in (0, False):
        yield f"{where}: {shown(value) if value is None or value != '' else 'empty'}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _blanks(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _blanks(inner, f"{where}[{place}]")


def unbroken(answers: Iterable[Answer]) -> None:
    """Each request must be accepted or cleanly rejected: a 2xx, or a 4xx with an error object."""
    broken = [
        f"HTTP status {answer.status} for {form(answer)}"
        for answer in answers
        if not (answer.ok or answer.cleanly_refused)
    ]
    assert_none_broken(broken, "requests that were neither accepted nor cleanly rejected")


def accepted(answers: Iterable[Answer]) -> None:
    """Each request must be accepted."""
    for answer in answers:
        answer.assert_accepted()


def same_prompt(answers: Sequence[Chat], plain: Chat) -> None:
    """Each request that was accepted must have as many prompt tokens as the plain one, and its text."""
    plain.assert_accepted()
    read = [answer for answer in answers if answer.ok]
    sizes = {form(answer): answer.tokens("prompt") for answer in read}
    other = {name: size for name, size in sizes.items() if size != plain.tokens("prompt")}
    assert_none_of(other, f"prompts with more or fewer than {plain.tokens('prompt')} tokens (`usage.prompt_tokens`)")
    for answer in read:
        inconclusive_unless(
            plain.finish_reason == "length" or answer.finish_reason != "length",
            "the model did not end within max_tokens, which is fixed where a body is sent as bytes",
        )
        assert_same_text(answer.text, plain.text)


# The same request in other forms


@check("chat", SHOULD, REQUEST)
def test_neutral_parameters_change_nothing(capital: Chat, neutral_parameters: list[Chat]) -> None:
    """Parameters that are empty, null or the default are accepted, and change nothing."""
    unbroken(neutral_parameters)
    same_prompt(neutral_parameters, capital)
    accepted(neutral_parameters)


@check("tools", SHOULD, REQUEST)
def test_inert_parameters_change_nothing_beside_tools(capital_tools: Chat, inert_with_tools: list[Chat]) -> None:
    """`user`, `metadata`, `store` and similar parameters change neither prompt nor call of a request with `tools`."""
    unbroken(inert_with_tools)
    accepted(inert_with_tools)
    expected = capital_tools.tokens("prompt")
    for answer in inert_with_tools:
        assert_equal(answer.tokens("prompt"), expected, f"`usage.prompt_tokens` of {answer.name}")
        inconclusive_unless(answer.finish_reason != "length", "the model did not end within max_completion_tokens")
        assert_same_calls(answer, capital_tools)


@check("responses", SHOULD, "openapi:CreateResponse")
def test_inert_parameters_change_no_streamed_response(
    respond_capital: Response, response_inert_with_tools: Response
) -> None:
    """A `/responses` stream with `tools` accepts parameters without effect, and ends `completed` or `incomplete`."""
    respond_capital.assert_accepted()
    unbroken([response_inert_with_tools])
    assert_in(response_inert_with_tools.state, ("completed", "incomplete"), "`status` of the last event's response")


@check("chat", SHOULD, REQUEST)
def test_doubtful_parameters_change_nothing(capital: Chat, doubtful_parameters: list[Chat]) -> None:
    """`stop: []`, `tools: null`, `tool_choice` alone and integers as `48.0` change nothing or are rejected."""
    unbroken(doubtful_parameters)
    same_prompt(doubtful_parameters, capital)


@check("conversation", SHOULD, "openapi:ChatCompletionRequestAssistantMessage")
def test_null_members_change_nothing(two_turns: Chat, null_members: list[Chat]) -> None:
    """Null or empty fields of messages do not change `usage.prompt_tokens`; unknown fields may be rejected."""
    unbroken(null_members)
    same_prompt(null_members[:-1], two_turns)  # How parts are joined is up to the server: an empty one may add a mark.
    accepted(null_members[:2])


@check("conversation", SHOULD, "openapi:ChatCompletionRequestMessage")
def test_odd_conversations_break_nothing(doubtful_messages: list[Chat]) -> None:
    """Empty and unusual conversations get a response, or are cleanly rejected."""
    unbroken(doubtful_messages)
    for answer in doubtful_messages:
        if answer.ok:
            assert answer.choices, f"expected choices, got none (`choices` for {form(answer)})"


@check("completions", SHOULD, "openapi:CreateCompletionRequest.prompt")
def test_empty_prompts_break_nothing(continuation: Completion, completion_forms: list[Completion]) -> None:
    """An empty `prompt` is completed or cleanly rejected; parameters that may be null are as if absent."""
    continuation.assert_accepted()
    unbroken(completion_forms)
    accepted(completion_forms[-3:])
    for answer in completion_forms:
        if answer.ok:
            assert answer.choices, f"expected choices, got none (`choices` for {form(answer)})"


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest")
def test_blank_inputs_break_nothing(embedding: Embeddings, embedding_forms: list[Embeddings]) -> None:
    """A blank or empty `input`, and parameters that are null, are embedded as if absent, or cleanly rejected."""
    embedding.assert_accepted()
    unbroken(embedding_forms)
    for answer in embedding_forms:
        if answer.ok:
            assert answer.each, f"expected an embedding, got none (`data` for {form(answer)})"
            assert_equal(
                len(answer.each[0]), len(embedding.vector), f"length of `data[0].embedding` for {form(answer)}"
            )


@check("responses", SHOULD, "openapi:CreateResponse")
def test_neutral_parameters_change_no_response(respond_capital: Response, response_forms: list[Response]) -> None:
    """Parameters of the Responses API that are empty or the default, or may be null, change nothing."""
    unbroken(response_forms)
    *neutral, doubtful, _, _ = response_forms
    for answer in [*neutral, *([doubtful] if doubtful.ok else [])]:
        answer.assert_accepted()
        expected = respond_capital.tokens("input")
        assert_equal(answer.tokens("input"), expected, f"`usage.input_tokens` with {form(answer)}")
        inconclusive_unless(not answer.truncated, "the model did not end within max_output_tokens")
        assert_same_text(answer.text, respond_capital.text)


@check("errors", SHOULD, "rfc:8259#2")
def test_json_may_be_written_in_any_way(capital: Chat, json_forms: list[Chat]) -> None:
    """The order of keys, white space, escapes and the form of numbers in the JSON of a request change nothing."""
    unbroken(json_forms)
    same_prompt(json_forms, capital)
    accepted(json_forms)


@check("connections", SHOULD, "rfc:9110#8.3 media types, 12.5 negotiation, 10.1.1 Expect; rfc:9112#7.1 chunks")
def test_http_may_be_written_in_any_way(capital: Chat, http_forms: list[Chat]) -> None:
    """`charset`, `Accept`, `Accept-Encoding`, chunked bodies, `Expect` and unknown headers do not change the prompt."""
    unbroken(http_forms)
    same_prompt(http_forms, capital)
    accepted(http_forms)


@check("connections", SHOULD, "sdk:openai-python lib/azure.py adds `api-version` to each URL")
def test_a_query_string_changes_nothing(capital: Chat, queried: Chat) -> None:
    """A query string of the URL, such as `?api-version=`, is accepted, and changes nothing."""
    accepted([queried])
    same_prompt([queried], capital)


@check("connections", SHOULD, "rfc:9110#2.5 a server answers requests of a lower minor version")
def test_http_1_0_is_answered(capital: Chat, old_http: Chat, old_http_streamed: Chat) -> None:
    """An HTTP/1.0 request, plain or with `stream: true`, gets the same response as in HTTP/1.1."""
    accepted([old_http, old_http_streamed])
    for answer in (old_http, old_http_streamed):
        assert_same_text(answer.text, capital.text, f"`content` of {answer.name}")


@check("connections", SHOULD, "rfc:9112#6.1 no Transfer-Encoding in a response to HTTP/1.0")
def test_http_1_0_gets_no_chunks(old_http: Chat, old_http_streamed: Chat) -> None:
    """A response to an HTTP/1.0 request has no `Transfer-Encoding`: its client would read chunk sizes as text."""
    for answer in (old_http, old_http_streamed):
        answer.assert_accepted()
        found = answer.wire.header("transfer-encoding")
        assert found is None, f"expected no `Transfer-Encoding`, got {shown(found)} ({answer.name})"


@check("connections", SHOULD, "rfc:9112#9.3")
def test_connection_lasts_after_a_rejection(capital_after_rejection: list[Chat]) -> None:
    """After a rejection the connection stays open for the next request, unless the response has `Connection: close`."""
    rejection, question = capital_after_rejection
    question.assert_accepted()
    if "close" not in (rejection.wire.header("connection") or "").lower():
        assert_equal(question.wire.port, rejection.wire.port, "port of the client: another connection had to be opened")


# Parameters together


def rows(answers: list[Chat], **wanted: Any) -> list[Chat]:
    """The accepted responses whose requests have these values; `...` is any."""
    found = [
        answer
        for answer in answers
        if answer.ok and all(answer.sent.get(k) == v or (v is ... and k in answer.sent) for k, v in wanted.items())
    ]
    inconclusive_unless(found, "none of these requests was accepted")
    return found


@check("chat", SHOULD, REQUEST)
def test_parameters_together_break_nothing(paired: list[Chat]) -> None:
    """Each pair of values of nine parameters is accepted or cleanly rejected, and clients can read the response."""
    unbroken(paired)
    for answer in rows(paired):
        assert answer.choices, f"expected choices, got none (`choices` for {form(answer)})"


@check("n", SHOULD, f"{REQUEST}.n")
def test_n_holds_with_each_parameter(paired: list[Chat]) -> None:
    """`n: 2` gives two choices together with tools, formats, logprobs and streams, or is rejected."""
    for answer in rows(paired, n=2):
        assert_equal([choice.index for choice in answer.choices], [0, 1], f"`choices[].index` with {form(answer)}")


@check("logprobs", SHOULD, f"{REQUEST}.logprobs")
def test_logprobs_come_with_each_parameter(paired: list[Chat]) -> None:
    """`logprobs: true` gives logprobs of `content` together with tools, formats, `n` and streams, or is rejected."""
    texts = [answer for answer in rows(paired, logprobs=True) if answer.text.strip() and not answer.tool_calls]
    inconclusive_unless(texts, "the model wrote no text")
    for answer in texts:
        assert answer.choice.logprobs, f"expected logprobs, got none (`choices[0].logprobs` with {form(answer)})"


@check("tool_choice", SHOULD, f"{REQUEST}.tool_choice")
def test_required_holds_with_each_parameter(capital_required: Chat, paired: list[Chat]) -> None:
    """`tool_choice: required` gives a call in each choice together with formats, logprobs, `n` and streams."""
    inconclusive_unless(capital_required.tool_calls, "`tool_choice: required` has no effect by itself")
    for answer in rows(paired, tool_choice="required"):
        for choice in answer.choices:
            inconclusive_unless(choice.finish_reason != "length", "the model did not end within max_tokens")
            assert choice.tool_calls, (
                f"expected a tool call, got none (`choices[{choice.index}].message.tool_calls` with {form(answer)})"
            )


@check("tool_choice", SHOULD, f"{REQUEST}.tool_choice")
def test_none_holds_with_each_parameter(paired: list[Chat]) -> None:
    """`tool_choice: none` gives no call together with formats, logprobs, `n` and streams."""
    for answer in rows(paired, tool_choice="none"):
        for choice in answer.choices:
            assert_equal(choice.tool_calls, [], f"`choices[{choice.index}].message.tool_calls` with {form(answer)}")


def texts_in(answers: list[Chat], kind: str) -> list[tuple[Chat, Choice]]:
    """The texts that came to their end in responses to requests with this format, in which no tool could be called."""
    asked = [answer for answer in rows(answers, response_format=...) if answer.sent["response_format"]["type"] == kind]
    free = [answer for answer in asked if not answer.sent.get("tools") or answer.sent.get("tool_choice") == "none"]
    found = [(answer, choice) for answer in free for choice in answer.choices if choice.finish_reason == "stop"]
    inconclusive_unless(any(choice.text for _, choice in found), "the model did not end any text by itself")
    return [(answer, choice) for answer, choice in found if choice.text]


@check("json_schema", SHOULD, f"{REQUEST}.response_format")
def test_a_schema_holds_with_each_parameter(paired: list[Chat]) -> None:
    """`content` matches the `json_schema` together with logprobs, `n` and streams, or the request is rejected."""
    for _, choice in texts_in(paired, "json_schema"):
        assert_matches_schema(choice.document, schemas.PERSON)


@check("json_mode", SHOULD, f"{REQUEST}.response_format")
def test_json_mode_holds_with_each_parameter(paired: list[Chat]) -> None:
    """`content` is a JSON object with `json_object`, also together with logprobs, `n` and streams."""
    for answer, choice in texts_in(paired, "json_object"):
        assert isinstance(choice.document, dict), (
            f"expected a JSON object, got {shown(choice.text, 60)} (`content` with {form(answer)})"
        )


@check("streaming", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_usage_comes_with_each_parameter(paired: list[Chat]) -> None:
    """`include_usage` gives a stream its `usage`, also together with tools, formats, logprobs and `n`."""
    for answer in rows(paired, stream=True):
        assert any(chunk.get("usage") for chunk in answer.chunks), (
            f"expected a `usage`, got none (chunks with {form(answer)})"
        )


# What must be refused, and what no server may break at


@check("errors", SHOULD, "rfc:8259#9")
def test_what_is_no_json_is_rejected(bad_json_forms: list[Chat]) -> None:
    """`NaN`, trailing commas, single quotes, comments, two documents and leading zeros are rejected with 400."""
    taken = [form(answer) for answer in bad_json_forms if answer.ok]
    assert_none_of(taken, "accepted requests whose body is not JSON")
    for answer in bad_json_forms:
        expect_rejection(answer)


@check("errors", SHOULD, f"{REQUEST}.max_tokens")
def test_what_is_no_integer_is_rejected(bad_number_forms: list[Chat]) -> None:
    """A fraction or a boolean for an integer parameter, and a number too large for a double, are rejected with 400."""
    taken = [form(answer) for answer in bad_number_forms if answer.ok]
    assert_none_of(taken, "accepted numbers that the parameter cannot have")
    for answer in bad_number_forms:
        expect_rejection(answer)


@check("errors", SHOULD, "de-facto:parameters of local servers; docs:guides/error-codes a 5xx is the server's")
def test_wrong_local_parameters_break_nothing(local_parameters: list[Chat]) -> None:
    """Wrong values of parameters that OpenAI does not have (`top_k`, `grammar`, `options`) are ignored or rejected."""
    unbroken(local_parameters)


@check("errors", SHOULD, "docs:guides/conversation-state requests are independent")
def test_forms_leave_nothing_behind(capital: Chat, capital_after_forms: Chat) -> None:
    """After all requests with unusual forms, a plain request gets the same response as before them."""
    assert_equal(capital_after_forms.tokens("prompt"), capital.tokens("prompt"), "`usage.prompt_tokens`")
    assert_same_text(capital_after_forms.text, capital.text)
