"""The strategy of the replay benchmark on hftbacktest, for comparison: run it where that package is installed.

`python -m benchmarks.replay_peer ROWS.npz` with the columns of `benchmarks.replay_stream` as arrays, or with
`--events EVENTS.npy` in its own layout. Nothing of the project depends on it.
Orders are of one lot: its exchange with partial fills leaves orders that were filled to the lot in its book and stops
at the next trade (its issues 301 and 312), so the one without is used, and with one lot there is nothing partial.
"""

import argparse
import json
import resource
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np
from numba import njit  # type: ignore[import-untyped]

TICK: Final = 0.1
LOT: Final = 0.001
STEP_NS: Final = 100_000_000
QTY: Final = 1
EXCH: Final = 1 << 31
LOCAL: Final = 1 << 30
BUY: Final = 1 << 29
SELL: Final = 1 << 28


def to_events(columns: Any, feed_ns: int) -> Any:  # noqa: ANN401 - arrays
    """Lay rows out as the peer reads them."""
    from hftbacktest.types import event_dtype  # noqa: PLC0415

    events = np.zeros(len(columns["exch_ns"]), event_dtype)
    kinds = np.where(columns["kind"] == 1, 1, 2).astype(np.uint64)
    events["ev"] = (
        kinds | np.where(columns["side"] > 0, BUY, SELL).astype(np.uint64) | np.uint64(EXCH | LOCAL)
    )
    events["exch_ts"] = columns["exch_ns"]
    events["local_ts"] = columns["exch_ns"] + feed_ns
    events["px"] = np.round(columns["px"] * TICK, 1)
    events["qty"] = np.round(columns["qty"] * LOT, 3)
    return events


@njit
def play(hbt: Any, touches: Any, distance: int) -> Any:
    """Play the strategy; submits, cancels and the time of the first wake-up come back."""
    ids = np.zeros(2, np.int64)
    next_id, submits, cancels, first_ns = 0, 0, 0, 0
    for i in range(len(touches)):
        if hbt.elapse(STEP_NS) != 0:
            break
        if i == 0:
            first_ns = hbt.current_timestamp
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        touches[i, 0], touches[i, 1] = depth.best_bid_tick, depth.best_ask_tick
        orders = hbt.orders(0)
        for b in range(2):
            side = 1 - 2 * b
            target = touches[i, b] - side * distance
            if ids[b] != 0 and ids[b] in orders:
                order = orders.get(ids[b])
                if order.price_tick != target and order.cancellable:
                    cancels += 1
                    hbt.cancel(0, ids[b], False)
            else:
                next_id += 1
                submits += 1
                ids[b] = next_id
                if b == 0:
                    hbt.submit_buy_order(0, next_id, target * TICK, QTY * LOT, 1, 0, False)
                else:
                    hbt.submit_sell_order(0, next_id, target * TICK, QTY * LOT, 1, 0, False)
    return submits, cancels, first_ns


def build(data: Any, entry_ns: int, answer_ns: int) -> Any:  # noqa: ANN401 - the peer's own types
    """Make the peer's exchange."""
    from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest  # noqa: PLC0415

    asset = (
        BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(entry_ns, answer_ns)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(TICK)
        .lot_size(LOT)
        .last_trades_capacity(0)
    )
    return HashMapMarketDepthBacktest([asset])


def main() -> None:
    """Play once, and print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument(
        "--events", action="store_true", help="the file has the peer's own layout: let it read it"
    )
    parser.add_argument("--make-events", type=Path, help="write the rows in the peer's layout, and stop")
    parser.add_argument("--wakes", type=int, required=True)
    parser.add_argument("--distance", type=int, default=0)
    parser.add_argument("--latencies-ns", type=int, nargs=3, required=True)
    parser.add_argument("--touches", type=Path)
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    feed_ns, entry_ns, answer_ns = options.latencies_ns
    began = perf_counter()
    if options.events:
        data = str(options.rows)
    else:
        data = to_events(np.load(options.rows), feed_ns)
    if options.make_events:
        np.savez(options.make_events, data=data)
        return
    for _ in range(options.runs):
        touches = np.zeros((options.wakes, 2), np.int64)
        wall, cpu = perf_counter(), process_time()
        hbt = build(data, entry_ns, answer_ns)
        submits, cancels, first_ns = play(hbt, touches, options.distance)
        values = hbt.state_values(0)
        result = {
            "wall_s": perf_counter() - wall,
            "cpu_s": process_time() - cpu,
            "total_s": perf_counter() - began,
            "submits": submits,
            "cancels": cancels,
            "first_ns": first_ns,
            "fills": int(values.num_trades),
            "position": round(values.position / LOT),
            "traded_lots": round(values.trading_volume / LOT),
            "traded_value": round(values.trading_value / LOT / TICK),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        hbt.close()
        print(json.dumps(result), flush=True)
    if options.touches:
        np.save(options.touches, touches)


if __name__ == "__main__":
    main()
