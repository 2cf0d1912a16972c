"""Dialects: chat templates in the notation of model families, a run's columns, and the table made of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends import data, find, process
from backends.target import Wanted
from conformance import results as written
from conformance.kit import calls_in, markup_in
from conformance.requirements import dialect_rows
from conformance.run import catalogue, main
from fixtures.dialects import HERE, Dialect, dialects, vocabulary
from fixtures.probe_model.training.dialogues import Draw
from fixtures.probe_model.training.dialogues import dialects as dialogues
from reports import families, tool_models
from reports.table import table
from tests.reports_data import check, results, target
from tests.test_bad_input import measure

ALL = list(dialects().values())
MODEL = HERE.parent / "probe_model"


@pytest.mark.parametrize("dialect", ALL, ids=lambda one: one.name)
def test_a_template_writes_a_turn_as_the_model_does(dialect: Dialect) -> None:
    draw = Draw(1)
    for kind in dialogues.kinds(dialect):
        prompt, answer = dialogues.sample(draw, dialect, kind)
        text = "".join(piece for piece, _ in answer)
        assert text.endswith((dialect.end, dialect.end_of_calls)), kind
        assert dialect.end not in prompt[-len(dialect.end) :], kind


@pytest.mark.parametrize("dialect", ALL, ids=lambda one: one.name)
def test_a_call_of_each_notation_is_found_in_content(dialect: Dialect) -> None:
    text = "<tool_call>\n" + json.dumps({"name": "get_weather", "arguments": {"city": "Oslo"}}) + "\n</tool_call>"
    message = dialogues.turn(dialect, text)
    wrote = dialogues.answer_text(dialect, [dialogues.user("")], None, message)
    assert markup_in(wrote) or calls_in(wrote, ["get_weather"])


def test_every_template_belongs_to_a_dialect() -> None:
    assert {file.stem for file in HERE.glob("*.jinja")} == set(dialects())


def test_templates_have_the_same_text_for_calls_sent_back() -> None:
    """Servers give templates the arguments as an object; JSON notations take a string, too."""
    call: dict[str, Any] = {"id": "call00000", "type": "function"}
    for dialect in (one for one in ALL if "is string" in one.template.read_text(encoding="utf-8")):
        if "arguments is string" not in dialect.template.read_text(encoding="utf-8"):
            continue
        forms = [
            dialogues.render(
                dialect,
                [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": None, "tool_calls": [call | {"function": function}]},
                ],
            )
            for function in ({"name": "f", "arguments": {"a": 1}}, {"name": "f", "arguments": '{"a": 1}'})
        ]
        assert forms[0] == forms[1], dialect.name


def test_columns_name_checks_that_exist() -> None:
    named = {id for column in dialect_rows.columns() for id in column.checks}
    assert named <= catalogue.load().keys()
    keys = {"", *Dialect.__dataclass_fields__}
    assert {column.needs for column in dialect_rows.columns()} <= keys


def test_what_a_notation_lacks_is_not_run() -> None:
    assert "parallel_tools.an_answer_has_several_calls" in dialect_rows.checks("hermes")
    assert "parallel_tools.an_answer_has_several_calls" not in dialect_rows.checks("gpt-oss")
    assert "reasoning.thoughts_come_apart" not in dialect_rows.checks("llama-3")


def test_only_a_chat_server_is_started_for_a_dialect() -> None:
    dialect = dialects()["kimi-k2"]
    wanted = Wanted(backend="llamacpp", chat_template=dialect.template, dialect=dialect.name)
    deploy = process.with_models(data.read_all()["llamacpp"], wanted)
    assert data.roles_of(deploy) == ["chat"]
    assert (deploy["chat"]["model"], wanted.name) == ("probe-kimi-k2", "llamacpp (kimi-k2)")


def test_the_reference_has_a_model_for_each_dialect() -> None:
    dialect = dialects()["kimi-k2"]
    wanted = Wanted(backend="reference", chat_template=dialect.template, dialect=dialect.name)
    deploy = process.with_models(data.read_all()["reference"], wanted)
    assert data.roles_of(deploy) == ["chat"]
    assert (deploy["chat"]["model"], "template" in deploy) == ("probe-kimi-k2", False)


def of_vllm(name: str) -> Wanted:
    dialect = dialects()[name]
    return Wanted(
        backend="vllm",
        chat_template=dialect.template,
        dialect=name,
        readers=dialect.readers("vllm"),
        server_binary=sys.executable,
    )


def test_vllm_is_told_what_reads_a_notation() -> None:
    args = process.with_models(data.read_all()["vllm"], of_vllm("glm-4.6"))["chat"]["args"]
    assert args[-4:] == ["--tool-call-parser", "glm45", "--reasoning-parser", "glm45"]
    assert "hermes" not in args
    args = process.with_models(data.read_all()["vllm"], of_vllm("llama-3"))["chat"]["args"]
    assert args[-2:] == ["--tool-call-parser", "llama3_json"]
    assert "--reasoning-parser" not in args


def test_a_server_without_a_reader_is_a_column_that_says_so() -> None:
    target = main._found(of_vllm("functionary-v3.1")).target
    why = "no reader for this notation: vLLM has no `--tool-call-parser` for functionary-v3.1"
    assert target.missing == {"chat": why}


def test_the_folder_has_the_numbers_and_tokens_of_the_gguf() -> None:
    folder, whole = MODEL / "probe-dialects", (MODEL / "probe-dialects-f16.gguf").read_bytes()
    raw = (folder / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(raw[:8], "little")
    tensors = {name: one for name, one in json.loads(raw[8:begin]).items() if name != "__metadata__"}
    assert all(
        raw[begin + one["data_offsets"][0] : begin + one["data_offsets"][1]] in whole for one in tensors.values()
    )
    added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    ours = {one["content"]: (one["id"], one["special"]) for one in added if one["id"] >= 1024}
    wanted = {token: (1024 + n, kind) for n, (token, (_, kind)) in enumerate(vocabulary().items())}
    assert ours == wanted
    ends = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))["eos_token_id"]
    assert {id for one in ALL for id, _ in map(wanted.get, {one.end, one.end_of_calls} - {"<|im_end|>"})} < set(ends)  # type: ignore[misc]


def test_a_backend_without_dialects_says_so() -> None:
    wanted = Wanted(backend="ollama", dialect="hermes")
    with pytest.raises(find.CannotStart, match="starts Ollama without a dialect"):
        find.run(wanted)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dialect=klingon"], "there is no dialect 'klingon'; choose all, or of llama-3"),
        (["--dialect=all", "--base-url=http://127.0.0.1:1/v1"], "leave out --base-url"),
        (["--dialect=all", "--runtime=container"], "leave out --runtime"),
        (["--dialect=all", "-n2"], "leave out -n"),
    ],
)
def test_what_does_not_go_together_is_said(arguments: list[str], said: str, tmp_path: Path) -> None:
    code, output = measure(tmp_path, *arguments)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert said in output


def column(dialect: str, **more: Any) -> dict[str, Any]:
    return target(f"llamacpp ({dialect})", "llamacpp", **({"details": {"dialect": dialect}} | more))


def made(dialect: str, **outcomes: str) -> list[dict[str, Any]]:
    return [check(id.replace("__", "."), outcome, target=f"llamacpp ({dialect})") for id, outcome in outcomes.items()]


@pytest.mark.slow
def test_a_replay_judges_what_the_run_judged(tmp_path: Path) -> None:
    live, replayed = tmp_path / "live", tmp_path / "replayed"
    for report, asked in (
        (live, ["--backend=reference", "--dialect=hermes"]),
        (replayed, [f"--replay={live}/results.jsonl"]),
    ):
        command = [sys.executable, "-m", "pytest", "-q", "--fail-on=never", f"--report={report}", *asked]
        subprocess.run(command, cwd=HERE.parent.parent, check=True, capture_output=True, timeout=300)
    first, again = ({c.id: c.outcome for c in written.read(at / "results.jsonl").checks} for at in (live, replayed))
    assert again == first
    assert "notation.every_call_is_read" in first


def test_cells_of_a_family(tmp_path: Path) -> None:
    checks = made(
        "hermes",
        tools__the_model_calls_a_function="pass",
        tools__content_is_null="fail",
        parallel_tools__an_answer_has_several_calls="fail",
        tools__streamed_calls_are_the_same="inconclusive",
        tool_choice__required_forces_a_call="ignored",
        tool_results__a_result_reaches_the_model="pass",
    )
    shown = table([results(tmp_path, checks, targets=[column("hermes")])])
    (family,) = families.of(shown)
    words = {cell.kind.title: cell.word for cell in family.cells}
    assert words["tools"] == "partial"
    assert words["parallel"] == "no"
    assert words["streamed"] == "unknown"
    assert words["required"] == "ignored"
    assert words["results"] == "yes"
    assert words["reasoning"] == "–"
    assert "| Hermes 2, Hermes 3 | partial | no |" in families.markdown(shown)


def test_the_page_says_how_the_texts_were_read(tmp_path: Path) -> None:
    shown = table([results(tmp_path, made("hermes", tools__content_is_null="pass"), targets=[column("hermes")])])
    page = families.markdown(shown, reread={"hermes": {"the same": 25, "rejected": 2}})
    assert "| Hermes 2, Hermes 3 | 27 | 25 | 0 | 2 | 0 |" in page


def test_a_page_keeps_the_sections_of_other_servers(tmp_path: Path) -> None:
    checks = made("hermes", tools__the_model_calls_a_function="pass")
    shown = table([results(tmp_path, checks, targets=[column("hermes")])])
    first = families.markdown(shown)
    assert "## vLLM, not run\n\nIts readers" in first
    assert "| Kimi K2 | tools `kimi_k2`, reasoning `kimi_k2` |" in first
    old = first.replace("## llama.cpp", "## vLLM\n\nMeasured on vllm 1.\n\n## llama.cpp")
    page = families.markdown(shown, {"llamacpp": {"hermes": {"a call": "<tool_call>"}}}, old)
    assert "## vLLM\n\nMeasured on vllm 1.\n\n## Ollama, not run" in page
    assert page.count("## llama.cpp\n") == 1
    assert "#### Hermes 2, Hermes 3\n\nA call\n\n```\n<tool_call>\n```" in page


def test_a_template_that_no_server_loads_is_a_cell_that_says_why(tmp_path: Path) -> None:
    why = "no server in this notation: llama.cpp ended"
    gone = column("pythonic", deployments=[], missing={"chat": why})
    shown = table([results(tmp_path, made("pythonic", tools__the_model_calls_a_function="blocked"), targets=[gone])])
    assert why in families.markdown(shown)


def test_the_model_table_has_the_measured_notation(tmp_path: Path) -> None:
    checks = made("llama-3", tools__the_model_calls_a_function="pass")
    shown = table([results(tmp_path, checks, targets=[column("llama-3")])])
    rows = {model.title: cells for model, cells in tool_models.claims(shown).rows}
    assert [cell.column.name for cell in rows["Llama 3.2"][0].cells] == ["llamacpp (llama-3)"]
    assert rows["Llama 3.2"][0].says == "no"
    assert not rows["Mistral Nemo"][0].cells
    nemo = next(model for model in tool_models.models() if model.title == "Mistral Nemo")
    assert nemo.readers("vllm") == ["Mistral Nemo: tools `mistral`"]


def test_vocabulary_has_every_token_of_the_templates() -> None:
    """Marks in ‹› of the families: `<|…|>` and `<｜…｜>` are single tokens of the probe model."""
    known = {*vocabulary(), "<|im_start|>", "<|im_end|>", "<|endoftext|>"}
    for dialect in ALL:
        marks = re.findall(r"<\|[\w]+\|>|<｜[\w▁]+｜>", dialect.template.read_text(encoding="utf-8"))
        assert set(marks) <= known, dialect.name
