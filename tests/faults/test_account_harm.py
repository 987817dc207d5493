"""What is done to our account, our key and our way to the venue: nothing is opened, and a person is told why."""

import asyncio
import socket

import aiohttp
import pytest

from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category, ResidualRule, StrategyParams
from executor.domain.parent_state import ParentStatus
from executor.runtime.clock import Clock
from executor.venues.bybit.account_checks import Wanted
from executor.venues.bybit.account_watch import AccountWatch
from sandbox.bybit_server.account_settings import switch_mode
from sandbox.bybit_server.fields import Fields
from tests.builders import D
from tests.faults.certificates import Authority, Door
from tests.faults.plays import blocked, buying, buys_on, complete, market, opens_nothing, position_qty
from tests.faults.stage import CREATE, KEY, stage

pytestmark = pytest.mark.process

HOST = "venue.test"


class Names:
    """What the name of the venue leads to, for every resolver in the process."""

    def __init__(self, monkeypatch):
        self.addresses = ["127.0.0.1"]
        self.asked = 0
        ask = socket.getaddrinfo

        def getaddrinfo(host, port, *rest, **more):
            if host != HOST:
                return ask(host, port, *rest, **more)
            self._look()
            kinds = {True: socket.AF_INET6, False: socket.AF_INET}
            return [
                (kinds[":" in each], socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (each, port))
                for each in self.addresses
            ]

        names = self

        class Resolver(aiohttp.abc.AbstractResolver):
            async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
                names._look()
                return [
                    {
                        "hostname": host,
                        "host": each,
                        "port": port,
                        "family": socket.AF_INET6 if ":" in each else socket.AF_INET,
                        "proto": 0,
                        "flags": socket.AI_NUMERICHOST,
                    }
                    for each in names.addresses
                ]

            async def close(self):
                """Nothing is held."""

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr("aiohttp.connector.DefaultResolver", lambda loop: Resolver())

    def _look(self):
        self.asked += 1
        if not self.addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def by_name(played):
    """Reach the venue's requests by its name instead of its address."""
    port = played.levers.server.rest_url.rpartition(":")[2]
    played.access.update(rest_url=f"http://{HOST}:{port}", hosts=frozenset({HOST, "127.0.0.1"}))


async def in_doubt(played):
    """Send a child of which nothing is heard: neither answer nor message nor query."""
    await played.levers.fault("drop", on="private", times=None)
    await played.levers.fault("drop", path=CREATE)
    parent = await played.submit(
        order_qty=D("0.01"), duration_s=2, params=StrategyParams(interval_s=2, passiveness=D(0))
    )
    await played.until(lambda: parent.children)
    child = played.state.children[parent.children[0]]
    await played.until(lambda: child.status is ChildStatus.UNKNOWN)
    return parent, child


async def test_75_a_name_that_cannot_be_resolved_proves_nothing(tmp_path, monkeypatch):
    names = Names(monkeypatch)
    async with stage(tmp_path, started=False) as played:
        by_name(played)
        await played.start()
        await played.until(lambda: played.state.private_live)
        await played.levers.do("lag", ms=60_000)  # until the name is lost, queries know nothing
        parent, child = await in_doubt(played)
        names.addresses.clear()
        for _ in range(20):  # a connection that is in use at one moment is idle at a later one
            await played.levers.do("close_idle")
            await played.let_pass(0.05)
        await played.levers.do("lag", ms=0)
        before = names.asked
        await opens_nothing(played, 7.0)
        assert names.asked > before
        assert child.status is ChildStatus.UNKNOWN, "longer than a proof of absence takes"
        names.addresses.append("127.0.0.1")
        await played.levers.heal()
        await played.finish(parent)
        assert child.cum_qty == D("0.01"), "found when the name leads somewhere again"
        await played.proved()
        await played.check()


async def test_75_an_address_where_nobody_answers_beside_one_that_works(tmp_path, monkeypatch):
    names = Names(monkeypatch)
    names.addresses.insert(0, "100::1")  # a prefix whose packets are discarded
    async with stage(tmp_path, started=False) as played:
        by_name(played)
        await played.start()
        parent = await complete(played)
        assert parent.status is ParentStatus.COMPLETE
        assert names.asked


@pytest.mark.parametrize("kind", ["self-signed", "of another host"])
async def test_75_the_name_leads_to_a_stranger(tmp_path, kind):
    async with stage(tmp_path, started=False) as played:
        plain_url = played.levers.server.rest_url
        await played.start()
        _, child = await played.submit_resting()
        name = child.order.client_order_id
        await played.end()
        port = int(plain_url.rpartition(":")[2])
        async with Door(port, Authority(tmp_path).context(kind)) as door:
            played.access["rest_url"] = f"https://127.0.0.1:{door.port}"
            seen = len(await played.levers.wire())
            await played.start()
            await played.let_pass(7.0)
            child = played.state.children[name]
            assert not child.is_final, "errors never count as not found"
            assert child.open_qty == child.order.qty
            assert len(await played.levers.wire()) == seen, "not one request, so not our key, went through"
            await played.end()
        del played.access["rest_url"]
        await played.start()
        child = played.state.children[name]
        await played.levers.do("fill", orderLinkId=name)
        await played.until(lambda: child.status is ChildStatus.FILLED)
        await played.check()


