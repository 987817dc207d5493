"""H5 to H12, H15, H16: what the fields of a request may say, and what the engine answers."""

import pytest
from control_double import add_parent, reply
from doors import Door

from executor.domain.commands import Outcome
from executor.domain.timeline import NS_PER_DAY, NS_PER_S, iso_utc

BODY = {"symbol": "BTCUSDT", "side": "buy", "qty": "1.5", "residual": "leave", "duration": "30m"}
KEY = {"Idempotency-Key": "intent-1"}


async def refused(door: Door, changes: dict, status: int = 422) -> dict:
    """Submit with some fields changed; gives the only error."""
    body = {name: value for name, value in (BODY | changes).items() if value is not ...}
    got, answer = await door.post("/v1/parents", body, KEY)
    assert got == status, answer
    assert not door.control.asked
    assert isinstance(answer["error"], dict), answer
    return answer["error"]


async def test_h5_every_problem_is_listed(door: Door):
    status, answer = await door.post("/v1/parents", {"qty": 1, "sidee": "buy", "duration": []}, KEY)
    assert status == 422
    found = {(error["where"], error["code"]) for error in answer["error"]}
    assert found == {
        ("/symbol", "FIELD"),
        ("/side", "FIELD"),
        ("/qty", "QTY_FORM"),
        ("/residual", "FIELD"),
        ("/duration", "TIME"),
        ("/sidee", "FIELD"),
    }


async def test_h5_an_unknown_field_gets_the_nearest_name(door: Door):
    error = await refused(door, {"limit_prise": "100"})
    assert (error["where"], error["allowed"]) == ("/limit_prise", "nearest name: limit_price")


@pytest.mark.parametrize("name", ["qty", "symbol", "side", "residual", "duration", "limit_price", "seed"])
async def test_h5_null_is_no_value(door: Door, name: str):
    assert (await refused(door, {name: None}))["where"] == f"/{name}"


@pytest.mark.parametrize(
    ("qty", "code"),
    [
        ("0", "QTY_ZERO"),
        ("0.000", "QTY_ZERO"),
        ("-1", "QTY_FORM"),
        ("+1", "QTY_FORM"),
        ("0x10", "QTY_FORM"),
        (" 1", "QTY_FORM"),
        ("1 ", "QTY_FORM"),
        ("1e-9", "QTY_FORM"),
        ("1,5", "QTY_FORM"),
        ("1_0", "QTY_FORM"),
        (".5", "QTY_FORM"),
        ("5.", "QTY_FORM"),
        ("NaN", "QTY_FORM"),
        ("9" * 40, "QTY_FORM"),
        ("\u0661", "QTY_FORM"),
        ("", "QTY_FORM"),
        (1, "QTY_FORM"),
        (1.5, "QTY_FORM"),
        (True, "QTY_FORM"),
        (["1"], "QTY_FORM"),
    ],
)
async def test_h6_quantities(door: Door, qty: object, code: str):
    error = await refused(door, {"qty": qty})
    assert (error["code"], error["where"]) == (code, "/qty")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("side", "BUY", "ENUM"),
        ("side", "Buy", "ENUM"),
        ("side", 1, "ENUM"),
        ("category", "option", "ENUM"),
        ("residual", "market", "ENUM"),
        ("urgency", "low", "ENUM"),
        ("strategy", "vwapp", "ENUM"),
        ("symbol", "btcusdt", "SYMBOL"),
        ("symbol", "../BTC", "SYMBOL"),
        ("symbol", "BTC\U0001f680", "SYMBOL"),
        ("symbol", "BTC%00", "SYMBOL"),
        ("symbol", "BTC\x00USDT", "SYMBOL"),
        ("symbol", "B" * 10_000, "SYMBOL"),
        ("symbol", "", "SYMBOL"),
        ("symbol", 7, "SYMBOL"),
        ("limit_price", "-1", "PRICE_FORM"),
        ("limit_price", "0", "PRICE_ZERO"),
        ("limit_price", 100, "PRICE_FORM"),
        ("decision_price", "1e5", "PRICE_FORM"),
        ("passiveness", "1.1", "NUMBER_RANGE"),
        ("passiveness", 0.5, "NUMBER_FORM"),
        ("max_catch_up", "0.5", "NUMBER_RANGE"),
        ("randomize_size", 51, "NUMBER"),
        ("randomize_timing", -1, "NUMBER"),
        ("randomize_size", "20", "NUMBER"),
        ("randomize_size", True, "NUMBER"),
        ("position_idx", 3, "NUMBER"),
        ("seed", -1, "NUMBER"),
        ("seed", 2**63, "NUMBER"),
        ("reprice_ticks", 0, "NUMBER"),
        ("catch_up", "true", "FIELD"),
        ("reduce_only", 1, "FIELD"),
        ("extend", "5m", "FIELD"),
    ],
)
async def test_h7_every_field_refuses_what_it_does_not_mean(door: Door, field: str, value: object, code: str):
    error = await refused(door, {field: value})
    assert (error["code"], error["where"]) == (code, f"/{field}")
    assert len(error["got"]) < 120
    assert error["got"].isprintable()


@pytest.mark.parametrize(
    "duration", ["5", "5 m", "-5m", "10y", "0s", 0, -1, 2_592_001, "721h", 5.5, True, "1.5h"]
)
async def test_h8_durations(door: Door, duration: object):
    error = await refused(door, {"duration": duration})
    assert (error["code"], error["where"]) == ("TIME", "/duration")


