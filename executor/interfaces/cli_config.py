"""Commands about settings: check them, show them with their origins."""

import os
from dataclasses import asdict

from config.load import load_settings
from config.secrets import missing_credentials
from config.settings import effective
from executor.interfaces.options import USUAL_PROFILE, AsJson, ConfigFile, Profile, YesLive
from executor.interfaces.output import cell, emit_json, say, show, show_rich


def check(
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    yes_live: YesLive = False,
    as_json: AsJson = False,
) -> None:
    """Read the settings, report every problem, start nothing."""
    settings = load_settings(profile, config, os.environ, yes_live)
    remarks = [missing_credentials(settings.executor.mode, settings.other_keys)] if settings.lacks_key else []
    if as_json:
        emit_json({"ok": True, "profile": profile, "remarks": [remark.record() for remark in remarks]})
        return
    show(f"OK: profile {profile}, mode {settings.executor.mode}")
    for remark in remarks:
        say(f"before `executor run`: {remark.line()}")


def show_settings(
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    yes_live: YesLive = False,
    as_json: AsJson = False,
) -> None:
    """Print every setting and its origin; secrets are masked."""
    rows = effective(load_settings(profile, config, os.environ, yes_live))
    if as_json:
        emit_json([asdict(row) for row in rows])
        return
    from rich.table import Table  # noqa: PLC0415 - slow to import
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for title in ("setting", "value", "origin"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(text)) for text in (row.key, row.value, row.origin)))
    show_rich(table)
