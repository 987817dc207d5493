"""What helps against a refusal: for every reason of the gate, every answer of the engine and every early end."""

from typing import Final

from executor.domain.parent_state import Reason
from risk.refusals import RefusalCode

_R = RefusalCode
_BY_ITSELF: Final = "nothing needs to be done: it is tried again by itself"
_LOOSEN: Final = "in your --config file, on purpose, then restart the daemon"

REFUSAL_REMEDY: Final[dict[RefusalCode, str]] = {
    _R.HALTED: "look into the reason that `executor status` shows, then `executor rearm --operator NAME --reason TEXT`",
    _R.DRAINING: "start the daemon again with `executor run`",
    _R.UNRECONCILED: f"{_BY_ITSELF}; if it stays, the venue does not answer: `executor doctor`",
    _R.PRIVATE_STREAM_DOWN: f"{_BY_ITSELF}; if it stays: `executor doctor` tests the stream and the key",
    _R.PUBLIC_STREAM_DOWN: f"{_BY_ITSELF}; if it stays: `executor doctor` tests the stream",
    _R.ORDER_ENTRY_DOWN: f'{_BY_ITSELF}; if it stays: `executor doctor`, or venue.order_entry = "rest"',
    _R.VENUE_RESTRICTED: "wait: asking more often makes it longer; `executor status` shows until when",
    _R.SENTINEL_SILENT: "it takes some seconds after the start; later read sentinel.log, or start `executor sentinel`",
    _R.SYMBOL_BLOCKED: "compare `executor status` with the account at the venue, then `executor rearm`",
    _R.INSTRUMENT_UNKNOWN: f"{_BY_ITSELF}; if it stays, check the spelling of symbol and category",
    _R.INSTRUMENT_NOT_TRADING: "cancel the order, or wait until the venue trades the symbol again",
    _R.INPUT_UNSOUND: f"{_BY_ITSELF} with the next data; if it stays, the daemon's log names the number",
    _R.BOOK_MISSING: f"{_BY_ITSELF}; if it stays, check symbol and category, then `executor doctor`",
    _R.BOOK_STALE: f"{_BY_ITSELF}; a quiet market may need a larger limits.reference_age_s_max",
    _R.BOOK_CROSSED: f"{_BY_ITSELF} when the book is sound again",
    _R.REFERENCE_MISSING: "wait; if it stays, add references.exchanges or lower limits.references_min",
    _R.REFERENCE_DISAGREES: "find out which price is right; limits.reference_gap_bps_max is the limit",
    _R.BENCHMARK_UNKNOWN: f"{_BY_ITSELF} after timings.volatility_warmup_s",
    _R.VOLATILITY_UNKNOWN: f"{_BY_ITSELF} after timings.volatility_warmup_s",
    _R.VOLATILITY_HIGH: "look at the market, then `executor resume`; limits.volatility_hourly_pct_max is the limit",
    _R.VOLUME_UNKNOWN: f"{_BY_ITSELF} after timings.volatility_warmup_s, or when the market trades",
    _R.PARTICIPATION: "more time, a longer interval or less quantity; limits.participation_pct_max is the limit",
    _R.SYMBOL_PARTICIPATION: f"{_BY_ITSELF} within five minutes; limits.symbol_participation_pct_max is the limit",
    _R.QTY_NOT_POSITIVE: "a fault of the program: look into the daemon's log",
    _R.QTY_OFF_STEP: "a fault of the program, or the venue changed its rules just then: look into the daemon's log",
    _R.QTY_BELOW_MINIMUM: "make slices larger: a longer interval, or a larger quantity",
    _R.QTY_ABOVE_MAXIMUM: "make slices smaller: a shorter interval",
    _R.QTY_BELOW_FILLED: f"{_BY_ITSELF} with a new child",
    _R.PX_NOT_POSITIVE: "a fault of the program: look into the daemon's log",
    _R.PX_OFF_TICK: "a fault of the program, or the venue changed its rules just then: look into the daemon's log",
    _R.PRICE_COLLAR: "wait for a calmer book; limits.price_collar_bps_max is the limit",
    _R.PRICE_BENCHMARK: "wait until the mean has followed the price; limits.price_collar_bps_max is the limit",
    _R.PRICE_BAND: "wait until the venue's band has followed the price",
    _R.LIMIT_PRICE: "wait, or change the limit price with `executor amend`",
    _R.SPREAD_WIDE: "wait for a narrower spread; limits.cross_spread_bps_max is the limit",
    _R.CHILD_NOTIONAL: f"make slices smaller (a shorter interval), or set limits.child_notional_max {_LOOSEN}",
    _R.WRONG_SIDE: "a fault of the program: look into the daemon's log",
    _R.POSITION_SIDE: "set venue.position_mode to the account's; in hedge mode give position_idx 1 (long) or 2 (short)",
    _R.REDUCE_ONLY_EXCEEDS: "lower the quantity to the position, or cancel other reduce-only orders",
    _R.OVER_PARENT: f"{_BY_ITSELF} when the orders in doubt are proved",
    _R.ORDER_GAP: f"{_BY_ITSELF} after limits.order_gap_s_min",
    _R.ORDERS_PER_SECOND: f"{_BY_ITSELF} within a second",
    _R.ORDERS_PER_MINUTE: f"{_BY_ITSELF} within a minute; fewer orders at once, or raise limits.orders_per_min_max",
    _R.ORDERS_PER_DAY: f"wait for the next UTC day, or set limits.orders_per_day_max {_LOOSEN}",
    _R.REPEAT_PARENT: "look why it needs so many orders, then `executor rearm`",
    _R.REPEAT_HOUR: "look why the account needs so many orders, then wait or `executor rearm`",
    _R.AMPLIFICATION: "look why so much was ordered and not filled, then `executor rearm`",
    _R.POSITION_UNKNOWN: f"{_BY_ITSELF}; if it stays: `executor doctor`",
    _R.POSITION_UNCONFIRMED: f"{_BY_ITSELF}; a difference that lasts blocks the symbol and is then named",
    _R.POSITION_NOTIONAL: f"reduce the position or the quantity, or set limits.position_notional_max {_LOOSEN}",
    _R.OPEN_NOTIONAL: f"wait until other orders are filled, or set limits.open_notional_max {_LOOSEN}",
    _R.DAY_NOTIONAL: f"wait for the next UTC day, or set limits.day_notional_max {_LOOSEN}",
    _R.DAY_LOSS: f"look at the losses; wait for the next UTC day, or set limits.day_loss_max {_LOOSEN}",
}
"""For each reason of the gate what helps; printed beside it in docs/reference/refusals.md."""

