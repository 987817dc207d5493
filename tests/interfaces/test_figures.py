"""Numbers and codes as people read them."""

from io import StringIO

import pytest
from control_double import START_NS, add_market, add_parent
from rich.console import Console

from executor.domain.decision import Why
from executor.engine.state import EngineState
from executor.interfaces import figures
from executor.interfaces.follow import progress_board, progress_line
from executor.interfaces.sentences import sentence
from executor.interfaces.views import Json, parent_view
from risk.refusals import RefusalCode


@pytest.fixture
def view() -> Json:
    state = EngineState(instance="tst", venue="sandbox", started_ns=START_NS, now_ns=START_NS)
    add_market(state)
    parent = add_parent(state)
    parent.detail = "a long sentence about the last thing that stopped it, " * 5
    parent.waiting = ("VOLATILITY_UNKNOWN", "UNRECONCILED", "PRIVATE_STREAM_DOWN")
    return parent_view(state, parent, START_NS)


@pytest.mark.parametrize(
    ("value", "tick", "shown"),
    [
        ("65014.60000000", "0.10", "65014.6"),
        ("65014.123456789", "0.10", "65014.123"),
        ("65014.123456789", None, "65014.12345679"),
        ("0.00000123", "0.0000001", "0.00000123"),
        ("65000", "1", "65000"),
        ("-0.00", "0.1", "0"),
        (None, "0.1", "-"),
    ],
)
def test_a_price_has_the_digits_that_mean_something(value: str | None, tick: str | None, shown: str):
    assert figures.price(value, tick) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [("-0.00", "0.00"), ("-0.00001", "0.0000"), ("64.50", "64.50"), (None, "-"), ("?", "?")],
)
def test_an_amount_of_nothing_has_no_sign(value: str | None, shown: str):
    assert figures.amount(value) == shown


@pytest.mark.parametrize("code", [*Why, *RefusalCode])
def test_every_reason_to_wait_has_a_sentence(code: str):
    assert sentence(code).endswith(f" ({code})")
    assert sentence("NEVER_SEEN") == "NEVER_SEEN"


def test_the_board_fits_a_small_terminal(view: Json):
    out = StringIO()
    Console(file=out, width=80, height=24, color_system=None).print(progress_board(view))
    lines = out.getvalue().splitlines()
    assert len(lines) <= 12
    assert max(len(line) for line in lines) <= 80
    text = " ".join(out.getvalue().split())
    for words in (
        "40.00 %",
        "10 min 0 s",
        "warming up",
        "4 of 10 filled",
        "100.5 (arrival 100)",
        "without fees",
    ):
        assert words in text
    assert "1 sent, 1 open (1 NEW)" in text


def test_a_line_says_the_same_in_short(view: Json):
    line = progress_line(view)
    assert "4/10 BTCUSDT 40.00 %" in line
    assert "avg 100.5 cost" in line
    assert "warming up" in line
    assert "; also UNRECONCILED, PRIVATE_STREAM_DOWN; last obstacle: a long" in line
