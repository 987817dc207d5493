"""`executor basket`: every problem of every line at once, the same file never twice, and verbs for all of a basket."""

import json
import sys
from pathlib import Path

import pytest
from control_double import add_market, add_parent, reply
from doors import Daemon

from executor.domain.commands import Outcome
from executor.domain.events import BasketSteered, BasketSubmitted, BasketVerb
from executor.domain.orders import Side
from executor.engine.state import BasketState
from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.models import SubmitBody

HEAD = "symbol,side,qty,residual,duration"
TWO = f"{HEAD}\nBTCUSDT,buy,1,cross,2m\nETHUSDT,sell,4,leave,5m\n"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "basket.csv"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def call(*words: object) -> tuple[int, str, str]:
        code = cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def write(tmp_path: Path):
    def make(text: str | bytes, name: str = "pair.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


def accept(daemon: Daemon) -> None:
    state = daemon.control.state
    parent = add_parent(state, "P1")
    parent.basket_id = "B1"
    state.baskets["B1"] = BasketState(
        basket_id="B1", name="pair", idempotency_key="k", body_sha256="s", created_ns=1, parents=("P1",)
    )
    state.basket_keys["k"] = "B1"
    daemon.control.replies.append(reply(Outcome.ACCEPTED, parent_id="B1", code="ACCEPTED", text="accepted"))


def test_a_file_becomes_one_event_and_the_same_file_the_same_keys(run, write, daemon: Daemon):
    accept(daemon)
    file = write(TWO)
    code, out, err = run("basket", file)
    assert (code, out.splitlines()[0]) == (ExitCode.OK, "ACCEPTED B1: accepted")
    assert "[B1 pair]" in out
    assert "status --basket B1" in err
    run("basket", file)
    run("basket", write(TWO.replace("2m", "3m"), "other.csv"), "--name", "pair")
    run("basket", file, "--idempotency-key", "mine")
    first, again, other, named = daemon.control.asked
    assert isinstance(first, BasketSubmitted)
    assert [(each.symbol, each.side, str(each.order_qty)) for each in first.orders] == [
        ("BTCUSDT", Side.BUY, "1"),
        ("ETHUSDT", Side.SELL, "4"),
    ]
    keys = [each.idempotency_key for each in first.orders]
    assert len(set(keys)) == 2
    assert [each.idempotency_key for each in again.orders] == keys
    assert (again.idempotency_key, again.body_sha256) == (first.idempotency_key, first.body_sha256)
    assert not set(keys) & {each.idempotency_key for each in (*other.orders, *named.orders)}
    assert other.idempotency_key != first.idempotency_key
    assert named.idempotency_key == "mine"
    assert first.name == "pair"


def test_bounds_and_json(run, write, daemon: Daemon):
    accept(daemon)
    words = ("--gross-notional-max", "70000", "--net-notional-max", "50000.5", "--json")
    code, out, _ = run("basket", write(TWO), *words)
    assert (code, json.loads(out)["basket_id"]) == (ExitCode.OK, "B1")
    (event,) = daemon.control.asked
    assert (str(event.gross_notional_max), str(event.net_notional_max)) == ("70000", "50000.5")
    code, _, err = run("basket", write(TWO), "--net-notional-max", "-5")
    assert code == ExitCode.USAGE
    assert "MONEY_FORM at --net-notional-max" in err


def test_the_check_needs_no_daemon_and_sends_nothing(run, write):
    code, out, err = run("basket", EXAMPLE, "--check")
    assert (code, err) == (ExitCode.OK, "")
    assert "orders can be submitted; nothing was sent" in out
    code, out, _ = run("basket", write(TWO), "--check", "--json")
    assert json.loads(out)["symbols"] == [
        {"symbol": "BTCUSDT", "side": "buy", "qty": "1"},
        {"symbol": "ETHUSDT", "side": "sell", "qty": "4"},
    ]


def test_byte_order_mark_semicolons_remarks_and_line_ends_of_other_programs_are_read(run, write):
    text = "# two\r\n\r\n" + TWO.replace(",", ";").replace("\n", "\r\n") + ";;;;\r\n"
    code, out, _ = run("basket", write(b"\xef\xbb\xbf" + text.encode()), "--check")
    assert (code, out.splitlines()[0]) == (ExitCode.OK, "2 orders can be submitted; nothing was sent")


def test_every_problem_of_every_line_is_told_with_its_place(run, write, daemon: Daemon):
    file = write(
        "symbol,side,qty,residual,duration,reduce_only,randomize_size\n"
        'BTCUSDT,buy,"1,5",cross,2m,,\n'
        "# a remark counts as a line\n"
        "BTCUSDT,bye,1,cross,soon,,99\n"
        "BTCUSDT,sell,1\n"
        "ETHUSDT,buy,1,cross,,yes,\n"
        ",buy,1,cross,2m,,\n"
    )
    code, out, err = run("basket", file)
    assert (code, out) == (ExitCode.USAGE, "")
    places = [line.partition(": got ")[0].replace(str(file), "f") for line in err.splitlines()]
    assert places == [
        "QTY_FORM at f:2 column 3 (qty)",
        "ENUM at f:4 column 2 (side)",
        "TIME at f:4 column 5 (duration)",
        "NUMBER at f:4 column 7 (randomize_size)",
        "BASKET_FILE at f:5",
        "FIELD at f:6 column 6 (reduce_only)",
        "FIELD at f:7 column 1 (symbol)",
    ]
    assert all("next: " in line for line in err.splitlines())
    assert not daemon.control.asked


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TWO + "BTCUSDT,buy,1,cross,2m\n", "DUPLICATE at f:4: got the same order as at f:2"),
        (TWO + "ETHUSDT,buy,1,cross,2m\n", "OPPOSITE at f:4 column 2 (side): got the other side of ETHUSDT"),
        (TWO.replace("2m", ""), "FIELD at f:2 column 5 (duration) and f:2 (deadline): got neither"),
        ("", "f:1: got no header"),
        (HEAD, "f:1: got 0 orders"),
        (HEAD + "\n" + "BTCUSDT,buy,1,cross,2m\n" * 101, "f:1: got 101 orders"),
        (TWO.replace("qty", "quantity"), 'f:1 column 3: got the column "quantity"'),
        (TWO.replace("qty", "colour"), "allowed: an option of `executor submit`, with underscores"),
        (
            "symbol,side,qty,residual,duration,strategy\nBTCUSDT,buy,1,cross,2m,sniper\n",
            "sniper needs trigger_price, trigger_qty or both",
        ),
        (f"{HEAD},seed\nBTCUSDT,buy,1,cross,2m,{'1' * 5_000}\n", "NUMBER at f:2 column 6 (seed)"),
        (TWO.replace("duration", "qty"), "f:1 column 5: got the column qty again"),
        (HEAD.replace("side,", "") + "\nBTCUSDT,1,cross,2m\n", "f:1: got no column side"),
        (TWO.replace("leave", '"leave'), "f:3: got"),
        (TWO.encode("utf-16"), "f:1: got text in UTF-16"),
        (TWO.replace("ETH", "ÄTH").encode("latin-1"), "f:3: got bytes that are not UTF-8"),
    ],
)
def test_each_fault_of_a_file_has_its_words(run, write, text, told):
    file = write(text)
    code, _, err = run("basket", file, "--check")
    assert code == ExitCode.USAGE
    assert told in err.replace(str(file), "f")


