"""The compiled replay venue: what `twin` does, at the speed of the machine; the rules are in docs/replay.md.

From Python it is called through `native`, which keeps the machine code. A strategy that is compiled itself calls
`opened_at`, `advance`, `send` and `next_answer`. The compiler, where it keeps code of its own, looks only at the file
of the function in question, not at those that it calls: so nothing here is kept by it, and `STAMP`, which sums up the
sources of the venue, is compared at every advance with what the state was made with.

Side b is 0 for bids and 1 for asks; s is +1 and -1. A key k = s * px is larger the better the price.
"""

from math import log
from typing import Any, Final

import numba
import numpy as np
from numba import extending, types

from simulation.compiling import compiled, inlined, opening
from simulation.kept_code import stamp
from simulation.replay import codes, layout
from simulation.replay.codes import AHEAD_UNIT, NEVER, NS_PER_S, NUMBER_BITS
from simulation.replay.layout import (
    ADMITTED,
    ANSWER_HEAD,
    ANSWER_TAIL,
    ANSWER_WIDTH,
    ARRIVALS,
    BASE,
    BEGUN,
    BEST,
    BROKEN,
    CASH,
    CASH_HIGH,
    COMING_HEAD,
    COMING_TAIL,
    CROWDED,
    FAR,
    FILLS,
    GLANCE_WIDTH,
    LAG_NS,
    LAST_PX,
    LOCAL_NS,
    MAKER_HIGH,
    MARK_PX,
    NOW,
    O_AHEAD,
    O_ARRIVAL,
    O_HOLD,
    O_ID,
    O_LEAVES,
    O_LENT,
    O_LENT_BEFORE,
    O_PX,
    O_QTY,
    O_SIDE,
    O_SPAN,
    O_TRADED,
    ORDER_WIDTH,
    ORDERS,
    POSITION,
    POSTED,
    R_AT,
    R_HOLD,
    R_ID,
    R_PX,
    R_QTY,
    R_SIDE,
    R_WHAT,
    REQUEST_HEAD,
    REQUEST_TAIL,
    ROW,
    ROW_NS,
    SEEN,
    SHOWN,
    TAKEN,
    TAKER_HIGH,
    THEIRS,
    TOUCH_AT,
    TOUCH_LAST,
    TRADED_HIGH,
    TRADED_QTY,
    TRADED_VALUE,
    TURNOVER_MAKER,
    TURNOVER_TAKER,
    Numbers,
    Rows,
    State,
)
from simulation.replay.native import SOURCES

# mypy: disable-error-code="no-any-return,untyped-decorator"
# What an array of numbers holds is a number.

_intrinsic: Any = extending.intrinsic
array_at: Any = getattr(numba, "carray")  # noqa: B009 - there, but not among the names that the package declares

STAMP: Final = stamp(SOURCES)
"""Changes with the code below and with the numbers that are compiled into it."""

_C1: Final = 0xBF58476D1CE4E5B9 - (1 << 64)
_C2: Final = 0x94D049BB133111EB - (1 << 64)
_GOLDEN: Final = 0x9E3779B97F4A7C15 - (1 << 64)
_LOW63: Final = (1 << 63) - 1
_NONE: Final = -NEVER
_VALUE_BITS: Final = 60
_HALF_BITS: Final = (NUMBER_BITS + 1) // 2
_SMALL_PX: Final = 1 << 31
_SMALL_LOTS: Final = 1 << 29
_SUM_MAX: Final = 1 << 61
TABLE_ROWS: Final = len(State._fields) + len(Rows._fields)
_WORD: Final = 32


# ---------------------------------------------------------------------- numbers


@compiled
def _mix(value: int) -> int:
    value = (value ^ ((value >> 30) & ((1 << 34) - 1))) * _C1
    value = (value ^ ((value >> 27) & ((1 << 37) - 1))) * _C2
    return value ^ ((value >> 31) & ((1 << 33) - 1))


@compiled
def _absorb(state: int, value: int) -> int:
    return _mix((state ^ value) + _GOLDEN)


@compiled
def _draw(registers: Numbers, terms: Numbers, samples: Numbers, wire: int, number: int) -> int:
    source = terms[layout.DELAY_SOURCE + wire]
    if source == codes.MEASURED:
        return registers[LAG_NS]
    if source == codes.SAMPLED:
        drawn = (_absorb(_absorb(terms[layout.SEED], wire), number) >> 1) & _LOW63
        return samples[wire, drawn % terms[layout.DELAY_SAMPLES + wire]]
    return terms[layout.DELAY_CONSTANT + wire]


@compiled
def _weight(model: int, parts: int) -> float:
    lots = parts / AHEAD_UNIT
    if model == codes.PROPORTIONAL:
        return lots
    if model == codes.SQUARE:
        return lots * lots
    if model == codes.CUBE:
        return lots * lots * lots
    return log(1.0 + lots)


@compiled
def decrease_ahead(model: int, ahead: int, before: int, after: int, gone: int) -> int:
    """Say how much waits ahead after a level shrank for no trade that was seen."""
    if model != codes.RISK_AVERSE and gone > 0:
        behind = max(before * AHEAD_UNIT - ahead, 0)
        weight_ahead, weight_behind = _weight(model, ahead), _weight(model, behind)
        if weight_ahead + weight_behind > 0:
            all_gone = gone * AHEAD_UNIT
            from_ahead = int(weight_ahead / (weight_ahead + weight_behind) * all_gone)
            ahead -= from_ahead + max(all_gone - from_ahead - behind, 0)
    return min(max(ahead, 0), after * AHEAD_UNIT)


@compiled
def _add_value(registers: Numbers, low: int, high: int, px: int, lots: int) -> None:
    """Add a price times a quantity to a sum that is kept in two registers."""
    value = registers[low]
    if -_SMALL_PX < px < _SMALL_PX and -_SMALL_LOTS < lots < _SMALL_LOTS:
        value += px * lots
    else:
        half = (1 << _HALF_BITS) - 1
        px_high, px_low, lots_high, lots_low = px >> _HALF_BITS, px & half, lots >> _HALF_BITS, lots & half
        top, middle = px_high * lots_high, px_high * lots_low + px_low * lots_high
        top_bits, middle_bits = _VALUE_BITS - 2 * _HALF_BITS, _VALUE_BITS - _HALF_BITS
        registers[high] += (top >> top_bits) + (middle >> middle_bits)
        value += (top & ((1 << top_bits) - 1)) << (2 * _HALF_BITS)
        value += (middle & ((1 << middle_bits) - 1)) << _HALF_BITS
        value += px_low * lots_low
    registers[high] += value >> _VALUE_BITS
    registers[low] = value & ((1 << _VALUE_BITS) - 1)


# ---------------------------------------------------------------------- levels far from the touch


@compiled
def _place_of(key: int, size: int) -> int:
    return (((key * _C1) >> 20) & ((1 << 44) - 1)) & (size - 1)


@compiled
def _far_find(far: Numbers, b: int, key: int) -> int:
    """Slot of a key, or the empty one where it belongs."""
    size = far.shape[1]
    slot = _place_of(key, size)
    while far[b, slot, 1] != 0 and far[b, slot, 0] != key:
        slot = (slot + 1) & (size - 1)
    return slot


