"""The routes of baskets: the form of a request, where each problem stands, and what is shown."""

from control_double import add_market, add_parent, reply
from doors import Door

from executor.domain.commands import Outcome
from executor.domain.events import BasketSteered, BasketSubmitted
from executor.engine.state import BasketState

ONE = {"symbol": "BTCUSDT", "side": "buy", "qty": "1.5", "residual": "leave", "duration": "30m"}
TWO = ONE | {"symbol": "ETHUSDT", "side": "sell"}
KEY = {"Idempotency-Key": "intent-1"}


def places(answer: dict) -> list[tuple[str, str]]:
    error = answer["error"]
    return [(each["code"], each["where"]) for each in (error if isinstance(error, list) else [error])]


async def test_a_basket_becomes_one_event_with_a_key_for_each_order(door: Door):
    door.control.replies.append(reply(Outcome.ACCEPTED, parent_id="B1", code="ACCEPTED", text="accepted"))
    body = {"orders": [ONE, TWO], "name": "pair", "net_notional_max": "100"}
    status, answer = await door.post("/v1/baskets", body, KEY)
    assert (status, answer["basket_id"], "parent_id" in answer) == (201, "B1", False)
    (event,) = door.control.asked
    assert isinstance(event, BasketSubmitted)
    assert (event.idempotency_key, event.name, str(event.net_notional_max)) == ("intent-1", "pair", "100")
    assert len({order.idempotency_key for order in event.orders}) == 2
    assert all(len(order.idempotency_key) <= 64 for order in event.orders)
    assert len({order.seed for order in event.orders}) == 2


async def test_every_problem_of_every_order_is_told_and_nothing_is_asked(door: Door):
    orders = [
        ONE | {"qty": 1},
        TWO,
        {"side": "buy"},
        ONE | {"duration": None, "deadline": "2001-01-01T00:00:00Z"},
    ]
    status, answer = await door.post("/v1/baskets", {"orders": orders}, KEY)
    assert status == 422
    found = places(answer)
    assert ("QTY_FORM", "/orders/0/qty") in found
    assert ("FIELD", "/orders/2/symbol") in found
    assert not [where for _, where in found if where.startswith("/orders/1")]
    late = {name: value for name, value in ONE.items() if name != "duration"} | {
        "deadline": "2001-01-01T00:00:00Z"
    }
    status, answer = await door.post("/v1/baskets", {"orders": [TWO, late]}, KEY)
    assert places(answer) == [("TIME", "/orders/1/deadline")]
    for orders in ([], [ONE] * 101, [1], None):
        assert places((await door.post("/v1/baskets", {"orders": orders}, KEY))[1]) == [("ORDERS", "/orders")]
    status, answer = await door.post("/v1/baskets", {"orders": [ONE, ONE, ONE | {"side": "sell"}]}, KEY)
    assert places(answer) == [("DUPLICATE", "/orders/1"), ("OPPOSITE", "/orders/2/side")]
    assert (await door.post("/v1/baskets", {"orders": [ONE]}))[0] == 400
    assert not door.control.asked


async def test_what_the_engine_refuses_stands_beside_its_order(door: Door):
    add_market(door.control.state)
    door.control.replies.append(reply(Outcome.INVALID, code="QTY_MIN", text="order 1: ..."))
    status, answer = await door.post("/v1/baskets", {"orders": [ONE | {"qty": "0.0001"}, TWO]}, KEY)
    assert (status, places(answer)) == (422, [("QTY_MIN", "/orders/0")])
    door.control.replies.append(
        reply(Outcome.CONFLICT, parent_id="B1", code="IDEMPOTENCY_KEY", text="another basket")
    )
    status, answer = await door.post("/v1/baskets", {"orders": [ONE]}, KEY)
    assert (status, places(answer)[0][0]) == (409, "IDEMPOTENCY_KEY")


async def test_baskets_are_shown_with_their_parents_and_the_exposure_of_all(door: Door):
    state = door.control.state
    add_market(state)
    parent = add_parent(state, "P1")
    parent.basket_id, parent.cleared = "B1", True
    state.baskets["B1"] = BasketState(
        basket_id="B1", name="pair", idempotency_key="k", body_sha256="s", created_ns=1, parents=("P1",)
    )
    status, answer = await door.get("/v1/baskets")
    assert (status, answer["baskets"][0]["by_status"]) == (200, {"EXECUTING": 1})
    assert answer["exposure"]["gross"] == "1010.00"
    assert answer["exposure"]["symbols"] == {"linear:BTCUSDT long": "606.00"}
    status, answer = await door.get("/v1/baskets/B1")
    assert answer["parents"][0]["basket"] == {"id": "B1", "name": "pair"}
    assert (await door.get("/v1/parents/P1"))[1]["basket"] == {"id": "B1", "name": "pair"}
    assert (await door.get("/v1/baskets/B2"))[0] == 404
    door.control.replies.append(reply(Outcome.ACCEPTED, parent_id="B1", code="PAUSED", text="paused"))
    status, answer = await door.post("/v1/baskets/B1/pause", {})
    assert (status, answer["basket"]["id"]) == (200, "B1")
    assert isinstance(door.control.asked[-1], BasketSteered)
    assert (await door.post("/v1/baskets/B1/amend", {}))[0] == 404
