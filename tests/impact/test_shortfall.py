"""The cost of an order against hand-worked examples, and its identities over the whole range of inputs."""

import json
from dataclasses import replace
from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category, Side
from executor.domain.parent_state import ParentStatus, Reason
from impact.shortfall import CostParts, CostReport, ParentFacts, as_json, cost_parts, make_report

D = Decimal
WIDE = Context(prec=400)


def facts_with(**changes: object) -> ParentFacts:
    """A complete buy of 5,000 with every benchmark present: finance.md 9.1, first example."""
    facts = ParentFacts(
        parent_id="p1",
        venue="sandbox",
        category=Category.LINEAR,
        symbol="BTCUSDT",
        strategy="twap",
        side=Side.BUY,
        status=ParentStatus.EXPIRED,
        reason=Reason.DEADLINE,
        order_qty=D(5000),
        cum_qty=D(4000),
        # 1000 @ 10.30, 1500 @ 10.45, 1500 @ 10.68333...: the last is 16,025 exactly
        cum_notional=D("10300") + D("15675") + D("16025"),
        fees=D(100),
        decision_px=D(10),
        arrival_px=D("10.25"),
        end_px=D(11),
        started_ns=1_000_000_000,
        finished_ns=61_500_000_000,
        market_qty=D(20_000),
        market_notional=D(202_000),
        mid_twap_px=D("10.4"),
        children_by_status=((ChildStatus.FILLED, 3), (ChildStatus.CANCELED, 1)),
        filled_by_status=((ChildStatus.FILLED, D(4000)),),
        orders_sent=4,
        maker_qty=D(1000),
        spread_captured=D("-21"),
        leaves_is_dust=False,
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def total_bps(report: CostReport) -> Decimal | None:
    return None if report.shortfall_bps is None else report.shortfall_bps.total


def test_kissell_worked_example_costs_3100_or_620_bp() -> None:
    report = make_report(facts_with())
    quote = report.shortfall_quote
    assert quote is not None
    assert quote == CostParts(delay=D(1250), trading=D(1000), opportunity=D(750), fees=D(100))
    assert quote.total == 3100
    assert total_bps(report) == 620


def test_cfa_style_example_costs_19_bp() -> None:
    """1,000 shares, decided at 40.00, arrival 40.04, 700 @ 40.05, 300 cancelled at 40.08, commission 17."""
    facts = facts_with(
        order_qty=D(1000),
        cum_qty=D(700),
        cum_notional=700 * D("40.05"),
        fees=D(17),
        decision_px=D(40),
        arrival_px=D("40.04"),
        end_px=D("40.08"),
    )
    report = make_report(facts)
    parts = report.shortfall_bps
    assert parts is not None
    assert total_bps(report) == 19
    assert parts.fees == D("4.25")
    assert parts.trading == D("1.75")
    # The published split charges the unfilled 300 shares' delay to "missed": 7 + 6 bp instead of 10 + 3.
    assert parts.delay == 10
    assert parts.opportunity == 3


def test_sell_costs_what_its_mirror_image_costs() -> None:
    """Reflect every price at 20: a sell that falls as the buy rises costs the same quote amounts."""
    buy = facts_with()
    sell = facts_with(
        side=Side.SELL,
        cum_notional=4000 * D(20) - buy.cum_notional,
        decision_px=D(10),
        arrival_px=D("9.75"),
        end_px=D(9),
    )
    assert cost_parts(sell, sell.decision_px) == cost_parts(buy, buy.decision_px)


@pytest.mark.parametrize("side", list(Side))
def test_worse_fills_are_a_positive_cost_for_both_sides(side: Side) -> None:
    worse = D("10.25") + side.sign * D("0.05")
    report = make_report(
        facts_with(
            side=side,
            cum_qty=D(5000),
            cum_notional=5000 * worse,
            decision_px=D("10.25"),
            end_px=D("10.25"),
            fees=D(0),
            market_qty=D(50_000),
            market_notional=45_000 * D("10.25") + 5000 * worse,
            mid_twap_px=D("10.25"),
        )
    )
    expected = D("0.05") / D("10.25") * 10_000
    measured = (
        total_bps(report),
        report.arrival_shortfall_bps,
        report.vwap_slippage_bps,
        report.twap_slippage_bps,
    )
    for cost in measured:
        assert cost is not None
        assert abs(cost - expected) < D("1e-11")


def test_benchmarks_of_the_worked_example() -> None:
    report = make_report(facts_with())
    assert report.avg_px == D("10.5")
    assert report.vwap_px == D(10)  # (202,000 - 42,000) / (20,000 - 4,000)
    assert report.vwap_slippage_bps == 500
    assert report.twap_slippage_bps == (D("0.1") / D("10.4") * 10_000).quantize(D("1e-12"))
    assert report.spread_captured_bps == -5  # -21 of 42,000 traded
    assert report.fees_bps == (D(100) / 42_000 * 10_000).quantize(D("1e-12"))
    assert report.participation_pct == 20
    assert report.fill_rate == D("0.8")
    assert report.maker_share == D("0.25")
    assert report.duration_s == D("60.5")
    assert report.leaves_qty == 1000
    assert report.facts.venue == "sandbox"


def test_arrival_shortfall_leaves_the_delay_out() -> None:
    report = make_report(facts_with())
    assert report.arrival_shortfall_bps is not None
    expected = (D(3100) - 1250) / (5000 * D("10.25")) * 10_000
    assert abs(report.arrival_shortfall_bps - expected) <= D("2e-12")


def test_order_that_never_began_has_no_cost_figures() -> None:
    report = make_report(
        facts_with(
            cum_qty=D(0),
            cum_notional=D(0),
            fees=D(0),
            arrival_px=None,
            end_px=None,
            started_ns=0,
            market_qty=D(0),
            market_notional=D(0),
            mid_twap_px=None,
            maker_qty=D(0),
            spread_captured=D(0),
        )
    )
    assert report.fill_rate == 0
    unknown = (
        report.avg_px,
        report.shortfall_quote,
        report.shortfall_bps,
        total_bps(report),
        report.arrival_shortfall_bps,
        report.vwap_px,
        report.vwap_slippage_bps,
        report.twap_slippage_bps,
        report.spread_captured_bps,
        report.fees_bps,
        report.participation_pct,
        report.duration_s,
        report.maker_share,
    )
    assert unknown == (None,) * len(unknown)


def test_end_price_is_needed_only_while_something_is_left() -> None:
    assert make_report(facts_with(end_px=None)).shortfall_quote is None
    done = facts_with(end_px=None, order_qty=D(4000))
    parts = make_report(done).shortfall_quote
    assert parts is not None
    assert parts.opportunity == 0


@pytest.mark.parametrize(
    ("market_qty", "market_notional"),
    [
        pytest.param(D(4000), D(42_000), id="nobody else traded"),
        pytest.param(D(3000), D(31_000), id="the feed missed prints of ours"),
        pytest.param(D(4001), D(42_000), id="others traded for nothing"),
    ],
)
def test_vwap_without_other_trades_is_unknown(market_qty: Decimal, market_notional: Decimal) -> None:
    report = make_report(facts_with(market_qty=market_qty, market_notional=market_notional))
    assert report.vwap_px is None
    assert report.vwap_slippage_bps is None


def test_participation_is_unknown_when_the_feed_missed_prints_of_ours() -> None:
    assert make_report(facts_with(market_qty=D(3999))).participation_pct is None


def test_over_filled_order_shows_a_negative_remainder() -> None:
    report = make_report(facts_with(order_qty=D(3900)))
    assert report.leaves_qty == -100
    parts = report.shortfall_quote
    assert parts is not None
    assert parts.opportunity == -75  # bought 100 too many, and the price rose 0.75 since the arrival


@pytest.mark.parametrize("bad", [{"order_qty": D(0)}, {"cum_qty": D(-1)}])
def test_facts_without_meaning_are_refused(bad: dict[str, Decimal]) -> None:
    with pytest.raises(ValueError, match="p1"):
        facts_with(**bad)


digits18 = st.integers(min_value=0, max_value=10**18 - 1)
amounts = st.builds(lambda whole, part: D(f"{whole}.{part:018d}"), digits18, digits18)
positive = amounts.filter(bool)


@st.composite
def any_facts(draw: st.DrawFn) -> ParentFacts:
    """Facts over the whole range of numbers the domain accepts: 18 digits before and after the point."""
    order_qty = draw(positive)
    with localcontext(WIDE):
        cum_qty = order_qty * draw(st.integers(0, 100)) / 100
        cum_notional = cum_qty * draw(positive)
        fees = draw(amounts) - draw(amounts)
    return facts_with(
        side=draw(st.sampled_from(Side)),
        order_qty=order_qty,
        cum_qty=cum_qty,
        cum_notional=cum_notional,
        fees=fees,
        decision_px=draw(positive),
        arrival_px=draw(positive),
        end_px=draw(positive),
        market_qty=draw(amounts),
        market_notional=draw(amounts),
    )


def parts_total(report: CostReport) -> Decimal:
    """Sum the printed parts the slow way."""
    parts = report.shortfall_bps
    assert parts is not None
    with localcontext(WIDE):
        return parts.delay + parts.trading + parts.opportunity + parts.fees


@given(facts=any_facts())
def test_parts_add_up_to_perolds_total_exactly(facts: ParentFacts) -> None:
    report = make_report(facts)
    parts = report.shortfall_quote
    assert parts is not None
    assert facts.decision_px is not None
    assert facts.end_px is not None
    with localcontext(WIDE):
        sign = facts.side.sign
        realised = sign * (facts.cum_notional - facts.cum_qty * facts.decision_px)
        missed = sign * (facts.order_qty - facts.cum_qty) * (facts.end_px - facts.decision_px)
        perold = realised + missed + facts.fees
        assert parts.total == perold
        assert parts.delay + parts.trading + parts.opportunity + parts.fees == perold
        exact_bps = perold / (facts.order_qty * facts.decision_px) * 10_000
        assert total_bps(report) == parts_total(report)
        assert abs(parts_total(report) - exact_bps) <= D("2e-12")


@given(facts=any_facts())
def test_printed_parts_add_up_to_the_printed_total(facts: ParentFacts) -> None:
    report = make_report(facts)
    printed = as_json(report)
    assert total_bps(report) is not None
    with localcontext(WIDE):
        for group in ("shortfall_bps", "shortfall_quote"):
            parts = printed[group]
            assert isinstance(parts, dict)
            total = sum(D(parts[name]) for name in ("delay", "trading", "opportunity", "fees"))
            assert D(parts["total"]) == total
        headline = D(str(printed["implementation_shortfall_bps"]))
        assert abs(headline - parts_total(report)) <= D("0.00005"), "rounded once"


@given(facts=any_facts())
def test_json_is_plain_and_survives_a_round_trip(facts: ParentFacts) -> None:
    printed = as_json(make_report(facts))
    assert json.loads(json.dumps(printed)) == printed
    assert "E" not in "".join(
        v for k, v in printed.items() if k.endswith(("_px", "_bps", "_qty")) and isinstance(v, str)
    )
    with localcontext(WIDE):
        assert D(str(printed["leaves_qty"])) == D(str(printed["order_qty"])) - D(str(printed["cum_qty"]))


def test_json_of_the_worked_example() -> None:
    printed = as_json(make_report(facts_with()))
    assert printed["venue"] == "sandbox"
    assert printed["side"] == "BUY"
    assert printed["implementation_shortfall_bps"] == "620.0000"
    assert printed["shortfall_bps"] == {
        "delay": "250.0000",
        "trading": "200.0000",
        "opportunity": "150.0000",
        "fees": "20.0000",
        "total": "620.0000",
    }
    assert printed["avg_px"] == "10.5"
    assert printed["fees_quote"] == "100"
    assert printed["children"] == 4
    assert printed["children_by_status"] == {"FILLED": 3, "CANCELED": 1}
    assert printed["started_at"] == "1970-01-01T00:00:01.000Z"


def test_unknown_is_null_in_json_and_zero_has_no_sign() -> None:
    printed = as_json(
        make_report(facts_with(side=Side.SELL, decision_px=None, arrival_px=D("10.5"), fees=D(0)))
    )
    assert printed["shortfall_bps"] is None
    assert printed["implementation_shortfall_bps"] is None
    assert "-0" not in {str(value) for value in printed.values()}
    level = as_json(make_report(facts_with(side=Side.SELL, order_qty=D(4000), decision_px=D("10.25"))))
    parts = level["shortfall_bps"]
    assert isinstance(parts, dict)
    assert parts["delay"] == "0.0000"
    assert (
        as_json(make_report(facts_with(side=Side.SELL, mid_twap_px=D("10.5"))))["twap_slippage_bps"]
        == "0.0000"
    )
