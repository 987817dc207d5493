"""From settings to a connection to the account, for the sentinel and for the kill."""

from typing import Final

from config.stop import StopSettings
from executor.sentinel.venue import SweepVenue

CONFIRM_MARGIN_S: Final = 1.0
"""Added to the age at which the venue refuses a request, for the request that is being worked at that moment."""
_MS_PER_S: Final = 1_000


def open_account(settings: StopSettings) -> SweepVenue:
    """Make a connection to the account, not yet open."""
    return SweepVenue(
        rest_url=settings.rest_url,
        api_key=settings.credentials.api_key.reveal(),
        api_secret=settings.credentials.api_secret.reveal(),
        recv_window_ms=settings.recv_window_ms,
        timeout_s=float(settings.request_timeout_s),
    )


def confirm_s(settings: StopSettings) -> float:
    """Time after which no request that was signed before can be accepted any more, seconds."""
    return settings.recv_window_ms / _MS_PER_S + CONFIRM_MARGIN_S
