"""Containers on a real engine: the one that is there, or Debian's, started here; llama-server is Debian's package.

`.ci/containers` installs what is needed. With CONTAINERS_MUST_RUN=1 nothing is skipped: what is missing is an error.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest

from backends import containers, scratch
from backends.containers import device, engine, plan
from backends.containers.container import Container, arguments, create
from backends.containers.plan import Service
from backends.errors import CannotStart
from backends.find import backends
from backends.target import Wanted
from conformance import results

ROOT = Path(__file__).parent.parent
IMAGE = "openai-conformance/llama-server:debian"
START = 30
"""Seconds for the engine to start."""


def _missing(why: str) -> None:
    if os.environ.get("CONTAINERS_MUST_RUN"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="module", autouse=True)
def client() -> Iterator[docker.DockerClient]:
    """The engine, with the image of llama-server; one test process at a time has it."""
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context((Path(tempfile.gettempdir()) / "openai-conformance-engine.lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            found = engine.connect()
        except CannotStart as problem:
            if os.getuid() != 0 or not shutil.which("dockerd"):
                _missing(f"{problem} Or run .ci/containers, which brings one.")
            found = stack.enter_context(_own_engine())
        if not found.images.list(name=IMAGE):
            if not shutil.which("mmdebstrap") or os.getuid() != 0:
                _missing("no image of llama-server, and no mmdebstrap to make it: run .ci/containers")
            subprocess.run([ROOT / "tests/container/build-image.sh", IMAGE], check=True, timeout=300)
        yield found


@contextlib.contextmanager
def _own_engine() -> Iterator[docker.DockerClient]:
    home = Path(tempfile.mkdtemp(prefix="dockerd-"))
    address = f"unix://{home}/docker.sock"
    command = ["dockerd", "--host", address, "--data-root", f"{home}/data", "--exec-root", f"{home}/exec"]
    with (home / "log").open("wb") as log:
        daemon = subprocess.Popen([*command, "--pidfile", f"{home}/pid"], stdout=log, stderr=log)
    os.environ["DOCKER_HOST"] = address
    try:
        deadline = time.monotonic() + START
        while time.monotonic() < deadline and daemon.poll() is None:
            with contextlib.suppress(CannotStart):
                yield engine.connect()
                return
            time.sleep(0.2)
        _missing(f"dockerd does not start here: {(home / 'log').read_text()[-500:]}")
    finally:
        del os.environ["DOCKER_HOST"]
        daemon.terminate()
        daemon.wait(60)
        shutil.rmtree(home, ignore_errors=True)


def ours(client: docker.DockerClient, pid: int) -> list[str]:
    """The names of the containers that a process made."""
    filters = {"label": f"{engine.LABEL}pid={pid}"}
    return [str(c.name) for c in client.containers.list(all=True, filters=filters, ignore_removed=True)]


def suite(report: Path, *args: str) -> list[str]:
    """The command of a run in containers."""
    chosen = ["--backend=llamacpp", "--runtime=container", "--device=cpu", f"--image={IMAGE}", f"--report={report}"]
    checks = "conformance/checks/test_stop.py"
    return [sys.executable, "-m", "pytest", "-q", checks, "--fail-on=never", *chosen, *args]


def begun(report: Path) -> subprocess.Popen[bytes]:
    """A run of the suite that goes on."""
    return subprocess.Popen(suite(report), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def done(report: Path) -> int:
    """Run the suite to its end; the number of its process."""
    run = begun(report)
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 0, output.decode()
    return run.pid


def service(**changes: Any) -> Service:
    """The container of the probe's chat model, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    chat = plan.services(backends()["llamacpp"], device.describe("cpu", {}), {}, IMAGE)[0]
    return replace(chat, **{"name": f"test-{port}", "publish": port, **changes})


@contextlib.contextmanager
def created(client: docker.DockerClient, wanted: Service, log: Path) -> Iterator[Container]:
    """The service's container, removed at the end."""
    made = create(client, wanted, {}, "test", log)
    try:
        yield made
    finally:
        made.stop()


# The suite


def test_checks_judge_a_server_in_a_container(tmp_path: Path, client: docker.DockerClient) -> None:
    pid = done(tmp_path)
    read = results.read(tmp_path / "results.jsonl")
    outcomes = [str(c.outcome) for c in read.checks]
    assert outcomes.count("pass") >= 10, outcomes
    assert not {"timeout", "error", "blocked"} & set(outcomes)
    (target,) = read.targets
    assert target["version"], "the version is asked of the server"
    details = target["details"]
    assert details["image"] == IMAGE
    assert details["image digest"].startswith("sha256:")
    assert details["device"] == "cpu"
    assert details["CPU"]
    assert "--jinja" in details["flags"]
    assert "probe-f16.gguf (sha256" in details["model file"]
    assert ours(client, pid) == []


def test_the_users_model_is_served_and_its_roles_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: docker.DockerClient
) -> None:
    shutil.copy(ROOT / "fixtures/probe_model/probe-f16.gguf", tmp_path / "mine.gguf")
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("MODEL_PATH", "/data/mine.gguf")
    monkeypatch.setenv("PARALLEL_SLOTS", "2")
    running = containers.start(Wanted(backend="llamacpp", device="cpu", image=IMAGE), backends()["llamacpp"])
    try:
        assert running.target.deployment("chat")
        assert running.target.slots == 2
        assert "not one for vision" in running.target.missing["vision"]
        assert len(ours(client, os.getpid())) == 1
    finally:
        running.stop()
    assert ours(client, os.getpid()) == []


