"""The measurement under load measures: quantiles, losses that are seen, and the whole of it in small."""

import json
import math
from dataclasses import replace

import apsw
import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest

from benchmarks import load, load_page
from benchmarks.load_figures import Page, differences, quantile, slope
from benchmarks.load_page import page
from benchmarks.load_run import Run, run
from executor.runtime.reading import open_to_read
from tests.runtime.drives import tell_story


def observed(*values):
    registry = CollectorRegistry()
    histogram = Histogram("lag_seconds", "Late.", registry=registry, buckets=(0.01, 0.05, 0.1))
    for value in values:
        histogram.observe(value)
    return Page(generate_latest(registry).decode()).histogram("lag_seconds")


def test_quantiles_lie_evenly_in_their_bucket_and_end_with_what_is_known():
    lag = observed(*[0.005] * 50, *[0.03] * 49, 7.0)
    assert lag.quantile(0.25) == pytest.approx(0.005)
    assert lag.quantile(0.5) == pytest.approx(0.01)
    assert lag.quantile(0.99) == pytest.approx(0.05)
    assert lag.quantile(1.0) == 0.1, "beyond the last bound nothing is known"
    assert lag.share_within(0.05) == pytest.approx(0.99)
    assert observed().quantile(0.5) is None
    with pytest.raises(ValueError, match="not in"):
        lag.share_within(0.02)


def test_only_what_came_since_is_counted():
    before, after = observed(0.005, 7.0), observed(0.005, 7.0, 0.03, 0.03)
    since = after.since(before)
    assert since.count == 2
    assert since.total == pytest.approx(0.06)
    assert since.share_within(0.01) == 0


