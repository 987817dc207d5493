"""A venue that plays a recording: rules in `docs/replay.md`, kept by an obvious twin and a compiled kernel."""
