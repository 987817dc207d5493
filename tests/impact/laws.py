"""Models of every kind, sound ones, and what they are tried on."""

from hypothesis import strategies as st

from impact.almgren_chriss import AlmgrenChriss
from impact.hybrid import Hybrid
from impact.kernel import ExponentialKernel, PowerKernel
from impact.kyle import Kyle
from impact.obizhaeva_wang import ObizhaevaWang
from impact.power_law import PowerLaw
from impact.propagator import Propagator
from impact.protocol import Execution, Pace
from impact.square_root import SquareRoot

NS_PER_MIN = 60_000_000_000
ONE_SIDED = (SquareRoot(), PowerLaw(factor=0.9, delta=0.6), PowerLaw(factor=1.0, delta=0.5))
TWO_SIDED = (
    AlmgrenChriss(),
    AlmgrenChriss(eta=0.142, beta=0.6),
    Kyle(factor=0.5),
    ObizhaevaWang(passing=1.0, half_life_s=300.0, lasting=0.2),
    Propagator(factor=0.3, kernel=PowerKernel(0.5, 10.0 / 86_400.0)),
    Propagator(factor=0.3, kernel=ExponentialKernel(288.0)),
    Hybrid(model=AlmgrenChriss(), factor=1.5, weight=0.5),
)
MODELS = (*ONE_SIDED, *TWO_SIDED)
UNSPLIT = tuple(one for one in MODELS if not isinstance(one, Kyle))
"""Models by which cutting an execution in two changes nothing: all but the auction, where each piece clears alone."""

PACES = st.builds(Pace, st.floats(0.01, 20), st.floats(1, 1e8))


def evenly(qty, minutes, sign=1, start_ns=0):
    """A slice a minute, each over its minute."""
    return [
        Execution(start_ns + number * NS_PER_MIN, sign * qty / minutes, NS_PER_MIN)
        for number in range(minutes)
    ]


@st.composite
def plans(draw):
    """Slices and blocks of one side, with gaps."""
    at_ns, found = 0, []
    for qty in draw(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12)):
        over_ns = draw(st.sampled_from((0, NS_PER_MIN, 3 * NS_PER_MIN)))
        found.append(Execution(at_ns, qty, over_ns))
        at_ns += over_ns + draw(st.sampled_from((0, NS_PER_MIN, 60 * NS_PER_MIN)))
    return found
