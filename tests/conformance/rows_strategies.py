"""Rows about the venue's own strategy orders. No library names them yet: each signs and sends the bare request."""

from __future__ import annotations

from typing import Any, Final

from tests.conformance.calls import REFUSED, Rows
from tests.conformance.stage import Stage
from tests.sandbox.venue_support import poll_until

ROWS = Rows("Strategy orders of the venue", "strategies")
CREATE: Final = "POST /v5/strategy/create"
STOP: Final = "POST /v5/strategy/stop"
LIST: Final = "GET /v5/strategy/list"
ORDERS: Final = "GET /v5/strategy/order-list"
USDT: Final = {"category": "UTA_USDT", "symbol": "BTCUSDT", "side": "Buy"}
TWAP: Final = {**USDT, "strategyType": "twap", "size": "0.300", "duration": 300, "interval": 30}
POV_PARAMS: Final = {"mode": "TradedVolume", "participationRate": "10", "referenceWindow": "60"}
POV: Final = {
    **USDT,
    "strategyType": "pov",
    "size": "0.300",
    "duration": 900,
    "interval": 5,
    "povParams": POV_PARAMS,
}


def _asked(stage: Stage, target: str, **query: Any) -> dict[str, Any]:
    """Send a signed request through pybit's own session and give its result."""
    method, path = target.split()
    http = stage.http
    answer = http._submit_request(method=method, path=f"{http.endpoint}{path}", query=query, auth=True)
    result: dict[str, Any] = answer["result"]
    return result


@ROWS.pybit("_submit_request", CREATE)
def started(stage: Stage) -> None:
    """A TWAP is accepted with an id, is at work in the list, and its first order is in the list of its orders."""
    stage.btc_book()
    name = _asked(stage, CREATE, **TWAP)["strategyId"]
    (row,) = _asked(stage, LIST, category="UTA_USDT", symbol="", strategyId=name)["list"]
    assert (row["status"], row["size"]) == (2, "0.3")
    _asked(stage, STOP, category="UTA_USDT", strategyId=name)


@ROWS.pybit("_submit_request", LIST)
def nothing_is_listed_before_the_first(stage: Stage) -> None:
    """An account that has started no strategy has an empty list."""
    assert _asked(stage, LIST, category="UTA_USDT", symbol="")["list"] == []


@ROWS.pybit("_submit_request", ORDERS)
def its_orders(stage: Stage) -> None:
    """What a TWAP has sent is told with its size."""
    stage.btc_book()
    name = _asked(stage, CREATE, **TWAP)["strategyId"]
    poll_until(lambda: _asked(stage, ORDERS, strategyId=name, pageSize="50")["list"])
    (order,) = _asked(stage, ORDERS, strategyId=name, pageSize="50")["list"]
    assert order["size"] == "0.03"


@ROWS.pybit("_submit_request", STOP)
def stopped(stage: Stage) -> None:
    """A strategy that is stopped has ended."""
    stage.btc_book()
    name = _asked(stage, CREATE, **TWAP)["strategyId"]
    _asked(stage, STOP, category="UTA_USDT", strategyId=name)
    (row,) = _asked(stage, LIST, category="UTA_USDT", symbol="", strategyId=name)["list"]
    assert row["status"] == 3


@ROWS.ccxt("request", CREATE)
async def started_by_ccxt(stage: Stage, ccxt: Any) -> None:
    """A signature of ccxt over a strategy order is accepted as well."""
    stage.btc_book()
    answer = await ccxt.request("v5/strategy/create", "private", "POST", dict(TWAP))
    assert answer["result"]["strategyId"]


def _refused(code: int, promise: str, **changes: Any) -> None:
    def act(stage: Stage) -> None:
        stage.btc_book()
        assert stage.refusal(_asked, stage=stage, target=CREATE, **{**POV, **changes})[0] == code

    act.__name__ = f"refused {code} {' '.join(changes)}"
    act.__doc__ = promise
    ROWS.pybit("_submit_request", CREATE, REFUSED)(act)


_refused(60088, "A POV of an unknown mode is 60088.", povParams={**POV_PARAMS, "mode": "Moon"})
_refused(60089, "A participation of 101 % is 60089.", povParams={**POV_PARAMS, "participationRate": "101"})
_refused(
    60090,
    "A window of ten seconds, and none at all, is 60090.",
    povParams={**POV_PARAMS, "referenceWindow": "10"},
)
_refused(60093, "A duration of a minute is 60093.", duration=60)
_refused(60095, "An interval above the duration is 60095.", interval=1_000)
