"""Generated and mutated replies in great number through the whole engine: no order ever leaves its limits or its band.

Each life is a seed: a band, caps, limits, a few parents of both sides on four symbols, a market that moves, a venue
that fills in parts, and a model that answers every question with something (`tests.adviser.model_replies`). A judge of
its own looks at every event (`tests.engine.advice_judge`). 10 000 replies that are judged, 1 000 000 with
`EXECUTOR_CAMPAIGN=full`; one life again: `EXECUTOR_LIFE=17`.
"""

import os
import sys
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from executor.advice.ruling import Clip
from executor.domain.advice import AdviceOutcome, Failure, Unusable
from executor.domain.advice_terms import AdviserTerms, Band, BreakerRules, Caps, Prices, Triggers
from executor.domain.events import NewsArrived, PauseRequested, ResumeRequested
from executor.domain.limits import Limits, Timings
from executor.domain.orders import Category, ResidualRule, Side, StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.volume_curve import HOURS_PER_WEEK
from strategies.volume_curve import USUAL_CURVE
from tests.adviser.model_replies import ACTIONS, SCHEDULES, ModelDouble
from tests.adviser.mutations import CHANGES
from tests.builders import D
from tests.engine.advice_judge import Judge
from tests.engine.advised_floor import Fills, Floor, Stall, told_when_it_fails

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
REPLIES = 1_000_000 if FULL else 10_000
WHOLE_EVERY = 3
"""Of so many lives one has everything filled at once: there the lower bound must hold."""

WIDE = dict(
    order_gap_s_min=D(0), orders_per_s_max=10_000, orders_per_min_max=100_000, children_per_hour_max=10**6,
    children_per_parent_max=10**6, amplification_max=D(10**6), volatility_hourly_pct_max=D(10_000),
    child_notional_max=D(10**9), open_notional_max=D(10**10), position_notional_max=D(10**10),
    day_notional_max=D(10**12), day_loss_max=D(10**12), participation_pct_max=D(10_000),
    price_collar_bps_max=D(5_000),
)  # fmt: skip
"""Limits that leave everything to the band."""
TIGHT = dict(
    WIDE, order_gap_s_min=D(1), orders_per_s_max=6, orders_per_min_max=120, child_notional_max=D(3_000),
    open_notional_max=D(7_000), participation_pct_max=D(5), price_collar_bps_max=D(60),
)  # fmt: skip

NEVER = {Clip.NOT_FOR_THIS_ACTION, Clip.ORDER_KIND_IGNORED, Clip.STRATEGY_NOT_ALLOWED, Clip.NOTHING_SCHEDULED}
"""What the reading of a reply, or the time at which it is asked for, forbids before the band could."""
KINDS = (Category.LINEAR, Category.SPOT, Category.INVERSE)
SOMETIMES = {
    *AdviceOutcome, *Failure, *ACTIONS, "CANCEL", *(name for name, _ in CHANGES),
    "switched", "revised", "amended", "paused", "fallback acted", "booked late", "twice", "stale", "identity",
    "envelope",
    "PARENT_COST", "HOUR_COST", "DAY_COST", "PARENT_CALLS", "HOUR_CALLS", "DAY_CALLS", "CROWDED", "BREAKER_OPEN",
    *Unusable, *(set(Clip) - NEVER),
    *(f"{how} {side.name} {kind}" for how in ("PostOnly", "IOC") for side in Side for kind in KINDS),
}  # fmt: skip
"""What a campaign must have seen; a generator that stopped making something would prove nothing about it."""


def rolled_terms(rng: Random, *, eager: bool) -> AdviserTerms:
    """Terms of all kinds; the eager ones ask again as soon as a question has ended."""
    loose = dict(parent_cost_max=D(10**9), hour_cost_max=D(10**9), day_cost_max=D(10**9))
    calls = dict(parent_calls_max=10**6, hour_calls_max=10**6, day_calls_max=10**6)
    caps = {**loose, **calls}
    if not eager and rng.random() < 0.8:
        caps[rng.choice(list(loose))] = D(rng.choice(("0.02", "0.05", "0.2")))
    if not eager:
        caps[rng.choice(list(calls))] = rng.randint(3, 30)
    return AdviserTerms(
        model="wise",
        interval_s=1,
        min_gap_s=0 if eager else 1,
        triggers=Triggers(spread_times=D(0)) if eager else Triggers(),
        deadline_ms=rng.choice((200, 500, 4_000)),
        questions_max=8 if eager else rng.choice((1, 2, 4, 8)),
        fallback=rng.choice(("", "", "", *SCHEDULES)),
        prompt_bytes_max=8_000,
        tokens_max=700,
        caps=Caps(**caps),
        prices=Prices(prompt=D(1), cached=D("0.1"), completion=D(4)),
        band=rolled_band(rng),
        breaker=BreakerRules() if not eager and rng.random() < 0.2 else BreakerRules(failures_max=10**6),
    )


