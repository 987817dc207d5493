"""Clocks that were wrong, times that are faulty, and where the room of a recording begins and ends."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from backtest.dataset.rows import Flag, Kind
from backtest.receiver_clock import QUICKEST_NS
from backtest.recorded import CLOSING_S, Conditions, Errand, PlanError, plan_starts, work
from backtest.recording import Reel, find_recording
from backtest.results import run_record
from executor.domain.limits import Limits, Timings
from executor.domain.orders import ResidualRule, Side, StrategyParams
from executor.domain.timeline import NS_PER_DAY, NS_PER_MS, NS_PER_S
from simulation.frictions import Charges
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay.twin import ReplayTwin
from tests.backtest.recorded_days import as_run, store, wander
from tests.builders import T0, D, submitted

MEASURED = ReplayTerms(
    feed=Delay(measured=True), entry=Delay(constant_ns=10 * NS_PER_MS), answer=Delay(constant_ns=10 * NS_PER_MS),
    conflate_ns=100 * NS_PER_MS, prices_only=True,
)  # fmt: skip
CONDITIONS = Conditions(terms=MEASURED, charges=Charges(), warmup_s=15)
ORDER = submitted(order_qty=D("0.06"), duration_s=30, params=StrategyParams(interval_s=10))
SECONDS = 120


def stored(root, rows, **over):
    return find_recording(store(root, rows, **over), "BTCUSDT")


def late(rows, lag_ns, slower_ns=0):
    """The same rows, received later by a lag, and every fifth by more."""
    return [
        (row[0], row[0] + lag_ns + (slower_ns if n % 5 == 0 else 0), *row[2:]) for n, row in enumerate(rows)
    ]


def ended(recording, *, conditions=CONDITIONS, order=ORDER, sides=(Side.BUY,), start_ns=None, every_s=None):
    starts = plan_starts(recording, conditions, order, start_ns=start_ns, every_s=every_s)
    errands = [
        Errand(number=n, start_ns=at, order=replace(order, side=side), policy="twap")
        for n, at in enumerate(starts, start=1)
        for side in sides
    ]
    worked = list(work(recording, conditions, errands, ReplayTwin))
    return worked, run_record(as_run(recording, conditions, worked, every_s))


# ---------------------------------------------------------------------- the receiver's clock


def test_a_clock_that_was_behind_is_moved_so_that_the_quickest_took_the_usual_time(tmp_path):
    rows = wander(SECONDS)
    behind = stored(tmp_path / "behind", late(rows, -1_519_000_000, 40 * NS_PER_MS)).with_clock(None)
    right = stored(tmp_path / "right", late(rows, QUICKEST_NS, 40 * NS_PER_MS)).with_clock(None)
    (clock,) = behind.clocks
    assert (clock.early_pct, clock.moved_ns, clock.was_behind) == (100.0, 1_519_000_000 + QUICKEST_NS, True)
    assert [(one.moved_ns, one.was_behind) for one in right.clocks] == [(0, False)]
    found, record = ended(behind)
    same, _ = ended(right)
    assert [one.fills for one in found] == [one.fills for one in same]
    assert record["conditions"]["receiver_clock_moved_ms"] == {"2023-11-14": 1524.0}
    assert record["conditions"]["quickest_message_ms"] == {"2023-11-14": 5.0}
    (told,) = [one for one in record["warnings"] if "clock" in one]
    assert "100 % of the rows were received before they were sent; it is moved by +1524.0 ms" in told
    assert not [one for one in ended(right)[1]["warnings"] if "clock" in one]


def test_orders_and_answers_that_are_measured_take_the_moved_clock_too(tmp_path):
    rows = wander(SECONDS)
    terms = replace(MEASURED, entry=Delay(measured=True), answer=Delay(measured=True))
    conditions = replace(CONDITIONS, terms=terms)
    behind = stored(tmp_path / "behind", late(rows, -700 * NS_PER_MS)).with_clock(None)
    constant = Delay(constant_ns=QUICKEST_NS)
    usual = replace(CONDITIONS, terms=replace(MEASURED, feed=constant, entry=constant, answer=constant))
    found, _ = ended(behind, conditions=conditions)
    # The tail of a constant is longer by what the wires take; nothing else may differ.
    assert [one.fills for one in found] == [one.fills for one in ended(behind, conditions=usual)[0]]


def test_what_the_quickest_took_can_be_said_of_any_clock(tmp_path):
    far = stored(tmp_path, late(wander(SECONDS), 900 * NS_PER_MS))
    assert far.with_clock(None).clocks[0].moved_ns == 0
    (clock,) = far.with_clock(8 * NS_PER_MS).clocks
    assert (clock.moved_ns, clock.quickest_ns, clock.was_behind) == (-892 * NS_PER_MS, 8 * NS_PER_MS, False)
    assert len(far.with_clock(None).since(T0 + NS_PER_DAY).clocks) == 1


def test_one_time_that_is_wrong_does_not_move_the_clock(tmp_path):
    rows = wander(SECONDS)
    early = [(*row[:1], row[0] - 50 * NS_PER_S, *row[2:]) if n == 30 else row for n, row in enumerate(rows)]
    (clock,) = stored(tmp_path, early).with_clock(None).clocks
    assert clock.moved_ns == 0
    assert 0 < clock.early_pct < 1


# ---------------------------------------------------------------------- times that are faulty


def ahead(rows, flag, by_ns=50 * NS_PER_S):
    """A trade in the middle says that it comes from another time."""
    at = next(n for n, row in enumerate(rows) if row[2] == Kind.TRADE and row[0] > T0 + 40 * NS_PER_S)
    wrong = (rows[at][0] + by_ns, *rows[at][1:8], rows[at][8] | flag)
    return [*rows[:at], wrong, *rows[at + 1 :]]


@pytest.mark.parametrize("by_ns", [50 * NS_PER_S, -50 * NS_PER_S])
@pytest.mark.parametrize("pieces", [97, 500_000])
def test_a_trade_from_the_future_that_the_check_doubts_moves_no_clock(tmp_path, monkeypatch, by_ns, pieces):
    monkeypatch.setattr("backtest.dataset.store.GROUP_ROWS", pieces)
    rows = wander(SECONDS)
    sound, _ = ended(stored(tmp_path / "sound", rows), start_ns=T0 + 30 * NS_PER_S)
    doubted = stored(tmp_path / "doubted", ahead(rows, Flag.SUSPECT, by_ns))
    assert doubted.with_clock(None).clocks[0].moved_ns == 0
    reel = Reel(doubted)
    assert reel.gaps(T0, T0 + SECONDS * NS_PER_S) == []
    found, _ = ended(doubted, start_ns=T0 + 30 * NS_PER_S)
    assert found[0].drive.reports[0].facts.cum_qty == ORDER.order_qty
    assert len(found[0].fills) == len(sound[0].fills)


def test_a_trade_from_the_future_that_nobody_doubts_is_a_gap(tmp_path):
    rows = ahead(wander(SECONDS), 0)
    recording = stored(tmp_path, rows)
    assert recording.with_clock(None).clocks[0].moved_ns == 0
    with pytest.raises(PlanError, match=r"a time that is 50 s ahead of \d+ rows after it"):
        ended(recording, start_ns=T0 + 30 * NS_PER_S)
    found, record = ended(
        recording, conditions=replace(CONDITIONS, over_gaps=True), start_ns=T0 + 30 * NS_PER_S
    )
    assert found[0].drive.reports[0].facts.cum_qty < ORDER.order_qty
    cost = record["arrival_shortfall_bps"]
    assert cost["unfilled"] + cost["partly_filled"] == 1
    assert any("counts at the mid at the order's end" in told for told in record["warnings"])


def test_streams_that_overtake_each_other_are_no_fault(tmp_path):
    recording = stored(tmp_path, ahead(wander(SECONDS), 0, by_ns=2 * NS_PER_S))
    assert Reel(recording).gaps(T0, T0 + SECONDS * NS_PER_S) == []


def test_faults_that_are_stored_are_told(tmp_path, monkeypatch):
    recording = stored(tmp_path, wander(SECONDS))
    (info,) = recording.infos
    info = type(info)(
        **{name: getattr(info, name) for name in info.__struct_fields__} | {"faults": {"LAG": 1, "GAP": 2}}
    )
    faulty = replace(recording, infos=(info,))
    _, record = ended(faulty)
    assert record["recording"]["faults"] == {"2023-11-14": ["2 x GAP", "1 x LAG"]}
    (told,) = [one for one in record["warnings"] if "found" in one]
    assert "the check of BTCUSDT (linear) found 2 x GAP, 1 x LAG on 2023-11-14" in told


def test_a_day_of_which_every_row_is_doubted_keeps_its_times(tmp_path):
    rows = [(*row[:8], row[8] | Flag.SUSPECT) for row in wander(30)]
    (chunk,) = [rows for rows, _ in Reel(stored(tmp_path, rows)).chunks(0)]
    assert np.array_equal(np.unique(chunk.exch_ns), np.unique([row[0] for row in rows]))


# ---------------------------------------------------------------------- room before and after an order


def test_an_order_needs_no_more_room_than_its_last_answers(tmp_path):
    recording = stored(tmp_path, wander(44))
    order = replace(ORDER, duration_s=20)
    (one,), record = ended(recording, order=order)
    assert one.drive.reports[0].facts.cum_qty == order.order_qty
    assert not [told for told in record["warnings"] if "still at work" in told]
    with pytest.raises(PlanError) as refused:
        ended(recording, order=replace(order, duration_s=60))
    assert refused.value.where == "--duration"
    assert refused.value.allowed.startswith("at most 25s: stored is 2023-11-14T22:13:20.000Z to ")
    longest = replace(order, duration_s=25)
    assert len(plan_starts(recording, CONDITIONS, longest, start_ns=None, every_s=None)) == 1
    none = replace(CONDITIONS, warmup_s=44)
    with pytest.raises(PlanError, match="no room for any order"):
        plan_starts(recording, none, order, start_ns=None, every_s=None)


def test_an_order_that_outlives_the_recording_is_told(tmp_path):
    recording = stored(tmp_path, wander(50))
    stubborn = replace(ORDER, limit_px=D(10), residual=ResidualRule.CROSS)
    (one,), record = ended(recording, order=stubborn)
    assert one.ended_ns > recording.last_ns
    assert any("1 of 1 order were still at work" in told for told in record["warnings"])


def test_the_tail_is_what_the_residual_rule_asks_for():
    leave, extend = (replace(ORDER, residual=rule) for rule in (ResidualRule.LEAVE, ResidualRule.EXTEND))
    extend = replace(extend, extend_s=20)
    tails = [CONDITIONS.tail_ns(one) / NS_PER_S for one in (ORDER, leave, extend)]
    assert tails == [40.02, 10.02, 30.02]
    assert CONDITIONS.closing_ns(extend) / NS_PER_S == 20 + CLOSING_S + 0.02


def test_an_order_begins_where_the_book_has_been_whole_for_the_warm_up(tmp_path):
    begin = [
        (T0 - (60 - n) * NS_PER_S, T0 - (60 - n) * NS_PER_S, Kind.TRADE, 1, 500_000, 5, 0, n, Flag.LAST)
        for n in range(60)
    ]
    recording = stored(tmp_path, [*begin, *wander(SECONDS)])
    assert recording.first_ns == T0 - 60 * NS_PER_S
    assert recording.whole_ns() == T0 + 3_000_000
    (at_ns,) = plan_starts(recording, CONDITIONS, ORDER, start_ns=None, every_s=None)
    assert at_ns == T0 + 16 * NS_PER_S
    (one,), _ = ended(recording)
    assert one.drive is not None
    nothing = stored(tmp_path / "other", begin)
    with pytest.raises(PlanError, match="never has two sides"):
        ended(nothing)


def test_an_end_before_the_first_order_is_refused(tmp_path):
    recording = stored(tmp_path, wander(SECONDS))
    with pytest.raises(PlanError) as refused:
        plan_starts(recording, CONDITIONS, ORDER, start_ns=None, every_s=30, until_ns=T0)
    assert refused.value.where == "--until"


# ---------------------------------------------------------------------- what is told of an order


def test_an_order_without_an_end_says_why_and_what_opens_it(tmp_path):
    recording = stored(tmp_path, wander(SECONDS))
    tight = replace(CONDITIONS, limits=Limits(references_min=0, position_notional_max=D(100)))
    (one,), record = ended(recording, conditions=tight)
    assert one.drive is None
    assert "BEYOND_LIMITS: " in one.failure
    assert "position_notional_max is 100" in one.failure
    assert one.failure.endswith("(--config) opens it")
    (told,) = record["parents"]
    assert (told["report"]["status"], told["report"]["reason"]) == ("FAILED", "BEYOND_LIMITS")
    soon = replace(CONDITIONS, warmup_s=0, timings=Timings(volatility_warmup_s=40))
    (one,), record = ended(recording, conditions=soon)
    assert "until the market was watched for 40 s" in one.failure
    assert any(told.startswith("a warm-up of 0 s is shorter than the 40 s") for told in record["warnings"])


def test_a_record_says_what_was_ordered_and_on_which_terms(tmp_path):
    recording = stored(tmp_path, wander(SECONDS))
    terms = replace(MEASURED, requests_per_s_max=10, price_band_bps=100)
    _, record = ended(recording, conditions=replace(CONDITIONS, terms=terms), sides=tuple(Side), every_s=20)
    conditions = record["conditions"]
    assert conditions["order"] | {} == {
        "sides": ["buy", "sell"], "qty": "0.06", "duration_s": 30, "every_s": 20, "policies": ["twap"],
        "urgency": "MEDIUM", "residual": ORDER.residual.value, "extend_s": 0, "interval_s": 10, "randomize_size_pct": 0,
        "randomize_timing_pct": 0, "catch_up": True, "catch_up_max": "2", "passiveness": None, "reprice_ticks": 1,
    }  # fmt: skip
    assert (conditions["requests_per_s"], conditions["price_band_bps"], conditions["adviser"]) == (
        10,
        100,
        "none",
    )
    cost = record["arrival_shortfall_bps"]
    assert (cost["unfilled"], cost["partly_filled"]) == (0, 0)
    assert Decimal(record["advice"]["bill"]) == 0


def test_few_blocks_are_told_and_too_few_make_no_interval(tmp_path):
    recording = stored(tmp_path, wander(240))
    _, record = ended(recording, every_s=25)
    cost = record["arrival_shortfall_bps"]
    assert cost["blocks"] < 3
    assert "low" not in cost
    assert any(told.startswith("FEW BLOCKS: ") and "no interval" in told for told in record["warnings"])