def test_a_file_that_is_not_there_is_named(run, tmp_path: Path):
    code, _, err = run("basket", tmp_path / "none.csv", "--check")
    assert code == ExitCode.USAGE
    assert "none.csv" in err


def test_every_field_of_an_order_can_be_a_cell(run, write):
    cells = {
        "symbol": "BTCUSDT", "side": "buy", "qty": "1", "residual": "extend", "category": "linear",
        "start": "", "duration": "2m", "deadline": "", "extend": "1m", "limit_price": "50000",
        "decision_price": "50000", "urgency": "LOW", "strategy": "vwap", "interval": "20s", "passiveness": "0.5",
        "randomize_size": "10", "randomize_timing": "10", "catch_up": "true", "max_catch_up": "3",
        "reprice_ticks": "2", "reduce_only": "false", "position_idx": "0", "seed": "7", "advised": "false",
        "session_weights": '"asia=0.5,us=2"', "max_participation": "0.1",
    }  # fmt: skip
    header = list(SubmitBody.model_fields)
    line = ",".join(cells.get(name, "") for name in header)
    code, out, err = run("basket", write(f"{','.join(header)}\n{line}\n"), "--check")
    assert (code, err) == (ExitCode.OK, "")
    assert out.startswith("1 orders")


def test_verbs_and_status_reach_a_basket(run, daemon: Daemon):
    accept(daemon)
    for verb in BasketVerb:
        daemon.control.replies.append(reply(Outcome.ACCEPTED, parent_id="B1", code="X", text="done"))
        code, out, _ = run(verb.value, "--basket", "B1")
        assert (code, out.splitlines()[0][:8]) == (ExitCode.OK, "ACCEPTED")
    asked = daemon.control.asked
    assert all(isinstance(event, BasketSteered) and event.basket_id == "B1" for event in asked)
    assert [event.verb for event in asked] == list(BasketVerb)
    code, out, _ = run("status", "--basket", "B1")
    assert (code, out.splitlines()[0]) == (ExitCode.OK, "B1 pair: 1 EXECUTING")
    assert run("status", "--basket", "B2")[0] == ExitCode.REFUSED
    assert "[B1 pair]" in run("list")[1]
    assert run("cancel")[0] == run("cancel", "P1", "--basket", "B1")[0] == ExitCode.USAGE
    assert run("cancel", "--basket", "../x")[0] == ExitCode.USAGE


