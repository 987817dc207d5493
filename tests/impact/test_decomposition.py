"""The seven parts of a shortfall: what each is by hand, that they add up exactly, and what must not change them.

`by_hand` is a slow twin of `impact.tca.fill_costs`: it goes through all fills again for each of them and knows the
whole path of the mid, where the code is led from fill to fill.
"""

import json
from dataclasses import replace
from decimal import Context, localcontext
from decimal import Decimal as D
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.instrument import notional
from executor.domain.orders import Category, Side
from executor.domain.timeline import NS_PER_S
from impact.shortfall import as_json, make_report, split_parts
from impact.tca.fill_costs import WINDOW_S, BookedFill, FillCosts, ImpactPath, costs_of, end_window
from tests.impact.test_shortfall import facts_with

WIDE = Context(prec=600)
NAMES = ("delay", "spread", "temporary", "permanent", "timing", "opportunity", "fees")


def fill(at_s, qty, px, mid, touch, *, waited=False, side=Side.BUY, category=Category.LINEAR):
    return BookedFill(
        key=f"{at_s}:{qty}:{px}",
        category=category,
        side=side,
        qty=D(qty),
        px=D(px),
        mid_px=D(mid),
        far_touch_px=D(touch),
        waited=waited,
        ts_exchange_ns=int(D(at_s) * NS_PER_S),
    )


def summed(fills, mid_at_ends=()):
    """Sums over fills, told one after the other; `mid_at_ends` for the fills whose window ended before the next."""
    path, sums, ends = ImpactPath(), FillCosts(), dict(mid_at_ends)
    for each in fills:
        sums.add(costs_of(path, each, D(ends.get(each.key, 1))))
    return sums


def facts_of(fills, sums, **changes):
    cum_qty = sum((each.qty for each in fills), D(0))
    category = fills[0].category if fills else Category.LINEAR
    usual = dict(
        category=category,
        side=fills[0].side if fills else Side.BUY,
        order_qty=cum_qty + 1,
        cum_qty=cum_qty,
        cum_notional=sum((notional(category, each.qty, each.px) for each in fills), D(0)),
        cum_coin_qty=sum((each.qty / each.px for each in fills), D(0))
        if category is Category.INVERSE
        else D(0),
        fees=D("0.5"),
        decision_px=D(99),
        arrival_px=D(100),
        end_px=D(103),
        fill_costs=sums,
    )
    return facts_with(**{**usual, **changes})


def test_a_take_pays_half_the_spread_and_what_lies_beyond_the_touch():
    """10 @ 100.3 while the book was 99.9 / 100.1: half the spread is 0.1, beyond the touch 0.2."""
    sums = summed([fill(0, 10, "100.3", 100, "100.1")])
    assert (sums.spread, sums.temporary, sums.permanent, sums.qty) == (1, 2, 0, 10)


def test_a_fill_that_waited_earns_its_distance_from_the_mid_and_moves_nothing():
    first, second = (
        fill(0, 10, "99.9", 100, "100.1", waited=True),
        fill(2, 10, "100.9", 101, "101.1", waited=True),
    )
    sums = summed([first, second])
    assert (sums.spread, sums.temporary, sums.permanent) == (-2, 0, 0)


def test_later_fills_pay_for_the_moves_within_the_windows_of_earlier_ones():
    """Mids 100, 101 and 105 before the takes at 0, 3 and 60 s; the mid was 101.5 when the second window ended."""
    fills = [
        fill(0, 1, "100.1", 100, "100.1"),
        fill(3, 2, "101.1", 101, "101.1"),
        fill(60, 4, "105.1", 105, "105.1"),
    ]
    sums = summed(fills, {fills[2].key: "101.5"})
    assert sums.permanent == 2 * 1 + 4 * D("1.5")
    parts = split_parts(facts_of(fills, sums), D(99))
    assert parts.permanent == 8
    # b q (m - P0) is 0 + 2 + 20; what the windows do not account for is the move from 101.5 to 105, on 4.
    assert parts.timing == 4 * D("3.5")
    assert parts.total == parts.cost.total


def test_fills_at_one_instant_move_nothing_for_each_other():
    fills = [fill(0, 1, "100.1", 100, "100.1"), fill(0, 2, "100.2", 100, "100.1")]
    assert summed(fills).permanent == 0


def test_a_window_that_the_book_has_ended_counts_once():
    path, first, second = ImpactPath(), fill(0, 1, 101, 100, 101), fill(60, 1, 105, 104, 105)
    costs_of(path, first, D(1))
    end_window(path, Category.LINEAR, Side.BUY, D("100.5"))
    assert costs_of(path, second, D(777)).permanent == D("0.5")


@pytest.mark.parametrize(
    "sums", [None, FillCosts(qty=D(3))], ids=["nobody looked", "one fill without a book"]
)
def test_what_is_not_known_of_every_fill_is_not_told(sums):
    report = make_report(facts_with(fill_costs=sums))
    assert report.shortfall_bps is not None
    assert report.split_quote is report.split_bps is None
    assert as_json(report)["split_bps"] is None


