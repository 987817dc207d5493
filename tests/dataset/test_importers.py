"""Each layout is told by its content and read as it means, on recordings written here."""

import json
import zipfile

import numpy as np
import pytest

from backtest.dataset import gather
from backtest.dataset.errors import DataError
from backtest.dataset.importers.protocol import Options
from backtest.dataset.importers.registry import all_importers, importer_of
from backtest.dataset.intake import Intake
from backtest.dataset.rows import Flag, Kind
from tests.dataset.written import T0_MS, T0_NS, book_message, faults, lines_of, taken_in, written

SNAP, LAST, GAP = int(Flag.SNAPSHOT), int(Flag.LAST), int(Flag.GAP)
DAY = "2023-11-14"


def levels(rows, kind=Kind.LEVEL):
    mine = rows.kind == kind
    return list(zip(rows.side[mine].tolist(), rows.px[mine].tolist(), rows.qty[mine].tolist(), strict=True))


def archive(*messages):
    return "\r\n".join(messages) + "\r\n"


def test_a_book_archive_becomes_snapshot_and_changes(tmp_path):
    text = archive(
        book_message(7, [["1.50", "10"], ["1.49", "5"]], [["1.51", "2.5"]], kind="snapshot"),
        book_message(8, [["1.49", "0"]], [["1.52", "1"]], ms=100),
        book_message(9, [], [], ms=200),
        book_message(10, [["1.50", "3"]], [], ms=300),
    )
    path = written(tmp_path / f"{DAY}_ABCUSDT_ob500.data.zip", text)
    outcome, days = taken_in(tmp_path, path)
    rows = days[f"ABCUSDT {DAY}"]
    assert faults(outcome) == {}
    assert rows.kind.tolist() == [Kind.CLEAR] + [Kind.LEVEL] * 6
    assert levels(rows) == [(1, 150, 20), (1, 149, 10), (-1, 151, 5), (1, 149, 0), (-1, 152, 2), (1, 150, 6)]
    assert rows.flags.tolist() == [SNAP, SNAP, SNAP, SNAP | LAST, 0, LAST, LAST]
    assert ((rows.exch_ns - T0_NS) // 1_000_000).tolist() == [0, 0, 0, 0, 100, 100, 300]
    info = outcome.stored[0].info
    assert (info.tick_size, info.tick_from, info.lot_size, info.recv_known) == ("0.01", "data", "0.5", False)
    assert [(source.name, source.importer, len(source.sha256)) for source in info.sources] == [
        (path.name, "bybit_archive", 64)
    ]


def test_a_break_in_update_ids_voids_the_book_and_a_new_snapshot_mends_it(tmp_path):
    text = archive(
        book_message(7, [["10", "1"]], [["11", "1"]], kind="snapshot"),
        book_message(9, [["12", "1"]], [], ms=100),
        book_message(1, [["10", "1"]], [["11", "1"]], kind="snapshot", ms=200),
        book_message(2, [["9", "1"]], [], ms=300),
    )
    outcome, days = taken_in(tmp_path, written(tmp_path / f"{DAY}_ABCUSDT_ob200.data", text))
    (rows,) = days.values()
    assert faults(outcome) == {"GAP": 1}
    assert lines_of(outcome.everything()) == {("GAP", 2)}
    assert rows.flags[rows.kind == Kind.CLEAR].tolist() == [SNAP, GAP, SNAP]


def test_strangers_and_broken_lines_of_an_archive_are_left_out_and_told(tmp_path):
    text = archive(
        book_message(7, [["10", "1"]], [["11", "1"]], kind="snapshot"),
        '{"topic":"orderbook.500.ABCUSDT","type":',
        book_message(8, [["10", "5"]], [], symbol="XYZUSDT", ms=50),
        book_message(8, [["10", "NaN"], ["9", "2"]], [], ms=100),
        book_message(9, [["9", "1"]], [["1e999999", "1"]], ms=200),
        '{"topic":"orderbook.500.ABCUSDT","type":"delta","ts":1,"data":{"s":"ABCUSDT","b":[[1.5,2]],"a":[],"u":10}}',
    )
    outcome, days = taken_in(tmp_path, written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", text))
    assert lines_of(outcome.everything()) == {
        ("UNREADABLE", 2),
        ("WRONG_SYMBOL", 3),
        ("BAD_NUMBER", 4),
        ("BAD_NUMBER", 5),
        ("UNREADABLE", 6),
    }
    (rows,) = days.values()
    assert levels(rows) == [(1, 10, 1), (-1, 11, 1), (1, 9, 2), (1, 9, 1)]
    assert rows.flags.tolist() == [SNAP, SNAP, SNAP | LAST, LAST, LAST]
    assert outcome.stored[0].info.left_out == {"UNREADABLE": 2, "BAD_NUMBER": 2, "WRONG_SYMBOL": 1}


def test_trades_of_derivatives_newest_first_are_turned_round(tmp_path):
    head = (
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional\n"
    )
    lines = [
        f"{1_700_000_000 + n}.{n:06d},ABCUSD,{'Buy' if n % 2 else 'Sell'},{n + 1},8000.5,P,id-{n},0,0,0\n"
        for n in range(5)
    ]
    outcome, days = taken_in(
        tmp_path, written(tmp_path / f"ABCUSD{DAY}.csv.gz", head + "".join(reversed(lines)))
    )
    rows = days[f"ABCUSD {DAY}"]
    assert faults(outcome) == {}
    assert outcome.stored[0].stream.category == "inverse"
    assert rows.exch_ns.tolist() == [1_700_000_000_000_000_000 + n * 1_000_001_000 for n in range(5)]
    assert (rows.side.tolist(), rows.qty.tolist()) == ([-1, 1, -1, 1, -1], [1, 2, 3, 4, 5])


def test_spot_trades_take_symbol_from_the_name_and_ids_from_the_file(tmp_path):
    head = "\ufeffid,timestamp,price,volume,side,rpi\r\n"
    body = "".join(
        f"{n},{T0_MS + n},0.227{n},2.5,{'buy' if n % 2 else 'sell'},0\r\n" for n in (1, 2, 3, 5, 5)
    )
    path = written(tmp_path / f"1ABCUSDT_{DAY}.csv", head + body)
    outcome, days = taken_in(tmp_path, path)
    assert lines_of(outcome.everything()) == {("MISSING_TRADES", 5), ("DUPLICATE_TRADE", 6)}
    rows = days[f"1ABCUSDT {DAY}"]
    assert (rows.seq.tolist(), rows.side.tolist()) == ([1, 2, 3, 5, 5], [1, -1, 1, 1, 1])
    second = written(
        tmp_path / "1ABCUSDT_2023-11-15.csv",
        f"id,timestamp,price,volume,side\n1,{T0_MS + 86_400_000},1,1,buy\n",
    )
    outcome, days = taken_in(tmp_path / "two", path, second)
    assert faults(outcome) == {"DUPLICATE_TRADE": 1, "MISSING_TRADES": 1}
    assert len(days) == 2


def test_rows_of_trades_that_are_no_trades_are_left_out_and_told(tmp_path):
    head = "id,timestamp,price,volume,side\n"
    lines = [
        "1,1700000000000,1.5,1,buy",
        "2,x,1.5,1,buy",
        "3,1700000000001,nan,1,buy",
        "4,1700000000002,1.5,1,both",
    ]
    lines += ["5,1700000000003,1.5", "6,1700000000004,1.5,-1,sell", "7,1700000000005,0,1,sell"]
    lines += ["8,99999999999999999999,1.5,1,sell", "", "9,1700000000006,1.6,1,sell"]
    outcome, days = taken_in(tmp_path, written(tmp_path / f"ABCUSDT_{DAY}.csv", head + "\n".join(lines)))
    found = lines_of(outcome.everything())
    assert {each for each in found if each[0] != "MISSING_TRADES"} == {
        ("BAD_NUMBER", 3),
        ("BAD_NUMBER", 4),
        ("BAD_SIDE", 5),
        ("UNREADABLE", 6),
        ("NEGATIVE", 7),
        ("ZERO_PRICE", 8),
        ("BAD_NUMBER", 9),
    }
    (rows,) = days.values()
    assert rows.seq.tolist() == [1, 6, 7, 9]
    assert (rows.flags & Flag.SUSPECT).tolist() == [0, 8, 8, 0]


def session_line(kind, ts, data="", **more):
    return json.dumps({"t": kind, "conn": "C", "ts": ts, "data": data, **more})


def test_a_session_brings_book_trades_touch_mark_and_rules(tmp_path):
    rules = {
        "symbol": "ABCUSDT",
        "baseCoin": "ABC",
        "quoteCoin": "USDT",
        "status": "Trading",
        "priceFilter": {"tickSize": "0.05"},
        "lotSizeFilter": {"minOrderQty": "1", "maxOrderQty": "100", "qtyStep": "1", "minNotionalValue": "5"},
    }
    reply = json.dumps(
        {"retCode": 0, "result": {"category": "linear", "list": [rules, {"symbol": "BROKEN"}]}}
    )
    ticker = {
        "symbol": "ABCUSDT",
        "bid1Price": "1.50",
        "bid1Size": "3",
        "ask1Price": "1.55",
        "ask1Size": "4",
        "markPrice": "1.5263",
    }
    trade = {"T": T0_MS + 5, "s": "ABCUSDT", "S": "Sell", "v": "2", "p": "1.50", "i": "a-b", "seq": 44}
    lines = [
        session_line("header", 0),
        session_line(
            "http", 1_700_000_000.0, reply, url="https://host/v5/market/instruments-info?category=linear"
        ),
        session_line("connect", 1_700_000_000.0, addr="wss://host/v5/public/linear"),
        session_line("recv", 1_700_000_000.1, json.dumps({"success": True, "op": "subscribe"})),
        session_line(
            "recv",
            1_700_000_000.2,
            book_message(7, [["1.50", "3"]], [["1.55", "4"]], kind="snapshot", seq=40),
        ),
        session_line(
            "recv",
            1_700_000_000.3,
            json.dumps(
                {"topic": "tickers.ABCUSDT", "type": "snapshot", "ts": T0_MS, "cs": 41, "data": ticker}
            ),
        ),
        session_line(
            "recv",
            1_700_000_000.4,
            json.dumps({"topic": "publicTrade.ABCUSDT", "type": "snapshot", "ts": T0_MS, "data": [trade]}),
        ),
        session_line(
            "recv",
            1_700_000_000.5,
            book_message(90, [["1.50", "1"]], [["1.55", "4"]], kind="snapshot", depth=1, ms=6),
        ),
        session_line(
            "recv",
            1_700_000_000.6,
            json.dumps(
                {
                    "topic": "tickers.ABCUSDT",
                    "type": "delta",
                    "ts": T0_MS + 9,
                    "cs": 45,
                    "data": {"bid1Size": "1"},
                }
            ),
        ),
        session_line(
            "recv", 1_700_000_000.7, json.dumps({"topic": "kline.1.ABCUSDT", "type": "snapshot", "data": []})
        ),
    ]
    outcome, days = taken_in(tmp_path, written(tmp_path / "session.jsonl", "\n".join(lines)))
    rows = days[f"ABCUSDT {DAY}"]
    assert faults(outcome) == {}
    assert [Kind(kind).name for kind in rows.kind] == (
        ["CLEAR", "LEVEL", "LEVEL", "TOUCH", "TOUCH", "MARK", "TRADE", "TOUCH", "TOUCH", "TOUCH", "TOUCH"]
    )
    assert levels(rows, Kind.TOUCH) == [
        (1, 30, 3),
        (-1, 31, 4),
        (1, 30, 1),
        (-1, 31, 4),
        (1, 30, 1),
        (-1, 31, 4),
    ]
    assert levels(rows, Kind.MARK) == [(0, 31, 0)], "1.5263 is nearer to 31 ticks of 0.05 than to 30"
    assert (rows.seq[6], rows.side[6]) == (44, -1)
    assert rows.recv_ns[0] == 1_700_000_000_200_000_000
    info = outcome.stored[0].info
    assert (info.tick_size, info.tick_from, info.lot_size) == ("0.05", "rules", "1")
    path = tmp_path / "store/venue=bybit/category=linear/symbol=ABCUSDT/instrument.json"
    known = json.loads(path.read_text())
    assert (known["min_notional"], known["tick_from"], known["unknown"]) == ("5", "rules", [])

    another_day = [
        line for line in lines if "instruments-info" not in line and "minNotionalValue" not in line
    ]
    assert len(another_day) < len(lines)
    written(tmp_path / "session.jsonl", "\n".join(another_day))
    next(path.parent.glob("day=*/rows.parquet")).unlink()
    outcome, _ = taken_in(tmp_path, tmp_path / "session.jsonl")
    assert outcome.stored[0].info.tick_from == "data"
    assert json.loads(path.read_text()) == known, "what the venue said once is not forgotten"


def test_a_log_of_frames_names_connections_by_their_address(tmp_path):
    text = (
        "wss://host/v5/public/spot <-> 1700000000.5\n"
        'wss://host/v5/public/spot <- 1700000000.6: {"op":"subscribe"}\n'
        f"1700000000.75: {book_message(4, [['2', '1']], [['3', '1']], kind='snapshot', depth=1)}\n"
        f"1700000001.75: {book_message(9, [['2', '2']], [['4', '1']], kind='snapshot', depth=1, ms=900)}\n"
        "nonsense\n"
    )
    outcome, days = taken_in(tmp_path, written(tmp_path / "a.ws.txt", text))
    (rows,) = days.values()
    assert lines_of(outcome.everything()) == {("UNREADABLE", 5)}
    assert outcome.stored[0].stream.category == "spot"
    assert rows.kind.tolist() == [Kind.CLEAR, Kind.LEVEL, Kind.LEVEL] * 2
    assert rows.recv_ns.tolist() == [1_700_000_000_750_000_000] * 3 + [1_700_000_001_750_000_000] * 3


def depth(first, last, before, bids, asks=(), ms=0, **more):
    data = {
        "e": "depthUpdate",
        "E": T0_MS + ms,
        "s": "ABCUSDT",
        "U": first,
        "u": last,
        "b": bids,
        "a": list(asks),
        **more,
    }
    if before is not None:
        data |= {"pu": before, "T": T0_MS + ms}
    return json.dumps({"stream": "abcusdt@depth@0ms", "data": data})


def snapshot(last, bids, asks):
    return json.dumps({"lastUpdateId": last, "bids": bids, "asks": asks})


def capture(*frames, unit="us"):
    digits = {"us": 1_000, "ns": 1_000_000, "ms": 1}[unit]
    return "".join(f"{(T0_MS + 10 * number) * digits} {frame}\n" for number, frame in enumerate(frames))


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_early_frames_of_contracts_are_applied_once_more_behind_the_snapshot(tmp_path, unit):
    text = capture(
        depth(1, 5, 0, [["10", "1"]]),
        depth(6, 9, 5, [["10", "2"]], ms=1),
        depth(10, 14, 9, [["10", "3"]], ms=2),
        snapshot(9, [["10", "2"], ["9", "7"]], [["11", "1"]]),
        depth(15, 16, 14, [["9", "8"]], ms=4),
        unit=unit,
    )
    outcome, days = taken_in(tmp_path, written(tmp_path / "a.gz", text))
    (rows,) = days.values()
    assert faults(outcome) == {}
    assert outcome.stored[0].stream.category == "linear"
    clears = np.flatnonzero(rows.kind == Kind.CLEAR)
    assert rows.flags[clears].tolist() == [GAP, SNAP]
    assert levels(rows.take(slice(int(clears[1]), None))) == [
        (1, 10, 2),
        (1, 9, 7),
        (-1, 11, 1),
        (1, 10, 3),
        (1, 9, 8),
    ]
    assert rows.recv_ns[0] == T0_NS


def test_spot_frames_chain_by_first_id_and_stale_ones_are_dropped(tmp_path):
    text = capture(
        depth(1, 5, None, [["10", "1"]]),
        depth(6, 9, None, [["10", "2"]], ms=1),
        snapshot(9, [["10", "2"]], [["11", "1"]]),
        depth(8, 9, None, [["10", "99"]], ms=2),
        depth(10, 11, None, [["10", "5"]], ms=3),
        depth(13, 14, None, [["10", "6"]], ms=4),
        depth(15, 15, None, [["10", "7"]], ms=5),
        snapshot(14, [["10", "6"]], [["12", "1"]]),
        depth(16, 16, None, [["10", "8"]], ms=7),
    )
    outcome, days = taken_in(tmp_path, written(tmp_path / "a.gz", text))
    (rows,) = days.values()
    assert outcome.stored[0].stream.category == "spot"
    assert lines_of(outcome.everything()) == {("GAP", 6)}
    last = int(np.flatnonzero(rows.kind == Kind.CLEAR)[-1])
    assert levels(rows.take(slice(last, None))) == [(1, 10, 6), (-1, 12, 1), (1, 10, 7), (1, 10, 8)]
    assert (1, 10, 99) not in levels(rows)


def test_two_files_are_one_feed_and_the_second_day_begins_with_the_book(tmp_path):
    day_ms = 86_400_000 - T0_MS % 86_400_000
    first = written(
        tmp_path / "a_1.gz",
        f"{T0_MS * 1000} {snapshot(9, [['10', '2']], [['12', '1']])}\n{T0_MS * 1000} {depth(8, 11, 7, [['9', '1']])}\n",
    )
    later = (T0_MS + day_ms) * 1000
    second = written(
        tmp_path / "a_2.gz", f"{later} {depth(12, 13, 11, [['10', '0'], ['8', '1']], ms=day_ms)}\n"
    )
    outcome, days = taken_in(tmp_path, first, second)
    assert faults(outcome) == {}
    rows = days["ABCUSDT 2023-11-15"]
    assert rows.flags.tolist() == [SNAP, SNAP, SNAP, SNAP | LAST, 0, LAST]
    assert levels(rows) == [(1, 10, 2), (1, 9, 1), (-1, 12, 1), (1, 10, 0), (1, 8, 1)]
    assert [each.info.carried_rows for each in outcome.stored] == [0, 4]
    alone, _ = taken_in(tmp_path / "alone", second)
    assert dict(alone.everything().notes) == {"the book begins without a snapshot": 1}


def test_frames_without_a_time_or_a_known_form_are_told(tmp_path):
    trade = {
        "e": "trade",
        "E": T0_MS,
        "T": T0_MS,
        "s": "ABCUSDT",
        "t": 5,
        "p": "10",
        "q": "1",
        "X": "MARKET",
        "m": True,
    }
    text = capture(
        json.dumps({"stream": "abcusdt@trade", "data": trade}),
        json.dumps({"stream": "abcusdt@trade", "data": {**trade, "t": 6, "X": "NA", "p": "0", "q": "0"}}),
        json.dumps({"stream": "abcusdt@trade", "data": {**trade, "t": 7, "m": False}}),
        json.dumps({"stream": "xyzusdt@trade", "data": {**trade, "t": 8}}),
        '{"stream":"abcusdt@trade","data":{"e":"trade"}}',
        json.dumps({"stream": "abcusdt@aggTrade", "data": trade}),
    )
    outcome, days = taken_in(tmp_path, written(tmp_path / "a.gz", f"{text}12 {{}}\nnot a line\n"))
    assert lines_of(outcome.everything()) == {
        ("WRONG_SYMBOL", 4),
        ("UNREADABLE", 5),
        ("UNREADABLE", 7),
        ("UNREADABLE", 8),
    }
    (rows,) = days.values()
    assert (rows.seq.tolist(), rows.side.tolist()) == ([5, 7], [-1, 1])


LOBSTER = "ABC_2012-06-21_34200000_57600000_{}_2.csv"


def lobster(path, messages, books):
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(LOBSTER.format("orderbook"), "\n".join(books))
        packed.writestr(LOBSTER.format("message"), "\n".join(messages))
    return path


def test_orders_and_levels_that_come_into_view(tmp_path):
    path = lobster(
        tmp_path / "l.zip",
        [
            "34200.000000001,1,77,10,100000,1",
            "34200.5,1,78,5,100100,1",
            "34201,4,78,5,100100,1",
            "34201.25,3,77,10,100000,1",
            "34202,5,0,3,100150,-1",
        ],
        [
            "100300,7,100000,10,9999999999,0,99900,4",
            "100300,7,100100,5,9999999999,0,100000,10",
            "100300,7,100000,10,9999999999,0,99900,4",
            "100300,7,99900,4,9999999999,0,99800,6",
            "100300,7,99900,4,9999999999,0,99800,6",
        ],
    )
    outcome, days = taken_in(tmp_path, path)
    rows = days["ABC 2012-06-21"]
    assert faults(outcome) == {}
    (stored,) = outcome.stored
    assert (stored.info.tick_size, stored.info.tick_from) == ("0.005", "data"), (
        "the hidden one is stored exactly"
    )
    assert (stored.tick, stored.lot, stored.steps_from) == ("0.01", "1", "data"), (
        "and says nothing of the tick"
    )
    assert [Kind(kind).name for kind in rows.kind] == (
        ["CLEAR", "LEVEL", "LEVEL", "ADD", "ADD", "EXECUTE", "DELETE", "LEVEL", "HIDDEN"]
    )
    assert levels(rows) == [(1, 1998, 4), (-1, 2006, 7), (1, 1996, 6)]
    assert rows.order_id.tolist() == [0, 0, 0, 77, 78, 78, 77, 0, 0]
    assert rows.exch_ns[3] == 1_340_285_400_000_000_001, "13:30 UTC is 9:30 in New York in June"


def test_a_book_that_does_not_follow_from_its_message_is_told(tmp_path):
    path = lobster(
        tmp_path / "l.zip",
        ["34200,1,77,10,100000,1", "34200.5,1,78,5,100100,1", "34201,9,1,1,1,1"],
        ["100300,7,100000,10,100400,1,99900,4", "100300,6,100100,5,100400,1,100000,10", "1,1,1,1,1,1,1,1"],
    )
    outcome, _ = taken_in(tmp_path, path)
    assert lines_of(outcome.everything()) == {("BOOK_DIFFERS", 2), ("UNREADABLE", 3)}
    short = lobster(
        tmp_path / "s.zip", ["34200,1,77,10,100000,1"] * 2, ["100300,7,100000,10,100400,1,99900,4"]
    )
    with pytest.raises(DataError, match="ends before"):
        taken_in(tmp_path / "short", short)


def test_a_folder_of_coinbase_tables(tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    written(folder / "snapshot_bids.csv", "side,price,size\nbuy,10.5,1\nbuy,10.25,2\n")
    written(folder / "snapshot_asks.csv", "side,price,size\nsell,11,3\n")
    written(
        folder / "l2update.csv",
        "side,price,size,time\nbuy,10.50000000,0,2023-11-14T22:13:20.100Z\nsell,11,1.5,2023-11-14T22:13:20.300Z\nsell,11,1,yesterday\n",
    )
    written(
        folder / "match.csv",
        "_id,maker_order_id,price,product_id,sequence,side,size,taker_order_id,time,trade_id,type\n"
        "x,m,11,AB-USD,5,sell,0.5,t,2023-11-14T22:13:20.200000Z,9,match\n",
    )
    outcome, days = taken_in(tmp_path, folder)
    rows = days[f"AB-USD {DAY}"]
    assert lines_of(outcome.everything()) == {("BAD_NUMBER", 4)}
    assert rows.kind.tolist() == [3, 1, 1, 1, 1, 2, 1], "the match lies between the two changes"
    assert rows.flags.tolist() == [SNAP, SNAP, SNAP, SNAP | LAST, LAST, LAST, LAST]
    assert (rows.side[5], rows.seq[5]) == (1, 9), "the maker sold, so a buyer was the aggressor"
    (folder / "match.csv").unlink()
    with pytest.raises(DataError, match=r"match\.csv"):
        taken_in(tmp_path / "again", folder)


TARDIS = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"


def tardis(*rows):
    return TARDIS + "".join(
        f"bybit,{symbol},{T0_MS * 1000 + at},{T0_MS * 1000 + at + 5},{rest}\n" for symbol, at, rest in rows
    )


@pytest.mark.parametrize("batch_rows", [200_000, 1])
def test_tardis_books_group_by_receive_time_and_begin_at_snapshots(tmp_path, monkeypatch, batch_rows):
    monkeypatch.setattr("backtest.dataset.importers.tardis.BATCH_ROWS", batch_rows)
    text = tardis(
        ("ABCUSDT", 0, "false,bid,9,1"),
        ("ABCUSDT", 10, "true,bid,10,1"),
        ("XYZUSDT", 10, "true,ask,7,1"),
        ("ABCUSDT", 10, "true,ask,11,2"),
        ("ABCUSDT", 20, "false,bid,10,0"),
        ("ABCUSDT", 20, "false,bid,9.5,4"),
        ("ABCUSDT", 30, "false,middle,9.5,4"),
        ("ABCUSDT", 40, "true,bid,8,1"),
    )
    outcome, days = taken_in(tmp_path, written(tmp_path / "b.csv.gz", text))
    rows = days[f"ABCUSDT {DAY}"]
    assert lines_of(outcome.everything()) == {("BAD_SIDE", 8)}
    assert rows.flags.tolist() == [GAP, LAST, SNAP, SNAP, SNAP | LAST, 0, LAST, SNAP, SNAP | LAST]
    assert levels(rows) == [(1, 18, 1), (1, 20, 1), (-1, 22, 2), (1, 20, 0), (1, 19, 4), (1, 16, 1)]
    assert (rows.recv_ns - rows.exch_ns).tolist() == [5_000] * 9
    assert f"XYZUSDT {DAY}" in days


def test_tardis_trades_of_unknown_side_are_kept_as_such(tmp_path):
    head = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
    at = T0_MS * 1000
    text = (
        head + f"binance,ABCUSDT,{at},{at + 1},55,buy,1.5,2\nbinance,ABCUSDT,{at},{at + 2},,unknown,1.5,2\n"
    )
    outcome, days = taken_in(tmp_path, written(tmp_path / "t.csv", text))
    (rows,) = days.values()
    assert faults(outcome) == {}
    assert (rows.side.tolist(), rows.seq.tolist()) == ([1, 0], [55, 0])
    assert outcome.stored[0].stream.category == "spot"


def test_book_and_trades_of_a_day_are_merged_by_time(tmp_path):
    book = archive(
        book_message(7, [["10", "1"]], [["12", "1"]], kind="snapshot"),
        book_message(8, [["11", "1"]], [], ms=100),
        book_message(9, [["11", "2"]], [], ms=200),
    )
    one = written(tmp_path / f"{DAY}_ABCUSDT_ob500.data.zip", book)
    head = (
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional\n"
    )
    two = written(tmp_path / f"ABCUSDT{DAY}.csv.gz", head + "1700000000.1500,ABCUSDT,Buy,1,12,P,a,0,0,0\n")
    for files in ((one, two), (two, one)):
        _, days = taken_in(tmp_path / files[0].name[:5], *files)
        assert days[f"ABCUSDT {DAY}"].kind.tolist() == [3, 1, 1, 1, 2, 1]


def test_funding_rates_are_a_table_of_their_own(tmp_path):
    from backtest.dataset.funding import read_funding
    from backtest.dataset.gather import Stream

    path = written(
        tmp_path / "abcusdt.csv",
        "20231114 16:00:00,0.0001\n20231115 00:00:00,-0.00375\n20231399 00:00:00,1\n",
    )
    for _ in range(2):
        outcome, days = taken_in(tmp_path, path)
        assert (days, lines_of(outcome.everything())) == ({}, {("BAD_NUMBER", 3)})
    stream = Stream("bybit", "linear", "ABCUSDT")
    rows = read_funding(tmp_path / "store", stream)
    assert (rows.px.tolist(), rows.kind.tolist()) == ([100_000, -3_750_000], [11, 11])
    assert len(read_funding(tmp_path / "store", stream, int(rows.exch_ns[1]))) == 1


def test_much_data_is_put_aside_and_gives_the_same_days(tmp_path, monkeypatch):
    frames = [snapshot(9, [["10", "2"]], [["12", "1"]]), depth(8, 10, 7, [["9", "1"]])]
    frames += [depth(n, n, n - 1, [[f"{9 + n % 2}.5", str(n)]], ms=n) for n in range(11, 200)]
    path = written(tmp_path / "a.gz", capture(*frames))
    _, whole = taken_in(tmp_path / "1", path)
    monkeypatch.setattr("backtest.dataset.intake.MEMORY_ROWS", 10)
    monkeypatch.setattr("backtest.dataset.importers.binance_capture.BATCH_ROWS", 20)
    monkeypatch.setattr("backtest.dataset.sources.CHUNK_BYTES", 500)
    outcome, pieces = taken_in(tmp_path / "2", path)
    assert faults(outcome) == {}
    for name in ("exch_ns", "recv_ns", "kind", "side", "px", "qty", "seq", "flags"):
        assert all((getattr(pieces[key], name) == getattr(whole[key], name)).all() for key in whole)


def test_a_stored_day_is_not_written_over_unless_it_is_said(tmp_path):
    path = written(
        tmp_path / "a.gz", capture(snapshot(9, [["10", "2"]], [["12", "1"]]), depth(8, 10, 7, [["9", "1"]]))
    )
    taken_in(tmp_path, path)
    with pytest.raises(DataError, match="stored already"):
        taken_in(tmp_path, path)
    taken_in(tmp_path, path, replace=True)


def test_steps_given_by_hand_are_rules_and_rows_off_them_are_told(tmp_path):
    from fractions import Fraction

    rules = gather.RuleSteps(tick=Fraction("0.5"), lot=Fraction(2))
    text = archive(
        book_message(7, [["1.5", "2"]], [["2", "4"]], kind="snapshot"),
        book_message(8, [["1.25", "2"]], [["2.5", "3"]], ms=100),
    )
    path = written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", text)
    outcome, days = taken_in(tmp_path, path, rules=rules)
    assert lines_of(outcome.everything()) == {("OFF_TICK", 2), ("OFF_LOT", 2)}
    info = outcome.stored[0].info
    assert (info.tick_size, info.lot_size) == ("0.25", "1")
    (rows,) = days.values()
    assert levels(rows) == [(1, 6, 2), (-1, 8, 4), (1, 5, 2), (-1, 10, 3)]


def test_importers_can_be_named_and_the_unknown_are_listed(tmp_path):
    path = written(tmp_path / "a.csv", "a,b\n1,2\n")
    names = [each.name for each in all_importers()]
    assert len(set(names)) == len(names) == 9
    assert importer_of(path, all_importers(), "lobster").name == "lobster"
    with pytest.raises(DataError, match="no importer knows"):
        importer_of(path, all_importers())
    with pytest.raises(DataError, match="no importer is called x") as raised:
        importer_of(path, all_importers(), "x")
    assert "binance_csv" in raised.value.allowed


def test_a_receive_time_of_another_day_takes_no_row_from_its_own(tmp_path):
    frames = [snapshot(9, [["10", "2"]], [["12", "1"]])] + [
        depth(n, n, n - 1, [["9", "1"]], ms=n) for n in range(10, 60)
    ]
    lines = capture(*frames).splitlines()
    lines[20] = f"{(T0_MS + 86_400_000) * 1_000} {lines[20].partition(' ')[2]}"
    outcome, days = taken_in(tmp_path, written(tmp_path / "a.gz", "\n".join(lines)))
    assert {name: len(rows) for name, rows in days.items()} == {f"ABCUSDT {DAY}": 52, "ABCUSDT 2023-11-15": 5}
    assert [each.info.rows for each in outcome.stored] == [52, 5]
    assert lines_of(outcome.everything()) == {("LAG", 21), ("RECEIVED_BACK", 21)}


def test_it_is_told_how_many_bytes_of_the_files_were_read(tmp_path):
    text = archive(
        book_message(7, [["10", "1"]], [["11", "1"]], kind="snapshot"),
        *(book_message(8 + number, [["9.5", str(number + 1)]], [], ms=number) for number in range(3_000)),
    )
    capture_text = capture(snapshot(9, [["10", "2"]], [["12", "1"]]), depth(10, 10, 9, [["9", "1"]], ms=1))
    files = [
        written(tmp_path / f"{DAY}_ABCUSDT_ob500.data.zip", text),
        written(tmp_path / "plain.txt", capture_text),
        written(tmp_path / "packed.gz", capture_text.replace("ABCUSDT", "GHIUSDT")),
    ]
    told = []
    Intake(None, Options()).run(files, told=lambda done, total: told.append((done, total)))
    size = sum(file.stat().st_size for file in files)
    assert told[-1] == (size, size)
    assert {total for _, total in told} == {size}
    done = [each for each, _ in told]
    assert done == sorted(done)
    assert len(set(done)) > len(files)
