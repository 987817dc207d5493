import pytest
from control_double import START_NS, add_market, add_parent, reply
from doors import Door

from executor.domain.commands import Outcome
from executor.domain.events import (
    AmendRequested,
    CancelRequested,
    HaltRequested,
    ParentSubmitted,
    PauseRequested,
    RearmRequested,
    ResumeRequested,
)
from executor.domain.orders import Category, ResidualRule, Side, Urgency
from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_S, iso_utc

BODY = {"symbol": "BTCUSDT", "side": "buy", "qty": "1.5", "residual": "leave", "duration": "30m"}
KEY = {"Idempotency-Key": "intent-1"}


async def test_health_and_metrics_need_no_token(door: Door):
    async with door.session.get(f"{door.url}/health") as answer:
        assert answer.status == 200
        assert (await answer.json())["alive"] is True
        assert answer.headers["Server"] == "executor"
        assert answer.headers["Cache-Control"] == "no-store"
    async with door.session.get(f"{door.url}/metrics") as answer:
        assert await answer.text() == "executor_up 1\n"
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


async def test_ready_says_why_not(door: Door):
    assert await door.get("/ready") == (200, {"ready": True, "why_not": []})
    door.control.why_not_ready = ("HALTED", "UNRECONCILED")
    assert await door.get("/ready") == (503, {"ready": False, "why_not": ["HALTED", "UNRECONCILED"]})


async def test_status_names_the_daemon_its_limits_and_what_is_open(door: Door):
    add_market(door.control.state)
    add_parent(door.control.state)
    status, body = await door.get("/v1/status")
    assert status == 200
    assert body["daemon"]["pid"] == 4711
    assert body["limits"]["child_notional_max"] == "100000"
    assert body["markets"][0]["best_bid"] == "100.9"
    assert body["markets"][0]["book_age_ms"] == 120_000
    assert [child["client_order_id"] for child in body["unproved_children"]] == ["tst-1-1"]
    assert "schedule" not in body["open_parents"][0]["plan"]


async def test_a_submitted_parent_becomes_one_event(door: Door):
    status, answer = await door.post("/v1/parents", BODY, KEY)
    assert (status, answer["outcome"]) == (201, "ACCEPTED")
    (event,) = door.control.asked
    assert isinstance(event, ParentSubmitted)
    assert (event.category, event.symbol, event.side) == (Category.LINEAR, "BTCUSDT", Side.BUY)
    assert (str(event.order_qty), event.duration_s, event.residual) == ("1.5", 1800, ResidualRule.LEAVE)
    assert (event.at_ns, event.idempotency_key) == (0, "intent-1")
    assert len(event.body_sha256) == 64


async def test_every_parameter_reaches_the_event(door: Door):
    body = BODY | {
        "category": "spot",
        "residual": "extend",
        "extend": "10m",
        "limit_price": "101.5",
        "decision_price": "100",
        "urgency": "HIGH",
        "strategy": "twap",
        "interval": 120,
        "passiveness": "0.5",
        "randomize_size": 20,
        "randomize_timing": 30,
        "catch_up": False,
        "max_catch_up": "1.5",
        "reprice_ticks": 3,
        "reduce_only": True,
        "position_idx": 1,
        "seed": 9,
    }
    status, _ = await door.post("/v1/parents", body, KEY)
    assert status == 201
    (event,) = door.control.asked
    assert (event.category, event.extend_s, event.urgency, event.seed) == (
        Category.SPOT,
        600,
        Urgency.HIGH,
        9,
    )
    assert (str(event.limit_px), str(event.decision_px)) == ("101.5", "100")
    assert (event.reduce_only, event.position_idx) == (True, 1)
    params = event.params
    assert (params.interval_s, params.randomize_size_pct, params.randomize_timing_pct) == (120, 20, 30)
    assert (params.catch_up, str(params.catch_up_max), str(params.passiveness)) == (False, "1.5", "0.5")
    assert params.reprice_ticks == 3


async def test_the_same_intent_has_the_same_hash_and_seed_however_it_is_written(door: Door):
    await door.post("/v1/parents", BODY, KEY)
    await door.post("/v1/parents", dict(reversed(BODY.items())), KEY)
    await door.post("/v1/parents", BODY | {"duration": 1800}, KEY)
    await door.post("/v1/parents", BODY | {"qty": "1.6"}, KEY)
    hashes = [event.body_sha256 for event in door.control.asked]
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]
    assert len({event.seed for event in door.control.asked}) == 1


async def test_a_deadline_becomes_a_duration(door: Door):
    deadline = iso_utc(door.control.at_ns + 900 * NS_PER_S)
    body = {name: value for name, value in BODY.items() if name != "duration"} | {"deadline": deadline}
    assert (await door.post("/v1/parents", body, KEY))[0] == 201
    assert door.control.asked[0].duration_s == 900


