"""A plan without a daemon: by figures that somebody tells, or by a recording at an instant."""

import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from config.load import limits_of
from config.problems import ConfigProblems, Problem
from executor.domain.instrument import Instrument
from executor.domain.orders import Category
from executor.domain.units import ZERO, Money, Price, Quantity, install_decimal_context
from executor.engine.plan_preview import paced, preview, told_market, unknown_figures
from executor.engine.plan_together import beside_others
from executor.engine.state import EngineState, MarketState
from executor.engine.submitted import order_of
from executor.interfaces import intents
from executor.interfaces.cli_data import data_errors
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.kept_parameters import KeptParameters
from executor.interfaces.output import said_if_long
from executor.interfaces.plan_body import PlanBody, terms_of
from executor.interfaces.plan_views import TOLD_FEES, plan_view
from executor.interfaces.planning import PLANNED
from executor.interfaces.views import Json
from impact.models import read_model

_STEP_LEAST: Final = Decimal("0.000000000000000001")
_QTY_MOST: Final = Decimal(10) ** 17
_TOLD: Final = "as told"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFigures:
    """A market as somebody tells it; None for what was not told.

    Parameters
    ----------
    price
        Mid, quote per base.
    spread_bps
        Best ask less best bid, basis points.
    qty_step, min_qty
        Base units.
    min_value
        Smallest value of an order, quote units.
    """

    price: Decimal | None
    spread_bps: Decimal | None
    qty_step: Decimal | None
    min_qty: Decimal | None
    min_value: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where limits and calibrations are looked for."""

    profile: str
    config: Path | None
    kept: Path
    venue: str


def plan_by_figures(body: PlanBody, told: ToldFigures, place: Place, now_ns: int) -> Json:
    """Plan an order in a market of which everything is told.

    Raises
    ------
    ConfigProblems
        FIGURES with every figure that is missing.
    """
    missing = [
        Problem(
            code="FIGURES", where=flag, got="nothing", allowed=what, next_step="tell it: nothing is guessed"
        )
        for flag, what, value in (
            ("--spread-bps", "best ask less best bid, basis points", told.spread_bps),
            ("--volatility", "standard deviation of the return over an hour, per cent", body.volatility),
            ("--volume", "volume of an hour, base units", body.volume),
            ("--qty-step", "step of quantities, base units", told.qty_step),
            ("--min-qty", "smallest quantity of an order, base units", told.min_qty),
            ("--min-value", "smallest value of an order, quote units; 0 where there is none", told.min_value),
        )
        if value is None
    ]
    if missing:
        raise ConfigProblems(missing)
    assert body.volatility is not None
    assert body.volume is not None
    market = told_market(
        _rules(body, told),
        mid_px=told.price or ZERO,
        spread_bps=told.spread_bps or ZERO,
        volatility_hourly_pct=float(body.volatility),
        volume_hourly_qty=float(body.volume),
        now_ns=now_ns,
    )
    return _planned(body, market, place, now_ns, _TOLD)


def plan_by_recording(body: PlanBody, root: Path, place: Place, at_ns: int | None, venue: str | None) -> Json:
    """Plan an order as a recording stood at an instant; None is its end.

    What the engine would have known is reckoned from the beginning of that day.
    """
    with data_errors(), said_if_long("reading the recording"):
        from backtest.recorded_market import market_at  # noqa: PLC0415
        from backtest.recording import find_recording  # noqa: PLC0415

        recording = find_recording(root, body.symbol, venue=venue, category=_category(body))
        stream = recording.stream
        market, seen_ns = market_at(recording, at_ns)
    if Category(stream.category) is not body.category:
        body = body.model_copy(update={"category": Category(stream.category)})
    market = paced(
        market,
        None if body.volatility is None else float(body.volatility),
        None if body.volume is None else float(body.volume),
    )
    source = f"recording of {stream.venue}/{stream.category}/{stream.symbol}"
    told = Place(profile=place.profile, config=place.config, kept=place.kept, venue=stream.venue)
    return _planned(body, market, told, seen_ns, source)


def _category(body: PlanBody) -> str | None:
    return body.category.value if "category" in body.model_fields_set else None


def _planned(body: PlanBody, market: MarketState, place: Place, now_ns: int, source: str) -> Json:
    install_decimal_context()
    event = intents.submitted(
        body,
        request_id=PLANNED,
        idempotency_key=PLANNED,
        now_ns=now_ns,
        is_repeat=False,
        has_model=False,
    )
    state = EngineState(limits=limits_of(place.profile, place.config, os.environ), now_ns=now_ns)
    missing = unknown_figures(state, market)
    if missing:
        raise failed(
            ExitCode.REFUSED,
            "FIGURES",
            source,
            f"not known: {', '.join(missing)}",
            "rules, a touch, and some minutes of touches and trades before the instant",
            "choose a later --at, or tell --volatility and --volume",
        )
    instrument = f"{place.venue}/{event.category.value}/{event.symbol}"
    calibration = None if body.model is not None else KeptParameters(place.kept).in_use(instrument)
    terms = terms_of(body, None if calibration is None else read_model(calibration.model))
    try:
        told = preview(state, market, order_of(event, now_ns), terms, beside=beside_others(state, event))
    except ValueError as error:
        raise failed(
            ExitCode.REFUSED, "PLAN", "executor plan", str(error), "an order that can be priced",
            "change what is named, or the model",
        ) from error  # fmt: skip
    fees_source = "" if terms.maker_fee_bps is None else TOLD_FEES
    return plan_view(told, terms, source=source, version=calibration, fees_source=fees_source)


def _rules(body: PlanBody, told: ToldFigures) -> Instrument:
    """Rules of a market as told; ticks and the largest order are no part of a plan."""
    return Instrument(
        category=body.category,
        symbol=body.symbol,
        base_coin="base units",
        quote_coin="quote units",
        tick_size=Price(_STEP_LEAST),
        qty_step=Quantity(told.qty_step or ZERO),
        min_order_qty=Quantity(told.min_qty or ZERO),
        max_order_qty=Quantity(_QTY_MOST),
        min_notional=Money(told.min_value or ZERO),
    )
