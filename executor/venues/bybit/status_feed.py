"""The venue's announcements of maintenance, over a connection of their own.

A maintenance restricts us from ten minutes before its begin until its end. One whose end is not known, or
that lasts longer than announced, restricts us for ten minutes at a time. A restriction that was told is never
taken back, it only runs out. Doing without the announcements is no fault: a venue that does not send them, or
is not reached, is asked again every ten minutes and complained about once.
"""

import asyncio
from contextlib import suppress
from random import Random
from typing import Final

import aiohttp

from executor.domain.errors import Overflow, RemoteProtocolError
from executor.domain.events import VenueRestricted
from executor.domain.ports import Log, Post
from executor.domain.timeline import NS_PER_MIN, NS_PER_MS
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.codec_frames import Frame
from executor.venues.bybit.codec_public import Maintenance, StatusFrame
from executor.venues.bybit.stream import Stream

TOPIC: Final = "system.status"
_PATH: Final = "/v5/public/misc/status"
_AHEAD_NS: Final = 10 * NS_PER_MIN
_RETRY_S: Final = 600.0
_LOOK_EVERY_S: Final = 20.0
_NOTICES_MAX: Final = 1_000


class StatusFeed:
    """The stream of announcements.

    Parameters
    ----------
    retry_s
        Time until a lost or refused connection is tried again, seconds.
    look_every_s
        Time between two looks at what has been announced, seconds.
    """

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        access: Access,
        clock: Clock,
        post: Post,
        log: Log,
        random: Random,
        retry_s: float = _RETRY_S,
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        self._clock = clock
        self._post = post
        self._log = log
        self._look_every_s = look_every_s
        self._notices: dict[str, Maintenance] = {}
        self._until_ns = 0
        self._has_complained = False
        self.stream = Stream(
            http=http,
            url=f"{access.public_ws_url}{_PATH}",
            join=self._join,
            on_message=self._on_message,
            on_lost=self._on_lost,
            on_bad_frame=self._on_bad,
            log=self._unheard,
            random=random,
            steps_s=(retry_s,),
        )

    async def run(self) -> None:
        """Listen, and tell each restriction when its time comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.stream.run())
            while True:
                self._look()
                await asyncio.sleep(self._look_every_s)

    async def _join(self, stream: Stream) -> None:
        await stream.request("subscribe", [TOPIC])

    def _on_message(self, frame: Frame) -> None:
        if not isinstance(frame, StatusFrame):
            return
        for error in frame.bad:
            self._on_bad(error)
        for notice in frame.notices:
            self._notices.pop(notice.notice_id, None)
            if notice.state in {"scheduled", "ongoing"} and len(self._notices) < _NOTICES_MAX:
                self._notices[notice.notice_id] = notice
        self._look()

    def _look(self) -> None:
        """Tell what restricts us, if it goes further than what was told."""
        now_ns = self._clock.now_ns()
        for notice in list(self._notices.values()):
            until_ns = restricted_until_ns(notice, now_ns)
            if until_ns > max(self._until_ns, now_ns):
                detail = f"maintenance: {notice.title}"[:200]
                with suppress(Overflow):  # what finds no room is told at the next look
                    self._post(VenueRestricted(at_ns=0, until_ns=until_ns, detail=detail))
                    self._until_ns = until_ns

    def _on_lost(self, detail: str) -> None:
        if not self._has_complained:
            self._has_complained = True
            self._log("no announcements of the venue", level="info", error=detail)

    def _on_bad(self, error: RemoteProtocolError) -> None:
        self._log("announcement not readable", level="warning", error=str(error))

    def _unheard(self, message: str, **fields: object) -> None:
        """Swallow what the connection says of itself; the first loss is told by `_on_lost`."""


def restricted_until_ns(notice: Maintenance, now_ns: int) -> int:
    """Until when a notice restricts us as of now, nanoseconds UTC; zero if it does not."""
    begin_ns, end_ns = notice.begin_ms * NS_PER_MS, notice.end_ms * NS_PER_MS
    if notice.state == "ongoing":
        return end_ns if end_ns > now_ns else now_ns + _AHEAD_NS
    if notice.state != "scheduled" or now_ns < begin_ns - _AHEAD_NS:
        return 0
    return end_ns or begin_ns + _AHEAD_NS
