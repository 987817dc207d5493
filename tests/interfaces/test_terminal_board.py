"""The board in a terminal, driven by its keys: what it shows in 80 columns, and what it asks of the daemon."""

import asyncio
import os
from pathlib import Path

import pytest
from board_in_terminal import HOSTILE, ScriptedFeed, pictures, screen_text, shown, until
from textual.widgets import Input

from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.models import AmendBody, read_body
from executor.interfaces.terminal_board import app as board_app
from executor.interfaces.terminal_board import panes
from executor.interfaces.terminal_board.app import TerminalBoard

SCREENS = Path(__file__).parent / "board_screens"
SIZE = (80, 24)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_app, "SETTLE_S", 0.0)
    monkeypatch.setenv("LOGNAME", "olga")


@pytest.fixture
def feed() -> ScriptedFeed:
    return ScriptedFeed()


def still(feed: ScriptedFeed) -> TerminalBoard:
    """A board whose clock stands still: nothing grows old."""
    return TerminalBoard(feed, lambda: 0.0)


def as_kept(name: str, screen: str) -> None:
    """Compare a screen with the one that was looked at; EXECUTOR_SCREENS=write writes it anew, to be looked at."""
    path = SCREENS / f"{name}.txt"
    if os.environ.get("EXECUTOR_SCREENS") == "write":
        path.write_text(f"{screen}\n", encoding="utf-8")
    assert f"{screen}\n" == path.read_text(encoding="utf-8"), f"another screen than {path.name}:\n{screen}"
    assert len(screen.splitlines()) <= SIZE[1]


async def test_the_screens_are_as_they_were_looked_at(feed: ScriptedFeed):
    board = still(feed)
    async with board.run_test(size=SIZE) as pilot:
        as_kept("orders", await shown(pilot, "▌ tst-3"))
        await pilot.press("j", "enter")
        as_kept("order", await shown(pilot, "Scheduled by now"))
        for number, words in enumerate(("Executed █", "asked because"), 2):
            await pilot.press("pagedown")
            as_kept(f"order-{number}", await shown(pilot, words))
        for key, name, words in (
            ("2", "alarms", "What to do"),
            ("3", "limits", "orders_per_s_max"),
            ("4", "markets", "Age of the book"),
            ("5", "connections", "order entry"),
        ):
            await pilot.press(key)
            as_kept(name, await shown(pilot, words))
        await pilot.press("escape", "H")
        as_kept("halt", await shown(pilot, "Type HALT"))
        await pilot.press("escape", "question_mark")
        as_kept("keys", await shown(pilot, "leave the board"))
        await pilot.press("escape")
        feed.whole |= {"halted": True, "halt_reason": HOSTILE, "ready": False}
        feed.change()
        as_kept("halted", await shown(pilot, "R rearm"))


async def test_where_there_is_room_the_order_stands_beside_the_list(feed: ScriptedFeed):
    async with still(feed).run_test(size=(140, 40)) as pilot:
        await shown(pilot, "▌ tst-3")
        await pilot.press("j")
        screen = await shown(pilot, "Scheduled by now")
        assert "▌ tst-1" in screen
        assert "tst-2" in screen


async def test_text_from_outside_is_text(feed: ScriptedFeed):
    async with still(feed).run_test(size=SIZE) as pilot:
        await shown(pilot, "▌ tst-3")
        await pilot.press("enter")
        assert "[red]x[/red] \\x1b[2J\\u202e" in await shown(pilot, "Scheduled by now")
        for pane in "25":
            await pilot.press(pane)
            await pilot.pause()
            screen = screen_text(pilot.app)
            assert "\x1b" not in screen
            assert "\u202e" not in screen


async def test_the_mark_stays_on_its_order_when_others_come(feed: ScriptedFeed):
    async with still(feed).run_test(size=SIZE) as pilot:
        await shown(pilot, "▌ tst-3")
        await pilot.press("j")
        await shown(pilot, "▌ tst-1")
        newer = feed.whole["parents"][0] | {"id": "tst-4"}
        feed.ones["tst-4"] = feed.ones["tst-3"]
        feed.whole["parents"].insert(0, newer)
        feed.change()
        assert "▌ tst-1" in await shown(pilot, "tst-4")
        await pilot.press("o")
        assert "tst-2" not in await shown(pilot, "open only")