@compiled
def _far_put(registers: Numbers, far: Numbers, b: int, key: int, lots: int) -> None:
    slot = _far_find(far, b, key)
    if lots > 0:
        if far[b, slot, 1] == 0:
            if registers[FAR + b] + 2 > far.shape[1]:
                registers[BROKEN] = codes.NO_ROOM
                return
            registers[FAR + b] += 1
            if registers[FAR + b] * 2 > far.shape[1]:
                registers[CROWDED] = 1
        far[b, slot, 0], far[b, slot, 1] = key, lots
    elif far[b, slot, 1] != 0:
        _far_drop(registers, far, b, slot)


@compiled
def _far_drop(registers: Numbers, far: Numbers, b: int, slot: int) -> None:
    """Empty a slot, and move up what had to step aside for it."""
    mask = far.shape[1] - 1
    registers[FAR + b] -= 1
    hole, other = slot, slot
    while True:
        other = (other + 1) & mask
        if far[b, other, 1] == 0:
            break
        home = _place_of(far[b, other, 0], mask + 1)
        if ((other - home) & mask) >= ((other - hole) & mask):
            far[b, hole, 0], far[b, hole, 1] = far[b, other, 0], far[b, other, 1]
            hole = other
    far[b, hole, 1] = 0


@compiled
def _far_copy(source: Numbers, target: Numbers) -> None:
    """Enter every level of one table of far levels into a wider one."""
    for b in range(source.shape[0]):
        for slot in range(source.shape[1]):
            if source[b, slot, 1] != 0:
                there = _far_find(target, b, source[b, slot, 0])
                target[b, there, 0], target[b, there, 1] = source[b, slot, 0], source[b, slot, 1]


@compiled
def _far_best_below(far: Numbers, b: int, key: int) -> int:
    best = _NONE
    for slot in range(far.shape[1]):
        if far[b, slot, 1] != 0 and best < far[b, slot, 0] < key:
            best = far[b, slot, 0]
    return best


# ---------------------------------------------------------------------- the book


@compiled
def _lots_at(state: State, b: int, key: int) -> int:
    level, registers = state.level, state.registers
    base = registers[BASE + b]
    if base <= key < base + level.shape[1]:
        return level[b, key & (level.shape[1] - 1)]
    if registers[FAR + b] == 0:
        return 0
    return state.far[b, _far_find(state.far, b, key), 1]


@compiled
def _window_below(bits: Numbers, base: int, b: int, key: int) -> int:
    """Best key not above one given, within the window."""
    mask = bits.shape[1] * _WORD - 1
    while key >= base:
        offset = key & (_WORD - 1)
        word = bits[b, (key & mask) >> 5] & ((2 << offset) - 1)
        if word:
            high = 0
            if word >= 1 << 16:
                word >>= 16
                high += 16
            if word >= 1 << 8:
                word >>= 8
                high += 8
            if word >= 1 << 4:
                word >>= 4
                high += 4
            if word >= 1 << 2:
                word >>= 2
                high += 2
            return key - offset + high + (word >> 1)
        key -= offset + 1
    return _NONE


@compiled
def _next_worse(state: State, b: int, key: int) -> int:
    found = _window_below(state.bits, state.registers[BASE + b], b, key - 1)
    if found == _NONE and state.registers[FAR + b] > 0:
        return _far_best_below(state.far, b, key)
    return found


