"""The genuine recordings that EXECUTOR_REAL_DATA names: which files, how many rows. Of long ones the beginning is read.

EXECUTOR_CAMPAIGN=full has them read whole.
"""

import gzip
import os
import zipfile
from pathlib import Path

ROOT = os.environ.get("EXECUTOR_REAL_DATA")
VALIDATOR = "test_{}_binance_{}_{}_04-03-2025.csv"
COIN_DEPTH = ("difference_depth_stream", "coin_m_futures_trxusd_perp")
COIN_TRADES = ("trade_stream", "coin_m_futures_trxusd_perp")
GENUINE = {
    "session": ["bybit/v5-session-20260809.jsonl.zst"],
    "book archive": ["bybit/ob500/2024-12-01_XRPUSDT_ob500.data.zip"],
    "orderbook.1 linear": ["bybit/orderbook1/linear-20250613.ws.txt"],
    "orderbook.1 spot": ["bybit/orderbook1/spot-20250613.ws.txt"],
    "trades 2019": ["bybit/trades/BTCUSD2019-10-01.csv.gz"],
    "trades spot": ["bybit/trades/1INCHUSDT_2025-05-19.csv", "bybit/trades/UNIUSDC_2025-05-17.csv"],
    "funding": ["bybit/funding/btcusdt.csv"],
    "btc": ["binance/usdm/btcusdt_20230404.dat.gz", "binance/usdm/btcusdt_20230405.dat.gz"],
    "eth": ["binance/usdm/ethusdt_20240718.gz", "binance/usdm/ethusdt_20240719.gz"],
    "eth spot": ["binance/spot/ethusdt_20240808.gz", "binance/spot/ethusdt_20240809.gz"],
    "GOOG": ["lobster/LOBSTER_SampleFile_GOOG_2012-06-21_5.zip"],
    "AAPL": ["lobster/LOBSTER_SampleFile_AAPL_2012-06-21_1.zip"],
    "coinbase": ["coinbase/ten-min-with-trades"],
    "depth usd": [
        "validator/" + VALIDATOR.format("positive", "difference_depth_stream", "usd_m_futures_trxusdt")
    ],
    "trades usd": ["validator/" + VALIDATOR.format("positive", "trade_stream", "usd_m_futures_trxusdt")],
    "trades coin": ["validator/" + VALIDATOR.format("positive", *COIN_TRADES)],
}
FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
FIRST_LINES = 5_000
ROWS = {
    "session": (22_527, 22_527),
    "book archive": (3_967, 3_967),
    "orderbook.1 linear": (594, 594),
    "orderbook.1 spot": (417, 417),
    "trades 2019": (93_598, 4_999),
    "trades spot": (6_901, 6_901),
    "funding": (3_922, 3_922),
    "btc": (430_640, 32_601),
    "eth": (469_700, 35_243),
    "eth spot": (409_151, 24_465),
    "GOOG": (125_786, 5_078),
    "AAPL": (144_399, 6_337),
    "coinbase": (46_592, 46_592),
    "depth usd": (10_000, 10_000),
    "trades usd": (9_999, 9_999),
    "trades coin": (10_000, 10_000),
}
"""Rows of each recording, and those of its beginning."""


def beginning(path, folder):
    """The first lines of a recording under its own name, in a folder."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as whole, zipfile.ZipFile(folder / path.name, "w") as part:
            for name in whole.namelist():
                with whole.open(name) as lines:
                    part.writestr(
                        name, b"".join(line for _, line in zip(range(FIRST_LINES), lines, strict=False))
                    )
    else:
        with gzip.open(path) as lines, gzip.open(folder / path.name, "wb", compresslevel=1) as part:
            part.writelines(line for _, line in zip(range(FIRST_LINES), lines, strict=False))
    return folder / path.name


def files_of(name, folder):
    """A whole recording, or of a long one the first file's beginning."""
    files = [Path(ROOT) / file for file in GENUINE[name]]
    if FULL or ROWS[name][0] == ROWS[name][1]:
        return files
    return [beginning(files[0], folder)]
