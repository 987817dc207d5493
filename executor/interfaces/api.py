"""The HTTP control interface: its routes, and the server they run on."""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from aiohttp import web

from config.problems import ConfigProblems, Problem, quoted
from config.secrets import Secret
from executor.adviser.news import HANDED_PER_MIN_MAX, NewsFate
from executor.adviser.tape import TapeError
from executor.domain.commands import Outcome, Reply
from executor.domain.events import (
    BasketSteered,
    BasketVerb,
    CancelRequested,
    Event,
    PauseRequested,
    ResumeRequested,
)
from executor.engine.baskets import basket_refusals
from executor.engine.state import ParentState
from executor.interfaces import advice_views, basket_views, intents, route_views, views
from executor.interfaces.answers import basket_refusal, check_reply, refusal, reply_view
from executor.interfaces.api_page import ApiPage
from executor.interfaces.basket_body import BasketBody, basket_submitted
from executor.interfaces.board_access import BoardAccess
from executor.interfaces.board_doors import BoardDoors
from executor.interfaces.control import Control, ControlBusy
from executor.interfaces.crowd import Crowd
from executor.interfaces.guard import BODY, GuardLimits, guard, plain_headers
from executor.interfaces.journal_doors import JournalDoors
from executor.interfaces.kinds import PARENT_ID
from executor.interfaces.limit_doors import LimitDoors
from executor.interfaces.models import (
    BODY_BYTES_MAX,
    AmendBody,
    EmptyBody,
    FlowBody,
    NewsBody,
    StopBody,
    SubmitBody,
    read_body,
)
from executor.interfaces.openapi import document
from executor.interfaces.plan_body import PlanBody
from executor.interfaces.planning import PLANNED, plan_answer, with_calibration
from executor.interfaces.remedies import ANSWER_REMEDY
from executor.interfaces.route_doors import RouteDoors

OPENAPI_PATH: Final = "/openapi.json"
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r"\A[A-Za-z0-9_-]{1,64}\Z", re.ASCII)
CROWD: Final = web.AppKey("crowd", Crowd)
_USUAL: Final = GuardLimits()


