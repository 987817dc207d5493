"""From files and environment to `Settings`: layers, validation, and every problem at once.

Layers, each over the one before: built-in defaults, the profile, the extra file, the environment.
"""

from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from config.adviser import AdviserSection
from config.adviser_key import read_adviser_key
from config.contradictions import (
    adviser_contradictions,
    contradictions,
    impact_contradictions,
    paper_contradictions,
    reference_contradictions,
    venue_contradictions,
)
from config.hosts import URLS, Mode, why_not_host, without_credentials
from config.impact import ImpactSection
from config.live import missing_limit, missing_money_limits, sign_problems
from config.problems import ConfigProblems, Problem, in_file_order, quoted
from config.reader import read_layers
from config.schema import (
    ControlSection,
    ExecutorSection,
    LimitsSection,
    LogSection,
    MarketSection,
    NoticesSection,
    PaperSection,
    ReferencesSection,
    SentinelSection,
    ShutdownSection,
    TimingsSection,
    VenueSection,
    VenuesSection,
)
from config.secrets import keys_of_other_modes, known_secrets, read_credentials
from config.settings import Settings
from config.written import Form
from executor.domain.limits import Limits


def load_settings(
    profile: str | Path, extra: Path | None, environ: Mapping[str, str], yes_live: bool
) -> Settings:
    """Read and check all settings.

    Parameters
    ----------
    profile
        Name of a profile that comes with the executor, or the path of another file in its place.
    extra
        One more file, over the profile.
    yes_live
        Whether the command line confirmed live trading.

    Raises
    ------
    ConfigProblems
        With every problem found; no value of a secret is in it.
    """
    reader = read_layers(profile, extra, environ)
    problems = reader.problems
    executor = reader.section("executor", ExecutorSection)
    venue = reader.section("venue", VenueSection)
    venues = reader.section("venues", VenuesSection)
    limits = reader.section("limits", LimitsSection)
    timings = reader.section("timings", TimingsSection)
    control = reader.section("control", ControlSection)
    shutdown = reader.section("shutdown", ShutdownSection)
    market = reader.section("market", MarketSection)
    sentinel = reader.section("sentinel", SentinelSection)
    references = reader.section("references", ReferencesSection)
    adviser = reader.section("adviser", AdviserSection)
    paper = reader.section("paper", PaperSection)
    impact = reader.section("impact", ImpactSection)
    notices = reader.section("notices", NoticesSection)
    log = reader.section("log", LogSection)
    credentials = adviser_key = None
    unset: list[str] = []
    if executor is not None:
        mode = executor.mode
        if mode is Mode.LIVE:
            problems += sign_problems(reader.mode_in_files, environ, yes_live=yes_live)
            missing = missing_money_limits(reader.layer)
            problems += [missing_limit(name) for name in missing]
            limits = None if limits is None else limits.model_copy(update=dict.fromkeys(missing))
            unset += missing
        if venue is not None:
            venue = _with_urls(venue, mode)
            problems += _host_problems(venue, mode, reader.origins)
            credentials, secret_problems = read_credentials(mode, venue.api_key_file, environ)
            problems += secret_problems
    # What is wrong with one setting hides no contradiction between others of its section.
    sound_limits = reader.usable("limits", LimitsSection).model_copy(update=dict.fromkeys(unset))
    sound_adviser = reader.usable("adviser", AdviserSection)
    found = contradictions(sound_limits, reader.usable("timings", TimingsSection), reader.origins)
    found += reference_contradictions(
        sound_limits, reader.usable("references", ReferencesSection), reader.origins
    )
    found += adviser_contradictions(sound_adviser, sound_limits, reader.origins)
    found += impact_contradictions(impact, reader.origins)
    problems += _beside(found, reader.refused)
    problems += venue_contradictions(executor, venue, reader.origins)
    if executor is not None and executor.mode is Mode.PAPER:
        problems += paper_contradictions(venue, market, sentinel, reader.origins)
    if sound_adviser.asks and "adviser.api_key_file" not in reader.refused:
        adviser_key, key_problems = read_adviser_key(sound_adviser.api_key_file, environ)
        problems += key_problems
    if (
        problems
        or executor is None
        or venue is None
        or venues is None
        or limits is None
        or timings is None
        or control is None
        or shutdown is None
        or market is None
        or sentinel is None
        or references is None
        or adviser is None
        or paper is None
        or impact is None
        or notices is None
        or log is None
    ):
        hidden = known_secrets(environ)
        raise ConfigProblems(problem.without(hidden) for problem in in_file_order(problems))
    return Settings(
        profile=str(profile),
        executor=executor,
        venue=venue,
        venues=venues,
        limits=limits.to_domain(),
        timings=timings.to_domain(),
        control=control,
        shutdown=shutdown,
        market=market,
        sentinel=sentinel,
        references=references,
        adviser=adviser.model_copy(update={"base_url": adviser.base_url.rstrip("/")}),
        paper=paper,
        impact=impact,
        notices=notices,
        log=log,
        credentials=credentials,
        other_keys=keys_of_other_modes(executor.mode, environ),
        adviser_key=adviser_key,
        origins=reader.origins,
    )


