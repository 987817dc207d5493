import json
from pathlib import Path

import numpy as np
import pytest

from backtest.dataset.errors import DataError
from backtest.dataset.faults import Findings
from backtest.dataset.gather import Stream
from backtest.dataset.importers.protocol import Options
from backtest.dataset.intake import Intake
from backtest.dataset.klines import import_klines
from backtest.market.negative_controls import figures_of_independent_market
from backtest.market.recorded_facts import RecordedFacts, candle_facts, recorded_facts, trace_of
from backtest.market.side_by_side import bound_words, side_by_side
from backtest.tape import Tape
from impact.order_flow.imbalance import Quote
from impact.order_flow.prints import Print
from simulation.phenomena.liquidity import liquidity
from simulation.phenomena.stylised_facts import GATES, Figure
from tests.dataset.recordings import FULL, ROOT

needs_recordings = pytest.mark.skipif(not ROOT, reason="EXECUTOR_REAL_DATA does not name recorded data")
S = 1_000_000_000


def test_a_tape_becomes_the_arrays_that_every_measure_takes():
    tape = Tape(
        stream=Stream("venue", "spot", "ABC"),
        tick_px=0.01,
        quote_ns=[0, S, 2 * S],
        quotes=[
            Quote(99.99, 5, 100.01, 7),
            Quote(100.02, 5, 100.01, 7),  # two streams crossed for an instant
            Quote(99.99, 5, 100.03, 7),
        ],
        prints=[Print(S, 1, 100.01, 2.0, 100.0), Print(2 * S, -1, 99.99, 1.0)],
        fills=2,
    )
    trace = trace_of(tape, 0.02, np.array([0]), np.array([50.0]), np.array([70.0]))
    assert trace.quote_ns.tolist() == [0, 2 * S]
    assert trace.trade_sign.tolist() == [1.0]  # the other one has no mid
    found = liquidity(trace)
    assert (found.bid_depth_qty, found.ask_depth_qty, found.one_tick_share) == (50.0, 70.0, 1.0)
    assert found.spread_bps == pytest.approx(2.0)


def test_a_table_shows_what_was_measured_and_what_not():
    inside = {bound.figure: max(bound.low, min(bound.high, 50.0)) for bound in GATES[1].bounds}
    recorded = RecordedFacts(name="a/b/C", step_s=1.0, steps=500, figures={Figure.KURTOSIS: 9.0})
    control = {Figure.KURTOSIS: 0.1, Figure.FANO: 1.0}
    table = side_by_side(inside, [recorded], ("iid", control), name="default", seeds=3, steps=9, gates=(2, 8))
    assert table.passed == {2: True, 8: False}
    assert table.refused == (2, 8)
    assert table.recordings == ("a/b/C, 500 x 1 s",)
    first, *_, last = table.rows
    assert (first.simulated, first.recorded, first.control) == (50.0, (9.0,), 0.1)
    assert (last.simulated, last.recorded, last.control) == (None, (None,), 1.0)
    record = json.loads(json.dumps(table.record(), allow_nan=False))
    assert record["passed"] == {"2": True, "8": False}
    assert [row["inside"] for row in record["gates"]] == [True, True, True, None]
    assert record["gates"][-1]["high"] is None


def test_bounds_in_words():
    words = [bound_words(bound) for gate in GATES for bound in gate.bounds]
    assert words[:4] == ["-0.1 to 0.1", "0 to 0.05", "3 to 100", "above 0"]
    assert "3 or more" in words


def imported(folder, *files):
    return Intake(folder, Options()).run([Path(ROOT) / file for file in files])


@needs_recordings
def test_candles_of_a_crash_are_measured_by_the_same_functions(tmp_path):
    import_klines(tmp_path, Path(ROOT) / "bybit/klines/BTCUSDT_1m_2021-09-07.csv", Options(), Findings())
    found = candle_facts(tmp_path, "BTCUSDT")
    assert (found.name, found.steps, found.step_s) == ("bybit/linear/BTCUSDT", 9_999, 60.0)
    # A week with one fall of a fifth in it: tails beyond the gate, volatility that clusters.
    assert found.figures[Figure.KURTOSIS] == pytest.approx(234.9, abs=0.1)
    assert found.figures[Figure.ABS_ACF_1] == pytest.approx(0.563, abs=0.001)
    assert GATES[3].passed(found.figures)
    assert found.target() is None


@pytest.mark.skipif(not FULL, reason="reads a whole day of a stock")
@needs_recordings
def test_a_recorded_day_of_a_stock_passes_every_gate_that_it_can_be_held_against(tmp_path):
    imported(tmp_path, "lobster/LOBSTER_SampleFile_AAPL_2012-06-21_1.zip")
    found = recorded_facts(tmp_path, "AAPL")
    assert found.steps == 23_399
    measured = [gate for gate in GATES if gate.measurable(found.figures)]
    assert [gate.number for gate in measured if gate.passed(found.figures)] == [1, 2, 3, 4, 5, 6, 8, 9]
    assert len(measured) == 8
    assert found.book.spread_bps == pytest.approx(2.592, abs=0.001)


@needs_recordings
def test_a_recording_that_is_too_short_is_refused(tmp_path):
    imported(tmp_path, "bybit/v5-session-20260809.jsonl.zst")
    with pytest.raises(DataError, match="43 steps of 1 s"):
        recorded_facts(tmp_path, "BTCUSDT", category="linear")
    found = recorded_facts(tmp_path, "BTCUSDT", category="linear", step_s=0.2)
    assert 200 < found.steps < 220
    assert 0.9 < found.target().one_tick_share <= 1.0


def test_what_is_not_stored_is_refused(tmp_path):
    with pytest.raises(DataError, match="nothing stored of ABC"):
        recorded_facts(tmp_path, "ABC")
    with pytest.raises(DataError, match="0 tables of candles"):
        candle_facts(tmp_path, "ABC")


def test_the_control_of_the_table_is_refused_by_the_gates_it_was_made_for():
    table = side_by_side(None, [], ("independent", figures_of_independent_market(1, 20_000)))
    assert table.refused == (2, 3, 4, 5, 6, 8, 9)
    assert table.passed == {}
