"""systemd hears that the daemon is ready with its first beat, that it lives with each, and that it ends."""

import socket

import pytest

from executor.watch.supervisor import Supervisor
from executor.watch.vigil import Vigil


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        one.setblocking(False)
        yield one


def heard(manager):
    words = []
    while True:
        try:
            words.append(manager.recv(4_096).decode())
        except BlockingIOError:
            return words


def test_beats_are_told(manager, tmp_path):
    now_ns = [10**9]
    vigil = Vigil(
        tmp_path,
        silence_s_max=8.0,
        now_text=lambda: "now",
        log=lambda text, **more: None,
        mono_ns=lambda: now_ns[0],
        supervisor=Supervisor({"NOTIFY_SOCKET": manager.getsockname()}),
    )
    vigil.start()
    assert heard(manager) == [], "not ready before the first beat"
    vigil.beat(latched=False, reason="")
    assert heard(manager) == ["READY=1\nWATCHDOG=1"]
    vigil.beat(latched=False, reason="")
    assert heard(manager) == [], "too soon for another"
    now_ns[0] += 10**9
    vigil.beat(latched=False, reason="")
    assert heard(manager) == ["WATCHDOG=1"]
    vigil.end(clean=True, detail="")
    assert heard(manager) == ["STOPPING=1"]


@pytest.mark.parametrize(
    "environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all"}, {"NOTIFY_SOCKET": "@no"}]
)
def test_without_a_manager_nothing_happens(environ):
    Supervisor(environ).tell("READY=1")
