"""What a request for several parent orders may say, and what is looked at over all of them before one is accepted."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Final

from config.problems import ConfigProblems, Problem, printable
from executor.domain.events import BasketSubmitted
from executor.domain.units import Money
from executor.interfaces.intents import UNSTAMPED, submitted
from executor.interfaces.kinds import Form, plain_number, refuse
from executor.interfaces.models import Body, SubmitBody, json_path, read_body

ORDERS_MAX: Final = 100
NAME_CHARS_MAX: Final = 64
Where = Callable[[int, str], str]
"""How a field of an order is called, by the order's number from 0; without a field the order itself."""


def _read_name(value: object) -> str:
    allowed = f"one line of text, 1 to {NAME_CHARS_MAX} characters, without control characters"
    if not isinstance(value, str) or not value.strip() or len(value) > NAME_CHARS_MAX:
        refuse("NAME", allowed, "give it a short name, or none")
    if printable(value) != value:
        refuse("NAME", allowed, "write plain text")
    return value.strip()


def _read_orders(value: object) -> tuple[dict[str, object], ...]:
    allowed = f"a list of 1 to {ORDERS_MAX} orders, each an object with the fields of POST /v1/parents"
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        refuse("ORDERS", allowed, "send a list of objects")
    if not 1 <= len(value) <= ORDERS_MAX:
        refuse("ORDERS", allowed, "send at least one, and more than so many as several baskets")
    return tuple(value)


_NAME: Final = Form(_read_name, written={"type": "string", "maxLength": NAME_CHARS_MAX})
_ORDERS: Final = Form(
    _read_orders,
    written={
        "type": "array",
        "items": {"$ref": "#/components/schemas/SubmitBody"},
        "minItems": 1,
        "maxItems": ORDERS_MAX,
    },
)
_MONEY: Final = plain_number("MONEY", "quote units", ("0.01", "1000000000000"))


class BasketBody(Body):
    """Several new parent orders, accepted together or not at all; the orders are read one by one afterwards."""

    orders: Annotated[tuple[dict[str, object], ...], _ORDERS]
    name: Annotated[str, _NAME] = ""
    gross_notional_max: Annotated[Decimal | None, _MONEY] = None
    net_notional_max: Annotated[Decimal | None, _MONEY] = None


def json_place(number: int, field: str = "") -> str:
    """Name an order of a basket, or a field of it, the way an API client wrote it."""
    return f"/orders/{number}{json_path(field) if field else ''}"


def read_orders(rows: Sequence[dict[str, object]], where: Where = json_place) -> list[SubmitBody]:
    """Read every order of a basket.

    Raises
    ------
    ConfigProblems
        With every problem of every order; those between orders once each of them can be read.
    """
    problems: list[Problem] = []
    orders: list[SubmitBody] = []
    for number, row in enumerate(rows):
        try:
            orders.append(read_body(SubmitBody, row, lambda field, at=number: where(at, field)))  # type: ignore[misc]
        except ConfigProblems as error:
            problems += error.problems
    if not problems:
        problems = list(_between(orders, where))
    if problems:
        raise ConfigProblems(problems)
    return orders


def basket_submitted(
    body: BasketBody, *, request_id: str, idempotency_key: str, now_ns: int, is_repeat: bool, has_model: bool
) -> BasketSubmitted:
    """Make the event of a basket; each order's key is made of the basket's and the order's number.

    Parameters
    ----------
    is_repeat, has_model
        As for a single order.

    Raises
    ------
    ConfigProblems
        With every problem of every order.
    """
    orders, problems = [], []
    for number, order in enumerate(read_orders(body.orders)):
        try:
            orders.append(
                submitted(
                    order,
                    request_id="",
                    idempotency_key=order_key(idempotency_key, number),
                    now_ns=now_ns,
                    is_repeat=is_repeat,
                    has_model=has_model,
                )
            )
        except ConfigProblems as error:
            problems += [replace(each, where=json_place(number) + each.where) for each in error.problems]
    if problems:
        raise ConfigProblems(problems)
    bounds = (body.name, body.gross_notional_max, body.net_notional_max)
    said = [*(order.body_sha256 for order in orders), *(str(bound) for bound in bounds)]
    return BasketSubmitted(
        at_ns=UNSTAMPED,
        request_id=request_id,
        idempotency_key=idempotency_key,
        body_sha256=hashlib.sha256("\n".join(said).encode()).hexdigest(),
        name=body.name,
        orders=tuple(orders),
        gross_notional_max=None if body.gross_notional_max is None else Money(body.gross_notional_max),
        net_notional_max=None if body.net_notional_max is None else Money(body.net_notional_max),
    )


def order_key(basket_key: str, number: int) -> str:
    """Name the intent of one order of a basket: the same basket and place, the same key."""
    return f"b{hashlib.sha256(f'{basket_key}:{number}'.encode()).hexdigest()[:40]}"


def _between(orders: Sequence[SubmitBody], where: Where) -> Iterator[Problem]:
    """What only several orders together can get wrong."""
    first: dict[SubmitBody, int] = {}
    sides: dict[tuple[str, str, int], int] = {}
    for number, order in enumerate(orders):
        same = first.setdefault(order, number)
        if same != number:
            yield Problem(
                code="DUPLICATE",
                where=where(number, ""),
                got=f"the same order as at {where(same, '')}",
                allowed="each order once",
                next_step="leave one of them out, or write one with the sum of both quantities",
            )
        position = (order.category.value, order.symbol, order.position_idx)
        other = sides.setdefault(position, number)
        if orders[other].side is not order.side:
            yield Problem(
                code="OPPOSITE",
                where=where(number, "side"),
                got=f"the other side of {order.symbol} than at {where(other, '')}",
                allowed="one side of a symbol and position: two sides would trade with each other",
                next_step="leave one of them out, or write one order for the difference",
            )
