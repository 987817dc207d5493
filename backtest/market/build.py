"""From a scenario to a market with everybody in it, and from a run to its study."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from backtest.market.cast import KINDS
from backtest.market.scenarios import AgentsPart, Scenario, SecondPart, ValuePart
from backtest.market.study import EQUITIES_MAX, Accounts, Looks, Ran, RunStudy, Special, study
from backtest.market.written_rules import ModelTraderParams, model_trader
from executor.domain.timeline import NS_PER_S
from simulation.agents.institution import InstitutionParams
from simulation.agents.kyle import KyleDealer, KyleParams
from simulation.agents.language_model import Mind
from simulation.agents.leaving import Leaving
from simulation.agents.order_splitter import OrderSplitter
from simulation.book.book import OrderBook
from simulation.book.twin import TwinBook
from simulation.clearing.ledger import Ledger
from simulation.clearing.rules import ClearingRules, MarginTerms
from simulation.market.engine import Asset, Latency, SimulationEngine
from simulation.market.events import EventSink
from simulation.market.information import Listens, Source
from simulation.market.protocol import NEVER, Agent
from simulation.market.tape import AssetTape, Tape
from simulation.market.values import (
    ConstantValue,
    CorrelatedValue,
    JumpingValue,
    MeanRevertingValue,
    Shock,
    ValuePath,
)

SCALE: Final = 100
"""Money units of one tick times one lot."""
_PIECES: Final = 100
_NS_PER_MS: Final = 1_000_000


@dataclass(slots=True)
class Market:
    """A market that is ready to run.

    Parameters
    ----------
    engine
        With all agents in it.
    tape
        What it records.
    accounts
        Looks at everybody's equity.
    kinds
        Of each participant.
    agents, parameters
        Everybody, by number, and what they were made of.
    """

    scenario: Scenario
    engine: SimulationEngine
    tape: Tape
    accounts: Accounts
    kinds: tuple[str, ...]
    agents: tuple[Agent, ...]
    parameters: tuple[object, ...]

    def run(
        self,
        told: Callable[[int, int], None] | None = None,
        go: Callable[[int], object] | None = None,
    ) -> RunStudy:
        """Run to the end and measure.

        Parameters
        ----------
        told
            Called with the steps that are done and all that there are.
        go
            Takes the market on to an instant, nanoseconds (`pace.PacedMarket.run`); None is as fast as it can.

        Raises
        ------
        ValueError
            If the run left nothing to measure.
        """
        steps, step_ns = self.scenario.run.steps, round(self.scenario.run.step_s * NS_PER_S)
        piece = max(1, steps // _PIECES)
        for done in range(0, steps, piece):
            if go is None:
                self.engine.run(steps=min(piece, steps - done))
            else:
                go(min(done + piece, steps) * step_ns)
            if told is not None:
                told(min(done + piece, steps), steps)
        return self.measured()

    def measured(self) -> RunStudy:
        """Measure a market that has run.

        Raises
        ------
        ValueError
            If the run left nothing to measure.
        """
        return measured(
            self.scenario,
            self.engine,
            self.tape.assets[0],
            self.accounts,
            kinds=self.kinds,
            agents=self.agents,
            parameters=self.parameters,
            second=self.tape.assets[1] if len(self.tape.assets) > 1 else None,
        )


def measured(
    scenario: Scenario,
    engine: Ran,
    tape: AssetTape,
    accounts: Accounts,
    *,
    kinds: Sequence[str],
    agents: Sequence[Agent],
    parameters: Sequence[object],
    second: AssetTape | None = None,
) -> RunStudy:
    """Measure a market of a scenario that has run, in whichever engine.

    Parameters
    ----------
    tape
        What it recorded of its first asset.
    kinds, agents, parameters
        Everybody, by number.
    second
        What it recorded of its second asset, if there is one.

    Raises
    ------
    ValueError
        If the run left nothing to measure.
    """
    accounts.last()
    special = _special(scenario, agents, parameters)
    return study(engine, tape, accounts, _looks(scenario), kinds=kinds, special=special, second=second)


def _special(scenario: Scenario, agents: Sequence[Agent], parameters: Sequence[object]) -> Special:
    auctions, institution = None, None
    for number, (agent, params) in enumerate(zip(agents, parameters, strict=True)):
        if isinstance(agent, KyleDealer) and isinstance(params, KyleParams):
            auctions = (agent.rounds, params)
        elif isinstance(params, InstitutionParams) and institution is None:
            institution = (number, params)
    value = scenario.value
    return Special(
        worked={
            number: agent.worked for number, agent in enumerate(agents) if isinstance(agent, OrderSplitter)
        },
        institution=institution,
        auctions=auctions,
        # A value that makes good all of its distance to the mean in each step is drawn anew in each.
        auction_deviation_ticks=value.volatility_ticks * value.every_s**0.5,
    )


def build(
    scenario: Scenario,
    seed: int,
    *,
    events: EventSink | None = None,
    ledger: Ledger | None = None,
    seated: Callable[[AgentsPart], Agent] | None = None,
    book: Callable[[], OrderBook] = TwinBook,
    taped: bool = True,
    mind: Mind | None = None,
) -> Market:
    """Put a market together.

    Parameters
    ----------
    seed
        Of everything that is drawn.
    events, ledger
        Take the rows of events and of the clearing house.
    seated
        Makes who sits where an agent of a group belongs; None is the agent itself.
    book
        Makes the book.
    taped
        Whether touch and trades are recorded; a market without has no study.
    mind
        Who answers for language-model traders, such as a `model_agents.ModelDesk`; None is written rules.
    """
    tape = Tape(scenario.assets)
    step_ns = round(scenario.run.step_s * NS_PER_S)
    value = value_of(scenario.value)
    assets = [Asset(first_px=round(scenario.value.px), value=value, name=scenario.name)]
    if scenario.second is not None:
        px = scenario.second.px
        other = _second_value(scenario.second, value, scenario.value.px)
        assets.append(Asset(first_px=round(px), value=other, name=f"{scenario.name} 2"))
    engine = SimulationEngine(
        seed,
        assets,
        rules=rules_of(scenario),
        scale=SCALE,
        events=events,
        ledger=ledger,
        tape=tape if taped else None,
        book=book,
        step_ns=step_ns,
    )
    kinds: list[str] = []
    agents: list[Agent] = []
    parameters: list[object] = []
    for group in scenario.agents:
        for _ in range(group.count):
            params = group.parameters()
            agent: Agent
            if seated is not None:
                agent = seated(group)
            elif mind is not None and isinstance(params, ModelTraderParams):
                agent = model_trader(params, mind)
            else:
                agent = KINDS[group.kind].make(params)
            _seat(engine, group, agent)
            kinds.append(group.kind)
            agents.append(agent)
            parameters.append(params)
    accounts = Accounts(engine, equity_every_ns(scenario))
    return Market(
        scenario=scenario,
        engine=engine,
        tape=tape,
        accounts=accounts,
        kinds=tuple(kinds),
        agents=tuple(agents),
        parameters=tuple(parameters),
    )


def _seat(engine: SimulationEngine, group: AgentsPart, agent: Agent) -> None:
    margin = group.margin
    engine.add_agent(
        comes_and_goes(group, agent),
        cash=group.cash * SCALE,
        positions_qty=(group.position_qty, group.second_qty) if group.second_qty else (group.position_qty,),
        latency=latency_of(group),
        listens=listens_of(group),
        terms=None
        if margin is None
        else MarginTerms(
            initial_bps=margin.initial_bps, maintenance_bps=margin.maintenance_bps, short=margin.short
        ),
        name=group.name,
    )


def rules_of(scenario: Scenario) -> ClearingRules:
    """Rules of a scenario's clearing house."""
    return ClearingRules(
        taker_fee_ppm=scenario.fees.taker_ppm,
        maker_fee_ppm=scenario.fees.maker_ppm,
        lendable_lots=(scenario.lendable_qty,) * scenario.assets,
    )


