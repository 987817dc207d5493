"""What public streams say is kept as it came; what cannot be written is dropped and told; the importer reads it."""

import gzip
import json
import threading
from contextlib import ExitStack

import pytest

from backtest.dataset.book import Book
from backtest.dataset.importers.protocol import Options
from backtest.dataset.intake import Intake
from backtest.dataset.rows import Flag, Kind
from backtest.dataset.store import read_info, read_rows
from config.load import load_settings
from executor.app.start import keeping_market
from executor.domain.commands import Subscribe
from executor.domain.events import BookLost, BookUpdated
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_S
from executor.engine.state import EngineState
from executor.runtime.clock import Clock
from executor.runtime.market_recorder import CaptureCounts, MarketRecorder
from executor.runtime.telemetry import Telemetry
from sandbox.bybit_server.book import Side
from tests.builders import D, instrument
from tests.runtime.telemetry_scene import page_of
from tests.venues.venue_bench import bench

NINE = 1_767_776_400 * NS_PER_S  # 2026-01-07T09:00:00Z
URL = "wss://there/v5/public/linear"


class Watch:
    """A clock that is put forward by hand, and a log."""

    def __init__(self) -> None:
        self.at_ns, self.lines = NINE, []

    def now_ns(self):
        return self.at_ns

    def log(self, message, **fields):
        self.lines.append((message, fields))


def lines(path):
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines() if line]


def test_each_hour_has_a_file_that_says_what_a_reader_needs(tmp_path):
    watch = Watch()
    with MarketRecorder(tmp_path / "market", watch.now_ns, watch.log) as recorder:
        recorder.rules(instrument())
        recorder.rules(instrument())
        watch.at_ns += 123_456_789
        recorder.frame(URL, '{"topic":"a","text":"µ\\n"}')
        recorder.frame(URL, "no json at all \n\x00")
        watch.at_ns += 3_600 * NS_PER_S
        recorder.frame(URL, "next")
    first, second = sorted((tmp_path / "market").iterdir())
    assert (first.name, second.name) == ("2026-01-07T09.jsonl.gz", "2026-01-07T10.jsonl")
    header, rules, connect, one, other = lines(first)
    assert (header["t"], rules["t"], connect["addr"]) == ("header", "http", URL)
    assert one == {
        "t": "recv",
        "conn": URL,
        "data": '{"topic":"a","text":"µ\\n"}',
        "ts": pytest.approx(1_767_776_400.1234567),
    }
    assert b'"ts":1767776400.123456789}' in gzip.decompress(first.read_bytes())
    assert other["data"] == "no json at all \n\x00"
    assert [line["t"] for line in lines(second)] == ["header", "http", "connect", "recv"]
    assert not watch.lines


def frame(at_ms, what, **data):
    """A book or a trade of a symbol, as the stream says it."""
    if what == "trade":
        row = {"T": at_ms, "s": "ABCUSDT", "S": "Buy", "v": "1", "p": "100.5", "i": f"t{at_ms}"}
        return json.dumps({"topic": "publicTrade.ABCUSDT", "type": "snapshot", "ts": at_ms, "data": [row]})
    body = {"s": "ABCUSDT", "b": [["100", "1"]], "a": [["101", "2"]], **data}
    topic = {"topic": "orderbook.50.ABCUSDT", "type": what, "ts": at_ms, "cts": at_ms, "data": body}
    return json.dumps(topic)


