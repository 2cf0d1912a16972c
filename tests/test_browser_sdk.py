"""OpenAI's JavaScript SDK in a real browser, on a page of another origin: what the preflight checks stand for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from backends import node
from tests.reference.app import create_app
from tests.reference.server import running

CHROMIUM = Path("/usr/bin/chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[test]'")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium")

SCRIPT = """async ([url, key]) => {
    const { default: OpenAI } = await import("/openai/index.mjs");
    const client = new OpenAI({ baseURL: url, apiKey: key, dangerouslyAllowBrowser: true, maxRetries: 0 });
    const asked = { model: "reference", messages: [{ role: "user", content: "What is the capital of France?" }] };
    try {
        const plain = await client.chat.completions.create(asked);
        let streamed = "";
        for await (const chunk of await client.chat.completions.create({ ...asked, stream: true }))
            streamed += chunk.choices[0]?.delta.content ?? "";
        return [plain.choices[0].message.content, streamed];
    } catch (error) {
        return [error.constructor.name, error.status ?? null];
    }
}"""


class Files(SimpleHTTPRequestHandler):
    def guess_type(self, path: Any) -> str:
        """Modules as browsers want them, on systems that do not know `.mjs`."""
        return "text/javascript" if str(path).endswith(".mjs") else super().guess_type(path)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page of an origin of its own, which has the SDK's files."""
    try:
        modules = node.sdk() / "node_modules"
    except node.NoNode as missing:
        pytest.skip(str(missing))
    files = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(modules)))
    Thread(target=files.serve_forever, daemon=True).start()
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        opened = chromium.new_page()
        opened.goto(f"http://127.0.0.1:{files.server_port}/openai/package.json")
        yield opened
        chromium.close()
    files.shutdown()


def test_plain_and_streamed(page: Any) -> None:
    with running(create_app(api_key="sk-test")) as url:
        assert page.evaluate(SCRIPT, [f"{url}/v1", "sk-test"]) == ["Paris", "Paris"]


def test_a_page_can_read_why_it_is_refused(page: Any) -> None:
    with running(create_app(api_key="sk-test")) as url:
        assert page.evaluate(SCRIPT, [f"{url}/v1", "sk-wrong"]) == ["AuthenticationError", 401]


@pytest.mark.parametrize("fault", ["preflights-allow-two-headers", "preflights-of-sdks-refused"])
def test_without_what_the_sdk_sends_it_fails(page: Any, fault: str) -> None:
    with running(create_app(faults=(fault,), api_key="sk-test")) as url:
        assert page.evaluate(SCRIPT, [f"{url}/v1", "sk-test"]) == ["APIConnectionError", None]


def test_without_the_origin_a_401_cannot_be_read(page: Any) -> None:
    with running(create_app(faults=("refused-keys-for-no-other-origin",), api_key="sk-test")) as url:
        assert page.evaluate(SCRIPT, [f"{url}/v1", "sk-wrong"]) == ["APIConnectionError", None]
