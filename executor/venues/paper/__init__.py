"""A venue that exists here only: the real market's public data, and orders that are simulated against it."""
