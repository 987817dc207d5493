"""Where the compiled venue keeps what: one record of flat arrays, so that nothing is allocated while it runs."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

# Registers.
NOW: Final = 0
ROW: Final = 1
IS_FINAL: Final = 2
ROW_NS: Final = 3
LOCAL_NS: Final = 4
REQUEST_NS: Final = 5
ANSWER_NS: Final = 6
LAG_NS: Final = 7
DELAY_NS: Final = 8
MESSAGES: Final = 9
SENT: Final = 10
TOLD: Final = 11
ARRIVALS: Final = 12
BEGUN: Final = 13
TOUCH_AT: Final = 14
TOUCH_LAST: Final = 15
POSITION: Final = 16
CASH: Final = 17
TURNOVER_MAKER: Final = 18
TURNOVER_TAKER: Final = 19
FUNDING: Final = 20
FUNDING_REST: Final = 21
FILLS: Final = 22
MARK_PX: Final = 23
LAST_PX: Final = 24
IS_HALTED: Final = 25
IS_READY: Final = 26
TRADED_QTY: Final = 27
TRADED_VALUE: Final = 28
ORDERS: Final = 29
REQUEST_HEAD: Final = 30
REQUEST_TAIL: Final = 31
ANSWER_HEAD: Final = 32
ANSWER_TAIL: Final = 33
COMING_HEAD: Final = 34
COMING_TAIL: Final = 35
CROWDED: Final = 36
BROKEN: Final = 37
THEIRS: Final = 38
STAMP: Final = 39
# What we see, in the order of `Glance`, the last of it in two parts; then what was sent to be seen last.
SEEN: Final = 40
SHOWN: Final = 48
# By side, bid first.
BEST: Final = 56
BASE: Final = 58
FAR: Final = 60
TAKEN: Final = 62
ADMITTED: Final = 64
# The higher parts of sums of prices times quantities, in `codes.VALUE_UNIT`.
CASH_HIGH: Final = 67
MAKER_HIGH: Final = 68
TAKER_HIGH: Final = 69
TRADED_HIGH: Final = 70
# Requests that were handed over; those up to REQUEST_TAIL have left.
POSTED: Final = 71
REGISTERS: Final = 72

# Terms.
QUEUE_MODEL: Final = 0
BAND_BPS: Final = 1
OPEN_MAX: Final = 2
RATE_MAX: Final = 3
QTY_MAX: Final = 4
CONFLATE_NS: Final = 5
PRICES_ONLY: Final = 6
SEED: Final = 7
DELAY_SOURCE: Final = 8
DELAY_CONSTANT: Final = 11
DELAY_SAMPLES: Final = 14
KEEPS_TAKEN: Final = 17
PX_MAX: Final = 18
PRINT_LAG_NS: Final = 19
TERMS: Final = 20

# Columns of an order of ours.
O_ID: Final = 0
O_SIDE: Final = 1
O_PX: Final = 2
O_QTY: Final = 3
O_LEAVES: Final = 4
O_AHEAD: Final = 5
O_TRADED: Final = 6
O_SPAN: Final = 7
O_LENT: Final = 8
O_LENT_BEFORE: Final = 9
O_ARRIVAL: Final = 10
O_HOLD: Final = 11
ORDER_WIDTH: Final = 12

# Columns of a request.
R_AT: Final = 0
R_WHAT: Final = 1
R_ID: Final = 2
R_SIDE: Final = 3
R_PX: Final = 4
R_QTY: Final = 5
R_HOLD: Final = 6
REQUEST_WIDTH: Final = 7

ANSWER_WIDTH: Final = 9
GLANCE_WIDTH: Final = 8


class Rows(NamedTuple):
    """Rows to be played, column by column."""

    exch_ns: Numbers
    recv_ns: Numbers
    kind: npt.NDArray[np.uint8]
    side: npt.NDArray[np.int8]
    px: Numbers
    qty: Numbers
    order_id: Numbers
    flags: npt.NDArray[np.uint8]


class State(NamedTuple):
    """All that the compiled venue is.

    Levels are kept by a key that is larger the better the price: the price for bids, its negative for asks. Levels
    near the best lie in a ring of `window` keys, with a bit for each that is not empty; those further away lie in a
    hash.

    Parameters
    ----------
    registers
        Everything that is one number.
    terms, samples
        On which terms it plays, and the sampled latencies of feed, entry and answer.
    level, bits
        Sizes by side and key, and which of them are not zero, 32 to a word.
    far
        By side: key and size of levels out of the window.
    taken
        By side: key and lots that we took of a level.
    orders, requests, answers, coming
        Our resting orders in the order of their arrival, and rings of what is under way.
    admitted
        By kind of request: when the latest were let in.
    theirs
        Orders of others, order-level data only: id, arrival, lots.
    """

    registers: Numbers
    terms: Numbers
    samples: Numbers
    level: Numbers
    bits: Numbers
    far: Numbers
    taken: Numbers
    orders: Numbers
    requests: Numbers
    answers: Numbers
    coming: Numbers
    admitted: Numbers
    theirs: Numbers
