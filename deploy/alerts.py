"""Alert and recording rules for Prometheus, each alert with what to do about it and cases in which it fires and not.

The rules, their tests and the pages of the runbook are written from this list (`python -m deploy.write`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from executor.runtime import metrics as m

JOB: Final = "executor"


class Level(StrEnum):
    """How soon a person looks."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series that are given, in promtool's notation, and whether the alert then fires.

    Parameters
    ----------
    series
        Name with labels, and its values, one every 15 seconds.
    at_min
        When it is looked, minutes.
    """

    series: tuple[tuple[str, str], ...]
    at_min: int
    fires: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert.

    Parameters
    ----------
    expr
        PromQL; the alert fires where it has held for `held`.
    summary
        One line; `{{ $labels.x }}` stands for a label.
    means
        What has happened, in words.
    do
        What a person does, step by step.
    cases
        At least one that fires and one that does not.
    """

    name: str
    expr: str
    held: str
    level: Level
    summary: str
    means: str
    do: tuple[str, ...]
    cases: tuple[Case, ...]


_AT: Final = '{instance="a:8723",job="executor"'


def _series(name: str, values: str, labels: str = "") -> tuple[str, str]:
    return f"{name}{_AT}{',' + labels if labels else ''}}}", values


def _came(selector: str, window: str) -> str:
    """Whether it happened within a window; the first time is an increase of nothing, because there was no series."""
    return f"increase({selector}[{window}]) > 0 or ({selector} unless {selector} offset {window}) > 0"


def _pair(
    name: str,
    bad: str,
    good: str,
    *,
    labels: str = "",
    at_min: int = 10,
    more: tuple[tuple[str, str], ...] = (),
) -> tuple[Case, ...]:
    """A case that fires and one that does not, of one series."""
    return (
        Case(series=(_series(name, bad, labels), *more), at_min=at_min, fires=True),
        Case(series=(_series(name, good, labels), *more), at_min=at_min, fires=False),
    )


def _first_or_again(name: str, labels: str, good: str) -> tuple[Case, ...]:
    """Cases of what is alerted about each time it comes: again, for the first time, and not."""
    series = _series(name, good, labels)
    return (
        *_pair(name, "0x4 1x60", "0x60", labels=labels, at_min=8),
        Case(series=(_series(name, "_x20 1x60", labels),), at_min=8, fires=True),
        Case(series=(series,), at_min=14, fires=False),
    )


_STATUS: Final = "`executor status`: it says what holds trading back, and since when."
_LOG: Final = "Read the log of that minute; every line of a parent carries its id."
_NOTHING: Final = "Nothing has to be done to protect the account: while in doubt the daemon opens nothing."

