"""The settings as the daemon takes them: typed, complete, and each with the place it came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from config.adviser import AdviserSection
from config.adviser_key import AdviserKey
from config.impact import ImpactSection
from config.schema import (
    ControlSection,
    ExecutorSection,
    LogSection,
    MarketSection,
    NoticesSection,
    PaperSection,
    ReferencesSection,
    SentinelSection,
    ShutdownSection,
    VenueSection,
    VenuesSection,
    setting_names,
)
from config.secrets import ENV_NAMES, Credentials, require_credentials
from executor.domain.limits import Limits, Timings
from executor.domain.units import plain

DEFAULT_ORIGIN = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the operator decided.

    Parameters
    ----------
    credentials
        None when none were given; `require` gives them or refuses.
    other_keys
        Names in the environment that hold keys of other modes; they are never read.
    adviser_key
        Key of the model's server; None when none was given, or no model is asked.
    origins
        For each `section.key` that was written somewhere: `file:line` or `environment NAME`.
    """

    profile: str
    executor: ExecutorSection
    venue: VenueSection
    venues: VenuesSection
    limits: Limits
    timings: Timings
    control: ControlSection
    shutdown: ShutdownSection
    market: MarketSection
    sentinel: SentinelSection
    references: ReferencesSection
    adviser: AdviserSection
    paper: PaperSection
    impact: ImpactSection
    notices: NoticesSection
    log: LogSection
    credentials: Credentials | None
    other_keys: tuple[str, ...]
    adviser_key: AdviserKey | None
    origins: Mapping[str, str]

    @property
    def lacks_key(self) -> bool:
        """Whether the mode signs requests and no key was given."""
        return self.credentials is None and self.executor.mode in ENV_NAMES

    def require(self) -> Credentials:
        """Give the API key pair.

        Raises
        ------
        ConfigProblems
            SECRET_MISSING if the mode has none.
        """
        return require_credentials(self.executor.mode, self.credentials, self.other_keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveRow:
    """One setting in force, and who set it."""

    key: str
    value: str
    origin: str


def effective(settings: Settings) -> list[EffectiveRow]:
    """List every setting in force with its origin; secrets are masked."""
    rows = [
        EffectiveRow(
            key=name,
            value=shown(getattr(getattr(settings, name.split(".")[0]), name.split(".")[1])),
            origin=settings.origins.get(name, DEFAULT_ORIGIN),
        )
        for name in setting_names()
    ]
    keys = settings.credentials
    given = settings.adviser_key
    return [
        *rows,
        *(
            EffectiveRow(
                key=f"credentials.{name}",
                value="not given" if keys is None else str(getattr(keys, name)),
                origin="none" if keys is None else keys.origin,
            )
            for name in ("api_key", "api_secret")
        ),
        EffectiveRow(
            key="credentials.adviser_key",
            value="not given" if given is None else str(given.key),
            origin="none" if given is None else given.origin,
        ),
    ]


def shown(value: object) -> str:
    """Write the value of a setting for people."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Decimal):
        return plain(value)
    return str(value)