def _beside(problems: Iterable[Problem], refused: Container[str]) -> list[Problem]:
    """Those that name no setting which was refused itself: only its default was looked at, which nobody meant."""
    return [problem for problem in problems if not any(word in refused for word in problem.where.split())]


def locate_data_dir(
    profile: str | Path, extra: Path | None, environ: Mapping[str, str]
) -> tuple[Path, tuple[Problem, ...]]:
    """Find the data directory alone, for commands that talk to a running daemon and trade nothing.

    An emergency stop must not fail because of a setting it does not need, so everything else that is wrong
    is only remarked.

    Returns
    -------
    tuple
        The directory, and what was found wrong elsewhere.

    Raises
    ------
    ConfigProblems
        If the directory is not usable, or a file that might name it cannot be read.
    """
    reader = read_layers(profile, extra, environ)
    written = reader.layer.get("executor", {}).get("data_dir")
    hidden = known_secrets(environ)
    remarks = tuple(problem.without(hidden) for problem in reader.problems)
    reader.problems = [] if written is not None and written.form is Form.ENV else list(reader.unread)
    reader.layer = {"executor": {} if written is None else {"data_dir": written}}
    section = reader.section("executor", ExecutorSection)
    if section is None or reader.problems:
        raise ConfigProblems(problem.without(hidden) for problem in reader.problems)
    return section.data_dir, remarks


def limits_of(profile: str | Path, extra: Path | None, environ: Mapping[str, str]) -> Limits:
    """Read the limits alone, for commands that say what would meet them and trade nothing.

    In live mode a money limit that nobody has set is none.

    Raises
    ------
    ConfigProblems
        If a limit cannot be used, or a file that might set it cannot be read.
    """
    reader = read_layers(profile, extra, environ)
    is_live = reader.mode_in_files is not None and reader.mode_in_files.text == Mode.LIVE
    missing = missing_money_limits(reader.layer) if is_live else []
    reader.problems = list(reader.unread)
    section = reader.section("limits", LimitsSection)
    if section is None or reader.problems:
        hidden = known_secrets(environ)
        raise ConfigProblems(problem.without(hidden) for problem in reader.problems)
    return section.model_copy(update=dict.fromkeys(missing)).to_domain()


def _with_urls(venue: VenueSection, mode: Mode) -> VenueSection:
    """Fill the addresses that were not given with those of the mode."""
    urls = URLS[mode]
    return venue.model_copy(
        update={
            name: getattr(venue, name).rstrip("/") or getattr(urls, name)
            for name in ("rest_url", "public_ws_url", "private_ws_url")
        }
    )


def _host_problems(venue: VenueSection, mode: Mode, origins: Mapping[str, str]) -> list[Problem]:
    problems = []
    for name in ("rest_url", "public_ws_url", "private_ws_url"):
        url = getattr(venue, name)
        allowed = why_not_host(mode, name, url)
        if allowed is not None:
            problems.append(
                Problem(
                    code="CONFIG_HOST",
                    where=origins.get(f"venue.{name}", "default"),
                    got=f"venue.{name} = {quoted(without_credentials(url))} in mode {mode}",
                    allowed=allowed,
                    next_step=f"correct the address or the mode; --profile {mode} has the addresses of this mode",
                )
            )
    return problems
