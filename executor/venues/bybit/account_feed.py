"""The private stream: our orders and executions, the positions and the wallet; live once both acks were received.

Each row is decoded alone. What cannot be read, a row or a whole frame, is told to the operators through the log and
answered with a complete reconciliation, because something about the account is then not known.

`execution.fast` is not subscribed, on purpose: it comes some milliseconds earlier, but without the fee and,
for a resting order, without our id; every one of its rows comes again on `execution`, where the ledger takes
it from.

A stream whose pings are answered while its topics stay silent is not noticed here: a message or a pong is all
that liveness asks for. The engine notices, because it asks about every acknowledged order that the stream
does not show in time (`executor.engine.child.on_acked`), and reconciles everything at regular intervals.
"""

from collections.abc import Callable
from random import Random
from typing import Final

import aiohttp

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import OrderUpdated, StreamChanged
from executor.domain.events import Stream as StreamName
from executor.domain.ports import Log, Post
from executor.venues.bybit.access import Access
from executor.venues.bybit.codec import FastExecution
from executor.venues.bybit.codec_frames import AccountFrame, Frame, Ignored
from executor.venues.bybit.return_codes import CreateOutcome, judge_create
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from executor.venues.bybit.stream import (
    PING_EVERY_S,
    SILENCE_S_MAX,
    RequestRefused,
    Stream,
    TurnedAway,
    Unacknowledged,
)

TOPICS: Final = ("order", "execution", "position", "wallet")
_ARMING: Final = ("dcp.future", "dcp.spot")
_AUTH_AHEAD_MS = 10_000
_NO_CODE = 0


class AccountFeed:
    """The private stream of one account.

    Parameters
    ----------
    prefix
        Beginning of our own order ids; orders of others are not the engine's business.
    on_unreadable
        Called with what could not be read.
    on_auth_refused
        Called with code (0 where the venue gives none) and text whenever the venue refuses our key. The next attempt
        comes after a minute at the earliest.
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
        on_auth_refused: Callable[[int, str], None],
        log: Log,
        random: Random,
        ping_every_s: float = PING_EVERY_S,
        silence_s_max: float = SILENCE_S_MAX,
    ) -> None:
        self._arming = _ARMING if access.dcp else ()
        self._signer = signer
        self._time = time
        self._post = post
        self._prefix = prefix
        self._on_unreadable = on_unreadable
        self._on_auth_refused = on_auth_refused
        self._log = log
        self._live = False
        self.stream = Stream(
            http=http,
            url=f"{access.private_ws_url}/v5/private",
            join=self._join,
            on_message=self._on_message,
            on_lost=self._on_lost,
            on_bad_frame=on_unreadable,
            log=log,
            random=random,
            ping_every_s=ping_every_s,
            silence_s_max=silence_s_max,
        )

    async def _join(self, stream: Stream) -> None:
        try:
            await stream.request("auth", self._signer.socket_auth(self._time.now_ms() + _AUTH_AHEAD_MS))
        except RequestRefused as error:
            if not _is_final(error.code):
                raise
            self._on_auth_refused(_NO_CODE if error.code is None else error.code, error.text)
            self._on_unreadable(error)
            raise TurnedAway(str(error)) from error
        await stream.request("subscribe", list(TOPICS))
        self._live = True
        self._post(_changed(live=True, detail="joined"))
        for topic in self._arming:
            try:
                await stream.request("subscribe", [topic])
            except (RequestRefused, Unacknowledged) as error:
                self._log("topic refused", level="warning", topic=topic, error=str(error))

    def _on_lost(self, detail: str) -> None:
        if self._live:
            self._post(_changed(live=False, detail=detail))
            self._live = False

    def _on_message(self, frame: Frame) -> None:
        if isinstance(frame, Ignored):
            return
        if not isinstance(frame, AccountFrame):
            self._on_unreadable(RemoteProtocolError(f"a {type(frame).__name__} on the private stream"))
            return
        for event in frame.events:
            if isinstance(event, FastExecution):
                continue
            if not isinstance(event, OrderUpdated) or event.client_order_id.startswith(self._prefix):
                self._post(event)
        for row in frame.bad:
            if not frame.topic.startswith("order") or self._may_be_ours(row.client_order_id):
                self._on_unreadable(row.error)

    def _may_be_ours(self, client_order_id: str | None) -> bool:
        """Whether an order is ours, or may be for all that can be read of it."""
        return client_order_id is None or client_order_id.startswith(self._prefix)


def _changed(*, live: bool, detail: str) -> StreamChanged:
    return StreamChanged(at_ns=0, stream=StreamName.PRIVATE, category=None, live=live, detail=detail)


def _is_final(code: int | None) -> bool:
    """Whether a refusal to let us in is about us. Without a code it is, since the stream gives none for a wrong key."""
    return code is None or judge_create(code) is CreateOutcome.FATAL
