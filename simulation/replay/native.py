"""The compiled venue's functions, as machine code: no compiler is loaded where they were compiled before."""

from collections.abc import Callable, Mapping
from typing import Final

from simulation.kept_code import KeptCode, beside

SOURCES: Final = beside(__file__, "codes.py", "layout.py", "kernel.py")


def _define() -> Mapping[str, Callable[..., int]]:
    from simulation.replay import kernel  # noqa: PLC0415 - brings the compiler

    return {
        "advance": kernel.advance_at,
        "state_hash": kernel.state_hash_at,
        "far_copy": kernel.far_copy_at,
        "theirs_copy": kernel.theirs_copy_at,
    }


VENUE: Final = KeptCode(
    "replay-venue",
    {"advance": 3, "state_hash": 1, "far_copy": 4, "theirs_copy": 4},
    _define,
    sources=SOURCES,
)
"""`VENUE.linked()` compiles where nothing is kept: some twenty seconds, once on a machine."""
