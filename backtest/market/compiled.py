"""A scenario in a compiled market: the same events as by the engine, sooner.

Noise traders, market makers, momentum traders and value investors who are told nothing are compiled. Agents of other
kinds stay what they are, and are called by the compiled loop. Who needs what that loop has not got is named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backtest.market.build import (
    SCALE,
    comes_and_goes,
    equity_every_ns,
    latency_of,
    listens_of,
    measured,
    rules_of,
    value_of,
)
from backtest.market.cast import KINDS
from backtest.market.scenarios import AgentsPart, Scenario
from backtest.market.study import Accounts, RunStudy
from backtest.market.written_rules import ModelTraderParams, model_trader
from executor.domain.timeline import NS_PER_S
from simulation.agents.language_model import Mind
from simulation.compiled_market.engine import CompiledEngine
from simulation.compiled_market.market import CompiledMarket, Params
from simulation.market.events import EventSink
from simulation.market.information import Source
from simulation.market.protocol import Agent
from simulation.market.tape import AssetTape

_PIECES: Final = 100
_SPOKEN: Final = frozenset({"kyle-crowd", "kyle-dealer", "kyle-insider"})
"""Kinds whose agents indicate their orders."""


@dataclass(slots=True)
class CompiledScenario:
    """A market that is ready to run, as `build.Market` is one.

    Parameters
    ----------
    engine
        With all agents in it.
    tape
        What it records.
    accounts
        Looks at everybody's equity.
    kinds, agents, parameters
        Of each participant, and what they were made of.
    compiled, called
        Names of the groups whose agents are compiled, and of those whose agents are called.
    """

    scenario: Scenario
    engine: CompiledEngine
    tape: AssetTape
    accounts: Accounts
    kinds: tuple[str, ...]
    agents: tuple[Agent, ...]
    parameters: tuple[object, ...]
    compiled: tuple[str, ...]
    called: tuple[str, ...]

    def run(self, told: Callable[[int, int], None] | None = None) -> RunStudy:
        """Run to the end and measure.

        Parameters
        ----------
        told
            Called with the steps that are done and all that there are.

        Raises
        ------
        ValueError
            If the run left nothing to measure.
        OverflowError
            If sums of money could outgrow 64 bits.
        """
        steps, step_ns = self.scenario.run.steps, round(self.scenario.run.step_s * NS_PER_S)
        piece = max(1, steps // _PIECES)
        for done in range(0, steps, piece):
            now = min(done + piece, steps)
            self.engine.run(until_ns=now * step_ns)
            if told is not None:
                told(now, steps)
        return measured(
            self.scenario,
            self.engine,
            self.tape,
            self.accounts,
            kinds=self.kinds,
            agents=self.agents,
            parameters=self.parameters,
        )


def not_compiled(scenario: Scenario) -> list[str]:
    """Say which groups of a scenario ask for what a compiled market has not got, and for what."""
    found = [] if scenario.second is None else ["the scenario: a second asset"]
    for group in scenario.agents:
        reasons = [
            words
            for words, holds in (
                ("an account on margin", group.margin is not None),
                ("a latency that varies", group.jitter_ms > 0.0),
                ("to be woken by what is told", any(one.wakes for one in group.listens)),
                ("to be told of orders", any(one.source == Source.FLOW.value for one in group.listens)),
                ("to indicate orders", group.kind in _SPOKEN),
                ("to hear of fills", KINDS[group.kind].make(group.parameters()).hears_fills),
                ("another asset", bool(getattr(group.parameters(), "asset", 0))),
            )
            if holds
        ]
        if reasons:
            found.append(f"{group.name} ({group.kind}): {', '.join(reasons)}")
    return found


def compiled_scenario(
    scenario: Scenario, seed: int, *, events: EventSink | None = None, mind: Mind | None = None
) -> CompiledScenario:
    """Put a compiled market together.

    Parameters
    ----------
    seed
        Of everything that is drawn.
    events
        Takes the rows of events.
    mind
        Who answers for language-model traders; None is written rules.

    Raises
    ------
    ValueError
        If a group asks for what such a market has not got; all of them are named.
    """
    problems = not_compiled(scenario)
    if problems:
        raise ValueError("; ".join(problems))
    tape = AssetTape()
    market = CompiledMarket(
        seed,
        round(scenario.value.px),
        rules=rules_of(scenario),
        scale=SCALE,
        events=events,
        tape=tape,
        value=value_of(scenario.value),
    )
    kinds: list[str] = []
    names: list[str] = []
    agents: list[Agent] = []
    parameters: list[object] = []
    cash = lots = 0
    for group in scenario.agents:
        for _ in range(group.count):
            params = group.parameters()
            if mind is not None and isinstance(params, ModelTraderParams):
                agent: Agent = model_trader(params, mind)
            else:
                agent = KINDS[group.kind].make(params)
            form = _compiled_form(group)
            market.add_agent(
                comes_and_goes(group, agent) if form is None else form,
                cash=group.cash * SCALE,
                positions_qty=(group.position_qty,),
                latency=latency_of(group),
                listens=listens_of(group),
            )
            cash, lots = cash + group.cash * SCALE, lots + group.position_qty
            kinds.append(group.kind)
            names.append(group.name)
            agents.append(agent)
            parameters.append(params)
    engine = CompiledEngine(market, names, (cash, lots))
    return CompiledScenario(
        scenario=scenario,
        engine=engine,
        tape=tape,
        accounts=Accounts(engine, equity_every_ns(scenario)),
        kinds=tuple(kinds),
        agents=tuple(agents),
        parameters=tuple(parameters),
        compiled=tuple(group.name for group in scenario.agents if _compiled_form(group) is not None),
        called=tuple(group.name for group in scenario.agents if _compiled_form(group) is None),
    )


def _compiled_form(group: AgentsPart) -> Params | None:
    """Parameters of a group that has a compiled form: of one of four kinds, told nothing, and there all the time."""
    params = group.parameters()
    if group.listens or group.come_s or group.leave_s is not None:
        return None
    return params if isinstance(params, Params) else None
