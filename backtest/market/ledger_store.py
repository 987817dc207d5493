"""The ledger of a simulated market as a file: SQLite while it runs, Parquet for whoever wants to look with other tools.

Every row that the clearing house writes is kept, in batches; each batch is bound to all before it by a hash. When the
market ends, the balances that the house says it has are put beside them. `audit` trusts none of it: it adds all rows up
again from zero and compares.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

import apsw

from executor.domain.errors import ExecutorError
from simulation.clearing.house import ClearingHouse
from simulation.clearing.ledger import (
    CASH,
    Balances,
    Numbers,
    Trade,
    TradeRow,
    Transfer,
    TransferRow,
    added_up,
)

FORMAT: Final = 1
BATCH_ROWS: Final = 20_000
"""Rows kept in memory before they are written together; a crash loses at most these."""
GENESIS: Final = bytes(32)
_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE trades (at_ns INTEGER NOT NULL, number INTEGER PRIMARY KEY, asset INTEGER NOT NULL, px INTEGER NOT NULL,
 qty INTEGER NOT NULL, buyer INTEGER NOT NULL, seller INTEGER NOT NULL, buy_order INTEGER NOT NULL,
 sell_order INTEGER NOT NULL, taker_side INTEGER NOT NULL, buy_fee INTEGER NOT NULL, sell_fee INTEGER NOT NULL) STRICT;
CREATE TABLE transfers (at_ns INTEGER NOT NULL, number INTEGER PRIMARY KEY, kind INTEGER NOT NULL,
 source INTEGER NOT NULL, target INTEGER NOT NULL, asset INTEGER NOT NULL, amount INTEGER NOT NULL) STRICT;
CREATE TABLE chain (last_number INTEGER PRIMARY KEY, sha256 BLOB NOT NULL) STRICT;
CREATE TABLE balances (account INTEGER NOT NULL, asset INTEGER NOT NULL, amount INTEGER NOT NULL,
 PRIMARY KEY (account, asset)) STRICT;
"""
_KEEP_TRADE: Final = "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_KEEP_TRANSFER: Final = "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?, ?)"


class LedgerError(ExecutorError):
    """A ledger that cannot be written or read; the message names the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What came of adding a ledger up again.

    Parameters
    ----------
    head
        Hash over all rows, hexadecimal: whoever has noted it finds a file that was rewritten as a whole, too.
    problems
        Everything that is not as it must be, in words; empty is sound.
    """

    trades: int
    transfers: int
    head: str
    problems: tuple[str, ...]


