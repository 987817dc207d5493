"""The market itself: a book for each asset behind one clearing house; it takes what a participant asks at an instant.

The house sees an order before the book does, and every trade at once. A market order is one that takes up to the
protection price and rests nowhere, so that what it can cost is reserved (`clearing.rules.protection_px`). Whatever is
no message is refused, counted and written down, and touches nobody else.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import count
from typing import Final

from simulation.book.book import OrderBook
from simulation.book.messages import (
    ACCEPTED,
    AMEND,
    AMENDED,
    BAD_PX,
    BAD_SIDE,
    CANCEL,
    CANCELED,
    FILL,
    IOC,
    LIMIT,
    MARKET,
    NO_REASON,
    NOTHING_LEFT,
    NUMBER_MAX,
    REJECTED,
    REQUESTED,
    STOP,
    TRIGGERED,
    UNKNOWN_ORDER,
)
from simulation.clearing.house import ClearingHouse
from simulation.clearing.rules import protection_px
from simulation.market.events import NONSENSE, REFUSED, EventLog, code, pack_row
from simulation.market.information import Board
from simulation.market.protocol import CANCEL_ALL, INDICATE, Fill, Intent, OpenOrder
from simulation.market.tape import Tape

_SIDE_AT: Final = 48
_BITS: Final = NUMBER_MAX.bit_length()
_protection_px: Final = lru_cache(maxsize=1 << 14)(protection_px)


class Exchange:
    """Books, house and open orders of one run.

    Parameters
    ----------
    house
        With all participants in it.
    books
        One for each asset.
    boards
        Where orders of an asset are indicated.
    first_pxs
        What counts as the last price before the first trade, ticks by asset.
    log
        Takes a row for everything that happens.
    reach_bps
        How far beyond the best opposite price a market order may go, basis points.
    tape
        Records touch and trades, if somebody wants to study them.

    Attributes
    ----------
    open_orders
        By participant: what waits in the books, by order id.
    fills
        By participant: fills not told yet; None for who does not hear them.
    filled
        Who has fills that have not been told, since this was last emptied; somebody may be in it twice.
    last_pxs, volumes_qty, signed_qty
        By asset: last price, ticks; lots traded; lots that takers bought less those that they sold.
    messages
        How many intents have come.
    refusals
        How many of which kind and reason were not let through: (event kind, reason).
    refused
        How many by participant.
    """

    __slots__ = (
        *(
            "boards",
            "books",
            "filled",
            "fills",
            "first_pxs",
            "house",
            "last_pxs",
            "log",
            "messages",
            "open_orders",
        ),
        *("refusals", "refused", "signed_qty", "tape", "trades", "volumes_qty"),
        *("_accepted", "_canceled", "_cancels", "_ids", "_limits", "_reach_bps"),
    )

    def __init__(
        self,
        house: ClearingHouse,
        books: Sequence[OrderBook],
        boards: Sequence[Board],
        first_pxs: Sequence[int],
        log: EventLog,
        *,
        reach_bps: int = 1_000,
        tape: Tape | None = None,
    ) -> None:
        participants = house.numbers.participants
        self.house = house
        self.books = list(books)
        self.boards = list(boards)
        self.log = log
        self.tape = tape
        self.open_orders: list[dict[int, OpenOrder]] = [{} for _ in range(participants)]
        self.fills: list[list[Fill] | None] = [None] * participants
        self.filled: list[int] = []
        self.first_pxs = list(first_pxs)
        self.last_pxs = list(first_pxs)
        self.volumes_qty = [0] * len(self.books)
        self.signed_qty = [0] * len(self.books)
        self.messages = 0
        self.trades = 0
        self.refusals: Counter[tuple[int, int]] = Counter()
        self.refused = [0] * participants
        self._limits: list[Callable[..., int]] = [book.limit for book in self.books]
        self._cancels: list[Callable[..., int]] = [book.cancel for book in self.books]
        self._ids = count(1)
        # By asset and then side, +1 or -1: the last place of three is that of -1.
        self._accepted = [_codes(ACCEPTED, NO_REASON, asset) for asset in range(len(self.books))]
        self._canceled = [_codes(CANCELED, REQUESTED, asset) for asset in range(len(self.books))]
        self._reach_bps = reach_bps

    def deliver(self, at_ns: int, participant: int, intents: Sequence[Intent]) -> None:  # noqa: PLR0915 - one path
        """Take what a participant asks, in order.

        Parameters
        ----------
        at_ns
            Instant at which it reaches the market, not before the last one.
        intents
            As in `simulation.market.protocol`; a wake-up among them is nonsense here.
        """
        # The path of every order: what is read often is read once, and nothing is built that is not kept.
        mine = self.open_orders[participant]
        admit, release, limits, books = self.house.admit, self.house.release, self._limits, self.books
        accepted, canceled, cancels, ids = self._accepted, self._canceled, self._cancels, self._ids
        assets, reach_bps, protection, tape = len(books), self._reach_bps, _protection_px, self.tape
        rows, pack = self.log.pending, pack_row
        self.messages += len(intents)
        for intent in intents:
            try:
                what, asset, side, qty, px, tif, extra = intent
                # Of anything but whole numbers there is no such number, or one of another kind; of one below zero or
                # of 2 ** 41 its upper bits are not zero.
                all_bits = what | asset | side & 3 | qty | px | tif | extra
                is_message = all_bits.__class__ is int and all_bits >> _BITS == 0 and asset < assets
            except Exception:  # noqa: BLE001 - what stands there may be somebody else's code
                self.refuse(at_ns, participant, NONSENSE, 0, 0, 0)
                continue
            if not is_message:
                self.refuse(at_ns, participant, NONSENSE, 0, 0, 0)
                continue
            if what == MARKET:
                touch = books[asset].best_ask if side > 0 else books[asset].best_bid
                if not touch or side not in (1, -1):
                    self.refuse(at_ns, participant, REJECTED, NOTHING_LEFT, asset, 0)
                    continue
                what, px, tif, extra = LIMIT, protection(side, touch, reach_bps), IOC, 0
            if what == LIMIT:
                order_id = next(ids)
                refusal = admit(order_id, participant, asset, side, qty, px)
                if refusal is not None:
                    self.refuse(at_ns, participant, REFUSED, refusal, asset, order_id)
                    continue
                caused = limits[asset](order_id, participant, side, px, qty, tif, extra)
                if caused < 0:
                    release(order_id)
                    self.refuse(at_ns, participant, REJECTED, -caused, asset, order_id)
                    continue
                mine[order_id] = (asset, side, px, qty)
                if caused == 1:
                    rows += pack(at_ns, accepted[asset][side], order_id, participant, px, qty, 0, 0)
                else:
                    self._book_happenings(at_ns, asset)
            elif what == CANCEL:
                order = mine.pop(extra, None)
                if order is None:
                    self.refuse(at_ns, participant, REJECTED, UNKNOWN_ORDER, 0, extra)
                    continue
                asset, side, px, qty = order
                if cancels[asset](extra) == 1:
                    release(extra)
                    rows += pack(at_ns, canceled[asset][side], extra, participant, px, qty, 0, 0)
                else:
                    mine[extra] = order
                    self._book_happenings(at_ns, asset)
            else:
                asset = self._rarer(at_ns, participant, (what, asset, side, qty, px, tif, extra))
            if tape is not None:
                tape.look(at_ns, asset, self.books[asset])
        self.log.tidy()

    def mid2(self, asset: int) -> int:
        """Return twice the mid, ticks; twice the last price while a side is empty."""
        book = self.books[asset]
        bid, ask = book.best_bid, book.best_ask
        return bid + ask if bid and ask else 2 * self.last_pxs[asset]

    def cancel_everything(self, at_ns: int, participant: int, asset: int | None = None) -> None:
        """Take back every order of a participant, in one asset or in all."""
        touched = set()
        for order_id, order in list(self.open_orders[participant].items()):
            if asset is None or order[0] == asset:
                self.books[order[0]].cancel(order_id)
                self._book_happenings(at_ns, order[0])
                touched.add(order[0])
        if self.tape is not None:
            for one in sorted(touched):
                self.tape.look(at_ns, one, self.books[one])

    def liquidate(self, at_ns: int, participant: int, asset: int, side: int, qty: int) -> bool:
        """Enter a market order of the house's own for an account; false if nobody stands against it, or it may not."""
        touch = self.books[asset].best_ask if side > 0 else self.books[asset].best_bid
        if not touch:
            return False
        px = _protection_px(side, touch, self._reach_bps)
        order_id = next(self._ids)
        if self.house.admit_liquidation(order_id, participant, asset, side, qty, px) is not None:
            return False
        caused = self._limits[asset](order_id, participant, side, px, qty, IOC)
        if caused < 0:
            self.house.release(order_id)
            self.refuse(at_ns, participant, REJECTED, -caused, asset, order_id)
            return False
        self.open_orders[participant][order_id] = (asset, side, px, qty)
        self._book_happenings(at_ns, asset)
        if self.tape is not None:
            self.tape.look(at_ns, asset, self.books[asset])
        return True

    def _rarer(self, at_ns: int, participant: int, intent: Intent) -> int:
        """Take a stop, an amendment, a general cancel or an indication; gives the asset whose book it concerned."""
        what, asset, side, qty, px, _, extra = intent
        if what == AMEND:
            order = self.open_orders[participant].get(extra)
            if order is not None:
                asset = order[0]
            self._amend(at_ns, participant, extra, px, qty)
        elif what == INDICATE and side in (1, -1) and qty > 0:
            self.boards[asset].post(at_ns, side * qty)
        elif what == CANCEL_ALL:
            self.cancel_everything(at_ns, participant, asset)
        elif what != STOP:
            self.refuse(at_ns, participant, NONSENSE, 0, 0, 0)
        elif side not in (1, -1) or extra == 0:
            self.refuse(at_ns, participant, REJECTED, BAD_PX if side in (1, -1) else BAD_SIDE, asset, 0)
        else:
            # A stop without a limit gets one, as a market order does: what it may cost is reserved today.
            self._stop(
                at_ns,
                participant,
                asset,
                side,
                qty,
                extra,
                px or _protection_px(side, extra, self._reach_bps),
            )
        return asset

    def _stop(
        self, at_ns: int, participant: int, asset: int, side: int, qty: int, trigger_px: int, px: int
    ) -> None:
        order_id = next(self._ids)
        refusal = self.house.admit(order_id, participant, asset, side, qty, px)
        if refusal is not None:
            self.refuse(at_ns, participant, REFUSED, refusal, asset, order_id)
            return
        caused = self.books[asset].stop(order_id, participant, side, trigger_px, px, qty)
        if caused < 0:
            self.house.release(order_id)
            self.refuse(at_ns, participant, REJECTED, -caused, asset, order_id)
            return
        self.open_orders[participant][order_id] = (asset, side, trigger_px, qty)
        self._book_happenings(at_ns, asset)

    def _amend(self, at_ns: int, participant: int, order_id: int, px: int, qty: int) -> None:
        order = self.open_orders[participant].get(order_id)
        if order is None:
            self.refuse(at_ns, participant, REJECTED, UNKNOWN_ORDER, 0, order_id)
            return
        asset, _, _, old_qty = order
        # Of a stop that waits, the price that is shown is its trigger, and the one that was reserved for another.
        old_px = self.house.worst_px(order_id)
        refusal = self.house.amend(order_id, qty, px)
        if refusal is not None:
            self.refuse(at_ns, participant, REFUSED, refusal, asset, order_id)
            return
        caused = self.books[asset].amend(order_id, px, qty)
        if caused < 0:
            restored = self.house.amend(order_id, old_qty, old_px)
            assert restored is None, "what was reserved a moment ago can be reserved again"
            self.refuse(at_ns, participant, REJECTED, -caused, asset, order_id)
            return
        self._book_happenings(at_ns, asset)

    def _book_happenings(self, at_ns: int, asset: int) -> None:
        """Settle and write down what the last message to a book caused."""
        house, open_orders, fills, rows = self.house, self.open_orders, self.fills, self.log.pending
        place = (asset << 16) + (1 << _SIDE_AT)
        for (
            kind,
            reason,
            order_id,
            owner,
            side,
            px,
            qty,
            leaves,
            maker_id,
            maker,
            maker_leaves,
        ) in self.books[asset].plain_outcomes():
            packed = kind + (reason << 8) + place + (side << _SIDE_AT)
            rows += pack_row(at_ns, packed, order_id, owner, px, qty, maker_id, maker)
            if kind == FILL:
                house.settle(at_ns, order_id, maker_id, px, qty)
                orders = open_orders[owner]
                if leaves:
                    orders[order_id] = (asset, side, orders[order_id][2], leaves)
                else:
                    del orders[order_id]
                orders = open_orders[maker]
                if maker_leaves:
                    orders[maker_id] = (asset, -side, px, maker_leaves)
                else:
                    del orders[maker_id]
                self.last_pxs[asset] = px
                self.volumes_qty[asset] += qty
                self.signed_qty[asset] += side * qty
                self.trades += 1
                heard = fills[owner]
                if heard is not None:
                    heard.append((order_id, asset, side, px, qty, 0, at_ns))
                    self.filled.append(owner)
                heard = fills[maker]
                if heard is not None:
                    heard.append((maker_id, asset, -side, px, qty, 1, at_ns))
                    self.filled.append(maker)
                if self.tape is not None:
                    self.tape.trade(at_ns, asset, px, qty, side, owner, maker)
            elif kind == CANCELED:
                del open_orders[owner][order_id]
                house.release(order_id)
            elif kind in (AMENDED, TRIGGERED):
                open_orders[owner][order_id] = (asset, side, px, qty)

    def refuse(self, at_ns: int, participant: int, kind: int, reason: int, asset: int, order_id: int) -> None:
        """Count something that is not let through, and write it down.

        Parameters
        ----------
        kind
            `REJECTED` by the book, `REFUSED` by the house, or `NONSENSE`.
        reason
            Of the book or the house.
        order_id
            As it was said; 0 if none was.
        """
        self.refusals[kind, reason] += 1
        self.refused[participant] += 1
        self.log.pending.extend(
            pack_row(at_ns, code(kind, reason, asset, 0), order_id, participant, 0, 0, 0, 0)
        )


def _codes(kind: int, reason: int, asset: int) -> tuple[int, int, int]:
    return code(kind, reason, asset, 0), code(kind, reason, asset, 1), code(kind, reason, asset, -1)
