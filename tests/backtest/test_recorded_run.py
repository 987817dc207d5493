"""Orders in recorded books: nothing lost or double, twice the same, each by itself, and honest about its fills."""

import sqlite3
from contextlib import nullcontext
from dataclasses import replace

import pytest

from backtest import scripted
from backtest.dataset.errors import DataError
from backtest.dataset.gather import Stream
from backtest.dataset.importers.protocol import Options
from backtest.dataset.intake import Intake
from backtest.dataset.rows import Flag, Kind
from backtest.grounds import Ground, ground_of, warning
from backtest.journals import KeptJournals
from backtest.policies import POLICIES
from backtest.recorded import Conditions, Errand, PlanError, plan_starts, work
from backtest.recording import Reel, find_recording
from backtest.results import run_record, write_results
from backtest.run import DriveError
from backtest.scenes import USUAL_TERMS
from executor.advice.prompt import Template
from executor.domain.errors import InvariantViolation
from executor.domain.limits import Limits, Timings
from executor.domain.orders import Liquidity, Side, StrategyParams
from executor.domain.timeline import NS_PER_DAY, NS_PER_MS, NS_PER_S
from executor.runtime.audit import audit
from simulation.frictions import Charges
from simulation.replay.machine import ReplayMachine
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay.twin import ReplayTwin
from tests.backtest.recorded_days import as_run, store, wander
from tests.builders import T0, D, fill, submitted
from tests.dataset.recordings import ROOT, files_of

TERMS = ReplayTerms(
    feed=Delay(measured=True), entry=Delay(constant_ns=10 * NS_PER_MS), answer=Delay(constant_ns=10 * NS_PER_MS),
    conflate_ns=100 * NS_PER_MS, prices_only=True,
)  # fmt: skip
CONDITIONS = Conditions(terms=TERMS, charges=Charges(), warmup_s=15)
ORDER = submitted(order_qty=D("0.06"), duration_s=30, params=StrategyParams(interval_s=10))
SECONDS = 200


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return find_recording(store(tmp_path_factory.mktemp("market"), wander(SECONDS)), "BTCUSDT")


def errands(
    recording, *, every_s=30, sides=Side, policies=("TWAP",), order=ORDER, conditions=CONDITIONS, **over
):
    starts = plan_starts(recording, conditions, order, start_ns=None, every_s=every_s)
    return [
        Errand(
            number=n, start_ns=at, order=replace(POLICIES[policy](order, n), side=side), policy=policy, **over
        )
        for n, at in enumerate(starts, start=1)
        for side in sides
        for policy in policies
    ]


def worked(recording, chosen, *, conditions=CONDITIONS, make=ReplayTwin):
    return list(work(recording, conditions, chosen, make))


@pytest.fixture(scope="module")
def done(recording):
    return worked(recording, errands(recording))


# ---------------------------------------------------------------------- what is kept


def test_what_the_venue_filled_is_what_the_engine_booked_and_the_report_says(recording, done):
    assert len(done) == 12
    lot, tick = recording.steps.lot_size, recording.steps.tick_size
    for one in done:
        (report,) = one.drive.reports
        qty = sum(fill.last_qty for fill, _ in one.fills)
        value = sum(fill.last_qty * fill.last_px for fill, _ in one.fills)
        sign = one.errand.order.side.sign
        assert qty == report.facts.cum_qty == ORDER.order_qty == sign * one.account.position * lot
        assert value == report.facts.cum_notional == -sign * one.account.cash * tick * lot
        assert sum(fill.fee for fill, _ in one.fills) == report.facts.fees
        turnover = {kind: sum(f.notional for f, _ in one.fills if f.liquidity is kind) for kind in Liquidity}
        assert turnover[Liquidity.MAKER] == one.account.maker_turnover * tick * lot
        assert report.facts.fees == (
            turnover[Liquidity.MAKER] * CONDITIONS.charges.maker_fee_rate
            + turnover[Liquidity.TAKER] * CONDITIONS.charges.taker_fee_rate
        )
        assert len({fill.exec_id for fill, _ in one.fills}) == len(one.fills) == one.account.fills
    assert {kind for one in done for _, kind in one.fills} >= {Ground.QUEUE_MODEL, Ground.PRINT_THROUGH}


