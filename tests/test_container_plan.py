"""What would be run in containers, and what the engine's complaints mean; no engine is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from backends import scratch
from backends.__main__ import main
from backends.access import Access
from backends.containers import compose, device, engine, plan, starting
from backends.containers.container import Container, arguments
from backends.containers.device import Device
from backends.containers.plan import Service
from backends.errors import CannotStart
from backends.find import backends
from backends.target import Wanted
from conformance.run.judge import Judge
from conformance.run.main import MainRun
from tests.fake import as_json, serving
from tests.test_bad_input import HELLO

CONTAINED = [name for name, data in backends().items() if "container" in data]
CPU = Device(name="cpu")
ALL = {"name": "x", "rocm": {}, "cuda": {}, "cpu": {}}
"""A container with an image for each device."""


def machine(root: Path, *files: str) -> Path:
    """A file tree with these (empty) device files."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any GPU, whose programs cannot be found."""
    monkeypatch.setattr(device, "ROOT", tmp_path / "root")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    return tmp_path / "root"


# Devices


def test_auto_takes_rocm_then_cuda_then_the_cpu(bare: Path) -> None:
    assert device.choose("auto", {}, ALL).name == "cpu"
    machine(bare, "dev/nvidia0")
    assert device.choose("auto", {}, ALL).name == "cuda"
    machine(bare, "dev/kfd")
    assert device.choose("auto", {}, ALL).name == "cuda", "/dev/kfd without /dev/dri is no usable ROCm"
    machine(bare, "dev/dri/renderD128")
    assert device.choose("auto", {}, ALL).name == "rocm"


@pytest.mark.parametrize(("name", "lacks"), [("rocm", "no /dev/kfd and no /dev/dri"), ("cuda", "no /dev/nvidia0")])
def test_a_device_that_is_not_there(bare: Path, name: str, lacks: str) -> None:
    with pytest.raises(CannotStart, match=f"--device {name} needs .*{lacks}.*sudo .*--device=cpu"):
        device.choose(name, {}, ALL)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("auto", "^--device rocm needs .* or name a running server with --base-url"),
        ("cpu", "^The container x has no image for cpu: add --device=rocm or cuda"),
    ],
)
def test_a_container_without_an_image_for_the_cpu(bare: Path, asked: str, sentence: str) -> None:
    with pytest.raises(CannotStart, match=sentence):
        device.choose(asked, {}, {"name": "x", "rocm": {}, "cuda": {}})
    assert device.described("rocm", {}, {"name": "x", "rocm": {}}).name == "rocm"


def test_rocm_gets_devices_groups_and_the_override(bare: Path) -> None:
    machine(bare, "dev/kfd", "dev/dri/card0", "dev/dri/renderD128")
    os.chown(bare / "dev/dri/renderD128", -1, os.getgid())
    env = {"HSA_OVERRIDE_GFX_VERSION": "11.0.0", "OTHER": "1"}
    given = arguments(plan.services(backends()["vllm"], device.choose("rocm", env, ALL), env)[0], env)
    assert given["devices"] == ["/dev/kfd:/dev/kfd", "/dev/dri:/dev/dri"]
    assert given["group_add"] == [str(os.getgid())], "the numbers of the host, each once"
    assert given["environment"]["HSA_OVERRIDE_GFX_VERSION"] == "11.0.0"
    assert "OTHER" not in given["environment"]
    assert given["ipc_mode"] == "host"
    assert given["shm_size"] == "16g"
    assert given["security_opt"] == ["seccomp=unconfined"]


ROCM_SMI = "GPU[0]\t\t: Card Series: \t\tAMD Radeon RX 7900 XTX\nGPU[0]\t\t: Card Model: \t\t0x744c\n"
AMD_SMI = json.dumps([{"gpu": 0, "asic": {"market_name": "AMD Instinct MI300X", "vendor_id": "0x1002"}}], indent=4)


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        (
            "rocm",
            {
                "rocm-smi --showproductname": ROCM_SMI,
                "rocm-smi --showdriverversion": "========\nDriver version: 6.12.12\n",
                "cat /opt/rocm/.info/version": "7.2.1-81\n",
            },
            {"GPU": "AMD Radeon RX 7900 XTX", "GPU driver": "6.12.12", "ROCm": "7.2.1-81"},
        ),
        (
            "rocm",
            {"amd-smi static --asic --json": AMD_SMI, "cat /sys/module/amdgpu/version": "6.14.14\n"},
            {"GPU": "AMD Instinct MI300X", "GPU driver": "6.14.14"},
        ),
        (
            "cuda",
            {
                "nvidia-smi --query-gpu=name --format=csv,noheader": "NVIDIA H100 80GB HBM3\n",
                "nvidia-smi --query-gpu=driver_version --format=csv,noheader": "580.95.05\n",
                "nvidia-smi": "| NVIDIA-SMI 580.95.05   Driver Version: 580.95.05   CUDA Version: 13.0     |",
            },
            {"GPU": "NVIDIA H100 80GB HBM3", "GPU driver": "580.95.05", "CUDA": "13.0"},
        ),
    ],
)
def test_facts_from_inside(name: str, said: dict[str, str], expected: dict[str, str]) -> None:
    assert device.facts(name, lambda command: said.get(" ".join(command))) == expected


