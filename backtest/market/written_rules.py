"""Language-model traders in a scenario, and written rules that answer for them where no model is asked.

The rules stand in for a model, so that a scenario with such traders runs anywhere and the same each time: they read
the very question that a model is asked, and their answer is read as strictly. What they show holds for them alone.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final, Literal

from simulation.agents.checks import wanted
from simulation.agents.language_model import (
    Heard,
    Information,
    LanguageModelAgent,
    LanguageModelParams,
    MarketQuestion,
    Mind,
)

_TENTH: Final = Decimal("0.1")
_LOOK_BACK: Final = 3
_Decision = tuple[int, Decimal, Decimal | None]
"""+1, -1 or 0; share of what could be bought or sold; limit, None is at the market."""
_HOLD: Final[_Decision] = (0, Decimal(0), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTraderParams:
    """A language-model trader as a scenario asks for it.

    Parameters
    ----------
    strategy
        Its words, a name of `simulation.agents.strategy_words`.
    turn_ns
        From one of its turns to the next, nanoseconds.
    first_ns
        Its first turn, nanoseconds.
    answer_ns
        How long an answer takes where written rules give it, nanoseconds; one of a turn or more misses every turn.
    knows
        `value`: what its group is told (`listens`) is what a share is worth; `none`: it knows prices alone.
    order_max_qty
        Most lots of one order.
    digits_count
        Digits behind the point of a price as it is shown.
    history_count
        How many prices of its past turns it is shown.
    short_allowed
        What it is told about selling more than it owns; the clearing house decides.
    """

    strategy: str = "default"
    turn_ns: int = 60_000_000_000
    first_ns: int = 1_000_000_000
    answer_ns: int = 2_000_000_000
    knows: Literal["value", "none"] = "value"
    order_max_qty: int = 1_000
    digits_count: int = 2
    history_count: int = 20
    short_allowed: bool = False

    def __post_init__(self) -> None:
        wanted(self.answer_ns >= 0, "an answer that does not come before its question")
        self.of_agent()

    def of_agent(self) -> LanguageModelParams:
        """Give the parameters of the agent itself."""
        return LanguageModelParams(
            strategy=self.strategy,
            turn_ns=self.turn_ns,
            first_ns=self.first_ns,
            information=Information(self.knows),
            order_max_qty=self.order_max_qty,
            digits_count=self.digits_count,
            history_count=self.history_count,
            short_allowed=self.short_allowed,
        )


def model_trader(params: ModelTraderParams, mind: Mind | None = None) -> LanguageModelAgent:
    """Make the trader; without a mind, written rules answer for it."""
    return LanguageModelAgent(params.of_agent(), mind or WrittenRules(params.answer_ns))


class WrittenRules:
    """A `Mind` that answers by rules, always after the same time.

    Parameters
    ----------
    answer_ns
        How long an answer takes, simulated nanoseconds.
    """

    def __init__(self, answer_ns: int) -> None:
        self._answer_ns = answer_ns
        self._asked: dict[str, MarketQuestion] = {}

    def ask(self, question: MarketQuestion) -> None:
        """Take a question."""
        self._asked[question.decision_id] = question

    def heard(self, decision_id: str) -> Heard:
        """Answer it."""
        reply = answer(self._asked.pop(decision_id).facts)
        return Heard(reply=reply, failure="", latency_ns=self._answer_ns)


def answer(facts: str) -> bytes:
    """Decide on the facts of a question; gives the arguments of `submit_order`."""
    told = json.loads(facts)
    side, share, limit_px = _STRATEGIES[told["strategy"]](told)
    account, limits = told["account"], told["limits"]
    room = account["affordable_quantity"] if side > 0 else max(0, account["shares"])
    qty = min(int(room * share), limits["quantity_max"])
    if side == 0 or qty <= 0:
        side, qty, limit_px = 0, 0, None
    said = {
        "reasoning": f"{told['strategy']}: by written rules",
        "action": {1: "BUY", -1: "SELL", 0: "HOLD"}[side],
        "quantity": qty,
        "order_type": None if side == 0 else "MARKET" if limit_px is None else "LIMIT",
        "limit_price": None if limit_px is None else _on_tick(limit_px, side, Decimal(limits["tick"])),
    }
    return json.dumps(said).encode()


def _on_tick(px: Decimal, side: int, tick: Decimal) -> str:
    whole = (px / tick).to_integral_value(ROUND_FLOOR if side > 0 else ROUND_CEILING)
    return format(max(whole, Decimal(1)) * tick, "f")


def _by_worth(belief: Decimal, margin: Decimal, share: Decimal) -> Callable[[Any], _Decision]:
    """Buy so much below what it believes in, sell so much above, for a share of what it has; twice as far, at once."""

    def decide(told: Any) -> _Decision:  # noqa: ANN401 - facts are JSON
        basis, market = told["fundamentals"], told["market"]
        if basis is None or basis["fundamental_value"] is None:
            return _HOLD
        believed = Decimal(basis["fundamental_value"]) * belief
        for side, touch in ((1, market["best_ask"]), (-1, market["best_bid"])):
            gain = -margin - 1 if touch is None else side * (1 - Decimal(touch) / believed)
            if gain >= margin:
                return side, share, None if gain >= 2 * margin else Decimal(touch)
        return _HOLD

    return decide


def _by_trend(direction: int, margin: Decimal, share: Decimal) -> Callable[[Any], _Decision]:
    """Go with a move of the last turns (+1), or against it (-1)."""

    def decide(told: Any) -> _Decision:  # noqa: ANN401
        market = told["market"]
        past = market["past_prices"]
        if len(past) < _LOOK_BACK:
            return _HOLD
        moved = Decimal(market["last_price"]) / Decimal(past[-_LOOK_BACK]) - 1
        if abs(moved) <= margin:
            return _HOLD
        return (direction if moved > 0 else -direction), share, None

    return decide


def _quotes(told: Any) -> _Decision:  # noqa: ANN401
    """One side at each turn, two hundredths from the middle, and lower the more it holds beyond what it began with."""
    market, account = told["market"], told["account"]
    bid, ask = market["best_bid"], market["best_ask"]
    middle = (
        Decimal(market["last_price"]) if bid is None or ask is None else (Decimal(bid) + Decimal(ask)) / 2
    )
    began = max(1, account["shares_at_first"])
    leaning = max(-Decimal(1), min(Decimal(1), Decimal(account["shares"] - began) / began))
    side = 1 if told["turn"] % 2 else -1
    away = Decimal("0.02") * side + Decimal("0.01") * leaning
    return side, _TENTH, middle * (1 - away)


_STRATEGIES: Final[dict[str, Callable[[Any], _Decision]]] = {
    "default": _by_worth(Decimal(1), Decimal("0.02"), Decimal("0.2")),
    "value": _by_worth(Decimal(1), _TENTH, Decimal("0.3")),
    "momentum": _by_trend(1, Decimal("0.005"), Decimal("0.25")),
    "market_maker": _quotes,
    "optimist": _by_worth(Decimal(4) / 3, Decimal(0), Decimal("0.3")),
    "pessimist": _by_worth(Decimal(2) / 3, Decimal(0), Decimal("0.3")),
    "speculator": _by_trend(1, Decimal("0.002"), Decimal("0.5")),
    "contrarian": _by_trend(-1, Decimal("0.01"), Decimal("0.2")),
}
