"""A terminal board with scripted pictures, made by the real views of a scripted state so that they have their shape."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from decimal import Decimal

from control_double import START_NS, ControlDouble, add_market, add_parent
from textual.pilot import Pilot

from executor.advice.context import Level, MarketContext
from executor.domain.commands import AlertCode, RaiseAlert, Severity
from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_S
from executor.domain.units import Price, Quantity
from executor.engine.report import parent_facts
from executor.engine.state import AdviceState
from executor.interfaces.board_trail import Trails
from executor.interfaces.board_views import detail, overview
from executor.interfaces.terminal_board.app import TerminalBoard
from impact.shortfall import as_json, make_report
from tests.advice_records import advice_record

HOSTILE = "[red]x[/red] \x1b[2J\u202e"
"""What would colour, clear or turn around the screen if it were more than text."""


def pictures() -> tuple[dict, dict[str, dict]]:
    """The picture of everything and of each order: one that works, one that is paused, one that is done."""
    control = ControlDouble()
    state = control.state
    state.private_live = state.trade_live = True
    add_market(state)
    working = add_parent(state)
    working.advice = AdviceState(asked_no=1)
    add_parent(state, "tst-2", ParentStatus.COMPLETE, "10")
    add_parent(state, "tst-3", ParentStatus.PAUSED, "1").detail = HOSTILE
    control.around["linear:BTCUSDT"] = MarketContext(
        at_ns=control.at_ns,
        bids=tuple(level(Decimal(100) - step, 5 + step) for step in range(5)),
        asks=tuple(level(Decimal(101) + step, 3 + step) for step in range(5)),
    )
    control.alarmed.take(
        RaiseAlert(severity=Severity.CRITICAL, code=AlertCode.HALT, parent_id="tst-1", detail=HOSTILE),
        START_NS,
    )
    trails = Trails()
    market = state.markets["linear:BTCUSDT"]
    assert market.snapshot is not None
    for second in range(120):
        working.cum_qty = Decimal(4) * second / 119
        working.cum_notional = working.cum_qty * Decimal("100.5")
        bid = Decimal(100) + Decimal(abs(second % 60 - 30)) / 10
        market.snapshot = replace(market.snapshot, best_bid=Price(bid), best_ask=Price(bid + Decimal("0.2")))
        trails.sample(state, START_NS + second * NS_PER_S)
    child = state.children["tst-1-1"]
    child.cum_qty, child.maker_qty, child.cum_notional = Decimal("0.5"), Decimal("0.5"), Decimal("50.25")
    report = as_json(make_report(parent_facts(state, working)))
    told = advice_record(1, reasoning=HOSTILE + "the book is thin. " * 8, risk_assessment="moderate")
    control.reports["tst-1"] = report | {"decisions": [told]}
    whole = json.loads(json.dumps(overview(control, "operate")))
    whole["daemon"]["version"] = "1.2.3"
    return whole, {
        name: json.loads(json.dumps(detail(control, parent, trails)))
        for name, parent in state.parents.items()
    }


def level(px: Decimal, qty: int) -> Level:
    return Level(px=Price(px), qty=Quantity(Decimal(qty)))


class ScriptedFeed:
    """Gives the pictures that are put in, and remembers what it was asked."""

    def __init__(self) -> None:
        self.whole, self.ones = pictures()
        self.trouble = ""
        self.asked: list[tuple[str, dict]] = []
        self.refusal: Exception | None = None
        self.changed = asyncio.Event()

    def change(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def pictures(self, path: str) -> AsyncIterator[dict]:
        while True:
            changed = self.changed
            yield self.whole if path == "/v1/stream" else self.ones[path.rpartition("/")[2]]
            await changed.wait()

    async def ask(self, path: str, body: dict) -> dict:
        self.asked.append((path, body))
        if self.refusal is not None:
            raise self.refusal
        return {"text": "accepted"}


def screen_text(app: TerminalBoard) -> str:
    """What a person sees, row by row."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


async def until(pilot: Pilot, holds: Callable[[], bool]) -> None:
    """Let the board work until something holds."""
    async with asyncio.timeout(20):
        while not holds():
            await pilot.pause()


async def shown(pilot: Pilot, words: str) -> str:
    """Let the board work until these words are on the screen; gives the screen."""
    app = pilot.app
    assert isinstance(app, TerminalBoard)
    try:
        await until(pilot, lambda: words in screen_text(app))
    except TimeoutError:
        raise AssertionError(f"{words!r} is not on the screen:\n{screen_text(app)}") from None
    await pilot.pause()
    return screen_text(app)
