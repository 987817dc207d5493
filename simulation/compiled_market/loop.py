"""The compiled market's time, house and log: the order of events of `simulation.market.engine`, to the last row.

`go` runs until an instant, or until rows are to be taken away, or more room is wanted: then it is called again.
"""

from simulation.book import layout as book
from simulation.book import machine
from simulation.book.messages import (
    AMEND,
    BUY,
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
    SELL,
    STOP,
    UNKNOWN_ORDER,
)
from simulation.clearing.refusals import Refusal
from simulation.compiled_market import layout
from simulation.compiled_market.agents import best_ask, best_bid, first_look_ns, look
from simulation.compiled_market.layout import (
    AGENT_BYTES,
    CASH,
    CHUNK_BYTES,
    CHUNK_INTENTS,
    CHUNKS_MAX,
    DOWN,
    ENTRY_BYTES,
    FEED_NS,
    FIRST_ORDER,
    FREE,
    IN_FLIGHT,
    INTENT_BYTES,
    LAST_LOOK_NS,
    LAST_ORDER,
    O_OLDER,
    O_YOUNGER,
    OPEN_ORDERS,
    ORDER_NS,
    REFUSED_OWN,
    ROW_BYTES,
    SHARES,
    UP,
)
from simulation.compiling import compiled, get, load, load32, put, store, store32, written_in
from simulation.market.events import NONSENSE, REFUSED, RETIRED
from simulation.market.protocol import CANCEL_ALL, INDICATE
from simulation.market.tape import LEVELS

# mypy: disable-error-code="no-any-return"
# What lies at an address is a number.

_NO_CASH = int(Refusal.CASH)
_NO_SHARES = int(Refusal.SHARES)
_QTY_BEYOND = int(Refusal.QTY_MAX)
_BAD_QTY = int(Refusal.BAD_QTY)
_BAD_PX = int(Refusal.BAD_PX)
_BAD_SIDE = int(Refusal.BAD_SIDE)
_OWNER_SHIFT = 3
_BITS = NUMBER_MAX.bit_length()
QTY_MAX = 1 << 24
"""Lots of an order with which sums of money are reckoned."""


@written_in
def _agent(at: int, participant: int) -> int:
    return get(at, layout.AGENTS) + AGENT_BYTES * participant


# ---------------------------------------------------------------------- log


@written_in
def _write(
    at: int, packed: int, order_id: int, owner: int, px: int, qty: int, maker_id: int, maker: int
) -> None:
    count = get(at, layout.ROWS_COUNT)
    row = get(at, layout.ROWS) + ROW_BYTES * count
    store(row, get(at, layout.NOW_NS))
    store(row + 8, packed)
    store(row + 16, order_id)
    store(row + 24, owner)
    store(row + 32, px)
    store(row + 40, qty)
    store(row + 48, maker_id)
    store(row + 56, maker)
    put(at, layout.ROWS_COUNT, count + 1)


@compiled
def _refuse(at: int, kind: int, reason: int, order_id: int, participant: int) -> None:
    put(at, layout.REFUSED, get(at, layout.REFUSED) + 1)
    agent = _agent(at, participant)
    put(agent, REFUSED_OWN, get(agent, REFUSED_OWN) + 1)
    _write(at, kind + (reason << 8) + (1 << 48), order_id, participant, 0, 0, 0, 0)


# ---------------------------------------------------------------------- house


@written_in
def _unit(at: int, px: int) -> int:
    """Money that a lot of an order to buy reserves."""
    return (px * get(at, layout.UNIT_PPM) + 999_999) // 1_000_000


@written_in
def _admit(at: int, agent: int, side: int, qty: int, px: int) -> int:
    """Reserve what an order could cost; 0, or why not."""
    if qty <= 0:
        return _BAD_QTY
    if qty > get(at, layout.QTY_MAX):
        return _QTY_BEYOND
    if px <= 0:
        return _BAD_PX
    if side not in (BUY, SELL):
        return _BAD_SIDE
    if side > 0:
        free = get(agent, FREE) - qty * _unit(at, px)
        if free < 0:
            return _NO_CASH
        put(agent, FREE, free)
        put(agent, UP, get(agent, UP) + qty)
    else:
        left = get(agent, DOWN) - qty
        if left < 0:
            return _NO_SHARES
        put(agent, DOWN, left)
    return 0


