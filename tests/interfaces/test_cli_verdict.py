"""What becomes of an order at once, how each has ended, and what a person is told about one."""

import json
import sys
from decimal import Decimal

import pytest
from control_double import add_market, add_parent, reply
from doors import Daemon

from executor.domain.commands import Outcome
from executor.domain.orders import Side
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.units import Price
from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode

ORDER = [
    "submit",
    "--symbol",
    "BTCUSDT",
    "--side",
    "buy",
    "--qty",
    "10",
    "--duration",
    "5m",
    "--residual",
    "leave",
]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def fail(parent, reason: Reason, detail: str) -> None:
    parent.status, parent.reason, parent.detail = ParentStatus.FAILED, reason, detail
    parent.children.clear()
    parent.waiting = ()


@pytest.mark.parametrize(
    ("reason", "detail", "helps"),
    [
        (Reason.BEYOND_LIMITS, "it would open 500, position_notional_max is 100", "submit less"),
        (
            Reason.INSTRUMENT_UNUSABLE,
            "Bybit has no linear symbol BTCUSTD; nearest: BTCUSDT",
            "correct --symbol",
        ),
        (Reason.BELOW_MINIMUM, "0.0001 is below what the venue accepts", "submit more"),
    ],
)
def test_an_order_that_fails_at_once_ends_with_its_reason(run, daemon: Daemon, reason, detail, helps):
    parent = add_parent(daemon.control.state, status=ParentStatus.FAILED, cum_qty="0")
    fail(parent, reason, detail)
    code, out, err = run(*ORDER)
    accepted, _, problem = err.partition("\n")
    assert (code, out, problem.split(" ")[0]) == (ExitCode.REFUSED, "", reason.value)
    assert accepted.startswith("accepted as tst-1 (idempotency key ")
    assert f"parent tst-1: got FAILED, nothing was sent: {detail}" in err
    assert helps in err
    code, out, _ = run(*ORDER, "--json")
    assert code == ExitCode.REFUSED
    assert json.loads(out)["error"][0]["code"] == reason.value
    assert run(*ORDER, "--no-wait")[:2][0] == ExitCode.OK
    assert run(*ORDER, "--wait", "--no-wait")[0] == ExitCode.USAGE


