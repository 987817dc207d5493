"""Costs of many orders: read as they were written, summed up as the block statistics do, never merged by mistake."""

import json
from dataclasses import replace
from random import Random

import apsw
import msgspec
import numpy as np
import pytest

from backtest import results
from backtest.blocks import blocked, usual_block
from backtest.dataset.errors import DataError
from backtest.run import START_NS, prepare
from backtest.tca.groups import FAR, OUTLIERS_MAX, analyse, keys_of, means_of, overlap_of
from backtest.tca.measures import KEYS, MEASURES, PARTS, PREDICTED, columns
from backtest.tca.page import page_of
from backtest.tca.sources import (
    RESULTS,
    Costs,
    OrderCost,
    Parts,
    Report,
    find_sources,
    marked_fills,
    read_costs,
)
from backtest.tca.summary import summary_lines
from executor.domain.errors import JournalError
from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_S
from executor.interfaces.tca_tables import analysis_tables
from executor.runtime.audit import audit
from executor.runtime.journal import Journal
from executor.runtime.reading import read_past_run
from tests.backtest.cost_journals import ORDER, write
from tests.backtest.test_drive import SCENE
from tests.builders import T0

REPORT = Report(
    parent_id="P1", venue="v", category="linear", symbol="BTCUSDT", side="BUY", strategy="twap", status="COMPLETE",
    reason="ALL_FILLED", order_qty=1.0, cum_qty=1.0, cum_notional=100.0, fill_rate=1.0, arrival_px=100.0, avg_px=100.0,
    started_at="2023-11-14T22:13:20.000Z", duration_s=60.0, implementation_shortfall_bps=1.0,
    arrival_shortfall_bps=1.0, vwap_slippage_bps=None, twap_slippage_bps=None, spread_captured_bps=0.0, fees_bps=1.0,
    participation_pct=None, maker_share=0.5, orders_sent=1,
)  # fmt: skip


def order(number, cost=1.0, *, at_s=None, algorithm="twap", **changes):
    start_ns = T0 + int((60 * number if at_s is None else at_s) * NS_PER_S)
    report = msgspec.structs.replace(REPORT, **{"arrival_shortfall_bps": cost, **changes})
    return OrderCost(
        source=0,
        name=f"P{number}",
        algorithm=algorithm,
        start_ns=start_ns,
        end_ns=start_ns + 60 * NS_PER_S,
        report=report,
    )


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    path = tmp_path_factory.mktemp("tca") / "one.db"
    write(path, 1, parents=2)
    return path


def test_a_folder_of_results_has_the_file_that_is_looked_for():
    assert RESULTS == results.SUMMARY


def test_an_order_is_read_as_its_report_was_stored(journal):
    costs = read_costs([journal])
    past = read_past_run(journal)
    assert [one.name for one in costs.orders] == list(past.state.parents)
    for one in costs.orders:
        stored = past.report(past.state.parents[one.name])
        assert one.algorithm == stored["strategy"]
        for found, name in (
            (one.report.arrival_shortfall_bps, "arrival_shortfall_bps"),
            (one.report.cum_qty, "cum_qty"),
        ):
            assert found == float(stored[name])
        split = one.report.split_bps
        assert {part: getattr(split, part) for part in PARTS} == {
            part: float(stored["split_bps"][part]) for part in PARTS
        }
        assert sum(getattr(split, part) for part in PARTS) == pytest.approx(split.total, abs=1e-9)
        assert [mark.gain_bps for mark in one.report.mark_outs] == [
            None if mark["gain_bps"] is None else float(mark["gain_bps"]) for mark in stored["mark_outs"]
        ]


def test_the_fills_beside_the_journal_add_up_to_the_reports(journal):
    costs = read_costs([journal])
    assert costs.remarks == []
    for one in costs.orders:
        sums = [each for each in costs.fills if each.name == one.name]
        rows = [row for row in marked_fills(journal) if row["parent_id"] == one.name]
        assert sum(each.fills for each in sums) == len(rows) > 0
        assert sum(each.qty for each in sums) == pytest.approx(one.report.cum_qty)
        assert sum(each.notional for each in sums) == pytest.approx(one.report.cum_notional)
        value = one.report.order_qty * one.report.arrival_px
        for part in ("spread", "temporary", "permanent"):
            assert sum(row[part] for row in rows) / value * 10_000 == pytest.approx(
                getattr(one.report.split_bps, part), abs=1e-4
            )
        for index, mark in enumerate(one.report.mark_outs):
            known = sum(each.known_notional[index] for each in sums)
            assert known == pytest.approx(mark.notional)
            if mark.notional:
                gain = sum(each.gain[index] for each in sums)
                assert gain / known * 10_000 == pytest.approx(mark.gain_bps, abs=1e-4)


