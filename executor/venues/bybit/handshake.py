"""One short visit to a WebSocket of Bybit: connect, authenticate or subscribe, and leave. Nothing is ordered."""

import json
from typing import Final

import aiohttp

from executor.domain.errors import TransportError
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer, without_signed
from executor.venues.bybit.transport import new_session

_AUTH_AHEAD_MS: Final = 10_000
_FRAMES_MAX: Final = 100
_TEXT_LEN_MAX: Final = 100


async def shake_hands(
    hosts: frozenset[str], url: str, topic: str, signer: Signer | None, time: ServerTime
) -> None:
    """Let the venue say that it would serve us.

    Parameters
    ----------
    hosts
        The only hosts that may be reached.
    topic
        A public topic to subscribe to when there is no signer.
    signer
        Authenticates on the private and the trade socket.

    Raises
    ------
    TransportError
        If it says no, or something that is no answer.
    aiohttp.ClientError, ValueError
        If there is no connection, or what comes is no JSON.
    """
    if signer is None:
        asked: dict[str, object] = {"req_id": "look", "op": "subscribe", "args": [topic]}
    else:
        asked = {"req_id": "look", "op": "auth", "args": signer.socket_auth(time.now_ms() + _AUTH_AHEAD_MS)}
    async with (
        new_session(hosts) as http,
        http.ws_connect(url, max_msg_size=1 << 20) as socket,
    ):
        await socket.send_str(json.dumps(asked))
        for _ in range(_FRAMES_MAX):
            frame = await socket.receive()
            if frame.type is not aiohttp.WSMsgType.TEXT:
                raise TransportError(f"the connection ended: {frame.type.name}")
            answer = json.loads(frame.data)
            if isinstance(answer, dict) and answer.get("op") == asked["op"]:
                # The trade socket answers with a return code, the others with a word.
                if answer.get("success") is True or answer.get("retCode") == 0:
                    return
                said = answer.get("ret_msg") or answer.get("retMsg")
                raise TransportError(f"{asked['op']} refused: {without_signed(str(said))[:_TEXT_LEN_MAX]!r}")
        raise TransportError(f"no answer to {asked['op']}")
