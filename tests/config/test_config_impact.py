"""Settings of calibrations: nothing is due of itself, and what is due is of something."""

from decimal import Decimal
from pathlib import Path

import pytest
from config_files import load, only, problems_of

from config.impact import Apply, ImpactSource


def test_nothing_is_calibrated_unless_it_is_asked_for(tmp_path: Path):
    impact = load(tmp_path).impact
    assert (impact.calibrate_s, impact.instruments, impact.apply) == (0, (), Apply.PERSON)
    assert impact.drift_pct_max == Decimal(30)


def test_what_is_asked_for_is_read(tmp_path: Path):
    text = (
        '[impact]\ncalibrate_s = 86400\ninstruments = ["linear/BTCUSDT"]\nsource = "store"\napply = "auto"\n'
    )
    impact = load(tmp_path, text).impact
    assert (impact.instruments, impact.source, impact.apply) == (
        ("linear/BTCUSDT",),
        ImpactSource.STORE,
        Apply.AUTO,
    )


def test_a_calibration_of_nothing_is_a_contradiction(tmp_path: Path):
    problem = only(problems_of(tmp_path, "[impact]\ncalibrate_s = 600\n"))
    assert problem.code == "CONFIG_CONFLICT"
    assert "impact.instruments" in problem.where


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('instruments = ["BTCUSDT"]', "CONFIG_LIST"),
        ("calibrate_s = 5", "CONFIG_NUMBER"),
        ('apply = "never"', "CONFIG_CHOICE"),
        ('model = "magic"', "CONFIG_CHOICE"),
        ("drift_pct_max = 2000", "CONFIG_NUMBER"),
    ],
)
def test_what_means_nothing_is_refused(tmp_path: Path, line: str, code: str):
    assert only(problems_of(tmp_path, f"[impact]\n{line}\n")).code == code
