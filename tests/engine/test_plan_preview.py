"""A plan before anything is sent: what it costs, what it would run into, and that units and sides change nothing."""

from copy import deepcopy
from dataclasses import replace
from decimal import Decimal

import pytest
from builders import T0, instrument, parent_order, submitted

from executor.domain.limits import Limits
from executor.domain.orders import Category, ResidualRule, Side, StrategyParams
from executor.domain.timeline import NS_PER_S
from executor.engine.plan_limits import Severity
from executor.engine.plan_preview import (
    SLICES_MAX,
    paced,
    preview,
    told_market,
    unknown_figures,
)
from executor.engine.state import EngineState, Ledger, MarketState
from executor.engine.submitted import order_of
from impact.models import read_model
from impact.square_root import SquareRoot
from strategies.base import STRATEGIES
from strategies.priced import PlanTerms, by_strategy

D = Decimal
WIDE = Limits(
    position_notional_max=None, day_notional_max=None, child_notional_max=None, open_notional_max=None,
    participation_pct_max=D(90),
)  # fmt: skip
ORDER = parent_order(
    order_qty=D(12), deadline_ns=T0 + 7_200 * NS_PER_S, params=StrategyParams(interval_s=600)
)
TERMS = PlanTerms(model=SquareRoot(0.9))


def market_of(*, rules=None, px="50000", spread="2", volatility=0.5, volume=600.0):
    return told_market(
        rules or instrument(),
        mid_px=D(px),
        spread_bps=D(spread),
        volatility_hourly_pct=volatility,
        volume_hourly_qty=volume,
        now_ns=T0,
    )


def told(order=ORDER, terms=TERMS, limits=WIDE, market=None, **state):
    return preview(EngineState(limits=limits, now_ns=T0, **state), market or market_of(), order, terms)


def test_the_cost_is_the_square_root_law_half_the_spread_and_the_risk_of_a_line():
    cost = told().cost
    # Two thirds of 0.9 daily volatilities times the root of the order's share of the day's volume.
    sigma = 0.5 * 100 * 24**0.5
    assert cost.told.impact.estimate_bps == pytest.approx(
        2 / 3 * 0.9 * sigma * (12 / (600 * 24)) ** 0.5, rel=1e-3
    )
    assert cost.told.spread_bps == pytest.approx(1.0)
    assert cost.told.risk_bps == pytest.approx(50 * (2 / 3) ** 0.5, rel=1e-6)  # sigma sqrt(T / 3), two hours
    assert cost.told.notional_quote == pytest.approx(600_000)
    assert cost.expected_quote == pytest.approx(cost.expected_bps * 60)
    assert cost.low_bps == pytest.approx(cost.told.impact.low_bps - 1.96 * cost.told.risk_bps)
    assert cost.high_bps == pytest.approx(cost.told.impact.high_bps + 1.0 + 1.96 * cost.told.risk_bps)


def test_fees_are_those_of_what_takes_and_of_what_rests():
    terms = PlanTerms(model=SquareRoot(0.9), crossing=0.25, maker_fee_bps=-1.0, taker_fee_bps=5.0)
    cost = told(terms=terms).cost
    assert cost.fees_bps == pytest.approx(0.25 * 5 - 0.75)
    assert cost.told.spread_bps == pytest.approx(0.25)
    assert cost.expected_bps == pytest.approx(cost.told.expected_bps + 0.5)
    assert told().cost.fees_bps is None


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - {"sniper"}))
@pytest.mark.parametrize(
    "model", ["square-root", "almgren-chriss", "obizhaeva-wang:passing=2,half_life_s=300"]
)
def test_a_sale_costs_what_a_purchase_costs(strategy, model):
    terms = PlanTerms(model=read_model(model), compare=True)
    buy = by_strategy(ORDER, strategy)
    bought, sold = told(buy, terms), told(replace(buy, side=Side.SELL), terms)
    assert sold.cost == bought.cost
    assert sold.alternatives == bought.alternatives
    assert sold.frontier == bought.frontier


