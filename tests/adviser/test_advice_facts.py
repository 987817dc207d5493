"""The facts of a question: one written form, a hash of it, and when two snapshots are alike."""

import hashlib
import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.advice.facts import (
    RECENT_DECISIONS_MAX,
    alike,
    canonical,
    facts_document,
    four_digits,
    hundredths,
    mean_px,
    mean_qty,
    snapshot_hash,
)
from executor.domain.advice import Action, AdviceOutcome
from executor.domain.advice_facts import ImpactFacts, PastDecision, Tolerance
from executor.domain.orders import Side
from executor.domain.units import parse_plain
from tests.adviser.questions import changed, facts
from tests.builders import D

TOLERANCE = Tolerance(mid_bps_max=D(5), spread_bps_max=D(1), progress_pct_max=D(2))


def test_the_written_form_is_fixed():
    assert facts_document(facts()) == {
        "parent": {
            "symbol": "BTCUSDT",
            "category": "linear",
            "side": "BUY",
            "order_qty": "25",
            "cum_qty": "10.25",
            "leaves_qty": "14.75",
            "deadline_in_s": "7500",
            "duration_s": "14400",
            "decision_px": "49990.05",
            "limit_px": None,
            "strategy": "twap",
            "urgency": "MEDIUM",
        },
        "progress": {
            "executed_pct": "41",
            "elapsed_pct": "47.92",
            "ahead_pct": "-6.92",
            "avg_px": "50001.23457",
            "shortfall_bps": "2.24",
            "twap_px": "50000",
            "vs_twap_bps": "0.25",
            "slice_qty": "0.104",
            "slices_left": 125,
            "working_qty": "0.052",
        },
        "market": {
            "mid": "50000.05",
            "spread_bps": "0.02",
            "best_bid": "50000",
            "best_bid_qty": "2",
            "best_ask": "50000.1",
            "best_ask_qty": "1.25",
            "volatility_hourly_pct": "0.3512",
            "volume_per_min_qty": "12.345679",
            "mean_px_5min": "49998.76543",
            "regime": "NORMAL",
        },
        "band": {
            "rate_min": "0.5",
            "rate_max": "2",
            "slice_times_max": "2",
            "ahead_pct_max": "10",
            "behind_pct_max": "10",
            "wait_s_max": "60",
            "confidence_min": "0.5",
            "strategies": ["vwap", "pov"],
            "cancel_allowed": False,
        },
        "impact": {"estimate_bps": "3.46", "low_bps": "1.2", "high_bps": "7.89"},
        "recent_decisions": [
            {
                "decision_id": "P1-6",
                "action": "PASSIVE",
                "confidence": "0.62",
                "outcome": "APPLIED",
                "filled_pct_since": "0.42",
                "mid_moved_bps": "-1.23",
            }
        ],
    }


def test_the_keys_always_come_in_the_same_order():
    """Equal documents with other orders of keys would have other bytes, and another hash."""
    text = canonical(facts_document(facts())).decode()
    groups = list(json.loads(text))
    assert groups == ["parent", "progress", "market", "band", "impact", "recent_decisions"]
    assert text.startswith('{"parent":{"symbol":"BTCUSDT","category":"linear","side":"BUY","order_qty":"25",')
    assert " " not in text


def test_what_is_not_known_is_null():
    some = changed(facts(), "progress", avg_px=None, shortfall_bps=None, twap_px=None, vs_twap_bps=None)
    some = changed(some, "market", volatility_hourly_pct=None, volume_per_min_qty=None, mean_px_5min=None)
    nobody = PastDecision(
        decision_id="P1-5",
        action=None,
        confidence=None,
        outcome=AdviceOutcome.LATE,
        filled_pct_since=None,
        mid_moved_bps=None,
    )
    document = facts_document(replace(some, impact=ImpactFacts(), recent_decisions=(nobody,)))
    assert document["impact"] == {"estimate_bps": None, "low_bps": None, "high_bps": None}
    assert [key for key, value in document["progress"].items() if value is None] == [
        "avg_px",
        "shortfall_bps",
        "twap_px",
        "vs_twap_bps",
    ]
    assert set(document["recent_decisions"][0].values()) == {"P1-5", "LATE", None}


def test_only_the_last_decisions_are_shown():
    past = tuple(
        PastDecision(
            decision_id=f"P1-{number}",
            action=Action.WAIT,
            confidence=D("0.5"),
            outcome=AdviceOutcome.APPLIED,
            filled_pct_since=D(1),
            mid_moved_bps=D(0),
        )
        for number in range(RECENT_DECISIONS_MAX + 3)
    )
    shown = facts_document(facts(recent_decisions=past))["recent_decisions"]
    assert [row["decision_id"] for row in shown] == [row.decision_id for row in past[-RECENT_DECISIONS_MAX:]]


