"""`executor doctor` looks at the model that is to be asked, over a real socket: what is wrong with it has a code."""

import asyncio
import json
import os
import sys
import threading
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from executor.adviser.preflight import CHECKS as MODEL_CHECKS
from executor.interfaces import cli
from executor.interfaces.doctor import CHECKS
from executor.interfaces.exit_codes import ExitCode
from executor.runtime.premises import CHECKS as PREMISES
from executor.venues.bybit.examination import CHECKS as VENUE_CHECKS
from sandbox.bybit_server import FlowSettings, SandboxOptions
from sandbox.llm_server import DEFAULT_API_KEY, LlmOptions, running_llm_server
from tests.sandbox.venue_support import venue_in_thread

ASKED = [name for name in MODEL_CHECKS if name != "model tape"]


@contextmanager
def model_in_thread():
    ready = threading.Event()
    box = {}

    async def work():
        async with running_llm_server(LlmOptions()) as server:
            box["server"], box["loop"], box["stop"] = server, asyncio.get_running_loop(), asyncio.Event()
            ready.set()
            await box["stop"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    try:
        assert ready.wait(10)
        yield box["server"]
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)
        thread.join(10)


@pytest.fixture
def model():
    with model_in_thread() as server:
        yield server


@pytest.fixture
def told(model, tmp_path: Path, monkeypatch, capsys):
    """What the doctor says of the model, with settings changed; the venue has no key and is not looked at."""
    for name in [name for name in os.environ if name.startswith(("EXECUTOR_", "BYBIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path))
    usual = {
        "EXECUTOR_ADVISER_API_KEY": DEFAULT_API_KEY,
        "EXECUTOR_ADVISER__ENABLED": "true",
        "EXECUTOR_ADVISER__BASE_URL": model.base_url,
        "EXECUTOR_ADVISER__MODEL": "sandbox-trader",
        "EXECUTOR_ADVISER__INPUT_PRICE": "0.15",
        "EXECUTOR_ADVISER__OUTPUT_PRICE": "0.6",
        "EXECUTOR_ADVISER__DEADLINE_S": "10",
    }

    def call(*words, profile="testnet", key=DEFAULT_API_KEY, **changes):
        named = {f"EXECUTOR_ADVISER__{name.upper()}": value for name, value in changes.items()}
        for name, value in (usual | {"EXECUTOR_ADVISER_API_KEY": key} | named).items():
            monkeypatch.setenv(name, value)
        code = cli.main(["doctor", "--profile", profile, "--json", *words])
        said = capsys.readouterr().out
        assert key not in said
        found = json.loads(said)["findings"]
        assert all(each["next"] for each in found if each["verdict"] != "ok")
        return code, {each["check"]: each for each in found}

    return call


def fault(server, rule):
    request = urllib.request.Request(
        f"{server.control_url}/_fault", data=json.dumps({"times": None, **rule}).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def codes(found):
    return {
        name: each["code"] for name, each in found.items() if name in MODEL_CHECKS and each["verdict"] != "ok"
    }


def test_a_healthy_model_is_looked_at_after_the_venue_and_is_code_0(told, monkeypatch):
    with venue_in_thread(SandboxOptions(flow=FlowSettings(frozen=True), address_requests_max=0)) as venue:
        monkeypatch.setenv("EXECUTOR_VENUE__REST_URL", venue.rest_url)
        monkeypatch.setenv("EXECUTOR_VENUE__PUBLIC_WS_URL", venue.ws_url)
        monkeypatch.setenv("EXECUTOR_VENUE__PRIVATE_WS_URL", venue.ws_url)
        monkeypatch.setenv("EXECUTOR_VENUE__ORDER_ENTRY", "websocket")
        code, found = told(profile="sandbox")
    assert (code, codes(found)) == (ExitCode.OK, {})
    assert list(found) == [*CHECKS, *PREMISES, *VENUE_CHECKS, *ASKED]
    assert "US dollars" in found["model cost"]["found"]


def test_without_a_key_of_the_venue_the_model_is_looked_at_all_the_same(told):
    code, found = told()
    assert code == ExitCode.UNHEALTHY
    assert found["key"]["code"] == "SECRET_MISSING"
    assert list(found)[-len(ASKED) :] == ASKED


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"base_url": "http://127.0.0.1:1/v1"}, {"model server": "MODEL_UNREACHABLE"}),
        ({"key": "sk-another-9Xq4Vw7Zt"}, {"model key": "MODEL_NOT_AUTHORISED"}),
        ({"model": "sandbox-prophet"}, {"model": "MODEL_UNKNOWN", "model reply": "MODEL_PROTOCOL"}),
        ({"parent_cost_max": "0.001"}, {"model prices": "CAP_BELOW_ONE_CALL"}),
        ({"input_price": "0", "output_price": "0"}, {}),
    ],
)
def test_what_is_wrong_with_the_settings(told, changes, expected):
    assert codes(told(**changes)[1]) == expected


def test_prices_of_nothing_are_said_even_where_they_are_right(told):
    _, found = told(input_price="0", output_price="0")
    assert "no cap on money can bind" in found["model prices"]["found"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"act": "other_model", "model": "sandbox-cheaper"}, {"model reply": "OTHER_MODEL"}),
        ({"act": "fences"}, {"model output": "MODEL_OUTPUT"}),
        ({"act": "usage", "kind": "missing"}, {"model cost": "NO_USAGE"}),
        ({"act": "status", "status": 529}, {"model reply": "MODEL_SERVER_ERROR"}),
    ],
)
def test_what_is_wrong_with_the_model(told, model, rule, expected):
    fault(model, rule)
    assert codes(told()[1]) == expected


def test_a_model_that_takes_more_than_half_of_its_deadline_is_slow(told, model):
    fault(model, {"act": "delay", "delay_ms": 600})
    assert codes(told(deadline_s="1")[1]) == {"model latency": "MODEL_SLOW"}


def test_a_wording_that_leaves_no_room_is_a_finding_and_nobody_is_asked(told, tmp_path):
    wording = tmp_path / "wording.txt"
    wording.write_text("x" * 30_000)
    code, found = told(template_file=str(wording))
    assert (code, codes(found)) == (ExitCode.UNHEALTHY, {"model wording": "TEMPLATE"})
    assert "adviser.prompt_bytes_max = 32768" in found["model wording"]["found"]
    assert "model server" not in found


def test_a_recording_is_looked_at_instead_and_nobody_is_asked(told, tmp_path):
    _, found = told(tape="replay")
    assert codes(found) == {"model tape": "TAPE"}
    assert str(tmp_path) in found["model tape"]["found"]
    assert not {"model server", "model reply"} & set(found)
