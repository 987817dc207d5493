"""Reading a question about the execution of an order: one JSON object, figures as decimal strings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from sandbox.llm_server.wire_json import NotAnObjectError, read_object


class QuestionError(ValueError):
    """The question cannot be understood; the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the policies look at; None where the question says that it is not known.

    Parameters
    ----------
    side_sign
        1 for a buy, -1 for a sell.
    ahead_pct
        Ahead of schedule, of the order's quantity; negative is behind.
    imbalance
        Bids minus asks over their sum, -1 to 1.
    recent
        The latest decisions, oldest first: what was advised, and how much was filled since, per cent.
    """

    decision_id: str
    snapshot_hash: str
    symbol: str
    side_sign: int
    leaves_qty: Decimal
    strategy: str
    elapsed_pct: Decimal
    ahead_pct: Decimal
    slice_qty: Decimal
    mid: Decimal
    spread_bps: Decimal
    best_bid: Decimal
    best_ask: Decimal
    volatility_hourly_pct: Decimal | None
    rate_min: Decimal
    rate_max: Decimal
    wait_s_max: Decimal
    strategies: tuple[str, ...]
    impact_bps: Decimal | None
    imbalance: Decimal | None
    funding_rate: Decimal | None
    funding_in_s: Decimal | None
    recent: tuple[tuple[str, Decimal], ...]

    @property
    def near_px(self) -> Decimal:
        """Best price on the order's own side of the book, where it would rest."""
        return self.best_bid if self.side_sign > 0 else self.best_ask

    @property
    def parent(self) -> str:
        """The parent order, as far as the decision's id names it."""
        return self.decision_id.rpartition("-")[0]

    @property
    def favour(self) -> Decimal | None:
        """How far the book leans the order's way, -1 to 1: a buyer likes asks, a seller likes bids."""
        return None if self.imbalance is None else -self.side_sign * self.imbalance


def read_question(text: str) -> Facts:
    """Return the facts of a question.

    Raises
    ------
    QuestionError
        It is not one JSON object, or a fact that no question lacks is missing or is no number.
    """
    try:
        question = read_object(text)
    except NotAnObjectError as error:
        raise QuestionError(f"the question is {error}") from error
    parent, progress, market, band = (
        _part(question, name) for name in ("parent", "progress", "market", "band")
    )
    context = _part(question, "context") if question.get("context") is not None else {}
    impact = _part(question, "impact") if question.get("impact") is not None else {}
    return Facts(
        decision_id=_text(question, "decision_id"),
        snapshot_hash=_text(question, "snapshot_hash"),
        symbol=_text(parent, "symbol"),
        side_sign=_side_sign(_text(parent, "side")),
        leaves_qty=_number(parent, "leaves_qty"),
        strategy=_text(parent, "strategy"),
        elapsed_pct=_number(progress, "elapsed_pct"),
        ahead_pct=_number(progress, "ahead_pct"),
        slice_qty=_number(progress, "slice_qty"),
        mid=_number(market, "mid"),
        spread_bps=_number(market, "spread_bps"),
        best_bid=_number(market, "best_bid"),
        best_ask=_number(market, "best_ask"),
        volatility_hourly_pct=_number_if_known(market, "volatility_hourly_pct"),
        rate_min=_number(band, "rate_min"),
        rate_max=_number(band, "rate_max"),
        wait_s_max=_number(band, "wait_s_max"),
        strategies=tuple(str(name) for name in _rows(band, "strategies")),
        impact_bps=_number_if_known(impact, "estimate_bps"),
        imbalance=_imbalance(context, market),
        funding_rate=_number_if_known(context, "funding_rate"),
        funding_in_s=_number_if_known(context, "funding_in_s"),
        recent=tuple(
            (str(row.get("action") or "none"), _number_if_known(row, "filled_pct_since") or Decimal(0))
            for row in _rows(question, "recent_decisions")
            if isinstance(row, dict)
        ),
    )


def _imbalance(context: Mapping[str, object], market: Mapping[str, object]) -> Decimal | None:
    told = _number_if_known(context, "imbalance")
    if told is not None:
        return told
    bid_qty = _number_if_known(market, "best_bid_qty")
    ask_qty = _number_if_known(market, "best_ask_qty")
    if bid_qty is None or ask_qty is None or bid_qty + ask_qty == 0:
        return None
    return (bid_qty - ask_qty) / (bid_qty + ask_qty)


def _part(whole: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = whole.get(name)
    if not isinstance(value, dict):
        raise QuestionError(f"{name} is missing")
    return value


def _rows(whole: Mapping[str, object], name: str) -> list[object]:
    value = whole.get(name)
    return value if isinstance(value, list) else []


def _text(whole: Mapping[str, object], name: str) -> str:
    value = whole.get(name)
    if not isinstance(value, str):
        raise QuestionError(f"{name} is missing")
    return value


def _side_sign(side: str) -> int:
    signs = {"buy": 1, "sell": -1}
    if side.lower() not in signs:
        raise QuestionError(f"side is {side!r}")
    return signs[side.lower()]


def _number(whole: Mapping[str, object], name: str) -> Decimal:
    value = _number_if_known(whole, name)
    if value is None:
        raise QuestionError(f"{name} is missing")
    return value


def _number_if_known(whole: Mapping[str, object], name: str) -> Decimal | None:
    value = whole.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise QuestionError(f"{name} is no number")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise QuestionError(f"{name} is no number") from error
    if not number.is_finite():
        raise QuestionError(f"{name} is no number")
    return number
