"""The market's network over real sockets: agents as tasks and as a process, among people who mean no good.

Method: the hub's desk is watched; a test goes on as soon as what it waits for has happened, and never by the clock.
"""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from contextlib import asynccontextmanager

import msgspec
import pytest
import zmq
import zmq.asyncio

from backtest.market.network.agent import SeatFile, make_runner
from backtest.market.network.desk import Desk
from backtest.market.network.hosting import furnish, read_status
from backtest.market.network.hub import Hub
from backtest.market.network.messages import Why
from backtest.market.network.terms import HubTerms
from backtest.market.scenarios import load, names, parse
from benchmarks.market_network_liars import Liar
from executor.domain.errors import ConfigError
from executor.interfaces import cli
from tests.backtest.market_wire import TOKENS
from tests.process.processes import wait_until

TERMS = HubTerms(beat_ms=50, silent_ms=1_000, per_s=100, burst=100, book_ms=20)
NOISE = {
    "name": "noise",
    "kind": "noise",
    "count": 6,
    "cash": 10**9,
    "position_qty": 10_000,
    "params": {"mean_wait_s": 0.02, "reach_ticks": 5, "order_max_qty": 5, "cancel_bps": 1_000},
}
SCENARIO = {
    "name": "wire",
    "title": "A market over a wire",
    "expects": "Nobody is hurt by others.",
    "run": {"steps": 100},
    "value": {"px": 1_000.0},
    "fees": {"taker_ppm": 100, "maker_ppm": -20},
    "agents": [NOISE],
}


class Watched(Desk):
    """A desk that tells as soon as something has happened."""

    waits = ()

    def chores(self, now_ns):
        super().chores(now_ns)
        for condition, event in self.waits:
            if condition():
                event.set()

    async def until(self, condition):
        event = asyncio.Event()
        self.waits = (*self.waits, (condition, event))
        async with asyncio.timeout(50):
            await event.wait()

    def seat(self, number):
        return self.status()["seats"][number]


@asynccontextmanager
async def market(orders, public, count=6):
    entries, tasks = [], []
    scenario = parse({**SCENARIO, "agents": [{**NOISE, "count": count}]}, "test")
    floor, chairs = furnish(scenario, 3, None, entries.append)
    desk = Watched(floor, TOKENS[: len(chairs)], TERMS)
    context = zmq.asyncio.Context()
    try:
        async with Hub(desk, TERMS, orders, public, context=context) as hub:
            serving = asyncio.create_task(hub.serve())
            yield scenario, floor, desk, hub, Party(scenario, hub, context, tasks)
            hub.close()
            await serving
        async with asyncio.timeout(50):
            assert {type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)} <= {
                Why,
                BrokenError,
            }
        again, _ = furnish(scenario, 3, None)
        for entry in entries:
            again.enter(entry)
        again.advance(floor.now_ns)
        assert again.digest() == floor.digest()
        assert again.events == floor.events > 0
        assert floor.breaches() == []
        assert floor.house.conserved()
        assert floor.open_orders == 0
    finally:
        context.destroy(linger=0)


def seat_file(scenario, hub, seat, **more):
    return SeatFile(
        seat=seat,
        token=TOKENS[seat].hex(),
        orders=hub.orders_address,
        market=hub.market_address,
        kind="noise",
        params=msgspec.to_builtins(scenario.agents[0].parameters()),
        **more,
    )


class BrokenError(Exception):
    pass


class Party:
    """Agents as tasks."""

    def __init__(self, scenario, hub, context, tasks):
        self.scenario, self.hub, self.context, self.tasks = scenario, hub, context, tasks

    def join(self, seats):
        runners = [make_runner(seat_file(self.scenario, self.hub, seat)) for seat in seats]
        addresses = (self.hub.orders_address, self.hub.market_address)
        self.tasks += [asyncio.create_task(one.run(self.context, *addresses)) for one in runners]
        return runners


