"""The compiled market's time, house and log: the order of events of `simulation.market.engine`, to the last row.

`go` runs until an instant, or until rows are to be taken away, or more room is wanted: then it is called again.
"""

from simulation.book import layout as book
from simulation.book import machine
from simulation.book.messages import (
    BUY,
    CANCEL,
    CANCELED,
    FILL,
    IOC,
    MARKET,
    NOTHING_LEFT,
    REJECTED,
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
    ROW_BYTES,
    SHARES,
    UP,
)
from simulation.compiling import compiled, get, load, load32, put, store, store32, written_in
from simulation.market.events import NONSENSE, REFUSED

# mypy: disable-error-code="no-any-return"
# What lies at an address is a number.

_NO_CASH = int(Refusal.CASH)
_NO_SHARES = int(Refusal.SHARES)
_QTY_BEYOND = int(Refusal.QTY_MAX)


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
    _write(at, kind + (reason << 8) + (1 << 48), order_id, participant, 0, 0, 0, 0)


# ---------------------------------------------------------------------- house


@written_in
def _unit(at: int, px: int) -> int:
    """Money that a lot of an order to buy reserves."""
    return (px * get(at, layout.UNIT_PPM) + 999_999) // 1_000_000


@written_in
def _admit(at: int, agent: int, side: int, qty: int, px: int) -> int:
    """Reserve what an order could cost; 0, or why not."""
    if qty > get(at, layout.QTY_MAX):
        return _QTY_BEYOND
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
        elif kind == CANCELED:
            _release(at, agent, side, qty, px)
            if order_id != taker_id:
                _disown(orders, agent, -load32(slots + 4 * order_id))


@written_in
def _cancel(at: int, participant: int, order_id: int) -> None:
    its_book, agent = get(at, layout.BOOK), _agent(at, participant)
    if machine.cancel(its_book, order_id) < 0:
        _refuse(at, REJECTED, UNKNOWN_ORDER, order_id, participant)
        return
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
    return get(at, layout.ROWS_ROOM) - get(get(at, layout.BOOK), book.OUTCOMES_MAX) - 2


@compiled
def _deliver(at: int) -> int:
    """Take what has arrived, from where it was left."""
    participant, count = get(at, layout.SENDER), get(at, layout.INTENTS_COUNT)
    rows_max = _rows_max(at)
    done = get(at, layout.INTENTS_DONE)
    while done < count:
        if get(at, layout.ROWS_COUNT) > rows_max:
            put(at, layout.INTENTS_DONE, done)
            return layout.ROWS_FULL
        intent = get(at, layout.INTENTS) + INTENT_BYTES * done
        what, side, qty, px = load(intent), load(intent + 8), load(intent + 16), load(intent + 24)
        done += 1
        if what == CANCEL:
            _cancel(at, participant, px)
        else:
            tif = 0
            if what == MARKET:
                touch_px = best_ask(at) if side == BUY else best_bid(at)
                if touch_px == 0:
                    _refuse(at, REJECTED, NOTHING_LEFT, 0, participant)
                    continue
                px, tif = _protection_px(side, touch_px, get(at, layout.REACH_BPS)), IOC
            if px > get(at, layout.PX_MAX):
                put(at, layout.INTENTS_DONE, done)
                return layout.PX_BEYOND
            _submit(at, participant, side, qty, px, tif)
    put(at, layout.INTENTS_COUNT, 0)
    put(at, layout.INTENTS_DONE, 0)
    return layout.DONE


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
        for i in range(4 * some):
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
        for i in range(4 * some):
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
        count = layout.INTENTS_MAX
        put(at, layout.INTENTS_COUNT, count)
        _refuse(at, NONSENSE, 0, 0, participant)
    if count > 0:
        sequence, arrival_ns = _next_sequence(at), now_ns + get(agent, ORDER_NS)
        if arrival_ns > at_ns:
            put(agent, IN_FLIGHT, get(agent, IN_FLIGHT) + count)
            _push(at, arrival_ns, sequence, _pack(at, participant))
        else:
            put(at, layout.MESSAGES, get(at, layout.MESSAGES) + count)
            put(at, layout.SENDER, participant)


@compiled
def _open(at: int) -> int:
    for participant in range(get(at, layout.AGENTS_COUNT)):
        first_ns = first_look_ns(at, _agent(at, participant))
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
        if get(at, layout.ROWS_COUNT) > _rows_max(at):
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
