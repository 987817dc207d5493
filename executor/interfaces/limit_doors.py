"""The routes about limits: what holds and how much of it is used, and to tighten one. None loosens."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

from aiohttp import web
from pydantic import ValidationError

from config.problems import ConfigProblems, Problem, quoted
from config.schema import LimitsSection
from config.written import Form as WrittenForm
from config.written import Written
from executor.domain.commands import Reply
from executor.domain.events import Event, LimitTightened
from executor.domain.limits import is_least, limit_of
from executor.domain.timeline import iso_utc
from executor.domain.units import plain
from executor.engine.state import EngineState
from executor.interfaces.answers import check_reply, reply_view
from executor.interfaces.control import Control
from executor.interfaces.guard import BODY
from executor.interfaces.intents import UNSTAMPED
from executor.interfaces.limit_body import LIMITS, VALUE_FORM, TightenBody
from executor.interfaces.models import json_path, read_body
from executor.interfaces.views import Json
from executor.runtime.limits_in_use import limits_in_use

Ask = Callable[[Event], Awaitable[Reply]]
NewId = Callable[[], str]


class LimitDoors:
    """The handlers.

    Parameters
    ----------
    ask, new_id
        How an event is handed to the engine, and how a request is named.
    """

    def __init__(self, control: Control, ask: Ask, new_id: NewId) -> None:
        self._control = control
        self._ask = ask
        self._new_id = new_id

    def table(self) -> list[web.RouteDef]:
        """Give all routes."""
        return [web.get("/v1/limits", self.limits), web.post("/v1/limits/tighten", self.tighten)]

    async def limits(self, _request: web.Request) -> web.Response:
        """Show every limit in force, how much of it is used, and what a person has tightened."""
        return web.json_response({"limits": limits_in_force(self._control.state)})

    async def tighten(self, request: web.Request) -> web.Response:
        """Tighten a limit; it holds over restarts until a person starts the daemon with --release-limits."""
        body = read_body(TightenBody, request[BODY])
        event = LimitTightened(
            at_ns=UNSTAMPED,
            request_id=self._new_id(),
            operator=body.operator,
            reason=body.reason,
            limit=body.limit,
            value=read_limit(body.limit, body.value),
        )
        reply = check_reply(await self._ask(event), json_path("value"))
        told = {name: value for name, value in reply_view(reply).items() if name != "parent_id"}
        shown = next(one for one in limits_in_force(self._control.state) if one["limit"] == body.limit)
        return web.json_response(told | {"limit": shown})


def read_limit(limit: str, text: str) -> Decimal:
    """Read a value of a limit as a settings file may say it.

    Raises
    ------
    ConfigProblems
        If it is none, or outside the range that the settings allow.
    """
    try:
        section = LimitsSection.model_validate(
            {limit: Written(text=text, form=WrittenForm.ENV, where=json_path("value"))}
        )
    except ValidationError as error:
        told = error.errors()[0].get("ctx", {})
        raise ConfigProblems(
            [
                Problem(
                    code="LIMIT_RANGE",
                    where=json_path("value"),
                    got=quoted(text),
                    allowed=f"{limit}: {told.get('allowed', VALUE_FORM)}",
                    next_step=str(told.get("next", "choose a value inside the range")),
                )
            ]
        ) from None
    value: Decimal | int = getattr(section, limit)
    return Decimal(value)


def limits_in_force(state: EngineState) -> list[Json]:
    """Show every limit: what it is, how much of it is used, and who tightened it."""
    used = {use.limit: use for use in limits_in_use(state)}
    shown: list[Json] = []
    for name in LIMITS:
        value, made, use = limit_of(state.limits, name), state.tightened.get(name), used.get(name)
        shown.append(
            {
                "limit": name,
                "value": None if value is None else plain(value),
                "bound": "at least" if is_least(name) else "at most",
                "used": None if use is None else plain(use.used),
                "share": None if use is None else round(float(use.ratio), 6),
                "place": "" if use is None else use.place,
                "tightened": None
                if made is None
                else {
                    "value": plain(made.value),
                    "before": None if made.before is None else plain(made.before),
                    "operator": made.operator,
                    "reason": made.reason,
                    "at": iso_utc(made.at_ns),
                },
            }
        )
    return shown
