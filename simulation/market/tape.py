"""The public record of a run, for those who study it: when the touch changed, and every trade with its two parties.

Agents never see it: what they may know is in their view.
"""

from dataclasses import dataclass, field

from simulation.book.book import OrderBook

LEVELS = 5
"""Levels of a side that count as its depth."""


@dataclass(slots=True)
class AssetTape:
    """Columns of one asset, in order of time: ticks, lots, nanoseconds.

    Parameters
    ----------
    quote_ns, bid_px, bid_qty, ask_px, ask_qty, bid_depth_qty, ask_depth_qty
        The touch and the depth of `LEVELS` levels whenever one of them had changed and both sides were there.
    trade_ns, trade_px, trade_qty, trade_sign, trade_mid2_px, taker, maker
        Trades: the taker's side, twice the mid just before its message (0 if there was none), and who they were.
    """

    quote_ns: list[int] = field(default_factory=list)
    bid_px: list[int] = field(default_factory=list)
    bid_qty: list[int] = field(default_factory=list)
    ask_px: list[int] = field(default_factory=list)
    ask_qty: list[int] = field(default_factory=list)
    bid_depth_qty: list[int] = field(default_factory=list)
    ask_depth_qty: list[int] = field(default_factory=list)
    trade_ns: list[int] = field(default_factory=list)
    trade_px: list[int] = field(default_factory=list)
    trade_qty: list[int] = field(default_factory=list)
    trade_sign: list[int] = field(default_factory=list)
    trade_mid2_px: list[int] = field(default_factory=list)
    taker: list[int] = field(default_factory=list)
    maker: list[int] = field(default_factory=list)
    mid2_px: int = 0
    """Twice the mid after the last message; 0 while a side is empty."""


class Tape:
    """The record of all assets.

    Parameters
    ----------
    assets
        How many.
    """

    def __init__(self, assets: int) -> None:
        self.assets = [AssetTape() for _ in range(assets)]

    def look(self, at_ns: int, asset: int, book: OrderBook) -> None:
        """Write the touch down if it has changed; called after each message."""
        tape = self.assets[asset]
        bids, asks = book.depth(1, LEVELS), book.depth(-1, LEVELS)
        if not bids or not asks:
            tape.mid2_px = 0
            return
        (bid_px, bid_qty), (ask_px, ask_qty) = bids[0], asks[0]
        bid_depth, ask_depth = sum(qty for _, qty in bids), sum(qty for _, qty in asks)
        tape.mid2_px = bid_px + ask_px
        if (
            tape.quote_ns
            and bid_px == tape.bid_px[-1]
            and ask_px == tape.ask_px[-1]
            and bid_qty == tape.bid_qty[-1]
            and ask_qty == tape.ask_qty[-1]
            and bid_depth == tape.bid_depth_qty[-1]
            and ask_depth == tape.ask_depth_qty[-1]
        ):
            return
        tape.quote_ns.append(at_ns)
        tape.bid_px.append(bid_px)
        tape.bid_qty.append(bid_qty)
        tape.ask_px.append(ask_px)
        tape.ask_qty.append(ask_qty)
        tape.bid_depth_qty.append(bid_depth)
        tape.ask_depth_qty.append(ask_depth)

    def trade(self, at_ns: int, asset: int, px: int, qty: int, sign: int, taker: int, maker: int) -> None:
        """Write a trade down; called before the touch that it leaves is looked at."""
        tape = self.assets[asset]
        tape.trade_ns.append(at_ns)
        tape.trade_px.append(px)
        tape.trade_qty.append(qty)
        tape.trade_sign.append(sign)
        tape.trade_mid2_px.append(tape.mid2_px)
        tape.taker.append(taker)
        tape.maker.append(maker)
