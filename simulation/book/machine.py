"""The order book compiled: what `twin` does, at the speed of the machine; the rules are in docs/market-book.md.

Every function gets the address of the registers, of which `layout` says what they are. Prices lie in a ladder, a ring
of levels with bits for those that are not empty, three rows of them: the next level is found in at most five steps.
What rests shares one ladder, as bids lie below asks. Orders are doubly linked.
"""

from typing import Final

from simulation.book import layout
from simulation.book.layout import (
    BASE_PX,
    BITS,
    BITS_64,
    BITS_4096,
    FILLED,
    IS_POST_ONLY,
    IS_SELL,
    IS_STOP,
    L_HEAD,
    L_SHOWN,
    L_TAIL,
    LADDER_WIDTH,
    LADDERS,
    LEVEL_BYTES,
    LEVELS,
    O_DISPLAY,
    O_HIDDEN,
    O_ID,
    O_LIMIT_PX,
    O_NEXT,
    O_OWNER,
    O_PREVIOUS,
    O_PX,
    O_SHOWN,
    ORDER_BYTES,
    OUTCOME_WIDTH,
)
from simulation.book.messages import (
    ACCEPTED,
    AMEND,
    AMENDED,
    BAD_DISPLAY,
    BAD_KIND,
    BAD_OWNER,
    BAD_PX,
    BAD_QTY,
    BAD_SIDE,
    BAD_TIME_IN_FORCE,
    CANCEL,
    CANCELED,
    FILL,
    FOK,
    GTC,
    LIMIT,
    MARKET,
    NO_ROOM,
    NOT_FILLABLE,
    NOTHING_LEFT,
    NUMBER_MAX,
    ORDER_ENDED,
    ORDER_ID_RANGE,
    ORDER_ID_USED,
    OWNER_MAX,
    POST_ONLY,
    PX_TOO_FAR,
    REJECTED,
    REQUESTED,
    SELF_TRADE,
    STOP,
    TRIGGERED,
    UNKNOWN_ORDER,
    WOULD_TAKE,
)
from simulation.book.messages import IS_STOP as REFUSED_STOP
from simulation.compiling import (
    compiled,
    get,
    get_fixed,
    highest_bit,
    load,
    load32,
    lowest_bit,
    prefetch,
    put,
    store,
    store32,
    written_in,
)

# mypy: disable-error-code="no-any-return"
# What lies at an address is a number.

_C1: Final = 0xBF58476D1CE4E5B9 - (1 << 64)
_C2: Final = 0x94D049BB133111EB - (1 << 64)
_GOLDEN: Final = 0x9E3779B97F4A7C15 - (1 << 64)
_AHEAD: Final = 6
"""Messages by which a loop looks ahead."""


@written_in
def _tell(
    at: int, kind: int, reason: int, order_id: int, owner: int, side: int, px: int, qty: int, leaves: int
) -> None:
    told = get(at, layout.TOLD)
    outcome = get_fixed(at, layout.OUTCOMES) + 8 * OUTCOME_WIDTH * told
    store(outcome, kind)
    store(outcome + 8, reason)
    store(outcome + 16, order_id)
    store(outcome + 24, owner)
    store(outcome + 32, side)
    store(outcome + 40, px)
    store(outcome + 48, qty)
    store(outcome + 56, leaves)
    store(outcome + 64, 0)
    store(outcome + 72, 0)
    store(outcome + 80, 0)
    put(at, layout.TOLD, told + 1)


@compiled
def _reject(at: int, reason: int, order_id: int, owner: int, side: int, px: int, qty: int) -> int:
    _tell(at, REJECTED, reason, order_id, owner, side, px, qty, 0)
    return -reason


# ---------------------------------------------------------------------- ladders


@written_in
def _ladder(at: int, which: int) -> int:
    return at + 8 * (LADDERS + LADDER_WIDTH * which)


@written_in
def _level(at: int, ladder: int, px: int) -> int:
    return get_fixed(ladder, LEVELS) + LEVEL_BYTES * (px & get_fixed(at, layout.MASK))


@compiled
def _set_bit(ladder: int, i: int) -> None:
    word = get_fixed(ladder, BITS) + 8 * (i >> 6)
    before = load(word)
    store(word, before | (1 << (i & 63)))
    if before == 0:
        i >>= 6
        word = get_fixed(ladder, BITS_64) + 8 * (i >> 6)
        before = load(word)
        store(word, before | (1 << (i & 63)))
        if before == 0:
            word = get_fixed(ladder, BITS_4096)
            store(word, load(word) | (1 << (i >> 6)))


