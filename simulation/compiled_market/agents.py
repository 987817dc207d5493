"""Four agents compiled: what `simulation.agents` has of the same names decides, they decide, number for number.

A decision writes intents behind each other and gives when the agent wants to look again, by its own clock. Arithmetic
of doubles is done in the same order as there; nothing is fused or rearranged.
"""

from typing import Final

from simulation.book import layout as book
from simulation.book.messages import CANCEL, LIMIT, MARKET
from simulation.compiled_market import layout
from simulation.compiled_market.layout import (
    FIRST_ORDER,
    FREE,
    IN_FLIGHT,
    INTENT_BYTES,
    LAST_PX,
    MEMORY,
    OPEN_ORDERS,
    PARAMS,
    SCALE,
    SHARES,
)
from simulation.compiled_market.streams import below, wait_ns, word
from simulation.compiling import compiled, get, get_real, load, load32, put, put_real, store, written_in

# mypy: disable-error-code="no-any-return"
# What lies at an address is a number.

_LOW16: Final = (1 << 16) - 1
_EVERY_MAX_NS: Final = 1 << 32


@written_in
def best_bid(at: int) -> int:
    """Best bid, ticks; 0 if there is none."""
    return get(get(at, layout.BOOK), book.BEST_BID)


@written_in
def best_ask(at: int) -> int:
    """Best ask, ticks; 0 if there is none."""
    ask = get(get(at, layout.BOOK), book.BEST_ASK)
    return 0 if ask == book.NO_ASK else ask


@written_in
def _mid2(at: int) -> int:
    bid, ask = best_bid(at), best_ask(at)
    if bid != 0 and ask != 0:
        return bid + ask
    return 2 * get(at, LAST_PX)


@written_in
def _intend(at: int, what: int, side: int, qty: int, px: int, order_id: int) -> None:
    count = get(at, layout.INTENTS_COUNT)
    # One beyond the most is counted, so that it is seen that there were too many.
    if count <= layout.INTENTS_MAX:
        intent = get(at, layout.INTENTS) + INTENT_BYTES * count
        store(intent, what)
        store(intent + 8, 0)
        store(intent + 16, side)
        store(intent + 24, qty)
        store(intent + 32, px)
        store(intent + 40, 0)
        store(intent + 48, order_id)
        put(at, layout.INTENTS_COUNT, count + 1)


@written_in
def _order(at: int, slot: int) -> int:
    return get(get(at, layout.BOOK), book.ORDERS) + book.ORDER_BYTES * slot


@written_in
def _take_all_back(at: int, agent: int) -> None:
    slot = get(agent, FIRST_ORDER)
    while slot != 0:
        order = _order(at, slot)
        _intend(at, CANCEL, 0, 0, 0, load(order + book.O_ID))
        slot = load32(order + layout.O_YOUNGER)


# ---------------------------------------------------------------------- noise

MEAN_WAIT_NS, ORDERS_COUNT, MARKET_BELOW, CANCEL_BELOW, REACH_TICKS, ORDER_MAX_QTY, OPEN_MAX = range(
    PARAMS, PARAMS + 7
)


@compiled
def look_noise(at: int, agent: int, now_ns: int) -> int:
    """`simulation.agents.noise`."""
    market_below, cancel_below = get(agent, MARKET_BELOW), get(agent, CANCEL_BELOW)
    reach_ticks, max_qty = get(agent, REACH_TICKS), get(agent, ORDER_MAX_QTY)
    bid, ask = best_bid(at), best_ask(at)
    if bid == 0:
        bid = get(at, LAST_PX)
    if ask == 0:
        ask = get(at, LAST_PX)
    count, oldest = get(agent, OPEN_ORDERS), get(agent, FIRST_ORDER)
    for _ in range(get(agent, ORDERS_COUNT)):
        drawn = word(at, agent)
        kind = drawn & _LOW16
        side = 1 + 2 * (drawn >> 63)
        qty = 1 + ((((drawn >> 32) & _LOW16) * max_qty) >> 16)
        if market_below <= kind < cancel_below or count >= get(agent, OPEN_MAX):
            if oldest != 0:
                order = _order(at, oldest)
                _intend(at, CANCEL, 0, 0, 0, load(order + book.O_ID))
                oldest = load32(order + layout.O_YOUNGER)
                count -= 1
        elif kind < market_below:
            _intend(at, MARKET, side, qty, 0, 0)
        else:
            away_ticks = 1 + ((((drawn >> 16) & _LOW16) * reach_ticks) >> 16)
            px = ask - away_ticks if side > 0 else bid + away_ticks
            if px > 0:
                _intend(at, LIMIT, side, qty, px, 0)
                count += 1
    return now_ns + wait_ns(at, agent, get(agent, MEAN_WAIT_NS))


