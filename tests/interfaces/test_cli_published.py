"""`executor impact published`: every figure that papers printed is reckoned anew, and one that differs is told."""

import json
from dataclasses import replace

import pytest

from executor.interfaces import published
from executor.interfaces.cli import main
from executor.interfaces.exit_codes import ExitCode


def run(capsys, *words):
    code = main(["impact", "published", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_every_figure_is_the_printed_one(capsys):
    code, out, err = run(capsys, "--json")
    told = json.loads(out)
    assert code == ExitCode.OK
    assert told["differ"] == 0
    assert len(told["figures"]) >= 85
    assert err == ""
    for one in told["figures"]:
        assert one["same"]
        assert abs(one["printed"] - one["reckoned"]) <= one["within"] <= 0.001 * abs(one["printed"]) or (
            one["within"] == 0.5  # a count
        )


def test_one_paper_is_shown_as_a_table(capsys):
    code, out, err = run(capsys, "--paper", "obizhaeva")
    assert code == ExitCode.OK
    assert "greatest saving, %" in out
    assert "12.2308" in out
    assert "Kyle" not in out
    assert err == "11 figures of 1 paper, 0 of them not the same\n"


def test_a_figure_that_differs_is_told(capsys, monkeypatch):
    sound = published.figures()
    wrong = (replace(sound[0], reckoned=sound[0].printed * 1.01), *sound[1:])
    monkeypatch.setattr(published, "figures", lambda: wrong)
    code, out, err = run(capsys)
    assert code == ExitCode.REFUSED
    assert out.count(" NO ") == 1
    assert "1 of them not the same" in err


@pytest.mark.parametrize("paper", ["nobody", "Kylee"])
def test_a_paper_that_is_not_there_is_refused_with_those_that_are(capsys, paper):
    code, _, err = run(capsys, "--paper", paper)
    assert code == ExitCode.USAGE
    assert paper in err
