"""`executor doctor` against a local exchange: every check is told, a failure is code 10, nothing is changed."""

import json
import os
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from executor.domain.finding import FOUND_AT, Finding, Verdict
from executor.interfaces import cli
from executor.interfaces.cli_doctor import _line
from executor.interfaces.control_file import ControlFile, write_control_file
from executor.interfaces.doctor import CHECKS
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.pulse import why_silent
from executor.runtime.premises import CHECKS as PREMISES
from executor.venues.bybit.examination import CHECKS as VENUE_CHECKS
from executor.watch.halt_file import new_halt, write_halt
from executor.watch.heartbeat import DAEMON_NAME, SENTINEL_NAME, Heartbeat, HeartbeatFile, Life, this_boot
from sandbox.bybit_server import Credentials, FlowSettings, SandboxOptions
from tests.sandbox.venue_support import venue_in_thread

KEY = Credentials()


@pytest.fixture
def venue():
    with venue_in_thread(SandboxOptions(flow=FlowSettings(frozen=True), address_requests_max=0)) as server:
        yield server


@pytest.fixture
def data_dir(venue, tmp_path: Path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("EXECUTOR_", "BYBIT_"))]:
        monkeypatch.delenv(name)
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(data_dir))
    monkeypatch.setenv("EXECUTOR_VENUE__REST_URL", venue.rest_url)
    monkeypatch.setenv("EXECUTOR_VENUE__PUBLIC_WS_URL", venue.ws_url)
    monkeypatch.setenv("EXECUTOR_VENUE__PRIVATE_WS_URL", venue.ws_url)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return data_dir


@pytest.fixture
def doctor(data_dir, capsys):
    def call(*words):
        code = cli.main(["doctor", *words])
        said = capsys.readouterr()
        return code, said.out

    return call


def findings(out):
    return {each["check"]: each for each in json.loads(out)["findings"]}


