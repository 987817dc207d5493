"""A venue that plays a recording: the rules are in `docs/replay.md`, an obvious twin and a compiled kernel keep them."""
