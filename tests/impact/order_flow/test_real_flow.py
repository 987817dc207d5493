"""Order flow on genuine recordings: published shares of explained moves, and the law of impact in real trades alone."""

import csv
import gzip
import io
import json
import os
import zipfile
from bisect import bisect_right
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from impact.estimation.metaorders import synthetic_metaorders, with_mids
from impact.estimation.size_law import fit_size_law
from impact.order_flow.imbalance import Quote, queue_change
from impact.order_flow.price_response import price_response
from impact.order_flow.prints import Print, collapse
from impact.order_flow.spreads import mean_spread, spread_parts
from impact.order_flow.volatility import PricePoint, realised_volatility
from impact.protocol import Pace

ROOT = os.environ.get("EXECUTOR_REAL_DATA")
FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
SECOND = 1_000_000_000

pytestmark = pytest.mark.skipif(not ROOT, reason="EXECUTOR_REAL_DATA names no folder of recordings")


def explained(times, quotes, trades, step_s, tick):
    """Shares of the moves of the mid over intervals that quotes and that trades explain, times in seconds."""
    first = times[0]
    count = int((times[-1] - first) // step_s) + 1
    by_quotes, by_trades, last = [0.0] * count, [0.0] * count, [None] * count
    for at, before, after in zip(times[1:], quotes, quotes[1:], strict=False):
        by_quotes[int((at - first) // step_s)] += queue_change(before, after)
    for at, quote in zip(times, quotes, strict=True):
        last[int((at - first) // step_s)] = quote.mid_px
    for at, qty in trades:
        number = int((at - first) // step_s)
        if 0 <= number < count:
            by_trades[number] += qty
    for number in range(1, count):
        last[number] = last[number - 1] if last[number] is None else last[number]
    moves = [(later - one) / tick for one, later in pairwise(last)]
    return [price_response(moves, flow[1:]).r_squared for flow in (by_quotes, by_trades)]


def aapl():
    """The first hour of AAPL, best level: seconds after the opening, quotes, executions and the mid before each."""
    times, quotes, trades = [], [], []
    with zipfile.ZipFile(Path(ROOT) / "lobster/LOBSTER_SampleFile_AAPL_2012-06-21_1.zip") as files:
        names = {
            kind: next(name for name in files.namelist() if kind in name) for kind in ("message", "orderbook")
        }
        lines = (io.TextIOWrapper(files.open(names[kind])) for kind in ("message", "orderbook"))
        for message, book in zip(*map(csv.reader, lines), strict=True):
            at = float(message[0]) - 34_200
            if at > 3_600:
                break
            ask_px, ask_qty, bid_px, bid_qty = map(float, book)
            if message[1] in {"4", "5"}:
                # The side of the message is the resting order's.
                trades.append(
                    (
                        at,
                        -int(message[5]),
                        float(message[4]) / 1e4,
                        float(message[3]),
                        message[1],
                        len(quotes) - 1,
                    )
                )
            times.append(at)
            quotes.append(Quote(bid_px / 1e4, bid_qty, ask_px / 1e4, ask_qty))
    return times, quotes, trades


def test_aapl_2012_order_flow_explains_as_much_as_was_found_before():
    times, quotes, trades = aapl()
    signed = [(at, sign * qty) for at, sign, _, qty, _, _ in trades]
    for step, by_quotes, by_trades in ((1, 0.181, 0.268), (10, 0.277, 0.386), (30, 0.434, 0.377)):
        told = explained([0.0, *times], [quotes[0], *quotes], signed, step, 0.01)
        assert told == pytest.approx([by_quotes, by_trades], abs=0.015), step


def test_aapl_2012_effective_spread_and_its_parts():
    times, quotes, trades = aapl()
    for after_s, realised, impact in ((1, -0.138, 2.407), (30, 0.163, 2.106)):
        parts, weights = [], []
        for at, sign, px, qty, kind, before in trades:
            if kind == "4" and before >= 0:
                later = quotes[bisect_right(times, at + after_s) - 1].mid_px
                parts.append(spread_parts(Print(0, sign, px, qty, quotes[before].mid_px), later))
                weights.append(qty)
        whole = mean_spread(parts, weights)
        assert (whole.effective_bps, whole.realised_bps, whole.impact_bps) == pytest.approx(
            (2.269, realised, impact), abs=0.02
        )


def test_binance_spot_ethusdt_2024_order_flow_explains_as_much_as_was_found_before():
    times, quotes, trades = [], [], []
    with gzip.open(Path(ROOT) / "binance/spot/ethusdt_20240809.gz", "rt") as lines:
        for line in lines:
            received, _, text = line.partition(" ")
            if "bookTicker" not in text and "@trade" not in text:
                continue
            told = json.loads(text)
            stream, data, at = told.get("stream", ""), told.get("data", {}), int(received) / 1e9
            if stream.endswith("bookTicker"):
                times.append(at)
                quotes.append(Quote(*(float(data[name]) for name in "bBaA")))
            elif stream.endswith("@trade"):
                trades.append((at, float(data["q"]) * (-1 if data["m"] else 1)))
    for step, by_quotes, by_trades in ((1, 0.782, 0.14), (10, 0.901, 0.23)):
        assert explained(times, quotes, trades, step, 0.01) == pytest.approx(
            [by_quotes, by_trades], abs=0.015
        )


def test_orders_made_up_from_real_trades_follow_a_concave_law_and_from_shuffled_signs_none():
    """Bybit's inverse BTCUSD of one day in 2019; the short form takes its first 30,000 trades."""
    with gzip.open(Path(ROOT) / "bybit/trades/BTCUSD2019-10-01.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines))[::-1]
    fills = (
        Print(
            round(float(row["timestamp"]) * 1e9),
            1 if row["side"] == "Buy" else -1,
            float(row["price"]),
            float(row["size"]),
        )
        for row in (rows if FULL else rows[:30_000])
    )
    tape = with_mids(collapse(fills))
    hours = (tape[-1].at_ns - tape[0].at_ns) / (3_600 * SECOND)
    points = [PricePoint(one.at_ns, one.mid_px) for one in tape]
    pace = Pace(realised_volatility(points, 60 * SECOND), sum(one.qty for one in tape) / hours)
    law = fit_size_law(synthetic_metaorders(tape, pace, seed=1))
    assert law.factor > 3 * law.factor_error
    assert 0.25 < law.exponent < 0.75
    signs = [one.sign for one in tape]
    Random(2).shuffle(signs)
    shuffled = [replace(one, sign=sign) for one, sign in zip(tape, signs, strict=True)]
    with pytest.raises(ValueError, match="told from noise"):
        fit_size_law(synthetic_metaorders(shuffled, pace, seed=1))
