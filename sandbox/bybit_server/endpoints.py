"""The table of REST endpoints: who may call each, how often, and which function answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from sandbox.bybit_server import (
    account_queries,
    account_settings,
    batch,
    drafting,
    market_queries,
    order_queries,
    record_queries,
    strategy_queries,
)
from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.refusal import RefusalError

PublicAnswer: TypeAlias = Callable[[Exchange, Fields], JsonObject]
SignedAnswer: TypeAlias = Callable[[Exchange, Account, Fields], JsonObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicEndpoint:
    """An endpoint for everybody."""

    method: str
    path: str
    answer: PublicAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEndpoint:
    """An endpoint for key holders. ``per_s`` and ``per_s_spot`` are requests per second and user."""

    method: str
    path: str
    answer: SignedAnswer
    per_s: int
    per_s_spot: int
    is_order: bool = False
    is_batch: bool = False

    def limit(self, category: str) -> int:
        """Return the allowance in a category."""
        return self.per_s_spot if category == "spot" else self.per_s


Endpoint: TypeAlias = PublicEndpoint | SignedEndpoint

PUBLIC: Final = (
    PublicEndpoint(method="GET", path="/v5/market/time", answer=market_queries.server_time),
    PublicEndpoint(method="GET", path="/v5/market/instruments-info", answer=market_queries.instruments_info),
    PublicEndpoint(method="GET", path="/v5/market/orderbook", answer=market_queries.order_book),
    PublicEndpoint(method="GET", path="/v5/market/tickers", answer=market_queries.tickers),
    PublicEndpoint(method="GET", path="/v5/market/recent-trade", answer=market_queries.recent_trades),
    PublicEndpoint(method="GET", path="/v5/market/kline", answer=market_queries.klines),
    PublicEndpoint(method="GET", path="/v5/market/mark-price-kline", answer=market_queries.mark_klines),
    PublicEndpoint(method="GET", path="/v5/market/index-price-kline", answer=market_queries.index_klines),
    PublicEndpoint(method="GET", path="/v5/market/funding/history", answer=market_queries.funding_history),
    PublicEndpoint(method="GET", path="/v5/market/open-interest", answer=market_queries.open_interest),
    PublicEndpoint(method="GET", path="/v5/market/insurance", answer=market_queries.insurance),
    PublicEndpoint(method="GET", path="/v5/market/price-limit", answer=market_queries.price_limit),
    PublicEndpoint(method="GET", path="/v5/announcements/index", answer=market_queries.announcements),
    PublicEndpoint(method="GET", path="/v5/system/status", answer=market_queries.system_status),
)

ORDER_CREATE: Final = SignedEndpoint(
    method="POST", path="/v5/order/create", answer=Exchange.create, per_s=10, per_s_spot=20, is_order=True
)
ORDER_AMEND: Final = SignedEndpoint(
    method="POST", path="/v5/order/amend", answer=Exchange.amend, per_s=10, per_s_spot=10, is_order=True
)
ORDER_CANCEL: Final = SignedEndpoint(
    method="POST", path="/v5/order/cancel", answer=Exchange.cancel, per_s=10, per_s_spot=20, is_order=True
)
ORDER_CREATE_BATCH: Final = SignedEndpoint(
    method="POST",
    path="/v5/order/create-batch",
    answer=batch.create_batch,
    per_s=10,
    per_s_spot=20,
    is_order=True,
    is_batch=True,
)
ORDER_AMEND_BATCH: Final = SignedEndpoint(
    method="POST",
    path="/v5/order/amend-batch",
    answer=batch.amend_batch,
    per_s=10,
    per_s_spot=20,
    is_order=True,
    is_batch=True,
)
ORDER_CANCEL_BATCH: Final = SignedEndpoint(
    method="POST",
    path="/v5/order/cancel-batch",
    answer=batch.cancel_batch,
    per_s=10,
    per_s_spot=20,
    is_order=True,
    is_batch=True,
)


def _get(path: str, answer: SignedAnswer, per_s: int) -> SignedEndpoint:
    return SignedEndpoint(method="GET", path=path, answer=answer, per_s=per_s, per_s_spot=per_s)


def _post(path: str, answer: SignedAnswer, per_s: int) -> SignedEndpoint:
    return SignedEndpoint(method="POST", path=path, answer=answer, per_s=per_s, per_s_spot=per_s)


SIGNED: Final = (
    ORDER_CREATE,
    ORDER_AMEND,
    ORDER_CANCEL,
    ORDER_CREATE_BATCH,
    ORDER_AMEND_BATCH,
    ORDER_CANCEL_BATCH,
    SignedEndpoint(
        method="POST", path="/v5/order/pre-check", answer=drafting.pre_check, per_s=10, per_s_spot=20
    ),
    SignedEndpoint(
        method="POST",
        path="/v5/strategy/create",
        answer=strategy_queries.create_strategy,
        per_s=10,
        per_s_spot=10,
        is_order=True,
    ),
    SignedEndpoint(
        method="POST",
        path="/v5/strategy/stop",
        answer=strategy_queries.stop_strategy,
        per_s=10,
        per_s_spot=10,
        is_order=True,
    ),
    _get("/v5/strategy/list", strategy_queries.list_strategies, 10),
    _get("/v5/strategy/order-list", strategy_queries.list_strategy_orders, 10),
    _post("/v5/order/disconnected-cancel-all", account_settings.set_disconnect_protection, 5),
    _get("/v5/order/spot-borrow-check", account_queries.spot_borrow_check, 20),
    _post("/v5/position/trading-stop", account_settings.trading_stop, 10),
    _get("/v5/position/closed-pnl", record_queries.closed_pnl, 50),
    _post("/v5/account/set-margin-mode", account_settings.set_margin_mode, 5),
    _post("/v5/account/set-limit-px-action", account_settings.set_limit_px_action, 10),
    _get("/v5/account/query-dcp-info", account_settings.disconnect_protection, 5),
    _get("/v5/account/transaction-log", record_queries.transaction_log, 50),
    _get("/v5/account/instruments-info", account_queries.account_instruments, 10),
    SignedEndpoint(
        method="POST",
        path="/v5/order/cancel-all",
        answer=Exchange.cancel_all,
        per_s=10,
        per_s_spot=20,
        is_order=True,
    ),
    SignedEndpoint(
        method="GET", path="/v5/order/realtime", answer=order_queries.open_orders, per_s=50, per_s_spot=50
    ),
    SignedEndpoint(
        method="GET", path="/v5/order/history", answer=order_queries.order_history, per_s=50, per_s_spot=50
    ),
    SignedEndpoint(
        method="GET", path="/v5/execution/list", answer=order_queries.executions, per_s=50, per_s_spot=50
    ),
    SignedEndpoint(
        method="GET", path="/v5/position/list", answer=account_queries.positions, per_s=50, per_s_spot=50
    ),
    SignedEndpoint(
        method="POST",
        path="/v5/position/set-leverage",
        answer=account_settings.set_leverage,
        per_s=10,
        per_s_spot=10,
    ),
    SignedEndpoint(
        method="POST",
        path="/v5/position/switch-mode",
        answer=account_settings.switch_mode,
        per_s=10,
        per_s_spot=10,
    ),
    SignedEndpoint(
        method="GET",
        path="/v5/account/wallet-balance",
        answer=account_queries.wallet_balance,
        per_s=50,
        per_s_spot=50,
    ),
    SignedEndpoint(
        method="GET", path="/v5/account/fee-rate", answer=account_queries.fee_rate, per_s=5, per_s_spot=5
    ),
    SignedEndpoint(
        method="GET", path="/v5/account/info", answer=account_queries.account_info, per_s=50, per_s_spot=50
    ),
    SignedEndpoint(
        method="GET", path="/v5/user/query-api", answer=account_queries.key_info, per_s=10, per_s_spot=10
    ),
    SignedEndpoint(
        method="GET",
        path="/v5/asset/coin/query-info",
        answer=account_queries.coin_info,
        per_s=5,
        per_s_spot=5,
    ),
)

ENDPOINTS: Final[Mapping[tuple[str, str], Endpoint]] = {
    (endpoint.method, endpoint.path): endpoint for endpoint in (*PUBLIC, *SIGNED)
}


def find_endpoint(method: str, path: str) -> Endpoint:
    """Return the endpoint of a route.

    Raises
    ------
    RefusalError
        10017 when there is none.
    """
    endpoint = ENDPOINTS.get((method, path))
    if endpoint is None:
        raise RefusalError(10017, "route not found")
    return endpoint


STREAM_OPERATIONS: Final[Mapping[str, SignedEndpoint]] = {
    "order.create": ORDER_CREATE,
    "order.amend": ORDER_AMEND,
    "order.cancel": ORDER_CANCEL,
    "order.create-batch": ORDER_CREATE_BATCH,
    "order.amend-batch": ORDER_AMEND_BATCH,
    "order.cancel-batch": ORDER_CANCEL_BATCH,
}
