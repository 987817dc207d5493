"""The pure engine: one synchronous function from events to commands, and the state behind it."""
