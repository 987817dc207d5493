"""The agents' end of the line to a venue: what it says is checked, and what cannot be ends the play."""

import json
import os
import socket
import threading

import pytest

from backtest.market.venue_agents import VenueMarket, serve
from backtest.market.venue_book import VenueBook
from backtest.market.venue_line import Did, Go, Levels, LineEnded, No, PipeLine
from simulation.agents.value import ValueInvestor
from simulation.book.messages import (
    BAD_DISPLAY,
    BAD_KIND,
    CANCELED,
    FILL,
    FOK,
    IOC,
    SELF_TRADE,
    UNKNOWN_ORDER,
)
from tests.sandbox.agents_ground import MAKERS, scenario

GUESTS = 9


class Script:
    """Says these answers, one for each question."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def send(self, word, *numbers):
        self.asked.append((word, *numbers))

    def receive(self):
        return self.answers.pop(0)


def book(*answers):
    made = VenueBook(Script(*answers), GUESTS)
    made.meet = lambda side, px, qty: 99 if made.limit(99, GUESTS, side, px, qty) == 1 else 0
    return made


def test_an_order_meets_agents_guests_and_its_own():
    place = book(
        Did(0, 101, 5, ()),
        Did(0, 101, 5, ()),
        Did(0, 101, 7, ()),
        Did(90, 0, 2, ((1, 101, 5), (2, 101, 0), (0, 102, 3))),
    )
    assert [place.limit(1, 0, -1, 101, 5), place.limit(2, 4, -1, 101, 5), place.limit(3, 0, -1, 103, 7)] == [
        1,
        1,
        1,
    ]
    assert place.limit(4, 4, 1, 102, 10, IOC) == 5
    told = [(one.kind, one.reason, one.order_id, one.px, one.qty, one.leaves) for one in place.outcomes]
    assert told[1:4] == [
        (FILL, 0, 4, 101, 5, 5),
        (CANCELED, SELF_TRADE, 2, 101, 5, 0),
        (FILL, 0, 4, 102, 3, 2),
    ]
    assert (place.leaves(1), place.leaves(2), place.leaves(3), place.leaves(4)) == (0, 0, 7, 0)
    assert (place.best_bid, place.best_ask, place.last_px) == (90, 0, 102)


def test_what_a_venue_does_not_have_is_rejected_without_asking():
    place = book()
    assert place.limit(1, 0, 1, 100, 5, 0, 2) == -BAD_DISPLAY
    assert {place.amend(1, 5, 5), place.market(2, 0, 1, 5), place.stop(3, 0, 1, 5, 5, 5)} == {-BAD_KIND}
    assert place.cancel(1) == -UNKNOWN_ORDER
    assert place.outcomes == []


def test_depth_is_asked_for_once_between_two_changes():
    place = book(Levels(((100, 5),)), No(99, 101, "not-fillable"), Levels(()))
    assert place.depth(1, 5) == place.depth(1, 5) == ((100, 5),)
    assert place.limit(1, 0, 1, 100, 5, FOK) < 0
    assert (place.depth(1, 5), place.best_bid) == ((), 99)


@pytest.mark.parametrize(
    "answer",
    [
        Did(0, 0, 4, ()),
        Did(0, 0, 0, ((7, 100, 5),)),
        Did(0, 0, 0, ((7, 100, 0),)),
        Did(0, 0, 0, ((1, 100, 5),)),
        Levels(()),
        Did(0, 0, -1, ((0, 1, 6),)),
    ],
)
def test_a_venue_that_contradicts_itself_ends_the_play(answer):
    place = book(Did(0, 100, 3, ()), answer)
    place.limit(1, 0, -1, 100, 3)
    with pytest.raises(ValueError, match=r"the venue|leave|rest"):
        place.limit(2, 1, 1, 100, 5)


def test_what_others_did_must_concern_orders_that_rest():
    place = book(Did(0, 100, 3, ()))
    place.limit(1, 0, -1, 100, 3)
    for taken, gone in ((((1, ((2, 1),)),), ()), ((), (2,)), (((0, ((1, 1),)),), ())):
        with pytest.raises(ValueError, match="the venue says"):
            place.begin(Go(0, 1, 0, 100, taken, gone))
    assert place.begin(Go(0, 1, 0, 100, ((1, ((1, 2),)),), ())) == [(1, 100, 2, 0)]
    assert not place.is_settled


@pytest.mark.parametrize(
    "said", ['["go",0,1]', '["did",0,0,0,[[1,2]]]', '["went"]', "{}", '["levels",[[1.5,2]]]']
)
def test_words_of_another_form_are_refused(said):
    hears, says = os.pipe()
    os.write(says, said.encode() + b"\n")
    os.close(says)
    with os.fdopen(hears, "rb"), pytest.raises(ValueError, match=r"\w"):
        PipeLine(hears, 0).receive()


def test_the_end_of_the_venue_is_the_end_of_the_line():
    hears, says = os.pipe()
    os.close(says)
    with os.fdopen(hears, "rb"), pytest.raises(LineEnded):
        PipeLine(hears, 0).receive()
    hears, says = os.pipe()
    os.close(hears)
    with os.fdopen(says, "wb"), pytest.raises(LineEnded):
        PipeLine(0, says).send("done", 1)


def test_an_agent_that_fails_is_told_and_the_others_go_on(monkeypatch, capsys):
    def fail(self, view):
        raise RuntimeError("no more ideas")

    monkeypatch.setattr(ValueInvestor, "on_wakeup", fail)
    value = {"name": "thinker", "kind": "value", "cash": 1000, "params": {"mean_wait_s": 0.1}}
    ours, theirs = socket.socketpair()
    line = PipeLine(theirs.fileno(), theirs.fileno())
    market = VenueMarket(scenario({**MAKERS, "come_s": 60.0}, value), 1, line)
    thread = threading.Thread(target=serve, args=(market, line))
    thread.start()
    with ours, ours.makefile("rw") as venue:
        assert json.loads(venue.readline()) == ["hello", 1, 10_000, 5_000_000_000]
        venue.write('["go",0,20000000000,0,0,[],[]]\n')
        venue.flush()
        word, next_ns = json.loads(venue.readline())
    thread.join(20)
    theirs.close()
    assert word == "done"
    assert next_ns > 20_000_000_000
    told = capsys.readouterr().err
    assert told.startswith("agents: thinker failed at ")
    assert told.endswith("s and is out of the market: RuntimeError: no more ideas\n")
