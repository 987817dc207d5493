"""What must hold before anything is sent: the disk, the clock, the key and the account."""

from contextlib import AsyncExitStack
from typing import Final, Protocol

from config.hosts import Mode
from config.problems import ConfigProblems, Problem
from config.schema import PositionMode
from config.settings import Settings
from executor.domain.errors import ConfigError, JournalError
from executor.domain.finding import Finding, Verdict
from executor.domain.orders import Category
from executor.domain.ports import Log
from executor.domain.timeline import NS_PER_S
from executor.runtime.account_record import read_account, write_account
from executor.runtime.clock import Clock
from executor.runtime.lock import AccountLock
from executor.runtime.premises import look_at_file_system
from executor.venues.bybit.access import Access
from executor.venues.bybit.account_checks import CLOCK_ERROR_MS_MAX, Wanted, judge
from executor.venues.bybit.account_rows import HEDGE, ONE_WAY
from executor.venues.bybit.account_watch import AccountWatch
from executor.venues.bybit.gateway import BybitVenue

ACCOUNT_S_MAX: Final = 10.0
"""Well below the time of silence that the sentinel allows to a daemon that is starting, seconds."""


class Timed(Protocol):
    """A venue whose clock can be read."""

    async def clock_error_ms(self) -> int | None:
        """The venue's clock minus ours, milliseconds; None if the venue did not answer."""


def refuse_file_system(settings: Settings, log: Log) -> None:
    """Look what the data directory lies on before a database is opened there.

    Raises
    ------
    JournalError
        In live mode, if it is a network or a memory file system.
    """
    finding = look_at_file_system(settings.executor.data_dir, strict=settings.executor.mode is Mode.LIVE)
    if finding.verdict is Verdict.FAIL:
        raise JournalError(f"{finding.found}; {finding.next_step}", finding.code)
    if finding.verdict is Verdict.WARN:
        log(f"{finding.code}: {finding.found}", level="warning")


async def check_clock(venue: Timed, settings: Settings, log: Log) -> None:
    """Compare this machine's clock with the venue's before anything is sent.

    Raises
    ------
    ConfigError
        In live mode, if the clocks differ by more than half a second or could not be compared.
    """
    error_ms = await venue.clock_error_ms()
    if error_ms is not None and abs(error_ms) <= CLOCK_ERROR_MS_MAX:
        return
    measured = "could not be measured" if error_ms is None else f"is {error_ms} ms"
    text = f"CLOCK_OFFSET: the venue's clock minus ours {measured}, allowed are {CLOCK_ERROR_MS_MAX} ms either way"
    if settings.executor.mode is Mode.LIVE:
        raise ConfigError(f"{text}; set this machine's clock (NTP) and start again")
    log(text, level="warning")


def wanted_of(settings: Settings, category: Category | None = None) -> Wanted:
    """What the operator decided about the account, and which one it was so far."""
    hedge = settings.venue.position_mode is PositionMode.HEDGE
    return Wanted(
        strict=settings.executor.mode is Mode.LIVE,
        category=category,
        position_indices=HEDGE if hedge else ONE_WAY,
        allow_unbound_key=settings.venue.allow_unbound_key,
        user_id=read_account(settings.executor.data_dir),
    )


async def check_account(venue: BybitVenue, settings: Settings, clock: Clock, log: Log) -> AccountWatch:
    """Judge the key and the account before anything is sent; gives the watch that goes on doing so.

    Raises
    ------
    ConfigProblems
        Everything that forbids the start; in live mode every doubt does.
    """
    wanted = wanted_of(settings)
    facts = await venue.account.facts(limit_s=ACCOUNT_S_MAX)
    problems = []
    for finding in judge(facts, wanted, clock.now_ns() // NS_PER_S):
        if finding.verdict is Verdict.FAIL:
            problems.append(problem_of(finding))
        elif finding.verdict is Verdict.WARN:
            log(f"{finding.code}: {finding.found}", level="warning", next=finding.next_step)
    if problems:
        raise ConfigProblems(problems)
    if wanted.user_id is None and not isinstance(facts.key, str):
        write_account(settings.executor.data_dir, facts.key.user_id)
        wanted = wanted_of(settings)
    margin_mode = "" if isinstance(facts.settings, str) else facts.settings.margin_mode
    return AccountWatch(venue.account, wanted, margin_mode, clock, log)


def lock_account(stack: AsyncExitStack, access: Access, settings: Settings, log: Log) -> None:
    """See to it that nobody else on this machine works the account, with whatever key, until the stack is left.

    Raises
    ------
    AlreadyRunning
        If somebody does.
    """
    user_id = read_account(settings.executor.data_dir)
    if user_id is None:
        text = "ACCOUNT_NOT_LOCKED: the venue did not say whose the key is; only this key and data directory are locked"
        log(text, level="warning", next="see that no other daemon works the same account")
        return
    stack.enter_context(AccountLock(access.rest_url, user_id))


def problem_of(finding: Finding) -> Problem:
    """A finding in the form in which a start is refused."""
    return Problem(
        code=finding.code,
        where=finding.check,
        got=finding.found,
        allowed=finding.allowed,
        next_step=finding.next_step,
    )
