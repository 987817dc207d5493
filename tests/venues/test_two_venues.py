"""One daemon on two venues: the engine works an order at each, and what one does not answer costs the other nothing."""

from decimal import Decimal

import pytest

from executor.domain.parent_state import ParentStatus
from tests.builders import D
from tests.faults.stage import own_executions
from tests.venues.pair import two_venues

pytestmark = pytest.mark.process


async def test_an_order_is_worked_at_each_venue_and_an_outage_of_one_stops_only_its_own(tmp_path):
    async with two_venues(tmp_path) as pair:
        await play(pair)


async def play(pair):
    for act, more in (("drop", {}), ("status", {"status": 502}), ("reset", {"when": "before_apply"})):
        await pair.other.fault(act, path="/v5/order/create", **{"when": "after_apply", **more})
    for _ in range(4):
        await pair.other.fault("reset", path="/v5/execution/list", when="before_apply")
    there, here = await pair.submit("BTCUSDT@other"), await pair.submit("BTCUSDT")
    await pair.until(lambda: there.is_final and here.is_final)
    assert (there.status, here.status) == (ParentStatus.COMPLETE, ParentStatus.COMPLETE), "\n".join(
        map(str, pair.lines)
    )
    assert there.cum_qty == here.cum_qty == D("0.03")
    truth = await pair.check(pair.other, "BTCUSDT@other")
    assert sum(Decimal(row["qty"]) for row in own_executions(truth)) == D("0.03")
    await pair.check(pair.home, "BTCUSDT")
    opinions = pair.state.markets["linear:BTCUSDT@other"].opinions
    assert "bybit" in opinions
    # An outage there: nothing is opened there, and orders here go on.
    await pair.other.fault("status", path="", status=503, when="before_apply", times=None)
    await pair.until(lambda: not pair.state.elsewhere["other"].private_live)
    assert "linear@other" not in pair.state.reconciled
    stuck, here = await pair.submit("BTCUSDT@other"), await pair.submit("BTCUSDT")
    await pair.until(lambda: here.is_final)
    assert here.status is ParentStatus.COMPLETE
    assert (stuck.cum_qty, pair.state.reconciled["linear"], pair.state.latched) == (0, True, False)
    await pair.check(pair.home, "BTCUSDT")
    await pair.other.heal()
    await pair.until(lambda: pair.state.reconciled.get("linear@other", False))
