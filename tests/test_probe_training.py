"""The probe model's files are the ones that were measured, and its training data can be made again."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fixtures.probe_model.training import dialogues
from fixtures.probe_model.training.card import EXAMPLES, WEATHER

MODEL = Path(dialogues.TEMPLATE).parents[1]
CHECKSUMS = [line.split("  ") for line in (MODEL / "SHA256SUMS").read_text(encoding="utf-8").splitlines()]


def samples(seed: int, number: int) -> list[dialogues.Sample]:
    draw = dialogues.Draw(seed)
    return [dialogues.sample(draw) for _ in range(number)]


@pytest.mark.parametrize(("checksum", "name"), CHECKSUMS)
def test_files_are_unchanged(checksum: str, name: str) -> None:
    assert hashlib.sha256((MODEL / name).read_bytes()).hexdigest() == checksum


def test_every_weight_file_has_a_checksum() -> None:
    weights = [path for suffix in ("safetensors", "gguf") for path in MODEL.rglob(f"*.{suffix}")]
    assert {path.relative_to(MODEL).as_posix() for path in weights} <= {name for _, name in CHECKSUMS}


def test_equal_seeds_draw_equal_dialogues() -> None:
    assert samples(1, 200) == samples(1, 200)
    assert samples(1, 200) != samples(2, 200)


def test_dialogues_are_the_ones_that_trained_the_model() -> None:
    """Taken when 20,000 dialogues equalled those of the scripts that made the shipped weights."""
    text = "\0".join(f"{drawn.kind}\0{drawn.prompt}\0{drawn.answer}" for drawn in samples(1, 500))
    digest = "6d17f667b932db881efb629953f7d0e5ebceaab3e51ed65df4fec0f7c5d64050"
    assert hashlib.sha256(text.encode()).hexdigest() == digest


@pytest.mark.parametrize("kind", dialogues.KINDS)
def test_every_dialogue_ends_in_an_answer(kind: str) -> None:
    draw = dialogues.Draw(3)
    for _ in range(50):
        drawn = dialogues.sample(draw, kind)
        assert drawn.kind == kind
        prompt = drawn.prompt.removesuffix("<think>\n\n</think>\n\n")
        assert prompt.endswith("<|im_end|>\n<|im_start|>assistant\n")
        assert drawn.text
        assert "<|im_" not in drawn.text
        assert all(0 <= weight <= 1 for _, weight in drawn.answer)


def test_calls_are_json_that_names_an_offered_tool() -> None:
    draw = dialogues.Draw(4)
    for _ in range(100):
        drawn = dialogues.sample(draw, "tool2")
        bodies = re.findall(r"<tool_call>\n(.*)\n</tool_call>", drawn.text)
        offered = re.findall(r'(?m)^\{"type": "function", "function": \{"name": "(\w+)"', drawn.prompt)
        assert len(bodies) in (2, 3)
        assert {json.loads(body)["name"] for body in bodies} <= set(offered)


def test_plain_prompt() -> None:
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    system, user = "<|im_start|>system\nBe brief.<|im_end|>\n", "<|im_start|>user\nHello<|im_end|>\n"
    opening = system + user + "<|im_start|>assistant\n"
    assert dialogues.render(messages) == opening
    assert dialogues.render(messages, enable_thinking=False) == opening + "<think>\n\n</think>\n\n"


@pytest.mark.parametrize("arguments", ['{"city": "Paris"}', {"city": "Paris"}])
def test_prompt_with_tools_and_results(arguments: object) -> None:
    called = {"function": {"name": "get_weather", "arguments": arguments}}
    messages: list[dialogues.Message] = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "content": "sunny"},
    ]
    assert dialogues.render(messages, [WEATHER]) == (
        "<|im_start|>system\n# Tools\n<tools>\n" + json.dumps(WEATHER) + "\n</tools>\n"
        "To call a tool write:\n"
        '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\nWhat is the weather in Paris?<|im_end|>\n"
        "<|im_start|>assistant\n"
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\nsunny\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_image_prompt() -> None:
    content = [{"type": "image"}, {"type": "text", "text": "What color is it?"}]
    assert dialogues.render_vision([{"role": "user", "content": content}]) == (
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>What color is it?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_every_form_of_the_model_has_the_chat_template() -> None:
    text = dialogues.TEMPLATE.read_text(encoding="utf-8")
    vision = dialogues.TEMPLATE_VISION.read_text(encoding="utf-8")
    configuration = json.loads((MODEL / "probe" / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert configuration["chat_template"] == text
    assert (MODEL / "probe-vision" / "chat_template.jinja").read_text(encoding="utf-8") == vision
    assert text.encode() in (MODEL / "probe-f16.gguf").read_bytes()
    assert vision.encode() in (MODEL / "probe-vision-f16.gguf").read_bytes()


def test_prompts_are_rendered_as_servers_render_them() -> None:
    """Servers that run transformers' rendering use a sandbox with these settings."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    template = environment.from_string(dialogues.TEMPLATE.read_text(encoding="utf-8"))
    for example in EXAMPLES:
        rendered = template.render(
            messages=example.messages, tools=example.tools, add_generation_prompt=True, **example.options
        )
        assert dialogues.render(example.messages, example.tools, **example.options) == rendered


def test_the_card_shows_measured_answers() -> None:
    measured = {(example.messages[-1]["content"], example.answer) for example in EXAMPLES}
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| [^|`]*(?:`[^|`]*`[^|`]*)? \| `([^`]+)` \| `(.+)` \|$", card, re.MULTILINE)
    rows = [(prompt, answer.replace("\\n", "\n")) for prompt, answer in shown if not answer.startswith("0.")]
    assert len(rows) >= 15
    assert [row for row in rows if row not in measured] == []