def test_fills_that_are_not_in_the_table_are_said(journal, tmp_path):
    path = tmp_path / "less.db"
    path.write_bytes(journal.read_bytes())
    db = apsw.Connection(str(path))
    db.execute("DELETE FROM marks WHERE rowid = (SELECT min(rowid) FROM marks)")
    db.close()
    (remark,) = read_costs([path]).remarks
    assert "fills of 1 orders do not add up" in remark


def test_a_report_of_an_older_version_is_read_without_what_it_did_not_know(journal, tmp_path):
    path = tmp_path / "older.db"
    path.write_bytes(journal.read_bytes())
    db = apsw.Connection(str(path))
    (body,) = db.execute("SELECT body FROM reports LIMIT 1").fetchone()
    older = json.loads(body)
    for name in (
        "split_bps",
        "split_quote",
        "mark_outs",
        "marks_pending",
        "reversion_bps",
        "close_slippage_bps",
    ):
        del older[name]
    db.execute("UPDATE reports SET body=?", (json.dumps(older).encode(),))
    db.execute("DROP TABLE marks")
    db.close()
    costs = read_costs([path])
    assert costs.orders[0].report.split_bps is None
    assert list(marked_fills(path)) == []
    found = analyse(costs, keys_of("algorithm"))
    assert "total" not in found.whole.figures
    assert any(line.startswith("in seven parts: 0 orders") for line in summary_lines(costs))
    assert "<title>Cost of 2 orders</title>" in page_of(costs, found)


@pytest.mark.parametrize("how", ["no database", "another program's", "a changed row", "a lost end", "newer"])
def test_what_cannot_be_trusted_is_refused_by_name_or_left_out_by_name(journal, tmp_path, how):
    path = tmp_path / "bad.db"
    path.write_bytes(b"nothing" * 999 if how == "no database" else journal.read_bytes())
    if how != "no database":
        db = apsw.Connection(str(path))
        match how:
            case "another program's":
                db.execute("DROP TABLE meta")
            case "a changed row":
                db.execute(
                    "UPDATE journal SET at_ns = at_ns + 1 WHERE seq = (SELECT max(seq) / 2 FROM journal)"
                )
            case "a lost end":
                db.execute("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)")
            case _:
                db.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
        db.close()
    with pytest.raises(JournalError, match=r"bad\.db") as caught:
        read_costs([journal, path])
    assert caught.value.code.startswith("DB_")
    costs = read_costs([journal, path], skip_broken=True)
    assert len(costs.orders) == 2
    (remark,) = costs.remarks
    assert remark.startswith("left out: ")
    assert "bad.db" in remark


def test_an_old_row_that_was_changed_is_found_where_the_whole_chain_is_checked(
    journal, tmp_path, monkeypatch
):
    monkeypatch.setattr("executor.runtime.integrity._TAIL_CHECKED", 10)
    path = tmp_path / "old.db"
    path.write_bytes(journal.read_bytes())
    db = apsw.Connection(str(path))
    db.execute("UPDATE journal SET at_ns = at_ns + 1 WHERE seq = 3")
    db.close()
    assert read_costs([path]).orders
    with pytest.raises(JournalError, match="row 3 was changed"):
        read_costs([path], whole_chain=True)
    assert read_costs([journal], whole_chain=True).orders


def test_paths_mean_each_journal_once(journal, tmp_path):
    assert find_sources([journal, journal.parent]) == [journal.resolve()]
    with pytest.raises(DataError, match="neither journals"):
        find_sources([tmp_path])
    with pytest.raises(DataError, match="no such file"):
        find_sources([tmp_path / "nothing"])


def test_a_copy_of_a_journal_is_refused_or_left_out_so_that_no_order_counts_twice(journal, tmp_path):
    copy = tmp_path / "copy.db"
    copy.write_bytes(journal.read_bytes())
    with pytest.raises(DataError, match="a copy of"):
        read_costs([journal, copy])
    costs = read_costs([journal, copy], skip_broken=True)
    assert len(costs.orders) == len(read_costs([journal]).orders)
    assert costs.remarks[0].startswith("left out: ")


