"""How the sandbox's model trades: a rule for each strategy, by the facts and a little chance from the seed. Pure.

The arithmetic of a share's worth is this server's own: whoever asks can be wrong without it being wrong too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from random import Random
from typing import Final

from sandbox.llm_server.market_question import Dividends, MarketFacts
from sandbox.llm_server.wire_json import JsonObject

ONE: Final = Decimal(1)
TREND_PRICES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a rule wants.

    Parameters
    ----------
    side
        1 to buy, -1 to sell, 0 to hold.
    share
        Of what cash buys, or of the shares held, 0-1.
    price
        Limit; None takes at the market.
    """

    side: int
    because: str
    share: Decimal = ONE
    price: Decimal | None = None


Rule = Callable[[MarketFacts, Random], Choice]


def choose_order(facts: MarketFacts, seed: str) -> tuple[JsonObject, str]:
    """Return the arguments of an order, and the thought behind it; the same for the same question and seed."""
    rule = RULES.get(facts.strategy, by_worth)
    choice = rule(facts, _chance(facts, seed))
    return _order(facts, choice), f"{rule.__name__.replace('_', ' ')}: {choice.because}"


def draw_order(facts: MarketFacts, seed: str) -> tuple[JsonObject, str]:
    """Return an order drawn by lot, in the right form."""
    chance = _chance(facts, seed)
    side = chance.choice((1, -1, 0))
    price = facts.last * _between(chance, "0.95", "1.05") if chance.random() < 0.5 else None
    choice = Choice(side=side, because="Drawn by lot.", share=_between(chance, "0", "0.5"), price=price)
    return _order(facts, choice), "The lot decides."


def worth(facts: MarketFacts, chance: Decimal | None = None, told_times: Decimal = ONE) -> Decimal | None:
    """Return what a share is worth; None if that cannot be known.

    Parameters
    ----------
    chance
        Of the greater dividend, 0-1; None believes what the question says.
    told_times
        Multiple of a stated worth that is believed.
    """
    if facts.dividends is not None:
        return _present_value(facts.dividends, facts.dividends.high_chance if chance is None else chance)
    return None if facts.value is None else facts.value * told_times


def by_worth(facts: MarketFacts, chance: Random) -> Choice:
    """Trade on any clear difference of price and worth."""
    return _towards(facts, worth(facts), Decimal("0.03"), Decimal("0.5"), chance)


def value(facts: MarketFacts, chance: Random) -> Choice:
    """Buy a tenth below the worth, sell a tenth above it."""
    return _towards(facts, worth(facts), Decimal("0.1"), Decimal("0.3"), chance)


def optimist(facts: MarketFacts, chance: Random) -> Choice:
    """Trade on a worth in which the greater dividend is likely."""
    believed = worth(facts, _between(chance, "0.80", "0.90"), Decimal("1.35"))
    return _towards(facts, believed, Decimal("0.05"), Decimal("0.3"), chance, patient=True)


def pessimist(facts: MarketFacts, chance: Random) -> Choice:
    """Trade on a worth in which the smaller dividend is likely."""
    believed = worth(facts, _between(chance, "0.10", "0.20"), Decimal("0.66"))
    return _towards(facts, believed, Decimal("0.05"), Decimal("0.3"), chance, patient=True)


def momentum(facts: MarketFacts, chance: Random) -> Choice:
    """Follow a clear direction."""
    rise = _rise(facts)
    if rise is None or abs(rise) < Decimal("0.01"):
        return Choice(side=0, because="There is no clear direction.")
    side = 1 if rise > 0 else -1
    return Choice(
        side=side, because=f"The price has moved by {_pct(rise)}.", share=_between(chance, "0.1", "0.25")
    )


def speculator(facts: MarketFacts, chance: Random) -> Choice:
    """Buy what rises, whatever it is worth; sell all of what falls."""
    before = facts.past[-1] if facts.past else facts.last
    move = facts.last / before - 1 if before else Decimal(0)
    believed = worth(facts)
    dear = believed is not None and facts.last > 2 * believed
    if move > Decimal("0.002") and not dear:
        return Choice(side=1, because=f"It rises by {_pct(move)}.", share=_between(chance, "0.3", "0.6"))
    if move < Decimal("-0.002") or dear:
        return Choice(side=-1, because="The rise is over." if move < 0 else "Nobody will pay more.")
    return Choice(side=0, because="Nothing moves.")


def contrarian(facts: MarketFacts, chance: Random) -> Choice:
    """Against what has moved far."""
    rise = _rise(facts)
    if rise is None or abs(rise) < Decimal("0.05"):
        return Choice(side=0, because="Little has happened.")
    side = -1 if rise > 0 else 1
    away = 1 - side * _between(chance, "0", "0.01")
    return Choice(
        side=side, because=f"{_pct(rise)} is too far.", share=Decimal("0.2"), price=facts.last * away
    )


