"""An agent of the simulation, unchanged, at the end of a wire: as a task of some process, or as a process of its own.

    python -m backtest.market.network.agent SEAT.json...

A file names the hub, the seat, its token and the agent; only its owner can read it. The process ends with 0 when the
market is closed or its agents were told to leave, with 1 when one was turned away, with 2 when one failed or a file
cannot be used.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import zmq
import zmq.asyncio

from backtest.market.cast import KINDS
from backtest.market.network.caller import Caller
from backtest.market.network.messages import Why
from executor.domain.errors import ConfigError
from simulation.agents.leaving import Leaving
from simulation.draws import Draws, spawn
from simulation.market.protocol import NEVER, WAKE_AT, Agent

_QUEUE_MAX: Final = 1_000
_LINGER_MS: Final = 500
_READ_MAX: Final = 500
_NS_PER_MS: Final = 1_000_000
_WAIT_MS_MAX: Final = 60_000
_LOOK_GAP_NS: Final = 1_000_000
"""Nobody looks more often than a wire can tell."""


class SeatFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an agent's process is given.

    Parameters
    ----------
    seat
        Number of the participant.
    token
        Its token, hexadecimal.
    orders, market
        Where the hub listens.
    kind
        Of the agent, a name of `backtest.market.cast.KINDS`.
    params
        Its parameters by their names; what is not named has its usual value.
    come_ns, leave_ns
        From when until when it acts, by the market's clock; `NEVER` is to the end.
    seed
        Of the run; the agent's stream is spawned from it and the seat.
    report
        File for what the agent noticed, as JSON; None writes none.
    """

    seat: int
    token: str
    orders: str
    market: str
    kind: str
    params: dict[str, object] = msgspec.field(default_factory=dict)
    come_ns: int = 0
    leave_ns: int = NEVER
    seed: int = 0
    report: str | None = None


def make_runner(given: SeatFile) -> "Runner":
    """Make the agent of a seat, ready to run.

    Raises
    ------
    ValueError
        If there is no such kind, or a parameter or the token does not mean anything.
    """
    if given.kind not in KINDS:
        raise ValueError(f"no kind of agent is named {given.kind!r}; there are {', '.join(sorted(KINDS))}")
    kind = KINDS[given.kind]
    unknown = sorted(set(given.params) - set(getattr(kind.params, "__dataclass_fields__", ())))
    if unknown:
        raise ValueError(f"an agent of kind {given.kind} has no parameter {unknown[0]!r}")
    agent = kind.make(msgspec.convert(given.params, kind.params))
    if given.come_ns or given.leave_ns != NEVER:
        agent = Leaving(agent, given.come_ns, given.leave_ns)
    draws = Draws(spawn(given.seed, "agent", given.seat))
    return Runner(agent, Caller(given.seat, bytes.fromhex(given.token)), draws)


