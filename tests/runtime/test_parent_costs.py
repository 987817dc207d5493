"""Cost figures are reckoned in turn: the one that waited longest first, the settled never again."""

from decimal import Decimal

from executor.domain.parent_state import ParentStatus
from executor.engine.state import EngineState
from executor.runtime import metrics
from executor.runtime.parent_costs import ParentCosts
from tests.runtime.telemetry_scene import NOW_NS, parent

D = Decimal


class Bench:
    """Three parents, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS
        self.state = EngineState(now_ns=NOW_NS, parents={f"p{number}": parent(number) for number in range(3)})
        self.costs = ParentCosts(lambda: self.state, lambda: self.now_ns)

    def turn(self) -> None:
        self.now_ns += 1_000_000_000
        self.costs.refresh(self.state.parents.values(), turn_s=0.0)

    def age_s(self, name: str) -> float | None:
        for metric, written in self.costs.lines(self.state.parents[name]):
            if metric is metrics.PARENT_FIGURES_AGE_SECONDS:
                return float(written.split()[-1])
        return None


def test_each_has_its_turn() -> None:
    bench = Bench()
    assert [bench.age_s(f"p{number}") for number in range(3)] == [None] * 3
    for _ in range(3):
        bench.turn()
    assert [bench.age_s(f"p{number}") for number in range(3)] == [2, 1, 0]
    bench.turn()
    assert [bench.age_s(f"p{number}") for number in range(3)] == [0, 2, 1]


def test_what_can_no_longer_change_is_reckoned_once_more_and_then_kept() -> None:
    bench = Bench()
    ended = bench.state.parents["p0"]
    bench.turn()
    ended.status, ended.finished_ns = ParentStatus.EXPIRED, NOW_NS
    for _ in range(3):
        bench.turn()
    assert bench.age_s("p0") is None, "settled"
    assert list(bench.costs.lines(ended)), "and still told"
    bench.turn()
    bench.turn()
    assert bench.age_s("p1") == 1
    assert bench.age_s("p2") == 0


def test_a_parent_that_waits_for_mark_outs_is_not_settled() -> None:
    bench = Bench()
    ended = bench.state.parents["p0"]
    ended.status, ended.finished_ns, ended.marks_pending = ParentStatus.EXPIRED, NOW_NS, 1
    bench.turn()
    assert bench.age_s("p0") == 0


def test_what_is_shown_no_more_is_forgotten() -> None:
    bench = Bench()
    bench.costs.refresh(bench.state.parents.values())
    gone = bench.state.parents["p1"]
    bench.costs.refresh([bench.state.parents["p0"]])
    assert not list(bench.costs.lines(gone))
