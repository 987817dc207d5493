"""Metrics written down in Prometheus' text form, a line for each series.

Ten thousand lines a second are written where hundreds of orders are scraped every second, on the loop that owns the
engine. So what a line begins with is made once, and kept for the next page.
"""

from decimal import Decimal
from math import isfinite, isnan

from executor.runtime.metrics import Metric


def head(metric: Metric) -> str:
    """Write what precedes the series of a metric: its help and its type."""
    text = metric.text.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {metric.name} {text}\n# TYPE {metric.name} {metric.kind}\n"


def beginning(metric: Metric, labels: tuple[str, ...]) -> str:
    """Write what the line of a series begins with: all but its value.

    Raises
    ------
    ValueError
        If there are not as many values as the metric has labels.
    """
    if not labels and not metric.labels:
        return f"{metric.name} "
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(metric.labels, labels, strict=True))
    return f"{metric.name}{{{pairs}}} "


def number(value: Decimal | float) -> str:
    """Write a value as Prometheus reads it."""
    plain = float(value)
    if isfinite(plain):
        return repr(plain)
    if isnan(plain):
        return "NaN"
    return "+Inf" if plain > 0 else "-Inf"


class Beginnings:
    """What lines begin with, kept from page to page; what a page has no use for is forgotten with it."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, tuple[str, ...]], str] = {}
        self._used: dict[tuple[str, tuple[str, ...]], str] = {}

    def begin_page(self) -> None:
        """Forget what the last page did not use."""
        self._kept, self._used = self._used, {}

    def of(self, metric: Metric, labels: tuple[str, ...]) -> str:
        """Give what the line of a series begins with."""
        key = (metric.name, labels)
        text = self._kept.get(key)
        if text is None:
            text = beginning(metric, labels)
        self._used[key] = text
        return text


def _escaped(value: str) -> str:
    if "\\" not in value and "\n" not in value and '"' not in value:
        return str(value)
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
