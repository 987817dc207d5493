"""What is shown of everything: the heading, the list of orders, alarms, limits in use, markets and connections."""

from textual.content import Content

from executor.interfaces.confirm import LIVE
from executor.interfaces.output import wrapped
from executor.interfaces.sentences import sentences
from executor.interfaces.terminal_board.lines import (
    BAD,
    GOOD,
    LOOK,
    PLAIN,
    QUIET,
    STRONG,
    Figure,
    Told,
    bar,
    figure_lines,
    fit,
    line,
    page,
)
from executor.interfaces.terminal_board.wording import (
    UNKNOWN,
    amount,
    bps,
    calm,
    fixed,
    moment,
    percent,
    span,
    status_style,
    text_or,
)

_HIGH = 0.9
_MIDDLE = 0.7
_TWO_LINES_WIDTH = 58


def heading(seen: Told | None, link: str, *, is_stale: bool) -> Content:
    """The first line: where, whether it trades, whether it is heard, whether one may act."""
    heard = (f" {link} ", BAD if is_stale else QUIET)
    if seen is None:
        return line(("executor", STRONG), "  ", heard)
    daemon = seen["daemon"]
    venue = str(daemon["venue"])
    standing = (
        (" HALTED ", "bold reverse $text-error")
        if seen["halted"]
        else (" winding down ", LOOK)
        if seen["draining"]
        else (" ready ", GOOD)
        if seen["ready"]
        else (" not ready ", LOOK)
    )
    looking = ("  looking only", QUIET) if seen["access"] != "operate" else ""
    where = (f"{venue} · {daemon['instance']}", BAD if LIVE in venue.lower() else PLAIN)
    return line(("executor", STRONG), "  ", where, "  ", standing, "  ", heard, looking)


def loud(seen: Told | None) -> str:
    """What everybody must read: why nothing is opened; empty while all is well."""
    if seen is None:
        return ""
    if seen["halted"]:
        why = text_or(seen["halt_reason"], "no reason was given")
        return f"HALTED: {why}. Nothing is opened until a person rearms (R)."
    return "" if seen["ready"] else f"Nothing can be opened now: {sentences(seen['why_not'])}."


def row(parent: Told, width: int, *, is_marked: bool) -> Content:
    """One order in the list: two lines, or three where there is little room; the mark is seen without colours too."""
    width -= 2
    status = (calm(parent["status"]), status_style(parent["status"]))
    what = f"{parent['side']} {amount(parent['qty'])} {parent['symbol']}"
    model = " + model" if parent["advised"] else ""
    route, basket = parent.get("route"), parent.get("basket")
    of = f" · leg of {route}" if route else f" · in {basket}" if basket else ""
    who = f"{parent['id']}{of} · {parent['strategy']}{model}"
    left = "" if parent["final"] else f" · {span(parent['left_s'])}"
    due = None if parent["final"] else parent["scheduled"]
    share = line(fit(percent(parent["done"], 0), 6, right=True))
    cost = f"{bps(parent['shortfall_bps'])}{left}"
    last = line((fit(who, max(width - len(cost) - 1, 1)), QUIET), " ", cost)
    if width < _TWO_LINES_WIDTH:
        first = line((fit(what, max(width - len(status[0]), 1)), STRONG), status)
        lines = [first, bar(parent["done"], due, max(width - 6, 1)) + share, last]
    else:
        first = line((fit(what, 32), STRONG), " ", (fit(status[0], 12), status[1]), " ")
        lines = [first + bar(parent["done"], due, max(width - 52, 1)) + share, last]
    return page(line("▌ " if is_marked else "  ") + each for each in lines)


def alarms_page(seen: Told, width: int) -> Content:
    """The latest alarms, the newest first: what it is, what it means, what to do."""
    rows: list[Content] = []
    for alarm in seen["alarms"]:
        severity = str(alarm["severity"])
        style = BAD if severity == "CRITICAL" else LOOK if severity == "WARNING" else STRONG
        about = f" · {alarm['parent_id']}" if alarm["parent_id"] else ""
        rows.append(line((str(alarm["code"]), style), (f" · {moment(alarm['at_ms'])} UTC{about}", QUIET)))
        rows += paragraph(str(alarm["detail"]), width)
        rows += paragraph(f"{alarm['means']}. What to do: {alarm['do']}.", width, QUIET)
        rows.append(Content(""))
    return page(rows or [line(("Nothing was alarmed since this daemon began.", QUIET))])


