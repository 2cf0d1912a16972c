"""Legal forms of HTTP, of event streams and of JSON, as proxies, content networks and other frameworks write them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

from tests.reference import raw
from tests.reference.call import Call
from tests.reference.faults.kit import answer, events, headers, hook, payload, status, timing, wire
from tests.reference.faults.legal import Chunks, _streams


def _is_modern(call: Call) -> bool:
    """Whether the request is HTTP/1.1, so that the response may have chunks and interim responses."""
    return call.http_version != "1.0"


def _closing(head: bytes) -> bytes:
    """The head with the header that a response needs after which the connection is closed, as `raw` does."""
    return head.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)


# HTTP


@hook("raw", legal=True)
def trailers_follow(pieces: Chunks, call: Call) -> Chunks:
    """Trailer fields follow the last chunk of a stream (RFC 9112, 7.1.2)."""
    yield _closing(next(pieces))
    for piece in pieces:
        yield (
            piece.replace(b"\r\n", b"\r\nserver-timing: total;dur=12\r\nx-checksum: 1f\r\n", 1)
            if _is_end(piece, call)
            else piece
        )


def _is_end(piece: bytes, call: Call) -> bool:
    return piece == raw.framed(b"") and call.stream and _is_modern(call)


@hook("raw", when=_is_modern, legal=True)
def chunks_have_extensions(pieces: Chunks, call: Call) -> Chunks:
    """Chunks have extensions, and sizes in capitals with leading zeros (RFC 9112, 7.1.1)."""
    yield _closing(next(pieces))
    for piece in pieces:
        size, found, rest = piece.partition(b"\r\n")
        framed = _streams(call) and found and piece != raw.framed(b"")
        yield b"00" + size.upper() + b';from="cache;1"\r\n' + rest if framed else piece


@hook("raw", when=_is_modern, legal=True)
def interim_responses(pieces: Chunks, _call: Call) -> Chunks:
    """Before each response come 100 and 102, which nobody asked for (RFC 9110, 15.2)."""
    yield b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nx-queue: 3\r\n\r\n"
    yield _closing(next(pieces))
    yield from pieces


@hook("raw", legal=True)
def reason_phrases_of_its_own(pieces: Chunks, call: Call) -> Chunks:
    """The status line has no reason phrase, or another one (RFC 9112, 4)."""
    line, _, rest = next(pieces).partition(b"\r\n")
    version, code, _ = line.split(b" ", 2)
    yield b"%b %b %b\r\nconnection: close\r\n%b" % (version, code, b"" if call.status < 300 else b"No (see body)", rest)
    yield from pieces


@hook("raw", legal=True)
def spaces_around_values(pieces: Chunks, _call: Call) -> Chunks:
    """Values of headers have no space or several around them (RFC 9112, 5.1), and some headers come twice."""
    first, *lines = next(pieces).removesuffix(b"\r\n\r\n").split(b"\r\n")
    spaced = []
    for number, line in enumerate(lines):
        name, _, value = line.partition(b":")
        spaced.append(name + b":" + (value.strip() if number % 2 else b"  \t" + value.strip() + b" \t"))
    more = [b"connection: close", b"vary: origin", b"Vary: Accept-Encoding", b"x-empty:"]
    cookies = [b"set-cookie: a=1; Path=/", b"Set-Cookie: __cf_bm=x.y-1; HttpOnly; Secure; SameSite=None"]
    yield b"\r\n".join([first, *spaced, *more, *cookies, b"", b""])
    yield from pieces


@headers(legal=True)
def content_types_with_parameters(head: dict[str, str], _call: Call) -> None:
    """The content type has a quoted charset, and other parameters (RFC 9110, 8.3.1)."""
    head["content-type"] = f'{head["content-type"].partition(";")[0]};charset="UTF-8"; v=1'


@headers(legal=True)
def long_headers(head: dict[str, str], _call: Call) -> None:
    """A response has thirty more headers, one of 4 kB, and no `X-Request-Id`."""
    head.pop("x-request-id", None)
    head.pop("access-control-expose-headers", None)
    head |= {f"x-envoy-{number}": "0" * 60 for number in range(30)}
    head["content-security-policy"] = "; ".join(f"img-src https://cdn{number}.example" for number in range(110))


@headers(legal=True)
def limits_in_headers(head: dict[str, str], _call: Call) -> None:
    """Headers tell the limits that remain, none of them reached, as hosted APIs send them."""
    head |= {
        "x-ratelimit-limit-requests": "14400",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "17999",
        "x-ratelimit-reset-requests": "6m0s",
        "retry-after-ms": "0",
        "openai-processing-ms": "17",
        "openai-version": "2020-10-01",
        "x-request-id": "01JXYZ/ä".encode().decode("latin-1"),
        "x-envoy-upstream-service-time": "21",
        "x-should-retry": "false",
        "cf-ray": "972a33c67ac19736-FRA",
        "server": "cloudflare",
        "keep-alive": "timeout=5, max=100",
    }


@headers(legal=True)
def origins_are_repeated(head: dict[str, str], call: Call) -> None:
    """`Access-Control-Allow-Origin` repeats the request's origin, and is absent without one."""
    head.pop("access-control-allow-origin", None)
    if origin := call.headers.get("origin"):
        head["access-control-allow-origin"] = origin
        head["access-control-allow-credentials"] = "true"
    head["vary"] = "Origin"


