"""How an HTTP answer goes wrong on its way: held, dripped, cut, replaced, or far too long."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from aiohttp import web

from sandbox.llm_server.api_error import ApiError
from sandbox.llm_server.faults import Fault, FaultBoard
from sandbox.llm_server.wire_json import JSON_TYPE, on_the_wire

RST_ON_CLOSE: Final = struct.pack("ii", 1, 0)
BLOCK_BYTES: Final = 1 << 20
ENDLESS_CHUNK: Final = b"A" * 65_536
ENDLESS_HEAD: Final = b'{"id":"chatcmpl-0","object":"chat.completion","choices":[{"message":{"content":"'
STATUS_WORDS: Final = {
    429: ("rate_limit_exceeded", "Rate limit reached."),
    529: ("overloaded", "The server is overloaded."),
}
CUTS: Final = frozenset({"reset", "drop", "half"})
"""Acts after which the client knows that it was not answered."""
NOT_UTF8: Final = b"\xff\xfe"
GZIP_HEAD: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer before it is sent."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        """Return the answer as it should be."""
        return web.Response(body=self.body, status=self.status, content_type=JSON_TYPE, headers=self.headers)


async def spoil(fault: Fault, request: web.Request, answer: Answer, board: FaultBoard) -> web.StreamResponse:
    """Do what a rule says with an answer.

    Parameters
    ----------
    fault
        The rule that struck.
    request
        The client's request, whose connection may be cut.
    answer
        The true answer.
    board
        Where answers are held; when its rules are cleared, what is held goes on as if nothing had been.
    """
    match fault.act:
        case "hang_before_headers":
            await board.hold()
            return answer.response()
        case "delay":
            await board.hold(fault.number("delay_ms") / 1000)
            return answer.response()
        case "hang_after_headers":
            return await _send_in_parts(request, answer, board, fault.whole("bytes"), None)
        case "trickle":
            return await _send_in_parts(request, answer, board, 0, fault.number("interval_ms") / 1000)
        case "endless":
            return await _send_for_ever(request, answer, board, fault.number("interval_ms") / 1000)
        case "status":
            return _refusal(fault, answer)
        case "body_raw":
            return web.Response(
                text=fault.text("body"), status=fault.whole("status"), content_type=fault.text("content_type")
            )
        case "redirect":
            headers = {"Location": fault.text("url")}
            return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers=headers)
        case "corrupt":
            middle = len(answer.body) // 2
            return _answered(answer, answer.body[:middle] + NOT_UTF8 + answer.body[middle:])
        case "big_body":
            return _answered(answer, b" " * fault.whole("bytes") + answer.body)
        case "deep_body":
            depth = fault.whole("depth")
            return _answered(answer, b"[" * depth + b"]" * depth)
        case "gzip_bomb":
            bomb = await asyncio.to_thread(gzip_bomb, answer.body, fault.whole("bytes"))
            return _answered(answer, bomb, encoding="gzip")
        case "half":
            _send_part(request, answer, answer.body[: len(answer.body) // 2])
            _cut(request, hard=False)
        case "reset":
            if fault.whole("bytes"):
                _send_part(request, answer, answer.body[: fault.whole("bytes")])
            _cut(request, hard=True)
        case _:
            _cut(request, hard=False)
    return web.Response()


def gzip_bomb(body: bytes, blanks: int) -> bytes:
    """Return a gzip file that unpacks to so many blanks and the body behind them, made without unpacking it."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = b" " * BLOCK_BYTES
    # After a full flush nothing refers back, so that equal blocks are equal bytes and need squeezing once.
    packed = squeezer.compress(block) + squeezer.flush(zlib.Z_FULL_FLUSH)
    count, rest = divmod(blanks, BLOCK_BYTES)
    tail = block[:rest] + body
    check = 0
    for _ in range(count):
        check = zlib.crc32(block, check)
    check = zlib.crc32(tail, check)
    end = squeezer.compress(tail) + squeezer.flush(zlib.Z_FINISH)
    size = (blanks + len(body)) & 0xFFFFFFFF
    return GZIP_HEAD + packed * count + end + struct.pack("<II", check, size)


def _refusal(fault: Fault, answer: Answer) -> web.Response:
    status = fault.whole("status")
    code, message = STATUS_WORDS.get(status, ("", "The server had an error while processing your request."))
    error = ApiError(fault.text("message") or message, status=status, code=fault.text("code") or code)
    headers = dict(answer.headers)
    if fault.text("retry_after"):
        headers["Retry-After"] = fault.text("retry_after")
    return Answer(body=on_the_wire(error.body()), status=status, headers=headers).response()


def _answered(answer: Answer, body: bytes, *, encoding: str = "") -> web.Response:
    headers = answer.headers | ({"Content-Encoding": encoding} if encoding else {})
    return web.Response(body=body, status=answer.status, content_type=JSON_TYPE, headers=headers)


async def _send_in_parts(
    request: web.Request, answer: Answer, board: FaultBoard, at_once: int, interval_s: float | None
) -> web.StreamResponse:
    """Send the head and a few bytes, then one byte at each interval, or nothing more until the rules are cleared."""
    response = _stream(answer)
    response.content_length = len(answer.body)
    await response.prepare(request)
    sent = min(at_once, len(answer.body))
    if sent:
        await response.write(answer.body[:sent])
    while sent < len(answer.body) and not await board.hold(interval_s):
        await response.write(answer.body[sent : sent + 1])
        sent += 1
    await response.write(answer.body[sent:])
    await response.write_eof()
    return response


async def _send_for_ever(
    request: web.Request, answer: Answer, board: FaultBoard, interval_s: float
) -> web.StreamResponse:
    """Begin a completion whose text never ends, until the rules are cleared."""
    response = _stream(answer)
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(ENDLESS_HEAD)
    while not await board.hold(interval_s):
        await response.write(ENDLESS_CHUNK)
    await response.write_eof()
    return response


def _stream(answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = JSON_TYPE
    return response


def _send_part(request: web.Request, answer: Answer, part: bytes) -> None:
    """Send a head that promises the whole answer, and only a part of it."""
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {JSON_TYPE}",
        f"Content-Length: {len(answer.body)}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    if request.transport is not None:
        request.transport.write("\r\n".join([*lines, "", ""]).encode() + part)


def _cut(request: web.Request, *, hard: bool) -> None:
    """Close the connection behind what was sent; hard means with a TCP reset."""
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if hard and sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
        transport.abort()
    else:
        transport.close()
