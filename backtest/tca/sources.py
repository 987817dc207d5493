"""Where the costs of orders come from: journals of the daemon and of backtests, and folders of results."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, cast

import apsw
import msgspec

from backtest.dataset.errors import DataError
from executor.domain.errors import JournalError
from executor.domain.timeline import NS_PER_S
from executor.runtime.integrity import (
    DAMAGE,
    GENESIS,
    SCHEMA_VERSION,
    check_head,
    check_link,
    explained,
    hash_at,
    rows,
)
from executor.runtime.reading import open_to_read
from impact.tca.mark_outs import MARK_OUTS_S

Progress = Callable[[int, int], None]
RESULTS: Final = "summary.json"
"""What a folder of results has, as `backtest.results` names it; that module is slow to import."""
_WRONG: Final = (
    "name journals, folders of journals, or folders that `executor backtest run --out` has written"
)
_ALLOWED: Final = "journals of this program, or results of its backtests"
_CLOSE: Final = 1e-9


class Mark(msgspec.Struct, frozen=True):
    """A mark-out of one order, basis points of `notional`; positive is a gain."""

    horizon_s: int
    fills: int
    notional: float
    gain_bps: float | None


class Parts(msgspec.Struct, frozen=True):
    """The seven parts of a shortfall, basis points."""

    delay: float
    spread: float
    temporary: float
    permanent: float
    timing: float
    opportunity: float
    fees: float
    total: float


class Report(msgspec.Struct, frozen=True):
    """What a stored cost report says, as floats; None is unknown, and in reports of older versions more is."""

    parent_id: str
    venue: str
    category: str
    symbol: str
    side: str
    strategy: str
    status: str
    reason: str
    order_qty: float
    cum_qty: float
    cum_notional: float
    fill_rate: float
    arrival_px: float | None
    avg_px: float | None
    started_at: str | None
    duration_s: float | None
    implementation_shortfall_bps: float | None
    arrival_shortfall_bps: float | None
    vwap_slippage_bps: float | None
    twap_slippage_bps: float | None
    spread_captured_bps: float | None
    fees_bps: float | None
    participation_pct: float | None
    maker_share: float | None
    orders_sent: int
    split_bps: Parts | None = None
    arrival_slippage_bps: float | None = None
    close_slippage_bps: float | None = None
    midpoint_slippage_bps: float | None = None
    reversion_bps: float | None = None
    marks_pending: int = 0
    mark_outs: tuple[Mark, ...] = ()
    advice_value_bps: float | None = None
    predicted_bps: float | None = None
    predicted_low_bps: float | None = None
    predicted_high_bps: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCost:
    """One order.

    Parameters
    ----------
    source
        File or folder it was read from, by its number.
    name
        As it is called there.
    algorithm
        How it was worked: its strategy, or in results the policy that was compared under this name.
    start_ns, end_ns
        Its life, UTC.
    """

    source: int
    name: str
    algorithm: str
    start_ns: int
    end_ns: int
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class FillSums:
    """Sums over the fills of one order that waited, or of those that took; quote units.

    Parameters
    ----------
    gain, known_notional
        By horizon: value of the moves after the fills, and value of the fills of which the mark is known.
    """

    source: int
    name: str
    waited: bool
    fills: int
    qty: float
    notional: float
    gain: tuple[float, ...]
    known_notional: tuple[float, ...]


@dataclass(slots=True, kw_only=True)
class Costs:
    """All that was read.

    Parameters
    ----------
    sources
        Files and folders.
    unfinished
        Orders without a final report, which are in no figure.
    uncosted
        Orders that ended without a cost that can be told: they never began.
    remarks
        What a reader must know of the sources.
    """

    sources: list[Path] = field(default_factory=list)
    orders: list[OrderCost] = field(default_factory=list)
    fills: list[FillSums] = field(default_factory=list)
    unfinished: int = 0
    uncosted: int = 0
    remarks: list[str] = field(default_factory=list)


class _Run(msgspec.Struct, frozen=True):
    """One order of a folder of results."""

    name: str
    policy: str
    start: str
    report: msgspec.Raw


class _Summary(msgspec.Struct, frozen=True):
    parents: list[_Run]


_report_decoder = msgspec.json.Decoder(Report, strict=False)


def find_sources(paths: Sequence[Path]) -> list[Path]:
    """Name the journals, and the folders of results, that some paths mean; each once.

    Raises
    ------
    DataError
        If one is not there, or is a folder with neither.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = [each.parent for each in sorted(path.rglob(RESULTS))] + sorted(path.glob("*.db"))
            if not inside:
                raise DataError(
                    path, "a folder with neither journals (*.db) nor results", _WRONG, allowed=_ALLOWED
                )
            found |= dict.fromkeys(each.resolve() for each in inside)
        elif path.is_file():
            found[path.resolve()] = None
        else:
            raise DataError(path, "no such file or folder", _WRONG, allowed=_ALLOWED)
    return list(found)


