"""The REST door: raw bytes in, signature and allowance checked, an answer or a misbehaviour out."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.endpoints import PublicEndpoint, SignedEndpoint, find_endpoint
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.faults import AFTER, BEFORE, Fault, FaultBoard
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.rate_limit import AddressLimit, RollingLimits
from sandbox.bybit_server.refusal import RefusalError
from sandbox.bybit_server.signature import authenticate
from sandbox.bybit_server.wire_log import WireEntry, WireLog

MOUNT_PREFIX: Final = "/pybit.com"
RST_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class RestDoor:
    """Answers every HTTP request that is not a WebSocket handshake."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        limits: RollingLimits,
        addresses: AddressLimit,
        faults: FaultBoard,
        log: WireLog,
        ack_delay_s: float,
    ) -> None:
        self._exchange = exchange
        self._limits = limits
        self._addresses = addresses
        self._faults = faults
        self._log = log
        self._ack_delay_s = ack_delay_s

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        raw_path, _, raw_query = request.raw_path.partition("?")
        path = raw_path.removeprefix(MOUNT_PREFIX)
        raw_body = await request.read()
        if not self._addresses.admits(request.remote or ""):
            return web.Response(status=403, text="access too frequent")
        tail = raw_body.decode(errors="replace") if request.method == "POST" else raw_query
        link_id = self._link_id(request.method, raw_query, raw_body)
        before = self._faults.strike("rest", when=BEFORE, method=request.method, path=path, link_id=link_id)
        if before is not None:
            spoiled = await self._misbehave(before, request)
            if spoiled is not None:
                self._record(
                    path, tail, None, applied=False, answered=before.act in {"status", "retCode", "body_raw"}
                )
                return spoiled
        body, headers = self._answer(request.method, path, request.headers, raw_query, raw_body)
        answer = _json_response(body, headers)
        after = self._faults.strike("rest", when=AFTER, method=request.method, path=path, link_id=link_id)
        spoiled = None if after is None else await self._misbehave(after, request)
        self._record(path, tail, body, applied=True, answered=spoiled is None)
        if self._ack_delay_s:
            await asyncio.sleep(self._ack_delay_s)
        return answer if spoiled is None else spoiled

    def _answer(
        self, method: str, path: str, headers: Mapping[str, str], raw_query: str, raw_body: bytes
    ) -> tuple[JsonObject, dict[str, str]]:
        """Return the answer's envelope and its extra headers."""
        extra: dict[str, str] = {}
        try:
            endpoint = find_endpoint(method, path)
            if isinstance(endpoint, PublicEndpoint):
                result = endpoint.answer(self._exchange, Fields.from_query(raw_query))
            else:
                result = self._signed(endpoint, headers, raw_query, raw_body, extra)
        except RefusalError as refusal:
            return self.envelope(refusal.code, refusal.text, {}), extra
        return self.envelope(0, "OK", result), extra

    def _signed(
        self,
        endpoint: SignedEndpoint,
        headers: Mapping[str, str],
        raw_query: str,
        raw_body: bytes,
        extra: dict[str, str],
    ) -> JsonObject:
        is_post = endpoint.method == "POST"
        tail = raw_body.decode(errors="replace") if is_post else raw_query
        exchange = self._exchange
        caller = authenticate(headers, tail, exchange.keys, now_ms(exchange.clock))
        fields = Fields.from_body(raw_body) if is_post else Fields.from_query(raw_query)
        category = fields.text("category")
        allowance = self._limits.visit((caller.uid, endpoint.path, category), endpoint.limit(category))
        extra.update(allowance.headers())
        allowance.refuse_if_exceeded()
        return endpoint.answer(exchange, exchange.accounts[caller.uid], fields)

    def envelope(self, code: int, text: str, result: JsonObject) -> JsonObject:
        """Return the frame that every JSON answer has."""
        server_ms = now_ms(self._exchange.clock)
        return {"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}, "time": server_ms}

    async def _misbehave(self, fault: Fault, request: web.Request) -> web.Response | None:
        """Do what a rule says; None means that the request then goes its normal way."""
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        match fault.act:
            case "status":
                return web.Response(status=fault.status, text=fault.body_raw, content_type="text/html")
            case "retCode":
                return _json_response(self.envelope(fault.ret_code, fault.ret_msg, {}), {})
            case "body_raw":
                return web.Response(text=fault.body_raw, content_type="text/html")
            case "drop" | "reset":
                _cut(request, hard=fault.act == "reset")
                return web.Response()
            case _:
                return None

    def _record(self, path: str, raw: str, body: JsonObject | None, *, applied: bool, answered: bool) -> None:
        if not path.startswith("/v5/order/"):
            return
        code = None if body is None else body["retCode"]
        self._log.add(
            WireEntry(
                time_ms=now_ms(self._exchange.clock),
                path=path,
                raw=raw,
                ret_code=code if isinstance(code, int) else None,
                applied=applied,
                answered=answered,
            )
        )

    @staticmethod
    def _link_id(method: str, raw_query: str, raw_body: bytes) -> str:
        try:
            fields = Fields.from_body(raw_body) if method == "POST" else Fields.from_query(raw_query)
            return fields.text("orderLinkId")
        except RefusalError:
            return ""


def _json_response(body: JsonObject, headers: Mapping[str, str]) -> web.Response:
    text = json.dumps(body, separators=(",", ":"))
    return web.Response(text=text, content_type="application/json", headers=headers)


def _cut(request: web.Request, *, hard: bool) -> None:
    """Close the connection without an answer; hard means with a TCP reset."""
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if hard and sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
    transport.abort()