@written_in
def _release(at: int, agent: int, side: int, qty: int, px: int) -> None:
    """Free what lots of an order had reserved."""
    if side > 0:
        put(agent, FREE, get(agent, FREE) + qty * _unit(at, px))
        put(agent, UP, get(agent, UP) - qty)
    else:
        put(agent, DOWN, get(agent, DOWN) + qty)


@written_in
def _settle(at: int, taker: int, maker: int, side: int, taker_px: int, px: int, qty: int) -> None:
    """Move shares, money and fees of a trade."""
    value = px * qty * get(at, layout.SCALE)
    taker_fee = maker_fee = 0
    if get(at, layout.TAKER_PPM) != 0:
        taker_fee = (value * get(at, layout.TAKER_PPM) + 500_000) // 1_000_000
    if get(at, layout.MAKER_PPM) != 0:
        maker_fee = (value * get(at, layout.MAKER_PPM) + 500_000) // 1_000_000
    put(at, layout.HOUSE_CASH, get(at, layout.HOUSE_CASH) + taker_fee + maker_fee)
    if side > 0:
        buyer, seller, worst_px = taker, maker, taker_px
        paid, received = value + taker_fee, value - maker_fee
    else:
        buyer, seller, worst_px = maker, taker, px
        paid, received = value + maker_fee, value - taker_fee
    put(buyer, CASH, get(buyer, CASH) - paid)
    put(buyer, FREE, get(buyer, FREE) + qty * _unit(at, worst_px) - paid)
    put(seller, CASH, get(seller, CASH) + received)
    put(seller, FREE, get(seller, FREE) + received)
    put(buyer, SHARES, get(buyer, SHARES) + qty)
    put(seller, SHARES, get(seller, SHARES) - qty)
    put(seller, UP, get(seller, UP) - qty)
    put(buyer, DOWN, get(buyer, DOWN) + qty)


# ---------------------------------------------------------------------- tape


@written_in
def _record_deal(at: int, px: int, qty: int, side: int, taker: int, maker: int) -> None:
    count = get(at, layout.DEALS_COUNT)
    deal = get(at, layout.DEALS) + 8 * layout.DEAL_WIDTH * count
    store(deal, get(at, layout.NOW_NS))
    store(deal + 8, px)
    store(deal + 16, qty)
    store(deal + 24, side)
    store(deal + 32, get(at, layout.MID2))
    store(deal + 40, taker)
    store(deal + 48, maker)
    put(at, layout.DEALS_COUNT, count + 1)


@written_in
def _changed(at: int, place: int, value: int) -> int:
    """Put one number of a quote in its place; 1 if another was there."""
    before = get(at, layout.QUOTE + place)
    put(at, layout.QUOTE + place, value)
    return 1 if before != value else 0


@compiled
def _watch(at: int) -> None:
    """Write the touch down if it has changed, as `simulation.market.tape` does."""
    its_book = get(at, layout.BOOK)
    seen, bid_depth, ask_depth = get(its_book, book.SEEN), 0, 0
    bids = machine.depth(its_book, 1, LEVELS)
    bid_px, bid_qty = load(seen), load(seen + 8)
    for i in range(bids):
        bid_depth += load(seen + 16 * i + 8)
    asks = machine.depth(its_book, -1, LEVELS)
    ask_px, ask_qty = load(seen), load(seen + 8)
    for i in range(asks):
        ask_depth += load(seen + 16 * i + 8)
    if bids == 0 or asks == 0:
        put(at, layout.MID2, 0)
        return
    put(at, layout.MID2, bid_px + ask_px)
    changed = _changed(at, 0, bid_px) + _changed(at, 1, bid_qty) + _changed(at, 2, ask_px)
    changed += _changed(at, 3, ask_qty) + _changed(at, 4, bid_depth) + _changed(at, 5, ask_depth)
    if changed == 0:
        return
    count = get(at, layout.TAPE_COUNT)
    quote = get(at, layout.TAPE) + 8 * layout.QUOTE_WIDTH * count
    store(quote, get(at, layout.NOW_NS))
    for i in range(6):
        store(quote + 8 + 8 * i, get(at, layout.QUOTE + i))
    put(at, layout.TAPE_COUNT, count + 1)


# ---------------------------------------------------------------------- open orders of a participant


