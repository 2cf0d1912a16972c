#!/usr/bin/env python3
"""A stand-in for the `ollama` program: `serve` with the HTTP API that this suite uses, its answers as recorded.

It keeps blobs and models as Ollama does (in OLLAMA_MODELS), reads the GGUF files that it is given, and says of a model
what Ollama says: its quantisation, and capabilities from the file's template, pooling type and projector. What a model
answers is taken from recordings of Ollama 0.33.0-rc2.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
from backends import gguf

STORE = Path(os.environ["OLLAMA_MODELS"])
BLIND = "FAKE_OLLAMA_BLIND" in os.environ
"""Find no tools in a template that is inside a GGUF, as an older Ollama does."""

RECORDED = json.loads((Path(__file__).parent / "data" / "ollama-0.33.0-rc2.json").read_text())
MODELS: dict[str, dict[str, Any]] = {}


def headers_of(asked: dict[str, Any]) -> list[gguf.Header]:
    return [gguf.read(STORE / "blobs" / digest.replace(":", "-")) for digest in asked["files"].values()]


def template(asked: dict[str, Any]) -> str:
    """The template that is used: the Modelfile's, the one in the GGUF, or none."""
    jinja = "" if BLIND else headers_of(asked)[0].values.get("tokenizer.chat_template", "")
    return asked.get("template") or jinja or "{{ .Prompt }}"


def capabilities(asked: dict[str, Any]) -> list[str]:
    headers = headers_of(asked)
    if any(key.endswith(".pooling_type") for h in headers for key in h.values):
        return ["embedding"]
    found = ["completion"]
    found += ["tools"] * ("tools" in template(asked).lower())
    return found + ["vision"] * any(h.values["general.architecture"] == "clip" for h in headers)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        names = sorted(MODELS)
        if self.path == "/api/version":
            self._say({"version": "0.33.0-rc2"})
        elif self.path == "/api/tags":
            self._say({"models": [{"name": n, "model": n, "digest": MODELS[n]["digest"]} for n in names]})
        elif self.path == "/api/ps":
            self._say({"models": [{"name": n, "size": 2_000_000, "size_vram": 0} for n in names]})
        elif self.path == "/v1/models":
            self._say({"object": "list", "data": [{"id": n, "object": "model", "created": 1} for n in names]})
        else:
            self._say({"error": "404 page not found"}, 404)

    def do_HEAD(self) -> None:
        self._say(None, 200 if self._blob().exists() else 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path.startswith("/api/blobs/"):
            blob = self._blob()
            blob.parent.mkdir(parents=True, exist_ok=True)
            blob.write_bytes(body)
            right = blob.name == f"sha256-{hashlib.sha256(body).hexdigest()}"
            self._say(None if right else {"error": "digest mismatch"}, 201 if right else 400)
            return
        asked = json.loads(body)
        name = asked["model"] if ":" in asked["model"] else asked["model"] + ":latest"
        if self.path == "/api/create":
            MODELS[name] = {**asked, "digest": hashlib.sha256(body).hexdigest()}
            self._say({"status": "success"})
        elif name not in MODELS:
            self._say({"error": f"model '{name}' not found"}, 404)
        elif self.path == "/api/show":
            able, used = capabilities(MODELS[name]), template(MODELS[name])
            self._say({"capabilities": able, "template": used, "details": {"quantization_level": "F16"}})
        else:
            able = capabilities(MODELS[name])
            if self.path == "/v1/embeddings":
                vector = {"object": "embedding", "embedding": [float(len(asked["input"])), 0.8], "index": 0}
                usage = {"prompt_tokens": 1, "total_tokens": 1}
                self._say({"object": "list", "data": [vector], "model": name, "usage": usage})
            elif "completion" not in able or ("vision" not in able and b"image_url" in body):
                self._say({"error": {"message": "not with this model", "type": "api_error"}}, 400)
            else:
                self._say(json.loads(RECORDED["chat-basic"]["body"]), RECORDED["chat-basic"]["status"])

    def _blob(self) -> Path:
        return STORE / "blobs" / self.path.removeprefix("/api/blobs/").replace(":", "-")

    def _say(self, answer: Any, status: int = 200) -> None:
        raw = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        pass


if __name__ == "__main__":
    assert sys.argv[1:] == ["serve"], sys.argv
    (Path(os.environ["HOME"]) / ".ollama").mkdir()  # As Ollama does, for its key; fails if HOME is the user's.
    host, _, port = os.environ["OLLAMA_HOST"].rpartition(":")
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
