"""One order in full: progress, performance, market, charts, cost, model, recent orders and decisions."""

from typing import Final

from textual.content import Content

from executor.interfaces.sentences import sentences
from executor.interfaces.terminal_board.charts import Dot, Point, book, centred_bar, chart
from executor.interfaces.terminal_board.lines import (
    GOOD,
    LOOK,
    PLAIN,
    QUIET,
    STRONG,
    Figure,
    Part,
    Told,
    bar,
    beside,
    figure_lines,
    fit,
    line,
    page,
)
from executor.interfaces.terminal_board.panes import market_figures, paragraph
from executor.interfaces.terminal_board.wording import (
    UNKNOWN,
    amount,
    bps,
    calm,
    fixed,
    instant_ms,
    moment,
    number_of,
    percent,
    signed,
    span,
    status_style,
    text_or,
)

CHILDREN_SHOWN: Final = 20
DECISIONS_SHOWN: Final = 10
LATE_PCT: Final = -10.0
"""So far behind its plan an order is marked."""
_CHART_ROWS: Final = 6
_TWO_CHARTS_WIDTH: Final = 72
_CHILD_CHARS: Final = 75


def order_page(one: Told, market: Told | None, width: int) -> Content:
    """Lay one order out.

    Parameters
    ----------
    market
        Its market in the picture of everything; None if it is not followed.
    width
        Columns of the terminal that are free for it.
    """
    parent = one["parent"]
    cost = parent.get("cost") or {}
    return page(
        [
            *_head(parent, width),
            *_progress(parent, width),
            *_section("PERFORMANCE"),
            *figure_lines(_performance(parent, cost), width),
            *_section("MARKET"),
            *(figure_lines(market_figures(market), width) if market else [line(("not followed", QUIET))]),
            Content(""),
            *_charts(one, width),
            *_parts(cost.get("split_bps"), width),
            *(_model(one, width) if parent["advised"] else []),
            *_children(one, width),
            *(_decisions(one, width) if parent["advised"] else []),
        ]
    )


def _section(title: str) -> list[Content]:
    return [Content(""), line((title, STRONG))]


def _head(parent: Told, width: int) -> list[Content]:
    status = calm(parent["status"])
    name = f"{parent['side']} {parent['qty']} {parent['symbol']} · {parent['id']}"
    room = max(width - len(status) - 1, 1)
    rows = [line((fit(name, room), STRONG), " ", (status, status_style(parent["status"])))]
    ended = parent["status"] == "PAUSED" or parent["final"]
    why = [
        f"Waiting: {sentences(parent['waiting'])}" if parent["waiting"] else "",
        f"Reason: {calm(parent['reason'])}" if ended else "",
        text_or(parent["detail"], ""),
        f"Blocked: {parent['blocked']}" if parent["blocked"] else "",
    ]
    told = ". ".join(each for each in why if each)
    return [*rows, *paragraph(told, width, LOOK, indent="")] if told else rows


def _progress(parent: Told, width: int) -> list[Content]:
    done, due = number_of(parent["progress_pct"]), number_of(parent["schedule_pct"])
    ahead = number_of(parent["deviation_pct"])
    marked = None if due is None or parent["final"] else due / 100
    drawn = bar((done or 0.0) / 100, marked, max(width - 8, 1))
    figures: list[Figure] = [
        ("Executed", f"{parent['filled']} ({fixed(done, 1, ' %')})", PLAIN),
        ("Remaining", str(parent["leaves"]), PLAIN),
        ("Scheduled by now", fixed(due, 1, " %"), PLAIN),
        (
            "Ahead of plan",
            UNKNOWN if ahead is None else f"{signed(ahead, 1)} %",
            LOOK if (ahead or 0.0) < LATE_PCT else PLAIN,
        ),
        ("Time left", "ended" if parent["final"] else span(parent["time_left_s"]), PLAIN),
        ("Open at the venue", str(parent["reserved"]), PLAIN),
        ("Limit price", text_or(parent["limit_price"], "none"), PLAIN),
        ("Strategy", f"{parent['strategy']}, {calm(parent['urgency'])}", PLAIN),
    ]
    return [drawn + line(fit(fixed(done, 1, " %"), 8, right=True)), *figure_lines(figures, width)]


