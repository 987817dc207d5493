"""The tear sheet: every figure of the results is on it, nothing in it is obeyed, and it asks no network."""

import json
import re
from dataclasses import replace
from html import escape, unescape

import msgspec
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs
from typer.testing import CliRunner

from backtest.contest import contest
from backtest.dataset.errors import DataError
from backtest.journals import KeptJournals
from backtest.policies import POLICIES
from backtest.recorded import Conditions, Errand, plan_starts, work
from backtest.recording import find_recording
from backtest.results import contest_record, run_record, write_results
from backtest.sheet_data import Results
from backtest.sheet_figures import one_order
from backtest.sheet_trace import Touch, read_trace, thinned
from backtest.tear_sheet import chosen_parents, tear_sheet
from executor.domain.orders import Side, StrategyParams
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.interfaces.cli import app
from impact.square_root import SquareRoot
from simulation.frictions import Charges
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay.twin import ReplayTwin
from tests.backtest.recorded_days import as_run, store, wander
from tests.builders import D, submitted

CONDITIONS = Conditions(
    terms=ReplayTerms(
        feed=Delay(measured=True), entry=Delay(constant_ns=10 * NS_PER_MS), answer=Delay(constant_ns=10 * NS_PER_MS),
        conflate_ns=100 * NS_PER_MS, prices_only=True,
    ),
    charges=Charges(),
    warmup_s=15,
)  # fmt: skip
CHARGED = replace(CONDITIONS, impact=SquareRoot())
ORDER = submitted(order_qty=D("0.06"), duration_s=20, params=StrategyParams(interval_s=10))
HOSTILE = '</script><img src=x onerror=alert(1)><a href="http://evil.example">'


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return find_recording(store(tmp_path_factory.mktemp("market"), wander(140)), "BTCUSDT")


def errands(recording, policies):
    starts = plan_starts(recording, CONDITIONS, ORDER, start_ns=None, every_s=20)
    return [
        Errand(
            number=n, start_ns=at, order=replace(POLICIES[policy](ORDER, n), side=Side.SELL), policy=policy
        )
        for n, at in enumerate(starts, start=1)
        for policy in policies
    ]


