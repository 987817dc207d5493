"""What the Grafana boards show: Overview, Parent order, Adviser, Safety, System.

Every name is taken from `executor.runtime.metrics`: a metric that is renamed cannot leave an empty panel behind.
"""

from typing import Final

from deploy.panels import Board, Hue, Panel, Query, Row, Show, bars, lines, number
from executor.runtime import metrics as m
from executor.runtime.metrics import Metric

_ALL: Final = 'instance=~"$instance"'
_ONE: Final = 'instance=~"$instance", parent_id="$parent"'
_GOOD_BAD: Final = ((None, Hue.GOOD), (1.0, Hue.BAD))
_BAD_GOOD: Final = ((None, Hue.BAD), (1.0, Hue.GOOD))
_SHARE: Final = ((None, Hue.GOOD), (0.7, Hue.LOOK), (0.9, Hue.BAD))
_BPS: Final = "suffix: bps"
_LOUD: Final = 'severity=~"WARNING|CRITICAL"'
_ALONE: Final = 'outcome=~"LATE|UNUSABLE|FAILED|NOT_ASKED"'
_ASKED: Final = 'outcome!="ENDED"'
_YES_NO: Final = ((0, "no"), (1, "yes"))


def _of(metric: Metric, more: str = "") -> str:
    """Series of the chosen daemons."""
    return f"{metric.name}{{{_ALL}{', ' + more if more else ''}}}"


def _mine(metric: Metric, more: str = "") -> str:
    """Series of the chosen parent."""
    return f"{metric.name}{{{_ONE}{', ' + more if more else ''}}}"


def _rate(metric: Metric, by: str) -> str:
    """Events a minute."""
    return f"sum by ({by}) (rate({_of(metric)}[$__rate_interval])) * 60"


def _quantile(metric: Metric, share: float) -> str:
    return (
        f"histogram_quantile({share}, sum by (le) (rate({metric.name}_bucket{{{_ALL}}}[$__rate_interval])))"
    )


def _times(metric: Metric, title: str, text: str, bar_s: float) -> Panel:
    """Median and 99th percentile of a duration, with the value from which on one looks."""
    return lines(
        title,
        text,
        "s",
        *(
            Query(expr=_quantile(metric, share), legend=name)
            for share, name in ((0.5, "median"), (0.99, "99 %"))
        ),
        steps=((None, Hue.GOOD), (bar_s, Hue.BAD)),
        low=0,
    )


def _within_1h(metric: Metric, more: str = "", by: str = "") -> str:
    """How many came within an hour. A series that is younger began with the first, which is no increase of it."""
    series = _of(metric, more)
    known, new = f"increase({series}[1h]) and {series} offset 1h", f"{series} unless {series} offset 1h"
    return f"sum{f' by ({by}) ' if by else ''}(({known}) or ({new}))"


_HALTED: Final = number(
    "Stop",
    "Whether the stop is pulled: nothing is opened until a person rearms.",
    "short",
    Query(expr=f"max({_of(m.HALT_LATCHED)})"),
    steps=_GOOD_BAD,
    words=((0, "armed"), (1, "HALTED")),
)
_STREAMS: Final = number(
    "Streams",
    "Whether every connection to the venue is live.",
    "short",
    Query(expr=f"min({_of(m.STREAM_UP)})"),
    steps=_BAD_GOOD,
    words=((0, "DOWN"), (1, "live")),
)
_SENTINEL: Final = number(
    "Sentinel",
    "Whether the process that cancels everything when the daemon falls silent is heard; empty where none is wanted.",
    "short",
    Query(expr=f"min({_of(m.SENTINEL_ALIVE)})"),
    steps=_BAD_GOOD,
    words=((0, "SILENT"), (1, "alive")),
)
_UNKNOWN: Final = number(
    "Orders in doubt",
    "Orders about which nothing is proved right now; their quantity stays reserved.",
    "short",
    Query(expr=f"sum({_of(m.UNKNOWN_ORDERS)})"),
    steps=_GOOD_BAD,
)
_LIMITS: Final = bars(
    "Limits in use",
    "Used over allowed, of every limit that fills up; at 100 % the gate refuses.",
    "percentunit",
    Query(expr=f"max by (limit) ({_of(m.LIMIT_USED_RATIO)})", legend="{{limit}}"),
    steps=_SHARE,
    low=0,
    high=1,
)
_REFUSALS: Final = lines(
    "Refused by our own gate",
    "Orders a minute that the gate refused, by reason. A few are normal: the gate holds back what would break a limit.",
    "suffix: /min",
    Query(expr=_rate(m.ORDERS_REFUSED, "reason"), legend="{{reason}}", rare=True),
    low=0,
)

