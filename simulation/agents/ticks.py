"""From a price as a number to whole ticks, on the side that its owner would choose."""


def floor_ticks(px: float) -> int:
    """Whole ticks at or below a price; what a buyer bids."""
    ticks = int(px)
    return ticks if ticks <= px else ticks - 1


def ceil_ticks(px: float) -> int:
    """Whole ticks at or above a price; what a seller asks."""
    ticks = int(px)
    return ticks if ticks >= px else ticks + 1
