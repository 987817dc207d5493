"""How we stand with the venue of a symbol: one that is down, or bars us, says nothing about the others."""

from executor.domain.places import venue_of
from executor.engine.state import EngineState, Links


def links_of(state: EngineState, symbol: str) -> Links:
    """How we stand with the venue that a symbol is traded at; with one never heard of, not at all."""
    venue = venue_of(symbol)
    if venue:
        return state.elsewhere.get(venue, Links())
    return Links(
        private_live=state.private_live,
        trade_live=state.trade_live,
        restricted_until_ns=state.restricted_until_ns,
    )
