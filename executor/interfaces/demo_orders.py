"""What the demonstration hands to the daemon: orders of different kinds, so that there is something to look at.

One is followed to its end in the terminal. The others are there to be seen on the board: one that sells beside it, one
that waits for its price, one that a person has paused, one that fails because its symbol is mistyped, a basket, and an
order over two markets.
"""

from collections.abc import Callable, Mapping
from typing import Final

from executor.interfaces.client import Client
from executor.interfaces.failure import CommandFailed

KEY: Final = "demo-followed"
"""Idempotency key of the order that is followed, by which it is found."""
_LONG: Final = "15m"
_KEY_HEADER: Final = "Idempotency-Key"
_EASY: Final[dict[str, object]] = {"duration": _LONG, "interval": "30s", "advised": False}

SINGLE: Final[tuple[tuple[str, Mapping[str, object], bool], ...]] = (
    (
        "sell 12 ETHUSDT within 15 minutes, more where the market usually trades more",
        {"symbol": "ETHUSDT", "side": "sell", "qty": "12", "residual": "leave", "strategy": "vwap", **_EASY},
        False,
    ),
    (
        "buy 4000 XRPUSDT, but never above 0.5: the market is dearer, so it waits and says so",
        {
            "symbol": "XRPUSDT",
            "side": "buy",
            "qty": "4000",
            "limit_price": "0.5",
            "residual": "leave",
            **_EASY,
        },
        False,
    ),
    (
        "buy 60 SOLUSDT, paused at once as a person would: Resume on the board lets it go on",
        {"symbol": "SOLUSDT", "side": "buy", "qty": "60", "residual": "leave", **_EASY},
        True,
    ),
    (
        "buy 0.2 BTCUSTD, which is mistyped: it fails, and an alarm says which symbol may be meant",
        {"symbol": "BTCUSTD", "side": "buy", "qty": "0.2", "residual": "leave", **_EASY},
        False,
    ),
)
"""Each alone: in words, what is sent, and whether it is paused at once."""
BASKET_WORDS: Final = "a basket of two, accepted together or not at all: buy 40 SOLUSDT, sell 30000 DOGEUSDT"
BASKET: Final[Mapping[str, object]] = {
    "name": "pair",
    "orders": [
        {"symbol": "SOLUSDT", "side": "buy", "qty": "40", "residual": "leave", **_EASY},
        {"symbol": "DOGEUSDT", "side": "sell", "qty": "30000", "residual": "leave", **_EASY},
    ],
}
ROUTE_WORDS: Final = "buy 0.2 BTC over two markets, spot and perpetual, wherever it is cheaper after fees"
ROUTE: Final[Mapping[str, object]] = {
    "route": "linear:BTCUSDT,spot:BTCUSDT",
    "side": "buy",
    "qty": "0.2",
    "residual": "leave",
    "duration": _LONG,
    "interval": "30s",
}


def all_words() -> list[str]:
    """Say what is handed in beside the order that is followed, a line for each."""
    return [*(words for words, _, _ in SINGLE), BASKET_WORDS, ROUTE_WORDS]


def place_beside(client: Client, say: Callable[[str], None]) -> None:
    """Hand in all but the order that is followed and the one over two markets; what is refused is said."""
    for number, (words, body, is_paused) in enumerate(SINGLE):
        try:
            answer = client.post("/v1/parents", dict(body), {_KEY_HEADER: f"demo-{number}"})
            if is_paused:
                client.post(f"/v1/parents/{answer['parent_id']}/pause", {})
        except CommandFailed as error:
            say(f"left out: {words}: {error}")
    _post(client, "/v1/baskets", BASKET, BASKET_WORDS, say)


def place_route(client: Client, say: Callable[[str], None]) -> None:
    """Hand in the order over two markets."""
    _post(client, "/v1/routes", ROUTE, ROUTE_WORDS, say)


def followed(client: Client) -> str:
    """Give the id of the order that is followed; empty while it was not accepted."""
    listed = client.get("/v1/parents")["parents"]
    assert isinstance(listed, list)
    return next((str(one["id"]) for one in listed if one["idempotency_key"] == KEY), "")


def _post(
    client: Client, path: str, body: Mapping[str, object], words: str, say: Callable[[str], None]
) -> None:
    try:
        client.post(path, dict(body), {_KEY_HEADER: f"demo{path.replace('/', '-')}"})
    except CommandFailed as error:
        say(f"left out: {words}: {error}")
