"""The hourly look: what changed under a running daemon latches the stop once, and a failed look says nothing."""

import asyncio

import pytest

from executor.domain.errors import Overflow
from executor.domain.events import HaltRequested
from executor.venues.bybit.account_checks import Wanted
from executor.venues.bybit.account_rows import ONE_WAY
from executor.venues.bybit.account_watch import AccountWatch
from tests.venues.queries_bench import listed, scripted_desk

GOOD = {
    "user": {
        "readOnly": 0,
        "permissions": {"ContractTrade": ["Order"], "Spot": ["SpotTrade"]},
        "ips": ["203.0.113.7"],
        "expiredAt": "",
        "userID": 7,
    },
    "info": {"marginMode": "REGULAR_MARGIN", "unifiedMarginStatus": 6},
    "index": 0,
}
WANTED = Wanted(strict=True, category=None, position_indices=ONE_WAY, allow_unbound_key=False, user_id="7")


class Account:
    """A venue whose account a test changes."""

    def __init__(self):
        self.now = {**GOOD}
        self.down = False

    def __call__(self, path, _):
        if self.down:
            return {"retCode": 10016, "retMsg": "busy"}
        if path == "/v5/user/query-api":
            return {"result": self.now["user"]}
        if path == "/v5/account/info":
            return {"result": self.now["info"]}
        return listed({"positionIdx": self.now["index"], "leverage": "1"})


def watch(desk, lines, *, margin_mode="REGULAR_MARGIN", **times):
    return AccountWatch(
        desk.account,
        WANTED,
        margin_mode,
        desk.clock,
        lambda message, **fields: lines.append((message, fields)),
        **times,
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"user": {**GOOD["user"], "userID": 8}}, "KEY_OTHER_ACCOUNT"),
        ({"user": {**GOOD["user"], "readOnly": 1}}, "KEY_READ_ONLY"),
        ({"user": {**GOOD["user"], "permissions": {}}}, "KEY_NO_TRADE"),
        ({"user": {**GOOD["user"], "ips": ["*"]}}, "KEY_UNBOUND"),
        (
            {
                "user": {
                    **GOOD["user"],
                    "permissions": {**GOOD["user"]["permissions"], "Wallet": ["Withdraw"]},
                }
            },
            "KEY_MOVES_MONEY",
        ),
        ({"info": {"marginMode": "PORTFOLIO_MARGIN", "unifiedMarginStatus": 6}}, "MARGIN_MODE"),
        ({"info": {"marginMode": "REGULAR_MARGIN", "unifiedMarginStatus": 1}}, "ACCOUNT_NOT_UNIFIED"),
        ({"index": 1}, "POSITION_MODE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_63_78_79_a_change_stops_once_and_says_why(change, code):
    account, posted, lines = Account(), [], []
    async with scripted_desk(account) as (_, desk):
        looker = watch(desk, lines)
        assert await looker.look(posted.append)
        assert (posted, lines) == ([], [])
        account.now = {**GOOD, **change}
        for _ in range(3):
            assert await looker.look(posted.append)
        (halt,) = posted
        assert isinstance(halt, HaltRequested)
        assert halt.reason.startswith(f"{code}: ")
        assert len(lines) == 3


async def test_a_look_that_could_not_be_made_stops_nothing():
    account, posted, lines = Account(), [], []
    account.down = True
    async with scripted_desk(account) as (_, desk):
        assert not await watch(desk, lines).look(posted.append)
        assert posted == []
        assert lines


async def test_a_key_that_ends_soon_is_said_and_works_on():
    account, posted, lines = Account(), [], []
    async with scripted_desk(account) as (_, desk):
        account.now = {**GOOD, "user": {**GOOD["user"], "expiredAt": "2020-05-15T03:21:05Z"}}
        assert await watch(desk, lines).look(posted.append)
        assert (posted, [line for line, _ in lines]) == ([], ["account check KEY_EXPIRES"])


async def test_a_margin_mode_first_read_later_is_the_one_compared_with():
    account, posted = Account(), []
    async with scripted_desk(account) as (_, desk):
        looker = watch(desk, [], margin_mode="")
        assert await looker.look(posted.append)
        account.now = {**GOOD, "info": {"marginMode": "ISOLATED_MARGIN", "unifiedMarginStatus": 6}}
        await looker.look(posted.append)
        assert [halt.reason.split(":")[0] for halt in posted] == ["MARGIN_MODE"]


async def test_a_full_inbox_does_not_lose_the_stop():
    account, posted, full = Account(), [], [True]

    def post(event):
        if full:
            full.pop()
            raise Overflow("full")
        posted.append(event)

    async with scripted_desk(account) as (_, desk):
        looker = watch(desk, [])
        account.now = {**GOOD, "index": 1}
        assert not await looker.look(post), "the next look must come soon"
        assert posted == []
        assert await looker.look(post)
        assert len(posted) == 1


@pytest.mark.parametrize(
    ("change", "other"),
    [
        ({"index": 1}, {}),
        ({"info": {"marginMode": "PORTFOLIO_MARGIN", "unifiedMarginStatus": 6}}, {}),
        ({"user": {**GOOD["user"], "readOnly": 1}}, {"user": {**GOOD["user"], "ips": ["*"]}}),
        (
            {"user": {**GOOD["user"], "readOnly": 1}},
            {
                "user": {
                    **GOOD["user"],
                    "permissions": {**GOOD["user"]["permissions"], "Wallet": ["Withdraw"]},
                }
            },
        ),
    ],
)
async def test_what_was_repaired_and_comes_back_stops_again(change, other):
    account, posted = Account(), []
    async with scripted_desk(account) as (_, desk):
        looker = watch(desk, [])
        for turn in range(1, 3):
            account.now = {**GOOD, **change}
            await looker.look(posted.append)
            account.down = True
            assert not await looker.look(posted.append)
            account.down = False
            await looker.look(posted.append)
            codes = [halt.reason.split(":")[0] for halt in posted]
            assert codes.count(codes[0]) == turn, "an unread look forgets nothing"
            account.now = {**GOOD, **other}
            await looker.look(posted.append)


async def test_it_looks_again_and_again():
    account, stopped = Account(), asyncio.Event()
    async with scripted_desk(account) as (script, desk):
        looker = watch(desk, [], every_s=0.01, retry_s=0.01)
        task = asyncio.create_task(looker.run(lambda _event: stopped.set()))
        async with asyncio.timeout(30):
            while len(script.of("/v5/user/query-api")) < 3:  # noqa: ASYNC110 - the requests are the signal
                await asyncio.sleep(0)
            account.now = {**GOOD, "index": 1}
            await stopped.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