@pytest.mark.parametrize(
    "addresses",
    [("inproc://orders", "inproc://market"), ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")],
    ids=["inproc", "tcp"],
)
async def test_rule_agents_trade_over_a_wire_as_tasks(addresses):
    async with market(*addresses, count=3) as (_, _, desk, _, party):
        runners = party.join(range(3))
        await desk.until(lambda: desk.status()["trades"][0] >= 20)
    for runner in runners:
        assert runner.caller.why is Why.CLOSED
        assert not runner.caller.sight.noticed
        assert len(runner.caller.answer_ns) > 0


async def test_an_agent_that_fails_hurts_nobody_else():
    async with market("inproc://orders", "inproc://market", count=3) as (_, floor, desk, _, party):
        runners = party.join(range(3))
        await desk.until(lambda: floor.orders(0))

        def fail(_view):
            raise BrokenError

        runners[0]._agent.on_wakeup = fail
        with pytest.raises(BrokenError):
            await party.tasks[0]
        await desk.until(lambda: not floor.orders(0))
        trades = desk.status()["trades"][0]
        await desk.until(lambda: desk.status()["trades"][0] > trades + 5)
        assert desk.seat(0)["counts"]["ended silent"] >= 1
    assert runners[1].caller.why is runners[2].caller.why is Why.CLOSED


async def test_a_slow_reader_misses_publications_and_is_told_what_it_missed():
    async with market("inproc://orders", "tcp://127.0.0.1:*", count=3) as (_, _, desk, _, party):
        slow, *_ = party.join(range(3))
        await desk.until(lambda: slow.caller.is_seated and desk.status()["trades"][0] >= 5)
        heard = slow.caller.take_public
        pace = []

        def deaf(frames, now_ns):
            """Nothing but every other sign of the pace gets through, as from a queue that overflowed."""
            if frames[0] == b"p":
                pace.append(frames)
                heard(frames, now_ns)

        slow.caller.take_public = deaf
        snapshots = desk.counts["snapshots"]
        await desk.until(lambda: len(pace) >= 2 and desk.counts["snapshots"] > snapshots)
        assert slow.caller.sight.noticed["books"] > 0
        slow.caller.take_public = heard
    assert slow.caller.why is Why.CLOSED


@pytest.mark.process
async def test_one_killed_one_flooding_and_one_sending_garbage_leave_market_and_ledger_intact(tmp_path):
    async with market("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as (scenario, floor, desk, hub, party):
        given = tmp_path / "3.json"
        given.write_bytes(msgspec.json.encode(seat_file(scenario, hub, 3)))
        command = [sys.executable, "-m", "backtest.market.network.agent", str(given)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as doomed:  # noqa: ASYNC220 - at once
            runners = party.join(range(3))
            await desk.until(lambda: floor.orders(3))
            given_up = desk.seat(3)["counts"].get("ended silent", 0)
            os.kill(doomed.pid, signal.SIGKILL)
        flooder, liar = (Liar(msgspec.to_builtins(seat_file(scenario, hub, seat))) for seat in (4, 5))
        threads = [asyncio.create_task(asyncio.to_thread(run)) for run in (flooder.flood, liar.lie)]
        faults = ("frames", "size", "magic", "version", "body")
        wanted = (*(f"garbage {fault}" for fault in faults), "refused not_proved", "refused repeated", "refused gap",
                  "refused own names", "connections that spoke no ZeroMQ")  # fmt: skip
        await desk.until(lambda: desk.counts["refused rate"] >= 2_000 and all(map(desk.counts.get, wanted)))
        await desk.until(lambda: desk.seat(3)["counts"].get("ended silent", 0) > given_up)
        assert not floor.orders(3)
        trades = [desk.seat(seat)["fills"] for seat in range(3)]
        await desk.until(lambda: all(desk.seat(seat)["fills"] > trades[seat] for seat in range(3)))
        assert not any("refused rate" in desk.seat(seat)["counts"] for seat in range(3))
    async with asyncio.timeout(50):
        await asyncio.gather(*threads)
    assert [runner.caller.why for runner in runners] == [Why.CLOSED] * 3
    assert liar.counts["seats stolen"] == 0
    assert liar.is_closed
    assert flooder.is_closed
    for one in (flooder, liar):
        one.context.destroy(linger=0)


@pytest.mark.parametrize(
    "address", ["tcp://0.0.0.0:5000", "tcp://*:5000", "udp://127.0.0.1:1", "tcp://192.0.2.1:1"]
)
def test_a_hub_listens_on_this_machine_alone(address):
    with pytest.raises(ConfigError, match="a hub listens on"):
        Hub(None, TERMS, address, "inproc://market")


def test_every_scenario_can_be_served_and_each_of_its_agents_sits_down_out_of_a_file():
    for name in names():
        scenario = load(name)
        floor, chairs = furnish(scenario, 1, None)
        assert len(chairs) == sum(group.count for group in scenario.agents)
        for group in scenario.agents:
            params = msgspec.to_builtins(group.parameters())
            given = SeatFile(seat=0, token="00", orders="", market="", kind=group.kind, params=params)
            make_runner(msgspec.json.decode(msgspec.json.encode(given), type=SeatFile))
        floor.advance(10**9)
        assert floor.breaches() == []


# ---------------------------------------------------------------- commands


def close_when_all_sit(folder, seats):
    """Do what an operator does who looks at the status and then ends the hub."""

    def all_sit():
        status = folder / "status.json"
        return status.exists() and sum(seat["present"] for seat in read_status(folder)["seats"]) == seats

    wait_until(all_sit, "everybody's arrival")
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.process
def test_a_market_is_served_shown_and_checked_and_what_was_changed_is_seen(tmp_path, capsys):
    folder = tmp_path / "market"
    closer = threading.Thread(target=close_when_all_sit, args=(folder, 5))
    closer.start()
    words = ["--agents", "5", "--tasks", "--processes", "1"]
    assert cli.main(["market", "hub", str(folder), *words]) == 0
    closer.join()
    assert "no order is open" in capsys.readouterr().out
    status = read_status(folder)
    assert status["desk"]["closed"]
    assert all(seat["counts"]["logins"] >= 1 for seat in status["desk"]["seats"])
    assert oct((folder / "seats" / "000.json").stat().st_mode)[-3:] == "600"
    assert msgspec.json.decode((folder / "agent-000.json").read_bytes())["why"] == "CLOSED"
    assert cli.main(["market", "status", str(folder)]) == 0
    assert "logins" in capsys.readouterr().out
    assert cli.main(["market", "check", str(folder), "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out)["problems"] == []
    entries = (folder / "entries.bin").read_bytes()
    length = 4 + int.from_bytes(entries[:4], "big")
    (folder / "entries.bin").write_bytes(entries[length:])
    assert cli.main(["market", "check", str(folder)]) == 1
    assert "the same entries gave other events" in capsys.readouterr().out
    assert cli.main(["market", "hub", str(folder)]) == 2
    assert "is not empty; next:" in capsys.readouterr().err


def test_mistakes_are_named_with_what_would_mend_them(tmp_path, capsys):
    assert cli.main(["market", "status", str(tmp_path)]) == 2
    assert "no market was ever served" in capsys.readouterr().err
    assert cli.main(["market", "check", str(tmp_path)]) == 2
    assert "holds no market that has closed" in capsys.readouterr().err
    assert cli.main(["market", "hub", str(tmp_path / "new"), "--scenario", "nothing"]) == 2
    assert "nothing" in capsys.readouterr().err
    file = tmp_path / "seat.json"
    for text in ("{", '{"seat": 0}', '{"seat":0,"token":"zz","orders":"","market":"","kind":"noise"}',
                 '{"seat":0,"token":"00","orders":"","market":"","kind":"nobody"}',
                 '{"seat":0,"token":"00","orders":"","market":"","kind":"noise","params":{"x":1}}'):  # fmt: skip
        file.write_text(text)
        assert cli.main(["market", "agent", str(file)]) == 2
        assert "next:" in capsys.readouterr().err