class Routes:
    """The handlers, each a few lines: read, ask the engine, show."""

    def __init__(self, control: Control, limits: GuardLimits) -> None:
        self._control = control
        self._limits = limits
        self._one_reads = asyncio.Lock()
        self._one_scrapes = asyncio.Lock()

    def table(self) -> list[web.RouteDef]:
        """Give all routes."""
        one = "/v1/parents/{parent_id}"
        return [
            web.get("/health", self.health),
            web.get("/ready", self.ready),
            web.get("/metrics", self.metrics),
            web.get("/v1/status", self.status),
            web.post("/v1/parents", self.submit),
            web.get("/v1/parents", self.parents),
            web.get(one, self.parent),
            web.get(f"{one}/children", self.children),
            web.get(f"{one}/report", self.report),
            web.get(f"{one}/decisions", self.decisions),
            web.get(f"{one}/decisions/{{decision_id}}", self.call),
            web.post(f"{one}/pause", self.pause),
            web.post(f"{one}/resume", self.resume),
            web.post(f"{one}/amend", self.amend),
            web.post(f"{one}/cancel", self.cancel),
            *self._basket_routes(),
            *RouteDoors(self._control, self._ask, _request_id, _idempotency_key).table(),
            *LimitDoors(self._control, self._ask, _request_id).table(),
            *JournalDoors(self._control).table(),
            web.post("/v1/halt", self.halt),
            web.post("/v1/rearm", self.rearm),
            web.post("/v1/news", self.news),
            web.post("/v1/exchange-flow", self.exchange_flow),
            web.post("/v1/plan", self.plan),
        ]

    def _basket_routes(self) -> list[web.RouteDef]:
        one = "/v1/baskets/{basket_id}"
        return [
            web.post("/v1/baskets", self.submit_basket),
            web.get("/v1/baskets", self.baskets),
            web.get(one, self.basket),
            *(web.post(f"{one}/{verb}", partial(self.steer_basket, verb=verb)) for verb in BasketVerb),
        ]

    async def health(self, _request: web.Request) -> web.Response:
        """Tell that the process answers."""
        return web.json_response({"alive": True, "version": self._control.info.version})

    async def ready(self, _request: web.Request) -> web.Response:
        """Tell whether new parents can be worked."""
        is_ready, why_not = self._control.ready()
        return web.json_response(
            {"ready": is_ready, "why_not": list(why_not)}, status=200 if is_ready else 503
        )

    async def metrics(self, _request: web.Request) -> web.Response:
        """Give the metrics page."""
        async with self._one_scrapes:
            page, kind = await self._control.metrics_page()
        return web.Response(body=page, headers={"Content-Type": kind})

    async def status(self, _request: web.Request) -> web.Response:
        """Show the daemon."""
        routes = route_views.open_routes_view(self._control.state, self._control.now_ns())
        return web.json_response(views.status_view(self._control) | {"open_routes": routes})

    async def parents(self, _request: web.Request) -> web.Response:
        """Show all parent orders."""
        return web.json_response(views.parents_view(self._control.state, self._control.now_ns()))

    async def parent(self, request: web.Request) -> web.Response:
        """Show one parent order with its plan."""
        return web.json_response(self._view(self.known(request)))

    async def children(self, request: web.Request) -> web.Response:
        """Show the child orders of a parent."""
        return web.json_response(views.children_view(self._control.state, self.known(request)))

    async def report(self, request: web.Request) -> web.Response:
        """Give the cost report of a parent."""
        parent = self.known(request)
        report = self._control.report(parent.order.parent_id)
        if report is None:
            raise refusal(
                404,
                "REPORT",
                request.path,
                f"no report yet, status {parent.status.value}",
                "a parent with an arrival price",
                "ask again when it has begun",
            )
        return web.json_response(views.report_view(report, self._control.state, parent))

    async def decisions(self, request: web.Request) -> web.Response:
        """Give every question about a parent and what became of it, newest last."""
        parent = self.known(request)
        report = self._control.report(parent.order.parent_id)
        return web.json_response(advice_views.decisions_view(report or {}, self._control.state, parent))

    async def call(self, request: web.Request) -> web.Response:
        """Give what was asked of the model for one decision, and its reply as it came."""
        parent = self.known(request)
        name = _parent_id(request, "decision_id")
        try:
            async with self._one_reads:
                line = await asyncio.to_thread(self._control.call_of, parent.order.parent_id, name)
        except TapeError:
            line = None  # its words hold a path: for the log of who wrote the tape
        if line is None:
            raise refusal(
                404,
                "CALL",
                "path",
                quoted(name),
                "a decision for which a model was asked, and whose call is on the tape",
                "read the names by /v1/parents/{parent_id}/decisions; a call is on the tape when it has ended",
            )
        return web.json_response(advice_views.call_view(line))

    async def submit(self, request: web.Request) -> web.Response:
        """Take a new parent order."""
        key = _idempotency_key(request)
        event = intents.submitted(
            read_body(SubmitBody, request[BODY]),
            request_id=_request_id(),
            idempotency_key=key,
            now_ns=self._control.now_ns(),
            is_repeat=key in self._control.state.idempotency,
            has_model=self._control.state.adviser is not None,
        )
        if key not in self._control.state.idempotency:
            event = await with_calibration(self._control, event)
        reply = check_reply(await self._ask(event), "/v1/parents")
        parent = self._control.state.parents.get(reply.parent_id)
        answer = reply_view(reply) | {"parent": None if parent is None else self._view(parent)}
        return web.json_response(answer, status=201 if reply.outcome is Outcome.ACCEPTED else 200)

    async def plan(self, request: web.Request) -> web.Response:
        """Say what an order would do and cost; nothing is accepted."""
        body = read_body(PlanBody, request[BODY])
        event = intents.submitted(
            body,
            request_id=PLANNED,
            idempotency_key=request.headers.get(IDEMPOTENCY_HEADER, PLANNED),
            now_ns=self._control.now_ns(),
            is_repeat=False,
            has_model=self._control.state.adviser is not None,
        )
        return web.json_response(await plan_answer(self._control, body, event))

    async def submit_basket(self, request: web.Request) -> web.Response:
        """Take several new parent orders, all or none."""
        key = _idempotency_key(request)
        state = self._control.state
        event = basket_submitted(
            read_body(BasketBody, request[BODY]),
            request_id=_request_id(),
            idempotency_key=key,
            now_ns=self._control.now_ns(),
            is_repeat=key in state.basket_keys,
            has_model=state.adviser is not None,
        )
        if key not in state.basket_keys:
            orders = [await with_calibration(self._control, order) for order in event.orders]
            event = replace(event, orders=tuple(orders))
        reply = await self._ask(event)
        if reply.outcome not in (Outcome.ACCEPTED, Outcome.REPEATED) and reply.code != "IDEMPOTENCY_KEY":
            # The engine tells all reasons in one line; here each stands beside its order.
            found = basket_refusals(self._control.state, event)
            if found:
                raise basket_refusal(reply.outcome, found)
        check_reply(reply, request.path)
        status = 201 if reply.outcome is Outcome.ACCEPTED else 200
        return web.json_response(self._basket_answer(reply), status=status)

    async def baskets(self, _request: web.Request) -> web.Response:
        """Show all baskets, and what all open parents could come to."""
        state = self._control.state
        shown = basket_views.baskets_view(state, self._control.now_ns())
        return web.json_response(shown | {"exposure": basket_views.exposure_view(state)})

    async def basket(self, request: web.Request) -> web.Response:
        """Show one basket with its parents."""
        name = _parent_id(request, "basket_id")
        basket = self._control.state.baskets.get(name)
        if basket is None:
            raise _unknown(name, "BASKET")
        now_ns = self._control.now_ns()
        return web.json_response(basket_views.basket_view(self._control.state, basket, now_ns))

    async def steer_basket(self, request: web.Request, verb: BasketVerb) -> web.Response:
        """Pause, resume or cancel all open parents of a basket."""
        read_body(EmptyBody, request[BODY])
        name = _parent_id(request, "basket_id")
        event = BasketSteered(at_ns=intents.UNSTAMPED, request_id=_request_id(), basket_id=name, verb=verb)
        reply = check_reply(await self._ask(event), request.path)
        return web.json_response(self._basket_answer(reply))

    def _basket_answer(self, reply: Reply) -> dict[str, object]:
        state = self._control.state
        basket = state.baskets.get(reply.parent_id)
        told = {name: value for name, value in reply_view(reply).items() if name != "parent_id"}
        shown = None if basket is None else basket_views.basket_view(state, basket, self._control.now_ns())
        return told | {"basket_id": reply.parent_id, "basket": shown}

    async def pause(self, request: web.Request) -> web.Response:
        """Stop a parent from trading for now."""
        read_body(EmptyBody, request[BODY])
        name = _parent_id(request)
        return await self._verb(
            request, PauseRequested(at_ns=intents.UNSTAMPED, request_id=_request_id(), parent_id=name)
        )

    async def resume(self, request: web.Request) -> web.Response:
        """Let a paused parent go on."""
        read_body(EmptyBody, request[BODY])
        name = _parent_id(request)
        return await self._verb(
            request, ResumeRequested(at_ns=intents.UNSTAMPED, request_id=_request_id(), parent_id=name)
        )

    async def cancel(self, request: web.Request) -> web.Response:
        """End a parent."""
        read_body(EmptyBody, request[BODY])
        name = _parent_id(request)
        return await self._verb(
            request, CancelRequested(at_ns=intents.UNSTAMPED, request_id=_request_id(), parent_id=name)
        )

    async def amend(self, request: web.Request) -> web.Response:
        """Change a live parent."""
        event = intents.amended(
            read_body(AmendBody, request[BODY]),
            request_id=_request_id(),
            parent_id=_parent_id(request),
            state=self._control.state,
            now_ns=self._control.now_ns(),
        )
        return await self._verb(request, event)

    async def halt(self, request: web.Request) -> web.Response:
        """Pull the stop; the answer says which child orders could be open at that moment."""
        event = intents.halted(read_body(StopBody, request[BODY]), _request_id())
        were_open = views.unproved_children(self._control.state)
        reply = check_reply(await self._ask(event), request.path)
        return web.json_response(reply_view(reply) | {"parent": None, "were_open": were_open})

    async def rearm(self, request: web.Request) -> web.Response:
        """Clear the stop."""
        return await self._verb(request, intents.rearmed(read_body(StopBody, request[BODY]), _request_id()))

    async def exchange_flow(self, request: web.Request) -> web.Response:
        """Take a count of coins that went onto exchanges and off them; only orders that ask for it go by it."""
        event = intents.flow_counted(read_body(FlowBody, request[BODY]), _request_id())
        reply = check_reply(await self._ask(event), request.path)
        return web.json_response(reply_view(reply))

    async def news(self, request: web.Request) -> web.Response:
        """Take a text from outside for the model to read; it is shown as such and decides nothing."""
        body = read_body(NewsBody, request[BODY])
        fate = self._control.hand_in_news(body.source, body.text, body.published)
        if fate is NewsFate.CLOSED:
            raise refusal(
                409,
                "NEWS_CLOSED",
                request.path,
                "a daemon that takes no texts from outside",
                "a daemon with adviser.enabled = true and adviser.news_webhook = true",
                "write both under [adviser] in its --config file and start it anew",
            )
        if fate is NewsFate.TOO_MANY:
            raise refusal(
                429,
                "NEWS_TOO_MANY",
                request.path,
                "more texts than a minute may have",
                f"at most {HANDED_PER_MIN_MAX} texts a minute, known ones included",
                "wait a minute, and hand in what matters",
                {"Retry-After": "60"},
            )
        is_new = fate is NewsFate.TAKEN
        outcome = Outcome.ACCEPTED if is_new else Outcome.REPEATED
        text = "shown in the next questions" if is_new else "known already, or too old to be kept; dropped"
        return web.json_response({"outcome": outcome.value, "text": text})

    async def _verb(self, request: web.Request, event: Event) -> web.Response:
        reply = check_reply(await self._ask(event), request.path)
        parent = self._control.state.parents.get(reply.parent_id)
        return web.json_response(
            reply_view(reply) | {"parent": None if parent is None else self._view(parent)}
        )

    async def _ask(self, event: Event) -> Reply:
        """Hand an event to the engine; a full inbox and a late answer are answers of their own."""
        try:
            async with asyncio.timeout(self._limits.answer_s_max):
                return await self._control.ask(event)
        except ControlBusy:
            raise refusal(
                429,
                "BUSY",
                "daemon",
                "a full inbox",
                "nothing was done",
                "wait a second and ask again",
                {"Retry-After": "1"},
            ) from None
        except TimeoutError:
            raise refusal(
                504,
                "TIMEOUT",
                "daemon",
                f"no answer within {self._limits.answer_s_max:g} s",
                "it is not known whether the request was accepted",
                "read the state; repeat only with the same Idempotency-Key",
            ) from None

    def _view(self, parent: ParentState) -> views.Json:
        return views.parent_view(self._control.state, parent, self._control.now_ns())

    def known(self, request: web.Request) -> ParentState:
        """Find the parent that a request names, or refuse."""
        name = _parent_id(request)
        parent = self._control.state.parents.get(name)
        if parent is None:
            raise _unknown(name, "PARENT")
        return parent


