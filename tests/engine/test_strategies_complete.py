"""Every strategy comes to its end in a simulated market, both sides, through the engine and under the gate."""

from collections import Counter
from functools import cache

import pytest

from backtest import scripted
from backtest.run import START_NS, Scene, prepare
from executor.domain.advice_terms import AdviserTerms, Caps, Prices
from executor.domain.decision import Style
from executor.domain.limits import Limits
from executor.domain.orders import GiveUp, Peg, ResidualRule, Side, StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from executor.engine.state import worst_case_qty
from simulation.walk_market import Walk
from strategies.base import STRATEGIES
from tests.builders import D, instrument, submitted

WARMUP_S = 15
WALK = Walk(
    instrument=instrument(), start_px=D(50_000), step_ns=NS_PER_S, touch_qty=D("0.05"), trade_qty=D("0.1")
)
TERMS = AdviserTerms(
    model="wise",
    interval_s=10,
    deadline_ms=2_000,
    caps=Caps(
        parent_cost_max=D(1), hour_cost_max=D(2), day_cost_max=D(3),
        parent_calls_max=100, hour_calls_max=200, day_calls_max=300,
    ),
    prices=Prices(prompt=D(1), cached=D("0.1"), completion=D(4)),
)  # fmt: skip
CHOSEN = {
    "pov": dict(participation=D("0.03")),
    "iceberg": dict(display_qty=D("0.03"), display_randomize_pct=30),
    "chase": dict(peg=Peg.MID, give_up=GiveUp.CROSS, reprices_max=4),
    "sniper": dict(trigger_qty=D("0.04")),
}
"""What is chosen beside the usual."""


def worked(name, side=Side.BUY, *, advised=False, qty="0.2", duration_s=60, more=None, **over):
    """Work an order to its end; its state, its children and the engine's."""
    params = StrategyParams(interval_s=10, **{**CHOSEN.get(name, {}), **(more or {})})
    order = submitted(
        order_qty=D(qty), duration_s=duration_s, side=side, strategy=name, params=params, **over
    )
    scene = Scene(
        walk=WALK, parents=(order,), terms=TERMS, limits=Limits(references_min=0, order_gap_s_min=D(1))
    )
    adviser = (lambda _drift, seed: scripted.uninformed("wise", seed)) if advised else None
    runtime = prepare(scene, 1, adviser)
    runtime.run(
        START_NS + (WARMUP_S + duration_s + 90) * NS_PER_S,
        lambda state: len(state.parents) == 1 and not state.open_parents,
    )
    runtime.finish()
    state = runtime.engine.state
    parent = state.parents["P1"]
    return parent, [state.children[child] for child in parent.children], state


@cache
def plainly(name, side):
    return worked(name, side)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_it_is_done_exactly_and_nothing_stays_open(name, side):
    parent, children, state = plainly(name, side)
    assert (parent.status, parent.reason) == (ParentStatus.COMPLETE, Reason.ALL_FILLED), parent.detail
    assert parent.cum_qty == D("0.2") == worst_case_qty(state, parent)
    assert sum(child.cum_qty for child in children) == parent.cum_qty
    assert all(child.is_released for child in children)
    assert all(child.order.side is side for child in children)
    assert parent.finished_ns <= parent.order.deadline_ns + 30 * NS_PER_S


@pytest.mark.parametrize("side", Side)
def test_an_iceberg_never_shows_more_than_its_part(side):
    _, children, _ = plainly("iceberg", side)
    resting = [child for child in children if child.style is Style.REST]
    assert len(resting) > 3
    assert all(child.order.qty <= D("0.039") for child in resting)


@pytest.mark.parametrize("side", Side)
def test_a_sniper_shows_nothing(side):
    _, children, _ = plainly("sniper", side)
    assert {child.style for child in children} == {Style.CROSS}


@pytest.mark.parametrize("side", Side)
def test_a_chase_follows_no_more_often_than_it_may(side):
    parent, _, _ = plainly("chase", side)
    assert parent.reprices <= 4


def test_a_share_of_the_volume_is_kept_until_the_deadline():
    """An order that is far too large for its time: what it has by then is its share, less a slice's lag."""
    parent, _, _ = worked("pov", duration_s=120, qty="9", residual=ResidualRule.LEAVE)
    assert parent.status is ParentStatus.EXPIRED
    share = parent.cum_qty / parent.benchmarks.market_qty
    assert D("0.02") < share <= D("0.03")


@pytest.mark.parametrize("name", ["twap", "chase"])
def test_the_cap_on_participation_holds_to_the_end_also_for_what_the_residual_rule_takes(name):
    parent, _, _ = worked(name, qty="1", more=dict(participation_max=D("0.02")))
    assert (parent.status, parent.reason) == (ParentStatus.EXPIRED, Reason.DEADLINE)
    assert D("0.01") < parent.cum_qty / parent.benchmarks.market_qty <= D("0.02")


@pytest.mark.parametrize("name", ["pov", "iceberg", "chase", "sniper", "close"])
def test_a_model_may_advise_around_it_and_it_still_ends(name):
    parent, _, _ = worked(name, advised=True, qty="0.5")
    assert parent.status is ParentStatus.COMPLETE or parent.reason is Reason.ADVICE, parent.reason
    outcomes = Counter(parent.advice.outcomes)
    assert sum(outcomes.values()) >= 1
    if name != "close":
        assert parent.advice.worst.ahead_pct == parent.advice.worst.behind_pct == 100
    assert parent.cum_qty <= parent.order.order_qty


def test_an_order_begins_at_its_start_and_its_time_counts_from_then():
    start_ns = START_NS + 40 * NS_PER_S
    parent, children, _ = worked("twap", start_ns=start_ns, duration_s=30)
    assert parent.status is ParentStatus.COMPLETE
    assert start_ns <= parent.started_ns < start_ns + 2 * NS_PER_S
    assert parent.order.deadline_ns == start_ns + 30 * NS_PER_S
    assert min(child.created_ns for child in children) >= start_ns
    assert parent.schedule.slices[0].start_ns >= start_ns
