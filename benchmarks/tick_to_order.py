"""From market data to order: how long a client takes between hearing the price and sending the order.

A sandbox exchange, a tap on the line in front of it (`benchmarks.tap`) and one client at a time, each in a process of
its own on loopback. Each round an offer appears at the limit; the tap stamps the message that tells of it and the
order request that answers it, so that network and exchange count the same for all. The clients take turns, several
passes each; the median and the 99th percentile of a client are the medians of its passes.

Run it with `python -m benchmarks.tick_to_order [--rounds N] [--passes N] [--json]`.
"""

import argparse
import contextlib
import json
import platform
import select
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

CLIENTS = (
    "ours REST",
    "ours REST no commit",
    "ours socket",
    "ours socket no commit",
    "pybit REST",
    "pybit socket",
    "ccxt.pro REST",
    "ccxt.pro socket",
)
OFFER_PX = "59999.5"
_PAUSE_S = 0.15
_START_S_MAX = 30.0


class Exchange:
    """The sandbox with a still market: bids at 59 990, offers at 60 010, nothing between."""

    def __init__(self, home: Path) -> None:
        ready = home / "exchange.json"
        words = ["--frozen", "--port", "0", "--control-port", "0", "--ready-file", str(ready)]
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "sandbox", *words], stdout=subprocess.DEVNULL
        )
        end_s = time.monotonic() + _START_S_MAX
        while not ready.is_file():
            if time.monotonic() > end_s:
                raise SystemExit("the sandbox did not start")
            time.sleep(0.05)
        self.places: dict[str, str] = json.loads(ready.read_text())
        self._quote("Buy", "59990", "50")
        self._quote("Sell", "60010", "50")

    def _do(self, what: str, **fields: str) -> None:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.places['control']}/_ex",
            data=json.dumps({"do": what, "category": "linear", "symbol": "BTCUSDT", **fields}).encode(),
        )
        urllib.request.urlopen(request, timeout=10).read()  # noqa: S310 - loopback

    def _quote(self, side: str, px: str, qty: str) -> None:
        self._do("quote", side=side, price=px, qty=qty)

    def offer(self) -> None:
        """Show one lot at the limit."""
        self._quote("Sell", OFFER_PX, "0.001")

    def refresh(self) -> None:
        """Let others trade a little at the usual offer, so that there is volume and every client sees that price."""
        self._do("trade", side="Buy", price="60010", qty="0.02")
        self._quote("Sell", "60010", "0.03")


@contextlib.contextmanager
def tapped(target_port: int) -> Iterator[tuple[int, socket.socket]]:
    """Start a tap; gives the clients' port and the control connection."""
    port, control_port = _free_port(), _free_port()
    words = [sys.executable, "-m", "benchmarks.tap", str(port), str(control_port), str(target_port)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own interpreter
    try:
        assert process.stdout is not None
        process.stdout.readline()
        with socket.create_connection(("127.0.0.1", control_port)) as control:
            yield port, control
    finally:
        process.terminate()
        process.wait()


def await_ready(client: subprocess.Popen[str], exchange: Exchange) -> None:
    """Keep the market moving until a client says that it may be triggered."""
    assert client.stdout is not None
    end_s = time.monotonic() + _START_S_MAX
    while not select.select([client.stdout], [], [], _PAUSE_S)[0]:
        exchange.refresh()
        if time.monotonic() > end_s or client.poll() is not None:
            raise SystemExit("a client did not start")
    client.stdout.readline()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def one_pass(name: str, exchange: Exchange, port: int, control: socket.socket, rounds: int) -> list[float]:
    """Start a client, trigger it `rounds` times and return its times, microseconds."""
    reader = control.makefile("r")

    def ask(word: str) -> float | str | None:
        control.sendall(word.encode() + b"\n")
        answer: float | str | None = json.loads(reader.readline())
        return answer

    words = [
        sys.executable,
        "-m",
        "benchmarks.reactors",
        name,
        f"http://127.0.0.1:{port}",
        f"ws://127.0.0.1:{port}",
    ]
    client = subprocess.Popen(  # noqa: S603 - our own interpreter
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert client.stdin is not None
    assert client.stdout is not None
    spans = []
    try:
        await_ready(client, exchange)
        for number in range(rounds + 5):
            exchange.refresh()
            time.sleep(_PAUSE_S)
            ask(f"arm {OFFER_PX}")
            exchange.offer()
            span = ask("take")
            time.sleep(_PAUSE_S)
            if number < 5:
                continue  # connections and caches warm up
            if not isinstance(span, int):
                raise SystemExit(f"{name}: no order came in round {number}")
            spans.append(span / 1_000)
    finally:
        client.stdin.close()
        client.wait(20)
    return spans


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="rounds per pass (default 20)")
    parser.add_argument("--passes", type=int, default=5, help="passes per client (default 5)")
    parser.add_argument("--client", action="append", choices=CLIENTS, help="only these; may be repeated")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    clients = chosen.client or CLIENTS
    passes: dict[str, list[list[float]]] = {name: [] for name in clients}
    with tempfile.TemporaryDirectory() as home:
        exchange = Exchange(Path(home))
        try:
            with tapped(int(exchange.places["rest"].rpartition(":")[2])) as (port, control):
                for number in range(chosen.passes):
                    for name in clients:
                        passes[name].append(one_pass(name, exchange, port, control, chosen.rounds))
                        sys.stderr.write(f"\rpass {number + 1}/{chosen.passes}: {name:<24}")
        finally:
            exchange.process.terminate()
            exchange.process.wait()
    sys.stderr.write("\n")
    figures = {
        name: {
            "p50_us": round(median(median(spans) for spans in done), 1),
            "p99_us": round(median(quantiles(spans, n=100)[98] for spans in done), 1),
            "n": sum(len(spans) for spans in done),
        }
        for name, done in passes.items()
    }
    if chosen.json:
        sys.stdout.write(json.dumps({"machine": platform.platform(), "figures": figures}) + "\n")
        return
    base = figures.get("pybit REST", {}).get("p50_us")
    sys.stdout.write(f"{'client':<24}{'p50 us':>10}{'p99 us':>10}{'n':>6}{'p50 / pybit REST':>20}\n")
    for name, row in figures.items():
        ratio = f"{row['p50_us'] / base:.2f}" if base else ""
        sys.stdout.write(
            f"{name:<24}{row['p50_us']:>10.0f}{row['p99_us']:>10.0f}{row['n']:>6.0f}{ratio:>20}\n"
        )


if __name__ == "__main__":
    main()
