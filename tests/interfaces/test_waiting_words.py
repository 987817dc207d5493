"""What is said while something takes long."""

import threading

from executor.interfaces import cli_recorded, output
from simulation.replay.native import VENUE


def test_a_compilation_is_said_once_and_only_if_it_takes_long(monkeypatch):
    said, heard = [], threading.Event()

    def say(text):
        said.append(text)
        heard.set()

    monkeypatch.setattr(output, "say", say)
    monkeypatch.setattr(type(VENUE), "linked", lambda _self: None)
    cli_recorded.ready_venue()
    assert said == []
    with output.said_if_long("compiling", after_s=0.0):
        assert heard.wait(20)
    assert said == ["compiling"]


def test_who_waits_for_the_compiled_venue_is_told_why(monkeypatch, capsys):
    heard = threading.Event()

    class Soon(threading.Timer):
        def __init__(self, _after_s, function, args):
            super().__init__(0.0, lambda: (function(*args), heard.set()))

    monkeypatch.setattr(threading, "Timer", Soon)
    monkeypatch.setattr(type(VENUE), "linked", lambda _self: heard.wait(20))
    cli_recorded.ready_venue()
    assert capsys.readouterr().err.startswith("compiling the replay venue, once on this machine")
