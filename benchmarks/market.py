"""How many messages a second a whole market takes, with Python agents and compiled, by the number of agents.

`python -m benchmarks.market` runs one scenario of noise, market makers, momentum and value traders in three forms: all
compiled; Python agents that the compiled market calls; and Python agents in the engine, which is Python but for its
book. They must write the same events, or there is no table. Each row is measured in a process of its own, for its
memory, by the processor's time, which other programs on the machine cannot take.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from time import process_time
from typing import Final

from simulation.agents.market_maker import MarketMaker, MarketMakerParams
from simulation.agents.momentum import MomentumParams, MomentumTrader
from simulation.agents.noise import NoiseParams, NoiseTrader
from simulation.agents.value import ValueInvestor, ValueParams
from simulation.book.book import BookTerms
from simulation.book.native import NativeBook
from simulation.compiled_market.market import CompiledMarket, Params
from simulation.market.engine import Asset, Latency, RunSummary, SimulationEngine
from simulation.market.protocol import Agent

AGENTS: Final = (10, 100, 1_000, 10_000)
FORMS: Final = ("compiled", "called", "engine")
FIRST_PX: Final = 10_000
CASH: Final = 10**12
POSITION_QTY: Final = 1_000_000
MS: Final = 1_000_000


def seats(count: int, batch: int) -> list[Params]:
    """Say who is there: in ten one market maker, one momentum trader, one value investor and seven crowds of noise."""
    kinds: tuple[Params, ...] = (
        MarketMakerParams(
            base_spread_bps=20.0, levels_count=10, quote_qty=50, limit_qty=5_000, every_ns=100 * MS
        ),
        MomentumParams(entry_bps=5, stop_bps=20, profit_bps=40, order_max_qty=100, every_ns=100 * MS),
        ValueParams(
            value_px=float(FIRST_PX),
            discount_bps=20,
            premium_bps=20,
            order_max_qty=100,
            mean_wait_ns=200 * MS,
            patience_ns=400 * MS,
        ),
        NoiseParams(
            mean_wait_ns=20 * MS * batch,
            orders_count=batch,
            market_bps=700,
            cancel_bps=4_500,
            open_max_count=40,
        ),
    )
    return [kinds[min(number % 10, 3)] for number in range(count)]


def terms(count: int) -> BookTerms:
    """Size the book for so many agents."""
    return BookTerms(orders_max=max(1 << 16, min(1 << 20, 128 * count)), ids_max=1 << 28)


def market(form: str, count: int, seed: int, batch: int) -> CompiledMarket | SimulationEngine:
    """Set a market up in one of three forms."""
    if form == "engine":
        engine = SimulationEngine(seed, [Asset(FIRST_PX)], book=lambda: NativeBook(terms(count)))
        for params in seats(count, batch):
            engine.add_agent(_agent(params), cash=CASH, positions_qty=(POSITION_QTY,), latency=Latency())
        return engine
    made = CompiledMarket(seed, FIRST_PX, terms=terms(count))
    for params in seats(count, batch):
        agent = params if form == "compiled" else _agent(params)
        made.add_agent(agent, cash=CASH, positions_qty=(POSITION_QTY,))
    return made


def _agent(params: Params) -> Agent:
    match params:
        case MarketMakerParams():
            return MarketMaker(params)
        case MomentumParams():
            return MomentumTrader(params)
        case ValueParams():
            return ValueInvestor(params)
        case _:
            return NoiseTrader(params)


def peak_mib() -> float:
    """Most memory that this process had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def measured(form: str, count: int, seed: int, batch: int, messages: int) -> dict[str, object]:
    """Run for a while that lets the market fill, then for about so many messages."""
    base_mib = peak_mib()
    made = market(form, count, seed, batch)
    now_ns = 1_000 * MS // 8
    before = made.run(until_ns=now_ns)
    span_ns = max(MS, now_ns * messages // max(1, before.messages))
    begin_s = process_time()
    after: RunSummary = made.run(until_ns=now_ns + span_ns)
    took_s = process_time() - begin_s
    return {
        "span_ns": now_ns + span_ns,
        "messages": after.messages - before.messages,
        "trades": after.trades - before.trades,
        "refused": after.refused - before.refused,
        "took_s": took_s,
        "mib": peak_mib() - base_mib,
    }


def same_events(count: int, seed: int, batch: int, until_ns: int) -> bool:
    """Whether all forms write the same events."""
    one, *others = (market(form, count, seed, batch).run(until_ns=until_ns) for form in FORMS)
    return all(other == one for other in others)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2_000_000, help="of the compiled form")
    parser.add_argument("--plain-messages", type=int, default=300_000)
    parser.add_argument("--agents", type=int, nargs="*", default=list(AGENTS))
    parser.add_argument("--batch", type=int, default=20, help="messages of a crowd of noise at one look")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--one", choices=FORMS, help="measure one row here, and print it as JSON")
    options = parser.parse_args()
    write = sys.stdout.write
    if options.one:
        (count,) = options.agents
        messages = options.messages if options.one == "compiled" else options.plain_messages
        write(json.dumps(measured(options.one, count, options.seed, options.batch, messages)) + "\n")
        return
    write(
        f"{'agents':>7} {'form':>9} {'messages':>10} {'M msg/s':>8} {'trades':>7} {'refused':>8} {'MiB':>7}\n"
    )
    for count in options.agents:
        if not same_events(count, options.seed, options.batch, 300 * MS if count < 1_000 else 60 * MS):
            raise SystemExit(f"{count} agents: the forms write different events")
        for form in FORMS:
            command = [sys.executable, "-m", "benchmarks.market", "--one", form, "--agents", str(count)]
            command += ["--messages", str(options.messages), "--plain-messages", str(options.plain_messages)]
            command += ["--batch", str(options.batch), "--seed", str(options.seed)]
            rows = [
                json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603
                for _ in range(options.runs)
            ]
            best = min(rows, key=lambda row: row["took_s"])
            speed = best["messages"] / best["took_s"] / 1e6
            share, refused = best["trades"] / best["messages"], best["refused"] / best["messages"]
            write(
                f"{count:>7,} {form:>9} {best['messages']:>10,} {speed:>8.2f} {share:>7.1%} {refused:>8.2%}"
                f" {best['mib']:>7.1f}\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
