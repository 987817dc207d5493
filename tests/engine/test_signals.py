"""What the engine collects of a market, for whom, and what becomes of it when something breaks."""

from dataclasses import replace

import pytest

from backtest.run import START_NS, Scene, prepare
from executor.domain.commands import Outcome, PlaceOrder, Reply
from executor.domain.decision import Style
from executor.domain.events import (
    BookLost,
    BookUpdated,
    ContractUpdated,
    ExchangeFlowCounted,
    PositionsLiquidated,
    StreamChanged,
)
from executor.domain.events import Stream as StreamName
from executor.domain.limits import Limits
from executor.domain.market import ForcedClose
from executor.domain.orders import Category, Side, StrategyParams
from executor.domain.parent_state import ParentStatus
from executor.domain.signals import NO_SIGNALS
from executor.domain.timeline import NS_PER_MIN, NS_PER_S
from executor.engine.signals import signals_of
from executor.runtime import record
from executor.runtime.journal import needs_commit
from simulation.walk_market import Walk
from strategies.signals.readers import READ_BY_STRATEGY, READ_BY_WRAPPER
from tests.builders import D, instrument, snapshot, submitted
from tests.engine.rig import Rig
from tests.engine.test_strategies_complete import TERMS

WHERE = dict(category=Category.LINEAR, symbol="BTCUSDT")


def working(strategy="adaptive", *wrappers, duration_s=3_600):
    rig = Rig()
    rig.open_market()
    params = StrategyParams(interval_s=300, wrappers=wrappers)
    rig.send(submitted(strategy=strategy, params=params, order_qty=D("6"), duration_s=duration_s))
    rig.settle()
    return rig


def market_of(rig):
    return rig.engine.state.markets["linear:BTCUSDT"]


def seen(rig):
    return signals_of(rig.engine.state, rig.parent().order, market_of(rig))


def figures(rig, **over):
    usual = dict(
        funding_rate=D("0.0006"),
        next_funding_ns=rig.now_ns + NS_PER_MIN,
        open_interest=D(1_000),
        mark_px=D(50_005),
        index_px=D(50_000),
    )
    rig.send(ContractUpdated(at_ns=0, **WHERE, **{**usual, **over}))


def book(rig, seconds=1.0, **over):
    """A snapshot with sizes and takers, which the rig's own has not."""
    rig.now_ns += int(seconds * NS_PER_S)
    if rig.opinion:
        rig.say("mark", rig.mid)
    rig.send(BookUpdated(at_ns=0, market=snapshot(**{"traded": str(rig.traded), "px": "50000", **over})))


def test_nothing_is_collected_where_nobody_reads_it():
    rig = working("twap")
    rig.tick(1)
    assert market_of(rig).signals is None
    assert seen(rig) is NO_SIGNALS


def test_collection_begins_and_ends_with_the_order_that_reads_it():
    rig = working()
    rig.tick(1)
    assert market_of(rig).signals is not None
    rig.engine.state.open_parents.clear()
    rig.tick(1)
    assert market_of(rig).signals is None


def test_estimates_alone_need_no_collection_and_are_unknown_before_the_warm_up():
    rig = working("arrival-price")
    rig.tick(1)
    assert market_of(rig).signals is None
    assert seen(rig).volume_hourly_qty == pytest.approx(5 * 3_600, rel=0.2)
    market_of(rig).estimates = replace(market_of(rig).estimates, observed_ns=1)
    assert seen(rig) == NO_SIGNALS


def test_order_flow_and_touch_reach_the_strategy_after_a_minute():
    rig = working()
    for number in range(70):
        assert (seen(rig).spread_ratio is None) or number > 60
        book(rig, best_bid_qty=D(2 + number % 3), best_ask_qty=D(2))
    told = seen(rig)
    assert told.order_flow_imbalance is not None
    assert told.spread_ratio == pytest.approx(1.0)
    assert told.book_imbalance == pytest.approx(0.0)
    assert told.trade_imbalance is None  # nobody said who took


def test_who_took_is_known_where_the_feed_says_it():
    rig = working()
    for number in range(40):
        book(rig, traded=str(1_000 + 4 * number), bought_qty=D(3 * number))
    assert seen(rig).trade_imbalance == pytest.approx(0.5)
    book(rig, traded="3", bought_qty=D(1))  # the feed began anew
    assert seen(rig).trade_imbalance is None


def test_a_lost_book_and_a_new_start_begin_anew():
    for loses in (
        lambda rig: rig.send(BookLost(at_ns=0, **WHERE, detail="gap")),
        lambda rig: rig.restart(),
        lambda rig: book(rig, best_bid_qty=D("NaN")),
    ):
        rig = working()
        for number in range(70):
            book(rig, best_bid_qty=D(2 + number % 3))
        assert seen(rig).order_flow_imbalance is not None
        loses(rig)
        assert seen(rig).order_flow_imbalance is None
        assert seen(rig).microprice_bps is None


