"""The runbook: how a command can end, why everything can stand still, and what the daemon alarms about.

For each: what it means, what to look at, what to do. `tests/deploy/test_runbook.py` sees to it that no exit code, no
place in the code that halts, and no alarm is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from executor.domain.commands import AlertCode
from executor.interfaces.alerts import ALERT_TEXT
from executor.interfaces.exit_codes import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that can happen.

    Parameters
    ----------
    raised_by
        For a halt: the modules of `executor` that pull it, with the reason that parents are paused for where the engine
        does.
    """

    means: str
    look: tuple[str, ...]
    do: tuple[str, ...]
    raised_by: tuple[str, ...] = ()


_STATUS: Final = "`executor status`: what holds trading back, and since when."
_LOG: Final = "The log of that minute (`journalctl -u executor@NAME`); every line of a parent carries its id."
_VENUE: Final = "Open orders, executions and positions on the venue's own page."
_DOCTOR: Final = "`executor doctor` with the same profile and configuration."
_REARM: Final = "When both agree: `executor rearm --operator NAME --reason TEXT`."
_KEEP: Final = "Take a backup before anything is changed: `executor backup DEST`. It is the evidence."

EXITS: Final[Mapping[ExitCode, Entry]] = {
    ExitCode.OK: Entry(
        means="The command did what it was asked; of a parent that was followed, everything is filled.",
        look=("Nothing.",),
        do=(
            "Nothing. A daemon that was stopped ends with it, too: its orders are cancelled, and that is proved.",
        ),
    ),
    ExitCode.REFUSED: Entry(
        means="The daemon refused the request, the parent that was followed ended short, or the program broke.",
        look=("The line on standard error: code, what was got, what is allowed, and the next step.", _STATUS),
        do=(
            "Do what the line says. A parent that ended short: `executor report PARENT` says what is left.",
            "INTERNAL: repeat it with `executor --traceback …` and report what it prints.",
        ),
    ),
    ExitCode.USAGE: Entry(
        means="The command line, a setting or a secret cannot be used. Nothing was started or sent.",
        look=("The lines on standard error: each names file, line, what is there and what is allowed.",),
        do=("`executor config check` lists every problem at once; mend them, start again.",),
    ),
    ExitCode.ORDERS_MAY_REMAIN: Entry(
        means="It could not be proved that no order of ours is open at the venue. Those in doubt are listed.",
        look=(_VENUE, _LOG),
        do=(
            "`executor kill` (same --profile and --config) cancels them without the daemon, and proves it.",
            "If that ends with 3, too: cancel the listed orders on the venue's page.",
            "Start the daemon again: it asks after each of them before it trades.",
        ),
    ),
    ExitCode.DURABILITY: Entry(
        means="The journal is missing, damaged, newer than this version, or could not be written. Nothing was traded.",
        look=(
            "The code at the beginning of the line: each DB_… says what it is.",
            "`df`, `dmesg`, owner and mode.",
        ),
        do=(
            "DB_MISSING: restore a backup. `--init` only where the account was never traded from here.",
            "DB_DAMAGED: put the files aside, and restore ([operations](operations.md#restore)).",
            "DB_NEWER: start the version that wrote it. DB_OTHER_VERSION: start the former one, let its parents end.",
            "DB_FAILED: the disk refused a write. Mend the disk first; what was committed is whole.",
        ),
    ),
    ExitCode.ALREADY_RUNNING: Entry(
        means="Another process holds the data directory, the key or the account. Nothing was sent.",
        look=("The message names the process; `ps -fp PID` shows it.",),
        do=(
            "Usually it is the daemon itself: ask it with `executor status`.",
            "Stop it (`systemctl stop executor@NAME`) before a restore or another start. Never remove a lock file.",
        ),
    ),
    ExitCode.UNREACHABLE: Entry(
        means="Exchange, daemon, model or archive did not answer, refused key or token, or gave no usable answer.",
        look=("Which one, and why: the line says it.", _DOCTOR),
        do=(
            (
                "No daemon: start it. NO_ANSWER or CONNECTION_LOST after an order: read the state first, and repeat"
                " only with the same --idempotency-key."
            ),
            "To stop everything without the daemon: `executor kill`.",
        ),
    ),
    ExitCode.HALTED: Entry(
        means="The stop is latched. Nothing is opened, also after a restart, until a person clears it.",
        look=(_STATUS, "The section of its reason, below."),
        do=(_REARM,),
    ),
    ExitCode.AUDIT_DIFFERS: Entry(
        means="A replay of the journal gave other commands, checkpoints or tables than it holds.",
        look=(
            "Whether this version wrote the journal: another one may decide otherwise, and then this says nothing.",
            "The row that is named.",
        ),
        do=(
            "Audit with the version that wrote it. If it differs there, too, do not trade from it: "
            + _KEEP[0].lower()
            + _KEEP[1:],
            "Restore the last backup that audits clean.",
        ),
    ),
    ExitCode.UNHEALTHY: Entry(
        means="`executor doctor` found something that would keep the account from being traded.",
        look=("The lines with FAIL, each with its next step ([doctor](doctor.md)).",),
        do=("Mend them from the first on: later ones often follow from it.",),
    ),
    ExitCode.INTERRUPTED: Entry(
        means="Ctrl-C. A command that follows an order ends; the order and the daemon go on.",
        look=(_STATUS,),
        do=("Nothing; `executor cancel PARENT` if the order was to end as well.",),
    ),
}

