"""What a request for a routed order may say: a parent order with legs in place of its symbol."""

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final

from config.problems import ConfigProblems, Problem
from executor.domain.events import RouteAmended, RouteSubmitted
from executor.domain.orders import Category, Urgency
from executor.domain.places import venue_of
from executor.domain.routing import RouteLeg
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, Price, Quantity, plain
from executor.interfaces.intents import UNSTAMPED, check_instant, submitted
from executor.interfaces.kinds import (
    DURATION,
    FLAG,
    INSTANT,
    PX,
    QTY,
    URGENCY,
    Form,
    plain_number,
    refuse,
    whole,
)
from executor.interfaces.models import Body, SubmitBody, json_path, read_body
from strategies.routing import LEGS_MAX, ROUTABLE

TAKER_FEES_BPS: Final = {Category.LINEAR: Decimal("5.5"), Category.SPOT: Decimal(10)}
"""What Bybit takes of an account without any discount, used where neither request nor account says another."""
USUAL_HYSTERESIS_BPS: Final = Decimal(1)
NOT_ROUTED: Final = ("symbol", "category", "decision_price", "reduce_only", "position_idx", "advised")
"""Fields of a parent order that say nothing of one with legs."""
_MARKET: Final = re.compile(r"\A(linear|spot|inverse):([A-Z0-9]{3,24}(?:@[a-z][a-z0-9]{0,15})?)\Z", re.ASCII)
_MARKET_FORM: Final = "category:SYMBOL such as linear:BTCUSDT, or with a venue spot:BTCUSDT@kraken"
_BPS: Final = re.compile(r"\A-?\d{1,4}(?:\.\d{1,6})?\Z", re.ASCII)
_NO_SYMBOL: Final = "LEGS"
"""What stands for the symbol while the rest of the order is read."""
_BPS_MOST: Final = Decimal(1_000)


def _read_legs(value: object) -> tuple[tuple[Category, str], ...]:
    allowed = f"2 to {LEGS_MAX} markets, each {_MARKET_FORM}"
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, list) or not 2 <= len(texts) <= LEGS_MAX:
        refuse("ROUTE", allowed, "write the markets with commas between them")
    found = []
    for text in texts:
        match = _MARKET.match(text.strip()) if isinstance(text, str) else None
        if match is None:
            refuse("ROUTE", allowed, "write each as category:SYMBOL")
        found.append((Category(match[1]), match[2]))
    if len(set(found)) < len(found):
        refuse("ROUTE", f"{allowed}, each once", "leave one of them out")
    return tuple(found)


def _read_bps_by_leg(value: object) -> dict[str, Decimal]:
    """Read basis points by market: an object, or text such as linear:BTCUSDT=5.5,spot:BTCUSDT=10."""
    allowed = "basis points by market, such as linear:BTCUSDT=5.5, -1000 to 1000 each"
    if isinstance(value, str):
        pairs = [part.strip().partition("=") for part in value.split(",")]
        value = {name: text for name, _, text in pairs}
        if len(value) < len(pairs):
            refuse("LEG_BPS", f"{allowed}, each market once", "leave one of them out")
    if not isinstance(value, dict) or not value:
        refuse("LEG_BPS", allowed, "write market=number, with commas between")
    found = {}
    for name, text in value.items():
        if not isinstance(text, str) or not _MARKET.match(str(name)) or not _BPS.match(text):
            refuse("LEG_BPS", allowed, "write market=number, with commas between")
        if abs(Decimal(text)) > _BPS_MOST:
            refuse("LEG_BPS", allowed, "write basis points: 5.5 is 0.055 %")
        found[str(name)] = Decimal(text)
    return found


_LEGS: Final = Form(
    _read_legs,
    written={
        "anyOf": [
            {
                "type": "array",
                "items": {
                    "type": "string",
                    "pattern": f"^{_MARKET.pattern[2:-2]}$",
                    "description": _MARKET_FORM,
                },
                "minItems": 2,
                "maxItems": LEGS_MAX,
                "uniqueItems": True,
            },
            {"type": "string", "description": "the same as one text, with commas"},
        ]
    },
)
_BY_LEG: Final = Form(
    _read_bps_by_leg,
    written={
        "anyOf": [
            {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "minProperties": 1,
                "description": "basis points by market, such as linear:BTCUSDT and 5.5",
            },
            {"type": "string", "description": "the same as one text, such as linear:BTCUSDT=5.5"},
        ]
    },
)
_BOUND: Final = plain_number("NUMBER", "basis points", ("0", "10000"))


