"""A routed order from end to end in virtual time: the live engine, two venues, wires between, a real journal."""

import hashlib

from executor.domain.parent_state import ParentStatus
from executor.domain.units import ZERO
from executor.engine.route_report import route_report
from executor.runtime.audit import audit
from executor.runtime.journal import Journal
from tests.backtest.routed_drive import FEES_BPS, drive_route
from tests.builders import D
from tests.engine.two_markets import no_route_is_over_granted


def test_both_markets_are_used_every_sum_is_that_of_the_fills_and_the_journal_audits(tmp_path):
    digests = []
    for name in ("first.db", "again.db"):
        with Journal.open(tmp_path / name, create=True, instance="sim") as journal:
            journal.recover()
            runtime = drive_route(5, journal=journal)
            journal.commit()
        state = runtime.engine.state
        digests.append(hashlib.sha256("".join(map(repr, state.children.values())).encode()).hexdigest())
        assert audit(tmp_path / name).identical
    assert digests[0] == digests[1], "the same seed, the same orders"
    route = state.routes["R1"]
    no_route_is_over_granted(state)
    assert route.status is ParentStatus.COMPLETE
    report = route_report(state, route)
    assert all(leg.cum_qty > ZERO for leg in report.legs)
    assert report.cum_qty == sum(child.cum_qty for child in state.children.values()) == D("1.2")
    assert report.cum_notional == sum(child.cum_notional for child in state.children.values())
    assert report.fees == sum(child.fees for child in state.children.values())
    cost = report.cost
    assert cost is not None
    assert cost.opportunity == ZERO
    assert cost.total == cost.price + report.fees
    most_bps = max(FEES_BPS.values())
    assert ZERO < report.fees <= report.cum_notional * most_bps / 10_000
    assert not state.latched
