"""Parameters come out of orders with their errors, or not at all; what is kept reads back the same."""

import json
from dataclasses import replace

import pytest

from impact.calibration import KINDS, WINDOW_USUAL, calibrate
from impact.estimation.observed import Observed
from impact.models import read_model
from impact.parameters import Estimate, ParameterVersion, drift, read_version, written_version
from tests.impact.made_orders import (
    athl_orders,
    recovering,
    size_law_orders,
    slowly_decaying,
    wearing_orders,
)


def of(calibrated):
    return {one.name: (one.value, one.standard_error) for one in calibrated.estimates}


def near(found, name, true):
    value, error = found[name]
    return abs(value - true) < 4 * error and error < 0.5 * abs(value)


def test_every_kind_gives_a_model_that_can_be_read():
    flat = [replace(one, peak=one.paid) for one in athl_orders(1, 700, gamma=0.5, eta=0.8)[0]]
    law = size_law_orders(2, 1_200, participation=1.0)
    wearing = wearing_orders(3, recovering(200.0, 1.0, 3.0), 240)
    slow = wearing_orders(4, slowly_decaying(0.3, 0.4), 240)
    kinds = {
        "square-root": law,
        "power-law": law,
        "kyle": size_law_orders(12, 1_200, factor=20.0, exponent=1.0, participation=1.0),
        "almgren-chriss": flat,
        "athl": flat,
        "obizhaeva-wang": wearing,
        "propagator": slow,
    }
    assert set(kinds) == set(KINDS)
    for kind, orders in kinds.items():
        found = calibrate(kind, orders)
        assert read_model(found.model).name == found.model
        assert all(one.unit for one in found.estimates)
        assert len(found.orders) == min(len(orders), WINDOW_USUAL)


def test_the_newest_thousand_decide():
    old = size_law_orders(5, 1_000, factor=5.0, participation=1.0)
    new = [
        replace(one, ended_ns=one.ended_ns + 10**13) for one in size_law_orders(6, 1_000, participation=1.0)
    ]
    found = of(calibrate("square-root", [*new, *old]))
    assert near(found, "factor", 0.9)
    assert of(calibrate("square-root", [*new, *old], window=2_000))["factor"][0] > 1.5


def test_orders_that_share_their_noise_have_the_errors_of_their_blocks():
    """Each order three times over: as if there were three times as much to learn from; the blocks say otherwise."""
    few = size_law_orders(7, 600, participation=1.0)
    many = [replace(one, size=one.size * (1 + 1e-9 * copy)) for one in few for copy in range(3)]
    true_error = of(calibrate("square-root", few))["factor"][1]
    assert of(calibrate("square-root", many, window=10_000))["factor"][1] > 0.8 * true_error


def test_noise_is_no_model():
    silent = size_law_orders(8, 1_000, factor=0.0)
    for kind in ("square-root", "power-law", "kyle"):
        with pytest.raises(ValueError, match="told from noise"):
            calibrate(kind, silent)
    with pytest.raises(ValueError, match="no calibration of 'magic'"):
        calibrate("magic", silent)


def test_coefficients_by_which_a_price_would_come_to_meet_the_order_are_refused():
    helpful = athl_orders(9, 1_000, gamma=-2.0)[0]
    with pytest.raises(ValueError, match="gamma cannot be told from nothing"):
        calibrate("almgren-chriss", helpful)


def test_what_rests_on_one_day_is_refused():
    """All the impact lies in the last tenth: without it there is none."""
    silent = size_law_orders(10, 450, factor=0.0)
    loud = [
        Observed(ended_ns=10**13 + at, size=one.size, days=one.days, peak=50 * one.size**0.5 + one.peak)
        for at, one in enumerate(size_law_orders(11, 50, factor=0.0))
    ]
    with pytest.raises(ValueError, match="rests on one tenth"):
        calibrate("square-root", [*silent, *loud])


VERSION = ParameterVersion(
    model="square-root:0.9",
    venue="bybit",
    category="linear",
    symbol="BTCUSDT",
    source="trades",
    from_ns=1,
    to_ns=2,
    made_ns=3,
    orders=1_000,
    window=1_000,
    size_low=1e-5,
    size_high=1e-2,
    volatility_hourly_pct=0.5,
    volume_hourly_qty=1_000.0,
    estimates=(Estimate(name="factor", value=0.9, standard_error=0.1, unit="x"),),
)


def test_a_version_reads_back_and_its_id_is_what_it_says():
    text = written_version(VERSION)
    assert read_version(text) == VERSION
    assert json.loads(text)["id"] == VERSION.version_id
    assert VERSION.version_id != replace(VERSION, made_ns=4).version_id
    assert VERSION.instrument == "bybit/linear/BTCUSDT"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": "square-root:0.1"}, "changed after it was made"),
        ({"format": 2}, "format"),
        ({"orders": "many"}, "orders"),
        ({"orders": True}, "orders"),
        ({"further": 1}, "further"),
        ({"estimates": None}, "list"),
        ({"estimates": [1]}, "object"),
        ({"estimates": []}, "no calibration"),
        ({"estimates": [{"name": "factor", "value": "0.9", "standard_error": 0.1, "unit": "x"}]}, "value"),
        ({"estimates": [{"name": "factor"}]}, "missing"),
    ],
)
def test_a_file_that_is_not_what_was_written_is_refused(change, why):
    with pytest.raises(ValueError, match=why):
        read_version(json.dumps({**VERSION.as_record(), **change}))


@pytest.mark.parametrize("text", ["", "[]", "{", b"\xff", '{"format": NaN}'])
def test_what_is_no_version_at_all_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        read_version(text)


def test_drift_is_the_share_by_which_an_estimate_has_moved():
    def with_factor(value, model="square-root:1"):
        return replace(
            VERSION,
            model=model,
            estimates=(Estimate(name="factor", value=value, standard_error=0.1, unit="x"),),
        )

    assert drift(VERSION, with_factor(1.08)) == {"factor": pytest.approx(0.2)}
    assert drift(VERSION, VERSION) == {"factor": 0.0}
    assert drift(VERSION, with_factor(0.9, "kyle:factor=0.9")) == {"factor": float("inf")}
    assert drift(with_factor(0.0), VERSION) == {"factor": float("inf")}
    with pytest.raises(ValueError, match="different markets"):
        drift(VERSION, replace(VERSION, symbol="ETHUSDT"))


@pytest.mark.parametrize(("value", "error"), [(float("nan"), 0.1), (1.0, -0.1), (1.0, float("inf"))])
def test_what_is_no_estimate_is_refused(value, error):
    with pytest.raises(ValueError, match="no estimate"):
        Estimate(name="factor", value=value, standard_error=error, unit="x")