class RouteBody(Body):
    """What a routed order says beside what a parent order does."""

    route: Annotated[tuple[tuple[Category, str], ...], _LEGS]
    leg_fees: Annotated[dict[str, Decimal] | None, _BY_LEG] = None
    leg_carry: Annotated[dict[str, Decimal] | None, _BY_LEG] = None
    max_basis: Annotated[Decimal | None, _BOUND] = None
    hysteresis: Annotated[Decimal, _BOUND] = USUAL_HYSTERESIS_BPS


class RouteAmendBody(Body):
    """A change of a live routed order; what is absent stays as it is."""

    qty: Annotated[Decimal | None, QTY] = None
    limit_price: Annotated[Decimal | None, PX] = None
    clear_limit_price: Annotated[bool, FLAG] = False
    duration: Annotated[int | None, DURATION] = None
    deadline: Annotated[int | None, INSTANT] = None
    urgency: Annotated[Urgency | None, URGENCY] = None
    version: Annotated[int | None, whole(1, 1_000_000_000)] = None


def read_route(values: dict[str, object]) -> tuple[RouteBody, SubmitBody]:
    """Read a request for a routed order: its legs, and the rest as a parent order on the first of them.

    Raises
    ------
    ConfigProblems
        With every problem found.
    """
    own = {name: value for name, value in values.items() if name in RouteBody.model_fields}
    rest = {name: value for name, value in values.items() if name not in own}
    problems = [_misplaced(name) for name in NOT_ROUTED if name in rest]
    route, alone = None, None
    try:
        route = read_body(RouteBody, own)
    except ConfigProblems as error:
        problems += error.problems
    try:
        kept = {name: value for name, value in rest.items() if name not in NOT_ROUTED}
        alone = read_body(SubmitBody, {**kept, "symbol": _NO_SYMBOL})
    except ConfigProblems as error:
        problems += error.problems
    if route is not None:
        problems += _leg_problems(route)
    if alone is not None and alone.strategy not in ROUTABLE:
        problems.append(
            Problem(
                code="ROUTE",
                where=json_path("strategy"),
                got=alone.strategy,
                allowed=f"one of {', '.join(ROUTABLE)}, which keep to a schedule that legs can share",
                next_step="choose one of them, or one market",
            )
        )
    if alone is not None:
        problems += _without_effect(alone)
    if problems or route is None or alone is None:
        raise ConfigProblems(problems)
    return route, alone


def _without_effect(alone: SubmitBody) -> list[Problem]:
    """Choices that would be believed to work: the plan is made once for all legs, and each sees the slice in force."""
    problems = []
    if alone.risk_aversion is not None:
        problems.append(
            Problem(
                code="ROUTE",
                where=json_path("risk_aversion"),
                got=plain(alone.risk_aversion),
                allowed="urgency: an order over several markets is not planned anew by the volatility of one",
                next_step="choose urgency LOW, MEDIUM or HIGH, or one market",
            )
        )
    if "session" in (alone.wrappers or ()):
        problems.append(
            Problem(
                code="ROUTE",
                where=json_path("wrappers"),
                got="session",
                allowed="other wrappers: a leg sees the slice in force alone, which has no hours to compare",
                next_step="leave it out, choose vwap, or one market",
            )
        )
    return problems


