"""Lines for people and machines: one per fact, nothing hidden in them, and no way to stop the daemon."""

import io
import json
from decimal import Decimal

import pytest

from executor.runtime.log import LineLog
from executor.venues.bybit.access import Access
from executor.venues.bybit.signer import Signer
from tests.builders import T0

SECRET = "canary-secret-9f8e7d6c5b4a"


def lines(output):
    return output.getvalue().splitlines()


def make(as_json=False, level="debug"):
    output = io.StringIO()
    return LineLog(lambda: T0, level, as_json=as_json, output=output), output


def test_a_line_of_text():
    log, output = make()
    log("order sent", id="x-1", qty=Decimal("0.10"), level="warning")
    assert lines(output) == ["2023-11-14T22:13:20.000Z WARNING order sent id=x-1 qty=0.10"]


def test_a_line_of_json():
    log, output = make(as_json=True)
    log("order sent", id="x-1", qty=Decimal("0.10"))
    assert json.loads(output.getvalue()) == {
        "at": "2023-11-14T22:13:20.000Z",
        "level": "info",
        "message": "order sent",
        "id": "x-1",
        "qty": "0.10",
    }


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning", "error", "strange"]),
        ("info", ["info", "warning", "error", "strange"]),
        ("warning", ["warning", "error", "strange"]),
        ("error", ["error", "strange"]),
    ],
)
def test_a_level_hides_what_is_below_it_and_an_unknown_one_is_heard(level, heard):
    log, output = make(as_json=True, level=level)
    for each in ("debug", "info", "warning", "error", "strange"):
        log("m", level=each)
    assert [json.loads(line)["level"] for line in lines(output)] == heard


NASTY = "a\nb\r\x1b[31mred\x07\x00 \u2028\u202e\ud800"


@pytest.mark.parametrize("as_json", [False, True])
def test_control_characters_are_escaped_wherever_they_are(as_json):
    log, output = make(as_json=as_json)
    log(NASTY, detail=NASTY, error=ValueError(NASTY))
    (line,) = output.getvalue().removesuffix("\n").split("\n")
    assert line.isprintable()
    assert len(output.getvalue().splitlines()) == 1


@pytest.mark.parametrize("as_json", [False, True])
def test_secrets_do_not_appear_in_what_is_logged_of_their_holders(as_json):
    access = Access(
        rest_url="http://127.0.0.1:1",
        public_ws_url="ws://127.0.0.1:1",
        private_ws_url="ws://127.0.0.1:1",
        api_key="AKIA-canary",
        api_secret=SECRET,
    )
    log, output = make(as_json=as_json)
    log("access", access=access, signer=Signer("AKIA-canary", SECRET, 5_000))
    assert SECRET not in output.getvalue()
    assert SECRET[:8] not in output.getvalue()


class Broken(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, _):
        raise self.error


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "full"), ValueError("closed")])
def test_a_broken_output_is_counted_and_survived(error):
    log = LineLog(lambda: T0, "info", as_json=False, output=Broken(error))
    log("one")
    log("two")
    assert log.lost == 2


def test_a_closed_output_and_one_that_knows_ascii_only_are_survived():
    closed = io.StringIO()
    closed.close()
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    for output in (closed, ascii_only):
        log = LineLog(lambda: T0, "info", as_json=False, output=output)
        log("preis €", symbol="币安")
        assert log.lost == 1
    ascii_only.detach()