@pytest.fixture(scope="module")
def ran(recording, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ran")
    chosen = errands(recording, ("TWAP",))[:2]
    ended = list(work(recording, CONDITIONS, chosen, ReplayTwin, KeptJournals(folder).opened))
    write_results(folder, run_record(as_run(recording, CONDITIONS, ended, 20)), ended)
    return folder


@pytest.fixture(scope="module")
def compared(recording, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    kept = KeptJournals(folder, 3)
    ended = []
    for one in work(recording, CHARGED, errands(recording, ("TWAP", "CROSS")), ReplayTwin, kept.opened):
        ended.append(one)
        kept.ended(one)
    found = contest(ended, every_s=20)
    write_results(folder, contest_record(found, [as_run(recording, CHARGED, ended, 20)]), ended)
    return folder


def own(text):
    """A page without plotly's script, which names addresses in comments and in code for maps."""
    assert text.count(get_plotlyjs()) == 1
    return text.replace(get_plotlyjs(), "")


def summary_of(folder):
    return json.loads((folder / "summary.json").read_bytes())


def cells(page):
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    return [[unescape(cell) for cell in re.findall(r"<t[hd]>(.*?)</t[hd]>", row)] for row in rows]


def figures(page):
    (found,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


# ---------------------------------------------------------------------- what stands on it


@pytest.mark.parametrize("kind", ["ran", "compared"])
def test_every_order_stands_with_the_figures_of_the_summary(kind, request):
    folder = request.getfixturevalue(kind)
    page, summary = own(tear_sheet(folder).text), summary_of(folder)
    lines = cells(page)
    header = next(line for line in lines if line[0] == "order")
    rows = {line[0]: dict(zip(header, line, strict=True)) for line in lines if len(line) == len(header)}
    assert len(summary["parents"]) == len(rows) - 1 > 1
    for parent in summary["parents"]:
        row, report = rows[parent["name"]], parent["report"]
        figures_of = {
            "cost bps": "arrival_shortfall_bps", "ordered": "order_qty", "filled": "cum_qty", "arrival": "arrival_px",
            "average": "avg_px", "side": "side", "participation %": "participation_pct", "waited": "maker_share",
        }  # fmt: skip
        for column, name in figures_of.items():
            assert row[column] == (report[name] or ""), (parent["name"], column)
        assert row["fills"] == str(parent["fills"])
        parts = [D(row[name]) for name in ("delay", "spread", "drift", "opportunity", "fees")]
        assert sum(parts) == D(report["shortfall_bps"]["total"])
        assert row["of the queue model"] == str(
            parent["fills_by_ground"].get("queue-model", {"fills": 0})["fills"]
        )
    told = [escape(one) for one in (*summary["warnings"], summary["note"])]
    assert all(one in page for one in told)
    assert ["queue model", "risk-averse"] in lines


def test_a_comparison_shows_its_pairs_with_their_intervals(compared):
    page, found = own(tear_sheet(compared).text), summary_of(compared)["contest"]
    (pair,) = found["pairs"]
    row = next(line for line in cells(page) if line[0] == "TWAP - CROSS")
    assert row[1:3] == [f"{pair['mean']:+.4f}", f"{pair['low']:+.4f} to {pair['high']:+.4f}"]
    means = {line[0]: float(line[2]) for line in cells(page) if line[0] in found["mean_cost_bps"]}
    assert means == pytest.approx(found["mean_cost_bps"], abs=1e-4)
    drawn = figures(page)["sheet"]
    assert drawn["differences"]["data"][0]["y"] == [each["TWAP"] - each["CROSS"] for each in found["each"]]
    assert drawn["duels"]["data"][0]["error_x"]["array"] == [pair["high"] - pair["mean"]]
    assert "Where no journal was kept" in page


def test_of_a_comparison_the_cheapest_and_the_dearest_keep_their_journals_and_are_drawn(compared):
    results = Results(compared)
    by_cost = sorted(results.summary.parents, key=lambda one: (one.report.arrival_shortfall_bps, one.name))
    assert len(by_cost) > 6
    wanted = {one.name for one in (by_cost[0], *by_cost[-2:])}
    assert set(results.journals) == wanted
    page = own(tear_sheet(compared, drawn_max=3).text)
    assert {f"{name} (BTCUSDT)" for name in wanted} == set(re.findall("<option>([^<]+)", page))
    for figure in figures(page)["orders"]:
        assert {"mid", "schedule", "participation"} <= {one["name"] for one in figure["data"]}
    assert "Where no journal was kept" not in page


def test_what_a_model_charges_stands_beside_the_cost(ran, compared):
    lines, summary = cells(own(tear_sheet(compared).text)), summary_of(compared)
    for policy, found in summary["contest"]["impact_model_bps"].items():
        (row,) = [line for line in lines if line[0] == policy]
        assert row[-1] == f"{found['mean']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"
        assert found["unknown"] == 0 < found["low"] < found["mean"] < found["high"]
    for parent in summary["parents"]:
        (row,) = [line for line in lines if line[0] == parent["name"]]
        assert row[-4:-1] == [parent["impact_model_bps"], parent["funding_quote"], parent["funding_bps"]]
    assert ["impact model", "square-root:0.9"] in lines
    assert "impact model, bps" not in own(tear_sheet(ran).text)


def test_an_order_is_drawn_as_its_journal_and_its_fills_tell(ran):
    results = Results(ran)
    parent = results.summary.parents[0]
    trace, trades = read_trace(results.journals[parent.name]), results.trades[parent.name]
    drawn = {one["name"]: one for one in one_order(parent, trades, trace)["data"]}
    assert drawn["executed"]["y"][-1] == drawn["schedule"]["y"][-1] == float(ORDER.order_qty)
    assert drawn["schedule"]["y"] == sorted(drawn["schedule"]["y"])
    assert [len(child.prices) for child in trace.children] == [1] * parent.report.orders_sent
    sent = {child.client_order_id: child for child in trace.children}
    assert all(child.prices[0][0] < child.done_ns <= trace.end_ns for child in sent.values())
    shown = sorted(px for name, one in drawn.items() if name.startswith("fill: ") for px in one["y"])
    assert shown == sorted(float(one.px) for one in trades)
    share = float(parent.report.participation_pct)
    assert drawn["participation"]["y"][-1] == pytest.approx(share, rel=0.2)
    low, high = min(drawn["mid"]["y"]), max(drawn["mid"]["y"])
    assert all(low - 1 <= px <= high + 1 for px in shown)


def test_plotly_knows_every_word_of_every_figure(ran, compared):
    for folder in (ran, compared):
        found = figures(own(tear_sheet(folder).text))
        for figure in (*found["sheet"].values(), found["orders"][0]):
            assert len(go.Figure(figure).data) == len(figure["data"]) > 0


# ---------------------------------------------------------------------- safe to open, and the same again


def test_the_same_results_give_the_same_bytes_and_no_address(ran):
    first = tear_sheet(ran).text
    assert first == tear_sheet(ran).text
    page = own(first)
    assert not re.search(r"https?:|//\w+\.|src=|href=|@import|url\(", page)
    assert "default-src 'none'" in page
    assert str(ran) not in page


def test_no_button_of_the_library_is_shown_since_one_of_them_opens_a_service(ran):
    assert "displayModeBar: false" in own(tear_sheet(ran).text)


def test_a_limit_far_from_the_market_does_not_flatten_the_picture_of_prices(ran):
    results = Results(ran)
    parent = results.summary.parents[0]
    trades, trace = results.trades[parent.name], read_trace(results.journals[parent.name])
    far = replace(trace, children=(replace(trace.children[0], prices=((trace.start_ns, D(10**9)),)),))
    low, high = one_order(parent, trades, far)["layout"]["yaxis"]["range"]
    mids = [float(one.mid_px) for one in trace.touches]
    assert low < min(mids) <= max(mids) < high < 2 * max(mids)


def test_text_from_outside_is_shown_and_not_obeyed(ran, tmp_path):
    record = summary_of(ran)
    record["warnings"] = [HOSTILE]
    record["recording"]["symbol"] = HOSTILE
    for parent in record["parents"]:
        parent["policy"] = parent["failure"] = HOSTILE
        parent["name"] = f"../{HOSTILE}"
    (tmp_path / "summary.json").write_bytes(msgspec.json.encode(record))
    (tmp_path / "trades.csv").write_text((ran / "trades.csv").read_text())
    page = own(tear_sheet(tmp_path).text)
    assert "<img" not in page
    assert "<a " not in page
    assert page.count("</script>") == 3
    assert page.count(escape(HOSTILE)) > 4
    # Plotly reads tags of its own in text; what it is given has none left.
    assert HOSTILE not in json.dumps(figures(page), ensure_ascii=False).replace('\\"', '"')


@pytest.mark.parametrize(
    ("name", "text"),
    [("summary.json", None), ("summary.json", "{}"), ("summary.json", '{"orders": NaN}'),
     ("trades.csv", None), ("trades.csv", "name,qty\nx,1\n"), ("trades.csv", "name,ts_exchange_ns\n\0,\xff\n")],
)  # fmt: skip
def test_results_that_are_none_are_refused_by_name(ran, tmp_path, name, text):
    for other in ("summary.json", "trades.csv"):
        (tmp_path / other).write_bytes((ran / other).read_bytes())
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=name):
        tear_sheet(tmp_path)


def test_a_comparison_that_lacks_a_cost_is_refused(compared, tmp_path):
    record = summary_of(compared)
    del record["contest"]["each"][1]["CROSS"]
    (tmp_path / "summary.json").write_bytes(msgspec.json.encode(record))
    with pytest.raises(DataError, match="without all costs of each moment"):
        tear_sheet(tmp_path)


def test_a_journal_that_is_none_is_refused_by_name(tmp_path):
    path = tmp_path / "x.db"
    path.write_bytes(b"nothing of ours")
    with pytest.raises(DataError, match=r"x\.db: cannot be replayed"):
        read_trace(path)


# ---------------------------------------------------------------------- what is left out


def test_of_many_orders_the_dearest_and_the_cheapest_are_drawn(compared):
    parents = Results(compared).summary.parents
    by_cost = sorted(parents, key=lambda one: (one.report.arrival_shortfall_bps, one.name))
    drawn = chosen_parents(parents, 3)
    assert {one.name for one in drawn} == {one.name for one in (by_cost[0], *by_cost[-2:])}
    assert chosen_parents(parents, len(parents)) == parents
    written = tear_sheet(compared, drawn_max=3)
    assert (written.orders, written.drawn) == (len(parents), 3)
    assert f"{len(parents) - 3} orders have no picture" in written.text


def test_thinning_loses_no_extreme_and_neither_end():
    points = [Touch(at * NS_PER_S, D(at * 7919 % 1_009), D(at)) for at in range(5_000)]
    kept = thinned(points, 400)
    assert len(kept) <= 400
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    for pick in (min, max):
        assert pick(one.mid_px for one in kept) == pick(one.mid_px for one in points)
    assert kept == sorted(kept, key=lambda one: one.at_ns)
    assert thinned(points[:400], 400) == points[:400]


# ---------------------------------------------------------------------- the command


def test_the_command_writes_the_page_and_replaces_no_file_unasked(compared, tmp_path):
    out = tmp_path / "page.html"
    asked = ["backtest", "report", str(compared), "-o", str(out)]
    told = CliRunner().invoke(app, [*asked, "--json"])
    assert told.exit_code == 0
    parents = len(summary_of(compared)["parents"])
    assert json.loads(told.stdout) == {"file": str(out), "orders": parents, "drawn": parents}
    assert out.read_text() == tear_sheet(compared).text
    out.write_text("mine")
    assert CliRunner().invoke(app, asked).exit_code != 0
    assert out.read_text() == "mine"
    assert CliRunner().invoke(app, [*asked, "--overwrite"]).exit_code == 0
    assert out.read_text().startswith("<!DOCTYPE html>")
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]