@status(when=lambda call: call.method == "OPTIONS", legal=True)
def preflight_gets_200(_status: int, _call: Call) -> int:
    """The response to `OPTIONS` is an empty 200."""
    return 200


@hook("raw", legal=True)
def compressed_as_asked(pieces: Chunks, call: Call) -> Chunks:
    """Responses are in the last encoding of which the request says that it accepts it; streams event by event."""
    head = next(pieces)
    offered = [one.partition(";")[0].strip() for one in call.headers.get("accept-encoding", "").split(",")]
    kind = next((one for one in reversed(offered) if one in _PACKED), "")
    if not kind or call.method == "HEAD" or call.status == 204:
        yield _closing(head)
        yield from pieces
        return
    lines = [line for line in head.split(b"\r\n") if not line.startswith((b"content-length", b"transfer-encoding"))]
    coded = b"content-encoding: " + kind.encode()
    yield b"\r\n".join([lines[0], b"connection: close", coded, b"vary: accept-encoding", *lines[1:]])
    yield from _PACKED[kind](raw.unframed(piece) if call.stream else piece for piece in pieces)


def _deflated(pieces: Iterator[bytes], bits: int) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=bits)
    for piece in pieces:
        yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def _stored_brotli(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Brotli without compression: blocks of stored bytes, then an empty last one (RFC 7932, 9.2)."""
    whole = b"".join(pieces)
    window = 1
    for at in range(0, len(whole), 1 << 16):
        part = whole[at : at + (1 << 16)]
        bits = (len(part) - 1) << 3 | 1 << 19  # not the last, four nibbles of length, stored
        yield (bits << window).to_bytes(3, "little") + part
        window = 0
    yield b"\x03"


def _stored_zstd(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Zstandard without compression: a frame with its size, of raw blocks (RFC 8878, 3.1.1)."""
    whole = b"".join(pieces)
    yield b"\x28\xb5\x2f\xfd\xa0" + len(whole).to_bytes(4, "little")
    for at in range(0, max(len(whole), 1), 1 << 16):
        part = whole[at : at + (1 << 16)]
        yield (len(part) << 3 | (at + len(part) >= len(whole))).to_bytes(3, "little") + part


_PACKED: dict[str, Any] = {
    "gzip": lambda pieces: _deflated(pieces, 31),
    "deflate": lambda pieces: _deflated(pieces, 15),
    "br": _stored_brotli,
    "zstd": _stored_zstd,
}


# Event streams


@wire(stream=True, when=_streams, legal=True)
def padding_first(chunks: Chunks, _call: Call) -> Chunks:
    """A stream begins with a comment of 2 kB and some blank lines, which open a proxy's buffer."""
    yield b":" + b" " * 2048 + b"\n\n\n\n"
    yield from chunks


@wire(stream=True, when=_streams, legal=True)
def byte_order_mark_first(chunks: Chunks, _call: Call) -> Chunks:
    """A stream begins with a byte order mark and a comment (WHATWG HTML, 9.2.5)."""
    yield b"\xef\xbb\xbf: hello\n\n"
    yield from chunks


@wire(stream=True, when=_streams, legal=True)
def line_ends_vary(chunks: Chunks, _call: Call) -> Chunks:
    """Events end with LF, CRLF or CR in turn, and a write may end between CR and LF."""
    for number, chunk in enumerate(chunks):
        if number % 3 == 0:
            yield chunk
        elif number % 3 == 1:
            yield chunk.replace(b"\n", b"\r\n")[:-1]
            yield b"\n"
        else:
            yield chunk.replace(b"\n", b"\r\r", 1).replace(b"\n", b"") if chunk.count(b"\n") == 2 else chunk


@wire(stream=True, when=_streams, legal=True)
def fields_nobody_knows(chunks: Chunks, _call: Call) -> Chunks:
    """Events have fields that the standard ignores, a comment between their lines, and several blank lines after."""
    for number, chunk in enumerate(chunks):
        yield b"x-worker: 3\n: %d\n" % number + chunk.replace(b"\n", b"\ntime: 12:30\n", 1) + b"\n\n"


@wire(stream=True, when=_streams, legal=True)
def data_before_its_name(chunks: Chunks, _call: Call) -> Chunks:
    """`event` and `id` come after `data`."""
    for number, chunk in enumerate(chunks):
        lines = chunk.rstrip(b"\n").split(b"\n")
        yield b"\n".join([*reversed(lines), b"id:%d" % number, b"", b""])


@timing(legal=True)
def comes_in_bursts(seconds: float, call: Call) -> float:
    """Eight events come at once, then none for 30 ms, until the 200th."""
    return 0.03 if call.pulled % 8 == 0 and call.pulled < 200 else 0


@timing(stream=True, when=_streams, legal=True)
def a_gap_in_each_stream(seconds: float, call: Call) -> float:
    """Nothing comes for 0.3 s after the third event of a stream."""
    return 0.3 if call.pulled == 3 else seconds


# JSON


@wire(stream=False, when=lambda call: call.status != 204, legal=True)
def blank_lines_before_json(chunks: Chunks, call: Call) -> Chunks:
    """While the model works, blank lines come; JSON follows, with a line end (DeepSeek documents it)."""
    if call.method == "HEAD":
        yield from chunks
        return
    for _ in range(3):
        yield b"\n"
    yield from chunks
    yield b"\r\n"


@answer(legal=True)
def slashes_are_escaped(body: Any, _call: Call) -> bytes:
    """Slashes, `<`, `>` and `&` are escaped in JSON, as PHP and Go write it."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    for sign, written in (("/", "\\/"), ("<", "\\u003C"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(sign, written)
    return text.encode("utf-8", "replace")


@payload(legal=True)
def line_separators_in_strings(body: Any, _call: Call) -> None:
    """A string has U+2028, U+2029 and U+0085, which end lines in some languages, but not in JSON or a stream."""
    if isinstance(body, dict):
        body["x_note"] = "one\u2028two\u2029three\u0085four\x7f"


@events(("chat", "completions"), legal=True)
def json_with_spaces_in_streams(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """JSON in streams has spaces after colons and commas, and before the line end."""
    for event in stream:
        text = json.dumps(event, ensure_ascii=False) if isinstance(event, dict) else event
        yield b"data: " + text.encode("utf-8", "replace") + (b" " if isinstance(event, dict) else b"") + b"\n\n"
