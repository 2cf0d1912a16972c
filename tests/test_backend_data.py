"""What a `backend.toml` may say: wrong ones are refused with one sentence, and every optional key may be left out."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backends import data, doctor, find, identify, listening, process
from backends.__main__ import main
from backends.access import Access
from backends.containers import device, plan
from backends.errors import CannotStart
from backends.target import Wanted
from conformance.run import options
from tests.fake import as_json, error, serving
from tests.test_backends import HELLO, listing

TITLE = 'title = "X"\n'
PROCESS = TITLE + '[[process]]\nprogram = "x"\ncommand = ["{program}"]\n'
DEPLOY = '[deploy.chat]\nmodel = "m"\n'
CONTAINER = TITLE + '[container]\nname = "xx"\nport = 1\nhealth = "/h"\n'
CUDA = '[container.cuda]\nimage = "x/y:1"\n'
FILE = '[deploy.chat]\nmodel = "m"\nfile = "f"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty directory in the place of `backends/`."""
    monkeypatch.setattr(data, "HERE", tmp_path)
    find.backends.cache_clear()
    yield tmp_path
    find.backends.cache_clear()


def put(folder: Path, text: str, name: str = "x") -> Path:
    (folder / name).mkdir()
    (folder / name / "backend.toml").write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'title' is missing: the server's name"),
        ("title = 5\n", "expected a string, got 5 (`title`)"),
        ('title = " "\n', 'expected a string that is not empty and has no null character, got " " (`title`)'),
        ('title = "X\n', "cannot be read as TOML: "),
        (TITLE + TITLE, "cannot be read as TOML: "),
        (TITLE + "[atach]\n", "there is no key 'atach'; the file may have attach, container, deploy, doctor, homepage"),
        (TITLE + "[attach]\nurl = []\n", "there is no key 'attach.url'; [attach] may have capabilities, code_path"),
        (TITLE + '[attach]\nurls = "http://a"\n', 'expected an array, got "http://a" (`attach.urls`)'),
        (TITLE + '[attach]\nurls = ["a:1"]\n', "expected an address that begins with http:// or https://, got"),
        (TITLE + '[attach]\nurls = ["http://a/v1"]\n', "'attach.recognise' is missing: what answers at"),
        (
            TITLE + '[attach]\nurls = ["http://a:{PORT}"]\n',
            "the placeholder {PORT} cannot be filled (`attach.urls[0]`)",
        ),
        (TITLE + '[attach]\ndefaults = { P = "x" }\n', 'expected a port, or HOST:PORT, got "x" (`attach.defaults.P`)'),
        (TITLE + '[attach]\nversion = { path = "/v" }\n', "'attach.version.key' is missing: the dotted path"),
        (TITLE + '[attach]\nversion = { path = "v", key = "k" }\n', "expected a string that begins with /"),
        (TITLE + '[attach]\nversion = { path = "/v", key = "{k}" }\n', "the placeholder {k} cannot be filled"),
        (
            TITLE + '[attach]\ncode_path = { path = "/v", key = "k", is = { a = "(" } }\n',
            "expected a regular expression",
        ),
        (TITLE + '[attach]\ncapabilities = { path = "/v", key = "k", chat = [] }\n', "expected at least one item"),
        (PROCESS, "[process] needs [deploy], which says which models the server gets"),
        (PROCESS + DEPLOY, "'deploy.health' is missing: an endpoint that answers 200"),
        (PROCESS + '[deploy]\nhealth = "/h"\n', "'deploy.chat' is missing: the model of a role"),
        (PROCESS + '[deploy]\nhealth = "/h"\nslots = 4.0\n' + DEPLOY, "expected an integer, got 4.0 (`deploy.slots`)"),
        (PROCESS + '[deploy]\nhealth = "/h"\nslots = 0\n' + DEPLOY, "expected at least 1, got 0 (`deploy.slots`)"),
        (PROCESS + "[deploy]\nstart_seconds = nan\n" + DEPLOY, "expected a number, got NaN (`deploy.start_seconds`)"),
        (PROCESS + '[deploy]\nhealth = "/h"\nargs = ["{prot}"]\n' + DEPLOY, "the placeholder {prot} cannot be filled"),
        (PROCESS + '[deploy]\nhealth = "/h"\nargs = ["{file}"]\n' + DEPLOY, "the placeholder {file} cannot be filled"),
        (PROCESS + '[deploy]\nhealth = "/h"\nargs = ["{key}"]\n' + DEPLOY, "the placeholder {key} cannot be filled"),
        (PROCESS + '[deploy]\nhealth = "/h"\nargs = ["{"]\n' + DEPLOY, "a brace that is not a placeholder's must be"),
        (
            PROCESS + '[deploy]\nhealth = "/h"\nargs = ["\\u0000"]\n' + DEPLOY,
            "expected a string without a null character",
        ),
        (PROCESS + '[deploy]\nhealth = "/h"\nenv = { "A=B" = "" }\n' + DEPLOY, "expected the name of a variable of"),
        (
            PROCESS + '[deploy]\nhealth = "/h"\ndevice = "cpu"\n' + DEPLOY,
            "expected a regular expression with one group",
        ),
        (
            PROCESS + '[deploy]\nhealth = "/h"\nupstream = "y"\n' + DEPLOY,
            "expected a backend with [[process]] and without",
        ),
        (PROCESS + '[deploy]\nhealth = "/h"\n[deploy.hook]\n' + DEPLOY, "[deploy.hook] needs hook.py and hook.schema"),
        (PROCESS + '[deploy]\nhealth = "/h"\n' + DEPLOY + "hook = {}\n", "needs the table [deploy.hook]"),
        (PROCESS.replace("program = ", 'module = "m"\nprogram = ') + DEPLOY, "expected exactly one of the keys module"),
        (PROCESS.replace('program = "x"\n', 'module = "a-b"\n') + DEPLOY, "expected the name of a Python module"),
        (PROCESS.replace("[[process]]", "[process]") + DEPLOY, "expected an array, got"),
        (TITLE + DEPLOY, "[deploy] needs [[process]] or [container], which say what is started"),
        (CONTAINER + FILE, "expected at least one of the keys rocm, cuda, cpu ([container])"),
        (CONTAINER + CUDA, "[container] needs [deploy], which says which models the server gets"),
        (CONTAINER + CUDA + DEPLOY, "'deploy.chat.file' is missing: a container needs the model's file"),
        (CONTAINER.replace("port = 1", 'port = "1"') + CUDA + FILE, 'expected an integer, got "1" (`container.port`)'),
        (CONTAINER.replace("port = 1", "port = 70000") + CUDA + FILE, "expected at most 65535, got 70000"),
        (CONTAINER + CUDA + 'args = ["{port}"]\n' + FILE, "{port} is not a placeholder here"),
        (
            CONTAINER + CUDA + FILE + 'args = ["{directory}"]\n',
            "{directory} cannot be used in flags that containers get",
        ),
        (
            CONTAINER + "[container.tpu]\n" + CUDA + FILE,
            "there is no key 'container.tpu'; [container] may have args, cpu",
        ),
        (CONTAINER + "[container.cuda]\n" + FILE, "'container.cuda.image' is missing"),
        (
            TITLE + '[doctor]\ngpu_bytes = { path = "/v", key = "k" }\n',
            "'doctor.all_bytes' is missing: where it says how",
        ),
    ],
)
def test_a_wrong_file_is_one_sentence(folder: Path, text: str, sentence: str) -> None:
    put(folder, text)
    with pytest.raises(data.BadBackend) as refused:
        find.backends()
    told = str(refused.value)
    assert told.startswith("backends/x/backend.toml")
    assert sentence in told
    assert "\n" not in told


