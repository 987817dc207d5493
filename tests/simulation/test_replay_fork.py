"""A fork of a venue goes on from where it is, and neither knows of the other."""

import pytest

from simulation.replay import codes
from simulation.replay.layout import Rows
from simulation.replay.machine import ReplayMachine
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay.twin import ReplayTwin

pytestmark = pytest.mark.timeout(600)  # the first call compiles the venue, where that is not on disk yet

TERMS = ReplayTerms(feed=Delay(constant_ns=7), entry=Delay(samples_ns=(1, 5, 9)), answer=Delay(constant_ns=3))
ROWS = [
    (1_000, codes.LEVEL, 1, 100, 10), (1_000, codes.LEVEL, -1, 101, 10), (1_000, codes.LEVEL, -1, 9_000, 4),
    (1_100, codes.TRADE, -1, 100, 12), (1_200, codes.TRADE, 1, 101, 5), (1_300, codes.LEVEL, 1, 100, 3),
]  # fmt: skip


def rows(table):
    columns = [[row[i] for row in table] for i in (0, 0, 1, 2, 3, 4)]
    return Rows(*columns, [0] * len(table), [codes.LAST] * len(table))


def played(venue, until_ns):
    chunks = [rows(ROWS[4:])]
    while venue.advance(until_ns) == codes.MORE:
        venue.feed(chunks.pop(), final=True)
    return venue


@pytest.mark.parametrize("make", [ReplayTwin, ReplayMachine], ids=["twin", "compiled"])
def test_a_fork_does_what_the_original_would_have_done_and_nothing_to_it(make):
    venue = make(TERMS)
    venue.feed(rows(ROWS[:4]), final=False)
    venue.advance(1_050)
    assert (venue.row_ns, venue.lag_ns) == (1_000, 7)
    fork, still = venue.fork(), venue.fork()
    assert fork.state_hash() == venue.state_hash()
    fork.place(1, 1, 100, 1)
    fork.place(2, 1, 101, 4, codes.IOC)
    played(fork, 2_000)
    assert fork.account().position == 5
    assert venue.account().position == 0
    heard = fork.answers()
    for other in (venue, still):
        other.place(1, 1, 100, 1)
        other.place(2, 1, 101, 4, codes.IOC)
        played(other, 2_000)
        assert other.account() == fork.account()
        assert other.answers() == heard
    assert fork.glance() == venue.glance()