@compiled
def _recentre(state: State, b: int, key: int) -> None:
    """Lay the window so that a key, which nothing is better than, lies in its upper part."""
    registers, level, bits, far = state.registers, state.level, state.bits, state.far
    size = level.shape[1]
    mask = size - 1
    old, base = registers[BASE + b], (key - size // 4 * 3) & ~(_WORD - 1)
    found = _window_below(bits, old, b, min(base, old + size) - 1) if old < base else _NONE
    while found != _NONE:
        at = found & mask
        _far_put(registers, far, b, found, level[b, at])
        level[b, at] = 0
        bits[b, at >> 5] &= ~(1 << (at & (_WORD - 1)))
        found = _window_below(bits, old, b, found - 1)
    registers[BASE + b] = base
    if registers[FAR + b] > 0:
        for slot in range(far.shape[1]):
            while far[b, slot, 1] != 0 and far[b, slot, 0] >= base:
                at = far[b, slot, 0] & mask
                level[b, at] = far[b, slot, 1]
                bits[b, at >> 5] |= 1 << (at & (_WORD - 1))
                _far_drop(registers, far, b, slot)


@compiled
def _put(state: State, b: int, key: int, lots: int) -> None:
    registers, level, bits = state.registers, state.level, state.bits
    size, best = level.shape[1], registers[BEST + b]
    if key > best and (best == _NONE or key >= registers[BASE + b] + size):
        if lots == 0:
            return
        if not registers[BASE + b] <= key < registers[BASE + b] + size:
            _recentre(state, b, key)
    base = registers[BASE + b]
    if key < base:
        _far_put(registers, state.far, b, key, lots)
        return
    at = key & (size - 1)
    level[b, at] = lots
    if lots > 0:
        bits[b, at >> 5] |= 1 << (at & (_WORD - 1))
        registers[BEST + b] = max(best, key)
        return
    bits[b, at >> 5] &= ~(1 << (at & (_WORD - 1)))
    if key == best:
        best = _window_below(bits, base, b, key - 1)
        if best == _NONE and registers[FAR + b] > 0:
            best = _far_best_below(state.far, b, key)
        registers[BEST + b] = best
        if best != _NONE and best < base + size // 8:
            _recentre(state, b, best)


@compiled
def _taken_slot(state: State, b: int, key: int) -> int:
    for slot in range(state.registers[TAKEN + b]):
        if state.taken[b, slot, 0] == key:
            return slot
    return -1


@compiled
def _there(state: State, b: int, key: int) -> int:
    """Lots on a level that can trade: what is recorded less what we took."""
    lots = _lots_at(state, b, key)
    if state.registers[TAKEN + b] > 0:
        slot = _taken_slot(state, b, key)
        if slot >= 0:
            lots = max(lots - state.taken[b, slot, 1], 0)
    return lots


@compiled
def _take_lots(state: State, b: int, key: int, lots: int) -> None:
    registers, taken = state.registers, state.taken
    if not state.terms[layout.KEEPS_TAKEN]:
        return
    slot = _taken_slot(state, b, key)
    if slot < 0:
        slot = registers[TAKEN + b]
        if slot == taken.shape[1]:
            registers[BROKEN] = codes.NO_ROOM
            return
        registers[TAKEN + b] += 1
        if registers[TAKEN + b] * 2 > taken.shape[1]:
            registers[CROWDED] = 1
        taken[b, slot, 0], taken[b, slot, 1] = key, 0
    taken[b, slot, 1] += lots


@compiled
def _drop_taken(state: State, b: int, slot: int) -> None:
    registers, taken = state.registers, state.taken
    registers[TAKEN + b] -= 1
    last = registers[TAKEN + b]
    taken[b, slot, 0], taken[b, slot, 1] = taken[b, last, 0], taken[b, last, 1]


@compiled
def _give_back(state: State, b: int, key: int, gone: int) -> None:
    """Recorded lots left a level: those that we took are the first of them."""
    taken = state.taken
    slot = _taken_slot(state, b, key)
    if slot >= 0:
        taken[b, slot, 1] -= gone
        if taken[b, slot, 1] <= 0:
            _drop_taken(state, b, slot)


@compiled
def _best_there(state: State, b: int) -> int:
    """Best key with something to trade."""
    key = state.registers[BEST + b]
    if state.registers[TAKEN + b] > 0:
        while key != _NONE and _there(state, b, key) <= 0:
            key = _next_worse(state, b, key)
    return key


@compiled
def _clear_side(state: State, b: int) -> None:
    registers, level, bits = state.registers, state.level, state.bits
    mask, base = level.shape[1] - 1, registers[BASE + b]
    found = _window_below(bits, base, b, base + mask) if registers[BEST + b] != _NONE else _NONE
    while found != _NONE:
        at = found & mask
        level[b, at] = 0
        bits[b, at >> 5] &= ~(1 << (at & (_WORD - 1)))
        found = _window_below(bits, base, b, found - 1)
    if registers[FAR + b] > 0:
        state.far[b, :, 1] = 0
    registers[FAR + b] = 0
    registers[BEST + b] = _NONE


# ---------------------------------------------------------------------- what we are told


@compiled
def _tell(
    state: State, at_ns: int, kind: int, order_id: int, side: int, px: int, qty: int, leaves: int, detail: int
) -> None:
    registers, answers = state.registers, state.answers
    tail = registers[ANSWER_TAIL]
    size = answers.shape[0]
    if tail - registers[ANSWER_HEAD] >= size:
        registers[BROKEN] = codes.NO_ROOM
        return
    due_ns = max(
        registers[layout.ANSWER_NS],
        at_ns + _draw(registers, state.terms, state.samples, 2, registers[layout.TOLD]),
    )
    registers[layout.TOLD] += 1
    registers[layout.ANSWER_NS] = due_ns
    slot = tail & (size - 1)
    answers[slot, 0], answers[slot, 1], answers[slot, 2], answers[slot, 3] = due_ns, at_ns, kind, order_id
    answers[slot, 4], answers[slot, 5], answers[slot, 6], answers[slot, 7] = side, px, qty, leaves
    answers[slot, 8] = detail
    registers[ANSWER_TAIL] = tail + 1
    if (tail + 1 - registers[ANSWER_HEAD]) * 2 > size:
        registers[CROWDED] = 1


@compiled
def _send_glance(
    registers: Numbers, coming: Numbers, bid_px: int, bid_qty: int, ask_px: int, ask_qty: int
) -> None:
    """Send the touch on its way to us, if it is not as it was sent last."""
    if (
        bid_px == registers[SHOWN + 1]
        and bid_qty == registers[SHOWN + 2]
        and ask_px == registers[SHOWN + 3]
        and ask_qty == registers[SHOWN + 4]
        and registers[TRADED_QTY] == registers[SHOWN + 5]
        and registers[TRADED_VALUE] == registers[SHOWN + 6]
        and registers[TRADED_HIGH] == registers[SHOWN + 7]
    ):
        return
    tail, size = registers[COMING_TAIL], coming.shape[0]
    if tail - registers[COMING_HEAD] >= size:
        registers[BROKEN] = codes.NO_ROOM
        return
    slot = tail & (size - 1)
    coming[slot, 0] = registers[LOCAL_NS]
    coming[slot, 1], coming[slot, 2], coming[slot, 3], coming[slot, 4] = bid_px, bid_qty, ask_px, ask_qty
    coming[slot, 5] = registers[TRADED_QTY]
    coming[slot, 6], coming[slot, 7] = registers[TRADED_VALUE], registers[TRADED_HIGH]
    for field in range(GLANCE_WIDTH):
        registers[SHOWN + field] = coming[slot, field]
    registers[COMING_TAIL] = tail + 1
    if (tail + 1 - registers[COMING_HEAD]) * 2 > size:
        registers[CROWDED] = 1


@compiled
def _show(state: State) -> None:
    registers = state.registers
    bid, ask = _best_there(state, 0), _best_there(state, 1)
    bid_px = bid_qty = ask_px = ask_qty = 0
    if bid != _NONE:
        bid_px, bid_qty = bid, _there(state, 0, bid)
    if ask != _NONE:
        ask_px, ask_qty = -ask, _there(state, 1, ask)
    _send_glance(registers, state.coming, bid_px, bid_qty, ask_px, ask_qty)


@compiled
def _see(registers: Numbers, terms: Numbers, coming: Numbers, until_ns: int, looks: bool) -> None:
    """Let what was sent to be seen arrive."""
    size, head, arrived = coming.shape[0], registers[COMING_HEAD], -1
    while head < registers[COMING_TAIL]:
        slot = head & (size - 1)
        if coming[slot, 0] > until_ns:
            break
        if looks and registers[TOUCH_AT] == NEVER:
            before = registers[SEEN : SEEN + GLANCE_WIDTH] if arrived < 0 else coming[arrived]
            moved = coming[slot, 1] != before[1] or coming[slot, 3] != before[3]
            if not terms[layout.PRICES_ONLY]:
                moved = moved or coming[slot, 2] != before[2] or coming[slot, 4] != before[4]
            if moved:
                registers[TOUCH_AT] = max(coming[slot, 0], registers[TOUCH_LAST] + terms[layout.CONFLATE_NS])
        arrived = slot
        head += 1
    registers[COMING_HEAD] = head
    if arrived >= 0:
        for field in range(GLANCE_WIDTH):
            registers[SEEN + field] = coming[arrived, field]


# ---------------------------------------------------------------------- fills


@compiled
def _book_fill(
    state: State, at_ns: int, order_id: int, side: int, px: int, lots: int, leaves: int, liquidity: int
) -> None:
    registers = state.registers
    registers[POSITION] += side * lots
    if abs(registers[POSITION]) > _SUM_MAX:
        registers[BROKEN] = codes.TOO_LARGE
    _add_value(registers, CASH, CASH_HIGH, px, -side * lots)
    if liquidity == codes.MAKER:
        _add_value(registers, TURNOVER_MAKER, MAKER_HIGH, px, lots)
    else:
        _add_value(registers, TURNOVER_TAKER, TAKER_HIGH, px, lots)
    registers[FILLS] += 1
    _tell(state, at_ns, codes.FILLED, order_id, side, px, lots, leaves, liquidity)


@compiled
def _remove(state: State, j: int) -> None:
    """Take an order of ours out; those behind keep their order."""
    orders, count = state.orders, state.registers[ORDERS]
    for i in range(j, count - 1):
        for field in range(ORDER_WIDTH):
            orders[i, field] = orders[i + 1, field]
    state.registers[ORDERS] = count - 1


@compiled
def _fill(state: State, j: int, lots: int, at_ns: int) -> bool:
    """Fill a resting order at its price; say whether it is gone."""
    order = state.orders[j]
    order[O_LEAVES] -= lots
    _book_fill(state, at_ns, order[O_ID], order[O_SIDE], order[O_PX], lots, order[O_LEAVES], codes.MAKER)
    if order[O_LEAVES] == 0:
        _remove(state, j)
        return True
    return False


@compiled
def _match_level(state: State, b: int, s: int, key: int, at_ns: int) -> None:
    """A recorded level has reached our orders on the other side: it trades with the best of them first."""
    orders, left = state.orders, _there(state, b, key)
    while left > 0:
        best, best_key = -1, _NONE
        for j in range(state.registers[ORDERS]):
            if orders[j, O_SIDE] == -s:
                own_key = -s * orders[j, O_PX]
                if own_key + key >= 0 and own_key > best_key:
                    best, best_key = j, own_key
        if best < 0:
            return
        lots = min(left, orders[best, O_LEAVES])
        left -= lots
        _take_lots(state, b, key, lots)
        _fill(state, best, lots, at_ns)


@compiled
def _match_all(state: State, at_ns: int) -> None:
    """Trading goes on: what stands across trades."""
    for b in range(2):
        key = _best_there(state, b)
        while key != _NONE and _is_reached(state, b, key):
            _match_level(state, b, 1 - 2 * b, key, at_ns)
            key = _next_worse(state, b, key)


@compiled
def _is_reached(state: State, b: int, key: int) -> bool:
    """Whether a level of one side has come to an order of ours on the other."""
    for j in range(state.registers[ORDERS]):
        s = state.orders[j, O_SIDE]
        if s == 2 * b - 1 and s * state.orders[j, O_PX] + key >= 0:
            return True
    return False


@compiled
def _fill_passed(state: State, side: int, px: int, lots: int, at_ns: int) -> int:
    """Somebody traded beyond orders of ours on a side: they get his lots first; gives what is left."""
    registers, orders = state.registers, state.orders
    while lots > 0:
        best, best_key = -1, side * px
        for j in range(registers[ORDERS]):
            if orders[j, O_SIDE] == side and side * orders[j, O_PX] > best_key:
                best, best_key = j, side * orders[j, O_PX]
        if best < 0:
            return lots
        filled = min(lots, orders[best, O_LEAVES])
        lots -= filled
        _fill(state, best, filled, at_ns)
    return lots


@compiled
def _forget_old(state: State, j: int, at_ns: int) -> None:
    """What left ahead is kept in mind by spans of time: this one, and the one before."""
    order, lag_ns = state.orders[j], state.terms[layout.PRINT_LAG_NS]
    span = at_ns // lag_ns if lag_ns > 0 else 0
    if span != order[O_SPAN]:
        order[O_LENT_BEFORE] = order[O_LENT] if span == order[O_SPAN] + 1 else 0
        order[O_SPAN], order[O_LENT] = span, 0


@compiled
def _shorten(state: State, j: int, ahead: int, at_ns: int) -> None:
    """Fewer wait ahead for no trade that was seen: one that is still to be heard may be why."""
    if state.terms[layout.PRINT_LAG_NS] > 0:
        _forget_old(state, j, at_ns)
        state.orders[j, O_LENT] += state.orders[j, O_AHEAD] - ahead
        if state.orders[j, O_LENT] > _SUM_MAX:
            state.registers[BROKEN] = codes.TOO_LARGE
    state.orders[j, O_AHEAD] = ahead


@compiled
def _match(state: State, side: int, px: int, qty: int, at_ns: int) -> None:
    """A public trade reaches our orders on its other side."""
    registers, orders = state.registers, state.orders
    left, eaten, j = _fill_passed(state, -side, px, qty, at_ns), 0, 0
    while j < registers[ORDERS]:
        order = orders[j]
        if order[O_SIDE] == -side:
            beyond = side * (px - order[O_PX])
            if beyond > 0:
                order[O_AHEAD] = order[O_LENT] = order[O_LENT_BEFORE] = 0
            elif beyond == 0:
                _forget_old(state, j, at_ns)
                needed = max(order[O_AHEAD] + order[O_LENT_BEFORE] + order[O_LENT] - eaten, 0)
                used = min((needed + AHEAD_UNIT - 1) // AHEAD_UNIT, left)
                eaten += min(used * AHEAD_UNIT, needed)
                left -= used
                lots = min(left, order[O_LEAVES])
                if lots > 0:
                    left -= lots
                    if _fill(state, j, lots, at_ns):
                        continue
        j += 1
    eaten += left * AHEAD_UNIT
    for i in range(registers[ORDERS]):
        order = orders[i]
        if order[O_SIDE] == -side and order[O_PX] == px:
            of_lent_before = min(order[O_LENT_BEFORE], eaten)
            of_lent = min(order[O_LENT], eaten - of_lent_before)
            order[O_LENT_BEFORE] -= of_lent_before
            order[O_LENT] -= of_lent
            order[O_AHEAD] = max(order[O_AHEAD] - (eaten - of_lent_before - of_lent), 0)
            order[O_TRADED] += qty


# ---------------------------------------------------------------------- rows


@compiled
def _set_level(state: State, side: int, px: int, lots: int, at_ns: int, exact: bool) -> None:
    registers = state.registers
    s, b, key = side, (1 - side) >> 1, side * px
    old = _lots_at(state, b, key)
    if registers[ORDERS] == 0 and registers[TAKEN + b] == 0:
        if lots != old:
            _put(state, b, key, lots)
        return
    before = _there(state, b, key)
    if lots != old:
        _put(state, b, key, lots)
    if lots < old and registers[TAKEN + b] > 0:
        _give_back(state, b, key, old - lots)
    after = _there(state, b, key)
    orders = state.orders
    for j in range(registers[ORDERS]):
        if orders[j, O_SIDE] == s and orders[j, O_PX] == px:
            model = codes.RISK_AVERSE if exact else state.terms[layout.QUEUE_MODEL]
            gone = before - after - orders[j, O_TRADED]
            ahead = decrease_ahead(model, orders[j, O_AHEAD], before, after, gone)
            if exact:
                orders[j, O_AHEAD] = ahead
            else:
                _shorten(state, j, ahead, at_ns)
            if lots < old:
                orders[j, O_TRADED] = 0
    if after > before and not registers[layout.IS_HALTED]:
        _match_level(state, b, s, key, at_ns)


@compiled
def _print(registers: Numbers, px: int, qty: int) -> None:
    registers[TRADED_QTY] += qty
    _add_value(registers, TRADED_VALUE, TRADED_HIGH, px, qty)
    registers[LAST_PX] = px


@compiled
def _theirs_find(theirs: Numbers, their_id: int) -> int:
    size = theirs.shape[0]
    slot = _place_of(their_id, size)
    while theirs[slot, 1] != 0 and theirs[slot, 0] != their_id:
        slot = (slot + 1) & (size - 1)
    return slot


@compiled
def _theirs_copy(source: Numbers, target: Numbers) -> None:
    """Enter every order of others of one table into a wider one."""
    for slot in range(source.shape[0]):
        if source[slot, 1] != 0:
            there = _theirs_find(target, source[slot, 0])
            for field in range(3):
                target[there, field] = source[slot, field]


@compiled
def _theirs_drop(state: State, slot: int) -> None:
    theirs, mask = state.theirs, state.theirs.shape[0] - 1
    state.registers[THEIRS] -= 1
    hole, other = slot, slot
    while True:
        other = (other + 1) & mask
        if theirs[other, 1] == 0:
            break
        home = _place_of(theirs[other, 0], mask + 1)
        if ((other - home) & mask) >= ((other - hole) & mask):
            for field in range(3):
                theirs[hole, field] = theirs[other, field]
            hole = other
    theirs[hole, 1] = 0


@compiled
def _add_theirs(state: State, side: int, px: int, qty: int, their_id: int, at_ns: int) -> None:
    registers, theirs = state.registers, state.theirs
    registers[ARRIVALS] += 1
    if their_id:
        slot = _theirs_find(theirs, their_id)
        if theirs[slot, 1] == 0:
            registers[THEIRS] += 1
            if registers[THEIRS] * 2 > theirs.shape[0]:
                registers[CROWDED] = 1
        theirs[slot, 0], theirs[slot, 1], theirs[slot, 2] = their_id, registers[ARRIVALS], qty
    old = _lots_at(state, (1 - side) >> 1, side * px)
    if old + qty >= 1 << NUMBER_BITS:
        registers[BROKEN] = codes.TOO_LARGE
        return
    _set_level(state, side, px, old + qty, at_ns, False)


@compiled
def _take_off(state: State, kind: int, side: int, px: int, qty: int, their_id: int, at_ns: int) -> None:
    """An order of somebody else shrinks, goes, or is hit: queues are known exactly."""
    registers, theirs, orders = state.registers, state.theirs, state.orders
    arrival = 0
    slot = _theirs_find(theirs, their_id)
    if theirs[slot, 1] != 0:
        arrival, left = theirs[slot, 1], theirs[slot, 2]
        if kind == codes.DELETE:
            qty = left
        if left > qty and kind != codes.DELETE:
            theirs[slot, 2] = left - qty
        else:
            _theirs_drop(state, slot)
    if kind == codes.EXECUTE:
        _print(registers, px, qty)
        rest, j = _fill_passed(state, side, px, qty, at_ns), 0
        while j < registers[ORDERS] and rest > 0:
            if orders[j, O_SIDE] == side and orders[j, O_PX] == px and orders[j, O_ARRIVAL] < arrival:
                lots = min(rest, orders[j, O_LEAVES])
                rest -= lots
                if _fill(state, j, lots, at_ns):
                    continue
            j += 1
    for i in range(registers[ORDERS]):
        if orders[i, O_SIDE] == side and orders[i, O_PX] == px and orders[i, O_ARRIVAL] > arrival:
            orders[i, O_AHEAD] = max(orders[i, O_AHEAD] - qty * AHEAD_UNIT, 0)
    old = _lots_at(state, (1 - side) >> 1, side * px)
    _set_level(state, side, px, max(old - qty, 0), at_ns, True)


@compiled
def _clear(state: State, side: int) -> None:
    if side >= 0:
        _clear_side(state, 0)
    if side <= 0:
        _clear_side(state, 1)
    if side == 0:
        state.theirs[:, 1] = 0
        state.registers[THEIRS] = 0
    state.registers[layout.IS_READY] = 0


@compiled
def _settle(state: State, at_ns: int) -> None:
    """A snapshot is whole: nobody is where it shows nobody, and no more is taken than it shows."""
    registers, orders = state.registers, state.orders
    for j in range(registers[ORDERS]):
        b, key = (1 - orders[j, O_SIDE]) >> 1, orders[j, O_SIDE] * orders[j, O_PX]
        if _lots_at(state, b, key) == 0:
            # Nothing is better than the window's end, and nothing beyond it can be looked up.
            below = min(key, registers[BASE + b] + state.level.shape[1])
            if _next_worse(state, b, below) != _NONE:
                _shorten(state, j, 0, at_ns)
    taken = state.taken
    for b in range(2):
        slot = 0
        while slot < registers[TAKEN + b]:
            taken[b, slot, 1] = min(taken[b, slot, 1], _lots_at(state, b, taken[b, slot, 0]))
            if taken[b, slot, 1] == 0:
                _drop_taken(state, b, slot)
            else:
                slot += 1


@compiled
def _pay_funding(registers: Numbers, rate: int) -> None:
    """Position times price times rate, kept in two parts so that no product outgrows 64 bits."""
    px = registers[MARK_PX]
    if px == 0:
        px = registers[LAST_PX]
    if abs(float(registers[POSITION])) * abs(float(px)) >= _SUM_MAX or abs(rate) > codes.FUNDING_UNIT:
        registers[BROKEN] = codes.TOO_LARGE
        return
    value = registers[POSITION] * px
    whole, rest = value // codes.FUNDING_UNIT, value % codes.FUNDING_UNIT
    rest = rest * rate + registers[layout.FUNDING_REST]
    registers[layout.FUNDING] += whole * rate + rest // codes.FUNDING_UNIT
    registers[layout.FUNDING_REST] = rest % codes.FUNDING_UNIT
    if abs(registers[layout.FUNDING]) > _SUM_MAX:
        registers[BROKEN] = codes.TOO_LARGE


@compiled
def _follow_other(state: State, rows: Rows, i: int, kind: int, at_ns: int) -> None:
    registers = state.registers
    side, px, qty = int(rows.side[i]), rows.px[i], rows.qty[i]
    if kind == codes.CLEAR:
        _clear(state, side)
    elif kind == codes.ADD:
        _add_theirs(state, side, px, qty, rows.order_id[i], at_ns)
    elif kind in (codes.REDUCE, codes.DELETE, codes.EXECUTE):
        _take_off(state, kind, side, px, qty, rows.order_id[i], at_ns)
    elif kind == codes.HIDDEN:
        _print(registers, px, qty)
    elif kind == codes.HALT:
        resumes = registers[layout.IS_HALTED] != 0 and qty == 0
        registers[layout.IS_HALTED] = 1 if qty != 0 else 0
        if resumes:
            _match_all(state, at_ns)
    elif kind == codes.FUNDING:
        _pay_funding(registers, px)
    elif kind == codes.MARK:
        registers[MARK_PX] = px


@inlined
def _clock_row(
    registers: Numbers, terms: Numbers, samples: Numbers, received_ns: int, at_ns: int, is_measured: bool
) -> int:
    """How long a row is on its way to us, where that is not constant."""
    if is_measured:
        recv_ns = max(received_ns, 0)
        if recv_ns > NEVER:
            registers[BROKEN] = codes.TOO_LARGE
        registers[layout.DELAY_NS] = max(recv_ns - at_ns, 0)
    elif registers[BEGUN] == 0:
        registers[layout.DELAY_NS] = _draw(registers, terms, samples, 0, registers[layout.MESSAGES])
    registers[BEGUN] = 1
    return registers[layout.DELAY_NS]


@inlined
def _set_level_at_once(
    registers: Numbers,
    level: Numbers,
    bits: Numbers,
    far: Numbers,
    orders: Numbers,
    side: int,
    px: int,
    lots: int,
) -> bool:
    """Write a total where nothing follows from it: no better price than the window's, and for no order of ours."""
    b, key, mask = (1 - side) >> 1, side * px, level.shape[1] - 1
    base, best = registers[BASE + b], registers[BEST + b]
    done = key <= base + mask and registers[TAKEN + b] == 0 and (base <= key or best != _NONE)
    for j in range(registers[ORDERS]):
        own_key = side * orders[j, O_PX]
        if own_key == key or (orders[j, O_SIDE] != side and key > own_key):
            done = False
    if done and key < base:
        _far_put(registers, far, b, key, lots)
    elif done:
        at = key & mask
        bit = 1 << (at & (_WORD - 1))
        if lots > 0:
            level[b, at] = lots
            bits[b, at >> 5] |= bit
            if key > best:
                registers[BEST + b] = key
        elif key != best:
            level[b, at] = 0
            bits[b, at >> 5] &= ~bit
        else:
            best = _window_below(bits, base, b, key - 1)
            done = best >= base + (mask >> 3)
            if done:
                level[b, at] = 0
                bits[b, at >> 5] &= ~bit
                registers[BEST + b] = best
    return done


@inlined
def _reaches(registers: Numbers, orders: Numbers, side: int, px: int) -> bool:
    """Whether a public trade concerns an order of ours."""
    found = False
    for j in range(registers[ORDERS]):
        if orders[j, O_SIDE] == -side and side * (px - orders[j, O_PX]) >= 0:
            found = True
    return found


@compiled
def _play(state: State, rows: Rows, limit_ns: int, stays_quiet: bool) -> None:
    """Follow rows up to an instant, or until something was sent to us that is waited for."""
    registers, terms, samples, level, bits, far, orders, coming = (
        state.registers,
        state.terms,
        state.samples,
        state.level,
        state.bits,
        state.far,
        state.orders,
        state.coming,
    )
    exch_ns, recv_ns, kinds, sides, pxs, qtys, flags = (
        rows.exch_ns,
        rows.recv_ns,
        rows.kind,
        rows.side,
        rows.px,
        rows.qty,
        rows.flags,
    )
    i, end, at_ns = registers[ROW], exch_ns.shape[0], registers[ROW_NS]
    mask = level.shape[1] - 1
    delay_ns, source = terms[layout.DELAY_CONSTANT], terms[layout.DELAY_SOURCE]
    is_constant, is_measured = source == codes.CONSTANT, source == codes.MEASURED
    answers, glances = registers[ANSWER_TAIL], registers[COMING_TAIL]
    numbers = 0
    while i < end and max(at_ns, exch_ns[i]) <= limit_ns:
        at_ns = max(at_ns, exch_ns[i])
        if not is_constant:
            delay_ns = _clock_row(registers, terms, samples, recv_ns[i], at_ns, is_measured)
        registers[ROW_NS] = at_ns
        registers[LOCAL_NS] = max(registers[LOCAL_NS], at_ns + delay_ns)
        registers[LAG_NS] = registers[LOCAL_NS] - at_ns
        kind, side, px, qty = int(kinds[i]), int(sides[i]), pxs[i], qtys[i]
        numbers |= (px ^ (px >> 63)) | qty
        if kind == codes.LEVEL:
            if not _set_level_at_once(registers, level, bits, far, orders, side, px, qty):
                _set_level(state, side, px, qty, at_ns, False)
        elif kind == codes.TRADE:
            _print(registers, px, qty)
            if side != 0 and _reaches(registers, orders, side, px):
                _match(state, side, px, qty, at_ns)
        elif kind != codes.TOUCH:
            _follow_other(state, rows, i, kind, at_ns)
        if flags[i] & codes.LAST:
            bid, ask = registers[BEST], registers[BEST + 1]
            if registers[layout.IS_READY] == 0 and min(bid, ask) != _NONE:
                _settle(state, at_ns)
                registers[layout.IS_READY] = 1
            registers[BEGUN] = 0
            registers[layout.MESSAGES] += 1
            if registers[TAKEN] == 0 and registers[TAKEN + 1] == 0 and min(bid, ask) != _NONE:
                _send_glance(registers, coming, bid, level[0, bid & mask], -ask, level[1, ask & mask])
            else:
                _show(state)
        i += 1
        if registers[CROWDED] or answers != registers[ANSWER_TAIL]:
            break
        if glances != registers[COMING_TAIL]:
            if not stays_quiet:
                break
            glances = registers[COMING_TAIL]
            if (glances - registers[COMING_HEAD]) * 4 > coming.shape[0]:
                _see(registers, terms, coming, at_ns, False)
    registers[ROW] = i
    if (numbers >> NUMBER_BITS) != 0 or registers[TRADED_QTY] > _SUM_MAX:
        registers[BROKEN] = codes.TOO_LARGE


# ---------------------------------------------------------------------- the order desk


@compiled
def _admit(state: State, what: int, at_ns: int) -> bool:
    most, admitted = state.terms[layout.RATE_MAX], state.admitted
    if most == 0:
        return True
    count = state.registers[ADMITTED + what]
    slot = count % most
    if count >= most and admitted[what, slot] > at_ns - NS_PER_S:
        return False
    admitted[what, slot] = at_ns
    state.registers[ADMITTED + what] = count + 1
    return True


@compiled
def _refusal(state: State, side: int, px: int, qty: int) -> int:
    registers, terms = state.registers, state.terms
    if registers[layout.IS_HALTED]:
        return codes.HALTED
    if not registers[layout.IS_READY]:
        return codes.NO_MARKET
    if px <= 0 or px > terms[layout.PX_MAX] or qty <= 0 or qty > terms[layout.QTY_MAX]:
        return codes.BAD_TERMS
    reference, band = registers[MARK_PX], terms[layout.BAND_BPS]
    if reference == 0:
        reference = registers[LAST_PX]
    if band and reference and side * (px - reference) * codes.BPS > band * reference:
        return codes.PRICE_BAND
    return codes.NO_REASON


@compiled
def _wall(state: State, side: int, px: int) -> int:
    """Key, on the other side, of the best order of ours that an order at a price would meet."""
    orders, wall = state.orders, _NONE
    for j in range(state.registers[ORDERS]):
        if orders[j, O_SIDE] == -side and side * (px - orders[j, O_PX]) >= 0:
            wall = max(wall, -side * orders[j, O_PX])
    return wall


@compiled
def _enter(
    state: State, at_ns: int, order_id: int, side: int, px: int, qty: int, leaves: int, hold: int
) -> None:
    """An order comes to the book: it takes what it may, and rests or ends."""
    registers = state.registers
    b = (1 + side) >> 1
    wall = _wall(state, side, px)
    first = _best_there(state, b)
    takes = first != _NONE and first + side * px >= 0 and first > wall
    if hold == codes.POST_ONLY and (takes or wall != _NONE):
        _tell(state, at_ns, codes.ENDED, order_id, side, px, qty, 0, codes.WOULD_TAKE)
        return
    if hold == codes.FOK:
        offered, key = 0, first
        while offered < leaves and key != _NONE and key + side * px >= 0 and key > wall:
            offered += max(_there(state, b, key), 0)
            key = _next_worse(state, b, key)
        if offered < leaves:
            _tell(state, at_ns, codes.ENDED, order_id, side, px, qty, 0, codes.NOT_WHOLE)
            return
    key = first
    while leaves > 0 and key != _NONE and key + side * px >= 0 and key > wall:
        lots = min(_there(state, b, key), leaves)
        if lots > 0:
            _take_lots(state, b, key, lots)
            leaves -= lots
            _book_fill(state, at_ns, order_id, side, -side * key, lots, leaves, codes.TAKER)
        key = _next_worse(state, b, key)
    if leaves > 0 and wall != _NONE:
        _tell(state, at_ns, codes.ENDED, order_id, side, px, qty, 0, codes.SELF_TRADE)
    elif leaves > 0 and hold >= codes.IOC:
        _tell(state, at_ns, codes.ENDED, order_id, side, px, qty, 0, codes.NOTHING_MORE)
    elif leaves > 0:
        registers[ARRIVALS] += 1
        order = state.orders[registers[ORDERS]]
        registers[ORDERS] += 1
        order[O_ID], order[O_SIDE], order[O_PX], order[O_QTY], order[O_LEAVES] = (
            order_id,
            side,
            px,
            qty,
            leaves,
        )
        order[O_AHEAD] = _there(state, 1 - b, side * px) * AHEAD_UNIT
        order[O_TRADED], order[O_ARRIVAL], order[O_HOLD] = 0, registers[ARRIVALS], hold
        order[O_SPAN] = order[O_LENT] = order[O_LENT_BEFORE] = 0
    if takes:
        registers[LOCAL_NS] = max(registers[LOCAL_NS], at_ns + registers[LAG_NS])
        _show(state)


@compiled
def _amend(state: State, j: int, at_ns: int, px: int, qty: int) -> None:
    order = state.orders[j]
    order_id, side, hold = order[O_ID], order[O_SIDE], order[O_HOLD]
    done = order[O_QTY] - order[O_LEAVES]
    reason = _refusal(state, side, px, qty)
    if reason == 0 and qty <= done:
        reason = codes.BELOW_FILLED
    if reason == 0 and px == order[O_PX] and qty == order[O_QTY]:
        reason = codes.UNCHANGED
    if reason:
        _tell(state, at_ns, codes.AMEND_REJECTED, order_id, side, px, qty, order[O_LEAVES], reason)
        return
    keeps_place = px == order[O_PX] and qty < order[O_QTY]
    leaves = qty - done
    _tell(state, at_ns, codes.AMENDED, order_id, side, px, qty, leaves, codes.NO_REASON)
    if keeps_place:
        order[O_QTY], order[O_LEAVES] = qty, leaves
    else:
        _remove(state, j)
        _enter(state, at_ns, order_id, side, px, qty, leaves, hold)


@compiled
def _take(state: State) -> None:
    """The next request has arrived."""
    registers = state.registers
    request = state.requests[registers[REQUEST_HEAD] & (state.requests.shape[0] - 1)]
    registers[REQUEST_HEAD] += 1
    at_ns, what, order_id, px, qty = (
        request[R_AT],
        request[R_WHAT],
        request[R_ID],
        request[R_PX],
        request[R_QTY],
    )
    side, found = request[R_SIDE], -1
    for j in range(registers[ORDERS]):
        if state.orders[j, O_ID] == order_id:
            found = j
            break
    failure = codes.REJECTED
    if what == codes.AMEND:
        failure = codes.AMEND_REJECTED
    elif what == codes.CANCEL:
        failure = codes.CANCEL_REJECTED
    if not _admit(state, what, at_ns):
        _tell(state, at_ns, failure, order_id, side, px, qty, 0, codes.RATE_LIMIT)
    elif what == codes.PLACE:
        reason = _refusal(state, side, px, qty)
        if reason == 0 and registers[ORDERS] >= state.terms[layout.OPEN_MAX]:
            reason = codes.OPEN_ORDERS
        if reason:
            _tell(state, at_ns, failure, order_id, side, px, qty, 0, reason)
            return
        _tell(state, at_ns, codes.ACCEPTED, order_id, side, px, qty, qty, codes.NO_REASON)
        _enter(state, at_ns, order_id, side, px, qty, qty, request[R_HOLD])
    elif found < 0:
        _tell(state, at_ns, failure, order_id, side, px, qty, 0, codes.UNKNOWN_ORDER)
    elif what == codes.CANCEL:
        order = state.orders[found]
        _tell(
            state, at_ns, codes.ENDED, order_id, order[O_SIDE], order[O_PX], order[O_QTY], 0, codes.AS_ASKED
        )
        _remove(state, found)
    else:
        _amend(state, found, at_ns, px, qty)


# ---------------------------------------------------------------------- our end


@compiled
def _depart(state: State) -> None:
    """Send off what was handed over since time passed last: nothing that its time of arrival depends on has changed."""
    registers = state.registers
    while registers[REQUEST_TAIL] < registers[POSTED]:
        delay_ns = _draw(registers, state.terms, state.samples, 1, registers[layout.SENT])
        registers[layout.SENT] += 1
        at_ns = max(registers[layout.REQUEST_NS], registers[NOW] + delay_ns, registers[ROW_NS])
        registers[layout.REQUEST_NS] = at_ns
        state.requests[registers[REQUEST_TAIL] & (state.requests.shape[0] - 1), R_AT] = at_ns
        registers[REQUEST_TAIL] += 1


@compiled
def send(state: State, what: int, order_id: int, side: int, px: int, qty: int, hold: int) -> bool:
    """Send a request off; False if there is no room on the wire: then nothing was sent."""
    registers = state.registers
    tail, size = registers[POSTED], state.requests.shape[0]
    if tail - registers[REQUEST_HEAD] >= size:
        return False
    request = state.requests[tail & (size - 1)]
    request[R_WHAT], request[R_ID], request[R_SIDE] = what, order_id, side
    request[R_PX], request[R_QTY], request[R_HOLD] = px, qty, hold
    registers[POSTED] = tail + 1
    _depart(state)
    return True


@compiled
def next_answer(state: State) -> int:
    """Take the next answer that was heard: its slot in `answers`, or -1; it is good until the next advance."""
    registers = state.registers
    head = registers[ANSWER_HEAD]
    slot = head & (state.answers.shape[0] - 1)
    if head == registers[ANSWER_TAIL] or state.answers[slot, 0] > registers[NOW]:
        return -1
    registers[ANSWER_HEAD] = head + 1
    return slot


@compiled
def _answer_due(state: State) -> int:
    registers = state.registers
    if registers[ANSWER_HEAD] == registers[ANSWER_TAIL]:
        return NEVER
    return state.answers[registers[ANSWER_HEAD] & (state.answers.shape[0] - 1), 0]


@compiled
def advance(state: State, rows: Rows, until_ns: int, wake: int) -> int:
    """Let time pass until an instant, or until what is waited for.

    Parameters
    ----------
    wake
        WAKE_ANSWER and WAKE_TOUCH, added.

    Returns
    -------
    int
        UNTIL, ANSWER, TOUCH_MOVED, or END where nothing is left to happen. MORE asks for the next rows, and FULL for
        more room: the same call is made again then.
    """
    registers = state.registers
    if registers[layout.STAMP] != STAMP:
        return codes.STALE
    _depart(state)
    until_ns = max(until_ns, registers[NOW])
    hears, looks = (wake & codes.WAKE_ANSWER) != 0, (wake & codes.WAKE_TOUCH) != 0
    end = rows.exch_ns.shape[0]
    while True:
        if registers[CROWDED] or registers[BROKEN]:
            return codes.FULL
        if hears and _answer_due(state) <= registers[NOW]:
            return codes.ANSWER
        row_ns = NEVER
        if registers[ROW] < end:
            row_ns = max(registers[ROW_NS], rows.exch_ns[registers[ROW]])
            if row_ns >= NEVER:
                registers[BROKEN] = codes.TOO_LARGE
                return codes.FULL
        elif not registers[layout.IS_FINAL]:
            if not looks:
                _see(registers, state.terms, state.coming, registers[ROW_NS], looks)
            return codes.MORE
        request_ns = NEVER
        if registers[REQUEST_HEAD] < registers[REQUEST_TAIL]:
            request_ns = state.requests[registers[REQUEST_HEAD] & (state.requests.shape[0] - 1), R_AT]
        local_ns = until_ns
        if hears:
            local_ns = min(local_ns, _answer_due(state))
        if looks:
            local_ns = min(local_ns, registers[TOUCH_AT])
            if registers[COMING_HEAD] < registers[COMING_TAIL]:
                head = registers[COMING_HEAD] & (state.coming.shape[0] - 1)
                local_ns = min(local_ns, state.coming[head, 0])
        if min(row_ns, request_ns) <= local_ns:
            if row_ns <= request_ns:
                _play(state, rows, min(request_ns, local_ns), not looks)
            else:
                _take(state)
            continue
        registers[NOW] = max(registers[NOW], local_ns)
        _see(registers, state.terms, state.coming, registers[NOW], looks)
        if hears and _answer_due(state) <= registers[NOW]:
            return codes.ANSWER
        if looks and registers[TOUCH_AT] <= registers[NOW]:
            registers[TOUCH_AT], registers[TOUCH_LAST] = NEVER, registers[NOW]
            return codes.TOUCH_MOVED
        if registers[NOW] >= until_ns:
            quiet = (
                row_ns == NEVER
                and request_ns == NEVER
                and _answer_due(state) == NEVER
                and registers[COMING_HEAD] == registers[COMING_TAIL]
            )
            return codes.END if quiet else codes.UNTIL


# ---------------------------------------------------------------------- the sum of it


@compiled
def _book_hash(state: State) -> int:
    registers, total = state.registers, 0
    for b in range(2):
        side = 1 - 2 * b
        key = registers[BEST + b]
        if key != _NONE:
            base = registers[BASE + b]
            while key != _NONE:
                lots = state.level[b, key & (state.level.shape[1] - 1)]
                if lots == 0 or key < base:
                    break
                total += _absorb(_absorb(_absorb(1, side), side * key), lots)
                key = _window_below(state.bits, base, b, key - 1)
        for slot in range(state.far.shape[1]):
            if state.far[b, slot, 1] != 0:
                total += _absorb(
                    _absorb(_absorb(1, side), side * state.far[b, slot, 0]), state.far[b, slot, 1]
                )
        for slot in range(registers[TAKEN + b]):
            total += _absorb(
                _absorb(_absorb(2, side), side * state.taken[b, slot, 0]), state.taken[b, slot, 1]
            )
    return total


@compiled
def state_hash(state: State) -> int:
    """Sum everything up in 64 bits, as the twin does; signed here."""
    _depart(state)
    registers = state.registers
    total = 0
    for field in (
        NOW, ROW_NS, POSITION, CASH, CASH_HIGH, TURNOVER_MAKER, MAKER_HIGH, TURNOVER_TAKER, TAKER_HIGH,
        layout.FUNDING, layout.FUNDING_REST, FILLS, MARK_PX, LAST_PX, layout.IS_HALTED, layout.IS_READY,
    ):  # fmt: skip
        total = _absorb(total, registers[field])
    for field in range(GLANCE_WIDTH):
        total = _absorb(total, registers[SEEN + field])
    for field in range(5, GLANCE_WIDTH):
        total = _absorb(total, registers[SHOWN + field])
    total = _absorb(total, _book_hash(state))
    for j in range(registers[ORDERS]):
        for field in range(O_LENT_BEFORE + 1):
            total = _absorb(total, state.orders[j, field])
    for i in range(registers[REQUEST_HEAD], registers[REQUEST_TAIL]):
        for field in range(R_ID + 1):
            total = _absorb(total, state.requests[i & (state.requests.shape[0] - 1), field])
    for i in range(registers[ANSWER_HEAD], registers[ANSWER_TAIL]):
        for field in range(ANSWER_WIDTH):
            total = _absorb(total, state.answers[i & (state.answers.shape[0] - 1), field])
    for i in range(registers[COMING_HEAD], registers[COMING_TAIL]):
        for field in range(GLANCE_WIDTH):
            total = _absorb(total, state.coming[i & (state.coming.shape[0] - 1), field])
    return total


# ---------------------------------------------------------------------- from Python


@_intrinsic
def pointer(_typing: Any, address: Any) -> Any:  # noqa: ANN401 - the compiler's own types
    """Address as a pointer."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.voidptr(address), generate


@opening
def _numbers(table: Numbers, i: int) -> Numbers:
    result: Numbers = array_at(pointer(table[i, 0]), (table[i, 1],), np.int64)
    return result


@opening
def _pairs(table: Numbers, i: int) -> Numbers:
    result: Numbers = array_at(pointer(table[i, 0]), (table[i, 1], table[i, 2]), np.int64)
    return result


@opening
def _triples(table: Numbers, i: int) -> Numbers:
    result: Numbers = array_at(pointer(table[i, 0]), (table[i, 1], table[i, 2], table[i, 3]), np.int64)
    return result


@opening
def opened(table: Numbers) -> tuple[State, Rows]:
    """State and rows from a table of where their arrays lie.

    One array instead of twenty-one goes from Python to compiled code, which is most of what a call costs.

    Parameters
    ----------
    table
        For each array of `State`, then of `Rows`: its address and its shape.
    """
    state = State(
        _numbers(table, 0),
        _numbers(table, 1),
        _pairs(table, 2),
        _pairs(table, 3),
        _pairs(table, 4),
        _triples(table, 5),
        _triples(table, 6),
        _pairs(table, 7),
        _pairs(table, 8),
        _pairs(table, 9),
        _pairs(table, 10),
        _pairs(table, 11),
        _pairs(table, 12),
    )
    rows = Rows(
        _numbers(table, 13),
        _numbers(table, 14),
        array_at(pointer(table[15, 0]), (table[15, 1],), np.uint8),
        array_at(pointer(table[16, 0]), (table[16, 1],), np.int8),
        _numbers(table, 17),
        _numbers(table, 18),
        _numbers(table, 19),
        array_at(pointer(table[20, 0]), (table[20, 1],), np.uint8),
    )
    return state, rows


@opening
def opened_at(address: int) -> tuple[State, Rows]:
    """`opened`, with the address of the table."""
    return opened(array_at(pointer(address), (TABLE_ROWS, 4), np.int64))


def advance_at(table_at: int, until_ns: int, wake: int) -> int:
    """`advance`, with the address of a table as `opened` reads it."""
    state, rows = opened_at(table_at)
    return advance(state, rows, until_ns, wake)


def state_hash_at(table_at: int) -> int:
    """`state_hash`, likewise."""
    state, _ = opened_at(table_at)
    return state_hash(state)


def far_copy_at(source_at: int, source_size: int, target_at: int, target_size: int) -> int:
    """Enter every far level of one table into a wider one."""
    source = array_at(pointer(source_at), (2, source_size, 2), np.int64)
    _far_copy(source, array_at(pointer(target_at), (2, target_size, 2), np.int64))
    return 0


def theirs_copy_at(source_at: int, source_size: int, target_at: int, target_size: int) -> int:
    """Enter every order of others of one table into a wider one."""
    source = array_at(pointer(source_at), (source_size, 3), np.int64)
    _theirs_copy(source, array_at(pointer(target_at), (target_size, 3), np.int64))
    return 0
