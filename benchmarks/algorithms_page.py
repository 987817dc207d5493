"""Predicted against realised cost as one page that opens without a network."""

from html import escape
from typing import Final

from backtest.sheet_figures import Figure, label
from backtest.sheet_page import charts, document, notices
from benchmarks.algorithms_figures import Judged, Measured

NOTE: Final = (
    "Orders of the later half of each recording, to which nothing was fitted. Bins hold equal numbers of orders by what"
    " was predicted; their bars are standard errors as if orders were independent, which they are not."
)
_COLOURS: Final = (
    "#3b82f6",
    "#f59e0b",
    "#10b981",
    "#ec4899",
    "#8b5cf6",
    "#14b8a6",
    "#ef4444",
    "#84cc16",
    "#94a3b8",
)


def page_of(found: Measured) -> str:
    """Write the page."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - heavy, and only this page needs it

    figures: dict[str, Figure] = {}
    captions: dict[str, str] = {}
    for one in found.judged:
        if one.algorithm == "all":
            name = f"{one.group}, {one.how}".replace(" ", "-").replace(",", "")
            figures[name] = _calibration(
                one,
                [
                    own
                    for own in found.judged
                    if own.algorithm != "all" and own.group == one.group and own.how == one.how
                ],
            )
            captions[name] = (
                f"{one.group}, share that crosses {one.how}: {one.scored} orders, {100 * one.inside.mean:.0f} % inside"
                " intervals of 95 %. On the line, what was predicted is what it cost."
            )
    heading = "Predicted against realised cost"
    body = [f"<h1>{escape(heading)}</h1>", notices((), NOTE), charts(captions, figures)]
    return document(heading, body, figures, get_plotlyjs())


def _calibration(whole: Judged, parts: list[Judged]) -> Figure:
    data: list[Figure] = [
        {
            "type": "scatter", "mode": "markers", "name": label(part.algorithm), "opacity": 0.4,
            "x": [one.predicted_bps for one in part.points], "y": [one.realised_bps for one in part.points],
            "text": [label(one.name) for one in part.points],
            "marker": {"size": 4, "color": _COLOURS[number % len(_COLOURS)]},
        }
        for number, part in enumerate(parts)
    ]  # fmt: skip
    data.append(
        {
            "type": "scatter", "mode": "markers+lines", "name": "means of bins",
            "x": [one.predicted_bps for one in whole.bins], "y": [one.realised_bps for one in whole.bins],
            "error_y": {"type": "data", "array": [one.error_bps for one in whole.bins]},
            "marker": {"size": 9, "color": "#ef4444"},
        }
    )  # fmt: skip
    ends = [min(one.predicted_bps for one in whole.points), max(one.predicted_bps for one in whole.points)]
    data.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "as predicted",
            "x": ends,
            "y": ends,
            "line": {"dash": "dot"},
        }
    )
    return {
        "data": data,
        "layout": {
            "xaxis": {"title": {"text": "predicted, bps"}},
            "yaxis": {"title": {"text": "realised, bps"}},
        },
    }