async def test_pause_and_resume_go_to_the_marked_order(feed: ScriptedFeed):
    async with still(feed).run_test(size=SIZE) as pilot:
        await shown(pilot, "▌ tst-3")
        await pilot.press("p", "j", "p")
        await until(pilot, lambda: len(feed.asked) == 2)
        assert feed.asked == [("/v1/parents/tst-3/resume", {}), ("/v1/parents/tst-1/pause", {})]
        await pilot.press("j", "p", "c", "a")
        await shown(pilot, "▌ tst-2")
        assert len(feed.asked) == 2, "an order that has ended is asked nothing"


async def test_a_refusal_is_told_in_the_daemons_words(feed: ScriptedFeed):
    feed.refusal = failed(ExitCode.REFUSED, "PARENT_STATE", "pause", "a lost one", "a live one", "look again")
    async with still(feed).run_test(size=SIZE) as pilot:
        await shown(pilot, "▌ tst-3")
        await pilot.press("j", "p")
        assert "PARENT_STATE" in await shown(pilot, "pause: refused")


async def test_a_cancel_is_asked_again_and_leaving_it_is_the_usual_answer(feed: ScriptedFeed):
    async with still(feed).run_test(size=SIZE) as pilot:
        await shown(pilot, "▌ tst-3")
        await pilot.press("c")
        await shown(pilot, "Cancel tst-3?")
        await pilot.press("enter")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
        assert not feed.asked
        await pilot.press("c")
        await shown(pilot, "Cancel tst-3?")
        await pilot.press("tab", "enter")
        await until(pilot, lambda: feed.asked == [("/v1/parents/tst-3/cancel", {})])


async def test_a_halt_wants_the_word_and_a_reason(feed: ScriptedFeed):
    async with still(feed).run_test(size=SIZE) as pilot:
        await shown(pilot, "▌ tst-3")
        await pilot.press("H")
        await shown(pilot, "Type HALT")
        await pilot.press(*"halt", "enter")
        await shown(pilot, "Type HALT, or leave it")
        pilot.app.screen.query_one("#field-word", Input).value = "HALT"
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.focused is pilot.app.screen.query_one("#field-reason")
        assert not feed.asked, "no reason was given"
        await pilot.press(*"odd", "enter")
        await until(pilot, lambda: bool(feed.asked))
        assert feed.asked == [("/v1/halt", {"operator": "olga", "reason": "odd"})]
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
        feed.whole |= {"halted": True, "halt_reason": "odd"}
        feed.change()
        await shown(pilot, "HALTED: odd")
        await pilot.press("H")
        assert len(pilot.app.screen_stack) == 1, "it is halted already"
        await pilot.press("R")
        await shown(pilot, "Type REARM")
        await pilot.press(*"REARM", "tab", "tab", *"safe", "enter")
        await until(pilot, lambda: feed.asked[-1] == ("/v1/rearm", {"operator": "olga", "reason": "safe"}))


async def test_an_amendment_names_what_was_changed(feed: ScriptedFeed):
    async with still(feed).run_test(size=SIZE) as pilot:
        await shown(pilot, "▌ tst-3")
        await pilot.press("j", "enter")
        await shown(pilot, "Scheduled by now")
        await pilot.press("a")
        await shown(pilot, "Amend tst-1")
        for name, value in (("qty", "12"), ("limit_price", "none"), ("duration", "20m"), ("urgency", "low")):
            pilot.app.screen.query_one(f"#field-{name}", Input).value = value
        await pilot.press("enter")
        await until(pilot, lambda: bool(feed.asked))
        body = {"version": 1, "qty": "12", "clear_limit_price": True, "duration": "20m", "urgency": "LOW"}
        read_body(AmendBody, body)  # the daemon takes it
        assert feed.asked == [("/v1/parents/tst-1/amend", body)]