@written_in
def _own(orders: int, agent: int, slot: int) -> None:
    """Put an order behind a participant's others."""
    order, last = orders + book.ORDER_BYTES * slot, get(agent, LAST_ORDER)
    store32(order + O_OLDER, last)
    store32(order + O_YOUNGER, 0)
    if last != 0:
        store32(orders + book.ORDER_BYTES * last + O_YOUNGER, slot)
    else:
        put(agent, FIRST_ORDER, slot)
    put(agent, LAST_ORDER, slot)
    put(agent, OPEN_ORDERS, get(agent, OPEN_ORDERS) + 1)


@written_in
def _disown(orders: int, agent: int, slot: int) -> None:
    """Take an order, which has just left the book, from among a participant's."""
    order = orders + book.ORDER_BYTES * slot
    older, younger = load32(order + O_OLDER), load32(order + O_YOUNGER)
    if older != 0:
        store32(orders + book.ORDER_BYTES * older + O_YOUNGER, younger)
    else:
        put(agent, FIRST_ORDER, younger)
    if younger != 0:
        store32(orders + book.ORDER_BYTES * younger + O_OLDER, older)
    else:
        put(agent, LAST_ORDER, older)
    put(agent, OPEN_ORDERS, get(agent, OPEN_ORDERS) - 1)


# ---------------------------------------------------------------------- what reaches the market


