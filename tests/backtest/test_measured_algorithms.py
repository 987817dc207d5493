"""The command that measures every algorithm in recordings, on a small made one: figures are reckoned by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtest.blocks import blocked
from benchmarks.algorithms_cases import ALGORITHMS, CASES, FILES, Case, Group, unknown_files
from benchmarks.algorithms_figures import complete, judge, measure, sum_up
from benchmarks.algorithms_page import page_of
from benchmarks.algorithms_tables import BEGIN, END, markdown, placed
from benchmarks.algorithms_work import Outcome, Told, Unit, keep_unit, read_unit, tracked_of, work_unit
from executor.domain.timeline import NS_PER_S
from simulation.replay.twin import ReplayTwin
from strategies.base import STRATEGIES
from strategies.wrappers.crypto import GUIDES
from tests.backtest.recorded_days import store, wander
from tests.builders import T0, D
from tests.dataset.recordings import ROOT

CASE = Case(
    name="bybit/linear/BTCUSDT", group=Group.COINS, qty=D("0.06"), duration_s=20, interval_s=10, every_s=40,
    quick_s=80, warmup_s=12,
)  # fmt: skip


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    root = store(tmp_path_factory.mktemp("market"), wander(160))
    return [work_unit(root, CASE, name, 40, ReplayTwin) for name in ("twap", "adaptive", "twap + funding")]


def outcome(number, side=1, cost=1.0, told=None, **over):
    start_ns = T0 + number * 100 * NS_PER_S
    usual = Outcome(
        number=number, side=side, start_ns=start_ns, ended_ns=start_ns + 20 * NS_PER_S, status="COMPLETE",
        reason="ALL_FILLED", failure="", cost_bps=cost, filled=1.0, maker_share=0.5, participation_pct=1.0, fills=2,
        guessed=1, told=told, untold="", tracked=None,
    )  # fmt: skip
    return replace(usual, **over)


def unit(algorithm, outcomes, case="one", group=Group.COINS):
    return Unit(
        case=case,
        group=group.value,
        algorithm=algorithm,
        every_s=100,
        duration_s=20,
        outcomes=tuple(outcomes),
    )


def told(expected=5.0, risk=1.0):
    return Told(
        impact_bps=0.5, impact_low_bps=0.2, impact_high_bps=0.8, spread_bps=2.0, done_share=1.0, risk_bps=risk,
        expected_bps=expected, low_bps=expected - 2 * risk, high_bps=expected + 2 * risk,
    )  # fmt: skip


def test_orders_are_worked_on_both_sides_and_foretold_before_they_begin(units, tmp_path):
    for one in units:
        assert not one.refused
        assert [(each.number, each.side) for each in one.outcomes] == [
            (n, s) for n in (1, 2, 3, 4) for s in (1, -1)
        ]
        assert all(each.status == "COMPLETE" and each.filled == 1.0 for each in one.outcomes)
        assert all(each.told is not None and each.tracked is not None for each in one.outcomes)
        assert all(each.told.low_bps < each.told.expected_bps < each.told.high_bps for each in one.outcomes)
    keep_unit(tmp_path / "kept.json", units[0])
    assert read_unit(tmp_path / "kept.json") == units[0]


def test_tables_say_what_was_worked_and_a_guide_without_a_signal_changes_nothing(units):
    found = measure(units)
    (summed,) = found.summed
    guided = next(row for row in summed.rows if row.algorithm == "twap + funding")
    assert (guided.less_plain.mean, guided.less_plain.standard_error) == (0.0, 0.0)
    text = markdown(found)
    assert "24 orders in all." in text
    assert "The same cost as twap to the last digit: " in text
    assert "| bybit/linear/BTCUSDT | coins | 24 | 24 COMPLETE ALL_FILLED | 100.0 % |  |" in text
    page = placed(f"before\n{BEGIN}\nold\n{END}\nafter\n", text)
    assert page.startswith(f"before\n{BEGIN}\n\n24 orders")
    assert page.endswith(f"\n{END}\nafter\n")
    assert placed(page, text) == page
    with pytest.raises(ValueError, match="no place for tables"):
        placed("nothing", text)
    assert "Predicted against realised cost" in page_of(found)


def test_costs_are_means_of_both_sides_and_differences_are_of_the_same_moments():
    plain = [outcome(n, side, cost=n + side) for n in range(1, 9) for side in (1, -1)]
    other = [outcome(n, side, cost=n + 2 * side + 0.25 * (n % 2)) for n in range(1, 9) for side in (1, -1)]
    other[3] = replace(other[3], cost_bps=None)
    found = sum_up("coins", [unit("twap", plain), unit("pov", other)])
    assert (found.moments, found.left_out, found.overlap) == (7, 1, 1)
    less = next(row.less_plain for row in found.rows if row.algorithm == "pov")
    assert less == blocked([0.25, 0.25, 0.0, 0.25, 0.0, 0.25, 0.0], less.block, lengths=(7,))
    assert next(row.cost.mean for row in found.rows if row.algorithm == "twap") == pytest.approx(34 / 7)


def test_what_is_fitted_comes_before_what_is_scored_and_does_not_reach_into_it():
    outcomes = [outcome(n, side, cost=5.0, told=told()) for n in range(1, 9) for side in (1, -1)]
    # The fourth ends after the fifth, the first of the later half, has begun; it took everything.
    outcomes[6:8] = [
        replace(one, ended_ns=one.start_ns + 150 * NS_PER_S, maker_share=0.0) for one in outcomes[6:8]
    ]
    plain, learned, *_ = judge("coins", [unit("twap", outcomes)])
    assert (plain.fitted, plain.scored) == (6, 8)
    assert plain.crossing is None
    assert plain.bias.mean == 0.0
    assert plain.inside.mean == 1.0
    assert learned.crossing == 0.5
    # Impact, half of half a spread of 2, and half of both fees, 5.5 and 2.
    assert learned.predicted_bps == pytest.approx(0.5 + 0.5 + 3.75)
    # Later outcomes change no forecast.
    worse = [replace(one, cost_bps=9.0) if one.number > 4 else one for one in outcomes]
    plain_worse, learned_worse, *_ = judge("coins", [unit("twap", worse)])
    assert learned_worse.predicted_bps == learned.predicted_bps
    assert learned_worse.wider == learned.wider
    assert plain_worse.inside.mean == 0.0


def test_an_order_that_was_not_filled_is_told_by_its_status():
    short = replace(outcome(2), status="EXPIRED", reason="DEADLINE", filled=0.5)
    (one,) = complete([unit("pov", [outcome(1), short])])
    assert one.statuses == {"COMPLETE ALL_FILLED": 1, "EXPIRED DEADLINE": 1}
    assert one.short == {"pov": (1, 0.5)}


def test_tracking_is_held_against_what_others_traded_until_the_order_was_done():
    times = np.asarray([T0 + s * NS_PER_S for s in (1, 11, 12, 30)], np.int64)
    market = times, np.asarray([10.0, 20.0, 10.0, 99.0])
    even = tracked_of([(T0 + 5 * NS_PER_S, 1.0), (T0 + 15 * NS_PER_S, 1.0)], market, T0, 20, 10, 2.0)
    # A half done where a quarter had traded; 2 of 2 + 40.
    assert even.mean_pct == pytest.approx(25.0)
    assert even.share_pct == pytest.approx(200 / 42)
    early = tracked_of([(T0 + 5 * NS_PER_S, 2.0)], market, T0, 20, 10, 2.0)
    assert early.share_pct == pytest.approx(200 / 12)
    assert tracked_of([], market, T0, 20, 10, 2.0) is None


def test_every_strategy_and_guide_is_measured():
    assert {*STRATEGIES, *(f"twap + {name}" for name in GUIDES), "CROSS", "RANDOM"} == set(ALGORITHMS)
    assert len({(case.name, case.group) for case in CASES}) == len(CASES)


@pytest.mark.skipif(not ROOT, reason="EXECUTOR_REAL_DATA does not name recorded data")
def test_every_recording_is_named_by_a_case():
    assert unknown_files(Path(ROOT)) == []
    assert all((Path(ROOT) / name).exists() for files in FILES for name in files)
