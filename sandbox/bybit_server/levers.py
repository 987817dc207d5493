"""What the operator of the sandbox may do to the doors and the net: bans, outages, maintenance, sick books."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.bybit_server import book_faults
from sandbox.bybit_server.accepting import Port
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.book_faults import Distortions
from sandbox.bybit_server.clock import SystemClock, now_ms
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fault_form import details_of, frame_of, hex_field, number_field
from sandbox.bybit_server.faults import FaultBoard, FaultMatch, Moment
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import parse_positive
from sandbox.bybit_server.network import TRANSPORTS, Network
from sandbox.bybit_server.notices import STATES, Notice
from sandbox.bybit_server.public_stream import PublicStream
from sandbox.bybit_server.public_topics import STATUS_CATEGORY, STATUS_TOPIC
from sandbox.bybit_server.rate_limit import AddressLimit
from sandbox.bybit_server.refusal import parameter_error
from sandbox.bybit_server.switchboard import STREAMS, Switchboard

LENGTH_S: Final = 600.0
TOPIC_DEPTHS: Final = (1, 50, 200, 1000)
MAINTENANCE_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """The parts of the server that can be made to misbehave as a whole."""

    clock: SystemClock
    faults: FaultBoard
    addresses: AddressLimit
    network: Network
    switchboard: Switchboard
    distortions: Mapping[str, Distortions]
    public: Mapping[str, PublicStream]
    port: Port


class Levers:
    """Interventions on one server; each returns what it did.

    Parameters
    ----------
    exchange
        The venue behind the doors.
    plant
        The parts around it.
    """

    def __init__(self, exchange: Exchange, plant: Plant) -> None:
        self._exchange = exchange
        self._plant = plant
        exchange.notices.sinks.append(self._tell_notice)

    def table(self) -> dict[str, Callable[[Fields], JsonObject]]:
        """Return the interventions by name."""
        return {
            "clock": self.clock,
            "halt_feed": self.halt_feed,
            "cut_public": self.cut_public,
            "ban": self.ban,
            "unban": self.unban,
            "storm": self.storm,
            "refuse_connect": self.refuse_connect,
            "hold": self.hold,
            "one_way": self.one_way,
            "close_idle": self.close_idle,
            "heal": self.heal,
            "liquidation": self.liquidation,
            "maintenance": self.maintenance,
            "book": self.book,
        }

    def clock(self, fields: Fields) -> JsonObject:
        """Set the venue's clock wrong by ``offset_ms``."""
        self._plant.clock.set_offset_ms(fields.whole("offset_ms", 0, -(10**11), 10**11))
        return {}

    def halt_feed(self, fields: Fields) -> JsonObject:
        """Stop (``on`` true) or restart all public messages; pongs go on."""
        for stream in self._plant.public.values():
            stream.halted = fields.flag("on")
        return {}

    def cut_public(self, fields: Fields) -> JsonObject:
        """Cut every public connection that has subscribed to something."""
        for stream in self._plant.public.values():
            stream.abort_all()
        return {}

    def ban(self, fields: Fields) -> JsonObject:
        """Answer every REST request with HTTP 403 for ``s`` seconds."""
        length_s = number_field(fields, "s", LENGTH_S)
        self._plant.addresses.ban_all(length_s)
        return {"s": length_s}

    def unban(self, fields: Fields) -> JsonObject:
        """End all bans."""
        self._plant.addresses.unban()
        return {}

    def storm(self, fields: Fields) -> JsonObject:
        """Refuse requests at random before they are applied: probability ``p``, ``code``, ``path`` and ``on``."""
        transports = (fields.text("on"),) if fields.text("on") else TRANSPORTS
        if not set(transports) <= set(TRANSPORTS):
            raise parameter_error(f"on must be one of {', '.join(TRANSPORTS)}")
        details = details_of(Fields({"code": 10006, **fields.values}), "retCode", overtakes=True)
        rules = [
            self._plant.faults.add(
                target=transport,
                moment=Moment.BEFORE,
                act="retCode",
                match=FaultMatch(path=fields.text("path"), probability=number_field(fields, "p", 0.5)),
                details=details,
                times=None,
            ).fault_id
            for transport in transports
        ]
        return {"faults": rules}

    def refuse_connect(self, fields: Fields) -> JsonObject:
        """Accept and at once close new connections for ``s`` seconds; ``cut`` also cuts those that are open."""
        length_s = number_field(fields, "s", LENGTH_S)
        self._plant.network.refuse_connections(length_s)
        closed = 0
        if fields.flag("cut"):
            closed = self._plant.switchboard.close("")
            self._plant.port.cut_all()
        return {"s": length_s, "closed": closed}

    def hold(self, fields: Fields) -> JsonObject:
        """Hold what clients send for ``s`` seconds, then deliver it; ``on`` is rest, trade or both (empty)."""
        length_s = number_field(fields, "s", LENGTH_S)
        wanted = fields.text("on")
        if wanted not in {"", *TRANSPORTS}:
            raise parameter_error(f"on must be one of {', '.join(TRANSPORTS)}")
        for transport, barrier in self._plant.network.inbound.items():
            if wanted in {"", transport}:
                barrier.lower(length_s)
        return {"s": length_s}

    def one_way(self, fields: Fields) -> JsonObject:
        """Apply requests, but hold every answer and message for ``s`` seconds."""
        length_s = number_field(fields, "s", LENGTH_S)
        self._plant.network.outbound.lower(length_s)
        return {"s": length_s}

    def close_idle(self, fields: Fields) -> JsonObject:
        """Close the keep-alive connections of REST clients that wait for nothing."""
        return {"closed": self._plant.port.close_idle()}

    def heal(self, fields: Fields) -> JsonObject:
        """Undo outages, partitions, stalls, periodic cuts, bans, maintenance and sick books."""
        plant = self._plant
        self._exchange.notices.withdraw_all()
        plant.network.heal()
        plant.switchboard.heal()
        plant.addresses.unban()
        for distortions in plant.distortions.values():
            distortions.clear()
        return {}

    def liquidation(self, fields: Fields) -> JsonObject:
        """Tell of a liquidation: ``symbol``, ``side`` of the position, ``qty``, bankruptcy ``price``."""
        category, symbol = fields.text("category", "linear"), fields.text("symbol")
        market = self._exchange.markets.get((category, symbol))
        qty, px = parse_positive(fields.text("qty")), parse_positive(fields.text("price"))
        side = fields.text("side")
        if market is None or market.instrument.is_spot or qty is None or px is None:
            raise parameter_error("symbol, side, qty and price of a contract are required")
        if side not in set(Side):
            raise parameter_error("side must be Buy (a long ended) or Sell")
        for sink in self._exchange.liquidation_sinks:
            sink(market, Side(side), qty, px)
        return {}

    def maintenance(self, fields: Fields) -> JsonObject:
        """Announce maintenance: ``state``, ``begin_ms``, ``end_ms``, ``title``, ``id``, ``refuse``."""
        state = fields.text("state", "scheduled")
        if state not in STATES:
            raise parameter_error(f"state must be one of {', '.join(STATES)}")
        server_ms = now_ms(self._exchange.clock)
        begin_ms = fields.whole("begin_ms", server_ms, 0, 10**14)
        notice = Notice(
            notice_id=fields.text("id", "sandbox-maintenance"),
            title=fields.text("title", "System maintenance"),
            state=state,
            begin_ms=begin_ms,
            end_ms=fields.whole("end_ms", begin_ms + MAINTENANCE_MS, 0, 10**14),
            refuses=fields.flag("refuse"),
        )
        self._exchange.notices.post(notice)
        return notice.shape()

    def book(self, fields: Fields) -> JsonObject:
        """Make a book topic sick: ``fault``, ``category``, ``symbol``, ``depth`` (all if absent), ``s``.

        ``gap``, ``replay`` and ``restart`` happen once, to topics that somebody hears; ``crossed``, ``locked``,
        ``one_sided``, ``empty`` and ``stale`` last for ``s`` seconds, for later subscribers as well.
        """
        kind = fields.text("fault")
        category, symbol = fields.text("category", "linear"), fields.text("symbol", "BTCUSDT")
        if (category, symbol) not in self._exchange.markets:
            raise parameter_error("symbol invalid")
        depth = fields.whole("depth", 0, 0, max(TOPIC_DEPTHS)) or None
        if depth not in {None, *TOPIC_DEPTHS}:
            raise parameter_error("depth invalid")
        stream = self._plant.public[category]
        if kind in book_faults.KINDS:
            depths = TOPIC_DEPTHS if depth is None else (depth,)
            for each in depths:
                topic = f"orderbook.{each}.{symbol}"
                self._plant.distortions[category].put(topic, kind, number_field(fields, "s", LENGTH_S))
            return {"topics": len(depths)}
        if kind == "restart":
            return {"topics": stream.restart_books(symbol, depth)}
        feeds = stream.book_feeds(symbol, depth).values()
        if kind == "gap":
            for feed in feeds:
                feed.skip()
        elif kind == "replay":
            for feed in feeds:
                feed.replay_next()
        else:
            raise parameter_error(f"fault {kind!r} of a book is not known")
        return {"topics": len(feeds)}

    def act_at_once(self, fields: Fields) -> JsonObject | None:
        """Do what a fault request asks to be done now, to all connections of a stream; None if it is a rule.

        ``close`` (with ``code``, or a cut) unless a ``match`` makes it a rule, ``stall`` (``future`` for later
        connections too), ``resume``, ``inject`` (``frame_raw`` or ``frame_hex``, ``copies``; or ``wire_hex``, bytes
        as they are), ``cut`` (``every`` so many seconds).
        """
        stream, act = fields.text("on", "rest"), fields.text("act")
        board = self._plant.switchboard
        if stream.partition(".")[0] not in STREAMS:
            return None
        match act:
            case "close" if not fields.values.get("match") and "when" not in fields.values:
                return {"closed": board.close(stream, fields.whole("code", 0, 0, 4999))}
            case "stall":
                return {"stalled": board.stall(stream, future=fields.flag("future"))}
            case "resume":
                board.heal()
                return {}
            case "inject" if "wire_hex" in fields.values:
                return {"injected": board.inject_bytes(stream, hex_field(fields, "wire_hex"))}
            case "inject":
                copies = fields.whole("copies", 1, 1, 10**6)
                count = board.inject(stream, frame_of(fields), binary=fields.flag("binary"), copies=copies)
                return {"injected": count}
            case "cut":
                board.cut_every(stream, number_field(fields, "every", 0.0))
                return {}
            case _:
                return None

    def _tell_notice(self, notice: Notice) -> None:
        self._plant.public[STATUS_CATEGORY].tell(STATUS_TOPIC, notice.shape())
