"""What stands beside the cost of an order in recorded books: funding, and what a model of impact charges.

Also contracts that pay in coin, and an order that arrives where there is no book. All figures are reckoned by hand.
"""

import csv
from dataclasses import replace
from io import StringIO

import pytest

from backtest.contest import contest
from backtest.dataset.gather import Stream
from backtest.dataset.rows import Flag, Kind
from backtest.holding import Settlement, funding_paid
from backtest.own_impact import own_impact
from backtest.policies import POLICIES
from backtest.recorded import Conditions, Errand, work
from backtest.recording import Reel, find_recording
from backtest.results import contest_record, run_record, write_results
from executor.domain.orders import Category, Liquidity, Side, StrategyParams
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ONE, ZERO
from executor.interfaces.recorded_words import contest_words
from impact.models import read_model
from impact.protocol import Pace
from impact.square_root import SquareRoot
from simulation.frictions import Charges
from simulation.replay import codes
from simulation.replay.spoken import Account
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay.twin import ReplayTwin
from simulation.replay_venue import Steps
from tests.backtest.recorded_days import as_run, still, store, wander
from tests.builders import T0, D, fill, instrument, submitted

TERMS = ReplayTerms(
    feed=Delay(measured=True), entry=Delay(constant_ns=10 * NS_PER_MS), answer=Delay(constant_ns=10 * NS_PER_MS),
    conflate_ns=100 * NS_PER_MS, prices_only=True,
)  # fmt: skip
CONDITIONS = Conditions(terms=TERMS, charges=Charges(), warmup_s=15)
BEGIN_NS = T0 + 20 * NS_PER_S
AT_ONCE = StrategyParams(interval_s=10, passiveness=ZERO, catch_up_max=ONE)
"""Three slices of an order of thirty seconds, each taken as it begins."""
COIN = Stream("bybit", "inverse", "BTCUSD")
SIDES = pytest.mark.parametrize("side", list(Side))


def worked(recording, order, *, side=Side.BUY, policy="TWAP", conditions=CONDITIONS, start_ns=BEGIN_NS):
    errand = Errand(
        number=1, start_ns=start_ns, order=replace(POLICIES[policy](order, 1), side=side), policy=policy
    )
    (one,) = work(recording, conditions, [errand], ReplayTwin)
    return one


# ---------------------------------------------------------------------- funding


def held(root, *said):
    """A linear market at 49999.9 / 50000.1 with more than enough on either side."""
    rows = still(90, (0.1, Kind.MARK, 0, 500_000, 0), *said, bid=499_999, ask=500_001, lots=5_000)
    return find_recording(store(root, rows), "BTCUSDT")


@SIDES
def test_funding_is_paid_on_what_was_filled_by_then_and_is_in_no_cost(tmp_path, side):
    """Settled at 5 and 15 s: 0.02 and 0.04 of 0.06 are held. At 50000.0, 1 bp of it is 0.1 and 0.2 USDT.

    Of 3000 USDT ordered that is 1 bp. A third settlement comes when the order has ended, with its last slice at 20 s.
    """
    fundings = [(at_s, Kind.FUNDING, 0, 100_000, 0) for at_s in (25, 35, 45)]
    order = submitted(order_qty=D("0.06"), duration_s=30, params=AT_ONCE)
    one = worked(held(tmp_path / "with", *fundings), order, side=side)
    assert [fill.last_qty for fill, _ in one.fills] == [D("0.02")] * 3
    assert one.funding == side.sign * D("0.3")
    assert round(one.funding_bps, 4) == side.sign
    without = worked(held(tmp_path / "without"), order, side=side)
    assert without.funding == 0
    assert without.drive.cost_bps == one.drive.cost_bps


def test_funding_is_told_in_every_place(tmp_path):
    (tmp_path / "out").mkdir()
    recording = held(tmp_path, (35, Kind.FUNDING, 0, -100_000, 0))
    one = worked(recording, submitted(order_qty=D("0.06"), duration_s=30, params=AT_ONCE))
    record = run_record(as_run(recording, CONDITIONS, [one], None))
    assert record["funding"] == {"orders_charged": 1, "mean_bps": pytest.approx(-2 / 3)}
    assert record["parents"][0]["funding_quote"] == "-0.2"
    assert record["parents"][0]["funding_bps"] == "-0.6667"
    write_results(tmp_path / "out", record, [one])
    (line,) = csv.DictReader(StringIO((tmp_path / "out" / "parents.csv").read_text()))
    assert (line["funding_quote"], line["funding_bps"]) == ("-0.2", "-0.6667")