OVERVIEW: Final = Board(
    uid="executor-overview",
    title="Executor: overview",
    text="Is it well, what does it work on, what does it cost.",
    rows=(
        Row(
            title="Is it well",
            panels=(
                _HALTED,
                _STREAMS,
                _SENTINEL,
                _UNKNOWN,
                number(
                    "Open parents",
                    "Parent orders that have not ended.",
                    "short",
                    Query(expr=f"sum({_of(m.OPEN_PARENTS)})"),
                ),
                number(
                    "Alerts, last hour",
                    "Alerts of severity warning or critical that the engine raised.",
                    "short",
                    Query(expr=f"{_within_1h(m.ALERTS, _LOUD)} or vector(0)"),
                    steps=((None, Hue.GOOD), (1.0, Hue.LOOK)),
                    decimals=0,
                ),
            ),
        ),
        Row(
            title="Parent orders",
            panels=(
                bars(
                    "Done",
                    "Filled over ordered quantity of each parent that works or ended in the last ten minutes.",
                    "percentunit",
                    Query(expr=_of(m.PARENT_DONE_RATIO), legend="{{parent_id}}"),
                    low=0,
                    high=1,
                ),
                bars(
                    "Against the schedule",
                    "Done minus scheduled, of the ordered quantity; negative is late.",
                    "percentunit",
                    Query(expr=_of(m.PARENT_DEVIATION_RATIO), legend="{{parent_id}}"),
                    steps=((None, Hue.BAD), (-0.1, Hue.LOOK), (-0.03, Hue.GOOD)),
                    low=-0.2,
                    high=0.2,
                ),
                lines(
                    "Shortfall against arrival",
                    "Cost so far against the arrival price, the rest at the mid, without fees; positive is a cost.",
                    _BPS,
                    Query(expr=_of(m.PARENT_SHORTFALL_BPS), legend="{{parent_id}}"),
                    steps=((None, Hue.GOOD), (50.0, Hue.BAD)),
                ),
                lines(
                    "By state",
                    "Open parents by the state that they are in, and routed orders, whose legs are parents too.",
                    "short",
                    Query(expr=f"sum by (status) ({_of(m.OPEN_PARENTS)})", legend="{{status}}"),
                    Query(
                        expr=f"sum by (status) ({_of(m.OPEN_ROUTES)})", legend="routed {{status}}", rare=True
                    ),
                    stacked=True,
                    low=0,
                ),
            ),
        ),
        Row(
            title="Trading",
            panels=(
                lines(
                    "Orders",
                    "Create requests a minute: sent, taken by the venue, refused by the venue.",
                    "suffix: /min",
                    Query(expr=_rate(m.ORDERS_PLACED, "style"), legend="sent {{style}}"),
                    Query(
                        expr=_rate(m.ORDERS_REJECTED, "code_class"),
                        legend="rejected {{code_class}}",
                        rare=True,
                    ),
                    low=0,
                ),
                lines(
                    "Filled value",
                    "Value of fills a minute in quote units, by symbol and by who waited.",
                    "suffix: /min",
                    Query(expr=_rate(m.FILLED_QUOTE, "symbol, liquidity"), legend="{{symbol}} {{liquidity}}"),
                    stacked=True,
                    low=0,
                ),
                lines(
                    "Spread",
                    "Width of the touch relative to the mid.",
                    _BPS,
                    Query(expr=_of(m.MARKET_SPREAD_BPS), legend="{{category}} {{symbol}}"),
                    low=0,
                ),
                _LIMITS,
            ),
        ),
    ),
)

