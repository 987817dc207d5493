"""The start of the daemon judges key and account against the local exchange, whose keys a test changes."""

import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from config.hosts import Mode
from config.load import load_settings
from config.problems import ConfigProblems
from config.schema import PositionMode
from executor.app.access import access_of
from executor.app.premises import check_account, lock_account, refuse_file_system
from executor.domain.errors import AlreadyRunning, JournalError
from executor.domain.events import HaltRequested
from executor.domain.finding import Verdict, fine
from executor.runtime.account_record import read_account
from executor.runtime.clock import Clock
from executor.venues.bybit.account_queries import AccountQueries
from executor.venues.bybit.ask import Asker, Manners
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from sandbox.bybit_server import Credentials, FlowSettings, SandboxOptions, running_server
from tests.venues.queries_bench import Exchange

KEYS = (
    Credentials(),
    Credentials(key="other-key", secret="other-secret-0123456789abcdef", uid=2),
    Credentials(key="second-key", secret="second-secret-0123456789abcdef"),
)
BOUND = {"ips": ["203.0.113.7"]}


class Visitor:
    """As much of a venue as the look at the account needs."""

    def __init__(self, access, clock):
        time = ServerTime(clock)
        self.asker = Asker(access, Signer(access.api_key, access.api_secret, 5_000), time, Manners())
        self.account = AccountQueries(self.asker)


class Start:
    """One start after the other in one data directory."""

    def __init__(self, exchange, settings, lines):
        self.exchange, self.settings, self.lines, self.visitors = exchange, settings, lines, []

    async def key(self, name=KEYS[0].key, **rights):
        await self.exchange.do("key", key=name, **rights)

    async def check(self, *, real=False, key=None, **venue):
        settings = self.settings(key)
        if real:
            object.__setattr__(settings, "executor", settings.executor.model_copy(update={"mode": Mode.LIVE}))
        if venue:
            object.__setattr__(settings, "venue", settings.venue.model_copy(update=venue))
        clock = Clock()
        visitor = Visitor(access_of(self.settings(key)), clock)
        self.visitors.append(visitor)
        return await check_account(visitor, settings, clock, self.log)

    def log(self, message, **fields):
        self.lines.append(message)


@asynccontextmanager
async def start_at(tmp_path):
    options = SandboxOptions(flow=FlowSettings(frozen=True), address_requests_max=0, credentials=KEYS)
    async with running_server(options) as server:

        def settings(key):
            environ = {
                "EXECUTOR_EXECUTOR__DATA_DIR": str(tmp_path),
                "EXECUTOR_VENUE__REST_URL": server.rest_url,
                "EXECUTOR_VENUE__PUBLIC_WS_URL": server.ws_url,
                "EXECUTOR_VENUE__PRIVATE_WS_URL": server.ws_url,
            }
            if key is not None:
                environ |= {"BYBIT_SANDBOX_API_KEY": key.key, "BYBIT_SANDBOX_API_SECRET": key.secret}
            return load_settings("sandbox", None, environ, yes_live=False)

        start = Start(Exchange(server), settings, [])
        try:
            yield start
        finally:
            for visitor in start.visitors:
                visitor.asker.close()


def codes(caught):
    return {problem.code for problem in caught.value.problems}


async def test_the_local_exchange_passes_and_the_account_is_written_down(tmp_path):
    async with start_at(tmp_path) as start:
        await start.check()
        assert start.lines == []
        assert read_account(tmp_path) == str(KEYS[0].uid)
        await start.check()


async def test_real_money_accepts_a_bound_key_that_can_only_trade(tmp_path):
    async with start_at(tmp_path) as start:
        await start.key(**BOUND)
        await start.check(real=True, allow_unbound_key=False)
        assert start.lines == []


