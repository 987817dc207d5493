"""A rig with one resting child whose touch moves away, and what the venue may answer to its amendment."""

from dataclasses import replace

from executor.domain.commands import ReplaceOrder
from executor.domain.events import ReplaceOutcomeUnknown
from executor.domain.limits import Limits
from executor.domain.orders import ResidualRule, Side, StrategyParams
from tests.builders import D, submitted
from tests.engine.one_child import NAME
from tests.engine.rig import Rig


class Following(Rig):
    """One child rests; the touch moves away by one, and its amendment is on its way."""

    def __init__(self, side: Side = Side.BUY, *, limits: Limits | None = None, **over) -> None:
        super().__init__(limits=limits)
        self.open_market()
        usual = dict(
            side=side,
            duration_s=600,
            params=StrategyParams(interval_s=60, passiveness=D(1)),
            residual=ResidualRule.LEAVE,
        )
        self.send(submitted(**{**usual, **over}))
        self.tick(1)
        self.settle()
        (self.entry,) = self.venue.orders.values()
        self.old = self.only.terms
        self.side = side
        self.wait(10)

    @property
    def only(self):
        return self.child(1)

    def move(self) -> ReplaceOrder:
        self.mid += self.side.sign
        self.tick(1)
        return self.asked()

    def asked(self) -> ReplaceOrder:
        (command,) = [each for each in self.pending if isinstance(each, ReplaceOrder)]
        self.pending.remove(command)
        return command

    def unanswered(self) -> ReplaceOrder:
        command = self.move()
        self.send(ReplaceOutcomeUnknown(at_ns=0, client_order_id=NAME, detail="timeout"))
        return command

    def tell(self) -> None:
        """The stream says what the venue has of it."""
        self.venue.mail.clear()
        self.send(self.venue.update_of(self.entry))

    def read(self, asked_ns: int | None = None) -> None:
        """A reading that began at an instant shows what the venue has of it."""
        self.venue.mail.clear()
        asked_ns = self.now_ns if asked_ns is None else asked_ns
        self.send(replace(self.venue.update_of(self.entry), asked_ns=asked_ns))

    def wait(self, seconds: int) -> None:
        """Time passes; questions are answered honestly, the touch stays."""
        for _ in range(seconds):
            self.tick(1)
            self.settle()