def test_a_file_that_cannot_be_read(folder: Path) -> None:
    (folder / "x").mkdir()
    (folder / "x" / "backend.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(data.BadBackend, match=r"^backends/x/backend.toml cannot be read as TOML: .*utf-8"):
        find.backends()


@pytest.mark.parametrize("name", ["a@b", "A", "-x", "a b"])
def test_a_name_that_no_option_can_have(folder: Path, name: str) -> None:
    put(folder, TITLE, name)
    with pytest.raises(data.BadBackend, match="use lower-case letters"):
        find.backends()


def test_two_backends_with_one_title(folder: Path) -> None:
    put(folder, TITLE, "x")
    put(folder, TITLE, "y")
    with pytest.raises(data.BadBackend, match=r"^backends/y/backend.toml: x has the title 'X' too; give each"):
        find.backends()


def test_a_hooks_tables_have_a_schema_of_their_own(folder: Path) -> None:
    here = put(folder, PROCESS + '[deploy]\nhealth = "/h"\n[deploy.hook]\nothers = [{ model = "m" }]\n' + DEPLOY)
    (here / "hook.py").touch()
    ollama = Path(data.__file__).parent / "ollama" / "hook.schema.json"
    (here / "hook.schema.json").write_bytes(ollama.read_bytes())
    with pytest.raises(data.BadBackend, match=r"in \[deploy.hook\], 'others\[0\].file' is missing: its GGUF file"):
        find.backends()


def test_a_wrong_file_is_a_usage_error(
    folder: Path, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder, "title = 5\n")
    with pytest.raises(pytest.UsageError, match=r"^backends/x/backend.toml: expected a string, got 5 \(`title`\)\.$"):
        options.parse(pytestconfig)
    assert main(["doctor", "x"]) == 2
    assert capsys.readouterr().err == "backends/x/backend.toml: expected a string, got 5 (`title`).\n"


# Every key that the schema does not require


def without_each(table: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all keys and items in TOML data."""
    for key, value in table.items() if isinstance(table, dict) else enumerate(table):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from without_each(value, (*path, key))


def use(name: str, about: dict[str, Any], table: str, origin: str) -> None:
    """Whatever can be done with a table of a backend's data without starting a server."""
    if table == "attach":
        listening.usual_urls(about)
        listening.is_backend(origin, about, Access())
        identify.attached(origin + "/v1", about, "m", Access())
    if table in ("process", "deploy"):
        process.with_key(Wanted(backend=name), about["deploy"])
        for binary in (None, "python3", "true"):
            with suppress(CannotStart):
                process.program(Wanted(backend=name, server_binary=binary), about)
        with suppress(CannotStart):
            process.with_models(about, Wanted(backend=name))
    for kind in ("rocm", "cuda", "cpu") if "container" in about and table != "attach" else ():
        with suppress(CannotStart):
            plan.services(about, device.described(kind, {}, about["container"]), {}, key="k")


@pytest.mark.parametrize("name", data.names())
def test_every_optional_key_may_be_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_installed_version", lambda *_: "1")
    monkeypatch.setattr(identify, "host", lambda: "this machine")
    file = Path(data.__file__).parent / name / "backend.toml"
    whole = tomllib.loads(file.read_text(encoding="utf-8"))
    with serving(lambda *_: error(404, "no")) as origin:
        for path in without_each(whole):
            less = copy.deepcopy(whole)
            inner: Any = less
            for step in path[:-1]:
                inner = inner[step]
            del inner[path[-1]]
            if not data.wrong(less, file.parent):
                use(name, less, str(path[0]), origin)


# Backends that a user starts


def sglang(method: str, path: str, body: bytes, headers: dict[str, str]) -> Any:
    models = {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "sglang", "max_model_len": 4096}]}
    about = {"version": "0.5.6", "max_running_requests": 7, "device": "cuda", "quantization": None}
    if body:
        return HELLO
    return {"/v1/models": as_json(models), "/server_info": as_json(about)}.get(path) or error(404, "no")


