"""Watching one parent order until it ends."""

import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from executor.interfaces import figures
from executor.interfaces.client import Client, Json
from executor.interfaces.command_words import REARM
from executor.interfaces.output import cell, console_on, say
from executor.interfaces.sentences import advice_shortly, sentences, shortly
from strategies.reads import READS

if TYPE_CHECKING:
    from rich.table import Table

POLL_S: Final = 0.5
TEXT_CHARS_MAX: Final = 105
LABEL_CHARS: Final = 22
BAR_CHARS: Final = 40
MINUTE_S: Final = 60
HOUR_S: Final = 3_600
RESIDUALS: Final = {
    "cross": "taken from the book inside the collar",
    "leave": "left unfilled",
    "extend": "worked longer",
}
POSITIONS: Final = {"0": "one-way", "1": "long (hedge mode)", "2": "short (hedge mode)"}


def follow(client: Client, parent_id: str) -> Json:
    """Show the progress of a parent until its state is final; gives its last view.

    Raises
    ------
    CommandFailed
        If the daemon can no longer be reached; the parent itself is not affected.
    """
    path = f"/v1/parents/{parent_id}"
    if not sys.stderr.isatty():
        return _follow_lines(client, path)
    from rich.live import Live  # noqa: PLC0415 - slow to import, and only needed on a terminal

    view = client.get(path)
    with Live(progress_board(view), console=console_on(sys.stderr), auto_refresh=False) as live:
        while not view["final"]:
            time.sleep(POLL_S)
            view = client.get(path)
            live.update(progress_board(view), refresh=True)
    return view


def progress_line(view: Json) -> str:
    """One line about where a parent stands."""
    text = (
        f"{cell(view['id'])} {cell(view['status'])} {cell(view['side'])} {cell(view['filled'])}"
        f"/{cell(view['qty'])} {cell(view['symbol'])} {cell(view['progress_pct'])} %"
        f" (plan {cell(view['schedule_pct'])} %) avg {_price(view, 'avg_price')}"
        f" cost {figures.amount(view['shortfall_bps'])} bps"
    )
    advice = advice_shortly(view.get("advice"))
    text = f"{text}, {advice}" if advice else text
    waiting = f" - {shortly(view['waiting'])}" if view["waiting"] else ""
    is_worth_telling = view.get("detail") and view["status"] != "COMPLETE"
    stopped = f"; last obstacle: {cell(view['detail'])}" if is_worth_telling else ""
    return f"{text}{waiting}{stopped}{_of_basket(view)}"


def progress_board(view: Json) -> "Table":
    """Lay out what changes while a parent works: at most twelve lines on a terminal of 80 columns."""
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    done = ProgressBar(total=100, completed=_done_pct(view), width=BAR_CHARS)
    bar = Table.grid(padding=(0, 1))
    bar.add_row(done, Text(f"{cell(view['progress_pct'])} %"))
    table = Table.grid(padding=(0, 1))
    table.add_column(width=LABEL_CHARS)
    table.add_column(overflow="fold")
    table.add_row(Text(cell(view["id"])), Text(_order(view)))
    table.add_row(Text("filled"), bar)
    for title, text in _board_rows(view):
        table.add_row(Text(title), Text(_cut(text)))
    return table


def _board_rows(view: Json) -> list[tuple[str, str]]:
    why = shortly(view["waiting"])
    rows = [
        ("schedule", _due(view)),
        ("time left", "-" if view["final"] else _span(view.get("time_left_s"))),
        ("status", f"{cell(view['status'])}: {why}" if why else cell(view["status"])),
        ("quantity", f"{cell(view['filled'])} of {cell(view['qty'])} filled"),
        ("average price", f"{_price(view, 'avg_price')} (arrival {_price(view, 'arrival_price')})"),
        ("cost against arrival", f"{figures.amount(view['shortfall_bps'])} bps, without fees"),
        ("children", _children(view)),
        *_advice_row(view),
    ]
    is_worth_telling = view.get("detail") and view["status"] != "COMPLETE"
    return [*rows, ("last obstacle", cell(view["detail"]))] if is_worth_telling else rows


