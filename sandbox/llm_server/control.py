"""The control plane: a second, private HTTP port for tests and operators. Clients of the model never see it."""

from __future__ import annotations

import json

from aiohttp import web

from sandbox.llm_server.acts import Detail
from sandbox.llm_server.door import ChatDoor
from sandbox.llm_server.fault_form import FormError, put_up, read_detail
from sandbox.llm_server.faults import FaultBoard
from sandbox.llm_server.latency import MEDIAN_MS_MAX, SIGMA_MAX, Latency
from sandbox.llm_server.request_log import RequestLog
from sandbox.llm_server.wire_json import JsonObject, NotAnObjectError, read_object


class ControlDoor:
    """Handlers of the control port. A request it cannot understand is answered with HTTP 400.

    Parameters
    ----------
    door
        The clients' port, for its latency.
    faults
        The rules in force.
    log
        What clients have sent.
    """

    def __init__(self, door: ChatDoor, faults: FaultBoard, log: RequestLog) -> None:
        self._door = door
        self._faults = faults
        self._log = log

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the control port."""
        return [
            web.get("/_truth", self._truth),
            web.get("/_log", self._list_requests),
            web.delete("/_log", self._clear_log),
            web.get("/_fault", self._list_faults),
            web.post("/_fault", self._add_fault),
            web.delete("/_fault", self._clear_faults),
            web.get("/_latency", self._tell_latency),
            web.post("/_latency", self._set_latency),
        ]

    def truth(self) -> JsonObject:
        """Return the counts of everything since the start."""
        return {**self._log.truth(), "faults": dict(self._faults.fired)}

    async def _truth(self, request: web.Request) -> web.Response:
        return _answer(self.truth())

    async def _list_requests(self, request: web.Request) -> web.Response:
        since = request.query.get("since", "0")
        if not _is_number(since):
            return _answer({"error": "since must be a number"}, status=400)
        return _answer({"requests": self._log.shapes(since=int(since), path=request.query.get("path", ""))})

    async def _clear_log(self, request: web.Request) -> web.Response:
        return _answer({"cleared": self._log.clear()})

    async def _list_faults(self, request: web.Request) -> web.Response:
        return _answer({"faults": [fault.shape() for fault in self._faults.faults]})

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            return _answer(put_up(self._faults, read_object(await request.read())).shape())
        except (FormError, NotAnObjectError) as error:
            return _answer({"error": str(error)}, status=400)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        number = request.query.get("id", "")
        if number and not _is_number(number):
            return _answer({"error": "id must be a number"}, status=400)
        return _answer({"cleared": self._faults.clear(int(number) if number else None)})

    async def _tell_latency(self, request: web.Request) -> web.Response:
        return _answer(self._door.latency.shape())

    async def _set_latency(self, request: web.Request) -> web.Response:
        try:
            fields = read_object(await request.read())
            known = {
                "median_ms": Detail(kind=float, default=0.0, low=0, high=MEDIAN_MS_MAX),
                "sigma": Detail(kind=float, default=0.0, low=0, high=SIGMA_MAX),
            }
            strange = sorted(set(fields) - set(known))
            if strange:
                raise FormError(f"{', '.join(strange)} not known in a latency")
            values = {name: float(str(read_detail(fields, name, known[name]))) for name in known}
        except (FormError, NotAnObjectError) as error:
            return _answer({"error": str(error)}, status=400)
        self._door.latency = Latency(median_ms=values["median_ms"], sigma=values["sigma"])
        return _answer(self._door.latency.shape())


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _answer(body: JsonObject, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(body), status=status, content_type="application/json")