def test_a_comparison_tells_the_funding_of_each_policy_beside_its_cost(tmp_path):
    """Settled every 5 s at 1 bp, got by a seller: twice with a third sold, twice with two; CROSS ends at once."""
    fundings = [(at_s + 0.5, Kind.FUNDING, 0, 100_000, 0) for at_s in range(20, 110, 5)]
    rows = still(170, (0.1, Kind.MARK, 0, 500_000, 0), *fundings, bid=499_999, ask=500_001, lots=5_000)
    recording = find_recording(store(tmp_path, rows), "BTCUSDT")
    order = submitted(order_qty=D("0.06"), duration_s=30, params=AT_ONCE, side=Side.SELL)
    errands = [
        Errand(number=n, start_ns=T0 + 20 * n * NS_PER_S, order=POLICIES[policy](order, 1), policy=policy)
        for n in (1, 2, 3, 4)
        for policy in ("TWAP", "CROSS")
    ]
    ended = list(work(recording, CONDITIONS, errands, ReplayTwin))
    found = contest(ended, every_s=20, block=1)
    record = contest_record(found, [as_run(recording, CONDITIONS, ended, 20)])
    told = record["contest"]["funding"]
    assert told["TWAP"] == {"orders_charged": 4, "mean_bps": pytest.approx(-2.0)}
    assert told["CROSS"] == {"orders_charged": 0, "mean_bps": 0.0}
    lines = [line for line in contest_words(record, found).splitlines() if "for holding" in line]
    assert lines == [
        "TWAP           -2.0000 bps beside the cost for holding (below zero: received); 4 orders charged"
    ]


def test_inverse_funding_is_position_times_rate_at_any_mark():
    fills = [
        fill(category=Category.INVERSE, last_qty=D(qty), ts_exchange_ns=at_ns, side=side)
        for qty, at_ns, side in ((300, 10, Side.SELL), (100, 20, Side.SELL), (50, 30, Side.BUY))
    ]
    rules = instrument(category=Category.INVERSE, symbol="BTCUSD")
    steps = Steps(tick_size=D("0.1"), lot_size=D(1))

    def paid(*settled):
        whole = Account(-350, 0, 0, 0, 123_456_789, 3)
        return funding_paid(rules, steps, whole, fills, [Settlement(*one) for one in settled])

    assert paid((20, 1_000_000)) == D("-0.3"), "a fill of its very instant is later"
    assert paid((21, 1_000_000), (31, -2_000_000)) == D("-0.4") + D("0.7")
    assert paid() == 0


# ---------------------------------------------------------------------- contracts that pay in coin


def coin(root, *said):
    """62475.0 / 62525.0: a mid of 62500.0, and five million contracts a second more than anybody needs."""
    rows = still(90, *said, bid=624_750, ask=625_250, lots=5_000_000)
    rules = dict(
        symbol="BTCUSD", quote_coin="USD", min_order_qty=D(1), max_order_qty=D(1_000_000), min_notional=D(0)
    )
    return find_recording(store(root, rows, stream=COIN, steps=("0.1", "1"), **rules), "BTCUSD")


@pytest.mark.parametrize(
    ("side", "coin_qty", "cost_bps"),
    [(Side.BUY, "0.0079968012794882047", "9.498401"), (Side.SELL, "0.0080032012805122049", "9.501601")],
)
def test_an_inverse_order_costs_what_its_coin_is_worth(tmp_path, side, coin_qty, cost_bps):
    """500 USD at 62525 are 500/62525 BTC, where 500/62500 were bought on paper: 25/62525 or 3.998401 bps too few.

    Sold at 62475 they cost 500/62475 BTC, 25/62475 or 4.001601 bps too many. The fee is 5.5 bps of either, 0.275 USD.
    """
    order = submitted(category=Category.INVERSE, symbol="BTCUSD", order_qty=D(500), duration_s=30)
    recording = coin(tmp_path)
    one = worked(recording, order, side=side, policy="CROSS")
    ((filled, _),) = one.fills
    assert round(filled.coin_qty, 19) == D(coin_qty)
    assert (filled.fee, filled.liquidity) == (filled.coin_qty * D("0.00055"), Liquidity.TAKER)
    (report,) = one.drive.reports
    assert (report.facts.cum_qty, report.facts.cum_notional) == (D(500), D(500))
    assert round(report.facts.fees, 12) == D("0.275")
    assert round(report.fees_bps, 9) == D("5.5")
    assert round(one.drive.cost_bps, 6) == D(cost_bps)
    assert one.drive.paper_notional == 500
    assert one.account.position == side.sign * 500
    out = tmp_path / "out"
    out.mkdir()
    write_results(out, run_record(as_run(recording, CONDITIONS, [one], None)), [one])
    (line,) = csv.DictReader(StringIO((out / "trades.csv").read_text()))
    assert (round(D(line["value"]), 19), line["value_unit"]) == (D(coin_qty), "coin")
    assert round(D(line["fee"]) * filled.last_px, 12) == D("0.275")


