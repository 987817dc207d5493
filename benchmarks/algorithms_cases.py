"""Which recordings are imported, which orders are worked in them, and by which algorithms.

Quantities are about a hundredth of what a recording trades in the time of an order; in recordings that hold a book
and no trades, about a hundred quote units. They are written down here, so that no result has chosen them.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final

from backtest.policies import BASELINES, POLICIES, Policy
from executor.domain.events import ParentSubmitted
from executor.domain.orders import Category, ResidualRule, Side, StrategyParams, Urgency
from executor.domain.units import Quantity
from strategies.base import STRATEGIES
from strategies.wrappers.crypto import GUIDES

FOLLOWERS: Final = ("twap", "vwap", "arrival-price", "pov", "adaptive", "RANDOM")
"""Algorithms whose distance from the market's volume is told."""
FILES: Final = (
    ("bybit/v5-session-20260809.jsonl.zst",),
    ("bybit/ob500/2024-12-01_XRPUSDT_ob500.data.zip",),
    ("bybit/orderbook1/linear-20250613.ws.txt",),
    ("bybit/orderbook1/spot-20250613.ws.txt",),
    ("bybit/trades/BTCUSD2019-10-01.csv.gz",),
    ("bybit/trades/1INCHUSDT_2025-05-19.csv", "bybit/trades/UNIUSDC_2025-05-17.csv"),
    ("binance/usdm/btcusdt_20230404.dat.gz", "binance/usdm/btcusdt_20230405.dat.gz"),
    ("binance/usdm/ethusdt_20240718.gz", "binance/usdm/ethusdt_20240719.gz"),
    ("binance/spot/ethusdt_20240808.gz", "binance/spot/ethusdt_20240809.gz"),
    ("lobster/LOBSTER_SampleFile_GOOG_2012-06-21_5.zip",),
    ("lobster/LOBSTER_SampleFile_AAPL_2012-06-21_1.zip",),
    ("coinbase/ten-min-with-trades",),
    (
        "validator/test_positive_binance_difference_depth_stream_usd_m_futures_trxusdt_04-03-2025.csv",
        "validator/test_positive_binance_trade_stream_usd_m_futures_trxusdt_04-03-2025.csv",
    ),
    ("validator/test_positive_binance_trade_stream_coin_m_futures_trxusd_perp_04-03-2025.csv",),
)
"""Files of each import, under the folder of recordings; those of one market go into one import."""
LEFT_OUT: Final = (
    "README.md",
    "bybit/payloads",
    "bybit/funding",
    "bybit/klines",
    "validator/test_negative",
    "_coin_m_",
)
"""Files that hold no market to trade in: single messages, rates, candles, and corrupted or book-less twins."""


class Group(StrEnum):
    """Orders that are summed up together."""

    COINS = "coins"
    SHARES = "shares"
    LONG = "shares, 20 min"
    SHORT = "short recordings"
    BARE = "incomplete recordings"


