"""The same recording met live and in a backtest: are the child orders the same, and if not, why.

Live is the daemon's runtime over real sockets against the local exchange, which plays the recording at its own pace.
The backtest is `backtest.recorded` over the same rows, with the latencies that were measured in the live session: the
order begins at the same instant of the recording, with the same seed. Every difference is given its cause, looked up
in both journals and in the recording; what has none is called unexplained.

Run it with `python -m benchmarks.parity --data STORE --symbol SYMBOL [--seconds N] [--json]`, or on one raw file with
`--import FILE`. With `--paper` the session is one of paper trading: the same runtime over the same sockets, with orders
that are simulated in the market that is seen.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path
from statistics import median

from backtest import recording as stored
from backtest.dataset.importers.protocol import Options
from backtest.dataset.intake import Intake
from backtest.dataset.rows import Kind
from backtest.recorded import Conditions, Errand, work
from benchmarks.parity_sessions import LIMITS, SEED, TIMINGS, live_session, paper_session
from executor.domain.commands import PlaceOrder, ReplaceOrder
from executor.domain.events import (
    BookUpdated,
    OrderAcked,
    OrderFilled,
    ParentSubmitted,
    ReplaceAcked,
    ReplaceRejected,
)
from executor.domain.orders import (
    Category,
    NewOrder,
    ResidualRule,
    Side,
    StrategyParams,
    TimeInForce,
    Urgency,
)
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ZERO, Quantity, install_decimal_context
from executor.engine.engine import Engine
from executor.runtime.integrity import rows
from executor.runtime.journal import Journal
from executor.runtime.reading import open_to_read
from executor.runtime.record import decode_event
from simulation.frictions import Charges
from simulation.replay import codes
from simulation.replay.machine import ReplayMachine
from simulation.replay.spoken import ReplayVenue
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay.twin import ReplayTwin

CONFLATE_NS = 100 * NS_PER_MS
"""The daemon's own least time between two looks at the book."""


class Cause(StrEnum):
    """Why two children differ."""

    OWN_ORDER_SHOWN = "own order shown"
    TOUCH_MOVED = "touch moved in between"
    BOOK = "book changed in between"
    QUEUE = "place in the queue"
    RACE = "amendment met the fill"
    FOLLOWS = "follows from an earlier one"
    UNEXPLAINED = "unexplained"


