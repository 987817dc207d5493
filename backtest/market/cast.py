"""Who can be in a scenario: each kind of agent by the name under which a file asks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from backtest.market.written_rules import ModelTraderParams, model_trader
from simulation.agents.block_taker import BlockTaker, BlockTakerParams
from simulation.agents.fast_taker import FastTaker, FastTakerParams
from simulation.agents.hawkes import HawkesFlow, HawkesParams
from simulation.agents.informed import InformedParams, InformedTrader
from simulation.agents.institution import Institution, InstitutionParams
from simulation.agents.intermediary import Intermediary, IntermediaryParams
from simulation.agents.kyle import KyleCrowd, KyleDealer, KyleInsider, KyleParams, KyleTrader
from simulation.agents.latent import LatentInvestors, LatentParams
from simulation.agents.market_maker import MarketMaker, MarketMakerParams
from simulation.agents.mean_reversion import MeanReverter, ReversionParams
from simulation.agents.momentum import MomentumParams, MomentumTrader
from simulation.agents.noise import NoiseParams, NoiseTrader
from simulation.agents.order_splitter import OrderSplitter, OrderSplitterParams
from simulation.agents.round_trip import RoundTripParams, RoundTrippers
from simulation.agents.statistical_arbitrage import PairParams, StatisticalArbitrageur
from simulation.agents.trend_follower import TrendFollower, TrendParams
from simulation.agents.value import ValueInvestor, ValueParams
from simulation.market.protocol import Agent


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind.

    Parameters
    ----------
    params
        Frozen dataclass of its parameters.
    make
        Makes an agent of them.
    says
        What it does, in a few words.
    """

    params: type
    make: Callable[[Any], Agent]
    says: str


def _insider(params: KyleParams) -> Agent:
    return KyleTrader(params, KyleInsider(params))


def _crowd(params: KyleParams) -> Agent:
    return KyleTrader(params, KyleCrowd(params))


KINDS: Final[dict[str, Kind]] = {
    "noise": Kind(NoiseParams, NoiseTrader, "trades by chance"),
    "market-maker": Kind(MarketMakerParams, MarketMaker, "quotes both sides and leans against its stock"),
    "value": Kind(ValueParams, ValueInvestor, "buys below value and sells above it"),
    "momentum": Kind(MomentumParams, MomentumTrader, "follows the price"),
    "trend": Kind(TrendParams, TrendFollower, "holds the more, the further a fast mean is from a slow one"),
    "mean-reversion": Kind(ReversionParams, MeanReverter, "trades against moves that are unusually far"),
    "statistical-arbitrage": Kind(PairParams, StatisticalArbitrageur, "trades the gap between two assets"),
    "fast-taker": Kind(FastTakerParams, FastTaker, "takes the thin side of the touch"),
    "block-taker": Kind(BlockTakerParams, BlockTaker, "a crowd that takes at once, now and then very much"),
    "hawkes": Kind(HawkesParams, HawkesFlow, "a crowd whose orders bring orders"),
    "informed": Kind(InformedParams, InformedTrader, "trades on signals of the value, and hides"),
    "institution": Kind(InstitutionParams, Institution, "works one large order evenly"),
    "kyle-insider": Kind(KyleParams, _insider, "knows the value of each auction of Kyle's"),
    "kyle-crowd": Kind(KyleParams, _crowd, "trades in Kyle's auctions without information"),
    "kyle-dealer": Kind(KyleParams, KyleDealer, "quotes at zero profit in Kyle's auctions"),
    "language-model": Kind(
        ModelTraderParams, model_trader, "a language model, or written rules that answer for one"
    ),
    "latent": Kind(
        LatentParams,
        LatentInvestors,
        "investors who wait with a price in mind, the nearest of them in the book",
    ),
    "intermediary": Kind(IntermediaryParams, Intermediary, "holds little, and passes on what stays with it"),
    "round-trip": Kind(RoundTripParams, RoundTrippers, "a crowd that leaves as it came"),
    "order-splitter": Kind(OrderSplitterParams, OrderSplitter, "cuts large orders into small ones"),
}
