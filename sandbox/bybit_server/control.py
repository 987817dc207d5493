"""The control plane: a second, private HTTP port for tests and operators. Clients of the venue never see it."""

from __future__ import annotations

import json
from typing import Final

from aiohttp import web

from sandbox.bybit_server.clock import SystemClock
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.faults import FaultBoard
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.operations import Operator
from sandbox.bybit_server.private_stream import PrivateStream
from sandbox.bybit_server.public_stream import PublicStream
from sandbox.bybit_server.refusal import RefusalError, parameter_error
from sandbox.bybit_server.truth import truth
from sandbox.bybit_server.wire_log import WireLog


class ControlDoor:
    """Handlers of the control port. A request it cannot understand is answered with HTTP 400."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        clock: SystemClock,
        faults: FaultBoard,
        log: WireLog,
        private: PrivateStream,
        public: tuple[PublicStream, ...],
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._faults = faults
        self._log = log
        self._private = private
        self._public = public
        self._operator: Final = Operator(exchange)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the control port."""
        return [
            web.get("/_truth", self._truth),
            web.get("/_wire", self._wire),
            web.get("/_fault", self._list_faults),
            web.post("/_fault", self._add_fault),
            web.delete("/_fault", self._clear_faults),
            web.post("/_ex", self._intervene),
        ]

    async def _truth(self, request: web.Request) -> web.Response:
        return _answer(truth(self._exchange))

    async def _wire(self, request: web.Request) -> web.Response:
        return _answer({"requests": self._log.shapes()})

    async def _list_faults(self, request: web.Request) -> web.Response:
        return _answer({"faults": [fault.shape() for fault in self._faults.faults]})

    async def _add_fault(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            fields = Fields.from_body(body)
            if fields.text("on") == "private" and fields.text("act") == "close":
                return _answer({"closed": self._private.abort_all()})
            return _answer(self._faults.add(fields).shape())
        except RefusalError as refusal:
            return _answer({"error": refusal.text}, status=400)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        return _answer({"cleared": self._faults.clear()})

    async def _intervene(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            return _answer(self._do(Fields.from_body(body)))
        except (RefusalError, ValueError) as error:
            return _answer({"error": str(error)}, status=400)

    def _do(self, fields: Fields) -> JsonObject:
        operator = self._operator
        simple = {
            "fill": operator.fill,
            "cancel": operator.cancel,
            "lost_race": operator.lost_race,
            "trade": operator.trade,
            "quote": operator.quote,
            "clear_crowd": operator.clear_crowd,
            "freeze": operator.freeze,
            "spread": operator.spread,
            "jump": operator.jump,
            "lag": operator.lag,
        }
        name = fields.text("do")
        if name in simple:
            return simple[name](fields)
        match name:
            case "restart":
                operator.forget_closed()
                for stream in self._public:
                    stream.restart()
            case "clock":
                self._clock.set_offset_ms(fields.whole("offset_ms", 0, -(10**9), 10**9))
            case "halt_feed":
                for stream in self._public:
                    stream.halted = fields.flag("on")
            case "cut_public":
                for stream in self._public:
                    stream.abort_all()
            case _:
                raise parameter_error(f"do {name!r} is not known")
        return {}


def _answer(body: JsonObject, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(body), status=status, content_type="application/json")
