import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from control_double import ControlDouble
from doors import TOKEN, Daemon, Door

from config.secrets import Secret
from executor.interfaces.api import build_app, serve
from executor.interfaces.control_file import ControlFile, write_control_file
from executor.interfaces.guard import GuardLimits
from executor.interfaces.token import ensure_token
from executor.interfaces.version import version


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    control = ControlDouble()
    limits = GuardLimits(body_s_max=0.2, answer_s_max=0.2, requests_max=8)
    async with (
        serve(build_app(control, Secret(TOKEN), limits), "127.0.0.1", 0) as port,
        aiohttp.ClientSession() as session,
    ):
        yield Door(control, port, session)


@pytest.fixture
def answer_s_max() -> float:
    """After so long the daemon says that its engine does not answer."""
    return 0.5


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer_s_max: float) -> Iterator[Daemon]:
    control = ControlDouble()
    data_dir = tmp_path / "data"
    token = ensure_token(data_dir / "token")
    started = threading.Event()
    ended = asyncio.Event()
    ports: list[int] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def work() -> None:
        app = build_app(control, token, GuardLimits(answer_s_max=answer_s_max))
        async with serve(app, "127.0.0.1", 0) as port:
            loops.append(asyncio.get_running_loop())
            ports.append(port)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    assert started.wait(5)
    url = f"http://127.0.0.1:{ports[0]}"
    write_control_file(
        data_dir, ControlFile(url=url, pid=4711, version=version(), token_file=str(data_dir / "token"))
    )
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(data_dir))
    yield Daemon(control, data_dir, url, token.reveal())
    loops[0].call_soon_threadsafe(ended.set)
    thread.join(5)
