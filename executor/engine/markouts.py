"""What is remembered of each fill until the last mark-out: the book before it, and the mid at fixed horizons after it.

A fill waits for one horizon at a time, in a heap of its market; a book looks at the earliest only. What is known for
good goes into sums of its child order, and the record leaves the state for the table beside the journal. Nothing is
decided by any of it.

A mid is in force from its book to the next one by the venue's clock. Where the book was lost in between, or nothing
was heard for `SILENCE_S`, nobody knows it, and the mark is None.
"""

from decimal import Decimal
from heapq import heappop, heappush
from typing import Final

from executor.domain.commands import StoreReport
from executor.domain.fill_mark import FillMark
from executor.domain.fills import Fill
from executor.domain.orders import Liquidity
from executor.domain.timeline import NS_PER_S
from executor.engine.accounts import fee_in_quote
from executor.engine.desk import Desk
from executor.engine.state import ChildState, EngineState, MarketState, ParentState, market_key
from impact.tca.fill_costs import WINDOW_S, BookedFill, FillCosts, ImpactPath, costs_of, end_window
from impact.tca.mark_outs import MARK_OUTS_S, MarkSums

SILENCE_S: Final = 10
"""A mid older than this at the next book is not taken for the mid meanwhile, seconds."""
WAITING_MAX: Final = 10_000
"""Fills that may wait for marks at one time; of more than that no mark is taken."""
_WINDOW: Final = MARK_OUTS_S.index(WINDOW_S)


def take_due(desk: Desk, market: MarketState, ts_exchange_ns: int) -> None:
    """Take the marks that fell due before the time of a new book, while the mid before it is still the last one."""
    due = market.marks_due
    if not market.recent_mids:
        return
    last_ns, mid_px = market.recent_mids[-1]
    known = market.book_ns is not None and ts_exchange_ns - last_ns <= SILENCE_S * NS_PER_S
    while due and due[0][0] < ts_exchange_ns:
        mark = desk.state.marks[heappop(due)[1]]
        _take(desk, mark, mid_px if known else None, mid_px)
        _wait(desk, market, mark)


def on_fill(desk: Desk, parent: ParentState, child: ChildState, fill: Fill) -> None:
    """Note a fill of ours with the book before it, and begin to wait for its marks."""
    state = desk.state
    market = state.markets.get(market_key(fill.category, fill.symbol))
    if not state.marks_fills or market is None:
        return
    mark = FillMark(
        parent_id=parent.order.parent_id,
        client_order_id=child.order.client_order_id,
        category=fill.category,
        symbol=fill.symbol,
        exec_id=fill.exec_id,
        side=fill.side,
        liquidity=fill.liquidity,
        qty=fill.last_qty,
        px=fill.last_px,
        notional=fill.notional,
        ts_exchange_ns=fill.ts_exchange_ns,
        fee=fee_in_quote(state, fill),
    )
    child.marks = child.marks or MarkSums(at_ns=fill.ts_exchange_ns)
    child.costs = child.costs or FillCosts()
    _cost(parent, child, market, mark)
    desk.marks.append(mark)
    parent.marks_pending += 1
    state.marks[mark.key] = mark
    if len(state.marks) > WAITING_MAX:
        mark.mids = [None] * len(MARK_OUTS_S)
    _look_back(desk, market, mark)
    _wait(desk, market, mark)


def tell_waiting(desk: Desk, parent: ParentState) -> None:
    """Tell the fills of an order that ends as they stand: where nobody listens any longer, no more is ever known."""
    if parent.marks_pending:
        name = parent.order.parent_id
        desk.marks.extend(mark for mark in desk.state.marks.values() if mark.parent_id == name)


def forget_books(state: EngineState) -> None:
    """Where fills are not marked, keep nothing that would stand beside other books than it came with."""
    for market in state.markets.values():
        market.recent_asks.clear()


