"""The genuine recordings: every file imports, `check` finds what is known to be wrong and nothing else, and the books
that are rebuilt show what the exchanges' own tickers show.

Of the longest, only the beginning is read, unless EXECUTOR_CAMPAIGN is `full`.
"""

import csv
import sys
import zipfile
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path

import pytest

from backtest.dataset.book import Book
from backtest.dataset.faults import Fault
from backtest.dataset.importers.protocol import Options
from backtest.dataset.intake import Intake
from backtest.dataset.klines import are_klines, import_klines
from backtest.dataset.rows import BOOK_KINDS, Flag, Kind
from backtest.dataset.store import catalogue, read_info, read_rows
from tests.dataset.recordings import (
    COIN_DEPTH,
    COIN_TRADES,
    FIRST_LINES,
    FULL,
    GENUINE,
    ROOT,
    ROWS,
    VALIDATOR,
    files_of,
)

pytestmark = pytest.mark.skipif(not ROOT, reason="EXECUTOR_REAL_DATA does not name recorded data")


def tell(text):
    sys.stdout.write(f"\n{text}\n")


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Each recording in a store of its own, imported when it is first asked for."""
    done = {}

    def get(name):
        if name not in done:
            root = tmp_path_factory.mktemp("store")
            files = files_of(name, tmp_path_factory.mktemp("files"))
            done[name] = root, Intake(root, Options()).run(files), files
        return done[name]

    return get


@pytest.mark.parametrize("name", GENUINE)
def test_genuine_recordings_import_and_have_no_fault(imported, name):
    _, outcome, _ = imported(name)
    assert outcome.everything().by_name() == {}
    funding = sum(count for _, count in outcome.funding)
    assert sum(each.info.rows for each in outcome.stored) + funding == ROWS[name][not FULL]


def test_every_recording_of_the_folder_is_imported_here():
    known = {Path(ROOT) / file for files in GENUINE.values() for file in files}
    known |= set((Path(ROOT) / "coinbase").rglob("*.csv")) | set((Path(ROOT) / "bybit/klines").iterdir())
    known |= set((Path(ROOT) / "validator").glob("*coin_m*"))
    single_messages = Path(ROOT) / "bybit/payloads"
    files = {path for path in Path(ROOT).rglob("*") if path.is_file() and single_messages not in path.parents}
    assert {path for path in files - known if path.name != "README.md"} == set()


def test_candles_import():
    (path,) = (Path(ROOT) / "bybit/klines").iterdir()
    from backtest.dataset.faults import Findings

    found = Findings()
    assert are_klines(path)
    assert import_klines(None, path, Options(), found) == (None, 10_000)
    assert found.by_name() == {}


def differing_rows(stream, market):
    """Lines at which the negative twin differs from the positive one; the columns carry the artificial last row."""
    twins = [
        (Path(ROOT) / "validator" / VALIDATOR.format(sign, stream, market))
        for sign in ("negative", "positive")
    ]
    tables = []
    for path in twins:
        with path.open(newline="") as file:
            tables.append(list(csv.reader(file)))
    differing = {line for line, (one, other) in enumerate(zip(*tables, strict=True), start=1) if one != other}
    return twins, differing


def accused(path):
    outcome = Intake(None, Options(), examples_max=20_000).run([path])
    lines = defaultdict(set)
    for place in outcome.everything().all_places():
        lines[place.line].add(place.fault)
    return dict(lines)


@pytest.mark.parametrize(("kind", "injected"), [(COIN_DEPTH, 6), (COIN_TRADES, 3)])
def test_every_corrupted_row_is_found_and_named(kind, injected, capsys):
    (negative, positive), differing = differing_rows(*kind)
    found, innocent = accused(negative), accused(positive)
    assert len(differing) == injected
    with capsys.disabled():
        tell(
            f"{kind[0]}: {len(differing & found.keys())} of {injected} corrupted rows found; "
            f"{ {line: sorted(faults) for line, faults in sorted(found.items())} }; on the positive twin: {innocent}"
        )
    assert differing <= found.keys()
    if kind is COIN_DEPTH:
        assert found.keys() == differing
        assert innocent == {10_001: {Fault.LAG, Fault.MESSAGE_DIFFERS}}, (
            "the artificial last row that is known"
        )
        assert found[2] == {Fault.WRONG_SYMBOL}
        assert {Fault.MESSAGE_DIFFERS, Fault.LAG} <= found[3]
        assert Fault.BAD_SIDE in found[4]
        assert found[8] == {Fault.FAR_PRICE}
        assert found[10] == {Fault.BAD_IDS}
        assert {Fault.MESSAGE_DIFFERS, Fault.LAG} <= found[10_001]
    else:
        # The id that the duplicate took the place of is missing before the next row: true, and its consequence.
        assert {line: faults for line, faults in found.items() if line not in differing} == {
            5: {Fault.MISSING_TRADES}
        }
        assert innocent == {}
        assert found[2] == {Fault.LAG}
        assert found[4] == {Fault.DUPLICATE_TRADE, Fault.FAR_PRICE}
        assert found[10_001] == {Fault.LAG}


def states_and_touches(rows):
    """Touch of the book after each whole message, by its id, and the venue's own touches by theirs."""
    book, states, touches = Book(), [], []
    shown = {}
    columns = (rows.kind, rows.side, rows.px, rows.qty, rows.flags, rows.seq)
    for kind, side, px, qty, flags, seq in zip(*(column.tolist() for column in columns), strict=True):
        if kind in BOOK_KINDS:
            book.apply(kind, side, px, qty, flags)
            if flags & Flag.LAST and book.sound:
                states.append((seq, book.touch()))
        elif kind == Kind.TOUCH:
            shown[side] = (px, qty)
            if side < 0:
                touches.append((seq, (*shown[1], *shown[-1])))
    return states, touches