def read_costs(
    paths: Sequence[Path],
    *,
    whole_chain: bool = False,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Costs:
    """Read the cost of every order that has ended.

    Parameters
    ----------
    whole_chain
        Whether the chain of every journal is checked from its first row, and not its newest rows only.
    skip_broken
        Whether a journal that cannot be read or trusted is left out and named, where else it ends everything.

    Raises
    ------
    DataError
        If a path means nothing, or results cannot be read.
    JournalError
        If a journal cannot be read or trusted.
    """
    costs = Costs(sources=find_sources(paths))
    for number, path in enumerate(costs.sources):
        if progress is not None:
            progress(number, len(costs.sources))
        try:
            (_add_results if path.is_dir() else _add_journal)(costs, number, path, whole_chain)
        except (JournalError, DataError) as error:
            if not skip_broken:
                raise
            costs.remarks.append(f"left out: {error}")
    costs.orders.sort(key=lambda one: (one.start_ns, one.source, one.name))
    return costs


def marked_fills(path: Path) -> Iterator[dict[str, object]]:
    """Every fill of a journal that is noted with the mids around it, in order of time.

    Raises
    ------
    JournalError
        If it cannot be read.
    """
    db = _opened(path)
    try:
        if not _has_marks(db):
            return
        cursor = db.execute("SELECT * FROM marks ORDER BY ts_exchange_ns, exec_id")
        names: tuple[str, ...] | None = None
        for row in cursor:
            names = names or tuple(name for name, _ in cursor.getdescription())
            yield dict(zip(names, row, strict=True))
    except (apsw.Error, *DAMAGE) as error:
        raise explained(path, error) from error
    finally:
        db.close()


def _add_results(costs: Costs, number: int, folder: Path, _whole_chain: bool) -> None:
    path = folder / RESULTS
    try:
        runs = msgspec.json.decode(path.read_bytes(), type=_Summary).parents
        told = [(run, _told(bytes(run.report))) for run in runs]
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror}", _WRONG, allowed=_ALLOWED) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(path, f"not as results are written: {error}", _WRONG, allowed=_ALLOWED) from error
    for run, report in told:
        if report is None or report.arrival_shortfall_bps is None:
            costs.uncosted += 1
        else:
            try:
                costs.orders.append(_order(number, run.name, run.policy, report))
            except ValueError as error:
                raise DataError(
                    path, f"not as results are written: {error}", _WRONG, allowed=_ALLOWED
                ) from error


def _told(body: bytes) -> Report | None:
    """A report; None for the empty one of an order that was not taken."""
    return None if body == b"{}" else _report_decoder.decode(body)


def _add_journal(costs: Costs, number: int, path: Path, whole_chain: bool) -> None:
    db = _opened(path)
    try:
        db.execute("BEGIN")  # one snapshot: a daemon may be writing
        _check(db, path, whole_chain=whole_chain)
        _refuse_copy(costs.sources[:number], path, db)
        _read_journal(costs, number, path, db)
    except JournalError as error:
        raise JournalError(
            f"{path}: {error}" if str(path) not in str(error) else str(error), error.code
        ) from error
    except (apsw.Error, *DAMAGE) as error:
        raise explained(path, error) from error
    finally:
        db.close()


def _refuse_copy(before: Sequence[Path], path: Path, db: apsw.Connection) -> None:
    """Refuse a journal that goes on from another one, or the other way round: its orders would count twice."""
    newest = db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    if newest is None:
        return
    for other in before:
        if other.is_dir():
            continue
        beside = _opened(other)
        try:
            theirs = beside.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
            if theirs is None:
                continue
            older, (seq, digest) = (beside, newest) if newest[0] <= theirs[0] else (db, theirs)
            if older.execute("SELECT 1 FROM journal WHERE seq = ? AND hash = ?", (seq, digest)).fetchone():
                raise DataError(
                    path,
                    f"a copy of {other}, as it is or as it once was",
                    "name one of the two",
                    allowed=_ALLOWED,
                )
        finally:
            beside.close()