def test_a_deadline_gone_by_is_negative():
    parent = facts_document(changed(facts(), "order", deadline_ns=-1))["parent"]
    assert parent["deadline_in_s"] == "-1"


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (mean_px, "0.0000123456789012", "0.0000123456789"),
        (mean_px, "123456.78905", "123456.789"),
        (mean_px, "1E+5", "100000"),
        (mean_qty, "1234567.891", "1234567.9"),
        (mean_qty, "1E-8", "0.00000001"),
        (hundredths, "0.005", "0"),
        (hundredths, "0.015", "0.02"),
        (hundredths, "-0.001", "0"),
        (hundredths, "100.00", "100"),
        (hundredths, "99999999999999999.999", "100000000000000000"),
        (four_digits, "0.00010000", "0.0001"),
        (four_digits, "-0.000123456", "-0.0001235"),
        (four_digits, "0", "0"),
    ],
)
def test_figures_are_rounded_for_reading(write, value, text):
    assert write(D(value)) == text


FIGURES = st.decimals(min_value=-(10**17), max_value=10**17, allow_nan=False, places=12)


@given(st.sampled_from([mean_px, mean_qty, hundredths, four_digits]), FIGURES)
def test_every_figure_is_written_plainly_and_hardly_changed(write, value):
    text = write(value)
    told = parse_plain(text.removeprefix("-")) * (-1 if text.startswith("-") else 1)
    assert abs(told - value) <= max(abs(value) / 10**3 / 2, D("0.005"))
    assert text != "-0"


@pytest.mark.parametrize("nonsense", ["NaN", "Infinity", "-Infinity", "1E+18"])
def test_figures_without_a_meaning_are_refused(nonsense):
    with pytest.raises(ValueError, match="without a meaning"):
        facts_document(changed(facts(), "progress", shortfall_bps=D(nonsense)))
    with pytest.raises(ValueError, match="a market with the mid"):
        changed(facts(), "market", mid_px=D(nonsense))
    with pytest.raises(ValueError, match="a market with the mid"):
        changed(facts(), "market", mid_px=D(0))


def test_the_hash_names_what_is_shown():
    usual = facts()
    digest = hashlib.sha256(canonical(facts_document(usual))).hexdigest()
    assert snapshot_hash(usual) == digest[:16]
    assert snapshot_hash(facts()) == snapshot_hash(usual)
    assert snapshot_hash(replace(usual, decision_id="P1-8", parent_version=9)) == snapshot_hash(usual)
    assert snapshot_hash(usual) == "6159400dea86c6dd"


def test_every_shown_figure_is_in_the_hash():
    usual = facts()
    seen = {snapshot_hash(usual)}
    count = 1
    for group in ("order", "progress", "market", "band", "impact"):
        record = getattr(usual, group)
        for field in fields(record):
            other = other_than(getattr(record, field.name))
            seen.add(snapshot_hash(changed(usual, group, **{field.name: other})))
            count += 1
    for field in fields(PastDecision):
        past = usual.recent_decisions[0]
        other = replace(past, **{field.name: other_than(getattr(past, field.name))})
        seen.add(snapshot_hash(replace(usual, recent_decisions=(other,))))
        count += 1
    assert len(seen) == count


def other_than(value):
    """Another value of the same kind, far enough away to be written differently."""
    match value:
        case None:
            return D(77)
        case bool():
            return not value
        case Side() | Action():
            return next(other for other in type(value) if other is not value)
        case tuple():
            return ("other",)
        case int():
            return value + 5 * 10**9
        case str() if type(value) is not str:
            return next(other for other in type(value) if other is not value)
        case str():
            return value + "x"
        case _:
            return value + 3


def test_the_same_snapshot_is_alike_itself():
    assert alike(
        facts(),
        facts(decision_id="P1-8"),
        Tolerance(mid_bps_max=D(0), spread_bps_max=D(0), progress_pct_max=D(0)),
    )


@pytest.mark.parametrize(
    ("group", "field", "value", "expected"),
    [
        ("market", "mid_px", "50025.050025", True),
        ("market", "mid_px", "50025.06", False),
        ("market", "mid_px", "49975.049975", True),
        ("market", "mid_px", "49975.04", False),
        ("market", "spread_bps", "1.01", True),
        ("market", "spread_bps", "1.03", False),
        ("progress", "executed_pct", "43", True),
        ("progress", "executed_pct", "43.01", False),
        ("progress", "executed_pct", "38.9", False),
        ("progress", "elapsed_pct", "49.9", True),
        ("progress", "elapsed_pct", "50", False),
        ("progress", "ahead_pct", "-8.9", True),
        ("progress", "ahead_pct", "-9", False),
        ("progress", "working_qty", "0", True),
    ],
)
def test_alike_is_within_the_tolerance(group, field, value, expected):
    new = changed(facts(), group, **{field: D(value)})
    assert alike(facts(), new, TOLERANCE) is expected


@pytest.mark.parametrize(
    "other",
    [
        facts(parent_version=2),
        facts(parent_id="P2"),
        changed(facts(), "order", strategy="vwap"),
        changed(facts(), "market", regime="STORM"),
        changed(facts(), "band", rate_max=D("1.5")),
    ],
    ids=["amended", "another parent", "another strategy", "another regime", "another band"],
)
def test_nothing_else_may_have_changed(other):
    assert not alike(
        facts(), other, Tolerance(mid_bps_max=D(10**6), spread_bps_max=D(10**6), progress_pct_max=D(100))
    )