@compiled
def _clear_bit(ladder: int, i: int) -> None:
    word = get_fixed(ladder, BITS) + 8 * (i >> 6)
    after = load(word) & ~(1 << (i & 63))
    store(word, after)
    if after == 0:
        i >>= 6
        word = get_fixed(ladder, BITS_64) + 8 * (i >> 6)
        after = load(word) & ~(1 << (i & 63))
        store(word, after)
        if after == 0:
            word = get_fixed(ladder, BITS_4096)
            store(word, load(word) & ~(1 << (i >> 6)))


@compiled
def _up_from(ladder: int, i: int) -> int:
    """Place of the first level that is not empty, from one on, and around the ring; there must be one."""
    low, middle = get_fixed(ladder, BITS), get_fixed(ladder, BITS_64)
    j = i >> 6
    word = load(low + 8 * j) & (-1 << (i & 63))
    if word == 0:
        k = j >> 6
        word = load(middle + 8 * k) & (-2 << (j & 63))
        if word == 0:
            top = load(get_fixed(ladder, BITS_4096))
            word = top & (-2 << k)
            if word == 0:
                word = top
            k = lowest_bit(word)
            word = load(middle + 8 * k)
        j = (k << 6) + lowest_bit(word)
        word = load(low + 8 * j)
    return (j << 6) + lowest_bit(word)


@compiled
def _down_from(ladder: int, i: int) -> int:
    """Find the same downwards."""
    low, middle = get_fixed(ladder, BITS), get_fixed(ladder, BITS_64)
    j = i >> 6
    word = load(low + 8 * j) & ~(-2 << (i & 63))
    if word == 0:
        k = j >> 6
        word = load(middle + 8 * k) & ~(-1 << (j & 63))
        if word == 0:
            top = load(get_fixed(ladder, BITS_4096))
            word = top & ~(-1 << k)
            if word == 0:
                word = top
            k = highest_bit(word)
            word = load(middle + 8 * k)
        j = (k << 6) + highest_bit(word)
        word = load(low + 8 * j)
    return (j << 6) + highest_bit(word)


@written_in
def _px_from(at: int, ladder: int, px: int, step: int) -> int:
    """Price of the first level that is not empty, from one on upwards (+1) or downwards (-1); there must be one."""
    i = px & get_fixed(at, layout.MASK)
    word = load(get_fixed(ladder, BITS) + 8 * (i >> 6))
    bit = i & 63
    word &= (-1 << bit) if step > 0 else ~(-2 << bit)
    if word == 0:
        return _far_px_from(at, ladder, px, step)
    return px - bit + (lowest_bit(word) if step > 0 else highest_bit(word))


@compiled
def _far_px_from(at: int, ladder: int, px: int, step: int) -> int:
    mask = get_fixed(at, layout.MASK)
    if step > 0:
        return px + ((_up_from(ladder, px & mask) - px) & mask)
    return px - ((px - _down_from(ladder, px & mask)) & mask)


@written_in
def _has_room(at: int, which: int, px: int) -> bool:
    """Whether a price lies near enough to the others of a ladder, which is moved for it if need be."""
    ahead = px - get(_ladder(at, which), BASE_PX)
    return 0 <= ahead <= get_fixed(at, layout.MASK) or _moved(at, which, px)


