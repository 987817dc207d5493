"""A trader's rules of thumb: what the sandbox's model advises for given facts. Pure, and the same every time.

The rules are asked in order; the first that applies decides. Each says how clear its case is, from which the
confidence follows, and quotes the numbers it saw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Final

from sandbox.llm_server.answer import HUNDREDTH, answer, shown
from sandbox.llm_server.question import Facts
from sandbox.llm_server.wire_json import JsonObject

END_PCT: Final = Decimal(90)
BEHIND_PCT: Final = Decimal(2)
FAR_BEHIND_PCT: Final = Decimal(5)
AHEAD_PCT: Final = Decimal(5)
TIGHT_BPS: Final = Decimal(3)
WIDE_BPS: Final = Decimal(6)
VOLATILE_PCT: Final = Decimal("1.5")
FAVOUR: Final = Decimal("0.4")
STRONG_FAVOUR: Final = Decimal("0.75")
FUNDING_S: Final = Decimal(300)
FUNDING_RATE: Final = Decimal("0.0001")
FUNDING_MARGIN_S: Final = 5
IMPACT_BPS: Final = Decimal(10)
STUCK_COUNT: Final = 3
CONFIDENCE_LOW: Final = Decimal("0.55")
CONFIDENCE_SPAN: Final = Decimal("0.4")
WAVER_HUNDREDTHS: Final = 2
WAIT_S: Final = Decimal(10)
ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule advises; ``clarity`` is 0 on its threshold and 1 where nobody would doubt."""

    action: str
    clarity: Decimal
    because: str
    risk: str
    strategy: str | None = None
    quantity: Decimal | None = None
    order_type: str | None = None
    limit_price: Decimal | None = None
    rate: Decimal | None = None
    wait_s: Decimal | None = None
    impact_adjustment: Decimal = ONE


Rule = Callable[[Facts], Verdict | None]


def advise(facts: Facts, seed: str) -> tuple[JsonObject, str]:
    """Return the reply to a question, and the train of thought that led to it.

    Parameters
    ----------
    seed
        Moves the confidence by a hundredth or two, as no two models are equally sure; nothing else.
    """
    thoughts = []
    for rule in RULES:
        name = rule.__name__.replace("_", " ")
        verdict = rule(facts)
        if verdict is None:
            thoughts.append(f"{name}: no.")
            continue
        thoughts.append(f"{name}: yes. {verdict.because}")
        return _reply(facts, verdict, seed), "\n".join(thoughts)
    raise AssertionError("the last rule always applies")


def the_end_is_near(facts: Facts) -> Verdict | None:
    """What is left must be done: cross."""
    if facts.elapsed_pct < END_PCT or facts.leaves_qty <= 0:
        return None
    return Verdict(
        action="AGGRESSIVE",
        clarity=min(ONE, (facts.elapsed_pct - END_PCT) / (100 - END_PCT)),
        order_type="MARKET",
        because=f"{shown(facts.elapsed_pct)} % of the time is gone and {shown(facts.leaves_qty)} is left to do.",
        risk=f"Crossing pays about half the spread of {shown(facts.spread_bps)} bps; not finishing costs more.",
    )


def behind_schedule(facts: Facts) -> Verdict | None:
    """Catch up: cross if it is cheap and urgent, else work faster."""
    behind_pct = -facts.ahead_pct
    tight, far = facts.spread_bps <= TIGHT_BPS, behind_pct >= FAR_BEHIND_PCT
    if behind_pct < BEHIND_PCT or not (tight or far):
        return None
    because = (
        f"The order is {shown(behind_pct)} % behind schedule and the spread is {shown(facts.spread_bps)} bps,"
        f" {'tight' if tight else 'too wide to cross'}."
    )
    if tight and far:
        return Verdict(
            action="AGGRESSIVE",
            clarity=_beyond(behind_pct, FAR_BEHIND_PCT),
            order_type="MARKET",
            because=because,
            risk="Taking liquidity shows our hand; the lag is worth it.",
        )
    return Verdict(
        action="ACCELERATE",
        clarity=_beyond(behind_pct, BEHIND_PCT),
        rate=min(facts.rate_max, ONE + behind_pct / 10),
        because=because,
        risk="A faster pace moves the price more.",
    )


