"""The compiled replay venue as Python sees it: makes its arrays, hands it rows, gives it more room when it asks."""

from copy import copy
from struct import Struct
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from executor.domain.errors import InvariantViolation, LocalProtocolError
from simulation.kept_code import stamp
from simulation.replay import codes, layout
from simulation.replay.layout import Numbers, Rows, State
from simulation.replay.native import SOURCES, VENUE
from simulation.replay.spoken import Account, Answer, Columns, Glance
from simulation.replay.terms import Delay, ReplayTerms

_MOST: Final = codes.NEVER
_MASK: Final = (1 << 64) - 1
_new: Final = (
    tuple.__new__
)  # a strategy that is an ordinary object waits for these: `_make` takes twice as long
_REQUEST: Final = Struct("6q")
_ANSWER: Final = Struct(f"{layout.ANSWER_WIDTH}q")
_SEEN: Final = Struct(f"{layout.GLANCE_WIDTH}q")
_REQUEST_BYTES: Final = 8 * layout.REQUEST_WIDTH
_ANSWER_BYTES: Final = _ANSWER.size
_BASE_AT_FIRST: Final = -(1 << 61)


def rows_of(columns: Columns) -> Rows:
    """Lay columns out as the kernel reads them; nothing is copied that has the right form already."""
    types = (np.int64, np.int64, np.uint8, np.int8, np.int64, np.int64, np.int64, np.uint8)
    return Rows(
        *(
            np.ascontiguousarray(getattr(columns, name), dtype=kind)
            for name, kind in zip(Rows._fields, types, strict=True)
        )
    )


def no_rows() -> Rows:
    """Make the rows before the first ones."""
    return rows_of(Rows(*([()] * len(Rows._fields))))  # type: ignore[arg-type]


