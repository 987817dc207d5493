"""Limits over the interface and on the command line: what holds is shown, tighter is handed on, all else is refused."""

import json
from decimal import Decimal

import pytest
from control_double import reply
from doors import Daemon, Door

from config.schema import LimitsSection
from executor.domain.commands import Outcome
from executor.domain.events import LimitTightened
from executor.domain.limits import Tightened, tightest
from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.limit_doors import limits_in_force

WISH = {"limit": "child_notional_max", "value": "5000", "operator": "ann", "reason": "quiet day"}
MADE = Tightened(
    limit="child_notional_max",
    value=Decimal(5000),
    before=Decimal(100_000),
    operator="ann",
    reason="<b>quiet</b> day",
    at_ns=1_800_000_000_000_000_000,
)


def tighten(control):
    control.state.tightened[MADE.limit] = MADE
    control.state.limits = tightest(control.state.limits, [MADE])


async def test_every_limit_is_shown_with_its_use_and_who_tightened_it(door: Door):
    tighten(door.control)
    status, answer = await door.get("/v1/limits")
    assert status == 200
    rows = {row["limit"]: row for row in answer["limits"]}
    assert list(rows) == list(LimitsSection.model_fields)
    child = rows["child_notional_max"]
    assert (child["value"], child["bound"], child["used"]) == ("5000", "at most", None)
    assert child["tightened"] == {
        "value": "5000",
        "before": "100000",
        "operator": "ann",
        "reason": "<b>quiet</b> day",
        "at": "2027-01-15T08:00:00.000Z",
    }
    assert rows["order_gap_s_min"]["bound"] == "at least"
    assert rows["symbol_net_notional_max"]["value"] is None
    assert (rows["orders_per_s_max"]["used"], rows["orders_per_s_max"]["share"]) == ("0", 0.0)
    assert [name for name, row in rows.items() if row["tightened"]] == ["child_notional_max"]


async def test_a_wish_reaches_the_engine_and_its_refusal_the_caller(door: Door):
    status, answer = await door.post("/v1/limits/tighten", WISH)
    assert (status, answer["outcome"]) == (200, "ACCEPTED")
    assert answer["limit"]["limit"] == "child_notional_max"
    (event,) = door.control.asked
    assert isinstance(event, LimitTightened)
    told = (event.limit, event.value, event.operator, event.reason)
    assert told == ("child_notional_max", Decimal(5000), "ann", "quiet day")
    text = "child_notional_max is 100000 (at most), and 200000 would loosen it"
    door.control.replies.append(reply(Outcome.INVALID, code="LIMIT_LOOSER", text=text))
    status, answer = await door.post("/v1/limits/tighten", WISH | {"value": "200000"})
    assert status == 422
    error = answer["error"]
    assert (error["code"], error["where"], error["got"]) == ("LIMIT_LOOSER", "/value", text)
    assert "--release-limits" in error["next"]


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        ({"limit": "child_notional"}, "ENUM", "/limit"),
        ({"limit": 5}, "ENUM", "/limit"),
        ({"value": 5000}, "LIMIT_FORM", "/value"),
        ({"value": "-1"}, "LIMIT_RANGE", "/value"),
        ({"value": "1e3"}, "LIMIT_RANGE", "/value"),
        ({"value": "0"}, "LIMIT_RANGE", "/value"),
        ({"value": "9999999999999"}, "LIMIT_RANGE", "/value"),
        ({"limit": "orders_per_s_max", "value": "1.5"}, "LIMIT_RANGE", "/value"),
        ({"reason": " "}, "REASON", "/reason"),
        ({"operator": "a\nb"}, "REASON", "/operator"),
        ({"why": "x"}, "FIELD", "/why"),
    ],
)
async def test_what_is_no_wish_is_refused_and_named(door: Door, change, code, where):
    status, answer = await door.post("/v1/limits/tighten", WISH | change)
    assert status == 422
    assert (answer["error"]["code"], answer["error"]["where"]) == (code, where)
    assert not door.control.asked


async def test_without_a_reason_or_for_those_who_only_look_nothing_is_done(door: Door):
    status, answer = await door.post("/v1/limits/tighten", {"limit": "day_loss_max", "value": "1"})
    assert (status, answer["error"]["where"]) == (422, "/reason")
    _, code = await door.post("/v1/board/codes", {"read_only": True})
    _, session = await door.post("/board/session", {"code": code["code"]})
    headers = {"Authorization": f"Bearer {session['token']}"}
    assert (await door.get("/v1/limits", **headers))[0] == 200
    assert (await door.post("/v1/limits/tighten", WISH, headers))[0] == 403
    assert not door.control.asked


def test_the_command_line_shows_and_tightens(daemon: Daemon, capsys):
    tighten(daemon.control)
    assert cli.main(["limits"]) == ExitCode.OK
    told = capsys.readouterr().out
    (line,) = [line for line in told.splitlines() if line.startswith("child_notional_max")]
    assert "at most" in line
    assert "from 100000 by ann" in line
    assert cli.main(["limits", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["limits"] == limits_in_force(daemon.control.state)
    words = ["limits", "tighten", "day_loss_max", "10", "--reason", "enough", "--operator", "ann"]
    assert cli.main(words) == ExitCode.OK
    assert capsys.readouterr().out == "ACCEPTED: accepted\n"
    (event,) = daemon.control.asked
    assert (event.limit, event.value, event.operator) == ("day_loss_max", Decimal(10), "ann")
    daemon.control.replies.append(reply(Outcome.INVALID, code="LIMIT_LOOSER", text="it would loosen it"))
    assert cli.main(words) == ExitCode.REFUSED
    assert "LIMIT_LOOSER at VALUE" in capsys.readouterr().err
    assert cli.main(words[:4]) == ExitCode.USAGE
    assert "--reason" in capsys.readouterr().err


def test_letting_go_wants_a_reason_before_anything_is_started(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path / "data"))
    assert cli.main(["run", "--release-limits", " "]) == ExitCode.USAGE
    assert "--release-limits" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
