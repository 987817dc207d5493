"""The metrics page: everything declared is exposed, counted once, and bounded in its labels."""

import math
import re
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from executor.advice.score import USUAL_FILLS_MIN, AdvisedPeriod, Worth, add_impact, add_period, add_usual
from executor.domain.advice import AdviceOutcome
from executor.domain.approval import Approved
from executor.domain.commands import AlertCode, PlaceOrder, RaiseAlert, RefuseOrder, ReplaceOrder, Severity
from executor.domain.cost_forecast import CostForecast
from executor.domain.events import (
    OrderAcked,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    ReconcileFailed,
    ReplaceAcked,
    Stream,
    TimerFired,
)
from executor.domain.link_figures import LinkFigures
from executor.domain.order_state import ChildStatus
from executor.domain.orders import (
    Category,
    Replacement,
    Side,
    TimeInForce,
)
from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import Money, Price, Quantity
from executor.engine.engine import Engine
from executor.engine.state import Benchmarks, EngineState, Links
from executor.runtime import exposition, metrics
from executor.runtime.exposition import Beginnings, beginning
from executor.runtime.metrics import METRICS, CalibrationOutcome, Kind, Metric, Unit
from executor.runtime.parent_costs import RECKONED_MAX
from executor.runtime.telemetry import (
    PARENT_SERIES_MAX,
    PARENT_SHOWN_AFTER_END_NS,
    PARENTS_PER_TURN,
    Telemetry,
)
from executor.runtime.venue_counts import VenueCounts
from impact.tca.fill_costs import FillCosts
from impact.tca.mark_outs import MarkSums
from tests.advice_records import ADVISER, advice_record
from tests.runtime.telemetry_scene import MARKET, NOW_NS, child, fill, new_order, page_of, parent, scene

D = Decimal


@pytest.fixture
def state() -> EngineState:
    return scene()


@pytest.fixture
def telemetry(state: EngineState) -> Telemetry:
    return Telemetry(lambda: state, lambda: NOW_NS)


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    """Value of one series on the page, None if it is not there."""
    body, _ = page_of(telemetry)
    found = [
        sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) <= 1
    return found[0] if found else None


def series(telemetry: Telemetry) -> list[dict[str, str]]:
    body, _ = page_of(telemetry)
    return [
        sample.labels for family in text_string_to_metric_families(body.decode()) for sample in family.samples
    ]


def test_page_exposes_exactly_the_declared_metrics_with_their_help(telemetry: Telemetry) -> None:
    body, content_type = page_of(telemetry)
    assert content_type.startswith("text/plain")
    text = body.decode()
    assert set(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)) == {
        (each.name, each.kind) for each in METRICS
    }
    for each in METRICS:
        assert f"# HELP {each.name} {each.text}\n" in text


def way_to(venue: str, **over: int) -> VenueCounts:
    usual = dict(answered=0, unanswered=0, barred=0)
    read_ns = {"account": NOW_NS - 2 * NS_PER_S, "market linear": NOW_NS}
    return VenueCounts(venue=venue, read_ns=read_ns, **(usual | over))


def test_each_venue_is_counted_by_itself(telemetry: Telemetry, state: EngineState) -> None:
    there = new_order("x-1-9", TimeInForce.IOC)
    state.children["x-1-9"] = child("x-1-9", ChildStatus.UNKNOWN, NOW_NS)
    state.children["x-1-9"].order = replace(there, symbol="BTCUSDT@other")
    state.parents["p1"].live = ["x-1-9"]
    for name in ("x-1-1", "x-1-9", "x-1-9", "a stranger's"):
        telemetry.observe(OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail=""), [])
    telemetry.observe(OrderNotSent(at_ns=0, client_order_id="x-1-9", detail=""), [])
    assert value(telemetry, "executor_venue_orders_total", venue="bybit", outcome="unknown") == 1
    assert value(telemetry, "executor_venue_orders_total", venue="other", outcome="unknown") == 2
    assert value(telemetry, "executor_venue_orders_total", venue="other", outcome="not_sent") == 1
    assert value(telemetry, "executor_venue_unknown_orders", venue="other") == 1
    assert value(telemetry, "executor_venue_unknown_orders", venue="bybit") == 0


