"""The market as a whole: the same every time, nothing seen too early, nobody hurt by another, nothing made or lost."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.agents.fast_taker import FastTaker, FastTakerParams
from simulation.agents.hawkes import HawkesFlow, HawkesParams
from simulation.agents.informed import InformedParams, InformedTrader
from simulation.agents.institution import Institution, InstitutionParams
from simulation.agents.market_maker import MarketMaker, MarketMakerParams
from simulation.agents.mean_reversion import MeanReverter, ReversionParams
from simulation.agents.momentum import MomentumParams, MomentumTrader
from simulation.agents.noise import NoiseParams, NoiseTrader
from simulation.agents.statistical_arbitrage import PairParams, StatisticalArbitrageur
from simulation.agents.trend_follower import TrendFollower, TrendParams
from simulation.agents.value import ValueInvestor, ValueParams
from simulation.book.book import BookTerms, OrderBook
from simulation.book.messages import ACCEPTED, CANCELED, FILL, ORDER_ID_RANGE, REJECTED
from simulation.book.native import NativeBook
from simulation.book.twin import TwinBook
from simulation.clearing.ledger import Kind, MemoryLedger, Transfer
from simulation.clearing.rules import ClearingRules, MarginTerms
from simulation.draws import Draws
from simulation.market.engine import Asset, Latency, SimulationEngine
from simulation.market.events import NONSENSE, RETIRED, Event
from simulation.market.information import Listens, Source
from simulation.market.protocol import NEVER, Agent, Intent, MarketView, cancel, limit, market, wake_at
from simulation.market.tape import Tape
from simulation.market.values import MeanRevertingValue
from tests.simulation.kept_events import MemorySink

ROOT = Path(__file__).resolve().parents[2]
MS = 1_000_000
S = 1_000_000_000
RICH = {"cash": 10**11, "positions_qty": (100_000, 100_000)}


def crowded(seed: int = 3, book: Callable[[], OrderBook] = TwinBook, **others: object) -> SimulationEngine:
    """Every agent there is, in two assets, at different distances."""
    values = [MeanRevertingValue(10_000.0, S // 10, 0.05, 20.0) for _ in range(2)]
    engine = SimulationEngine(
        seed,
        [Asset(10_000, value) for value in values],
        book=book,
        rules=ClearingRules(taker_fee_ppm=500, maker_fee_ppm=-100),
        **others,  # type: ignore[arg-type]
    )
    signals = [Listens(source=Source.SIGNAL, every_ns=S // 2, noise_ticks=5.0, delay_ns=MS)]
    value = [Listens(source=Source.VALUE, every_ns=S)]
    near, far = Latency(feed_ns=MS, order_ns=MS), Latency(feed_ns=20 * MS, order_ns=30 * MS, jitter_ns=5 * MS)
    for asset in (0, 1):
        for number in range(3):
            params = NoiseParams(mean_wait_ns=S // 10, orders_count=2, asset=asset)
            engine.add_agent(NoiseTrader(params), latency=far, **RICH)
            maker = MarketMakerParams(
                every_ns=S // 4, levels_count=3, base_spread_bps=20.0 + number, asset=asset
            )
            engine.add_agent(MarketMaker(maker), latency=near, **RICH)
    engine.add_agent(
        ValueInvestor(ValueParams(discount_bps=20, premium_bps=20, patience_ns=S, order_max_qty=20)),
        listens=value,
        **RICH,
    )
    engine.add_agent(MomentumTrader(MomentumParams(every_ns=S // 5, entry_bps=5, order_max_qty=9)), **RICH)
    engine.add_agent(TrendFollower(TrendParams(every_ns=S // 5, full_bps=20.0)), latency=near, **RICH)
    engine.add_agent(MeanReverter(ReversionParams(every_ns=S // 5, memory_count=20)), **RICH)
    engine.add_agent(
        StatisticalArbitrageur(PairParams(every_ns=S // 5, memory_count=20)), latency=near, **RICH
    )
    engine.add_agent(FastTaker(FastTakerParams(every_ns=20 * MS)), **RICH)
    engine.add_agent(InformedTrader(InformedParams(edge_bps=5.0)), listens=signals, latency=near, **RICH)
    engine.add_agent(HawkesFlow(HawkesParams(mean_wait_ns=S)), latency=far, **RICH)
    institution = InstitutionParams(
        side=-1, order_qty=200, begin_ns=S, duration_ns=5 * S, slices_count=20, patient=True
    )
    engine.add_agent(Institution(institution), latency=near, **RICH)
    return engine


def test_same_seed_same_events_on_either_book_in_one_go_or_many() -> None:
    ledgers = [MemoryLedger() for _ in range(3)]
    one = crowded(ledger=ledgers[0])
    summary = one.run(until_ns=8 * S)
    compiled = crowded(book=NativeBook, ledger=ledgers[1])
    assert compiled.run(until_ns=8 * S) == summary
    pieces = crowded(ledger=ledgers[2])
    for until_ns in (0, 1, S, 4_123_456_789, 8 * S):
        pieces.run(until_ns=until_ns)
    assert pieces.summary() == summary
    assert ledgers[0] == ledgers[1] == ledgers[2]
    assert [book.state_hash() for book in one.exchange.books] == [
        book.state_hash() for book in compiled.exchange.books
    ]
    assert summary.trades > 200
    assert one.exchange.house.breaches() == []
    assert crowded(seed=4).run(until_ns=8 * S).event_hash != summary.event_hash


def _pythons() -> list[str]:
    """Every other interpreter that is in reach and starts."""
    names = [f"python3.{minor}" for minor in range(11, 15)]
    places = [Path(folder) / name for folder in os.environ["PATH"].split(os.pathsep) for name in names]
    found = {}
    for path in filter(Path.is_file, places):
        if (
            path.name not in found
            and not subprocess.run([path, "--version"], capture_output=True, check=False).returncode
        ):
            found[path.name] = str(path)
    return list(found.values())


PLAIN_HASH = "0c36cb6737d230ae96636d6bdb391b3e1292c1d622ba82f6e15dcd4e351333a1"
PLAIN_RUN = """
import sys
at_start = set(sys.modules)
from simulation.agents.market_maker import MarketMaker, MarketMakerParams
from simulation.agents.noise import NoiseParams, NoiseTrader
from simulation.market.engine import Asset, SimulationEngine
engine = SimulationEngine(5, [Asset(10_000)])
for number in range(4):
    engine.add_agent(NoiseTrader(NoiseParams(orders_count=5)), cash=10**11, positions_qty=[10**5])
    engine.add_agent(MarketMaker(MarketMakerParams(levels_count=2)), cash=10**11, positions_qty=[10**5])
