"""Second opinions about prices: kept by source, held against the mid, and told to people when they disagree."""

from executor.domain.commands import AlertCode, Severity
from executor.domain.events import ReferenceUpdated
from executor.domain.market import SecondOpinion
from executor.domain.units import ZERO, Price, is_plain, plain
from executor.engine.desk import Desk
from executor.engine.state import EngineState, MarketState, ParentState, market_key, parents_of
from risk.prices import opinion_codes
from risk.refusals import RefusalCode


def on_reference(desk: Desk, event: ReferenceUpdated) -> list[ParentState]:
    """Take in what a source says; parents are looked at again only if that raises or ends a doubt."""
    market = desk.state.markets.get(market_key(event.category, event.symbol))
    if market is None:
        return []
    before = opinion_doubts(desk.state, market)
    if event.px is None or not is_plain(event.px) or event.px <= ZERO:
        market.opinions.pop(event.source, None)
    else:
        market.opinions[event.source] = SecondOpinion(px=Price(event.px), at_ns=desk.now_ns)
    tell_disagreement(desk, market)
    changed = opinion_doubts(desk.state, market) != before
    return parents_of(desk.state, event.category, event.symbol) if changed else []


def opinion_doubts(state: EngineState, market: MarketState) -> tuple[RefusalCode, ...]:
    """What the second opinions speak against right now; nothing before there is a mid to hold them against."""
    if market.snapshot is None:
        return ()
    opinions = tuple(market.opinions.values())
    return tuple(opinion_codes(opinions, market.snapshot.mid_px, state.now_ns, state.limits))


def tell_disagreement(desk: Desk, market: MarketState) -> None:
    """Alert once when a second opinion goes too far away, and again only after all were near."""
    apart = RefusalCode.REFERENCE_DISAGREES in opinion_doubts(desk.state, market)
    if apart and not market.disagreement_told and market.snapshot is not None:
        said = ", ".join(f"{source} {plain(each.px)}" for source, each in sorted(market.opinions.items()))
        desk.alert(
            Severity.CRITICAL,
            AlertCode.REFERENCE_DISAGREES,
            "",
            f"{market.snapshot.symbol}: the mid is {plain(market.snapshot.mid_px)}, others say {said};"
            f" the limit is {plain(desk.state.limits.reference_gap_bps_max)} bps",
        )
    market.disagreement_told = apart