def test_policies_of_a_comparison_stay_apart_though_their_strategy_is_one(tmp_path):
    """Policies TWAP and CROSS are both worked by `twap`; an order that was not taken has no report at all."""
    body = msgspec.to_builtins(REPORT)
    parents = [
        {
            "name": f"000{n}-buy-{policy}",
            "policy": policy,
            "start": "",
            "report": {**body, "arrival_shortfall_bps": f"{n}.5"},
        }
        for n, policy in enumerate(("TWAP", "CROSS"), start=1)
    ]
    parents.append({"name": "0003", "policy": "TWAP", "start": "", "report": {}})
    (tmp_path / RESULTS).write_text(json.dumps({"orders": 3, "parents": parents}))
    costs = read_costs([tmp_path])
    assert (len(costs.orders), costs.uncosted) == (2, 1)
    found = analyse(costs, keys_of("algorithm,side+algorithm"))
    assert [(each.key, each.figures["cost"].equal.mean) for each in found.groups["algorithm"]] == [
        ({"algorithm": "CROSS"}, 2.5),
        ({"algorithm": "TWAP"}, 1.5),
    ]
    assert [each.key for each in found.groups["side+algorithm"]] == [
        {"side": "BUY", "algorithm": "CROSS"},
        {"side": "BUY", "algorithm": "TWAP"},
    ]
    (tmp_path / RESULTS).write_text("{")
    with pytest.raises(DataError, match="not as results are written"):
        read_costs([tmp_path])


def test_means_and_errors_are_those_of_the_block_statistics():
    chance = Random(4)
    values = np.array([[chance.gauss(0, 1), chance.gauss(5, 3)] for _ in range(200)])
    found, blocks = means_of(values, 7)
    for column, mean in enumerate(found):
        wanted = blocked(list(values[:, column]), usual_block(200, 7))
        assert blocks == wanted.blocks
        for name in ("mean", "standard_error", "low", "high"):
            assert getattr(mean, name) == pytest.approx(getattr(wanted, name), rel=1e-9)
    few, blocks = means_of(values[:20], 7)
    assert blocks < 3
    assert few[0].standard_error is None
    assert means_of(values[:1], 1)[0][0].mean == values[0, 0]


def test_weighted_means_count_value_and_equal_ones_heads():
    orders = [order(n, float(n % 5), order_qty=float(1 + n % 3)) for n in range(60)]
    figure = analyse(Costs(orders=orders), keys_of("side")).whole.figures["cost"]
    weights = [1 + n % 3 for n in range(60)]
    mean = sum(w * (n % 5) for n, w in enumerate(weights)) / sum(weights)
    assert figure.equal.mean == pytest.approx(2.0)
    assert figure.weighted.mean == pytest.approx(mean)
    spread = [w * (n % 5 - mean) * 60 / sum(weights) for n, w in enumerate(weights)]
    assert figure.weighted.standard_error == pytest.approx(blocked(spread, usual_block(60, 1)).standard_error)
    assert figure.quantiles[2] == 2.0


