"""When a server that keeps failing is left alone, and when it is tried again.

    state      what happens              becomes
    CLOSED     a success                 CLOSED, failures forgotten
    CLOSED     a failure                 CLOSED; OPEN with the `failures_max`-th in a row
    OPEN       the time is up, asked     HALF_OPEN, with this call as the one probe
    OPEN       a success or a failure    OPEN: a call of before says nothing about after
    HALF_OPEN  a success                 CLOSED, and the next back-off is the shortest again
    HALF_OPEN  a failure                 OPEN, for `growth` times as long as before, at most `open_s_max`
    HALF_OPEN  asked                     HALF_OPEN: nobody else may ask, until the probe is given up after `probe_s`

All by given instants; a breaker that nobody looks at changes nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from executor.domain.advice_terms import BreakerRules
from executor.domain.timeline import NS_PER_S


class BreakerPhase(StrEnum):
    """Whether calls may leave."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(slots=True, kw_only=True)
class Breaker:
    """Where a breaker stands.

    Parameters
    ----------
    failures
        In a row.
    opened
        How often in a row it opened without a success in between.
    until_ns
        Until when nobody may ask: the end of the back-off, or of the probe's time; 0 when closed.
    """

    phase: BreakerPhase = BreakerPhase.CLOSED
    failures: int = 0
    opened: int = 0
    until_ns: int = 0


def may_ask(breaker: Breaker, now_ns: int) -> bool:
    """Whether a call may leave."""
    return breaker.phase is BreakerPhase.CLOSED or now_ns >= breaker.until_ns


def asked(breaker: Breaker, rules: BreakerRules, now_ns: int) -> None:
    """A call leaves, which `may_ask` allowed; of a breaker that is not closed it is the probe."""
    if breaker.phase is BreakerPhase.CLOSED:
        return
    breaker.phase = BreakerPhase.HALF_OPEN
    breaker.until_ns = now_ns + rules.probe_s * NS_PER_S


def succeeded(breaker: Breaker) -> None:
    """A call came back as it should."""
    if breaker.phase is BreakerPhase.OPEN:
        return
    breaker.phase = BreakerPhase.CLOSED
    breaker.failures = breaker.opened = breaker.until_ns = 0


def failed(breaker: Breaker, rules: BreakerRules, now_ns: int) -> None:
    """A call failed in a way that says something about the server."""
    if breaker.phase is BreakerPhase.OPEN:
        return
    breaker.failures += 1
    if breaker.phase is BreakerPhase.CLOSED and breaker.failures < rules.failures_max:
        return
    breaker.phase = BreakerPhase.OPEN
    breaker.until_ns = now_ns + _open_s(rules, breaker.opened) * NS_PER_S
    breaker.opened += 1


def _open_s(rules: BreakerRules, opened: int) -> int:
    """Back-off number `opened` (from 0), seconds."""
    wait_s = rules.open_s
    for _ in range(opened):
        if wait_s >= rules.open_s_max or rules.growth == 1:
            break
        wait_s *= rules.growth
    return min(wait_s, rules.open_s_max)
