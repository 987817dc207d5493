"""What is written down is read back equal, and the same value is always the same bytes."""

import copy
from decimal import Decimal
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.domain.events import Event
from executor.domain.instrument import Instrument
from executor.domain.orders import StrategyParams
from executor.domain.volume_curve import SessionWeights, VolumeCurve
from executor.engine.engine import Engine
from executor.runtime import record
from strategies.volume_curve import whole_ppm
from tests.engine.rig import Rig
from tests.runtime.drives import LIMITS, TIMINGS, wander

KINDS = get_args(Event)
MONEY = st.decimals(
    min_value=-(10**17), max_value=10**17, allow_nan=False, allow_infinity=False, places=18
) | st.sampled_from([Decimal(0), Decimal("0.00000001"), Decimal("1.10"), Decimal(10) ** 17, Decimal("1E+3")])
st.register_type_strategy(Decimal, MONEY)
STEPS = st.integers(1, 10**12).map(lambda lots: lots * Decimal("0.000001"))
st.register_type_strategy(
    Instrument,
    st.builds(
        Instrument,
        tick_size=STEPS,
        qty_step=STEPS,
        min_order_qty=STEPS,
        max_order_qty=STEPS,
        min_notional=STEPS,
    ),
)
SHARES = st.decimals(min_value="0.1", max_value="0.9", places=6)
st.register_type_strategy(SessionWeights, st.builds(SessionWeights, asia=SHARES, europe=SHARES, us=SHARES))
st.register_type_strategy(
    VolumeCurve,
    st.builds(
        VolumeCurve,
        name=st.sampled_from(["usual", "a-1_b"]),
        weights_ppm=st.integers(0, 167).map(
            lambda hour: whole_ppm([9.0 if one == hour else 1.0 for one in range(168)])
        ),
        week_qty=st.none() | STEPS,
    ),
)
st.register_type_strategy(
    StrategyParams,
    st.builds(
        StrategyParams,
        interval_s=st.integers(1, 10**6),
        randomize_size_pct=st.integers(0, 50),
        randomize_timing_pct=st.integers(0, 50),
        catch_up_max=STEPS.map(lambda more: 1 + more),
        passiveness=st.none() | SHARES,
        reprice_ticks=st.integers(1, 100),
        participation=st.none() | SHARES,
        risk_aversion=st.none() | STEPS,
        curve=st.none() | st.from_type(VolumeCurve),
        session_weights=st.none() | st.from_type(SessionWeights),
        wrappers=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    ),
)
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
st.register_type_strategy(str, st.text(st.characters(exclude_categories=["Cs"]), max_size=40))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_event_is_read_back_equal(kind):
    @settings(max_examples=40)
    @given(event=st.builds(kind))
    def holds(event):
        body = record.encode_event(event)
        again = record.decode_event(kind.__name__, body)
        assert again == event
        assert type(again) is kind
        assert record.encode_event(again) == body == record.encode_event(copy.deepcopy(event))

    holds()


def test_the_kinds_have_names_of_their_own():
    assert len({kind.__name__ for kind in KINDS}) == len(KINDS) >= 27


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"at_ns":"1","key":"k"}', b'{"at_ns":1,"key":2}']
)
def test_a_body_of_another_form_is_refused(body):
    with pytest.raises(msgspec.MsgspecError):
        record.decode_event("TimerFired", body)


def test_an_unknown_kind_is_refused():
    with pytest.raises(KeyError):
        record.decode_event("OrderTeleported", b"{}")


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), steps=st.integers(0, 25))
def test_a_state_is_read_back_equal_and_goes_on_alike(seed, steps):
    rig = Rig(limits=LIMITS, timings=TIMINGS)
    wander(rig, seed, steps)
    body = record.encode_state(rig.engine.state)
    again = record.decode_state(body)
    assert again == rig.engine.state
    assert record.encode_state(again) == body
    before = len(rig.journal)
    twin = Engine(again)
    rig.tick(2)
    rig.tick(2)
    for kind, (event_bytes, command_bytes) in zip(rig.kinds[before:], rig.journal[before:], strict=True):
        assert record.encode_commands(twin.on_event(record.decode_event(kind, event_bytes))) == command_bytes
    assert record.encode_state(twin.state) == record.encode_state(rig.engine.state)