def _opened(path: Path) -> apsw.Connection:
    try:
        return open_to_read(path)
    except apsw.Error as error:
        raise explained(path, error) from error


def _check(db: apsw.Connection, path: Path, *, whole_chain: bool) -> None:
    """Check that it is a journal of ours whose rows are as they were written: the newest, or all of them."""
    try:
        meta = {str(key): str(value) for key, value in db.execute("SELECT key, value FROM meta")}
    except apsw.SQLError as error:
        raise JournalError(
            f"{path}: is a database, but not a journal of this program", "DB_FOREIGN"
        ) from error
    if meta.get("schema_version") != str(SCHEMA_VERSION):
        told = f"schema {meta.get('schema_version')}, this code knows {SCHEMA_VERSION}"
        raise JournalError(f"{path}: {told}", "DB_NEWER")
    last = cast("tuple[int | None]", db.execute("SELECT max(seq) FROM journal").fetchone())[0] or 0
    if whole_chain:
        digest, seq = GENESIS, 0
        for link in rows(db, 0):
            check_link(digest, seq, link)
            digest, seq = link.hash, link.seq
    else:
        digest = hash_at(db, last)
    check_head(db, last, bytes(digest))


def _read_journal(costs: Costs, number: int, path: Path, db: apsw.Connection) -> None:
    wanted: dict[str, Report] = {}
    for (body,) in db.execute("SELECT body FROM reports"):
        report = _report_decoder.decode(cast("bytes", body))
        if report.arrival_shortfall_bps is None:
            costs.uncosted += 1
            continue
        wanted[report.parent_id] = report
        costs.orders.append(_order(number, report.parent_id, report.strategy, report))
    known = cast("tuple[int]", db.execute("SELECT count(*) FROM reports").fetchone())[0]
    parents = cast("tuple[int]", db.execute("SELECT count(*) FROM parents").fetchone())[0]
    costs.unfinished += parents - known
    if not _has_marks(db):
        return
    filled: dict[str, float] = {}
    for sums in _fill_sums(db, number):
        if sums.name in wanted:
            costs.fills.append(sums)
            filled[sums.name] = filled.get(sums.name, 0.0) + sums.qty
    off = [
        name
        for name, report in wanted.items()
        if report.split_bps is not None
        and abs(filled.get(name, 0.0) - report.cum_qty) > _CLOSE * max(report.cum_qty, 1.0)
    ]
    if off:
        costs.remarks.append(
            f"{path}: the fills of {len(off)} orders do not add up to what their reports say ({', '.join(off[:5])});"
            " `executor audit` says where the journal differs from its tables"
        )


def _fill_sums(db: apsw.Connection, number: int) -> Iterator[FillSums]:
    """Sum the fills up in SQL: a million of them need not come into memory."""
    gains = ", ".join(f"total(side * (mid_{h}s - px) / px * notional)" for h in MARK_OUTS_S)
    values = ", ".join(f"total(notional * (mid_{h}s IS NOT NULL))" for h in MARK_OUTS_S)
    query = (
        "SELECT parent_id, waited, count(*), total(qty), total(notional),"  # noqa: S608 - only our own horizons
        f" {gains}, {values} FROM marks GROUP BY parent_id, waited"
    )
    count = len(MARK_OUTS_S)
    for name, waited, fills, qty, notional, *rest in db.execute(query):
        yield FillSums(
            source=number,
            name=str(name),
            waited=bool(waited),
            fills=int(fills),
            qty=float(qty),
            notional=float(notional),
            gain=tuple(map(float, rest[:count])),
            known_notional=tuple(map(float, rest[count:])),
        )


def _has_marks(db: apsw.Connection) -> bool:
    """Whether fills were noted with the mids around them; older versions had no such table."""
    return (
        db.execute("SELECT 1 FROM sqlite_master WHERE type='table' AND name='marks'").fetchone() is not None
    )


def _order(number: int, name: str, algorithm: str, report: Report) -> OrderCost:
    if report.started_at is None:
        raise ValueError(f"{name}: an arrival price and no start")
    start_ns = int(datetime.fromisoformat(report.started_at).timestamp() * 1_000) * (NS_PER_S // 1_000)
    return OrderCost(
        source=number,
        name=name,
        algorithm=algorithm,
        start_ns=start_ns,
        end_ns=start_ns + int((report.duration_s or 0.0) * NS_PER_S),
        report=report,
    )
