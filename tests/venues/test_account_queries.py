"""Reading the key and the account: against the local exchange, and what other answers become."""

import asyncio
import traceback
from decimal import Decimal

import pytest
from aiohttp import web

from executor.domain.errors import RemoteProtocolError
from executor.domain.finding import Verdict
from executor.domain.orders import Category
from executor.venues.bybit.account_checks import Wanted, judge
from executor.venues.bybit.account_rows import (
    HEDGE,
    ONE_WAY,
    decode_account,
    decode_balances,
    decode_dcp,
    decode_fees,
    decode_key,
    decode_position_mode,
)
from executor.venues.bybit.ask import QueryRefused
from tests.venues.queries_bench import exchange_desk, listed, scripted_desk

KEY = {
    "readOnly": 0,
    "permissions": {"ContractTrade": ["Order"], "Wallet": []},
    "ips": ["203.0.113.7"],
    "expiredAt": "2026-05-15T03:21:05Z",
    "userID": 24_617_703,
}


async def test_the_local_exchange_answers_everything_and_passes():
    async with exchange_desk() as (_, desk):
        facts = await desk.account.facts(Category.LINEAR, "BTCUSDT")
        wanted = Wanted(
            strict=False, category=None, position_indices=ONE_WAY, allow_unbound_key=True, user_id=None
        )
        found = judge(facts, wanted, desk.now_ms() // 1_000)
        assert [finding for finding in found if finding.verdict is not Verdict.OK] == []
        held = {each.coin: each.wallet_qty for each in await desk.account.balances()}
        assert held["USDT"] == Decimal(1_000_000)
        rates = await desk.account.fees(Category.LINEAR, "BTCUSDT")
        assert Decimal(0) < rates.maker_rate < rates.taker_rate < Decimal("0.01")
        indices, leverage = await desk.account.position_mode(Category.LINEAR, "BTCUSDT")
        assert (indices, leverage) == (ONE_WAY, "10")


async def test_being_in_the_mode_already_is_a_success_and_a_refusal_is_told():
    async with exchange_desk() as (_, desk):
        await desk.account.switch_position_mode(Category.LINEAR, "BTCUSDT", ONE_WAY)
    answer = {"retCode": 110024, "retMsg": "You have an existing position"}
    async with scripted_desk(lambda *_: answer) as (_, desk):
        with pytest.raises(QueryRefused, match="existing position"):
            await desk.account.switch_position_mode(Category.LINEAR, "BTCUSDT", HEDGE)


async def test_what_the_venue_repeats_of_our_request_is_told_to_nobody():
    answer = {
        "retCode": 10004,
        "retMsg": "error sign! origin_string[1700000000000our-api-key5000symbol=BTCUSDT]",
    }
    async with scripted_desk(lambda *_: answer) as (_, desk):
        with pytest.raises(QueryRefused, match="10004: error sign! origin_string") as refused:
            await desk.account.switch_position_mode(Category.LINEAR, "BTCUSDT", HEDGE)
    assert "our-api-key" not in "".join(traceback.format_exception(refused.value))


async def test_a_part_that_cannot_be_read_does_not_hide_the_others():
    def answer(path, _):
        if path == "/v5/user/query-api":
            return {"retCode": 10005, "retMsg": "Permission denied"}
        if path == "/v5/account/info":
            return {"result": {"marginMode": "ISOLATED_MARGIN", "unifiedMarginStatus": 5}}
        return listed({"positionIdx": 1, "leverage": "3"}, {"positionIdx": 2, "leverage": "3"})

    async with scripted_desk(answer) as (_, desk):
        facts = await desk.account.facts()
        assert "10005" in facts.key
        assert (facts.settings.margin_mode, facts.position_indices) == ("ISOLATED_MARGIN", HEDGE)
        assert (await desk.account.facts(Category.SPOT)).position_indices is None


async def test_a_venue_that_does_not_answer_costs_a_bounded_time():
    hold = asyncio.Event()

    async def never(_request):
        await hold.wait()
        return web.Response()

    async with scripted_desk(lambda *_: never, timeout_s=1) as (script, desk), asyncio.timeout(20):
        facts = await desk.account.facts(limit_s=0.2)
        assert [facts.key, facts.settings, facts.position_indices] == ["no answer in time"] * 3
        assert len(script.asked) == 1, "nothing more is asked when the time is up"
        hold.set()


def test_a_key_is_read():
    facts = decode_key(KEY)
    assert (facts.user_id, facts.read_only, facts.addresses) == ("24617703", False, ("203.0.113.7",))
    assert facts.permissions == {"ContractTrade": frozenset({"Order"})}
    assert facts.expires_s == 1_778_815_265
    assert decode_key({**KEY, "readOnly": 1}).read_only


@pytest.mark.parametrize("ips", [["*"], [""], []])
def test_a_key_bound_to_nothing(ips):
    assert decode_key({**KEY, "ips": ips}).addresses == ()


@pytest.mark.parametrize("never", ["", None, "0001-01-01T00:00:00Z"])
def test_a_key_that_never_ends(never):
    assert decode_key({**KEY, "expiredAt": never}).expires_s is None


@pytest.mark.parametrize(
    "change",
    [
        {"userID": None},
        {"userID": ""},
        {"userID": 1.5},
        {"userID": "a\nb"},
        {"readOnly": None},
        {"readOnly": "no"},
        {"permissions": None},
        {"permissions": []},
        {"ips": "*"},
        {"ips": None},
        {"expiredAt": "soon"},
        {"expiredAt": 7},
    ],
    ids=lambda change: next(iter(change)) + str(next(iter(change.values()))),
)
def test_a_key_that_cannot_be_read_is_an_error_and_never_a_good_key(change):
    with pytest.raises(RemoteProtocolError):
        decode_key({**KEY, **change})


@pytest.mark.parametrize(
    ("decode", "bad"),
    [
        (decode_account, {}),
        (decode_account, {"marginMode": "X"}),
        (decode_account, {"marginMode": 1, "unifiedMarginStatus": 6}),
        (lambda rows: decode_fees(rows, "BTCUSDT"), []),
        (lambda rows: decode_fees(rows, "BTCUSDT"), [{"symbol": "ETHUSDT"}]),
        (lambda rows: decode_fees(rows, "BTCUSDT"), [{"symbol": "BTCUSDT", "makerFeeRate": "x"}]),
        (decode_dcp, {}),
        (decode_dcp, {"dcpInfos": [7]}),
        (decode_dcp, {"dcpInfos": [{"product": "SPOT", "dcpStatus": "ON", "timeWindow": "x"}]}),
        (decode_position_mode, []),
        (decode_position_mode, [7]),
        (decode_position_mode, [{"positionIdx": "x"}]),
        (decode_balances, []),
        (decode_balances, [{}, {}]),
        (decode_balances, [{"coin": [{"coin": "USDT", "walletBalance": "NaN", "locked": "0"}]}]),
    ],
)
def test_other_answers_that_cannot_be_read_are_errors(decode, bad):
    with pytest.raises(RemoteProtocolError):
        decode(bad)


def test_a_negative_maker_rate_and_a_switch_are_read():
    row = {"symbol": "BTCUSDT", "makerFeeRate": "-0.0001", "takerFeeRate": "0.0006"}
    assert decode_fees([row], "BTCUSDT").maker_rate == Decimal("-0.0001")
    (switch,) = decode_dcp({"dcpInfos": [{"product": "SPOT", "dcpStatus": "ON", "timeWindow": "10"}]})
    assert (switch.product, switch.on, switch.window_s) == ("SPOT", True, 10)
    assert decode_dcp({"dcpInfos": []}) == ()