@dataclass(slots=True)
class Child:
    """One child order: what was asked, when, and what came of it. Times are those of the recording."""

    at_ns: int
    side: str
    qty: Decimal
    px: Decimal
    time_in_force: str
    amends: list[tuple[int, Decimal, Decimal]] = field(default_factory=list)
    refused: int = 0
    filled_qty: Decimal = ZERO
    value: Decimal = ZERO
    end_ns: int = 0

    @property
    def terms(self) -> tuple[str, Decimal, Decimal, str]:
        """What was asked for."""
        return self.side, self.qty, self.px, self.time_in_force

    @property
    def came_to(self) -> tuple[Decimal, Decimal, list[tuple[Decimal, Decimal]]]:
        """What became of it: filled, for how much, and on which later terms that came into force."""
        return self.filled_qty, self.value, [(px, qty) for _, px, qty in self.amends]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Measured in a live session, nanoseconds: medians."""

    feed_ns: int
    entry_ns: int
    answer_ns: int

    @property
    def of_paper(self) -> "Latencies":
        """The same ways as the backtest counts them, of orders that meet the book that is seen and not the exchange's.

        That book was the exchange's one feed earlier: an order comes to it so much sooner, and is heard so much later.

        Raises
        ------
        SystemExit
            If the order would come before it leaves.
        """
        if self.entry_ns < self.feed_ns:
            raise SystemExit("the feed takes longer than the way of an order: nothing to compare with")
        return Latencies(
            feed_ns=self.feed_ns,
            entry_ns=self.entry_ns - self.feed_ns,
            answer_ns=self.answer_ns + self.feed_ns,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a journal tells: children in their order, and the touches that the engine was told of."""

    start_ns: int
    children: list[Child]
    placed_ns: dict[str, int]
    acked_ns: dict[str, int]
    touches: list[tuple[int, Decimal, Decimal]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two children that differ, by their number from 1."""

    number: int
    cause: Cause
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both sides of it; the latencies are those of the backtest, `of` says what was live about the other side."""

    of: str
    latencies: Latencies
    live: list[Child]
    backtest: list[Child]
    start_ns: int
    differences: list[Difference]

    @property
    def late_ms(self) -> float:
        """How much later the live children left, median of those on the same terms, milliseconds."""
        pairs = zip(self.live, self.backtest, strict=False)
        return median(
            [(one.at_ns - other.at_ns) / NS_PER_MS for one, other in pairs if one.terms == other.terms] or [0]
        )


def read_told(path: Path, offset_ns: int) -> Told:
    """Read the children out of a journal; `offset_ns` leads from its clock to that of the recording."""
    by_name: dict[str, Child] = {}
    placed, acked, seen = {}, {}, set()
    touches: list[tuple[int, Decimal, Decimal]] = []
    asked: dict[str, tuple[int, Decimal, Decimal]] = {}
    start_ns, engine = 0, Engine()
    with closing(open_to_read(path)) as db:
        for link in rows(db, 0):
            event = decode_event(link.kind, link.event)
            at_ns = link.at_ns + offset_ns
            match event:
                case ParentSubmitted():
                    start_ns = at_ns
                case BookUpdated():
                    touches.append((at_ns, event.market.best_bid, event.market.best_ask))
                case OrderAcked():
                    acked[event.client_order_id] = link.at_ns
                case OrderFilled() if event.fill.exec_id not in seen:
                    seen.add(event.fill.exec_id)
                    child = by_name[event.fill.client_order_id]
                    child.filled_qty += event.fill.last_qty
                    child.value += event.fill.last_qty * event.fill.last_px
                case ReplaceAcked():
                    by_name[event.client_order_id].amends.append(asked.pop(event.client_order_id))
                case ReplaceRejected():
                    by_name[event.client_order_id].refused += 1
            # The engine is pure: what it commanded then it commands again.
            for command in engine.on_event(event):
                if isinstance(command, PlaceOrder):
                    order = command.approved.order
                    by_name[order.client_order_id] = _child(order, at_ns)
                    placed[order.client_order_id] = link.at_ns
                elif isinstance(command, ReplaceOrder):
                    changed = command.approved.order
                    asked[changed.client_order_id] = at_ns, changed.px, changed.qty
            for name, child in by_name.items():
                if not child.end_ns and _is_over(engine, name):
                    child.end_ns = at_ns
    return Told(
        start_ns=start_ns, children=list(by_name.values()), placed_ns=placed, acked_ns=acked, touches=touches
    )


def _child(order: NewOrder, at_ns: int) -> Child:
    return Child(at_ns, order.side.name, order.qty, order.px, str(order.time_in_force))


def _is_over(engine: Engine, name: str) -> bool:
    child = engine.state.children.get(name)
    return child is None or child.is_final


def make_order(
    category: Category, symbol: str, side: Side, qty: Decimal, duration_s: int, interval_s: int
) -> ParentSubmitted:
    """Make the order that is worked twice: a TWAP that waits and crosses at the end of each slice."""
    return ParentSubmitted(
        at_ns=0,
        request_id="p1",
        idempotency_key="p1",
        body_sha256="",
        category=category,
        symbol=symbol,
        side=side,
        order_qty=Quantity(qty),
        duration_s=duration_s,
        residual=ResidualRule.CROSS,
        extend_s=0,
        limit_px=None,
        urgency=Urgency.MEDIUM,
        strategy="twap",
        params=StrategyParams(interval_s=interval_s),
        reduce_only=False,
        position_idx=0,
        decision_px=None,
        seed=SEED,
    )


Touches = list[tuple[int, Decimal, Decimal]]
MakeVenue = Callable[[ReplayTerms], ReplayVenue]


def touches_of(
    recording: stored.Recording, until_ns: int, make: MakeVenue
) -> tuple[Touches, list[tuple[int, Decimal]]]:
    """Prices of the recorded touch whenever they move, and the public trades, up to an instant."""
    venue = make(ReplayTerms(prices_only=True))
    reel, tick = stored.Reel(recording), recording.steps.tick_size
    reader, moves, trades = reel.chunks(0), [], []
    while True:
        reason = venue.advance(until_ns, codes.WAKE_TOUCH)
        if reason == codes.MORE:
            piece, final = next(reader)
            venue.feed(piece, final=final)
            for at_ns, kind, px in zip(piece.exch_ns, piece.kind, piece.px, strict=True):
                if kind == Kind.TRADE:
                    trades.append((int(at_ns), int(px) * tick))
        elif reason == codes.TOUCH_MOVED:
            glance = venue.glance()
            moves.append((venue.now_ns, glance.bid_px * tick, glance.ask_px * tick))
        else:
            return moves, trades


def measure(told: Told, taken_ns: dict[str, int], moves: Touches) -> Latencies:
    """Read the medians of the three ways out of a live session; the exchange's stamps are whole milliseconds."""
    entry = [taken_ns[name] - at_ns for name, at_ns in told.placed_ns.items() if name in taken_ns]
    answer = [at_ns - taken_ns[name] for name, at_ns in told.acked_ns.items() if name in taken_ns]
    feed, before = [], (ZERO, ZERO)
    for at_ns, bid, ask in told.touches:
        if (bid, ask) != before:
            since = [moved for moved, *touch in moves if moved <= at_ns and touch == [bid, ask]]
            feed += [at_ns - since[-1]] if since and before != (ZERO, ZERO) else []
        before = bid, ask
    return Latencies(feed_ns=_usual(feed), entry_ns=max(_usual(entry), 0), answer_ns=max(_usual(answer), 0))


def _usual(spans: list[int]) -> int:
    return int(median(spans)) if spans else 0


def backtest(
    recording: stored.Recording, order: ParentSubmitted, start_ns: int, latencies: Latencies, folder: Path,
    *, warmup_s: int, make: MakeVenue,
) -> None:  # fmt: skip
    """Work the same order in the replay; the journal is `backtest.db` in a folder."""
    conditions = Conditions(
        terms=ReplayTerms(
            feed=Delay(constant_ns=latencies.feed_ns),
            entry=Delay(constant_ns=latencies.entry_ns),
            answer=Delay(constant_ns=latencies.answer_ns),
            conflate_ns=CONFLATE_NS,
            prices_only=True,
        ),
        charges=Charges(),
        limits=LIMITS,
        timings=TIMINGS,
        warmup_s=warmup_s,
        over_gaps=True,
        seed=SEED - 1,
    )
    errand = Errand(number=1, start_ns=start_ns, order=order, policy="")

    @contextmanager
    def opened(_errand: Errand) -> Iterator[Journal]:
        with Journal.open(folder / "backtest.db", create=True, instance="parity") as journal:
            yield journal

    (worked,) = work(recording, conditions, [errand], make, opened)
    if worked.failure:
        raise SystemExit(f"the backtest came to nothing: {worked.failure}")


class Judge:
    """Finds the cause of a difference in what both sides saw.

    Parameters
    ----------
    live
        What the live journal tells.
    moves, trades
        The recorded touch and the recorded trades.
    of
        What the other side is called: live, or paper.
    """

    def __init__(
        self,
        live: Told,
        latencies: Latencies,
        moves: Touches,
        trades: list[tuple[int, Decimal]],
        of: str = "live",
    ) -> None:
        self._live, self._latencies, self._moves, self._trades = live, latencies, moves, trades
        self._of = of

    def differences(self, live: list[Child], backtest: list[Child]) -> list[Difference]:
        """All pairs that differ, each with its cause."""
        found: list[Difference] = []
        for number, (one, other) in enumerate(zip_longest(live, backtest), start=1):
            what = _differs(one, other, self._of)
            if what:
                found.append(Difference(number=number, cause=self._cause(one, other, found), what=what))
        return found

    def _cause(self, one: Child | None, other: Child | None, before: list[Difference]) -> Cause:
        if one is not None and other is not None and one.side == other.side:
            if one.px != other.px:
                if self._shows_own(one, one.at_ns):
                    return Cause.OWN_ORDER_SHOWN
                if self._touch_parted(one, other):
                    return Cause.TOUCH_MOVED
            elif one.terms == other.terms:
                return self._cause_of_fate(one, other, before)
        return Cause.FOLLOWS if before else Cause.UNEXPLAINED

    def _cause_of_fate(self, one: Child, other: Child, before: list[Difference]) -> Cause:
        """Why two orders on the same terms came to different ends."""
        if one.came_to == other.came_to:
            return Cause.RACE
        steps, others = ([(px, qty) for _, px, qty in child.amends] for child in (one, other))
        parted = next((i for i, pair in enumerate(zip_longest(steps, others)) if pair[0] != pair[1]), None)
        if one.filled_qty != other.filled_qty or parted is None:
            if self._traded(one, other):
                return Cause.BOOK if one.time_in_force == TimeInForce.IOC else Cause.QUEUE
        elif any(self._shows_own(one, at_ns) for at_ns, *_ in one.amends[parted:]):
            return Cause.OWN_ORDER_SHOWN
        if parted is not None:
            prices = {px for px, _ in steps[parted:] + others[parted:]}
            if self._recorded_both(one.side, prices, one.at_ns, max(one.end_ns, other.end_ns)):
                return Cause.TOUCH_MOVED
        return Cause.FOLLOWS if before else Cause.UNEXPLAINED

    def _shows_own(self, child: Child, at_ns: int) -> bool:
        """Whether the touch that was seen live was an order of ours, where the recording had none."""
        which = 1 if child.side == Side.BUY.name else 2
        seen = [touch for touch in self._live.touches if touch[0] <= at_ns][-1:]
        return any(
            touch[which] not in self._recorded(touch[0], at_ns, which)
            and any(
                touch[which] in {other.px, *(px for _, px, _ in other.amends)}
                for other in self._live.children
                if other.at_ns < at_ns and other.end_ns >= touch[0]
            )
            for touch in seen
        )

    def _touch_parted(self, one: Child, other: Child) -> bool:
        """Whether the touch that two orders are priced by stood at both; what takes is priced by the other side."""
        if one.time_in_force != TimeInForce.IOC:
            return self._recorded_both(one.side, {one.px, other.px}, one.at_ns, other.at_ns)
        which = 2 if one.side == Side.BUY.name else 1
        stood = self._recorded(min(one.at_ns, other.at_ns), max(one.at_ns, other.at_ns), which)
        apart = one.px - other.px
        # How far beyond the touch it may take is a share of the touch, rounded to a tick.
        return any(a != b and abs(a - b - apart) <= abs(a - b) / 2 for a in stood for b in stood)

    def _recorded_both(self, side: str, prices: set[Decimal], *instants: int) -> bool:
        """Whether the recorded touch stood at all these prices within what latency and conflation leave open."""
        return prices <= self._recorded(min(instants), max(instants), 1 if side == Side.BUY.name else 2)

    def _recorded(self, from_ns: int, to_ns: int, which: int) -> set[Decimal]:
        """Prices of one side of the recorded touch in a stretch, and as far before it as what is seen may be old."""
        from_ns -= 2 * self._latencies.feed_ns + CONFLATE_NS + 50 * NS_PER_MS
        stood = [move[which] for move in self._moves if move[0] <= from_ns][-1:]
        return {*stood, *(move[which] for move in self._moves if from_ns < move[0] <= to_ns)}

    def _traded(self, one: Child, other: Child) -> bool:
        """Whether anything happened at the price or beyond it while either was there: then the place counts."""
        from_ns, to_ns = min(one.at_ns, other.at_ns), max(one.end_ns, other.end_ns)
        sign = 1 if one.side == Side.BUY.name else -1
        best = max(sign * px for px in (one.px, *(px for _, px, _ in one.amends + other.amends)))
        reached = any(from_ns <= at_ns <= to_ns and best >= sign * px for at_ns, px in self._trades)
        return reached or any(
            best >= sign * px for px in self._recorded(from_ns, to_ns, 2 if sign > 0 else 1)
        )


def _differs(one: Child | None, other: Child | None, of: str) -> str:
    if one is None or other is None:
        return "only in the backtest" if one is None else f"only {of}"
    parts = []
    if one.terms != other.terms:
        parts.append(f"{_terms(one)} {of}, {_terms(other)} in the backtest")
    if one.came_to != other.came_to:
        parts.append(f"{_fate(one)} {of}, {_fate(other)} in the backtest")
    elif one.refused != other.refused:
        parts.append(f"amendments refused: {one.refused} {of}, {other.refused} in the backtest")
    return "; ".join(parts)


def _fate(child: Child) -> str:
    moved = "".join(f", moved to {px}" for _, px, _ in child.amends)
    mean = f" at {child.value / child.filled_qty:.6g}" if child.filled_qty else ""
    return f"filled {child.filled_qty}{mean}{moved}"


def _terms(child: Child) -> str:
    return f"{child.side} {child.qty} at {child.px} {child.time_in_force}"


def compare(
    data: Path,
    order: ParentSubmitted,
    folder: Path,
    *,
    warmup_s: int,
    paper: bool = False,
    make: MakeVenue = ReplayTwin,
) -> Comparison:
    """Work an order live, or on paper, and in the backtest of the same rows; hold the children against each other."""
    install_decimal_context()
    session = paper_session if paper else live_session
    offset_ns, taken_ns = asyncio.run(session(data, order, folder, warmup_s=warmup_s))
    live = read_told(folder / "live.db", offset_ns)
    recording = stored.find_recording(data, order.symbol, category=order.category.value)
    moves, trades = touches_of(recording, max(child.end_ns for child in live.children) + NS_PER_S, make)
    latencies = measure(live, taken_ns, moves)
    if paper:
        latencies = latencies.of_paper
    backtest(recording, order, live.start_ns, latencies, folder, warmup_s=warmup_s, make=make)
    replayed = read_told(folder / "backtest.db", 0)
    of = "paper" if paper else "live"
    judge = Judge(live, latencies, moves, trades, of)
    return Comparison(
        of=of,
        latencies=latencies,
        live=live.children,
        backtest=replayed.children,
        start_ns=live.start_ns,
        differences=judge.differences(live.children, replayed.children),
    )


def report(comparison: Comparison) -> str:
    """Both sides beside each other, and the differences by cause, for people."""
    ways, of = comparison.latencies, comparison.of
    lines = [
        "measured (medians): "
        + ", ".join(
            f"{name} {way_ns / NS_PER_MS:.1f} ms"
            for name, way_ns in (
                ("feed", ways.feed_ns),
                ("order", ways.entry_ns),
                ("response", ways.answer_ns),
            )
        ),
        "",
        f"{'':>3}  {of:<62}backtest",
    ]
    causes = {one.number: one for one in comparison.differences}
    for number, pair in enumerate(zip_longest(comparison.live, comparison.backtest), start=1):
        one, other = (_line(child, comparison.start_ns) for child in pair)
        mark = f"  <- {causes[number].cause}" if number in causes else ""
        lines.append(f"{number:>3}  {one:<62}{other}{mark}")
    both = min(len(comparison.live), len(comparison.backtest))
    same = both - sum(number <= both for number in causes)
    counts = {cause: sum(one.cause is cause for one in comparison.differences) for cause in Cause}
    lines += [
        "",
        f"children       {len(comparison.live)} {of}, {len(comparison.backtest)} in the backtest, {same} the same",
        f"filled         {_filled(comparison.live)} {of}, {_filled(comparison.backtest)} in the backtest",
        f"leave later    {comparison.late_ms:.1f} ms, {of} against backtest, median",
        *(f"{cause:<28}{count}" for cause, count in counts.items() if count or cause is Cause.UNEXPLAINED),
        *(f"  {one.number:>3}  {one.cause}: {one.what}" for one in comparison.differences),
    ]
    return "\n".join(lines)


def _line(child: Child | None, start_ns: int) -> str:
    if child is None:
        return "-"
    moved = f", then {child.amends[-1][1]}" if child.amends else ""
    after_s = (child.at_ns - start_ns) / NS_PER_S
    terms = f"{child.side:<4} {child.qty} at {child.px} {child.time_in_force}"
    return f"+{after_s:7.3f}s {terms}{moved}: {child.filled_qty}"


def _filled(children: list[Child]) -> str:
    qty = sum((child.filled_qty for child in children), ZERO)
    value = sum((child.value for child in children), ZERO)
    return f"{qty} at {value / qty:.6g}" if qty else "nothing"


def main(words: list[str] | None = None) -> int:
    """Compare on a store, or on raw files that are imported first; 1 if a difference has no cause."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder of a store")
    source.add_argument("--import", dest="files", type=Path, nargs="+", help="raw files of a recording")
    parser.add_argument("--symbol", required=True)
    parser.add_argument("--category", default="linear", choices=("linear", "spot"))
    parser.add_argument("--side", default="buy", choices=("buy", "sell"))
    parser.add_argument("--qty", type=Decimal, required=True)
    parser.add_argument("--seconds", type=int, default=120, help="how long the order is worked")
    parser.add_argument("--interval", type=int, default=10, help="length of a slice, seconds")
    parser.add_argument(
        "--warmup", type=int, default=10, help="how long the market is watched before, seconds"
    )
    parser.add_argument("--paper", action="store_true", help="compare paper trading instead of live trading")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        folder, data = Path(name), asked.data
        if data is None:
            data = folder / "store"
            Intake(data, Options()).run(asked.files)
        order = make_order(
            Category(asked.category),
            asked.symbol,
            Side[asked.side.upper()],
            asked.qty,
            asked.seconds,
            asked.interval,
        )
        done = compare(data, order, folder, warmup_s=asked.warmup, paper=asked.paper, make=ReplayMachine)
    sys.stdout.write((json.dumps(asdict(done), default=str) if asked.json else report(done)) + "\n")
    return int(any(one.cause is Cause.UNEXPLAINED for one in done.differences))


if __name__ == "__main__":
    sys.exit(main())