def equity_every_ns(scenario: Scenario) -> int:
    """How often the accounts of a scenario's run are looked at, nanoseconds."""
    step_ns = round(scenario.run.step_s * NS_PER_S)
    return max(step_ns, -(-scenario.run.steps * step_ns // EQUITIES_MAX))


def comes_and_goes(group: AgentsPart, agent: Agent) -> Agent:
    """Let an agent of a group act from when to when the group is there."""
    if not group.come_s and group.leave_s is None:
        return agent
    return Leaving(agent, _ns(group.come_s), NEVER if group.leave_s is None else _ns(group.leave_s))


def latency_of(group: AgentsPart) -> Latency:
    """How far the agents of a group are from the market."""
    return Latency(
        feed_ns=round(group.feed_ms * _NS_PER_MS),
        order_ns=round(group.order_ms * _NS_PER_MS),
        jitter_ns=round(group.jitter_ms * _NS_PER_MS),
    )


def listens_of(group: AgentsPart) -> list[Listens]:
    """What the agents of a group are told beyond prices."""
    return [
        Listens(
            source=Source(one.source),
            asset=one.asset,
            every_ns=_ns(one.every_s),
            delay_ns=_ns(one.delay_s),
            noise_ticks=one.noise_ticks,
            wakes=one.wakes,
        )
        for one in group.listens
    ]


def value_of(part: ValuePart) -> ValuePath:
    """Make the path of a scenario's value."""
    shocks = tuple(Shock(_ns(one.at_s), one.change_ticks) for one in part.shocks)
    if part.kind == "constant":
        return ConstantValue(part.px, shocks, published=part.published)
    if part.kind == "mean-reverting":
        return MeanRevertingValue(
            px=part.px,
            step_ns=_ns(part.every_s),
            reversion_per_s=part.reversion_per_s,
            volatility_ticks=part.volatility_ticks,
            shocks=shocks,
        )
    return JumpingValue(
        px=part.px, mean_wait_ns=_ns(part.mean_wait_s), jump_ticks=part.jump_ticks, published=part.published
    )


def _second_value(part: SecondPart, of: ValuePath, of_px: float) -> ValuePath:
    own = MeanRevertingValue(
        px=part.px,
        step_ns=_ns(part.every_s),
        reversion_per_s=part.reversion_per_s,
        volatility_ticks=part.volatility_ticks,
    )
    return CorrelatedValue(own=own, of=of, of_px=of_px, beta_ratio=part.beta_ratio)


def _looks(scenario: Scenario) -> Looks:
    looks = scenario.looks
    return Looks(
        step_ns=round(scenario.run.step_s * NS_PER_S),
        begin_ns=_ns(scenario.run.warm_up_s),
        day_ns=_ns(scenario.run.day_s),
        shock_ns=None if looks.shock_s is None else _ns(looks.shock_s),
        event_ns=None if looks.event_s is None else _ns(looks.event_s),
        fall_within_s=looks.fall_within_s,
        fall_after_s=looks.fall_after_s,
        overvalued=looks.overvalued,
        back=looks.back,
    )


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
