"""The clearing house of a simulated market: accounts, what an order may cost before it is sent, and settlement."""
