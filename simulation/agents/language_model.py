"""A trader whose decisions a language model takes: what it is shown, when its answer arrives, what comes of it.

At each of its turns the agent puts a question to a `Mind` and is woken again when the answer arrives by its own clock.
Time does not stand still for it: others trade meanwhile, and an answer that has not arrived at the next turn has missed
its own. What the model may do is one order; everything else about it (whether it is one, whether it can be paid) is
decided by code here and by the clearing house.

Questions of one instant are collected a microsecond later, so that whoever really asks can ask them all at once.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from simulation.agents.checks import wanted
from simulation.agents.strategy_words import STRATEGY_WORDS
from simulation.agents.submit_order import Decision, Invalid, read_decision
from simulation.draws import Draws
from simulation.market.protocol import Intent, MarketView, cancel, limit, market, wake_at

COLLECT_NS: Final = 1_000
"""How long after its turn an agent asks what became of its question."""


class Information(StrEnum):
    """What an agent knows about the worth of a share."""

    VALUE = "value"
    """The worth itself, as it was last told."""
    PROCESS = "process"
    """How dividends come about; the worth is the agent's to find out."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class DividendProcess:
    """How dividends come about, as an agent may know it.

    Parameters
    ----------
    low_px, high_px
        The two payments a lot, ticks.
    high_pct
        Chance of the greater one, per cent.
    rate_bps
        What money earns a period, basis points.
    period_ns
        Length of a period, nanoseconds.
    periods
        After how many the asset is redeemed; 0 is never.
    redemption_px
        What a lot is then paid back, ticks.
    """

    low_px: int
    high_px: int
    high_pct: int
    rate_bps: int
    period_ns: int
    periods: int = 0
    redemption_px: int = 0

    def __post_init__(self) -> None:
        wanted(0 <= self.low_px <= self.high_px, "two payments in order, not below zero")
        wanted(0 <= self.high_pct <= 100 and self.rate_bps > 0, "a chance of 0 to 100 %, a rate above zero")
        wanted(self.period_ns > 0 and self.periods >= 0 <= self.redemption_px, "periods and a redemption")


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModelParams:
    """How a language model trades.

    Parameters
    ----------
    strategy
        Which words it is given, a key of `STRATEGY_WORDS`.
    turn_ns
        From one of its turns to the next, nanoseconds.
    first_ns
        Its first turn, nanoseconds.
    information
        What it knows about the worth of a share.
    process
        How dividends come about; wanted with `Information.PROCESS`.
    order_max_qty
        Most lots of one order.
    digits_count
        Digits behind the point of a price: with 2, a tick is 0.01 of the currency.
    history_count
        How many prices it is shown, one for each of its past turns.
    short_allowed
        What it is told about selling more than it owns; the clearing house decides.
    asset
        What it trades.
    """

    strategy: str = "default"
    turn_ns: int = 60_000_000_000
    first_ns: int = 1_000_000_000
    information: Information = Information.PROCESS
    process: DividendProcess | None = None
    order_max_qty: int = 1_000
    digits_count: int = 2
    history_count: int = 20
    short_allowed: bool = False
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(self.strategy in STRATEGY_WORDS, f"one of {', '.join(STRATEGY_WORDS)}, not {self.strategy!r}")
        wanted(self.turn_ns > 2 * COLLECT_NS and self.first_ns >= 0, "turns that are longer than asking")
        wanted(
            min(self.order_max_qty, self.history_count) > 0 <= self.digits_count, "a size, a history, digits"
        )
        wanted(
            (self.information is Information.PROCESS) == (self.process is not None),
            "a process of dividends exactly if that is what it knows",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketQuestion:
    """What a model is asked at one turn.

    Parameters
    ----------
    decision_id
        Of the agent and its turn; unique in a run.
    asked_ns
        The agent's own clock, nanoseconds.
    strategy
        Which words it was given before.
    facts
        One JSON object as text.
    within_ns
        An answer that takes longer has missed its turn, nanoseconds.
    """

    decision_id: str
    participant: int
    asked_ns: int
    strategy: str
    facts: str
    within_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What became of a question.

    Parameters
    ----------
    reply
        Arguments of the call, as they came; None if there is none, and `failure` says why.
    latency_ns
        How long it took, simulated nanoseconds.
    """

    reply: bytes | None
    failure: str
    latency_ns: int


class Mind(Protocol):
    """Who answers; never raises for what a model does."""

    def ask(self, question: MarketQuestion) -> None:
        """Take a question."""

    def heard(self, decision_id: str) -> Heard:
        """Say what became of it, once; it may really ask only now."""


@dataclass(slots=True)
class TurnCounts:
    """What an agent's turns came to.

    Parameters
    ----------
    asked
        Turns.
    orders, holds
        Decisions that were sent to the market, and those to do nothing.
    late
        Answers that came after the next turn, or had not come by then.
    invalid
        Replies that were no decision, by reason.
    failed
        Turns without any reply, by reason.
    """

    asked: int = 0
    orders: int = 0
    holds: int = 0
    late: int = 0
    invalid: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)


class LanguageModelAgent:
    """One trader.

    Parameters
    ----------
    mind
        Who takes its decisions.

    Attributes
    ----------
    counts
        What its turns came to.
    latest
        The last decision that was carried out; None before the first.
    """

    hears_fills = False

    def __init__(self, params: LanguageModelParams, mind: Mind) -> None:
        self._params = params
        self._mind = mind
        self._turn = 0
        self._turn_ns = params.first_ns
        self._wake_ns = params.first_ns
        self._asked: MarketQuestion | None = None
        self._arriving: bytes | None = None
        self._prices: list[int] = []
        self._value_px: float | None = None
        self._paid_px: float | None = None
        self._volume_qty = 0
        self._began_qty: int | None = None
        self.counts = TurnCounts()
        self.latest: Decision | None = None

    def start(self, draws: Draws) -> int:
        """Come at the first turn; nothing here is drawn."""
        del draws
        return self._params.first_ns

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Ask at a turn, hear a moment later, act when the answer has arrived."""
        now_ns = view.now_ns
        intents: list[Intent] = []
        if now_ns >= self._wake_ns:
            if self._asked is not None:
                self._wake_ns = self._hear(self._asked)
                self._asked = None
            elif self._arriving is not None:
                intents.extend(self._act(view, self._arriving))
                self._arriving = None
                self._wake_ns = self._turn_ns
            else:
                self._wake_ns = self._ask(view)
        intents.append(wake_at(max(self._wake_ns, now_ns + 1)))
        return intents

    def _ask(self, view: MarketView) -> int:
        """Put this turn's question; returns when to ask what became of it."""
        params, now_ns = self._params, view.now_ns
        self._listen(view)
        if self._began_qty is None:
            self._began_qty = view.position_qty(params.asset)
        self._prices = [*self._prices, view.last_px(params.asset)][-params.history_count :]
        self._turn += 1
        self._turn_ns = now_ns + params.turn_ns
        self._asked = MarketQuestion(
            decision_id=f"{view.participant}-{self._turn}",
            participant=view.participant,
            asked_ns=now_ns,
            strategy=params.strategy,
            facts=json.dumps(self._facts(view), separators=(",", ":")),
            within_ns=params.turn_ns,
        )
        self._mind.ask(self._asked)
        self.counts.asked += 1
        return now_ns + COLLECT_NS

    def _hear(self, question: MarketQuestion) -> int:
        """Learn how long the answer takes; returns when the agent goes on."""
        heard = self._mind.heard(question.decision_id)
        if heard.latency_ns >= question.within_ns:
            self.counts.late += 1
            return self._turn_ns
        if heard.reply is None:
            self.counts.failed[heard.failure] += 1
            return self._turn_ns
        self._arriving = heard.reply
        return question.asked_ns + max(heard.latency_ns, 2 * COLLECT_NS)

    def _act(self, view: MarketView, reply: bytes) -> list[Intent]:
        params = self._params
        decision = read_decision(reply, qty_max=params.order_max_qty, price_digits=params.digits_count)
        if isinstance(decision, Invalid):
            self.counts.invalid[decision] += 1
            return []
        self.latest = decision
        if decision.side == 0:
            self.counts.holds += 1
            return []
        self.counts.orders += 1
        intents = [
            cancel(order_id)
            for order_id, (asset, side, _, _) in view.open_orders.items()
            if asset == params.asset and side == decision.side
        ]
        if decision.px:
            intents.append(limit(params.asset, decision.side, decision.qty, decision.px))
        else:
            intents.append(market(params.asset, decision.side, decision.qty))
        return intents

    def _listen(self, view: MarketView) -> None:
        for _, kind, asset, what in view.told:
            if asset != self._params.asset:
                continue
            if kind == "news" and self._params.information is Information.PROCESS:
                self._paid_px = what
            else:
                self._value_px = what

    def _facts(self, view: MarketView) -> dict[str, object]:
        """Everything that the agent may know, and nothing else."""
        params, asset, digits = self._params, self._params.asset, self._params.digits_count
        bid, ask, traded = view.bid(asset), view.ask(asset), view.volume_qty(asset)
        ask_px = ask or view.last_px(asset)
        facts: dict[str, object] = {
            "task": "submit_order",
            "decision_id": f"{view.participant}-{self._turn}",
            "strategy": params.strategy,
            "turn": self._turn,
            "clock_s": view.now_ns // 1_000_000_000,
            "account": {
                "free_cash": _money(view.cash, view.scale, digits),
                "shares": view.position_qty(asset),
                "shares_at_first": self._began_qty,
                "affordable_quantity": max(0, view.cash) // (ask_px * view.scale),
                "open_orders": [
                    {"side": _side(side), "price": price_text(px, digits), "quantity": qty}
                    for one, side, px, qty in view.open_orders.values()
                    if one == asset
                ],
            },
            "market": {
                "last_price": price_text(view.last_px(asset), digits),
                "best_bid": price_text(bid, digits) if bid else None,
                "best_ask": price_text(ask, digits) if ask else None,
                "past_prices": [price_text(px, digits) for px in self._prices[:-1]],
                "volume_since_last_turn": traded - self._volume_qty,
            },
            "fundamentals": self._fundamentals(view.now_ns),
            "limits": {
                "quantity_max": params.order_max_qty,
                "tick": price_text(1, digits),
                "short_allowed": params.short_allowed,
            },
        }
        self._volume_qty = traded
        return facts

    def _fundamentals(self, now_ns: int) -> dict[str, object] | None:
        params, digits = self._params, self._params.digits_count
        if params.information is Information.NONE:
            return None
        if params.information is Information.VALUE:
            value = self._value_px
            return {"fundamental_value": None if value is None else price_text(round(value), digits)}
        process = params.process
        assert process is not None, "said when it was made"
        left = max(0, process.periods - now_ns // process.period_ns) if process.periods else None
        return {
            "dividend_low": price_text(process.low_px, digits),
            "dividend_high": price_text(process.high_px, digits),
            "chance_of_high_pct": process.high_pct,
            "interest_rate": f"{process.rate_bps / 10_000:.4f}",
            "last_dividend": None if self._paid_px is None else price_text(round(self._paid_px), digits),
            "periods_left": left,
            "redemption_value": price_text(process.redemption_px, digits) if process.periods else None,
        }


def price_text(px: int, digits: int) -> str:
    """Write a price in ticks as the model sees it, such as 28.50 for 2 850 and 2 digits."""
    whole, behind = divmod(px, 10**digits)
    return f"{whole}.{behind:0{digits}d}" if digits else str(whole)


def _money(units: int, scale: int, digits: int) -> str:
    """Money as the model sees it: rounded down, so that it is never more than there is."""
    ticks = units // scale
    return price_text(ticks, digits) if ticks >= 0 else f"-{price_text(-ticks, digits)}"


def _side(side: int) -> str:
    return "BUY" if side > 0 else "SELL"
