"""The control plane: a second, private HTTP port for tests and operators. Clients of the venue never see it."""

from __future__ import annotations

import json
from typing import Final

from aiohttp import web

from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fault_form import put_up
from sandbox.bybit_server.faults import FaultBoard
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.levers import Levers, Plant
from sandbox.bybit_server.operations import Operator
from sandbox.bybit_server.refusal import RefusalError
from sandbox.bybit_server.switchboard import Switchboard
from sandbox.bybit_server.truth import truth
from sandbox.bybit_server.wire_log import WireLog

ELSEWHERE: Final = "/_elsewhere"


class ControlDoor:
    """Handlers of the control port. A request it cannot understand is answered with HTTP 400.

    Parameters
    ----------
    exchange
        The venue.
    plant
        The parts around it.
    log
        What clients have sent.
    """

    def __init__(self, exchange: Exchange, plant: Plant, log: WireLog) -> None:
        self._exchange = exchange
        self._faults: FaultBoard = plant.faults
        self._switchboard: Switchboard = plant.switchboard
        self._public = plant.public
        self._log = log
        self._operator: Final = Operator(exchange)
        self._levers: Final = Levers(exchange, plant)
        self._acts: Final = {
            **self._levers.table(),
            **self._operator.table(),
            "restart": self._restart,
        }

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the control port."""
        return [
            web.get("/_truth", self._truth),
            web.get("/_wire", self._wire),
            web.post("/_wire", self._clear_wire),
            web.delete("/_wire", self._clear_wire),
            web.get("/_fault", self._list_faults),
            web.post("/_fault", self._add_fault),
            web.delete("/_fault", self._clear_faults),
            web.post("/_ex", self._intervene),
            web.route("*", f"{ELSEWHERE}{{tail:.*}}", self._elsewhere),
        ]

    async def _truth(self, request: web.Request) -> web.Response:
        return _answer(truth(self._exchange))

    async def _wire(self, request: web.Request) -> web.Response:
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return _answer({"error": "since must be a number"}, status=400)
        body: JsonObject = {
            "requests": self._log.shapes(path=request.query.get("path", ""), since=int(since)),
            "elsewhere": self._log.elsewhere_shapes(),
            "connects": dict(self._switchboard.opened),
            "open": self._switchboard.open_counts(),
        }
        return _answer(body)

    async def _clear_wire(self, request: web.Request) -> web.Response:
        return _answer({"cleared": self._log.clear()})

    async def _elsewhere(self, request: web.Request) -> web.Response:
        """Play the server that a redirection leads to: note the request, and say yes."""
        raw = (await request.read()).decode(errors="replace") or request.query_string
        self._log.arrived_elsewhere(request.method, request.path, request.headers, raw)
        return _answer({"retCode": 0, "retMsg": "OK", "result": {}, "retExtInfo": {}, "time": 0})

    async def _list_faults(self, request: web.Request) -> web.Response:
        return _answer({"faults": [fault.shape() for fault in self._faults.faults]})

    async def _add_fault(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            fields = Fields.from_body(body)
            done = self._levers.act_at_once(fields)
            return _answer(put_up(self._faults, fields).shape() if done is None else done)
        except RefusalError as refusal:
            return _answer({"error": refusal.text}, status=400)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        number = request.query.get("id", "")
        if number:
            if not number.isdecimal():
                return _answer({"error": "id must be a number"}, status=400)
            return _answer({"cleared": self._faults.clear(int(number))})
        self._levers.heal(Fields({}))
        return _answer({"cleared": self._faults.clear()})

    async def _intervene(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            fields = Fields.from_body(body)
            name = fields.text("do")
            if name not in self._acts:
                known: JsonObject = {"error": f"do {name!r} is not known", "known": sorted(self._acts)}
                return _answer(known, status=400)
            return _answer(self._acts[name](fields))
        except (RefusalError, ValueError) as error:
            return _answer({"error": str(error)}, status=400)

    def _restart(self, fields: Fields) -> JsonObject:
        """Do what a restart of the venue does: lists of the recently closed are empty, books begin anew."""
        self._operator.forget_closed()
        for stream in self._public.values():
            stream.restart_books()
        return {}


def _answer(body: JsonObject, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(body), status=status, content_type="application/json")
