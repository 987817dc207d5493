"""Bybit v5: the wire, its meaning, and the connections."""