# Services


def test_without_variables_the_probe_model_is_served_under_the_guides_name_and_port() -> None:
    chat, embedding, vision = plan.services(backends()["llamacpp"], CPU, {})
    assert (chat.name, embedding.name, vision.name) == (
        "llama-server",
        "llama-server-embedding",
        "llama-server-vision",
    )
    assert [plan.filled(s.publish, {}) for s in (chat, embedding, vision)] == ["8000", "8001", "8002"]
    assert chat.volumes[0][1] == "/suite/fixtures/probe_model"
    assert "fixtures/probe_model/probe-f16.gguf" in chat.command
    (ollama,) = plan.services(backends()["ollama"], CPU, {})
    assert (ollama.name, plan.filled(ollama.publish, {})) == ("ollama-dev", "11434")


def test_a_port_that_the_user_names_is_kept() -> None:
    vllm = plan.services(backends()["vllm"], CPU, {"VLLM_PORT": "9001"})
    assert arguments(vllm[0], {"VLLM_PORT": "9001"})["ports"] == {"8000/tcp": ("127.0.0.1", 9001)}
    assert vllm[0].fixed
    with pytest.raises(CannotStart, match="'http' is not a port: set VLLM_PORT"):
        plan.services(backends()["vllm"], CPU, {"VLLM_PORT": "http"})


@pytest.mark.parametrize(
    "env",
    [
        {"MODEL_PATH": "/data/sub/m.gguf", "MODELS_DIR": "{dir}"},
        {"MODEL_PATH": "sub/m.gguf", "MODELS_DIR": "{dir}"},
        {"MODEL_PATH": "{dir}/sub/m.gguf", "MODELS_DIR": "{dir}"},
        {"MODELS_DIR": "{dir}/sub"},
        {"MODEL_PATH": "{dir}/sub/m.gguf"},
    ],
)
def test_the_users_gguf_is_found(tmp_path: Path, env: dict[str, str]) -> None:
    machine(tmp_path, "sub/m.gguf")
    given = {name: value.format(dir=tmp_path) for name, value in env.items()}
    given |= {"GPU_LAYERS": "20", "PARALLEL_SLOTS": "2"}
    (service,) = plan.services(backends()["llamacpp"], device.describe("rocm", {}), given)
    args = arguments(service, given)
    ((host, inside),) = [(m["Source"], m["Target"]) for m in args["mounts"]]
    served = args["command"][args["command"].index("-m") + 1]
    assert (Path(host) / Path(served).relative_to(inside)).samefile(tmp_path / "sub/m.gguf")
    assert args["command"][args["command"].index("-ngl") + 1] == "20"
    assert args["command"][args["command"].index("--parallel") + 1] == "2"


def test_vllm_takes_a_directory_or_an_id_of_the_hub(tmp_path: Path) -> None:
    machine(tmp_path, "mine/config.json")
    (local,) = plan.services(backends()["vllm"], CPU, {"MODELS_DIR": str(tmp_path)})
    assert "/models/mine" in local.command
    (hub,) = plan.services(backends()["vllm"], CPU, {"MODEL_PATH": "Qwen/Qwen3-0.6B"})
    assert "Qwen/Qwen3-0.6B" in hub.command
    assert hub.volumes == ()


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"MODEL_PATH": "/data/no.gguf", "MODELS_DIR": "{dir}"}, "no.gguf is not there.*it holds a.gguf, b.gguf"),
        ({"MODELS_DIR": "{dir}"}, "holds a.gguf, b.gguf that fit .*: say which with MODEL_PATH"),
        ({"MODELS_DIR": "{dir}/nowhere"}, "is not a directory"),
    ],
)
def test_a_model_that_is_not_there(tmp_path: Path, env: dict[str, str], sentence: str) -> None:
    machine(tmp_path, "a.gguf", "b.gguf")
    with pytest.raises(CannotStart, match=sentence):
        plan.services(backends()["llamacpp"], CPU, {k: v.format(dir=tmp_path) for k, v in env.items()})