ALERTS: Final = (
    Alert(
        name="ExecutorDown",
        expr=f'up{{job="{JOB}"}} == 0',
        held="30s",
        level=Level.PAGE,
        summary="{{ $labels.instance }} does not answer.",
        means="Prometheus could not read the daemon's metrics. When the heartbeat has ended for as long as"
        " `sentinel.silence_s_max` says, the sentinel cancels all orders of ours.",
        do=(
            "`executor status`, and `systemctl status executor` for the exit code ([list](reference/exit-codes.md)).",
            "`executor doctor` with the same profile and configuration says whether a start would succeed.",
            "Start it again with the same data directory: nothing is traded before the venue was read and agreed.",
        ),
        cases=_pair("up", "1x4 0x40", "1x60"),
    ),
    Alert(
        name="ExecutorRestarting",
        expr=f"changes({m.START_TIME_SECONDS.name}[15m]) > 2",
        held="0s",
        level=Level.PAGE,
        summary="{{ $labels.instance }} began more than twice anew within a quarter of an hour.",
        means="The daemon falls again and again. Each start reads the venue and goes on where it was, but parents stand"
        " still meanwhile.",
        do=("Read the last lines before each start, and the exit code.", "Stop it until the cause is known."),
        cases=_pair(m.START_TIME_SECONDS.name, "1x8 2x8 3x8 4x30", "1x8 2x60"),
    ),
    Alert(
        name="ExecutorHalted",
        expr=f"{m.HALT_LATCHED.name} == 1",
        held="0s",
        level=Level.PAGE,
        summary="The stop of {{ $labels.instance }} is pulled.",
        means="Nothing is opened until a person rearms. Somebody halted it, the sentinel did, or the engine found what"
        " must never be (an over-fill, a broken invariant).",
        do=(
            "`executor status` tells the reason.",
            "If it was not a person: compare positions and open orders with the venue's own page before anything else.",
            "`executor rearm` when the cause is gone; it asks for a name and a reason, and both are kept.",
        ),
        cases=_pair(m.HALT_LATCHED.name, "0x4 1x60", "0x60"),
    ),
    Alert(
        name="ExecutorOverFilled",
        expr=_came(f'{m.ALERTS.name}{{code="OVER_FILL"}}', "10m"),
        held="0s",
        level=Level.PAGE,
        summary="More was executed than was ordered on {{ $labels.instance }}.",
        means="The venue reported executions beyond the quantity of an order. They are booked, and all is halted.",
        do=(
            "Compare the order's executions with the venue's page.",
            "Keep the journal: `executor audit` replays it, and it is the evidence.",
            "Close what is too much by hand if you must, then rearm.",
        ),
        cases=_first_or_again(m.ALERTS.name, 'code="OVER_FILL",severity="CRITICAL"', "1x60"),
    ),
    Alert(
        name="ExecutorDisagreesWithVenue",
        expr=_came(
            f"{m.ALERTS.name}{{code=~"
            '"POSITION_DIFFERS|ORPHAN_FILL|EXECUTION_UNEXPLAINED|FILL_CONFLICT|ORDER_CONFLICT|FOREIGN_ORDERS"}',
            "10m",
        ),
        held="0s",
        level=Level.PAGE,
        summary="{{ $labels.instance }} and the venue do not agree: {{ $labels.code }}.",
        means="A position, an order or an execution is not what our books say. The symbol is blocked: nothing is opened"
        " in it until a person has looked.",
        do=(
            "`executor status` names the symbol and the difference.",
            "Most often somebody traded the same account by hand or with another program: end that.",
            "`executor rearm` when both agree again.",
        ),
        cases=_first_or_again(m.ALERTS.name, 'code="POSITION_DIFFERS",severity="CRITICAL"', "2x60"),
    ),
    Alert(
        name="ExecutorMarketBlocked",
        expr=f"{m.MARKET_BLOCKED.name} == 1",
        held="1m",
        level=Level.PAGE,
        summary="Nothing is opened in {{ $labels.symbol }} on {{ $labels.instance }}.",
        means="Something about the symbol is not explained; see ExecutorDisagreesWithVenue.",
        do=("`executor status` says why and how it is cleared.",),
        cases=_pair(m.MARKET_BLOCKED.name, "0x4 1x60", "0x60", labels='category="linear",symbol="BTCUSDT"'),
    ),
    Alert(
        name="ExecutorOrderInDoubt",
        expr=f"{m.UNKNOWN_AGE_SECONDS.name} > 120",
        held="0s",
        level=Level.PAGE,
        summary="An order of {{ $labels.instance }} is in doubt for {{ $value | humanizeDuration }}.",
        means="A request was not answered, and the venue has not proved since whether the order exists. Its quantity"
        " stays reserved, so that nothing can be sent twice.",
        do=(
            _NOTHING,
            "Look for the order on the venue's page by its client order id (the board shows it: `executor board`).",
            "If the venue does not answer queries, ExecutorStreamDown or ExecutorReconcileFailing says so too.",
        ),
        cases=_pair(m.UNKNOWN_AGE_SECONDS.name, "0x4 100 200x40", "0x4 20 40 60 0x60", at_min=6),
    ),
    Alert(
        name="ExecutorNotReconciled",
        expr=f"{m.RECONCILED.name} == 0",
        held="2m",
        level=Level.PAGE,
        summary="{{ $labels.instance }} has not read the venue completely ({{ $labels.category }}).",
        means="Before the first complete read nothing is opened.",
        do=(_STATUS, "`executor doctor` tries each question by itself and says which fails."),
        cases=_pair(m.RECONCILED.name, "0x60", "0x6 1x60", labels='category="linear"'),
    ),
    Alert(
        name="ExecutorReconcileFailing",
        expr=f"increase({m.RECONCILE_FAILURES.name}[5m]) > 3",
        held="0s",
        level=Level.TICKET,
        summary="Reads of the venue by {{ $labels.instance }} are incomplete ({{ $labels.category }}).",
        means="Questions about orders, executions or positions were not answered whole, so that nothing could be"
        " concluded from them.",
        do=(_LOG, "`executor doctor`.", "See the venue's status page; if it is under maintenance, wait."),
        cases=_pair(m.RECONCILE_FAILURES.name, "0+1x60", "0x20 1x40", labels='category="linear"'),
    ),
    Alert(
        name="ExecutorStreamDown",
        expr=f"{m.STREAM_UP.name} == 0",
        held="30s",
        level=Level.PAGE,
        summary="The {{ $labels.stream }} stream of {{ $labels.instance }} is down.",
        means="A connection to the venue is lost and was not made again at once. Parents pause, what rests is withdrawn"
        " as far as the venue answers.",
        do=(_NOTHING, "Is the network there? Is the venue? `executor doctor` shakes every hand once."),
        cases=_pair(m.STREAM_UP.name, "1x8 0x60", "1x8 0 1x60", labels='stream="PRIVATE",category=""'),
    ),
    Alert(
        name="ExecutorVenueLinkDown",
        expr=f"{m.VENUE_LINK_UP.name} == 0",
        held="1m",
        level=Level.PAGE,
        summary="{{ $labels.instance }} has no {{ $labels.link }} link to the venue {{ $labels.venue }}.",
        means="Of a venue other than Bybit: its account is not read (private), it takes no orders (trade), or it bars"
        " us (allowed). Orders there pause, what rests is withdrawn as far as it answers; other venues trade on.",
        do=(
            _NOTHING,
            "The log names the venue and what it said last.",
            "allowed: it asked for fewer requests; it is left alone for a while, longer if it barred our address.",
        ),
        cases=_pair(
            m.VENUE_LINK_UP.name, "1x8 0x60", "1x8 0 1x60", labels='venue="other",link="private"', at_min=6
        ),
    ),
    Alert(
        name="ExecutorBookStale",
        expr=f"{m.BOOK_AGE_SECONDS.name} > 10",
        held="30s",
        level=Level.TICKET,
        summary="The book of {{ $labels.symbol }} on {{ $labels.instance }} is {{ $value }} s old.",
        means="The order book stands still. A parent in it is paused meanwhile.",
        do=("Does the symbol trade at all?", "Is ExecutorStreamDown firing too?"),
        cases=_pair(
            m.BOOK_AGE_SECONDS.name, "1x8 20x60", "1x8 20 1x60", labels='category="linear",symbol="BTCUSDT"'
        ),
    ),
    Alert(
        name="ExecutorSentinelSilent",
        expr=f"{m.SENTINEL_ALIVE.name} == 0",
        held="30s",
        level=Level.PAGE,
        summary="The sentinel of {{ $labels.instance }} is not heard.",
        means="The process that cancels everything if the daemon dies is wanted (`sentinel.enabled`) and not there."
        " Nothing is opened meanwhile.",
        do=(
            "`systemctl status executor-sentinel`, or start `executor sentinel` with the same data directory.",
        ),
        cases=(
            *_pair(m.SENTINEL_ALIVE.name, "1x8 0x60", "1x60"),
            Case(series=(_series(m.HALT_LATCHED.name, "0x60"),), at_min=10, fires=False),
        ),
    ),
    Alert(
        name="ExecutorVenueRestricted",
        expr=f"{m.VENUE_RESTRICTED.name} == 1",
        held="1m",
        level=Level.PAGE,
        summary="The venue bars or limits {{ $labels.instance }}, or is closed.",
        means="Too many requests, a ban of the address, maintenance, or a key that was refused.",
        do=(_STATUS, "Does another program use the same address or key?"),
        cases=_pair(m.VENUE_RESTRICTED.name, "0x4 1x60", "0x4 1x2 0x60"),
    ),
    Alert(
        name="ExecutorRequestsNearlyUsed",
        expr=f"{m.REQUESTS_USED_RATIO.name} > 0.9",
        held="1m",
        level=Level.TICKET,
        summary="{{ $labels.budget }} of {{ $labels.instance }} is used up to {{ $value | humanizePercentage }}.",
        means="Nearly as many requests are sent as the venue allows; what finds no room waits or is refused by us.",
        do=("Fewer parents at a time, longer slices, or a larger `reprice_ticks`.",),
        cases=_pair(m.REQUESTS_USED_RATIO.name, "0.95x60", "0.5x60", labels='budget="create_derivatives"'),
    ),
    Alert(
        name="ExecutorLimitNearlyUsed",
        expr=f"{m.LIMIT_USED_RATIO.name} > 0.9",
        held="1m",
        level=Level.TICKET,
        summary="{{ $labels.limit }} of {{ $labels.instance }} is used up to {{ $value | humanizePercentage }}.",
        means="At 100 % the gate refuses what would go beyond.",
        do=(
            "Is it a day's limit? Then today's remaining orders will stand still.",
            "A limit is only ever raised in the configuration and with a restart.",
        ),
        cases=_pair(m.LIMIT_USED_RATIO.name, "0.95x60", "0.5x60", labels='limit="day_notional_max"'),
    ),
    Alert(
        name="ExecutorRefusingOrders",
        expr=f"sum by (instance, reason) (rate({m.ORDERS_REFUSED.name}[10m])) * 60 > 5",
        held="10m",
        level=Level.TICKET,
        summary="The gate of {{ $labels.instance }} refuses orders again and again: {{ $labels.reason }}.",
        means="A parent wants what a limit forbids, for a long time.",
        do=(
            "docs/reference, refusal reasons: what each means and what mends it.",
            "`executor status PARENT`.",
        ),
        cases=_pair(
            m.ORDERS_REFUSED.name, "0+3x120", "0+1x40 40x80", labels='reason="PRICE_COLLAR"', at_min=25
        ),
    ),
    Alert(
        name="ExecutorRejectedByVenue",
        expr=f"sum by (instance) (increase({m.ORDERS_REJECTED.name}[10m])) > 5",
        held="0s",
        level=Level.TICKET,
        summary="The venue refused {{ $value }} orders of {{ $labels.instance }} within ten minutes.",
        means="Orders that our own gate let pass were refused: margin, rules that changed, or a price band.",
        do=(_LOG, "`executor doctor` compares the account's settings with what is needed."),
        cases=_pair(m.ORDERS_REJECTED.name, "0+1x60", "0x10 2x50", labels='code_class="110xxx"'),
    ),
    Alert(
        name="ExecutorBehindSchedule",
        expr=(
            f"{m.PARENT_DEVIATION_RATIO.name} < -0.1"
            f" and on (instance, parent_id) {m.PARENT_TIME_LEFT_SECONDS.name} > 0"
        ),
        held="10m",
        level=Level.TICKET,
        summary="{{ $labels.parent_id }} on {{ $labels.instance }} is more than a tenth of its quantity behind.",
        means="The parent fills more slowly than its plan: its limit price, its passiveness or a limit holds it back.",
        do=(
            "`executor status PARENT`: `now` says why nothing happens.",
            "Amend its limit price or its deadline.",
        ),
        cases=(
            *_pair(
                m.PARENT_DEVIATION_RATIO.name,
                "0x4 -0.2x80",
                "0x4 -0.2x20 0x60",
                labels='parent_id="P1"',
                at_min=15,
                more=(_series(m.PARENT_TIME_LEFT_SECONDS.name, "600x80", 'parent_id="P1"'),),
            ),
            # It ended short, and its figures are shown for a while after it.
            Case(
                series=(
                    _series(m.PARENT_DEVIATION_RATIO.name, "0x4 -0.2x48", 'parent_id="P1"'),
                    _series(m.PARENT_TIME_LEFT_SECONDS.name, "600x12 0x40", 'parent_id="P1"'),
                ),
                at_min=12,
                fires=False,
            ),
        ),
    ),
    Alert(
        name="ExecutorCostly",
        expr=f"{m.PARENT_TOTAL_SHORTFALL_BPS.name} > 100",
        held="2m",
        level=Level.TICKET,
        summary="{{ $labels.parent_id }} on {{ $labels.instance }} costs {{ $value }} bps so far.",
        means="Fees, spread, our own impact, and what the market did meanwhile; the parts tell which.",
        do=("The board Parent order shows the parts.", "Pause it if the market is not what it was."),
        cases=_pair(
            m.PARENT_TOTAL_SHORTFALL_BPS.name, "5x4 150x60", "5x4 150x4 50x60", labels='parent_id="P1"'
        ),
    ),
    Alert(
        name="ExecutorAdviserAlone",
        expr=(
            f'sum by (instance) (increase({m.ADVICE_OUTCOMES.name}{{outcome=~"LATE|UNUSABLE|FAILED|NOT_ASKED"}}[15m]))'
            f' / sum by (instance) (increase({m.ADVICE_OUTCOMES.name}{{outcome!="ENDED"}}[15m])) > 0.7'
        ),
        held="5m",
        level=Level.TICKET,
        summary="{{ $labels.instance }}: the schedule decides alone, {{ $value | humanizePercentage }} of the time.",
        means="The language model does not answer in time, or not usably. Parents go on by their schedules.",
        do=(
            "The board Adviser shows outcomes and latency.",
            "`executor doctor` asks the model one question.",
            "A provider that is slow for hours: a longer deadline, or another model.",
        ),
        cases=(
            Case(
                series=(
                    _series(m.ADVICE_OUTCOMES.name, "0+2x120", 'outcome="LATE",trigger="INTERVAL"'),
                    _series(m.ADVICE_OUTCOMES.name, "0x120", 'outcome="APPLIED",trigger="INTERVAL"'),
                ),
                at_min=25,
                fires=True,
            ),
            Case(
                series=(
                    _series(m.ADVICE_OUTCOMES.name, "0+1x120", 'outcome="LATE",trigger="INTERVAL"'),
                    _series(m.ADVICE_OUTCOMES.name, "0+2x120", 'outcome="APPLIED",trigger="INTERVAL"'),
                ),
                at_min=25,
                fires=False,
            ),
        ),
    ),
    Alert(
        name="ExecutorAdviserBreakerOpen",
        expr=f'{m.ADVICE_BREAKER_STATE.name}{{phase="OPEN"}} == 1',
        held="10m",
        level=Level.TICKET,
        summary="Nobody asks the model of {{ $labels.instance }} any more for now.",
        means="Too many questions in a row failed; after a while one is tried again.",
        do=("As for ExecutorAdviserAlone.",),
        cases=_pair(m.ADVICE_BREAKER_STATE.name, "1x120", "1x10 0x100", labels='phase="OPEN"', at_min=20),
    ),
    Alert(
        name="ExecutorAdviserOverBudget",
        expr=_came(m.ADVICE_OVER_BUDGET.name, "1h"),
        held="0s",
        level=Level.TICKET,
        summary="{{ $labels.instance }} asks the model less because of a cap: {{ $labels.cap }}.",
        means="A cap on calls or money was reached; parents go on by their schedules.",
        do=("Raise the cap in the configuration, or ask less often (`adviser.every_s`).",),
        cases=_first_or_again(m.ADVICE_OVER_BUDGET.name, 'cap="DAY_COST"', "0x60"),
    ),
    Alert(
        name="ExecutorLoopLag",
        expr=f"histogram_quantile(0.99, sum by (instance, le) (rate({m.LOOP_LAG_SECONDS.name}_bucket[5m]))) > 0.1",
        held="5m",
        level=Level.TICKET,
        summary="The event loop of {{ $labels.instance }} is {{ $value | humanizeDuration }} late.",
        means="The process has too much to do, or the machine has.",
        do=(
            "Is something else running on the machine?",
            "Fewer parents; see docs for the load that was measured.",
        ),
        cases=(
            Case(
                series=(
                    _series(f"{m.LOOP_LAG_SECONDS.name}_bucket", "0x120", 'le="0.05"'),
                    _series(f"{m.LOOP_LAG_SECONDS.name}_bucket", "0+30x120", 'le="0.25"'),
                    _series(f"{m.LOOP_LAG_SECONDS.name}_bucket", "0+30x120", 'le="+Inf"'),
                ),
                at_min=15,
                fires=True,
            ),
            Case(
                series=(
                    _series(f"{m.LOOP_LAG_SECONDS.name}_bucket", "0+30x120", 'le="0.05"'),
                    _series(f"{m.LOOP_LAG_SECONDS.name}_bucket", "0+30x120", 'le="0.25"'),
                    _series(f"{m.LOOP_LAG_SECONDS.name}_bucket", "0+30x120", 'le="+Inf"'),
                ),
                at_min=15,
                fires=False,
            ),
        ),
    ),
    Alert(
        name="ExecutorJournalSlow",
        expr=(
            f"histogram_quantile(0.99, sum by (instance, le) (rate({m.JOURNAL_COMMIT_SECONDS.name}_bucket[5m]))) > 0.1"
        ),
        held="5m",
        level=Level.TICKET,
        summary="A durable commit of {{ $labels.instance }} takes {{ $value | humanizeDuration }}.",
        means="Every order waits for its intent to be on disk: a slow disk makes every order slow.",
        do=("Is the disk full, shared, or on a network? The journal belongs on a local one.",),
        cases=(
            Case(
                series=(
                    _series(f"{m.JOURNAL_COMMIT_SECONDS.name}_bucket", "0x120", 'le="0.1"'),
                    _series(f"{m.JOURNAL_COMMIT_SECONDS.name}_bucket", "0+30x120", 'le="0.25"'),
                    _series(f"{m.JOURNAL_COMMIT_SECONDS.name}_bucket", "0+30x120", 'le="+Inf"'),
                ),
                at_min=15,
                fires=True,
            ),
            Case(
                series=(
                    _series(f"{m.JOURNAL_COMMIT_SECONDS.name}_bucket", "0+30x120", 'le="0.1"'),
                    _series(f"{m.JOURNAL_COMMIT_SECONDS.name}_bucket", "0+30x120", 'le="0.25"'),
                    _series(f"{m.JOURNAL_COMMIT_SECONDS.name}_bucket", "0+30x120", 'le="+Inf"'),
                ),
                at_min=15,
                fires=False,
            ),
        ),
    ),
    Alert(
        name="ExecutorInboxFilling",
        expr=f"{m.INBOX_DEPTH.name} > 500",
        held="1m",
        level=Level.TICKET,
        summary="{{ $value }} events wait for the engine of {{ $labels.instance }}.",
        means="More comes in than is worked. Answers are never dropped, but everything is late.",
        do=("As for ExecutorLoopLag.",),
        cases=_pair(m.INBOX_DEPTH.name, "0x4 900x60", "0x4 900 0x60"),
    ),
    Alert(
        name="ExecutorClockWrong",
        expr=f"abs({m.CLOCK_OFFSET_SECONDS.name}) > 1",
        held="1m",
        level=Level.TICKET,
        summary="The clock of {{ $labels.instance }} is {{ $value | humanizeDuration }} off.",
        means="Requests are stamped by the venue's clock as measured, but a jump makes them refused.",
        do=("Let chrony or systemd-timesyncd keep the machine's clock.",),
        cases=_pair(m.CLOCK_OFFSET_SECONDS.name, "0x4 -3x60", "0.1x60"),
    ),
    Alert(
        name="ExecutorRecordingLoses",
        expr=f"increase({m.CAPTURE_DROPPED.name}[5m]) > 0 or increase({m.CAPTURE_ERRORS.name}[5m]) > 0",
        held="0s",
        level=Level.TICKET,
        summary="The recording of {{ $labels.instance }} loses messages.",
        means="The disk does not keep up or is full; trading is not touched by it.",
        do=("Make room in `market.record_dir`, or record fewer symbols.",),
        cases=_pair(m.CAPTURE_DROPPED.name, "0+1x60", "3x60"),
    ),
    Alert(
        name="ExecutorNoticesFail",
        expr=_came(f'{m.NOTICES.name}{{outcome!="sent"}}', "10m"),
        held="0s",
        level=Level.TICKET,
        summary="{{ $labels.instance }} cannot tell people by {{ $labels.way }}.",
        means="A notice of the daemon itself did not reach anybody on this way after several tries.",
        do=(
            "Are address, token and chat in the notices file still right?",
            "Try the way by hand (docs/notices.md).",
        ),
        cases=_first_or_again(m.NOTICES.name, 'way="mail",outcome="failed"', "3x60"),
    ),
    Alert(
        name="ExecutorCalibrationFails",
        expr=_came(f'{m.CALIBRATIONS.name}{{outcome="failed"}}', "1d"),
        held="0s",
        level=Level.TICKET,
        summary="A calibration of impact failed on {{ $labels.instance }}.",
        means="Forecasts go on with the parameters that were in use.",
        do=("`executor impact calibrate` by hand says what is missing.",),
        cases=_first_or_again(m.CALIBRATIONS.name, 'outcome="failed"', "0x60"),
    ),
)

_FALLBACK: Final = (
    f'sum by (instance) (rate({m.ADVICE_OUTCOMES.name}{{outcome=~"LATE|UNUSABLE|FAILED|NOT_ASKED"}}[15m]))'
    f' / sum by (instance) (rate({m.ADVICE_OUTCOMES.name}{{outcome!="ENDED"}}[15m]))'
)
RECORDED: Final = (
    ("executor:fill_value_quote:rate5m", f"sum by (instance, symbol) (rate({m.FILLED_QUOTE.name}[5m]))"),
    ("executor:advice_fallback_ratio:rate15m", _FALLBACK),
    (
        "executor:loop_lag_seconds:p99_5m",
        f"histogram_quantile(0.99, sum by (instance, le) (rate({m.LOOP_LAG_SECONDS.name}_bucket[5m])))",
    ),
    (
        "executor:order_ack_seconds:p99_5m",
        f"histogram_quantile(0.99, sum by (instance, le) (rate({m.ACK_SECONDS.name}_bucket[5m])))",
    ),
    ("executor:limit_used_ratio:max", f"max by (instance) ({m.LIMIT_USED_RATIO.name})"),
)
"""Series that Prometheus keeps ready: name and expression."""
