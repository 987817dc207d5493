"""The routes of the HTTP interface that are about routed orders."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from aiohttp import web

from executor.domain.commands import Outcome, Reply
from executor.domain.events import BasketVerb, Event, RouteSteered, RouteSubmitted
from executor.engine.route_report import route_report
from executor.engine.state import RouteState
from executor.interfaces import intents, route_views
from executor.interfaces.answers import check_reply, refusal, reply_view
from executor.interfaces.control import Control
from executor.interfaces.guard import BODY
from executor.interfaces.models import EmptyBody, read_body
from executor.interfaces.remedies import ANSWER_REMEDY
from executor.interfaces.route_body import RouteAmendBody, read_route, route_amended, route_submitted
from executor.interfaces.route_planning import PLANNED, known_fees_bps, route_plan_answer
from executor.interfaces.views import Json

_ONE: Final = "/v1/routes/{route_id}"
Ask = Callable[[Event], Awaitable[Reply]]
NewId = Callable[[], str]
KeyOf = Callable[[web.Request], str]


class RouteDoors:
    """The handlers, each a few lines: read, ask the engine, show.

    Parameters
    ----------
    ask, new_id, key_of
        How an event is handed to the engine, how a request is named, and which key it carries.
    """

    def __init__(self, control: Control, ask: Ask, new_id: NewId, key_of: KeyOf) -> None:
        self._control = control
        self._ask = ask
        self._new_id = new_id
        self._key_of = key_of

    def table(self) -> list[web.RouteDef]:
        """Give all routes."""
        return [
            web.post("/v1/routes", self.submit),
            web.post("/v1/route-plan", self.plan),
            web.get("/v1/routes", self.routes),
            web.get(_ONE, self.route),
            web.get(f"{_ONE}/report", self.report),
            web.post(f"{_ONE}/amend", self.amend),
            *(web.post(f"{_ONE}/{verb}", partial(self.steer, verb=verb)) for verb in BasketVerb),
        ]

    async def submit(self, request: web.Request) -> web.Response:
        """Take a new routed order."""
        event = await self._event(request[BODY], self._key_of(request))
        reply = check_reply(await self._ask(event), request.path)
        status = 201 if reply.outcome is Outcome.ACCEPTED else 200
        return web.json_response(self._answer(reply), status=status)

    async def plan(self, request: web.Request) -> web.Response:
        """Say how a routed order would be spread over time and divided now; nothing is accepted."""
        event = await self._event(request[BODY], PLANNED)
        return web.json_response(await route_plan_answer(self._control, event))

    async def _event(self, values: dict[str, object], key: str) -> RouteSubmitted:
        route, alone = read_route(values)
        is_repeat = key in self._control.state.route_keys
        return route_submitted(
            route,
            alone,
            request_id=self._new_id(),
            idempotency_key=key,
            now_ns=self._control.now_ns(),
            is_repeat=is_repeat,
            known_fees_bps={} if is_repeat else await known_fees_bps(self._control, route),
        )

    async def routes(self, _request: web.Request) -> web.Response:
        """Show all routed orders."""
        return web.json_response(route_views.routes_view(self._control.state, self._control.now_ns()))

    async def route(self, request: web.Request) -> web.Response:
        """Show one routed order with its legs and their parent orders."""
        return web.json_response(self._view(self._known(request)))

    async def report(self, request: web.Request) -> web.Response:
        """Give the sums of a routed order and its cost."""
        route = self._known(request)
        sums = route_report(self._control.state, route)
        return web.json_response({"route_id": route.order.route_id} | route_views.report_view(route, sums))

    async def amend(self, request: web.Request) -> web.Response:
        """Change a live routed order."""
        event = route_amended(
            read_body(RouteAmendBody, request[BODY]),
            request_id=self._new_id(),
            route_id=request.match_info["route_id"],
            now_ns=self._control.now_ns(),
        )
        return web.json_response(self._answer(check_reply(await self._ask(event), request.path)))

    async def steer(self, request: web.Request, verb: BasketVerb) -> web.Response:
        """Pause, resume or cancel a routed order."""
        read_body(EmptyBody, request[BODY])
        event = RouteSteered(
            at_ns=intents.UNSTAMPED,
            request_id=self._new_id(),
            route_id=request.match_info["route_id"],
            verb=verb,
        )
        return web.json_response(self._answer(check_reply(await self._ask(event), request.path)))

    def _answer(self, reply: Reply) -> Json:
        route = self._control.state.routes.get(reply.parent_id)
        told = {name: value for name, value in reply_view(reply).items() if name != "parent_id"}
        shown = None if route is None else self._view(route)
        return told | {"route_id": reply.parent_id, "route": shown}

    def _view(self, route: RouteState) -> Json:
        return route_views.route_view(self._control.state, route, self._control.now_ns())

    def _known(self, request: web.Request) -> RouteState:
        name = request.match_info["route_id"]
        route = self._control.state.routes.get(name)
        if route is None:
            raise refusal(404, "ROUTE", "path", name, *ANSWER_REMEDY["ROUTE"])
        return route
