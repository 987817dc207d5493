"""A limit is tightened while the daemon runs, never loosened; it holds over rearm and restart until it is let go."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.commands import AlertCode, Outcome, PlaceOrder, RaiseAlert, RefuseOrder
from executor.domain.events import LimitsReleased, LimitTightened, RearmRequested
from executor.domain.limits import Limits, Tightened, is_least, limit_of, tightest, why_not_tighter
from executor.domain.orders import StrategyParams
from executor.runtime import record
from tests.builders import D, submitted
from tests.engine.rig import Rig

NAMES = [field.name for field in fields(Limits)]
VALUES = st.decimals(min_value="0.001", max_value="1000000", places=3)


def tighten(rig, limit, value, operator="ann", reason="quiet day"):
    rig.send(
        LimitTightened(at_ns=0, request_id="r", operator=operator, reason=reason, limit=limit, value=D(value))
    )
    return rig.last_reply()


@pytest.mark.parametrize(
    ("limit", "tighter", "looser"),
    [
        ("child_notional_max", "99999.5", "100000.01"),
        ("order_gap_s_min", "5.5", "4.9"),
        ("references_min", "2", "0.5"),
        ("orders_per_min_max", "19", "21"),
        ("shortfall_alert_bps", "49", "51"),
    ],
)
def test_only_the_tighter_value_is_taken(limit, tighter, looser):
    rig = Rig()
    before = rig.engine.state.limits
    refused = tighten(rig, limit, looser)
    assert (refused.outcome, refused.code) == (Outcome.INVALID, "LIMIT_LOOSER")
    assert limit in refused.text
    assert rig.engine.state.limits == before
    assert not rig.engine.state.tightened
    taken = tighten(rig, limit, tighter)
    assert taken.outcome is Outcome.ACCEPTED
    value = getattr(rig.engine.state.limits, limit)
    assert value == D(tighter)
    assert type(value) is type(getattr(before, limit))
    assert tighten(rig, limit, tighter).outcome is Outcome.REPEATED
    assert tighten(rig, limit, str(getattr(before, limit))).code == "LIMIT_LOOSER", (
        "not even back to where it was"
    )


def test_the_refusal_names_the_limit_what_it_is_and_what_was_wanted():
    text = tighten(Rig(), "child_notional_max", "100001").text
    assert text == "child_notional_max is 100000 (at most), and 100001 would loosen it"


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity", "1E+30"])
def test_what_is_no_limit_is_refused(value):
    rig = Rig()
    assert tighten(rig, "child_notional_max", value).outcome is Outcome.INVALID
    assert tighten(rig, "orders_per_s_max", "1.5").outcome is Outcome.INVALID
    assert tighten(rig, "no_such_limit", "1").outcome is Outcome.INVALID
    assert tighten(rig, "__class__", "1").outcome is Outcome.INVALID
    assert tighten(rig, "child_notional_max", "1", reason=" ").code == "REASON"
    assert rig.engine.state.limits == Limits()


def test_where_there_was_none_a_limit_can_be_set():
    rig = Rig()
    assert tighten(rig, "symbol_net_notional_max", "5000").text.endswith("it was no limit")
    assert rig.engine.state.limits.symbol_net_notional_max == D(5000)


def test_it_holds_over_rearm_and_over_a_start_with_looser_settings_until_it_is_let_go():
    rig = Rig()
    tighten(rig, "child_notional_max", "5000")
    rig.send(RearmRequested(at_ns=0, request_id="r", operator="bob", reason="looked"))
    assert rig.engine.state.limits.child_notional_max == D(5000)
    rig.limits = replace(Limits(), child_notional_max=D(900_000), day_loss_max=D(7))
    rig.restart()
    assert rig.engine.state.limits.child_notional_max == D(5000)
    assert rig.engine.state.limits.day_loss_max == D(7)
    rig.limits = replace(Limits(), child_notional_max=D(4000))
    rig.restart()
    assert rig.engine.state.limits.child_notional_max == D(4000), "settings that are tighter still count"
    rig.limits = Limits()
    rig.restart()
    assert rig.engine.state.limits.child_notional_max == D(5000)
    rig.send(LimitsReleased(at_ns=0, operator="ann", reason="all is well"))
    assert rig.engine.state.limits.child_notional_max == D(5000), "nothing is loosened without a start"
    rig.restart()
    assert rig.engine.state.limits == Limits()
    told = [alert.detail for alert in rig.commands(RaiseAlert) if alert.code is AlertCode.LIMITS_MOVED]
    assert told == [
        "ann: quiet day; child_notional_max is 5000 now; it was 100000",
        "ann: all is well; let go: child_notional_max 5000",
    ]


def test_the_next_order_goes_by_it():
    rig = Rig()
    rig.open_market()
    rig.send(submitted(duration_s=120, params=StrategyParams(interval_s=20, passiveness=D(0))))
    for _ in range(3):
        rig.tick(1)
        rig.settle()
    (first,) = rig.commands(PlaceOrder)
    value = first.approved.order.qty * rig.mid
    tighten(rig, "child_notional_max", str(value / 2))
    for entry in list(rig.venue.orders.values()):
        rig.venue.fill(entry, entry.order.qty)
    for _ in range(40):
        rig.tick(1)
        rig.settle()
    later = rig.commands(PlaceOrder)[1:]
    assert later
    assert all(each.approved.order.qty * each.approved.order.px <= value / 2 for each in later)
    assert not [each for each in rig.commands(RefuseOrder) if "CHILD_NOTIONAL" in each.codes]


def test_a_state_without_any_is_written_as_it_was_before_there_were_such():
    rig = Rig()
    plain = record.encode_state(rig.engine.state)
    assert b"tightened" not in plain
    assert record.decode_state(plain) == rig.engine.state
    tighten(rig, "day_loss_max", "10")
    body = record.encode_state(rig.engine.state)
    assert record.decode_state(body) == rig.engine.state
    assert record.encode_state(record.decode_state(body)) == body
    rig.send(LimitsReleased(at_ns=0, operator="a", reason="b"))
    assert b"tightened" not in record.encode_state(rig.engine.state)


@given(limit=st.sampled_from(NAMES), wishes=st.lists(VALUES, max_size=8))
def test_no_row_of_wishes_ever_loosens(limit, wishes):
    limits = Limits()
    for wish in wishes:
        before = limit_of(limits, limit)
        made = Tightened(limit=limit, value=wish, before=before, operator="a", reason="b", at_ns=1)
        after = limit_of(tightest(limits, [made]), limit)
        assert after is not None or before is None
        if before is not None:
            assert after >= before if is_least(limit) else after <= before
            assert after in (before, wish)
        assert (after == wish) or why_not_tighter(limits, limit, wish)
        limits = tightest(limits, [made])
    others = {name for name in NAMES if getattr(limits, name) != getattr(Limits(), name)}
    assert others <= {limit}