def test_an_order_without_fills_is_delay_opportunity_and_fees():
    facts = facts_of([], FillCosts(), order_qty=D(5))
    parts = make_report(facts).split_quote
    assert parts.named() == {
        "delay": 5, "spread": 0, "temporary": 0, "permanent": 0, "timing": 0, "opportunity": 15, "fees": D("0.5"),
    }  # fmt: skip


KISSELL = dict(
    S=5000, Pd="10", P0="10.25", fills=[(1000, "10.3"), (1500, "10.45"), (1500, "10.6833333333")], Pn="11", fees=100,
    expected=dict(delay=1250, trading=1000, opportunity=750, fees=100, total=3100, bp=620), tol=1e-6,
)  # fmt: skip
"""R. Kissell's expanded implementation shortfall; the prices are given to ten places, so the total is to 1.5e-7."""
CFA = dict(
    S=1000, Pd="40", prev_close="40.04", fill=(700, "40.05"), cancel="40.08", commission=17,
    expected=dict(explicit=0.000425, realised=0.000175, delay=0.0007, missed=0.0006, total=0.0019), tol=1e-9,
)  # fmt: skip
"""As in the CFA curriculum: 300 of 1,000 shares cancelled, shares of the paper value."""


def test_is_kissell():
    """Delay 1250, trading 1000, opportunity 750, fees 100; trading told apart here adds up to it."""
    told, expected = KISSELL, KISSELL["expected"]
    # The book of each fill is ours: a spread of 0.10 around mids 10.25, 10.40 and 10.60, ten minutes apart.
    mids = ("10.25", "10.40", "10.60")
    fills = [
        fill(600 * number, qty, D(px), mid, D(mid) + D("0.05"))
        for number, ((qty, px), mid) in enumerate(zip(told["fills"], mids, strict=True))
    ]
    sums = summed(fills, {fills[1].key: "10.30", fills[2].key: "10.40"})
    facts = facts_of(
        fills, sums, order_qty=D(told["S"]), decision_px=D(told["Pd"]), arrival_px=D(told["P0"]),
        end_px=D(told["Pn"]), fees=D(told["fees"]),
    )  # fmt: skip
    report = make_report(facts)
    four, seven = report.shortfall_quote, report.split_quote
    found = {
        "delay": four.delay, "trading": four.trading, "opportunity": four.opportunity, "fees": four.fees,
        "total": four.total, "bp": report.shortfall_bps.total,
    }  # fmt: skip
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected, abs=told["tol"])
    assert seven.spread == D("0.05") * 4000
    assert seven.permanent == 1500 * D("0.05") + 1500 * D("0.05")
    assert seven.total == four.total
    assert seven.spread + seven.temporary + seven.permanent + seven.timing == four.trading


def test_is_cfa():
    """The published split charges the delay of what was missed to that."""
    told, expected = CFA, CFA["expected"]
    qty, px = told["fill"]
    one = fill(0, qty, D(px), D(told["prev_close"]), D(px))
    facts = facts_of(
        [one], summed([one]), order_qty=D(told["S"]), decision_px=D(told["Pd"]), arrival_px=D(told["prev_close"]),
        end_px=D(told["cancel"]), fees=D(told["commission"]),
    )  # fmt: skip
    seven = make_report(facts).split_bps
    missed_delay = seven.cost.delay * (1000 - qty) / 1000
    found = {
        "explicit": seven.cost.fees,
        "realised": seven.spread + seven.temporary + seven.permanent + seven.timing,
        "delay": seven.cost.delay - missed_delay,
        "missed": seven.cost.opportunity + missed_delay,
        "total": seven.total,
    }
    assert {name: float(value) / 10_000 for name, value in found.items()} == pytest.approx(
        expected, abs=told["tol"]
    )


px_s = st.decimals(min_value=1, max_value=10_000, places=2)
qty_s = st.decimals(min_value="0.001", max_value=1_000, places=3)


@st.composite
def stories(draw, category=None):
    """Fills in order of time with the book before each, and the mid at any time: the one before the next fill."""
    side = draw(st.sampled_from(Side))
    kind = category or draw(st.sampled_from([Category.LINEAR, Category.SPOT, Category.INVERSE]))
    fills, at_s = [], 0
    for number in range(draw(st.integers(0, 6))):
        at_s += draw(st.sampled_from([0, 0, 1, 4, 10, 11, 300]))
        mid = fills[-1].mid_px if fills and fills[-1].ts_exchange_ns == at_s * NS_PER_S else draw(px_s)
        touch = mid + side.sign * draw(st.decimals(min_value="0.01", max_value="0.5", places=2))
        one = fill(
            at_s, draw(qty_s), draw(px_s), mid, touch, waited=draw(st.booleans()), side=side, category=kind
        )
        fills.append(replace(one, key=str(number)))
    ends = {each.key: draw(px_s) for each in fills}
    changes = dict(side=side, category=kind, decision_px=draw(px_s), arrival_px=draw(px_s), end_px=draw(px_s))
    return fills, ends, changes