HALTS: Final[Mapping[str, Entry]] = {
    "A person halted": Entry(
        means="Somebody pulled the stop: `executor halt`, a key of a board, or POST /v1/halt. The reason is theirs.",
        look=(_STATUS, "Who it was: the operator's name stands beside the reason."),
        do=("Ask them.", _REARM),
        raised_by=("engine/verbs.py HALTED", "interfaces/intents.py"),
    ),
    "A person killed": Entry(
        means="`executor kill` cancelled every order without the daemon, and latched the stop.",
        look=("What the command printed: each order, and whether its end is proved.", _VENUE),
        do=("Start the daemon if it does not run: it reads what was done.", _REARM),
        raised_by=("sentinel/kill.py",),
    ),
    "the daemon was silent": Entry(
        means="The sentinel heard nothing of the daemon for `sentinel.silence_s_max`, or was told that it ended as it"
        " should not. It has cancelled every order.",
        look=(
            (
                "`systemctl status executor@NAME`: exit code and last lines. The reason says whether the process was"
                " gone or stood still."
            ),
            "Did the machine run out of memory, or sleep? `dmesg`, `journalctl -k`.",
        ),
        do=("Start the daemon, or end a hung one with `kill -9` first.", _REARM),
        raised_by=("sentinel/watcher.py",),
    ),
    "A file halt.json was found": Entry(
        means="The latch on disk and the journal are kept alike: what latches one latches the other at the next beat."
        " The reason is that of the first halt.",
        look=("`halt.json` in the data directory.",),
        do=("As for the reason that it names. Do not remove the file: rearm.",),
        raised_by=("watch/vigil.py",),
    ),
    "over-fill": Entry(
        means="The venue reported executions beyond the quantity of an order. They are booked, and all is halted.",
        look=(_VENUE, "The executions of the order that is named."),
        do=(_KEEP, "Close what is too much by hand if you must.", _REARM),
        raised_by=("engine/booking.py OVER_FILLED",),
    ),
    "An order is not what we believed": Entry(
        means="An order at the venue has another side, symbol, price or quantity than ours, exists although it was"
        " proved absent or refused, commits more than its parent allows, or is open under a name of ours and unknown to"
        " the journal: it was sent after the backup that was restored.",
        look=(
            _VENUE,
            "The words after `halted`: both views of the order, or the one that is not known.",
            _LOG,
        ),
        do=(_KEEP, "Cancel the order on the venue's page if it is still open.", _REARM),
        raised_by=(
            "engine/child.py ORDER_CONFLICT",
            "engine/terms.py ORDER_CONFLICT",
            "engine/revival.py ORDER_CONFLICT",
            "engine/lost.py ORDER_CONFLICT",
        ),
    ),
    "The venue rejects us for good": Entry(
        means="An order was rejected for a reason that every further one would meet: the account may not trade this.",
        look=("The venue's code and words, in the reason.", _DOCTOR),
        do=("Mend the account or the key on the venue's page.", _REARM),
        raised_by=("engine/child.py VENUE_REJECTS",),
    ),
    "AUTH": Entry(
        means="The venue refuses key, signature or address.",
        look=("Is the key still there, has it expired, is this machine's address on its list?", _DOCTOR),
        do=("Make a new key if it is gone, put it into the environment, restart.", _REARM),
        raised_by=("venues/bybit/standing.py",),
    ),
    "An account check": Entry(
        means="What must hold for the account no longer does: another account, another position mode or margin mode,"
        " a key with too many rights. The reason begins with the check's code.",
        look=(_DOCTOR, "[Checks](reference/checks.md): what each code means."),
        do=("Put the account back as it was, or change the settings and restart.", _REARM),
        raised_by=("venues/bybit/account_watch.py",),
    ),
    "What must never be": Entry(
        means="An invariant of the engine broke. The event that broke it is not in the journal; the halt is, and the"
        " daemon has ended with an exit code that is not 0.",
        look=(_LOG, _VENUE),
        do=(
            _KEEP,
            "Start the daemon: it begins halted, and reads the venue. Report the last lines of the log.",
            _REARM,
        ),
        raised_by=("runtime/latch.py",),
    ),
}
"""By what the reason says or begins with."""

