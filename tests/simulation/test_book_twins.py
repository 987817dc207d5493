"""The plain and the compiled order book are the same after every message of generated flows, in all that can be seen.

The flows are small and nasty: few owners, few prices, books of three orders, windows that the market leaves.
"""

import os
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from simulation.book import layout
from simulation.book import messages as m
from simulation.book.book import BookTerms
from simulation.book.native import NativeBook
from simulation.book.twin import TwinBook

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
pytestmark = pytest.mark.timeout(7_200 if FULL else 600)

ROOMY = BookTerms(window=256, orders_max=64, ids_max=512, outcomes_max=64)
all_terms = st.one_of(
    st.just(ROOMY),
    st.builds(
        BookTerms,
        window=st.sampled_from((64, 128, 8192, 1 << 18)),
        orders_max=st.sampled_from((3, 20)),
        ids_max=st.sampled_from((60, 512)),
        outcomes_max=st.sampled_from((16, 16, 17, 64)),
    ),
)
sides = st.sampled_from((1, -1))
lots = st.sampled_from((*range(1, 13), *range(1, 13), 40, 40, 200, m.NUMBER_MAX, 0, m.NUMBER_MAX + 1))
owners = st.sampled_from((*range(4), *range(4), *range(4), *range(4), m.OWNER_MAX, -1, m.OWNER_MAX + 1))
near = st.integers(-6, 6)
away = st.sampled_from((*range(-6, 7), *range(-6, 7), -40, 40, 50, -90, 90, -500, 9_000, 1 << 41))
fresh = st.none()
ids = st.sampled_from((*[None] * 40, -1, 0, 1, 2, 3, 1 << 40))
forces = st.sampled_from((*[m.GTC] * 10, m.IOC, m.FOK, m.FOK, m.POST_ONLY, m.POST_ONLY, -1, 4))
shown = st.sampled_from((*[0] * 16, 1, 2, 3, 3, 3, -1, m.NUMBER_MAX + 1))
message = st.one_of(
    *[st.tuples(st.just(m.LIMIT), ids, owners, sides, away, lots, forces, shown)] * 5,
    *[st.tuples(st.just(m.LIMIT), ids, owners, sides, near, lots, st.just(m.GTC), st.just(0))] * 3,
    st.tuples(st.just(m.MARKET), ids, owners, st.sampled_from((1, -1, 0)), lots),
    *[st.tuples(st.just(m.CANCEL), st.integers(0, 12))] * 2,
    *[st.tuples(st.just(m.AMEND), st.integers(0, 12), away, lots)] * 2,
    *[st.tuples(st.just(m.STOP), ids, owners, sides, away, st.one_of(st.none(), near), lots)] * 2,
)
iceberg = st.tuples(
    st.just(m.LIMIT),
    fresh,
    st.integers(0, 3),
    sides,
    st.integers(0, 3),
    st.sampled_from((20, 40)),
    st.just(m.GTC),
    st.sampled_from((1, 2, 3)),
)
sweep = st.tuples(st.just(m.MARKET), fresh, st.integers(0, 5), sides, st.sampled_from((30, 60, 300)))
guard = st.tuples(
    st.just(m.STOP),
    fresh,
    st.integers(0, 3),
    sides,
    near,
    st.sampled_from((None, -3, 0, 3, 200)),
    st.integers(1, 30),
)
scene = st.one_of(
    *[message.map(lambda one: [one])] * 6,
    st.lists(message, min_size=5, max_size=15),
    st.tuples(iceberg, iceberg, sweep).map(list),
    st.tuples(iceberg, guard, message, guard, sweep).map(list),
)
flows = st.one_of(
    st.lists(scene, min_size=20, max_size=50),
    st.lists(scene, min_size=8, max_size=20),
    st.lists(scene, min_size=1),
).map(lambda many: [one for scene in many for one in scene])


def spoken(flow, start_px, drift):
    """Messages with their numbers: ids counted, or said; orders named by their age; prices around a path."""
    order_id = 0
    for number, (kind, which, *rest) in enumerate(flow):
        mid = start_px + drift * number
        if kind in {m.CANCEL, m.AMEND}:
            name = order_id - which
        elif which is None:
            order_id += 1
            name = order_id
        else:
            name = which
        match kind, rest:
            case m.LIMIT, (owner, side, ticks, qty, tif, display):
                yield kind, name, owner, side, mid - ticks, qty, tif, display
            case m.MARKET, (owner, side, qty):
                yield kind, name, owner, side, 0, qty, 0, 0
            case m.CANCEL, _:
                yield kind, name, 0, 0, 0, 0, 0, 0
            case m.AMEND, (ticks, qty):
                yield kind, name, 0, 0, mid - ticks, qty, 0, 0
            case _, (owner, side, ticks, limit, qty):
                px = 0 if limit is None else mid - limit
                yield kind, name, owner, side, mid - ticks, qty, px, 0


def send(book, message):
    kind, order_id, owner, side, px, qty, more, display = message
    match kind:
        case m.LIMIT:
            return book.limit(order_id, owner, side, px, qty, more, display)
        case m.MARKET:
            return book.market(order_id, owner, side, qty)
        case m.CANCEL:
            return book.cancel(order_id)
        case m.AMEND:
            return book.amend(order_id, px, qty)
        case _:
            return book.stop(order_id, owner, side, px, more, qty)