def test_how_the_way_to_another_venue_stands(telemetry: Telemetry, state: EngineState) -> None:
    assert value(telemetry, "executor_venue_link_up", venue="other", link="trade") is None
    state.elsewhere["other"] = Links(private_live=True, restricted_until_ns=NOW_NS + 1)
    ways = [way_to("other", answered=5, unanswered=1)]
    telemetry.follow_venues(lambda: ways)
    links = ("private", "trade", "allowed")
    assert [value(telemetry, "executor_venue_link_up", venue="other", link=link) for link in links] == [
        1,
        0,
        0,
    ]
    assert value(telemetry, "executor_venue_read_age_seconds", venue="other", what="account") == 2
    assert value(telemetry, "executor_venue_read_age_seconds", venue="other", what="market linear") == 0
    ways[0] = way_to("other", answered=8, unanswered=1, barred=2)
    questions = "executor_venue_questions_total"
    assert value(telemetry, questions, venue="other", outcome="answered") == 8
    assert value(telemetry, questions, venue="other", outcome="unanswered") == 1
    assert value(telemetry, "executor_venue_barred_total", venue="other") == 2


def test_every_metric_that_is_declared_is_in_the_registry() -> None:
    """One that is not could be fed and would not be found on the page."""
    declared = {each.name for each in vars(metrics).values() if isinstance(each, Metric)}
    assert declared == {each.name for each in METRICS}


def test_text_from_outside_cannot_leave_its_label(telemetry: Telemetry, state: EngineState) -> None:
    """A coin, a symbol, a source are the venue's words; so is what a page is made of."""
    coin = 'A"} 1\nexecutor_halt_latched 1\n\\'
    state.wallet[coin] = state.wallet["USDT"]
    assert value(telemetry, "executor_wallet_coin", coin=coin) == 1234.5
    assert value(telemetry, "executor_halt_latched") == 0


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        (D("0.10"), "0.1"),
        (True, "1.0"),
        (1e-9, "1e-09"),
        (D("Infinity"), "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_written_as_prometheus_reads_them(plain: Decimal | float, written: str) -> None:
    assert exposition.number(plain) == written


def test_a_series_with_a_label_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="argument"):
        beginning(metrics.WALLET_COIN, ())


def test_what_a_line_begins_with_is_kept_for_the_next_page_and_then_forgotten() -> None:
    kept = Beginnings()
    first = kept.of(metrics.WALLET_COIN, ("USDT",))
    kept.begin_page()
    assert kept.of(metrics.WALLET_COIN, ("USDT",)) is first
    kept.begin_page()
    kept.begin_page()
    again = kept.of(metrics.WALLET_COIN, ("USDT",))
    assert again == first
    assert again is not first


def test_names_carry_their_unit_and_are_declared_once() -> None:
    names = [each.name for each in METRICS]
    assert len(set(names)) == len(names)
    for each in METRICS:
        assert re.fullmatch(r"executor_[a-z]+(_[a-z]+)*", each.name)
        assert each.name.endswith("_total") == (each.kind is Kind.COUNTER)
        if each.unit not in {Unit.COUNT, Unit.FLAG}:
            assert each.name.removesuffix("_total").endswith(f"_{each.unit}")
        assert bool(each.buckets) == (each.kind is Kind.HISTOGRAM)
        assert list(each.buckets) == sorted(set(each.buckets))
        assert each.text.endswith(".")


