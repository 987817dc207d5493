"""Texts from outside for the model to read: the newest few, each once, with its source and its time.

Nothing here decides what a text means or makes it harmless to read: `executor.advice.context` cleans what is shown.
Here is only how much of it there can be.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from executor.advice.context import NewsItem
from executor.domain.ports import Log

TEXT_LEN_MAX: Final = 2_000
"""Most of a text that is kept, characters; what is shown of it is shorter."""
SOURCE_LEN_MAX: Final = 60
REMEMBERED_MAX: Final = 2_000
"""Texts that are known again when they come back."""


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
        except NewsBroken as error:
            if source not in self._broken:
                self._broken.add(source)
                self._log("no news", level="warning", source=source.name, reason=str(error))
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


def read_webhook(body: Mapping[str, object]) -> tuple[str, str]:
    """Read what somebody sends us: exactly `source` and `text`, both texts that are not empty and not too long.

    Raises
    ------
    ValueError
        With what would have been right.
    """
    source, text = body.get("source"), body.get("text")
    if body.keys() != {"source", "text"} or not isinstance(source, str) or not isinstance(text, str):
        raise ValueError("exactly two keys, source and text, both strings")
    if not source.strip() or len(source) > SOURCE_LEN_MAX:
        raise ValueError(f"a source of 1 to {SOURCE_LEN_MAX} characters")
    if not text.strip() or len(text) > TEXT_LEN_MAX:
        raise ValueError(f"a text of 1 to {TEXT_LEN_MAX} characters")
    return source, text