def test_interrupted_at_any_moment_nothing_stays(tmp_path: Path, client: docker.DockerClient) -> None:
    for number in range(3):
        run = begun(tmp_path / str(number))
        _wait_for_container(client, run)
        time.sleep(random.uniform(0, 4))
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
        assert ours(client, run.pid) == []


def test_what_a_killed_run_leaves_is_removed_by_the_next(tmp_path: Path, client: docker.DockerClient) -> None:
    killed: list[int] = []
    left = 0
    logs = set(Path(tempfile.gettempdir()).glob(scratch.PREFIX + "*/llama-server*.log"))
    for number in range(5):
        run = begun(tmp_path / str(number))
        _wait_for_container(client, run)
        time.sleep(random.uniform(0, 4))
        run.kill()
        run.communicate(timeout=60)
        left += len(ours(client, run.pid))
        killed.append(run.pid)
    killed.append(done(tmp_path / "next"))
    assert left, "a killed run cannot remove its containers"
    assert not [name for pid in killed for name in ours(client, pid)]
    assert set(Path(tempfile.gettempdir()).glob(scratch.PREFIX + "*/llama-server*.log")) <= logs


def _wait_for_container(client: docker.DockerClient, run: subprocess.Popen[bytes]) -> None:
    """Wait until the run has begun to make its containers."""
    while not ours(client, run.pid):
        assert run.poll() is None, (run.communicate()[0] or b"").decode()
        time.sleep(0.05)


# What is missing


def test_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(
        CannotStart, match=r"No container engine answers at unix:///nowhere/docker.sock: start it \(sudo"
    ):
        engine.connect()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user who may not")
def test_no_permission() -> None:
    nobody = "os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    connect = f"import os; from backends.containers import engine; {nobody}; engine.connect()"
    tried = subprocess.run([sys.executable, "-c", connect], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "You may not use the container engine at unix:" in tried.stderr
    assert "sudo usermod -aG docker $USER" in tried.stderr


def test_no_image(client: docker.DockerClient) -> None:
    said: list[str] = []
    with pytest.raises(CannotStart, match=r"(no image|cannot be pulled).*docker pull 127.0.0.1:9/none:1"):
        engine.image(client, "127.0.0.1:9/none:1", said.append)
    assert said == ["pulling 127.0.0.1:9/none:1 …"]


def test_no_device(client: docker.DockerClient, tmp_path: Path) -> None:
    if Path("/dev/kfd").exists() or Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    for name, sentence in {"rocm": "ls -l /dev/kfd /dev/dri", "cuda": "nvidia-container-toolkit"}.items():
        given = device.describe(name, {})
        wanted = service(devices=given.devices, gpus=given.gpus)
        with pytest.raises(CannotStart, match=sentence), created(client, wanted, tmp_path / "log"):
            pass
        engine.remove(client, "test")


def test_port_taken(client: docker.DockerClient, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        taken = rf"Port {port} is taken: .*ss -ltnp 'sport = :{port}'.*openai-conformance compose"
        with pytest.raises(CannotStart, match=taken), created(client, service(publish=port), tmp_path / "log"):
            pass
    engine.remove(client, "test")


def test_out_of_memory(client: docker.DockerClient, tmp_path: Path) -> None:
    wanted = service()
    made = client.containers.create(**arguments(wanted, {}), labels=engine.labels("test"), mem_limit="12m")
    made.start()
    container = Container(made, wanted, {}, tmp_path / "log")
    try:
        with pytest.raises(CannotStart, match=r"ran out of memory. The machine killed it: take a smaller model"):
            container.wait_until_healthy("/health", 60)
    finally:
        container.stop()


def test_a_server_that_ends_is_quoted(client: docker.DockerClient, tmp_path: Path) -> None:
    wanted = service(command=("-m", "nowhere.gguf"))
    with created(client, wanted, tmp_path / "log") as container:
        with pytest.raises(CannotStart, match=r"ended with code 1 before it answered[\s\S]*nowhere.gguf"):
            container.wait_until_healthy("/health", 60)
        assert "nowhere.gguf" in (tmp_path / "log").read_text(), "the log is kept in a file"


def test_a_server_that_is_never_ready_is_quoted(client: docker.DockerClient, tmp_path: Path) -> None:
    with (
        created(client, service(), tmp_path / "log") as container,
        pytest.raises(CannotStart, match=r"was not ready after 2 s. Its whole log is "),
    ):
        container.wait_until_healthy("/no-such-path", 2)


def test_no_program_in_the_image(client: docker.DockerClient, tmp_path: Path) -> None:
    wanted = service(entrypoint=("python3", "-m", "vllm"))
    with pytest.raises(CannotStart, match="is it an image of this server"), created(client, wanted, tmp_path / "log"):
        pass
    engine.remove(client, "test")


def test_the_printed_compose_file_runs(tmp_path: Path, client: docker.DockerClient) -> None:
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed: apt-get install docker-compose")
    ask = [sys.executable, "-m", "backends", "compose", "llamacpp", "--device", "cpu", "--image", IMAGE]
    text = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (tmp_path / "compose.yml").write_text(text)
    compose = ["docker", "compose", "-f", str(tmp_path / "compose.yml")]
    port = service().publish
    env = {**os.environ, "LLAMA_PORT": port}
    try:
        subprocess.run([*compose, "up", "-d"], env=env, check=True, capture_output=True, timeout=120)
        told = subprocess.run([*compose, "ps", "--format", "json"], env=env, capture_output=True, text=True, check=True)
        names = {json.loads(line)["Name"] for line in told.stdout.splitlines()}
        assert names == {"llama-server", "llama-server-embedding", "llama-server-vision"}
    finally:
        subprocess.run([*compose, "down"], env=env, check=False, capture_output=True, timeout=120)