def progress_table(view: Json) -> "Table":
    """Lay a parent out in full, as two columns."""
    from rich.table import Table  # noqa: PLC0415 - slow to import
    from rich.text import Text  # noqa: PLC0415

    rows = (
        ("parent", cell(view.get("id"))),
        ("status", cell(view.get("status"))),
        ("reason", cell(view.get("reason"))),
        ("now", sentences(view.get("waiting")) or "-"),
        ("last obstacle", cell(view.get("detail") or None)),
        *_blocked_row(view),
        ("side", cell(view.get("side"))),
        ("symbol", cell(view.get("symbol"))),
        ("category", cell(view.get("category"))),
        ("quantity", cell(view.get("qty"))),
        ("filled", cell(view.get("filled"))),
        ("leaves", cell(view.get("leaves"))),
        ("open at the venue, or in doubt", cell(view.get("reserved"))),
        ("progress %", cell(view.get("progress_pct"))),
        ("plan %", cell(view.get("schedule_pct"))),
        ("ahead (+) or late (-) %", figures.amount(view.get("deviation_pct"))),
        ("limit price", _limit(view)),
        ("average price", _price(view, "avg_price")),
        ("arrival price", _price(view, "arrival_price")),
        ("decision price", _price(view, "decision_price")),
        ("cost against arrival, bps, without fees", figures.amount(view.get("shortfall_bps"))),
        *_cost_rows(view.get("cost")),
        ("accepted", cell(view.get("created"))),
        ("begun", cell(view.get("started"))),
        ("deadline", cell(view.get("deadline"))),
        ("time left", "-" if view.get("final") else _span(view.get("time_left_s"))),
        ("ended", cell(view.get("finished"))),
        ("the rest at the deadline", _residual(view)),
        ("strategy", cell(view.get("strategy"))),
        ("urgency", cell(view.get("urgency"))),
        ("advised by a model", _advised(view)),
        ("parameters", _parameters(view.get("strategy"), view.get("params"))),
        ("position", _position(view)),
        ("children", _children(view)),
        ("plan", _plan(view.get("plan"))),
        ("basket", _of_basket(view).strip(" []") or "-"),
        ("idempotency key", cell(view.get("idempotency_key"))),
        ("version", cell(view.get("version"))),
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    for title, text in rows:
        table.add_row(Text(title), Text(text))
    return table


def _cost_rows(cost: object) -> list[tuple[str, str]]:
    """What the cost so far is made of, and what the mid did after the fills; nothing where neither is known."""
    if not isinstance(cost, dict):
        return []
    split, marks = cost.get("split_bps"), cost.get("mark_outs")
    rows = []
    if isinstance(split, dict):
        told = ", ".join(f"{part} {figures.amount(value)}" for part, value in split.items())
        rows.append(("cost so far against decision, bps", told))
    known = [each for each in marks if each["fills"]] if isinstance(marks, list) else []
    if known:
        told = ", ".join(f"{each['horizon_s']} s {mark_out(each)}" for each in known)
        rows.append(("mark-outs, bps, above zero is a gain", told))
    return rows


def mark_out(mark: Json) -> str:
    """Show a mark-out with its standard error, where there is one."""
    error = mark.get("standard_error_bps")
    told = figures.amount(mark.get("gain_bps"))
    return told if error is None else f"{told} ± {figures.amount(error)}"


def ended_line(view: Json) -> str:
    """One line about a parent in a list of all: where it stands, or how and when it ended."""
    if not view["final"]:
        return progress_line(view)
    why = f": {cell(view['detail'])}" if view.get("detail") and view["status"] != "COMPLETE" else ""
    return (
        f"{cell(view['id'])} {cell(view['status'])} ({cell(view['reason'])}) {cell(view['finished'])} "
        f"{cell(view['side'])} {cell(view['filled'])}/{cell(view['qty'])} {cell(view['symbol'])}"
        f" avg {_price(view, 'avg_price')} cost {figures.amount(view['shortfall_bps'])} bps{why}{_of_basket(view)}"
    )


def _of_basket(view: Json) -> str:
    """Name the basket that an order came with, or the routed order it is a leg of; nothing for one that came alone."""
    match view.get("basket"):
        case {"id": basket_id, "name": name}:
            return f" [{cell(basket_id)}{f' {cell(name)}' if name else ''}]"
        case _:
            return f" [leg of {cell(view['route'])}]" if view.get("route") else ""


def _blocked_row(view: Json) -> list[tuple[str, str]]:
    if not view.get("blocked"):
        return []
    return [("blocked", f"{cell(view['blocked'])}; look at the account, then {REARM} clears it")]


def _advice_row(view: Json) -> list[tuple[str, str]]:
    advice = advice_shortly(view.get("advice"))
    return [("advice", advice.removeprefix("advice "))] if advice else []


def _advised(view: Json) -> str:
    """Say whether a model is asked about a parent, how often it was, and what holds of it."""
    match view.get("advice"):
        case {"questions": int(questions), "waiting_for": waiting_for}:
            asks = "" if waiting_for is None else f"; waits for an answer to {cell(waiting_for)}"
            holds = advice_shortly(view["advice"]) or "the schedule decides"
            return f"yes, {questions} question{'' if questions == 1 else 's'} so far{asks}; {holds}"
        case _:
            return cell(view.get("advised"))


def _limit(view: Json) -> str:
    limit, works_as = view.get("limit_price"), view.get("limit_price_works_as")
    if works_as is None or works_as == limit:
        return cell(limit)
    return f"{cell(limit)} (between two ticks of {cell(view.get('tick_size'))}: works as {cell(works_as)})"


def _residual(view: Json) -> str:
    rule = cell(view.get("residual"))
    text = RESIDUALS.get(rule, "")
    extension = f", at most {_span(view.get('extend_s'))}" if view.get("extend_s") else ""
    return f"{rule}: {text}{extension}" if text else rule


def _position(view: Json) -> str:
    kind = POSITIONS.get(cell(view.get("position_idx")), cell(view.get("position_idx")))
    return f"{kind}, only reduced" if view.get("reduce_only") else kind


def _parameters(strategy: object, params: object) -> str:
    """Say the parameters that a strategy reads in words; what is not known stays as it is."""
    match params:
        case {
            "interval_s": int(interval_s),
            "randomize_size": size_pct,
            "randomize_timing": timing_pct,
            "catch_up": bool(catch_up),
            "max_catch_up": most,
            "passiveness": passiveness,
            "reprice_ticks": ticks,
            **more,
        }:
            in_slices = (
                f"slices of {_span(interval_s)}, randomized {cell(size_pct)} % in size"
                f" and {cell(timing_pct)} % in timing;"
                f" {f'catches up to {cell(most)} times a slice' if catch_up else 'does not catch up'};"
                f" rests for {'a share by urgency' if passiveness is None else cell(passiveness)} of a slice, "
            )
            keeps_slices = "passiveness" in READS.get(str(strategy), {"passiveness"})
            special = "".join(
                f"; {str(name).replace('_', ' ')} {_choice(value)}" for name, value in more.items()
            )
            return (
                f"{in_slices if keeps_slices else ''}follows the touch after {cell(ticks)}"
                f" tick{'' if ticks == 1 else 's'}{special}"
            )
        case other:
            return cell(other)


def _choice(value: object) -> str:
    return ", ".join(cell(one) for one in value) if isinstance(value, list) else cell(value)


def _order(view: Json) -> str:
    return " ".join(cell(view[name]) for name in ("side", "qty", "symbol", "strategy"))


def _due(view: Json) -> str:
    share = view["schedule_pct"]
    return "not begun" if share is None else f"{cell(share)} % would be filled by now"


def _done_pct(view: Json) -> float:
    share = view["progress_pct"]
    return 0.0 if share is None else min(float(Decimal(str(share))), 100.0)


def _price(view: Json, name: str) -> str:
    return figures.price(view.get(name), view.get("tick_size"))


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[: TEXT_CHARS_MAX - 1]}…"


