"""The order-entry WebSocket door: the same venue, rules and allowances as REST, with acks as messages."""

from __future__ import annotations

import asyncio
from typing import Final

from sandbox.bybit_server.accounts import Credentials
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.connection import Connection
from sandbox.bybit_server.endpoints import STREAM_OPERATIONS
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.faults import Fault, FaultBoard, FaultEvent, Moment
from sandbox.bybit_server.fields import Fields, JsonObject, ext_info_of
from sandbox.bybit_server.push_faults import cut_short, damaged, encode
from sandbox.bybit_server.rate_limit import RollingLimits
from sandbox.bybit_server.refusal import RefusalError, parameter_error
from sandbox.bybit_server.rest import orders_named
from sandbox.bybit_server.signature import authenticate_stream, check_time_window
from sandbox.bybit_server.signed_call import signed_call
from sandbox.bybit_server.stream_control import decode_message
from sandbox.bybit_server.wire_log import Arrival, WireLog

REQ_ID_LENGTH_MAX: Final = 36


class TradeStream:
    """All order-entry connections."""

    def __init__(
        self, exchange: Exchange, limits: RollingLimits, faults: FaultBoard, log: WireLog, ack_delay_ms: float
    ) -> None:
        self._exchange = exchange
        self._limits = limits
        self._faults = faults
        self._log = log
        self._ack_delay_ms = ack_delay_ms

    async def serve(self, connection: Connection, idle_s: float) -> None:
        """Talk to one client until it leaves; a message held up holds up those behind it."""
        visit = _Visit()
        while (text := await connection.read(idle_s)) is not None:
            message = decode_message(connection, text)
            if message is not None:
                await self._on_message(connection, visit, message, text)

    async def _on_message(
        self, connection: Connection, visit: _Visit, message: JsonObject, text: str
    ) -> None:
        op = str(message.get("op"))
        if op == "ping":
            self._pong(connection, message)
            return
        if op == "auth":
            code, reason = self._authenticate(visit, message.get("args"))
            answer = {**_echo(message), "retCode": code, "retMsg": reason, "op": "auth"}
            connection.send({**answer, "connId": connection.conn_id}, self._ack_delay_ms)
            return
        header = message.get("header")
        sent = (
            {str(name).lower(): str(value) for name, value in header.items()}
            if isinstance(header, dict)
            else {}
        )
        arrival = self._log.arrived("trade", "WS", op, sent, text)
        event = _event(op, message)
        before = self._struck(Moment.BEFORE, event, arrival)
        if before is not None:
            await asyncio.sleep(before.details.delay_s)
            stand_in = self._frame(
                connection, message, (before.details.ret_code, before.details.ret_text), {}, {}
            )
            if self._misbehave(connection, stand_in, before):
                arrival.answered = before.act == "retCode"
                return
        times = 2 if before is not None and before.act == "dup" else 1
        for _ in range(times):
            self._apply_and_answer(connection, visit, message, event, arrival)

    def _apply_and_answer(
        self, connection: Connection, visit: _Visit, message: JsonObject, event: FaultEvent, arrival: Arrival
    ) -> None:
        header: JsonObject = {}
        try:
            data = self._apply(visit, event.path, message.get("reqId"), message, header)
            code, reason = 0, "OK"
        except RefusalError as refusal:
            data, code, reason = {}, refusal.code, refusal.text
        arrival.applied += 1
        arrival.ret_code = code
        answer = self._frame(connection, message, (code, reason), data, header)
        after = self._struck(Moment.AFTER, event, arrival)
        spoiled = after is not None and self._misbehave(connection, answer, after)
        arrival.answered = not spoiled
        if not spoiled:
            late_ms = after.details.delay_s * 1000 if after is not None else 0.0
            connection.send(answer, self._ack_delay_ms + late_ms)

    def _pong(self, connection: Connection, message: JsonObject) -> None:
        if self._faults.strike("trade", Moment.PING) is not None:
            return
        stamp = str(now_ms(self._exchange.clock))
        pong: JsonObject = {"retCode": 0, "retMsg": "OK", "op": "pong", "data": [stamp]}
        connection.send({**_echo(message), **pong, "connId": connection.conn_id}, self._ack_delay_ms)

    def _authenticate(self, visit: _Visit, args: object) -> tuple[int, str]:
        if visit.caller is not None:
            return 20001, "Repeat auth"
        fault = self._faults.strike("trade", Moment.AUTH)
        if fault is not None:
            return fault.details.ret_code, fault.details.ret_text
        try:
            server_ms = now_ms(self._exchange.clock)
            caller = authenticate_stream(args, self._exchange.keys, server_ms)
            self._exchange.key_ring.rights(caller.key).refuse_if_dead(server_ms)
        except RefusalError as refusal:
            return refusal.code, refusal.text
        visit.caller = caller
        return 0, "OK"

    def _apply(
        self, visit: _Visit, op: str, req_id: object, message: JsonObject, header: JsonObject
    ) -> JsonObject:
        endpoint = STREAM_OPERATIONS.get(op)
        if endpoint is None:
            raise RefusalError(10404, "op is not supported")
        if visit.caller is None:
            raise RefusalError(10003, "Request not authorized")
        visit.use(req_id)
        sent = message.get("header")
        if not isinstance(sent, dict):
            raise parameter_error("params error: header invalid")
        stamp, window = str(sent.get("X-BAPI-TIMESTAMP", "")), str(sent.get("X-BAPI-RECV-WINDOW") or "")
        check_time_window(stamp, window, now_ms(self._exchange.clock))
        args = message.get("args")
        if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
            raise parameter_error("params error: args invalid")
        fields = Fields(args[0])
        self._exchange.notices.refuse_if_closed()
        return signed_call(self._exchange, self._limits, endpoint, visit.caller, fields, header, "trade")

    def _frame(
        self,
        connection: Connection,
        message: JsonObject,
        verdict: tuple[int, str],
        data: JsonObject,
        header: JsonObject,
    ) -> JsonObject:
        stamp = str(now_ms(self._exchange.clock))
        return {
            **_echo(message),
            "retCode": verdict[0],
            "retMsg": verdict[1],
            "op": message.get("op"),
            "data": data,
            "retExtInfo": ext_info_of(data),
            "header": {**header, "Traceid": self._exchange.ids.trace_id(), "Timenow": stamp},
            "connId": connection.conn_id,
        }

    def _misbehave(self, connection: Connection, answer: JsonObject, fault: Fault) -> bool:
        """Do what a rule says; tell whether that replaces the normal answer."""
        details = fault.details
        late_ms = self._ack_delay_ms
        if fault.moment is Moment.AFTER:
            late_ms += details.delay_s * 1000
        match fault.act:
            case "drop":
                pass
            case "reset":
                connection.abort()
            case "close":
                connection.close(details.close_code or 1001)
            case "retCode":
                lie = {**answer, "retCode": details.ret_code, "retMsg": details.ret_text, "data": {}}
                connection.send(lie, late_ms)
            case "body_raw":
                connection.send_text(details.body_raw, late_ms)
            case "frame_raw" | "frame_hex":
                connection.send_frame(details.frame, late_ms, binary=details.binary)
            case "truncate":
                connection.send_frame(cut_short(encode(answer), details.bytes_kept), late_ms)
            case "corrupt":
                connection.send_frame(damaged(encode(answer)), late_ms)
            case _:
                return False
        return True

    def _struck(self, moment: Moment, event: FaultEvent, arrival: Arrival) -> Fault | None:
        fault = self._faults.strike("trade", moment, event)
        if fault is not None:
            arrival.faults.append(fault.name)
        return fault


class _Visit:
    """What one connection has shown: who it is, and the request ids it has used."""

    def __init__(self) -> None:
        self.caller: Credentials | None = None
        self._req_ids: set[str] = set()

    def use(self, req_id: object) -> None:
        """Refuse a request id that is too long or not new."""
        if req_id is None:
            return
        text = str(req_id)
        if len(text) > REQ_ID_LENGTH_MAX:
            raise parameter_error("params error: reqId too long")
        if text in self._req_ids:
            raise RefusalError(20006, "Duplicate reqId")
        self._req_ids.add(text)


def _echo(message: JsonObject) -> JsonObject:
    return {"reqId": message["reqId"]} if message.get("reqId") is not None else {}


def _event(op: str, message: JsonObject) -> FaultEvent:
    args = message.get("args")
    first = args[0] if isinstance(args, list) and args else None
    links, symbols = orders_named(first) if isinstance(first, dict) else ((), ())
    return FaultEvent(method="WS", path=op, link_ids=links, symbols=symbols)
