"""Reading a question of somebody who trades in a market: one JSON object, prices as decimal strings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from sandbox.llm_server.question import QuestionError
from sandbox.llm_server.wire_json import JsonObject, NotAnObjectError, read_object

TASK: Final = "submit_order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dividends:
    """How dividends come about.

    Parameters
    ----------
    high_chance
        Of the greater one, 0-1.
    rate
        What money earns a period, 0-1.
    periods_left
        Until a share is redeemed; None is never.
    """

    low: Decimal
    high: Decimal
    high_chance: Decimal
    rate: Decimal
    periods_left: int | None
    redemption: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFacts:
    """What a trader looks at; None where the question says that it is not known.

    Parameters
    ----------
    affordable_qty
        Shares that the free cash buys at the best ask.
    past
        Prices of earlier turns, oldest first.
    value
        Worth of a share where it was told.
    """

    decision_id: str
    strategy: str
    turn: int
    shares: int
    shares_at_first: int
    affordable_qty: int
    last: Decimal
    bid: Decimal | None
    ask: Decimal | None
    past: tuple[Decimal, ...]
    value: Decimal | None
    dividends: Dividends | None
    qty_max: int
    tick: Decimal
    short_allowed: bool

    @property
    def middle(self) -> Decimal:
        """Middle of the market, or the last price while a side is empty."""
        return self.last if self.bid is None or self.ask is None else (self.bid + self.ask) / 2


def asks_for_an_order(text: str) -> bool:
    """Whether a question is one of this kind."""
    try:
        return read_object(text).get("task") == TASK
    except NotAnObjectError:
        return False


def read_market_question(text: str) -> MarketFacts:
    """Return the facts of a question.

    Raises
    ------
    QuestionError
        A fact that no question lacks is missing or has no sense.
    """
    question = read_object(text)
    account, market, limits = (_part(question, name) for name in ("account", "market", "limits"))
    basis = _part(question, "fundamentals") if question.get("fundamentals") is not None else {}
    shares = _whole(account, "shares")
    return MarketFacts(
        decision_id=_text(question, "decision_id"),
        strategy=_text(question, "strategy"),
        turn=_whole(question, "turn"),
        shares=shares,
        shares_at_first=_whole(account, "shares_at_first"),
        affordable_qty=_whole(account, "affordable_quantity"),
        last=_price(market, "last_price"),
        bid=_price_if_known(market, "best_bid"),
        ask=_price_if_known(market, "best_ask"),
        past=tuple(_decimal(price, "past_prices") for price in _rows(market, "past_prices")),
        value=_price_if_known(basis, "fundamental_value"),
        dividends=_dividends(basis) if "dividend_low" in basis else None,
        qty_max=_whole(limits, "quantity_max"),
        tick=_price(limits, "tick"),
        short_allowed=limits.get("short_allowed") is True,
    )


def _dividends(basis: Mapping[str, object]) -> Dividends:
    left = basis.get("periods_left")
    return Dividends(
        low=_price(basis, "dividend_low"),
        high=_price(basis, "dividend_high"),
        high_chance=Decimal(_whole(basis, "chance_of_high_pct")) / 100,
        rate=_price(basis, "interest_rate"),
        periods_left=None if left is None else _whole(basis, "periods_left"),
        redemption=Decimal(0) if left is None else _price(basis, "redemption_value"),
    )


def _part(whole: Mapping[str, object], name: str) -> JsonObject:
    value = whole.get(name)
    if not isinstance(value, dict):
        raise QuestionError(f"{name} is missing")
    return value


def _rows(whole: Mapping[str, object], name: str) -> list[object]:
    value = whole.get(name)
    if not isinstance(value, list):
        raise QuestionError(f"{name} is missing")
    return value


def _text(whole: Mapping[str, object], name: str) -> str:
    value = whole.get(name)
    if not isinstance(value, str):
        raise QuestionError(f"{name} is missing")
    return value


def _whole(whole: Mapping[str, object], name: str) -> int:
    value = whole.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise QuestionError(f"{name} is no whole number")
    return value


def _price(whole: Mapping[str, object], name: str) -> Decimal:
    return _decimal(whole.get(name), name)


def _price_if_known(whole: Mapping[str, object], name: str) -> Decimal | None:
    return None if whole.get(name) is None else _price(whole, name)


def _decimal(value: object, name: str) -> Decimal:
    try:
        number = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise QuestionError(f"{name} is no price")
    return number
