"""A market in one compiled loop: the same events as `SimulationEngine` writes, row by row.

Four kinds of agents are compiled with it; any other agent stays Python's own and is called by the loop. What it leaves
out it refuses: one asset, cash accounts, no jitter, nobody who is woken by what is told or by fills, no orders but
plain ones. Sums that could outgrow 64 bits end the run with an error.
"""

import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np

from executor.domain.errors import InvariantViolation
from simulation.agents.market_maker import MarketMakerParams
from simulation.agents.momentum import MomentumParams
from simulation.agents.noise import NoiseParams
from simulation.agents.value import ValueParams
from simulation.book.book import BookTerms
from simulation.book.native import SOURCES, Memory, NativeBook, room
from simulation.clearing.rules import PPM, ClearingRules
from simulation.compiled_market import called, layout
from simulation.compiled_market.called import CalledView, answered
from simulation.draws import LOG_TABLE, Draws, spawn
from simulation.kept_code import KeptCode, Native, Place, beside
from simulation.market.engine import Fault, Latency, RunSummary
from simulation.market.events import RETIRED, EventSink, code
from simulation.market.information import Board, Inbox, Listens, Source
from simulation.market.protocol import NEVER, Agent, Intent, MarketView
from simulation.market.tape import AssetTape
from simulation.market.values import ConstantValue, DividendValue, ValuePath

Params = NoiseParams | MarketMakerParams | MomentumParams | ValueParams

_ROWS_ROOM: Final = 1 << 14
_REACH_BPS: Final = 1_000
_MONEY_MAX: Final = 1 << 61
_PX_MAX: Final = 1 << 31
_AVERAGED_MAX: Final = 1 << 16
_QTY_MAX: Final = 1 << 24
_TAPE_ROOM: Final = 1 << 14


def _define() -> Mapping[str, Callable[..., int]]:
    from simulation.compiled_market import loop  # noqa: PLC0415 - brings the compiler

    return {
        "open": loop.open_at,
        "go": loop.go_at,
        "answer": loop.answer_at,
        "retire": loop.retire_at,
        "list_own": loop.list_own_at,
    }


_CODE: Final = KeptCode(
    "compiled-market",
    {"open": 1, "go": 2, "answer": 6, "retire": 2, "list_own": 2},
    _define,
    sources=(
        *SOURCES,
        *beside(__file__, "layout.py", "streams.py", "agents.py", "loop.py"),
        *beside(__file__, "../draws.py", "../market/events.py", "../clearing/refusals.py"),
        *beside(__file__, "../market/protocol.py", "../market/tape.py"),
    ),
    methods={"go": 0, "answer": 0, "retire": 0, "list_own": 0},
)


_REALS: Final[Mapping[int, frozenset[int]]] = {
    layout.NOISE: frozenset(),
    layout.MAKER: frozenset({0, 1, 2, 3, 4, 7, 10}),
    layout.MOMENTUM: frozenset(),
    layout.VALUE: frozenset({4, 8}),
    layout.CALLED: frozenset(),
}
"""Parameters that are no whole numbers, by their places."""