def test_what_is_collected_is_in_the_checkpoint_to_the_last_bit():
    rig = working("adaptive", *(name for name in READ_BY_WRAPPER if name != "adaptive"))
    figures(rig)
    rig.send(
        ExchangeFlowCounted(at_ns=0, request_id="r", coin="BTC", source="s", net_qty=D("12.5"), span_s=3_600)
    )
    for number in range(70):
        book(rig, best_bid_qty=D(2 + number % 3), bought_qty=D(number), liquidated_long_qty=D(number) / 7)
    close = ForcedClose(position=Side.BUY, qty=D("0.3"), px=D("49990.1"))
    rig.send(PositionsLiquidated(at_ns=0, **WHERE, positions=(close,)))
    state = rig.engine.state
    back = record.decode_state(record.encode_state(state))
    assert back.markets["linear:BTCUSDT"].signals == market_of(rig).signals
    assert record.encode_state(back) == record.encode_state(state)
    assert signals_of(back, rig.parent().order, back.markets["linear:BTCUSDT"]) == seen(rig)


def test_a_journal_from_before_there_were_signals_is_read():
    rig = working("twap")
    figures(rig)
    text = record.encode_state(rig.engine.state)
    cut = text.replace(b',"signals":null', b"").replace(b',"exchange_flows":{}', b"")
    assert cut != text
    assert record.decode_state(cut).markets["linear:BTCUSDT"].signals is None


def test_funding_and_premium_come_from_the_ticker_and_grow_old():
    rig = working("twap", "funding")
    figures(rig)
    told = seen(rig)
    assert (told.funding_rate, told.next_funding_ns) == (0.0006, rig.now_ns + NS_PER_MIN)
    assert told.mark_premium_bps == pytest.approx(1.0)
    for _ in range(121):
        rig.tick(1)
    assert seen(rig) == NO_SIGNALS
    figures(rig, funding_rate=None, mark_px=D("NaN"), index_px=D(0))
    assert (seen(rig).funding_rate, seen(rig).mark_premium_bps) == (None, None)


def test_a_start_forgets_what_the_ticker_said():
    rig = working("twap", "funding")
    figures(rig)
    rig.restart()
    assert market_of(rig).figures is None


def test_a_purchase_with_the_funding_wrapper_waits_for_the_instant_and_goes_on():
    rig = working("twap", "funding", duration_s=3_600)
    rig.tick(1)
    rig.settle()
    assert len(rig.commands(PlaceOrder)) == 1  # it began before the ticker spoke
    figures(rig, next_funding_ns=rig.now_ns + 30 * NS_PER_S)
    rig.tick(1)
    rig.settle()
    assert not rig.parent().live
    assert rig.parent().waiting == ("FUNDING",)
    for _ in range(30):
        rig.tick(1)
        rig.settle()
    assert rig.parent().live


def test_open_interest_is_compared_over_a_quarter_of_an_hour():
    rig = working("twap", "open-interest")
    for minute in range(16):
        figures(rig, open_interest=D(1_000 + minute))
        rig.tick(60)
        rig.settle()
    told = seen(rig)
    assert told.open_interest_change_pct == pytest.approx(1.5, abs=0.11)
    assert told.price_change_pct == pytest.approx(0.0)


def test_liquidations_are_unknown_until_the_feed_has_told_of_one():
    rig = working("twap", "liquidations")
    for number in range(70):
        book(rig, traded=str(1_000 + number))
    assert seen(rig).cascade is None
    book(rig, traded="1071", liquidated_long_qty=D(3), best_bid=D("49990.0"), best_ask=D("49990.1"))
    told = seen(rig)
    assert told.cascade == -1
    assert told.liquidated_long_ratio > told.liquidated_short_ratio == 0.0


def test_clusters_are_kept_where_somebody_reads_them_and_nonsense_is_left_out():
    rig = working("twap", "liquidations")
    book(rig)
    rows = [(D("0.5"), D("49950")), (D("0.5"), D(0)), (D(0), D("49950")), (D("0.4"), D("50060"))]
    positions = tuple(ForcedClose(position=Side.BUY, qty=qty, px=px) for qty, px in rows)
    rig.send(PositionsLiquidated(at_ns=0, **WHERE, positions=positions))
    told = seen(rig)
    assert told.cluster_below.qty == pytest.approx(0.5)
    assert told.cluster_above.qty == pytest.approx(0.4)
    plain = working("twap")
    plain.send(PositionsLiquidated(at_ns=0, **WHERE, positions=positions))
    assert market_of(plain).signals is None