def control(venue, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(venue.control_url + path, data=data, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())


def beat(data_dir):
    file = HeartbeatFile(data_dir / SENTINEL_NAME, boot_id=this_boot())
    file.write(Life.RUNNING)
    file.close()


def test_every_check_is_told_in_order_and_a_healthy_account_is_code_0(doctor, data_dir, venue, monkeypatch):
    beat(data_dir)
    monkeypatch.setenv("EXECUTOR_VENUE__ORDER_ENTRY", "websocket")
    code, out = doctor("--json")
    found = json.loads(out)
    assert (code, found["ok"]) == (ExitCode.OK, True), out
    assert [each["check"] for each in found["findings"]] == [*CHECKS, *PREMISES, *VENUE_CHECKS]
    assert {each["verdict"] for each in found["findings"]} <= {"ok", "warn"}
    sent = {
        entry["path"]
        for entry in control(venue, "GET", "/_wire")["requests"]
        if entry.get("method") == "POST"
    }
    assert sent == set(), "the doctor sends nothing that changes anything"
    assert sorted(each.name for each in data_dir.iterdir()) == [SENTINEL_NAME]


def test_for_people_it_is_one_line_each_and_a_sum(doctor, data_dir):
    code, out = doctor()
    lines = out.splitlines()
    assert code == ExitCode.OK
    assert all(line.startswith(("ok  ", "warn", "FAIL")) for line in lines[:-1])
    assert [
        line for line in lines if line.startswith("ok    sentinel") and "`executor run` starts one" in line
    ]
    assert lines[-1].endswith("0 failed")


@pytest.mark.parametrize(
    ("rights", "check", "code"),
    [
        ({"readOnly": True}, "key permissions", "KEY_READ_ONLY"),
        ({"permissions": {"Spot": ["SpotTrade"]}}, "key permissions", "KEY_NO_TRADE"),
    ],
)
def test_a_key_that_cannot_trade_fails(doctor, venue, rights, check, code):
    control(venue, "POST", "/_ex", {"do": "key", "key": KEY.key, **rights})
    exit_code, out = doctor("--json")
    assert (exit_code, findings(out)[check]["code"]) == (ExitCode.UNHEALTHY, code)


def test_a_refused_key_is_told_for_the_stream_too(doctor, venue):
    control(venue, "POST", "/_ex", {"do": "key", "key": KEY.key, "revoke": 10003})
    _, out = doctor("--json")
    found = findings(out)
    assert found["private stream"]["verdict"] == "FAIL"
    assert found["public stream"]["verdict"] == "ok"
    assert "10003" in found["key permissions"]["found"]
    assert found["balances"]["verdict"] == "FAIL"


def test_a_mistyped_symbol_names_the_nearest_and_is_looked_at_no_further(doctor):
    exit_code, out = doctor("--json", "--symbol", "BTCUSDTT")
    found = findings(out)
    assert exit_code == ExitCode.UNHEALTHY
    assert found["instrument"]["code"] == "NO_SUCH_SYMBOL"
    assert "BTCUSDT" in found["instrument"]["allowed"]
    assert "fees" not in found
    assert found["position mode"]["verdict"] == "ok"


def test_spot_has_no_position_mode(doctor):
    exit_code, out = doctor("--json", "--category", "spot")
    assert exit_code == ExitCode.OK
    assert "position mode" not in findings(out)


def test_a_venue_that_is_away_is_one_failure(doctor, monkeypatch):
    monkeypatch.setenv("EXECUTOR_VENUE__REST_URL", "http://127.0.0.1:1")
    exit_code, out = doctor("--json")
    failed = [each for each in json.loads(out)["findings"] if each["verdict"] == "FAIL"]
    assert exit_code == ExitCode.UNHEALTHY
    assert [each["code"] for each in failed] == ["UNREACHABLE"]


def test_a_clock_that_is_off_is_said(doctor, venue):
    control(venue, "POST", "/_ex", {"do": "clock", "offset_ms": 3_000})
    _, out = doctor("--json")
    found = findings(out)
    assert (found["clock"]["code"], found["balances"]["verdict"]) == ("CLOCK_OFFSET", "ok")


def test_the_position_mode_is_set_only_when_asked(doctor, venue):
    exit_code, out = doctor("--json", "--set-position-mode")
    assert exit_code == ExitCode.OK
    posts = [
        entry
        for entry in control(venue, "GET", "/_wire")["requests"]
        if entry["path"].endswith("switch-mode")
    ]
    assert len(posts) == 1
    assert "is switched" in json.loads(out)["findings"][len(CHECKS) + len(PREMISES)]["found"]


def test_a_latched_stop_a_dead_daemon_and_a_weak_token_are_told(doctor, data_dir):
    write_halt(data_dir, new_halt("2026-11-20T12:00:00Z", "ann", "looks wrong"))
    token = data_dir / "control.token"
    token.write_text("changeme")
    write_control_file(
        data_dir, ControlFile(url="http://127.0.0.1:1", pid=2**22 - 1, version="0", token_file=str(token))
    )
    exit_code, out = doctor("--json")
    found = findings(out)
    assert exit_code == ExitCode.UNHEALTHY
    assert (found["latch"]["code"], found["control token"]["code"]) == ("HALTED", "API_TOKEN_WEAK")
    assert "looks wrong" in found["latch"]["found"]
    assert found["daemon"]["code"] == "DAEMON_DIED"


@pytest.mark.parametrize(("age_s", "code"), [(1, "OK"), (20, "DAEMON_HUNG")])
def test_a_daemon_whose_process_is_there_and_whose_heart_does_not_beat_is_hung(doctor, data_dir, age_s, code):
    write_control_file(
        data_dir, ControlFile(url="http://127.0.0.1:1", pid=os.getpid(), version="0", token_file="t")
    )
    stamp_ns = time.monotonic_ns() - age_s * 1_000_000_000
    file = HeartbeatFile(data_dir / DAEMON_NAME, boot_id=this_boot(), mono_ns=lambda: stamp_ns)
    file.write(Life.RUNNING)
    file.close()
    exit_code, out = doctor("--json")
    found = findings(out)["daemon"]
    assert (found["code"], exit_code) == (code, ExitCode.OK if code == "OK" else ExitCode.UNHEALTHY)
    assert ("`executor kill`" in found["next"]) is (code != "OK")
    assert findings(out)["sentinel"]["code"] == "SENTINEL_SILENT", (
        "beside a daemon a missing sentinel is told"
    )


def test_without_a_key_this_machine_is_looked_at_all_the_same(data_dir, capsys):
    for name in ("REST_URL", "PUBLIC_WS_URL", "PRIVATE_WS_URL"):
        os.environ.pop(f"EXECUTOR_VENUE__{name}")
    exit_code = cli.main(["doctor", "--profile", "testnet", "--json"])
    found = findings(capsys.readouterr().out)
    assert exit_code == ExitCode.UNHEALTHY
    assert found["key"]["code"] == "SECRET_MISSING"
    assert set(found) == {*CHECKS, *PREMISES}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--category", "option"], "CATEGORY"),
        (["--symbol", "btcusdt"], "SYMBOL"),
        (["--symbol", "../x"], "SYMBOL"),
    ],
)
def test_mistyped_words(data_dir, capsys, words, code):
    assert cli.main(["doctor", *words]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith(code)


def test_when_a_sentinel_counts_as_silent():
    now_ns = time.monotonic_ns()
    beat = Heartbeat(
        boot_id="b", pid=1, start_id="s", count=1, mono_ns=now_ns, life=Life.RUNNING, detail="", facts={}
    )
    assert why_silent(beat, "b", now_ns) == ""
    assert why_silent(beat, "b", now_ns + 10_000_000_000) == ""
    assert "11 s" in why_silent(beat, "b", now_ns + 11_000_000_000)
    assert "since this machine started" in why_silent(beat, "c", now_ns)
    assert why_silent(None, "b", now_ns) == "never heard"


def test_a_long_finding_is_wrapped_for_readers_only(monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    finding = Finding(
        check="model reply",
        verdict=Verdict.FAIL,
        code="X",
        found="a b " * 40,
        allowed="c",
        next_step="d " * 60,
    )
    assert _line(finding, on_terminal=False) == finding.line()
    lines = _line(finding, on_terminal=True).split("\n")
    assert len(lines) > 3
    assert all(len(line) <= 90 for line in lines)
    assert all(line[:FOUND_AT].isspace() for line in lines[1:])
    assert lines[0].index("a b") == FOUND_AT
    assert " ".join(lines).split() == finding.line().split()