class LedgerStore:
    """Writes the rows of one market to a new file; use inside `with`.

    Parameters
    ----------
    path
        Must not exist.
    participants, assets, scale
        As the clearing house has them.
    """

    def __init__(self, path: Path, participants: int, assets: int, scale: int) -> None:
        self._path = path
        self._sizes = {"format": FORMAT, "participants": participants, "assets": assets, "scale": scale}
        self._db: apsw.Connection | None = None
        self._trades: list[TradeRow] = []
        self._transfers: list[TransferRow] = []
        self._head = GENESIS

    def __enter__(self) -> Self:
        """Make the file.

        Raises
        ------
        LedgerError
            If there is one already, or none can be made.
        """
        if self._path.exists():
            raise LedgerError(f"{self._path}: exists; a ledger holds one run, give another name")
        try:
            self._db = apsw.Connection(str(self._path))
            self._db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL")
            self._db.execute(_TABLES)
            self._db.executemany("INSERT INTO meta VALUES (?, ?)", self._sizes.items())
        except apsw.Error as error:
            self._close()
            raise LedgerError(f"{self._path}: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._close()

    def trade(self, row: TradeRow) -> None:
        """Keep a settled trade."""
        self._trades.append(row)
        if len(self._trades) >= BATCH_ROWS:
            self.flush()

    def transfer(self, row: TransferRow) -> None:
        """Keep another movement."""
        self._transfers.append(row)
        if len(self._transfers) >= BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what has not been written yet, and its hash, in one transaction.

        Raises
        ------
        LedgerError
            If that fails, or a figure has more than 64 bits.
        """
        if not self._trades and not self._transfers:
            return
        db = self._opened()
        last = max(rows[-1][1] for rows in (self._trades, self._transfers) if rows)
        head = _bound(self._head, self._trades, self._transfers)
        try:
            with db:
                db.executemany(_KEEP_TRADE, self._trades)
                db.executemany(_KEEP_TRANSFER, self._transfers)
                db.execute("INSERT INTO chain VALUES (?, ?)", (last, head))
        except (apsw.Error, OverflowError) as error:
            raise LedgerError(f"{self._path}: {error}") from error
        self._head = head
        self._trades.clear()
        self._transfers.clear()

    def finish(self, house: ClearingHouse) -> str:
        """Write everything, and what the house says that every account holds; gives the hash over all rows."""
        self.flush()
        held = [(CASH, house.cash), *enumerate(house.shares)]
        rows = [(account, asset, amount) for asset, all_of in held for account, amount in enumerate(all_of)]
        db = self._opened()
        try:
            with db:
                db.executemany("INSERT INTO balances VALUES (?, ?, ?)", rows)
        except (apsw.Error, OverflowError) as error:
            raise LedgerError(f"{self._path}: {error}") from error
        return self._head.hex()

    def _opened(self) -> apsw.Connection:
        if self._db is None:
            raise LedgerError(f"{self._path}: is not open")
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def audit(path: Path, head: str = "") -> Audited:
    """Add a ledger up again and compare it with its balances, its numbers, and its hashes.

    Parameters
    ----------
    head
        Hash over all rows that was noted when the ledger was finished; empty compares none.

    Raises
    ------
    LedgerError
        If the file is no ledger.
    """
    db = _opened(path)
    try:
        sizes = _sizes(db, path)
        trades = list(_trades(db))
        transfers = list(_transfers(db))
        problems = [*_numbering(trades, transfers)]
        found, chain_problems = _chain(db, trades, transfers)
        problems += chain_problems
        if head and found != head:
            problems.append("the hash over all rows is not the one that was noted")
        if all(_within(row, sizes) for rows in (trades, transfers) for row in rows):
            again = added_up(sizes["participants"], sizes["assets"], sizes["scale"], trades, transfers)
            problems += _differences(db, again)
        else:
            problems.append("a row names an account or asset that is not there")
    except (apsw.Error, KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"{path}: is no ledger of this program: {error}") from error
    finally:
        db.close()
    return Audited(trades=len(trades), transfers=len(transfers), head=found, problems=tuple(problems))


def export_parquet(path: Path, folder: Path) -> list[Path]:
    """Write trades, transfers and balances of a ledger as one Parquet file each; gives their paths.

    Raises
    ------
    LedgerError
        If the file is no ledger.
    """
    import pyarrow as pa  # noqa: PLC0415 - a heavy library, for this alone
    import pyarrow.parquet as pq  # noqa: PLC0415

    db = _opened(path)
    written = []
    try:
        _sizes(db, path)
        tables = (
            ("trades", Trade._fields, _trades(db)),
            ("transfers", Transfer._fields, _transfers(db)),
            ("balances", ("account", "asset", "amount"), _balances(db)),
        )
        folder.mkdir(parents=True, exist_ok=True)
        for name, columns, rows in tables:
            schema = pa.schema([(column, pa.int64()) for column in columns])
            target = folder / f"{name}.parquet"
            with pq.ParquetWriter(target, schema) as writer:
                for batch in _batches(rows):
                    writer.write_table(pa.table(list(zip(*batch, strict=True)), schema=schema))
            written.append(target)
    except apsw.Error as error:
        raise LedgerError(f"{path}: {error}") from error
    finally:
        db.close()
    return written


def _batches(rows: Iterator[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    batch: list[tuple[int, ...]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _opened(path: Path) -> apsw.Connection:
    try:
        return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise LedgerError(f"{path}: {error}") from error


def _sizes(db: apsw.Connection, path: Path) -> dict[str, int]:
    try:
        sizes = {
            str(key): int(cast("int", value)) for key, value in db.execute("SELECT key, value FROM meta")
        }
    except apsw.Error as error:
        raise LedgerError(f"{path}: is no ledger of this program: {error}") from error
    if sizes.get("format") != FORMAT:
        raise LedgerError(f"{path}: a ledger of format {sizes.get('format')}, this program reads {FORMAT}")
    return sizes


def _trades(db: apsw.Connection) -> Iterator[TradeRow]:
    return cast("Iterator[TradeRow]", db.execute("SELECT * FROM trades ORDER BY number"))


def _transfers(db: apsw.Connection) -> Iterator[TransferRow]:
    return cast("Iterator[TransferRow]", db.execute("SELECT * FROM transfers ORDER BY number"))


def _balances(db: apsw.Connection) -> Iterator[tuple[int, ...]]:
    query = "SELECT account, asset, amount FROM balances ORDER BY asset, account"
    return cast("Iterator[tuple[int, ...]]", db.execute(query))


def _bound(head: bytes, trades: list[TradeRow], transfers: list[TransferRow]) -> bytes:
    digest = hashlib.sha256(head)
    for rows in (trades, transfers):
        digest.update(repr(rows).encode())
    return digest.digest()


def _numbering(trades: list[TradeRow], transfers: list[TransferRow]) -> Iterator[str]:
    numbers = sorted([row[1] for row in trades] + [row[1] for row in transfers])
    if numbers != list(range(1, len(numbers) + 1)):
        yield "rows are missing or were added: their numbers have a gap or occur twice"


def _chain(
    db: apsw.Connection, trades: list[TradeRow], transfers: list[TransferRow]
) -> tuple[str, list[str]]:
    head, first, trade, transfer = GENESIS, 1, 0, 0
    for last, told in db.execute("SELECT last_number, sha256 FROM chain ORDER BY last_number"):
        until = cast("int", last)
        trade_end, transfer_end = trade, transfer
        while trade_end < len(trades) and trades[trade_end][1] <= until:
            trade_end += 1
        while transfer_end < len(transfers) and transfers[transfer_end][1] <= until:
            transfer_end += 1
        head = _bound(head, trades[trade:trade_end], transfers[transfer:transfer_end])
        if head != told:
            return head.hex(), [f"a row from {first} to {until} is not the one that was written"]
        trade, transfer, first = trade_end, transfer_end, until + 1
    if trade != len(trades) or transfer != len(transfers):
        return head.hex(), ["rows stand after the last that was written"]
    return head.hex(), []


def _within(row: tuple[int, ...], sizes: dict[str, int]) -> bool:
    accounts, assets = Numbers(sizes["participants"]).accounts, sizes["assets"]
    if len(row) == len(Trade._fields):
        trade = Trade(*row)
        return 0 <= trade.asset < assets and all(0 <= who < accounts for who in (trade.buyer, trade.seller))
    transfer = Transfer(*row)
    return CASH <= transfer.asset < assets and all(
        0 <= who < accounts for who in (transfer.source, transfer.target)
    )


def _differences(db: apsw.Connection, again: Balances) -> Iterator[str]:
    told = {(account, asset): amount for account, asset, amount in _balances(db)}
    if not told:
        yield "the ledger was never finished: no balances stand in it"
        return
    held = [(CASH, again.cash), *enumerate(again.shares)]
    counted = {(account, asset): amount for asset, all_of in held for account, amount in enumerate(all_of)}
    for account, asset in sorted(counted.keys() | told.keys()):
        have, say = counted.get((account, asset), 0), told.get((account, asset))
        if have != say:
            what = "money" if asset == CASH else f"asset {asset}"
            yield f"account {account} holds {have} of {what} by its rows, and {say} by its balance"