def _span(seconds: object) -> str:
    """Show a number of seconds in the two units that matter."""
    if not isinstance(seconds, int):
        return cell(seconds)
    if seconds < MINUTE_S:
        return f"{seconds} s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S} min {seconds % MINUTE_S} s"
    return f"{seconds // HOUR_S} h {seconds % HOUR_S // MINUTE_S} min"


def _children(view: Json) -> str:
    """Say how many orders were sent and how many of them may still be open."""
    match view.get("children"):
        case {"total": int(total), "unproved": int(still_open), "by_status": dict(by_status)}:
            counts = ", ".join(f"{cell(count)} {cell(status)}" for status, count in by_status.items())
            return f"{total} sent, {still_open} open" + (f" ({counts})" if counts else "")
        case other:
            return cell(other)


def _plan(plan: object) -> str:
    """Describe the schedule without its slices."""
    match plan:
        case {"slices": int(slices), "slices_asked": int(asked), "merged": int(merged), "current": int(now)}:
            joined = (
                f" ({asked} asked, {merged} joined to others to reach the venue's minimum)" if merged else ""
            )
            return f"{slices} slice{'s' if slices != 1 else ''}{joined}, " + (
                f"now in number {now + 1}" if now >= 0 else "not begun"
            )
        case other:
            return cell(other)


def _directive(view: Json) -> object:
    """Name the question whose answer holds now."""
    match view.get("advice"):
        case {"in_force": {"decision_id": decision_id}}:
            return decision_id
        case _:
            return None


def _follow_lines(client: Client, path: str) -> Json:
    """Without a terminal: one line whenever the state, the fills, the obstacles or the advice in force change."""
    last: object = None
    while True:
        view = client.get(path)
        changes = [*(view[name] for name in ("status", "filled", "waiting")), _directive(view)]
        if changes != last:
            say(progress_line(view))
            last = changes
        if view["final"]:
            return view
        time.sleep(POLL_S)
