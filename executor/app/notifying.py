"""Telling people of alarms while the daemon runs: puts the file, the alarms and the ways to people together."""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp

from config.notices import Notices as Whom
from config.notices import read_notices
from config.settings import Settings
from executor.app.messengers import (
    ANSWER_S_MAX,
    Delivery,
    MailMessenger,
    Messenger,
    TelegramMessenger,
    WebhookMessenger,
)
from executor.domain.commands import Severity
from executor.domain.events import Event
from executor.domain.ports import Log, Post
from executor.domain.timeline import NS_PER_S
from executor.runtime.alarms import Alarms
from executor.runtime.notices import Notice, Notices

LOOK_S: Final = 1.0
PING_S: Final = 60.0


class Notifier:
    """Tells people of alarms, beside the venue.

    Parameters
    ----------
    alarms
        Gives the daemon's alarms, once it runs.
    standing
        Says in one line how the daemon stands, for the heartbeat.
    count
        Told of each notice: the way's name, and sent, failed or dropped.
    """

    def __init__(
        self,
        whom: Whom,
        name: str,
        alarms: Callable[[], Alarms],
        now_ns: Callable[[], int],
        standing: Callable[[], str],
        count: Callable[[str, str], None],
        log: Log,
    ) -> None:
        self._whom = whom
        self._alarms = alarms
        self._now_ns = now_ns
        self._standing = standing
        self._count = count
        self._log = log
        self._notices = Notices(least=Severity(whom.severity), name=name)

    def notice(self, event: Event) -> None:
        """What the venue posts is no alarm by itself."""

    async def run(self, post: Post) -> None:
        """Tell people until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX)) as http:
            ways = [Delivery(messenger, self._counted) for messenger in _messengers(self._whom, http)]
            alarms = self._alarms()
            for alarm in alarms.latest:
                _put(ways, self._notices.take(alarm))
            alarms.tell(lambda alarm: _put(ways, self._notices.take(alarm)))
            async with asyncio.TaskGroup() as group:
                for way in ways:
                    group.create_task(way.run())
                group.create_task(self._look(ways))
                if self._whom.ping_url:
                    group.create_task(self._ping(http))

    async def _look(self, ways: list[Delivery]) -> None:
        """Tell what is owed, and from time to time that all is well; the first time at once."""
        beat_ns = 0
        while True:
            now_ns = self._now_ns()
            for notice in self._notices.due(now_ns):
                _put(ways, notice)
            if self._whom.heartbeat_s and now_ns >= beat_ns:
                beat_ns = now_ns + self._whom.heartbeat_s * NS_PER_S
                _put(ways, self._notices.heartbeat(now_ns, self._standing()))
            await asyncio.sleep(LOOK_S)

    async def _ping(self, http: aiohttp.ClientSession) -> None:
        while True:
            try:
                async with http.get(self._whom.ping_url, allow_redirects=False) as answer:
                    self._counted("ping", "sent" if answer.status < 400 else "failed")
            except (OSError, aiohttp.ClientError, TimeoutError):
                self._counted("ping", "failed")
            await asyncio.sleep(PING_S)

    def _counted(self, way: str, outcome: str) -> None:
        self._count(way, outcome)
        if outcome != "sent":
            self._log("a notice was not delivered", level="warning", way=way, outcome=outcome)


def _put(ways: list[Delivery], notice: Notice | None) -> None:
    if notice is not None:
        for way in ways:
            way.put(notice)


def _messengers(whom: Whom, http: aiohttp.ClientSession) -> list[Messenger]:
    found: list[Messenger] = []
    if whom.webhook is not None:
        found.append(WebhookMessenger(http, whom.webhook))
    if whom.telegram is not None:
        found.append(TelegramMessenger(http, whom.telegram))
    if whom.mail is not None:
        found.append(MailMessenger(whom.mail))
    return found


def notifying(
    settings: Settings,
    name: str,
    alarms: Callable[[], Alarms],
    now_ns: Callable[[], int],
    standing: Callable[[], str],
    count: Callable[[str, str], None],
    log: Log,
) -> list[Notifier]:
    """Read whom to tell; empty where nobody is.

    Raises
    ------
    ConfigProblems
        If the file cannot be used: a daemon that was to tell people does not start mute.
    """
    if settings.notices.file is None:
        return []
    return [Notifier(read_notices(settings.notices.file), name, alarms, now_ns, standing, count, log)]
