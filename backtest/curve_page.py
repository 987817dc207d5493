"""The page of a volume curve: pictures of the hours of the day and of the week, with what their errors are."""

from collections.abc import Iterable, Sequence
from html import escape

from backtest.sheet_figures import Figure
from backtest.sheet_page import charts, document, notices, table
from backtest.volume_curve import Estimated, Mean, Tracked
from executor.domain.volume_curve import HOURS_PER_DAY, WHOLE_PPM
from strategies.volume_curve import USUAL_CURVE

DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CAPTIONS = {
    "day": "Share of the day's volume by hour, UTC; bars are one standard error of the recorded mean.",
    "week": "Share of the week's volume by hour, Monday 00:00 UTC first, beside the usual curve.",
}


def curve_page(heading: str, made: Estimated, check: Tracked, remarks: Sequence[str]) -> str:
    """Write the page.

    Parameters
    ----------
    remarks
        What its reader must know: days that were left out.
    """
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - heavy, and nobody else needs it

    figures = {"day": _day(made), "week": _week(made)}
    body = [
        f"<h1>{escape(heading)}</h1>",
        notices(remarks, f"{made.days} whole days, {made.first} to {made.last}"),
        charts(_CAPTIONS, figures),
        "<h2>Tracking error of an order over a whole day, % of the order</h2>",
        table(
            ("by", "days", "mean", "standard error"),
            (
                (name, str(one.count), _number(one.mean, 1.0, 2), _number(one.standard_error, 1.0, 2))
                for name, one in tracked_rows(check)
            ),
        ),
        "<h2>Days of the week, volume over that of a mean day</h2>",
        table(
            ("day", "whole days", "weeks", "mean", "standard error", "used"),
            (
                (
                    DAY_NAMES[row.day],
                    str(row.days),
                    str(row.ratio.count),
                    _number(row.ratio.mean, 1.0, 3),
                    _number(row.ratio.standard_error, 1.0, 3),
                    _number(row.used, 1.0, 3),
                )
                for row in made.week
            ),
        ),
    ]
    return document(heading, body, figures, get_plotlyjs())


def tracked_rows(check: Tracked) -> Iterable[tuple[str, Mean]]:
    """What an order went by, in words, and how well that tracked."""
    yield "even", check.flat
    yield "usual curve", check.usual
    yield "curve from the other days", check.estimated


def _day(made: Estimated) -> Figure:
    hours = list(range(HOURS_PER_DAY))
    data: list[Figure] = []
    for name, kind, colour in (("weekdays", "weekday", "#3b82f6"), ("weekends", "weekend", "#f59e0b")):
        means: list[Mean] = [getattr(row, kind) for row in made.hours]
        if means[0].mean is not None:
            data.append(
                {
                    "type": "bar", "name": name, "x": hours, "y": [_pct(one.mean) for one in means],
                    "marker": {"color": colour}, "opacity": 0.6,
                    "error_y": {"type": "data", "array": [_pct(one.standard_error) for one in means]},
                }
            )  # fmt: skip
        used = [_pct(getattr(row, f"used_{kind}")) for row in made.hours]
        data.append(
            {
                "type": "scatter", "mode": "lines", "name": f"{name}, used", "x": hours, "y": used,
                "line": {"color": colour, "shape": "hvh"},
            }
        )  # fmt: skip
    return _figure(data, "hour, UTC", "share of the day, %")


def _week(made: Estimated) -> Figure:
    hours = list(range(len(made.shares)))
    usual = [100.0 * weight / WHOLE_PPM for weight in USUAL_CURVE.weights_ppm]
    data: list[Figure] = [
        {
            "type": "scatter", "mode": "lines", "name": "this curve", "x": hours,
            "y": [_pct(share) for share in made.shares], "line": {"color": "#3b82f6", "shape": "hvh"},
        },
        {
            "type": "scatter", "mode": "lines", "name": "usual", "x": hours, "y": usual,
            "line": {"color": "#94a3b8", "shape": "hvh", "dash": "dot"},
        },
    ]  # fmt: skip
    figure = _figure(data, "", "share of the week, %")
    figure["layout"]["xaxis"] |= {  # type: ignore[index]
        "tickvals": [day * HOURS_PER_DAY for day in range(len(DAY_NAMES))], "ticktext": list(DAY_NAMES),
    }  # fmt: skip
    return figure


def _figure(data: list[Figure], below: str, left: str) -> Figure:
    axes = {"xaxis": {"title": {"text": below}}, "yaxis": {"title": {"text": left}, "rangemode": "tozero"}}
    return {"data": data, "layout": axes}


def _pct(share: float | None) -> float | None:
    return None if share is None else 100.0 * share


def _number(value: float | None, times: float, digits: int) -> str:
    return "-" if value is None else f"{times * value:.{digits}f}"