PARENT: Final = Board(
    uid="executor-parent",
    title="Executor: parent order",
    text="One parent order: how far, at which prices, what it costs and why.",
    of_parents=True,
    rows=(
        Row(
            title="How far",
            panels=(
                Panel(
                    title="State",
                    text="What the parent is, and the state it is in.",
                    show=Show.TABLE,
                    unit="short",
                    queries=(
                        Query(
                            expr=f"({_mine(m.PARENT_STATE)} == 1) * on (parent_id, instance) group_left"
                            f" (symbol, side, strategy, category) {_mine(m.PARENT_INFO)}"
                        ),
                    ),
                    width=8,
                    height=4,
                ),
                number(
                    "Done",
                    "Filled over ordered quantity.",
                    "percentunit",
                    Query(expr=_mine(m.PARENT_DONE_RATIO)),
                    decimals=1,
                ),
                number(
                    "Left",
                    "Quantity left to fill, base units.",
                    "short",
                    Query(expr=_mine(m.PARENT_LEAVES_BASE)),
                ),
                number(
                    "Time left",
                    "Until the deadline.",
                    "s",
                    Query(expr=_mine(m.PARENT_TIME_LEFT_SECONDS)),
                ),
                number(
                    "Shortfall",
                    "Against the decision price, fees included, what is left valued at the mid; positive is a cost.",
                    _BPS,
                    Query(expr=_mine(m.PARENT_TOTAL_SHORTFALL_BPS)),
                    steps=((None, Hue.GOOD), (20.0, Hue.LOOK), (50.0, Hue.BAD)),
                    decimals=2,
                ),
                lines(
                    "Executed against scheduled",
                    "Shares of the ordered quantity.",
                    "percentunit",
                    Query(expr=_mine(m.PARENT_DONE_RATIO), legend="executed"),
                    Query(expr=_mine(m.PARENT_SCHEDULED_RATIO), legend="scheduled"),
                    low=0,
                    high=1,
                ),
                lines(
                    "Participation and maker share",
                    "Own share of the market's volume during the life, share of the filled quantity that waited in the"
                    " book, and share of the child orders that were filled at least in part.",
                    "percentunit",
                    Query(expr=_mine(m.PARENT_PARTICIPATION_RATIO), legend="participation"),
                    Query(expr=_mine(m.PARENT_MAKER_RATIO), legend="maker share"),
                    Query(expr=_mine(m.PARENT_HIT_RATIO), legend="orders hit"),
                    low=0,
                    high=1,
                ),
            ),
        ),
        Row(
            title="Prices and cost",
            panels=(
                lines(
                    "Prices",
                    "Decision, arrival, average of the fills, the market's volume-weighted price without ours, the"
                    " time-weighted mid, and the last mid.",
                    "short",
                    Query(expr=_mine(m.PARENT_PRICE_QUOTE), legend="{{benchmark}}"),
                ),
                lines(
                    "Against benchmarks",
                    "Average price of the fills against each benchmark; positive is a cost.",
                    _BPS,
                    Query(expr=_mine(m.PARENT_SLIPPAGE_BPS), legend="{{benchmark}}"),
                ),
                lines(
                    "Where the cost comes from",
                    "The seven parts of the shortfall; they add up to it.",
                    _BPS,
                    Query(expr=_mine(m.PARENT_COST_BPS), legend="{{part}}"),
                    stacked=True,
                ),
                lines(
                    "Forecast and cost",
                    "What the order was expected to cost when it began, where that will plausibly be, and its cost"
                    " against arrival so far.",
                    _BPS,
                    Query(expr=_mine(m.PARENT_FORECAST_BPS), legend="forecast {{estimate}}"),
                    Query(expr=_mine(m.PARENT_SHORTFALL_BPS), legend="so far"),
                ),
                bars(
                    "Mark-outs",
                    "What the fills were worth so many seconds later, of their value; positive is a gain.",
                    _BPS,
                    Query(expr=_mine(m.PARENT_MARK_OUT_BPS), legend="{{horizon_s}} s"),
                    steps=((None, Hue.BAD), (0.0, Hue.GOOD)),
                ),
                lines(
                    "Spread captured and reversion",
                    "Fills against the mid before each (positive is earned), and how far the mid came back afterwards.",
                    _BPS,
                    Query(expr=_mine(m.PARENT_SPREAD_CAPTURED_BPS), legend="spread captured"),
                    Query(expr=_mine(m.PARENT_REVERSION_BPS), legend="reversion", rare=True),
                ),
            ),
        ),
    ),
)