def worth_of_two_periods() -> Worth:
    """Two periods that saved 2 of 200 and lost 2 of 200, and one order whose impact was predicted."""
    worth = Worth()
    for paid in ("198", "202"):
        period = AdvisedPeriod(
            side=Side.BUY,
            category=Category.LINEAR,
            schedule_qty=D(2),
            schedule_value=D(200),
            cum_qty=D(2),
            cum_value=D(paid),
            fees=D(0),
            start_px=D(100),
            end_px=D(100),
            spread_bps=D(6),
            bill=Money(D("0.01")),
        )
        add_period(worth.score, period)
    for score, predicted in ((worth.plain, "4"), (worth.adjusted, "6")):
        add_impact(score, predicted_bps=D(predicted), low_bps=D(2), high_bps=D(8), realised_bps=D(7))
    return worth


def test_what_advice_was_worth_by_market(telemetry: Telemetry, state: EngineState) -> None:
    state.worths["linear:BTCUSDT"] = worth_of_two_periods()
    assert value(telemetry, "executor_advice_periods", **MARKET) is None, "absent without a model"
    state.adviser = ADVISER
    assert value(telemetry, "executor_advice_periods", **MARKET) == 2
    # 400 traded at half a spread of 6 bps save 0.12, less bills of 0.02: 0.1 of 402.
    assert value(telemetry, "executor_advice_usual_cost_bps", **MARKET, source="TOUCH") == 3
    assert value(telemetry, "executor_advice_value_bps", **MARKET) == pytest.approx(0.1 / 402 * 1e4, abs=1e-4)
    assert value(telemetry, "executor_advice_value_error_bps", **MARKET) == pytest.approx(100, abs=1)
    assert value(telemetry, "executor_advice_impact_predicted_bps", **MARKET, estimate="plain") == 4
    assert value(telemetry, "executor_advice_impact_predicted_bps", **MARKET, estimate="adjusted") == 6
    assert value(telemetry, "executor_advice_mid_slippage_bps", **MARKET) == 7
    assert value(telemetry, "executor_advice_impact_distance_bps", **MARKET, estimate="adjusted") == 1
    assert value(telemetry, "executor_advice_impact_coverage_ratio", **MARKET) == 1
    for _ in range(USUAL_FILLS_MIN):
        add_usual(state.worths["linear:BTCUSDT"].usual, cost=D("0.05"), traded=Money(D(1_000)))
    assert value(telemetry, "executor_advice_usual_cost_bps", **MARKET, source="MEASURED") == 0.5
    assert value(telemetry, "executor_advice_usual_cost_bps", **MARKET, source="TOUCH") is None


def test_what_is_not_known_of_advice_has_no_series(telemetry: Telemetry, state: EngineState) -> None:
    state.adviser = ADVISER
    state.worths["linear:BTCUSDT"] = Worth()
    assert value(telemetry, "executor_advice_periods", **MARKET) == 0
    for name in ("value", "value_error", "mid_slippage"):
        assert value(telemetry, f"executor_advice_{name}_bps", **MARKET) is None


def amendment(qty: str = "1", px: str = "100") -> ReplaceOrder:
    order = new_order("x-1-1")
    new = Replacement(
        client_order_id="x-1-1",
        parent_id=order.parent_id,
        category=order.category,
        symbol=order.symbol,
        side=order.side,
        qty=Quantity(D(qty)),
        px=Price(D(px)),
    )
    return ReplaceOrder(approved=Approved(order=new, ticket=1, halt_epoch=0))


@pytest.mark.parametrize("outcome", ["applied", "unchanged", "ended"])
def test_amendments_are_counted_when_sent_and_when_proved(
    telemetry: Telemetry, state: EngineState, outcome: str
) -> None:
    told = TimerFired(at_ns=NOW_NS, key="k")
    command = amendment("3", "99")
    terms = command.approved.order.terms
    one = state.children["x-1-1"]
    one.pending = terms
    telemetry.observe(told, [command])
    telemetry.observe(told, [])
    assert value(telemetry, "executor_amends_sent_total", **MARKET) == 1
    assert value(telemetry, "executor_amends_resolved_total", outcome=outcome) is None
    if outcome == "ended":
        one.status = ChildStatus.CANCELED
    else:
        one.pending = None
    if outcome == "applied":
        one.order = replace(one.order, qty=terms.qty, px=terms.px)
    elif outcome == "unchanged":
        one.lapsed = terms
    telemetry.observe(told, [])
    telemetry.observe(told, [])
    assert value(telemetry, "executor_amends_resolved_total", outcome=outcome) == 1


