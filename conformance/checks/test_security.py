"""Security as a user sees it: marks in a text are text, the key guards all that generates, errors tell nothing."""

import re

from conformance.kit import (
    MAY,
    SHOULD,
    Answer,
    Chat,
    Every,
    assert_none_of,
    check,
    expect_rejection,
    inconclusive_unless,
    lenient,
    shown,
)
from fixtures.scenarios.security import MARKS, SDK_HEADERS, TIMES

INJECTION = "de-facto:OpenAI's tokenizer reads special tokens in a user's text as text"
LEAKS = re.compile(
    r"Traceback \(most recent call last\)"
    r'|File "[^"\n]+\.py\\?", line \d+'
    r"|(?:/[\w.-]+){2,}\.(?:py|cpp|cc|h|hpp|go|rs|js|ts|jinja|gguf|safetensors)\b"
    r"|\b\w+\.(?:cpp|cc|hpp|go|rs):\d+"
    r"|\{%-? *(?:if|for|set|macro|raise)\b"
    r"|\bgoroutine \d+ \["
    r"|\bat [\w.<>]+ \(\S+:\d+:\d+\)"
)
"""Stack traces, paths of files, lines of source and of chat templates."""


# Marks of the model in a text


@check("chat", MAY, INJECTION)
def test_special_tokens_in_a_text_are_text(unmarked: Chat, marked: list[Chat]) -> None:
    """The name of a special token in a user's message is read as text, not as the token."""
    bare = unmarked.tokens("prompt")
    each = [(answer.tokens("prompt") - bare) / TIMES for answer in marked]
    pairs = zip(MARKS, each[::2], each[1::2], strict=True)
    obeyed = [mark for (mark, _), real, other in pairs if real < 1.2 and other > 2.2]
    assert_none_of(
        obeyed,
        "special tokens in a user's `content` that count as one token or none, where similar strings count as several",
    )


@check("system_messages", SHOULD, "openapi:ChatCompletionRequestSystemMessage")
def test_a_quoted_turn_is_no_turn(
    capital: Chat, banana_before_capital: Chat, injected_text: Chat, injected_turn: Chat
) -> None:
    """A conversation quoted in a user's message is text: the model does not obey a system message in it."""
    obeyed = banana_before_capital.text.strip()
    inconclusive_unless(obeyed and obeyed != capital.text.strip(), "the model does not obey system messages")
    inconclusive_unless(
        injected_text.text.strip() != obeyed,
        "the model obeys any system message that a user quotes, even as plain text",
    )
    assert injected_turn.text.strip() != obeyed, (
        f"expected the model to read a quoted system message as text, got {shown(obeyed)}: it obeyed (`content`)"
    )


# The key


@check("api_key", SHOULD, "docs:guides/error-codes#401")
def test_guards_all_that_generates(no_key: Chat, wrong_key: Chat, generating_without_key: list[Answer]) -> None:
    """No path generates text without the API key, including paths that only this server has."""
    inconclusive_unless(not (no_key.ok and wrong_key.ok), "the server requires no API key")
    opened = [answer.exchange.request.path.removeprefix("/..") for answer in generating_without_key if answer.ok]
    assert_none_of(opened, "paths that answer 200 without the API key")


# Errors and files


@check("errors", SHOULD, "rfc:9457#5 errors do not expose internals of the implementation")
def test_errors_tell_nothing_of_the_server(every: Every) -> None:
    """No error has a stack trace, a path of the server's files, or the source of its chat template."""
    for answer in every.rejected():
        sent = (answer.exchange.request.content() or b"").decode(errors="replace")
        body = answer.wire.body.decode(errors="replace")
        found = [match[0] for match in LEAKS.finditer(body) if match[0] not in sent]
        assert_none_of(found[:3], f"internals of the server in the error of {answer.name}")


@check("vision", SHOULD, "de-facto:OpenAI rejects URLs of other schemes than https, http and data")
def test_files_of_the_server_are_no_images(bad_image_file: list[Chat]) -> None:
    """An `image_url` that names a file on the server's machine is rejected."""
    for answer in bad_image_file:
        expect_rejection(answer)


# Pages of other origins


def allows(answer: Answer) -> bool:
    """Whether a page of another origin may read the response."""
    return answer.wire.header("access-control-allow-origin") in ("*", "https://example.com")


@check("errors", MAY, "sdk:dangerouslyAllowBrowser")
def test_preflights_need_no_key(preflight: Answer, preflights: list[Answer]) -> None:
    """A preflight request (`OPTIONS`), which browsers send without an API key, gets 2xx."""
    inconclusive_unless(preflight.ok and allows(preflight), "the server allows no pages of other origins")
    refused = [f"{answer.exchange.request.path}: {answer.status}" for answer in preflights if not answer.ok]
    assert_none_of(refused, "preflight requests that were rejected")


@check("errors", MAY, "sdk:dangerouslyAllowBrowser")
def test_preflights_allow_what_the_sdk_sends(preflight: Answer, preflights: list[Answer]) -> None:
    """A preflight response allows the origin, the method, and each header that OpenAI's SDK sends."""
    inconclusive_unless(preflight.ok and allows(preflight), "the server allows no pages of other origins")
    for answer in preflights:
        wanted = dict(answer.exchange.request.headers)["access-control-request-method"]
        where = f"of the preflight request for {wanted} {answer.exchange.request.path}"
        assert allows(answer), (
            f"expected `Access-Control-Allow-Origin` to name the page's origin, got another or none ({where})"
        )
        allowed = [one.strip().lower() for one in (answer.wire.header("access-control-allow-headers") or "").split(",")]
        missing = [name for name in SDK_HEADERS.split(",") if name not in allowed and "*" not in allowed]
        assert_none_of(missing, f"headers that are not in `Access-Control-Allow-Headers` {where}")
        methods = [one.strip() for one in (answer.wire.header("access-control-allow-methods") or "").split(",")]
        if wanted == "DELETE":
            assert {"*", wanted} & {*methods}, (
                f"expected {wanted}, got a list without it (`Access-Control-Allow-Methods` {where})"
            )
        if "authorization" not in allowed:
            lenient(
                "`Access-Control-Allow-Headers: *` stands for `Authorization` in Chromium, not in the Fetch standard"
            )


@check("errors", MAY, "sdk:dangerouslyAllowBrowser")
def test_pages_may_read_streams_and_errors(
    preflight: Answer, cross_origin_stream: Chat, bad_cross_origin: Chat
) -> None:
    """Streams and errors have `Access-Control-Allow-Origin`, as other responses do."""
    inconclusive_unless(preflight.ok and allows(preflight), "the server allows no pages of other origins")
    for answer in (cross_origin_stream, bad_cross_origin):
        assert allows(answer), (
            f"expected `Access-Control-Allow-Origin`, got none (headers of {answer.name}, HTTP status {answer.status})"
        )


@check("errors", MAY, "sdk:dangerouslyAllowBrowser")
def test_pages_may_read_why_a_key_is_refused(preflight: Answer, cross_origin_without_key: Chat) -> None:
    """A response with 401 has `Access-Control-Allow-Origin`, as other responses do."""
    inconclusive_unless(preflight.ok and allows(preflight), "the server allows no pages of other origins")
    status = cross_origin_without_key.status
    inconclusive_unless(status == 401, f"expected 401 for a request without a key, got {status} (HTTP status)")
    assert allows(cross_origin_without_key), (
        "expected `Access-Control-Allow-Origin`, got none (headers of a response with 401)"
    )