def test_the_verdict_is_waited_for_and_not_longer_than_it_takes(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    parent = add_parent(daemon.control.state)
    parent.status, parent.waiting = ParentStatus.INITIALIZED, ("INSTRUMENT_UNKNOWN",)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            fail(parent, Reason.INSTRUMENT_UNUSABLE, "no such symbol")

    monkeypatch.setattr("executor.interfaces.verdict.time.sleep", nap)
    assert run(*ORDER)[0] == ExitCode.REFUSED
    assert len(naps) == 3
    parent.status, parent.waiting = ParentStatus.INITIALIZED, ("VOLATILITY_UNKNOWN",)
    code, out, _ = run(*ORDER)
    assert (code, len(naps)) == (ExitCode.OK, 3), "what only warms up has its verdict"
    assert "warming up" in out


def test_an_order_that_waits_longer_is_accepted_and_says_for_what(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    parent = add_parent(daemon.control.state)
    parent.status, parent.waiting = ParentStatus.INITIALIZED, ("UNRECONCILED",)
    monkeypatch.setattr("executor.interfaces.verdict.first_verdict.__defaults__", (0.0,))
    code, out, _ = run(*ORDER)
    assert code == ExitCode.OK
    assert "have not been read completely (UNRECONCILED)" in out


@pytest.mark.parametrize(("limit", "works_as"), [("100.97", "100.9"), ("100.90", None), ("100.9", None)])
def test_a_limit_price_between_two_ticks_is_told(run, daemon: Daemon, limit, works_as):
    add_market(daemon.control.state)
    parent = add_parent(daemon.control.state)
    object.__setattr__(parent.order, "limit_px", Price(Decimal(limit)))
    _, _, err = run(*ORDER, "--limit-price", limit)
    told = f"the limit price {limit} lies between two ticks of 0.1: no order is worse than {works_as}"
    assert (told in err) is (works_as is not None)
    shown = run("status", "tst-1")[1]
    assert (f"works as {works_as}" in shown) is (works_as is not None)
    view = json.loads(run("status", "tst-1", "--json")[1])
    assert view["limit_price_works_as"] == (works_as or limit)


def test_a_sell_limit_between_two_ticks_works_as_the_upper_one(run, daemon: Daemon):
    add_market(daemon.control.state)
    parent = add_parent(daemon.control.state)
    object.__setattr__(parent.order, "limit_px", Price(Decimal("100.97")))
    object.__setattr__(parent.order, "side", Side.SELL)
    assert json.loads(run("status", "tst-1", "--json")[1])["limit_price_works_as"] == "101.0"


def test_one_order_in_full_says_what_a_person_asks(run, daemon: Daemon):
    add_market(daemon.control.state)
    add_parent(daemon.control.state)
    text = run("status", "tst-1")[1]
    for row in (
        "category", "linear", "limit price", "101", "the rest at the deadline", "leave: left unfilled", "time left",
        "8 min 0 s", "urgency", "MEDIUM", "slices of 2 min 0 s", "catches up to 2 times a slice", "one-way",
        "open at the venue, or in doubt", "decision price", "accepted", "begun", "idempotency key", "key-tst-1",
    ):  # fmt: skip
        assert row in text, row
    assert "blocked" not in text


def test_a_blocked_symbol_is_told_with_its_reason_and_its_cure(run, daemon: Daemon):
    add_market(daemon.control.state)
    add_parent(daemon.control.state)
    daemon.control.state.markets["linear:BTCUSDT"].blocked = "POSITION_DIFFERS: by 0.5"
    head, *rest = run("status")[1].splitlines()
    assert "ready, except linear:BTCUSDT (blocked); not halted" in head
    assert "blocked: linear:BTCUSDT: POSITION_DIFFERS: by 0.5" in rest
    assert any("`executor rearm --operator NAME --reason TEXT`" in line for line in rest)
    one = run("status", "tst-1")[1]
    assert "POSITION_DIFFERS: by 0.5" in one
    assert "`executor rearm --operator NAME --reason TEXT` clears it" in one


def test_list_tells_how_each_has_ended(run, daemon: Daemon):
    assert "no parent orders yet" in run("list")[1]
    state = daemon.control.state
    for number, status in enumerate(
        (ParentStatus.COMPLETE, ParentStatus.EXPIRED, ParentStatus.FAILED), start=1
    ):
        parent = add_parent(state, f"P{number}", status=status)
        parent.reason = Reason.DEADLINE
    state.parents["P3"].detail = "no such symbol"
    add_parent(state, "P4")
    lines = run("list")[1].splitlines()
    assert [line.split(" ")[:2] for line in lines] == [
        ["P4", "EXECUTING"], ["P3", "FAILED"], ["P2", "EXPIRED"], ["P1", "COMPLETE"],
    ]  # fmt: skip
    assert lines[1].endswith("no such symbol")
    assert "(DEADLINE)" in lines[2]
    assert "`executor list` shows how they ended" not in run("status")[1], "one is still open"
    for number in range(5, 30):
        add_parent(state, f"P{number}", status=ParentStatus.CANCELED)
    assert run("list")[1].splitlines()[-1] == "9 older ones: `executor list --all`"
    assert len(run("list", "--all")[1].splitlines()) == 29
    assert len(json.loads(run("list", "--json")[1])["parents"]) == 29


@pytest.mark.parametrize(
    ("outcome", "code", "text", "helps"),
    [
        (Outcome.CONFLICT, "OPPOSITE", "P7 works the other side of BTCUSDT", "cancel it, then submit again"),
        (Outcome.INVALID, "QTY_MIN", "quantity below the venue's minimum 0.001", "raise the quantity"),
        (Outcome.LOCKED, "DRAINING", "the daemon is shutting down", "start it again"),
    ],
)
def test_a_refused_order_says_what_is_wrong_and_what_helps(run, daemon: Daemon, outcome, code, text, helps):
    daemon.control.replies.append(reply(outcome, code=code, text=text))
    exit_code, _, err = run(*ORDER)
    assert exit_code == ExitCode.REFUSED
    assert err.startswith(f"{code} at executor submit: got {text}; allowed: ")
    assert helps in err


def test_the_help_of_qty_says_what_it_counts(run, daemon: Daemon):
    text = " ".join(run("submit", "--help")[1].split())
    for words in ("BTC of BTCUSDT", "number of contracts", "USD of BTCUSD"):
        assert words in text
