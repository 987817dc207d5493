"""Every reason for which the gate refuses an order. The table in the documentation is generated from here.

A code is published: it is never renamed and never given another meaning.
"""

from enum import StrEnum
from typing import Final


class RefusalCode(StrEnum):
    """Why an order did not leave."""

    HALTED = "HALTED"
    DRAINING = "DRAINING"
    UNRECONCILED = "UNRECONCILED"
    PRIVATE_STREAM_DOWN = "PRIVATE_STREAM_DOWN"
    PUBLIC_STREAM_DOWN = "PUBLIC_STREAM_DOWN"
    ORDER_ENTRY_DOWN = "ORDER_ENTRY_DOWN"
    VENUE_RESTRICTED = "VENUE_RESTRICTED"
    SENTINEL_SILENT = "SENTINEL_SILENT"
    SYMBOL_BLOCKED = "SYMBOL_BLOCKED"
    INSTRUMENT_UNKNOWN = "INSTRUMENT_UNKNOWN"
    INSTRUMENT_NOT_TRADING = "INSTRUMENT_NOT_TRADING"
    INPUT_UNSOUND = "INPUT_UNSOUND"
    BOOK_MISSING = "BOOK_MISSING"
    BOOK_STALE = "BOOK_STALE"
    BOOK_CROSSED = "BOOK_CROSSED"
    REFERENCE_MISSING = "REFERENCE_MISSING"
    REFERENCE_DISAGREES = "REFERENCE_DISAGREES"
    BENCHMARK_UNKNOWN = "BENCHMARK_UNKNOWN"
    VOLATILITY_UNKNOWN = "VOLATILITY_UNKNOWN"
    VOLATILITY_HIGH = "VOLATILITY_HIGH"
    VOLUME_UNKNOWN = "VOLUME_UNKNOWN"
    PARTICIPATION = "PARTICIPATION"
    SYMBOL_PARTICIPATION = "SYMBOL_PARTICIPATION"
    QTY_NOT_POSITIVE = "QTY_NOT_POSITIVE"
    QTY_OFF_STEP = "QTY_OFF_STEP"
    QTY_BELOW_MINIMUM = "QTY_BELOW_MINIMUM"
    QTY_ABOVE_MAXIMUM = "QTY_ABOVE_MAXIMUM"
    QTY_BELOW_FILLED = "QTY_BELOW_FILLED"
    PX_NOT_POSITIVE = "PX_NOT_POSITIVE"
    PX_OFF_TICK = "PX_OFF_TICK"
    PRICE_COLLAR = "PRICE_COLLAR"
    PRICE_BENCHMARK = "PRICE_BENCHMARK"
    PRICE_BAND = "PRICE_BAND"
    LIMIT_PRICE = "LIMIT_PRICE"
    SPREAD_WIDE = "SPREAD_WIDE"
    CHILD_NOTIONAL = "CHILD_NOTIONAL"
    WRONG_SIDE = "WRONG_SIDE"
    POSITION_SIDE = "POSITION_SIDE"
    REDUCE_ONLY_EXCEEDS = "REDUCE_ONLY_EXCEEDS"
    OVER_PARENT = "OVER_PARENT"
    ORDER_GAP = "ORDER_GAP"
    ORDERS_PER_SECOND = "ORDERS_PER_SECOND"
    ORDERS_PER_MINUTE = "ORDERS_PER_MINUTE"
    ORDERS_PER_DAY = "ORDERS_PER_DAY"
    REPEAT_PARENT = "REPEAT_PARENT"
    REPEAT_HOUR = "REPEAT_HOUR"
    AMPLIFICATION = "AMPLIFICATION"
    POSITION_UNKNOWN = "POSITION_UNKNOWN"
    POSITION_UNCONFIRMED = "POSITION_UNCONFIRMED"
    POSITION_NOTIONAL = "POSITION_NOTIONAL"
    OPEN_NOTIONAL = "OPEN_NOTIONAL"
    DAY_NOTIONAL = "DAY_NOTIONAL"
    DAY_LOSS = "DAY_LOSS"


_C = RefusalCode

