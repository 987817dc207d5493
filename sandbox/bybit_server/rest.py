"""The REST door: raw bytes in, signature and allowance checked, an answer or a misbehaviour out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.endpoints import PublicEndpoint, SignedEndpoint, find_endpoint
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.faults import Fault, FaultBoard, FaultEvent, Moment
from sandbox.bybit_server.fields import Fields, JsonObject, ext_info_of
from sandbox.bybit_server.network import Network
from sandbox.bybit_server.rate_limit import AddressLimit, RollingLimits
from sandbox.bybit_server.refusal import RefusalError
from sandbox.bybit_server.rest_faults import TELLING_ACTS, Reply, cut, spoil
from sandbox.bybit_server.signature import authenticate
from sandbox.bybit_server.signed_call import signed_call
from sandbox.bybit_server.wire_log import Arrival, WireLog

MOUNT_PREFIX: Final = "/pybit.com"
ROUTE_NOT_FOUND: Final = 10017


class RestDoor:
    """Answers every HTTP request that is not a WebSocket handshake."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        limits: RollingLimits,
        addresses: AddressLimit,
        faults: FaultBoard,
        network: Network,
        log: WireLog,
        ack_delay_s: float,
    ) -> None:
        self._exchange = exchange
        self._limits = limits
        self._addresses = addresses
        self._faults = faults
        self._network = network
        self._log = log
        self._ack_delay_s = ack_delay_s
        self.elsewhere_url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, unless a rule or the net prevents it."""
        raw_path, _, raw_query = request.raw_path.partition("?")
        path = raw_path.removeprefix(MOUNT_PREFIX)
        arrival = self._log.arrived("rest", request.method, path, request.headers, raw_query)
        event = FaultEvent(method=request.method, path=path)
        mid = self._faults.strike("rest", Moment.MID_REQUEST, event)
        if mid is not None:
            return await self._cut_in_body(mid, request, arrival)
        raw_body = await request.read()
        if request.method == "POST":
            arrival.raw = raw_body.decode(errors="replace")
        await self._network.inbound["rest"].passage()
        if not self._addresses.admits(request.remote or ""):
            response = web.Response(status=HTTPStatus.FORBIDDEN, text="access too frequent")
        else:
            response = await self._served(request, arrival, event, raw_query, raw_body)
        arrival.http_status = response.status
        await self._network.outbound.passage()
        return response

    async def _served(
        self, request: web.Request, arrival: Arrival, event: FaultEvent, raw_query: str, raw_body: bytes
    ) -> web.Response:
        event = _with_orders(event, _peek(request.method, raw_query, raw_body))
        before = self._struck(Moment.BEFORE, event, arrival)
        if before is not None:
            details = before.details
            stand_in = self.envelope(details.ret_code, details.ret_text, {})
            spoiled = await spoil(before, request, Reply(envelope=stand_in), self.elsewhere_url)
            if spoiled is not None:
                arrival.answered = before.act in TELLING_ACTS
                return spoiled
        reply = self._answer(request.method, event.path, request.headers, raw_query, raw_body)
        arrival.applied = 1
        if before is not None and before.act == "dup":
            again = self._answer(request.method, event.path, request.headers, raw_query, raw_body)
            arrival.applied = 2
            reply = again if before.details.answer == "second" else reply
        code = reply.envelope["retCode"]
        arrival.ret_code = code if isinstance(code, int) else None
        after = self._struck(Moment.AFTER, event, arrival)
        spoiled = None if after is None else await spoil(after, request, reply, self.elsewhere_url)
        arrival.answered = spoiled is None
        if self._ack_delay_s:
            await asyncio.sleep(self._ack_delay_s)
        return reply.response() if spoiled is None else spoiled

    def envelope(
        self, code: int, text: str, result: JsonObject, extra: Mapping[str, object] | None = None
    ) -> JsonObject:
        """Return the frame that every JSON answer has."""
        server_ms = now_ms(self._exchange.clock)
        return {
            "retCode": code,
            "retMsg": text,
            "result": result,
            "retExtInfo": dict(extra or {}),
            "time": server_ms,
        }

    def _answer(
        self, method: str, path: str, headers: Mapping[str, str], raw_query: str, raw_body: bytes
    ) -> Reply:
        """Let the venue act, and return its answer."""
        extra: dict[str, str] = {}
        try:
            endpoint = find_endpoint(method, path)
            if isinstance(endpoint, PublicEndpoint):
                result = endpoint.answer(self._exchange, Fields.from_query(raw_query))
            else:
                result = self._signed(endpoint, headers, raw_query, raw_body, extra)
        except RefusalError as refusal:
            status = HTTPStatus.NOT_FOUND if refusal.code == ROUTE_NOT_FOUND else HTTPStatus.OK
            return Reply(envelope=self.envelope(refusal.code, refusal.text, {}), headers=extra, status=status)
        return Reply(envelope=self.envelope(0, "OK", result, ext_info_of(result)), headers=extra)

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
        if endpoint.is_order:
            exchange.notices.refuse_if_closed()
        return signed_call(exchange, self._limits, endpoint, caller, fields, extra, "rest")

    async def _cut_in_body(self, fault: Fault, request: web.Request, arrival: Arrival) -> web.Response:
        """Hear out a part of the request, and hang up."""
        arrival.faults.append(fault.name)
        kept = 1 if fault.details.bytes_kept is None else fault.details.bytes_kept
        part = await request.content.read(kept) if kept else b""
        if request.method == "POST":
            arrival.raw = part.decode(errors="replace")
        cut(request, hard=fault.act == "reset")
        return web.Response()

    def _struck(self, moment: Moment, event: FaultEvent, arrival: Arrival) -> Fault | None:
        fault = self._faults.strike("rest", moment, event)
        if fault is not None:
            arrival.faults.append(fault.name)
        return fault


def orders_named(values: Mapping[str, object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the link ids and the symbols in a request, those inside a batch included."""
    inner = values.get("request")
    rows = [values, *(row for row in inner if isinstance(row, dict))] if isinstance(inner, list) else [values]
    links = tuple(str(row["orderLinkId"]) for row in rows if row.get("orderLinkId"))
    symbols = tuple(str(row["symbol"]) for row in rows if row.get("symbol"))
    return links, symbols


def _with_orders(event: FaultEvent, values: Mapping[str, object]) -> FaultEvent:
    links, symbols = orders_named(values)
    return FaultEvent(method=event.method, path=event.path, link_ids=links, symbols=symbols)


def _peek(method: str, raw_query: str, raw_body: bytes) -> Mapping[str, object]:
    try:
        return (Fields.from_body(raw_body) if method == "POST" else Fields.from_query(raw_query)).values
    except RefusalError:
        return {}