async def test_a_repeat_after_the_deadline_still_reaches_the_engine(door: Door):
    deadline = iso_utc(door.control.at_ns + 900 * NS_PER_S)
    body = {name: value for name, value in BODY.items() if name != "duration"} | {"deadline": deadline}
    await door.post("/v1/parents", body, KEY)
    door.control.at_ns += 3600 * NS_PER_S
    door.control.replies.append(reply(Outcome.REPEATED, parent_id="tst-1"))
    assert (await door.post("/v1/parents", body, KEY))[0] == 200
    first, second = door.control.asked
    assert first.body_sha256 == second.body_sha256


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.REPEATED, 200),
        (Outcome.NOT_FOUND, 404),
        (Outcome.CONFLICT, 409),
        (Outcome.STATE, 409),
        (Outcome.VERSION, 412),
        (Outcome.INVALID, 422),
        (Outcome.LOCKED, 423),
    ],
)
async def test_every_outcome_has_its_status(door: Door, outcome: Outcome, status: int):
    door.control.replies.append(reply(outcome, parent_id="tst-1", code="WHY", text="because"))
    got, answer = await door.post("/v1/parents", BODY, KEY)
    assert got == status
    if status != 200:
        assert answer["error"]["code"] == "WHY"
        assert answer["error"]["got"] == "tst-1: because"
        assert set(answer["error"]) == {"code", "where", "got", "allowed", "next"}


async def test_a_parent_is_shown_with_everything_that_explains_it(door: Door):
    add_market(door.control.state)
    add_parent(door.control.state)
    status, view = await door.get("/v1/parents/tst-1")
    assert status == 200
    assert view["status"] == "EXECUTING"
    assert view["waiting"] == ["SPREAD_WIDE"]
    assert (view["side"], view["qty"], view["filled"], view["leaves"]) == ("buy", "10", "4", "6")
    assert view["avg_price"] == "100.50000000"
    assert (view["progress_pct"], view["schedule_pct"], view["deviation_pct"]) == ("40.00", "20.00", "20.00")
    assert view["shortfall_bps"] == "80.00", "4 at +0.5 and 6 at +1.0 over 100, for 10"
    assert view["deadline"] == {"utc": iso_utc(START_NS + 600 * NS_PER_S), "ns": START_NS + 600 * NS_PER_S}
    assert (view["plan"]["slices_asked"], view["plan"]["slices"], view["plan"]["merged"]) == (6, 5, 1)
    assert view["plan"]["current"] == 1
    assert len(view["plan"]["schedule"]) == 5
    assert view["children"] == {"total": 1, "unproved": 1, "by_status": {"NEW": 1}}
    assert view["params"]["interval_s"] == 120
    assert view["version"] == 1


async def test_parents_children_and_report(door: Door):
    add_parent(door.control.state)
    add_parent(door.control.state, "tst-2", ParentStatus.COMPLETE)
    _, listed = await door.get("/v1/parents")
    assert [parent["id"] for parent in listed["parents"]] == ["tst-2", "tst-1"]
    _, children = await door.get("/v1/parents/tst-1/children")
    assert children["children"][0]["price"] == "100.5"
    status, answer = await door.get("/v1/parents/tst-1/report")
    assert (status, answer["error"]["code"]) == (404, "REPORT")
    door.control.reports["tst-1"] = {"parent_id": "tst-1", "total_bps": "1.5"}
    assert await door.get("/v1/parents/tst-1/report") == (200, {"parent_id": "tst-1", "total_bps": "1.5"})


async def test_verbs_become_events(door: Door):
    add_parent(door.control.state)
    one = "/v1/parents/tst-1"
    for path in (f"{one}/pause", f"{one}/resume", f"{one}/cancel"):
        assert (await door.post(path, {}))[0] == 200
    assert (await door.post(f"{one}/amend", {"qty": "8", "interval": "90s", "version": 1}))[0] == 200
    assert (await door.post("/v1/halt", {"reason": "looks wrong", "operator": "ann"}))[0] == 200
    assert (await door.post("/v1/rearm", {"reason": "checked", "operator": "bob"}))[0] == 200
    kinds = [type(event) for event in door.control.asked]
    assert kinds == [
        PauseRequested,
        ResumeRequested,
        CancelRequested,
        AmendRequested,
        HaltRequested,
        RearmRequested,
    ]
    amend = door.control.asked[3]
    assert (str(amend.order_qty), amend.params.interval_s, amend.expected_version) == ("8", 90, 1)
    assert (amend.limit_px, amend.deadline_ns, amend.urgency) == (None, None, None)
    assert len({event.request_id for event in door.control.asked}) == len(kinds)


async def test_an_amendment_keeps_the_parameters_it_does_not_name(door: Door):
    parent = add_parent(door.control.state)
    await door.post("/v1/parents/tst-1/amend", {"catch_up": False})
    await door.post("/v1/parents/tst-1/amend", {"duration": "5m", "clear_limit_price": True})
    first, second = door.control.asked
    assert (first.params.interval_s, first.params.catch_up) == (parent.order.params.interval_s, False)
    assert (second.params, second.clear_limit_px) == (None, True)
    assert second.deadline_ns == door.control.at_ns + 300 * NS_PER_S