REFUSAL_TEXT: Final[dict[RefusalCode, str]] = {
    _C.HALTED: "the stop is latched; a person must re-arm with a reason",
    _C.DRAINING: "the process is shutting down",
    _C.UNRECONCILED: "no complete reconciliation with the venue yet, or the last one failed",
    _C.PRIVATE_STREAM_DOWN: "the stream of our own orders and fills is not live",
    _C.PUBLIC_STREAM_DOWN: "the market data stream of this product family is not live",
    _C.ORDER_ENTRY_DOWN: "the connection on which orders are sent is not live",
    _C.VENUE_RESTRICTED: "the venue bars us, limits us or is closed for a time that is not over",
    _C.SENTINEL_SILENT: "the sentinel, which cancels everything should this daemon fall silent, is not heard",
    _C.SYMBOL_BLOCKED: "something is unexplained (a fill, a position, the position mode) until a person re-arms",
    _C.INSTRUMENT_UNKNOWN: "the venue's rules of this symbol were not read",
    _C.INSTRUMENT_NOT_TRADING: "the venue does not trade this symbol now",
    _C.INPUT_UNSOUND: "a needed number is missing, NaN, infinite, negative, beyond 18 digits or of the wrong type",
    _C.BOOK_MISSING: "there is no order book for this symbol",
    _C.BOOK_STALE: "the order book is older than `reference_age_s_max`, or from the future",
    _C.BOOK_CROSSED: "the best bid is not below the best ask, or a price is not positive",
    _C.REFERENCE_MISSING: "fewer than `references_min` second opinions about the price are fresh",
    _C.REFERENCE_DISAGREES: "a second opinion about the price is further from the mid than `reference_gap_bps_max`",
    _C.BENCHMARK_UNKNOWN: "the five-minute mean of mids has not been observed long enough",
    _C.VOLATILITY_UNKNOWN: "volatility has not been observed long enough",
    _C.VOLATILITY_HIGH: "realised volatility is above `volatility_hourly_pct_max`",
    _C.VOLUME_UNKNOWN: "the market's volume has not been observed long enough, or nothing trades",
    _C.PARTICIPATION: "the quantity is more than `participation_pct_max` of the volume expected in one slice",
    _C.SYMBOL_PARTICIPATION: "with all other parents of the symbol it is more than `symbol_participation_pct_max`",
    _C.QTY_NOT_POSITIVE: "the quantity is zero or negative",
    _C.QTY_OFF_STEP: "the quantity is not a whole number of quantity steps",
    _C.QTY_BELOW_MINIMUM: "the quantity or its value is below the venue's minimum",
    _C.QTY_ABOVE_MAXIMUM: "the quantity is above the venue's maximum for one order",
    _C.QTY_BELOW_FILLED: "the amendment would leave nothing open: as much is filled already",
    _C.PX_NOT_POSITIVE: "the price is zero or negative",
    _C.PX_OFF_TICK: "the price is not a whole number of ticks",
    _C.PRICE_COLLAR: "the price is further from the current mid than `price_collar_bps_max`",
    _C.PRICE_BENCHMARK: "the price is further from the five-minute mean of mids than `price_collar_bps_max`",
    _C.PRICE_BAND: "the price is beyond the band in which the venue takes limit prices",
    _C.LIMIT_PRICE: "the price is worse than the parent's limit price",
    _C.SPREAD_WIDE: "the order would take liquidity and the spread is above `cross_spread_bps_max`",
    _C.CHILD_NOTIONAL: "the order's value is above `child_notional_max`, or that limit is missing",
    _C.WRONG_SIDE: "side, symbol, position index or reduce-only is not the parent's; an amendment of another order",
    _C.POSITION_SIDE: "position index, side and reduce-only do not fit each other or the account's position mode",
    _C.REDUCE_ONLY_EXCEEDS: "a reduce-only order larger than the position that others of its kind leave to reduce",
    _C.OVER_PARENT: "booked fills plus everything unproven plus this order would exceed the parent",
    _C.ORDER_GAP: "less than `order_gap_s_min` since the parent's last order or amendment",
    _C.ORDERS_PER_SECOND: "`orders_per_s_max` is used up",
    _C.ORDERS_PER_MINUTE: "`orders_per_min_max` is used up",
    _C.ORDERS_PER_DAY: "`orders_per_day_max` is used up",
    _C.REPEAT_PARENT: "`children_per_parent_max` children and amendments since a person last re-armed",
    _C.REPEAT_HOUR: "`children_per_hour_max` children and amendments of the account in the last hour",
    _C.AMPLIFICATION: "everything ever ordered for the parent would exceed `amplification_max` times its quantity",
    _C.POSITION_UNKNOWN: "the venue's position was not read",
    _C.POSITION_UNCONFIRMED: "the venue's position has not agreed with ours since the start or the stream's return",
    _C.POSITION_NOTIONAL: "the position would then exceed `position_notional_max`, or that limit is missing",
    _C.OPEN_NOTIONAL: "open and unproven orders would exceed `open_notional_max`, or that limit is missing",
    _C.DAY_NOTIONAL: "the day's traded value would exceed `day_notional_max`, or that limit is missing",
    _C.DAY_LOSS: "the day's loss has reached `day_loss_max`, or that limit is missing",
}
