"""Safety: the gate that every child order passes, the bytes it checks, and the circuits that pause trading."""
