"""Where the compiled book keeps what: numbers behind one address, so that nothing is allocated while it runs."""

from typing import Final

# Registers, each 8 bytes.
ORDERS: Final = 0
SLOTS: Final = 1
OUTCOMES: Final = 2
MASK: Final = 3
ORDERS_MAX: Final = 4
IDS_MAX: Final = 5
OUTCOMES_MAX: Final = 6
TOLD: Final = 7
BEST_BID: Final = 8
BEST_ASK: Final = 9
"""`NO_ASK` where there is none."""
LAST_PX: Final = 10
TRADED_HIGH: Final = 11
TRADED_LOW: Final = 12
ARRIVALS: Final = 13
USED: Final = 14
WAITING: Final = 15
FREE: Final = 16
HIGHEST_SLOT: Final = 17
# Levels that are not empty: bids, asks, buy stops, sell stops.
FILLED: Final = 18
SEEN: Final = 22
"""Where depth is written."""
LADDERS: Final = 24
"""Three ladders: what rests, buy stops, sell stops."""
LADDER_WIDTH: Final = 5
REGISTERS: Final = LADDERS + 3 * LADDER_WIDTH

NO_ASK: Final = 1 << 50

# A ladder: addresses of its levels and of three rows of bits, and the lowest price that it holds at the moment.
LEVELS: Final = 0
BITS: Final = 1
BITS_64: Final = 2
BITS_4096: Final = 3
BASE_PX: Final = 4

# A level, 16 bytes: lots shown, and the slots of the first and the last order.
LEVEL_BYTES: Final = 16
L_SHOWN: Final = 0
L_HEAD: Final = 8
L_TAIL: Final = 12

# An order, one line of a cache. Slot 0 is nobody.
ORDER_BYTES: Final = 64
O_ID: Final = 0
O_PX: Final = 8
O_SHOWN: Final = 16
O_HIDDEN: Final = 24
"""Of a stop its arrival."""
O_DISPLAY: Final = 32
O_OWNER: Final = 40
"""Eight times the owner, and the flags."""
O_PREVIOUS: Final = 48
O_NEXT: Final = 52
O_LIMIT_PX: Final = 56
"""Of a stop."""
IS_SELL: Final = 1
IS_POST_ONLY: Final = 2
IS_STOP: Final = 4

OUTCOME_WIDTH: Final = 11
MESSAGE_WIDTH: Final = 8
"""Numbers of a message in a list of them: kind, order id, owner, side, price, quantity, time in force or limit price
of a stop, display."""