def everything_about_costs(state: EngineState) -> None:
    """Let every figure of a cost report be known of p1: its child has filled 4 at 100, the mid before was 101."""
    one = state.children["x-1-1"]
    one.cum_qty, one.maker_qty, one.cum_notional, one.spread_captured = D(4), D(3), D(400), D(4)
    one.costs = FillCosts(qty=D(4), spread=D(-4), temporary=D(1), permanent=D(1))
    one.marks = MarkSums(
        fills=[1] * 6, notional=[D(400)] * 6, gain=[D(4)] * 6, back_notional=D(400), came_back=D(1)
    )
    parent = state.parents["p1"]
    parent.benchmarks.mid_integral, parent.benchmarks.mid_time_ns = D(100 * NS_PER_S), NS_PER_S
    parent.forecast = CostForecast(
        model="square-root", expected_bps=D(3), low_bps=D(1), high_bps=D(5), risk_bps=D(20)
    )


def test_every_metric_has_a_series_once_everything_has_happened(
    telemetry: Telemetry, state: EngineState
) -> None:
    state.executions["e1"] = ""
    telemetry.observe(fill("1"), [PlaceOrder(approved=Approved(order=new_order(), ticket=1, halt_epoch=0))])
    telemetry.observe(
        OrderAcked(at_ns=NOW_NS, client_order_id="x-1-1", venue_order_id="v", sent_sha256=""),
        [
            RaiseAlert(severity=Severity.WARNING, code=AlertCode.SHORTFALL, parent_id="p1", detail=""),
            RefuseOrder(parent_id="p1", client_order_id="x-1-2", codes=("HALTED",), detail=""),
        ],
    )
    telemetry.observe(OrderRejected(at_ns=0, client_order_id="x-1-1", code=110007, text="", fatal=False), [])
    telemetry.observe(OrderOutcomeUnknown(at_ns=0, client_order_id="x-1-1", detail=""), [])
    telemetry.observe(ReconcileFailed(at_ns=0, category=Category.LINEAR, asked_ns=0, detail=""), [])
    telemetry.observe(TimerFired(at_ns=NOW_NS, key="k"), [amendment()])
    telemetry.observe(ReplaceAcked(at_ns=NOW_NS, client_order_id="x-1-1"), [])
    telemetry.on_reconnect(Stream.PUBLIC)
    telemetry.on_calibration(CalibrationOutcome.KEPT)
    telemetry.on_notice("mail", "failed")
    telemetry.observe(OrderOutcomeUnknown(at_ns=0, client_order_id="x-1-1", detail=""), [])
    state.elsewhere["other"] = Links(private_live=True)
    telemetry.follow_venues(lambda: [way_to("other", answered=1)])
    over_budget = advice_record(9, AdviceOutcome.NOT_ASKED, reason="DAY_COST", clips=("RATE_CLIPPED",))
    ended = [advice_record(number, outcome) for number, outcome in enumerate(AdviceOutcome)]
    state.adviser = ADVISER
    state.worths["linear:BTCUSDT"] = worth_of_two_periods()
    telemetry.observe(TimerFired(at_ns=NOW_NS, key="k"), [], [*ended, over_budget])
    everything_about_costs(state)
    telemetry.introduce(
        "1.2.3", "paper", lambda: LinkFigures(clock_offset_ms=-20, used_ratios=(("address", 0.5),))
    )
    telemetry.refresh_costs()
    state.routes["R1"], state.open_routes = SimpleNamespace(status=ParentStatus.ACTIVE), ["R1"]
    state.sentinel_required = True
    body, _ = page_of(telemetry)
    assert value(telemetry, "executor_clock_offset_seconds") == -0.02
    assert value(telemetry, "executor_open_routes", status="ACTIVE") == 1
    assert value(telemetry, "executor_requests_used_ratio", budget="address") == 0.5
    assert value(telemetry, "executor_build_info", version="1.2.3", venue="paper") == 1
    without = [f.name for f in text_string_to_metric_families(body.decode()) if not f.samples]
    assert without == []


