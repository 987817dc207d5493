"""The order-entry WebSocket door: the same venue, rules and allowances as REST, with acks as messages."""

from __future__ import annotations

from typing import Final

from sandbox.bybit_server.accounts import Credentials
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.connection import Connection
from sandbox.bybit_server.endpoints import STREAM_OPERATIONS
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.faults import AFTER, BEFORE, Fault, FaultBoard
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.rate_limit import RollingLimits
from sandbox.bybit_server.refusal import RefusalError, parameter_error
from sandbox.bybit_server.signature import authenticate_stream, check_time_window
from sandbox.bybit_server.stream_control import decode_message
from sandbox.bybit_server.wire_log import WireEntry, WireLog

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
        """Talk to one client until it leaves."""
        visit = _Visit()
        while (text := await connection.read(idle_s)) is not None:
            message = decode_message(connection, text)
            if message is not None:
                self._on_message(connection, visit, message, text)

    def _on_message(self, connection: Connection, visit: _Visit, message: JsonObject, text: str) -> None:
        op = str(message.get("op"))
        req_id = message.get("reqId")
        if op == "ping":
            stamp = str(now_ms(self._exchange.clock))
            pong: JsonObject = {"retCode": 0, "retMsg": "OK", "op": "pong", "data": [stamp]}
            connection.send({**_echo(message), **pong, "connId": connection.conn_id}, self._ack_delay_ms)
            return
        if op == "auth":
            code, reason = self._authenticate(visit, message.get("args"))
            answer = {**_echo(message), "retCode": code, "retMsg": reason, "op": "auth"}
            connection.send({**answer, "connId": connection.conn_id}, self._ack_delay_ms)
            return
        link_id = _link_id(message)
        before = self._faults.strike("trade", when=BEFORE, method="WS", path=op, link_id=link_id)
        if before is not None and self._misbehave(connection, message, before):
            self._record(op, text, None, applied=False, answered=before.act == "retCode")
            return
        header: JsonObject = {}
        try:
            data = self._apply(visit, op, req_id, message, header)
            code, reason = 0, "OK"
        except RefusalError as refusal:
            data, code, reason = {}, refusal.code, refusal.text
        after = self._faults.strike("trade", when=AFTER, method="WS", path=op, link_id=link_id)
        spoiled = after is not None and self._misbehave(connection, message, after)
        self._record(op, text, code, applied=True, answered=not spoiled)
        if not spoiled:
            delay_ms = self._ack_delay_ms + (after.delay_s * 1000 if after is not None else 0.0)
            connection.send(self._frame(connection, message, (code, reason), data, header), delay_ms)

    def _authenticate(self, visit: _Visit, args: object) -> tuple[int, str]:
        if visit.caller is not None:
            return 20001, "Repeat auth"
        try:
            visit.caller = authenticate_stream(args, self._exchange.keys, now_ms(self._exchange.clock))
        except RefusalError as refusal:
            return refusal.code, refusal.text
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
        category = fields.text("category")
        bucket = (visit.caller.uid, endpoint.path, category)
        allowance = self._limits.visit(bucket, endpoint.limit(category))
        header.update(allowance.headers())
        allowance.refuse_if_exceeded()
        return endpoint.answer(self._exchange, self._exchange.accounts[visit.caller.uid], fields)

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
            "retExtInfo": {},
            "header": {**header, "Traceid": self._exchange.ids.trace_id(), "Timenow": stamp},
            "connId": connection.conn_id,
        }

    def _misbehave(self, connection: Connection, message: JsonObject, fault: Fault) -> bool:
        """Do what a rule says; tell whether that replaces the normal answer."""
        match fault.act:
            case "drop":
                return True
            case "reset":
                connection.abort()
                return True
            case "retCode":
                answer = self._frame(connection, message, (fault.ret_code, fault.ret_msg), {}, {})
                connection.send(answer, self._ack_delay_ms + fault.delay_s * 1000)
                return True
            case "status" | "body_raw":
                connection.send_text(fault.body_raw, self._ack_delay_ms)
                return True
            case _:
                return False

    def _record(self, op: str, text: str, code: int | None, *, applied: bool, answered: bool) -> None:
        self._log.add(
            WireEntry(
                time_ms=now_ms(self._exchange.clock),
                path=op,
                raw=text,
                ret_code=code,
                applied=applied,
                answered=answered,
            )
        )


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


def _link_id(message: JsonObject) -> str:
    args = message.get("args")
    first = args[0] if isinstance(args, list) and args else None
    return str(first.get("orderLinkId") or "") if isinstance(first, dict) else ""
