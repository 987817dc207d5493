"""`executor kill` asks first, says what it needs, and tells what may remain when the venue cannot be reached."""

import asyncio
import io
import json

import pytest

from executor.interfaces.cli import main
from executor.interfaces.exit_codes import ExitCode
from executor.watch.halt_file import name_orders, new_halt, read_halt, write_halt
from sandbox.bybit_server import FlowSettings, SandboxOptions
from tests.sandbox.venue_support import venue_in_thread
from tests.sentinel.hand import place


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path / "data"))
    # Nothing listens there.
    monkeypatch.setenv("EXECUTOR_VENUE__REST_URL", "http://127.0.0.1:9")
    return tmp_path / "data"


def test_without_a_terminal_it_wants_the_flag(home, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("KILL\n"))
    assert main(["kill"]) == ExitCode.USAGE
    assert "KILL_NOT_CONFIRMED" in capsys.readouterr().err
    assert not home.exists()


@pytest.mark.parametrize(
    ("typed", "goes_on"), [("KILL\n", True), ("kill\n", False), ("\n", False), ("", False)]
)
def test_on_a_terminal_it_asks_for_the_word(home, capsys, monkeypatch, typed, goes_on):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal(typed))
    code = main(["kill", "--timeout", "1"])
    said = capsys.readouterr().err
    assert "EVERY open order" in said
    assert code == (ExitCode.ORDERS_MAY_REMAIN if goes_on else ExitCode.USAGE)
    assert (read_halt(home) is not None) is goes_on


def test_a_venue_that_is_not_reached_leaves_the_latch_and_the_doubt(home, capsys):
    words = ["kill", "--yes", "--timeout", "1", "--operator", "ann", "--reason", "looks wrong", "--json"]
    assert main(words) == ExitCode.ORDERS_MAY_REMAIN
    result = json.loads(capsys.readouterr().out)
    assert result["proved"] is False
    assert len(result["may_remain"]) == 5
    assert all("could not be read" in line for line in result["may_remain"])
    halt = read_halt(home)
    assert (halt.operator, halt.reason) == ("ann", "looks wrong")


def test_a_directory_that_takes_no_latch_is_said_and_is_a_doubt(home, capsys):
    (home / "halt.json").mkdir(parents=True)
    assert main(["kill", "--yes", "--timeout", "1"]) == ExitCode.ORDERS_MAY_REMAIN
    assert "latch file could not be written" in capsys.readouterr().err


def test_a_command_to_a_daemon_that_is_not_there_says_how_the_stop_is_cleared(home, capsys):
    assert main(["kill", "--yes", "--timeout", "1"]) == ExitCode.ORDERS_MAY_REMAIN
    capsys.readouterr()
    assert main(["rearm", "--operator", "ann", "--reason", "fine"]) == ExitCode.UNREACHABLE
    assert "it starts halted" in capsys.readouterr().err


@pytest.fixture
def venue(monkeypatch):
    with venue_in_thread(SandboxOptions(flow=FlowSettings(frozen=True), address_requests_max=0)) as server:
        monkeypatch.setenv("EXECUTOR_VENUE__REST_URL", server.rest_url)
        monkeypatch.setenv("EXECUTOR_TIMINGS__RECV_WINDOW_MS", "1000")
        yield server


def test_it_names_what_it_cancelled_and_keeps_who_stopped_first(home, venue, capsys):
    home.mkdir(mode=0o700)
    first = new_halt("2026-11-20T12:00:00Z", "sentinel", "the daemon was silent")
    write_halt(home, first)
    name_orders(home, first.halt_id, ["linear ETHUSDT buy 1 x-1-1"])
    asyncio.run(place(venue.rest_url, ["linear USDT"]))
    assert main(["kill", "--yes", "--operator", "ann", "--reason", "looks wrong"]) == ExitCode.OK
    out = capsys.readouterr().out
    assert "nothing is open; 1 order was cancelled\n" in out
    assert "  cancelled: linear BTCUSDT buy 0.001 " in out
    halt = read_halt(home)
    assert (halt.operator, halt.reason, len(halt.orders)) == ("ann", "looks wrong", 1)
    assert (halt.first.operator, halt.first.orders) == ("sentinel", ("linear ETHUSDT buy 1 x-1-1",))