def test_a_venue_that_keeps_other_books_is_not_believed(recording):
    class Liar(ReplayTwin):
        def account(self):
            return super().account()._replace(position=1)

    with pytest.raises(InvariantViolation, match="disagree about what was filled"):
        worked(recording, errands(recording)[:1], make=Liar)


def test_two_runs_write_the_same_bytes_and_every_journal_stands_its_audit(recording, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        chosen = errands(recording, every_s=60, sides=(Side.BUY,))
        ended = list(work(recording, CONDITIONS, chosen, ReplayTwin, KeptJournals(folder).opened))
        write_results(folder, run_record(as_run(recording, CONDITIONS, ended, 60)), ended)
    files = [sorted(path.relative_to(folder) for path in folder.rglob("*.*")) for folder in folders]
    assert files[0] == files[1]
    assert len(files[0]) == 3 + 3
    for name in files[0]:
        if name.suffix != ".db":
            assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
            continue
        tables = [dump(folder / name) for folder in folders]
        assert tables[0] == tables[1]
        result = audit(folders[0] / name)
        assert result.identical, result.first_difference
    assert b"/" + tmp_path.name.encode() not in (folders[0] / "summary.json").read_bytes()


def dump(path):
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


@pytest.mark.timeout(600)  # the first call compiles the venue, where that is not on disk yet
def test_the_compiled_venue_gives_the_same_to_the_last_byte(recording, done):
    assert worked(recording, errands(recording), make=ReplayMachine) == done


def test_an_order_is_worked_as_if_it_were_alone(recording, done):
    alone = worked(recording, errands(recording)[3:4])
    assert alone == done[3:4]


def test_rows_that_come_in_pieces_are_the_same_rows(tmp_path, monkeypatch, done):
    monkeypatch.setattr("backtest.dataset.store.GROUP_ROWS", 97)
    cut = find_recording(store(tmp_path, wander(SECONDS)), "BTCUSDT")
    assert worked(cut, errands(cut)) == done


def test_rows_behind_the_last_order_are_let_go_of(tmp_path, monkeypatch):
    monkeypatch.setattr("backtest.dataset.store.GROUP_ROWS", 97)
    long = find_recording(store(tmp_path, wander(900)), "BTCUSDT")
    chosen = errands(long, order=replace(ORDER, duration_s=800), every_s=3_600, sides=(Side.BUY,))
    (whole,) = worked(long, chosen)
    kept = []

    class Counting(Reel):
        def forget_until(self, at_ns):
            super().forget_until(at_ns)
            kept.append(len(self._kept))

    monkeypatch.setattr("backtest.recorded.Reel", Counting)
    assert worked(long, chosen) == [whole]
    assert len({ground for _, ground in whole.fills}) > 1
    assert max(kept) < len(kept) / 2


def test_finer_steps_of_another_day_change_no_price(tmp_path, done):
    halves = [(*row[:4], row[4] * 2, row[5] * 4, *row[6:]) for row in wander(SECONDS)]
    fine = find_recording(store(tmp_path, halves, steps=("0.05", "0.00025")), "BTCUSDT")
    again = worked(fine, errands(fine))
    assert [one.drive for one in again] == [one.drive for one in done]
    later = [(row[0] + NS_PER_DAY, row[1] + NS_PER_DAY, *row[2:]) for row in halves]
    store(tmp_path, later, steps=("0.05", "0.00025"))
    store(tmp_path, wander(SECONDS))
    both = find_recording(tmp_path, "BTCUSDT")
    assert (both.steps.tick_size, both.steps.lot_size) == (D("0.05"), D("0.00025"))
    assert [one.drive for one in worked(both, errands(both)[:2])] == [one.drive for one in done[:2]]


def test_latency_matters(recording, done):
    slow = replace(CONDITIONS, terms=replace(TERMS, entry=Delay(constant_ns=900 * NS_PER_MS)))
    late = worked(recording, errands(recording), conditions=slow)
    assert [one.fills for one in late] != [one.fills for one in done]


# ---------------------------------------------------------------------- advice


def test_advice_without_effect_changes_no_order_and_advice_at_random_does(recording, done):
    advised = replace(
        CONDITIONS, adviser=replace(USUAL_TERMS, interval_s=10), template=Template(name="t", text="J")
    )

    def asking(adviser):
        return worked(recording, errands(recording, make_adviser=adviser), conditions=advised)

    unchanged = asking(lambda _drift, _seed: scripted.unchanged("scripted"))
    assert [one.fills for one in unchanged] == [one.fills for one in done]
    assert all(one.drive.calls for one in unchanged)
    drawn = asking(lambda _drift, seed: scripted.uninformed("scripted", seed))
    assert [one.fills for one in drawn] != [one.fills for one in done]
    assert sum(one.drive.bill for one in drawn) > 0


# ---------------------------------------------------------------------- policies


def test_crossing_takes_all_at_arrival_and_random_draws_anew(recording):
    ended = worked(recording, errands(recording, policies=("CROSS", "RANDOM"), sides=(Side.SELL,)))
    for one in ended[::2]:
        assert {ground for _, ground in one.fills} == {Ground.TAKEN}
        late_ns = max(fill.ts_exchange_ns for fill, _ in one.fills) - one.errand.start_ns
        assert late_ns < NS_PER_S
    params = {one.errand.order.params for one in ended[1::2]}
    assert len(params) == len(ended) // 2
    assert POLICIES["RANDOM"](ORDER, 7) == POLICIES["RANDOM"](ORDER, 7) != POLICIES["RANDOM"](ORDER, 8)
    assert {POLICIES[name](ORDER, 1).strategy for name in ("TWAP", "VWAP", "ARRIVAL-PRICE")} == {
        "twap", "vwap", "arrival-price",
    }  # fmt: skip


# ---------------------------------------------------------------------- what fills rest on


def instant(rows, made):
    """What a maker's fill of a buy at 50000.0 rests on, if these rows cause it."""
    table = [(T0, T0, *row, 0, 0, Flag.LAST) for row in rows]
    table.append((T0 + 1, T0 + 1, Kind.TRADE, -1, 1, 1, 0, 0, Flag.LAST))
    recording = find_recording(store(made, table), "BTCUSDT")
    reel = Reel(recording)
    reel.gaps(T0, T0 + 10)
    one = fill(side=Side.BUY, last_px=D("50000.0"), ts_exchange_ns=T0, liquidity=Liquidity.MAKER)
    return ground_of(one, recording.steps, reel)


@pytest.mark.parametrize(
    ("rows", "ground"),
    [
        ([(Kind.TRADE, -1, 499_999, 5)], Ground.PRINT_THROUGH),
        ([(Kind.TRADE, -1, 500_000, 5)], Ground.QUEUE_MODEL),
        ([(Kind.TRADE, -1, 500_000, 5), (Kind.TRADE, -1, 499_999, 1)], Ground.PRINT_THROUGH),
        ([(Kind.TRADE, -1, 500_000, 5), (Kind.LEVEL, -1, 500_000, 5)], Ground.QUEUE_MODEL),
        ([(Kind.LEVEL, -1, 500_000, 5)], Ground.BOOK_REACHED),
        ([(Kind.ADD, -1, 499_990, 5)], Ground.BOOK_REACHED),
        ([(Kind.LEVEL, -1, 500_000, 0)], Ground.QUEUE_MODEL),
        ([(Kind.EXECUTE, 1, 500_000, 5)], Ground.ORDER_LEVEL),
        ([(Kind.TRADE, 1, 499_999, 5)], Ground.QUEUE_MODEL),
    ],
)
def test_a_fill_is_ascribed_to_the_row_that_caused_it(tmp_path, rows, ground):
    assert instant(rows, tmp_path) is ground


def test_a_warning_says_how_many_fills_a_model_made_and_only_then(recording, done):
    record = run_record(as_run(recording, CONDITIONS, done, 30))
    made = [ground for one in done for _, ground in one.fills]
    count = made.count(Ground.QUEUE_MODEL)
    told, few = record["warnings"]
    assert few.startswith("FEW BLOCKS: ")
    assert told.startswith(f"{count} of {len(made)} fills come from the queue model risk-averse")
    assert warning([Ground.TAKEN, Ground.PRINT_THROUGH, Ground.ORDER_LEVEL], "log") is None
    assert sum(each["fills"] for each in record["fills_by_ground"].values()) == len(made)
    crossed = worked(recording, errands(recording, policies=("CROSS",)))
    assert run_record(as_run(recording, CONDITIONS, crossed, 30))["warnings"] == [few]


# ---------------------------------------------------------------------- what cannot be tried


def test_what_is_not_stored_or_not_clear_is_said(tmp_path, recording):
    with pytest.raises(DataError, match="nothing stored of ETHUSDT") as empty:
        find_recording(tmp_path, "ETHUSDT")
    assert empty.value.allowed == "nothing: the store is empty"
    store(tmp_path, wander(5))
    other = Stream("binance", "linear", "BTCUSDT")
    store(tmp_path, wander(5), stream=other, rules=False)
    with pytest.raises(DataError, match="stored more than once") as unclear:
        find_recording(tmp_path, "BTCUSDT")
    assert unclear.value.allowed == "binance/linear/BTCUSDT, bybit/linear/BTCUSDT"
    found = find_recording(tmp_path, "BTCUSDT", venue="binance")
    assert set(found.assumed) >= {"min_order_qty", "max_order_qty", "min_notional"}
    assert recording.assumed == ()
    store(tmp_path, wander(5), stream=Stream("nasdaq", "stock", "GOOG"), rules=False)
    with pytest.raises(DataError, match="GOOG is stock") as refused:
        find_recording(tmp_path, "GOOG")
    assert refused.value.next_step.endswith("linear, inverse, spot markets")


@pytest.mark.parametrize("start_ns", [T0, T0 + SECONDS * NS_PER_S, T0 - NS_PER_DAY])
def test_an_instant_outside_of_the_data_is_refused_with_what_is_allowed(recording, start_ns):
    with pytest.raises(
        PlanError, match=r"leaves 15 s for the warm-up before, and 2\.02 s after, an order of 30 s"
    ) as refused:
        plan_starts(recording, CONDITIONS, ORDER, start_ns=start_ns, every_s=None)
    assert refused.value.where == "--start"
    assert "2023-11-14T22:13:35" in refused.value.allowed


def test_a_recording_too_short_for_any_order_says_so(recording):
    with pytest.raises(PlanError, match="at most 182s"):
        plan_starts(recording, CONDITIONS, replace(ORDER, duration_s=SECONDS), start_ns=None, every_s=None)


@pytest.mark.parametrize(
    ("qty", "why"), [("0.0005", "at least 0.001"), ("0.06005", "steps of 0.001"), ("0", "at least 0.001")]
)
def test_a_quantity_that_is_none_of_the_venue_s_is_refused(recording, qty, why):
    with pytest.raises(PlanError, match=why):
        worked(recording, errands(recording, order=replace(ORDER, order_qty=D(qty)))[:1])


def test_a_value_below_the_venue_s_smallest_is_refused(tmp_path, recording):
    dear = replace(recording, rules=replace(recording.rules, min_notional=D(10_000)))
    with pytest.raises(PlanError, match=r"at least 0\.200 BTCUSDT at this price"):
        worked(dear, errands(dear)[:1])


def with_gap(rows, how):
    """Something is missing 100 seconds after the start."""
    at = next(
        number for number, row in enumerate(rows) if row[0] > T0 + 100 * NS_PER_S and row[-1] == Flag.LAST
    )
    if how == "flag":
        gap = (*rows[at][:2], Kind.CLEAR, 0, 0, 0, 0, 0, Flag.GAP | Flag.LAST)
        return [*rows[: at + 1], gap, *rows[at + 1 :]]
    return [row for row in rows if not T0 + 100 * NS_PER_S < row[0] < T0 + 170 * NS_PER_S]


@pytest.mark.parametrize(("how", "why"), [("flag", "messages are missing"), ("silence", "no row for 70 s")])
def test_a_gap_in_the_window_of_an_order_is_refused_before_anything_is_worked(tmp_path, how, why):
    holed = find_recording(store(tmp_path, with_gap(wander(SECONDS), how)), "BTCUSDT")
    begun = []

    def opener(errand):
        begun.append(errand)
        return nullcontext()

    with pytest.raises(PlanError, match=why):
        list(work(holed, CONDITIONS, errands(holed), ReplayTwin, opener))
    assert not begun
    early = errands(holed)[:2]
    assert all(one.drive is not None for one in worked(holed, early)), (
        "what ends before the gap is not touched by it"
    )


def test_over_a_gap_the_engine_sees_a_lost_book_and_waits(tmp_path):
    holed = find_recording(store(tmp_path, with_gap(wander(SECONDS), "flag")), "BTCUSDT")
    over = replace(CONDITIONS, over_gaps=True)
    ended = worked(holed, errands(holed, sides=(Side.BUY,)), conditions=over)
    assert [one.drive is None for one in ended] == [False, False, False, True, True, True]
    assert "no whole book is known" in ended[-1].failure
    assert ended[-1].fills == ()
    for one in ended[:3]:
        assert all(fill.ts_exchange_ns < T0 + 101 * NS_PER_S for fill, _ in one.fills)


def test_a_missing_day_is_a_gap(tmp_path):
    store(tmp_path, wander(100))
    store(tmp_path, wander(100, start_ns=T0 + 2 * NS_PER_DAY))
    holed = find_recording(tmp_path, "BTCUSDT")
    with pytest.raises(PlanError, match=r"no day is stored before 2023-11-16|no row for"):
        worked(holed, errands(holed, every_s=3_600)[:3])


def test_a_halt_of_the_store_is_a_halt_of_the_venue(tmp_path):
    rows = wander(SECONDS)
    for at_s, allowed in ((30, 0), (90, 2)):
        at = next(
            number
            for number, row in enumerate(rows)
            if row[0] > T0 + at_s * NS_PER_S and row[-1] == Flag.LAST
        )
        rows.insert(at + 1, (*rows[at][:2], Kind.HALT, 0, 0, allowed, 0, 0, Flag.LAST))
    halted = find_recording(store(tmp_path, rows), "BTCUSDT")
    ended = worked(halted, errands(halted, sides=(Side.BUY,), every_s=80))
    assert all(fill.ts_exchange_ns < T0 + 31 * NS_PER_S for fill, _ in ended[0].fills)
    assert ended[1].drive is not None


def test_an_order_that_the_gate_stops_is_no_evidence_and_is_told(recording):
    tight = replace(CONDITIONS, limits=replace(CONDITIONS.limits, cross_spread_bps_max=D("0.000001")))
    none_of_it = errands(recording, order=replace(ORDER, limit_px=D(10)), sides=(Side.BUY,))[:1]
    (one,) = worked(recording, none_of_it, conditions=tight)
    assert one.fills == ()
    if one.drive is None:
        assert one.failure
    else:
        assert one.drive.reports[0].fill_rate == 0


def test_second_opinions_cannot_be_asked_for():
    with pytest.raises(ValueError, match="second opinions"):
        replace(CONDITIONS, limits=replace(CONDITIONS.limits, references_min=1))
    assert issubclass(DriveError, Exception)


# ---------------------------------------------------------------------- genuine recordings


@pytest.mark.skipif(not ROOT, reason="EXECUTOR_REAL_DATA does not name recorded data")
@pytest.mark.timeout(600)  # the first call compiles the venue, where that is not on disk yet
@pytest.mark.parametrize(
    ("files", "stream", "qty"),
    [
        ("session", Stream("bybit", "linear", "BTCUSDT"), "0.004"),
        ("btc", Stream("binance", "linear", "BTCUSDT"), "0.06"),
    ],
)
def test_a_genuine_recording_through_the_whole_engine_by_both_venues(tmp_path, files, stream, qty):
    data = tmp_path / "market"
    Intake(data, Options()).run(files_of(files, tmp_path))
    real = find_recording(data, stream.symbol, venue=stream.venue, category=stream.category)
    limits = Limits(references_min=0, participation_pct_max=D(100))
    conditions = replace(CONDITIONS, warmup_s=10, timings=Timings(residual_window_s=5), limits=limits)
    order = replace(ORDER, order_qty=D(qty), duration_s=8, params=StrategyParams(interval_s=4))
    starts = plan_starts(real, conditions, order, start_ns=None, every_s=None)
    chosen = [
        Errand(number=1, start_ns=starts[0], order=replace(order, side=side), policy="twap") for side in Side
    ]
    journals, told = [], []
    for name, make in (("twin", ReplayTwin), ("compiled", ReplayMachine)):
        (tmp_path / name).mkdir()
        ended = list(work(real, conditions, chosen, make, KeptJournals(tmp_path / name).opened))
        told.append([(one.fills, one.account, one.state_hash, one.events) for one in ended])
        paths = sorted((tmp_path / name).rglob("*.db"))
        journals.append([dump(path) for path in paths])
        assert len(paths) == len(ended) == 2
        assert all(audit(path).identical for path in paths)
        for one in ended:
            (report,) = one.drive.reports
            bought = one.errand.order.side.sign * one.account.position * real.steps.lot_size
            assert sum(fill.last_qty for fill, _ in one.fills) == bought == report.facts.cum_qty == D(qty)
    assert told[0] == told[1]
    assert journals[0] == journals[1]
