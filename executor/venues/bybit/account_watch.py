"""The premises of the start, looked at again every hour: what changed under a running daemon stops it.

A key that suddenly opens another account, may no longer trade or may move money, and a position mode that somebody
switched are no passing trouble: the stop is latched and a person is told why. A look that could not be made says
nothing.
"""

import asyncio
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
_MARGIN_MODE: Final = "margin mode"
_ENDS_BY_ITSELF: Final = "KEY_EXPIRES"
"""A key that will end trades until it does; then the venue refuses it, and that stops the daemon."""

_Cause = tuple[str, str, str]


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
        self._told: dict[str, str] = {}

    def notice(self, event: Event) -> None:
        """Nothing that is posted matters here."""

    async def run(self, post: Post) -> None:
        """Look every hour until cancelled; after a look that could not be made, sooner."""
        wait_s = self._every_s
        while True:
            await asyncio.sleep(wait_s)
            wait_s = self._every_s if await self.look(post) else min(self._retry_s, self._every_s)

    async def look(self, post: Post) -> bool:
        """Look once; posts a halt for everything that must not be.

        Gives False if something could not be read, or a halt found no room in the inbox: then the next look is soon.
        """
        facts = await self._queries.facts()
        findings = judge(facts, self._wanted, self._clock.now_ns() // NS_PER_S)
        read = {finding.check for finding in findings if not finding.code.endswith(_UNREADABLE)}
        causes: list[_Cause] = []
        for finding in findings:
            if finding.verdict is Verdict.OK:
                continue
            passing = finding.code == _ENDS_BY_ITSELF or finding.code.endswith(_UNREADABLE)
            if finding.verdict is Verdict.FAIL and not passing:
                causes.append((finding.check, finding.code, f"{finding.found}; allowed: {finding.allowed}"))
            else:
                self._log(f"account check {finding.code}", level="warning", found=finding.found)
        if not isinstance(facts.settings, str):
            read.add(_MARGIN_MODE)
            causes += self._margin_change(facts.settings.margin_mode)
        unread = any(isinstance(part, str) for part in (facts.key, facts.settings, facts.position_indices))
        return self._halt(post, read, causes) and not unread

    def _margin_change(self, mode: str) -> list[_Cause]:
        self._margin_mode = self._margin_mode or mode
        if mode == self._margin_mode:
            return []
        text = f"the account is in {mode}; at the start it was in {self._margin_mode}"
        return [(_MARGIN_MODE, "MARGIN_MODE", text)]

    def _halt(self, post: Post, read: set[str], causes: list[_Cause]) -> bool:
        """Pull the stop once for as long as a cause lasts: a person who has re-armed knows of it.

        Parameters
        ----------
        read
            Checks that could be made: what one of them no longer finds is over, and counts anew when it comes back.
        causes
            Check, code and text of all that must not be.

        Returns
        -------
        Whether everything that is news could be posted.
        """
        present = {code for _, code, _ in causes}
        self._told = {
            code: check for code, check in self._told.items() if check not in read or code in present
        }
        for check, code, text in causes:
            self._log(f"account check {code}", level="error", found=text)
            if code in self._told:
                continue
            try:
                post(HaltRequested(at_ns=0, request_id="", operator=OPERATOR, reason=f"{code}: {text}"))
            except Overflow:
                return False
            self._told[code] = check
        return True
