"""Figures of a run under load: quantiles of the daemon's own histograms, what processes use, and what got lost.

Nothing is started here and nothing is asked of a network: pages of metrics, `/proc`, a journal and the exchange's own
books are what this is given.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from executor.runtime.reading import open_to_read

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_MIB: Final = 1_048_576
_OPEN_AT_VENUE: Final = frozenset({"New", "PartiallyFilled", "Untriggered"})
JsonList = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Observations in buckets.

    Parameters
    ----------
    bounds
        Upper bounds, ascending, the last one infinite.
    counts
        Observations up to each bound, the smaller ones included.
    total
        Sum of the observations, in their unit.
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    total: float

    @property
    def count(self) -> float:
        """Observations in all."""
        return self.counts[-1]

    def since(self, before: "Histogram") -> "Histogram":
        """What was observed since an earlier look."""
        assert self.bounds == before.bounds
        return Histogram(
            bounds=self.bounds,
            counts=tuple(now - then for now, then in zip(self.counts, before.counts, strict=True)),
            total=self.total - before.total,
        )

    def quantile(self, share: float) -> float | None:
        """Value below which a share (0-1) of the observations lie, as Prometheus reckons it; None without any.

        Within a bucket they are taken to lie evenly; in the last one nothing is known but its lower bound.
        """
        if not self.count:
            return None
        rank, below, lower = share * self.count, 0.0, 0.0
        for bound, upto in zip(self.bounds[:-1], self.counts[:-1], strict=True):
            if upto >= rank and upto > below:
                return lower + (bound - lower) * (rank - below) / (upto - below)
            below, lower = upto, bound
        return lower

    def share_within(self, bound: float) -> float | None:
        """Share (0-1) of the observations up to one of the bounds; None without any.

        Raises
        ------
        ValueError
            If it is not a bound.
        """
        return self.counts[self.bounds.index(bound)] / self.count if self.count else None


class Page:
    """One scrape of the metrics."""

    def __init__(self, text: str) -> None:
        self._samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    @property
    def series(self) -> int:
        """Series on the page."""
        return len(self._samples)

    def histogram(self, name: str) -> Histogram:
        """Give a histogram that has no labels."""
        buckets = [
            (float(sample.labels["le"]), sample.value)
            for sample in self._samples
            if sample.name == f"{name}_bucket"
        ]
        buckets.sort()
        return Histogram(
            bounds=tuple(bound for bound, _ in buckets),
            counts=tuple(count for _, count in buckets),
            total=self.total(f"{name}_sum"),
        )

    def total(self, name: str) -> float:
        """Sum of a metric over all its series; 0 where it has none."""
        return sum(sample.value for sample in self._samples if sample.name == name)

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """Sums of a metric by one of its labels."""
        found: dict[str, float] = {}
        for sample in self._samples:
            if sample.name == name:
                key = sample.labels[label]
                found[key] = found.get(key, 0.0) + sample.value
        return {key: value for key, value in found.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process has used of the machine.

    Parameters
    ----------
    processor_s
        Processor time of all its threads so far, seconds.
    resident_mib
        Memory of it that is in use, MiB.
    """

    processor_s: float
    resident_mib: float


def usage_of(pid: int) -> Usage:
    """Read what a process has used (Linux).

    Raises
    ------
    OSError
        If there is no such process.
    """
    place = Path("/proc") / str(pid)
    fields = (place / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    pages = int((place / "statm").read_text(encoding="ascii").split()[1])
    return Usage(
        processor_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
        resident_mib=pages * _PAGE_BYTES / _MIB,
    )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Slope of the straight line through points (least squares), in units of the second over units of the first."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def quantile(values: Sequence[float], share: float) -> float | None:
    """Smallest value that at least a share (0-1) of all do not exceed; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def differences(journal: Path, orders: JsonList, executions: JsonList) -> Iterator[str]:
    """Compare a journal with the exchange's own books; names what one of them has and the other has not.

    Parameters
    ----------
    orders, executions
        All of the account, as the exchange holds them.
    """
    db = open_to_read(journal)
    try:
        children = {
            str(name): (str(venue_id), Decimal(str(cum)))
            for name, venue_id, cum in db.execute(
                "SELECT client_order_id, venue_order_id, cum_qty FROM children"
            )
        }
        fills = {
            (str(category), str(symbol), str(exec_id)): (Decimal(str(qty)), Decimal(str(px)))
            for category, symbol, exec_id, qty, px in db.execute(
                "SELECT category, symbol, exec_id, last_qty, last_px FROM fills"
            )
        }
        unknown = db.execute("SELECT client_order_id FROM children WHERE status = 'UNKNOWN'").fetchall()
    finally:
        db.close()
    yield from (f"order {name} is still in doubt" for (name,) in unknown)
    at_venue = {str(order["orderLinkId"]): order for order in orders}
    for name, order in at_venue.items():
        if order["status"] in _OPEN_AT_VENUE:
            yield f"order {name} is still open at the exchange"
        if name not in children:
            yield f"order {name} of the exchange is not in the journal"
        elif children[name][1] != Decimal(str(order["cumExecQty"])):
            yield f"order {name}: {order['cumExecQty']} executed, {children[name][1]} in the journal"
    for name, (venue_id, _) in children.items():
        if venue_id and name not in at_venue:
            yield f"order {name} of the journal is not at the exchange"
    theirs = {
        (str(each["category"]), str(each["symbol"]), str(each["execId"])): (
            Decimal(str(each["qty"])),
            Decimal(str(each["price"])),
        )
        for each in executions
        if each["execType"] == "Trade"
    }
    for key, what in theirs.items():
        if fills.get(key) != what:
            yield f"execution {key[2]} is {what} at the exchange and {fills.get(key)} in the journal"
    yield from (
        f"fill {key[2]} of the journal is not at the exchange" for key in fills.keys() - theirs.keys()
    )