def seen(book, last_id):
    return (
        list(book.outcomes),
        (book.best_bid, book.best_ask, book.last_px),
        (book.depth(1, 5), book.depth(-1, 1_000)),
        [book.leaves(order_id) for order_id in range(max(0, last_id - 5), last_id + 2)],
        book.state_hash(),
    )


@settings(max_examples=10_000 if FULL else 120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    terms=all_terms,
    flow=flows,
    start_px=st.sampled_from((100, 1_000, 65_530, m.NUMBER_MAX - 20)),
    drift=st.sampled_from((0, 0, 1, 7, -3)),
)
@pytest.mark.campaign
def test_both_books_are_the_same_after_every_message(terms, flow, start_px, drift):
    obvious, compiled, looped = TwinBook(terms), NativeBook(terms), NativeBook(terms)
    told = []
    for number, one in enumerate(spoken(flow, start_px, drift)):
        assert send(obvious, one) == send(compiled, one), f"message {number}: {one}"
        assert seen(obvious, one[1]) == seen(compiled, one[1]), f"message {number}: {one}"
        told.append(one)
        for outcome in obvious.outcomes:
            event(f"outcome {outcome.kind}, {m.REASON_WORDS[outcome.reason]}")
    looped.play(np.array(told, dtype=np.int64).reshape(-1, layout.MESSAGE_WIDTH))
    assert looped.state_hash() == obvious.state_hash()
    assert looped.outcomes == obvious.outcomes


class Ledger:
    """What outcomes say of each order, and of nothing else: an account of lots, and a place in a queue."""

    def __init__(self):
        self.given, self.gone, self.open = Counter(), Counter(), {}
        self.place, self.arrivals = {}, 0

    def read(self, outcome):
        order_id, qty = outcome.order_id, outcome.qty
        match outcome.kind:
            case m.ACCEPTED:
                self.given[order_id] = self.open[order_id] = qty
            case m.AMENDED:
                self.given[order_id] += qty - self.open[order_id]
                self.open[order_id] = qty
            case m.CANCELED:
                self.gone[order_id] += qty
                assert qty == self.open[order_id]
                self.open[order_id] = 0
            case m.FILL:
                for one, leaves in (
                    (order_id, outcome.leaves),
                    (outcome.maker_order_id, outcome.maker_leaves),
                ):
                    self.gone[one] += qty
                    self.open[one] -= qty
                    assert self.open[one] == leaves
                assert outcome.owner != outcome.maker_owner


@settings(max_examples=2_000 if FULL else 60, deadline=None, suppress_health_check=list(HealthCheck))
@given(flow=flows, drift=st.sampled_from((0, 1, -3)))
def test_lots_are_conserved_and_the_book_is_never_crossed(flow, drift):
    book, ledger = NativeBook(ROOMY), Ledger()
    for one in spoken(flow, 10_000, drift):
        code, before = send(book, one), book.state_hash()
        outcomes = book.outcomes
        assert code == (-outcomes[0].reason if outcomes[0].kind == m.REJECTED else len(outcomes))
        if code > 0:
            for outcome in outcomes:
                ledger.read(outcome)
        bids, asks = book.depth(1, 100), book.depth(-1, 100)
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert all(qty > 0 for _, qty in bids + asks)
        assert (book.best_bid, book.best_ask) == (bids[0][0] if bids else 0, asks[0][0] if asks else 0)
        assert not bids or not asks or bids[0][0] < asks[0][0]
        for order_id, qty in ledger.given.items():
            assert qty == ledger.gone[order_id] + book.leaves(order_id)
        assert book.state_hash() == before


plain = st.one_of(
    *[st.tuples(st.just(m.LIMIT), fresh, owners, sides, near, st.integers(1, 12), st.just(m.GTC), st.just(0))]
    * 4,
    st.tuples(st.just(m.MARKET), fresh, owners, sides, st.integers(1, 30)),
    st.tuples(st.just(m.CANCEL), st.integers(0, 12)),
)


@settings(max_examples=2_000 if FULL else 60, deadline=None, suppress_health_check=list(HealthCheck))
@given(flow=st.lists(plain, min_size=20, max_size=80))
def test_the_best_price_trades_first_and_at_a_price_whoever_came_first(flow):
    book, waiting = NativeBook(ROOMY), {}
    for number, one in enumerate(spoken(flow, 1_000, 0)):
        send(book, one)
        for outcome in book.outcomes:
            match outcome.kind:
                case m.ACCEPTED:
                    waiting[outcome.order_id] = (outcome.side, outcome.px, number)
                case m.CANCELED:
                    del waiting[outcome.order_id]
                case m.FILL:
                    side, px, came = waiting[outcome.maker_order_id]
                    assert outcome.px == px
                    assert side == -outcome.side
                    others = [rest for rest in waiting.values() if rest[0] == side]
                    assert (-side * px, came) == min((-side * at, when) for _, at, when in others)
                    for order_id, leaves in (
                        (outcome.order_id, outcome.leaves),
                        (outcome.maker_order_id, outcome.maker_leaves),
                    ):
                        if leaves == 0:
                            del waiting[order_id]