ANSWER_REMEDY: Final[dict[str, tuple[str, str]]] = {
    "HALTED": (
        "a daemon that is not halted",
        "look into the reason; a halt is cleared with POST /v1/rearm and a reason",
    ),
    "DRAINING": (
        "a daemon that goes on running",
        "wait until it has ended, start it again and repeat the request",
    ),
    "STRATEGY": ("a strategy that exists", "name one of those listed"),
    "PARAMS": ("parameters that the strategy reads", "leave them out, or choose another strategy"),
    "CATEGORY": (
        "a spot order without reduce_only and position_idx",
        "leave both out, or choose another category",
    ),
    "POSITION_IDX": (
        "0 in one-way mode; in hedge mode 1 for the long and 2 for the short position",
        "correct position_idx, side or reduce_only, or venue.position_mode",
    ),
    "OPPOSITE": (
        "parents of one symbol and position on one side only: two sides would trade with each other",
        "wait until that order has ended or cancel it, then submit again",
    ),
    "JOINT_LIMITS": (
        "orders that stay, with all that are open, within the limits over several parents",
        "submit less, wait until others have ended, or raise the limit that is named",
    ),
    "ROUTE": ("a routed order as docs/routing.md describes it", "list routed orders with GET /v1/routes"),
    "LEG": ("an order that is not a leg of a routed order", "amend the routed order that is named"),
    "BASKET": ("the id of a known basket", "list the baskets with GET /v1/baskets"),
    "QTY_MIN": ("a quantity that the venue accepts as one order", "raise the quantity"),
    "QTY_VALUE": ("a quantity whose value the venue accepts as one order", "raise the quantity"),
    "IDEMPOTENCY_KEY": (
        "one key for one intent, with the same fields at every repeat",
        "use a new Idempotency-Key for a new order; look at the parent that is named for the old one",
    ),
    "PARENT": ("the id of a known parent", "list the parents with GET /v1/parents"),
    "ENDED": ("a parent that is still open", "submit a new order for what is left"),
    "ENDING": ("a parent that is not on its way to its end", "wait until it has ended"),
    "ADJUSTING": ("one amendment at a time", "wait until the first one is in force, then repeat this one"),
    "VERSION": (
        "the version the parent is at",
        "read the parent again and repeat the change with its present version",
    ),
    "TIME": ("a deadline in the future", "choose a later deadline"),
    "QTY": ("a quantity above zero and not below what is filled", "raise the quantity, or cancel the rest"),
    "NOTHING": ("at least one field that is to change", "say what to change"),
    "VENUE_ALGORITHM": (
        "what the venue offers as a strategy order",
        "correct what is named (docs/venue-algorithms.md), or take a strategy of ours",
    ),
    "REDUCE_ONLY": (
        "at most what is held",
        "lower the quantity, or leave out --reduce-only to open on purpose",
    ),
    "REASON": ("an operator and a reason", "say who does it and why"),
    "LIMIT_LOOSER": (
        "a value tighter than the present one: while the daemon runs limits are only tightened",
        "choose a tighter value; to loosen, change your --config file and start with --release-limits REASON",
    ),
    "ADVISER": (
        "false or nothing while the daemon has no model to ask",
        "leave advised out, or set [adviser] enabled, base_url and model in your --config file and restart the daemon",
    ),
}
"""For each code with which a request is refused that has the right form: what would have been right, and what to do."""

END_REMEDY: Final[dict[Reason, tuple[str, str]]] = {
    Reason.BEYOND_LIMITS: (
        "a quantity that the limits allow as a whole",
        "submit less, or raise the limit that is named in your --config file on purpose and restart the daemon",
    ),
    Reason.INSTRUMENT_UNUSABLE: (
        "an instrument that the venue trades in this category",
        "correct --symbol or --category and submit again",
    ),
    Reason.NOTHING_TO_REDUCE: (
        "a position at least as large, on the other side",
        "compare the quantity with the position at the venue, or leave out --reduce-only to open on purpose",
    ),
    Reason.BELOW_MINIMUM: ("at least the venue's smallest order", "submit more"),
}
"""For each way in which a parent fails before its first order: what would have been right, and what to do."""
