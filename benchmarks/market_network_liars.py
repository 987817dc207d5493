"""Two who mean no good, for the campaign of the market's network: one floods, one sends whatever is no message.

    python -m benchmarks.market_network_liars flood|garbage SEAT.json

Both hold a seat of their own and know how to speak; what they then do is drawn from the seat's number.
"""

import json
import socket
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Final

import zmq

from backtest.market.network.identity import answer
from backtest.market.network.messages import (
    BODY_BYTES_MAX,
    AskMarket,
    Beat,
    Bye,
    Hello,
    Orders,
    Proof,
    Question,
    Welcome,
    Why,
    read_down,
    write,
)
from simulation.market.protocol import cancel, limit

LINGER_MS: Final = 200
SILENT_S: Final = 20.0
"""Time without a word after which the market is taken to have ended."""


class Liar:
    """A connection that was made honestly.

    Parameters
    ----------
    given
        The seat's file.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.seat, self.token = given["seat"], bytes.fromhex(given["token"])
        self.context = zmq.Context()
        self.number = 0
        self.proof = b""
        self.counts: Counter[str] = Counter()
        self.is_closed = False
        self.heard_s = time.monotonic()

    def connect(self, own_name: bytes | None = None) -> "zmq.Socket[bytes]":
        """Open another connection."""
        wire = self.context.socket(zmq.DEALER)
        wire.linger = LINGER_MS
        # So that a pause of the campaign is one: what has been sent is soon read.
        wire.sndbuf = 65_536
        if own_name is not None:
            wire.routing_id = own_name
        wire.connect(self.given["orders"])
        return wire

    def sit(self) -> "zmq.Socket[bytes]":
        """Take the seat as everybody does."""
        wire = self.connect()
        wire.send_multipart(write(0, Hello(self.seat)))
        while wire.poll(5_000):
            _, message = read_down(wire.recv_multipart())
            if isinstance(message, Question):
                self.proof = answer(self.token, self.seat, message.word)
                wire.send_multipart(write(0, Proof(self.proof)))
            elif isinstance(message, Welcome):
                self.number = message.next_number
                return wire
            elif isinstance(message, Bye):
                break
        self.is_closed = True
        return wire

    def hear(self, wire: "zmq.Socket[bytes]", most: int = 1_000) -> None:
        """Read what is there, and count refusals."""
        for _ in range(most):
            try:
                _, message = read_down(wire.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                # The market ended, and its word of that did not get through what was heaped up here.
                self.is_closed |= time.monotonic() - self.heard_s > SILENT_S
                return
            self.heard_s = time.monotonic()
            self.counts[type(message).__name__] += 1
            if isinstance(message, Bye):
                self.counts[f"Bye {message.why.name}"] += 1
                self.is_closed |= message.why is Why.CLOSED

    def flood(self) -> None:
        """Send good orders as fast as the wire takes them."""
        wire = self.sit()
        draws = Random(self.seat)  # noqa: S311 - lies, not secrets
        while not self.is_closed:
            for _ in range(200):
                px = 10_000 + draws.randint(-50, 50)
                order = write(self.number, Orders((limit(0, draws.choice((1, -1)), 1, px),)))
                try:
                    wire.send_multipart(order, zmq.NOBLOCK)
                except zmq.Again:
                    self.counts["held back by the wire"] += 1
                    wire.poll(1)
                    break
                self.number += 1
                self.counts["sent"] += 1
            self.hear(wire)
        wire.close()

    def lie(self) -> None:
        """Send everything that is not a message, in turn, and now and then sit down again."""
        draws = Random(self.seat)  # noqa: S311 - lies, not secrets
        wire = self.sit()
        lies = (
            self._bytes, self._version, self._size, self._huge, self._frames, self._body, self._other_seat,
            self._old_proof, self._repeated, self._gap, self._others_orders, self._own_name, self._tcp, self._numbers,
        )  # fmt: skip
        while not self.is_closed:
            lie = draws.choice(lies)
            self.counts[f"lie {lie.__name__.strip('_')}"] += 1
            lie(wire, draws)
            self.hear(wire)
            if draws.random() < 0.05:
                wire.close()
                wire = self.sit()
            wire.poll(5)
        wire.close()

    def _say(self, wire: "zmq.Socket[bytes]", frames: list[bytes]) -> None:
        try:
            wire.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            self.counts["held back by the wire"] += 1

    def _next(self) -> int:
        self.number += 1
        return self.number - 1

    def _bytes(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        self._say(wire, [draws.randbytes(draws.randint(0, 200)) for _ in range(2)])

    def _version(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        header, body = write(self._next(), Beat(0))
        self._say(wire, [header[:2] + draws.randint(2, 65_535).to_bytes(2, "big") + header[4:], body])

    def _size(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        header, body = write(self._next(), Beat(0))
        self._say(wire, [header, body + bytes(BODY_BYTES_MAX + draws.randint(1, 100))])

    def _huge(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        # So large that the hub's socket ends the connection.
        other = self.connect()
        self._say(other, [draws.randbytes(64), bytes(1_000_000)])
        other.close()

    def _frames(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        self._say(wire, [b"x"] * draws.choice((1, 3, 1_000)))

    def _body(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        header, body = write(self._next(), Orders((limit(0, 1, 1, 10_000),)))
        spoiled = bytearray(body)
        spoiled[draws.randrange(len(spoiled))] ^= 1 << draws.randrange(8)
        self._say(wire, [header, bytes(spoiled)])

    def _other_seat(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        self._impostor(draws.randrange(self.seat), self.token)

    def _old_proof(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        self._impostor(self.seat, None)

    def _impostor(self, seat: int, token: bytes | None) -> None:
        """Ask for a seat with a token that is not its own, or with a proof that was used."""
        other = self.connect()
        other.send_multipart(write(0, Hello(seat)))
        if other.poll(500):
            _, message = read_down(other.recv_multipart())
            if isinstance(message, Question):
                proof = self.proof if token is None else answer(token, seat, message.word)
                other.send_multipart(write(0, Proof(proof)))
                if other.poll(500):
                    _, message = read_down(other.recv_multipart())
                    self.counts["seats stolen"] += isinstance(message, Welcome)
        other.close()

    def _repeated(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        order = write(self._next(), Orders((limit(0, 1, 1, 9_000),)))
        for _ in range(3):
            self._say(wire, order)

    def _gap(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        self.number += draws.randint(1, 1_000)
        self._say(wire, write(self._next(), Orders((limit(0, 1, 1, 9_000),))))

    def _others_orders(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        self._say(
            wire, write(self._next(), Orders(tuple(cancel(draws.randint(1, 5_000)) for _ in range(20))))
        )

    def _own_name(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        other = self.connect(b"seat-1")
        other.send_multipart(write(0, Hello(1)))
        other.close()

    def _tcp(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        host, port = self.given["orders"].removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(port)), timeout=1) as raw:
            raw.sendall(draws.randbytes(200))

    def _numbers(self, wire: "zmq.Socket[bytes]", draws: Random) -> None:
        wild = (-1, 0, 1, 2, 5, 9_000, 10**9, 1 << 40, 1 << 61, -(1 << 61))
        orders = tuple(tuple(draws.choice(wild) for _ in range(7)) for _ in range(5))
        self._say(wire, write(self._next(), Orders(orders)))  # type: ignore[arg-type]
        self._say(wire, write(self._next(), AskMarket(draws.choice((1, 1 << 40)), 0)))


def main() -> int:
    """Do one of the two until the market is closed."""
    what, file = sys.argv[1:]
    liar = Liar(json.loads(Path(file).read_text()))
    begun_s = time.monotonic()
    if what == "flood":
        liar.flood()
    else:
        liar.lie()
    said = {"counts": dict(liar.counts), "lived_s": time.monotonic() - begun_s}
    Path(liar.given["report"]).write_text(json.dumps(said))
    liar.context.destroy(linger=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
