"""A program that plays the agents of a scenario on a venue: `executor sandbox --market agents` starts it.

It has the line to the venue at its standard input and output, and ends when the venue does. The venue says when and how
far to live; the agents, their accounts and their chance are here, the book is there.
"""

import argparse
import contextlib
import os
import signal
import sys
from typing import Final

from backtest.market.build import build
from backtest.market.scenarios import Scenario, load
from backtest.market.venue_book import VenueBook
from backtest.market.venue_line import VERSION, Go, Line, LineEnded, PipeLine
from config.problems import ConfigProblems
from executor.domain.timeline import NS_PER_S
from simulation.agent_seat import EmptySeat
from simulation.book.messages import IOC
from simulation.market.engine import Fault, SimulationEngine
from simulation.market.protocol import cancel, limit

GUESTS_CASH: Final = 10**20
GUESTS_QTY: Final = 10**12
"""Money and lots of the guests' seat: more than anybody can trade with."""
_ASSET: Final = 0
_LOOKS_MAX: Final = 1_000
_CANNOT_START: Final = 2
_CANNOT_GO_ON: Final = 1


class VenueMarket:
    """The agents of a scenario, and the line to the venue on which they trade.

    Parameters
    ----------
    scenario
        Who they are; one asset.
    seed
        Of everything that is drawn.
    line
        To the venue.
    """

    def __init__(self, scenario: Scenario, seed: int, line: Line) -> None:
        guests = sum(group.count for group in scenario.agents)
        self._line: Final = line
        self._book: Final = VenueBook(line, guests)
        self._built: Final = build(scenario, seed, book=lambda: self._book, taped=False)
        self._engine: Final[SimulationEngine] = self._built.engine
        seat = self._engine.add_agent(
            EmptySeat(), cash=GUESTS_CASH, positions_qty=(GUESTS_QTY,), name="guests"
        )
        assert seat == guests, "the guests sit behind everybody else"
        self._guests: Final = guests
        self._faults_told = 0
        self._book.meet = self._meet

    def hello(self) -> None:
        """Tell the venue what comes."""
        run, first_px = self._built.scenario.run, round(self._built.scenario.value.px)
        self._line.send("hello", VERSION, first_px, round(run.warm_up_s * NS_PER_S))

    def live(self, go: Go) -> list[Fault]:
        """Live through a moment; gives the failures of agents in it.

        Raises
        ------
        ValueError
            If what the venue says cannot be.
        """
        engine = self._engine
        if engine.now_ns < go.since_ns:
            engine.run(until_ns=go.since_ns)
        for side, px, qty, order_id in self._book.begin(go):
            if order_id:
                owner = self._book.owner(order_id)
                engine.inject(go.since_ns, owner, [cancel(order_id)])
            else:
                engine.inject(go.since_ns, self._guests, [limit(_ASSET, side, qty, px, IOC)])
        summary = engine.run(until_ns=go.until_ns)
        if not self._book.is_settled:
            raise ValueError("what the guests traded was refused by the clearing house")
        looks = self._built.accounts.equities
        if len(looks) > _LOOKS_MAX:
            # Nobody studies this run; it may go on for days.
            looks.clear()
        new = list(summary.faults[self._faults_told :])
        self._faults_told = len(summary.faults)
        next_ns = engine.next_ns
        self._line.send("done", -1 if next_ns is None else max(next_ns, go.until_ns + 1))
        return new

    @property
    def engine(self) -> SimulationEngine:
        """The market of the agents."""
        return self._engine

    def _meet(self, side: int, px: int, qty: int) -> int:
        """Have the guests rest an order that an agent is about to trade with."""
        exchange = self._engine.exchange
        exchange.deliver(self._engine.now_ns, self._guests, [limit(_ASSET, side, qty, px)])
        waiting = exchange.open_orders[self._guests]
        if not waiting:
            raise ValueError(f"the clearing house does not let guests trade {qty} lots at {px}")
        return next(reversed(waiting))


def serve(market: VenueMarket, line: Line) -> None:
    """Live moment by moment, until the venue has gone.

    Raises
    ------
    ValueError
        If the venue says what it may not.
    """
    market.hello()
    while True:
        try:
            said = line.receive()
        except LineEnded:
            return
        match said:
            case Go():
                faults = market.live(said)
            case _:
                raise ValueError(f"the venue says {said} where a moment begins")
        for fault in faults:
            name = market.engine.names[fault.participant]
            _tell(f"{name} failed at {fault.at_ns / NS_PER_S:.3f} s and is out of the market: {fault.text}")


def main(words: list[str] | None = None) -> int:
    """Play until the venue has gone; gives 1 if the venue contradicts itself, 2 if there is no such play."""
    parser = argparse.ArgumentParser(prog="agents", description=__doc__)
    parser.add_argument("--scenario", default="default", help="a name of `executor simulate list`, or a file")
    parser.add_argument("--agents", type=int, help="agents in all; the groups that scale share them")
    parser.add_argument("--seed", type=int, default=7, help="of everything that is drawn")
    chosen = parser.parse_args(words)
    # The line is ours alone: whatever else is printed goes where errors go.
    line = PipeLine(os.dup(0), os.dup(1))
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        scenario = load(chosen.scenario)
        market = VenueMarket(scenario.sized(chosen.agents, None), chosen.seed, line)
    except ConfigProblems as error:
        for problem in error.problems:
            _tell(problem.line())
        return _CANNOT_START
    try:
        with contextlib.suppress(LineEnded):
            serve(market, line)
    except ValueError as error:
        _tell(f"{error}; so the play is over")
        return _CANNOT_GO_ON
    return 0


def _tell(text: str) -> None:
    sys.stderr.write(f"agents: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