@pytest.mark.parametrize(
    ("time_in_force", "style"), [(TimeInForce.POST_ONLY, "REST"), (TimeInForce.IOC, "CROSS")]
)
def test_orders_are_counted_by_market_side_and_style(
    telemetry: Telemetry, time_in_force: TimeInForce, style: str
) -> None:
    command = PlaceOrder(approved=Approved(order=new_order("x-1-9", time_in_force), ticket=1, halt_epoch=0))
    telemetry.observe(TimerFired(at_ns=NOW_NS, key="k"), [command, command])
    assert value(telemetry, "executor_orders_placed_total", **MARKET, side="BUY", style=style) == 2


def test_acknowledgement_is_timed_from_the_decision(telemetry: Telemetry, state: EngineState) -> None:
    state.children["x-1-1"].created_ns = NOW_NS - 40 * NS_PER_MS
    telemetry.observe(
        OrderAcked(at_ns=NOW_NS, client_order_id="x-1-1", venue_order_id="v", sent_sha256=""), []
    )
    assert value(telemetry, "executor_order_ack_seconds_sum") == pytest.approx(0.04)
    assert value(telemetry, "executor_order_ack_seconds_bucket", le="0.025") == 0
    assert value(telemetry, "executor_order_ack_seconds_bucket", le="0.05") == 1
    assert value(telemetry, "executor_orders_acked_total", **MARKET) == 1


@pytest.mark.parametrize(
    ("code", "code_class"),
    [
        (10006, "10xxx"),
        (110007, "110xxx"),
        (170131, "170xxx"),
        (0, "other"),
        (987654321, "other"),
        (-1, "other"),
    ],
)
def test_rejects_are_counted_by_few_classes(telemetry: Telemetry, code: int, code_class: str) -> None:
    telemetry.observe(OrderRejected(at_ns=0, client_order_id="x-1-1", code=code, text="", fatal=False), [])
    assert value(telemetry, "executor_orders_rejected_total", code_class=code_class) == 1


def test_refusal_counts_under_each_reason(telemetry: Telemetry) -> None:
    command = RefuseOrder(parent_id="p1", client_order_id="x", codes=("HALTED", "BOOK_STALE"), detail="")
    telemetry.observe(TimerFired(at_ns=0, key="k"), [command])
    assert value(telemetry, "executor_orders_refused_total", reason="HALTED") == 1
    assert value(telemetry, "executor_orders_refused_total", reason="BOOK_STALE") == 1


def test_repeated_fill_is_counted_once(telemetry: Telemetry, state: EngineState) -> None:
    labels = {**MARKET, "side": "BUY", "liquidity": "MAKER"}
    state.executions["linear:BTCUSDT:1"] = ""
    telemetry.observe(fill("1"), [])
    telemetry.observe(fill("1"), [])
    state.executions["linear:BTCUSDT:2"] = ""
    telemetry.observe(fill("2"), [])
    assert value(telemetry, "executor_fills_total", **labels) == 2
    assert value(telemetry, "executor_filled_base_total", **labels) == 1
    assert value(telemetry, "executor_filled_quote_total", **labels) == 100


def test_engine_and_telemetry_agree_on_what_is_a_repeat(telemetry: Telemetry, state: EngineState) -> None:
    engine = Engine(state)
    for exec_id in ("1", "1", "2", "1"):
        event = fill(exec_id)
        telemetry.observe(event, engine.on_event(event))
    labels = {**MARKET, "side": "BUY", "liquidity": "MAKER"}
    assert state.children["x-1-1"].cum_qty == 1
    assert value(telemetry, "executor_fills_total", **labels) == 2
    assert value(telemetry, "executor_filled_base_total", **labels) == 1