def round_constants() -> list[int]:
    """Compute the constants of Keccak's rounds (FIPS 202, section 3.2.5), as numbers with a sign."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << ((1 << power) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        constants.append(constant - (1 << 64) if constant >> 63 else constant)
    return constants


def _order_max_qty(params: Params | None) -> int:
    match params:
        case None:
            return _QTY_MAX
        case MarketMakerParams():
            return 2 * params.limit_qty + params.quote_qty
        case _:
            return params.order_max_qty


@dataclass(frozen=True, slots=True)
class Account:
    """What a participant has, as the clearing house counts it.

    Parameters
    ----------
    cash, free
        Money in all, and what no open order has reserved.
    shares
        Lots.
    up, down
        Lots if all open orders to buy, or to sell, were filled.
    """

    cash: int
    free: int
    shares: int
    up: int
    down: int


@dataclass(frozen=True, slots=True)
class _Seat:
    params: Params | None
    agent: Agent | None
    cash: int
    position_qty: int
    latency: Latency
    listens: tuple[Listens, ...]


class CompiledMarket:
    """One asset, many agents, one loop.

    Parameters
    ----------
    seed
        Of everything that is drawn, 0 .. 2**64 - 1.
    first_px
        Price before the first trade, ticks.
    rules
        Of the clearing house.
    scale
        Money of one tick times one lot.
    terms
        Of the book.
    events
        Takes the rows of events; their hash is kept in any case.
    tape
        Records touch and trades.
    value
        What the asset is worth, for agents that are told; None is `first_px` for ever.
    look_gap_ns
        Least time between two looks of one agent, nanoseconds.
    """

    def __init__(
        self,
        seed: int,
        first_px: int,
        *,
        rules: ClearingRules | None = None,
        scale: int = 100,
        terms: BookTerms | None = None,
        events: EventSink | None = None,
        tape: AssetTape | None = None,
        value: ValuePath | None = None,
        look_gap_ns: int = 1_000,
    ) -> None:
        if isinstance(value, DividendValue):
            raise ValueError("dividends are paid by the engine alone")  # noqa: TRY004 - a kind of market
        if not 1 <= first_px <= _PX_MAX or scale < 1 or look_gap_ns < 1:
            raise ValueError(f"a price of 1 to {_PX_MAX} ticks, a scale and a gap of 1 or more")
        self.seed, self.first_px, self.scale = seed, first_px, scale
        self.rules = rules or ClearingRules()
        self._terms = terms or BookTerms()
        self._events, self._tape, self._look_gap_ns = events, tape, look_gap_ns
        self.value: ValuePath = ConstantValue(float(first_px)) if value is None else value
        self._seats: list[_Seat] = []
        self._memory: list[Memory] = []
        self._registers: Memory | None = None
        self._agents: Memory = room(0)
        self._hash = sha256()
        self._now_ns = 0
        self._native: Mapping[str, Native] = {}
        self._calls: list[Callable[[MarketView], Sequence[Intent]] | None] = []
        self._views: list[CalledView | None] = []
        self._faults: list[Fault] = []
        self._broken: Exception | None = None
        self._quotes = self._deals = self._own = room(0)
        self._told: memoryview[int] = memoryview(b"").cast("q")
        self.book = NativeBook(self._terms)

    def add_agent(
        self,
        agent: Params | Agent,
        *,
        cash: int = 0,
        positions_qty: Sequence[int] = (),
        latency: Latency | None = None,
        listens: Sequence[Listens] = (),
    ) -> int:
        """Give an agent a seat and an account; gives its number.

        Parameters
        ----------
        agent
            Parameters of a noise trader, a market maker, a momentum trader, or a value investor who knows the value,
            which are compiled; or any agent of Python's own.
        cash
            Money it begins with.
        positions_qty
            Lots it begins with, one number or none.
        latency
            Its distance from the market; None is none.
        listens
            What an agent of Python's own is told beyond prices.

        Raises
        ------
        ValueError
            If the run has begun, or it is something that agents of a compiled market are not.
        """
        if self._registers is not None:
            raise ValueError("the market has opened: agents are added before the first run")
        latency = latency or Latency()
        params = agent if isinstance(agent, Params) else None
        if (params and params.asset) or latency.jitter_ns or len(positions_qty) > 1:
            raise ValueError("agents of a compiled market trade one asset, and their latency is constant")
        if listens and params:
            raise ValueError("compiled agents are told nothing: give the agent itself")
        if any(one.wakes or one.source is Source.FLOW or one.asset for one in listens):
            raise ValueError(
                "nothing that is told wakes an agent of a compiled market, and no orders are indicated"
            )
        if params is None and agent.hears_fills:  # type: ignore[union-attr]
            raise ValueError("agents of a compiled market do not hear their fills")
        position_qty = sum(positions_qty)
        if not 0 <= cash < _MONEY_MAX or not 0 <= position_qty < 1 << 40:
            raise ValueError(
                f"{cash} units of money and {position_qty} lots are beyond what is reckoned with"
            )
        if isinstance(params, MomentumParams) and params.short_count * params.long_count > _AVERAGED_MAX:
            raise ValueError(f"the counts of two averages multiply to {_AVERAGED_MAX} at most")
        if _order_max_qty(params) > _QTY_MAX:
            raise ValueError(f"compiled agents order {_QTY_MAX} lots at most")
        called_agent = None if isinstance(agent, Params) else agent
        self._seats.append(_Seat(params, called_agent, cash, position_qty, latency, tuple(listens)))
        return len(self._seats) - 1

    def open(self) -> None:
        """Make accounts and book, and ask every agent when it looks first, if that has not happened.

        Raises
        ------
        ValueError
            If nobody is there.
        OverflowError
            If sums of money could outgrow 64 bits.
        """
        self._open()

    def run(self, *, until_ns: int) -> RunSummary:
        """Go on until an instant; can be called again.

        Raises
        ------
        ValueError
            If the instant has passed, nobody is there, or an agent asks for what is not done here.
        OverflowError
            If a price is so high that sums of money could outgrow 64 bits. It cannot go on after one of the last two.
        """
        if not self._now_ns <= until_ns < 1 << 61:
            raise ValueError(f"{until_ns} ns has passed, or never comes; it is {self._now_ns}")
        if self._broken is not None:
            raise self._broken
        registers = self._open()
        go = self._native["go"]
        stopped = go(until_ns)
        while stopped != layout.DONE:
            if stopped == layout.ASKED:
                stopped = self._ask(until_ns)
                continue
            if stopped in (layout.BEYOND, layout.NOT_HERE):
                self._broken = self._why(stopped, registers)
                raise self._broken
            if stopped == layout.HEAP_FULL:
                self._enlarge(layout.HEAP, layout.HEAP_ROOM, layout.ENTRY_BYTES)
            elif stopped == layout.POOL_FULL:
                self._enlarge(layout.POOL, layout.POOL_ROOM, layout.CHUNK_BYTES)
            else:
                self._pass_on(registers)
            stopped = go(until_ns)
        self._now_ns = until_ns
        self._pass_on(registers)
        return self.summary()

    def _why(self, stopped: int, registers: Memory) -> Exception:
        """Say why a run cannot go on."""
        if stopped == layout.BEYOND:
            return OverflowError(
                f"a price above {registers[layout.PX_MAX]} ticks, or an order of more than {_QTY_MAX} lots: sums could "
                "be too large"
            )
        name = type(self._seats[int(registers[layout.SENDER])].agent).__name__
        return ValueError(f"a {name} sent an order that is not plain: compiled markets take none of those")

    def summary(self) -> RunSummary:
        """Say what the run has come to so far."""
        registers = self._open()
        return RunSummary(
            at_ns=self._now_ns,
            messages=int(registers[layout.MESSAGES]),
            trades=int(registers[layout.TRADES]),
            refused=int(registers[layout.REFUSED]),
            faults=tuple(self._faults),
            event_hash=self._hash.hexdigest(),
        )

    @property
    def now_ns(self) -> int:
        """Simulated time reached, nanoseconds."""
        return self._now_ns

    def refused(self, participant: int) -> int:
        """How many messages of a participant were not let through."""
        self._open()
        return int(self._agents[participant][layout.REFUSED_OWN])

    @property
    def last_px(self) -> int:
        """Price of the last trade, ticks; before any, the first price."""
        return self.first_px if self._registers is None else int(self._registers[layout.LAST_PX])

    def account(self, participant: int) -> Account:
        """Read the account of a participant; the house's own has the number after the last of them."""
        if self._registers is None:
            raise ValueError("the market has not opened")
        if participant == len(self._seats):
            fees = int(self._registers[layout.HOUSE_CASH])
            return Account(fees, fees, 0, 0, 0)
        record = self._agents[participant]
        fields = (layout.CASH, layout.FREE, layout.SHARES, layout.UP, layout.DOWN)
        return Account(*(int(record[field]) for field in fields))

    # ------------------------------------------------------------------ beginning

    def _open(self) -> Memory:
        if self._registers is not None:
            return self._registers
        if not self._seats:
            raise ValueError("nobody is in the market: add an agent first")
        registers = self._kept(layout.REGISTERS)
        count, rules = len(self._seats), self.rules
        self._agents = self._kept(count * layout.AGENT_BYTES // 8).reshape(count, -1)
        for number, seat in enumerate(self._seats):
            self._sit(number, seat)
        unit_ppm = self.scale * (PPM + max(rules.taker_fee_ppm, rules.maker_fee_ppm))
        dearest_ppm = self.scale * max(rules.taker_fee_ppm, abs(rules.maker_fee_ppm), 1)
        qty_max = max(_order_max_qty(seat.params) for seat in self._seats)
        px_max = min(_PX_MAX, _MONEY_MAX // unit_ppm, _MONEY_MAX // (dearest_ppm * qty_max))
        px_max = min(px_max, _MONEY_MAX // (2 * self.scale * qty_max))
        if self.first_px > px_max or sum(seat.cash for seat in self._seats) >= _MONEY_MAX:
            raise OverflowError(f"sums of money could be too large: a price is {px_max} ticks at most here")
        heap_room, pool_room = 4 * count + 64, 2 * layout.CHUNKS_MAX + 2 * count
        values = {
            layout.BOOK: self.book.registers.ctypes.data,
            layout.AGENTS: self._agents.ctypes.data,
            layout.AGENTS_COUNT: count,
            layout.HEAP: self._kept(heap_room * layout.ENTRY_BYTES // 8).ctypes.data,
            layout.HEAP_ROOM: heap_room,
            layout.POOL: self._kept(pool_room * layout.CHUNK_BYTES // 8).ctypes.data,
            layout.POOL_ROOM: pool_room,
            layout.ROWS_ROOM: _ROWS_ROOM + self._terms.outcomes_max,
            layout.INTENTS: self._kept((layout.INTENTS_MAX + 1) * layout.INTENT_BYTES // 8).ctypes.data,
            layout.NEXT_ID: 1,
            layout.LAST_PX: self.first_px,
            layout.SCALE: self.scale,
            layout.UNIT_PPM: unit_ppm,
            layout.TAKER_PPM: rules.taker_fee_ppm,
            layout.MAKER_PPM: rules.maker_fee_ppm,
            layout.QTY_MAX: rules.order_qty_max,
            layout.REACH_BPS: _REACH_BPS,
            layout.LOOK_GAP_NS: self._look_gap_ns,
            layout.PX_MAX: px_max,
            layout.LOG_TABLE: self._of_reals(LOG_TABLE),
            layout.ROUND_CONSTANTS: self._of_numbers(round_constants()),
        }
        for place, value in values.items():
            registers[place] = value
        self._rows = self._kept(int(registers[layout.ROWS_ROOM]) * layout.ROW_BYTES // 8)
        registers[layout.ROWS] = self._rows.ctypes.data
        self._own = self._kept(layout.OWN_WIDTH * (self._terms.orders_max + 1))
        registers[layout.OWN] = self._own.ctypes.data
        if self._tape is not None:
            deals_room = _TAPE_ROOM + self._terms.outcomes_max
            self._quotes = self._kept(_TAPE_ROOM * layout.QUOTE_WIDTH)
            self._deals = self._kept(deals_room * layout.DEAL_WIDTH)
            registers[layout.TAPE], registers[layout.TAPE_ROOM] = self._quotes.ctypes.data, _TAPE_ROOM
            registers[layout.DEALS], registers[layout.DEALS_ROOM] = self._deals.ctypes.data, deals_room
        self._registers = registers
        # What the methods reach lives as long as they do; the heap and the pool are replaced, and are not among it.
        self._native = _CODE.methods(Place(registers.ctypes.data, registers, self._agents, self.book))
        self.value.start(self._stream("value", 0))
        self._told = memoryview(registers)  # type: ignore[arg-type]
        memory = called.Memory(
            self.book,
            self._told,
            memoryview(self._agents.reshape(-1)),  # type: ignore[arg-type]
            memoryview(self._own),  # type: ignore[arg-type]
            self._native["list_own"],
            self.scale,
        )
        for number, seat in enumerate(self._seats):
            self._call(number, seat, memory)
        _CODE.linked()["open"](registers.ctypes.data)
        return registers

    def _stream(self, name: str, number: int) -> Draws:
        return Draws(spawn(self.seed, name, number))

    def _call(self, number: int, seat: _Seat, memory: called.Memory) -> None:
        """Ask an agent of Python's own when it looks first."""
        if seat.agent is None:
            self._views.append(None)
            self._calls.append(None)
            return
        board = Board()
        inboxes = [
            Inbox(
                listens=listens,
                path=self.value,
                board=board,
                draws=self._stream(f"signal {place}", number),
                feed_ns=seat.latency.feed_ns,
            )
            for place, listens in enumerate(seat.listens)
        ]
        self._views.append(CalledView(memory, number, inboxes))
        self._calls.append(seat.agent.on_wakeup)
        first_ns = NEVER
        try:
            first_ns = seat.agent.start(self._stream("agent", number))
            if first_ns.__class__ is not int or first_ns < NEVER:
                raise ValueError(f"a first wake-up at {first_ns!r}")
        except Exception as error:  # noqa: BLE001 - of somebody else's code
            self._fail(0, number, error)
            first_ns = NEVER
            self._write(0, number)
        self._agents[number, layout.MEMORY] = min(first_ns, layout.LATEST_NS)

    def _ask(self, until_ns: int) -> int:
        """Call the agent whose turn it is; why the loop stopped next."""
        registers = self._told
        participant, at_ns = registers[layout.LOOKER], registers[layout.NOW_NS]
        view, call = self._views[participant], self._calls[participant]
        assert view is not None, "the loop asks for agents of Python's own alone"
        assert call is not None, "who has a view is called"
        view.asked_ns = at_ns
        view.now_ns = now_ns = at_ns + self._seats[participant].latency.feed_ns
        try:
            numbers, clock_ns, refusals = answered(call(view), now_ns, layout.INTENTS_MAX)
        except Exception as error:  # noqa: BLE001 - of somebody else's code
            self._fail(at_ns, participant, error)
            return self._native["retire"](until_ns)
        address, count = numbers.buffer_info()
        return self._native["answer"](until_ns, address, count // called.NUMBERS, clock_ns, refusals)

    def _fail(self, at_ns: int, participant: int, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"[:500]
        self._faults.append(Fault(at_ns=at_ns, participant=participant, text=text))

    def _write(self, at_ns: int, participant: int) -> None:
        """Write down that an agent failed before it began."""
        assert self._registers is not None, "the market is opening"
        count = int(self._registers[layout.ROWS_COUNT])
        row = (at_ns, code(RETIRED, 0, 0, 0), 0, participant, 0, 0, 0, 0)
        self._rows[8 * count : 8 * count + 8] = row
        self._registers[layout.ROWS_COUNT] = count + 1

    def _sit(self, number: int, seat: _Seat) -> None:
        record, params = self._agents[number], seat.params
        kind: int
        numbers: tuple[int | float, ...]
        record[layout.FEED_NS], record[layout.ORDER_NS] = seat.latency.feed_ns, seat.latency.order_ns
        record[layout.LAST_LOOK_NS] = -self._look_gap_ns
        record[layout.CASH] = record[layout.FREE] = seat.cash
        for field in (layout.SHARES, layout.UP, layout.DOWN):
            record[field] = seat.position_qty
        record[layout.KEY : layout.KEY + 2] = struct.unpack("<2q", spawn(self.seed, "agent", number))
        match params:
            case None:
                kind, numbers = layout.CALLED, ()
            case NoiseParams():
                kind = layout.NOISE
                numbers = (
                    params.mean_wait_ns,
                    params.orders_count,
                    params.market_bps * 65_536 // 10_000,
                    (params.market_bps + params.cancel_bps) * 65_536 // 10_000,
                    params.reach_ticks,
                    params.order_max_qty,
                    params.open_max_count,
                )
            case MarketMakerParams():
                kind = layout.MAKER
                record[layout.MEMORY + 2] = params.target_qty
                numbers = (
                    params.base_spread_bps,
                    params.volatility_ratio,
                    params.memory_ratio,
                    params.inventory_ratio,
                    params.skew_ratio,
                    params.quote_qty,
                    params.levels_count,
                    params.step_bps,
                    params.limit_qty,
                    params.every_ns,
                    params.withdraw_bps,
                    self._of_numbers([ns for stretch in params.away for ns in stretch]),
                    len(params.away),
                )
            case MomentumParams():
                kind = layout.MOMENTUM
                numbers = (
                    params.short_count,
                    params.long_count,
                    params.entry_bps,
                    params.stop_bps,
                    params.profit_bps,
                    params.cash_bps,
                    params.order_max_qty,
                    params.every_ns,
                    int(params.sells_first),
                    self._of_numbers([0] * params.long_count),
                )
            case _:
                kind = layout.VALUE
                numbers = (
                    params.discount_bps,
                    params.premium_bps,
                    params.cash_bps,
                    params.belief_bps,
                    params.trend_ratio,
                    params.order_max_qty,
                    params.mean_wait_ns,
                    params.patience_ns,
                    params.value_px,
                )
        record[layout.KIND] = kind
        for place, value in enumerate(numbers, start=layout.PARAMS):
            if place - layout.PARAMS in _REALS[kind]:
                self._agents[number : number + 1].view(np.float64)[0, place] = value
            else:
                record[place] = value

    # ------------------------------------------------------------------ room

    def _kept(self, count: int) -> Memory:
        block = room(count)
        self._memory.append(block)
        return block

    def _of_numbers(self, numbers: Sequence[int]) -> int:
        block = self._kept(len(numbers))
        block[:] = numbers
        return int(block.ctypes.data)

    def _of_reals(self, numbers: Sequence[float]) -> int:
        block = self._kept(len(numbers))
        block.view(np.float64)[:] = numbers
        return int(block.ctypes.data)

    def _enlarge(self, place: int, room_place: int, each_bytes: int) -> None:
        """Give what is full twice the room."""
        registers = self._open()
        (old,) = [block for block in self._memory if block.ctypes.data == registers[place]]
        count = int(registers[room_place])
        wider = room(2 * count * each_bytes // 8)
        wider[: len(old)] = old
        self._memory = [wider if block is old else block for block in self._memory]
        registers[place], registers[room_place] = wider.ctypes.data, 2 * count

    def _pass_on(self, registers: Memory) -> None:
        """Hash and hand on what has been written."""
        count = int(registers[layout.ROWS_COUNT])
        registers[layout.ROWS_COUNT] = 0
        rows = self._rows[: count * layout.ROW_BYTES // 8]
        if self._events is not None:
            self._events.rows(rows.tobytes())
        if sys.byteorder == "big":
            raise InvariantViolation("compiled markets are for machines that begin with the lowest byte")
        self._hash.update(memoryview(rows))  # type: ignore[arg-type]
        if self._tape is not None:
            self._record(self._tape, registers)

    def _record(self, tape: AssetTape, registers: Memory) -> None:
        """Hand on what was recorded of touch and trades."""
        quotes = self._quotes[: int(registers[layout.TAPE_COUNT]) * layout.QUOTE_WIDTH]
        deals = self._deals[: int(registers[layout.DEALS_COUNT]) * layout.DEAL_WIDTH]
        registers[layout.TAPE_COUNT] = registers[layout.DEALS_COUNT] = 0
        columns = (tape.quote_ns, tape.bid_px, tape.bid_qty, tape.ask_px, tape.ask_qty)
        for place, column in enumerate((*columns, tape.bid_depth_qty, tape.ask_depth_qty)):
            column.extend(quotes[place :: layout.QUOTE_WIDTH].tolist())
        columns = (tape.trade_ns, tape.trade_px, tape.trade_qty, tape.trade_sign, tape.trade_mid2_px)
        for place, column in enumerate((*columns, tape.taker, tape.maker)):
            column.extend(deals[place :: layout.DEAL_WIDTH].tolist())
        tape.mid2_px = int(registers[layout.MID2])
