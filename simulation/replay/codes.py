"""Numbers that rows, requests and answers are made of; the twin and the compiled kernel share them and nothing else."""

from typing import Final

# Kinds of a row, as the store has them.
LEVEL: Final = 1
TRADE: Final = 2
CLEAR: Final = 3
TOUCH: Final = 4
ADD: Final = 5
REDUCE: Final = 6
DELETE: Final = 7
EXECUTE: Final = 8
HIDDEN: Final = 9
HALT: Final = 10
FUNDING: Final = 11
MARK: Final = 12

LAST: Final = 1
"""Flag of a row: the book is consistent after it."""

# What is asked.
PLACE: Final = 0
AMEND: Final = 1
CANCEL: Final = 2

# How long an order stays.
GTC: Final = 0
POST_ONLY: Final = 1
IOC: Final = 2
FOK: Final = 3

# What is answered.
ACCEPTED: Final = 1
REJECTED: Final = 2
FILLED: Final = 3
ENDED: Final = 4
AMENDED: Final = 5
AMEND_REJECTED: Final = 6
CANCEL_REJECTED: Final = 7

# Why; for a fill instead MAKER or TAKER.
NO_REASON: Final = 0
MAKER: Final = 1
TAKER: Final = 2
RATE_LIMIT: Final = 10
HALTED: Final = 11
NO_MARKET: Final = 12
BAD_TERMS: Final = 13
PRICE_BAND: Final = 14
OPEN_ORDERS: Final = 15
UNKNOWN_ORDER: Final = 16
BELOW_FILLED: Final = 17
UNCHANGED: Final = 18
WOULD_TAKE: Final = 19
NOT_WHOLE: Final = 20
NOTHING_MORE: Final = 21
SELF_TRADE: Final = 22
AS_ASKED: Final = 23

# How a decrease of a level is shared between those ahead and those behind.
RISK_AVERSE: Final = 0
PROPORTIONAL: Final = 1
SQUARE: Final = 2
CUBE: Final = 3
LOGARITHMIC: Final = 4

# Where a latency comes from.
CONSTANT: Final = 0
SAMPLED: Final = 1
MEASURED: Final = 2

# What an advance may be ended by, besides its time.
WAKE_ANSWER: Final = 1
WAKE_TOUCH: Final = 2

# Why an advance ended.
UNTIL: Final = 0
ANSWER: Final = 1
TOUCH_MOVED: Final = 2
END: Final = 3
MORE: Final = 4
FULL: Final = 5
STALE: Final = 6

# Why the compiled venue cannot go on.
NO_ROOM: Final = 1
TOO_LARGE: Final = 2

AHEAD_UNIT: Final = 65_536
"""Queue positions count in this part of a lot, so that shares of a small decrease add up."""

FUNDING_UNIT: Final = 1_000_000_000
"""Funding is reckoned in this part of a tick times a lot; a funding row has its rate in it."""

VALUE_UNIT: Final = 1 << 60
"""Sums of prices times quantities are kept as so many of this, and a rest."""

NUMBER_BITS: Final = 45
"""The compiled venue takes prices and quantities below 2 to this power, so that no product outgrows 64 bits."""

NEVER: Final = (1 << 62) - 1
"""Later than anything; also further than any price."""

NS_PER_S: Final = 1_000_000_000
BPS: Final = 10_000