@compiled
def _moved(at: int, which: int, px: int) -> bool:
    ladder, mask = _ladder(at, which), get_fixed(at, layout.MASK)
    filled = get(at, FILLED) + get(at, FILLED + 1) if which == 0 else get(at, FILLED + 1 + which)
    low = high = px
    if filled > 0:
        base = get(ladder, BASE_PX)
        low = min(px, _px_from(at, ladder, base, 1))
        high = max(px, _px_from(at, ladder, base + mask, -1))
    if high - low > mask:
        return False
    put(ladder, BASE_PX, low - (mask - (high - low)) // 2)
    return True


@written_in
def _append(at: int, ladder: int, slot: int, px: int, shown: int) -> bool:
    """Put an order at the end of a level; whether it is the first there."""
    level = _level(at, ladder, px)
    orders = get_fixed(at, layout.ORDERS)
    tail = load32(level + L_TAIL)
    order = orders + ORDER_BYTES * slot
    store(order + O_PREVIOUS, tail)  # and nobody follows
    store32(level + L_TAIL, slot)
    store(level + L_SHOWN, load(level + L_SHOWN) + shown)
    if tail != 0:
        store32(orders + ORDER_BYTES * tail + O_NEXT, slot)
        return False
    store32(level + L_HEAD, slot)
    _set_bit(ladder, px & get_fixed(at, layout.MASK))
    return True


@written_in
def _unlink(at: int, ladder: int, order: int, px: int, shown: int) -> bool:
    """Take an order out of its level; whether it was the last there."""
    level, orders = _level(at, ladder, px), get_fixed(at, layout.ORDERS)
    before, after = load32(order + O_PREVIOUS), load32(order + O_NEXT)
    store(level + L_SHOWN, load(level + L_SHOWN) - shown)
    if before != 0:
        store32(orders + ORDER_BYTES * before + O_NEXT, after)
    else:
        store32(level + L_HEAD, after)
    if after != 0:
        store32(orders + ORDER_BYTES * after + O_PREVIOUS, before)
    else:
        store32(level + L_TAIL, before)
        if before == 0:
            _clear_bit(ladder, px & get_fixed(at, layout.MASK))
            return True
    return False


@written_in
def _enter(at: int, slot: int, is_sell: int, px: int, shown: int) -> None:
    """Let an order rest behind those at its price."""
    if _append(at, _ladder(at, 0), slot, px, shown):
        put(at, FILLED + is_sell, get(at, FILLED + is_sell) + 1)
        if (1 - 2 * is_sell) * (px - get(at, layout.BEST_BID + is_sell)) > 0:
            put(at, layout.BEST_BID + is_sell, px)


@written_in
def _leave(at: int, order: int, is_sell: int, px: int, shown: int) -> None:
    """Take a resting order away."""
    ladder = _ladder(at, 0)
    if _unlink(at, ladder, order, px, shown):
        filled = get(at, FILLED + is_sell) - 1
        put(at, FILLED + is_sell, filled)
        if px == get(at, layout.BEST_BID + is_sell):
            best = is_sell * layout.NO_ASK
            if filled > 0:
                best = _px_from(at, ladder, px, 2 * is_sell - 1)
            put(at, layout.BEST_BID + is_sell, best)


# ---------------------------------------------------------------------- orders


@written_in
def _take_slot(at: int) -> int:
    put(at, layout.WAITING, get(at, layout.WAITING) + 1)
    slot = get(at, layout.FREE)
    if slot != 0:
        put(at, layout.FREE, load32(get_fixed(at, layout.ORDERS) + ORDER_BYTES * slot + O_NEXT))
        return slot
    slot = get(at, layout.HIGHEST_SLOT) + 1
    put(at, layout.HIGHEST_SLOT, slot)
    return slot


@written_in
def _give_slot(at: int, slot: int, order: int) -> None:
    """End an order."""
    store32(get_fixed(at, layout.SLOTS) + 4 * load(order + O_ID), -slot)
    store32(order + O_NEXT, get(at, layout.FREE))
    put(at, layout.FREE, slot)
    put(at, layout.WAITING, get(at, layout.WAITING) - 1)


@written_in
def _write_order(
    at: int,
    order_id: int,
    owner: int,
    px: int,
    shown: int,
    hidden: int,
    display: int,
    flags: int,
) -> int:
    slot = _take_slot(at)
    order = get_fixed(at, layout.ORDERS) + ORDER_BYTES * slot
    store(order + O_ID, order_id)
    store(order + O_PX, px)
    store(order + O_SHOWN, shown)
    store(order + O_HIDDEN, hidden)
    store(order + O_DISPLAY, display)
    store(order + O_OWNER, owner * 8 + flags)
    store32(get_fixed(at, layout.SLOTS) + 4 * order_id, slot)
    return slot


@written_in
def _bad_order(at: int, order_id: int, owner: int, side: int, qty: int) -> int:
    if order_id < 1 or order_id >= get_fixed(at, layout.IDS_MAX):
        return ORDER_ID_RANGE
    if load32(get_fixed(at, layout.SLOTS) + 4 * order_id) != 0:
        return ORDER_ID_USED
    if owner < 0 or owner > OWNER_MAX:
        return BAD_OWNER
    if side * side != 1:
        return BAD_SIDE
    if qty < 1 or qty > NUMBER_MAX:
        return BAD_QTY
    return 0


@written_in
def _crosses(at: int, is_sell: int, px: int) -> bool:
    return (1 - 2 * is_sell) * (px - get(at, layout.BEST_ASK - is_sell)) >= 0


@compiled
def _unfillable(at: int, owner: int, is_sell: int, px: int, qty: int) -> int:
    """Why a fill-or-kill cannot be filled: what stands against it, or what it would cause at most."""
    ladder, orders = _ladder(at, 0), get_fixed(at, layout.ORDERS)
    levels, level_px = get(at, FILLED + 1 - is_sell), get(at, layout.BEST_ASK - is_sell)
    found = pieces = 0
    while levels > 0 and (px <= level_px if is_sell else px >= level_px) and found < qty:
        slot = load32(_level(at, ladder, level_px) + L_HEAD)
        while slot != 0:
            order = orders + ORDER_BYTES * slot
            pieces += 1
            if load(order + O_OWNER) >> 3 != owner:
                hidden, display = load(order + O_HIDDEN), load(order + O_DISPLAY)
                found += load(order + O_SHOWN) + hidden
                if display > 0:
                    pieces += (hidden + display - 1) // display
            slot = load32(order + O_NEXT)
        levels -= 1
        if levels > 0:
            level_px = _px_from(at, ladder, level_px - 1 if is_sell else level_px + 1, -1 if is_sell else 1)
    if found < qty:
        return NOT_FILLABLE
    return NO_ROOM if pieces > get_fixed(at, layout.OUTCOMES_MAX) - 2 else 0


@written_in
def _any_px(is_sell: int) -> int:
    """Limit of an order that has none."""
    return 1 if is_sell else NUMBER_MAX


@compiled
def _take(at: int, order_id: int, owner: int, is_sell: int, limit_px: int, px: int, qty: int) -> int:
    """Trade with what stands across up to a limit; what is left, or the same less than zero if it may not go on."""
    side, orders = 1 - 2 * is_sell, get_fixed(at, layout.ORDERS)
    high = low = 0
    while qty > 0:
        maker_px = get(at, layout.BEST_ASK - is_sell)
        if side * (limit_px - maker_px) < 0:
            break
        told = get(at, layout.TOLD)
        if told > get_fixed(at, layout.OUTCOMES_MAX) - 2:
            _tell(at, CANCELED, NO_ROOM, order_id, owner, side, px, qty, 0)
            qty = -1
            break
        level = _level(at, _ladder(at, 0), maker_px)
        slot = load32(level + L_HEAD)
        order = orders + ORDER_BYTES * slot
        shown, hidden = load(order + O_SHOWN), load(order + O_HIDDEN)
        maker_id, maker_owner = load(order + O_ID), load(order + O_OWNER) >> 3
        if maker_owner == owner:
            _leave(at, order, 1 - is_sell, maker_px, shown)
            _give_slot(at, slot, order)
            _tell(at, CANCELED, SELF_TRADE, maker_id, owner, -side, maker_px, shown + hidden, 0)
            continue
        if high == 0:
            high = low = maker_px
        high, low = max(high, maker_px), min(low, maker_px)
        lots = min(qty, shown)
        qty -= lots
        if lots < shown:
            store(order + O_SHOWN, shown - lots)
            store(level + L_SHOWN, load(level + L_SHOWN) - lots)
        elif hidden == 0:
            _leave(at, order, 1 - is_sell, maker_px, shown)
            _give_slot(at, slot, order)
        else:
            _leave(at, order, 1 - is_sell, maker_px, shown)
            again = min(load(order + O_DISPLAY), hidden)
            store(order + O_SHOWN, again)
            store(order + O_HIDDEN, hidden - again)
            _enter(at, slot, 1 - is_sell, maker_px, again)
        outcome = get_fixed(at, layout.OUTCOMES) + 8 * OUTCOME_WIDTH * told
        _tell(at, FILL, 0, order_id, owner, side, maker_px, lots, qty)
        store(outcome + 64, maker_id)
        store(outcome + 72, maker_owner)
        store(outcome + 80, shown + hidden - lots)
        put(at, layout.LAST_PX, maker_px)
    if high != 0:
        if get(at, layout.TRADED_HIGH) != 0:
            high, low = max(high, get(at, layout.TRADED_HIGH)), min(low, get(at, layout.TRADED_LOW))
        put(at, layout.TRADED_HIGH, high)
        put(at, layout.TRADED_LOW, low)
    return qty


@compiled
def _trigger(at: int) -> None:
    """Let stops come that the trades have reached, one after the other."""
    orders = get_fixed(at, layout.ORDERS)
    while get(at, layout.TRADED_HIGH) != 0 and get(at, layout.TOLD) <= get_fixed(at, layout.OUTCOMES_MAX) - 3:
        chosen, arrival = 0, 0
        for is_sell in range(2):
            if get(at, FILLED + 2 + is_sell) == 0:
                continue
            ladder = _ladder(at, 1 + is_sell)
            base = get(ladder, BASE_PX)
            if is_sell:
                px = _px_from(at, ladder, base + get_fixed(at, layout.MASK), -1)
                reached = px >= get(at, layout.TRADED_LOW)
            else:
                px = _px_from(at, ladder, base, 1)
                reached = px <= get(at, layout.TRADED_HIGH)
            if reached:
                slot = load32(_level(at, ladder, px) + L_HEAD)
                came = load(orders + ORDER_BYTES * slot + O_HIDDEN)
                if chosen == 0 or came < arrival:
                    chosen, arrival = slot, came
        if chosen == 0:
            put(at, layout.TRADED_HIGH, 0)
            put(at, layout.TRADED_LOW, 0)
            break
        order = orders + ORDER_BYTES * chosen
        order_id, owner = load(order + O_ID), load(order + O_OWNER) >> 3
        is_sell = load(order + O_OWNER) & IS_SELL
        qty, px = load(order + O_SHOWN), load(order + O_LIMIT_PX)
        _leave_stops(at, order, is_sell)
        _give_slot(at, chosen, order)
        side = 1 - 2 * is_sell
        _tell(at, TRIGGERED, 0, order_id, owner, side, px, qty, qty)
        if px == 0:
            left = _take(at, order_id, owner, is_sell, _any_px(is_sell), 0, qty)
            if left > 0:
                _tell(at, CANCELED, NOTHING_LEFT, order_id, owner, side, 0, left, 0)
        elif not _has_room(at, 0, px):
            _tell(at, CANCELED, PX_TOO_FAR, order_id, owner, side, px, qty, 0)
        else:
            left = _take(at, order_id, owner, is_sell, px, px, qty)
            if left > 0:
                _enter(at, _write_order(at, order_id, owner, px, left, 0, 0, is_sell), is_sell, px, left)


@compiled
def _leave_stops(at: int, order: int, is_sell: int) -> None:
    if _unlink(at, _ladder(at, 1 + is_sell), order, load(order + O_PX), load(order + O_SHOWN)):
        put(at, FILLED + 2 + is_sell, get(at, FILLED + 2 + is_sell) - 1)


@written_in
def _end(at: int) -> int:
    if get(at, layout.TRADED_HIGH) != 0:
        _trigger(at)
    return get(at, layout.TOLD)


@written_in
def _accept(at: int, order_id: int, owner: int, side: int, px: int, qty: int) -> None:
    put(at, layout.TOLD, 0)
    put(at, layout.USED, get(at, layout.USED) + 1)
    store32(get_fixed(at, layout.SLOTS) + 4 * order_id, -1)
    _tell(at, ACCEPTED, 0, order_id, owner, side, px, qty, qty)


# ---------------------------------------------------------------------- messages


@written_in
def limit(at: int, order_id: int, owner: int, side: int, px: int, qty: int, tif: int, display: int) -> int:
    """`book.OrderBook.limit`."""
    put(at, layout.TOLD, 0)
    rests = tif == GTC or tif == POST_ONLY  # noqa: PLR1714 - compiled
    is_sell = (1 - side) >> 1
    reason = _bad_order(at, order_id, owner, side, qty)
    if reason == 0:
        if px < 1 or px > NUMBER_MAX:
            reason = BAD_PX
        elif tif < GTC or tif > POST_ONLY:
            reason = BAD_TIME_IN_FORCE
        elif display < 0 or display > NUMBER_MAX or (display != 0 and not rests):
            reason = BAD_DISPLAY
        elif rests and get(at, layout.WAITING) >= get_fixed(at, layout.ORDERS_MAX):
            reason = NO_ROOM
        elif rests and not _has_room(at, 0, px):
            reason = PX_TOO_FAR
        elif tif == POST_ONLY:
            if _crosses(at, is_sell, px):
                reason = WOULD_TAKE
        elif tif == FOK:
            reason = _unfillable(at, owner, is_sell, px, qty)
    if reason != 0:
        return _reject(at, reason, order_id, owner, side, px, qty)
    _accept(at, order_id, owner, side, px, qty)
    if _crosses(at, is_sell, px):
        qty = _take(at, order_id, owner, is_sell, px, px, qty)
    if qty > 0:
        if rests:
            flags = is_sell + (IS_POST_ONLY if tif == POST_ONLY else 0)
            shown = min(display, qty) if display != 0 else qty
            slot = _write_order(at, order_id, owner, px, shown, qty - shown, display, flags)
            _enter(at, slot, is_sell, px, shown)
        else:
            _tell(at, CANCELED, NOTHING_LEFT, order_id, owner, side, px, qty, 0)
    return _end(at)


@written_in
def market(at: int, order_id: int, owner: int, side: int, qty: int) -> int:
    """`book.OrderBook.market`."""
    put(at, layout.TOLD, 0)
    reason = _bad_order(at, order_id, owner, side, qty)
    if reason != 0:
        return _reject(at, reason, order_id, owner, side, 0, qty)
    is_sell = (1 - side) >> 1
    _accept(at, order_id, owner, side, 0, qty)
    qty = _take(at, order_id, owner, is_sell, _any_px(is_sell), 0, qty)
    if qty > 0:
        _tell(at, CANCELED, NOTHING_LEFT, order_id, owner, side, 0, qty, 0)
    return _end(at)


@written_in
def _slot_of(at: int, order_id: int) -> int:
    """Slot of an order that waits, or the reason why there is none, less than zero."""
    if order_id < 1 or order_id >= get_fixed(at, layout.IDS_MAX):
        return -ORDER_ID_RANGE
    slot = load32(get_fixed(at, layout.SLOTS) + 4 * order_id)
    if slot > 0:
        return slot
    return -ORDER_ENDED if slot < 0 else -UNKNOWN_ORDER


@written_in
def cancel(at: int, order_id: int) -> int:
    """`book.OrderBook.cancel`."""
    put(at, layout.TOLD, 0)
    slot = _slot_of(at, order_id)
    if slot < 0:
        return _reject(at, -slot, order_id, 0, 0, 0, 0)
    order = get_fixed(at, layout.ORDERS) + ORDER_BYTES * slot
    owner_flags, px, shown = load(order + O_OWNER), load(order + O_PX), load(order + O_SHOWN)
    is_sell = owner_flags & IS_SELL
    lots = shown
    if owner_flags & IS_STOP:
        _leave_stops(at, order, is_sell)
    else:
        lots += load(order + O_HIDDEN)
        _leave(at, order, is_sell, px, shown)
    _give_slot(at, slot, order)
    _tell(at, CANCELED, REQUESTED, order_id, owner_flags >> 3, 1 - 2 * is_sell, px, lots, 0)
    return _end(at)


@compiled
def amend(at: int, order_id: int, px: int, qty: int) -> int:
    """`book.OrderBook.amend`."""
    put(at, layout.TOLD, 0)
    slot = _slot_of(at, order_id)
    reason = order = owner_flags = 0
    if slot < 0:
        reason = -slot
    else:
        order = get_fixed(at, layout.ORDERS) + ORDER_BYTES * slot
        owner_flags = load(order + O_OWNER)
        if owner_flags & IS_STOP:
            reason = REFUSED_STOP
        elif px < 1 or px > NUMBER_MAX:
            reason = BAD_PX
        elif qty < 1 or qty > NUMBER_MAX:
            reason = BAD_QTY
        elif not _has_room(at, 0, px):
            reason = PX_TOO_FAR
        elif owner_flags & IS_POST_ONLY and _crosses(at, owner_flags & IS_SELL, px):
            reason = WOULD_TAKE
    if reason != 0:
        return _reject(at, reason, order_id, 0, 0, px, qty)
    is_sell, owner = owner_flags & IS_SELL, owner_flags >> 3
    side, old_px = 1 - 2 * is_sell, load(order + O_PX)
    shown, hidden = load(order + O_SHOWN), load(order + O_HIDDEN)
    if px == old_px and qty <= shown + hidden:
        store(order + O_HIDDEN, max(0, qty - shown))
        if qty < shown:
            store(order + O_SHOWN, qty)
            level = _level(at, _ladder(at, 0), px)
            store(level + L_SHOWN, load(level + L_SHOWN) - (shown - qty))
        _tell(at, AMENDED, 0, order_id, owner, side, px, qty, qty)
        return _end(at)
    _leave(at, order, is_sell, old_px, shown)
    display = load(order + O_DISPLAY)
    _give_slot(at, slot, order)
    _tell(at, AMENDED, 0, order_id, owner, side, px, qty, qty)
    if _crosses(at, is_sell, px):
        qty = _take(at, order_id, owner, is_sell, px, px, qty)
    if qty > 0:
        shown = min(display, qty) if display != 0 else qty
        slot = _write_order(
            at, order_id, owner, px, shown, qty - shown, display, owner_flags & (IS_SELL | IS_POST_ONLY)
        )
        _enter(at, slot, is_sell, px, shown)
    return _end(at)


@compiled
def stop(at: int, order_id: int, owner: int, side: int, trigger_px: int, limit_px: int, qty: int) -> int:
    """`book.OrderBook.stop`."""
    put(at, layout.TOLD, 0)
    is_sell = (1 - side) >> 1
    reason = _bad_order(at, order_id, owner, side, qty)
    if reason == 0:
        if trigger_px < 1 or trigger_px > NUMBER_MAX or limit_px < 0 or limit_px > NUMBER_MAX:
            reason = BAD_PX
        elif get(at, layout.WAITING) >= get_fixed(at, layout.ORDERS_MAX):
            reason = NO_ROOM
        elif not _has_room(at, 1 + is_sell, trigger_px):
            reason = PX_TOO_FAR
    if reason != 0:
        return _reject(at, reason, order_id, owner, side, trigger_px, qty)
    _accept(at, order_id, owner, side, trigger_px, qty)
    arrival = get(at, layout.ARRIVALS) + 1
    put(at, layout.ARRIVALS, arrival)
    slot = _write_order(at, order_id, owner, trigger_px, qty, arrival, 0, is_sell + IS_STOP)
    store(get_fixed(at, layout.ORDERS) + ORDER_BYTES * slot + O_LIMIT_PX, limit_px)
    if _append(at, _ladder(at, 1 + is_sell), slot, trigger_px, qty):
        put(at, FILLED + 2 + is_sell, get(at, FILLED + 2 + is_sell) + 1)
    return _end(at)


@written_in
def _expect(at: int, message: int) -> None:
    """Have brought into the cache what a message will need."""
    order_id = load(message + 8)
    if 0 < order_id < get_fixed(at, layout.IDS_MAX):
        slot = load32(get_fixed(at, layout.SLOTS) + 4 * order_id)
        prefetch(get_fixed(at, layout.ORDERS) + ORDER_BYTES * max(slot, 0))


@compiled
def _play(at: int, messages: int, count: int) -> int:
    caused = 0
    for i in range(count):
        if i + _AHEAD < count:
            _expect(at, messages + 8 * layout.MESSAGE_WIDTH * (i + _AHEAD))
        message = messages + 8 * layout.MESSAGE_WIDTH * i
        kind, order_id, owner, side = get(message, 0), get(message, 1), get(message, 2), get(message, 3)
        px, qty, more = get(message, 4), get(message, 5), get(message, 6)
        if kind == LIMIT:
            limit(at, order_id, owner, side, px, qty, more, get(message, 7))
        elif kind == CANCEL:
            cancel(at, order_id)
        elif kind == MARKET:
            market(at, order_id, owner, side, qty)
        elif kind == AMEND:
            amend(at, order_id, px, qty)
        elif kind == STOP:
            stop(at, order_id, owner, side, px, more, qty)
        else:
            put(at, layout.TOLD, 0)
            _reject(at, BAD_KIND, order_id, owner, side, px, qty)
        caused += get(at, layout.TOLD)
    return caused


# ---------------------------------------------------------------------- what can be seen


@compiled
def _mix(value: int) -> int:
    value = (value ^ ((value >> 30) & ((1 << 34) - 1))) * _C1
    value = (value ^ ((value >> 27) & ((1 << 37) - 1))) * _C2
    return value ^ ((value >> 31) & ((1 << 33) - 1))


@compiled
def absorb(state: int, value: int) -> int:
    """Add a number to a sum of 64 bits."""
    return _mix((state ^ value) + _GOLDEN)


@compiled
def _level_hash(at: int, state: int, ladder: int, px: int) -> int:
    slot = load32(_level(at, ladder, px) + L_HEAD)
    while slot != 0:
        order = get_fixed(at, layout.ORDERS) + ORDER_BYTES * slot
        flags = load(order + O_OWNER) & 7
        is_stop = flags & IS_STOP
        hidden, limit_px = load(order + O_HIDDEN), load(order + O_LIMIT_PX)
        state = absorb(state, load(order + O_ID))
        state = absorb(state, load(order + O_OWNER) >> 3)
        state = absorb(state, px)
        state = absorb(state, load(order + O_SHOWN))
        state = absorb(state, 0 if is_stop else hidden)
        state = absorb(state, load(order + O_DISPLAY))
        state = absorb(state, limit_px if is_stop else px)
        state = absorb(state, hidden if is_stop else 0)
        state = absorb(state, flags)
        slot = load32(order + O_NEXT)
    return state


@compiled
def _state_hash(at: int) -> int:
    state = absorb(0, get(at, layout.LAST_PX))
    for register in (layout.TRADED_HIGH, layout.TRADED_LOW, layout.ARRIVALS, layout.USED, layout.WAITING):
        state = absorb(state, get(at, register))
    for row in range(4):
        ladder, step = _ladder(at, max(0, row - 1)), 1 if row in (1, 2) else -1
        px = get(ladder, BASE_PX) + (get_fixed(at, layout.MASK) if step < 0 else 0)
        if row < 2:
            px = get(at, layout.BEST_BID + row)
        left = get(at, FILLED + row)
        while left > 0:
            px = _px_from(at, ladder, px, step)
            state = _level_hash(at, state, ladder, px)
            px += step
            left -= 1
    return state


@compiled
def depth(at: int, side: int, levels: int) -> int:
    """Write the best levels of a side where they are read; how many there are."""
    is_sell = (1 - side) >> 1
    px, left, found = get(at, layout.BEST_BID + is_sell), get(at, FILLED + is_sell), 0
    ladder, seen = _ladder(at, 0), get_fixed(at, layout.SEEN)
    while left > 0 and found < levels:
        px = _px_from(at, ladder, px, -side)
        store(seen + 16 * found, px)
        store(seen + 16 * found + 8, load(_level(at, ladder, px) + L_SHOWN))
        px -= side
        found += 1
        left -= 1
    return found


@compiled
def _leaves(at: int, order_id: int) -> int:
    slot = _slot_of(at, order_id)
    if slot < 0:
        return 0
    order = get_fixed(at, layout.ORDERS) + ORDER_BYTES * slot
    return load(order + O_SHOWN) + (0 if load(order + O_OWNER) & IS_STOP else load(order + O_HIDDEN))


# ---------------------------------------------------------------------- from Python


def limit_at(at: int, order_id: int, owner: int, side: int, px: int, qty: int, tif: int, display: int) -> int:
    """`limit`, for those outside; likewise the others."""
    return limit(at, order_id, owner, side, px, qty, tif, display)


def market_at(at: int, order_id: int, owner: int, side: int, qty: int) -> int:
    """`market`."""
    return market(at, order_id, owner, side, qty)


def cancel_at(at: int, order_id: int) -> int:
    """`cancel`."""
    return cancel(at, order_id)


def amend_at(at: int, order_id: int, px: int, qty: int) -> int:
    """`amend`."""
    return amend(at, order_id, px, qty)


def stop_at(at: int, order_id: int, owner: int, side: int, trigger_px: int, limit_px: int, qty: int) -> int:
    """`stop`."""
    return stop(at, order_id, owner, side, trigger_px, limit_px, qty)


def play_at(at: int, messages: int, count: int) -> int:
    """Do a list of messages; how many outcomes they caused."""
    return _play(at, messages, count)


def state_hash_at(at: int) -> int:
    """Sum up all that the book holds, in 64 bits."""
    return _state_hash(at)


def depth_at(at: int, side: int, levels: int) -> int:
    """`depth`."""
    return depth(at, side, levels)


def leaves_at(at: int, order_id: int) -> int:
    """Lots that an order has open."""
    return _leaves(at, order_id)