@pytest.mark.parametrize(
    "deadline",
    [
        "2027-01-15T08:30:00",
        "tomorrow",
        "2027-02-30T00:00:00Z",
        "2027-01-15",
        1_800_000_000,
        "20270115T080000Z",
    ],
)
async def test_h8_deadlines_of_another_form(door: Door, deadline: object):
    error = await refused(door, {"duration": ..., "deadline": deadline})
    assert (error["code"], error["where"]) == ("TIME", "/deadline")


async def test_h8_deadlines_too_early_or_too_late(door: Door):
    for ahead_ns in (-NS_PER_S, 0, 30 * NS_PER_DAY + 2 * NS_PER_S):
        error = await refused(door, {"duration": ..., "deadline": iso_utc(door.control.at_ns + ahead_ns)})
        assert (error["code"], error["where"]) == ("TIME", "/deadline")


@pytest.mark.parametrize(
    "text", ["2027-01-15T08:30:00Z", "2027-01-15t09:30:00.000+01:00", "2027-01-15 08:30:00.000000000-00:00"]
)
async def test_h8_every_way_to_write_one_instant(door: Door, text: str):
    body = {name: value for name, value in BODY.items() if name != "duration"} | {"deadline": text}
    assert (await door.post("/v1/parents", body, KEY))[0] == 201
    assert door.control.asked[0].duration_s == 28 * 60


async def test_h8_one_of_duration_and_deadline(door: Door):
    assert (await refused(door, {"duration": ...}))["got"] == "neither"
    assert (await refused(door, {"deadline": "2027-01-15T08:30:00Z"}))["got"] == "both"


async def test_h8_extend_needs_its_length(door: Door):
    assert (await refused(door, {"residual": "extend"}))["where"] == "/extend"


@pytest.mark.parametrize(
    ("key", "status"),
    [(None, 400), ("", 422), ("a b", 422), ("x" * 65, 422), ("ключ", 422), ("x" * 5_000, 422)],
)
async def test_h9_the_idempotency_key(door: Door, key: str | None, status: int):
    headers = {} if key is None else {"Idempotency-Key": key}
    got, answer = await door.post("/v1/parents", BODY, headers)
    assert (got, answer["error"]["code"]) == (status, "IDEMPOTENCY")
    assert not door.control.asked


async def test_h9_a_key_with_another_body(door: Door):
    door.control.replies.append(
        reply(Outcome.CONFLICT, parent_id="tst-1", code="IDEMPOTENCY_KEY", text="used")
    )
    status, answer = await door.post("/v1/parents", BODY, KEY)
    assert (status, answer["error"]["code"]) == (409, "IDEMPOTENCY_KEY")
    assert "tst-1" in answer["error"]["got"]


@pytest.mark.parametrize("path", ["", "/children", "/report"])
async def test_h10_unknown_parents(door: Door, path: str):
    status, answer = await door.get(f"/v1/parents/nobody{path}")
    assert (status, answer["error"]["code"]) == (404, "PARENT")


async def test_h10_wrong_state_and_stale_version(door: Door):
    add_parent(door.control.state)
    door.control.replies.append(reply(Outcome.STATE, parent_id="tst-1", code="ENDED", text="it is COMPLETE"))
    status, answer = await door.post("/v1/parents/tst-1/cancel", {})
    assert (status, answer["error"]["got"]) == (409, "tst-1: it is COMPLETE")
    door.control.replies.append(
        reply(Outcome.VERSION, parent_id="tst-1", code="VERSION", text="at version 3")
    )
    status, answer = await door.post("/v1/parents/tst-1/amend", {"qty": "5", "version": 2})
    assert (status, answer["error"]["got"]) == (412, "tst-1: at version 3")


async def test_h11_a_locked_daemon_says_how_to_unlock(door: Door):
    door.control.replies.append(reply(Outcome.LOCKED, code="HALTED", text="halted: looks wrong"))
    status, answer = await door.post("/v1/parents", BODY, KEY)
    assert (status, answer["error"]["code"]) == (423, "HALTED")
    assert "POST /v1/rearm" in answer["error"]["next"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "/qty"),
        ({"version": 1}, "/qty"),
        ({"version": 0, "qty": "1"}, "/version"),
        ({"duration": "5m", "deadline": "2027-01-15T08:30:00Z"}, "/duration and /deadline"),
        ({"limit_price": "5", "clear_limit_price": True}, "/limit_price and /clear_limit_price"),
        ({"symbol": "ETHUSDT"}, "/symbol"),
        ({"side": "sell"}, "/side"),
        ({"limits": {"child_notional_max": "1"}}, "/limits"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "/deadline"),
    ],
)
async def test_amendments_change_what_may_change(door: Door, body: dict, where: str):
    add_parent(door.control.state)
    status, answer = await door.post("/v1/parents/tst-1/amend", body)
    assert (status, answer["error"]["where"]) == (422, where)
    assert not door.control.asked


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
async def test_verbs_take_no_fields(door: Door, verb: str):
    add_parent(door.control.state)
    status, answer = await door.post(f"/v1/parents/tst-1/{verb}", {"force": True})
    assert (status, answer["error"]["code"]) == (422, "FIELD")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "  "},
        {"reason": 5},
        {"reason": "x" * 201},
        {"reason": "a\nb"},
        {"reason": None},
    ],
)
@pytest.mark.parametrize("path", ["/v1/rearm", "/v1/halt"])
async def test_h16_a_stop_and_its_end_need_a_reason(door: Door, path: str, body: dict):
    status, answer = await door.post(path, body)
    assert (status, answer["error"]["where"]) == (422, "/reason")
    assert not door.control.asked