ADVISER: Final = Board(
    uid="executor-adviser",
    title="Executor: adviser",
    text="The language model: does it answer, what does it advise, what does it cost, is it worth it.",
    rows=(
        Row(
            title="Does it answer",
            panels=(
                lines(
                    "Questions by outcome",
                    "Questions a minute that have ended, by how.",
                    "suffix: /min",
                    Query(expr=_rate(m.ADVICE_OUTCOMES, "outcome"), legend="{{outcome}}"),
                    stacked=True,
                    low=0,
                ),
                lines(
                    "Share in which the schedule decided alone",
                    "Late, unusable, failed and not asked, over all questions but those whose order ended.",
                    "percentunit",
                    Query(
                        expr=(
                            f"sum(rate({_of(m.ADVICE_OUTCOMES, _ALONE)}"
                            f"[$__rate_interval])) / sum(rate({_of(m.ADVICE_OUTCOMES, _ASKED)}"
                            "[$__rate_interval]))"
                        ),
                        legend="fallback",
                        rare=True,
                    ),
                    steps=((None, Hue.GOOD), (0.3, Hue.LOOK), (0.7, Hue.BAD)),
                    low=0,
                    high=1,
                ),
                _times(m.ADVICE_LATENCY_SECONDS, "Latency", "From the question to whatever came back.", 8.0),
                lines(
                    "Breaker and calls under way",
                    "While the breaker is OPEN nobody is asked.",
                    "short",
                    Query(expr=_of(m.ADVICE_BREAKER_STATE), legend="breaker {{phase}}"),
                    Query(expr=_of(m.ADVICE_QUESTIONS_OUT), legend="calls under way"),
                    low=0,
                ),
            ),
        ),
        Row(
            title="What it advises",
            panels=(
                lines(
                    "Actions",
                    "Usable answers in time a minute, by what they advise.",
                    "suffix: /min",
                    Query(expr=_rate(m.ADVICE_ANSWERED, "action"), legend="{{action}}"),
                    stacked=True,
                    low=0,
                ),
                lines(
                    "Confidence",
                    "Median and lowest tenth of the confidence of usable answers.",
                    "percentunit",
                    Query(expr=_quantile(m.ADVICE_CONFIDENCE, 0.5), legend="median"),
                    Query(expr=_quantile(m.ADVICE_CONFIDENCE, 0.1), legend="lowest tenth"),
                    low=0,
                    high=1,
                ),
                lines(
                    "Answers without effect, and clipped",
                    "Answers a minute that were refused, by why, and differences between advice and what holds.",
                    "suffix: /min",
                    Query(expr=_rate(m.ADVICE_INVALID, "reason"), legend="refused {{reason}}", rare=True),
                    Query(expr=_rate(m.ADVICE_CLIPPED, "clip"), legend="clipped {{clip}}", rare=True),
                    low=0,
                ),
                lines(
                    "Not asked",
                    "Questions a minute that were not sent, by why.",
                    "suffix: /min",
                    Query(expr=_rate(m.ADVICE_NOT_ASKED, "reason"), legend="{{reason}}", rare=True),
                    low=0,
                ),
            ),
        ),
        Row(
            title="What it costs and is worth",
            panels=(
                lines(
                    "Money",
                    "What advice has cost by the price table, dollars an hour.",
                    "currencyUSD",
                    Query(expr=f"sum(rate({_of(m.ADVICE_COST)}[$__rate_interval])) * 3600", legend="an hour"),
                    low=0,
                ),
                lines(
                    "Tokens",
                    "Tokens a minute of the calls that came back.",
                    "suffix: /min",
                    Query(expr=_rate(m.ADVICE_TOKENS, "kind"), legend="{{kind}}"),
                    low=0,
                ),
                lines(
                    "Worth against the schedule alone",
                    "Value of following advice, its bill taken off, and its standard error; positive is money saved.",
                    _BPS,
                    Query(expr=_of(m.ADVICE_VALUE_BPS), legend="{{symbol}}", rare=True),
                    Query(expr=_of(m.ADVICE_VALUE_ERROR_BPS), legend="error {{symbol}}", rare=True),
                ),
                lines(
                    "Impact: predicted, leaned, met",
                    "Mean impact predicted, plainly and as the model leaned it, and mean move of mids at the fills.",
                    _BPS,
                    Query(
                        expr=_of(m.ADVICE_IMPACT_PREDICTED_BPS), legend="{{estimate}} {{symbol}}", rare=True
                    ),
                    Query(expr=_of(m.ADVICE_MID_SLIPPAGE_BPS), legend="met {{symbol}}", rare=True),
                ),
            ),
        ),
    ),
)

