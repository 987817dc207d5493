"""Genuine recordings through the obvious venue and the compiled one, with orders at random: the same after every step.

Usually the beginnings of three; EXECUTOR_CAMPAIGN=full plays every recording that has a book, whole, more than once.
"""

import sys
from random import Random

import pytest

from backtest.dataset.importers.protocol import Options
from backtest.dataset.intake import Intake
from backtest.dataset.playing import pieces_of
from backtest.dataset.store import read_info
from simulation.replay import codes
from simulation.replay.layout import Rows
from simulation.replay.machine import ReplayMachine
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay.twin import ReplayTwin
from tests.dataset.recordings import FULL, ROOT, files_of

pytestmark = [
    pytest.mark.skipif(not ROOT, reason="EXECUTOR_REAL_DATA does not name recorded data"),
    pytest.mark.timeout(7_200 if FULL else 600),
    pytest.mark.campaign,
]
BOOKS = ("session", "btc", "GOOG") + FULL * (
    "book archive",
    "orderbook.1 linear",
    "orderbook.1 spot",
    "eth",
    "eth spot",
    "AAPL",
    "coinbase",
    "depth usd",
)
ROWS_MAX = 1 << 62 if FULL else 4_000
STEPS = 600 if FULL else 50
SEEDS = 2 if FULL else 1


def pieces(path, rows_max):
    """A stored day, cut off after so many rows."""
    for piece in pieces_of(path):
        count = min(len(piece.exch_ns), rows_max)
        yield Rows(*(column[:count] for column in piece))
        rows_max -= count
        if not rows_max:
            return


def orders(draw, placed, glance):
    """Requests near the touch that is seen: any kind, on either side, of the size of the touch."""
    for _ in range(draw.choice((0, 1, 1, 2))):
        side = draw.choice((1, -1))
        near, size = (
            (glance.bid_px, glance.bid_qty) if draw.random() < 0.6 else (glance.ask_px, glance.ask_qty)
        )
        px, qty = (
            max(near, 1) + draw.randint(-3, 3),
            draw.randint(0, 2 * size + 1) if draw.random() < 0.5 else draw.randint(1, 20),
        )
        match draw.choice(("place", "place", "place", "amend", "cancel")):
            case "place":
                placed += 1
                yield "place", (placed, side, px, qty, draw.randrange(4))
            case "amend":
                yield "amend", (max(placed - draw.randrange(5), 1), px, qty)
            case "cancel":
                yield "cancel", (max(placed - draw.randrange(8), 1),)


def drive(venue, path, span_ns, start_ns, seed):
    """Play a day; what can be seen after each step."""
    draw, rows, placed = Random(seed), pieces(path, ROWS_MAX), 0
    now_ns, ended = start_ns, False
    while not ended:
        now_ns += draw.randrange(2 * span_ns // STEPS + 1)
        wake = draw.randrange(4)
        while (reason := venue.advance(now_ns, wake)) == codes.MORE:
            following = next(rows, None)
            venue.feed(following or Rows(*([()] * 8)), final=following is None)
        now_ns, ended = venue.now_ns, reason == codes.END
        glance = venue.glance()
        yield reason, now_ns, glance, venue.account(), venue.state_hash(), venue.answers()
        for what, terms in orders(draw, placed, glance):
            placed = max(placed, terms[0])
            getattr(venue, what)(*terms)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", BOOKS)
def test_both_venues_are_the_same_on_genuine_recordings(name, seed, tmp_path, capsys):
    days = Intake(tmp_path / "store", Options()).run(files_of(name, tmp_path)).stored
    steps = heard = fills = played = 0
    for day in days:
        info = read_info(day.path)
        if not {"LEVEL", "ADD"} & info.counts.keys():
            continue
        draw = Random(f"{name} {seed}")
        constant = Delay(constant_ns=draw.randrange(20_000_000))
        terms = ReplayTerms(
            feed=Delay(measured=True) if info.recv_known else constant,
            entry=Delay(samples_ns=tuple(draw.randrange(30_000_000) for _ in range(8))),
            answer=constant,
            queue_model=draw.randrange(5),
            price_band_bps=draw.choice((0, 500)),
            requests_per_s_max=draw.choice((0, 10)),
            conflate_ns=draw.choice((0, 100_000_000)),
            prices_only=draw.random() < 0.5,
            seed=seed,
        )
        start_ns = info.first_exch_ns
        span_ns = info.last_exch_ns - start_ns
        if info.rows > ROWS_MAX:
            span_ns = span_ns * ROWS_MAX // info.rows
        obvious = drive(ReplayTwin(terms, start_ns=start_ns), day.path, span_ns, start_ns, seed)
        compiled = drive(ReplayMachine(terms, start_ns=start_ns), day.path, span_ns, start_ns, seed)
        for number, (one, other) in enumerate(zip(obvious, compiled, strict=True)):
            assert one == other, f"{day.path}, step {number}"
            heard += len(one[-1])
            fills += sum(answer.kind == codes.FILLED for answer in one[-1])
            steps += 1
        played += min(info.rows, ROWS_MAX)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{name}, seed {seed}: {played} rows, {steps} steps, {heard} answers, {fills} fills\n"
        )
    assert steps > 20
    assert heard > 20
