"""`executor data record` against a local exchange over real sockets, and what is left of it when it is cut off."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from backtest.dataset.gather import Stream
from backtest.dataset.rows import Kind
from backtest.dataset.store import DAY_NS, catalogue, day_of, day_path, read_info, read_rows
from executor.interfaces import cli
from executor.runtime.clock import Clock
from sandbox.bybit_server import SandboxOptions, running_server
from tests.process.processes import wait_until


@contextmanager
def exchange():
    """A local exchange in a thread, since the command takes the main one for its signals."""
    ready, ended, there = threading.Event(), [], []

    async def serve():
        async with running_server(SandboxOptions(address_requests_max=0)) as server:
            stop = asyncio.Event()
            there.append(server)
            ended.append((asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    try:
        yield there[0]
    finally:
        loop, stop = ended[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)


@pytest.fixture(scope="module")
def server():
    with exchange() as there:
        yield there


@pytest.fixture
def run(capsys, monkeypatch, tmp_path, server):
    monkeypatch.setenv("EXECUTOR_MARKET_DATA", str(tmp_path / "store"))
    monkeypatch.setenv("EXECUTOR_VENUE__REST_URL", server.rest_url)
    monkeypatch.setenv("EXECUTOR_VENUE__PUBLIC_WS_URL", server.ws_url)

    def run(*words):
        code = cli.main(["data", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def heard(folder):
    """Lines of the only capture in a folder."""
    return [
        json.loads(line)
        for path in sorted(folder.rglob("*.jsonl"))
        for line in path.read_text().splitlines()
        if line.endswith("}")
    ]


def cut(server):
    """End the public streams of the exchange."""
    body = json.dumps({"do": "cut_public", "symbol": "BTCUSDT"}).encode()
    request = urllib.request.Request(f"{server.control_url}/_ex", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@contextmanager
def meanwhile(work):
    """Do something in another thread; what goes wrong there is told."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        yield
        done.result(30)


def test_a_session_is_recorded_stored_and_its_capture_is_gone(run, tmp_path):
    code, out, err = run(
        "record", "--symbol", "BTCUSDT", "--symbol", "ETHUSDT", "--for", "1s", "--captures", tmp_path / "raw"
    )
    assert code == 0, err
    assert "no fault found" in out
    assert "ended after 1." in err
    assert "messages" in err
    assert "0 dropped" in err
    days = catalogue(tmp_path / "store")
    assert {day.stream.symbol for day in days} == {"BTCUSDT", "ETHUSDT"}
    for day in days:
        known = read_info(day.path)
        assert (known.tick_from, known.recv_known) == ("rules", True)
        assert {"LEVEL", "CLEAR", "MARK"} <= known.counts.keys()
    assert list((tmp_path / "raw").iterdir()) == []
    # The day is there, which is said before anything is recorded.
    code, out, err = run("record", "--symbol", "BTCUSDT", "--for", "1s", "--captures", tmp_path / "raw")
    assert code == 1
    assert "a day that is stored already" in err
    assert "recording" not in err


def test_a_stream_that_is_lost_is_a_gap_and_term_ends_and_stores(run, tmp_path, server):
    raw = tmp_path / "raw"

    def stream_books():
        return sum("orderbook" in line.get("data", "") for line in heard(raw) if line["t"] == "recv")

    def act():
        wait_until(stream_books, "a book", deadline_s=20)
        cut(server)
        wait_until(
            lambda: any(line["t"] == "lost" for line in heard(raw)), "the end of the stream", deadline_s=20
        )
        before = stream_books()
        wait_until(lambda: stream_books() > before, "the next book", deadline_s=20)
        os.kill(os.getpid(), signal.SIGTERM)

    with meanwhile(act):
        code, out, err = run("record", "--symbol", "BTCUSDT", "--captures", raw, "--keep", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["session"]["asked_to_end"]
    (gap,) = told["session"]["gaps"]
    assert gap["from"] < gap["to"]
    assert "GAP: the stream of linear was lost" in err
    assert told["faults"] == {"GAP": 1}
    capture = told["session"]["capture"]
    assert [str(path) for path in raw.iterdir()] == [capture]
    rows = read_rows(catalogue(tmp_path / "store")[-1].path)
    assert int((rows.kind == Kind.CLEAR).sum()) >= 3, "snapshot, end, snapshot"
    # What was kept is stored again by the command that imports.
    assert run("import", capture, "--data", tmp_path / "other")[0] == 0


def test_what_cannot_be_stored_is_kept_and_the_command_that_stores_it_is_said(run, tmp_path):
    raw = tmp_path / "raw"

    def act():
        """Store the day from elsewhere while it is recorded."""
        wait_until(lambda: sum(line["t"] == "recv" for line in heard(raw)) > 5, "messages", deadline_s=20)
        now_ns = Clock().now_ns()
        for at_ns in (now_ns, now_ns + DAY_NS):
            path = day_path(tmp_path / "store", Stream("bybit", "linear", "BTCUSDT"), day_of(at_ns))
            path.parent.mkdir(parents=True)
            path.touch()
        os.kill(os.getpid(), signal.SIGTERM)

    with meanwhile(act):
        code, _, err = run("record", "--symbol", "BTCUSDT", "--captures", raw)
    assert code == 1
    (capture,) = raw.iterdir()
    assert f"executor data import {capture}" in err
    assert run("import", capture, "--data", tmp_path / "other")[0] == 0


def test_words_that_mean_nothing_are_refused_before_anything_is_made(run, tmp_path):
    raw = tmp_path / "raw"
    for words in (
        ("--symbol", "btc usdt"),
        ("--symbol", "BTCUSDT", "--for", "ten"),
        ("--symbol", "BTCUSDT", "--for", "0s"),
        ("--symbol", "BTCUSDT", "--category", "futures"),
    ):
        code, _, err = run("record", *words, "--captures", raw)
        assert code == 2, err
    code, _, err = run("record", "--symbol", "BTCUSTD", "--for", "9s", "--captures", raw)
    assert code == 1
    assert "no linear symbol BTCUSTD" in err
    assert "nearest" in err
    assert not raw.exists() or list(raw.iterdir()) == []


def test_a_market_that_is_not_reached_stores_nothing_and_says_so(run, tmp_path, monkeypatch):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("EXECUTOR_VENUE__REST_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        code, _, err = run("record", "--symbol", "BTCUSDT", "--for", "1s", "--captures", tmp_path / "raw")
    assert code == 7
    assert "instrument rules not readable" in err
    assert "no message" in err
    assert not (tmp_path / "raw").exists()


@pytest.mark.process
def test_a_recording_that_is_killed_leaves_a_capture_that_is_imported(run, tmp_path):
    raw = tmp_path / "raw"
    words = ["data", "record", "--symbol", "BTCUSDT", "--captures", str(raw)]
    process = subprocess.Popen(
        [sys.executable, "-m", "executor.interfaces.cli", *words], stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: sum(line["t"] == "recv" for line in heard(raw)) > 5, "a few messages")
    finally:
        process.kill()
        _, err = process.communicate(timeout=20)
    (capture,) = raw.iterdir()
    assert str(capture) in err
    code, _, err = run("import", capture)
    assert code == 0, err
    (day,) = catalogue(tmp_path / "store")
    assert read_info(day.path).counts["LEVEL"] > 0
