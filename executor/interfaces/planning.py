"""A plan by the running daemon: what the engine knows, copied, and priced beside the loop that trades."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from executor.domain.errors import ConfigError, RemoteProtocolError, TransportError
from executor.domain.events import ParentSubmitted
from executor.domain.units import install_decimal_context
from executor.engine.plan_preview import PlanPreview, paced, preview, unknown_figures
from executor.engine.plan_together import beside_others
from executor.engine.state import EngineState, MarketState, ledger_key, market_key
from executor.engine.submitted import order_of
from executor.engine.verbs import why_refused
from executor.interfaces.answers import refusal
from executor.interfaces.control import Control
from executor.interfaces.plan_body import PlanBody, terms_of
from executor.interfaces.plan_views import TOLD_FEES, plan_view
from executor.interfaces.views import Json
from impact.models import NO_MODEL, read_model
from impact.parameters import ParameterVersion
from strategies.priced import PlanTerms

PLANNED: Final = "plan"
"""What a plan is called where an order has a name."""
_WATCHED: Final = "the daemon's own market data"
_SEEN: Final = "the venue's ticker and its candles of the last hour"


async def plan_answer(control: Control, body: PlanBody, event: ParentSubmitted) -> Json:
    """Plan an order with what the engine knows now; nothing of it is changed.

    Parameters
    ----------
    event
        The submission that the request stands for.

    Raises
    ------
    ApiRefusal
        FIGURES if something of the market is not known; PLAN if there is nothing to tell of such an order.
    """
    state = control.state
    market, source = await _market(control, body, event)
    refused = why_refused(state, event)
    calibration = None if body.model is not None else await _calibration(control, event)
    terms = terms_of(body, None if calibration is None else read_model(calibration.model))
    terms, fees_source = await _with_fees(control, event, terms)
    order = order_of(event, control.now_ns())
    beside = beside_others(state, event)
    told = partial(
        preview, _glimpse(state, event), market, order, terms, advised=event.advised, beside=beside
    )
    try:
        view = await asyncio.to_thread(_in_context, told)
    except ValueError as error:
        raise refusal(
            422, "PLAN", "/", str(error), "an order that can be priced", "change what is named, or the model"
        ) from error
    return plan_view(
        view,
        terms,
        source=source,
        version=calibration,
        fees_source=fees_source,
        refusal="" if refused is None else refused[2],
    )


async def _with_fees(control: Control, event: ParentSubmitted, terms: PlanTerms) -> tuple[PlanTerms, str]:
    """The same terms with the fees that the account pays, where nobody told others, and who says them."""
    if terms.maker_fee_bps is not None:
        return terms, TOLD_FEES
    try:
        known = await control.fees(event.category, event.symbol)
    except (TransportError, RemoteProtocolError):
        known = None  # a plan without fees is a plan; what is missing is said
    if known is None:
        return terms, ""
    told = replace(terms, maker_fee_bps=float(known.maker_bps), taker_fee_bps=float(known.taker_bps))
    return told, known.source


async def _market(control: Control, body: PlanBody, event: ParentSubmitted) -> tuple[MarketState, str]:
    """The market as the engine knows it, or where it does not, as the venue shows it at one glance."""
    state, told = control.state, None
    found = _told(state.markets.get(market_key(event.category, event.symbol)) or MarketState(), body)
    missing = unknown_figures(state, found)
    if not missing:
        return found, _WATCHED
    why = ""
    try:
        told = await control.look(event.category, event.symbol)
    except (TransportError, RemoteProtocolError) as error:
        why = f"; the venue was asked: {error}"
    if told is not None:
        seen = _told(told, body)
        missing = unknown_figures(state, seen)
        if not missing:
            return seen, _SEEN
    raise refusal(
        409,
        "FIGURES",
        "/symbol",
        f"not known of {event.category.value} {event.symbol}: {', '.join(missing)}{why}",
        "a symbol that the venue trades, with ten minutes of trades to go by",
        "tell --volatility and --volume, or every figure (--price and what it asks for), or name a recording"
        " (--from-store)",
    )


def _told(market: MarketState, body: PlanBody) -> MarketState:
    return paced(
        market,
        None if body.volatility is None else float(body.volatility),
        None if body.volume is None else float(body.volume),
    )


async def _calibration(control: Control, event: ParentSubmitted) -> ParameterVersion | None:
    try:
        return await asyncio.to_thread(control.calibration, event.category, event.symbol)
    except (ConfigError, OSError) as error:
        raise refusal(
            409,
            "PARAMETERS",
            "impact in the data directory",
            str(error),
            "a calibration as it was written",
            "take away the file that is named, choose another calibration, or name a model",
        ) from error


async def with_calibration(control: Control, event: ParentSubmitted) -> ParentSubmitted:
    """Name the calibration in use, by which the engine foretells an order's cost when it begins.

    An order is not held up by it: where the calibration cannot be read, no model is named in its place, and the report
    has no figure.
    """
    try:
        version = await asyncio.to_thread(control.calibration, event.category, event.symbol)
    except (ConfigError, OSError):
        return replace(event, impact_model=NO_MODEL)
    if version is None:
        return event
    return replace(event, impact_model=version.model, impact_version=version.version_id)


def _in_context(work: Callable[[], PlanPreview]) -> PlanPreview:
    install_decimal_context()  # each thread has a context of its own
    return work()


def _glimpse(state: EngineState, event: ParentSubmitted) -> EngineState:
    """What a plan reads of the engine, copied: the engine goes on meanwhile."""
    names = [ledger_key(event.category, event.symbol, event.position_idx)]
    return EngineState(
        limits=state.limits,
        timings=state.timings,
        adviser=state.adviser,
        now_ns=state.now_ns,
        ledgers={name: replace(state.ledgers[name]) for name in names if name in state.ledgers},
        markets={
            name: replace(state.markets[name])
            for name in [market_key(event.category, event.symbol)]
            if name in state.markets
        },
    )