def test_env_file_below_the_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('# a comment\nGPU_LAYERS=20\nexport MODELS_DIR="/m"\n\nLLAMA_PORT=1\n')
    assert plan.environment({"LLAMA_PORT": "2"}, tmp_path) == {
        "GPU_LAYERS": "20",
        "MODELS_DIR": "/m",
        "LLAMA_PORT": "2",
    }


# Compose


@pytest.mark.parametrize("name", CONTAINED)
@pytest.mark.parametrize("kind", ["rocm", "cuda", "cpu"])
def test_compose_file(name: str, kind: str, tmp_path: Path) -> None:
    text = compose.text(plan.services(backends()[name], device.describe(kind, {}), {}), "a test")
    (tmp_path / "compose.yml").write_text(text)
    tool = ["docker", "compose", "-f", str(tmp_path / "compose.yml"), "config", "--format", "json"]
    engine = shutil.which("docker")
    if not engine or subprocess.run([engine, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed: apt-get install docker-compose")
    done = subprocess.run(tool, capture_output=True, text=True, env={**os.environ, "GPU_LAYERS": "7"}, check=False)
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    first = services[backends()[name]["container"]["name"]]
    assert first["image"] == backends()[name]["container"][kind]["image"]
    assert ("/dev/kfd" in str(first.get("devices"))) == (kind == "rocm")
    if (name, kind) == ("llamacpp", "rocm"):
        assert first["command"][first["command"].index("-ngl") + 1] == "7"


@pytest.mark.parametrize("name", ["a:b/c.gguf", "$HOME/${HOME}.gguf", "a$$b c.gguf"])
def test_a_path_is_taken_as_it_is(name: str, tmp_path: Path) -> None:
    machine(tmp_path, name)
    env = {"MODEL_PATH": str(tmp_path / name), "HOME": "/elsewhere"}
    (service,) = plan.services(backends()["llamacpp"], CPU, env)
    args = arguments(service, env)
    folder, file = str((tmp_path / name).parent), Path(name).name
    assert args["mounts"] == [{"Target": "/data", "Source": folder, "Type": "bind", "ReadOnly": True}]
    assert args["command"][args["command"].index("-m") + 1] == f"/data/{file}"
    composed = compose.text([service], "a test")
    volume = json.loads(next(line for line in composed.splitlines() if "read_only" in line).strip().removeprefix("- "))
    assert plan.filled(volume["source"], env) == folder
    assert volume["target"] == "/data"
    assert json.dumps(f"/data/{file}".replace("$", "$$")) in composed


# Secrets


@pytest.mark.parametrize("env", [{}, {"MODEL_PATH": "x/y"}], ids=["probe", "mine"])
def test_secrets_are_nowhere(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, token = "sk-canary-1234567890", "hf_canary1234567890"
    for name, value in {**env, "OPENAI_API_KEY": key, "HF_TOKEN": token}.items():
        monkeypatch.setenv(name, value)
    given: list[dict[str, Any]] = []

    def create(client: Any, service: Service, env: dict[str, str], run: str, log: Path) -> Any:
        given.append(arguments(service, env))
        said = {name: given[-1][name] for name in ("command", "environment")}
        nothing = {"wait_until_healthy": lambda *_: None, "ask": lambda _: None, "stop": lambda: None}
        return SimpleNamespace(service=service, origin=origin, log=log, ask_to_stop=lambda: None, **said, **nothing)

    monkeypatch.setattr(starting, "create", create)
    no_containers = SimpleNamespace(containers=SimpleNamespace(list=lambda **_: []))
    monkeypatch.setattr(engine, "connect", lambda: no_containers)
    monkeypatch.setattr(engine, "image", lambda *_: SimpleNamespace(attrs={}, id="sha256:0"))
    listing = as_json({"object": "list", "data": [{"id": "m"}]})
    with serving(lambda _method, path, *_: listing if path.endswith("/models") else HELLO) as origin:
        running = starting.start(Wanted(backend="vllm", access=Access(key=key), device="cpu"), backends()["vllm"])
    running.stop()
    assert {one["environment"]["HF_TOKEN"] for one in given} == {token}
    assert {one["environment"]["VLLM_API_KEY"] for one in given} == {key}
    assert not any(key in " ".join(one["command"]) for one in given)
    target = running.target
    asked = SimpleNamespace(known=False)
    run = SimpleNamespace(
        stopped=None,
        notes=[],
        targets={"vllm": target},
        asked=asked,
        _judge=Judge(),
        _requirements=lambda: "",
    )
    assert main(["compose", "vllm", "--device=cpu"]) == 0
    composed = capsys.readouterr().out
    assert "${HF_TOKEN:-}" in composed
    assert "DO_NOT_TRACK=1" in target.details["environment"]
    header = MainRun.pytest_report_header(run)  # type: ignore[arg-type]
    everything = "\n".join([json.dumps(target.to_json()), repr(target), *header, composed])
    assert key not in everything
    assert token not in everything


# What the engine says


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("('Connection aborted.', FileNotFoundError(2, 'No such file or directory'))", "No container engine answers"),
        ("('Connection aborted.', ConnectionRefusedError(111, 'Connection refused'))", "systemctl start docker"),
        ("('Connection aborted.', PermissionError(13, 'Permission denied'))", "usermod -aG docker"),
        ('could not select device driver "" with capabilities: [[gpu]]', "nvidia-container-toolkit"),
        ('error gathering device information while adding custom device "/dev/kfd": no such file', "ls -l /dev/kfd"),
        ("driver failed programming external connectivity: port is already allocated", "Port 8000 is taken: .*ss -lt"),
        ("failed to bind host port for 127.0.0.1:8000: address already in use", "docker ps --filter publish=8000"),
        ("failed to register layer: write /x: no space left on device", "docker system df"),
        ("manifest for x/y:1 not found: manifest unknown: manifest unknown", "no image x/y:1 .*docker pull x/y:1"),
        ("pull access denied for x/y, repository does not exist or may require 'docker login'", "--image NAME:TAG"),
        ('Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io on 10.0.0.1:53: no such host', "network, .*docker load"),
        ('exec: "python3": executable file not found in $PATH: unknown', "is it an image of this server"),
        ("exec /app/llama-server: exec format error", "is not for this machine"),
        ("something new", "rejects this: something new. See docker info"),
    ],
)
def test_each_complaint_is_one_sentence_with_a_remedy(said: str, sentence: str) -> None:
    told = str(engine.explained(docker.errors.DockerException(said), image="x/y:1", port="8000"))
    with pytest.raises(CannotStart, match=sentence):
        raise CannotStart(told)
    assert "\n" not in told


def test_an_engine_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda *_: as_json({"ApiVersion": "1.18", "Version": "1.6"})) as origin:
        monkeypatch.setenv("DOCKER_HOST", origin.replace("http://", "tcp://"))
        with pytest.raises(CannotStart, match=r"is too old for this .*: update it"):
            engine.connect()


