"""Texts from outside for the model to read: the newest few, each once, with its source and its time.

Nothing here decides what a text means or makes it harmless to read: `executor.advice.context` cleans what is shown.
Here is only how much of it there can be.
"""

import asyncio
import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Final, Protocol

from executor.advice.context import NewsItem
from executor.domain.ports import Log
from executor.domain.timeline import NS_PER_MIN

TEXT_LEN_MAX: Final = 2_000
"""Most of a text that is kept, characters; what is shown of it is shorter."""
SOURCE_LEN_MAX: Final = 60
REMEMBERED_MAX: Final = 2_000
"""Texts that are known again when they come back."""
HANDED_PER_MIN_MAX: Final = 30
"""Texts that may be handed in within a minute, known or new: each that is new may cost a question."""


class NewsBroken(Exception):  # noqa: N818 - a source is broken, we are not
    """Why nothing could be read from a source; short and printable."""


class NewsSource(Protocol):
    """Somewhere texts come from."""

    name: str

    async def read(self) -> Sequence[tuple[str, int | None]]:
        """Read the texts that are there, the newest last, each with the time its author gives, UTC nanoseconds.

        Raises
        ------
        NewsBroken
            If they cannot be read.
        """


class News:
    """Keeps the newest texts.

    Parameters
    ----------
    items_max
        How many are kept.
    """

    def __init__(self, items_max: int, now_ns: Callable[[], int]) -> None:
        self._items_max = items_max
        self._now_ns = now_ns
        self._items: list[NewsItem] = []
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def items(self) -> tuple[NewsItem, ...]:
        """The texts that are kept, the newest first."""
        return tuple(self._items)

    def add(self, source: str, text: str, said_ns: int | None = None) -> bool:
        """Take one text; False if it is empty, known already, or older than all that are kept.

        Parameters
        ----------
        said_ns
            When its author says it was written, UTC; counts where it is before its arrival.
        """
        kept = " ".join(text[: 2 * TEXT_LEN_MAX].split())[:TEXT_LEN_MAX]
        name = " ".join(source[: 2 * SOURCE_LEN_MAX].split())[:SOURCE_LEN_MAX]
        if not kept or not self._is_fresh(kept):
            return False
        now_ns = self._now_ns()
        at_ns = now_ns if said_ns is None else max(0, min(said_ns, now_ns))
        item = NewsItem(source=name, at_ns=at_ns, text=kept)
        # Of two texts of one instant the one that came later is the newer.
        self._items = sorted([item, *self._items], key=lambda each: each.at_ns, reverse=True)[
            : self._items_max
        ]
        return item in self._items

    def _is_fresh(self, text: str) -> bool:
        digest = hashlib.sha256(text.casefold().encode("utf-8", "surrogatepass")).digest()
        if digest in self._seen:
            self._seen.move_to_end(digest)
            return False
        self._seen[digest] = None
        if len(self._seen) > REMEMBERED_MAX:
            self._seen.popitem(last=False)
        return True


class NewsFate(StrEnum):
    """What became of a text that was handed in."""

    TAKEN = "TAKEN"
    KNOWN = "KNOWN"
    TOO_MANY = "TOO_MANY"
    CLOSED = "CLOSED"


class NewsDoor:
    """Where others hand in texts: so many a minute, each once.

    Parameters
    ----------
    per_min_max
        Most that are looked at within a minute.
    """

    def __init__(self, news: News, now_ns: Callable[[], int], per_min_max: int = HANDED_PER_MIN_MAX) -> None:
        self._news = news
        self._now_ns = now_ns
        self._handed_ns: deque[int] = deque(maxlen=per_min_max)

    def hand_in(self, source: str, text: str, said_ns: int | None) -> NewsFate:
        """Take one text; KNOWN if it says nothing new, or is older than all that are kept."""
        now_ns = self._now_ns()
        handed_ns = self._handed_ns
        if len(handed_ns) == handed_ns.maxlen and now_ns - handed_ns[0] < NS_PER_MIN:
            return NewsFate.TOO_MANY
        handed_ns.append(now_ns)
        return NewsFate.TAKEN if self._news.add(source, text, said_ns) else NewsFate.KNOWN


class NewsDesk:
    """Looks at every source again and again; one that is broken is told once, and looked at like the others."""

    def __init__(self, news: News, sources: Iterable[NewsSource], poll_s: float, log: Log) -> None:
        self._news = news
        self._sources = tuple(sources)
        self._poll_s = poll_s
        self._log = log
        self._broken: set[NewsSource] = set()

    async def run(self, told: Callable[[str], None]) -> None:
        """Look until cancelled.

        Parameters
        ----------
        told
            Called with the name of a source that had something new.
        """
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(self._follow(source, told))

    async def look(self, source: NewsSource) -> int:
        """Look at one source; how many of its texts were taken."""
        try:
            texts = await source.read()
        except Exception as error:  # noqa: BLE001 - a fault in reading news must not end the daemon
            if source not in self._broken:
                self._broken.add(source)
                reason = str(error) if isinstance(error, NewsBroken) else _kind_of(error)
                self._log("no news", level="warning", source=source.name, reason=reason)
            return 0
        if source in self._broken:
            self._broken.discard(source)
            self._log("news again", source=source.name)
        return sum(self._news.add(source.name, text, said_ns) for text, said_ns in texts)

    async def _follow(self, source: NewsSource, told: Callable[[str], None]) -> None:
        while True:
            if await self.look(source):
                told(source.name)
            await asyncio.sleep(self._poll_s)


def _kind_of(error: Exception) -> str:
    """Name an error without its text, which may hold an address."""
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
