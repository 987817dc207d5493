"""Archived Binance streams as tables, written here in their layout: messages of several rows, and faulty rows."""

import pytest

from backtest.dataset import sources
from backtest.dataset.rows import Flag, Kind
from tests.dataset.written import T0_MS, T0_NS, faults, lines_of, taken_in, written

DEPTH = (
    "TimestampOfReceive,Stream,EventType,EventTime,TransactionTime,Symbol,FirstUpdateId,FinalUpdateId,"
    "FinalUpdateIdInLastStream,IsAsk,Price,Quantity"
)
TRADES = (
    "TimestampOfReceive,Stream,EventType,EventTime,TransactionTime,Symbol,TradeId,Price,Quantity,"
    "IsBuyerMarketMaker,XUnknownParameter"
)
LAST, GAP, SUSPECT = int(Flag.LAST), int(Flag.GAP), int(Flag.SUSPECT)


def depth(first, last, before, is_ask, px, qty, *, ms=0, recv_ms=None, symbol="ABCUSDT"):
    recv_ms = T0_MS + ms + 5 if recv_ms is None else recv_ms
    times = f"{T0_MS + ms + 2},{T0_MS + ms}"
    ids = f"{first},{last},{before}"
    return f"{recv_ms},abcusdt@depth@100ms,depthUpdate,{times},{symbol},{ids},{is_ask},{px},{qty}"


def trade(number, px, qty, maker=1, kind="MARKET", *, ms=0, symbol="ABCUSDT"):
    times = f"{T0_MS + ms + 2},{T0_MS + ms}"
    return f"{T0_MS + ms + 5},abcusdt@trade,trade,{times},{symbol},{number},{px},{qty},{maker},{kind}"


def table(tmp_path, *lines):
    return written(tmp_path / "stream.csv", "\n".join(lines) + "\n")


@pytest.mark.parametrize("bytes_at_once", [1, 150, 1 << 20])
def test_rows_of_a_message_are_one_message_wherever_the_table_is_cut(tmp_path, monkeypatch, bytes_at_once):
    monkeypatch.setattr(sources, "CHUNK_BYTES", bytes_at_once)
    outcome, days = taken_in(
        tmp_path,
        table(
            tmp_path,
            DEPTH,
            depth(10, 14, 9, 0, "1.50", "20.0"),
            depth(10, 14, 9, 0, "1.49", "0.0"),
            depth(10, 14, 9, 1, "1.51", "7.0"),
            depth(15, 19, 14, 1, "1.52", "3.0", ms=100),
            depth(22, 29, 21, 0, "1.48", "1.0", ms=200),
        ),
    )
    (rows,) = days.values()
    assert lines_of(outcome.everything()) == {("GAP", 6)}
    assert rows.kind.tolist() == [*[Kind.LEVEL] * 4, Kind.CLEAR, Kind.LEVEL]
    assert [bool(flags & GAP) for flags in rows.flags.tolist()] == [True, False, False, False, True, False]
    assert list(zip(rows.side.tolist(), rows.px.tolist(), rows.qty.tolist(), strict=True)) == [
        (1, 150, 20), (1, 149, 0), (-1, 151, 7), (-1, 152, 3), (0, 0, 0), (1, 148, 1),
    ]  # fmt: skip
    assert [flags & LAST for flags in rows.flags.tolist()] == [0, 0, LAST, LAST, 0, LAST]
    assert rows.seq.tolist() == [14, 14, 14, 19, 29, 29]
    assert (rows.exch_ns[3], rows.recv_ns[3]) == (T0_NS + 100_000_000, T0_NS + 105_000_000)
    stream = outcome.stored[0].stream
    assert (stream.venue, stream.category, stream.symbol) == ("binance", "linear", "ABCUSDT")


def test_rows_that_contradict_their_message_are_told_and_marked(tmp_path):
    outcome, days = taken_in(
        tmp_path,
        table(
            tmp_path,
            DEPTH,
            depth(10, 14, 9, 0, "1.50", "20"),
            depth(10, 14, 9, 1, "1.51", "7"),
            depth(15, 19, 14, 0, "1.50", "21", ms=100),
            depth(15, 11, 14, 0, "1.49", "22", ms=100),
            depth(15, 19, 14, 1, "1.51", "8", ms=100, recv_ms=T0_MS + 90_000),
            depth(15, 19, 14, 2, "1.53", "8", ms=100),
            depth(15, 19, 14, 1, "1.54", "x", ms=100),
            depth(15, 19, 14, 1, "1.55", "9", ms=100, symbol="XYZUSDT"),
        ),
    )
    (rows,) = days.values()
    assert lines_of(outcome.everything()) == {
        ("BAD_IDS", 5),
        ("MESSAGE_DIFFERS", 6),
        ("LAG", 6),
        ("BAD_SIDE", 7),
        ("BAD_NUMBER", 8),
        ("WRONG_SYMBOL", 9),
    }
    kept = rows.take(rows.kind == Kind.LEVEL)
    assert kept.qty.tolist() == [20, 7, 21, 22, 8]
    assert [bool(flags & SUSPECT) for flags in kept.flags.tolist()] == [False, False, False, True, True]
    assert not any(flags & GAP for flags in kept.flags.tolist()[2:])
    assert kept.flags[4] & LAST, "the end of the message is the last row of it that is kept"


def test_trades_know_their_aggressor_and_their_numbers(tmp_path):
    outcome, days = taken_in(
        tmp_path,
        table(
            tmp_path,
            TRADES,
            trade(7, "1.50", "2", maker=1),
            trade(8, "1.51", "3", maker=0, ms=10),
            trade(9, "0", "0", kind="NA", ms=11),
            trade(10, "1.51", "1", maker=0, ms=12),
            trade(10, "1.51", "1", maker=0, ms=12),
            trade(13, "1.52", "1", maker="yes", ms=13),
            trade(14, "1.52", "1", ms=14),
        ),
    )
    (rows,) = days.values()
    assert rows.side.tolist() == [-1, 1, 1, 1, -1], "who made the market bought, so a seller came"
    assert rows.seq.tolist() == [7, 8, 10, 10, 14]
    assert faults(outcome) == {"BAD_SIDE": 1, "DUPLICATE_TRADE": 1, "MISSING_TRADES": 1}
    assert ("DUPLICATE_TRADE", 6) in lines_of(outcome.everything())
    assert outcome.stored[0].info.void_ids == (9,)