def _performance(parent: Told, cost: Told) -> list[Figure]:
    split = cost.get("split_bps")
    return [
        ("Decision price", text_or(parent["decision_price"]), PLAIN),
        ("Arrival price", text_or(parent["arrival_price"]), PLAIN),
        ("Our average", _priced(parent["avg_price"], parent), PLAIN),
        ("Shortfall, all in", bps(split["total"]) if split else UNKNOWN, PLAIN),
        ("Against arrival", bps(parent["shortfall_bps"]), PLAIN),
        ("Against market VWAP", bps(cost.get("vwap_slippage_bps")), PLAIN),
        ("Against TWAP", bps(cost.get("twap_slippage_bps")), PLAIN),
        ("Spread captured", bps(cost.get("spread_captured_bps")), PLAIN),
        ("Maker share", percent(cost.get("maker_share"), 0), PLAIN),
        ("Participation", fixed(cost.get("participation_pct"), 2, " %"), PLAIN),
    ]


def _charts(one: Told, width: int) -> list[Content]:
    """The four charts of the web board, two beside each other where there is room."""
    at = {name: number for number, name in enumerate(one["trail"]["fields"])}
    points = one["trail"]["points"]

    def series(field: str) -> list[Point]:
        return [(point[0], point[at[field]]) for point in points]

    both = width >= _TWO_CHARTS_WIDTH
    each = (width - 2) // 2 if both else width
    price = chart(
        "Mid █ average ─ fills ● maker ○ taker",
        series("mid"), each, _CHART_ROWS, above=series("average"), dots=_dots(one), show=lambda value: amount(value, 6),
    )  # fmt: skip
    plan = chart(
        "Executed █ scheduled ─",
        series("done"), each, _CHART_ROWS,
        above=series("scheduled"), show=lambda value: percent(value, 0), limits=(0.0, 1.0),
    )  # fmt: skip
    cost = chart(
        "Shortfall against arrival, bps",
        series("shortfall_bps"),
        each,
        _CHART_ROWS,
        show=lambda value: f"{value:.1f}",
    )
    depth = book("Book", one["book"]["bids"], one["book"]["asks"], each, _CHART_ROWS)
    blank = [Content("")]
    if both:
        return [*beside(price, plan, each + 2), *blank, *beside(cost, depth, each + 2)]
    return [*price, *blank, *plan, *blank, *cost, *blank, *depth]


def _dots(one: Told) -> list[Dot]:
    """The fills of child orders, each where its order was last heard of."""
    dots = []
    for child in one["children"]:
        filled, price = number_of(child["filled"]), number_of(child["avg_price"])
        at_ms = instant_ms(child["done"] or child["acked"] or child["created"])
        if filled and price is not None and at_ms is not None:
            is_maker = (number_of(child["maker"]) or 0.0) * 2 >= filled
            dots.append(Dot(at_ms=at_ms, value=price, maker=is_maker))
    return dots


def _parts(split: Told | None, width: int) -> list[Content]:
    rows = _section("WHERE THE COST COMES FROM")
    if not split:
        return [*rows, line(("Not known yet: there is no fill, or the book before one was not seen.", QUIET))]
    values = {name: number_of(value) or 0.0 for name, value in split.items()}
    most = max(abs(value) for value in values.values())
    return rows + [
        line(fit(calm(name), 18), *centred_bar(value, most, max(width - 34, 10)), fit(bps(value), 14, right=True))
        for name, value in values.items()
    ]  # fmt: skip


def _model(one: Told, width: int) -> list[Content]:
    parent, decisions = one["parent"], one["decisions"]
    last = decisions[-1] if decisions else None
    advice = parent["advice"] or {}
    held = advice.get("in_force")
    became = "" if last is None else str(last["outcome"])
    figures: list[Figure] = [
        ("Last asked", f"{moment(instant_ms(last['asked']))} UTC" if last else "not yet", PLAIN),
        ("Its answer", calm(last["action"] or "none") if last else UNKNOWN, PLAIN),
        ("Confidence", percent(last["confidence"], 0) if last else UNKNOWN, PLAIN),
        ("What became of it", calm(became) or UNKNOWN, GOOD if became == "APPLIED" else LOOK),
        (
            "In force",
            f"{calm(held['action'])}, {held['left_s']} s more" if held else "the schedule alone",
            PLAIN,
        ),
        ("Questions", str(advice.get("questions", 0)), PLAIN),
    ]
    rows = [*_section("MODEL"), *figure_lines(figures, width)]
    return [*rows, *paragraph(f"“{last['reasoning']}”", width)] if last and last["reasoning"] else rows


