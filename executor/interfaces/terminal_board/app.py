"""The board itself: its panes, its keys, and what is done with a picture when it comes."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import ContentSwitcher, OptionList, Static
from textual.widgets.option_list import Option

from config.problems import ConfigProblems
from executor.interfaces.client import KILL
from executor.interfaces.failure import CommandFailed
from executor.interfaces.operator_name import operator_name
from executor.interfaces.terminal_board.dialogs import Field, Given, Keys, Question
from executor.interfaces.terminal_board.feed import ALL, Feed, Json
from executor.interfaces.terminal_board.lines import PLAIN, QUIET, Part, Told, line
from executor.interfaces.terminal_board.order_page import order_page
from executor.interfaces.terminal_board.panes import (
    alarms_page,
    connections_page,
    heading,
    limits_page,
    loud,
    markets_page,
    row,
)
from executor.interfaces.terminal_board.wording import calm

SILENT_S: Final = 3.0
"""After so long without a picture what is shown is called old."""
SETTLE_S: Final = 0.15
"""So long an order is marked before its stream is opened: who runs down the list opens few."""
OPERATES: Final = "operate"
TABS: Final = ("Orders", "Alarms", "Limits", "Markets", "Connections")
THEMES: Final = ("ansi-dark", "textual-dark", "textual-light")
"""The terminal's own colours, then ours."""
KEYS: Final = {
    "j k": "next order, previous order",
    "Enter Esc": "look into the order, back to the list",
    "↑ ↓ PgUp PgDn": "up and down",
    "1 … 5": "orders, alarms, limits, markets, connections",
    "o": "open orders only, or all",
    "p": "pause or resume the order that is marked",
    "a": "amend it",
    "c": "cancel it",
    "H": "halt everything",
    "R": "rearm after a halt",
    "d": "colours: the terminal's own, dark, light",
    "q": "leave the board; the daemon goes on",
}
_BINDINGS: Final[list[BindingType]] = [
    Binding("j", "step(1)"),
    Binding("k", "step(-1)"),
    Binding("enter", "open"),
    Binding("escape", "to_list"),
    *(Binding(str(number), f"tab({number})") for number in range(1, len(TABS) + 1)),
    Binding("o", "only_open"),
    Binding("p", "pause"),
    Binding("a", "amend"),
    Binding("c", "cancel"),
    Binding("H", "halt"),
    Binding("R", "rearm"),
    Binding("d", "colours"),
    Binding("?", "keys"),
    Binding("q,ctrl+c", "quit"),
]
_WIDE: Final[list[tuple[int, str]]] = [(0, "-narrow"), (120, "-wide")]