# ---------------------------------------------------------------------- market maker

BASE_SPREAD_BPS, VOLATILITY_RATIO, MEMORY_RATIO, INVENTORY_RATIO, SKEW_RATIO, QUOTE_QTY, LEVELS_COUNT = range(
    PARAMS, PARAMS + 7
)
STEP_BPS, LIMIT_QTY, EVERY_NS, WITHDRAW_BPS, AWAY, AWAY_COUNT = range(PARAMS + 7, PARAMS + 13)
_M_MID2, _M_VOLATILITY_BPS, M_TARGET_QTY, _M_WITHDRAWN = range(MEMORY, MEMORY + 4)


@written_in
def _floor_ticks(px: float) -> int:
    ticks = int(px)
    return ticks if ticks <= px else ticks - 1


@written_in
def _ceil_ticks(px: float) -> int:
    ticks = int(px)
    return ticks if ticks >= px else ticks + 1


@compiled
def look_maker(at: int, agent: int, now_ns: int) -> int:
    """`simulation.agents.market_maker`."""
    _take_all_back(at, agent)
    position_qty = get(agent, SHARES)
    if get(agent, M_TARGET_QTY) < 0:
        put(agent, M_TARGET_QTY, position_qty)
    mid2, before2 = _mid2(at), get(agent, _M_MID2)
    volatility_bps = get_real(agent, _M_VOLATILITY_BPS)
    if before2 != 0:
        moved_bps = abs(mid2 - before2) * 10_000.0 / before2
        volatility_bps += (1.0 - get_real(agent, MEMORY_RATIO)) * (moved_bps - volatility_bps)
        put_real(agent, _M_VOLATILITY_BPS, volatility_bps)
    put(agent, _M_MID2, mid2)
    withdraw_bps = get_real(agent, WITHDRAW_BPS)
    if withdraw_bps != 0.0:
        calm_bps = withdraw_bps * 0.5 if get(agent, _M_WITHDRAWN) else withdraw_bps
        put(agent, _M_WITHDRAWN, 1 if volatility_bps > calm_bps else 0)
    quotes = get(agent, _M_WITHDRAWN) == 0
    for i in range(get(agent, AWAY_COUNT)):
        away = get(agent, AWAY) + 16 * i
        if load(away) <= now_ns < load(away + 8):
            quotes = False
    if quotes:
        _quote(at, agent, mid2 * 0.5, position_qty - get(agent, M_TARGET_QTY), volatility_bps)
    return now_ns + get(agent, EVERY_NS)


