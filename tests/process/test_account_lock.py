"""Two daemons of one account: the second ends before it sends anything, whatever key and directories it has."""

import json

import pytest

from executor.interfaces.exit_codes import ExitCode
from tests.process.processes import Daemon, Exchange

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@pytest.fixture
def exchange(tmp_path):
    exchange = Exchange.start(tmp_path, "--seed", "5")
    yield exchange
    exchange.close()


def daemon(exchange, home, **settings):
    (home / "tmp").mkdir(parents=True)
    places = {"TMPDIR": str(home / "tmp"), "XDG_RUNTIME_DIR": str(home / "tmp"), "HOME": str(home)}
    return Daemon(home, exchange, {**places, **settings}, "--no-sentinel")


def test_the_second_daemon_of_an_account_is_told_who_is_first(exchange, tmp_path):
    first, second = daemon(exchange, tmp_path / "one"), daemon(exchange, tmp_path / "two")
    try:
        first.start()
        second.process = second.spawn()
        assert second.process.wait(60) == ExitCode.ALREADY_RUNNING
        said = second.log_tail()
        (number,) = {
            json.loads((home / "account.json").read_text())["user_id"] for home in (first.home, second.home)
        }
        assert f"pid {first.process.pid} works account {number}" in said
        assert first.stop() == ExitCode.OK, first.log_tail()
        second.start()
        assert second.stop() == ExitCode.OK, second.log_tail()
    finally:
        first.close()
        second.close()