class Runner:
    """Wakes an agent when it is due or called, and carries what it wants to the hub.

    Parameters
    ----------
    agent
        Any agent of the simulation.
    caller
        Speaks for its seat.
    draws
        The agent's own stream.
    """

    def __init__(self, agent: Agent, caller: Caller, draws: Draws) -> None:
        self.caller = caller
        self._agent = agent
        self._draws = draws
        self._alarm_ns = NEVER
        self._looked_ns = 0
        self._is_begun = False
        self._is_leaving = False

    def leave(self) -> None:
        """Let `run` end after a good-bye."""
        self._is_leaving = True
        self.caller.leave()

    async def run(self, context: "zmq.asyncio.Context", orders_address: str, market_address: str) -> Why:
        """Take part until it is over; gives why it was.

        Raises
        ------
        Garbage
            If the hub sends what is no message.
        """
        caller = self.caller
        orders, market = context.socket(zmq.DEALER), context.socket(zmq.SUB)
        try:
            for socket in (orders, market):
                socket.linger = _LINGER_MS
                socket.sndhwm = socket.rcvhwm = _QUEUE_MAX
            # What cannot be sent now waits here, where we know of it.
            orders.immediate = 1
            for topic in caller.topics:
                market.subscribe(topic)
            orders.connect(orders_address)
            market.connect(market_address)
            # What is there already is read, and what can leave at once is sent, without a future for each message.
            private: zmq.Socket[bytes] = zmq.Socket.shadow(orders.underlying)
            public: zmq.Socket[bytes] = zmq.Socket.shadow(market.underlying)
            poller = zmq.asyncio.Poller()
            # Public prices wake nobody: they are read when the agent looks, and with each beat.
            poller.register(orders, zmq.POLLIN)
            while True:
                self._hear(private, public)
                now_ns = time.monotonic_ns()
                caller.tick(now_ns)
                self._wake(now_ns)
                while caller.outbox:
                    try:
                        private.send_multipart(caller.outbox[0], zmq.NOBLOCK)
                    except zmq.Again:
                        break
                    caller.outbox.pop(0)
                if caller.why is not None:
                    return caller.why
                if self._is_leaving and not caller.is_seated:
                    return Why.LEFT
                await poller.poll(self._wait_ms(time.monotonic_ns()))
        finally:
            orders.close()
            market.close()

    def _hear(self, orders: "zmq.Socket[bytes]", market: "zmq.Socket[bytes]") -> None:
        """Read all that has arrived, so that the agent sees the present and not a queue."""
        for socket, take in ((market, self.caller.take_public), (orders, self.caller.take_private)):
            for _ in range(_READ_MAX):
                try:
                    frames = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                take(frames, time.monotonic_ns())

    def _wake(self, now_ns: int) -> None:
        sight = self.caller.sight
        if sight is None or not self.caller.is_seated or self._is_leaving or not sight.is_whole:
            return
        if not self._is_begun:
            self._is_begun = True
            self._alarm_ns = self._agent.start(self._draws)
        market_ns = self.caller.market_ns(now_ns)
        if market_ns < self._looked_ns + _LOOK_GAP_NS:
            return
        is_due = NEVER != self._alarm_ns <= market_ns
        if not is_due and not sight.is_called(hears_fills=self._agent.hears_fills):
            return
        if is_due:
            self._alarm_ns = NEVER
        self._looked_ns = market_ns
        sight.open_eyes(market_ns)
        wanted = []
        for intent in self._agent.on_wakeup(sight):
            if intent[0] == WAKE_AT:
                self._alarm_ns = max(0, intent[6])  # the one before no longer counts
            else:
                wanted.append(intent)
        if wanted:
            self.caller.order(wanted, time.monotonic_ns())

    def _wait_ms(self, now_ns: int) -> int:
        """How long nothing has to be done unless something arrives."""
        due_ns = self.caller.due_ns() - now_ns
        sight = self.caller.sight
        if self.caller.is_seated and sight is not None and sight.is_whole:
            wakes_ns = self._looked_ns + _LOOK_GAP_NS
            if self._alarm_ns != NEVER:
                due_ns = min(due_ns, max(self._alarm_ns, wakes_ns) - self.caller.market_ns(now_ns))
            if sight.is_called(hears_fills=self._agent.hears_fills):
                due_ns = min(due_ns, wakes_ns - self.caller.market_ns(now_ns))
        return min(max(0, -(-due_ns // _NS_PER_MS)), _WAIT_MS_MAX)


def take_seat(path: Path) -> Why:
    """Run one agent out of its seat file until it is over; gives why it was.

    Raises
    ------
    ConfigError
        If the file cannot be used.
    Garbage
        If what answers there is no hub of this version.
    """
    (end,) = take_seats([path])
    if isinstance(end, BaseException):
        raise end
    return end


def take_seats(paths: Sequence[Path]) -> list[Why | BaseException]:
    """Run agents out of their seat files, each a task; gives how each of them ended, and none ends another.

    Raises
    ------
    ConfigError
        If a file cannot be used.
    """
    seats = []
    for path in paths:
        try:
            given = msgspec.json.decode(path.read_bytes(), type=SeatFile)
            seats.append((make_runner(given), given))
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise ConfigError(
                f"{path} is no seat: {error}; next: take a file of the seats of `executor market hub`"
            ) from error
    ends = asyncio.run(_run_together(seats))
    for (runner, given), end in zip(seats, ends, strict=True):
        if given.report is not None and not isinstance(end, BaseException):
            _write(Path(given.report), runner, end)
    return ends


def main(arguments: list[str] | None = None) -> int:
    """Run agents as a process; gives its exit code."""
    parser = argparse.ArgumentParser(description="Agents of a market that a hub serves, each a task.")
    parser.add_argument(
        "files", type=Path, nargs="+", help="seats' files, as `executor market hub` writes them"
    )
    try:
        ends = take_seats(parser.parse_args(arguments).files)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    failures = [end for end in ends if isinstance(end, BaseException)]
    for failure in failures:
        sys.stderr.write(f"{type(failure).__name__}: {failure}\n")
    if failures:
        return 2
    return 0 if {Why.CLOSED, Why.LEFT}.issuperset(ends) else 1


async def _run_together(seats: Sequence[tuple[Runner, SeatFile]]) -> list[Why | BaseException]:
    def leave() -> None:
        for runner, _ in seats:
            runner.leave()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave)
    context = zmq.asyncio.Context(io_threads=1)
    try:
        tasks = [runner.run(context, given.orders, given.market) for runner, given in seats]
        return await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        context.term()


def _write(path: Path, runner: Runner, why: Why) -> None:
    sight = runner.caller.sight
    said = {
        "why": why.name,
        "counts": dict(runner.caller.counts),
        "noticed": {} if sight is None else {kind.value: count for kind, count in sight.noticed.items()},
        "asked_ns": list(runner.caller.asked_ns),
        "answer_ns": list(runner.caller.answer_ns),
    }
    scratch = path.with_suffix(".part")
    scratch.write_bytes(msgspec.json.encode(said))
    scratch.replace(path)


if __name__ == "__main__":
    sys.exit(main())