@pytest.mark.parametrize("act", ["liquidate", "adl"])
async def test_76_our_position_is_taken(tmp_path, act):
    async with stage(tmp_path) as played:
        hungry = await buying(played)
        _, child = await played.submit_resting()
        await buys_on(played, hungry)
        await played.proved()
        await played.levers.do(act, symbol="BTCUSDT")
        await blocked(played, hungry, "EXECUTION_UNEXPLAINED")
        ledger = played.state.ledgers["linear:BTCUSDT:0"]
        assert ledger.position_qty == await position_qty(played) == 0, "the ledger is right"
        if act == "liquidate":
            assert child.is_final, "the venue has cancelled it"
        assert hungry.cum_qty > 0
        await played.let_pass(6.0)
        assert "POSITION_DIFFERS" not in played.alerts()
        await played.check()


async def test_77_insufficient_balance(tmp_path):
    options = dict(balances={"USDT": D(200), "BTC": D(0)})
    async with stage(tmp_path, options=options) as played:
        parent = await played.submit(
            order_qty=D("0.5"), duration_s=10, residual=ResidualRule.LEAVE,
            params=StrategyParams(interval_s=2, passiveness=D(0)),
        )  # fmt: skip
        await played.until(lambda: "ORDER_REJECTED" in played.alerts())
        await played.until(lambda: parent.status is ParentStatus.PAUSED)
        assert parent.reason.value == "INSUFFICIENT_FUNDS"
        await played.let_pass(3.0)
        assert len(await played.levers.wire(CREATE)) <= 3, "no hot loop"
        await played.finish(parent)
        await played.check()
        assert parent.cum_qty == 0


async def test_78_account_switched_to_hedge_mode(tmp_path):
    async with stage(tmp_path) as played:
        ether = await buying(played, symbol="ETHUSDT", order_qty=D(20))
        parent = await played.submit(order_qty=D("0.05"), duration_s=60)
        account = played.exchange.accounts[KEY.uid]
        change = Fields({"category": "linear", "symbol": "BTCUSDT", "mode": 3})
        switch_mode(played.exchange, account, change)
        await played.until(lambda: played.state.latched or market(played).blocked)
        told = f"{played.state.latch_reason} {market(played).blocked}"
        assert "position" in told
        assert {"HALT", "POSITION_MODE"} & set(played.alerts())
        await played.let_pass(0.5)
        sent = [name for name in parent.children if played.state.children[name].cum_qty]
        assert sent == []
        assert len(parent.children) <= 1, "no loop"
        assert ether.cum_qty > 0


@pytest.mark.parametrize("change", ["position mode", "margin mode"])
async def test_78_what_the_hourly_look_finds_changed(tmp_path, change):
    async with stage(tmp_path) as played:
        await buying(played, symbol="ETHUSDT", order_qty=D(20))
        wanted = Wanted(
            strict=False, category=Category.LINEAR, position_indices=frozenset({0}), allow_unbound_key=True,
            user_id=str(KEY.uid),
        )  # fmt: skip
        watch = AccountWatch(
            played.life.venue.account, wanted, "REGULAR_MARGIN", Clock(), played.log, every_s=0.5
        )
        looking = asyncio.create_task(watch.run(played.life.runtime.post))
        account = played.exchange.accounts[KEY.uid]
        await played.let_pass(1.2)
        assert not played.state.latched
        if change == "margin mode":
            account.margin_mode = "ISOLATED_MARGIN"
        else:
            mode = Fields({"category": "linear", "symbol": "BTCUSDT", "mode": 3})
            switch_mode(played.exchange, account, mode)
        await played.until(lambda: played.state.latched, 5.0)
        looking.cancel()
        assert ("MARGIN_MODE" if change == "margin mode" else "POSITION_MODE") in played.state.latch_reason
        assert "HALT" in played.alerts()
        await played.let_pass(0.3)
        await opens_nothing(played, 1.0)


REFUSALS = {
    "key removed": dict(revoke=10003),
    "permission removed": dict(revoke=10005),
    "address unbound": dict(revoke=10010),
    "key expired": dict(revoke=33004),
    "read only": dict(readOnly=True),
}


@pytest.mark.parametrize("change", REFUSALS.values(), ids=REFUSALS.keys())
async def test_79_the_key_loses_its_rights(tmp_path, change):
    async with stage(tmp_path) as played:
        await buying(played)
        await played.levers.do("key", key=KEY.key, **change)
        await played.until(lambda: played.state.latched, 8.0)
        halt_ns = Clock().now_ns()
        text = played.state.latch_reason
        assert str(change.get("revoke", 10005)) in text
        assert "HALT" in played.alerts()
        await opens_nothing(played, 2.5)
        refused = [
            entry for entry in await played.levers.wire() if entry["retCode"] in {10003, 10005, 10010, 33004}
        ]
        later = [entry for entry in refused if entry["time_ns"] > halt_ns]
        assert len(later) <= 1, [entry["path"] for entry in later]
        assert len(refused) <= 3, "no storm"
