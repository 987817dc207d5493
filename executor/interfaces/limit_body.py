"""What is said to tighten a limit."""

from typing import Annotated, Final

from config.schema import LimitsSection
from config.written import nearest
from executor.interfaces.kinds import Form, refuse
from executor.interfaces.models import StopBody

LIMITS: Final = tuple(LimitsSection.model_fields)
VALUE_FORM: Final = 'a plain decimal in quotes such as "1.5", in the unit of the limit'


def _read_name(value: object) -> str:
    if not isinstance(value, str) or value not in LIMITS:
        known = (
            nearest(value, LIMITS, "a limit by its name") if isinstance(value, str) else "a limit by its name"
        )
        refuse("ENUM", known, "`executor limits` lists all of them; so does GET /v1/limits")
    return value


def _read_value(value: object) -> str:
    if not isinstance(value, str):
        refuse("LIMIT_FORM", VALUE_FORM, "send the number as text in plain digits")
    return value


class TightenBody(StopBody):
    """A limit that is to be tighter: its name as in `[limits]`, the value, who does it and why."""

    limit: Annotated[str, Form(_read_name, written={"type": "string", "enum": list(LIMITS)})]
    value: Annotated[
        str,
        Form(
            _read_value,
            written={"type": "string", "pattern": r"^\d{1,18}(\.\d{1,18})?$", "description": VALUE_FORM},
        ),
    ]
