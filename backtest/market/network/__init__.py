"""The market of agents over ZeroMQ: a hub that owns the market, and agents in tasks or in processes of their own."""
