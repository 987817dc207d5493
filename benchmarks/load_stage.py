"""The stage of a run under load: exchange, daemon, Prometheus and people at the board, each a process of its own.

The exchange is the sandbox with its crowd; its account's limits are Bybit's usual ones (ten creations of linear orders
a second), so that a rate which no account is granted is not measured here. The daemon is started as anybody starts it,
with the limits of size and message budget wide enough that none of them holds the load back.
"""

import json
import shutil
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final, Self

from tests.process.processes import Daemon, Exchange, wait_until

MARKETS: Final = (
    ("linear", "BTCUSDT", "buy", "0.001"),
    ("linear", "ETHUSDT", "sell", "0.02"),
    ("linear", "XRPUSDT", "buy", "120"),
    ("spot", "BTCUSDT", "buy", "0.001"),
)
"""Category, symbol, side of all its orders, and what one slice trades (about 70 USDT), base units."""
STRATEGIES: Final = ("twap", "vwap", "twap", "arrival-price", "adaptive")
INTERVALS_S: Final = (40, 120)
"""Shortest and longest slice; an order's own is drawn between them."""
SPARE_S: Final = 900
"""By how much orders outlive the run, so that all of them work until its end."""
SETTINGS: Final = {
    "EXECUTOR_LIMITS__ORDERS_PER_S_MAX": "20",
    "EXECUTOR_LIMITS__ORDERS_PER_MIN_MAX": "1200",
    "EXECUTOR_LIMITS__ORDERS_PER_DAY_MAX": "1000000",
    "EXECUTOR_LIMITS__CHILDREN_PER_HOUR_MAX": "100000",
    "EXECUTOR_LIMITS__CHILDREN_PER_PARENT_MAX": "100000",
    "EXECUTOR_LIMITS__AMPLIFICATION_MAX": "1000",
    "EXECUTOR_LIMITS__VOLATILITY_HOURLY_PCT_MAX": "100",
    "EXECUTOR_TIMINGS__VOLATILITY_WARMUP_S": "2",
}
_READY_S_MAX: Final = 300.0
_QUIET_S_MAX: Final = 300.0
_OPEN: Final = frozenset({"New", "PartiallyFilled"})
_PROMETHEUS: Final = shutil.which("prometheus")