def rolled_band(rng: Random) -> Band:
    if rng.random() < 0.4:
        return Band(strategies=SCHEDULES)
    return Band(
        confidence_min=D(rng.choice(("0", "0.5", "0.9"))),
        rate_min=D(rng.choice(("0.01", "0.5", "1"))),
        rate_max=D(rng.choice((1, 2, 100))),
        slice_times_max=D(rng.choice(("1", "1.3", "2", "3"))),
        slice_times_min=D(rng.choice(("0.01", "0.1", "1"))),
        ahead_pct_max=D(rng.choice((0, 3, 10, 30))),
        behind_pct_max=D(rng.choice((0, 3, 10, 30))),
        wait_s_max=rng.choice((0, 5, 60)),
        act_until_pct=D(rng.choice((0, 50, 90, 100))),
        hold_s_max=rng.choice((0, 3, 120)),
        cancel_allowed=rng.random() < 0.3,
        strategies=rng.choice((SCHEDULES, SCHEDULES[:2], SCHEDULES[1:])),
        switches_max=rng.choice((0, 1, 3, 50)),
    )


class Life:
    """A few minutes of a floor; everything in it follows from the seed."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(f"advised life {seed}")
        self.whole = seed % WHOLE_EVERY == 0
        eager = rng.random() < 0.6
        terms = rolled_terms(rng, eager=eager)
        if self.whole:
            terms = replace(terms, band=replace(terms.band, cancel_allowed=False))
        self.model = ModelDouble(
            chance=rng,
            model="wise",
            favourite=rng.choice(("", "", "", *ACTIONS)),
            quick=eager,
            cancels=0.0 if self.whole else 0.01,
            sound=rng.choice((0.2, 0.5, 0.9)),
        )
        self.judge = Judge()
        self.floor = Floor(
            terms=terms,
            chance=rng,
            limits=Limits(**(WIDE if self.whole or rng.random() < 0.5 else TIGHT)),
            timings=Timings(reconcile_s=60, residual_window_s=10),
            fills=Fills(whole=self.whole, share=rng.choice((0.05, 0.4, 0.8))),
            lag_ns_max=0 if self.whole else 40 * NS_PER_MS,
            witness=self.judge,
            model=self.model.answer,
        )
        self.sides = [rng.choice(list(Side)) for _ in self.floor.stalls]
        self.length_s = 40 if eager else rng.choice((60, 120))

    def play(self) -> None:
        floor, rng = self.floor, self.rng
        floor.open()
        for stall, side in zip(floor.stalls, self.sides, strict=True):
            for _ in range(rng.choice((1, 2))):
                self.submit(stall, side)
        end_ns = floor.now_ns + self.length_s * NS_PER_S
        while floor.now_ns < end_ns and floor.engine.state.open_parents:
            self.pass_a_second()
        for _ in range(400):
            if not floor.engine.state.open_parents:
                break
            self.pass_a_second()
        floor.pass_time(300 * NS_PER_S, books=False)  # what is still on its way meets parents that have ended
        self.judge.final()
        for parent in floor.parents():
            assert parent.is_final, (parent.order.parent_id, parent.status, parent.reason, parent.waiting)
            if (
                self.whole
                and not self.judge.parents[parent.order.parent_id].stopped
                and parent.order.limit_px is None
            ):
                assert parent.status is ParentStatus.COMPLETE, (parent.status, parent.cum_qty)

    def submit(self, stall: Stall, side: Side) -> None:
        rng, rules = self.rng, stall.rules
        interval_s = rng.choice((2, 5, 10, 20))
        slices = rng.randint(2, 12)
        smallest = rules.smallest_qty(stall.mid_px * D("0.9"))
        qty = rules.round_qty(smallest * D(rng.randint(300, 4_000)) / 100)
        away = D(rng.randint(-20, 60)) / 10_000 * side.sign
        limited = rng.random() < (0.0 if self.whole else 0.3)
        strategy = rng.choice(SCHEDULES)
        self.floor.submit(
            stall,
            side=side,
            order_qty=qty,
            duration_s=min(interval_s * slices, self.length_s - 20),
            residual=ResidualRule.LEAVE if self.whole else rng.choice(list(ResidualRule)),
            extend_s=20,
            limit_px=rules.round_px(side, stall.mid_px * (1 + away)) if limited else None,
            strategy=strategy,
            params=StrategyParams(
                **self.followed(stall, strategy),
                interval_s=interval_s,
                passiveness=rng.choice((None, D(0), D("0.5"), D(1))),
                catch_up=rng.random() < 0.8,
                catch_up_max=D(rng.choice(("1", "1.5", "2", "3"))),
                randomize_size_pct=rng.choice((0, 0, 30)),
                randomize_timing_pct=rng.choice((0, 0, 30)),
            ),
            seed=rng.randint(0, 10**6),
        )

    def followed(self, stall: Stall, strategy: str) -> dict[str, object]:
        """What lets the market change the plan, for some orders."""
        rng = self.rng
        if strategy == "arrival-price" and rng.random() < 0.5:
            return {"risk_aversion": D(rng.choice(("0.00000001", "0.000001", "0.001")))}
        if strategy == "vwap" and rng.random() < 0.5:
            week_qty = stall.volume_per_s * 3_600 * HOURS_PER_WEEK * D(rng.choice(("0.2", "1", "5")))
            return {"curve": replace(USUAL_CURVE, week_qty=week_qty)}
        return {}

    def pass_a_second(self) -> None:
        """Books, answers, fills; in uneven steps, so that nothing depends on a beat."""
        floor, rng = self.floor, self.rng
        for _ in range(rng.choice((1, 1, 2))):
            floor.pass_time(rng.randint(50, 1_100) * NS_PER_MS, books=False)
            if not self.whole or rng.random() < 0.1:
                floor.settle()
            for stall in floor.stalls:
                ticks = rng.choice((0, 0, 1, -1, 5, -5))
                stall.mid_px += ticks * stall.rules.tick_size
                stall.spread_ticks = rng.choice((1, 1, 1, 2, 5))
                floor.book(stall)
            self.look_behind()
        if rng.random() < 0.1:
            floor.send(NewsArrived(at_ns=0, source="wire"))
        self.people()

    def people(self) -> None:
        """Somebody resumes what advice has paused, and rarely pauses something."""
        floor, rng = self.floor, self.rng
        for name in tuple(floor.engine.state.open_parents):
            parent = floor.engine.state.parents[name]
            if parent.status is ParentStatus.PAUSED and parent.reason in {Reason.ADVICE, Reason.OPERATOR}:
                if rng.random() < 0.3:
                    floor.send(ResumeRequested(at_ns=0, request_id="p", parent_id=name))
            elif not self.whole and rng.random() < 0.005:
                floor.send(PauseRequested(at_ns=0, request_id="p", parent_id=name))

    def look_behind(self) -> None:
        if not self.whole:
            return
        self.floor.settle()
        for name in self.floor.engine.state.open_parents:
            behind = self.judge.behind(name)
            assert behind is None or behind <= 0 or self.floor.engine.state.parents[name].order.limit_px, (
                f"{name} is {behind} further behind than the band allows"
            )


def play(seed: int) -> Life:
    life = Life(seed)
    with told_when_it_fails(seed, __file__):
        life.play()
    return life


@pytest.mark.campaign
@pytest.mark.timeout(14_400 if FULL else 300)
def test_no_reply_makes_an_order_leave_its_limits_or_its_band():
    seen, judged, idle, seed = Counter(), 0, 0, 0
    while judged < REPLIES:
        life = play(seed)
        seen += life.judge.seen + life.model.seen
        judged += life.judge.judged
        idle += life.judge.idle
        seed += 1
        if FULL and seed % 500 == 0:
            sys.stderr.write(f"{seed} lives, {judged} replies judged, {idle} that nobody waited for\n")
    assert idle > REPLIES // 20
    assert not {str(what) for what in SOMETIMES if not seen[what]}


def test_one_life():
    play(int(os.environ.get("EXECUTOR_LIFE", "1")))