@written_in
def _quote(at: int, agent: int, mid: float, inventory_qty: int, volatility_bps: float) -> None:
    limit_qty, quote_qty = get(agent, LIMIT_QTY), get(agent, QUOTE_QTY)
    leaning = inventory_qty / limit_qty
    base_bps = get_real(agent, BASE_SPREAD_BPS)
    spread_bps = base_bps + get_real(agent, VOLATILITY_RATIO) * volatility_bps
    spread_bps = spread_bps + get_real(agent, INVENTORY_RATIO) * base_bps * abs(leaning)
    half = mid * spread_bps / 20_000.0
    middle = mid - get_real(agent, SKEW_RATIO) * half * leaning
    step = mid * get_real(agent, STEP_BPS) / 10_000.0
    bid_room, ask_room = limit_qty - inventory_qty, limit_qty + inventory_qty
    bid_qty = min(quote_qty * bid_room // limit_qty, bid_room) if bid_room > 0 else 0
    ask_qty = min(quote_qty * ask_room // limit_qty, ask_room) if ask_room > 0 else 0
    for level in range(get(agent, LEVELS_COUNT)):
        if bid_qty > 0 and bid_room > 0:
            px = _floor_ticks(middle - half - step * level)
            qty = min(bid_qty, bid_room)
            bid_room -= qty
            if px > 0:
                _intend(at, LIMIT, 1, qty, px, 0)
        if ask_qty > 0 and ask_room > 0:
            px = _ceil_ticks(middle + half + step * level)
            qty = min(ask_qty, ask_room)
            ask_room -= qty
            if px > 0:
                _intend(at, LIMIT, -1, qty, px, 0)


# ---------------------------------------------------------------------- momentum

SHORT_COUNT, LONG_COUNT, ENTRY_BPS, STOP_BPS, PROFIT_BPS, CASH_BPS, ENTRY_MAX_QTY = range(PARAMS, PARAMS + 7)
SAMPLE_EVERY_NS, SELLS_FIRST, MIDS2 = range(PARAMS + 7, PARAMS + 10)
_SEEN_COUNT, _SHORT_SUM, _LONG_SUM, _HAS_OWN, _OWN_QTY, _ENTRY_MID2 = range(MEMORY, MEMORY + 6)


@compiled
def look_momentum(at: int, agent: int, now_ns: int) -> int:
    """`simulation.agents.momentum`."""
    mid2 = _mid2(at)
    _sample(agent, mid2)
    position_qty = get(agent, SHARES)
    if get(agent, _HAS_OWN) == 0:
        put(agent, _HAS_OWN, 1)
        put(agent, _OWN_QTY, position_qty)
    if get(agent, IN_FLIGHT) == 0:
        held_qty = position_qty - get(agent, _OWN_QTY)
        if held_qty != 0:
            _leave(at, agent, mid2, held_qty)
        elif get(agent, _SEEN_COUNT) >= get(agent, LONG_COUNT):
            _enter(at, agent, mid2)
    return now_ns + get(agent, SAMPLE_EVERY_NS)


@written_in
def _sample(agent: int, mid2: int) -> None:
    mids2, count = get(agent, MIDS2), get(agent, _SEEN_COUNT)
    short_count, long_count = get(agent, SHORT_COUNT), get(agent, LONG_COUNT)
    place = mids2 + 8 * (count % long_count)
    old = load(mids2 + 8 * ((count - short_count) % long_count)) if count >= short_count else 0
    put(agent, _SHORT_SUM, get(agent, _SHORT_SUM) + mid2 - old)
    put(agent, _LONG_SUM, get(agent, _LONG_SUM) + mid2 - load(place))
    store(place, mid2)
    put(agent, _SEEN_COUNT, count + 1)


@written_in
def _enter(at: int, agent: int, mid2: int) -> None:
    short = get(agent, _SHORT_SUM) * get(agent, LONG_COUNT) * 10_000
    long = get(agent, _LONG_SUM) * get(agent, SHORT_COUNT)
    entry_bps = get(agent, ENTRY_BPS)
    if short > long * (10_000 + entry_bps):
        side = 1
    elif get(agent, SELLS_FIRST) != 0 and short < long * (10_000 - entry_bps):
        side = -1
    else:
        return
    qty = get(agent, FREE) // 10_000 * get(agent, CASH_BPS) * 2 // (mid2 * get(at, SCALE))
    qty = min(qty, get(agent, ENTRY_MAX_QTY))
    if qty > 0:
        put(agent, _ENTRY_MID2, mid2)
        _intend(at, MARKET, side, qty, 0, 0)


@written_in
def _leave(at: int, agent: int, mid2: int, held_qty: int) -> None:
    entry_mid2 = get(agent, _ENTRY_MID2)
    side = 1 if held_qty > 0 else -1
    gain = side * (mid2 - entry_mid2) * 10_000
    if gain <= -get(agent, STOP_BPS) * entry_mid2 or gain >= get(agent, PROFIT_BPS) * entry_mid2:
        _intend(at, MARKET, -side, abs(held_qty), 0, 0)


# ---------------------------------------------------------------------- value

(
    DISCOUNT_BPS,
    PREMIUM_BPS,
    SPENDS_BPS,
    BELIEF_BPS,
    TREND_RATIO,
    LOT_MAX_QTY,
    LOOK_WAIT_NS,
    PATIENCE_NS,
    VALUE_PX,
) = range(PARAMS, PARAMS + 9)
_V_MID2, _WAITS_UNTIL_NS = range(MEMORY, MEMORY + 2)


@compiled
def look_value(at: int, agent: int, now_ns: int) -> int:
    """`simulation.agents.value`, who is told nothing."""
    wake_ns = now_ns + wait_ns(at, agent, get(agent, LOOK_WAIT_NS))
    mid2, before2 = _mid2(at), get(agent, _V_MID2)
    risen = mid2 / before2 - 1.0 if before2 != 0 else 0.0
    put(agent, _V_MID2, mid2)
    value_px = get_real(agent, VALUE_PX)
    if now_ns < get(agent, _WAITS_UNTIL_NS) or value_px <= 0.0:
        return wake_ns
    believed = value_px * get(agent, BELIEF_BPS) / 10_000.0
    believed = believed * (1.0 + get_real(agent, TREND_RATIO) * risen)
    _take_all_back(at, agent)
    count = get(at, layout.INTENTS_COUNT)
    bid, ask = best_bid(at), best_ask(at)
    cash_bps, max_qty = get(agent, SPENDS_BPS), get(agent, LOT_MAX_QTY)
    if ask != 0 and ask * 10_000.0 <= believed * (10_000 - get(agent, DISCOUNT_BPS)):
        qty = min(get(agent, FREE) // 10_000 * cash_bps // (ask * get(at, SCALE)), max_qty)
        if qty > 0:
            _intend(at, LIMIT, 1, qty, ask, 0)
    elif bid != 0 and bid * 10_000.0 >= believed * (10_000 + get(agent, PREMIUM_BPS)):
        position_qty = get(agent, SHARES)
        qty = min(max(1, position_qty * cash_bps // 10_000), max_qty)
        if position_qty >= qty:
            _intend(at, LIMIT, -1, qty, bid, 0)
    if get(at, layout.INTENTS_COUNT) > count:
        put(agent, _WAITS_UNTIL_NS, now_ns + get(agent, PATIENCE_NS))
    return wake_ns


# ---------------------------------------------------------------------- all


@compiled
def first_look_ns(at: int, agent: int) -> int:
    """When an agent wants to look first; below zero is never."""
    kind = get(agent, layout.KIND)
    if kind == layout.CALLED:
        return get(agent, MEMORY)
    if kind == layout.NOISE:
        return wait_ns(at, agent, get(agent, MEAN_WAIT_NS))
    if kind == layout.VALUE:
        return wait_ns(at, agent, get(agent, LOOK_WAIT_NS))
    every_ns = get(agent, EVERY_NS if kind == layout.MAKER else SAMPLE_EVERY_NS)
    return 1 + below(at, agent, min(every_ns, _EVERY_MAX_NS))


@written_in
def look(at: int, agent: int, now_ns: int) -> int:
    """Let an agent decide; when it wants to look again, by its own clock."""
    kind = get(agent, layout.KIND)
    if kind == layout.NOISE:
        return look_noise(at, agent, now_ns)
    if kind == layout.MAKER:
        return look_maker(at, agent, now_ns)
    if kind == layout.MOMENTUM:
        return look_momentum(at, agent, now_ns)
    return look_value(at, agent, now_ns)
