"""How much of the journal is read at once."""

from typing import Final

ROWS_MAX: Final = 500
LOOKED_AT_MAX: Final = 20_000
BYTES_MAX: Final = 4_000_000
