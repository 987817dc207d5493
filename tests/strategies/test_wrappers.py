"""Wrappers: a trader's scenarios, and what no signal can make them do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.decision import Style, Why, Working
from executor.domain.orders import Side, StrategyParams
from executor.domain.signals import NO_SIGNALS, LiquidationCluster, Signals
from executor.domain.timeline import NS_PER_HOUR, NS_PER_S
from strategies.base import STRATEGIES, WRAPPERS, strategy_of
from strategies.reads import why_not
from strategies.wrappers.crypto import GUIDES
from strategies.wrappers.guided import LAG_SHARE_MAX, Guide, Guided, Stance, may_lag
from tests.builders import T0, D, instrument, parent_order, snapshot, view

MINUTE = 60 * NS_PER_S
SLICED = ("twap", "vwap", "arrival-price", "close", "pov", "adaptive")
WHOLE = ("iceberg", "chase", "sniper")
SINGLE = {"sniper": {"trigger_qty": D("0.1")}}


def order_of(strategy="twap", side=Side.BUY, wrappers=(), **params):
    params = {**SINGLE.get(strategy, {}), **params}
    return parent_order(strategy=strategy, side=side, params=StrategyParams(wrappers=wrappers, **params))


def moment(order, seconds, *, signals=NO_SIGNALS, cum="0", base=None, **over):
    strategy = strategy_of(order)
    schedule = strategy.plan(
        order=order,
        instrument=instrument(),
        reference_px=D(50_000),
        start_ns=order.start_ns,
        end_ns=order.deadline_ns,
        cum_qty=D(0),
    )
    usual = dict(market_qty=D(100), plan_market_qty=D(100), slice_market_qty=D(1), last_slice_market_qty=D(5))
    return view(
        schedule,
        now_ns=order.start_ns + int(seconds * NS_PER_S),
        order=order,
        cum=cum,
        base=cum if base is None else base,
        signals=signals,
        **{**usual, **over},
    )


def decided(order, seconds, **over):
    return strategy_of(order).decide(moment(order, seconds, **over))


def funded(rate, in_s):
    return Signals(funding_rate=rate, next_funding_ns=T0 + int(in_s * NS_PER_S))


# ------------------------------------------------------------------ funding


def test_before_a_high_funding_rate_a_sale_works_the_next_slice_too():
    order = order_of(side=Side.SELL, wrappers=("funding",))
    wish = decided(order, 10, signals=funded(0.0006, 300))
    assert (wish.style, wish.qty, wish.why) == (Style.REST, D("0.2"), Why.FUNDING)


def test_before_a_high_funding_rate_a_purchase_waits_and_works_on_after_the_instant():
    order = order_of(wrappers=("funding",))
    held = decided(order, 10, signals=funded(0.0006, 100))
    assert (held.style, held.why) == (Style.WAIT, Why.FUNDING)
    later = decided(order, 130, signals=funded(0.0006, 100))
    assert (later.style, later.qty, later.why) == (Style.REST, D("0.2"), Why.SLICE_RESTING)


def test_a_low_funding_rate_is_the_mirror():
    assert decided(order_of(wrappers=("funding",)), 10, signals=funded(-0.0003, 300)).qty == D("0.2")
    sale = order_of(side=Side.SELL, wrappers=("funding",))
    assert decided(sale, 10, signals=funded(-0.0003, 300)).why is Why.FUNDING
    assert decided(sale, 10, signals=funded(-0.0003, 300)).style is Style.WAIT


@pytest.mark.parametrize("signals", [funded(0.0004, 300), funded(0.01, 601), Signals(funding_rate=0.01)])
@pytest.mark.parametrize("side", list(Side))
def test_a_usual_rate_or_an_instant_after_the_end_changes_nothing(signals, side):
    wrapped, plain = order_of(side=side, wrappers=("funding",)), order_of(side=side)
    assert decided(wrapped, 10, signals=signals) == decided(plain, 10, signals=signals)


# ------------------------------------------------------------------ liquidations


def test_in_a_cascade_of_shorts_nobody_buys_beside_the_forced_orders_and_sellers_sell_to_them():
    rush = Signals(cascade=1)
    assert decided(order_of(wrappers=("liquidations",)), 10, signals=rush).style is Style.WAIT
    sale = decided(order_of(side=Side.SELL, wrappers=("liquidations",)), 10, signals=rush)
    assert (sale.qty, sale.why) == (D("0.2"), Why.LIQUIDATIONS)


def test_a_cluster_just_above_hurries_a_purchase_and_one_just_below_lets_it_rest():
    near = dict(cascade=0)
    above = Signals(cluster_above=LiquidationCluster(px=50_050.0, qty=3.0), **near)
    below = Signals(cluster_below=LiquidationCluster(px=49_950.0, qty=3.0), **near)
    far = Signals(cluster_above=LiquidationCluster(px=50_200.0, qty=3.0), **near)
    order = order_of(wrappers=("liquidations",))
    assert decided(order, 10, signals=above).qty == D("0.2")
    patient = decided(order, 50, signals=below)
    assert (patient.style, patient.why) == (Style.REST, Why.LIQUIDATIONS)
    assert decided(order, 50, signals=far).why is Why.SLICE_CROSSING
    both = replace(above, cluster_below=below.cluster_below)
    assert decided(order, 50, signals=both).why is Why.SLICE_CROSSING


# ------------------------------------------------------------------ open interest, flows, sessions


@pytest.mark.parametrize(
    ("interest", "price", "buy", "sell"),
    [
        (1.0, 1.0, Stance.HURRY, Stance.PATIENT),
        (1.0, -1.0, Stance.PATIENT, Stance.HURRY),
        (-1.0, 1.0, Stance.PATIENT, Stance.AS_PLANNED),
        (-1.0, -1.0, Stance.AS_PLANNED, Stance.PATIENT),
        (0.1, 1.0, Stance.AS_PLANNED, Stance.AS_PLANNED),
    ],
)
def test_open_interest_tells_a_move_that_goes_on_from_one_that_is_spent(interest, price, buy, sell):
    signals = Signals(open_interest_change_pct=interest, price_change_pct=price)
    stance = GUIDES["open-interest"].stance
    assert stance(moment(order_of(), 10, signals=signals)) is buy
    assert stance(moment(order_of(side=Side.SELL), 10, signals=signals)) is sell


def test_coins_that_arrive_make_purchases_patient_and_sales_quick():
    arriving = Signals(exchange_flow=-2.5)
    patient = decided(order_of(wrappers=("exchange-flow",)), 50, signals=arriving)
    assert (patient.style, patient.why) == (Style.REST, Why.EXCHANGE_FLOW)
    sale = decided(order_of(side=Side.SELL, wrappers=("exchange-flow",)), 10, signals=arriving)
    assert (sale.qty, sale.why) == (D("0.2"), Why.EXCHANGE_FLOW)
    assert decided(order_of(wrappers=("exchange-flow",)), 50, signals=Signals(exchange_flow=-1.9)).why is (
        Why.SLICE_CROSSING
    )


def across_a_day(**over):
    day = 1_700_006_400 * NS_PER_S  # 2023-11-15 00:00 UTC, a Wednesday
    return replace(
        order_of(interval_s=1_800, **over),
        order_qty=D("4.8"),
        start_ns=day,
        deadline_ns=day + 24 * NS_PER_HOUR,
    )


def test_the_busiest_hours_of_an_orders_day_are_quick_and_the_quiet_ones_patient():
    order = across_a_day(wrappers=("session",))
    busy = decided(order, 14.5 * 3_600 + 10, cum="2.9")
    assert (busy.qty, busy.why) == (D("0.2"), Why.SESSION)
    quiet = decided(order, 5 * 3_600 + 1_500, cum="1.0")
    assert (quiet.style, quiet.why) == (Style.REST, Why.SESSION)
    plain = across_a_day()
    assert decided(plain, 5 * 3_600 + 1_500, cum="1.0").style is Style.CROSS


def test_an_order_within_one_hour_has_no_session():
    wrapped, plain = order_of(wrappers=("session",)), order_of()
    assert decided(wrapped, 50) == decided(plain, 50)


# ------------------------------------------------------------------ bounds


def always(stance):
    return Guide(Why.FUNDING, lambda _: stance)


def test_one_guide_that_waits_prevails_over_one_that_hurries_in_any_order():
    signals = Signals(cascade=1, exchange_flow=3.0)
    for wrappers in (("liquidations", "exchange-flow"), ("exchange-flow", "liquidations")):
        wish = decided(order_of(wrappers=wrappers), 10, signals=signals)
        assert (wish.style, wish.why) == (Style.WAIT, Why.LIQUIDATIONS)


def test_hold_ends_in_time_for_catch_up_to_do_everything():
    """Held as long as the bounds allow, an order that fills what it asks for is done at its end."""
    order = order_of(passiveness=D(0))
    guided = Guided(STRATEGIES["twap"], always(Stance.HOLD))
    cum, waited = D(0), 0
    for minute in range(10):
        base = cum
        for second in (1, 30, 59):
            now = moment(order, 60 * minute + second, cum=str(cum), base=str(base))
            wish = guided.decide(now)
            assert now.schedule.pro_rata_qty(now.now_ns) - cum <= D("0.35")
            if wish.style is Style.CROSS:
                cum += wish.qty
            waited += wish.style is Style.WAIT and wish.why is Why.FUNDING
    assert cum == order.order_qty
    assert waited >= 6


@pytest.mark.parametrize("strategy", WHOLE)
def test_a_strategy_of_one_slice_is_held_in_the_first_three_quarters_of_its_time(strategy):
    order = order_of(strategy)
    guided = Guided(STRATEGIES[strategy], always(Stance.HOLD))
    assert guided.decide(moment(order, 449)).why is Why.FUNDING
    late = moment(order, 450)
    assert guided.decide(late) == STRATEGIES[strategy].decide(late)


def test_patience_of_a_sniper_is_to_wait_and_of_a_chase_to_stay_where_it_is():
    sniper = Guided(STRATEGIES["sniper"], always(Stance.PATIENT))
    assert sniper.decide(moment(order_of("sniper"), 10)).style is Style.WAIT
    chase = Guided(STRATEGIES["chase"], always(Stance.PATIENT))
    working = Working(style=Style.REST, px=D("49990"), leaves_qty=D(1))
    order = order_of("chase", reprices_max=0, give_up="cross")
    stays = chase.decide(moment(order, 10, working=working))
    assert (stays.style, stays.px, stays.qty) == (Style.REST, D("49990"), D(1))


def test_without_catch_up_nothing_is_left_behind():
    order = order_of(catch_up=False)
    now = moment(order, 50)
    assert Guided(STRATEGIES["twap"], always(Stance.HOLD)).decide(now) == STRATEGIES["twap"].decide(now)


STANCES = st.sampled_from(list(Stance))


@st.composite
def moments(draw, strategy=None, wrappers=()):
    name = strategy or draw(st.sampled_from((*SLICED, *WHOLE)))
    side = draw(st.sampled_from(list(Side)))
    order = order_of(name, side, wrappers=wrappers)
    limit = draw(st.sampled_from([None, D(50_000), D("49999.9"), D("50000.1")]))
    order = replace(order, limit_px=limit)
    cum = D(draw(st.integers(0, 1_000))) / 1_000
    base = min(cum, D(draw(st.integers(0, 1_000))) / 1_000)
    px = draw(st.sampled_from(["49999.9", "50000.0", "50000.1"]))
    working = draw(
        st.sampled_from(
            [None, Working(style=Style.REST, px=D(px), leaves_qty=D("0.05"), queue_ahead_qty=1.0)]
        )
    )
    return moment(order, draw(st.integers(0, 599)), cum=str(cum), base=str(base), working=working)


@given(moments(), STANCES)
def test_no_stance_does_more_than_a_slice_ahead_or_worse_than_the_limit(now, stance):
    strategy = STRATEGIES[now.order.strategy]
    usual = strategy.decide(now)
    wish = Guided(strategy, always(stance)).decide(now)
    slices, index = now.schedule.slices, now.schedule.slice_at(now.now_ns)
    ahead = slices[index + 1].qty if index + 1 < len(slices) and stance is Stance.HURRY else 0
    assert wish.qty <= usual.qty + ahead
    assert wish.qty <= now.leaves_qty
    assert wish.wake_ns <= max(usual.wake_ns, slices[index].end_ns)
    if wish.qty > usual.qty:
        assert now.cum_qty + wish.qty <= slices[index + 1].target_qty
    if wish.px is not None and now.order.limit_px is not None:
        assert now.order.side.sign * (wish.px - now.order.limit_px) <= 0
    if stance is Stance.AS_PLANNED or (stance < Stance.AS_PLANNED and not may_lag(now, index)):
        assert wish == usual
    if stance < Stance.AS_PLANNED:
        assert wish.style is not Style.CROSS or wish == usual


@given(moments(), st.permutations(sorted(GUIDES)))
def test_unknown_signals_leave_every_strategy_as_it_is(now, names):
    names = [name for name in names if name != "session"]  # it reads the clock of the day alone
    wrapped = replace(now.order, params=replace(now.order.params, wrappers=tuple(names)))
    plain = STRATEGIES[now.order.strategy].decide(now)
    assert strategy_of(wrapped).decide(replace(now, order=wrapped)) == plain


ANY = st.builds(
    Signals,
    funding_rate=st.sampled_from([None, -0.001, -0.0003, 0.0, 0.0005, 0.002]),
    next_funding_ns=st.sampled_from([None, T0 + 30 * NS_PER_S, T0 + 400 * NS_PER_S]),
    cascade=st.sampled_from([None, -1, 0, 1]),
    open_interest_change_pct=st.sampled_from([None, -1.0, 0.0, 1.0]),
    price_change_pct=st.sampled_from([None, -1.0, 0.0, 1.0]),
    exchange_flow=st.sampled_from([None, -3.0, 0.0, 3.0]),
    order_flow_imbalance=st.sampled_from([None, -2.0, 0.0, 2.0]),
    book_imbalance=st.sampled_from([None, -0.8, 0.0, 0.8]),
)


def mirrored(signals):
    def turned(value):
        return None if value is None else -value

    return replace(
        signals,
        cascade=turned(signals.cascade),
        price_change_pct=turned(signals.price_change_pct),
        exchange_flow=turned(signals.exchange_flow),
        order_flow_imbalance=turned(signals.order_flow_imbalance),
        book_imbalance=turned(signals.book_imbalance),
    )


@given(ANY, st.sampled_from(sorted(WRAPPERS)), st.integers(0, 599))
def test_a_sale_in_the_mirrored_market_does_what_the_purchase_does(signals, name, seconds):
    """Funding has its own mirror: its two thresholds are not each other's image."""
    if signals.funding_rate is not None:
        other = {-0.001: 0.002, -0.0003: 0.0005, 0.0: 0.0, 0.0005: -0.0003, 0.002: -0.001}[
            signals.funding_rate
        ]
    else:
        other = None
    there = replace(mirrored(signals), funding_rate=other)
    buy = decided(order_of(wrappers=(name,)), seconds, signals=signals)
    sell = decided(order_of(side=Side.SELL, wrappers=(name,)), seconds, signals=there)
    assert (buy.style, buy.qty, buy.why, buy.wake_ns) == (sell.style, sell.qty, sell.why, sell.wake_ns)
    if buy.px is not None and buy.style is Style.REST:
        market = snapshot()
        assert (buy.px, sell.px) == (market.best_bid, market.best_ask)


