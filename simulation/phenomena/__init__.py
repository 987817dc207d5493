"""What emerges in a market: measures of prices, books, trades and agents, for simulated and recorded markets alike."""
