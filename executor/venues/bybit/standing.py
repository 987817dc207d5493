"""How we stand with the venue: whether it bars us, whether our key is good, and what we may still ask.

Everything that sends asks here first, and everything that hears an answer tells it here. What the engine
must know is told in the order in which it happened, also what happened before anybody listened or while the
inbox was full.
"""

import asyncio
from collections import deque
from typing import Final

from executor.domain.errors import Overflow, TransportError
from executor.domain.events import Event, HaltRequested, VenueRestricted
from executor.domain.orders import Category
from executor.domain.ports import Log, Post
from executor.domain.timeline import NS_PER_S, iso_utc
from executor.runtime.clock import Clock
from executor.venues.bybit.admission import admission
from executor.venues.bybit.answers import Answer, printable
from executor.venues.bybit.limiter import Limiter
from executor.venues.bybit.order_bytes import Act
from executor.venues.bybit.return_codes import (
    AUTH_REFUSED,
    BANNED,
    CLOCK_REFUSED,
    RATE_LIMITED,
    RESTARTING,
    is_busy,
)
from executor.venues.bybit.server_time import ServerTime

BAN_S: Final = 610.0
"""The venue lifts a ban of an address after ten minutes without a request."""
AUTH_PAUSE_S: Final = 30.0
"""Between two questions after the key was refused."""
_BUSY_S_MIN: Final = 2.0
_BUSY_S_MAX: Final = 32.0
_JUMP_S: Final = 5.0
_UNREAD_LIMIT_S: Final = 1.0
_NEWS_AGAIN_S: Final = 120.0
_ROOM_S: Final = 0.05
_CLOCK_LOOK_S_MIN: Final = 1.0
_UNTOLD_MAX: Final = 1_000
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429
_TOO_FREQUENT: Final = "access too frequent"