def test_repeat_after_a_restart_is_not_counted(telemetry: Telemetry, state: EngineState) -> None:
    """The recovered state knows executions that this telemetry never saw being booked."""
    state.executions["linear:BTCUSDT:1"] = ""
    telemetry.observe(TimerFired(at_ns=0, key="k"), [])
    telemetry.observe(fill("1"), [])
    assert value(telemetry, "executor_fills_total", **MARKET, side="BUY", liquidity="MAKER") is None


def test_strangers_fill_makes_no_series(telemetry: Telemetry, state: EngineState) -> None:
    state.executions["linear:BTCUSDT:9"] = ""
    telemetry.observe(fill("9", "somebody-else"), [])
    assert value(telemetry, "executor_fills_total", **MARKET, side="BUY", liquidity="MAKER") is None


def test_alerts_failures_and_reconnects_are_counted(telemetry: Telemetry) -> None:
    alert = RaiseAlert(severity=Severity.CRITICAL, code=AlertCode.OVER_FILL, parent_id="p1", detail="")
    telemetry.observe(ReconcileFailed(at_ns=0, category=Category.SPOT, asked_ns=0, detail=""), [alert])
    telemetry.observe(OrderOutcomeUnknown(at_ns=0, client_order_id="x-1-1", detail=""), [])
    telemetry.on_reconnect(Stream.PRIVATE)
    assert value(telemetry, "executor_alerts_total", code="OVER_FILL", severity="CRITICAL") == 1
    assert value(telemetry, "executor_reconcile_failures_total", category="spot") == 1
    assert value(telemetry, "executor_outcomes_unknown_total") == 1
    assert value(telemetry, "executor_stream_reconnects_total", stream="PRIVATE") == 1


def test_timings_and_depth_of_the_shell(telemetry: Telemetry) -> None:
    telemetry.on_engine_call(0.0002)
    telemetry.on_journal_commit(0.004)
    telemetry.on_loop_lag(0.02)
    telemetry.on_inbox_depth(7)
    assert value(telemetry, "executor_engine_call_seconds_bucket", le="0.00025") == 1
    assert value(telemetry, "executor_journal_commit_seconds_sum") == pytest.approx(0.004)
    assert value(telemetry, "executor_event_loop_lag_seconds_count") == 1
    assert value(telemetry, "executor_inbox_depth") == 7


def test_parent_figures(telemetry: Telemetry) -> None:
    assert value(telemetry, "executor_parent_leaves_base", parent_id="p1") == 6
    assert value(telemetry, "executor_parent_done_ratio", parent_id="p1") == pytest.approx(0.4)
    assert value(telemetry, "executor_parent_scheduled_ratio", parent_id="p1") == pytest.approx(0.5)
    assert value(telemetry, "executor_parent_deviation_ratio", parent_id="p1") == pytest.approx(-0.1)
    assert value(telemetry, "executor_parent_participation_ratio", parent_id="p1") == pytest.approx(0.25)
    # (400 + 6 x 101 - 1000) / 1000
    assert value(telemetry, "executor_parent_arrival_shortfall_bps", parent_id="p1") == pytest.approx(60)
    states = {s: value(telemetry, "executor_parent_state", parent_id="p1", status=s) for s in ParentStatus}
    assert [s for s, on in states.items() if on] == [ParentStatus.EXECUTING]
    info = {**MARKET, "parent_id": "p1", "side": "BUY", "strategy": "twap"}
    assert value(telemetry, "executor_parent_info", **info) == 1


def test_parent_figures_without_data_are_absent(telemetry: Telemetry, state: EngineState) -> None:
    fresh = state.parents["p1"]
    fresh.arrival_px, fresh.schedule, fresh.benchmarks = None, None, Benchmarks()
    for name in ("scheduled_ratio", "deviation_ratio", "participation_ratio", "arrival_shortfall_bps"):
        assert value(telemetry, f"executor_parent_{name}", parent_id="p1") is None


