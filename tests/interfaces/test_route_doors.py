"""Routed orders over HTTP and as they are typed: what is read, what is refused, what is shown."""

from decimal import Decimal

import pytest
from control_double import reply
from doors import Door

from config.problems import ConfigProblems
from executor.domain.commands import Outcome
from executor.domain.events import BasketVerb, RouteAmended, RouteSteered, RouteSubmitted
from executor.domain.fees import KnownFees
from executor.domain.orders import Category, ResidualRule, Side
from executor.interfaces.cli_route import plan_table, route_line, route_table
from executor.interfaces.route_body import read_route, route_submitted
from executor.interfaces.route_views import route_view
from tests.builders import T0, D
from tests.engine.test_routes import open_rig, run
from tests.engine.two_markets import routed

BODY = {
    "route": "linear:BTCUSDT,spot:BTCUSDT",
    "side": "buy",
    "qty": "1.2",
    "residual": "cross",
    "duration": "10m",
    "interval": "20s",
}


def event(**over):
    values = {name: value for name, value in {**BODY, **over}.items() if value is not None}
    route, alone = read_route(values)
    return route_submitted(
        route,
        alone,
        request_id="r",
        idempotency_key="k",
        now_ns=T0,
        is_repeat=False,
        known_fees_bps={"linear:ETHUSDT": D(3)},
    )


def problems(**over):
    with pytest.raises(ConfigProblems) as caught:
        event(**over)
    return {(each.code, each.where) for each in caught.value.problems}


def test_a_request_is_read_with_the_usual_fees():
    found = event()
    assert isinstance(found, RouteSubmitted)
    assert [(leg.category, leg.symbol, leg.taker_fee_bps, leg.carry_bps) for leg in found.legs] == [
        (Category.LINEAR, "BTCUSDT", D("5.5"), 0),
        (Category.SPOT, "BTCUSDT", 10, 0),
    ]
    assert (found.side, found.order_qty, found.duration_s) == (Side.BUY, D("1.2"), 600)
    assert (found.residual, found.params.interval_s) == (ResidualRule.CROSS, 20)
    assert (found.basis_bps_max, found.hysteresis_bps) == (None, 1)


def test_a_fee_of_the_account_is_known_and_that_of_the_request_goes_first():
    legs = "linear:ETHUSDT,spot:ETHUSDT"
    assert [leg.taker_fee_bps for leg in event(route=legs).legs] == [3, 10]
    assert event(route=legs, leg_fees="linear:ETHUSDT=4").legs[0].taker_fee_bps == 4


def test_fees_carry_and_bounds_are_those_that_are_named():
    found = event(
        route=["linear:BTCUSDT", "spot:BTCUSDT@kraken"],
        leg_fees={"spot:BTCUSDT@kraken": "26"},
        leg_carry="linear:BTCUSDT=-1.5",
        max_basis="30",
        hysteresis="2.5",
    )
    assert [(leg.taker_fee_bps, leg.carry_bps) for leg in found.legs] == [(D("5.5"), D("-1.5")), (26, 0)]
    assert (found.basis_bps_max, found.hysteresis_bps) == (30, D("2.5"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"route": "linear:BTCUSDT"}, ("ROUTE", "/route")),
        ({"route": "linear:BTCUSDT,linear:BTCUSDT"}, ("ROUTE", "/route")),
        ({"route": "linear:BTCUSDT,spot-BTCUSDT"}, ("ROUTE", "/route")),
        ({"route": "linear:BTCUSDT,inverse:BTCUSD"}, ("ROUTE", "/route")),
        ({"route": "linear:BTCUSDT,spot:BTCUSDT@kraken"}, ("ROUTE", "/route")),
        ({"leg_fees": "spot:ETHUSDT=3"}, ("ROUTE", "/leg_fees")),
        ({"leg_fees": "spot:BTCUSDT=9999"}, ("LEG_BPS", "/leg_fees")),
        ({"leg_carry": "much"}, ("LEG_BPS", "/leg_carry")),
        ({"max_basis": "-1"}, ("NUMBER_FORM", "/max_basis")),
        ({"symbol": "BTCUSDT"}, ("FIELD", "/symbol")),
        ({"reduce_only": True}, ("FIELD", "/reduce_only")),
        ({"strategy": "iceberg"}, ("ROUTE", "/strategy")),
        ({"strategy": "arrival-price", "risk_aversion": "0.001"}, ("ROUTE", "/risk_aversion")),
        ({"wrappers": "adaptive,session"}, ("ROUTE", "/wrappers")),
        ({"qty": "x"}, ("QTY_FORM", "/qty")),
        ({"duration": None}, ("FIELD", "/duration and /deadline")),
    ],
)
def test_what_is_wrong_is_told_by_its_field(change, expected):
    assert expected in problems(**change)