@written_in
def _protection_px(side: int, touch_px: int, reach_bps: int) -> int:
    if side > 0:
        return (touch_px * (10_000 + reach_bps) + 9_999) // 10_000
    return max(1, touch_px * (10_000 - reach_bps) // 10_000)


@written_in
def _submit(at: int, participant: int, side: int, qty: int, px: int, tif: int) -> None:
    its_book, agent, order_id = get(at, layout.BOOK), _agent(at, participant), get(at, layout.NEXT_ID)
    put(at, layout.NEXT_ID, order_id + 1)
    refusal = _admit(at, agent, side, qty, px)
    if refusal != 0:
        _refuse(at, REFUSED, refusal, order_id, participant)
        return
    count = machine.limit(its_book, order_id, participant, side, px, qty, tif, 0)
    if count < 0:
        _release(at, agent, side, qty, px)
        _refuse(at, REJECTED, -count, order_id, participant)
        return
    if count == 1:
        _write(at, 1 + ((side + 1) << 48), order_id, participant, px, qty, 0, 0)
    else:
        _happenings(at, order_id, px, count)
    slot = load32(get(its_book, book.SLOTS) + 4 * order_id)
    if slot > 0:
        _own(get(its_book, book.ORDERS), agent, slot)


@compiled
def _happenings(at: int, taker_id: int, taker_px: int, count: int) -> None:
    """Settle and write down what an order caused."""
    its_book = get(at, layout.BOOK)
    orders, slots = get(its_book, book.ORDERS), get(its_book, book.SLOTS)
    for i in range(count):
        outcome = get(its_book, book.OUTCOMES) + 8 * book.OUTCOME_WIDTH * i
        kind, reason, order_id = load(outcome), load(outcome + 8), load(outcome + 16)
        owner, side, px, qty = load(outcome + 24), load(outcome + 32), load(outcome + 40), load(outcome + 48)
        maker_id, maker_owner = load(outcome + 64), load(outcome + 72)
        packed = kind + (reason << 8) + ((side + 1) << 48)
        _write(at, packed, order_id, owner, px, qty, maker_id, maker_owner)
        agent = _agent(at, owner)
        if kind == FILL:
            maker = _agent(at, maker_owner)
            _settle(at, agent, maker, side, taker_px, px, qty)
            if load(outcome + 80) == 0:
                _disown(orders, maker, -load32(slots + 4 * maker_id))
            put(at, layout.LAST_PX, px)
            put(at, layout.TRADES, get(at, layout.TRADES) + 1)
            put(at, layout.VOLUME_QTY, get(at, layout.VOLUME_QTY) + qty)
            put(at, layout.SIGNED_QTY, get(at, layout.SIGNED_QTY) + side * qty)
            if get(at, layout.TAPE) != 0:
                _record_deal(at, px, qty, side, owner, maker_owner)
        elif kind == CANCELED:
            _release(at, agent, side, qty, px)
            if order_id != taker_id:
                _disown(orders, agent, -load32(slots + 4 * order_id))


@written_in
def _is_own(its_book: int, participant: int, order_id: int) -> bool:
    """Whether an order waits in the book for a participant."""
    if order_id < 1 or order_id >= get(its_book, book.IDS_MAX):
        return False
    slot = load32(get(its_book, book.SLOTS) + 4 * order_id)
    if slot <= 0:
        return False
    order = get(its_book, book.ORDERS) + book.ORDER_BYTES * slot
    return load(order + book.O_OWNER) >> _OWNER_SHIFT == participant


@written_in
def _cancel(at: int, participant: int, order_id: int) -> None:
    its_book, agent = get(at, layout.BOOK), _agent(at, participant)
    if not _is_own(its_book, participant, order_id):
        _refuse(at, REJECTED, UNKNOWN_ORDER, order_id, participant)
        return
    machine.cancel(its_book, order_id)
    outcome = get(its_book, book.OUTCOMES)
    side, px, qty = load(outcome + 32), load(outcome + 40), load(outcome + 48)
    packed = CANCELED + (load(outcome + 8) << 8) + ((side + 1) << 48)
    _write(at, packed, order_id, participant, px, qty, 0, 0)
    _release(at, agent, side, qty, px)
    slot = -load32(get(its_book, book.SLOTS) + 4 * order_id)
    _disown(get(its_book, book.ORDERS), agent, slot)


@written_in
def _rows_max(at: int) -> int:
    """With more rows than these another message might find no room."""
    return get(at, layout.ROWS_ROOM) - get(get(at, layout.BOOK), book.OUTCOMES_MAX) - 4


@written_in
def _is_full(at: int, rows_max: int) -> bool:
    """Whether what is written has to be taken away before another message."""
    deals_max = get(at, layout.DEALS_ROOM) - get(get(at, layout.BOOK), book.OUTCOMES_MAX)
    return get(at, layout.ROWS_COUNT) > rows_max or (
        get(at, layout.TAPE) != 0
        and (
            get(at, layout.TAPE_COUNT) >= get(at, layout.TAPE_ROOM) or get(at, layout.DEALS_COUNT) > deals_max
        )
    )


@written_in
def _limit(at: int, participant: int, side: int, qty: int, px: int, tif: int) -> bool:
    """Take an order; false if it is larger than what is reckoned with."""
    beyond = px > get(at, layout.PX_MAX) or (QTY_MAX < qty <= get(at, layout.QTY_MAX))
    if not beyond:
        _submit(at, participant, side, qty, px, tif)
    return not beyond


@written_in
def _market(at: int, participant: int, side: int, qty: int) -> bool:
    touch_px = best_ask(at) if side > 0 else best_bid(at)
    if touch_px == 0 or side not in (BUY, SELL):
        _refuse(at, REJECTED, NOTHING_LEFT, 0, participant)
        return True
    px = _protection_px(side, touch_px, get(at, layout.REACH_BPS))
    return _limit(at, participant, side, qty, px, IOC)


@compiled
def _deliver(at: int) -> int:
    """Take what has arrived, from where it was left."""
    participant, count = get(at, layout.SENDER), get(at, layout.INTENTS_COUNT)
    rows_max = _rows_max(at)
    done = get(at, layout.INTENTS_DONE)
    while done < count:
        if _is_full(at, rows_max):
            put(at, layout.INTENTS_DONE, done)
            return layout.ROWS_FULL
        intent = get(at, layout.INTENTS) + INTENT_BYTES * done
        what, asset, side, qty = load(intent), load(intent + 8), load(intent + 16), load(intent + 24)
        px, tif, extra = load(intent + 32), load(intent + 40), load(intent + 48)
        bits = what | asset | (side & 3) | qty | px | tif | extra
        done += 1
        if bits >> _BITS != 0 or asset != 0:
            _refuse(at, NONSENSE, 0, 0, participant)
        elif what == LIMIT and extra == 0:
            if not _limit(at, participant, side, qty, px, tif):
                return layout.BEYOND
        elif what == CANCEL:
            _cancel(at, participant, extra)
        elif what == MARKET:
            if not _market(at, participant, side, qty):
                return layout.BEYOND
        elif what == CANCEL_ALL:
            order = _order_of(at, get(_agent(at, participant), FIRST_ORDER))
            if order != 0:
                _cancel(at, participant, load(order + book.O_ID))
                if get(_agent(at, participant), FIRST_ORDER) != 0:
                    done -= 1  # the others are next, and the touch is looked at when none is left
                    continue
        elif what in (LIMIT, AMEND, STOP, INDICATE):
            return layout.NOT_HERE
        else:
            _refuse(at, NONSENSE, 0, 0, participant)
        if get(at, layout.TAPE) != 0:
            _watch(at)
    put(at, layout.INTENTS_COUNT, 0)
    put(at, layout.INTENTS_DONE, 0)
    return layout.DONE


@written_in
def _order_of(at: int, slot: int) -> int:
    """Address of an order; 0 for that of slot 0, who is nobody."""
    return get(get(at, layout.BOOK), book.ORDERS) + book.ORDER_BYTES * slot if slot != 0 else 0


# ---------------------------------------------------------------------- time


@written_in
def _is_before(one_ns: int, one: int, other: int) -> bool:
    other_ns = load(other)
    return one_ns < other_ns or (one_ns == other_ns and one < load(other + 8))


@compiled
def _push(at: int, at_ns: int, order: int, whose: int) -> None:
    """Set an event; four children to a node."""
    heap, i = get(at, layout.HEAP), get(at, layout.HEAP_SIZE)
    put(at, layout.HEAP_SIZE, i + 1)
    while i > 0:
        parent = (i - 1) >> 2
        entry = heap + ENTRY_BYTES * parent
        if not _is_before(at_ns, order, entry):
            break
        place = heap + ENTRY_BYTES * i
        store(place, load(entry))
        store(place + 8, load(entry + 8))
        store(place + 16, load(entry + 16))
        i = parent
    place = heap + ENTRY_BYTES * i
    store(place, at_ns)
    store(place + 8, order)
    store(place + 16, whose)


@compiled
def _put_first(at: int, at_ns: int, order: int, whose: int, size: int) -> None:
    """Put an event in the place of the first, and let it sink."""
    heap, i = get(at, layout.HEAP), 0
    while True:
        child = 4 * i + 1
        if child >= size:
            break
        best = heap + ENTRY_BYTES * child
        best_child = child
        for other in range(child + 1, min(child + 4, size)):
            entry = heap + ENTRY_BYTES * other
            if _is_before(load(entry), load(entry + 8), best):
                best, best_child = entry, other
        if _is_before(at_ns, order, best):
            break
        place = heap + ENTRY_BYTES * i
        store(place, load(best))
        store(place + 8, load(best + 8))
        store(place + 16, load(best + 16))
        i = best_child
    place = heap + ENTRY_BYTES * i
    store(place, at_ns)
    store(place + 8, order)
    store(place + 16, whose)


@written_in
def _drop_first(at: int) -> None:
    size = get(at, layout.HEAP_SIZE) - 1
    put(at, layout.HEAP_SIZE, size)
    if size > 0:
        last = get(at, layout.HEAP) + ENTRY_BYTES * size
        _put_first(at, load(last), load(last + 8), load(last + 16), size)


@written_in
def _next_sequence(at: int) -> int:
    sequence = get(at, layout.SEQUENCE) + 1
    put(at, layout.SEQUENCE, sequence)
    return sequence


@compiled
def _pack(at: int, participant: int) -> int:
    """Put the intents aside until they arrive; where they are."""
    first = before = done = 0
    count, pool = get(at, layout.INTENTS_COUNT), get(at, layout.POOL)
    while done < count:
        number = get(at, layout.POOL_FREE)
        if number != 0:
            put(at, layout.POOL_FREE, load(pool + CHUNK_BYTES * number))
        else:
            number = get(at, layout.POOL_TOP) + 1
            put(at, layout.POOL_TOP, number)
        put(at, layout.POOL_USED, get(at, layout.POOL_USED) + 1)
        chunk = pool + CHUNK_BYTES * number
        some = min(CHUNK_INTENTS, count - done)
        store(chunk, 0)
        store(chunk + 8, some)
        store(chunk + 16, participant)
        for i in range(7 * some):
            store(chunk + 32 + 8 * i, load(get(at, layout.INTENTS) + INTENT_BYTES * done + 8 * i))
        if before == 0:
            first = number
        else:
            store(pool + CHUNK_BYTES * before, number)
        before = number
        done += some
    put(at, layout.INTENTS_COUNT, 0)
    return first


@compiled
def _unpack(at: int, number: int) -> None:
    """Bring intents back that arrive."""
    pool, count = get(at, layout.POOL), 0
    put(at, layout.SENDER, load(pool + CHUNK_BYTES * number + 16))
    while number != 0:
        chunk = pool + CHUNK_BYTES * number
        some, following = load(chunk + 8), load(chunk)
        for i in range(7 * some):
            store(get(at, layout.INTENTS) + INTENT_BYTES * count + 8 * i, load(chunk + 32 + 8 * i))
        count += some
        store(chunk, get(at, layout.POOL_FREE))
        put(at, layout.POOL_FREE, number)
        put(at, layout.POOL_USED, get(at, layout.POOL_USED) - 1)
        number = following
    put(at, layout.INTENTS_COUNT, count)


@compiled
def _look(at: int, at_ns: int, participant: int) -> None:
    """Let an agent decide, set its timer in the place of the one that rang, and send what it asks on its way."""
    agent = _agent(at, participant)
    put(agent, LAST_LOOK_NS, at_ns)
    now_ns = at_ns + get(agent, FEED_NS)
    clock_ns = look(at, agent, now_ns)
    look_ns = max(clock_ns - get(agent, FEED_NS), at_ns + get(at, layout.LOOK_GAP_NS))
    order = layout.LOOK + _next_sequence(at)
    _put_first(at, look_ns, order, participant, get(at, layout.HEAP_SIZE))
    count = get(at, layout.INTENTS_COUNT)
    if count > layout.INTENTS_MAX:
        put(at, layout.INTENTS_COUNT, layout.INTENTS_MAX)
        _refuse(at, NONSENSE, 0, 0, participant)
    _send(at, at_ns, participant)


@written_in
def _send(at: int, at_ns: int, participant: int) -> None:
    """Send what is intended on its way, or let it arrive at once."""
    agent, count = _agent(at, participant), get(at, layout.INTENTS_COUNT)
    if count > 0:
        sequence = _next_sequence(at)
        arrival_ns = at_ns + get(agent, FEED_NS) + get(agent, ORDER_NS)
        if arrival_ns > at_ns:
            put(agent, IN_FLIGHT, get(agent, IN_FLIGHT) + count)
            _push(at, arrival_ns, sequence, _pack(at, participant))
        else:
            put(at, layout.MESSAGES, get(at, layout.MESSAGES) + count)
            put(at, layout.SENDER, participant)


@compiled
def _answer(at: int, intents: int, count: int, clock_ns: int, refusals: int) -> None:
    """Take the answer of an agent that was asked, in the place of `look`."""
    participant, at_ns = get(at, layout.LOOKER), get(at, layout.NOW_NS)
    agent = _agent(at, participant)
    put(agent, LAST_LOOK_NS, at_ns)
    if clock_ns > at_ns + get(agent, FEED_NS):
        look_ns = max(clock_ns - get(agent, FEED_NS), at_ns + get(at, layout.LOOK_GAP_NS))
        order = layout.LOOK + _next_sequence(at)
        _put_first(at, look_ns, order, participant, get(at, layout.HEAP_SIZE))
    else:
        _drop_first(at)
    for _ in range(refusals):
        _refuse(at, NONSENSE, NO_REASON, 0, participant)
    for i in range(7 * count):
        store(get(at, layout.INTENTS) + 8 * i, load(intents + 8 * i))
    put(at, layout.INTENTS_COUNT, count)
    _send(at, at_ns, participant)


@compiled
def _retire(at: int) -> None:
    """Let an agent that was asked and failed never look again: what it had under way is dropped, its orders go."""
    participant = get(at, layout.LOOKER)
    agent, heap, pool = _agent(at, participant), get(at, layout.HEAP), get(at, layout.POOL)
    _drop_first(at)
    size = get(at, layout.HEAP_SIZE)
    put(at, layout.HEAP_SIZE, 0)
    for i in range(size):
        entry = heap + ENTRY_BYTES * i
        at_ns, order, whose = load(entry), load(entry + 8), load(entry + 16)
        if order >= layout.LOOK or load(pool + CHUNK_BYTES * whose + 16) != participant:
            _push(at, at_ns, order, whose)
        else:
            _unpack(at, whose)
    put(agent, IN_FLIGHT, 0)
    _write(at, RETIRED + (NO_REASON << 8) + (1 << 48), 0, participant, 0, 0, 0, 0)
    intent = get(at, layout.INTENTS)
    for i in range(7):
        store(intent + 8 * i, 0)
    store(intent, CANCEL_ALL)
    put(at, layout.SENDER, participant)
    put(at, layout.INTENTS_COUNT, 1)


@compiled
def _list_own(at: int, participant: int) -> int:
    """Write a participant's open orders where they are read, oldest first; how many there are."""
    place, count, slot = get(at, layout.OWN), 0, get(_agent(at, participant), FIRST_ORDER)
    while slot != 0:
        order = _order_of(at, slot)
        own = place + 8 * layout.OWN_WIDTH * count
        store(own, load(order + book.O_ID))
        store(own + 8, 1 - 2 * (load(order + book.O_OWNER) & book.IS_SELL))
        store(own + 16, load(order + book.O_PX))
        store(own + 24, load(order + book.O_SHOWN) + load(order + book.O_HIDDEN))
        slot = load32(order + O_YOUNGER)
        count += 1
    return count


@compiled
def _open(at: int) -> int:
    for participant in range(get(at, layout.AGENTS_COUNT)):
        first_ns = first_look_ns(at, _agent(at, participant))
        if first_ns < 0:
            continue
        look_ns = max(first_ns - get(_agent(at, participant), FEED_NS), 0)
        _push(at, look_ns, layout.LOOK + _next_sequence(at), participant)
    return 0


@compiled
def _go(at: int, end_ns: int) -> int:
    heap_max, pool_max = get(at, layout.HEAP_ROOM) - 2, get(at, layout.POOL_ROOM) - CHUNKS_MAX - 2
    while True:
        if get(at, layout.INTENTS_COUNT) > 0:
            stopped = _deliver(at)
            if stopped != layout.DONE:
                return stopped
        if _is_full(at, _rows_max(at)):
            return layout.ROWS_FULL
        heap = get(at, layout.HEAP)
        if get(at, layout.HEAP_SIZE) == 0 or load(heap) > end_ns:
            return layout.DONE
        if get(at, layout.HEAP_SIZE) > heap_max:
            return layout.HEAP_FULL
        if get(at, layout.POOL_USED) > pool_max:
            return layout.POOL_FULL
        at_ns, order, whose = load(heap), load(heap + 8), load(heap + 16)
        put(at, layout.NOW_NS, at_ns)
        if order >= layout.LOOK:
            if get(_agent(at, whose), layout.KIND) == layout.CALLED:
                put(at, layout.LOOKER, whose)
                return layout.ASKED
            _look(at, at_ns, whose)
        else:
            _drop_first(at)
            _unpack(at, whose)
            agent, count = _agent(at, get(at, layout.SENDER)), get(at, layout.INTENTS_COUNT)
            put(agent, IN_FLIGHT, get(agent, IN_FLIGHT) - count)
            put(at, layout.MESSAGES, get(at, layout.MESSAGES) + count)


# ---------------------------------------------------------------------- from Python


def open_at(at: int) -> int:
    """Ask every agent when it looks first."""
    return _open(at)


def go_at(at: int, end_ns: int) -> int:
    """Run until an instant; why it stopped."""
    return _go(at, end_ns)


def answer_at(at: int, end_ns: int, intents: int, count: int, clock_ns: int, refusals: int) -> int:
    """Take the answer of the agent that was asked, and go on.

    Parameters
    ----------
    intents, count
        Address of its intents, seven numbers each, and how many there are, `layout.INTENTS_MAX` at most.
    clock_ns
        When it wants to look again by its own clock, nanoseconds; what has passed is never.
    refusals
        How much of its answer was no answer.
    """
    _answer(at, intents, count, clock_ns, refusals)
    return _go(at, end_ns)


def retire_at(at: int, end_ns: int) -> int:
    """Retire the agent that was asked, and go on."""
    _retire(at)
    return _go(at, end_ns)


def list_own_at(at: int, participant: int) -> int:
    """List the open orders of a participant."""
    return _list_own(at, participant)