class Scraper:
    """A real Prometheus that scrapes one address once a second."""

    def __init__(self, home: Path, target: str) -> None:
        assert _PROMETHEUS is not None, "look at `Scraper.is_here` first"
        (home / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\nscrape_configs:\n"
            f"  - {{job_name: executor, static_configs: [{{targets: ['{target}']}}]}}\n",
            encoding="ascii",
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            place = f"127.0.0.1:{free.getsockname()[1]}"
        words = [
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'tsdb'}",
            f"--web.listen-address={place}",
        ]
        with (home / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - what is installed as prometheus
                [_PROMETHEUS, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )
        self._url = f"http://{place}"

    @staticmethod
    def is_here() -> bool:
        """Whether Prometheus is installed (Debian: `prometheus`)."""
        return _PROMETHEUS is not None

    def value(self, expr: str) -> float | None:
        """Value of an expression that gives one series; None if it gives none."""
        query = urllib.parse.urlencode({"query": expr})
        with urllib.request.urlopen(f"{self._url}/api/v1/query?{query}", timeout=30) as answer:  # noqa: S310
            result = json.load(answer)["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


class Watchers:
    """The people at the board, and the scraper where there is no Prometheus."""

    def __init__(self, url: str, token_file: str, viewers: int, *, scrapes: bool) -> None:
        words = ["-m", "benchmarks.load_watchers", url, token_file, str(viewers), "yes" if scrapes else "no"]
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def mark(self) -> None:
        """From now on it counts."""
        assert self.process.stdin is not None
        self.process.stdin.write("mark\n")
        self.process.stdin.flush()

    def seen(self) -> dict[str, Any]:
        """End them; gives what they saw (`benchmarks.load_watchers.Seen`)."""
        said, _ = self.process.communicate("\n", timeout=30)
        if self.process.returncode:
            raise SystemExit("the viewers failed: see above")
        seen: dict[str, Any] = json.loads(said)
        return seen

    def close(self) -> None:
        """End them, whatever they do."""
        if self.process.poll() is None:
            self.process.kill()
        with suppress(ValueError):  # both ends are closed already
            self.process.communicate()


class Stage:
    """Everything that runs, started when it is entered and ended when it is left.

    Parameters
    ----------
    parents
        Orders that are worked at once.
    lasts_s
        How long they work at least, seconds.
    """

    def __init__(self, home: Path, *, parents: int, viewers: int, lasts_s: float, seed: int) -> None:
        self.home = home
        self._parents = parents
        self._viewers = viewers
        self._lasts_s = lasts_s
        self._seed = seed
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start exchange and daemon."""
        with ExitStack() as stack:
            self.exchange = Exchange.start(self.home, "--seed", str(self._seed))
            stack.callback(self.exchange.close)
            folder = self.home / "daemon"
            folder.mkdir(mode=0o700)
            self.daemon = Daemon(folder, self.exchange, SETTINGS, "--init")
            stack.callback(self.daemon.close)
            self.daemon.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self._stack.close()

    @property
    def journal(self) -> Path:
        """The daemon's journal."""
        return self.daemon.home / "journal.db"

    def page(self) -> str:
        """Read the metrics."""
        return self.read("/metrics")

    def read(self, path: str) -> str:
        """Read something that needs no token."""
        with urllib.request.urlopen(f"{self.daemon.control.url}{path}", timeout=30) as answer:  # noqa: S310
            text: str = answer.read().decode()
        return text

    def orders(self) -> Iterator[dict[str, object]]:
        """Draw the orders, as they are submitted."""
        drawn = Random(self._seed)  # noqa: S311 - a benchmark
        for number in range(self._parents):
            category, symbol, side, slice_qty = MARKETS[number % len(MARKETS)]
            interval_s = drawn.randint(*INTERVALS_S)
            lasts_s = int(self._lasts_s) + SPARE_S
            slices = lasts_s // interval_s
            yield {
                "category": category,
                "symbol": symbol,
                "side": side,
                "qty": f"{float(slice_qty) * slices:.3f}",
                "duration": f"{lasts_s}s",
                "interval": f"{interval_s}s",
                "strategy": STRATEGIES[number % len(STRATEGIES)],
                "residual": "leave",
                "seed": number,
            }

    def submit(self, order: Mapping[str, object], key: str) -> None:
        """Hand in an order."""
        self.daemon.ask("POST", "/v1/parents", order, **{"Idempotency-Key": key})

    def wait_for_work(self) -> None:
        """Wait until every order has begun."""

        def all_begun() -> bool:
            assert self.daemon.process.poll() is None, self.daemon.log_tail()
            listed = self.daemon.ask("GET", "/v1/board")["parents"]
            ended = [each for each in listed if each["final"]]
            assert not ended, f"an order has ended: {ended[0]}"
            return all(each["status"] != "INITIALIZED" for each in listed)

        wait_until(all_begun, "the beginning of all orders", deadline_s=_READY_S_MAX, step_s=1.0)

    def stop(self) -> int:
        """Halt, wait until nothing is open at the exchange (it takes ten cancels a second), and end the daemon."""
        self.daemon.ask("POST", "/v1/halt", {"reason": "the run is over", "operator": "load"})

        def nothing_is_open() -> bool:
            assert self.daemon.process.poll() is None, self.daemon.log_tail()
            return not any(order["status"] in _OPEN for order in self.exchange.truth()["orders"])

        wait_until(nothing_is_open, "the end of all child orders", deadline_s=_QUIET_S_MAX, step_s=1.0)
        exit_code: int = self.daemon.stop()
        return exit_code

    @contextmanager
    def crowd(self) -> Iterator[tuple[Watchers, Scraper | None]]:
        """Let people look, and Prometheus scrape."""
        url = self.daemon.control.url
        with ExitStack() as stack:
            scraper = None
            if Scraper.is_here():
                scraper = Scraper(self.home, url.removeprefix("http://"))
                stack.callback(scraper.close)
            watchers = Watchers(url, self.daemon.control.token_file, self._viewers, scrapes=scraper is None)
            stack.callback(watchers.close)
            yield watchers, scraper
