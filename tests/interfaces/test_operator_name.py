"""A stop does not fail because the machine has no name for whoever pulls it."""

import os
import pwd

import pytest
from doors import Daemon

from executor.domain.events import HaltRequested
from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode


@pytest.fixture
def _nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a container finds that runs as a number which its image does not know."""

    def unknown(uid: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("_nameless")
def test_a_user_without_a_name_can_halt(daemon: Daemon):
    assert cli.main(["halt", "--timeout", "0"]) == ExitCode.OK
    (halt,) = daemon.control.asked
    assert isinstance(halt, HaltRequested)
    assert halt.operator == f"uid {os.getuid()}"


def test_a_user_with_a_name_is_called_by_it(daemon: Daemon, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOGNAME", "olga")
    assert cli.main(["halt", "--timeout", "0"]) == ExitCode.OK
    (halt,) = daemon.control.asked
    assert isinstance(halt, HaltRequested)
    assert halt.operator == "olga"
