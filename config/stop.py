"""The few settings that cancelling everything needs. An emergency stop must not fail for a setting it does not use.

What is wrong elsewhere is only remarked, and live trading needs no second sign here: nothing is ever opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from config.hosts import URLS, Mode, why_not_host, without_credentials
from config.problems import ConfigProblems, Problem, in_file_order, quoted
from config.reader import Reader, read_layers
from config.schema import (
    ExecutorSection,
    LogSection,
    SentinelSection,
    TimingsSection,
    VenueSection,
    VenuesSection,
)
from config.secrets import (
    Credentials,
    keys_of_other_modes,
    known_secrets,
    missing_credentials,
    read_credentials,
)
from config.section import Section
from config.written import Layer

_NEEDED: Final = {
    "executor": ("mode", "data_dir"),
    "venue": ("rest_url", "api_key_file"),
}
_USEFUL: Final = {
    "venue": ("request_timeout_s", "algorithms"),
    "venues": ("file",),
    "timings": ("recv_window_ms",),
    "sentinel": ("enabled", "silence_s_max"),
    "log": ("level", "format"),
}
_S = TypeVar("_S", bound=Section)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSettings:
    """Where the account is, how we are let in, and where the latch file lies.

    Parameters
    ----------
    request_timeout_s
        Longest time one request may take, seconds.
    algorithms
        Whether strategy orders of the venue may be at work, so that they must be proved gone too.
    mode, venues_file
        What is traded against, and the file of other venues, on which orders must be proved gone too; None for none.
    """

    data_dir: Path
    rest_url: str
    credentials: Credentials
    request_timeout_s: int
    recv_window_ms: int
    sentinel: SentinelSection
    log: LogSection
    algorithms: bool = False
    mode: Mode = Mode.SANDBOX
    venues_file: Path | None = None


def load_stop_settings(
    profile: str | Path, extra: Path | None, environ: Mapping[str, str]
) -> tuple[StopSettings, tuple[Problem, ...]]:
    """Read what cancelling needs, and what was found wrong with the rest.

    Raises
    ------
    ConfigProblems
        If a file cannot be read, or the account, its address or its key cannot be known.
    """
    whole = read_layers(profile, extra, environ)
    remarks = list(whole.problems)
    needed = Reader(layer=_chosen(whole, _NEEDED), problems=list(whole.unread))
    executor = needed.section("executor", ExecutorSection)
    venue = needed.section("venue", VenueSection)
    credentials = None
    if executor is not None and venue is not None:
        rest_url = venue.rest_url.rstrip("/") or URLS[executor.mode].rest_url
        venue = venue.model_copy(update={"rest_url": rest_url})
        allowed = why_not_host(executor.mode, "rest_url", rest_url)
        if allowed is not None:
            needed.problems.append(_wrong_host(whole, rest_url, allowed))
        credentials, problems = read_credentials(executor.mode, venue.api_key_file, environ)
        needed.problems += problems
        if credentials is None and not problems:
            needed.problems.append(
                missing_credentials(executor.mode, keys_of_other_modes(executor.mode, environ))
            )
    hidden = known_secrets(environ)
    if needed.problems or executor is None or venue is None or credentials is None:
        raise ConfigProblems(problem.without(hidden) for problem in in_file_order(needed.problems))
    useful = Reader(layer=_chosen(whole, _USEFUL))
    usual_venue = _or_usual(useful, "venue", VenueSection)
    settings = StopSettings(
        data_dir=executor.data_dir,
        rest_url=venue.rest_url,
        credentials=credentials,
        request_timeout_s=usual_venue.request_timeout_s,
        algorithms=usual_venue.algorithms,
        mode=executor.mode,
        venues_file=_or_usual(useful, "venues", VenuesSection).file,
        recv_window_ms=_or_usual(useful, "timings", TimingsSection).recv_window_ms,
        sentinel=_or_usual(useful, "sentinel", SentinelSection),
        log=_or_usual(useful, "log", LogSection),
    )
    return settings, tuple(problem.without(hidden) for problem in (*remarks, *useful.problems))


def _chosen(whole: Reader, names: Mapping[str, tuple[str, ...]]) -> Layer:
    return {
        section: {key: value for key, value in whole.layer.get(section, {}).items() if key in keys}
        for section, keys in names.items()
    }


def _or_usual(reader: Reader, name: str, model: type[_S]) -> _S:
    """Give a section, or the usual one when it is wrong; the problem stays among the remarks."""
    return reader.section(name, model) or model()


def _wrong_host(whole: Reader, url: str, allowed: str) -> Problem:
    return Problem(
        code="CONFIG_HOST",
        where=whole.origins.get("venue.rest_url", "default"),
        got=f"venue.rest_url = {quoted(without_credentials(url))}",
        allowed=allowed,
        next_step="correct the address or the mode",
    )