def test_orders_that_live_together_widen_the_interval():
    """The same costs, one after the other or twenty at a time: fewer independent observations."""
    chance = Random(8)
    costs = [chance.gauss(0, 1) for _ in range(400)]
    apart = [order(n, cost) for n, cost in enumerate(costs)]
    together = [order(n, cost, at_s=n // 20 * 60) for n, cost in enumerate(costs)]
    many, few = (analyse(Costs(orders=each), []).whole.figures["cost"] for each in (apart, together))
    assert many.blocks > 2 * few.blocks
    laid = columns(together)
    assert overlap_of(laid.start_s, laid.end_s) == 19
    assert overlap_of(columns(apart).start_s, columns(apart).end_s) == 1


def test_the_interval_holds_the_true_mean_as_often_as_it_says():
    """300 times 120 orders, four at a time that share what the market did: 95 of 100 intervals hold zero."""
    chance, held = Random(12), 0
    for _ in range(300):
        shared = [chance.gauss(0, 1) for _ in range(30)]
        costs = np.array([[shared[n // 4] + chance.gauss(0, 0.3)] for n in range(120)])
        ((mean,), _) = means_of(costs, 4)
        held += mean.low <= 0 <= mean.high
    assert 0.91 <= held / 300 <= 0.985


def test_orders_that_cost_unlike_the_others_are_named():
    chance = Random(2)
    orders = [order(n, chance.gauss(0, 1)) for n in range(100)] + [order(100, 30.0), order(101, -25.0)]
    found = analyse(Costs(orders=orders), []).outliers
    assert [each.order.name for each in found[:2]] == ["P100", "P101"]
    assert all(abs(each.distance) > FAR for each in found)
    wild = [order(n, chance.gauss(0, 1)) for n in range(60)] + [order(60 + n, 100.0 + n) for n in range(20)]
    assert len(analyse(Costs(orders=wild), []).outliers) == OUTLIERS_MAX
    assert analyse(Costs(orders=[order(n) for n in range(5)]), []).outliers == []
    apart = [order(n, chance.gauss(0, 1)) for n in range(40)] + [
        order(40 + n, 50 + chance.gauss(0, 1), algorithm="pov") for n in range(20)
    ]
    assert analyse(Costs(orders=apart), []).outliers == [], "each is as the others of its algorithm"


def test_sizes_and_hours_have_their_order():
    orders = [
        order(n, order_qty=qty, at_s=at) for n, (qty, at) in enumerate([(1e5, 7200), (1.0, 0), (500.0, 3600)])
    ]
    found = analyse(Costs(orders=orders), keys_of("size,hour"))
    assert [each.key["size"] for each in found.groups["size"]] == ["below 1k", "10k to 100k", "1M and more"]
    assert [each.key["hour"] for each in found.groups["hour"]] == ["00", "22", "23"]
    with pytest.raises(ValueError, match="weekday"):
        keys_of("side,weekday")
    assert set(KEYS) == {"algorithm", "symbol", "side", "size", "hour", "venue", "status"}


def test_no_orders_are_no_analysis():
    with pytest.raises(ValueError, match="no order"):
        analyse(Costs(), [])


def test_every_measure_is_told_where_it_is_known(journal, tmp_path):
    write(tmp_path / "sell.db", 2, Side.SELL)
    costs = read_costs([journal, tmp_path])
    figures = analyse(costs, keys_of("side")).whole.figures
    # Nobody was advised, nothing was foretold, and no fill lived to its last mark within these drives.
    assert {each.name for each in MEASURES} - set(figures) == {
        "advice_value",
        "reversion",
        "mark_out_300s",
        *PREDICTED,
    }
    parts = sum(figures[part].equal.mean for part in PARTS)
    assert parts == pytest.approx(figures["total"].equal.mean, abs=1e-9)
    assert figures["midpoint"].equal.mean == pytest.approx(-figures["spread_captured"].equal.mean)
    none = Parts(delay=0, spread=0, temporary=0, permanent=0, timing=0, opportunity=0, fees=0, total=0)
    split = replace(costs.orders[0], report=msgspec.structs.replace(REPORT, split_bps=none))
    assert analyse(Costs(orders=[split]), []).whole.figures["total"].equal.mean == 0


def test_what_was_foretold_is_held_against_what_was_paid():
    told = {"predicted_bps": 2.0, "predicted_low_bps": 1.0, "predicted_high_bps": 3.0}
    orders = [
        order(0, arrival_slippage_bps=3.0, **told),
        order(1, arrival_slippage_bps=5.0, **told),
        order(2, arrival_slippage_bps=None, **told),  # nothing was filled
        order(3, arrival_slippage_bps=9.0),  # nothing was foretold
    ]
    figures = analyse(Costs(orders=orders), []).whole.figures
    assert {name: (figures[name].orders, figures[name].equal.mean) for name in PREDICTED} == {
        "predicted": (2, 2.0),
        "above_predicted": (2, 2.0),
        "inside_share": (2, 0.5),
    }
    (shown,) = [
        each
        for each in analysis_tables(Costs(orders=orders), analyse(Costs(orders=orders), keys_of("algorithm")))
        if "Foretold" in str(each.title)
    ]
    assert [next(iter(column.cells)).plain for column in shown.columns] == [
        "twap", "2", "+2.000", "+2.000", "+0.500"
    ]  # fmt: skip


def test_marks_that_come_after_the_end_are_in_the_report_and_the_audit_finds_the_same(tmp_path):
    """A daemon that lives on: every mark is known at last, the report stored again, and a replay says the same."""
    path = tmp_path / "long.db"
    with Journal.open(path, create=True, instance="sim") as kept:
        runtime = prepare(replace(SCENE, parents=(ORDER,)), 5, journal=kept)
        runtime.run(START_NS + (SCENE.warmup_s + 100) * NS_PER_S)
        assert runtime.engine.state.marks
        runtime.run(START_NS + (SCENE.warmup_s + 500) * NS_PER_S)
        runtime.finish()
    assert not runtime.engine.state.marks
    assert audit(path).identical
    (only,) = read_costs([path]).orders
    assert only.report.marks_pending == 0
    assert {mark.fills for mark in only.report.mark_outs} == {len(list(marked_fills(path)))}
    assert only.report.reversion_bps is not None
    assert all(row["is_whole"] for row in marked_fills(path))