class Ended:
    """A container, as the SDK shows it, that has ended."""

    def __init__(self, log: str, **state: object) -> None:
        self.attrs = {"State": {"OOMKilled": False, "ExitCode": 1, **state}}
        self._log = log

    def logs(self, **_: object) -> list[bytes]:
        return [self._log.encode()]


@pytest.mark.parametrize(
    ("log", "state", "sentence"),
    [
        ("ggml: cudaMalloc failed: out of memory", {}, "It said 'cudaMalloc failed': take a smaller model"),
        ("RuntimeError: HIP out of memory", {}, "set GPU_LAYERS or CONTEXT_SIZE lower"),
        ("loading", {"OOMKilled": True, "ExitCode": 137}, "The machine killed it"),
        ("no such option: -x", {}, "ended with code 1 before it answered"),
    ],
)
def test_why_a_container_ended(tmp_path: Path, log: str, state: dict[str, object], sentence: str) -> None:
    service = plan.services(backends()["llamacpp"], CPU, {})[0]
    told = Container(Ended(log, **state), service, {}, tmp_path / "log").why_it_ended()
    assert sentence in told
    assert told.endswith(log), "the end of the log"


def test_progress_of_a_pull() -> None:
    said: list[str] = []
    now = iter(range(0, 1000, 6))
    progress = engine.Progress("x/y:1", said.append, clock=lambda: float(next(now)))
    for current in (1_000_000_000, 2_000_000_000):
        progress.take({"id": "a", "status": "Downloading", "progressDetail": {"current": current, "total": 4 * 10**9}})
    progress.take({"id": "a", "status": "Pull complete", "progressDetail": {}})
    assert said[0] == "pulling x/y:1 …"
    assert said[1] == "pulling x/y:1: 1.00 of 4.00 GB known so far"
    assert said[-1] == "pulling x/y:1: 4.00 of 4.00 GB known so far"


def test_only_dead_owners_are_reaped() -> None:
    mine = engine.labels("r")
    assert scratch.alive(mine[engine.LABEL + "pid"], mine[engine.LABEL + "born"])
    assert not scratch.alive(mine[engine.LABEL + "pid"], "1@another-boot"), "the number is another process's by now"
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert not scratch.alive(str(gone.pid), "")
