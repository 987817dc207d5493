"""Boards and rules name only what the daemon exposes, and are what their sources say."""

import json
import re
import shutil
import subprocess

import pytest

from deploy.alerts import ALERTS, RECORDED
from deploy.boards import BOARDS, OVERVIEW, SAFETY
from deploy.panels import Show, as_json
from deploy.write import FOLDER, files, main
from executor.interfaces.remedies import REFUSAL_REMEDY
from executor.runtime.metrics import METRICS, Kind

_METRIC = re.compile(r"\bexecutor_[a-z_]+\b")
_SELECTOR = re.compile(r"\b(executor_[a-z_]+)\{([^}]*)\}")
_LABEL = re.compile(r"([a-z_]+)(?:=~|!=|!~|=)")
_LEGEND = re.compile(r"\{\{(\w+)\}\}")
_BY = re.compile(r"\bby \(([^)]*)\)")
PROMTOOL = shutil.which("promtool")
EVERYWHERE = {"instance", "job", "le"}
QUERIES = [
    pytest.param(panel, query, id=f"{board.uid}: {panel.title}: {query.legend}")
    for board in BOARDS
    for panel in board.panels()
    for query in panel.queries
]


def exposed():
    names = {}
    for metric in METRICS:
        names[metric.name] = set(metric.labels)
        if metric.kind is Kind.HISTOGRAM:
            names |= {f"{metric.name}_{part}": set(metric.labels) for part in ("bucket", "sum", "count")}
    return names


def check_expression(expr):
    known = exposed()
    names = set(_METRIC.findall(expr))
    assert names or expr.startswith("up"), expr
    assert names <= known.keys(), f"unknown: {names - known.keys()}"
    labels = set().union(*(known[name] for name in names)) if names else set()
    for name, inside in _SELECTOR.findall(expr):
        assert set(_LABEL.findall(inside)) <= known[name] | EVERYWHERE, expr
    for listed in _BY.findall(expr):
        assert {each.strip() for each in listed.split(",")} <= labels | EVERYWHERE, expr
    return labels


@pytest.mark.parametrize(("panel", "query"), QUERIES)
def test_a_panel_shows_what_is_exposed_and_says_what_it_is(panel, query):
    labels = check_expression(query.expr)
    assert set(_LEGEND.findall(query.legend)) <= labels | EVERYWHERE
    assert panel.unit
    assert panel.text.endswith(".")
    assert panel.steps[0][0] is None
    assert [value for value, _ in panel.steps[1:]] == sorted(value for value, _ in panel.steps[1:])


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_no_panel_lies_over_another(board):
    shown = as_json(board)
    taken = set()
    ids = [panel["id"] for panel in shown["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in shown["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert {panel["type"] for panel in shown["panels"]} <= {show.value for show in Show} | {"row"}


def test_every_metric_is_on_a_board_or_in_an_alert():
    text = " ".join(
        [query.expr for board in BOARDS for panel in board.panels() for query in panel.queries]
        + [alert.expr for alert in ALERTS]
        + [expr for _, expr in RECORDED]
    )
    shown = set(_METRIC.findall(text))
    hidden = {
        metric.name
        for metric in METRICS
        if not {metric.name, f"{metric.name}_bucket"} & shown and metric.name not in NOT_SHOWN
    }
    assert hidden == set()
    assert not {name for name in NOT_SHOWN if name in shown}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian package prometheus)")
@pytest.mark.parametrize("board", [OVERVIEW, SAFETY], ids=lambda board: board.uid)
def test_an_alert_that_comes_for_the_first_time_is_counted(board, tmp_path):
    """A counter with labels begins to exist with its first event, and Prometheus sees no increase of that."""
    (panel,) = [each for each in board.panels() if each.title.startswith("Alerts")]
    halt = 'executor_alerts_total{instance="a",code="HALT",severity="CRITICAL"}'
    by_code = "{code='HALT', severity='CRITICAL'}" if board is SAFETY else "{}"
    tests = [
        {
            "interval": "15s",
            "input_series": [{"series": halt, "values": values}],
            "promql_expr_test": [
                {
                    "expr": panel.queries[0].expr.replace("$instance", ".*"),
                    "eval_time": f"{at_min}m",
                    "exp_samples": [{"labels": by_code, "value": expected}],
                }
            ],
        }
        for values, at_min, expected in (("_x20 1x200", 10, 1), ("_x20 1x20 2x200", 20, 2), ("1x600", 120, 0))
    ]
    path = tmp_path / "panel.yml"
    path.write_text(json.dumps({"evaluation_interval": "15s", "tests": tests}))  # JSON is YAML, too
    done = subprocess.run([PROMTOOL, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


NOT_SHOWN = {
    "executor_orders_acked_total",  # the time to the acknowledgement is shown
    "executor_fills_total",  # their value is shown
    "executor_filled_base_total",
    "executor_capture_written_bytes_total",
    "executor_advice_late_total",  # an outcome, and shown as one
    "executor_advice_bridged_total",
    "executor_advice_failed_total",
    "executor_advice_adaptations_total",
    "executor_advice_periods",
    "executor_advice_usual_cost_bps",
    "executor_advice_impact_orders",
    "executor_advice_impact_distance_bps",
    "executor_advice_impact_coverage_ratio",
    "executor_parent_figures_age_seconds",
}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_what_it_means_and_what_to_do(alert):
    check_expression(alert.expr)
    assert {case.fires for case in alert.cases} == {True, False}
    assert alert.means.endswith(".")
    assert alert.do
    for label in re.findall(r"\$labels\.(\w+)", alert.summary):
        assert label in check_expression(alert.expr) | EVERYWHERE
    for code in re.findall(r'reason="(\w+)"', str(alert.cases)):
        assert code in REFUSAL_REMEDY, "a reason that the gate knows"


@pytest.mark.parametrize(("name", "expr"), RECORDED, ids=lambda value: value[:40])
def test_a_recorded_series_is_of_what_is_exposed(name, expr):
    assert re.fullmatch(r"executor:[a-z_]+:[a-z0-9_]+", name)
    check_expression(expr)


def test_the_files_are_what_their_sources_say(capsys):
    assert main(["--check"]) == 0, capsys.readouterr().err
    for name in files():
        if name.endswith(".json"):
            json.loads((FOLDER / name).read_text())


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian package prometheus)")
def test_promtool_takes_the_rules_and_every_case_of_every_alert_comes_true():
    folder = FOLDER / "prometheus"
    for words in (
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "alerts.yml", "recording.yml"],
        ["test", "rules", "alerts_test.yml"],
    ):
        done = subprocess.run([PROMTOOL, *words], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
