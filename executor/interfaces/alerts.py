"""What an alert means and what a person does about it, for every code; the log says the particulars beside the code."""

from typing import Final

from executor.domain.commands import AlertCode

_A = AlertCode
_LOOK: Final = "compare `executor status` with the account at the venue, then `executor rearm`"

ALERT_TEXT: Final[dict[AlertCode, tuple[str, str]]] = {
    _A.HALT: (
        "the stop was pulled, by a person or by the daemon: nothing is opened, open orders are being cancelled",
        "look into the reason that `executor status` shows, then `executor rearm --operator NAME --reason TEXT`",
    ),
    _A.OVER_FILL: ("more was executed than was ordered; everything is halted", _LOOK),
    _A.ORPHAN_FILL: (
        "an execution bears an order id of our making, and no such order is known; nothing is opened in the symbol",
        _LOOK,
    ),
    _A.FILL_CONFLICT: (
        "the venue told one execution twice with different content; nothing is opened in the symbol",
        _LOOK,
    ),
    _A.ORDER_CONFLICT: (
        "an order at the venue is not what we believed: other terms, or alive after its end; everything is halted",
        _LOOK,
    ),
    _A.OUTCOME_UNKNOWN: (
        "a request was not answered, so it is not known what became of it; the venue is being asked",
        "nothing; if it stays, `executor doctor`",
    ),
    _A.CANCEL_UNPROVED: (
        "the end of a cancelled order is not proved yet; the cancel is sent again until it is",
        "nothing; if it stays, look at the venue",
    ),
    _A.ORDER_REJECTED: ("the venue rejected an order", "read the venue's words in the log"),
    _A.SHORTFALL: (
        "an order costs more than limits.shortfall_alert_bps against its arrival price",
        "look at the market; pause, amend or cancel the order",
    ),
    _A.VOLATILITY: (
        "the market moves more than limits.volatility_hourly_pct_max; the order is paused",
        "look at the market, then `executor resume`",
    ),
    _A.REPEAT_THROTTLE: (
        "an order or the account needs more child orders than allowed; the order is paused",
        "look why it needs so many, then `executor rearm`",
    ),
    _A.POSITION_DIFFERS: (
        "the venue's position is not explained by our fills; nothing is opened there",
        _LOOK,
    ),
    _A.RECONCILE_FAILED: (
        "the venue could not be read completely, so nothing was concluded; it is read again",
        "nothing; if it stays, `executor doctor`",
    ),
    _A.EXECUTION_UNEXPLAINED: ("an execution belongs to no order of ours; nothing is opened there", _LOOK),
    _A.FOREIGN_ORDERS: (
        "there are open orders on the account that are not ours; they are left alone",
        "trade the account from one place only",
    ),
    _A.NO_SUCH_SYMBOL: ("the venue has no such symbol; the order fails", "correct --symbol or --category"),
    _A.BEYOND_LIMITS: ("an order could never be filled under the limits; it fails", "submit less"),
    _A.NOTHING_TO_REDUCE: (
        "an order may only reduce and there is not so much to reduce; it fails",
        "compare the quantity with the position at the venue",
    ),
    _A.TOO_FAST: (
        "at the recent volume an order will hardly be done in its time within limits.participation_pct_max",
        "give it more time, or less quantity",
    ),
    _A.REFERENCE_DISAGREES: (
        "another source sees a price that is too far from the book's",
        "find out which price is right",
    ),
    _A.VENUE_RESTRICTED: (
        "the venue bars us, limits us or is closed",
        "wait; `executor status` shows until when",
    ),
    _A.SENTINEL_SILENT: (
        "the sentinel is not heard; nothing is opened without it",
        "read sentinel.log, or start `executor sentinel`",
    ),
    _A.TERMS_MOVED: (
        "the venue moved the price of an order to its band, cut it to the position, or took an amendment late",
        "nothing; the order is believed to be as the venue shows it",
    ),
    _A.POSITION_MODE: (
        "the account keeps long and short otherwise than an open order assumes; nothing is opened there",
        "make venue.position_mode and the account agree, then `executor rearm`",
    ),
    _A.REARMED: ("a person cleared the stop, or a position was taken over as it is", "nothing"),
    _A.ADVICE_TO_CANCEL: (
        "the model advised to cancel an order: it is paused, or ended if adviser.cancel_allowed",
        "`executor decisions PARENT` says why; then `executor resume` or `executor cancel`",
    ),
    _A.ADVICE_BOUNDED: (
        "an order that a model advises on has its schedule: the most that advice can do, switches included, is told",
        "nothing; `executor decisions PARENT` shows it again",
    ),
    _A.ADVISER_SILENT: (
        "the model brought nothing usable several times in a row (the last reason is named): it is left alone a while",
        "nothing for the orders; `executor decisions PARENT` names what came back; check server, key and model",
    ),
    _A.ADVISER_BACK: ("a model that was left alone has answered: it is asked as usual again", "nothing"),
    _A.ALGO_ENDED_SHORT: (
        "the venue ended a strategy order by itself with a part not done: a piece that fails twice is dropped",
        "nothing: what is left is sent anew if the time suffices, otherwise the residual rule decides",
    ),
    _A.LIMITS_MOVED: (
        "a person tightened a limit while the daemon ran, or let go of what was tightened when it was started",
        "nothing; `executor limits` shows what holds",
    ),
}
"""For each code: what has happened, and what to do; printed in docs/reference/alerts.md."""