def test_flows_of_a_coin_are_remembered_whether_or_not_anybody_reads_them():
    rig = Rig()
    rig.open_market()
    for number in range(24):
        net_qty = D(100) * (-1) ** number if number < 23 else D(500)
        rig.send(
            ExchangeFlowCounted(
                at_ns=0, request_id="r", coin="BTC", source="s", net_qty=net_qty, span_s=3_600
            )
        )
    rig.send(
        ExchangeFlowCounted(at_ns=0, request_id="r", coin="BTC", source="s", net_qty=D("NaN"), span_s=3_600)
    )
    rig.send(ExchangeFlowCounted(at_ns=0, request_id="r", coin="ETH", source="s", net_qty=D(1), span_s=0))
    assert list(rig.engine.state.exchange_flows) == ["BTC"]
    said = [(reply.outcome, reply.text) for reply in rig.commands(Reply)]
    assert said[19] == (Outcome.ACCEPTED, "20 counts of BTC so far; a signal from 20 on")
    assert [outcome for outcome, _ in said[24:]] == [Outcome.INVALID] * 2
    # Of coins in whose markets nothing was ever ordered nothing is kept, however many are counted.
    rig.send(
        ExchangeFlowCounted(at_ns=0, request_id="r", coin="DOGE", source="s", net_qty=D(1), span_s=3_600)
    )
    assert rig.last_reply().outcome is Outcome.INVALID
    assert list(rig.engine.state.exchange_flows) == ["BTC"]
    params = StrategyParams(interval_s=300, wrappers=("exchange-flow",))
    rig.send(submitted(params=params, order_qty=D(6), duration_s=3_600))
    assert seen(rig).exchange_flow < -4.0


def test_the_queue_before_a_resting_order_is_what_was_shown_less_what_traded_against_it():
    rig = working()
    child = rig.child(1)
    assert child.style is Style.REST
    px = child.order.px
    touch = dict(best_bid=px, best_ask=px + D("0.1"))
    book(rig, traded="100", bought_qty=D(0), best_bid_qty=D(7), **touch)
    assert rig.child(1).queue_ahead_qty == 7.0
    book(rig, traded="103", bought_qty=D(1), best_bid_qty=D(9), **touch)
    assert rig.child(1).queue_ahead_qty == 5.0
    book(rig, traded="103", bought_qty=D(1), best_bid_qty=D("1.5"), **touch)
    assert rig.child(1).queue_ahead_qty == pytest.approx(float(D("1.5") - rig.child(1).open_qty))
    book(rig, traded="103", bought_qty=D(1), best_bid=px + D("0.1"), best_ask=px + D("0.2"))
    assert rig.child(1).queue_px == px
    rig.child(1).order = replace(rig.child(1).order, qty=rig.child(1).order.qty * 2)
    book(rig, traded="103", bought_qty=D(1), best_bid_qty=D(8), **touch)
    assert rig.child(1).queue_ahead_qty == 8.0, "who asks for more stands last"


def test_news_of_a_market_that_is_not_followed_changes_nothing():
    rig = Rig()
    before = record.encode_state(rig.engine.state)
    figures(rig)
    rig.send(PositionsLiquidated(at_ns=0, **WHERE, positions=()))
    after = rig.engine.state
    after.now_ns = record.decode_state(before).now_ns
    assert record.encode_state(after) == before


def test_market_data_may_wait_for_the_next_commit():
    rig = Rig()
    event = ContractUpdated(
        at_ns=0,
        **WHERE,
        funding_rate=None,
        next_funding_ns=None,
        open_interest=None,
        mark_px=None,
        index_px=None,
    )
    assert not needs_commit(event, ())
    lost = StreamChanged(at_ns=0, stream=StreamName.PUBLIC, category=None, live=False, detail="")
    assert needs_commit(lost, ())
    assert rig.engine.state.markets == {}


def test_every_strategy_and_wrapper_that_reads_a_signal_exists():
    from strategies.base import STRATEGIES, WRAPPERS

    assert set(READ_BY_STRATEGY) <= set(STRATEGIES)
    assert set(READ_BY_WRAPPER) == set(WRAPPERS)


@pytest.mark.parametrize("side", list(Side))
def test_an_order_with_every_signal_ends_complete_in_a_simulated_market(side):
    walk = Walk(
        instrument=instrument(), start_px=D(50_000), step_ns=NS_PER_S, touch_qty=D("0.05"), trade_qty=D("0.1")
    )
    wrappers = tuple(name for name in READ_BY_WRAPPER if name != "adaptive")
    params = StrategyParams(interval_s=20, wrappers=wrappers)
    order = submitted(order_qty=D("0.2"), duration_s=120, side=side, strategy="adaptive", params=params)
    scene = Scene(
        walk=walk, parents=(order,), terms=TERMS, limits=Limits(references_min=0, order_gap_s_min=D(1))
    )
    runtime = prepare(scene, 1)
    runtime.run(START_NS + 300 * NS_PER_S, lambda state: bool(state.parents) and not state.open_parents)
    runtime.finish()
    parent = runtime.engine.state.parents["P1"]
    assert (parent.status, parent.cum_qty) == (ParentStatus.COMPLETE, D("0.2"))
