"""A whole market in one compiled loop, equal event by event to the same one run by `simulation.market.engine`."""
