"""What `executor doctor` looks at, brought together: this machine, the journal, the venue and the account."""

import asyncio
import os

from config.hosts import Mode
from config.settings import Settings
from executor.adviser.preflight import bad_wording, look_at_model, look_at_prices, look_at_tape
from executor.app.access import access_of
from executor.app.advising import client_of, tape_path, terms_of, wording_of
from executor.app.elsewhere import look_elsewhere
from executor.app.journal import JOURNAL_NAME
from executor.app.premises import wanted_of
from executor.domain.errors import ConfigError
from executor.domain.finding import fine
from executor.domain.orders import Category
from executor.domain.units import install_decimal_context
from executor.interfaces.doctor import REQUESTS_MAX, Tell, latch_file, look_at_home, tell_all
from executor.runtime.clock import Clock
from executor.runtime.premises import judge_latch, look_at_disk, look_at_file_system, look_at_journal
from executor.venues.bybit.examination import Examination


def run_doctor(
    settings: Settings, category: Category, symbol: str, tell: Tell, *, set_position_mode: bool
) -> None:
    """Look at everything that trading needs, and tell each finding as soon as it is made.

    Parameters
    ----------
    set_position_mode
        Whether the symbol is first switched to the configured position mode; nothing else is ever changed.
    """
    install_decimal_context()
    data_dir = settings.executor.data_dir
    for finding in (*look_at_home(settings), *look_elsewhere(settings, os.environ)):
        tell(finding)
    tell(look_at_file_system(data_dir, strict=settings.executor.mode is Mode.LIVE))
    tell(look_at_disk(data_dir))
    journal, latched = look_at_journal(data_dir / JOURNAL_NAME, float(settings.venue.request_timeout_s))
    tell(journal)
    tell(judge_latch((latch_file(data_dir), latched)))
    if settings.credentials is not None:
        asyncio.run(_examine(settings, category, symbol, tell, set_position_mode=set_position_mode))
    if settings.adviser.enabled:
        asyncio.run(examine_model(settings, tell))


async def examine_model(settings: Settings, tell: Tell) -> None:
    """Ask the model's server what it offers, and the model about a made-up order; or look at the recording of one."""
    section = settings.adviser
    try:
        template = wording_of(section)
    except ConfigError as error:
        tell(bad_wording(str(error)))
        return
    tell(fine("model wording", template.name))
    if not section.asks:
        tell(look_at_tape(tape_path(settings), section.model))
        return
    terms = terms_of(section, template.sha256)
    tell(look_at_prices(terms, is_near=section.is_near))
    client = client_of(settings, Clock().now_ns)
    try:
        async for finding in look_at_model(client, template, terms, section.max_tokens):
            tell(finding)
    finally:
        await client.close()


async def _examine(
    settings: Settings, category: Category, symbol: str, tell: Tell, *, set_position_mode: bool
) -> None:
    access = access_of(settings)
    examination = Examination(
        access,
        settings.timings.recv_window_ms,
        wanted_of(settings, category),
        category,
        symbol,
        settings.venue.dcp_window_s,
    )
    try:
        if set_position_mode:
            tell(await examination.set_position_mode())
        await tell_all(examination.run(), tell, REQUESTS_MAX * access.request_timeout_s)
    finally:
        examination.close()
