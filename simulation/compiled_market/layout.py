"""Where the compiled market keeps what: numbers of 64 bits behind one address, and a record for every participant."""

from typing import Final

# Registers.
BOOK: Final = 0
"""Address of the registers of the book."""
AGENTS: Final = 1
AGENTS_COUNT: Final = 2
HEAP: Final = 3
HEAP_ROOM: Final = 4
HEAP_SIZE: Final = 5
POOL: Final = 6
POOL_ROOM: Final = 7
POOL_FREE: Final = 8
POOL_USED: Final = 9
POOL_TOP: Final = 10
ROWS: Final = 11
ROWS_ROOM: Final = 12
ROWS_COUNT: Final = 13
INTENTS: Final = 14
INTENTS_COUNT: Final = 15
INTENTS_DONE: Final = 16
SENDER: Final = 17
NOW_NS: Final = 18
SEQUENCE: Final = 19
NEXT_ID: Final = 20
LAST_PX: Final = 21
MESSAGES: Final = 22
TRADES: Final = 23
REFUSED: Final = 24
SCALE: Final = 25
UNIT_PPM: Final = 26
TAKER_PPM: Final = 27
MAKER_PPM: Final = 28
QTY_MAX: Final = 29
REACH_BPS: Final = 30
LOOK_GAP_NS: Final = 31
HOUSE_CASH: Final = 32
PX_MAX: Final = 33
LOG_TABLE: Final = 34
ROUND_CONSTANTS: Final = 35
LOOKER: Final = 36
"""Whose turn it is, where the loop stopped to ask."""
VOLUME_QTY: Final = 37
SIGNED_QTY: Final = 38
OWN: Final = 39
"""Where a participant's open orders are listed, four numbers each."""
TAPE: Final = 40
"""Where quotes are recorded, `QUOTE_WIDTH` numbers each; 0 records nothing."""
TAPE_ROOM: Final = 41
TAPE_COUNT: Final = 42
DEALS: Final = 43
"""Where trades are recorded, `DEAL_WIDTH` numbers each."""
DEALS_ROOM: Final = 44
DEALS_COUNT: Final = 45
MID2: Final = 46
"""Twice the mid after the last message; 0 while a side is empty."""
QUOTE: Final = 47
"""The last quote recorded, without its instant."""
REGISTERS: Final = 56

QUOTE_WIDTH: Final = 7
DEAL_WIDTH: Final = 7
OWN_WIDTH: Final = 4

LATEST_NS: Final = 1 << 61
"""No instant is later."""

# Why the loop stopped.
DONE: Final = 0
ROWS_FULL: Final = 1
HEAP_FULL: Final = 2
POOL_FULL: Final = 3
BEYOND: Final = 4
"""A price or a quantity is larger than what sums are reckoned with."""
ASKED: Final = 5
"""An agent of Python's own is to decide."""
NOT_HERE: Final = 6
"""Such an agent asks for what this market does not do."""

# An intent: seven numbers, as `simulation.market.protocol` has them.
INTENT_BYTES: Final = 56
INTENTS_MAX: Final = 1_000
"""Most of one answer, as in `SimulationEngine`."""
CHUNK_BYTES: Final = 1024
CHUNK_INTENTS: Final = 17
CHUNKS_MAX: Final = INTENTS_MAX // CHUNK_INTENTS + 1
"""Of what one participant asks at once."""

# An entry of the heap: instant, kind and sequence, and whose it is.
ENTRY_BYTES: Final = 24
LOOK: Final = 1 << 62
"""Added to the sequence of a look, which comes after what arrives at the same instant."""

ROW_BYTES: Final = 64

# A participant.
KIND: Final = 0
FEED_NS: Final = 1
ORDER_NS: Final = 2
LAST_LOOK_NS: Final = 3
IN_FLIGHT: Final = 4
FIRST_ORDER: Final = 5
LAST_ORDER: Final = 6
OPEN_ORDERS: Final = 7
CASH: Final = 8
FREE: Final = 9
SHARES: Final = 10
UP: Final = 11
DOWN: Final = 12
REFUSED_OWN: Final = 13
MEMORY: Final = 14
"""What its agent keeps, eight numbers."""
PARAMS: Final = 24
KEY: Final = 48
BLOCK: Final = 50
LEFT: Final = 51
"""Words left of the block."""
SPONGE: Final = 52
"""25 numbers."""
AGENT_BYTES: Final = 8 * 80

# Kinds of agents.
NOISE: Final = 1
MAKER: Final = 2
MOMENTUM: Final = 3
VALUE: Final = 4
CALLED: Final = 5
"""Its agent is Python's own: the loop stops at each of its looks."""

# Own orders of a participant are linked in the book's records, where only stops keep something.
O_OLDER: Final = 56
O_YOUNGER: Final = 60