def route_submitted(
    route: RouteBody,
    alone: SubmitBody,
    *,
    request_id: str,
    idempotency_key: str,
    now_ns: int,
    is_repeat: bool,
    known_fees_bps: Mapping[str, Decimal],
) -> RouteSubmitted:
    """Make the event of a routed order that was read (`read_route`).

    Parameters
    ----------
    is_repeat
        As for a parent order.
    known_fees_bps
        Taker fees of the account, by market, for legs of which the request says none.

    Raises
    ------
    ConfigProblems
        If times are wrong, or nobody says what another venue than Bybit takes.
    """
    legs = _legs(route, known_fees_bps, is_repeat=is_repeat)
    order = submitted(
        alone,
        request_id=request_id,
        idempotency_key=idempotency_key,
        now_ns=now_ns,
        is_repeat=is_repeat,
        has_model=False,
    )
    said = json.dumps(route.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return RouteSubmitted(
        at_ns=UNSTAMPED,
        request_id=request_id,
        idempotency_key=idempotency_key,
        body_sha256=hashlib.sha256(f"{order.body_sha256}\n{said}".encode()).hexdigest(),
        legs=legs,
        side=order.side,
        order_qty=order.order_qty,
        duration_s=order.duration_s,
        residual=order.residual,
        extend_s=order.extend_s,
        limit_px=order.limit_px,
        urgency=order.urgency,
        strategy=order.strategy,
        params=order.params,
        seed=order.seed,
        start_ns=order.start_ns,
        basis_bps_max=route.max_basis,
        hysteresis_bps=route.hysteresis,
    )


def route_amended(body: RouteAmendBody, *, request_id: str, route_id: str, now_ns: int) -> RouteAmended:
    """Make the event of an amendment; a duration counts from now.

    Raises
    ------
    ConfigProblems
        If fields exclude each other, or the deadline is in the past or more than 30 days ahead.
    """
    for first, second in (("duration", "deadline"), ("limit_price", "clear_limit_price")):
        if getattr(body, first) is not None and getattr(body, second):
            where = f"{json_path(first)} and {json_path(second)}"
            problem = Problem(
                code="FIELD",
                where=where,
                got="both",
                allowed="one of the two",
                next_step="leave one of them out",
            )
            raise ConfigProblems([problem])
    deadline_ns = body.deadline
    if deadline_ns is not None:
        check_instant("deadline", deadline_ns, now_ns)
    elif body.duration is not None:
        deadline_ns = now_ns + body.duration * NS_PER_S
    return RouteAmended(
        at_ns=UNSTAMPED,
        request_id=request_id,
        route_id=route_id,
        order_qty=None if body.qty is None else Quantity(body.qty),
        limit_px=None if body.limit_price is None else Price(body.limit_price),
        clear_limit_px=body.clear_limit_price,
        deadline_ns=deadline_ns,
        urgency=body.urgency,
        expected_version=body.version,
    )


def _legs(
    route: RouteBody, known_fees_bps: Mapping[str, Decimal], *, is_repeat: bool
) -> tuple[RouteLeg, ...]:
    legs, problems = [], []
    for category, symbol in route.route:
        name = f"{category}:{symbol}"
        fee = (route.leg_fees or {}).get(name, known_fees_bps.get(name))
        if fee is None and venue_of(symbol) and not is_repeat:
            allowed = "a taker fee for every leg at another venue than Bybit"
            problems.append(_of_leg(name, allowed, f"add it to leg_fees, such as {name}=26"))
        legs.append(
            RouteLeg(
                category=category,
                symbol=symbol,
                taker_fee_bps=TAKER_FEES_BPS[category] if fee is None else fee,
                carry_bps=(route.leg_carry or {}).get(name, ZERO),
            )
        )
    if problems:
        raise ConfigProblems(problems)
    return tuple(legs)


def _leg_problems(route: RouteBody) -> list[Problem]:
    """Fees of what is no leg, and contracts that count in another unit."""
    names = [f"{category}:{symbol}" for category, symbol in route.route]
    found = [
        Problem(
            code="ROUTE",
            where=json_path(field),
            got=f"{name}, which is no leg",
            allowed=f"one of {', '.join(names)}",
            next_step="write the market as in the route",
        )
        for field in ("leg_fees", "leg_carry")
        for name in getattr(route, field) or {}
        if name not in names
    ]
    allowed = "spot and linear: their quantity is one of the coin, that of inverse contracts is not"
    inverse = [name for name in names if name.startswith(f"{Category.INVERSE}:")]
    return found + [_of_leg(name, allowed, "leave the leg out") for name in inverse]


def _of_leg(name: str, allowed: str, next_step: str) -> Problem:
    return Problem(code="ROUTE", where=json_path("route"), got=name, allowed=allowed, next_step=next_step)


def _misplaced(name: str) -> Problem:
    return Problem(
        code="FIELD",
        where=json_path(name),
        got="a field of an order on one market",
        allowed="a routed order, whose legs are its markets; it opens and is not advised",
        next_step="leave it out",
    )