POV_SHARES: Final = {Group.LONG: Decimal("0.0025")}
"""Share of the volume that `pov` aims at, where it is not `POV_SHARE`: about what the order is of all that trades."""
POV_SHARE: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Orders of one kind in one recording.

    Parameters
    ----------
    name
        VENUE/CATEGORY/SYMBOL of the recording.
    every_s, quick_s
        Time from one order to the next, and that of a quick run; seconds.
    warmup_s
        Time in which the engine watches the market before an order, seconds.
    """

    name: str
    group: Group
    qty: Quantity
    duration_s: int
    interval_s: int
    every_s: int
    quick_s: int
    warmup_s: int

    @property
    def parts(self) -> tuple[str, str, str]:
        """Venue, category and symbol."""
        venue, category, symbol = self.name.split("/")
        return venue, category, symbol

    @property
    def pov_share(self) -> Decimal:
        """Share of the volume that `pov` aims at, 0-1."""
        return POV_SHARES.get(self.group, POV_SHARE)

    def by(self, algorithm: str, seed: int, side: Side) -> ParentSubmitted:
        """The order as an algorithm works it; what is random in it comes from the seed."""
        order = ALGORITHMS[algorithm](self.order(seed), seed)
        if order.strategy == "pov":
            order = replace(order, params=replace(order.params, participation=self.pov_share))
        return replace(order, side=side)

    def order(self, seed: int) -> ParentSubmitted:
        """The order, whose side and strategy are still to be chosen."""
        _, category, symbol = self.parts
        return ParentSubmitted(
            at_ns=0,
            request_id="",
            idempotency_key="",
            body_sha256="",
            category=Category(category),
            symbol=symbol,
            side=Side.BUY,
            order_qty=self.qty,
            duration_s=self.duration_s,
            residual=ResidualRule.CROSS,
            extend_s=0,
            limit_px=None,
            urgency=Urgency.MEDIUM,
            strategy="twap",
            params=StrategyParams(interval_s=self.interval_s),
            reduce_only=False,
            position_idx=0,
            decision_px=None,
            seed=seed,
        )


def _cases(group: Group, times: tuple[int, int, int, int, int], qty: dict[str, str]) -> list[Case]:
    duration_s, interval_s, every_s, quick_s, warmup_s = times
    return [
        Case(
            name=name,
            group=group,
            qty=Quantity(Decimal(one)),
            duration_s=duration_s,
            interval_s=interval_s,
            every_s=every_s,
            quick_s=quick_s,
            warmup_s=warmup_s,
        )
        for name, one in qty.items()
    ]


CASES: Final = (
    *_cases(
        Group.COINS, (60, 10, 15, 60, 30),
        {
            "binance/linear/BTCUSDT": "1.3", "binance/linear/ETHUSDT": "10", "binance/spot/ETHUSDT": "4",
            "coinbase/spot/BTC-USD": "0.075",
        },
    ),
    *_cases(Group.SHARES, (60, 10, 450, 2400, 30), {"nasdaq/spot/AAPL": "73", "nasdaq/spot/GOOG": "18"}),
    *_cases(Group.LONG, (1200, 60, 2400, 7200, 60), {"nasdaq/spot/AAPL": "150", "nasdaq/spot/GOOG": "100"}),
    *_cases(
        Group.SHORT, (20, 10, 4, 8, 11),
        {
            "bybit/linear/BTCUSDT": "0.05", "bybit/linear/DOGEUSDT": "5000", "bybit/linear/ETHUSDT": "0.1",
            "bybit/linear/SOLUSDT": "40", "bybit/spot/BTCUSDT": "0.0003", "bybit/spot/ETHUSDT": "0.02",
        },
    ),
    *_cases(
        Group.BARE, (12, 6, 3600, 3600, 11),
        {
            "binance/linear/TRXUSDT": "400", "bybit/linear/XRPUSDT": "50", "bybit/linear/AIOZUSDT": "300",
            "bybit/linear/BANDUSDT": "150", "bybit/linear/RADUSDT": "150", "bybit/linear/SNTUSDT": "3000",
            "bybit/spot/ARBUSDC": "300", "bybit/spot/CPOOLUSDT": "1000", "bybit/spot/KCSUSDT": "10",
            "bybit/spot/MASAUSDT": "5359.6", "bybit/spot/OPUSDC": "150", "bybit/spot/TUSDUSDT": "100",
            "bybit/inverse/BTCUSD": "100", "bybit/spot/1INCHUSDT": "500", "bybit/spot/UNIUSDC": "20",
            "binance/inverse/TRXUSD_PERP": "100",
        },
    ),
)  # fmt: skip


def _wrapped(wrapper: str) -> Policy:
    def policy(order: ParentSubmitted, seed: int) -> ParentSubmitted:
        return replace(order, strategy="twap", params=replace(order.params, wrappers=(wrapper,)))

    return policy


ALGORITHMS: Final[dict[str, Policy]] = {
    **{name: POLICIES[name.upper()] for name in STRATEGIES},
    **{f"twap + {name}": _wrapped(name) for name in GUIDES},
    **{name: POLICIES[name] for name in BASELINES},
}
"""Every strategy, every guide about a TWAP, and the baselines; the wrapper `adaptive` about a TWAP is the strategy."""


def algorithms_of(case: Case) -> tuple[str, ...]:
    """Name the algorithms that work a case: all; of long orders those that are held against the market's volume."""
    return FOLLOWERS if case.group is Group.LONG else tuple(ALGORITHMS)


def unknown_files(folder: Path) -> list[str]:
    """Files of the folder of recordings that no import here names."""
    named = tuple(one for files in FILES for one in files)
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(
        one for one in paths if not one.startswith(named) and not any(part in one for part in LEFT_OUT)
    )