@pytest.mark.parametrize("times", [1_000, D("0.001")])
def test_other_units_of_quantity_change_no_basis_point(times):
    times = D(times)
    rules = instrument(
        qty_step=D("0.001") * times, min_order_qty=D("0.001") * times, max_order_qty=D(1_000) * times
    )
    other = told(
        replace(ORDER, order_qty=ORDER.order_qty * times),
        market=market_of(rules=rules, px=str(D(50_000) / times), volume=600.0 * float(times)),
    )
    usual = told()
    assert other.cost.expected_bps == pytest.approx(usual.cost.expected_bps)
    assert other.cost.told.notional_quote == pytest.approx(usual.cost.told.notional_quote)
    assert [one.participation for one in other.path.slices] == [
        one.participation for one in usual.path.slices
    ]


def test_an_inverse_contract_is_worth_one_quote_unit():
    rules = instrument(category=Category.INVERSE, qty_step=D(1), min_order_qty=D(1), max_order_qty=D(10**9))
    order = replace(ORDER, category=Category.INVERSE, order_qty=D(600_000))
    plan = told(order, market=market_of(rules=rules, volume=30_000_000.0))
    assert plan.cost.told.notional_quote == pytest.approx(600_000)
    assert plan.cost.expected_bps == pytest.approx(told().cost.expected_bps, rel=1e-3)


def test_the_frontier_trades_risk_against_cost():
    terms = PlanTerms(model=read_model("almgren-chriss"))
    points = told(by_strategy(ORDER, "arrival-price"), terms).frontier
    assert [one.urgency for one in points] == ["", "", "LOW", "MEDIUM", "HIGH", "", ""]
    costs, risks = [one.expected_bps for one in points], [one.risk_bps for one in points]
    assert costs == sorted(costs)
    assert risks == sorted(risks, reverse=True)
    even = told(by_strategy(ORDER, "twap"), terms).cost
    assert (costs[0], risks[0]) == pytest.approx((even.expected_bps, even.told.risk_bps))
    assert told(terms=terms).frontier == ()


def test_the_others_are_priced_by_what_they_read_themselves():
    terms = replace(TERMS, compare=True)
    order = replace(by_strategy(ORDER, "pov"), params=StrategyParams(interval_s=600, participation=D("0.2")))
    others = told(order, terms).alternatives
    assert [one.strategy for one in others] == [name for name in STRATEGIES if name not in {"pov", "sniper"}]
    assert by_strategy(order, "twap").params.participation is None
    assert by_strategy(order, "twap").params.interval_s == 600


def found(order=ORDER, limits=WIDE, **more):
    return {one.what: one for one in told(order, limits=limits, **more).hindrances}


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        ("position_notional_max", D(599_999), Severity.FAILS),
        ("day_notional_max", D(599_999), Severity.FAILS),
        ("child_notional_max", D(49_999), Severity.SLOWER),
        ("open_notional_max", D(49_999), Severity.SLOWER),
        ("participation_pct_max", D("0.99"), Severity.SLOWER),
        ("order_gap_s_min", D(601), Severity.SLOWER),
        ("children_per_parent_max", 11, Severity.WAITS),
        ("cross_spread_bps_max", D("1.9"), Severity.WAITS),
        ("volatility_hourly_pct_max", D("0.49"), Severity.WAITS),
    ],
)
def test_each_limit_that_would_bind_is_named_and_no_other(name, value, severity):
    assert found() == {}
    tight = found(limits=replace(WIDE, **{name: value}))
    assert {what: one.severity for what, one in tight.items()} == {name: severity}


