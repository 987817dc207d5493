"""Own orders out of a journal: what they cost is what their reports say, and what was known is what was known then."""

import json
import sqlite3

import pytest

from backtest.run import Scene, drive
from executor.domain.errors import JournalError
from executor.domain.orders import Side, StrategyParams
from executor.runtime.journal import Journal
from executor.runtime.past_orders import each_journal, past_orders
from impact.square_root import SquareRoot
from tests.backtest.test_drive import TERMS, WALK
from tests.builders import D, submitted


def journal(path, number=0, *, more=()):
    """One order of half a minute in a drawn market, begun after 12 s and more."""
    order = submitted(
        order_qty=D(10 + number) / 100,
        duration_s=20,
        params=StrategyParams(interval_s=10),
        side=Side.SELL if number % 2 else Side.BUY,
    )
    scene = Scene(walk=WALK, parents=(order, *more), terms=TERMS, warmup_s=12 + number)
    with Journal.open(path, create=True, instance="sim") as kept:
        drive(scene, number, None, kept)
    return path


def test_an_order_is_told_as_its_report_tells_it(tmp_path):
    for number in range(2):
        path = journal(tmp_path / f"{number}.db", number)
        (order,) = past_orders(path)
        connection = sqlite3.connect(path)
        report = json.loads(connection.execute("SELECT body FROM reports").fetchone()[0])
        connection.close()
        assert order.instrument == "simulation/linear/BTCUSDT"
        assert order.sign == (-1 if number else 1)
        assert order.complete
        assert order.filled_qty == order.order_qty == float(report["cum_qty"])
        assert order.avg_px == pytest.approx(float(report["avg_px"]), abs=1e-2)
        assert order.realised_bps == pytest.approx(float(report["arrival_slippage_bps"]), abs=1e-3)
        assert sum(one.signed_qty for one in order.plan) == pytest.approx(order.sign * order.order_qty)
        assert order.started_ns == order.plan[0].at_ns <= order.first_ns <= order.last_ns
        assert order.pace.volatility_hourly_pct > 0
        assert 0 <= order.maker_share <= 1


def test_an_order_is_seen_in_units_of_its_market(tmp_path):
    (order,) = past_orders(journal(tmp_path / "a.db", 2))
    seen = order.observed()
    assert seen.size == pytest.approx(order.order_qty / (24 * order.pace.volume_hourly_qty))
    # Basis points over daily basis points: for moves this small the logarithm is the ratio.
    assert seen.paid == pytest.approx(
        order.sign * order.realised_bps * order.sign / order.pace.volatility_daily_bps, abs=1e-4
    )
    assert seen.days * 86_400e9 == pytest.approx(order.last_ns - order.first_ns)


def test_the_price_is_looked_at_again_while_the_journal_goes_on(tmp_path):
    longer = submitted(order_qty=D("0.5"), duration_s=120, params=StrategyParams(interval_s=20))
    first, second = past_orders(journal(tmp_path / "a.db", more=(longer,)))
    assert [since > 0 for since, _ in first.after] == [True] * 3
    assert first.observed().later is not None
    assert second.after == ()


def test_a_forecast_uses_what_was_known_then(tmp_path):
    (order,) = past_orders(journal(tmp_path / "a.db"))
    told = order.forecast(SquareRoot(0.9), crossing=1.0, z=1.645)
    waiting = order.forecast(SquareRoot(0.9), crossing=0.0, z=1.645)
    assert told.low_bps < told.predicted_bps < told.high_bps
    assert told.predicted_bps - waiting.predicted_bps == pytest.approx(order.spread_bps / 2)
    assert told.realised_bps == order.realised_bps
    assert told.at_ns == order.started_ns


def test_several_journals_are_read_one_after_the_other(tmp_path):
    paths = [journal(tmp_path / f"{number}.db", number) for number in (1, 2)]
    told = []
    assert len(list(each_journal(paths, lambda done, total: told.append((done, total))))) == 2
    assert told == [(0, 2), (1, 2)]


def test_what_is_no_journal_is_refused(tmp_path):
    with pytest.raises(JournalError, match="no such file"):
        past_orders(tmp_path / "none.db")
    (tmp_path / "other.db").write_bytes(b"no database, but something else altogether")
    with pytest.raises(JournalError):
        past_orders(tmp_path / "other.db")


def test_a_journal_by_which_this_code_would_have_done_otherwise_is_refused(tmp_path):
    """Its replay would be of orders that never were; leaving some of them out would be as wrong."""
    path = journal(tmp_path / "a.db")
    connection = sqlite3.connect(path)
    (row,) = connection.execute(
        "SELECT max(seq) FROM journal WHERE CAST(commands AS TEXT) LIKE '%PlaceOrder%'"
    ).fetchone()
    connection.execute("UPDATE journal SET commands = CAST('[]' AS BLOB) WHERE seq = ?", (row,))
    connection.commit()
    connection.close()
    with pytest.raises(JournalError, match=f"row {row} .*decides differently"):
        past_orders(path)
