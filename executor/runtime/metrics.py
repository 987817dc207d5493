"""Every metric the daemon exposes, once, as data: the exposition, the documentation and the tests read it here.

Names follow `executor_<noun>_<unit>[_total]`; a count or a flag carries no unit. Labels take few values: symbols
and parents come from the engine's state, everything else from an enumeration. This room measures nothing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """How Prometheus reads a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Unit(StrEnum):
    """What a value is measured in; the word stands in the metric's name, but for counts and flags."""

    COUNT = "count"
    FLAG = "flag"
    SECONDS = "seconds"
    BPS = "bps"
    RATIO = "ratio"
    BASE = "base"
    QUOTE = "quote"
    COIN = "coin"
    BYTES = "bytes"
    TOKENS = "tokens"
    USD = "usd"


class CalibrationOutcome(StrEnum):
    """What became of a calibration of impact that was due."""

    KEPT = "kept"
    APPLIED = "applied"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric as it is exposed.

    Parameters
    ----------
    name
        The full name; a counter's ends in `_total`.
    buckets
        Upper bounds of a histogram's buckets, in the metric's unit; empty for other kinds.
    """

    name: str
    kind: Kind
    unit: Unit
    labels: tuple[str, ...]
    text: str
    buckets: tuple[float, ...] = ()


_NETWORK_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_CALL_S: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)
_LAG_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5)
_DISK_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_MODEL_S: Final = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 15.0, 30.0)
_SHARE: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def _counter(name: str, unit: Unit, labels: tuple[str, ...], text: str) -> Metric:
    return Metric(name=name, kind=Kind.COUNTER, unit=unit, labels=labels, text=text)


def _gauge(name: str, unit: Unit, labels: tuple[str, ...], text: str) -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, unit=unit, labels=labels, text=text)


def _histogram(name: str, text: str, buckets: tuple[float, ...], unit: Unit = Unit.SECONDS) -> Metric:
    return Metric(name=name, kind=Kind.HISTOGRAM, unit=unit, labels=(), text=text, buckets=buckets)


_FILL_LABELS: Final = ("category", "symbol", "side", "liquidity")
_PARENT: Final = ("parent_id",)
_MARKET: Final = ("category", "symbol")

ORDERS_PLACED: Final = _counter(
    "executor_orders_placed_total",
    Unit.COUNT,
    ("category", "symbol", "side", "style"),
    "Create requests handed to the gateway; style REST waits in the book, CROSS takes at once.",
)
ORDERS_ACKED: Final = _counter(
    "executor_orders_acked_total", Unit.COUNT, _MARKET, "Create requests the venue took for processing."
)
AMENDS_SENT: Final = _counter(
    "executor_amends_sent_total", Unit.COUNT, _MARKET, "Amend requests handed to the gateway."
)
AMENDS_RESOLVED: Final = _counter(
    "executor_amends_resolved_total",
    Unit.COUNT,
    ("outcome",),
    "Amend requests of which it is proved what became of them: applied, unchanged, or the order ended first.",
)
ORDERS_REJECTED: Final = _counter(
    "executor_orders_rejected_total",
    Unit.COUNT,
    ("code_class",),
    "Create requests the venue refused, by the thousand of its code.",
)
ORDERS_REFUSED: Final = _counter(
    "executor_orders_refused_total",
    Unit.COUNT,
    ("reason",),
    "Orders our own gate refused; one order counts once under each of its reasons.",
)
OUTCOMES_UNKNOWN: Final = _counter(
    "executor_outcomes_unknown_total", Unit.COUNT, (), "Create requests whose outcome was not known at first."
)
FILLS: Final = _counter(
    "executor_fills_total", Unit.COUNT, _FILL_LABELS, "Executions of our orders, each once."
)
FILLED_BASE: Final = _counter(
    "executor_filled_base_total",
    Unit.BASE,
    _FILL_LABELS,
    "Filled quantity, base units (contracts if inverse).",
)
FILLED_QUOTE: Final = _counter(
    "executor_filled_quote_total", Unit.QUOTE, _FILL_LABELS, "Filled quantity times price, quote units."
)
ALERTS: Final = _counter(
    "executor_alerts_total", Unit.COUNT, ("code", "severity"), "Alerts raised for people by the engine."
)
RECONCILE_FAILURES: Final = _counter(
    "executor_reconcile_failures_total",
    Unit.COUNT,
    ("category",),
    "Reads of the venue that were incomplete, so that nothing could be concluded.",
)
CAPTURE_FRAMES: Final = _counter(
    "executor_capture_frames_total",
    Unit.COUNT,
    (),
    "Messages of public streams that the recording has taken (market.record_dir; 0 where nothing is recorded).",
)
CAPTURE_BYTES: Final = _counter(
    "executor_capture_written_bytes_total", Unit.BYTES, (), "Bytes written by the recording, uncompressed."
)
CAPTURE_DROPPED: Final = _counter(
    "executor_capture_dropped_total",
    Unit.COUNT,
    (),
    "Messages that the recording lost: the disk did not keep up, or refused.",
)
CAPTURE_ERRORS: Final = _counter(
    "executor_capture_errors_total", Unit.COUNT, (), "Times that the disk refused to take the recording."
)
RECONNECTS: Final = _counter(
    "executor_stream_reconnects_total", Unit.COUNT, ("stream",), "Connections made again after a loss."
)

ADVICE_OUTCOMES: Final = _counter(
    "executor_advice_outcomes_total",
    Unit.COUNT,
    ("outcome", "trigger"),
    "Questions for the model that have ended, each once. LATE, UNUSABLE, FAILED and NOT_ASKED over all but ENDED is the"
    " share in which the schedule had to decide alone.",
)
ADVICE_ANSWERED: Final = _counter(
    "executor_advice_answered_total", Unit.COUNT, ("action",), "Usable answers in time, by what they advise."
)
ADVICE_LATE: Final = _counter(
    "executor_advice_late_total", Unit.COUNT, (), "Questions without an answer by their deadline."
)
ADVICE_BRIDGED: Final = _counter(
    "executor_advice_bridged_total", Unit.COUNT, (), "Late answers for which an earlier advice stood in."
)
ADVICE_INVALID: Final = _counter(
    "executor_advice_invalid_total",
    Unit.COUNT,
    ("reason",),
    "Answers in time that have no effect, by what is wrong.",
)
ADVICE_FAILED: Final = _counter(
    "executor_advice_failed_total",
    Unit.COUNT,
    ("failure",),
    "Questions to which there will be no answer; RESTARTED is one that a restart has cut off.",
)
ADVICE_NOT_ASKED: Final = _counter(
    "executor_advice_not_asked_total",
    Unit.COUNT,
    ("reason",),
    "Questions that were not sent: the breaker is open, too many are out, or a cap would be passed.",
)
ADVICE_OVER_BUDGET: Final = _counter(
    "executor_advice_over_budget_total",
    Unit.COUNT,
    ("cap",),
    "Questions that were not sent because of a cap on calls or money.",
)
ADVICE_CLIPPED: Final = _counter(
    "executor_advice_clipped_total",
    Unit.COUNT,
    ("clip",),
    "Differences between what was advised and what holds; one answer counts once under each.",
)
ADVICE_ADAPTATIONS: Final = _counter(
    "executor_advice_adaptations_total",
    Unit.COUNT,
    (),
    "Times that something of an advice was put into force, an earlier one that stood in included; it may be what the"
    " schedule does anyway.",
)
ADVICE_TOKENS: Final = _counter(
    "executor_advice_tokens_total",
    Unit.TOKENS,
    ("kind",),
    "Tokens of the calls that came back; cached is the part of the prompt that the provider had in its cache.",
)
ADVICE_COST: Final = _counter(
    "executor_advice_cost_usd_total", Unit.USD, (), "Money that advice has cost by the price table."
)

VENUE_ORDERS: Final = _counter(
    "executor_venue_orders_total",
    Unit.COUNT,
    ("venue", "outcome"),
    "Create requests by venue (bybit, or the name behind the @ of a symbol), by what was known first: acked, rejected,"
    " not_sent, or unknown.",
)
VENUE_QUESTIONS: Final = _counter(
    "executor_venue_questions_total",
    Unit.COUNT,
    ("venue", "outcome"),
    "Questions to another venue than Bybit (there are no streams: it is read again and again), answered whole or not.",
)
VENUE_BARRED: Final = _counter(
    "executor_venue_barred_total",
    Unit.COUNT,
    ("venue",),
    "Times that another venue than Bybit asked for fewer requests or barred our address.",
)
NOTICES: Final = _counter(
    "executor_notices_total",
    Unit.COUNT,
    ("way", "outcome"),
    "Notices to people by way (webhook, telegram, mail, ping): sent, failed after all tries, or dropped in a flood.",
)
CALIBRATIONS: Final = _counter(
    "executor_impact_calibrations_total",
    Unit.COUNT,
    ("outcome",),
    "Calibrations of impact that were due: kept, also put to use, or failed, when what was in use stays in use.",
)
ACK_SECONDS: Final = _histogram(
    "executor_order_ack_seconds",
    "From the decision to send a create request to its acknowledgement.",
    _NETWORK_S,
)
ENGINE_CALL_SECONDS: Final = _histogram(
    "executor_engine_call_seconds", "Time the engine took for one event.", _CALL_S
)
JOURNAL_COMMIT_SECONDS: Final = _histogram(
    "executor_journal_commit_seconds", "Time one durable commit of the journal took.", _DISK_S
)
LOOP_LAG_SECONDS: Final = _histogram(
    "executor_event_loop_lag_seconds",
    "How late the event loop came to something due, at instants of an even grid: ten looks a second.",
    _LAG_S,
)
ADVICE_LATENCY_SECONDS: Final = _histogram(
    "executor_advice_latency_seconds", "From the question to whatever came back, late or not.", _MODEL_S
)
ADVICE_CONFIDENCE: Final = _histogram(
    "executor_advice_confidence_ratio", "Confidence of usable answers in time, 0 to 1.", _SHARE, Unit.RATIO
)

INBOX_DEPTH: Final = _gauge("executor_inbox_depth", Unit.COUNT, (), "Events that wait for the engine.")
PARENT_INFO: Final = _gauge(
    "executor_parent_info",
    Unit.FLAG,
    ("parent_id", "category", "symbol", "side", "strategy"),
    "1 for each live parent and each that ended in the last ten minutes; join on parent_id.",
)
PARENT_STATE: Final = _gauge(
    "executor_parent_state",
    Unit.FLAG,
    ("parent_id", "status"),
    "1 for the status the parent is in, 0 for the rest.",
)
PARENT_LEAVES_BASE: Final = _gauge(
    "executor_parent_leaves_base", Unit.BASE, _PARENT, "Quantity left to fill, base units."
)
PARENT_DONE_RATIO: Final = _gauge(
    "executor_parent_done_ratio", Unit.RATIO, _PARENT, "Filled over ordered quantity, 0 to 1."
)
PARENT_SCHEDULED_RATIO: Final = _gauge(
    "executor_parent_scheduled_ratio",
    Unit.RATIO,
    _PARENT,
    "What an even execution of the plan would have filled by now, over the ordered quantity, 0 to 1.",
)
PARENT_DEVIATION_RATIO: Final = _gauge(
    "executor_parent_deviation_ratio", Unit.RATIO, _PARENT, "Done minus scheduled; negative is late."
)
PARENT_SHORTFALL_BPS: Final = _gauge(
    "executor_parent_arrival_shortfall_bps",
    Unit.BPS,
    _PARENT,
    "Cost so far against the arrival price, the rest valued at the mid, without fees; positive is a cost.",
)
PARENT_PARTICIPATION_RATIO: Final = _gauge(
    "executor_parent_participation_ratio",
    Unit.RATIO,
    _PARENT,
    "Own filled quantity over the market's during the life, own included, 0 to 1.",
)
PARENT_TIME_LEFT_SECONDS: Final = _gauge(
    "executor_parent_time_left_seconds",
    Unit.SECONDS,
    _PARENT,
    "Until the deadline; 0 after it and after the end.",
)
PARENT_PRICE_QUOTE: Final = _gauge(
    "executor_parent_price_quote",
    Unit.QUOTE,
    (*_PARENT, "benchmark"),
    "Prices beside each other, quote units per base: at the decision, at the arrival, the average of the fills, the"
    " market's volume-weighted one without our own prints, the time-weighted mid, and the last mid of the life.",
)
PARENT_SLIPPAGE_BPS: Final = _gauge(
    "executor_parent_slippage_bps",
    Unit.BPS,
    (*_PARENT, "benchmark"),
    "Average price of the fills against a benchmark; positive is a cost.",
)
PARENT_COST_BPS: Final = _gauge(
    "executor_parent_cost_bps",
    Unit.BPS,
    (*_PARENT, "part"),
    "The seven parts of the implementation shortfall, of the ordered value at the decision price; they add up to it."
    " Absent unless the book before every fill is known.",
)
PARENT_TOTAL_SHORTFALL_BPS: Final = _gauge(
    "executor_parent_implementation_shortfall_bps",
    Unit.BPS,
    _PARENT,
    "Implementation shortfall against the decision price, fees included, what is left valued at the mid.",
)
PARENT_MARK_OUT_BPS: Final = _gauge(
    "executor_parent_mark_out_bps",
    Unit.BPS,
    (*_PARENT, "horizon_s"),
    "What the fills were worth so many seconds later, of their value; positive is a gain.",
)
PARENT_REVERSION_BPS: Final = _gauge(
    "executor_parent_reversion_bps",
    Unit.BPS,
    _PARENT,
    "How far the mid came back from the first to the last mark-out of the fills; positive: they had pushed it.",
)
PARENT_MAKER_RATIO: Final = _gauge(
    "executor_parent_maker_ratio",
    Unit.RATIO,
    _PARENT,
    "Share of the filled quantity that waited in the book, 0 to 1.",
)
PARENT_SPREAD_CAPTURED_BPS: Final = _gauge(
    "executor_parent_spread_captured_bps",
    Unit.BPS,
    _PARENT,
    "Fills against the mid before each, of the traded value; positive is earned.",
)
PARENT_HIT_RATIO: Final = _gauge(
    "executor_parent_orders_hit_ratio",
    Unit.RATIO,
    _PARENT,
    "Share of the child orders sent that were filled at least in part, 0 to 1.",
)
PARENT_FORECAST_BPS: Final = _gauge(
    "executor_parent_forecast_bps",
    Unit.BPS,
    (*_PARENT, "estimate"),
    "What the order was expected to cost when it began, without fees: expected, where it will plausibly be (low, high),"
    " and the standard deviation that the market's own moves make (risk).",
)
PARENT_FIGURES_AGE_SECONDS: Final = _gauge(
    "executor_parent_figures_age_seconds",
    Unit.SECONDS,
    _PARENT,
    "Since prices, costs, mark-outs and forecast of a parent were last reckoned; absent once nothing changes any more.",
)
MARKET_SPREAD_BPS: Final = _gauge(
    "executor_market_spread_bps",
    Unit.BPS,
    _MARKET,
    "Width of the touch relative to the mid; absent without a book.",
)
BOOK_AGE_SECONDS: Final = _gauge(
    "executor_book_age_seconds",
    Unit.SECONDS,
    _MARKET,
    "Since the engine saw a sound book; absent while it is lost.",
)
REFERENCE_GAP_BPS: Final = _gauge(
    "executor_reference_gap_bps",
    Unit.BPS,
    (*_MARKET, "source"),
    "Distance of a second opinion about the price from the mid; absent without a book.",
)
STREAM_UP: Final = _gauge(
    "executor_stream_up",
    Unit.FLAG,
    ("stream", "category"),
    "1 while the connection is live; a public one for each product family, the others of none.",
)
VENUE_RESTRICTED: Final = _gauge(
    "executor_venue_restricted", Unit.FLAG, (), "1 while the venue bars us, limits us or is closed."
)
VENUE_LINK_UP: Final = _gauge(
    "executor_venue_link_up",
    Unit.FLAG,
    ("venue", "link"),
    "Of another venue than Bybit, once heard of: 1 while what becomes of our orders is heard there (private), while"
    " orders can be sent (trade), while it does not bar us (allowed).",
)
VENUE_READ_AGE_SECONDS: Final = _gauge(
    "executor_venue_read_age_seconds",
    Unit.SECONDS,
    ("venue", "what"),
    "Of another venue than Bybit: since account, clock, or markets of a category were last read whole.",
)
VENUE_UNKNOWN_ORDERS: Final = _gauge(
    "executor_venue_unknown_orders",
    Unit.COUNT,
    ("venue",),
    "Orders about which nothing is proved right now, by venue.",
)
SENTINEL_ALIVE: Final = _gauge(
    "executor_sentinel_alive",
    Unit.FLAG,
    (),
    "1 while the sentinel is heard; absent where none is wanted (sentinel.enabled) and none is there.",
)
WALLET_COIN: Final = _gauge(
    "executor_wallet_coin", Unit.COIN, ("coin",), "Balance of the venue's wallet as it last told, coin units."
)
UNKNOWN_ORDERS: Final = _gauge(
    "executor_unknown_orders", Unit.COUNT, (), "Orders about which nothing is proved right now."
)
UNKNOWN_AGE_SECONDS: Final = _gauge(
    "executor_unknown_order_age_seconds", Unit.SECONDS, (), "Age of the oldest order in doubt; 0 without one."
)
MARKET_BLOCKED: Final = _gauge(
    "executor_market_blocked",
    Unit.FLAG,
    _MARKET,
    "1 while nothing may be opened in a market until a person has looked.",
)
OPEN_PARENTS: Final = _gauge(
    "executor_open_parents", Unit.COUNT, ("status",), "Parents that have not ended, by status."
)
OPEN_ROUTES: Final = _gauge(
    "executor_open_routes", Unit.COUNT, ("status",), "Routed orders that have not ended, by status."
)
START_TIME_SECONDS: Final = _gauge(
    "executor_start_time_seconds", Unit.SECONDS, (), "When this incarnation began, UTC seconds since 1970."
)
BUILD_INFO: Final = _gauge("executor_build_info", Unit.FLAG, ("version", "venue"), "1, with what is running.")
RESIDENT_BYTES: Final = _gauge(
    "executor_process_resident_bytes",
    Unit.BYTES,
    (),
    "Memory of the daemon that is in use; absent where it is not told.",
)
CLOCK_OFFSET_SECONDS: Final = _gauge(
    "executor_clock_offset_seconds",
    Unit.SECONDS,
    (),
    "The venue's clock minus ours, as last measured; absent before and on paper.",
)
REQUESTS_USED_RATIO: Final = _gauge(
    "executor_requests_used_ratio",
    Unit.RATIO,
    ("budget",),
    "Requests sent over what the venue allows: for each kind of order request in a second, for the whole address in"
    " five; 1 is exhausted.",
)
HALT_LATCHED: Final = _gauge("executor_halt_latched", Unit.FLAG, (), "1 while the stop is pulled.")
RECONCILED: Final = _gauge(
    "executor_reconciled",
    Unit.FLAG,
    ("category",),
    "1 once the venue was read completely in this incarnation.",
)
LIMIT_USED_RATIO: Final = _gauge(
    "executor_limit_used_ratio",
    Unit.RATIO,
    ("limit",),
    "Use of a limit over the limit, of all that fill up over time or with size; 1 is exhausted. Where a limit holds for"
    " each parent or symbol, the one that uses most of it.",
)
ADVICE_QUESTIONS_OUT: Final = _gauge(
    "executor_advice_questions_out",
    Unit.COUNT,
    (),
    "Calls of the model under way, also those that nobody waits for any more; absent without a model.",
)
ADVICE_BREAKER_STATE: Final = _gauge(
    "executor_advice_breaker_state",
    Unit.FLAG,
    ("phase",),
    "1 for the phase the breaker is in, 0 for the rest; while OPEN nobody is asked; absent without a model.",
)
ADVICE_PERIODS: Final = _gauge(
    "executor_advice_periods",
    Unit.COUNT,
    _MARKET,
    "Periods under advice that are scored, of all parents so far; the figures below are absent without data.",
)
ADVICE_VALUE_BPS: Final = _gauge(
    "executor_advice_value_bps",
    Unit.BPS,
    _MARKET,
    "Value of following advice against the schedule alone, its bill taken off, of what was due or traded in those"
    " periods (the larger of the two in each); positive is money saved.",
)
ADVICE_VALUE_ERROR_BPS: Final = _gauge(
    "executor_advice_value_error_bps",
    Unit.BPS,
    _MARKET,
    "Standard error of that value, of the same base; absent below two periods.",
)
ADVICE_USUAL_COST_BPS: Final = _gauge(
    "executor_advice_usual_cost_bps",
    Unit.BPS,
    (*_MARKET, "source"),
    "What the schedule alone pays, as the value is reckoned: MEASURED without advice, or TOUCH, which is assumed.",
)
ADVICE_IMPACT_ORDERS: Final = _gauge(
    "executor_advice_impact_orders",
    Unit.COUNT,
    _MARKET,
    "Completed orders whose predicted impact was compared.",
)
ADVICE_IMPACT_PREDICTED_BPS: Final = _gauge(
    "executor_advice_impact_predicted_bps",
    Unit.BPS,
    (*_MARKET, "estimate"),
    "Mean impact predicted for those: plain as told, adjusted as the model leaned it.",
)
ADVICE_MID_SLIPPAGE_BPS: Final = _gauge(
    "executor_advice_mid_slippage_bps",
    Unit.BPS,
    _MARKET,
    "Mean distance of the mids at the fills of those orders from the mid at the prediction: their impact and, mostly,"
    " what the market did anyway; positive is a cost.",
)
ADVICE_IMPACT_DISTANCE_BPS: Final = _gauge(
    "executor_advice_impact_distance_bps",
    Unit.BPS,
    (*_MARKET, "estimate"),
    "Mean distance of that slippage of the mids from the prediction; the adjustment helps where its is the smaller.",
)
ADVICE_IMPACT_COVERAGE_RATIO: Final = _gauge(
    "executor_advice_impact_coverage_ratio",
    Unit.RATIO,
    _MARKET,
    "Share of the predicted ranges that held that slippage of the mids, 0 to 1.",
)

METRICS: Final = (
    ORDERS_PLACED,
    ORDERS_ACKED,
    AMENDS_SENT,
    AMENDS_RESOLVED,
    ORDERS_REJECTED,
    ORDERS_REFUSED,
    OUTCOMES_UNKNOWN,
    FILLS,
    FILLED_BASE,
    FILLED_QUOTE,
    ALERTS,
    RECONCILE_FAILURES,
    CAPTURE_FRAMES,
    CAPTURE_BYTES,
    CAPTURE_DROPPED,
    CAPTURE_ERRORS,
    RECONNECTS,
    ADVICE_OUTCOMES,
    ADVICE_ANSWERED,
    ADVICE_LATE,
    ADVICE_BRIDGED,
    ADVICE_INVALID,
    ADVICE_FAILED,
    ADVICE_NOT_ASKED,
    ADVICE_OVER_BUDGET,
    ADVICE_CLIPPED,
    ADVICE_ADAPTATIONS,
    ADVICE_TOKENS,
    ADVICE_COST,
    VENUE_ORDERS,
    VENUE_QUESTIONS,
    VENUE_BARRED,
    NOTICES,
    CALIBRATIONS,
    ACK_SECONDS,
    ENGINE_CALL_SECONDS,
    JOURNAL_COMMIT_SECONDS,
    LOOP_LAG_SECONDS,
    ADVICE_LATENCY_SECONDS,
    ADVICE_CONFIDENCE,
    INBOX_DEPTH,
    PARENT_INFO,
    PARENT_STATE,
    PARENT_LEAVES_BASE,
    PARENT_DONE_RATIO,
    PARENT_SCHEDULED_RATIO,
    PARENT_DEVIATION_RATIO,
    PARENT_SHORTFALL_BPS,
    PARENT_PARTICIPATION_RATIO,
    PARENT_TIME_LEFT_SECONDS,
    PARENT_PRICE_QUOTE,
    PARENT_SLIPPAGE_BPS,
    PARENT_COST_BPS,
    PARENT_TOTAL_SHORTFALL_BPS,
    PARENT_MARK_OUT_BPS,
    PARENT_REVERSION_BPS,
    PARENT_MAKER_RATIO,
    PARENT_SPREAD_CAPTURED_BPS,
    PARENT_HIT_RATIO,
    PARENT_FORECAST_BPS,
    PARENT_FIGURES_AGE_SECONDS,
    MARKET_SPREAD_BPS,
    BOOK_AGE_SECONDS,
    REFERENCE_GAP_BPS,
    STREAM_UP,
    VENUE_RESTRICTED,
    VENUE_LINK_UP,
    VENUE_READ_AGE_SECONDS,
    VENUE_UNKNOWN_ORDERS,
    SENTINEL_ALIVE,
    WALLET_COIN,
    UNKNOWN_ORDERS,
    UNKNOWN_AGE_SECONDS,
    MARKET_BLOCKED,
    OPEN_PARENTS,
    OPEN_ROUTES,
    START_TIME_SECONDS,
    BUILD_INFO,
    RESIDENT_BYTES,
    CLOCK_OFFSET_SECONDS,
    REQUESTS_USED_RATIO,
    HALT_LATCHED,
    RECONCILED,
    LIMIT_USED_RATIO,
    ADVICE_QUESTIONS_OUT,
    ADVICE_BREAKER_STATE,
    ADVICE_PERIODS,
    ADVICE_VALUE_BPS,
    ADVICE_VALUE_ERROR_BPS,
    ADVICE_USUAL_COST_BPS,
    ADVICE_IMPACT_ORDERS,
    ADVICE_IMPACT_PREDICTED_BPS,
    ADVICE_MID_SLIPPAGE_BPS,
    ADVICE_IMPACT_DISTANCE_BPS,
    ADVICE_IMPACT_COVERAGE_RATIO,
)
