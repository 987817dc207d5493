"""Calibrations on the disk: whole or not at all, the newest kept, one in use by a person's word or near it."""

import json
from dataclasses import replace

import pytest

from executor.domain.errors import ConfigError
from executor.interfaces.kept_parameters import KeptParameters, read_kept
from impact.parameters import Estimate, ParameterVersion

MINUTE = 60_000_000_000
NAME = "bybit/linear/BTCUSDT"


def version(number=0, factor=0.9, **other):
    return ParameterVersion(
        **{
            "model": f"square-root:{factor}",
            "venue": "bybit",
            "category": "linear",
            "symbol": "BTCUSDT",
            "source": "trades",
            "from_ns": 1,
            "to_ns": 2,
            "made_ns": 1_700_000_000_000_000_000 + number * MINUTE,
            "orders": 100,
            "window": 100,
            "size_low": 1e-5,
            "size_high": 1e-2,
            "volatility_hourly_pct": 0.5,
            "volume_hourly_qty": 10.0,
            "estimates": (Estimate(name="factor", value=factor, standard_error=0.1, unit="x"),),
            **other,
        }
    )


@pytest.fixture
def kept(tmp_path):
    return KeptParameters(tmp_path / "impact")


def test_what_is_saved_is_listed_oldest_first(kept):
    made = [version(number) for number in (2, 0, 1)]
    for one in made:
        kept.save(one)
    assert [one.version for one in kept.listed()] == [made[1], made[2], made[0]]
    assert not any(one.in_use for one in kept.listed())
    path = kept.save(version(3))
    assert path.name == f"20231114T221620-{version(3).version_id}.json"
    assert read_kept(path) == version(3)


def test_nothing_is_kept_at_first(kept):
    assert kept.listed() == []
    assert kept.in_use(NAME) is None
    assert kept.model_in_use(NAME) is None


def test_the_oldest_go_but_never_what_is_in_use(kept):
    for number in range(3):
        kept.save(version(number))
    kept.use(version(0).version_id[:6], "me", 5)
    for number in range(3, 7):
        kept.save(version(number), kept_max=2)
    assert [one.version for one in kept.listed()] == [version(0), version(5), version(6)]
    assert [one.in_use for one in kept.listed()] == [True, False, False]
    assert kept.in_use(NAME) == version(0)
    assert kept.model_in_use(NAME).factor == 0.9


def test_instruments_are_apart(kept):
    other = version(1, symbol="ETHUSDT")
    kept.save(version())
    kept.save(other, kept_max=1)
    kept.use(other.version_id, "me", 5)
    assert len(kept.listed()) == 2
    assert kept.in_use(NAME) is None
    assert kept.in_use("bybit/linear/ETHUSDT") == other


def test_an_id_must_mean_one(kept):
    # Seventeen ids of hexadecimal digits: two begin alike.
    made = [version(number) for number in range(17)]
    for one in made:
        kept.save(one)
    firsts = [one.version_id[0] for one in made]
    twice = next(first for first in firsts if firsts.count(first) > 1)
    for wrong in ("", "zz", twice):
        with pytest.raises(ConfigError, match="id of one calibration"):
            kept.use(wrong, "me", 1)
    assert kept.use(made[0].version_id, "me", 1) == made[0]


def test_a_first_one_is_a_persons_to_choose(kept):
    kept.save(version())
    assert "nobody has chosen" in kept.use_within(version(), 10.0, 1)
    assert kept.in_use(NAME) is None


def test_small_steps_do_not_lead_away_from_what_a_person_chose(kept):
    """A fifth is allowed: each version is a tenth above the one before, so the third is too far."""
    steps = [version(number, 1.1**number) for number in range(4)]
    for one in steps:
        kept.save(one)
    kept.use(steps[0].version_id, "anna", 1)
    assert kept.use_within(steps[1], 0.2, 2) == ""
    assert kept.in_use(NAME) == steps[1]
    why = kept.use_within(steps[2], 0.2, 3)
    assert "anna chose: factor by 21%; 20% is allowed" in why
    assert kept.in_use(NAME) == steps[1]
    kept.use(steps[2].version_id, "anna", 4)
    assert kept.use_within(steps[3], 0.2, 5) == ""


def test_another_model_is_never_near(kept):
    kept.save(version())
    kept.use(version().version_id, "me", 1)
    other = version(1, model="kyle:factor=0.9")
    kept.save(other)
    assert "factor" in kept.use_within(other, 100.0, 2)


def test_a_file_that_was_changed_is_never_used(kept):
    path = kept.save(version())
    kept.use(version().version_id, "me", 1)
    told = json.loads(path.read_text())
    told["estimates"][0]["value"] = 0.1
    path.write_text(json.dumps(told))
    for look in (kept.listed, lambda: kept.in_use(NAME), lambda: kept.save(version(1))):
        with pytest.raises(ConfigError, match=r"changed after it was made"):
            look()


def test_a_model_by_which_a_round_trip_earns_is_never_used(kept):
    """Made by hand with a sound id: what it says is refused all the same."""
    bad = replace(version(), model="kyle:factor=1,exponent=0.5")
    with pytest.raises(ConfigError, match="round trip"):
        read_kept(kept.save(bad))


def test_what_is_in_use_and_gone_is_said(kept):
    path = kept.save(version())
    kept.use(version().version_id, "me", 1)
    path.unlink()
    with pytest.raises(ConfigError, match="is not there"):
        kept.in_use(NAME)
    kept.save(version(1))
    assert "not there any more" in kept.use_within(version(1), 1.0, 2)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 1, "chosen": 2, "by": 3}'])
def test_a_choice_that_cannot_be_read_is_no_choice(kept, text):
    path = kept.save(version())
    path.with_name("in_use.json").write_text(text)
    with pytest.raises(ConfigError, match="which calibration is in use"):
        kept.listed()


def test_a_link_is_not_followed(kept, tmp_path):
    path = kept.save(version())
    real = tmp_path / "elsewhere.json"
    path.rename(real)
    path.symlink_to(real)
    with pytest.raises(ConfigError):
        kept.listed()
    with pytest.raises(ConfigError, match="no such file"):
        read_kept(tmp_path / "none.json")
