"""Disconnect-cancel-all: the venue itself cancels when the connection that asked for it is lost.

An account setting of the venue, offered to some accounts only, and armed by a private stream that subscribes the
`dcp` topics. It comes on top of the sentinel, never in its place: a refusal is told and changes nothing.
"""

import json
from collections.abc import Mapping
from typing import Final

import aiohttp

from executor.domain.ports import Log
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer, without_signed

SET_PATH: Final = "/v5/order/disconnected-cancel-all"
QUERY_PATH: Final = "/v5/account/query-dcp-info"
PRODUCTS: Final = ("DERIVATIVES", "SPOT")
_ANSWER_BYTES_MAX: Final = 1 << 16


async def arm_dcp(
    http: aiohttp.ClientSession, rest_url: str, signer: Signer, time: ServerTime, window_s: int, log: Log
) -> frozenset[str]:
    """Set the window for every product and read it back; what is not so afterwards is told.

    Parameters
    ----------
    window_s
        Time without a connection after which the venue cancels, 3 to 300 seconds.

    Returns
    -------
    frozenset
        Products for which the venue confirms the window. It may take some ten seconds to apply what it has accepted.
    """
    door = _Door(http, rest_url, signer, time)
    for product in PRODUCTS:
        refusal = await door.send("POST", SET_PATH, {"product": product, "timeWindow": window_s})
        if isinstance(refusal, str):
            log(
                "the venue does not take the disconnect window",
                level="warning",
                product=product,
                answer=refusal,
            )
    answer = await door.send("GET", QUERY_PATH, None)
    if isinstance(answer, str):
        log("the disconnect window cannot be read back", level="warning", answer=answer)
        return frozenset()
    confirmed = {product for product, shown_s in _windows(answer).items() if shown_s == str(window_s)}
    for product in PRODUCTS:
        if product in confirmed:
            log("the venue cancels by itself when our connection is lost", product=product, after_s=window_s)
        else:
            shown = _windows(answer).get(product, "none")
            log("the disconnect window is not in force", level="warning", product=product, shown=shown)
    return frozenset(confirmed)


def _windows(result: Mapping[str, object]) -> dict[str, str]:
    """Windows that are switched on, by product."""
    rows = result.get("dcpInfos")
    return {
        str(row.get("product")): str(row.get("timeWindow"))
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and row.get("dcpStatus") == "ON"
    }


class _Door:
    """Signed requests of this module alone: they are sent once, at the start, before anything is opened."""

    def __init__(self, http: aiohttp.ClientSession, rest_url: str, signer: Signer, time: ServerTime) -> None:
        self._http = http
        self._url = rest_url
        self._signer = signer
        self._time = time

    async def send(
        self, method: str, path: str, fields: Mapping[str, object] | None
    ) -> dict[str, object] | str:
        """Give the result, or the refusal or failure in words."""
        body = b"" if fields is None else json.dumps(fields, separators=(",", ":")).encode("ascii")
        headers = self._signer.headers(self._time.now_ms(), body)
        try:
            async with self._http.request(
                method, f"{self._url}{path}", data=body or None, headers=headers, allow_redirects=False
            ) as response:
                raw = await response.content.read(_ANSWER_BYTES_MAX)
                if response.status != 200:
                    return f"HTTP {response.status}"
            answer = json.loads(raw)
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as error:
            return f"{type(error).__name__}: {error}"[:200]
        if not isinstance(answer, dict) or answer.get("retCode") != 0:
            code, text = (
                (answer.get("retCode"), answer.get("retMsg"))
                if isinstance(answer, dict)
                else ("", "no object")
            )
            return f"{code}: {without_signed(str(text))}"[:200]
        result = answer.get("result")
        return result if isinstance(result, dict) else {}
