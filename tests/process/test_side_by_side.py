"""Two daemons side by side, each with an account of its own, at one exchange and in one symbol at once."""

import json
import re
from collections import Counter
from decimal import Decimal

import apsw
import pytest

from executor.interfaces.exit_codes import ExitCode
from executor.runtime.audit import audit
from tests.process.processes import Daemon, Exchange, wait_until
from tests.process.test_kill import FAST, parent_of, submit

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]
KEYS = {
    "one": ("key-of-one", "secret-of-one-0123456789abcdef"),
    "two": ("key-of-two", "secret-of-two-0123456789abcdef"),
}
NUMBERS = {"one": "5001", "two": "5002"}


@pytest.fixture
def exchange(tmp_path):
    words = [
        word for name, (key, secret) in KEYS.items() for word in ("--key", f"{key}:{secret}:{NUMBERS[name]}")
    ]
    exchange = Exchange.start(tmp_path, "--seed", "31", "--intensity", "2", *words)
    yield exchange
    exchange.close()


def settings_of(name):
    key, secret = KEYS[name]
    return {
        **FAST,
        "EXECUTOR_EXECUTOR__INSTANCE": name,
        "BYBIT_SANDBOX_API_KEY": key,
        "BYBIT_SANDBOX_API_SECRET": secret,
    }


def truth_of(exchange, name):
    return exchange.get("/_truth")["accounts"][NUMBERS[name]]


def fills_of(home):
    db = apsw.Connection(str(home / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)
    found = {
        row[0]: (row[1], Decimal(row[2]))
        for row in db.execute("SELECT exec_id, client_order_id, last_qty FROM fills")
    }
    db.close()
    return found


def test_each_sees_its_own_alone_and_one_that_is_killed_disturbs_the_other_in_nothing(exchange, tmp_path):
    homes = {name: tmp_path / name for name in KEYS}
    for home in homes.values():
        home.mkdir()
    daemons = {name: Daemon(homes[name], exchange, settings_of(name)) for name in KEYS}
    one, two = daemons["one"], daemons["two"]
    try:
        for daemon in daemons.values():
            daemon.start()
        assert one.control.url != two.control.url
        parents = {name: submit(daemon, 0) for name, daemon in daemons.items()}
        for name, daemon in daemons.items():
            wait_until(
                lambda d=daemon, p=parents[name]: Decimal(parent_of(d, p)["filled"]) > 0, f"a fill of {name}"
            )

        rival = Daemon(tmp_path / "rival", exchange, settings_of("two"))
        rival.home.mkdir()
        assert rival.spawn().wait(60) == ExitCode.ALREADY_RUNNING, "a second daemon of the account"
        beside = Daemon(homes["two"], exchange, settings_of("one"))
        assert beside.spawn().wait(60) == ExitCode.ALREADY_RUNNING, "a second daemon of the data directory"
        assert f"pid {two.process.pid}" in two.log_tail()

        one.kill()
        before = Decimal(parent_of(two, parents["two"])["filled"])
        wait_until(
            lambda: (
                Decimal(parent_of(two, parents["two"])["filled"]) > before
                or parent_of(two, parents["two"])["final"]
            ),
            "the other going on",
        )
        one.start()
        for name, daemon in daemons.items():
            wait_until(
                lambda d=daemon, p=parents[name]: parent_of(d, p)["final"],
                f"the end of {name}",
                deadline_s=200,
            )
            view = parent_of(daemon, parents[name])
            assert (view["status"], view["blocked"]) in {("COMPLETE", ""), ("EXPIRED", "")}
        for daemon in daemons.values():
            assert daemon.stop() == ExitCode.OK, daemon.log_tail()
    finally:
        for daemon in daemons.values():
            daemon.close()
    check(exchange, homes)


def check(exchange, homes):
    """The exchange's truth of each account is what its daemon believes, and no id was used by both, or twice."""
    ids = {}
    for name, home in homes.items():
        account = truth_of(exchange, name)
        theirs = {row["execId"]: (row["orderLinkId"], Decimal(row["qty"])) for row in account["executions"]}
        assert fills_of(home) == theirs
        assert theirs
        ids[name] = {row["orderLinkId"] for row in account["orders"]}
        assert all(re.match(rf"{name}[0-9a-z]+-", each) for each in ids[name]), ids[name]
        found = audit(home / "journal.db")
        assert found.identical, found.first_difference
    assert not ids["one"] & ids["two"]
    sent = Counter(
        json.loads(one["raw"])["orderLinkId"]
        for one in exchange.get("/_wire")["requests"]
        if one["path"] == "/v5/order/create"
    )
    assert set(sent.values()) == {1}