def value(category, px):
    return -1 / px if category is Category.INVERSE else px


def by_hand(fills, ends):
    """The three sums again, each fill by itself and from the beginning."""
    spread = temporary = permanent = D(0)
    for number, one in enumerate(fills):
        sign, v = one.side.sign, lambda px, kind=one.category: value(kind, px)
        spread += sign * one.qty * (v(one.px if one.waited else one.far_touch_px) - v(one.mid_px))
        temporary += D(0) if one.waited else sign * one.qty * (v(one.px) - v(one.far_touch_px))
        for earlier, following in pairwise(fills[: number + 1]):
            if earlier.waited:
                continue
            gap_ns = following.ts_exchange_ns - earlier.ts_exchange_ns
            until = following.mid_px if gap_ns <= WINDOW_S * NS_PER_S else ends[following.key]
            permanent += sign * one.qty * (v(until) - v(earlier.mid_px))
    return spread, temporary, permanent


@given(story=stories())
def test_seven_parts_add_up_exactly_whatever_happened(story):
    fills, ends, changes = story
    sums = summed(fills, ends)
    report = make_report(facts_of(fills, sums, **changes))
    for parts, four in (
        (report.split_quote, report.shortfall_quote),
        (report.split_bps, report.shortfall_bps),
    ):
        with localcontext(WIDE):
            assert tuple(parts.named()) == NAMES
            assert sum(parts.named().values(), D(0)) == parts.total == four.total


@given(story=stories())
def test_sums_are_those_of_the_slow_twin(story):
    fills, ends, _ = story
    sums = summed(fills, ends)
    with localcontext(WIDE):
        for found, wanted in zip(
            (sums.spread, sums.temporary, sums.permanent), by_hand(fills, ends), strict=True
        ):
            assert abs(found - wanted) <= D("1e-24")
            assert found == wanted or fills[0].category is Category.INVERSE


@given(story=stories(Category.LINEAR))
def test_timing_is_the_drift_that_the_windows_do_not_account_for(story):
    """Not what is left over, but its own formula: sum of q (b (m - P0) - A)."""
    fills, ends, changes = story
    parts = split_parts(facts_of(fills, summed(fills, ends), **changes), changes["decision_px"])
    with localcontext(WIDE):
        drift = sum(
            (each.side.sign * each.qty * (each.mid_px - changes["arrival_px"]) for each in fills), D(0)
        )
        assert parts.timing == drift - by_hand(fills, ends)[2]


@given(story=stories(), which=st.integers(0, 5), share=st.integers(1, 999))
def test_splitting_a_fill_changes_no_part(story, which, share):
    """Metamorphic: an execution reported in two pieces is the same execution."""
    fills, ends, changes = story
    if not fills:
        return
    at = which % len(fills)
    qty = fills[at].qty * share / 1000
    pieces = [replace(fills[at], qty=qty), replace(fills[at], key="piece", qty=fills[at].qty - qty)]
    parts = [*fills[:at], *pieces, *fills[at + 1 :]]
    whole, split = summed(fills, ends), summed(parts, ends)
    for name in ("spread", "temporary", "permanent", "qty"):
        assert abs(getattr(whole, name) - getattr(split, name)) <= D("1e-24")
    if fills[0].category is not Category.INVERSE:
        assert whole == split
        first, second = (
            make_report(facts_of(each, sums, **changes)) for each, sums in ((fills, whole), (parts, split))
        )
        assert first == second


@given(story=stories(Category.LINEAR))
def test_a_sell_in_the_mirror_costs_the_same_part_by_part(story):
    """Reflect every price at 20,000."""
    fills, ends, changes = story

    def mirrored(px):
        return 20_000 - px

    other = [
        replace(
            each, side=Side(-each.side), px=mirrored(each.px), mid_px=mirrored(each.mid_px),
            far_touch_px=mirrored(each.far_touch_px),
        )
        for each in fills
    ]  # fmt: skip
    turned = {name: mirrored(px) for name, px in changes.items() if name.endswith("_px")}
    other_ends = {key: mirrored(px) for key, px in ends.items()}
    first = split_parts(facts_of(fills, summed(fills, ends), **changes), changes["decision_px"])
    second = split_parts(
        facts_of(other, summed(other, other_ends), **{**changes, **turned, "side": Side(-changes["side"])}),
        turned["decision_px"],
    )
    assert first.named() == second.named()


@given(story=stories())
def test_printed_parts_add_up_to_the_printed_total_of_the_four(story):
    fills, ends, changes = story
    printed = as_json(make_report(facts_of(fills, summed(fills, ends), **changes)))
    with localcontext(WIDE):
        for group, whole in (("split_bps", "shortfall_bps"), ("split_quote", "shortfall_quote")):
            total = sum((D(printed[group][name]) for name in NAMES), D(0))
            assert total == D(printed[group]["total"])
            exact = group == "split_bps" or printed["category"] != "inverse"
            assert abs(total - D(printed[whole]["total"])) <= (D(0) if exact else D("1e-11"))
    assert json.loads(json.dumps(printed)) == printed