def test_quantiles_of_values_and_the_slope_of_a_line():
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 1.0) == 3.0
    assert quantile([], 0.5) is None
    assert slope([(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)]) == pytest.approx(2.0)
    assert slope([(1.0, 5.0)]) == 0.0


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A journal with a story of some fills, and the books of an exchange that agrees with it."""
    path = tmp_path_factory.mktemp("told") / "journal.db"
    tell_story(path, 2, 60)
    db = open_to_read(path)
    orders = [
        {"orderLinkId": name, "cumExecQty": cum_qty, "status": "Cancelled"}
        for name, cum_qty in db.execute("SELECT client_order_id, cum_qty FROM children")
    ]
    executions = [
        {"category": category, "symbol": symbol, "execId": name, "qty": qty, "price": px, "execType": "Trade"}
        for category, symbol, name, qty, px in db.execute(
            "SELECT category, symbol, exec_id, last_qty, last_px FROM fills"
        )
    ]
    db.close()
    assert len(orders) > 3
    assert len(executions) > 1
    return path, orders, executions


def found(told, orders, executions):
    return [each for each in differences(told[0], orders, executions) if "in doubt" not in each]


def test_books_that_agree_differ_in_nothing(told):
    _, orders, executions = told
    assert found(told, orders, executions) == []
    funding = {**executions[0], "execId": "f", "execType": "Funding"}
    assert found(told, orders, [*executions, funding]) == [], "no trade of ours"


def test_every_loss_is_seen(told):
    _, orders, executions = told
    first, filled = orders[0], next(each for each in orders if float(each["cumExecQty"]))
    other = {**first, "orderLinkId": "x-9-9"}
    name = filled["orderLinkId"]
    changed = [{**each, "cumExecQty": "77"} if each is filled else each for each in orders]
    still_open = [{**each, "status": "New"} if each is first else each for each in orders]
    assert found(told, [*orders, other], executions) == ["order x-9-9 of the exchange is not in the journal"]
    (one,) = found(told, changed, executions)
    assert one.startswith(f"order {name}: 77 executed")
    assert found(told, still_open, executions) == [
        f"order {first['orderLinkId']} is still open at the exchange"
    ]
    stranger = {**executions[0], "execId": "none-of-ours"}
    (one,) = found(told, orders, [*executions, stranger])
    assert one.startswith("execution none-of-ours is")
    assert found(told, orders, executions[1:]) == [
        f"fill {executions[0]['execId']} of the journal is not at the exchange"
    ]
    (one,) = found(told, orders, [{**executions[0], "qty": "9"}, *executions[1:]])
    assert one.startswith(f"execution {executions[0]['execId']} is")


def test_an_order_that_ends_in_doubt_is_told(told, tmp_path):
    path = tmp_path / "journal.db"
    path.write_bytes(told[0].read_bytes())
    db = apsw.Connection(str(path))
    db.execute("UPDATE children SET status = 'UNKNOWN' WHERE client_order_id = 'x-1-1'")
    db.close()
    assert sum("in doubt" in each for each in differences(path, told[1], told[2])) == 1


def made(parents, lag_ms, **over):
    quantiles = {"p50": lag_ms / 4, "p99": lag_ms, "p999": lag_ms, "most": lag_ms}
    usual = dict(
        parents=parents, viewers=1, seconds=60.0, lag_ms=quantiles, lag_looks=600, lag_within=0.9, probe_ms=quantiles,
        answers_ms={"overview": quantiles, "metrics": quantiles}, answers={"overview": 60, "metrics": 60},
        answers_kb={"overview": 9.0}, failed={}, scraped_by="Prometheus", series=9, events_per_s=9.0, orders_per_s=1.0,
        amends_per_s=0.0, fills_per_s=1.0, refused={}, engine_us=quantiles, commit_ms=quantiles, inbox_max=3,
        shares={"daemon": 0.2, "exchange": 0.1, "viewers": 0.1}, engine_share=0.1, commit_share=0.1,
        resident_mib=(90.0, 91.0), growth_mib_per_h=1.0, growth_kib=1.0, memory_mib=((0.0, 90.0),), exit_code=0,
        orders=9, executions=8, events=99, lost=(), audit="identical",
    )  # fmt: skip
    return Run(**(usual | over))


@pytest.mark.parametrize(
    ("words", "lags_ms", "tried", "code"),
    [
        (["--minutes", "1"], {200: 9.0}, [(200, 60.0)], 0),
        ([], {200: 51.0}, [(200, 900.0)], 1),
        (["--bend"], {200: 9.0, 400: 20.0, 800: 60.0}, [(200, 900.0), (400, 120.0), (800, 120.0)], 0),
        (["--bend", "--parents", "3"], {3: 70.0, 1: 60.0}, [(3, 900.0), (1, 120.0)], 1),
    ],
)
def test_where_it_bends_is_looked_for_upwards_or_downwards(monkeypatch, capsys, words, lags_ms, tried, code):
    runs = []

    def run(_, *, parents, seconds, **__):
        runs.append((parents, seconds))
        return made(parents, lags_ms[parents])

    monkeypatch.setattr(load, "run", run)
    assert load.main(words) == code
    assert runs == tried
    assert capsys.readouterr().out.count("loop lag: p99") == len(tried)


def test_the_page_is_written_with_what_was_found(monkeypatch, capsys, tmp_path):
    found = {200: 9.0, 400: 60.0}
    monkeypatch.setattr(load, "run", lambda _, *, parents, **__: made(parents, found[parents]))
    monkeypatch.setattr(load_page, "PAGE", tmp_path / "load.md")
    assert load.main(["--bend", "--write", "--json"]) == 0
    text = (tmp_path / "load.md").read_text()
    assert "python -m benchmarks.load --bend --write --json" in text
    assert "The bar holds at 200 orders and breaks at 400: p99 60.0 ms." in text
    told = json.loads(capsys.readouterr().out)
    assert [each["parents"] for each in told["runs"]] == [200, 400]
    assert [bar["met"] for bar in told["runs"][1]["bars"] if bar["name"] == "loop lag"] == [False]


def test_what_was_measured_is_kept_when_more_cannot_be(monkeypatch, capsys, tmp_path):
    def run(_, *, parents, **__):
        assert parents < 400, "the beginning of all orders did not happen"
        return made(parents, 9.0)

    monkeypatch.setattr(load, "run", run)
    monkeypatch.setattr(load_page, "PAGE", tmp_path / "load.md")
    assert load.main(["--bend", "--write"]) == 0
    text = (tmp_path / "load.md").read_text()
    assert "holds at 200 orders, the most that was tried. With 400 orders nothing could be measured" in text
    with pytest.raises(AssertionError, match="did not happen"):
        load.main(["--parents", "400"])


@pytest.mark.process
@pytest.mark.timeout(300)
def test_the_whole_in_small_loses_nothing_and_says_of_each_bar_whether_it_was_met(tmp_path):
    """No bar of time is asserted: the machine is not this test's alone."""
    steps = []
    done = run(tmp_path, parents=5, viewers=2, seconds=4.0, seed=3, tell=lambda step, _: steps.append(step))
    assert done.lost == ()
    assert (done.audit, done.exit_code) == ("identical", 0)
    assert done.events > 20
    assert done.lag_looks > 10
    assert min(done.answers["overview"], done.answers["order"]) > 0
    assert [each for each in done.failed if not each.startswith("metrics")] == []
    assert {"daemon", "exchange", "viewers"} <= done.shares.keys()
    assert list(dict.fromkeys(steps)) == ["start", "submit", "begin", "measure", "end", "audit"]
    bars = {bar.name: bar.met for bar in done.bars()}
    assert bars["no event lost"]
    told = load.tell(done)
    assert all(name in told for name in bars)
    assert "memory flat" not in bars, "it is too short to tell"
    lost = replace(
        done, lost=("fill 1 of the journal is not at the exchange",), seconds=900.0, growth_kib=math.inf
    )
    assert {bar.name for bar in lost.bars() if not bar.met} >= {"no event lost", "memory flat"}
    written = page(
        [done, replace(done, parents=10, lag_ms=dict.fromkeys(done.lag_ms, 70.0))], "the command", "a machine"
    )
    assert "breaks at 10: p99 70.0 ms" in written
    assert written.count("| 5 | 0 min |") == 1