def at(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "usual_urls", lambda _: [origin + "/v1"])


def test_a_server_that_only_a_user_starts_is_found_at_its_usual_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(sglang) as origin:
        at(origin, monkeypatch)
        target = find.run(Wanted(backend="sglang")).target
    assert target.found == f"attached to {origin}/v1, where SGLang answered already"
    assert (target.version, target.slots, target.details["context"]) == ("0.5.6", 7, "4096")


@pytest.mark.parametrize("runtime", [None, "attach", "process", "container"])
def test_a_server_that_only_a_user_starts_is_not_there(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda *_: listing("m")) as origin:
        at(origin, monkeypatch)
        with pytest.raises(CannotStart) as refused:
            find.run(Wanted(backend="sglang", runtime=runtime))
    told = str(refused.value)
    assert told.startswith("No SGLang to attach to")
    assert (f"what answers at {origin} is not SGLang" in told) == (runtime in (None, "attach"))
    assert "python -m sglang.launch_server --model-path MODEL" in told
    assert told.endswith("or name its --base-url; this suite cannot start SGLang itself.")


@pytest.mark.parametrize(
    ("name", "pages"),
    [
        ("lmstudio", {"/lmstudio-greeting": {"lmstudio": True}}),
        ("litellm", {"/public/model_hub/info": {"docs_title": "LiteLLM API", "litellm_version": "1.108.7"}}),
        ("llama-cpp-python", {"/openapi.json": {"info": {"title": "🦙 llama.cpp Python API", "version": "0.3.36"}}}),
        (
            "transformers",
            {"/openapi.json": {"paths": {"/load_model": {"post": {"operationId": "load_model_load_model_post"}}}}},
        ),
    ],
)
def test_servers_are_recognised_by_what_they_answered(name: str, pages: dict[str, Any]) -> None:
    with serving(lambda _m, path, *_: as_json(pages.get(path, {"error": "Unexpected endpoint"}))) as origin:
        recognised = [one for one, about in find.backends().items() if listening.is_backend(origin, about, Access())]
    assert recognised == [name]


@pytest.mark.parametrize("name", ["litellm", "llama-cpp-python", "transformers"])
def test_a_package_that_is_not_installed_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    about = copy.deepcopy(find.backends()[name])
    about["process"][0]["module"] = "no_such_package.server"
    monkeypatch.setattr(find, "backends", lambda: {name: about})
    monkeypatch.setattr(listening, "usual_urls", lambda _: ["http://127.0.0.1:9/v1"])
    with pytest.raises(CannotStart) as refused:
        find.run(Wanted(backend=name))
    install = about["process"][0]["install"]
    assert str(refused.value) == (
        f"No {about['title']} found: install it with `{install}`, name another Python that has it with "
        "--server-binary=PYTHON, or name a running server with --base-url http://HOST:PORT/v1. "
        "(nothing answers at http://127.0.0.1:9)"
    )


def test_doctor_says_how_to_start_what_only_a_user_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "usual_urls", lambda _: ["http://127.0.0.1:9/v1"])
    (finding,) = doctor.examine("lmstudio")
    assert str(finding).startswith(
        "problem running: nothing answers at http://127.0.0.1:9 → start it: lms server start"
    )
