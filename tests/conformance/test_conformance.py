"""pybit and ccxt, unmodified, against the local exchange: every row of the list is one test."""

import asyncio
import inspect
import re
from contextlib import ExitStack
from pathlib import Path

import pytest

import sandbox.bybit_server
from sandbox.bybit_server.endpoints import ENDPOINTS, STREAM_OPERATIONS
from tests.conformance.calls import Call, Client, Kind
from tests.conformance.stage import Stage
from tests.conformance.table import TABLE
from tests.conformance.venues import Venues

ROWS_MIN = 150
RAISED = re.compile(r"RefusalError\(\s*(\d+)(?: if [\w.]+ else (\d+))?")
OUT_OF_REACH = {
    10404: "no library sends an operation that does not exist",
    20006: "no library repeats the id of a request",
    110020: "500 open orders take the better part of a minute at the allowed pace",
}
"""Codes the venue can give and no row asks for, each with the reason."""


@pytest.fixture(scope="module")
def venues():
    """For this module alone: their crowds trade, and so take time, for as long as they run."""
    with ExitStack() as stack:
        yield Venues(stack)


@pytest.mark.parametrize("call", TABLE, ids=lambda call: call.name)
def test_call(call: Call, venues: Venues):
    stage = Stage(venues.of(call.setting), call.setting)
    try:
        outcome = call.run(stage)
        if inspect.isawaitable(outcome):
            asyncio.run(_finish(outcome))
    finally:
        stage.close()


async def _finish(outcome):
    async with asyncio.timeout(40):
        await outcome


def test_the_list_is_long_and_every_row_says_what_it_asserts():
    assert len(TABLE) >= ROWS_MIN
    assert all(call.promise.endswith(".") for call in TABLE)
    for client in Client:
        assert {call.kind for call in TABLE if call.client is client} == set(Kind)


def test_every_endpoint_and_operation_of_the_venue_is_in_the_list():
    targets = {call.target for call in TABLE}
    assert {f"{method} {path}" for method, path in ENDPOINTS} - targets == set()
    assert set(STREAM_OPERATIONS) - targets == set()


def test_every_code_of_the_venue_is_promised_by_a_row():
    (package,) = sandbox.bybit_server.__path__
    source = "".join(path.read_text(encoding="utf-8") for path in Path(package).glob("*.py"))
    codes = {int(code) for pair in RAISED.findall(source) for code in pair if code}
    promised = {int(code) for call in TABLE for code in re.findall(r"\b\d{5,6}\b", call.promise)}
    assert len(codes) > 40
    assert codes - promised == set(OUT_OF_REACH)
