"""The form of a Grafana board: panels as plain records, laid out in rows, written as the JSON that Grafana reads.

What a panel shows is said in `boards_*.py`. Ids and places follow from the order, so that a board written twice is the
same byte for byte.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Json = dict[str, object]

SCHEMA: Final = 39
"""Version of Grafana's dashboard model that is written; later Grafana reads it."""
_COLUMNS: Final = 24
_SOURCE: Final[Json] = {"type": "prometheus", "uid": "${source}"}


class Show(StrEnum):
    """How a panel draws its series; the values are Grafana's names."""

    LINES = "timeseries"
    NUMBER = "stat"
    BARS = "bargauge"
    TABLE = "table"


class Hue(StrEnum):
    """Colours of thresholds."""

    GOOD = "green"
    LOOK = "orange"
    BAD = "red"
    PLAIN = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One expression of a panel.

    Parameters
    ----------
    expr
        PromQL, with Grafana's variables.
    legend
        How its series are called; `{{label}}` stands for a label's value.
    rare
        Whether no series is what a healthy daemon gives: the test of all panels does not wait for data.
    """

    expr: str
    legend: str = ""
    rare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Parameters
    ----------
    unit
        Grafana's name of the unit: `s`, `percentunit`, `short`, `suffix: bps`, ...
    steps
        Thresholds: from which value on which colour holds; the first has no value.
    width, height
        In Grafana's grid of 24 columns.
    stacked
        Lines that add up.
    words
        Value and the word that stands for it, for flags.
    """

    title: str
    text: str
    show: Show
    unit: str
    queries: tuple[Query, ...]
    steps: tuple[tuple[float | None, Hue], ...] = ((None, Hue.PLAIN),)
    width: int = 12
    height: int = 8
    stacked: bool = False
    low: float | None = None
    high: float | None = None
    words: tuple[tuple[int, str], ...] = ()
    decimals: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A heading and the panels under it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One board.

    Parameters
    ----------
    of_parents
        Whether it lets one choose parent orders.
    """

    uid: str
    title: str
    text: str
    rows: tuple[Row, ...]
    of_parents: bool = False

    def panels(self) -> Iterator[Panel]:
        """Every panel, from top to bottom."""
        for row in self.rows:
            yield from row.panels


def lines(
    title: str,
    text: str,
    unit: str,
    *queries: Query,
    steps: Sequence[tuple[float | None, Hue]] = ((None, Hue.PLAIN),),
    width: int = 12,
    stacked: bool = False,
    low: float | None = None,
    high: float | None = None,
) -> Panel:
    """Make a panel of lines over time."""
    return Panel(
        title=title,
        text=text,
        show=Show.LINES,
        unit=unit,
        queries=queries,
        steps=tuple(steps),
        width=width,
        stacked=stacked,
        low=low,
        high=high,
    )


def number(
    title: str,
    text: str,
    unit: str,
    query: Query,
    *,
    steps: Sequence[tuple[float | None, Hue]] = ((None, Hue.PLAIN),),
    words: Sequence[tuple[int, str]] = (),
    width: int = 4,
    decimals: int | None = None,
) -> Panel:
    """Make a panel of one large number."""
    return Panel(
        title=title,
        text=text,
        show=Show.NUMBER,
        unit=unit,
        queries=(query,),
        steps=tuple(steps),
        words=tuple(words),
        width=width,
        height=4,
        decimals=decimals,
    )


def bars(
    title: str,
    text: str,
    unit: str,
    query: Query,
    *,
    steps: Sequence[tuple[float | None, Hue]] = ((None, Hue.PLAIN),),
    low: float | None = None,
    high: float | None = None,
    width: int = 12,
) -> Panel:
    """Make a panel of bars, one for each series, as they stand now."""
    return Panel(
        title=title,
        text=text,
        show=Show.BARS,
        unit=unit,
        queries=(query,),
        steps=tuple(steps),
        low=low,
        high=high,
        width=width,
    )


def as_json(board: Board) -> Json:
    """Write a board in Grafana's form."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.text,
        "tags": ["executor"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "5s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "links": [
            {
                "title": "Boards",
                "type": "dashboards",
                "tags": ["executor"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "templating": {"list": _variables(of_parents=board.of_parents)},
        "panels": list(_laid_out(board)),
    }


def _variables(*, of_parents: bool) -> list[Json]:
    found: list[Json] = [
        {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"},
        _choice("instance", "Daemon", "label_values(executor_halt_latched, instance)", several=True),
    ]
    if of_parents:
        query = 'label_values(executor_parent_info{instance=~"$instance"}, parent_id)'
        found.append(_choice("parent", "Parent order", query, several=False))
    return found


def _choice(name: str, label: str, query: str, *, several: bool) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 2,
        "multi": several,
        "includeAll": several,
        "current": {"text": "All", "value": "$__all"} if several else {},
    }


def _laid_out(board: Board) -> Iterator[Json]:
    """Place the panels of each row beside each other, and below where there is no more room."""
    number_, top = 0, 0
    for row in board.rows:
        number_ += 1
        yield {
            "id": number_,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": top, "w": _COLUMNS, "h": 1},
            "panels": [],
        }
        top += 1
        left = tallest = 0
        for panel in row.panels:
            if left + panel.width > _COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            number_ += 1
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield _panel(number_, panel, place)
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest


def _panel(number_: int, panel: Panel, place: dict[str, int]) -> Json:
    defaults: Json = {
        "unit": panel.unit,
        "color": {"mode": "palette-classic" if panel.show is Show.LINES else "thresholds"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": hue.value} for value, hue in panel.steps],
        },
        "mappings": [
            {"type": "value", "options": {str(value): {"text": word, "index": index}}}
            for index, (value, word) in enumerate(panel.words)
        ],
    }
    for name, value in (("min", panel.low), ("max", panel.high), ("decimals", panel.decimals)):
        if value is not None:
            defaults[name] = value
    if panel.show is Show.LINES:
        defaults["custom"] = {
            "drawStyle": "line",
            "lineInterpolation": "stepAfter",
            "fillOpacity": 20 if panel.stacked else 5,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if len(panel.steps) > 1 else "off"},
        }
    return {
        "id": number_,
        "type": panel.show.value,
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel.show),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend or "__auto",
                **({} if panel.show is Show.LINES else {"instant": True, "range": False}),
                **({"format": "table"} if panel.show is Show.TABLE else {}),
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def _options(show: Show) -> Json:
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match show:
        case Show.LINES:
            return {
                "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        case Show.NUMBER:
            return {"reduceOptions": last, "colorMode": "background", "graphMode": "none", "textMode": "auto"}
        case Show.BARS:
            return {"reduceOptions": last, "orientation": "horizontal", "displayMode": "gradient"}
        case Show.TABLE:
            return {"showHeader": True, "cellHeight": "sm"}
