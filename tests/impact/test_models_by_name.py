"""Models as people write them: read, written back, and refused with the form that is wanted."""

import re

import pytest

from impact.almgren_chriss import AlmgrenChriss
from impact.hybrid import FACTOR_MAX, FACTOR_MIN, Hybrid
from impact.kernel import ExponentialKernel, PowerKernel
from impact.kyle import Kyle
from impact.models import build_model, read_model
from impact.obizhaeva_wang import ObizhaevaWang
from impact.power_law import PowerLaw
from impact.propagator import Propagator
from impact.square_root import Y_USUAL, SquareRoot

READ = {
    "square-root": SquareRoot(Y_USUAL),
    "square-root:1.25": SquareRoot(1.25),
    "square-root:factor=1.25": SquareRoot(1.25),
    "athl": AlmgrenChriss(gamma=0.314, eta=0.142, beta=0.6),
    "almgren-chriss": AlmgrenChriss(),
    "almgren-chriss:gamma=0.1,eta=0.2": AlmgrenChriss(gamma=0.1, eta=0.2),
    "almgren-chriss:0.1,0.2,0.6,30": AlmgrenChriss(gamma=0.1, eta=0.2, beta=0.6, window_s=30.0),
    "power-law:0.9,0.6": PowerLaw(factor=0.9, delta=0.6),
    "kyle:factor=0.0000004": Kyle(factor=4e-7),
    "obizhaeva-wang:passing=1,half_life_s=300": ObizhaevaWang(passing=1.0, half_life_s=300.0),
    "obizhaeva-wang:1,300,0.2": ObizhaevaWang(passing=1.0, half_life_s=300.0, lasting=0.2),
    "propagator:factor=1,gamma=0.5,shift_s=60": Propagator(factor=1.0, kernel=PowerKernel(0.5, 60 / 86_400)),
    "propagator:factor=1,rho_per_day=24": Propagator(factor=1.0, kernel=ExponentialKernel(24.0)),
    "hybrid:factor=1.5,weight=0.5,of=kyle:1": Hybrid(model=Kyle(factor=1.0), factor=1.5, weight=0.5),
    "hybrid:0.5,1,of=hybrid:2,1,of=square-root": Hybrid(
        model=Hybrid(model=SquareRoot(), factor=2.0, weight=1.0), factor=0.5, weight=1.0
    ),
}


def test_none_is_no_model():
    assert read_model("none") is None


@pytest.mark.parametrize("text", READ)
def test_names_are_read_and_written_back(text):
    model = read_model(text)
    assert model == READ[text]
    assert read_model(model.name) == model
    assert not re.search(r"\de", model.name), "no exponent"


@pytest.mark.parametrize(
    "text",
    ["", "linear", "None", "square-root:", "square-root:0", "square-root:-1", "square-root:nan", "square-root:1e3",
     "square-root:11", "square-root:1:2", "square-root:1..2", "square-root:1,2", "square-root:factor=1,factor=1",
     "square-root:size=1", "athl:1", "power-law", "power-law:0.9", "power-law:0.9,1.5", "kyle", "kyle:0",
     "almgren-chriss:gamma=0,eta=0", "obizhaeva-wang:1", "obizhaeva-wang:1,0", "propagator:1", "propagator:1,0.5",
     "propagator:1,1.5,60", "propagator:factor=1,gamma=0.5,shift_s=60,rho_per_day=1", "hybrid", "hybrid:1.5,0.5",
     "kyle:2,86400", "almgren-chriss:gamma=1,window_s=0.000000000000000001", "propagator:1,0.5,10,86400",
     "hybrid:2,1,of=kyle:2,86400", "hybrid:1.5,of=athl", "hybrid:2.5,0.5,of=athl", "hybrid:1.5,1.5,of=athl",
     "hybrid:1.5,0.5,of=linear"],
)  # fmt: skip
def test_a_name_that_means_nothing_is_refused(text):
    with pytest.raises(ValueError, match="square-root:FACTOR"):
        read_model(text)


def test_parameters_of_a_calibration_are_named():
    assert build_model("square-root", {"factor": 0.8}) == SquareRoot(0.8)
    for kind, parameters, why in (
        ("linear", {}, "no model"),
        ("kyle", {}, "needs factor"),
        ("kyle", {"factor": 1.0, "weight": 1.0}, "no parameter weight"),
        ("kyle", {"factor": -1.0}, "above zero"),
        ("kyle", {"factor": float("nan")}, "above zero"),
    ):
        with pytest.raises(ValueError, match=why):
            build_model(kind, parameters)


def test_an_adviser_may_say_the_same_everywhere():
    from executor.advice.reply import IMPACT_ADJUSTMENT_MAX, IMPACT_ADJUSTMENT_MIN

    assert (float(IMPACT_ADJUSTMENT_MIN), float(IMPACT_ADJUSTMENT_MAX)) == (FACTOR_MIN, FACTOR_MAX)
