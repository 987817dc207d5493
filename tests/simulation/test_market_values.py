"""What assets are worth: paths that do not depend on who looks, with the moments they promise, and their news."""

from collections.abc import Callable
from itertools import pairwise
from math import sqrt

import pytest

from simulation.draws import Draws, spawn
from simulation.market.engine import Asset, SimulationEngine
from simulation.market.information import Board, Inbox, Listens, Source
from simulation.market.values import (
    ConstantValue,
    DividendValue,
    JumpingValue,
    MeanRevertingValue,
    RedrawnValue,
    Shock,
    ValuePath,
)
from simulation.present_value import Dividend
from tests.simulation.test_market_agents import StillView

S = 1_000_000_000
PATHS: list[Callable[[], ValuePath]] = [
    lambda: ConstantValue(100.0, (Shock(5 * S, 7.0), Shock(9 * S, -3.0))),
    lambda: MeanRevertingValue(100.0, S // 4, 0.1, 2.0, (Shock(30 * S, 50.0),)),
    lambda: JumpingValue(1_000.0, 3 * S, 10.0, published=True),
    lambda: RedrawnValue(100.0, 5.0, S),
    lambda: DividendValue(Dividend(base=1.4, variation=1.0), 0.5, 0.05, S, periods=15, redemption_px=28.0),
]


def started(path: ValuePath, number: int = 0) -> ValuePath:
    path.start(Draws(spawn(11, "value", number)))
    return path


@pytest.mark.parametrize("number", range(len(PATHS)))
def test_who_looks_and_when_changes_nothing(number: int) -> None:
    instants = [0, S, 3 * S + 1, 7 * S, 40 * S, 20 * S, 100 * S]
    one, other = started(PATHS[number]()), started(PATHS[number]())
    other.news(0, 60 * S)
    forwards = [one.at(at_ns) for at_ns in instants]
    backwards = [other.at(at_ns) for at_ns in reversed(instants)]
    assert forwards == backwards[::-1]
    assert one.news(0, 100 * S) == other.news(0, 50 * S) + other.news(50 * S, 100 * S)
    assert one.news(-1, 100 * S) == one.news(0, 100 * S), (
        "at the beginning nothing is news, whoever asks from before"
    )


def test_shocks_come_when_they_are_set() -> None:
    path = started(ConstantValue(100.0, (Shock(5 * S, 7.0), Shock(9 * S, -3.0)), published=True))
    assert [path.at(at_ns) for at_ns in (0, 5 * S - 1, 5 * S, 9 * S)] == [100.0, 100.0, 107.0, 104.0]
    assert path.news(0, 20 * S) == [(5 * S, 107.0), (9 * S, 104.0)]
    still = started(MeanRevertingValue(100.0, S, 0.5, 0.0, (Shock(3 * S, 20.0),)))
    assert [still.at(number * S) for number in range(6)] == [100.0, 100.0, 100.0, 120.0, 120.0, 120.0]


def test_mean_reversion_has_its_mean_and_variance() -> None:
    """Stationary variance of v += k (m - v) + s n is s^2 / (1 - (1 - k)^2)."""
    path = started(MeanRevertingValue(1_000.0, S, 0.2, 3.0))
    values = [path.at(number * S) - 1_000.0 for number in range(100, 12_000)]
    count, variance = len(values), 9.0 / (1.0 - 0.64)
    # Neighbors are alike: as many independent values as count x (1 - 0.8) / (1 + 0.8).
    error = sqrt(variance * 9.0 / count)
    assert abs(sum(values) / count) < 4 * error
    assert abs(sum(value * value for value in values) / count / variance - 1.0) < 0.12


def test_jumps_come_at_their_rate() -> None:
    path = started(JumpingValue(10_000.0, 2 * S, 5.0, published=True))
    news = path.news(0, 4_000 * S)
    assert abs(len(news) - 2_000) < 4 * sqrt(2_000)
    changes = [after - before for (_, before), (_, after) in pairwise(news)]
    assert abs(sum(change * change for change in changes) / len(changes) / 25.0 - 1.0) < 4 * sqrt(
        2 / len(changes)
    )
    assert started(JumpingValue(10_000.0, 2 * S, 5.0)).news(0, 4_000 * S) == []


def test_dividends_are_worth_their_present_value_and_are_paid() -> None:
    dividend = Dividend(base=1.4, variation=1.0)
    assert started(DividendValue(dividend, 0.5, 0.05, S)).at(7 * S) == pytest.approx(28.0)
    ends = started(DividendValue(dividend, 0.5, 0.05, S, periods=15))
    assert [ends.at(0), ends.at(7 * S), ends.at(14 * S)] == pytest.approx(
        [14.531521, 9.048498, 1.333333], abs=1e-6
    )

    class Holder:
        hears_fills = False

        def start(self, draws: Draws) -> int:
            return -1

        def on_wakeup(self, view: StillView) -> tuple[()]:
            return ()

    path = DividendValue(dividend, 0.5, 0.05, S, periods=4)
    engine = SimulationEngine(1, [Asset(28, path)], scale=100)
    engine.add_agent(Holder(), cash=1_000, positions_qty=[7])  # type: ignore[arg-type]
    engine.run(until_ns=9 * S)
    paid = [path.payment(number) for number in range(1, 5)]
    assert set(paid) <= {dividend.base + 1.0, dividend.base - 1.0}
    assert engine.exchange.house.cash[0] == 1_000 + sum(round(amount * 100) * 7 for amount in paid)
    assert engine.exchange.house.conserved()


@pytest.mark.parametrize("source", list(Source))
def test_an_inbox_tells_everything_once_whoever_asks_how_often(source: Source) -> None:
    def inbox() -> Inbox:
        board = Board()
        for number in range(1, 30):
            board.post(number * S // 2, number)
        path = started(JumpingValue(1_000.0, S, 5.0, published=True))
        listens = Listens(source=source, every_ns=S, delay_ns=2 * S, noise_ticks=1.0)
        return Inbox(
            listens=listens, path=path, board=board, draws=Draws(spawn(1, "signal", 0)), feed_ns=S // 2
        )

    often, seldom = inbox(), inbox()
    told = []
    for at_ns in range(0, 20 * S, S // 3):
        items = often.collect(at_ns)
        told += items
        assert all(item[0] <= at_ns - 3 * S // 2 for item in items), (
            "published, and as old as the delay wants"
        )
    assert told == seldom.collect(20 * S - S // 3)
    assert len(told) > 10


def test_what_is_indicated_later_in_the_same_instant_is_not_lost() -> None:
    board = Board()
    draws = Draws(spawn(1, "signal", 0))
    flow = Inbox(listens=Listens(source=Source.FLOW), path=PATHS[0](), board=board, draws=draws, feed_ns=0)
    board.post(5, 30)
    assert [(at_ns, said) for at_ns, _, _, said in flow.collect(5)] == [(5, 30.0)]
    board.post(5, -40)
    board.post(9, 7)
    assert [(at_ns, said) for at_ns, _, _, said in flow.collect(8)] == [(5, -40.0)]
    assert [(at_ns, said) for at_ns, _, _, said in flow.collect(9)] == [(9, 7.0)]


def test_news_wake_those_who_want_it() -> None:
    class Reader:
        hears_fills = False

        def start(self, draws: Draws) -> int:
            self.read: list[tuple[int, int, float]] = []
            return -1

        def on_wakeup(self, view: StillView) -> tuple[()]:
            self.read += [(view.now_ns, at_ns, said) for at_ns, _, _, said in view.told]
            return ()

    path = JumpingValue(1_000.0, 50 * S, 5.0, published=True)
    reader, regular = Reader(), Reader()
    engine = SimulationEngine(1, [Asset(1_000, path)])
    engine.add_agent(reader, listens=[Listens(source=Source.NEWS, delay_ns=3 * S, wakes=True)])  # type: ignore[arg-type]
    engine.add_agent(regular, listens=[Listens(source=Source.VALUE, every_ns=100 * S, wakes=True)])  # type: ignore[arg-type]
    engine.run(until_ns=1_000 * S)
    news = path.news(0, 997 * S)
    assert reader.read == [(at_ns + 3 * S, at_ns, said) for at_ns, said in news]
    assert len(news) > 8
    assert [now_ns for now_ns, *_ in regular.read[1:]] == [number * 100 * S for number in range(1, 11)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConstantValue(0.5),
        lambda: Shock(0, 5.0),
        lambda: ConstantValue(5.0, (Shock(2, 1.0), Shock(1, 1.0))),
        lambda: MeanRevertingValue(100.0, S, 1.5, 1.0),
        lambda: JumpingValue(100.0, 0, 1.0),
        lambda: JumpingValue(100.0, 1, float("nan")),
        lambda: RedrawnValue(100.0, -1.0, S),
        lambda: DividendValue(Dividend(base=1.0, variation=0.0), 0.5, 0.05, 0),
        lambda: Listens(source=Source.SIGNAL, noise_ticks=float("nan")),
    ],
)
def test_paths_that_make_no_sense_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        make()
