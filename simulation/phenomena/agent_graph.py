"""Who trades with whom: participants as nodes, what went between two of them as edges."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deal:
    """A trade between two participants.

    Parameters
    ----------
    buyer, seller
        Numbers of the participants.
    taker
        Which of the two took.
    qty, px
        > 0.
    """

    buyer: int
    seller: int
    taker: int
    qty: float
    px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """All trades between two participants in one direction.

    Parameters
    ----------
    taker, maker
        Who took and who had quoted.
    trades
        Number of them.
    bought_qty, sold_qty
        What the taker bought from and sold to the maker.
    value
        Price times quantity, both ways.
    """

    taker: int
    maker: int
    trades: int
    bought_qty: float
    sold_qty: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentGraph:
    """Edges by falling value, with what they say together.

    Parameters
    ----------
    edges
        One for each pair of taker and maker that traded.
    density
        Edges over all that `count` participants could have, 0-1.
    reciprocity
        Share of the value between pairs that took from each other both ways: 2 min / sum, 0-1.
    maker_concentration
        Sum of squared shares of value by maker, from 1 / makers to 1 (Herfindahl).
    self_value
        Value that participants traded with themselves; more than 0 is a fault of the market.
    """

    edges: tuple[Edge, ...]
    density: float
    reciprocity: float
    maker_concentration: float
    self_value: float


def agent_graph(deals: Iterable[Deal], count: int) -> AgentGraph:
    """Add up trades by pairs.

    Parameters
    ----------
    count
        Number of participants, >= 1.

    Raises
    ------
    ValueError
        If a participant is not one of them, or the taker is not in the deal.
    """
    trades: dict[tuple[int, int], int] = defaultdict(int)
    bought: dict[tuple[int, int], float] = defaultdict(float)
    sold: dict[tuple[int, int], float] = defaultdict(float)
    value: dict[tuple[int, int], float] = defaultdict(float)
    for deal in deals:
        if deal.taker not in {deal.buyer, deal.seller} or not all(
            0 <= one < count for one in (deal.buyer, deal.seller)
        ):
            raise ValueError(f"no deal between {count} participants: {deal}")
        maker = deal.seller if deal.taker == deal.buyer else deal.buyer
        pair = (deal.taker, maker)
        trades[pair] += 1
        (bought if deal.taker == deal.buyer else sold)[pair] += deal.qty
        value[pair] += deal.qty * deal.px
    edges = [
        Edge(
            taker=pair[0],
            maker=pair[1],
            trades=number,
            bought_qty=bought[pair],
            sold_qty=sold[pair],
            value=value[pair],
        )
        for pair, number in trades.items()
    ]
    edges.sort(key=lambda one: (-one.value, one.taker, one.maker))
    total = sum(value.values())
    both = sum(2.0 * min(amount, value.get((b, a), 0.0)) for (a, b), amount in value.items() if a != b) / 2.0
    by_maker: dict[int, float] = defaultdict(float)
    for (_, maker), amount in value.items():
        by_maker[maker] += amount
    pairs = count * (count - 1)
    return AgentGraph(
        edges=tuple(edges),
        density=sum(one.taker != one.maker for one in edges) / pairs if pairs else 0.0,
        reciprocity=both / total if total else 0.0,
        maker_concentration=sum((amount / total) ** 2 for amount in by_maker.values()) if total else 0.0,
        self_value=sum(amount for (a, b), amount in value.items() if a == b),
    )


def by_kind(graph: AgentGraph, kinds: Sequence[str]) -> dict[tuple[str, str], float]:
    """Value between kinds of participants, taker's kind first.

    Parameters
    ----------
    kinds
        Kind of each participant.
    """
    found: dict[tuple[str, str], float] = defaultdict(float)
    for edge in graph.edges:
        found[kinds[edge.taker], kinds[edge.maker]] += edge.value
    return dict(found)