SAFETY: Final = Board(
    uid="executor-safety",
    title="Executor: safety",
    text="What holds orders back, what is in doubt, and whether we and the venue agree.",
    rows=(
        Row(
            title="Now",
            panels=(
                _HALTED,
                _SENTINEL,
                _UNKNOWN,
                number(
                    "Oldest doubt",
                    "Age of the oldest order about which nothing is proved.",
                    "s",
                    Query(expr=f"max({_of(m.UNKNOWN_AGE_SECONDS)})"),
                    steps=((None, Hue.GOOD), (30.0, Hue.LOOK), (120.0, Hue.BAD)),
                ),
                number(
                    "Reconciled",
                    "Whether the venue was read completely in this incarnation, every category.",
                    "short",
                    Query(expr=f"min({_of(m.RECONCILED)})"),
                    steps=_BAD_GOOD,
                    words=_YES_NO,
                ),
                number(
                    "Blocked markets",
                    "Markets in which nothing is opened until a person has looked.",
                    "short",
                    Query(expr=f"sum({_of(m.MARKET_BLOCKED)})"),
                    steps=_GOOD_BAD,
                ),
            ),
        ),
        Row(
            title="The gate",
            panels=(
                _LIMITS,
                _REFUSALS,
                lines(
                    "Refused by the venue",
                    "Create requests a minute that the venue refused, by the thousand of its code.",
                    "suffix: /min",
                    Query(expr=_rate(m.ORDERS_REJECTED, "code_class"), legend="{{code_class}}", rare=True),
                    low=0,
                ),
                lines(
                    "Outcomes unknown",
                    "Create requests a minute whose outcome was not known at first.",
                    "suffix: /min",
                    Query(
                        expr=f"sum(rate({_of(m.OUTCOMES_UNKNOWN)}[$__rate_interval])) * 60", legend="unknown"
                    ),
                    steps=((None, Hue.GOOD), (1.0, Hue.LOOK)),
                    low=0,
                ),
            ),
        ),
        Row(
            title="Do we agree with the venue",
            panels=(
                lines(
                    "Alerts",
                    "Alerts within the hour before, by code.",
                    "short",
                    Query(
                        expr=_within_1h(m.ALERTS, by="code, severity"),
                        legend="{{severity}} {{code}}",
                        rare=True,
                    ),
                    low=0,
                ),
                lines(
                    "Incomplete reads",
                    "Reads of the venue a minute from which nothing could be concluded.",
                    "suffix: /min",
                    Query(expr=_rate(m.RECONCILE_FAILURES, "category"), legend="{{category}}", rare=True),
                    low=0,
                ),
                lines(
                    "Second opinions",
                    "Distance of other prices (mark, index, other venues) from our mid.",
                    _BPS,
                    Query(expr=_of(m.REFERENCE_GAP_BPS), legend="{{symbol}} {{source}}"),
                    steps=((None, Hue.GOOD), (100.0, Hue.LOOK), (200.0, Hue.BAD)),
                    low=0,
                ),
                lines(
                    "Notices to people",
                    "Notices within the hour before by way, and what became of them; failed or dropped ones did not"
                    " reach anybody.",
                    "short",
                    Query(
                        expr=_within_1h(m.NOTICES, by="way, outcome"),
                        legend="{{way}} {{outcome}}",
                        rare=True,
                    ),
                    low=0,
                ),
                lines(
                    "Amendments",
                    "Amend requests a minute: sent, and what is proved of them.",
                    "suffix: /min",
                    Query(expr=_rate(m.AMENDS_SENT, "symbol"), legend="sent {{symbol}}", rare=True),
                    Query(expr=_rate(m.AMENDS_RESOLVED, "outcome"), legend="{{outcome}}", rare=True),
                    low=0,
                ),
            ),
        ),
    ),
)

