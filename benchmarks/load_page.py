"""docs/load.md: what the daemon bears, as it was measured, and where it bends."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.load_run import LAG_S_MAX, Run

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "load.md"
HEAD: Final = """\
# Under load

How many orders one daemon works at once before its event loop comes too late, measured. The command below writes this
page; it is not changed by hand.

```
{command}
```

On {machine}. The exchange is the local sandbox with its crowd: four markets, orders by twap, vwap,
arrival-price and adaptive with slices of 40 to 120 s. Each viewer asks for the board's two pictures once a second, of
an order of its own; the metrics are scraped once a second by {scraper}. All of that runs on the same machine as the
daemon. The account may create ten linear orders a second, which is usual at Bybit: where orders want more, they wait,
and the daemon says why.

*Loop lag* is how late the event loop comes to something due, at instants of an even grid, ten a second
(`executor_event_loop_lag_seconds`). The bar is {bar:g} ms for 99 of 100. *From outside* is the time that
`GET /health` takes.
"""
TAIL: Final = """
What grows with the number of orders is the engine's part of a book update, at which every open order of the symbol is
looked at. The memory that a run gains is mostly what the engine remembers of each child order, to know a late copy of
old news.
"""
COLUMNS: Final = (
    "orders",
    "time",
    "lag p50, p99, most (ms)",
    "from outside p99 (ms)",
    "engine call p99 (ms)",
    "commit p99 (ms)",
    "events a second",
    "processor of the daemon",
    "memory (MiB)",
    "board p99 (ms)",
    "scrape most (ms)",
    "lost",
)


def write_page(runs: Sequence[Run], command: str, machine: str, gave_up: str = "") -> None:
    """Write the page from runs, the first of them the long one; `gave_up` says of which none came, and why."""
    PAGE.write_text(page(runs, command, machine, gave_up), encoding="utf-8")


def page(runs: Sequence[Run], command: str, machine: str, gave_up: str = "") -> str:
    """Give the text of the page."""
    first = runs[0]
    bars = [
        f"| {bar.name} | {bar.wanted} | {bar.found} | {'yes' if bar.met else '**no**'} |"
        for bar in first.bars()
    ]
    lines = [
        HEAD.format(command=command, machine=machine, scraper=first.scraped_by, bar=LAG_S_MAX * 1e3),
        f"## {first.parents} orders, {first.viewers} viewers, {first.seconds / 60:.0f} minutes\n",
        "| what must hold | wanted | found | met |\n| --- | --- | --- | --- |",
        *bars,
        "",
        _meanwhile(first),
        "## Where it bends\n",
        f"{_bend(runs)} {gave_up}".rstrip(),
        "",
        f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}",
        *(_row(each) for each in runs),
        TAIL,
    ]
    return "\n".join(lines)


def _meanwhile(first: Run) -> str:
    shares = ", ".join(f"{name} {share:.0%}" for name, share in first.shares.items())
    return (
        f"Meanwhile, each second: {first.events_per_s:.0f} events, {first.orders_per_s:.1f} orders created,"
        f" {first.amends_per_s:.1f} amended, {first.fills_per_s:.1f} fills; {first.series} series on the page of"
        f" metrics. Processor time over wall time: {shares}. The engine took {first.engine_share:.0%} of the time and"
        f" commits, which wait for the disk, {first.commit_share:.0%}. {first.orders} orders and {first.executions}"
        f" executions of the exchange were held against the journal, and all {first.events} events of the journal were"
        " worked once more.\n"
    )


def _bend(runs: Sequence[Run]) -> str:
    bent = [each for each in runs if not each.bars()[0].met]
    held = [each.parents for each in runs if each.bars()[0].met]
    most = f"holds at {max(held)} orders" if held else "does not hold"
    if not bent:
        return f"The bar {most}, the most that was tried."
    worst = bent[0]
    return f"The bar {most} and breaks at {worst.parents}: p99 {_ms(worst.lag_ms['p99'])} ms."


def _row(each: Run) -> str:
    lag, boards = each.lag_ms, [took["p99"] for name, took in each.answers_ms.items() if name != "metrics"]
    cells = (
        str(each.parents),
        f"{each.seconds / 60:.0f} min",
        ", ".join(_ms(lag[name]) for name in ("p50", "p99", "most")),
        _ms(each.probe_ms["p99"]),
        _ms(None if each.engine_us["p99"] is None else each.engine_us["p99"] / 1e3),
        _ms(each.commit_ms["p99"]),
        f"{each.events_per_s:.0f}",
        f"{each.shares['daemon']:.0%}",
        f"{each.resident_mib[0]:.0f} to {each.resident_mib[1]:.0f}",
        _ms(max((took for took in boards if took is not None), default=None)),
        _ms(each.answers_ms.get("metrics", {}).get("most")),
        "nothing" if not each.lost else str(len(each.lost)),
    )
    return f"| {' | '.join(cells)} |"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