@given(st.lists(ANY, min_size=30, max_size=30), st.sampled_from(list(Side)))
def test_whatever_the_signals_say_everything_is_done_by_the_end_and_no_more(script, side):
    """A market that fills whatever takes, and a guide for everything: quantities sum to the order."""
    order = order_of(side=side, wrappers=tuple(sorted(GUIDES)))
    strategy, cum = strategy_of(order), D(0)
    for minute in range(10):
        base = cum
        for part in range(3):
            signals = script[3 * minute + part]
            now = moment(order, 60 * minute + 44 + 5 * part, cum=str(cum), base=str(base), signals=signals)
            wish = strategy.decide(now)
            assert now.schedule.pro_rata_qty(now.now_ns) - cum <= (LAG_SHARE_MAX + D("0.1")) * order.order_qty
            if wish.style is Style.CROSS:
                cum += wish.qty
    assert cum == order.order_qty


# ------------------------------------------------------------------ what may be asked for


def test_names_that_are_not_known_named_twice_or_misplaced_are_refused():
    def said(strategy, *wrappers):
        return why_not(strategy, order_of(strategy, wrappers=wrappers).params)

    assert said("twap", "funding", "session") == ""
    assert "no wrapper 'moon'" in said("twap", "moon")
    assert "once" in said("twap", "funding", "funding")
    assert "does not have" in said("iceberg", "adaptive")
    assert "does by itself" in said("adaptive", "adaptive")
    assert said("pov", "adaptive", "funding") == ""


def test_plan_and_revision_are_the_strategys_own():
    wrapped, plain = order_of("vwap", wrappers=("funding", "adaptive")), order_of("vwap")
    now = moment(wrapped, 130)
    assert now.schedule == moment(plain, 130).schedule
    assert strategy_of(wrapped).revise(now) == strategy_of(plain).revise(replace(now, order=plain))
