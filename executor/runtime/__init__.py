"""SHELL. Moves bytes and stamps time around the engine: journal, clock, timers, telemetry. Decides nothing."""