LOOK: Final[Mapping[AlertCode, tuple[str, ...]]] = {
    AlertCode.HALT: (_STATUS, "The section of its reason, above."),
    AlertCode.OVER_FILL: (_VENUE, "The executions of the order that is named."),
    AlertCode.ORPHAN_FILL: (_VENUE, "Was a backup restored? Then it is an order sent after it was taken."),
    AlertCode.FILL_CONFLICT: ("Both forms of the execution, in the log.", _VENUE),
    AlertCode.ORDER_CONFLICT: ("Both views of the order, in the words of the alarm.", _VENUE),
    AlertCode.OUTCOME_UNKNOWN: (
        "Whether it stays: `executor_unknown_order_age_seconds`, and `executor status`.",
    ),
    AlertCode.CANCEL_UNPROVED: ("The order on the venue's page, by its client order id.",),
    AlertCode.ORDER_REJECTED: ("The venue's code and words, in the alarm.",),
    AlertCode.SHORTFALL: ("The order on the board: where its cost comes from.",),
    AlertCode.VOLATILITY: ("The market's page on the board.",),
    AlertCode.REPEAT_THROTTLE: ("Its recent orders on the board: what makes it send so many?",),
    AlertCode.POSITION_DIFFERS: (_VENUE, "Did somebody trade the account by hand, or was it liquidated?"),
    AlertCode.RECONCILE_FAILED: (_DOCTOR, "The venue's status page."),
    AlertCode.EXECUTION_UNEXPLAINED: (_VENUE, "Who else trades this account?"),
    AlertCode.FOREIGN_ORDERS: (_VENUE, "Who else trades this account?"),
    AlertCode.NO_SUCH_SYMBOL: ("The nearest names, in the alarm.",),
    AlertCode.BEYOND_LIMITS: ("`executor plan` with the same order: which limits stand in its way.",),
    AlertCode.NOTHING_TO_REDUCE: ("The position at the venue.",),
    AlertCode.TOO_FAST: ("`executor plan` with the same order: how long it would take.",),
    AlertCode.REFERENCE_DISAGREES: ("The price of other exchanges and the venue's own page.",),
    AlertCode.VENUE_RESTRICTED: (
        _STATUS,
        "The venue's status page. Does another program use the address or the key?",
    ),
    AlertCode.SENTINEL_SILENT: ("`systemctl status executor-sentinel@NAME`, or `sentinel.log`.",),
    AlertCode.TERMS_MOVED: ("The order on the venue's page.",),
    AlertCode.POSITION_MODE: (_DOCTOR,),
    AlertCode.REARMED: ("Who rearmed, and why: in the alarm.",),
    AlertCode.ADVICE_TO_CANCEL: ("`executor decisions PARENT`: its reasons.", "The market."),
    AlertCode.ADVICE_BOUNDED: ("The figures in the alarm: what advice can cost at most.",),
    AlertCode.ADVISER_SILENT: (_DOCTOR, "The model's server."),
    AlertCode.ADVISER_BACK: ("Nothing.",),
    AlertCode.LIMITS_MOVED: (
        "The limits on the board, or `executor status`: which were moved, by whom, and why.",
    ),
    AlertCode.ALGO_ENDED_SHORT: ("The strategy order on the venue's page.",),
}
"""What to look at, for every alarm of the daemon itself; what it means and what to do, the boards say already."""

_HEAD: Final = """# Runbook

<!-- Written by `python -m deploy.write` from deploy/runbook.py. -->

How a command can end, why everything can stand still, and what the daemon alarms about: what it means, what to look at,
what to do. Prometheus' alerts have [a page of their own](alerts.md). To stop everything at once: `executor halt`, or
without a daemon `executor kill`.
"""


def alarms() -> dict[AlertCode, Entry]:
    """Every alarm of the daemon itself, with the words that the boards show."""
    return {
        code: Entry(
            means=_sentence(ALERT_TEXT[code][0]), look=LOOK[code], do=(_sentence(ALERT_TEXT[code][1]),)
        )
        for code in AlertCode
    }


def page() -> str:
    """Give the whole page."""
    exits = {f"Exit code {code.value}: {code.name}": entry for code, entry in EXITS.items()}
    codes = {f"{code.value}": entry for code, entry in alarms().items()}
    return "".join(
        [
            _HEAD,
            "\n## Exit codes\n",
            *(_section(title, entry) for title, entry in exits.items()),
            (
                "\n## Halts\n\nA halt is a latch on disk and in the journal: it survives restarts. `executor status`"
                " names its reason; these are all there are.\n"
            ),
            *(_section(title, entry) for title, entry in HALTS.items()),
            "\n## Alarms of the daemon\n",
            *(_section(title, entry) for title, entry in codes.items()),
        ]
    )


def _section(title: str, entry: Entry) -> str:
    look = "\n".join(f"- {each}" for each in entry.look)
    do = "\n".join(f"{number}. {each}" for number, each in enumerate(entry.do, start=1))
    return f"\n### {title}\n\n{entry.means}\n\nLook at:\n\n{look}\n\nDo:\n\n{do}\n"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
