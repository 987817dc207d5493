"""Events of a market kept in memory, for tests that look at them."""

from struct import iter_unpack

from simulation.market.events import WIDTH, Event, read


class MemorySink:
    """Keeps all rows."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def rows(self, block: bytes) -> None:
        """Keep some rows."""
        self.blocks.append(block)

    def events(self) -> list[Event]:
        """Every event so far."""
        return [read(row) for block in self.blocks for row in iter_unpack(f"<{WIDTH}q", block)]
