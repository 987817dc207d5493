"""One run under load: everything is started, looked at for a while, ended, and held against what the exchange knows."""

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.load_figures import Page, differences, quantile, slope, usage_of
from benchmarks.load_stage import Scraper, Stage
from executor.runtime import metrics
from executor.runtime.audit import audit

LAG_S_MAX: Final = 0.05
"""Loop lag that 99 of 100 looks may not exceed, seconds."""
GROWTH_KIB_MAX: Final = 10.0
"""Memory that the daemon may gain for each child order it creates: what it must remember of one is about half of it.

Anything else that grew, with answers, scrapes, market data or time, would come on top of that.
"""
MEMORY_S_MIN: Final = 600.0
"""Before that, charts and mark-outs of the first orders are still filling."""
PROCESSOR_SHARE_MAX: Final = 0.6
"""Processor time of the daemon over wall time, so that a machine with two cores is never what holds it back."""
LOOK_EVERY_S: Final = 1.0
PROBE_EVERY_S: Final = 0.097
"""Of no whole part of a second, so that it falls into step with nothing."""
SETTLE_S: Final = 5.0
SHOWN_MAX: Final = 5
Tell = Callable[[str, float], None]
"""Told what is being done, and how far it is, 0-1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Something that must hold, and whether it did."""

    name: str
    wanted: str
    found: str
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was measured.

    Parameters
    ----------
    seconds
        Length of the window that was measured, wall time.
    lag_ms
        Quantiles of the loop lag, by the daemon's own histogram.
    lag_looks
        How many looks they rest on.
    lag_within
        Share of the looks at most `LAG_S_MAX` late, exactly.
    probe_ms
        Quantiles of the time `GET /health` took, from outside.
    answers_ms, answers, answers_kb
        Quantiles of the time that board and metrics took, as those who asked saw it, how many there were, and their
        mean size, by what was asked for.
    failed
        Answers that were none.
    shares
        Processor time over wall time, by process.
    engine_share, commit_share
        Of the daemon's: in the engine, and in commits of the journal (which wait for the disk, too).
    resident_mib
        The daemon's memory at the begin and the end of the window.
    growth_mib_per_h, growth_kib
        Slope of it over the last two thirds of the window, in an hour and for each child order created.
    memory_mib
        The whole curve: seconds since the begin, and MiB.
    lost
        What journal and exchange do not agree on.
    """

    parents: int
    viewers: int
    seconds: float
    lag_ms: dict[str, float | None]
    lag_looks: int
    lag_within: float | None
    probe_ms: dict[str, float | None]
    answers_ms: dict[str, dict[str, float | None]]
    answers: dict[str, int]
    answers_kb: dict[str, float]
    failed: dict[str, int]
    scraped_by: str
    series: int
    events_per_s: float
    orders_per_s: float
    amends_per_s: float
    fills_per_s: float
    refused: dict[str, float]
    engine_us: dict[str, float | None]
    commit_ms: dict[str, float | None]
    inbox_max: int
    shares: dict[str, float]
    engine_share: float
    commit_share: float
    resident_mib: tuple[float, float]
    growth_mib_per_h: float
    growth_kib: float
    memory_mib: tuple[tuple[float, float], ...]
    exit_code: int
    orders: int
    executions: int
    events: int
    lost: tuple[str, ...]
    audit: str

    def bars(self) -> tuple[Bar, ...]:
        """What must hold; of memory nothing is said after a short run, in which it is still filling."""
        lag = self.lag_ms["p99"]
        nothing_lost = not self.lost and self.exit_code == 0 and self.audit == "identical"
        lost = "; ".join(self.lost[:SHOWN_MAX]) or f"{self.orders} orders, {self.executions} executions agree"
        return (
            Bar(
                name="loop lag",
                wanted=f"99 % below {LAG_S_MAX * 1e3:g} ms",
                found=f"p99 {lag:.1f} ms of {self.lag_looks} looks" if lag is not None else "no looks",
                met=lag is not None and lag < LAG_S_MAX * 1e3,
            ),
            Bar(
                name="no event lost",
                wanted="journal and exchange agree, audit identical, clean end",
                found=f"{lost}; audit {self.audit}; exit code {self.exit_code}",
                met=nothing_lost,
            ),
            Bar(
                name="everybody is answered",
                wanted="every picture and every scrape",
                found=f"{sum(self.answers.values())} answers, {sum(self.failed.values())} failures",
                met=not self.failed and all(self.answers.values()),
            ),
            Bar(
                name="processor",
                wanted=f"daemon below {PROCESSOR_SHARE_MAX:.0%} of one core",
                found=f"{self.shares['daemon']:.0%}",
                met=self.shares["daemon"] < PROCESSOR_SHARE_MAX,
            ),
            *((self._memory(),) if self.seconds >= MEMORY_S_MIN else ()),
        )

    def _memory(self) -> Bar:
        return Bar(
            name="memory flat",
            wanted=f"but for what is remembered of orders: below {GROWTH_KIB_MAX:g} KiB for each child order",
            found=f"{self.growth_kib:.1f} KiB ({self.growth_mib_per_h:+.0f} MiB an hour,"
            f" {self.resident_mib[0]:.0f} to {self.resident_mib[1]:.0f} MiB in all)",
            met=self.growth_kib < GROWTH_KIB_MAX,
        )

    def as_json(self) -> dict[str, object]:
        """Everything, with the bars."""
        return asdict(self) | {"bars": [asdict(bar) for bar in self.bars()]}


def run(home: Path, *, parents: int, viewers: int, seconds: float, seed: int, tell: Tell) -> Run:
    """Run once.

    Parameters
    ----------
    home
        An empty directory for logs and the journal.
    seconds
        Length of the window that is measured.
    """
    tell("start", 0.0)
    with Stage(home, parents=parents, viewers=viewers, lasts_s=seconds, seed=seed) as stage:
        for number, order in enumerate(stage.orders()):
            tell("submit", number / parents)
            stage.submit(order, f"load-{number}")
        tell("begin", 0.0)
        stage.wait_for_work()
        with stage.crowd() as (watchers, scraper):
            pids = {
                "daemon": stage.daemon.process.pid,
                "exchange": stage.exchange.process.pid,
                "viewers": watchers.process.pid,
            }
            if scraper is not None:
                pids["prometheus"] = scraper.process.pid
            _let_run(stage, SETTLE_S)
            before = Page(stage.page())
            watchers.mark()
            window = _Window(stage, pids)
            window.look(seconds, tell)
            after = Page(stage.page())
            seen = watchers.seen()
            seen["inbox_max"] = int(after.total(metrics.INBOX_DEPTH.name))
            if scraper is not None:
                _add_scrapes(seen, scraper, window.wall_s)
        tell("end", 0.0)
        exit_code = stage.stop()
        truth = stage.exchange.truth()
    tell("audit", 0.0)
    found = audit(stage.journal, lambda done, total: tell("audit", done / total))
    lag = after.histogram(metrics.LOOP_LAG_SECONDS.name).since(
        before.histogram(metrics.LOOP_LAG_SECONDS.name)
    )
    engine = after.histogram(metrics.ENGINE_CALL_SECONDS.name).since(
        before.histogram(metrics.ENGINE_CALL_SECONDS.name)
    )
    commit = after.histogram(metrics.JOURNAL_COMMIT_SECONDS.name).since(
        before.histogram(metrics.JOURNAL_COMMIT_SECONDS.name)
    )

    def per_s(name: str) -> float:
        return (after.total(name) - before.total(name)) / window.wall_s

    refused_before = before.by_label(metrics.ORDERS_REFUSED.name, "reason")
    return Run(
        parents=parents,
        viewers=viewers,
        seconds=window.wall_s,
        lag_ms=_scaled({name: lag.quantile(share) for name, share in _SHARES.items()}, 1e3),
        lag_looks=int(lag.count),
        lag_within=lag.share_within(LAG_S_MAX),
        probe_ms=_scaled(_quantiles(window.probes_s), 1e3),
        answers_ms={name: _scaled(_quantiles(took), 1e3) for name, took in seen["took_s"].items()},
        answers={name: len(took) for name, took in seen["took_s"].items()},
        answers_kb={
            name: seen["sent_bytes"][name] / len(took) / 1e3
            for name, took in seen["took_s"].items()
            if name in seen["sent_bytes"]
        },
        failed=seen["failed"],
        scraped_by="our own reader" if scraper is None else "Prometheus",
        series=after.series,
        events_per_s=engine.count / window.wall_s,
        orders_per_s=per_s(metrics.ORDERS_PLACED.name),
        amends_per_s=per_s(metrics.AMENDS_SENT.name),
        fills_per_s=per_s(metrics.FILLS.name),
        refused={
            reason: count - refused_before.get(reason, 0.0)
            for reason, count in after.by_label(metrics.ORDERS_REFUSED.name, "reason").items()
            if count > refused_before.get(reason, 0.0)
        },
        engine_us=_scaled({name: engine.quantile(share) for name, share in _SHARES.items()}, 1e6),
        commit_ms=_scaled({name: commit.quantile(share) for name, share in _SHARES.items()}, 1e3),
        inbox_max=seen["inbox_max"],
        shares=window.shares(),
        engine_share=engine.total / window.wall_s,
        commit_share=commit.total / window.wall_s,
        resident_mib=window.resident(),
        growth_mib_per_h=window.growth_mib_per_h(),
        growth_kib=window.growth_mib_per_h() / 3_600 * 1_024 / max(per_s(metrics.ORDERS_PLACED.name), 1e-9),
        memory_mib=tuple(window.memory()),
        exit_code=exit_code,
        orders=len(truth["orders"]),
        executions=len(truth["executions"]),
        events=found.events,
        lost=tuple(differences(stage.journal, truth["orders"], truth["executions"])),
        audit="identical" if found.identical else str(found.first_difference),
    )


_SHARES: Final = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "most": 1.0}


def _quantiles(values: list[float]) -> dict[str, float | None]:
    return {name: quantile(values, share) for name, share in _SHARES.items()}


def _scaled(values: dict[str, float | None], factor: float) -> dict[str, float | None]:
    return {name: None if value is None else value * factor for name, value in values.items()}


def _add_scrapes(seen: dict[str, Any], scraper: Scraper, wall_s: float) -> None:
    """Tell what Prometheus saw as the other watchers tell it."""
    span = f"[{int(wall_s)}s]"
    count = int(scraper.value(f"count_over_time(up{span})") or 0)
    good = int(scraper.value(f"sum_over_time(up{span})") or 0)
    mean_s = scraper.value(f"avg_over_time(scrape_duration_seconds{span})") or 0.0
    most_s = scraper.value(f"max_over_time(scrape_duration_seconds{span})") or 0.0
    # It keeps no more of them than this: all but one at the mean, and the slowest.
    seen["took_s"]["metrics"] = [*[mean_s] * (good - 1), most_s] if good else []
    seen["inbox_max"] = int(scraper.value(f"max_over_time({metrics.INBOX_DEPTH.name}{span})") or 0)
    if good < count:
        seen["failed"]["metrics: down"] = count - good


def _let_run(stage: Stage, seconds: float) -> None:
    stage.daemon.let_run(seconds)


class _Window:
    """The time that is measured: processes are looked at, and the daemon is asked whether it is well, all along."""

    def __init__(self, stage: Stage, pids: dict[str, int]) -> None:
        self._stage = stage
        self._pids = pids
        self._began_s = time.monotonic()
        self._used = {name: usage_of(pid).processor_s for name, pid in pids.items()}
        self._ended = dict(self._used)
        self._resident: list[tuple[float, float]] = []
        self.wall_s = 0.0
        self.probes_s: list[float] = []

    def look(self, seconds: float, tell: Tell) -> None:
        """Let time pass, and look on."""
        over = threading.Event()
        probing = threading.Thread(target=self._probe, args=(over,))
        probing.start()
        try:
            while (passed_s := time.monotonic() - self._began_s) < seconds:
                tell("measure", passed_s / seconds)
                self._resident.append((passed_s, usage_of(self._pids["daemon"]).resident_mib))
                _let_run(self._stage, min(LOOK_EVERY_S, seconds - passed_s))
        finally:
            over.set()
            probing.join()
        self.wall_s = time.monotonic() - self._began_s
        self._ended = {name: usage_of(pid).processor_s for name, pid in self._pids.items()}

    def shares(self) -> dict[str, float]:
        """Processor time over wall time."""
        return {name: (self._ended[name] - used) / self.wall_s for name, used in self._used.items()}

    def resident(self) -> tuple[float, float]:
        """Memory of the daemon at the begin and the end, MiB."""
        return self._resident[0][1], self._resident[-1][1]

    def memory(self) -> list[tuple[float, float]]:
        """The daemon's memory over time, a point for every ten seconds."""
        return [(round(at_s, 1), round(mib, 1)) for at_s, mib in self._resident[::10]]

    def growth_mib_per_h(self) -> float:
        """Slope of the daemon's memory, once it has settled."""
        return slope(self._resident[len(self._resident) // 3 :]) * 3_600

    def _probe(self, over: threading.Event) -> None:
        place = urlsplit(self._stage.daemon.control.url)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        while not over.wait(PROBE_EVERY_S):
            began = time.perf_counter()
            connection.request("GET", "/health")
            connection.getresponse().read()
            self.probes_s.append(time.perf_counter() - began)
        connection.close()