@SIDES
def test_an_inverse_order_pays_funding_on_its_contracts(tmp_path, side):
    """300 of 300 are worked in three slices; 200 are held at the settlement: 1 bp of that is 0.02 USD at any price."""
    recording = coin(tmp_path, (0.1, Kind.MARK, 0, 700_000, 0), (35, Kind.FUNDING, 0, 100_000, 0))
    order = submitted(
        category=Category.INVERSE, symbol="BTCUSD", order_qty=D(300), duration_s=30, params=AT_ONCE
    )
    one = worked(recording, order, side=side)
    assert [fill.last_qty for fill, _ in one.fills] == [D(100)] * 3
    assert one.funding == side.sign * D("0.02")
    assert round(one.funding_bps, 4) == side.sign * D("0.6667")


# ---------------------------------------------------------------------- what it would have moved the price


MODELLED = replace(CONDITIONS, impact=SquareRoot(1.0))


@pytest.fixture(scope="module")
def flipping(tmp_path_factory):
    """A mid that is 50000.0 and 50000.5 in turns, second by second, and a trade of 2 in each of them.

    A return of 1e-5 a second is 0.06 % an hour, and 2 a second are 7200 an hour.
    """
    rows = still(0, bid=499_999, ask=500_001, lots=5_000)
    for second in range(1, 90):
        at_ns = T0 + second * NS_PER_S
        old, new = (500_011, 500_001) if second % 2 == 0 else (500_001, 500_011)
        for kind, side, px, qty, flags in (
            (Kind.TRADE, 1, old, 2_000, 0),
            (Kind.LEVEL, -1, old, 0, 0),
            (Kind.LEVEL, -1, new, 5_000, Flag.LAST),
        ):
            rows.append((at_ns, at_ns, kind, side, px, qty, 0, 0, flags))
    return find_recording(store(tmp_path_factory.mktemp("market"), rows), "BTCUSDT")


LARGE = submitted(order_qty=D("0.72"), duration_s=30, params=AT_ONCE)


def done(work):
    """What the engine did, without what it had foretold."""
    return [replace(report.facts, forecast=None) for report in work.drive.reports], work.drive.events


@SIDES
@pytest.mark.parametrize("policy", ["TWAP", "CROSS"])
def test_an_order_is_charged_two_thirds_of_the_peak_beside_its_cost(flipping, side, policy):
    """0.72 of 7200 is 1e-4: the peak is 6 bps times 0.01, two thirds of it are 0.04 bps, in three pieces as in one."""
    plain = worked(flipping, LARGE, side=side, policy=policy)
    one = worked(flipping, LARGE, side=side, policy=policy, conditions=MODELLED)
    assert one.fills == plain.fills
    assert done(one) == done(plain), "it changes nothing that the engine does"
    assert [report.facts.forecast is None for report in one.drive.reports] == [False]
    assert plain.impact is None
    assert len(one.fills) == (3 if policy == "TWAP" else 1)
    told = one.impact.estimate
    assert told.estimate_bps == pytest.approx(0.04, rel=1e-4)
    assert (told.low_bps, told.high_bps) == pytest.approx((0.012, 0.06), rel=1e-4)


def test_the_charge_is_told_in_every_place_with_what_it_rests_on(flipping, tmp_path):
    one = worked(flipping, LARGE, conditions=MODELLED)
    record = run_record(as_run(flipping, MODELLED, [one], None))
    assert record["conditions"]["impact_model"] == "square-root:1"
    assert record["impact_model_bps"] == {
        "orders": 1, "unknown": 0, "mean": pytest.approx(0.04, rel=1e-4), "low": pytest.approx(0.012, rel=1e-4),
        "high": pytest.approx(0.06, rel=1e-4),
    }  # fmt: skip
    (warned,) = record["warnings"]
    assert "square-root:1 is beside the cost and not in it" in warned
    write_results(tmp_path, record, [one])
    (line,) = csv.DictReader(StringIO((tmp_path / "parents.csv").read_text()))
    names = ("impact_model_bps", "impact_model_low_bps", "impact_model_high_bps", "impact_model_unknown")
    assert [line[name] for name in names] == ["0.0400", "0.0120", "0.0600", ""]
    none = run_record(as_run(flipping, CONDITIONS, [worked(flipping, LARGE)], None))
    assert (none["impact_model_bps"], none["conditions"]["impact_model"]) == (None, "none")


