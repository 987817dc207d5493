"""A market in which language models trade with each other and with traders by rule, turn by turn until redemption.

The asset is that of A. Lopez-Lira, Can large language models trade? (arXiv 2504.10789): each period it pays one of two
dividends, money earns interest, both go to accounts that buy nothing, and at the end a share is paid back at what its
dividends are worth for ever. What agents may know of that is a choice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from executor.domain.errors import InvariantViolation
from simulation.agents.language_model import (
    DividendProcess,
    Information,
    LanguageModelAgent,
    LanguageModelParams,
    Mind,
)
from simulation.agents.market_maker import MarketMaker, MarketMakerParams
from simulation.agents.noise import NoiseParams, NoiseTrader
from simulation.book.book import OrderBook
from simulation.book.twin import TwinBook
from simulation.clearing.house import ClearingHouse
from simulation.clearing.income import PeriodCharges, charge_period, redeem
from simulation.clearing.ledger import Ledger
from simulation.clearing.liquidation import write_off
from simulation.clearing.rules import BPS, PPM, ClearingRules, MarginTerms
from simulation.market.engine import Asset, RunSummary, SimulationEngine
from simulation.market.information import Listens, Source
from simulation.market.values import DividendValue
from simulation.present_value import Dividend

MARKET_MAKER: Final = "market_maker"
PAPER_PROCESS: Final = DividendProcess(
    low_px=40, high_px=240, high_pct=50, rate_bps=500, period_ns=1, redemption_px=2_800
)
"""0.40 or 2.40 with equal chance, 5 per cent interest: a share is worth 28.00 for ever."""
SCALE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMarket:
    """What is played.

    Parameters
    ----------
    seed
        Of everything that is drawn.
    strategies
        One model agent for each name.
    turns
        How many turns each has; as many periods of dividends are paid before redemption.
    turn_ns
        Length of a turn, nanoseconds.
    first_px
        Price before the first trade, ticks.
    process
        How dividends come about; `period_ns` is put to the turn.
    finite
        Whether shares are redeemed at the end as far as the agents know; otherwise they pay for ever.
    information
        What the agents know about the worth of a share.
    cash, shares
        What each begins with, money (units of 1 / `SCALE` ticks) and lots; market makers with `maker_times` as much.
    short
        Whether agents trade on margin and may sell what they do not own.
    lendable_lots
        Shares that can be borrowed then, all together.
    loan_ppm
        Fee for them, parts per million of their value for each turn.
    order_max_qty
        Most lots of one order.
    noise_count, maker_count
        Traders by rule beside the models: noise, and market makers.
    """

    seed: int
    strategies: tuple[str, ...]
    turns: int = 15
    turn_ns: int = 60_000_000_000
    first_px: int = 2_800
    process: DividendProcess = PAPER_PROCESS
    finite: bool = True
    information: Information = Information.PROCESS
    cash: int = 100_000_000 * SCALE
    shares: int = 10_000
    maker_times: int = 20
    short: bool = False
    lendable_lots: int = 100_000
    loan_ppm: int = 0
    order_max_qty: int = 1_000
    noise_count: int = 0
    maker_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRun:
    """What came of it.

    Parameters
    ----------
    summary
        Of the market, with the hash of all its events.
    pxs
        Last price at the end of each turn, ticks.
    volumes_qty
        Lots traded in each turn.
    worth
        What each participant has at the end, money: shares are redeemed, income counts.
    names
        Of the participants.
    """

    summary: RunSummary
    pxs: tuple[int, ...]
    volumes_qty: tuple[int, ...]
    worth: tuple[int, ...]
    names: tuple[str, ...]
    agents: tuple[LanguageModelAgent, ...]


def play(
    market: ModelMarket,
    mind: Mind,
    *,
    book: Callable[[], OrderBook] = TwinBook,
    ledger: Ledger | None = None,
    after_turn: Callable[[int], None] = lambda _: None,
    finish: Callable[[ClearingHouse], object] = lambda _: None,
) -> ModelRun:
    """Play all turns, redeem the shares and add everything up.

    Parameters
    ----------
    mind
        Who answers for the models, a `ModelDesk` for real ones.
    after_turn
        Is told the number of each turn that is over, for a progress bar.
    finish
        Is shown the accounts at the very end, such as `LedgerStore.finish`.

    Raises
    ------
    InvariantViolation
        If anything was made or lost.
    """
    engine, agents = _built(market, mind, book, ledger)
    pxs, volumes = [], []
    exchange, done_qty = engine.exchange, 0
    for turn in range(1, market.turns + 1):
        engine.run(steps=1)
        pxs.append(exchange.last_pxs[0])
        volumes.append(exchange.volumes_qty[0] - done_qty)
        done_qty = exchange.volumes_qty[0]
        after_turn(turn)
    house = exchange.house
    for participant in range(len(engine.names)):
        exchange.cancel_everything(engine.now_ns, participant)
    if market.finite:
        redeem(house, engine.now_ns, 0, market.process.redemption_px * house.scale)
        for participant in range(len(engine.names)):
            write_off(house, engine.now_ns, participant)
    found = house.breaches()
    if found:
        raise InvariantViolation("; ".join(found))
    finish(house)
    worth = tuple(
        house.equity(participant) + house.cash[house.numbers.income(participant)]
        for participant in range(len(engine.names))
    )
    return ModelRun(
        summary=engine.summary(),
        pxs=tuple(pxs),
        volumes_qty=tuple(volumes),
        worth=worth,
        names=engine.names,
        agents=tuple(agents),
    )


def _built(
    market: ModelMarket, mind: Mind, book: Callable[[], OrderBook], ledger: Ledger | None
) -> tuple[SimulationEngine, list[LanguageModelAgent]]:
    periods = market.turns if market.finite else 0
    process = replace(market.process, period_ns=market.turn_ns, periods=periods)
    rules = ClearingRules(income_apart=True, lendable_lots=(market.lendable_lots,) if market.short else ())
    engine = SimulationEngine(
        market.seed,
        [Asset(market.first_px, _value(process))],
        rules=rules,
        scale=SCALE,
        book=book,
        ledger=ledger,
        step_ns=market.turn_ns,
    )
    terms = MarginTerms(initial_bps=BPS, maintenance_bps=BPS // 4, short=True) if market.short else None
    agents = []
    for strategy in market.strategies:
        agent = LanguageModelAgent(_params(market, process, strategy), mind)
        times = market.maker_times if strategy == MARKET_MAKER else 1
        engine.add_agent(
            agent,
            cash=market.cash * times,
            positions_qty=(market.shares * times,),
            listens=(_listens(market),),
            terms=terms,
            name=f"model {strategy}",
        )
        agents.append(agent)
    for _ in range(market.maker_count):
        maker = MarketMaker(MarketMakerParams(quote_qty=100, limit_qty=market.shares * market.maker_times))
        engine.add_agent(
            maker,
            cash=market.cash * market.maker_times,
            positions_qty=(market.shares * market.maker_times,),
            name="rule market_maker",
        )
    for _ in range(market.noise_count):
        engine.add_agent(
            NoiseTrader(NoiseParams(mean_wait_ns=5_000_000_000)),
            cash=market.cash,
            positions_qty=(market.shares,),
            name="rule noise",
        )

    rate_ppm = process.rate_bps * PPM // BPS
    charges = PeriodCharges(credit_ppm=rate_ppm, debit_ppm=rate_ppm, loan_ppm=market.loan_ppm)

    def charge(at_ns: int) -> int:
        charge_period(engine.exchange.house, at_ns, charges)
        return at_ns + market.turn_ns

    engine.at(market.turn_ns, charge)
    return engine, agents


def _params(market: ModelMarket, process: DividendProcess, strategy: str) -> LanguageModelParams:
    return LanguageModelParams(
        strategy=strategy,
        turn_ns=market.turn_ns,
        information=market.information,
        process=process if market.information is Information.PROCESS else None,
        order_max_qty=market.order_max_qty,
        short_allowed=market.short,
    )


def _value(process: DividendProcess) -> DividendValue:
    middle = (process.low_px + process.high_px) / 2
    return DividendValue(
        dividend=Dividend(base=middle, variation=process.high_px - middle),
        probability=process.high_pct / 100,
        rate=process.rate_bps / BPS,
        period_ns=process.period_ns,
        periods=process.periods,
        redemption_px=float(process.redemption_px),
    )


def _listens(market: ModelMarket) -> Listens:
    """Dividends as they are paid, or the worth of a share itself."""
    source = Source.VALUE if market.information is Information.VALUE else Source.NEWS
    return Listens(source=source, every_ns=market.turn_ns)