def make_state(terms: ReplayTerms, *, start_ns: int = 0, window: int = 1 << 14, room: int = 1 << 12) -> State:
    """Make the state of a venue that has seen nothing.

    Parameters
    ----------
    window
        Prices near the touch that are kept in a plain array; a power of two, >= 128.
    room
        Places of each ring and hash at first; a power of two, >= 16.
    """
    if window < 128 or window & (window - 1) or room < 16 or room & (room - 1):
        raise ValueError(f"window and room are powers of two, got {window} and {room}")
    if max(terms.order_px_max, terms.order_qty_max) >= 1 << codes.NUMBER_BITS:
        raise ValueError(f"prices and quantities of orders must be below 2 ** {codes.NUMBER_BITS}")
    delays: tuple[Delay, Delay, Delay] = (terms.feed, terms.entry, terms.answer)
    registers = _zeros(layout.REGISTERS)
    registers[layout.NOW] = start_ns
    registers[layout.TOUCH_AT], registers[layout.TOUCH_LAST] = codes.NEVER, -codes.NEVER
    registers[layout.BEST : layout.BEST + 2] = -codes.NEVER
    registers[layout.BASE : layout.BASE + 2] = _BASE_AT_FIRST
    registers[layout.STAMP] = stamp(SOURCES)
    samples = _zeros(3, max(1, *(len(delay.samples_ns) for delay in delays)))
    for wire, delay in enumerate(delays):
        samples[wire, : len(delay.samples_ns)] = delay.samples_ns
    return State(
        registers=registers,
        terms=_terms(terms, delays),
        samples=samples,
        level=_zeros(2, window),
        bits=_zeros(2, window // 32),
        far=_zeros(2, room, 2),
        taken=_zeros(2, room, 2),
        orders=_zeros(terms.open_orders_max + 1, layout.ORDER_WIDTH),
        requests=_zeros(room, layout.REQUEST_WIDTH),
        answers=_zeros(room, layout.ANSWER_WIDTH),
        coming=_zeros(room, layout.GLANCE_WIDTH),
        admitted=_zeros(3, max(terms.requests_per_s_max, 1)),
        theirs=_zeros(room, 3),
    )


def _terms(terms: ReplayTerms, delays: tuple[Delay, Delay, Delay]) -> Numbers:
    table = _zeros(layout.TERMS)
    table[layout.QUEUE_MODEL] = terms.queue_model
    table[layout.BAND_BPS] = terms.price_band_bps
    table[layout.OPEN_MAX] = terms.open_orders_max
    table[layout.RATE_MAX] = terms.requests_per_s_max
    table[layout.QTY_MAX] = terms.order_qty_max
    table[layout.CONFLATE_NS] = terms.conflate_ns
    table[layout.PRICES_ONLY] = terms.prices_only
    table[layout.SEED] = terms.seed
    table[layout.KEEPS_TAKEN] = terms.keeps_taken
    table[layout.PX_MAX] = terms.order_px_max
    table[layout.PRINT_LAG_NS] = terms.print_lag_ns
    for wire, delay in enumerate(delays):
        table[layout.DELAY_SOURCE + wire] = delay.source
        table[layout.DELAY_CONSTANT + wire] = delay.constant_ns
        table[layout.DELAY_SAMPLES + wire] = len(delay.samples_ns)
    return table


def _zeros(*shape: int) -> Numbers:
    return np.zeros(shape, dtype=np.int64)


def enlarge(state: State) -> State:
    """Give rings and hashes that are more than half full twice their room.

    Raises
    ------
    InvariantViolation
        If one event filled all the room there was, or a number is larger than what is reckoned with: then something
        was lost, and nothing more can be said.
    """
    registers = state.registers
    if registers[layout.BROKEN] == codes.TOO_LARGE:
        raise InvariantViolation(
            f"the recording has a price or quantity not below 2 ** {codes.NUMBER_BITS} steps, a quantity below"
            " zero, or a sum or time beyond what the compiled venue counts; the plain one counts without an end"
        )
    if registers[layout.BROKEN]:
        raise InvariantViolation("one event of the replay needed more room than there was")
    registers[layout.CROWDED] = 0
    far, taken, theirs = state.far, state.taken, state.theirs
    if max(registers[layout.FAR], registers[layout.FAR + 1]) * 2 > far.shape[1]:
        far = _zeros(2, 2 * far.shape[1], 2)
        VENUE.linked()["far_copy"](state.far.ctypes.data, state.far.shape[1], far.ctypes.data, far.shape[1])
    if max(registers[layout.TAKEN], registers[layout.TAKEN + 1]) * 2 > taken.shape[1]:
        taken = np.concatenate([taken, np.zeros_like(taken)], axis=1)
    if registers[layout.THEIRS] * 2 > theirs.shape[0]:
        theirs = _zeros(2 * theirs.shape[0], 3)
        entered = VENUE.linked()["theirs_copy"]
        entered(state.theirs.ctypes.data, len(state.theirs), theirs.ctypes.data, len(theirs))
    return state._replace(
        far=far,
        taken=taken,
        theirs=theirs,
        answers=_wider_ring(state.answers, registers, layout.ANSWER_HEAD, layout.ANSWER_TAIL),
        coming=_wider_ring(state.coming, registers, layout.COMING_HEAD, layout.COMING_TAIL),
    )


def _wider_ring(ring: Numbers, registers: Numbers, head: int, tail: int) -> Numbers:
    size = len(ring)
    if (registers[tail] - registers[head]) * 2 <= size:
        return ring
    wider = _zeros(2 * size, ring.shape[1])
    for number in range(registers[head], registers[tail]):
        wider[number % (2 * size)] = ring[number % size]
    return wider


class ReplayMachine:
    """The compiled venue behind the same calls as `twin.ReplayTwin`.

    Attributes
    ----------
    state
        Its arrays.
    table
        Where they lie, for compiled strategies: `kernel.opened(machine.table)`. Another one after each call of `feed`
        and `make_room`.
    table_at
        The address of that.
    """

    def __init__(
        self, terms: ReplayTerms, *, start_ns: int = 0, window: int = 1 << 14, room: int = 1 << 12
    ) -> None:
        native = VENUE.linked()
        self._native_advance, self._native_hash = native["advance"], native["state_hash"]
        self._rows = no_rows()
        self._adopt(make_state(terms, start_ns=start_ns, window=window, room=room))

    def _adopt(self, state: State) -> None:
        self.state = state
        self._lay(_table(state, self._rows))
        self._registers = memoryview(state.registers)  # type: ignore[arg-type]
        self._requests = memoryview(state.requests).cast("B")  # type: ignore[arg-type]
        self._answers = memoryview(state.answers).cast("B")  # type: ignore[arg-type]
        self._room_out, self._room_in = len(state.requests), len(state.answers)

    def _lay(self, table: Numbers) -> None:
        self.table = table
        self.table_at = int(table.ctypes.data)

    @property
    def now_ns(self) -> int:
        """Our time."""
        return self._registers[layout.NOW]

    @property
    def row_ns(self) -> int:
        """Exchange's time of the latest row that was played."""
        return self._registers[layout.ROW_NS]

    @property
    def lag_ns(self) -> int:
        """How much later than the exchange we saw the latest message."""
        return self._registers[layout.LAG_NS]

    def fork(self) -> Self:
        """Make a second venue that goes on from here; the rows are shared, as nobody writes into them."""
        other = copy(self)
        other._adopt(State(*(array.copy() for array in self.state)))
        return other

    def feed(self, rows: Columns, *, final: bool) -> None:
        """Hand over the next rows; only when all before them have been used up."""
        if self._registers[layout.ROW] != len(self._rows.exch_ns) or self._registers[layout.IS_FINAL]:
            raise LocalProtocolError("rows were handed over before those before them were used up")
        self._rows = rows_of(rows)
        self._lay(_table(self.state, self._rows))
        self._registers[layout.ROW] = 0
        self._registers[layout.IS_FINAL] = int(final)

    def place(self, order_id: int, side: int, px: int, qty: int, hold: int = codes.GTC) -> None:
        """Send an order off."""
        self._send(codes.PLACE, order_id, side, px, qty, hold)

    def amend(self, order_id: int, px: int, qty: int) -> None:
        """Send an amendment off: new price, new total quantity."""
        self._send(codes.AMEND, order_id, 0, px, qty, 0)

    def cancel(self, order_id: int) -> None:
        """Send a cancel off."""
        self._send(codes.CANCEL, order_id, 0, 0, 0, 0)

    def _send(self, what: int, order_id: int, side: int, px: int, qty: int, hold: int) -> None:
        if not (-_MOST <= order_id <= _MOST and -_MOST <= px <= _MOST and -_MOST <= qty <= _MOST):
            raise OverflowError(f"order {order_id}, {qty} at {px}: beyond what the venue reckons with")
        registers = self._registers
        posted = registers[layout.POSTED]
        if posted - registers[layout.REQUEST_HEAD] >= self._room_out:
            state = self.state
            wider = _wider_ring(state.requests, state.registers, layout.REQUEST_HEAD, layout.POSTED)
            self._adopt(state._replace(requests=wider))
            registers = self._registers
        slot = posted & (self._room_out - 1)
        _REQUEST.pack_into(self._requests, slot * _REQUEST_BYTES + 8, what, order_id, side, px, qty, hold)
        registers[layout.POSTED] = posted + 1

    def advance(self, until_ns: int, wake: int = 0) -> int:
        """Let time pass until an instant, or until what is waited for; MORE asks for rows and the same call again.

        Raises
        ------
        InvariantViolation
            If the code in the cache is not that of the numbers beside it, or there was not room enough.
        """
        if not -_MOST <= until_ns <= _MOST:
            raise OverflowError(f"{until_ns} is no instant")
        while True:
            reason = self._native_advance(self.table_at, until_ns, wake)
            if reason < codes.FULL:
                return reason
            self.make_room(reason)

    def make_room(self, reason: int) -> None:
        """Do what a strategy that runs compiled has to have done when an advance ended with FULL or STALE."""
        if reason == codes.STALE:
            raise InvariantViolation("the compiled code on disk is of another version: delete its cache")
        self._adopt(enlarge(self.state))

    def answers(self) -> list[Answer]:
        """Take what was heard by now."""
        registers = self._registers
        head, tail = registers[layout.ANSWER_HEAD], registers[layout.ANSWER_TAIL]
        if head == tail:
            return []
        size, now_ns = self._room_in, registers[layout.NOW]
        begin, count = head & (size - 1), tail - head
        part = self._answers[begin * _ANSWER_BYTES : min(begin + count, size) * _ANSWER_BYTES]
        heard = [_new(Answer, numbers) for numbers in _ANSWER.iter_unpack(part)]
        if begin + count > size:  # the ring goes on at its beginning
            part = self._answers[: (begin + count - size) * _ANSWER_BYTES]
            heard += [_new(Answer, numbers) for numbers in _ANSWER.iter_unpack(part)]
        while heard and heard[-1].due_ns > now_ns:  # under way yet
            heard.pop()
        registers[layout.ANSWER_HEAD] = head + len(heard)
        return heard

    def glance(self) -> Glance:
        """See the market."""
        at_ns, bid_px, bid_qty, ask_px, ask_qty, volume, value, high = _SEEN.unpack_from(
            self._registers, layout.SEEN * 8
        )
        return _new(
            Glance, (at_ns, bid_px, bid_qty, ask_px, ask_qty, volume, value + high * codes.VALUE_UNIT)
        )

    def account(self) -> Account:
        """Read position and money, as the exchange has them."""
        registers = self._registers
        return Account(
            registers[layout.POSITION],
            registers[layout.CASH] + registers[layout.CASH_HIGH] * codes.VALUE_UNIT,
            registers[layout.TURNOVER_MAKER] + registers[layout.MAKER_HIGH] * codes.VALUE_UNIT,
            registers[layout.TURNOVER_TAKER] + registers[layout.TAKER_HIGH] * codes.VALUE_UNIT,
            registers[layout.FUNDING] * codes.FUNDING_UNIT + registers[layout.FUNDING_REST],
            registers[layout.FILLS],
        )

    def state_hash(self) -> int:
        """Sum everything up in 64 bits."""
        return self._native_hash(self.table_at) & _MASK


def _table(state: State, rows: Rows) -> Numbers:
    table = _zeros(len(state) + len(rows), 4)
    arrays: tuple[npt.NDArray[Any], ...] = (*state, *rows)
    for i, array in enumerate(arrays):
        table[i, 0] = array.ctypes.data
        table[i, 1 : 1 + array.ndim] = array.shape
    return table