def test_what_the_daemon_says_of_an_order_is_told_with_its_line(run, write, daemon: Daemon):
    daemon.control.state.latched, daemon.control.state.latch_reason = True, "test"
    daemon.control.replies.append(reply(Outcome.LOCKED, code="HALTED", text="halted"))
    file = write(TWO)
    code, _, err = run("basket", file)
    assert code == ExitCode.HALTED
    places = [line.partition(": got ")[0].replace(str(file), "f") for line in err.splitlines()]
    assert places == ["HALTED at f:2", "HALTED at f:3"]


def test_a_limit_over_all_is_told_for_the_file(run, write, daemon: Daemon):
    add_market(daemon.control.state)
    daemon.control.replies.append(reply(Outcome.INVALID, code="JOINT_LIMITS", text="too much"))
    file = write(TWO)
    code, _, err = run("basket", file, "--gross-notional-max", "5")
    assert code == ExitCode.REFUSED
    assert err.startswith(f"JOINT_LIMITS at {file}: got open orders could come to 101 in quote units")


def test_an_answer_that_does_not_come_leaves_a_word_about_repeating(run, write, daemon: Daemon):
    daemon.control.replies.append(None)
    code, _, err = run("basket", write(TWO))
    assert code == ExitCode.REFUSED
    assert "that never makes a second order" in err


def test_a_check_says_that_the_orders_of_a_minute_are_too_few_for_all_of_them(run, write):
    lines = [f"{name}USDT,buy,1,cross,5m,{{}}\n" for name in ("BTC", "ETH", "SOL")]
    slow = write(f"{HEAD},interval\n" + "".join(line.format("60s") for line in lines), "slow.csv")
    code, _, err = run("basket", slow, "--check")
    assert (code, err) == (ExitCode.OK, "")
    fast = write(f"{HEAD},interval\n" + "".join(line.format("10s") for line in lines), "fast.csv")
    code, _, err = run("basket", fast, "--check")
    assert code == ExitCode.OK
    assert "orders_per_min_max: the plans come to about 36 orders a minute, and 20 may be sent" in err
    assert "36 orders" in json.loads(run("basket", fast, "--check", "--json")[1])["warning"]
