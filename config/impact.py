"""`[impact]`: how often models of impact are calibrated anew beside the daemon, from what, and who puts them to use."""

import re
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from config.fields import choice, number, path, whole, whole_or_zero, words
from config.section import Section

INSTRUMENTS_MAX: Final = 16
_INSTRUMENT: Final = re.compile(r"\A(?:linear|inverse|spot)/[A-Z0-9][A-Z0-9-]{2,31}\Z", re.ASCII)


class ImpactSource(StrEnum):
    """What a calibration is made from: the daemon's own orders, or the public trades of the store."""

    JOURNAL = "journal"
    STORE = "store"


class Apply(StrEnum):
    """Who puts a new calibration to use: a person alone, or the daemon where it is near the one a person chose."""

    PERSON = "person"
    AUTO = "auto"


class ImpactKind(StrEnum):
    """Kinds of models that can be calibrated; `impact.calibration` has the same, unseen by what only cancels."""

    SQUARE_ROOT = "square-root"
    POWER_LAW = "power-law"
    KYLE = "kyle"
    ALMGREN_CHRISS = "almgren-chriss"
    ATHL = "athl"
    OBIZHAEVA_WANG = "obizhaeva-wang"
    PROPAGATOR = "propagator"


class ImpactSection(Section):
    """`[impact]`: calibrations of models of market impact, made in a process of their own beside the daemon."""

    calibrate_s: Annotated[int, whole_or_zero(600, 2_592_000)] = 0
    """Time between two calibrations; 0 makes none. A failed one is told, and what is in use stays in use."""
    instruments: Annotated[
        tuple[str, ...],
        words(
            INSTRUMENTS_MAX,
            "a category and a symbol, such as linear/BTCUSDT",
            lambda value: bool(_INSTRUMENT.match(value)),
        ),
    ] = ()
    """Which instruments are calibrated."""
    source: Annotated[ImpactSource, choice(ImpactSource)] = ImpactSource.JOURNAL
    """What is calibrated from: own orders of this data directory's journal, or the public trades of a store."""
    store_dir: Annotated[Path | None, path()] = None
    """Folder of that store; `var/market` when not given. A relative one is looked for below the directory in which the
    daemon is started."""
    model: Annotated[ImpactKind, choice(ImpactKind)] = ImpactKind.SQUARE_ROOT
    """Kind of model that is calibrated."""
    window: Annotated[int, whole_or_zero(50, 1_000_000)] = 0
    """How many of the newest orders count; 0 takes 1000 own ones, or 20000 made up from public trades."""
    kept_max: Annotated[int, whole(1, 10_000)] = 20
    """How many calibrations of an instrument are kept; what is in use, or was chosen by a person, is never let go."""
    apply: Annotated[Apply, choice(Apply)] = Apply.PERSON
    """Who puts a new calibration to use. With `auto` the first one is a person's to choose all the same."""
    drift_pct_max: Annotated[Decimal, number("0", "1000")] = Decimal(30)
    """With `auto`: largest change of any estimate against the calibration that a person chose last."""
