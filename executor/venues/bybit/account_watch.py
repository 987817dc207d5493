"""The premises of the start, looked at again every hour: what changed under a running daemon stops it.

A key that suddenly opens another account, may no longer trade or may move money, and a position mode that somebody
switched are no passing trouble: the stop is latched and a person is told why. A look that could not be made says
nothing.
"""

import asyncio
from contextlib import suppress
from typing import Final

from executor.domain.errors import Overflow
from executor.domain.events import Event, HaltRequested
from executor.domain.finding import Verdict
from executor.domain.ports import Log, Post
from executor.domain.timeline import NS_PER_S
from executor.runtime.clock import Clock
from executor.venues.bybit.account_checks import Wanted, judge
from executor.venues.bybit.account_queries import AccountQueries

EVERY_S: Final = 3_600.0
RETRY_S: Final = 60.0
OPERATOR: Final = "executor"
_UNREADABLE: Final = "_UNREADABLE"
_ENDS_BY_ITSELF: Final = "KEY_EXPIRES"
"""A key that will end trades until it does; then the venue refuses it, and that stops the daemon."""


class AccountWatch:
    """Compares the account with what was found at the start.

    Parameters
    ----------
    wanted
        What the operator decided, and the account that was found at the start.
    margin_mode
        The margin mode at the start; empty if it could not be read.
    """

    def __init__(
        self,
        queries: AccountQueries,
        wanted: Wanted,
        margin_mode: str,
        clock: Clock,
        log: Log,
        every_s: float = EVERY_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._queries = queries
        self._wanted = wanted
        self._margin_mode = margin_mode
        self._clock = clock
        self._log = log
        self._every_s = every_s
        self._retry_s = retry_s
        self._told: set[str] = set()

    def notice(self, event: Event) -> None:
        """Nothing that is posted matters here."""

    async def run(self, post: Post) -> None:
        """Look every hour until cancelled; after a look that could not be made, sooner."""
        wait_s = self._every_s
        while True:
            await asyncio.sleep(wait_s)
            wait_s = self._every_s if await self.look(post) else min(self._retry_s, self._every_s)

    async def look(self, post: Post) -> bool:
        """Look once; posts a halt for everything that must not be. False if something could not be read."""
        facts = await self._queries.facts()
        findings = judge(facts, self._wanted, self._clock.now_ns() // NS_PER_S)
        for finding in findings:
            if finding.verdict is Verdict.OK:
                continue
            passing = finding.code == _ENDS_BY_ITSELF or finding.code.endswith(_UNREADABLE)
            if finding.verdict is Verdict.FAIL and not passing:
                self._halt(post, finding.code, f"{finding.found}; allowed: {finding.allowed}")
            else:
                self._log(f"account check {finding.code}", level="warning", found=finding.found)
        unread = any(isinstance(part, str) for part in (facts.key, facts.settings, facts.position_indices))
        if not isinstance(facts.settings, str):
            mode = facts.settings.margin_mode
            self._margin_mode = self._margin_mode or mode
            if mode != self._margin_mode:
                self._halt(
                    post,
                    "MARGIN_MODE",
                    f"the account is in {mode}; at the start it was in {self._margin_mode}",
                )
        return not unread

    def _halt(self, post: Post, code: str, text: str) -> None:
        """Pull the stop once for each cause: a person who has re-armed knows of it."""
        self._log(f"account check {code}", level="error", found=text)
        if code in self._told:
            return
        with suppress(Overflow):  # the next look posts it again
            post(HaltRequested(at_ns=0, request_id="", operator=OPERATOR, reason=f"{code}: {text}"))
            self._told.add(code)