def test_a_strategy_order_beyond_what_may_be_open_is_named():
    for strategy in ("venue-twap", "venue-iceberg"):
        order = replace(ORDER, strategy=strategy)
        assert found(order) == {}
        assert found(order, limits=replace(WIDE, open_notional_max=D(600_000))) == {}
        tight = found(order, limits=replace(WIDE, open_notional_max=D(500_000)))
        assert tight.keys() == {"open_notional_max"}
        assert "at most 10 may be (500000 quote)" in tight["open_notional_max"].detail


def test_what_the_venue_or_the_order_itself_forbids_is_named():
    assert found(replace(ORDER, order_qty=D("0.00005")))["venue minimum"].severity is Severity.FAILS
    assert found(replace(ORDER, limit_px=D(49_000)))["limit_price"].severity is Severity.WAITS
    held = {"linear:BTCUSDT:0": Ledger(opening_qty=D(-3))}
    market = replace(market_of(), compared=True)
    reducing = found(
        replace(ORDER, reduce_only=True), market=market, ledgers=held, markets={"linear:BTCUSDT": market}
    )
    assert reducing["reduce_only"].severity is Severity.FAILS
    capped = replace(ORDER, params=StrategyParams(interval_s=600, participation_max=D("0.005")))
    assert "is expected to be left" in found(capped)["participation_max"].detail


def test_the_gravest_comes_first():
    limits = replace(WIDE, position_notional_max=D(1), child_notional_max=D(1), cross_spread_bps_max=D(1))
    severities = [one.severity for one in told(limits=limits).hindrances]
    assert severities == [Severity.FAILS, Severity.WAITS, Severity.SLOWER]


def test_what_is_not_known_is_named_and_never_guessed():
    state = EngineState()
    assert unknown_figures(state, MarketState()) == ("rules", "price", "volatility", "volume")
    assert unknown_figures(state, market_of()) == ()
    watched = replace(market_of(), estimates=MarketState().estimates)
    assert unknown_figures(state, watched) == ("volatility", "volume")
    with pytest.raises(ValueError, match="not known: volatility, volume"):
        preview(state, watched, ORDER, TERMS)
    assert unknown_figures(state, paced(watched, 0.5, None)) == ("volume",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"px": "0"}, {"px": "-1"}, {"px": "NaN"}, {"spread": "-1"}, {"spread": "10000"}, {"spread": "NaN"},
        {"volatility": 0.0}, {"volatility": float("nan")}, {"volume": -1.0}, {"volume": float("inf")},
    ],
)  # fmt: skip
def test_figures_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match=r"above zero|a spread is"):
        market_of(**wrong)


def test_a_plan_changes_nothing_of_what_it_reads():
    state, market = EngineState(limits=WIDE, now_ns=T0), market_of()
    before = deepcopy((state, market))
    first = preview(state, market, ORDER, replace(TERMS, compare=True))
    assert (state, market) == before
    assert preview(state, market, ORDER, replace(TERMS, compare=True)) == first


def test_too_many_slices_are_refused_before_they_are_made():
    endless = replace(
        ORDER, deadline_ns=T0 + (SLICES_MAX + 1) * NS_PER_S, params=StrategyParams(interval_s=1)
    )
    with pytest.raises(ValueError, match="take a longer interval"):
        told(endless)


def test_a_submission_becomes_the_order_that_would_be_accepted():
    event = submitted(duration_s=60, start_ns=T0 + 5)
    order = order_of(event, T0)
    assert (order.start_ns, order.deadline_ns) == (T0 + 5, T0 + 5 + 60 * NS_PER_S)
    assert order_of(event, T0 + 9).start_ns == T0 + 9
    assert (order.order_qty, order.residual, order.params) == (
        event.order_qty,
        ResidualRule.CROSS,
        event.params,
    )


def test_nothing_to_do_costs_nothing_that_could_be_told():
    plan = told(replace(ORDER, order_qty=D("0.00005")), replace(TERMS, compare=True))
    assert plan.cost is None
    assert all(one.cost is None for one in plan.alternatives)
