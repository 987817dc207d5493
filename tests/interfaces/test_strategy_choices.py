"""What a request may choose for its strategy, and what is refused because nobody would read it."""

import pytest
from control_double import add_parent
from doors import Door

from executor.domain.orders import GiveUp, Peg, StrategyParams
from executor.domain.timeline import NS_PER_S, iso_utc

BODY = {"symbol": "BTCUSDT", "side": "buy", "qty": "1.5", "residual": "leave", "duration": "30m"}
KEY = {"Idempotency-Key": "intent-1"}


async def submitted(door: Door, **fields: object):
    status, answer = await door.post("/v1/parents", BODY | fields, KEY)
    assert status == 201, answer
    return door.control.asked[-1]


async def refused(door: Door, path: str = "/v1/parents", **fields: object) -> dict:
    body = BODY | fields if path == "/v1/parents" else fields
    status, answer = await door.post(path, body, KEY)
    assert status == 422, answer
    assert not door.control.asked
    return answer["error"]


async def test_what_a_strategy_reads_reaches_the_event(door: Door):
    params = (await submitted(door, strategy="pov", participation="0.1", max_participation="0.2")).params
    assert (str(params.participation), str(params.participation_max)) == ("0.1", "0.2")
    params = (await submitted(door, strategy="iceberg", display="0.1", randomize_display=20)).params
    assert (str(params.display_qty), params.display_randomize_pct) == ("0.1", 20)
    chase = dict(peg="mid", peg_offset_ticks=2, max_reprices=5, max_chase="12.5", give_up="cross")
    params = (await submitted(door, strategy="chase", **chase)).params
    assert (params.peg, params.peg_offset_ticks, params.reprices_max) == (Peg.MID, 2, 5)
    assert (str(params.chase_bps_max), params.give_up) == ("12.5", GiveUp.CROSS)
    params = (await submitted(door, strategy="sniper", trigger_price="100.5", trigger_qty="3")).params
    assert (str(params.trigger_px), str(params.trigger_qty)) == ("100.5", "3")
    params = (await submitted(door, strategy="arrival-price", risk_aversion="0.000001")).params
    assert str(params.risk_aversion) == "0.000001"
    params = (await submitted(door, wrappers=["funding", "liquidations"])).params
    assert params.wrappers == ("funding", "liquidations")


@pytest.mark.parametrize(
    ("strategy", "field", "value", "readers"),
    [
        ("twap", "participation", "0.1", "pov"),
        ("pov", "display", "0.1", "iceberg"),
        ("iceberg", "passiveness", "0.5", "twap"),
        ("sniper", "peg", "mid", "chase"),
        ("chase", "randomize_size", 10, "twap"),
        ("vwap", "risk_aversion", "0.001", "arrival-price"),
    ],
)
async def test_what_it_does_not_read_is_refused_with_those_who_do(
    door: Door, strategy, field, value, readers
):
    error = await refused(
        door,
        strategy=strategy,
        **{field: value, "trigger_qty": "1"} if strategy == "sniper" else {field: value},
    )
    assert (error["code"], error["where"]) == ("STRATEGY_PARAM", f"/{field}")
    assert readers in error["allowed"]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("participation", "0", "NUMBER_RANGE"),
        ("participation", "0.95", "NUMBER_RANGE"),
        ("max_participation", 0.1, "NUMBER_FORM"),
        ("display", "0", "QTY_ZERO"),
        ("randomize_display", 51, "NUMBER"),
        ("peg", "bid", "ENUM"),
        ("peg_offset_ticks", -1, "NUMBER"),
        ("max_reprices", 1_001, "NUMBER"),
        ("max_chase", "0", "NUMBER_RANGE"),
        ("give_up", "never", "ENUM"),
        ("trigger_price", "0", "PRICE_ZERO"),
        ("wrappers", ["wizard"], "ENUM"),
        ("wrappers", ["funding", "funding"], "ENUM"),
        ("wrappers", [], "ENUM"),
        ("start", "tomorrow", "TIME"),
    ],
)
async def test_values_that_mean_nothing_are_refused(door: Door, field, value, code):
    error = await refused(door, **{field: value})
    assert (error["code"], error["where"]) == (code, f"/{field}")


async def test_choices_that_do_not_go_together_are_refused_in_the_words_of_the_request(door: Door):
    error = await refused(door, strategy="sniper")
    assert "/trigger_price, /trigger_qty or both" in error["allowed"]
    error = await refused(door, strategy="pov", participation="0.3", max_participation="0.2")
    assert "0.3 is above /max_participation 0.2" in error["allowed"]
    error = await refused(door, strategy="venue-twap", wrappers=["funding", "session"])
    assert error["got"].startswith('"funding,session" with')


async def test_another_strategy_drops_what_it_does_not_read(door: Door):
    parent = add_parent(door.control.state)
    assert parent.order.strategy == "twap"
    assert (await door.post("/v1/parents/tst-1/amend", {"strategy": "pov", "participation": "0.2"}))[0] == 200
    amend = door.control.asked[-1]
    assert (amend.strategy, str(amend.params.participation), amend.params.interval_s) == ("pov", "0.2", 120)
    object.__setattr__(parent.order, "strategy", "pov")
    object.__setattr__(parent.order, "params", amend.params)
    assert (await door.post("/v1/parents/tst-1/amend", {"strategy": "chase"}))[0] == 200
    assert door.control.asked[-1].params == StrategyParams(interval_s=120)
    assert (await door.post("/v1/parents/tst-1/amend", {"duration": "5m"}))[0] == 200
    assert door.control.asked[-1].params is None


async def test_an_amendment_names_only_what_its_strategy_reads(door: Door):
    add_parent(door.control.state)
    error = await refused(door, "/v1/parents/tst-1/amend", participation="0.2")
    assert (error["code"], error["where"]) == ("STRATEGY_PARAM", "/participation")


async def test_a_start_is_an_instant_and_a_duration_counts_from_it(door: Door):
    now_ns = door.control.at_ns
    event = await submitted(door, start=iso_utc(now_ns + 600 * NS_PER_S))
    assert (event.start_ns, event.duration_s) == (now_ns + 600 * NS_PER_S, 1_800)
    body = {name: value for name, value in BODY.items() if name != "duration"}
    until = dict(start=iso_utc(now_ns + 600 * NS_PER_S), deadline=iso_utc(now_ns + 900 * NS_PER_S))
    assert (await door.post("/v1/parents", body | until, KEY))[0] == 201
    assert door.control.asked[-1].duration_s == 300


async def test_a_start_that_is_over_or_after_the_deadline_is_refused(door: Door):
    now_ns = door.control.at_ns
    assert (await refused(door, start=iso_utc(now_ns - NS_PER_S)))["where"] == "/start"
    body = {name: value for name, value in BODY.items() if name != "duration"}
    turned = dict(start=iso_utc(now_ns + 900 * NS_PER_S), deadline=iso_utc(now_ns + 600 * NS_PER_S))
    status, answer = await door.post("/v1/parents", body | turned, KEY)
    assert (status, answer["error"]["where"]) == (422, "/start and /deadline")


async def test_who_names_none_of_this_says_the_same_as_before_there_was_any(door: Door):
    """The key of an intent is held against the hash of what was asked; an older one must still fit."""
    event = await submitted(door)
    assert event.body_sha256 == "e78ab7ec44601ab975780843349b8a862b41b9e30b2df95e0f2d3f0898e363d2"
    assert (
        await submitted(door, start=iso_utc(door.control.at_ns + NS_PER_S * 60))
    ).body_sha256 != event.body_sha256