def market_maker(facts: MarketFacts, chance: Random) -> Choice:
    """Quote one side at each turn, 1 to 3 per cent from the middle, lower with more shares than at first."""
    side = 1 if facts.turn % 2 else -1
    first = max(1, abs(facts.shares_at_first))
    lean = max(-ONE, min(ONE, Decimal(facts.shares - facts.shares_at_first) / first)) * Decimal("0.02")
    price = facts.middle * (1 - lean) * (1 - side * _between(chance, "0.01", "0.03"))
    if side > 0 and facts.ask is not None:
        price = min(price, facts.ask - facts.tick)
    if side < 0 and facts.bid is not None:
        price = max(price, facts.bid + facts.tick)
    return Choice(side=side, because=f"I quote around {facts.middle}.", share=Decimal("0.1"), price=price)


RULES: Final[dict[str, Rule]] = {
    rule.__name__: rule
    for rule in (value, optimist, pessimist, momentum, speculator, contrarian, market_maker)
}
"""By name of the strategy; any other trades by what a share is worth."""


def _towards(
    facts: MarketFacts,
    believed: Decimal | None,
    margin: Decimal,
    share: Decimal,
    chance: Random,
    *,
    patient: bool = False,
) -> Choice:
    """Trade towards a worth if the price is further from it than a margin."""
    if believed is None or believed <= 0:
        return Choice(side=0, because="I do not know what a share is worth.")
    price = facts.middle
    gap = price / believed - 1
    if abs(gap) < margin:
        return Choice(side=0, because=f"{price} is near {_cents(believed)}.")
    side = 1 if gap < 0 else -1
    reach = Decimal("0.02") if patient else _between(chance, "0.5", "0.9") * abs(gap)
    limit = price * (1 + side * reach)
    limit = min(limit, believed) if side > 0 else max(limit, believed)
    because = f"{price} is {_pct(gap)} from a worth of {_cents(believed)}."
    return Choice(side=side, because=because, share=share, price=limit)


def _order(facts: MarketFacts, choice: Choice) -> JsonObject:
    held = facts.qty_max if facts.short_allowed else max(0, facts.shares)
    room = facts.affordable_qty if choice.side > 0 else held
    if choice.side > 0 and choice.price is not None and facts.ask is not None and choice.price > facts.ask:
        room = int(room * facts.ask / choice.price)
    if choice.side > 0 and choice.price is None:
        room = room * 10 // 11  # it may cost a tenth more
    qty = min(facts.qty_max, int(room * choice.share))
    if choice.side < 0 and choice.share > 0 and not qty:
        qty = min(held, 1)
    if choice.side == 0 or qty <= 0:
        why = choice.because if choice.side == 0 else f"{choice.because} But I have nothing to trade with."
        return {"reasoning": why, "action": "HOLD", "quantity": 0, "order_type": None, "limit_price": None}
    return {
        "reasoning": choice.because,
        "action": "BUY" if choice.side > 0 else "SELL",
        "quantity": qty,
        "order_type": "MARKET" if choice.price is None else "LIMIT",
        "limit_price": None if choice.price is None else _on_tick(choice.price, choice.side, facts.tick),
    }


def _on_tick(price: Decimal, side: int, tick: Decimal) -> str:
    steps = (price / tick).to_integral_value(ROUND_FLOOR if side > 0 else ROUND_CEILING)
    return format(max(ONE, steps) * tick, "f")


def _present_value(dividends: Dividends, chance: Decimal) -> Decimal:
    expected = dividends.high * chance + dividends.low * (1 - chance)
    if dividends.periods_left is None:
        return expected / dividends.rate if dividends.rate else Decimal(0)
    discount, total = ONE, Decimal(0)
    for _ in range(dividends.periods_left):
        discount /= 1 + dividends.rate
        total += expected * discount
    return total + dividends.redemption * discount


def _rise(facts: MarketFacts) -> Decimal | None:
    """Return how far the price is from its recent mean, as a share; None without a past."""
    recent = facts.past[-TREND_PRICES:]
    mean = sum(recent, Decimal(0)) / len(recent) if recent else Decimal(0)
    return facts.last / mean - 1 if mean else None


def _between(chance: Random, low: str, high: str) -> Decimal:
    return Decimal(low) + (Decimal(high) - Decimal(low)) * chance.randint(0, 100) / 100


def _chance(facts: MarketFacts, seed: str) -> Random:
    return Random(f"{seed}.{facts.decision_id}.{facts.strategy}")  # noqa: S311 - replayable chance


def _pct(share: Decimal) -> str:
    return f"{share * 100:.1f} %"


def _cents(price: Decimal) -> str:
    return f"{price:.2f}"
