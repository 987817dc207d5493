"""How an HTTP answer goes wrong: lost, cut, damaged, replaced, or sent by a server that is not there."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from aiohttp import web

from sandbox.bybit_server.faults import Fault
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.push_faults import cut_short, damaged

RST_ON_CLOSE: Final = struct.pack("ii", 1, 0)
HALF_CLOSED_MAX_S: Final = 60.0
LOOK_S: Final = 0.02
JSON_TYPE: Final = "application/json"
TELLING_ACTS: Final = frozenset({"status", "retCode", "body_raw", "content_type"})
"""Acts after which a client whose request was not applied has still been answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer before it is sent."""

    envelope: JsonObject
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200

    @property
    def body(self) -> bytes:
        """The envelope as compact JSON."""
        return json.dumps(self.envelope, separators=(",", ":")).encode()

    def response(self) -> web.Response:
        """Return the answer as it should be."""
        return web.Response(body=self.body, status=self.status, content_type=JSON_TYPE, headers=self.headers)


async def spoil(fault: Fault, request: web.Request, reply: Reply, elsewhere_url: str) -> web.Response | None:
    """Do what a rule says with an answer; None means that it goes out as it is.

    Parameters
    ----------
    fault
        The rule that struck.
    request
        The client's request, whose connection may be cut.
    reply
        The true answer, or what stands in for it if the request was not applied.
    elsewhere_url
        Where a redirection leads that names no address.
    """
    details = fault.details
    if details.delay_s:
        await asyncio.sleep(details.delay_s)
    match fault.act:
        case "status":
            return web.Response(
                status=details.status, text=details.body_raw, content_type=details.content_type
            )
        case "body_raw":
            return web.Response(text=details.body_raw, content_type=details.content_type)
        case "retCode":
            lie = {**reply.envelope, "retCode": details.ret_code, "retMsg": details.ret_text, "result": {}}
            return Reply(envelope=lie).response()
        case "corrupt":
            return _answered(reply, damaged(reply.body))
        case "content_type":
            return _answered(reply, reply.body, content_type=details.content_type)
        case "gzip_broken":
            squeezed = cut_short(gzip.compress(reply.body), None)
            return _answered(reply, squeezed, encoding="gzip")
        case "redirect":
            place = details.url or elsewhere_url + request.path_qs
            return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": place})
        case "truncate":
            _send_part(request, reply, cut_short(reply.body, details.bytes_kept))
            cut(request, hard=False)
        case "reset":
            if details.bytes_kept is not None:
                _send_part(request, reply, reply.body[: details.bytes_kept])
            cut(request, hard=True)
        case "drop":
            cut(request, hard=False)
        case "half_close":
            await _half_close(request)
        case _:
            return None
    return web.Response()


def cut(request: web.Request, *, hard: bool) -> None:
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


def _send_part(request: web.Request, reply: Reply, part: bytes) -> None:
    """Send a head that promises the whole answer, and only a part of it."""
    lines = [
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
        f"Content-Type: {JSON_TYPE}",
        f"Content-Length: {len(reply.body)}",
        *(f"{name}: {value}" for name, value in reply.headers.items()),
    ]
    if request.transport is not None:
        request.transport.write("\r\n".join([*lines, "", ""]).encode() + part)


async def _half_close(request: web.Request) -> None:
    """Close the venue's direction alone, and wait for the client to close the other."""
    transport = request.transport
    if transport is None or not transport.can_write_eof():
        return
    transport.write_eof()
    waited_s = 0.0
    while not transport.is_closing() and waited_s < HALF_CLOSED_MAX_S:
        await asyncio.sleep(LOOK_S)
        waited_s += LOOK_S
    transport.abort()


def _answered(
    reply: Reply, body: bytes, *, content_type: str = JSON_TYPE, encoding: str | None = None
) -> web.Response:
    headers = dict(reply.headers)
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    return web.Response(body=body, status=reply.status, content_type=content_type, headers=headers)
