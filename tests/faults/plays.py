"""What several faults are played with: a parent worked to its end, a parent that keeps buying, a look at the books."""

from dataclasses import dataclass, field
from decimal import Decimal

from executor.domain.orders import ResidualRule, StrategyParams
from executor.engine.state import market_key
from tests.builders import D
from tests.faults.stage import CREATE

SLICES = dict(order_qty=D("0.03"), duration_s=6, params=StrategyParams(interval_s=2, passiveness=D(0)))
HUNGRY = dict(
    order_qty=D("2"),
    duration_s=300,
    residual=ResidualRule.LEAVE,
    params=StrategyParams(interval_s=1, passiveness=D(0)),
)
"""A parent that buys a little every second for as long as any test lasts."""


async def complete(played, **over):
    """Work a parent to its end and check the books."""
    parent = await played.submit(**{**SLICES, **over})
    await played.finish(parent)
    await played.proved()
    await played.check()
    return parent


async def buying(played, **over):
    """Give a parent that keeps buying, and wait until it does."""
    parent = await played.submit(**{**HUNGRY, **over})
    await played.until(lambda: parent.children)
    return parent


async def buys_on(played, parent, deadline_s=30.0):
    """Wait until another child of the parent was sent."""
    sent = len(parent.children)
    await played.until(lambda: len(parent.children) > sent, deadline_s)


async def opens_nothing(played, seconds):
    """Look on for a time: no create request may leave."""
    before = len(await played.levers.wire(CREATE))
    await played.let_pass(seconds)
    sent = len(await played.levers.wire(CREATE)) - before
    assert sent == 0, f"{sent} creates; {played.describe()}"


def market(played, symbol="BTCUSDT", category="linear"):
    """What the daemon knows of a symbol."""
    return played.state.markets[market_key(category, symbol)]


async def blocked(played, parent, word, symbol="BTCUSDT"):
    """Wait until a symbol is blocked for the reason given, and see that nothing more is opened there."""
    await played.until(lambda: market(played, symbol).blocked.startswith(word))
    assert word in played.alerts()
    await played.let_pass(0.2)  # what was on its way has arrived
    await opens_nothing(played, 2.0)
    assert "SYMBOL_BLOCKED" in parent.waiting


async def position_qty(played, symbol="BTCUSDT"):
    """Signed position at the exchange, one-way mode."""
    rows = (await played.levers.truth())["positions"]
    return sum(Decimal(row["size"]) for row in rows if row["symbol"] == symbol)


@dataclass
class Monotone:
    """Watches every event that the engine works: what is booked never falls, what is final stays final."""

    played: object
    cum_qty: dict = field(default_factory=dict)
    final: set = field(default_factory=set)
    events: int = 0

    def __post_init__(self):
        engine = self.played.life.runtime.engine
        work = engine.on_event

        def on_event(event):
            commands = work(event)
            self.events += 1
            self._look(engine.state)
            return commands

        engine.on_event = on_event

    def _look(self, state):
        for name, child in state.children.items():
            assert child.cum_qty >= self.cum_qty.get(name, 0), name
            self.cum_qty[name] = child.cum_qty
            assert child.is_final or name not in self.final, name
            if child.is_final:
                self.final.add(name)