async def test_who_may_only_look_is_asked_nothing(feed: ScriptedFeed):
    feed.whole["access"] = "read"
    async with still(feed).run_test(size=SIZE, notifications=True) as pilot:
        await shown(pilot, "looking only")
        await pilot.press("p", "c", "a", "H", "R")
        await shown(pilot, "this board is for looking only")
        assert len(pilot.app.screen_stack) == 1
        assert not feed.asked


async def test_silence_is_told_with_what_helps(feed: ScriptedFeed):
    now_s = [0.0]
    board = TerminalBoard(feed, lambda: now_s[0])
    async with board.run_test(size=SIZE) as pilot:
        assert "not heard" not in await shown(pilot, "▌ tst-3")
        feed.trouble = "Connection refused"
        now_s[0] = 7.0
        board.draw_heading()
        screen = await shown(pilot, "not heard for 7 s")
        assert "Connection refused" in screen
        assert "executor kill" in screen
        feed.change()
        assert "Connection refused" not in await shown(pilot, " live")


async def test_colours_are_the_terminals_own_or_ours(feed: ScriptedFeed):
    async with still(feed).run_test(size=SIZE) as pilot:
        await shown(pilot, "▌ tst-3")
        seen = []
        for _ in range(3):
            seen.append((pilot.app.theme, pilot.app.current_theme.dark))
            await pilot.press("d")
        assert seen == [("ansi-dark", True), ("textual-dark", True), ("textual-light", False)]
        assert pilot.app.theme == "ansi-dark"


async def test_without_orders_it_says_how_to_make_one(feed: ScriptedFeed):
    feed.whole["parents"] = []
    async with still(feed).run_test(size=SIZE) as pilot:
        await shown(pilot, "executor submit")
        await pilot.press("j", "enter", "p", "c", "a")
        assert not feed.asked
        assert len(pilot.app.screen_stack) == 1


def test_a_row_says_to_which_whole_an_order_belongs():
    seen, _ = pictures()
    order = seen["parents"][0]
    assert order["id"] in panes.row(order, 80, is_marked=False).plain
    for more, said in (({"route": "R1"}, "leg of R1"), ({"basket": "B2"}, "in B2")):
        assert said in panes.row(order | more, 80, is_marked=False).plain
        assert said in panes.row(order | more, 40, is_marked=True).plain


class SlowFeed(ScriptedFeed):
    """One that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()

    async def ask(self, path: str, body: dict) -> dict:
        answer = await super().ask(path, body)
        await self.answers.wait()
        return answer


async def test_enter_again_while_the_daemon_is_asked_asks_nothing_more():
    feed = SlowFeed()
    async with still(feed).run_test(size=SIZE) as pilot:
        await shown(pilot, "▌ tst-3")
        await pilot.press("H")
        await shown(pilot, "Type HALT")
        await pilot.press(*"HALT", "tab", "tab", *"odd", "enter")
        await until(pilot, lambda: bool(feed.asked))
        await pilot.press("enter", "enter")
        await pilot.pause()
        assert len(feed.asked) == 1, (
            "it would be done twice, and the second answer would be shown for the first"
        )
        feed.answers.set()
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
        assert len(feed.asked) == 1


async def test_after_a_refusal_it_can_be_asked_again(feed: ScriptedFeed):
    feed.refusal = failed(
        ExitCode.REFUSED, "PARENT_STATE", "cancel", "a lost one", "a live one", "look again"
    )
    async with still(feed).run_test(size=SIZE) as pilot:
        await shown(pilot, "▌ tst-3")
        await pilot.press("c")
        await shown(pilot, "Cancel tst-3?")
        await pilot.press("tab", "enter")
        await shown(pilot, "PARENT_STATE")
        await until(pilot, lambda: not pilot.app.screen.query_one("#yes").disabled)
        assert feed.asked == [("/v1/parents/tst-3/cancel", {})]