def funding_is_close(facts: Facts) -> Verdict | None:
    """Do not build what is about to pay; hurry to have what is about to be paid."""
    if facts.funding_rate is None or facts.funding_in_s is None:
        return None
    if not 0 <= facts.funding_in_s <= FUNDING_S or abs(facts.funding_rate) < FUNDING_RATE:
        return None
    because = f"Funding of {shown(facts.funding_rate)} is due in {shown(facts.funding_in_s)} s"
    clarity = _beyond(abs(facts.funding_rate), FUNDING_RATE)
    if facts.side_sign * facts.funding_rate < 0:
        return Verdict(
            action="ACCELERATE",
            clarity=clarity,
            rate=min(facts.rate_max, Decimal("1.5")),
            because=f"{because}, and this side is paid for being in before.",
            risk="Others hurry for the same reason.",
        )
    wait_s = (facts.funding_in_s + FUNDING_MARGIN_S).to_integral_value()
    if wait_s <= facts.wait_s_max:
        return Verdict(
            action="WAIT",
            clarity=clarity,
            wait_s=wait_s,
            because=f"{because}, and this side pays it; it is over in {shown(wait_s)} s.",
            risk="The price may move away while we stand aside.",
        )
    return Verdict(
        action="DECELERATE",
        clarity=clarity,
        rate=max(facts.rate_min, Decimal("0.6")),
        because=f"{because}, and this side pays it; that is longer than may be waited.",
        risk="We fall behind a little before the funding.",
    )


def the_market_is_wild(facts: Facts) -> Verdict | None:
    """Do less while the price jumps."""
    volatility_pct = facts.volatility_hourly_pct
    if volatility_pct is None or volatility_pct < VOLATILE_PCT:
        return None
    return Verdict(
        action="DECELERATE",
        clarity=_beyond(volatility_pct, VOLATILE_PCT),
        rate=max(facts.rate_min, VOLATILE_PCT / volatility_pct),
        impact_adjustment=min(Decimal(2), volatility_pct / VOLATILE_PCT),
        because=f"Volatility is {shown(volatility_pct)} % an hour, above {shown(VOLATILE_PCT)} %.",
        risk="Timing risk grows with every minute we take longer.",
    )


def the_spread_is_wide(facts: Facts) -> Verdict | None:
    """Earn a wide spread instead of paying it."""
    if facts.spread_bps < WIDE_BPS:
        return None
    return Verdict(
        action="PASSIVE",
        clarity=_beyond(facts.spread_bps, WIDE_BPS),
        order_type="LIMIT",
        limit_price=facts.near_px,
        because=f"The spread is {shown(facts.spread_bps)} bps; rest at {shown(facts.near_px)} and let them come.",
        risk="We may not be filled.",
    )


def the_book_leans(facts: Facts) -> Verdict | None:
    """Wait for a price that is coming our way; do not wait for one that is leaving."""
    favour = facts.favour
    if favour is None or abs(favour) < FAVOUR or facts.imbalance is None:
        return None
    because = f"The imbalance of the book is {shown(facts.imbalance.quantize(HUNDREDTH))}"
    clarity = _beyond(abs(favour), FAVOUR)
    if favour >= STRONG_FAVOUR and facts.wait_s_max >= 1:
        return Verdict(
            action="WAIT",
            clarity=clarity,
            wait_s=min(facts.wait_s_max, WAIT_S) // 1,
            because=f"{because}, strongly in our favour: the price should come to us.",
            risk="A book can be emptied faster than we can act.",
        )
    if favour > 0:
        return Verdict(
            action="PASSIVE",
            clarity=clarity,
            order_type="LIMIT",
            limit_price=facts.near_px,
            impact_adjustment=Decimal("0.9"),
            because=f"{because}, in our favour; rest at {shown(facts.near_px)}.",
            risk="The queue before us may be long.",
        )
    return Verdict(
        action="ACCELERATE",
        clarity=clarity,
        rate=min(facts.rate_max, ONE + abs(favour) / 2),
        because=f"{because}, against us: the price may leave.",
        risk="Many resting orders are not meant to trade.",
    )


