"""Write what is drawn from the metrics: Grafana boards, Prometheus rules and their tests, the runbook of alerts.

python -m deploy.write            write
python -m deploy.write --check    exit 1 and name the files that differ
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from deploy.alerts import ALERTS, RECORDED, Alert, Case
from deploy.boards import BOARDS
from deploy.panels import as_json
from deploy.runbook import page

FOLDER: Final = Path(__file__).resolve().parent
_RUNBOOK_HEAD: Final = """# Alerts

<!-- Written by `python -m deploy.write` from deploy/alerts.py. -->

What Prometheus alerts about, what it means and what a person does. `page`: look now; `ticket`: look today. The daemon
also tells people by itself ([its own alerts](reference/alerts.md)); these rules also see what a daemon that is gone
cannot tell.
"""
_NOTE: Final = (
    "# Written by `python -m deploy.write` from deploy/alerts.py; change that, then run it again.\n"
)


def files() -> Mapping[str, Callable[[], str]]:
    """What makes each file, by its name below this folder."""
    boards: dict[str, Callable[[], str]] = {
        f"grafana/dashboards/{board.uid}.json": partial(_json, as_json(board)) for board in BOARDS
    }
    return boards | {
        "prometheus/alerts.yml": alert_rules,
        "prometheus/recording.yml": recording_rules,
        "prometheus/alerts_test.yml": rule_tests,
        "../docs/alerts.md": runbook,
        "../docs/runbook.md": page,
    }


def alert_rules() -> str:
    """Every alert as a rule of Prometheus."""
    out = [_NOTE, "groups:\n  - name: executor\n    rules:\n"]
    for alert in ALERTS:
        out.append(
            f"      - alert: {alert.name}\n        expr: {_text(alert.expr)}\n        for: {alert.held}\n"
        )
        out.append(f"        labels:\n          severity: {alert.level}\n")
        out.append(f"        annotations:\n          summary: {_text(alert.summary)}\n")
        out.append(
            f"          description: {_text(alert.means)}\n          runbook: docs/alerts.md#{_anchor(alert)}\n"
        )
    return "".join(out)


def recording_rules() -> str:
    """Every series that Prometheus keeps ready."""
    rules = "".join(f"      - record: {name}\n        expr: {_text(expr)}\n" for name, expr in RECORDED)
    return f"{_NOTE}groups:\n  - name: executor-recorded\n    interval: 15s\n    rules:\n{rules}"


def rule_tests() -> str:
    """Every case of every alert as a test of `promtool test rules`."""
    out = [_NOTE, "rule_files:\n  - alerts.yml\nevaluation_interval: 15s\ntests:\n"]
    for alert in ALERTS:
        for number, case in enumerate(alert.cases, start=1):
            out.append(_one_test(alert, number, case))
    return "".join(out)


def _one_test(alert: Alert, number: int, case: Case) -> str:
    series = "".join(
        f"      - series: {_text(name)}\n        values: {_text(values)}\n" for name, values in case.series
    )
    name = f"{alert.name} {number}: {'fires' if case.fires else 'does not fire'}"
    return (
        f"  - name: {_text(name)}\n    interval: 15s\n    input_series:\n{series}"
        "    promql_expr_test:\n"
        f"      - expr: {_text(_is_firing(alert))}\n        eval_time: {case.at_min}m\n"
        f"        exp_samples: {_expected(case)}\n"
    )


def _is_firing(alert: Alert) -> str:
    return f'count(ALERTS{{alertname="{alert.name}",alertstate="firing"}}) > 0'


def _expected(case: Case) -> str:
    return '[{labels: "{}", value: 1}]' if case.fires else "[]"


def runbook() -> str:
    """Every alert with what it means and what one does."""
    out = [_RUNBOOK_HEAD]
    for alert in ALERTS:
        steps = "\n".join(f"{number}. {step}" for number, step in enumerate(alert.do, start=1))
        held = "" if alert.held == "0s" else f" for {alert.held}"
        out.append(
            f"\n## {alert.name}\n\n`{alert.level}` · `{alert.expr}`{held}\n\n{alert.means}\n\n{steps}\n"
        )
    return "".join(out)


def _anchor(alert: Alert) -> str:
    return alert.name.lower()


def _text(text: str) -> str:
    """Quote a text for YAML: JSON's way is one of its ways."""
    return json.dumps(text, ensure_ascii=False)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the files, or compare them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.write", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    is_check = parser.parse_args(arguments).check
    differing = 0
    for name, make in files().items():
        path = (FOLDER / name).resolve()
        text = make()
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if is_check:
            differing += 1
            sys.stderr.write(f"{path} is not what its sources say: run python -m deploy.write\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
