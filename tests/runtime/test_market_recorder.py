"""What public streams say is kept as it came; what cannot be written is dropped and told; the importer reads it."""

import gzip
import json
import threading
from contextlib import ExitStack

import pytest

from backtest.dataset.book import Book
from backtest.dataset.importers.protocol import Options
from backtest.dataset.intake import Intake
from backtest.dataset.rows import Kind
from backtest.dataset.store import read_info, read_rows
from config.load import load_settings
from executor.app.start import keeping_market
from executor.domain.commands import Subscribe
from executor.domain.events import BookLost, BookUpdated
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_S
from executor.runtime.clock import Clock
from executor.runtime.market_recorder import MarketRecorder
from sandbox.bybit_server.book import Side
from tests.builders import D, instrument
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
        assert recorder.dropped == 2
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
    assert recorder.dropped == 50
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
    assert outcome.everything().by_name() == {}
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
    assert clears == len(days) + 1, "one snapshot more, that of the reconnect"
    assert (recorder.dropped, watch.lines) == (0, [])