def _cost(parent: ParentState, child: ChildState, market: MarketState, mark: FillMark) -> None:
    """Tell spread, temporary and permanent impact of a fill, if the book before it is known."""
    before = _book_before(market, mark.ts_exchange_ns)
    if before is None:
        return
    mark.mid_px, ask_px = before
    mark.far_touch_px = ask_px if mark.side.sign > 0 else 2 * mark.mid_px - ask_px
    parent.path = parent.path or ImpactPath()
    found = costs_of(
        parent.path,
        BookedFill(
            key=mark.key,
            category=mark.category,
            side=mark.side,
            qty=mark.qty,
            px=mark.px,
            mid_px=mark.mid_px,
            far_touch_px=mark.far_touch_px,
            waited=mark.liquidity is Liquidity.MAKER,
            ts_exchange_ns=mark.ts_exchange_ns,
        ),
        _mid_at(market, parent.path),
    )
    mark.spread, mark.temporary, mark.permanent = found.spread, found.temporary, found.permanent
    assert child.costs is not None
    child.costs.add(found)


def _book_before(market: MarketState, ts_exchange_ns: int) -> tuple[Decimal, Decimal] | None:
    """Mid and best ask of the last book that is older than an instant of the venue's clock."""
    for (at_ns, mid_px), ask_px in zip(
        reversed(market.recent_mids), reversed(market.recent_asks), strict=False
    ):
        if at_ns < ts_exchange_ns:
            return mid_px, ask_px
    return None


def _mid_at(market: MarketState, path: ImpactPath) -> Decimal:
    """The last mid known at the end of the window that is open; the one at its beginning if none is younger."""
    for at_ns, mid_px in reversed(market.recent_mids):
        if at_ns <= path.until_ns:
            return mid_px
    return path.open_px


def _look_back(desk: Desk, market: MarketState, mark: FillMark) -> None:
    """Take the marks that had fallen due when a late fill was heard from the books that are kept."""
    books = market.recent_mids
    while len(mark.mids) < len(MARK_OUTS_S) and books and _due_ns(mark) < books[-1][0]:
        due_ns = _due_ns(mark)
        later = next(number for number, (at_ns, _) in enumerate(books) if at_ns > due_ns)
        mid_px = None
        quiet = bool(later) and books[later][0] - books[later - 1][0] <= SILENCE_S * NS_PER_S
        if quiet and books[later - 1][0] not in market.losses:
            mid_px = books[later - 1][1]
        _take(desk, mark, mid_px, mid_px)


def _due_ns(mark: FillMark) -> int:
    return mark.ts_exchange_ns + MARK_OUTS_S[len(mark.mids)] * NS_PER_S


def _take(desk: Desk, mark: FillMark, mid_px: Decimal | None, last_px: Decimal | None) -> None:
    """Take one mark, and end the window of the fill if it is its end.

    Parameters
    ----------
    mid_px
        In force at the horizon; None if nobody knows.
    last_px
        The last one that was known by then.
    """
    index = len(mark.mids)
    mark.mids.append(mid_px)
    path = desk.state.parents[mark.parent_id].path
    if index == _WINDOW and path is not None and path.open_key == mark.key:
        end_window(path, mark.category, mark.side, path.open_px if last_px is None else last_px)
    if mid_px is None:
        return
    sums = desk.state.children[mark.client_order_id].marks
    assert sums is not None
    sums.fills[index] += 1
    sums.notional[index] += mark.notional
    sums.gain[index] += mark.gain(mark.px, mid_px)


def _wait(desk: Desk, market: MarketState, mark: FillMark) -> None:
    """Wait for the next horizon, or be done with the fill; the report of an ended parent is then made again."""
    if len(mark.mids) < len(MARK_OUTS_S):
        heappush(market.marks_due, (_due_ns(mark), mark.key))
        return
    state = desk.state
    first_px, last_px = mark.mids[0], mark.mids[-1]
    if first_px is not None and last_px is not None:
        sums = state.children[mark.client_order_id].marks
        assert sums is not None
        sums.back_notional += mark.notional
        sums.came_back += mark.gain(last_px, first_px)
    del state.marks[mark.key]
    desk.marks.append(mark)
    parent = state.parents[mark.parent_id]
    parent.marks_pending -= 1
    if parent.is_final and not parent.marks_pending:
        desk.out.append(StoreReport(parent_id=mark.parent_id))