def limits_page(seen: Told, width: int) -> Content:
    """How much of each limit is used, the fullest first."""
    rows = [
        line(
            (
                "At 100 % the gate refuses what would go beyond.",
                QUIET,
            )
        ),
        Content(""),
    ]
    room = max(width - 66, 8)
    for limit in sorted(seen["limits"], key=lambda each: -(each["ratio"] or 0.0)):
        ratio = limit["ratio"] or 0.0
        style = BAD if ratio >= _HIGH else LOOK if ratio >= _MIDDLE else GOOD
        place = f" · {limit['place']}" if limit["place"] else ""
        tightened = " · tightened" if limit["tightened_by"] else ""
        used = f"{amount(limit['used'])} of {amount(limit['allowed'])}{place}{tightened}"
        rows.append(
            line(fit(str(limit["limit"]), 27), " ")
            + bar(ratio, None, room, style)
            + line(fit(percent(ratio), 9, right=True), "  ", fit(used, 27))
        )
    return page(rows)


def markets_page(seen: Told, width: int) -> Content:
    """The markets that are followed, each as a block of figures."""
    rows: list[Content] = []
    for market in seen["markets"]:
        rows.append(line((str(market["market"]), STRONG)))
        rows += figure_lines(market_figures(market), width)
        if market["blocked"]:
            rows += paragraph(f"Blocked: {market['blocked']}", width, BAD)
        rows.append(Content(""))
    return page(rows or [line(("No market is followed.", QUIET))])


def market_figures(market: Told) -> list[Figure]:
    """The figures of one market."""
    age_ms = market["age_ms"]
    age = ("no book", BAD) if age_ms is None else (f"{age_ms / 1000:.1f} s", PLAIN)
    funding = market["funding_pct"]
    return [
        ("Bid / ask", f"{amount(market['bid'], 9)} / {amount(market['ask'], 9)}", PLAIN),
        ("Spread", fixed(market["spread_bps"], 3, " bps"), PLAIN),
        ("Volume, an hour", amount(market["volume_hourly_qty"], 5), PLAIN),
        ("Volatility, a √h", fixed(market["volatility_hourly_pct"], 3, " %"), PLAIN),
        (
            "Funding",
            UNKNOWN if funding is None else f"{funding:.4f} % at {moment(market['next_funding_ms'])}",
            PLAIN,
        ),
        ("Age of the book", *age),
    ]


def connections_page(seen: Told, width: int) -> Content:
    """Streams, sentinel, model, and who this daemon is."""
    daemon, adviser, sentinel = seen["daemon"], seen["adviser"], seen["sentinel"]
    figures: list[Figure] = [
        (str(name), "live" if live else "DOWN", GOOD if live else BAD)
        for name, live in seen["streams"].items()
    ]
    watched = "alive" if sentinel["alive"] else "SILENT" if sentinel["required"] else "not wanted"
    figures += [
        ("sentinel", watched, BAD if watched == "SILENT" else GOOD),
        ("venue", str(daemon["venue"]), PLAIN),
        ("profile", str(daemon["profile"]), PLAIN),
        ("instance", str(daemon["instance"]), PLAIN),
        ("version", str(daemon["version"]), PLAIN),
        ("up for", span(daemon["up_s"]), PLAIN),
        ("parent orders in all", str(seen["parents_in_all"]), PLAIN),
        ("model", str(adviser["model"]) if adviser else "none", PLAIN),
    ]
    if adviser:
        is_open = adviser["breaker"] == "OPEN"
        figures.append(("breaker of the model", calm(adviser["breaker"]), LOOK if is_open else GOOD))
    return page(figure_lines(figures, width))


def paragraph(text: str, width: int, style: str = PLAIN, indent: str = "  ") -> list[Content]:
    """Break text at its words, indented."""
    told = wrapped(" ".join(line(text).plain.split()), max(width - len(indent), 10))
    return [line((f"{indent}{each}", style)) for each in told.splitlines()]
