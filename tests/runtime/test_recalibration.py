"""Calibrations beside the daemon: what is run, what is told of it, and that nothing of it can hurt."""

import asyncio
import sys
from pathlib import Path

import pytest

from config.impact import Apply, ImpactKind, ImpactSection, ImpactSource
from config.secrets import ADVISER_ENV, ENV_NAMES
from executor.app.recalibrating import Recalibration, recalibrations, without_keys
from executor.runtime.metrics import CalibrationOutcome
from impact.calibration import KINDS

MADE = '{"id": "abc", "model": "square-root:0.9", "in_use": %s, "not_used_because": ""}'


def python(code):
    return [sys.executable, "-I", "-S", "-c", code]


async def outcome(command, timeout_s=60.0):
    lines, counted = [], []
    watch = Recalibration(
        {"linear/BTCUSDT": command},
        3_600.0,
        lambda message, **fields: lines.append((message, fields)),
        counted.append,
        timeout_s,
    )
    found = await watch.calibrate("linear/BTCUSDT")
    assert counted == [found]
    ((message, fields),) = lines
    return found, message, fields


async def test_a_calibration_is_told_and_whether_it_is_in_use():
    for in_use, wanted in (("true", CalibrationOutcome.APPLIED), ("false", CalibrationOutcome.KEPT)):
        found, message, fields = await outcome(python(f"print('''{MADE % in_use}''')"))
        assert (found, message) == (wanted, "impact calibrated")
        assert (fields["version"], fields["instrument"]) == ("abc", "linear/BTCUSDT")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (python("import sys; sys.exit('too few orders')"), "too few orders"),
        (python("""print('{"error": ["too few"]}'); raise SystemExit(1)"""), "too few"),
        (python("print('no answer')"), "cannot be read"),
        (python("print('{}')"), "cannot be read"),
        (["/no/such/program"], "cannot be started"),
    ],
)
async def test_a_failure_is_an_error_in_the_log_and_no_end(command, said):
    found, message, fields = await outcome(command)
    assert found is CalibrationOutcome.FAILED
    assert "stays in use" in message
    assert fields["level"] == "error"
    assert said in fields["said"]


async def test_one_that_takes_too_long_is_ended():
    found, _, fields = await outcome(python("import threading; threading.Event().wait()"), 0.3)
    assert found is CalibrationOutcome.FAILED
    assert "more than 0.3 s" in fields["said"]


async def test_a_cancel_ends_the_process_too():
    task = asyncio.ensure_future(outcome(python("import threading; threading.Event().wait()")))
    for _ in range(50):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_no_key_goes_along():
    keys = {ADVISER_ENV: "x", **{name: "x" for pair in ENV_NAMES.values() for name in pair}}
    assert without_keys({**keys, "PATH": "/bin"}) == {"PATH": "/bin"}


def made(**settings):
    found = recalibrations(ImpactSection.model_construct(**settings), Path("/data"), print, print)
    return [one._commands for one in found]


def test_nothing_is_made_unless_it_is_asked_for():
    assert made() == []
    assert made(calibrate_s=600) == []
    assert made(instruments=("linear/BTCUSDT",)) == []


def test_the_command_is_what_the_settings_ask_for():
    (commands,) = made(
        calibrate_s=600,
        instruments=("linear/BTCUSDT", "spot/ETHUSDT"),
        model=ImpactKind.POWER_LAW,
        window=500,
        apply=Apply.AUTO,
    )
    words = commands["spot/ETHUSDT"]
    told = " ".join(words[words.index("impact") :])
    assert told == (
        "impact calibrate --json --model power-law --kept /data/impact --kept-max 20"
        " --from-journal /data/journal.db --window 500 --use-within-pct 30 --symbol ETHUSDT --category spot"
    )
    (found,) = made(
        calibrate_s=600,
        instruments=("linear/BTCUSDT",),
        source=ImpactSource.STORE,
        store_dir=Path("/market"),
    )
    stored = found["linear/BTCUSDT"]
    assert "--from-store --data /market" in " ".join(stored)
    assert "--use-within-pct" not in stored


def test_every_kind_of_the_settings_can_be_calibrated():
    assert {kind.value for kind in ImpactKind} == set(KINDS)
