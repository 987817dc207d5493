"""Counts of coins that went onto exchanges and off them, over the interface."""

import json

import pytest
from doors import Daemon, Door

from executor.domain.events import ExchangeFlowCounted
from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode
from tests.builders import D

COUNT = {"coin": "BTC", "source": "desk", "inflow": "900", "outflow": "1200.5", "span": "1h"}


async def test_a_count_reaches_the_engine_as_what_arrived_less_what_left(door: Door):
    status, answer = await door.post("/v1/exchange-flow", COUNT)
    assert (status, answer["outcome"]) == (200, "ACCEPTED")
    (event,) = door.control.asked
    assert isinstance(event, ExchangeFlowCounted)
    assert (event.coin, event.net_qty, event.span_s) == ("BTC", D("-300.5"), 3_600)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"coin": "btc"}, "/coin"),
        ({"coin": "BTC\n"}, "/coin"),
        ({"inflow": "-1"}, "/inflow"),
        ({"outflow": 1.5}, "/outflow"),
        ({"inflow": "1e3"}, "/inflow"),
        ({"span": "0s"}, "/span"),
        ({"source": ""}, "/source"),
        ({"net": "1"}, "/net"),
    ],
)
async def test_what_is_no_count_is_refused_and_named(door: Door, change, where):
    status, answer = await door.post("/v1/exchange-flow", COUNT | change)
    assert status == 422
    assert where in json.dumps(answer)
    assert door.control.asked == []


def test_the_command_hands_it_in_and_names_its_options(daemon: Daemon, capsys):
    command = ["inflow", "BTC", "--inflow", "900", "--outflow", "1200.5"]
    assert cli.main([*command, "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["outcome"] == "ACCEPTED"
    assert daemon.control.asked[0].net_qty == D("-300.5")
    assert cli.main([*command[:-1], "12e3"]) == ExitCode.REFUSED
    assert "--outflow" in capsys.readouterr().err