@pytest.mark.parametrize(
    ("rows", "warmup_s", "why"),
    [
        (wander(120), 5, "the market was watched for less than 10 s before the order"),
        (still(120, bid=499_999, ask=500_001, lots=5_000), 15, "the price did not move before the order"),
        (wander(120, trades=False), 15, "nobody traded before the order"),
    ],
)
def test_what_cannot_be_known_is_said_and_is_no_zero(tmp_path, rows, warmup_s, why):
    recording = find_recording(store(tmp_path, rows), "BTCUSDT")
    one = worked(recording, LARGE, conditions=replace(MODELLED, warmup_s=warmup_s))
    assert (one.impact.estimate, one.impact.unknown) == (None, why)
    record = run_record(as_run(recording, MODELLED, [one], None))
    assert record["impact_model_bps"] == {"orders": 0, "unknown": 1, "mean": None, "low": None, "high": None}
    assert record["parents"][0]["impact_model_bps"] is None
    assert any(told.endswith(f"nothing of 1 order: {why}") for told in record["warnings"])


def test_fills_are_charged_in_the_direction_of_the_order():
    fills = [
        fill(side=Side.SELL, last_qty=D(qty), ts_exchange_ns=at_ns) for qty, at_ns in (("1", 1), ("3", 2))
    ]
    told = own_impact(SquareRoot(1.0), fills, Pace(1.0, 100.0), D(8))
    assert told.estimate.estimate_bps == pytest.approx(20 / 3)


@pytest.mark.parametrize(
    "text",
    ["power-law:0.9,0.6", "athl", "almgren-chriss", "kyle:0.5", "obizhaeva-wang:2,300,0.2", "propagator:0.2,0.5,10",
     "hybrid:1.5,0.5,of=square-root"],
)  # fmt: skip
def test_every_model_charges_fills_the_same_on_either_side(text):
    model, told = read_model(text), {}
    for side in Side:
        fills = [
            fill(side=side, last_qty=D(qty), ts_exchange_ns=at_ns)
            for qty, at_ns in (("1", 0), ("2", 0), ("3", 10**9), ("1", 90 * 10**9))
        ]
        told[side] = own_impact(model, fills, Pace(1.0, 100.0), D(8)).estimate
    assert told[Side.BUY] == told[Side.SELL]
    assert 0 < told[Side.BUY].low_bps < told[Side.BUY].estimate_bps < told[Side.BUY].high_bps


# ---------------------------------------------------------------------- where there is no book


@pytest.mark.parametrize("flags", [Flag.LAST, Flag.LAST | Flag.GAP])
def test_nothing_trades_in_a_book_that_was_emptied_until_it_is_there_again(tmp_path, monkeypatch, flags):
    """The book goes at 10 s by a message of its own; trades go on; a new book is there at 20 s, in another piece."""
    monkeypatch.setattr("backtest.dataset.store.GROUP_ROWS", 15)
    rows = still(30, bid=499_999, ask=500_001, lots=5_000)
    at = next(number for number, row in enumerate(rows) if row[0] == T0 + 10 * NS_PER_S)
    rows.insert(at, (T0 + 10 * NS_PER_S, T0 + 10 * NS_PER_S, Kind.CLEAR, 0, 0, 0, 0, 0, flags))
    back = next(number for number, row in enumerate(rows) if row[0] == T0 + 20 * NS_PER_S)
    again = [(T0 + 20 * NS_PER_S,) * 2 + tuple(row[2:]) for row in rows[:3]]
    rows[back:back] = again
    recording = find_recording(store(tmp_path, rows), "BTCUSDT")
    reel = Reel(recording)
    venue, reader = ReplayTwin(TERMS, start_ns=T0), reel.chunks(0)

    def until(at_s):
        while venue.advance(T0 + int(at_s * NS_PER_S)) == codes.MORE:
            played, final = next(reader)
            venue.feed(played, final=final)
        return [(one.order_id, one.kind, one.detail) for one in venue.answers()]

    def touch():
        return venue.glance().bid_px, venue.glance().ask_px

    until(9)
    assert touch() == (499_999, 500_001)
    for number, at_s in enumerate((10.2, 15.2, 19.9), start=1):
        until(at_s)
        assert touch() == (0, 0), "that the book is empty is seen"
        venue.place(number, 1, 499_999, 10, codes.POST_ONLY)
        assert until(at_s + 0.05) == [(number, codes.REJECTED, codes.NO_MARKET)]
    until(20.2)
    assert touch() == (499_999, 500_001)
    venue.place(9, 1, 499_999, 10, codes.POST_ONLY)
    assert until(20.3) == [(9, codes.ACCEPTED, codes.NO_REASON)]