@pytest.mark.parametrize(
    ("rights", "code", "refused_in_play"),
    [
        ({"readOnly": True}, "KEY_READ_ONLY", True),
        ({"permissions": {"ContractTrade": [], "Spot": []}}, "KEY_NO_TRADE", True),
        (
            {
                "permissions": {
                    "ContractTrade": ["Order", "Position"],
                    "Spot": ["SpotTrade"],
                    "Wallet": ["Withdraw"],
                }
            },
            "KEY_MOVES_MONEY",
            False,
        ),
        ({"ips": ["*"]}, "KEY_UNBOUND", False),
        ({"revoke": 10005}, "KEY_UNREADABLE", False),
        ({"revoke": 33004}, "KEY_UNREADABLE", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_79_a_key_that_will_not_do(tmp_path, rights, code, refused_in_play):
    async with start_at(tmp_path) as start:
        await start.key(**{**BOUND, **rights})
        with pytest.raises(ConfigProblems) as caught:
            await start.check(real=True, allow_unbound_key=False)
        assert code in codes(caught)
        assert read_account(tmp_path) is None
        if refused_in_play:
            with pytest.raises(ConfigProblems) as caught:
                await start.check(allow_unbound_key=False)
            assert code in codes(caught)
        else:
            await start.check(allow_unbound_key=False)
            assert any(code in line for line in start.lines)


async def test_63_the_key_of_another_account_is_refused_and_stops_a_running_daemon(tmp_path):
    async with start_at(tmp_path) as start:
        watch = await start.check(key=KEYS[0])
        with pytest.raises(ConfigProblems) as caught:
            await start.check(key=KEYS[1])
        assert codes(caught) == {"KEY_OTHER_ACCOUNT"}
        posted = []
        assert await watch.look(posted.append)
        assert posted == []
        await start.key(readOnly=True)
        await watch.look(posted.append)
        (halt,) = posted
        assert isinstance(halt, HaltRequested)
        assert halt.reason.startswith("KEY_READ_ONLY")


async def test_78_a_position_mode_that_is_not_the_configured_one(tmp_path):
    async with start_at(tmp_path) as start:
        with pytest.raises(ConfigProblems) as caught:
            await start.check(position_mode=PositionMode.HEDGE)
        assert codes(caught) == {"POSITION_MODE"}


def test_a_network_file_system_refuses_with_real_money_and_is_a_warning_elsewhere(tmp_path, monkeypatch):
    environ = {name: text for name, text in os.environ.items() if not name.startswith("EXECUTOR_")}
    settings = load_settings(
        "sandbox", None, {**environ, "EXECUTOR_EXECUTOR__DATA_DIR": str(tmp_path)}, yes_live=False
    )
    lines = []
    found = [fine("file system", "ext4")]
    monkeypatch.setattr("executor.app.premises.look_at_file_system", lambda _path, *, strict: found[strict])
    refuse_file_system(settings, lambda message, **_: lines.append(message))
    assert lines == []
    from executor.runtime.premises import judge_file_system

    found[:] = [judge_file_system("nfs4", tmp_path, strict=strict) for strict in (False, True)]
    assert found[0].verdict is Verdict.WARN
    refuse_file_system(settings, lambda message, **_: lines.append(message))
    assert len(lines) == 1
    object.__setattr__(settings, "executor", settings.executor.model_copy(update={"mode": Mode.LIVE}))
    with pytest.raises(JournalError) as caught:
        refuse_file_system(settings, lambda message, **_: lines.append(message))
    assert caught.value.code == "DB_NETWORK"


async def test_an_account_that_was_read_is_locked_until_the_end(tmp_path):
    async with start_at(tmp_path) as start, AsyncExitStack() as stack:
        await start.check()
        settings = start.settings(None)
        lock_account(stack, access_of(settings), settings, start.log)
        with pytest.raises(AlreadyRunning, match=f"works account {KEYS[0].uid} of 127.0.0.1"):
            lock_account(stack, access_of(settings), settings, start.log)
        await stack.aclose()
        lock_account(stack, access_of(settings), settings, start.log)
        assert start.lines == []


async def test_another_key_of_an_account_finds_it_locked_and_another_account_does_not(tmp_path):
    async with start_at(tmp_path) as start, AsyncExitStack() as stack:
        await start.check()
        settings = start.settings(None)
        lock_account(stack, access_of(settings), settings, start.log)
        for number, key in enumerate(KEYS[1:]):
            home = tmp_path / str(number)
            home.mkdir()
            place = settings.executor.model_copy(update={"data_dir": home})
            theirs = replace(start.settings(key), executor=place)
            visitor = Visitor(access_of(theirs), Clock())
            start.visitors.append(visitor)
            await check_account(visitor, theirs, Clock(), start.log)
            assert read_account(home) == str(key.uid)
            if key.uid == KEYS[0].uid:
                with pytest.raises(AlreadyRunning, match="with this key or another"):
                    lock_account(stack, access_of(theirs), theirs, start.log)
            else:
                lock_account(stack, access_of(theirs), theirs, start.log)


async def test_an_account_that_could_not_be_read_is_said_not_to_be_locked(tmp_path):
    async with start_at(tmp_path) as start, AsyncExitStack() as stack:
        settings = start.settings(None)
        lock_account(stack, access_of(settings), settings, start.log)
        (line,) = start.lines
        assert line.startswith("ACCOUNT_NOT_LOCKED")
