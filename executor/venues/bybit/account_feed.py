"""The private stream: our own orders and executions, live only after authentication and subscription.

Each row is decoded alone. A row that cannot be read is told to the engine's operators through the log and
answered with a complete reconciliation, because something about the account is then not known.
"""

from collections.abc import Callable, Sequence
from random import Random

import aiohttp

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import Event, StreamChanged
from executor.domain.events import Stream as StreamName
from executor.domain.ports import Log, Post
from executor.venues.bybit.access import Access
from executor.venues.bybit.codec import decode_execution, decode_order, decode_rows
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from executor.venues.bybit.stream import PING_EVERY_S, SILENCE_S_MAX, Message, Stream

_AUTH_AHEAD_MS = 10_000


class AccountFeed:
    """The private stream of one account.

    Parameters
    ----------
    prefix
        Beginning of our own order ids; orders of others are not the engine's business.
    on_unreadable
        Called with what could not be read.
    """

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        access: Access,
        signer: Signer,
        time: ServerTime,
        post: Post,
        prefix: str,
        on_unreadable: Callable[[RemoteProtocolError], None],
        log: Log,
        random: Random,
        ping_every_s: float = PING_EVERY_S,
        silence_s_max: float = SILENCE_S_MAX,
    ) -> None:
        self._signer = signer
        self._time = time
        self._post = post
        self._prefix = prefix
        self._on_unreadable = on_unreadable
        self._live = False
        self.stream = Stream(
            http=http,
            url=f"{access.private_ws_url}/v5/private",
            join=self._join,
            on_message=self._on_message,
            on_lost=self._on_lost,
            log=log,
            random=random,
            ping_every_s=ping_every_s,
            silence_s_max=silence_s_max,
        )

    async def _join(self, stream: Stream) -> None:
        await stream.request("auth", self._signer.socket_auth(self._time.now_ms() + _AUTH_AHEAD_MS))
        await stream.request("subscribe", ["order", "execution"])
        self._live = True
        self._post(StreamChanged(at_ns=0, stream=StreamName.PRIVATE, live=True, detail="joined"))

    def _on_lost(self, detail: str) -> None:
        if self._live:
            self._post(StreamChanged(at_ns=0, stream=StreamName.PRIVATE, live=False, detail=detail))
            self._live = False

    def _on_message(self, message: Message) -> None:
        rows = message.get("data")
        listed = rows if isinstance(rows, list) else [rows]  # what is not a list is one unreadable row
        topic = message.get("topic")
        events: Sequence[Event]
        if topic == "order":
            ours = [row for row in listed if not isinstance(row, dict) or self._is_ours(row)]
            events, bad = decode_rows(ours, decode_order)
        elif topic == "execution":
            events, bad = decode_rows(listed, decode_execution)
        else:
            events = ()
            bad = [RemoteProtocolError(f"message of topic {str(topic)[:80]!r}")]
        for event in events:
            self._post(event)
        for error in bad:
            self._on_unreadable(error)

    def _is_ours(self, row: dict[str, object]) -> bool:
        name = row.get("orderLinkId")
        return not isinstance(name, str) or name.startswith(self._prefix)