def test_market_figures_disappear_with_the_book(telemetry: Telemetry, state: EngineState) -> None:
    assert value(telemetry, "executor_market_spread_bps", **MARKET) == pytest.approx(20)
    assert value(telemetry, "executor_book_age_seconds", **MARKET) == pytest.approx(1.5)
    state.markets["linear:BTCUSDT"].book_ns = None
    assert value(telemetry, "executor_market_spread_bps", **MARKET) is None
    assert value(telemetry, "executor_book_age_seconds", **MARKET) is None


def test_engine_flags_and_budgets(telemetry: Telemetry, state: EngineState) -> None:
    assert value(telemetry, "executor_stream_up", stream="PUBLIC", category="linear") == 1
    assert value(telemetry, "executor_stream_up", stream="PUBLIC", category="spot") is None
    assert value(telemetry, "executor_stream_up", stream="PRIVATE", category="") == 0
    assert value(telemetry, "executor_stream_up", stream="TRADE", category="") == 1
    assert value(telemetry, "executor_venue_restricted") == 0
    state.restricted_until_ns = NOW_NS + 1
    assert value(telemetry, "executor_venue_restricted") == 1
    state.sentinel_required = False
    assert value(telemetry, "executor_sentinel_alive") is None, "where none is wanted, none is missed"
    state.sentinel_required = True
    assert value(telemetry, "executor_sentinel_alive") == 0
    state.sentinel_alive = True
    assert value(telemetry, "executor_sentinel_alive") == 1
    assert value(telemetry, "executor_wallet_coin", coin="USDT") == 1234.5
    assert value(telemetry, "executor_reference_gap_bps", **MARKET, source="mark") == pytest.approx(100)
    assert value(telemetry, "executor_reconciled", category="linear") == 1
    assert value(telemetry, "executor_reconciled", category="spot") == 0
    assert value(telemetry, "executor_halt_latched") == 0
    state.latched = True
    assert value(telemetry, "executor_halt_latched") == 1
    assert value(telemetry, "executor_limit_used_ratio", limit="orders_per_min_max") == pytest.approx(2 / 20)
    assert value(telemetry, "executor_limit_used_ratio", limit="orders_per_day_max") == pytest.approx(
        50 / 5000
    )


def test_orders_in_doubt_and_the_age_of_the_oldest(telemetry: Telemetry, state: EngineState) -> None:
    assert value(telemetry, "executor_unknown_orders") == 0
    assert value(telemetry, "executor_unknown_order_age_seconds") == 0
    for name, age_s in (("x-1-2", 3), ("x-1-3", 8)):
        state.children[name] = child(name, ChildStatus.UNKNOWN, NOW_NS - age_s * NS_PER_S)
    state.parents["p1"].live = ["x-1-1", "x-1-2", "x-1-3"]
    assert value(telemetry, "executor_unknown_orders") == 2
    assert value(telemetry, "executor_unknown_order_age_seconds") == 8


def test_others_have_their_turn_while_a_long_page_is_written(
    telemetry: Telemetry, state: EngineState
) -> None:
    """One parent is added and one is gone meanwhile: nothing breaks, and each is whole or not there."""
    for number in range(2, 3 * PARENTS_PER_TURN):
        state.parents[f"p{number}"] = parent(number)
    writing = telemetry.page()
    turns = 0
    while True:
        try:
            writing.send(None)
        except StopIteration as done:
            body, _ = done.value
            break
        turns += 1
        state.parents[f"new{turns}"] = parent(1_000 + turns)
        state.parents.pop(f"p{turns + 1}")
    assert turns == 2
    ids = re.findall(r'^executor_parent_leaves_base{parent_id="(.*)"}', body.decode(), re.MULTILINE)
    assert sorted(ids) == sorted(f"p{number}" for number in range(1, 3 * PARENTS_PER_TURN))
    for family in text_string_to_metric_families(body.decode()):
        if family.name == "executor_parent_info":
            assert len(family.samples) == len(ids)


