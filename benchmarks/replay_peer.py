"""The strategy of the replay benchmark on hftbacktest, for comparison: run it by an interpreter that has that package.

`python -m benchmarks.replay_peer EVENTS.npz` plays what `executor data convert` wrote, and imports nothing of the
Orders are of one lot: its exchange with partial fills leaves orders that were filled to the lot in its book and
stops at the next trade (its issues 301 and 312), so the one without is used: with one lot nothing is partial.
"""

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np
from numba import njit

# mypy: disable-error-code="untyped-decorator"

STEP_NS: Final = 100_000_000
FOREVER_NS: Final = 1 << 60


@njit
def _quote(hbt: Any, touches: Any, distance: int, tick: float, lot: float) -> Any:  # noqa: ANN401
    """Play the strategy; submits and cancels come back."""
    ids = np.zeros(2, np.int64)
    next_id, submits, cancels = 0, 0, 0
    for i in range(len(touches)):
        if hbt.elapse(STEP_NS) != 0:
            break
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
                    hbt.submit_buy_order(0, next_id, target * tick, lot, 1, 0, False)
                else:
                    hbt.submit_sell_order(0, next_id, target * tick, lot, 1, 0, False)
    return submits, cancels


@njit
def _look(hbt: Any, touches: Any) -> None:  # noqa: ANN401
    """Send nothing; look at the touch at every wake-up."""
    for i in range(len(touches)):
        if hbt.elapse(STEP_NS) != 0:
            break
        depth = hbt.depth(0)
        touches[i, 0], touches[i, 1] = depth.best_bid_tick, depth.best_ask_tick


@njit
def _pass(hbt: Any, span_ns: int) -> None:  # noqa: ANN401
    """Send nothing, look at nothing."""
    hbt.elapse(span_ns)


def build(data: Any, tick: float, lot: float, entry_ns: int, answer_ns: int) -> Any:  # noqa: ANN401
    """Make the peer's exchange."""
    import hftbacktest  # type: ignore[import-not-found] # noqa: PLC0415 - not among the packages of the project

    asset = (
        hftbacktest.BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(entry_ns, answer_ns)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(tick)
        .lot_size(lot)
        .last_trades_capacity(0)
    )
    return hftbacktest.HashMapMarketDepthBacktest([asset])


def peak_mib() -> float:
    """Most memory that this process had; what the system counts for its children would begin with its parent's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def main() -> None:
    """Play, and say what came of it as JSON, a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=Path)
    parser.add_argument("--how", choices=("quote", "look", "pass"), default="quote")
    parser.add_argument("--in-memory", action="store_true", help="have the file read before the clock runs")
    parser.add_argument("--steps", type=float, nargs=2, required=True, metavar=("TICK", "LOT"))
    parser.add_argument("--wakes", type=int, required=True)
    parser.add_argument("--distance", type=int, default=0)
    parser.add_argument("--orders-ns", type=int, nargs=2, default=[10_000_001, 10_000_003])
    parser.add_argument("--touches", type=Path)
    parser.add_argument("--each", type=int, default=1, help="plays of which the mean time is told")
    parser.add_argument("--asked", action="store_true", help="play once for every line that comes in")
    options = parser.parse_args()
    tick, lot = options.steps
    data = np.load(options.events)["data"] if options.in_memory else str(options.events)
    touches = np.zeros((options.wakes, 2), np.int64)
    for _ in sys.stdin if options.asked else (None,):
        wall, cpu = perf_counter(), process_time()
        for play in range(options.each):
            hbt = build(data, tick, lot, *options.orders_ns)
            submits = cancels = 0
            if options.how == "quote":
                submits, cancels = _quote(hbt, touches, options.distance, tick, lot)
            elif options.how == "look":
                _look(hbt, touches)
            else:
                _pass(hbt, FOREVER_NS)
            if play < options.each - 1:
                hbt.close()
        wall, cpu = perf_counter() - wall, process_time() - cpu
        values = hbt.state_values(0)
        result = {
            "wall_s": wall / options.each,
            "cpu_s": cpu / options.each,
            "submits": submits,
            "cancels": cancels,
            "fills": int(values.num_trades),
            "position": round(values.position / lot),
            "traded_value": round(values.trading_value / lot / tick),
            "peak_mib": peak_mib(),
        }
        hbt.close()
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
    if options.touches:
        np.save(options.touches, touches)


if __name__ == "__main__":
    main()