class TerminalBoard(App[None]):
    """The board in a terminal.

    Parameters
    ----------
    feed
        Where pictures come from and verbs go.
    now_s
        A clock that never goes back, seconds.
    """

    CSS_PATH = "board.tcss"
    BINDINGS = _BINDINGS
    HORIZONTAL_BREAKPOINTS = _WIDE
    ENABLE_COMMAND_PALETTE = False
    TITLE = "executor"

    def __init__(self, feed: Feed, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._feed = feed
        self._now_s = now_s
        self._heard_s = now_s()
        self._seen: Json | None = None
        self._one: Json | None = None
        self._chosen = ""
        self._only_open = False
        self.theme = THEMES[0]
        self.animation_level = "none"  # a slow line shows every step of a movement

    def compose(self) -> ComposeResult:
        """Lay the board out."""
        yield Static(id="heading")
        yield Static(id="loud")
        yield Static(id="tabs")
        with ContentSwitcher(initial="pane-1", id="panes"):
            with Horizontal(id="pane-1"):
                yield Static(line("No parent order yet. In another terminal: executor submit"), id="none")
                yield OptionList(id="list", markup=False)
                with VerticalScroll(id="order"):
                    yield Static(id="order-text")
            for number in range(2, len(TABS) + 1):
                with VerticalScroll(id=f"pane-{number}"):
                    yield Static(id=f"text-{number}")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Begin to listen."""
        self.set_interval(1.0, self.draw_heading)
        self.run_worker(self._follow_all(), group="all")
        self.query_one("#list").focus()
        self.draw_all()

    def on_resize(self) -> None:
        """Draw anew for the new width, once everything has found its place."""
        self.call_after_refresh(self.draw_all)

    # ---- Pictures ----

    async def _follow_all(self) -> None:
        async for picture in self._feed.pictures(ALL):
            self._seen = picture
            self._heard_s = self._now_s()
            self.draw_all()

    async def _follow_one(self, parent_id: str) -> None:
        await asyncio.sleep(SETTLE_S)
        async for picture in self._feed.pictures(f"{ALL}/{parent_id}"):
            self._one = picture
            self.draw_order()

    # ---- Drawing ----

    def draw_all(self) -> None:
        """Draw what is known anew."""
        self.draw_heading()
        seen = self._seen
        if seen is None:
            return
        self._draw_list(seen)
        for number, make in ((2, alarms_page), (3, limits_page), (4, markets_page), (5, connections_page)):
            place = self._text(f"#text-{number}")
            place.update(make(seen, self._width_of(f"#pane-{number}")))
        self.draw_order()

    def draw_heading(self) -> None:
        """Draw what stands above and below the panes: it also tells when nothing is heard."""
        if not self._main.query("#heading"):
            return  # it opens or closes: there is nothing to draw on
        silent_s = self._now_s() - self._heard_s
        is_stale = silent_s > SILENT_S
        link = f"not heard for {silent_s:.0f} s" if is_stale else "live" if self._seen else "connecting"
        self._text("#heading").update(heading(self._seen, link, is_stale=is_stale))
        words = loud(self._seen)
        if is_stale:
            words = f"What is shown is old. {self._feed.trouble or 'The daemon says nothing'}. Trying again. {KILL}."
        place = self._text("#loud")
        place.display = bool(words)
        place.update(line(words))
        self._text("#tabs").update(line(*self._tabs()))
        self._text("#keys").update(line((self._hint(), QUIET)))

    def draw_order(self) -> None:
        """Draw the order that is marked, if its picture is here."""
        place = self._text("#order-text")
        if self._one is None or self._one["parent"]["id"] != self._chosen:
            place.update(line((f"{self._chosen or 'No order is marked'} …", QUIET)))
            return
        parent = self._one["parent"]
        name = f"{parent['category']}:{parent['symbol']}"
        markets = self._seen["markets"] if self._seen else []
        market = next((each for each in markets if each["market"] == name), None)
        place.update(order_page(self._one, market, self._width_of("#order")))

    def _draw_list(self, seen: Told) -> None:
        """Draw the list; the mark stays on its order, wherever that goes."""
        shown = [parent for parent in seen["parents"] if not (self._only_open and parent["final"])]
        place = self._main.query_one("#list", OptionList)
        self._text("#none").display = not shown
        width = max(place.scrollable_content_region.width, 20)
        names = [str(parent["id"]) for parent in shown]
        if self._chosen not in names:
            self._choose(names[0] if names else "")
        rows = [row(parent, width, is_marked=parent["id"] == self._chosen) for parent in shown]
        if names == [option.id for option in place.options]:
            for name, told in zip(names, rows, strict=True):
                place.replace_option_prompt(name, told)
            return
        place.clear_options()
        place.add_options(Option(told, id=name) for name, told in zip(names, rows, strict=True))
        place.highlighted = names.index(self._chosen) if names else None

    def _choose(self, parent_id: str) -> None:
        """Mark an order and listen to what happens to it."""
        self._chosen, self._one = parent_id, None
        self._main.query_one("#order").scroll_home(animate=False)
        if parent_id:
            self.run_worker(self._follow_one(parent_id), group="one", exclusive=True)
        else:
            self.workers.cancel_group(self, "one")

    def _tabs(self) -> list[Part]:
        chosen = self._main.query_one("#panes", ContentSwitcher).current
        parts: list[Part] = []
        for number, name in enumerate(TABS, 1):
            many = len(self._seen["alarms"]) if self._seen and name == "Alarms" else 0
            told = f" {number} {name}{f' ({many})' if many else ''} "
            parts.append((told, "reverse" if chosen == f"pane-{number}" else PLAIN))
        if self._only_open:
            parts.append(("  open only", QUIET))
        return parts

    def _hint(self) -> str:
        if self._seen is None or self._seen["access"] != OPERATES:
            return "j k move  Enter look  Esc back  1-5 panes  o open only  ? keys"
        stop = "R rearm" if self._seen["halted"] else "H HALT"
        return f"j k move  Enter look  p pause  a amend  c cancel  {stop}  1-5 panes  ? keys"

    @property
    def _main(self) -> Screen[object]:
        """The board's own screen, also while something stands over it."""
        return self.screen_stack[0]

    def _text(self, selector: str) -> Static:
        return self._main.query_one(selector, Static)

    def _width_of(self, selector: str) -> int:
        region = self._main.query_one(selector, VerticalScroll).scrollable_content_region
        return max((region.width or self.size.width) - 2, 20)

    # ---- Moving ----

    @on(OptionList.OptionHighlighted)
    def _marked(self, event: OptionList.OptionHighlighted) -> None:
        name = event.option.id or ""
        if name != self._chosen and self._seen is not None:
            self._choose(name)
            self._draw_list(self._seen)
            self.draw_order()

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.action_open()

    def action_step(self, by: int) -> None:
        """Mark the next order, or the one before."""
        place = self._main.query_one("#list", OptionList)
        if place.option_count:
            at = place.highlighted or 0
            place.highlighted = min(max(at + by, 0), place.option_count - 1)

    def action_open(self) -> None:
        """Look into the order that is marked."""
        if self._chosen:
            self.action_tab(1)
            self.add_class("shows-one")
            self._main.query_one("#order").focus()

    def action_to_list(self) -> None:
        """Go back to the list."""
        self.remove_class("shows-one")
        self.action_tab(1)

    def action_tab(self, number: int) -> None:
        """Show a pane."""
        self._main.query_one("#panes", ContentSwitcher).current = f"pane-{number}"
        inside = "#list" if number == 1 else f"#pane-{number}"
        self._main.query_one(inside).focus()
        self.call_after_refresh(self.draw_all)

    def action_only_open(self) -> None:
        """Show open orders only, or all."""
        self._only_open = not self._only_open
        self.draw_all()

    def action_colours(self) -> None:
        """Take the next set of colours."""
        self.theme = THEMES[(THEMES.index(self.theme) + 1) % len(THEMES)]

    def action_keys(self) -> None:
        """List the keys."""
        self.push_screen(Keys(KEYS))

    # ---- Verbs ----

    def action_pause(self) -> None:
        """Pause the marked order, or let it go on."""
        parent = self._marked_to_change()
        if parent is not None:
            verb = "resume" if parent["status"] == "PAUSED" else "pause"
            self.run_worker(self._at_once(verb, str(parent["id"])))

    def action_cancel(self) -> None:
        """Ask whether to cancel the marked order."""
        parent = self._marked_to_change()
        if parent is not None:
            name = str(parent["id"])
            words = f"{_order(parent)}. What is filled stays filled; what rests is withdrawn. It cannot be taken back."
            act = partial(self._carry, f"/v1/parents/{name}/cancel")
            self.push_screen(
                Question(f"Cancel {name}?", words, lambda _given: act({}), yes="Cancel the order")
            )

    def action_amend(self) -> None:
        """Ask how to change the marked order."""
        if self._marked_to_change() is None:
            return
        if self._one is None or self._one["parent"]["id"] != self._chosen:
            self.notify("the order is not read yet", markup=False)
            return
        parent = self._one["parent"]
        limit = parent["limit_price"] or ""
        urgency, strategy = calm(parent["urgency"]), str(parent["strategy"])
        fields = (
            Field(name="qty", label="Quantity", value=str(parent["qty"])),
            Field(name="limit_price", label="Limit price; none clears it", value=str(limit)),
            Field(name="duration", label="Time from now, such as 10m or 2h"),
            Field(name="urgency", label="Urgency: low, medium or high", value=urgency),
            Field(name="strategy", label="Strategy", value=strategy),
        )
        path = f"/v1/parents/{self._chosen}/amend"
        self.push_screen(
            Question(
                f"Amend {self._chosen}", "What is left as it is, or empty, stays as it is.",
                lambda given: self._carry(path, amendment(parent, given)), yes="Amend", fields=fields,
            )
        )  # fmt: skip

    def action_halt(self) -> None:
        """Ask for the word before everything is stopped."""
        if self._may_operate() and self._seen is not None and not self._seen["halted"]:
            words = "Nothing is opened any more, and every open order is cancelled, until a person rearms."
            self._ask_word("HALT", "/v1/halt", "Halt everything", words, "Why")

    def action_rearm(self) -> None:
        """Ask for the word before trading is allowed again."""
        if self._may_operate() and self._seen is not None and self._seen["halted"]:
            words = f"Halted: {self._seen['halt_reason']}. Compare positions and open orders with the venue first."
            self._ask_word("REARM", "/v1/rearm", "Rearm", words, "Why it is safe")

    def _ask_word(self, word: str, path: str, title: str, words: str, why: str) -> None:
        fields = (
            Field(name="word", label=f"Type {word}", must=word),
            Field(name="operator", label="Who you are", value=operator_name(), required=True),
            Field(name="reason", label=why, required=True),
        )

        async def act(given: Given) -> None:
            await self._carry(path, {"operator": given["operator"], "reason": given["reason"]})

        self.push_screen(Question(title, words, act, yes=word, fields=fields))

    def _may_operate(self) -> bool:
        if self._seen is None:
            return False
        if self._seen["access"] == OPERATES:
            return True
        self.notify("this board is for looking only", severity="warning", markup=False)
        return False

    def _marked_to_change(self) -> Told | None:
        """The order that a verb is meant for; None if there is none, it has ended, or one may only look."""
        if not self._may_operate() or self._seen is None:
            return None
        parent: Told | None = next(
            (each for each in self._seen["parents"] if each["id"] == self._chosen), None
        )
        if parent is not None and parent["final"]:
            self.notify(f"{parent['id']} has ended", markup=False)
            return None
        return parent

    async def _at_once(self, verb: str, parent_id: str) -> None:
        try:
            await self._carry(f"/v1/parents/{parent_id}/{verb}", {})
        except (CommandFailed, ConfigProblems) as error:
            words = "\n".join(problem.line() for problem in error.problems)
            self.push_screen(Question(f"{verb}: refused", words))

    async def _carry(self, path: str, body: Json) -> None:
        """Ask the daemon, and tell what it says to it."""
        answer = await self._feed.ask(path, body)
        self.notify(f"{path.rpartition('/')[2]}: {answer.get('text') or 'done'}", markup=False)


def amendment(parent: Told, given: Given) -> Json:
    """Say what was changed of an order: what stays as it was is not named."""
    body: Json = {"version": parent["version"]}
    as_it_is = {
        "qty": parent["qty"], "limit_price": parent["limit_price"] or "", "duration": "",
        "urgency": calm(parent["urgency"]), "strategy": parent["strategy"],
    }  # fmt: skip
    for name, was in as_it_is.items():
        if given[name] and given[name] != was:
            body[name] = given[name].upper() if name == "urgency" else given[name]
    if body.get("limit_price") == "none":
        del body["limit_price"]
        if parent["limit_price"]:
            body["clear_limit_price"] = True
    return body


def _order(parent: Told) -> str:
    return f"{parent['side']} {parent['qty']} {parent['symbol']}, {parent['filled']} filled"