def the_impact_is_high(facts: Facts) -> Verdict | None:
    """Show less of the order."""
    if facts.impact_bps is None or facts.impact_bps < IMPACT_BPS:
        return None
    return Verdict(
        action="DECELERATE",
        clarity=_beyond(facts.impact_bps, IMPACT_BPS),
        rate=max(facts.rate_min, IMPACT_BPS / facts.impact_bps),
        quantity=facts.slice_qty / 2 if facts.slice_qty > 0 else None,
        because=f"The estimated impact is {shown(facts.impact_bps)} bps, above {shown(IMPACT_BPS)} bps.",
        risk="The estimate is uncertain.",
    )


def nothing_fills(facts: Facts) -> Verdict | None:
    """Change the schedule if the latest decisions have brought no fill."""
    latest = facts.recent[-STUCK_COUNT:]
    other = next((name for name in facts.strategies if name != facts.strategy), None)
    if len(latest) < STUCK_COUNT or any(filled_pct > 0 for _, filled_pct in latest) or other is None:
        return None
    return Verdict(
        action="SWITCH_STRATEGY",
        clarity=Decimal("0.25"),
        strategy=other,
        because=f"The latest {STUCK_COUNT} decisions filled 0 %; {facts.strategy} does not get on, {other} may.",
        risk="Every change of plan costs the place in the queue.",
    )


def far_ahead(facts: Facts) -> Verdict | None:
    """Let the schedule catch up with us."""
    if facts.ahead_pct < AHEAD_PCT:
        return None
    return Verdict(
        action="DECELERATE",
        clarity=_beyond(facts.ahead_pct, AHEAD_PCT),
        rate=max(facts.rate_min, ONE - facts.ahead_pct / 20),
        because=f"The order is {shown(facts.ahead_pct)} % ahead of schedule.",
        risk="None worth naming; there is time.",
    )


def all_is_calm(facts: Facts) -> Verdict:
    """Rest at the near side, with half a heart."""
    return Verdict(
        action="PASSIVE",
        clarity=Decimal(0),
        order_type="LIMIT",
        limit_price=facts.near_px,
        because=(
            f"{shown(facts.ahead_pct)} % against schedule with a spread of {shown(facts.spread_bps)} bps:"
            f" nothing calls for haste; rest at {shown(facts.near_px)}."
        ),
        risk="We may not be filled at once.",
    )


RULES: Final[tuple[Rule, ...]] = (
    the_end_is_near,
    behind_schedule,
    funding_is_close,
    the_market_is_wild,
    the_spread_is_wide,
    the_book_leans,
    the_impact_is_high,
    nothing_fills,
    far_ahead,
    all_is_calm,
)


def _beyond(value: Decimal, threshold: Decimal) -> Decimal:
    """How far beyond its threshold a value is, in multiples of the threshold, at most 1."""
    return min(ONE, value / threshold - 1)


def _reply(facts: Facts, verdict: Verdict, seed: str) -> JsonObject:
    chance = Random(f"{seed}.{facts.snapshot_hash}")  # noqa: S311 - replayable chance
    waver = Decimal(chance.randint(-WAVER_HUNDREDTHS, WAVER_HUNDREDTHS)) / 100
    return answer(
        facts,
        verdict.action,
        confidence=(CONFIDENCE_LOW + CONFIDENCE_SPAN * verdict.clarity + waver).quantize(HUNDREDTH),
        reasoning=f"{verdict.because} Therefore {verdict.action}.",
        risk=verdict.risk,
        strategy=verdict.strategy,
        quantity=verdict.quantity,
        order_type=verdict.order_type,
        limit_price=verdict.limit_price,
        rate=None if verdict.rate is None else verdict.rate.quantize(HUNDREDTH),
        wait_s=verdict.wait_s,
        impact_adjustment=verdict.impact_adjustment.quantize(HUNDREDTH),
    )
