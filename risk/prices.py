"""What the gate asks of prices: the book, the collar around it, the venue's band, and second opinions.

A book can be wrong while it looks sound; so nothing is opened unless somebody else sees about the same price.
"""

from decimal import Decimal

from executor.domain.limits import Limits
from executor.domain.market import MarketSnapshot, SecondOpinion
from executor.domain.orders import NewOrder, Side, TimeInForce
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ZERO, is_plain, is_sound
from risk.refusals import RefusalCode as Code
from risk.view import GateView


def price_codes(order: NewOrder, view: GateView, limits: Limits) -> list[Code]:
    """Collect what speaks against the price of an order, or against any price now."""
    codes = []
    market = view.market
    if market is None or (market.category, market.symbol) != (order.category, order.symbol):
        codes.append(Code.BOOK_MISSING)
    elif not _is_sound_book(market):
        codes.append(Code.BOOK_CROSSED)
    else:
        codes += _collar_codes(order, market, view, limits)
        codes += _band_codes(order, market)
        codes += opinion_codes(view.opinions, market.mid_px, view.now_ns, limits)
    if view.book_ns is None or not 0 <= view.now_ns - view.book_ns <= limits.reference_age_s_max * NS_PER_S:
        codes.append(Code.BOOK_STALE)
    return codes


def opinion_codes(
    opinions: tuple[SecondOpinion, ...], mid_px: Decimal, now_ns: int, limits: Limits
) -> list[Code]:
    """Hold the mid against the fresh second opinions: too few, or one too far away.

    Parameters
    ----------
    mid_px
        Middle of a sound book, quote per base, > 0.
    """
    codes = []
    oldest_ns = limits.second_opinion_age_s_max * NS_PER_S
    fresh = [each.px for each in opinions if 0 <= now_ns - each.at_ns <= oldest_ns]
    if len(fresh) < limits.references_min:
        codes.append(Code.REFERENCE_MISSING)
    if any(not is_plain(px) or px <= ZERO for px in fresh):
        codes.append(Code.INPUT_UNSOUND)
    elif any(abs(px - mid_px) * BPS_PER_UNIT > limits.reference_gap_bps_max * mid_px for px in fresh):
        codes.append(Code.REFERENCE_DISAGREES)
    return codes


def _is_sound_book(market: MarketSnapshot) -> bool:
    bid, ask = market.best_bid, market.best_ask
    return is_plain(bid) and is_plain(ask) and ZERO < bid < ask


def _collar_codes(order: NewOrder, market: MarketSnapshot, view: GateView, limits: Limits) -> list[Code]:
    codes = []
    collar = limits.price_collar_bps_max
    mid = market.mid_px
    if abs(order.px - mid) * BPS_PER_UNIT > collar * mid:
        codes.append(Code.PRICE_COLLAR)
    mean = view.benchmark_px
    if not is_sound(mean) or mean <= ZERO:
        codes.append(Code.BENCHMARK_UNKNOWN)
    elif abs(order.px - mean) * BPS_PER_UNIT > collar * mean:
        codes.append(Code.PRICE_BENCHMARK)
    if order.time_in_force is TimeInForce.IOC and market.spread_bps > limits.cross_spread_bps_max:
        codes.append(Code.SPREAD_WIDE)
    return codes


def _band_codes(order: NewOrder, market: MarketSnapshot) -> list[Code]:
    """Beyond the band the venue refuses a price or moves it; an edge that is not known binds nobody."""
    edge = market.max_buy_px if order.side is Side.BUY else market.min_sell_px
    if edge is None:
        return []
    if not is_plain(edge) or edge <= ZERO:
        return [Code.INPUT_UNSOUND]
    return [Code.PRICE_BAND] if order.side.sign * (order.px - edge) > ZERO else []