def test_every_problem_is_told_at_once():
    assert len(problems(route="x", qty="y", symbol="Z", side="up")) == 4


def test_the_same_request_has_the_same_fingerprint_and_another_has_another():
    assert event().body_sha256 == event(route=["linear:BTCUSDT", "spot:BTCUSDT"]).body_sha256
    assert event().body_sha256 != event(hysteresis="2").body_sha256
    assert event().body_sha256 != event(qty="1.3").body_sha256


async def test_over_http_it_is_submitted_steered_and_amended(door: Door):
    replies = door.control.replies
    replies.append(reply(Outcome.ACCEPTED, parent_id="R1", code="ACCEPTED", text="accepted"))
    status, answer = await door.post("/v1/routes", BODY, {"Idempotency-Key": "key-1"})
    assert (status, answer["route_id"], "parent_id" in answer) == (201, "R1", False)
    assert isinstance(door.control.asked[-1], RouteSubmitted)
    for verb in BasketVerb:
        replies.append(reply(Outcome.ACCEPTED, parent_id="R1", code=verb.name, text="done"))
        assert (await door.post(f"/v1/routes/R1/{verb}", {}))[0] == 200
        asked = door.control.asked[-1]
        assert isinstance(asked, RouteSteered)
        assert (asked.route_id, asked.verb) == ("R1", verb)
    replies.append(reply(Outcome.ACCEPTED, parent_id="R1", code="AMENDED", text="accepted"))
    await door.post("/v1/routes/R1/amend", {"qty": "2", "duration": "60s"})
    asked = door.control.asked[-1]
    assert isinstance(asked, RouteAmended)
    assert (asked.order_qty, asked.route_id) == (2, "R1")
    replies.append(reply(Outcome.INVALID, parent_id="", code="ROUTE", text="no"))
    status, answer = await door.post("/v1/routes", BODY, {"Idempotency-Key": "key-2"})
    assert (status, answer["error"]["code"]) == (422, "ROUTE")
    both = {"duration": "1m", "deadline": "2030-01-01T00:00:00Z"}
    assert (await door.post("/v1/routes/R1/amend", both))[0] == 422
    assert (await door.get("/v1/routes/R9"))[0] == 404
    assert await door.get("/v1/routes") == (200, {"routes": []})


async def test_a_plan_shows_how_it_would_be_divided_and_sends_nothing(door: Door):
    status, answer = await door.post("/v1/route-plan", BODY)
    assert (status, answer["error"]["code"]) == (409, "FIGURES")
    rig = open_rig()
    rig.basis = D(-40)
    rig.tick(1)
    door.control.state.markets |= rig.engine.state.markets
    door.control.known_fees = KnownFees(maker_bps=D(1), taker_bps=D(4), source="the account")
    status, plan = await door.post("/v1/route-plan", BODY)
    assert status == 200, plan
    assert [leg["taker_fee_bps"] for leg in plan["legs"]] == ["4", "4"]
    assert [Decimal(leg["first_slice_qty"]) for leg in plan["legs"]] == [0, D("0.04")]
    assert len(plan["slices"]) == 30
    alone = [Decimal(leg["alone_bps"]) for leg in plan["legs"]]
    assert alone[0] > alone[1] == Decimal(plan["first_slice_bps"])
    assert not door.control.asked
    assert plan_table(plan).row_count == 2


def test_what_is_shown_adds_up_and_fits_a_terminal():
    rig = open_rig()
    rig.basis = D(-20)
    rig.tick(1)
    rig.send(routed())
    run(rig, 10)
    view = route_view(rig.engine.state, rig.route(), rig.now_ns)
    filled = [Decimal(leg["filled"]) for leg in view["legs"]]
    assert sum(filled) == Decimal(view["filled"]) == D("0.4")
    line = route_line(view)
    assert line.startswith("R1 ACTIVE buy 0.4")
    assert "spot:BTCUSDT 0.4" in line
    rig.basis = D(30)
    run(rig, 70)
    view = route_view(rig.engine.state, rig.route(), rig.now_ns)
    assert (view["status"], view["final"], len(view["parents"])) == ("COMPLETE", True, 2)
    parts = view["report"]["cost"]["quote"]
    assert sum(Decimal(parts[name]) for name in ("price", "fees", "carry", "opportunity")) == Decimal(
        parts["total"]
    )
    assert sum(Decimal(leg["fees"]) for leg in view["legs"]) == Decimal(view["report"]["fees"])
    table = route_table(view)
    assert table.row_count == 2
