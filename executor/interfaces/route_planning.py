"""What a running daemon knows for a routed order before it is sent: the fees of its legs, and a plan of it."""

from decimal import Decimal
from typing import Final

from executor.domain.errors import RemoteProtocolError, TransportError
from executor.domain.events import RouteSubmitted
from executor.domain.routing import RouteLeg
from executor.domain.timeline import iso_utc
from executor.domain.units import plain
from executor.engine.route_plan import LegPreview, preview_route, routed_order
from executor.engine.route_verbs import why_route_refused
from executor.engine.state import MarketState, market_key
from executor.interfaces.answers import refusal
from executor.interfaces.control import Control
from executor.interfaces.route_body import RouteBody
from executor.interfaces.views import BPS_PLACES, PRICE_PLACES, SIDE_WORDS, Json

PLANNED: Final = "plan"
"""What a plan is called where an order has a key."""


async def known_fees_bps(control: Control, route: RouteBody) -> dict[str, Decimal]:
    """Read what the account pays for taking in each leg of which the request says nothing; nothing where unknown."""
    found = {}
    for category, symbol in route.route:
        name = f"{category}:{symbol}"
        if name in (route.leg_fees or {}):
            continue
        try:
            known = await control.fees(category, symbol)
        except (TransportError, RemoteProtocolError):
            known = None
        if known is not None:
            found[name] = known.taker_bps
    return found


async def route_plan_answer(control: Control, event: RouteSubmitted) -> Json:
    """Tell the slices of a routed order, and how the first one and the whole would be divided by present books.

    Raises
    ------
    ApiRefusal
        FIGURES if the book of a leg is not known; PLAN if its legs can not be compared.
    """
    markets = [await _market(control, leg) for leg in event.legs]
    order = routed_order(event, 0, control.now_ns())
    try:
        view = preview_route(order, event.legs, markets, control.now_ns())
    except ValueError as error:
        raise refusal(
            422, "PLAN", "/route", str(error), "legs of one coin, quoted in one coin", "change the legs"
        ) from error
    refused = why_route_refused(control.state, event)
    return {
        "side": SIDE_WORDS[event.side],
        "qty": plain(event.order_qty),
        "strategy": event.strategy,
        "slices": [
            {"start": iso_utc(each.start_ns), "end": iso_utc(each.end_ns), "qty": plain(each.qty)}
            for each in view.schedule.slices
        ],
        "first_slice_bps": f"{view.slice_bps.quantize(BPS_PLACES):f}",
        "legs": [_leg(each) for each in view.legs],
        "refused": "" if refused is None else refused[2],
    }


async def _market(control: Control, leg: RouteLeg) -> MarketState:
    """The market of a leg as the engine knows it, or where it does not, as its venue shows it at one glance."""
    found = control.state.markets.get(market_key(leg.category, leg.symbol))
    if found is not None and found.snapshot is not None and found.instrument is not None:
        return found
    why = "no such symbol"
    try:
        seen = await control.look(leg.category, leg.symbol)
    except (TransportError, RemoteProtocolError) as error:
        seen, why = None, str(error)
    if seen is None or seen.snapshot is None or seen.instrument is None:
        raise refusal(
            409,
            "FIGURES",
            "/route",
            f"the book of {leg.category}:{leg.symbol} is not known: {why}",
            "symbols that their venue trades",
            "check the spelling, or ask again when the venue answers",
        )
    return seen


def _leg(each: LegPreview) -> Json:
    return {
        "market": f"{each.leg.category}:{each.leg.symbol}",
        "taker_fee_bps": plain(each.leg.taker_fee_bps.normalize()),
        "carry_bps": plain(each.leg.carry_bps),
        "mid_price": plain(each.mid_px),
        "effective_price": f"{each.effective_px.quantize(PRICE_PLACES).normalize():f}",
        "first_slice_qty": plain(each.slice_qty),
        "whole_qty": plain(each.whole_qty),
        "alone_bps": f"{each.alone_bps.quantize(BPS_PLACES):f}",
    }
