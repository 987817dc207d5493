"""Which version of the executor this is."""

from typing import Final

DISTRIBUTION: Final = "bybit-executor"
UNINSTALLED: Final = "0+source"


def version() -> str:
    """Give the installed version, or `0+source` when the code runs without being installed."""
    from importlib import metadata  # noqa: PLC0415 - slow to import, and rarely needed

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return UNINSTALLED
