"""llama.cpp's own HTTP server from the `xllamacpp` wheel, with the flags of `llama-server` that we use."""

from __future__ import annotations

import argparse
import os
import threading
from pathlib import Path

import xllamacpp


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m backends.llamacpp.serve", description=__doc__)
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("--mmproj")
    parser.add_argument("--alias")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("-c", "--ctx-size", type=int, default=0)
    parser.add_argument("-np", "--parallel", type=int, default=1)
    parser.add_argument("-t", "--threads", type=int, default=-1)
    parser.add_argument("--embeddings", action="store_true")
    parser.add_argument("--pooling", choices=["mean", "cls", "last", "rank"])
    parser.add_argument("--chat-template-file", type=Path)
    parser.add_argument("--jinja", action="store_true")
    parser.add_argument("--no-warmup", action="store_true")
    asked = parser.parse_args()

    params = xllamacpp.CommonParams()
    params.model.path = asked.model
    if hasattr(params, "hostnames"):
        params.hostnames = [asked.host]
    else:  # Until May of 2026.
        params.hostname = asked.host
    params.port = asked.port
    params.n_ctx = asked.ctx_size
    params.n_parallel = asked.parallel
    params.cpuparams.n_threads = asked.threads
    params.use_jinja = asked.jinja
    params.warmup = not asked.no_warmup
    params.embedding = asked.embeddings
    # Not an option: command lines are visible to every user of the machine.
    params.api_keys = [key] if (key := os.environ.get("LLAMA_API_KEY")) else []
    if asked.chat_template_file:
        params.chat_template = asked.chat_template_file.read_text(encoding="utf-8")
    if asked.alias:
        params.model_alias = {asked.alias}
    if asked.mmproj:
        params.mmproj.path = asked.mmproj
    if asked.pooling:
        params.pooling_type = getattr(xllamacpp.llama_pooling_type, f"LLAMA_POOLING_TYPE_{asked.pooling.upper()}")
    server = xllamacpp.Server(params)
    print("listening", server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
