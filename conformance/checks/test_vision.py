"""Images in `messages`: the model sees them."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    Ran,
    assert_at_most,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    shown,
)

IMAGE = "openapi:ChatCompletionRequestMessageContentPartImage"
GUIDE = "docs:guides/images-vision"
BLIND = "expected the model to name the colour, got a response without it (`content`)"
PROMPT = "`usage.prompt_tokens`"
SAME = "expected other content for a red and a blue image, got the same (`choices[0].message.content`)"


def names(answer: Chat, *colours: str) -> bool:
    """Whether the response names these colours, in this order."""
    at = [answer.text.lower().find(colour) for colour in colours]
    return at == sorted(at) and min(at) >= 0


def assert_sees_red(answer: Chat, as_png: Chat, without: Chat) -> None:
    """The response must name red; it is inconclusive if the image is in the prompt and the model errs."""
    inconclusive_unless(names(as_png, "red"), BLIND)
    reached = answer.tokens("prompt") > without.tokens("prompt") + 1
    inconclusive_unless(names(answer, "red") or not reached, f"{BLIND}; the prompt has the image", actual=answer.text)
    assert names(answer, "red"), f"expected 'red', got {shown(answer.text)} (`choices[0].message.content`)"


@check("vision", MUST, IMAGE, core=True)
def test_an_image_is_seen(look_at_nothing: Chat, look_red: Chat, look_blue: Chat) -> None:
    """The response to the same question changes with the `image_url`, and is about the image."""
    reached = look_red.tokens("prompt") > look_at_nothing.tokens("prompt") + 1
    inconclusive_unless(look_blue.said != look_red.said or not reached, f"{BLIND}; the prompt has the image")
    ignored_unless(look_blue.said != look_red.said, SAME)
    inconclusive_unless(
        names(look_red, "red") and names(look_blue, "blue"), BLIND, actual=f"{look_red.text} / {look_blue.text}"
    )


@check("vision", MUST, "docs:guides/images-vision image input requirements")
def test_an_image_costs_tokens(look_at_nothing: Chat, look_red: Chat) -> None:
    """An `image_url` part is part of the prompt, and `usage.prompt_tokens` counts it."""
    ignored_unless(
        look_red.tokens("prompt") > look_at_nothing.tokens("prompt") + 1,
        f"expected more tokens with the image, got no more ({PROMPT})",
    )


@check("vision", MUST, IMAGE)
def test_a_stream_sees_the_same(look_red: Chat, look_blue: Chat, look_red_streamed: Chat) -> None:
    """A stream about an image has the same content as the plain response."""
    inconclusive_unless(look_blue.text != look_red.text, SAME)
    assert_same_text(look_red_streamed.text, look_red.text, "`choices[0].delta.content`, joined")


@check("vision", MUST, "docs:guides/images-vision image input requirements")
def test_jpeg_is_seen(look_at_nothing: Chat, look_red: Chat, look_jpeg: Chat) -> None:
    """A JPEG in `image_url` has the same effect as the same image as a PNG."""
    assert_sees_red(look_jpeg, look_red, look_at_nothing)


@check("vision", SHOULD, GUIDE)
def test_webp_is_seen(look_at_nothing: Chat, look_red: Chat, look_webp: Chat) -> None:
    """A WebP in `image_url` has the same effect as the same image as a PNG."""
    assert_sees_red(look_webp, look_red, look_at_nothing)


@check("vision", SHOULD, GUIDE)
def test_gif_is_seen(look_at_nothing: Chat, look_red: Chat, look_gif: Chat) -> None:
    """A GIF without animation in `image_url` has the same effect as the same image as a PNG."""
    assert_sees_red(look_gif, look_red, look_at_nothing)


@check("vision", MUST, IMAGE)
def test_an_image_may_come_first(look_at_nothing: Chat, look_red: Chat, look_image_first: Chat) -> None:
    """An `image_url` part may come before the text part, and still reaches the model."""
    assert_sees_red(look_image_first, look_red, look_at_nothing)


@check("vision", MUST, IMAGE)
def test_two_images_cost_more_than_one(look_red: Chat, look_red_blue: Chat) -> None:
    """A message may have several `image_url` parts, and each is part of the prompt."""
    one, two = look_red.tokens("prompt"), look_red_blue.tokens("prompt")
    ignored_unless(two - one > 3, f"expected over 3 more tokens for a second image, got {two} after {one} ({PROMPT})")


@check("vision", MUST, IMAGE)
def test_images_keep_their_order(look_red: Chat, look_blue: Chat, look_red_blue: Chat, look_blue_red: Chat) -> None:
    """The model sees several images in the order of their `image_url` parts."""
    inconclusive_unless(names(look_red, "red") and names(look_blue, "blue"), BLIND)
    ignored_unless(
        look_blue_red.text != look_red_blue.text, "expected other content for another order, got the same (`content`)"
    )
    seen = f"{look_red_blue.text} / {look_blue_red.text}"
    both = all(names(answer, colour) for answer in (look_red_blue, look_blue_red) for colour in ("red", "blue"))
    inconclusive_unless(both, BLIND, actual=seen)
    for answer, colours in ((look_red_blue, ("red", "blue")), (look_blue_red, ("blue", "red"))):
        assert names(answer, *colours), f"expected {' before '.join(colours)}, got {shown(answer.text)} (`content`)"


@check("vision", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_an_earlier_image_stays_in_sight(look_red: Chat, look_back_at_nothing: Chat, look_back: Chat) -> None:
    """The `image_url` of an earlier message still reaches the model."""
    more = look_back.tokens("prompt") - look_back_at_nothing.tokens("prompt")
    ignored_unless(more > 1, f"expected more tokens with the earlier image, got {more} more ({PROMPT})")


@check("vision", SHOULD, f"{IMAGE}.image_url.detail")
def test_low_detail_costs_no_more(look_at_nothing: Chat, look_low: Chat, look_high: Chat) -> None:
    """`detail: low` costs no more `prompt_tokens` than `detail: high`."""
    inconclusive_unless(
        look_high.tokens("prompt") > look_at_nothing.tokens("prompt") + 1,
        f"expected more tokens with the image, got no more ({PROMPT})",
    )
    assert_at_most(look_low.tokens("prompt"), look_high.tokens("prompt"), f"{PROMPT} with `detail: low`")


# What must be rejected


@check("vision", MUST, f"{IMAGE}.image_url.url")
def test_broken_base64_is_refused(bad_image_base64: Chat) -> None:
    """A data URL that is not base64 is rejected with 400."""
    expect_rejection(bad_image_base64)


@check("vision", MUST, GUIDE)
def test_what_is_no_image_is_refused(bad_image_data: Chat) -> None:
    """A data URL whose bytes are not an image is rejected with 400."""
    expect_rejection(bad_image_data)


@check("vision", SHOULD, GUIDE)
def test_a_cut_image_is_refused(bad_image_cut: Chat) -> None:
    """A truncated image is rejected with 400."""
    expect_rejection(bad_image_cut)


@check("vision", SHOULD, f"{IMAGE}.image_url.url")
def test_an_image_must_have_a_url(bad_image_without_url: Chat) -> None:
    """An `image_url` part without `url` is rejected with 400."""
    expect_rejection(bad_image_without_url)


@check("vision", SHOULD, f"{IMAGE}.image_url.url")
def test_an_unreachable_image_is_refused(look_remote: Ran, bad_image_url_unreachable: Chat) -> None:
    """A remote image that cannot be fetched is rejected, if the server fetches remote images at all."""
    fetched = look_remote.ended.output.strip() not in ("", "0")
    inconclusive_unless(
        fetched or bad_image_url_unreachable.ok,
        "expected the server to fetch a remote image, got no fetch from this machine",
    )
    expect_rejection(bad_image_url_unreachable, or_leniently=(403, 404, 422, 424))


@check("vision", MAY, f"{IMAGE}.image_url.detail")
def test_an_unknown_detail_is_refused(bad_image_detail: Chat) -> None:
    """An unknown `detail` is rejected with 400."""
    expect_rejection(bad_image_detail)


@check("vision", SHOULD, GUIDE)
def test_a_model_without_eyes_refuses(describe_nothing: Chat, image_to_chat_model: Chat) -> None:
    """A model without image input rejects an `image_url` part, rather than ignoring it."""
    unseen = image_to_chat_model.ok and image_to_chat_model.tokens("prompt") <= describe_nothing.tokens("prompt") + 1
    ignored_unless(not unseen, f"expected a rejection, got a response without the image in the prompt ({PROMPT})")
    inconclusive_unless(
        not image_to_chat_model.ok, "expected a chat model without image input, got one that takes images"
    )
    expect_rejection(image_to_chat_model, or_leniently=(404, 415, 422, 501))


@check("vision", SHOULD, IMAGE)
def test_the_image_of_a_later_turn_is_seen(look_back: Chat, look_twice: list[Chat]) -> None:
    """A conversation may have an image in each of two turns, and the model also sees the later one."""
    for answer in look_twice:
        ignored_unless(
            answer.tokens("prompt") > look_back.tokens("prompt") + 1,
            f"expected more tokens with a second image, got no more ({PROMPT})",
        )
    first, second = ([(entry["token"], entry["logprob"]) for entry in answer.logprobs] for answer in look_twice)
    inconclusive_unless(first and second, "the response has no logprobs")
    ignored_unless(first != second, "expected other logprobs for another second image, got the same")


@check("vision", SHOULD, "docs:guides/images-vision image input requirements")
def test_the_last_of_six_images_is_seen(look_six_times: list[Chat]) -> None:
    """A conversation may have an image in each of six turns, and the model sees the last one, not an earlier one."""
    first, second = ([(entry["token"], entry["logprob"]) for entry in answer.logprobs] for answer in look_six_times)
    inconclusive_unless(first and second, "the response has no logprobs")
    ignored_unless(first != second, "expected other logprobs for another last image, got the same")


@check("vision", SHOULD, "openapi:ChatCompletionRequestAssistantMessage.tool_calls")
def test_calls_beside_an_image_are_read(look_after_calls: list[Chat]) -> None:
    """Earlier tool calls are part of the prompt in a conversation with an image, as they are without one."""
    short, long, short_beside, long_beside = (answer.tokens("prompt") for answer in look_after_calls)
    inconclusive_unless(long > short + 8, f"longer arguments of a call cost no tokens without an image ({PROMPT})")
    inconclusive_unless(short_beside > short, f"an image costs no tokens ({PROMPT})")
    more, got = long - short, long_beside - short_beside
    ignored_unless(got > 8, f"expected {more} more tokens for longer arguments of a call, got {got} ({PROMPT})")
