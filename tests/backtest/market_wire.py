"""A hub's desk and agents' callers joined by a wire that is a list: no socket, no clock, every message in our hands."""

from backtest.market.network.caller import Caller
from backtest.market.network.desk import Desk
from backtest.market.network.identity import answer
from backtest.market.network.messages import Hello, Proof, Question, read_down, write
from backtest.market.network.terms import HubTerms
from backtest.market.network.trading_floor import Absent, NewRows, TradingFloor
from simulation.market.engine import Asset, SimulationEngine

MS = 1_000_000
TOKENS = tuple(bytes([number]) * 32 for number in range(8))
TERMS = HubTerms(beat_ms=100, silent_ms=300, per_s=1_000, burst=100, book_ms=10)


def make_floor(seats, entries=None, seed=1):
    rows = NewRows()
    engine = SimulationEngine(seed, [Asset(100), Asset(50)], events=rows)
    absent = {}
    for _ in range(seats):
        agent = Absent()
        absent[engine.add_agent(agent, cash=10**9, positions_qty=(1_000, 1_000))] = agent
    return TradingFloor(engine, absent, rows, entries)


class Wire:
    """Peers are named by a letter each; what the hub says to a peer that is no caller of ours is kept."""

    def __init__(self, seats=3, terms=TERMS, *, follows_trades=False):
        self.entries = []
        self.floor = make_floor(seats, self.entries.append)
        questions = iter(range(1, 10_000))
        self.desk = Desk(self.floor, TOKENS[:seats], terms, ask=lambda: next(questions).to_bytes(16, "big"))
        self.now_ns = 0
        self.callers = {}
        self.strangers = {}
        self.loses = lambda what: False
        self.lost = 0
        self.follows_trades = follows_trades

    def join(self, seat, peer=None):
        caller = Caller(seat, TOKENS[seat], follows_trades=self.follows_trades)
        self.callers[peer or bytes([65 + seat])] = caller
        caller.tick(self.now_ns)
        self.carry()
        return caller

    def carry(self):
        """Carry everything that waits to where it belongs, until nothing waits."""
        desk = self.desk
        while desk.outbox or desk.publications or any(caller.outbox for caller in self.callers.values()):
            for peer, caller in list(self.callers.items()):
                while caller.outbox:
                    frames = caller.outbox.pop(0)
                    if not self._loses("up"):
                        desk.receive(peer, frames, self.now_ns)
            outbox, desk.outbox = desk.outbox, []
            for peer, frames in outbox:
                if peer not in self.callers:
                    self.strangers.setdefault(peer, []).append(read_down(frames)[1])
                elif not self._loses("down"):
                    self.callers[peer].take_private(frames, self.now_ns)
            publications, desk.publications = desk.publications, []
            for frames in publications:
                for caller in self.callers.values():
                    if frames[0][:1] in caller.topics and not self._loses("public"):
                        caller.take_public(frames, self.now_ns)

    def pass_ms(self, ms, *, step_ms=50):
        """Let time pass, with everybody's chores."""
        for _ in range(0, ms, step_ms):
            self.now_ns += step_ms * MS
            self.desk.chores(self.now_ns)
            for caller in self.callers.values():
                caller.tick(self.now_ns)
            self.carry()

    def send(self, peer, frames):
        """Speak as a peer that is no caller; gives whether it was worth the time."""
        worth = self.desk.receive(peer, frames, self.now_ns)
        self.carry()
        return worth

    def heard(self, peer):
        """What such a peer was told since it last asked."""
        return self.strangers.pop(peer, [])

    def sit(self, peer, seat, token=None):
        """Let such a peer take a seat; gives what it was told last."""
        self.send(peer, write(0, Hello(seat)))
        (question,) = self.heard(peer)
        assert isinstance(question, Question)
        self.send(peer, write(0, Proof(answer(token or TOKENS[seat], seat, question.word))))
        return self.heard(peer)[-1]

    def _loses(self, what):
        is_lost = self.loses(what)
        self.lost += is_lost
        return is_lost
