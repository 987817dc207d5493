"""Journals of virtual drives for the analysis of cost: real ones, as the daemon writes them."""

from dataclasses import replace

from backtest.run import drive
from executor.domain.orders import Side, StrategyParams
from executor.runtime.journal import Journal
from tests.backtest.test_drive import SCENE
from tests.builders import D, submitted

ORDER = submitted(order_qty=D("0.2"), duration_s=100, params=StrategyParams(interval_s=20))


def write(path, seed, side=Side.BUY, *, parents=1, close=True):
    """Work orders in a market from a seed; gives the journal if it stays open, as a daemon's does."""
    orders = tuple(replace(ORDER, side=side, order_qty=ORDER.order_qty / (n + 1)) for n in range(parents))
    journal = Journal.open(path, create=True, instance="sim")
    drive(replace(SCENE, parents=orders), seed, journal=journal)
    if close:
        journal.close()
        return None
    return journal
