"""How many messages a second the order book takes: called message by message from Python, and with the loop compiled.

`python -m benchmarks.book` draws a flow of one kind and plays it through all forms of the book, several times; the best
time counts, as the machine may be shared. All of them end with the same state hash, or there is no table.
"""

import argparse
import sys
from collections import Counter
from random import Random
from time import perf_counter
from typing import Final

import numpy as np

from simulation.book import layout
from simulation.book.book import BookTerms, OrderBook
from simulation.book.messages import AMEND, CANCEL, GTC, IOC, LIMIT, MARKET, POST_ONLY, REASON_WORDS, STOP
from simulation.book.native import Memory, NativeBook
from simulation.book.twin import TwinBook

Message = tuple[int, int, int, int, int, int, int, int]

OWNERS: Final = 100
START_PX: Final = 100_000
WORDS: Final = {LIMIT: "limit", MARKET: "market", CANCEL: "cancel", AMEND: "amend", STOP: "stop"}
SHARES: Final = ((LIMIT, 0.46), (CANCEL, 0.43), (MARKET, 0.07), (AMEND, 0.035), (STOP, 0.005))
"""Of a hundred messages: what venues see, where nearly every order is canceled. One limit in thirty takes."""
WAITING: Final = 4_000
"""Orders that wait, roughly: above it there are more cancels."""


def drawn_flow(count: int, seed: int) -> list[Message]:
    """Draw a flow: orders near the touch, most of them canceled in the end, with a price that wanders."""
    random, book = Random(seed), NativeBook()  # noqa: S311 - a market, not a secret
    alive: list[tuple[int, int]] = []
    flow: list[Message] = []
    kinds, weights = zip(*SHARES, strict=True)
    order_id, px = 0, START_PX
    for kind in random.choices(kinds, weights, k=count):
        px += random.choice((-1, 0, 0, 0, 0, 0, 0, 0, 1)) if len(flow) % 16 == 0 else 0
        owner, side = random.randrange(OWNERS), random.choice((1, -1))
        if kind == LIMIT and len(alive) > WAITING:
            kind = CANCEL  # noqa: PLW2901
        while kind in {CANCEL, AMEND} and alive:
            # Half of what goes came lately.
            recent = (
                int(random.expovariate(1 / 200)) if random.random() < 0.5 else random.randrange(len(alive))
            )
            at = max(0, len(alive) - 1 - recent)
            alive[at], alive[-1] = alive[-1], alive[at]
            # One in a hundred comes too late.
            if book.leaves(alive[-1][0]) or random.random() < 0.01:
                break
            alive.pop()
        if kind in {CANCEL, AMEND} and not alive:
            kind = LIMIT  # noqa: PLW2901
        if kind in {CANCEL, AMEND}:
            old, its_side = alive[-1]
            if kind == CANCEL:
                alive.pop()
                message = (CANCEL, old, 0, 0, 0, 0, 0, 0)
            else:
                message = (
                    *(AMEND, old, 0, 0, px - its_side * random.randrange(1, 9)),
                    *(random.randrange(1, 20), 0, 0),
                )
        else:
            order_id += 1
            if kind == LIMIT:
                away = 1 + int(random.expovariate(0.1)) if random.random() > 0.033 else -1
                tif = random.choices((GTC, POST_ONLY, IOC), (88, 10, 2))[0]
                display = 5 if tif == GTC and random.random() < 0.02 else 0
                message = (
                    *(LIMIT, order_id, owner, side, px - side * away),
                    *(random.randrange(1, 20), tif, display),
                )
            elif kind == MARKET:
                message = (MARKET, order_id, owner, side, 0, random.randrange(1, 40), 0, 0)
            else:
                message = (STOP, order_id, owner, side, px + side * random.randrange(5, 60), 5, 0, 0)
            if kind != MARKET:
                alive.append((order_id, side))
        send(book, message)
        flow.append(message)
    return flow


def send(book: OrderBook, message: Message) -> int:
    """Send one message; the code that comes back."""
    kind, order_id, owner, side, px, qty, more, display = message
    match kind:
        case 1:
            return book.limit(order_id, owner, side, px, qty, more, display)
        case 2:
            return book.market(order_id, owner, side, qty)
        case 3:
            return book.cancel(order_id)
        case 4:
            return book.amend(order_id, px, qty)
        case _:
            return book.stop(order_id, owner, side, px, more, qty)


def called(book: OrderBook, flow: list[Message]) -> float:
    """Send a flow message by message, reading each code; how long it took, in seconds."""
    limit, cancel, market, amend, stop = book.limit, book.cancel, book.market, book.amend, book.stop
    caused = 0
    begin = perf_counter()
    for kind, order_id, owner, side, px, qty, more, display in flow:
        if kind == LIMIT:
            caused += limit(order_id, owner, side, px, qty, more, display) > 1
        elif kind == CANCEL:
            caused += cancel(order_id) > 1
        elif kind == MARKET:
            caused += market(order_id, owner, side, qty) > 1
        elif kind == AMEND:
            caused += amend(order_id, px, qty) > 1
        else:
            caused += stop(order_id, owner, side, px, more, qty) > 1
    return perf_counter() - begin


def looped(book: NativeBook, table: Memory) -> float:
    """Play a flow in compiled code; how long it took, in seconds."""
    begin = perf_counter()
    book.play(table)
    return perf_counter() - begin


def rows(flow: list[Message]) -> Memory:
    """Lay a flow out for compiled code."""
    return np.array(flow, dtype=np.int64).reshape(-1, layout.MESSAGE_WIDTH)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    flow = drawn_flow(options.messages, options.seed)
    table = rows(flow)
    terms = BookTerms(ids_max=1 << 24)
    counts, reasons, outcomes = Counter(message[0] for message in flow), Counter[int](), 0
    book = NativeBook(terms)
    for message in flow:
        code = send(book, message)
        reasons[max(0, -code)] += 1
        outcomes += max(1, code)
    write = sys.stdout.write
    mix = ", ".join(f"{WORDS[kind]} {n / len(flow):.1%}" for kind, n in counts.most_common())
    write(f"{len(flow):,} messages: {mix}\n{outcomes / len(flow):.2f} outcomes a message\n")
    for reason, n in reasons.most_common():
        if reason:
            write(f"rejected, {REASON_WORDS[reason]}: {n / len(flow):.1%}\n")
    expected = book.state_hash()
    forms = (
        ("twin, called from Python", TwinBook, lambda book: called(book, flow)),
        ("compiled, called from Python", NativeBook, lambda book: called(book, flow)),
        ("compiled, the loop too", NativeBook, lambda book: looped(book, table)),
    )
    for name, kind, play in forms:
        times = []
        for _ in range(options.runs if kind is NativeBook else 1):
            tried = kind(terms)
            times.append(play(tried))
            if tried.state_hash() != expected:
                raise SystemExit(f"{name}: another state")
        best = min(times)
        write(
            f"{name:30} {len(flow) / best / 1e6:7.2f} M messages/s  {best / len(flow) * 1e9:7.1f} ns each\n"
        )


if __name__ == "__main__":
    main()