SYSTEM: Final = Board(
    uid="executor-system",
    title="Executor: system",
    text="The process and its way to the venue.",
    rows=(
        Row(
            title="The process",
            panels=(
                Panel(
                    title="Running",
                    text="Version and venue of each daemon.",
                    show=Show.TABLE,
                    unit="short",
                    queries=(Query(expr=_of(m.BUILD_INFO)),),
                    width=8,
                    height=4,
                ),
                number(
                    "Up for",
                    "Since this incarnation began.",
                    "s",
                    Query(expr=f"time() - max({_of(m.START_TIME_SECONDS)})"),
                    width=8,
                ),
                number(
                    "Memory",
                    "Resident memory of the daemon.",
                    "bytes",
                    Query(expr=f"max({_of(m.RESIDENT_BYTES)})"),
                    width=8,
                ),
                _times(
                    m.LOOP_LAG_SECONDS, "Loop lag", "How late the event loop came to something due.", 0.05
                ),
                _times(m.ENGINE_CALL_SECONDS, "Engine call", "Time the engine took for one event.", 0.005),
                _times(m.JOURNAL_COMMIT_SECONDS, "Journal commit", "Time of one durable commit.", 0.05),
                lines(
                    "Inbox",
                    "Events that wait for the engine.",
                    "short",
                    Query(expr=_of(m.INBOX_DEPTH), legend="{{instance}}"),
                    low=0,
                ),
            ),
        ),
        Row(
            title="The way to the venue",
            panels=(
                lines(
                    "Connections",
                    "1 while a connection is live.",
                    "short",
                    Query(expr=_of(m.STREAM_UP), legend="{{stream}} {{category}}"),
                    low=0,
                    high=1,
                ),
                lines(
                    "Made again",
                    "Connections an hour that were made again after a loss.",
                    "suffix: /h",
                    Query(
                        expr=f"sum by (stream) (rate({_of(m.RECONNECTS)}[$__rate_interval])) * 3600",
                        legend="{{stream}}",
                        rare=True,
                    ),
                    low=0,
                ),
                lines(
                    "Age of the book",
                    "Since the engine saw a sound book.",
                    "s",
                    Query(expr=_of(m.BOOK_AGE_SECONDS), legend="{{category}} {{symbol}}"),
                    steps=((None, Hue.GOOD), (2.0, Hue.BAD)),
                    low=0,
                ),
                _times(
                    m.ACK_SECONDS, "Acknowledgement", "From the decision to the venue's acknowledgement.", 1.0
                ),
                lines(
                    "Clock",
                    "The venue's clock minus ours.",
                    "s",
                    Query(expr=_of(m.CLOCK_OFFSET_SECONDS), legend="{{instance}}"),
                    steps=((None, Hue.BAD), (-1.0, Hue.GOOD), (1.0, Hue.BAD)),
                ),
                bars(
                    "Requests in use",
                    "Requests sent over what the venue allows.",
                    "percentunit",
                    Query(expr=f"max by (budget) ({_of(m.REQUESTS_USED_RATIO)})", legend="{{budget}}"),
                    steps=_SHARE,
                    low=0,
                    high=1,
                ),
                lines(
                    "Recording",
                    "Messages a second that the recording of public streams took, lost, and could not write.",
                    "suffix: /s",
                    Query(expr=f"sum(rate({_of(m.CAPTURE_FRAMES)}[$__rate_interval]))", legend="taken"),
                    Query(expr=f"sum(rate({_of(m.CAPTURE_DROPPED)}[$__rate_interval]))", legend="lost"),
                    low=0,
                ),
                lines(
                    "Wallet",
                    "Balances of the venue's wallet as it last told, in units of each coin.",
                    "short",
                    Query(expr=_of(m.WALLET_COIN), legend="{{coin}}"),
                ),
            ),
        ),
        Row(
            title="Venues",
            panels=(
                lines(
                    "Orders by venue",
                    "Create requests a minute by venue, and what was known of them first.",
                    "suffix: /min",
                    Query(
                        expr=f"sum by (venue, outcome) (rate({_of(m.VENUE_ORDERS)}[$__rate_interval])) * 60",
                        legend="{{venue}} {{outcome}}",
                    ),
                    low=0,
                ),
                lines(
                    "In doubt",
                    "Orders about which nothing is proved right now, by venue.",
                    "short",
                    Query(expr=f"max by (venue) ({_of(m.VENUE_UNKNOWN_ORDERS)})", legend="{{venue}}"),
                    low=0,
                ),
                lines(
                    "Links to other venues",
                    "1 while our orders are heard of (private), can be sent (trade), and nothing bars us (allowed).",
                    "short",
                    Query(expr=_of(m.VENUE_LINK_UP), legend="{{venue}} {{link}}", rare=True),
                    low=0,
                    high=1,
                ),
                lines(
                    "Read of other venues",
                    "Since account, clock and markets of another venue were last read whole.",
                    "s",
                    Query(expr=_of(m.VENUE_READ_AGE_SECONDS), legend="{{venue}} {{what}}", rare=True),
                    low=0,
                ),
                lines(
                    "Questions to other venues",
                    "Questions a minute, answered whole or not, and how often a venue asked for fewer.",
                    "suffix: /min",
                    Query(
                        expr=f"sum by (venue, outcome) (rate({_of(m.VENUE_QUESTIONS)}[$__rate_interval])) * 60",
                        legend="{{venue}} {{outcome}}",
                        rare=True,
                    ),
                    Query(
                        expr=f"sum by (venue) (rate({_of(m.VENUE_BARRED)}[$__rate_interval])) * 60",
                        legend="{{venue}} barred",
                        rare=True,
                    ),
                    low=0,
                ),
            ),
        ),
    ),
)

BOARDS: Final = (OVERVIEW, PARENT, ADVISER, SAFETY, SYSTEM)
