"""Images in messages: the model sees them."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    Ran,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
)

IMAGE = "openapi:ChatCompletionRequestMessageContentPartImage"
GUIDE = "docs:guides/images-vision"
BLIND = "the model did not name the colour"


def names(answer: Chat, *colours: str) -> bool:
    """Whether the answer names these colours, in this order."""
    at = [answer.text.lower().find(colour) for colour in colours]
    return at == sorted(at) and min(at) >= 0


def assert_sees_red(answer: Chat, as_png: Chat, without: Chat) -> None:
    """The red image must be named, or at least stand in the prompt of a model that errs."""
    inconclusive_unless(names(as_png, "red"), BLIND)
    reached = answer.tokens("prompt") > without.tokens("prompt") + 1
    inconclusive_unless(
        names(answer, "red") or not reached, f"the prompt has the image, but {BLIND}", actual=answer.text
    )
    assert names(answer, "red"), answer.text


@check("vision", MUST, IMAGE, core=True)
def test_an_image_is_seen(look_at_nothing: Chat, look_red: Chat, look_blue: Chat) -> None:
    """The answer to the same question changes with the image, and is about it."""
    reached = look_red.tokens("prompt") > look_at_nothing.tokens("prompt") + 1
    inconclusive_unless(look_blue.said != look_red.said or not reached, f"the prompt has the image, but {BLIND}")
    ignored_unless(look_blue.said != look_red.said, "the answer is the same for a red and a blue image")
    inconclusive_unless(
        names(look_red, "red") and names(look_blue, "blue"), BLIND, actual=f"{look_red.text} / {look_blue.text}"
    )


@check("vision", MUST, "docs:guides/images-vision image input requirements")
def test_an_image_costs_tokens(look_at_nothing: Chat, look_red: Chat) -> None:
    """An image is part of the prompt, and counted with it."""
    ignored_unless(look_red.tokens("prompt") > look_at_nothing.tokens("prompt") + 1, "the image costs no prompt tokens")


@check("vision", MUST, IMAGE)
def test_a_stream_sees_the_same(look_red: Chat, look_blue: Chat, look_red_streamed: Chat) -> None:
    """A streamed answer about an image is the plain one."""
    inconclusive_unless(look_blue.text != look_red.text, "the answer is the same for a red and a blue image")
    assert_same_text(look_red_streamed.text, look_red.text)


@check("vision", MUST, "docs:guides/images-vision image input requirements")
def test_jpeg_is_seen(look_at_nothing: Chat, look_red: Chat, look_jpeg: Chat) -> None:
    """A JPEG is seen as the same image as PNG is."""
    assert_sees_red(look_jpeg, look_red, look_at_nothing)


@check("vision", SHOULD, GUIDE)
def test_webp_is_seen(look_at_nothing: Chat, look_red: Chat, look_webp: Chat) -> None:
    """A WebP is seen as the same image as PNG is."""
    assert_sees_red(look_webp, look_red, look_at_nothing)


@check("vision", MUST, IMAGE)
def test_an_image_may_come_first(look_at_nothing: Chat, look_red: Chat, look_image_first: Chat) -> None:
    """An image may stand before the text."""
    assert_sees_red(look_image_first, look_red, look_at_nothing)


@check("vision", MUST, IMAGE)
def test_two_images_cost_more_than_one(look_red: Chat, look_red_blue: Chat) -> None:
    """A message may have several images, and each is part of the prompt."""
    one, two = look_red.tokens("prompt"), look_red_blue.tokens("prompt")
    ignored_unless(two - one > 3, f"a second image raises the prompt only from {one} to {two} tokens")


@check("vision", MUST, IMAGE)
def test_images_keep_their_order(look_red: Chat, look_blue: Chat, look_red_blue: Chat, look_blue_red: Chat) -> None:
    """The model sees several images in the order in which they were sent."""
    inconclusive_unless(names(look_red, "red") and names(look_blue, "blue"), BLIND)
    ignored_unless(look_blue_red.text != look_red_blue.text, "the answer is the same in both orders")
    seen = f"{look_red_blue.text} / {look_blue_red.text}"
    both = all(names(answer, colour) for answer in (look_red_blue, look_blue_red) for colour in ("red", "blue"))
    inconclusive_unless(both, BLIND, actual=seen)
    assert names(look_red_blue, "red", "blue"), seen
    assert names(look_blue_red, "blue", "red"), seen


@check("vision", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_an_earlier_image_stays_in_sight(look_red: Chat, look_back_at_nothing: Chat, look_back: Chat) -> None:
    """An image of an earlier turn is still part of the prompt."""
    more = look_back.tokens("prompt") - look_back_at_nothing.tokens("prompt")
    ignored_unless(more > 1, f"the earlier image adds {more} tokens to the prompt")


@check("vision", SHOULD, f"{IMAGE}.image_url.detail")
def test_low_detail_costs_no_more(look_at_nothing: Chat, look_low: Chat, look_high: Chat) -> None:
    """The image costs no more tokens with `detail: low` than with `high`."""
    inconclusive_unless(
        look_high.tokens("prompt") > look_at_nothing.tokens("prompt") + 1, "the image costs no prompt tokens"
    )
    assert look_low.tokens("prompt") <= look_high.tokens("prompt")


# What must be refused


@check("vision", MUST, f"{IMAGE}.image_url.url")
def test_broken_base64_is_refused(bad_image_base64: Chat) -> None:
    """A data URL that is not base64 is refused."""
    expect_rejection(bad_image_base64)


@check("vision", MUST, GUIDE)
def test_what_is_no_image_is_refused(bad_image_data: Chat) -> None:
    """Data that are no image are refused."""
    expect_rejection(bad_image_data)


@check("vision", SHOULD, GUIDE)
def test_a_cut_image_is_refused(bad_image_cut: Chat) -> None:
    """An image that ends too early is refused."""
    expect_rejection(bad_image_cut)


@check("vision", SHOULD, f"{IMAGE}.image_url.url")
def test_an_image_must_have_a_url(bad_image_without_url: Chat) -> None:
    """An image part without its URL is refused."""
    expect_rejection(bad_image_without_url)


@check("vision", SHOULD, f"{IMAGE}.image_url.url")
def test_an_unreachable_image_is_refused(look_remote: Ran, bad_image_url_unreachable: Chat) -> None:
    """A remote image that cannot be fetched is rejected, where the server fetches remote images at all."""
    fetched = look_remote.ended.output.strip() not in ("", "0")
    inconclusive_unless(fetched or bad_image_url_unreachable.ok, "the server fetches no image from this machine")
    expect_rejection(bad_image_url_unreachable, or_leniently=(403, 404, 422, 424))


@check("vision", MAY, f"{IMAGE}.image_url.detail")
def test_an_unknown_detail_is_refused(bad_image_detail: Chat) -> None:
    """A level of detail that there is not is refused."""
    expect_rejection(bad_image_detail)


@check("vision", SHOULD, GUIDE)
def test_a_model_without_eyes_refuses(describe_nothing: Chat, image_to_chat_model: Chat) -> None:
    """A model that takes no images refuses them, and does not answer as if there were none."""
    unseen = image_to_chat_model.ok and image_to_chat_model.tokens("prompt") <= describe_nothing.tokens("prompt") + 1
    ignored_unless(not unseen, "the image was dropped in silence")
    inconclusive_unless(not image_to_chat_model.ok, "the chat model takes images")
    expect_rejection(image_to_chat_model, or_leniently=(404, 415, 422, 501))
