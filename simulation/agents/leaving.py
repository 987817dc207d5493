"""An agent that comes late or leaves early: before it comes it asks for nothing, and it takes its orders with it."""

from collections.abc import Sequence

from simulation.draws import Draws
from simulation.market.protocol import NEVER, WAKE_AT, Agent, Intent, MarketView, cancel_all, wake_at


class Leaving:
    """Another agent, present for a part of the run only.

    Parameters
    ----------
    agent
        Who is present meanwhile.
    come_ns
        When it comes, by its own clock, nanoseconds; 0 is from the beginning.
    leave_ns
        When it leaves; `NEVER` is at the end.
    assets
        In how many assets its orders are taken back.
    """

    def __init__(self, agent: Agent, come_ns: int = 0, leave_ns: int = NEVER, assets: int = 1) -> None:
        if come_ns < 0 or (leave_ns != NEVER and leave_ns <= come_ns):
            raise ValueError(f"nobody is there from {come_ns} to {leave_ns} ns")
        self.hears_fills = agent.hears_fills
        self._agent = agent
        self._come_ns, self._leave_ns = come_ns, leave_ns
        self._assets = assets
        self._gone = False
        self._due_ns = NEVER

    def start(self, draws: Draws) -> int:
        """Begin when the agent does, or when it comes, whichever is later."""
        first_ns = self._agent.start(draws)
        return first_ns if first_ns == NEVER else max(first_ns, self._come_ns)

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Let the agent act while it is there."""
        now_ns, leave_ns = view.now_ns, self._leave_ns
        if self._gone or now_ns < self._come_ns:
            return ()
        if leave_ns == NEVER:
            return self._agent.on_wakeup(view)
        if now_ns >= leave_ns:
            self._gone = True
            return [cancel_all(asset) for asset in range(self._assets)]
        intents = self._agent.on_wakeup(view)
        # There is one timer: the agent's own, or if it has none before the end, the end.
        if self._due_ns <= now_ns:
            self._due_ns = NEVER
        if intents and intents[-1][0] == WAKE_AT:
            self._due_ns = intents[-1][-1]
            intents = intents[:-1]
        due_ns = leave_ns if self._due_ns == NEVER else min(self._due_ns, leave_ns)
        return [*intents, wake_at(due_ns)]