def build_app(control: Control, token: Secret, limits: GuardLimits = _USUAL) -> web.Application:
    """Put routes and guard together.

    Parameters
    ----------
    token
        The bearer token that every route asks for but those of `guard.OPEN_PATHS` and the files of the board.
    """
    access = BoardAccess(time.monotonic)
    crowd = Crowd(limits.connections_max)
    app = web.Application(middlewares=[guard(token, limits, access, crowd)], client_max_size=BODY_BYTES_MAX)
    app[CROWD] = crowd
    routes = Routes(control, limits)
    board = BoardDoors(control, access, routes.known)
    told: dict[str, object] = {}
    page = ApiPage(told)
    own = [web.get(OPENAPI_PATH, partial(_openapi, told)), *page.table()]
    table = [*routes.table(), *board.table(), *own]
    told.update(document(table, control.info.version))
    app.add_routes(table)
    board.attach(app)
    app.on_response_prepare.append(plain_headers)
    return app


async def _openapi(told: dict[str, object], _request: web.Request) -> web.Response:
    """Give the description of this interface."""
    return web.json_response(told)


@asynccontextmanager
async def serve(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Run the interface while the block runs; gives the bound port (`port` 0 takes any free one).

    Raises
    ------
    ConfigProblems
        API_BIND if the address is in use or not ours.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=15.0,
        lingering_time=0.5,
        shutdown_timeout=2.0,
    )
    await runner.setup()
    try:
        listening = await _listen(app[CROWD], runner, host, port)
        try:
            yield int(listening.sockets[0].getsockname()[1])
        finally:
            listening.close()
    finally:
        await runner.cleanup()