def _children(one: Told, width: int) -> list[Content]:
    shown = list(reversed(one["children"]))[:CHILDREN_SHOWN]
    in_all = one["children_in_all"]
    title = f"RECENT ORDERS ({f'the last {len(shown)} of ' if in_all > len(shown) else ''}{in_all})"
    if not shown:
        return [*_section(title), line(("None was sent yet.", QUIET))]
    extra = max(width - _CHILD_CHARS, 0)
    head = _child_line(("TIME", "TYPE", "QTY", "PRICE", "STATUS", "FILLED AT", "IMPACT", ""), extra, QUIET)
    rows = [*_section(title), head]
    for child in shown:
        rows.append(_child_line(_child_cells(child, one["parent"]), extra, status_style(child["status"])))
        if child["detail"] and calm(child["detail"]) != calm(child["status"]):
            rows += paragraph(str(child["detail"]), width, QUIET, indent="         ")
    return rows


def _child_cells(child: Told, parent: Told) -> tuple[str, ...]:
    filled, price = number_of(child["filled"]) or 0.0, number_of(child["avg_price"]) or 0.0
    costs = child["costs"]
    impact = None
    if costs and costs["unit"] == "quote" and filled * price:
        together = (number_of(costs["temporary"]) or 0.0) + (number_of(costs["permanent"]) or 0.0)
        impact = together / (filled * price) * 1e4
    at = f"{child['filled']} at {_priced(child['avg_price'], parent)}" if filled else UNKNOWN
    return (
        moment(instant_ms(child["created"])),
        calm(child["style"]),
        str(child["qty"]),
        text_or(child["price"]),
        calm(child["status"]),
        at,
        signed(impact, 2),
        f"{calm(child['time_in_force'])} {child['client_order_id']}",
    )


def _child_line(cells: tuple[str, ...], extra: int, style: str) -> Content:
    """One row of the table; what room is left goes to time in force and name."""
    time, kind, qty, price, status, at, impact, name = cells
    parts: list[Part] = [
        (fit(time, 8), QUIET), " ", fit(kind, 8), " ", fit(qty, 8, right=True), " ", fit(price, 10, right=True), " ",
        (fit(status, 11), style), " ", fit(at, 18, right=True), fit(impact, 7, right=True),
    ]  # fmt: skip
    return line(*parts, " ", (fit(name, extra - 1), QUIET)) if extra > 1 else line(*parts)


def _decisions(one: Told, width: int) -> list[Content]:
    shown = list(reversed(one["decisions"]))[:DECISIONS_SHOWN]
    in_all = one["decisions_in_all"]
    rows = _section(f"DECISIONS ({f'the last {len(shown)} of ' if in_all > len(shown) else ''}{in_all})")
    if not shown:
        rows.append(line(("Nothing was asked yet.", QUIET)))
    for decision in shown:
        outcome = str(decision["outcome"])
        latency = decision["latency_ms"]
        rows.append(
            line(
                (f"{moment(instant_ms(decision['asked']))} UTC  ", QUIET),
                (calm(decision["action"] or "no answer"), STRONG),
                "  ",
                (calm(outcome), GOOD if outcome == "APPLIED" else LOOK),
                (f"  sure {percent(decision['confidence'], 0)}", QUIET)
                if decision["confidence"] is not None
                else "",
                (f"  after {latency / 1000:.1f} s", QUIET) if latency is not None else "",
            )
        )
        rows += paragraph("; ".join(map(str, decision["why"])), width)
        if decision["reasoning"]:
            rows += paragraph(f"“{decision['reasoning']}”", width)
        if decision["risk_assessment"]:
            rows += paragraph(f"Risk, in its words: “{decision['risk_assessment']}”", width, QUIET)
        rows += paragraph(_asked(decision), width, QUIET)
        rows.append(Content(""))
    return rows


def _asked(decision: Told) -> str:
    expected = (
        f"impact expected {decision['impact_bps']} bps ({decision['impact_low_bps']} to {decision['impact_high_bps']})"
        if decision["impact_bps"] is not None
        else "impact not predicted"
    )
    usage = decision["usage"]
    tokens = f", {usage['prompt_tokens']} + {usage['completion_tokens']} tokens" if usage else ""
    return (
        f"{decision['decision_id']}: asked because {calm(decision['trigger'])}, mid {decision['mid_price']},"
        f" filled {decision['filled']}; {expected}; {text_or(decision['model'], 'no model')}{tokens},"
        f" ${decision['cost_usd']}"
    )


def _priced(value: object, parent: Told) -> str:
    """Show a mean price with one decimal more than the tick has."""
    tick = str(parent["tick_size"] or "0.01")
    return fixed(value, min(len(tick.partition(".")[2]) + 1, 12))