class Standing:
    """Shared by everything that talks to the venue.

    Parameters
    ----------
    limiter
        Counts what is sent.
    """

    def __init__(self, limiter: Limiter, clock: Clock, time: ServerTime, log: Log) -> None:
        self._limiter = limiter
        self._clock = clock
        self._time = time
        self._log = log
        self._banned_until_ns = 0
        self._busy_until_ns = 0
        self._quiet_until_ns = 0
        self._busy_s = 0.0
        self._key_refused = ""
        self._key_refused_ns = 0
        self._clock_looked_ns = 0
        self._admit = admission(limiter, clock, self._why_not_ask)
        self._untold: deque[Event] = deque(maxlen=_UNTOLD_MAX)
        self._news = asyncio.Event()
        self.clock_doubted = asyncio.Event()

    def say(self, event: Event) -> None:
        """Have an event told to the engine, after those said before."""
        self._untold.append(event)
        self._news.set()

    async def tell(self, post: Post) -> None:
        """Post what was said, for ever; waits for room in the inbox."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._untold:
                try:
                    post(self._untold[0])
                except Overflow:
                    await asyncio.sleep(_ROOM_S)
                else:
                    self._untold.popleft()

    # ------------------------------------------------------------ what we may

    @property
    def is_banned(self) -> bool:
        """Whether no HTTP request may leave."""
        return self._clock.now_ns() < self._banned_until_ns

    def why_not_open(self) -> str:
        """Why nothing may be opened at the moment; empty if it may."""
        now_ns = self._clock.now_ns()
        if now_ns < self._banned_until_ns:
            return f"the venue bars our address until {iso_utc(self._banned_until_ns)}"
        if now_ns < self._busy_until_ns:
            return f"the venue asked for a pause until {iso_utc(self._busy_until_ns)}"
        return ""

    def _why_not_ask(self) -> str:
        """Why the venue may not be asked anything at the moment; empty if it may."""
        now_ns = self._clock.now_ns()
        if now_ns < self._banned_until_ns:
            return f"the venue bars our address until {iso_utc(self._banned_until_ns)}: nothing is asked"
        if now_ns < self._quiet_until_ns:
            return f"the venue is overloaded: nothing is asked until {iso_utc(self._quiet_until_ns)}"
        return ""

    def order_wait_s(self, act: Act, category: Category, *, http: bool) -> float:
        """Take room for an order request and return 0, or for how long there is none, seconds."""
        return self._limiter.order_wait_ns(act, category, self._clock.now_ns(), http=http) / NS_PER_S

    def used_ratios(self) -> tuple[tuple[str, float], ...]:
        """Name of each budget of requests, and how much of it is used, >= 0."""
        return self._limiter.used_ratios(self._clock.now_ns())

    async def admit_query(self) -> None:
        """Wait until one more query may leave.

        Raises
        ------
        TransportError
            If that is too long to wait: the address is barred, the key refused, or the budget used up.
        """
        quiet_ns = self._key_refused_ns + int(AUTH_PAUSE_S * NS_PER_S) - self._clock.now_ns()
        if self._key_refused and quiet_ns > 0:
            raise TransportError(f"not asked, because the venue refused our key: {self._key_refused}")
        await self._admit()

    # ------------------------------------------------------------ what we hear

    def on_answer(self, act: Act, category: Category, answer: Answer) -> None:
        """Take in a readable answer to an order request."""
        now_ns = self._clock.now_ns()
        if answer.allowance is not None:
            self._limiter.learn(act, category, answer.allowance, now_ns)
        if answer.code == RATE_LIMITED:
            reset_ms = None if answer.allowance is None else answer.allowance.reset_ms
            self._limiter.pause(act, category, self._reset_ns(reset_ms, now_ns), now_ns)
        self.on_code(answer.code, answer.text)

    def on_query_limit(self, reset_ms: int | None) -> None:
        """The account asks too often: hold all questions back until the instant that the venue named."""
        now_ns = self._clock.now_ns()
        self._limiter.pause_queries(self._reset_ns(reset_ms, now_ns), now_ns)

    def _reset_ns(self, reset_ms: int | None, now_ns: int) -> int:
        """What our clock shows when the venue takes more; a second from now if it did not say so readably."""
        return now_ns + int(_UNREAD_LIMIT_S * NS_PER_S) if reset_ms is None else self._time.our_ns(reset_ms)

    def on_code(self, code: int, text: str) -> None:
        """Take in a return code of any answer to a signed request; 0 says that our key is good."""
        if code == 0:
            self._key_refused = ""
        elif code in AUTH_REFUSED:
            self.on_auth_refused(code, text)
        elif code in BANNED:
            self.on_ban(f"{code}: {text}")
        elif is_busy(code):
            self.on_busy(f"{code}: {text}", overloaded=code != RESTARTING)
        elif code == CLOCK_REFUSED:
            self.on_clock_doubt()

    def on_http_status(self, status: int, text: str) -> None:
        """Take in an HTTP answer that is not 200."""
        if status == _FORBIDDEN or _TOO_FREQUENT in text.lower():
            self.on_ban(f"HTTP {status}: {text}")
        elif status == _TOO_MANY:
            self.on_busy(f"HTTP {status}: {text}", overloaded=True)
        elif status == _UNAUTHORIZED:
            self.on_auth_refused(status, text)

    def on_ban(self, text: str) -> None:
        """The venue bars our address: not one more HTTP request leaves until it has forgotten us."""
        self._banned_until_ns = self._clock.now_ns() + int(BAN_S * NS_PER_S)
        self._restricted(self._banned_until_ns, f"the venue bars our address: {printable(text)}")

    def on_busy(self, text: str, *, overloaded: bool) -> None:
        """The venue asks for a pause; each time it must ask again so soon, the pause is twice as long.

        Parameters
        ----------
        overloaded
            Whether questions make it worse; one that restarts is asked on, to learn what became of the orders.
        """
        now_ns = self._clock.now_ns()
        if now_ns < self._busy_until_ns:
            if overloaded:  # whatever the pause under way is for, it did not keep us from asking
                self._quiet_until_ns = max(self._busy_until_ns, now_ns + int(_BUSY_S_MIN * NS_PER_S))
            return
        again = now_ns < self._busy_until_ns + int(_BUSY_S_MAX * NS_PER_S)
        self._busy_s = min(self._busy_s * 2, _BUSY_S_MAX) if again and self._busy_s else _BUSY_S_MIN
        self._busy_until_ns = now_ns + int(self._busy_s * NS_PER_S)
        if overloaded:
            self._quiet_until_ns = self._busy_until_ns
        self._restricted(self._busy_until_ns, f"the venue asks for a pause: {printable(text)}")

    def on_auth_refused(self, code: int, text: str) -> None:
        """The venue refuses our key, address or account: halt, and say so once, not with every request that follows."""
        now_ns = self._clock.now_ns()
        is_news = not self._key_refused or now_ns - self._key_refused_ns > int(_NEWS_AGAIN_S * NS_PER_S)
        self._key_refused = printable(f"{code}: {text}")
        self._key_refused_ns = now_ns
        if is_news:
            self._log("the venue refuses our key", level="error", answer=self._key_refused)
            reason = f"AUTH {self._key_refused}"
            self.say(HaltRequested(at_ns=0, request_id="", operator="venue", reason=reason))

    def on_clock_doubt(self) -> None:
        """The venue found a time stamp of ours wrong: have its clock read at once, but not in a storm."""
        now_ns = self._clock.now_ns()
        if now_ns - self._clock_looked_ns >= int(_CLOCK_LOOK_S_MIN * NS_PER_S):
            self._clock_looked_ns = now_ns
            self.clock_doubted.set()

    def on_clock_jump(self, jump_ms: int) -> None:
        """One of the clocks stepped: open nothing for a moment, and measure once more."""
        until_ns = self._clock.now_ns() + int(_JUMP_S * NS_PER_S)
        self._busy_until_ns = max(self._busy_until_ns, until_ns)
        self._restricted(self._busy_until_ns, f"the venue's clock and ours moved apart by {jump_ms} ms")
        self.on_clock_doubt()

    def _restricted(self, until_ns: int, detail: str) -> None:
        self._log("venue restricted", level="warning", until=iso_utc(until_ns), detail=detail)
        self.say(VenueRestricted(at_ns=0, until_ns=until_ns, detail=detail))
