"""What a request for a plan may say: an order as it would be submitted, and how it is to be priced."""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator

from config import forms
from config.problems import ConfigProblems, Problem, quoted
from executor.domain.units import plain
from executor.interfaces.kinds import FLAG, plain_number, refuse
from executor.interfaces.models import SubmitBody
from impact.models import FORM, read_model
from impact.protocol import ImpactModel
from impact.square_root import SquareRoot
from strategies.priced import PlanTerms

_FEE_MAX: Final = Decimal(100)
_MODEL_CHARS_MAX: Final = 200


def _read_fee(value: object) -> Decimal:
    """Read a fee in basis points; a rebate has a sign."""
    allowed = f"basis points of the value in plain digits, -{plain(_FEE_MAX)} to {plain(_FEE_MAX)}, as text"
    if not isinstance(value, str):
        refuse("FEE", allowed, "send the number as text")
    try:
        fee = forms.read_number(value.removeprefix("-"))
    except ValueError:
        refuse("FEE", allowed, "write 5.5 for 0.055 per cent, -1 for a rebate")
    if fee > _FEE_MAX:
        refuse("FEE", allowed, "choose a value inside the range")
    return -fee if value.startswith("-") else fee


def _read_model_name(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > _MODEL_CHARS_MAX:
        refuse("MODEL", f"a model of impact: {FORM}", "name one of these")
    try:
        model = read_model(value)
    except ValueError as error:
        refuse("MODEL", f"a model of impact: {FORM}", f"correct it: {error.__cause__ or error}")
    if model is None:
        refuse("MODEL", "a model of impact", "name one: without any there is no cost to tell")
    return value


_FEE: Final = BeforeValidator(_read_fee)
_MODEL: Final = BeforeValidator(_read_model_name)
_CROSSING: Final = plain_number("NUMBER", "share of the quantity that crosses the spread", ("0", "1"))
_VOLATILITY: Final = plain_number("NUMBER", "per cent an hour", ("0.0001", "1000"))
_VOLUME: Final = plain_number("NUMBER", "base units an hour")


class PlanBody(SubmitBody):
    """An order that is only to be planned."""

    model: Annotated[str | None, _MODEL] = None
    crossing: Annotated[Decimal | None, _CROSSING] = None
    maker_fee: Annotated[Decimal | None, _FEE] = None
    taker_fee: Annotated[Decimal | None, _FEE] = None
    volatility: Annotated[Decimal | None, _VOLATILITY] = None
    volume: Annotated[Decimal | None, _VOLUME] = None
    compare: Annotated[bool, FLAG] = False


def terms_of(body: PlanBody, calibrated: ImpactModel | None) -> PlanTerms:
    """How an order is to be priced: by the model that was named, else by the calibrated one, else by the usual one.

    Raises
    ------
    ConfigProblems
        FEES if only one of the two fees is told.
    """
    if (body.maker_fee is None) != (body.taker_fee is None):
        told = body.taker_fee if body.maker_fee is None else body.maker_fee
        missing = "maker_fee" if body.maker_fee is None else "taker_fee"
        raise ConfigProblems(
            [
                Problem(
                    code="FEES",
                    where=f"/{missing}",
                    got=f"nothing, and {quoted(str(told))} for the other",
                    allowed="both fees or none",
                    next_step="say what the venue charges this account for each",
                )
            ]
        )
    named = None if body.model is None else read_model(body.model)
    return PlanTerms(
        model=named or calibrated or SquareRoot(),
        crossing=None if body.crossing is None else float(body.crossing),
        maker_fee_bps=None if body.maker_fee is None else float(body.maker_fee),
        taker_fee_bps=None if body.taker_fee is None else float(body.taker_fee),
        compare=body.compare,
    )