def test_finished_parent_is_shown_for_ten_minutes(telemetry: Telemetry, state: EngineState) -> None:
    ended = parent(2, ParentStatus.EXPIRED, finished_ns=NOW_NS)
    state.parents["p2"] = ended
    assert value(telemetry, "executor_parent_state", parent_id="p2", status="EXPIRED") == 1
    state.now_ns = NOW_NS + PARENT_SHOWN_AFTER_END_NS - 1
    assert value(telemetry, "executor_parent_leaves_base", parent_id="p2") == 6
    state.now_ns += 1
    assert value(telemetry, "executor_parent_leaves_base", parent_id="p2") is None
    assert value(telemetry, "executor_parent_leaves_base", parent_id="p1") == 6


def test_labels_stay_bounded_with_a_thousand_parents(telemetry: Telemetry, state: EngineState) -> None:
    state.parents.clear()
    state.open_parents.clear()
    fixed = len(series(telemetry))
    for number in range(1_000):
        live = number < 30
        long_ago = NOW_NS - PARENT_SHOWN_AFTER_END_NS - number
        one = parent(number) if live else parent(number, ParentStatus.COMPLETE, finished_ns=long_ago)
        state.parents[f"p{number}"] = one
    shown = series(telemetry)
    assert len(shown) - fixed == 30 * (PARENT_SERIES_MAX - RECKONED_MAX)
    for _ in range(31):
        telemetry.refresh_costs()
    shown = series(telemetry)
    assert 30 * (PARENT_SERIES_MAX - RECKONED_MAX) < len(shown) - fixed <= 30 * PARENT_SERIES_MAX
    assert {labels["parent_id"] for labels in shown if "parent_id" in labels} == {f"p{n}" for n in range(30)}


def test_costs_are_shown_as_last_reckoned_and_their_parts_add_up(
    telemetry: Telemetry, state: EngineState
) -> None:
    everything_about_costs(state)
    mine = {"parent_id": "p1"}
    assert value(telemetry, "executor_parent_implementation_shortfall_bps", **mine) is None, (
        "not reckoned yet"
    )
    telemetry.refresh_costs()
    # Bought 4 of 10 at 100 against a decision at 100; the other 6 cost 1 more each now: 6 of 1,000.
    assert value(telemetry, "executor_parent_implementation_shortfall_bps", **mine) == pytest.approx(60)
    parts = [
        value(telemetry, "executor_parent_cost_bps", part=part, **mine)
        for part in ("delay", "spread", "temporary", "permanent", "timing", "opportunity", "fees")
    ]
    assert sum(part or 0.0 for part in parts) == pytest.approx(60)
    assert value(telemetry, "executor_parent_price_quote", benchmark="average", **mine) == 100
    assert value(telemetry, "executor_parent_mark_out_bps", horizon_s="60", **mine) == pytest.approx(100)
    assert value(telemetry, "executor_parent_maker_ratio", **mine) == 0.75
    assert value(telemetry, "executor_parent_orders_hit_ratio", **mine) == 1
    assert value(telemetry, "executor_parent_forecast_bps", estimate="high", **mine) == 5
    assert value(telemetry, "executor_parent_figures_age_seconds", **mine) == 0
    state.parents["p1"].benchmarks.last_mid_px = D(102)
    assert value(telemetry, "executor_parent_implementation_shortfall_bps", **mine) == pytest.approx(60)
    telemetry.refresh_costs()
    assert value(telemetry, "executor_parent_implementation_shortfall_bps", **mine) == pytest.approx(120)


def test_a_parent_never_has_more_series_than_is_said(telemetry: Telemetry, state: EngineState) -> None:
    everything_about_costs(state)
    telemetry.refresh_costs()
    mine = [labels for labels in series(telemetry) if labels.get("parent_id") == "p1"]
    assert len(mine) == PARENT_SERIES_MAX


def test_two_telemetries_share_nothing(state: EngineState) -> None:
    one, two = (Telemetry(lambda: state, lambda: NOW_NS) for _ in range(2))
    one.on_reconnect(Stream.PUBLIC)
    assert value(two, "executor_stream_reconnects_total", stream="PUBLIC") is None
