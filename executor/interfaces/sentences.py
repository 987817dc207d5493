"""What codes mean, in sentences for people: why a parent order does nothing, why a daemon is not ready."""

from collections.abc import Iterable
from typing import Final

from executor.interfaces import figures
from executor.interfaces.output import cell
from risk.refusals import REFUSAL_TEXT, RefusalCode

SENTENCES: Final[dict[str, str]] = {
    "SLICE_RESTING": "resting at the touch",
    "SLICE_CROSSING": "taking what is left of the slice from the book",
    "RESIDUAL_CROSSING": "taking what is left at the deadline from the book",
    "BEFORE_START": "waits for its first slice",
    "ON_SCHEDULE": "on schedule, waits for the next slice",
    "AFTER_END": "the last slice is over, waits for the deadline",
    "BELOW_MINIMUM": "what is due now is below the venue's minimum",
    "LIMIT_PRICE": "the market is beyond the limit price",
    "DISPLAY_RESTING": "resting, a part of the order shown",
    "PEG_RESTING": "resting at the price it hangs on",
    "CHASE_OVER": "has followed the market as far as it may",
    "NO_TRIGGER": "waits for the price or the quantity that triggers it",
    "TRIGGERED": "taking what is displayed",
    "PARTICIPATION_MAX": "its share of the market's volume is used up, waits for others to trade",
    "VENUE_WORKS": "the venue's own algorithm works it",
    "TIME_TOO_SHORT": "too little time is left for an algorithm of the venue",
    "FLOW_ADVERSE": "the flow of orders runs against it, takes at once",
    "FLOW_FAVORABLE": "the flow of orders comes its way, rests on",
    "SPREAD_UNUSUAL": "the spread is wider than usual, rests on",
    "DEPTH_THIN": "little is displayed on the other side, rests on",
    "QUEUE_NEAR": "near the front of the queue, rests on",
    "FUNDING": "funding is near, moves with it",
    "LIQUIDATIONS": "positions are being liquidated, moves with that",
    "OPEN_INTEREST": "open interest says that the move will last, or not",
    "EXCHANGE_FLOW": "coins move onto exchanges or off them",
    "SESSION": "the hour's session trades more or less",
    "PRICE_BAND": "the far side of the book is beyond the venue's price band, rests instead",
    "ADVICE_WAIT": "waits on advice; where its band ends, the schedule goes on",
    "SPREAD_WIDE": "the spread is too wide to take, waits for a narrower one",
    "VOLATILITY_UNKNOWN": "warming up: watching the market for about 10 s before the first order",
    "BENCHMARK_UNKNOWN": "warming up: the mean price is not known yet",
    "VOLUME_UNKNOWN": "warming up: the market's volume is not known yet",
    "BOOK_MISSING": "waits for the order book",
    "BOOK_STALE": "the order book is too old, waits for a newer one",
    "UNRECONCILED": "the venue's orders and positions have not been read completely",
    "PRIVATE_STREAM_DOWN": "the stream of our own orders and fills is not live",
    "PUBLIC_STREAM_DOWN": "the market data stream is not live",
    "ORDER_ENTRY_DOWN": "the connection on which orders are sent is not live",
    "SENTINEL_SILENT": "the sentinel is not heard: it takes some seconds after the start, later see sentinel.log",
    "SYMBOL_BLOCKED": "the symbol is blocked: look at the account, then `executor rearm` clears it",
    "VENUE_REJECTED": "the venue rejected the last order; it is asked once more before another",
    "ORDER_GAP": "keeps the shortest time between two orders",
    "HALTED": "halted; `executor rearm --operator NAME --reason TEXT` clears it",
    "DRAINING": "the daemon is ending",
    "PAUSED_OPERATOR": "paused by a person; `executor resume` lets it go on",
    "PAUSED_HALTED": "paused by the stop",
    "PAUSED_VOLATILITY": "paused: the market moves too much",
    "PAUSED_BOOK_LOST": "paused: the order book was lost",
    "PAUSED_STREAM_LOST": "paused: a stream or the state of the venue was lost",
    "PAUSED_RECOVERED": "paused after a restart until everything is proved",
    "PAUSED_REPEAT_THROTTLE": "paused: too many orders; `executor rearm` allows more",
    "PAUSED_VENUE_REJECTS": "paused: the venue rejected its orders",
    "PAUSED_INSUFFICIENT_FUNDS": "paused: the account cannot pay for its orders; add funds, then `executor resume`",
    "PAUSED_REFERENCE_DOUBT": "paused: other sources see another price, or too few say anything",
    "PAUSED_VENUE_RESTRICTED": "paused: the venue bars us, limits us or is closed for now",
    "PAUSED_SENTINEL_SILENT": "paused: the sentinel is not heard",
    "PAUSED_ORDER_CONFLICT": "paused: an order at the venue is not what we believed; see the log",
    "PAUSED_ADVICE": "paused: the model advised to cancel it; `executor decisions` says why, then resume or cancel it",
    "PAUSED_OVER_FILLED": "paused: more was executed than was ordered; see the log",
    "OTHER_COIN": "quoted or based in another coin than the first leg, so it can not be compared",
    "BASIS": "its price is further from that of the first leg than --max-basis allows",
    "REFUSED": "the gate refuses its orders, it is left out for a while",
    "ENDING": "it is ending",
    "ENDED_ALL_FILLED": "this leg was ended, with all that it had been granted filled",
    "ENDED_OPERATOR": "a person has ended this leg",
    "ENDED_INSTRUMENT_UNUSABLE": "the venue does not trade this symbol",
    "CHILD_PENDING_NEW": "an order is on its way to the venue",
    "CHILD_NEW": "an order is open at the venue",
    "CHILD_PARTIALLY_FILLED": "an order is filled in part",
    "CHILD_PENDING_CANCEL": "an order is being cancelled",
    "CHILD_PENDING_REPLACE": "an order is being amended",
    "CHILD_UNKNOWN": "the state of an order is in doubt, the venue is being asked",
}


def sentence(code: object) -> str:
    """Say what a code means, the code after it; a code without a sentence stands alone."""
    name = str(code)
    text = SENTENCES.get(name)
    if text is None and name in RefusalCode.__members__:
        text = REFUSAL_TEXT[RefusalCode(name)]
    return cell(name) if text is None else f"{text} ({name})"


def sentences(codes: object) -> str:
    """Say what several codes mean."""
    listed: Iterable[object] = codes if isinstance(codes, list | tuple) else ()
    return "; ".join(sentence(code) for code in listed)


def shortly(codes: object) -> str:
    """Say what the first of several codes means, and name the others."""
    listed = list(codes) if isinstance(codes, list | tuple) else []
    also = f"; also {cell(listed[1:])}" if listed[1:] else ""
    return f"{sentence(listed[0])}{also}" if listed else ""


def advice_shortly(advice: object) -> str:
    """Say what holds of the last advice, and for how long; empty where the schedule alone decides."""
    match advice:
        case {"in_force": {"action": str(action), "rate": str(rate), "left_s": int(left_s), **others}}:
            times = figures.price(rate)
            speed = "" if times in ("0", "1") else f" x{times}"
            strategy = others.get("strategy")
            target = "" if strategy is None else f" to {cell(strategy)}"
            return f"advice {cell(action)}{target}{speed} for {left_s} s more"
        case _:
            return ""