print(engine.run(steps=60).event_hash)
from simulation.agents import fast_taker, hawkes, informed, institution, kyle, mean_reversion, momentum, value
from simulation.agents import statistical_arbitrage, trend_follower
assert not {"numpy", "numba", "random", "time"} & (set(sys.modules) - at_start)
"""


def test_hash_seed_and_version_of_python_change_nothing() -> None:
    """The rooms of the market need the standard library alone, so that every interpreter on the machine can run it."""
    hashes = set()
    for python in [sys.executable, *_pythons()]:
        for hash_seed in ("0", "1") if python == sys.executable else ("2",):
            environment = {
                **os.environ,
                "PYTHONHASHSEED": hash_seed,
                "PYTHONPATH": str(ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            ran = subprocess.run(
                [python, "-c", PLAIN_RUN],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
                cwd=ROOT,
            )
            hashes.add(ran.stdout)
    assert hashes == {PLAIN_HASH + "\n"}, "a rule has changed: if on purpose, write the new hash down"


# ------------------------------------------------------------------ who sees what, and when


@dataclass
class Scripted:
    """Asks what a script says at each instant, and keeps what it saw."""

    script: dict[int, list[Intent]]
    hears_fills: bool = False
    seen: list[tuple[int, int, int]] = field(default_factory=list)
    fills: list[tuple[int, int]] = field(default_factory=list)
    told: list[tuple[int, float]] = field(default_factory=list)

    def start(self, draws: Draws) -> int:
        return min(self.script, default=NEVER)

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        self.seen.append((view.now_ns, view.bid(0), view.ask(0)))
        self.fills += [(view.now_ns, fill[6]) for fill in view.fills]
        self.told += [(view.now_ns, said) for _, _, _, said in view.told]
        later = [at_ns for at_ns in self.script if at_ns > view.now_ns]
        return [*self.script.get(view.now_ns, []), *([wake_at(min(later))] if later else [])]


def of_owner(sink: MemorySink, owner: int) -> list[Event]:
    return [event for event in sink.events() if event.owner == owner]


def test_what_is_seen_has_crossed_the_wire_and_so_has_what_is_asked() -> None:
    sink = MemorySink()
    engine = SimulationEngine(1, [Asset(100)], events=sink)
    mover = Scripted(
        {10 * MS: [limit(0, 1, 5, 90)], 20 * MS: [limit(0, 1, 5, 95)], 30 * MS: [limit(0, 1, 5, 97)]}
    )
    ticks = [13 * MS, 13 * MS + 900_000, 14 * MS, 23 * MS, 24 * MS, 33 * MS, 34 * MS]
    watcher = Scripted({at_ns: [limit(0, 1, 1, 50)] for at_ns in ticks})
    engine.add_agent(mover, cash=10**9)
    engine.add_agent(watcher, cash=10**9, latency=Latency(feed_ns=4 * MS, order_ns=7 * MS))
    engine.run(until_ns=S)
    assert [bid for _, bid, _ in watcher.seen] == [0, 0, 90, 90, 95, 95, 97]
    assert [event.at_ns for event in of_owner(sink, 1)] == [at_ns + 7 * MS for at_ns in ticks]


def test_a_fill_wakes_its_owner_when_the_news_has_arrived() -> None:
    engine = SimulationEngine(1, [Asset(100)])
    maker = Scripted({10 * MS: [limit(0, -1, 5, 101)]}, hears_fills=True)
    taker = Scripted({50 * MS: [market(0, 1, 2)], 60 * MS: [market(0, 1, 2)]})
    engine.add_agent(maker, cash=10**9, positions_qty=[10], latency=Latency(feed_ns=3 * MS, order_ns=MS))
    engine.add_agent(taker, cash=10**9, latency=Latency(order_ns=2 * MS))
    engine.run(until_ns=S)
    assert maker.fills == [(55 * MS, 52 * MS), (65 * MS, 62 * MS)]
    assert taker.fills == []


class Follower:
    """Bids one tick above whatever it sees bid, every microsecond."""

    hears_fills = False

    def start(self, draws: Draws) -> int:
        self.reactions: list[tuple[int, int]] = []
        return 1_000_000

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        bid = view.bid(0)
        wake = wake_at(view.now_ns + 100_000)
        if bid % 2 == 0 and bid and not view.in_flight:
            self.reactions.append((view.now_ns, bid))
            return [limit(0, 1, 1, bid + 1), wake]
        return [wake]


@given(st.integers(0, 3 * MS), st.integers(0, 3 * MS), st.integers(0, MS))
def test_no_order_acts_on_a_price_before_both_wires(feed_ns: int, order_ns: int, jitter_ns: int) -> None:
    sink = MemorySink()
    engine = SimulationEngine(1, [Asset(100)], events=sink)
    moves = {2 * MS: 50, 8 * MS: 60, 16 * MS: 70}
    engine.add_agent(Scripted({at_ns: [limit(0, 1, 1, px)] for at_ns, px in moves.items()}), cash=10**9)
    latency = Latency(feed_ns=feed_ns, order_ns=order_ns, jitter_ns=jitter_ns)
    engine.add_agent(Follower(), cash=10**9, latency=latency)
    engine.run(until_ns=30 * MS)
    placed = {event.px - 1: event.at_ns for event in of_owner(sink, 1) if event.kind == ACCEPTED}
    assert set(placed) == set(moves.values())
    for at_ns, px in moves.items():
        assert placed[px] >= at_ns + feed_ns + order_ns


def test_jitter_never_lets_messages_overtake() -> None:
    sink = MemorySink()
    engine = SimulationEngine(1, [Asset(100)], events=sink)
    script = {number * 10_000: [limit(0, 1, 1, number)] for number in range(1, 80)}
    engine.add_agent(Scripted(script), cash=10**9, latency=Latency(jitter_ns=MS))
    engine.run(until_ns=S)
    assert [event.px for event in of_owner(sink, 0)] == list(range(1, 80))


def test_the_view_shows_what_the_protocol_says_and_cannot_be_written_through() -> None:
    tried: list[str] = []

    class Curious:
        hears_fills = False

        def start(self, draws: Draws) -> int:
            return 1

        def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
            tried.extend(name for name in dir(view) if not name.startswith("_"))
            with pytest.raises(TypeError):
                view.open_orders[1] = (0, 1, 1, 1)  # type: ignore[index]
            assert view.cash == 700
            assert view.position_qty(0) == 3
            return ()

    engine = SimulationEngine(1, [Asset(100)])
    engine.add_agent(Curious(), cash=700, positions_qty=[3])
    engine.add_agent(Scripted({}), cash=10**9, positions_qty=[9])
    assert engine.run(until_ns=S).faults == ()
    shown = {name for name in vars(MarketView) if not name.startswith("_")}
    assert set(tried) == shown | {"asked_ns"}


def test_information_comes_at_its_time_and_not_before() -> None:
    path = MeanRevertingValue(1_000.0, MS, 0.0, 100.0)
    engine = SimulationEngine(1, [Asset(100, path)])
    every_ms = {number * MS: [] for number in range(1, 61)}
    insider, late, noisy = Scripted(dict(every_ms)), Scripted(dict(every_ms)), Scripted(dict(every_ms))
    far = Latency(feed_ns=3 * MS)
    engine.add_agent(insider, listens=[Listens(source=Source.VALUE, every_ns=10 * MS)])
    engine.add_agent(
        late, listens=[Listens(source=Source.VALUE, every_ns=10 * MS, delay_ns=7 * MS)], latency=far
    )
    engine.add_agent(
        noisy, listens=[Listens(source=Source.SIGNAL, every_ns=10 * MS, noise_ticks=1.0)], latency=far
    )
    engine.run(until_ns=60 * MS)
    values = [path.at(number * 10 * MS) for number in range(7)]
    assert insider.told == [(max(MS, number * 10 * MS), values[number]) for number in range(7)]
    assert late.told == [(max(7 * MS, number * 10 * MS + 7 * MS), values[number]) for number in range(6)]
    assert [at_ns for at_ns, _ in noisy.told] == [number * 10 * MS + 3 * MS for number in range(6)]
    errors = [said - value for (_, said), value in zip(noisy.told, values, strict=False)]
    assert 0.0 < max(map(abs, errors)) < 4.0


# ------------------------------------------------------------------ who lies, dies or floods


def test_everybody_trades_and_the_institution_ends_its_order() -> None:
    sink = MemorySink()
    engine = crowded(events=sink, book=NativeBook)
    engine.run(until_ns=40 * S)
    parties = Counter(
        who for event in sink.events() if event.kind == FILL for who in (event.owner, event.maker_owner)
    )
    assert set(parties) == set(range(len(engine.names)))
    assert engine.names[-1] == "Institution"
    assert engine.exchange.house.shares[0][len(engine.names) - 1] == 100_000 - 200
    assert engine.exchange.house.breaches() == []


class Failing:
    """Trades, then fails."""

    hears_fills = True

    def start(self, draws: Draws) -> int:
        return MS

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        if view.now_ns > 100 * MS:
            raise RuntimeError("division of the spoils by zero")
        return [limit(0, 1, 1, 50), limit(0, 1, 1, 51), wake_at(200 * MS)]


def test_an_agent_that_fails_is_retired_and_its_orders_are_canceled() -> None:
    sink = MemorySink()
    engine = SimulationEngine(1, [Asset(100)], events=sink)
    engine.add_agent(Failing(), cash=10**9)
    engine.add_agent(
        Scripted({300 * MS: [limit(0, 1, 1, 60), market(0, -1, 1)]}), cash=10**9, positions_qty=[5]
    )
    summary = engine.run(until_ns=S)
    (fault,) = summary.faults
    assert (fault.participant, fault.at_ns, fault.text) == (
        0,
        200 * MS,
        "RuntimeError: division of the spoils by zero",
    )
    kinds = [(event.kind, event.order_id) for event in of_owner(sink, 0)]
    assert kinds == [(ACCEPTED, 1), (ACCEPTED, 2), (RETIRED, 0), (CANCELED, 1), (CANCELED, 2)]
    assert engine.exchange.house.breaches() == []
    assert len(of_owner(sink, 1)) >= 2, "the market went on"


@pytest.mark.parametrize("first_ns", [-5, 1.5, None, "now"])
def test_an_agent_that_cannot_even_begin_is_retired(first_ns: object) -> None:
    class Stillborn:
        hears_fills = False

        def start(self, draws: Draws) -> object:
            return first_ns or draws.nothing  # type: ignore[attr-defined]

        def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
            return ()

    events, engine = neighbors(Stillborn())  # type: ignore[arg-type]
    assert [fault.participant for fault in engine.summary().faults] == [3]
    assert len(events) > 100


class Weird:
    """Answers with anything, one thing after the other."""

    hears_fills = False

    def __init__(self, answers: list[object]) -> None:
        self.answers = list(answers)

    def start(self, draws: Draws) -> int:
        return MS

    def on_wakeup(self, view: MarketView) -> object:
        answer = self.answers.pop(0) if self.answers else ()
        again = wake_at(view.now_ns + 10 * MS)
        return [*answer, again] if isinstance(answer, list) else (answer or (again,))


HUGE = 10**30
NONSENSES: list[object] = [
    [None], [()], [(1, 2)], ["limitup"], [3.5], [{}], [(1, 0, 1, 5, float("nan"), 0, 0)], [(1, 0, 1, 5.0, 90, 0, 0)],
    [(1, 0, 1.0, 5, 90, 0, 0)], [(1, 0, "1", 5, 90, 0, 0)], [(1, -1, 1, 5, 90, 0, 0)], [(1, 7, 1, 5, 90, 0, 0)],
    [(1, 0, 3, 5, 90, 0, 0)], [(1, 0, 1, -5, 90, 0, 0)], [(1, 0, 1, HUGE, 90, 0, 0)], [(1, 0, -1, 1, HUGE, 0, 0)],
    [(1, 0, 1, 5, 90, 99, 0)], [(1, 0, 1, 5, 90, 0, HUGE)], [(99, 0, 1, 5, 90, 0, 0)], [(2, 0, 0, 5, 0, 0, 0)],
    [cancel(1)], [cancel(10**9)], [(5, 0, 1, 5, 0, 0, 0)], [(4, 0, 0, 5, 90, 0, 1)], [(7, 0, 0, 0, 0, 0, 5)],
    [(8, 0, 0, 5, 0, 0, 0)], [(1, 0, 1, [], 90, 0, 0)], [(None,) * 7], [limit(0, 1, 5, 90, 0, 0)] * 5_000,
]  # fmt: skip


def neighbors(stranger: Agent) -> tuple[list[Event], SimulationEngine]:
    """A small market with a stranger in the last seat: everything that happened to the others."""
    sink = MemorySink()
    engine = SimulationEngine(9, [Asset(10_000)], events=sink)
    for _ in range(3):
        engine.add_agent(NoiseTrader(NoiseParams(mean_wait_ns=20 * MS)), cash=10**10, positions_qty=[10**4])
    engine.add_agent(stranger, cash=0)
    engine.run(until_ns=S)
    return [event for event in sink.events() if event.owner != 3], engine


def test_nonsense_hurts_nobody_and_is_counted() -> None:
    def plain(events: list[Event]) -> list[tuple[int, ...]]:
        # The numbers of orders are the market's and go on with every order that somebody sends.
        return [(e.at_ns, e.kind, e.reason, e.side, e.owner, e.px, e.qty, e.maker_owner) for e in events]

    undisturbed, _ = neighbors(Scripted({}))
    disturbed, engine = neighbors(Weird(NONSENSES))  # type: ignore[arg-type]
    assert plain(disturbed) == plain(undisturbed)
    assert len(undisturbed) > 100
    assert engine.summary().faults == ()
    single = [answer for answer in NONSENSES if len(answer) == 1]  # type: ignore[arg-type]
    assert engine.exchange.refused[3] == len(single) + 1_000 + 1, (
        "each, those of the flood that came through, the rest"
    )
    assert engine.exchange.house.breaches() == []
    assert sum(count for (kind, _), count in engine.exchange.refusals.items() if kind == NONSENSE) > 15


class Booby:
    """A number whose arithmetic fails, with an error that nobody expects."""

    def __ror__(self, other: object) -> int:
        raise RuntimeError("never or me")

    def __or__(self, other: object) -> int:
        raise RuntimeError("never or me")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("never compare me")

    __hash__ = None  # type: ignore[assignment]


class Elementwise:
    """A number as arrays are some: every operation gives another of its kind, which is true and has no hash."""

    __hash__ = None  # type: ignore[assignment]

    def _same(self, other: object) -> "Elementwise":
        return self

    __or__ = __ror__ = __and__ = __rand__ = __rshift__ = __lt__ = _same
    __eq__ = _same  # type: ignore[assignment]


def test_numbers_that_are_code_hurt_nobody() -> None:
    undisturbed, _ = neighbors(Scripted({}))
    answers = [[(1, 0, 1, 5, 90, 0, Booby())], [(3, 0, 0, 0, 0, 0, Elementwise())]]
    disturbed, engine = neighbors(Weird(answers))  # type: ignore[arg-type]
    assert disturbed == undisturbed
    assert (engine.exchange.refused[3], engine.summary().faults) == (2, ())
    disturbed, engine = neighbors(Weird([((Booby(), 0, 0, 0, 0, 0, 0),)]))  # type: ignore[arg-type]
    assert disturbed == undisturbed
    assert [fault.text for fault in engine.summary().faults] == ["RuntimeError: never compare me"]


def test_what_is_on_its_way_is_out_of_the_agents_hands() -> None:
    """Who writes into the list that it returned does not change what it sent: that would be to act on later prices."""

    class Rewriter:
        hears_fills = False

        def start(self, draws: Draws) -> int:
            self.sent: list[Intent] = []
            return MS

        def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
            if not view.told:
                return ()
            self.sent[:] = [limit(0, 1, 1, 90 + len(self.sent))]
            return self.sent

    sink, rewriter = MemorySink(), Rewriter()
    engine = SimulationEngine(1, [Asset(100)], events=sink)
    engine.add_agent(
        rewriter,
        cash=10**6,
        latency=Latency(order_ns=50 * MS),
        listens=[Listens(source=Source.VALUE, every_ns=10 * MS, wakes=True)],
    )
    engine.run(until_ns=85 * MS)
    assert [event.px for event in of_owner(sink, 0)] == [90, 91, 91, 91]
    assert rewriter.sent is not None


@pytest.mark.parametrize("answer", [42, "buy", None, {1: 2}, object(), iter(())])
def test_an_answer_that_is_no_list_is_refused_or_empty(answer: object) -> None:
    _, engine = neighbors(Weird([answer]))  # type: ignore[arg-type]
    assert engine.exchange.refused[3] == (0 if answer is None else 1)
    assert engine.summary().faults == ()


@pytest.mark.parametrize("clock_ns", [-5, 0, MS, 1.5, "soon", None])
def test_nobody_stops_time(clock_ns: object) -> None:
    class Eager:
        hears_fills = False
        looks = 0

        def start(self, draws: Draws) -> int:
            return MS

        def on_wakeup(self, view: MarketView) -> Sequence[object]:
            self.looks += 1
            again = clock_ns if self.looks % 2 else view.now_ns + 1
            return [(7, 0, 0, 0, 0, 0, again)]

    eager = Eager()
    engine = SimulationEngine(1, [Asset(100)], look_gap_ns=1_000)
    engine.add_agent(eager)  # type: ignore[arg-type]
    engine.run(until_ns=2 * MS)
    assert eager.looks <= 1_001


# ------------------------------------------------------------------ accounts


@given(st.integers(0, 2**64 - 1), st.integers(0, 3_000), st.integers(-500, 3_000))
def test_nothing_is_made_or_lost(seed: int, taker_ppm: int, maker_ppm: int) -> None:
    rules = ClearingRules(taker_fee_ppm=taker_ppm, maker_fee_ppm=max(-taker_ppm, maker_ppm))
    engine = SimulationEngine(seed, [Asset(100), Asset(50)], rules=rules, scale=7)
    for number in range(4):
        params = NoiseParams(mean_wait_ns=S // 20, orders_count=3, reach_ticks=5, asset=number % 2)
        engine.add_agent(NoiseTrader(params), cash=20_000, positions_qty=[30, 30])
    for asset in (0, 1):
        engine.add_agent(
            MarketMaker(MarketMakerParams(base_spread_bps=300.0, asset=asset)),
            cash=50_000,
            positions_qty=[50, 50],
        )
    engine.run(steps=3)
    house = engine.exchange.house
    assert house.breaches() == []
    assert all(
        len(orders) == len(house.open_orders(who)) for who, orders in enumerate(engine.exchange.open_orders)
    )
    assert sum(house.shares[0][:6]) == 4 * 30 + 2 * 50


def test_an_account_on_margin_is_liquidated_by_the_market() -> None:
    engine = SimulationEngine(
        1, [Asset(100)], scale=1, rules=ClearingRules(lendable_lots=(1_000,)), margin_ns=10 * MS
    )
    gambler = Scripted({MS: [market(0, 1, 100), limit(0, 1, 1, 10)]})
    quotes = {1_000: [limit(0, -1, 100, 100), limit(0, 1, 500, 69)], 200 * MS: [limit(0, -1, 5, 71)]}
    engine.add_agent(gambler, cash=4_000, terms=MarginTerms(initial_bps=2_500, maintenance_bps=2_000))
    engine.add_agent(Scripted(quotes), cash=10**6, positions_qty=[1_000])
    engine.run(until_ns=150 * MS)
    house = engine.exchange.house
    assert house.shares[0][0] == 100
    engine.run(until_ns=S)
    assert house.shares[0][0] < 60
    assert not house.below_maintenance(0)
    assert engine.exchange.open_orders[0] == {}, "its own orders were taken back first"
    assert house.breaches() == []


def test_the_debt_of_a_ruined_account_is_borne_by_the_house() -> None:
    ledger = MemoryLedger()
    engine = SimulationEngine(1, [Asset(100)], scale=1, ledger=ledger, margin_ns=10 * MS)
    gambler = Scripted({MS: [limit(0, 1, 100, 100)]})
    makers = {1_000: [limit(0, -1, 100, 100), limit(0, 1, 70, 60)], 200 * MS: [limit(0, 1, 90, 60)]}
    engine.add_agent(gambler, cash=2_500, terms=MarginTerms(initial_bps=2_500, maintenance_bps=2_000))
    engine.add_agent(Scripted(makers), cash=10**6, positions_qty=[1_000])
    engine.add_agent(Scripted({100 * MS: [limit(0, -1, 10, 62)]}), cash=10**6, positions_qty=[100])
    engine.run(until_ns=199 * MS)
    house = engine.exchange.house
    assert (house.cash[0], house.shares[0][0]) == (2_500 - 10_000 + 70 * 60, 30), (
        "who holds may still recover"
    )
    engine.run(until_ns=S)
    debt = 10_000 - 100 * 60 - 2_500
    assert (house.cash[0], house.shares[0][0], house.cash[house.numbers.house]) == (0, 0, -debt)
    written = [row for row in map(Transfer._make, ledger.transfers) if row.kind == Kind.WRITE_OFF]
    assert [(row.source, row.target, row.amount) for row in written] == [(house.numbers.house, 0, debt)]
    assert house.breaches() == []


def test_a_liquidation_that_the_book_rejects_leaves_nothing_behind() -> None:
    engine = SimulationEngine(
        1, [Asset(100)], scale=1, margin_ns=10 * MS, book=lambda: TwinBook(BookTerms(ids_max=5))
    )
    gambler = Scripted({MS: [limit(0, 1, 100, 100)]})
    makers = {1_000: [limit(0, -1, 100, 100), limit(0, 1, 70, 60)]}
    engine.add_agent(gambler, cash=2_500, terms=MarginTerms(initial_bps=2_500, maintenance_bps=2_000))
    engine.add_agent(Scripted(makers), cash=10**6, positions_qty=[1_000])
    engine.add_agent(Scripted({11 * MS: [limit(0, -1, 10, 62)]}), cash=10**6, positions_qty=[100])
    engine.run(until_ns=45 * MS)
    house = engine.exchange.house
    assert house.below_maintenance(0)
    assert engine.exchange.refusals[REJECTED, ORDER_ID_RANGE] == 3, "it is tried again each time"
    assert (house.open_orders(0), engine.exchange.open_orders[0]) == ([], {})
    assert house.breaches() == []


def test_performance_is_measured_from_equity_and_fills() -> None:
    ledger = MemoryLedger()
    engine = SimulationEngine(1, [Asset(100)], scale=1, ledger=ledger, sample_ns=100 * MS)
    quotes = {1_000: [limit(0, 1, 99, 99), limit(0, -1, 99, 101)]}
    engine.add_agent(Scripted(quotes), cash=10**6, positions_qty=[1_000])
    engine.add_agent(Scripted({50 * MS: [market(0, 1, 10)], 550 * MS: [market(0, -1, 10)]}), cash=10_000)
    engine.run(until_ns=S)
    measured = engine.performance_metrics(1)
    assert measured.total_return == pytest.approx(-20 / 10_000)
    assert (measured.fills, measured.inventory_max, measured.inventory_last) == (2, 10.0, 0.0)
    with pytest.raises(ValueError, match="sample_ns"):
        SimulationEngine(1, [Asset(100)]).performance_metrics(0)


# ------------------------------------------------------------------ records and rules of use


def test_the_hash_is_that_of_the_rows_and_the_tape_agrees_with_them() -> None:
    sink, tape = MemorySink(), Tape(2)
    engine = crowded(events=sink, tape=tape)
    summary = engine.run(until_ns=4 * S)
    assert sha256(b"".join(sink.blocks)).hexdigest() == summary.event_hash
    assert engine.log.count == len(sink.events())
    for asset in (0, 1):
        fills = [event for event in sink.events() if event.kind == FILL and event.asset == asset]
        columns = tape.assets[asset]
        assert list(
            zip(columns.trade_ns, columns.trade_px, columns.trade_qty, columns.trade_sign, strict=True)
        ) == [(event.at_ns, event.px, event.qty, event.side) for event in fills]
        assert all(bid < ask for bid, ask in zip(columns.bid_px, columns.ask_px, strict=True))
        assert columns.quote_ns == sorted(columns.quote_ns)
        assert sum(columns.trade_qty) == engine.exchange.volumes_qty[asset]
    assert crowded().run(until_ns=4 * S).event_hash == summary.event_hash, "to look changes nothing"


def test_outside_orders_and_worldly_actions() -> None:
    engine = SimulationEngine(1, [Asset(100)])
    guest = engine.add_agent(Scripted({}), cash=10**6, positions_qty=[5])
    seen: list[int] = []
    engine.at(5 * MS, lambda at_ns: seen.append(at_ns) or (at_ns + MS if at_ns < 8 * MS else None))  # type: ignore[func-returns-value]
    engine.inject(7 * MS, guest, [limit(0, 1, 2, 90)])
    engine.run(until_ns=10 * MS)
    assert seen == [5 * MS, 6 * MS, 7 * MS, 8 * MS]
    assert engine.exchange.open_orders[guest] == {1: (0, 1, 90, 2)}
    for late in (lambda: engine.inject(MS, guest, []), lambda: engine.at(MS, lambda _: None)):
        with pytest.raises(ValueError, match="passed"):
            late()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: SimulationEngine(1, []),
        lambda: SimulationEngine(1, [Asset(100)]).run(steps=1),
        lambda: crowded().run(),
        lambda: crowded().run(until_ns=1, steps=1),
        lambda: crowded().run(until_ns=-1),
        lambda: Asset(0),
        lambda: Latency(feed_ns=-1),
        lambda: SimulationEngine(1, [Asset(100)]).add_agent(Scripted({}), positions_qty=[1, 1]),
        lambda: Listens(source=Source.NEWS, every_ns=0),
        lambda: Listens(source=Source.FLOW, wakes=True),
        lambda: (
            SimulationEngine(-1, [Asset(100)]).add_agent(Scripted({}))
            or SimulationEngine(-1, [Asset(1)]).run(steps=1)
        ),
    ],
)
def test_what_cannot_be_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        wrong()


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "agent-market.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    assert "steps=600" in example
    exec(example.replace("steps=600", "steps=20"), {})
    assert "RunSummary(at_ns=20000000000" in capsys.readouterr().out


def test_agents_come_before_the_market_opens() -> None:
    engine = crowded()
    engine.run(until_ns=0)
    with pytest.raises(ValueError, match="opened"):
        engine.add_agent(Scripted({}))
