"""Where the terminal board's pictures come from: real sockets, a daemon that goes and comes back, who may only look."""

import asyncio
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from fcntl import ioctl
from pathlib import Path

import pytest
from control_double import ControlDouble, add_market, add_parent
from doors import TOKEN, Daemon, Door

from config.secrets import Secret
from executor.domain.events import HaltRequested, PauseRequested
from executor.interfaces import board_doors, cli
from executor.interfaces.api import build_app, serve
from executor.interfaces.client import Endpoint
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed
from executor.interfaces.terminal_board import feed as board_feed
from executor.interfaces.terminal_board.feed import DaemonFeed


def endpoint(port: int) -> Endpoint:
    return Endpoint(url=f"http://127.0.0.1:{port}", token=Secret(TOKEN), found_in="test")


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_doors, "EVERY_S", 0.02)
    monkeypatch.setattr(board_feed, "AGAIN_S", 0.01)


async def test_pictures_come_as_things_change(door: Door):
    parent = add_parent(door.control.state)
    feed = DaemonFeed(lambda: endpoint(door.port), read_only=False)
    filled = []
    async with asyncio.timeout(10), aclosing(feed.pictures("/v1/stream/tst-1")) as pictures:
        async for picture in pictures:
            filled.append(picture["parent"]["filled"])
            parent.cum_qty = Decimal(5)
            if filled[-1] == "5":
                break
    assert filled[0] == "4"
    assert feed.trouble == ""


async def test_an_order_that_is_not_known_ends_the_pictures(door: Door):
    feed = DaemonFeed(lambda: endpoint(door.port), read_only=False)
    async with asyncio.timeout(10):
        assert [each async for each in feed.pictures("/v1/stream/tst-9")] == []


async def test_verbs_reach_the_daemon(door: Door):
    add_parent(door.control.state)
    feed = DaemonFeed(lambda: endpoint(door.port), read_only=False)
    assert (await feed.ask("/v1/parents/tst-1/pause", {}))["text"] == "accepted"
    await feed.ask("/v1/halt", {"operator": "olga", "reason": "odd"})
    pause, halt = door.control.asked
    assert isinstance(pause, PauseRequested)
    assert isinstance(halt, HaltRequested)
    assert (halt.operator, halt.reason) == ("olga", "odd")


@pytest.mark.parametrize(
    "path", ["/v1/parents/tst-1/pause", "/v1/parents/tst-1/cancel", "/v1/halt", "/v1/rearm"]
)
async def test_for_looking_only_the_daemon_itself_refuses_every_verb(door: Door, path: str):
    add_parent(door.control.state)
    feed = DaemonFeed(lambda: endpoint(door.port), read_only=True)
    async with asyncio.timeout(10), aclosing(feed.pictures("/v1/stream")) as pictures:
        assert (await anext(pictures))["access"] == "read"
    with pytest.raises(CommandFailed, match="READ_ONLY"):
        await feed.ask(path, {"reason": "odd"})
    assert not door.control.asked
    await feed.leave()
    with pytest.raises(CommandFailed, match="AUTH"):
        await feed.ask("/v1/board/leave", {})


async def test_a_daemon_that_comes_back_elsewhere_is_found_again():
    ports: list[int] = []
    asked: list[int] = []

    def find() -> Endpoint:
        asked.append(ports[-1])
        return endpoint(ports[-1])

    feed = DaemonFeed(find, read_only=True)
    async with asyncio.timeout(10), aclosing(feed.pictures("/v1/stream")) as pictures:
        for life in ("one", "two"):
            control = ControlDouble()
            control.state.latch_reason = life
            async with serve(build_app(control, Secret(TOKEN)), "127.0.0.1", 0) as port:
                ports.append(port)
                while (await anext(pictures))["halt_reason"] != life:
                    pass
    assert set(asked) == set(ports)
    assert len(set(ports)) == 2


async def test_a_daemon_with_too_many_viewers_is_not_asked_for_session_after_session(
    door: Door, monkeypatch: pytest.MonkeyPatch
):
    """Each of them would push another browser's session out."""
    refused = asyncio.Event()
    entered: list[int] = []

    def find() -> Endpoint:
        entered.append(door.port)
        return endpoint(door.port)

    class Watched(DaemonFeed):
        tries = 0

        async def _stream(self, path: str) -> AsyncIterator[board_feed.Json]:
            self.tries += 1
            if self.tries == 5:
                refused.set()
            async for picture in super()._stream(path):
                yield picture

    monkeypatch.setattr(board_doors, "VIEWERS_MAX", 0)
    feed = Watched(find, read_only=True)
    async with asyncio.timeout(20), aclosing(feed.pictures("/v1/stream")) as pictures:
        first = asyncio.ensure_future(anext(pictures))
        await refused.wait()
        assert "429" in feed.trouble
        monkeypatch.setattr(board_doors, "VIEWERS_MAX", 64)
        assert (await first)["access"] == "read"
    assert len(entered) == 1


async def test_a_session_that_is_over_is_changed_for_another(door: Door):
    entered: list[int] = []

    def find() -> Endpoint:
        entered.append(door.port)
        return endpoint(door.port)

    feed = DaemonFeed(find, read_only=True)
    async with asyncio.timeout(20), aclosing(feed.pictures("/v1/stream")) as pictures:
        await anext(pictures)
        await feed.leave()
        while len(entered) < 2:
            await anext(pictures)


async def test_what_is_no_picture_is_trouble_and_not_the_end():
    answers = [b"data: 7\n\n", b"data: {\n\n", b'data: {"a": 1}\n\ndata: {"a": 2}\n\n']

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + answers.pop(0))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        feed = DaemonFeed(lambda: endpoint(server.sockets[0].getsockname()[1]), read_only=False)
        async with aclosing(feed.pictures("/v1/stream")) as pictures:
            assert await anext(pictures) == {"a": 2}, "of two that came together the last counts"
    assert not answers


def test_without_a_terminal_it_says_what_else_there_is(daemon: Daemon, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["watch"]) == ExitCode.USAGE
    assert "executor status" in capsys.readouterr().err


def test_without_its_packages_it_says_how_to_get_them(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "executor.interfaces.terminal_board.app", None)
    assert cli.main(["watch"]) == ExitCode.USAGE
    assert "pip install 'bybit-executor[watch]'" in capsys.readouterr().err


@pytest.mark.process
def test_on_a_terminal_it_shows_the_order_and_leaves_by_a_key(daemon: Daemon):
    add_market(daemon.control.state)
    add_parent(daemon.control.state)
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "executor.interfaces.cli", "watch", "--read-only"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=Path(__file__).parents[2],
        env=os.environ | {"TERM": "xterm-256color", "EXECUTOR_EXECUTOR__DATA_DIR": str(daemon.data_dir)},
    )  # fmt: skip
    os.close(theirs)
    try:
        assert b"looking only" in read_until(ours, b"tst-1")
        os.write(ours, b"q")
        read_until(ours, b"\x1b[?1049l")
        assert process.wait(20) == ExitCode.OK
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert not daemon.control.asked


def read_until(terminal: int, words: bytes) -> bytes:
    """Read what a process writes to its terminal until these words came."""
    seen = b""
    while words not in seen:
        assert select.select([terminal], [], [], 30)[0], f"{words!r} does not come after {seen[-2000:]!r}"
        seen += os.read(terminal, 65_536)
    return seen
