"""The printed cost report: everything a reader needs, within 80 columns, dashes for the unknown."""

from io import StringIO

from rich.console import Console

from executor.interfaces.terminal import report_table

REPORT: dict[str, object] = {
    "parent_id": "p-7",
    "venue": "sandbox",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "strategy": "twap",
    "status": "EXPIRED",
    "reason": "DEADLINE",
    "order_qty": "2.500",
    "cum_qty": "2.499",
    "leaves_qty": "0.001",
    "leaves_is_dust": True,
    "fill_rate": "0.999600",
    "decision_px": "65000.1",
    "arrival_px": "65000.05",
    "end_px": None,
    "avg_px": "64998.123456789012",
    "implementation_shortfall_bps": "4.2001",
    "arrival_shortfall_bps": "4.1111",
    "shortfall_bps": {
        "delay": "0.1000",
        "trading": "3.0001",
        "opportunity": "0.1000",
        "fees": "1.0000",
        "total": "4.2001",
    },
    "shortfall_quote": {
        "delay": "1.5",
        "trading": "45.25",
        "opportunity": "1.5",
        "fees": "16.25",
        "total": "64.50",
    },
    "vwap_px": "64999.5",
    "vwap_slippage_bps": "0.2118",
    "twap_px": None,
    "twap_slippage_bps": None,
    "spread_captured_quote": "3.25",
    "spread_captured_bps": "0.2001",
    "fees_quote": "16.25",
    "fees_bps": "1.0004",
    "participation_pct": "3.2100",
    "duration_s": "600.000",
    "orders_sent": 13,
    "children": 13,
    "children_by_status": {"FILLED": 11, "CANCELED": 2},
    "maker_share": "0.750000",
}


def printed(report: dict[str, object]) -> list[str]:
    """Print the table on a terminal of 80 columns."""
    out = StringIO()
    Console(file=out, width=80, color_system=None).print(report_table(report))
    return out.getvalue().splitlines()


def row(report: dict[str, object], label: str) -> list[str]:
    """Cells of the row with this label."""
    (line,) = [line for line in printed(report) if line.split("│")[0].strip() == label]
    return [cell.strip() for cell in line.split("│")]


def test_table_fits_80_columns_and_cuts_nothing() -> None:
    lines = printed(REPORT)
    assert max(len(line) for line in lines) <= 80
    assert "…" not in "".join(lines)


def test_every_group_is_there_in_order() -> None:
    firsts = [line.split("│")[0].strip() for line in printed(REPORT)]
    places = [firsts.index(name) for name in ("Result", "Prices", "Shortfall", "Benchmarks", "Execution")]
    assert places == sorted(places)


def test_title_says_which_market_it_was() -> None:
    assert "p-7 on sandbox" in printed(REPORT)[0]


def test_rows_hold_the_reports_numbers() -> None:
    assert row(REPORT, "order")[1] == "SELL 2.500 BTCUSDT twap"
    assert row(REPORT, "status")[1] == "EXPIRED (DEADLINE)"
    assert row(REPORT, "filled")[1] == "2.499 = 99.96 %"
    assert row(REPORT, "left")[1] == "0.001 (dust)"
    assert row(REPORT, "average")[1] == "64998.12345679"
    assert row({**REPORT, "tick_size": "0.10"}, "average")[1] == "64998.123"
    assert row(REPORT, "total against decision")[1:] == ["64.50", "4.2001"]
    assert row(REPORT, "total against arrival")[2] == "4.1111"
    assert row(REPORT, "VWAP without own")[1:] == ["64999.5", "0.2118"]
    assert row(REPORT, "children")[1] == "11 FILLED, 2 CANCELED"
    assert row(REPORT, "maker share")[1] == "75.00 %"
    assert row(REPORT, "share of market volume")[1] == "3.2100 %"


def test_columns_have_names_and_nothing_is_less_than_no_cost() -> None:
    (header,) = [line for line in printed(REPORT) if "figure" in line]
    assert [cell.strip() for cell in header.split("┃")] == ["figure", "value", "bps"]
    nothing = {**REPORT, "spread_captured_bps": "-0.0000", "fees_quote": "-0.000001"}
    assert row(nothing, "spread captured")[2] == "0.0000"
    assert row(nothing, "fees of traded value")[1] == "0.0000"


def test_each_part_of_the_shortfall_has_a_row() -> None:
    for part in ("delay", "trading", "opportunity", "fees"):
        quote, bps = REPORT["shortfall_quote"], REPORT["shortfall_bps"]
        assert isinstance(quote, dict)
        assert isinstance(bps, dict)
        assert row(REPORT, part)[1:] == [quote[part], bps[part]]


def test_unknown_values_are_dashes() -> None:
    assert row(REPORT, "end")[1] == "-"
    assert row(REPORT, "TWAP of mids")[1:] == ["-", "-"]
    nothing = {
        **REPORT,
        "shortfall_bps": None,
        "shortfall_quote": None,
        "maker_share": None,
        "duration_s": None,
    }
    assert row(nothing, "total against decision")[1:] == ["-", "-"]
    assert row(nothing, "trading")[1:] == ["-", "-"]
    assert row(nothing, "maker share")[1] == "-"
    assert row(nothing, "duration")[1] == "-"


def test_markup_in_a_value_is_printed_and_not_obeyed() -> None:
    assert row({**REPORT, "strategy": "[bold]x[/]"}, "order")[1].endswith("[bold]x[/]")


def test_what_was_foretold_stands_beside_what_was_paid() -> None:
    assert not any("Foretold" in line for line in printed(REPORT))
    told = {
        "predicted_bps": "2.5000", "predicted_low_bps": "-30.1000", "predicted_high_bps": "35.0000",
        "predicted_risk_bps": "16.0000", "predicted_model": "square-root:0.9", "predicted_version": "",
    }  # fmt: skip
    report = {**REPORT, **told, "arrival_slippage_bps": "3.0001"}
    assert row(report, "impact and spread")[1:] == ["interval -30.1000 to 35.0000", "2.5000"]
    assert row(report, "came to, without fees")[2] == "3.0001"
    assert row(report, "by")[1] == "square-root:0.9"
