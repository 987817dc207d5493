"""How the displacement wears off after an even order: z^(1 - b) - (z - 1)^(1 - b)."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.decay import BETA_USUAL, relaxed
from impact.kernel import PowerKernel
from impact.power_law import PowerLaw
from impact.propagator import Propagator
from impact.protocol import NS_PER_DAY, Execution
from impact.square_root import SquareRoot
from impact.validator import UNIT_PACE

TABLE = {
    0.25: {1.5: 0.7608, 2: 0.68179, 5: 0.51527, 10: 0.42726, 100: 0.23747},
    0.22: {1.5: 0.78962, 2: 0.71713, 5: 0.56057, 10: 0.47539, 100: 0.28351},
}


@pytest.mark.parametrize("beta", TABLE)
def test_table_of_what_is_left(beta):
    for z, left in TABLE[beta].items():
        assert relaxed(z, beta) == pytest.approx(left, rel=1e-4)
    assert relaxed(1.0, beta) == 1.0
    assert relaxed(inf, beta) == 0.0


@given(st.floats(1, 1e12), st.floats(1, 1e12), st.floats(0.01, 0.99))
def test_it_falls(one, other, beta):
    low, high = sorted((one, other))
    assert 1 >= relaxed(low, beta) >= relaxed(high, beta) * (1 - 1e-9) >= 0


def test_it_is_what_a_propagator_leaves_of_an_even_order():
    model, done = Propagator(factor=1.0, kernel=PowerKernel(0.25)), [Execution(0, 1.0, NS_PER_DAY)]
    peak = model.remaining_bps(done, UNIT_PACE, NS_PER_DAY)
    for z in (1.5, 2, 5, 10):
        left = model.remaining_bps(done, UNIT_PACE, round(z * NS_PER_DAY))
        assert left / peak == pytest.approx(relaxed(z, 0.25), rel=1e-9)


@pytest.mark.parametrize("model", [SquareRoot(1.0), PowerLaw(factor=1.0, delta=0.6)])
def test_laws_of_size_wear_off_by_the_measured_exponent(model):
    done = [Execution(0, 0.5, NS_PER_DAY // 2), Execution(NS_PER_DAY // 2, 0.5, NS_PER_DAY // 2)]
    peak = model.along(done, UNIT_PACE)[-1].after_bps
    left = [model.remaining_bps(done, UNIT_PACE, days * NS_PER_DAY) for days in (1, 2, 10)]
    assert left == pytest.approx([peak, peak * relaxed(2, BETA_USUAL), peak * relaxed(10, BETA_USUAL)])
    assert all(later < one for one, later in pairwise(left))
    at_once = [Execution(0, 1.0)]
    assert model.remaining_bps(at_once, UNIT_PACE, 0) == pytest.approx(1.0)
    assert model.remaining_bps(at_once, UNIT_PACE, 1) == 0.0


def test_what_means_nothing_is_refused():
    for z, beta in ((0.5, 0.5), (float("nan"), 0.5), (2.0, 0.0), (2.0, 1.0)):
        with pytest.raises(ValueError, match="decay"):
            relaxed(z, beta)
