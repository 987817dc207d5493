"""`executor submit` without an order, on a pseudo-terminal: what it asks, what it shows before, and what it sends."""

import os
import pty
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest
from control_double import add_market
from doors import Daemon

from executor.domain.orders import ResidualRule, Side
from executor.engine.plan_preview import paced
from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode
from tests.advice_records import ADVISER

ORDER = ("BTCUSDT", "", "sell", "1.5", "30m", "", "", "")
"""Symbol, market, side, quantity, duration, strategy, residual, limit price."""


@dataclass
class Talk:
    code: int
    asked: str
    out: str


Answering = Callable[..., Talk]


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answering:
    """Run a command whose input and remarks are a terminal on which these lines are typed."""

    def typed(*lines: str, words: tuple[str, ...] = ("submit", "--no-wait")) -> Talk:
        ours, theirs = pty.openpty()
        heard: list[bytes] = []

        def hear() -> None:
            try:
                while part := os.read(ours, 65_536):
                    heard.append(part)
            except OSError:
                pass  # the terminal is closed

        listener = threading.Thread(target=hear)
        listener.start()
        with (
            os.fdopen(os.dup(theirs), encoding="utf-8") as keys,
            os.fdopen(os.dup(theirs), "w", encoding="utf-8") as screen,
            monkeypatch.context() as patch,
        ):
            patch.setattr(sys, "stdin", keys)
            patch.setattr(sys, "stderr", screen)
            os.write(ours, "".join(f"{line}\n" for line in lines).encode() + b"\x04")
            code = cli.main(list(words))
        os.close(theirs)
        listener.join(10)
        os.close(ours)
        return Talk(code, b"".join(heard).decode(), capsys.readouterr().out)

    return typed


def watched(daemon: Daemon) -> None:
    """A market that was watched long enough for a plan."""
    add_market(daemon.control.state)
    markets = daemon.control.state.markets
    markets["linear:BTCUSDT"] = paced(markets["linear:BTCUSDT"], 0.5, 3_600.0)


def test_it_asks_shows_the_plan_and_sends_what_was_answered(daemon: Daemon, talk: Answering):
    watched(daemon)
    said = talk(*ORDER[:-1], "100.5", "yes")
    assert said.code == ExitCode.OK, said.asked
    (order,) = daemon.control.asked
    assert (order.symbol, order.side, order.order_qty) == ("BTCUSDT", Side.SELL, Decimal("1.5"))
    assert (order.residual, order.limit_px, order.strategy) == (ResidualRule.LEAVE, Decimal("100.5"), "twap")
    assert "expected cost" in said.out
    assert "--duration 30m --strategy twap --residual leave --limit-price 100.5" in said.asked
    assert "[linear]" in said.asked, "what an empty answer means is shown, and is not markup"


@pytest.mark.parametrize("answer", ["", "no", "n"])
def test_anything_but_a_yes_sends_nothing(daemon: Daemon, talk: Answering, answer: str):
    watched(daemon)
    said = talk(*ORDER, answer)
    assert said.code == ExitCode.OK
    assert "nothing was sent" in said.asked
    assert not daemon.control.asked


def test_a_wrong_answer_is_told_as_an_option_would_be_and_asked_again(daemon: Daemon, talk: Answering):
    watched(daemon)
    said = talk("", "btc", *ORDER[:2], "up", *ORDER[2:3], "-1", *ORDER[3:], "maybe", "yes")
    assert said.code == ExitCode.OK, said.asked
    for words in ("--symbol", "--side", "--qty"):
        assert f"at {words}: got" in said.asked
    assert daemon.control.asked[0].order_qty == Decimal("1.5")


def test_what_a_choice_needs_is_asked_too(daemon: Daemon, talk: Answering):
    watched(daemon)
    said = talk(*ORDER[:5], "iceberg", "0.1", "extend", "x", "10m", "", "yes")
    assert said.code == ExitCode.OK, said.asked
    (order,) = daemon.control.asked
    assert (order.extend_s, order.params.display_qty) == (600, Decimal("0.1"))


def test_a_strategy_is_asked_about_what_it_cannot_do_without(daemon: Daemon, talk: Answering):
    watched(daemon)
    said = talk(*ORDER[:5], "sniper", "", "100.2", "", "", "yes")
    assert said.code == ExitCode.OK, said.asked
    assert daemon.control.asked[0].params.trigger_px == Decimal("100.2")


@pytest.mark.parametrize(("answer", "advised"), [("", True), ("no", False)])
def test_a_model_is_offered_where_there_is_one(daemon: Daemon, talk: Answering, answer: str, advised: bool):
    watched(daemon)
    daemon.control.state.adviser = ADVISER
    said = talk(*ORDER, answer, "yes")
    assert said.code == ExitCode.OK, said.asked
    assert daemon.control.asked[0].advised is advised


def test_a_dry_run_ends_with_the_plan(daemon: Daemon, talk: Answering):
    watched(daemon)
    said = talk(*ORDER, words=("submit", "--dry-run"))
    assert said.code == ExitCode.OK, said.asked
    assert "expected cost" in said.out
    assert "Send this order?" not in said.asked
    assert not daemon.control.asked


def test_an_order_that_would_be_refused_is_not_offered(daemon: Daemon, talk: Answering):
    watched(daemon)
    daemon.control.state.latched = True
    said = talk(*ORDER, "yes")
    assert said.code == ExitCode.REFUSED
    assert "REFUSED" in said.out
    assert not daemon.control.asked


def test_where_no_plan_can_be_made_that_is_said_before_the_question(daemon: Daemon, talk: Answering):
    add_market(daemon.control.state)
    said = talk(*ORDER, "")
    assert said.asked.index("There is no plan of it") < said.asked.index("Send this order?")
    assert "volatility" in said.asked
    assert not daemon.control.asked


@pytest.mark.parametrize("many", [0, 3, len(ORDER)])
def test_the_end_of_the_input_is_no_answer(daemon: Daemon, talk: Answering, many: int):
    watched(daemon)
    assert talk(*ORDER[:many]).code == ExitCode.INTERRUPTED
    assert not daemon.control.asked


def test_real_money_wants_its_words_after_the_yes(daemon: Daemon, talk: Answering):
    watched(daemon)
    daemon.control.info = type(daemon.control.info)(
        version="1", instance="tst", venue="bybit live", profile="live", pid=1
    )
    assert talk(*ORDER, "yes", "BTCUSDT 1").code == ExitCode.USAGE
    assert not daemon.control.asked
    assert talk(*ORDER, "yes", "BTCUSDT 1.5").code == ExitCode.OK
    assert len(daemon.control.asked) == 1


@pytest.mark.parametrize("words", [("submit", "--json"), ("submit", "--symbol", "BTCUSDT")])
def test_who_names_an_order_or_wants_json_is_not_asked(
    daemon: Daemon, talk: Answering, words: tuple[str, ...]
):
    said = talk(*ORDER, "yes", words=words)
    assert said.code == ExitCode.USAGE
    assert "Nothing is sent before" not in said.asked
    assert not daemon.control.asked