def agreement(days, shift=0):
    """Touches equal to the book where it stood still around them, and at either end of it where it moved."""
    still, moved, without = [], [], 0
    for states, touches in days:
        ids = [seq for seq, _ in states]
        for seq, (bid, _, ask, _) in touches:
            place = bisect_right(ids, seq)
            if not 0 < place < len(states) or not 0 < place + shift < len(states):
                without += 1
                continue
            before, after = (
                (state[0], state[2]) for _, state in states[place + shift - 1 : place + shift + 1]
            )
            if before == after:
                still.append((bid, ask) == before)
            else:
                moved.append(bid in {before[0], after[0]} and ask in {before[1], after[1]})
    return sum(still), len(still), sum(moved), len(moved), without


def test_bybits_books_show_what_its_tickers_show(imported, capsys):
    """Book and ticker are pushed at different moments of one sequence, so a ticker is held against the book states on
    both sides of it. Only contracts have best prices in their tickers.
    """
    root, _, _ = imported("session")
    days = [
        states_and_touches(read_rows(day.path)) for day in catalogue(root) if day.stream.category == "linear"
    ]
    still_equal, still, moved_equal, moved, without = agreement(days)
    with capsys.disabled():
        tell(
            f"Bybit: {still_equal + moved_equal} of {still + moved} tickers equal the rebuilt book "
            f"({still} where it stood still, {moved} at either end where it moved); "
            f"{without} stand before the first or after the last book state"
        )
    assert (still_equal, moved_equal) == (still, moved)
    assert still + moved >= 611
    for wrong in (-50, -5, -1, 1, 5, 50):
        spoiled = agreement(days, wrong)
        assert spoiled[0] + spoiled[2] < spoiled[1] + spoiled[3]


@pytest.mark.parametrize(
    ("name", "states", "same_id"),
    [("btc", 16_106, 1_564), ("eth", 8_919, 834), ("eth spot", 6_467, 1_056)]
    if FULL
    else [("btc", 1_773, 126), ("eth", 1_189, 104), ("eth spot", 465, 82)],
)
def test_binances_books_chain_and_show_what_its_book_tickers_show(imported, capsys, name, states, same_id):
    """A book ticker is sent at every change of the touch, with its update id. So at each id of the book the last ticker
    up to that id shows the same prices and sizes; where the ids are equal, it is the very same state.
    """
    root, _, _ = imported(name)
    count = equal = same = same_equal = gaps = 0
    for day in catalogue(root):
        rows = read_rows(day.path)
        after_snapshot = rows.flags[int((rows.kind == Kind.CLEAR).nonzero()[0][-1]) :]
        gaps += int((after_snapshot & Flag.GAP).astype(bool).sum())
        built, touches = states_and_touches(rows)
        touches.sort(key=lambda each: each[0])
        ids = [seq for seq, _ in touches]
        for seq, state in dict(built).items():
            place = bisect_right(ids, seq)
            if 0 < place < len(ids):
                count += 1
                equal += touches[place - 1][1] == state
                if ids[place - 1] == seq:
                    same += 1
                    same_equal += touches[place - 1][1] == state
    with capsys.disabled():
        tell(
            f"Binance {name}: {equal} of {count} book states equal the last book ticker, "
            f"{same_equal} of {same} at the same id, {gaps} gaps"
        )
    assert (equal, same_equal, gaps) == (count, same, 0)
    assert (count, same) == (states, same_id)


@pytest.mark.parametrize(("name", "depth", "messages"), [("GOOG", 5, 112_673), ("AAPL", 1, 118_497)])
def test_every_transition_of_the_lobster_book_follows_from_its_message(
    imported, capsys, name, depth, messages
):
    """The importer holds the book table against the messages row by row; what differs would be BOOK_DIFFERS. Here the
    stored rows alone are replayed, and the table is met again at every message.
    """
    root, outcome, files = imported(name)
    assert outcome.everything().by_name() == {}
    with zipfile.ZipFile(files[0]) as packed:
        (member,) = (each for each in packed.namelist() if "orderbook" in each)
        table = packed.read(member).decode().split()
    (day,) = catalogue(root)
    rows, book, line, revealed = read_rows(day.path), Book(), 0, 0
    tick = 10_000 * float(read_info(day.path).tick_size)
    columns = (rows.kind, rows.side, rows.px, rows.qty, rows.flags)
    for kind, side, px, qty, flags in zip(*(column.tolist() for column in columns), strict=True):
        book.apply(kind, side, px, qty, flags)
        revealed += kind == Kind.LEVEL and not flags & Flag.SNAPSHOT
        if flags & Flag.LAST and not flags & Flag.SNAPSHOT:
            ask, ask_qty, bid, bid_qty = map(int, table[line].split(",", 4)[:4])
            assert book.touch() == (bid / tick, bid_qty, ask / tick, ask_qty), line
            line += 1
    with capsys.disabled():
        tell(
            f"LOBSTER {name}: {line} of {messages} transitions follow; {revealed} levels came into view at the far end"
        )
    assert line == len(table) == (messages if FULL else FIRST_LINES)
    assert depth in {1, 5}
