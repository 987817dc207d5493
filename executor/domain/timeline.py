"""Time as the core knows it: integer nanoseconds UTC. Nothing here reads a clock."""

from datetime import UTC, datetime

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_MIN = 60 * NS_PER_S
NS_PER_HOUR = 3_600 * NS_PER_S
NS_PER_DAY = 86_400 * NS_PER_S


def utc_day(at_ns: int) -> int:
    """Number of the UTC day that holds the instant, counted from 1970-01-01."""
    return at_ns // NS_PER_DAY


def iso_utc(at_ns: int) -> str:
    """Print an instant for people and for the API: RFC 3339 with milliseconds."""
    whole, rest = divmod(at_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // NS_PER_MS:03d}Z"