def test_where_a_connection_ended_or_a_process_began_the_import_says_a_gap(tmp_path):
    watch, start_ms = Watch(), NINE // 1_000_000

    def said(recorder, seconds, what, **data):
        watch.at_ns = NINE + int(seconds * NS_PER_S)
        recorder.frame(URL, frame(start_ms + int(seconds * 1_000) - 20, what, **data))

    with MarketRecorder(tmp_path / "market", watch.now_ns, watch.log) as recorder:
        said(recorder, 1, "snapshot", u=1)
        said(recorder, 2, "delta", u=2)
        watch.at_ns = NINE + 3 * NS_PER_S
        recorder.lost(URL)
        said(recorder, 9, "trade")
        said(recorder, 9.5, "snapshot", u=7)
    with MarketRecorder(tmp_path / "market", watch.now_ns, watch.log) as recorder:
        said(recorder, 20, "snapshot", u=1)
        said(recorder, 21, "delta", u=2)
        watch.at_ns = NINE + 22 * NS_PER_S
        recorder.lost(URL)  # nothing is heard after it: nothing is missing in between
    outcome = Intake(tmp_path / "store", Options()).run(sorted((tmp_path / "market").iterdir()))
    assert outcome.everything().by_name() == {"GAP": 2}
    rows = read_rows(outcome.stored[0].path)
    voids = (rows.kind == Kind.CLEAR) & (rows.flags & Flag.SNAPSHOT == 0)
    assert (rows.recv_ns[voids] - NINE).tolist() == [3 * NS_PER_S, 19 * NS_PER_S // 2]
    assert (rows.exch_ns[voids] - NINE).tolist() == [2_980_000_000, 9_480_000_000]


def test_the_page_of_metrics_has_what_became_of_the_recording():
    telemetry, counts = Telemetry(EngineState, lambda: NINE), []
    telemetry.follow_capture(lambda: counts[-1])

    def shown():
        page = page_of(telemetry)[0].decode().splitlines()
        return [float(line.split()[1]) for line in page if line.startswith("executor_capture_")]

    counts.append(CaptureCounts(frames=3, written_bytes=700, dropped=0, errors=0))
    assert shown() == [3, 700, 0, 0]
    assert shown() == [3, 700, 0, 0]
    counts.append(CaptureCounts(frames=5, written_bytes=900, dropped=2, errors=1))
    assert shown() == [5, 900, 2, 1]


def test_a_later_process_goes_on_with_the_hour_and_packs_what_was_left(tmp_path):
    watch = Watch()
    (tmp_path / "2026-01-07T08.jsonl").write_text("of an earlier life\n")
    (tmp_path / "2026-01-07T08.jsonl.gz").write_bytes(gzip.compress(b"and one before that\n"))
    (tmp_path / "2026-01-07T09.jsonl").write_text('{"t":"header"}\n{"t":"recv","da')
    with MarketRecorder(tmp_path, watch.now_ns, watch.log) as recorder:
        recorder.frame(URL, "again")
    assert gzip.decompress((tmp_path / "2026-01-07T08_2.jsonl.gz").read_bytes()) == b"of an earlier life\n"
    assert gzip.decompress((tmp_path / "2026-01-07T08.jsonl.gz").read_bytes()) == b"and one before that\n"
    words = (tmp_path / "2026-01-07T09.jsonl").read_text().splitlines()
    assert words[1] == '{"t":"recv","da'
    assert [json.loads(line)["t"] for line in words[2:]] == ["header", "connect", "recv"]


def test_what_finds_no_room_is_dropped_counted_and_told_and_nobody_waits(tmp_path):
    watch, held, held_up = Watch(), threading.Event(), threading.Event()

    def slow_ns():
        if threading.current_thread().name == "market-recorder":
            return NINE
        return watch.at_ns

    class Slow(MarketRecorder):
        def _take(self, heard):
            held_up.set()
            assert held.wait(20)
            super()._take(heard)

    with Slow(tmp_path, slow_ns, watch.log, waiting_bytes_max=100) as recorder:
        recorder.frame(URL, "first")
        assert held_up.wait(20)
        for _ in range(12):
            recorder.frame(URL, "x" * 10)
        assert recorder.counts.dropped == 2
        held.set()
    (path,) = tmp_path.iterdir()
    kinds = [line["t"] for line in lines(path)]
    assert kinds.count("recv") == 11
    assert [line["frames"] for line in lines(path) if line["t"] == "dropped"] == [2]
    assert ("recording incomplete", {"level": "warning", "dropped_frames": 2}) in watch.lines


def test_a_disk_that_takes_nothing_is_told_once_and_harms_nobody(tmp_path):
    watch = Watch()
    (tmp_path / "market").write_text("a file where the folder should be")
    with MarketRecorder(tmp_path / "market", watch.now_ns, watch.log) as recorder:
        for number in range(50):
            recorder.frame(URL, str(number))
    counts = recorder.counts
    assert (counts.frames, counts.written_bytes, counts.dropped) == (0, 0, 50)
    assert counts.errors >= 1
    told = [fields for message, fields in watch.lines if message == "frames not recorded"]
    assert len(told) == 1
    assert "exists" in told[0]["error"]


def test_the_daemon_records_only_where_it_is_told_to(tmp_path):
    watch = Watch()
    with ExitStack() as stack:
        assert (
            keeping_market(stack, load_settings("sandbox", None, {}, yes_live=False), watch, watch.log)
            is None
        )
        environ = {"EXECUTOR_MARKET__RECORD_DIR": str(tmp_path / "market")}
        settings = load_settings("sandbox", None, environ, yes_live=False)
        recorder = keeping_market(stack, settings, watch, watch.log)
        recorder.frame(URL, "kept")
    assert watch.lines == [("recording the public streams", {"folder": str(tmp_path / "market")})]
    assert [path.name for path in (tmp_path / "market").iterdir()] == ["2026-01-07T09.jsonl"]


def is_best(event, qty):
    return isinstance(event, BookUpdated) and event.market.best_bid_qty == qty


@pytest.mark.process
async def test_a_session_that_was_recorded_is_imported_and_its_book_is_the_exchanges(tmp_path):
    """Real sockets, a reconnect in the middle; every level and every trade is there, and nothing is at fault."""
    watch, recorded = Watch(), tmp_path / "market"
    with MarketRecorder(recorded, Clock().now_ns, watch.log) as recorder:
        async with bench(keeper=recorder) as there, there.running() as heard:

            async def quote(side, px, qty):
                await there.do("quote", symbol="BTCUSDT", side=side, price=str(px), qty=qty)

            for number in range(8):
                await quote("Buy", 65_000 - number, f"1.{number}")
                await quote("Sell", 65_002 + number, f"2.{number}")
            there.venue.subscribe(Subscribe(category=Category.LINEAR, symbol="BTCUSDT"))
            await heard.one(BookUpdated)
            market = next(
                each
                for each in there.server.exchange.markets.values()
                if (each.instrument.symbol, each.instrument.category) == ("BTCUSDT", "linear")
            )
            half, item = market.book.half, market.instrument
            for number in range(6):
                await quote("Buy", 64_980 - number, f"0.{number + 11}")
                await there.do("trade", symbol="BTCUSDT", side="Sell", price="64990", qty="0.9")
                if number == 3:
                    await quote("Buy", 65_001, "0.5")
                    await heard.until(lambda events: any(is_best(event, D("0.5")) for event in events))
                    await there.do("cut_public", symbol="BTCUSDT")
                    await heard.one(BookLost)
                    told = len(heard.events)
                    await heard.until(
                        lambda events, told=told: any(isinstance(each, BookUpdated) for each in events[told:])
                    )
            await quote("Buy", "65001.5", "1.234")
            await heard.until(lambda events: any(is_best(event, D("1.234")) for event in events))
            shown = {side.sign: half(side).levels(50) for side in Side}
    outcome = Intake(tmp_path / "store", Options()).run(sorted(recorded.iterdir()))
    # What was said while the connection was away is missing, and the book is void for as long.
    assert outcome.everything().by_name() == {"GAP": 1}
    book, days = Book(), [read_rows(each.path) for each in outcome.stored]  # two of them at midnight
    for rows in days:
        book.apply_all(rows)
    info = read_info(outcome.stored[-1].path)
    assert (info.tick_from, info.recv_known) == ("rules", True)
    assert book.sound
    assert (D(info.tick_size), D(info.lot_size)) == (item.tick_size, item.qty_step)
    assert sorted(book.bids.items(), reverse=True) == shown[1]
    assert sorted(book.asks.items()) == shown[-1]
    assert sum(int(rows.qty[rows.kind == Kind.TRADE].sum()) for rows in days) == 6 * 900
    clears = sum(int((rows.kind == Kind.CLEAR).sum()) for rows in days)
    assert clears == len(days) + 2, "the end of a book, and one snapshot more, that of the reconnect"
    assert (recorder.counts.dropped, recorder.counts.errors, watch.lines) == (0, 0, [])