async def _listen(crowd: Crowd, runner: web.AppRunner, host: str, port: int) -> asyncio.Server:
    """Open the door; who comes in is admitted by the crowd."""
    server = runner.server
    assert server is not None, "it was made by the set-up"
    try:
        return await asyncio.get_running_loop().create_server(partial(crowd.admit, server), host, port)
    except OSError as error:
        raise ConfigProblems([_bind_problem(host, port, error)]) from None


def _bind_problem(host: str, port: int, error: OSError) -> Problem:
    return Problem(
        code="API_BIND",
        where="control.host and control.port",
        got=f"{host} port {port}: {error.strerror or 'cannot listen'}",
        allowed="a free port on loopback, or 0 for any",
        next_step="end the program that holds the port, or choose another in [control]",
    )


def _request_id() -> str:
    return secrets.token_hex(8)


def _idempotency_key(request: web.Request) -> str:
    given = request.headers.getall(IDEMPOTENCY_HEADER, [])
    form = "1 to 64 characters A-Z a-z 0-9 _ -"
    where = f"header {IDEMPOTENCY_HEADER}"
    if len(given) != 1:
        got = "nothing" if not given else f"{len(given)} of them"
        raise refusal(400, "IDEMPOTENCY", where, got, form, "send a new key with every new order")
    if not _KEY.match(given[0]):
        raise refusal(422, "IDEMPOTENCY", where, quoted(given[0]), form, "choose a key of that form")
    return given[0]


def _parent_id(request: web.Request, part: str = "parent_id") -> str:
    name = request.match_info[part]
    if not PARENT_ID.match(name):
        raise _unknown(name, "BASKET" if part == "basket_id" else "PARENT")
    return name


def _unknown(name: str, code: str) -> Exception:
    return refusal(404, code, "path", quoted(name), *ANSWER_REMEDY[code])
