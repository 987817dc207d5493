"""Random numbers for simulated markets: a stream for every name, the same on every machine and in compiled code.

Block k of a stream is SHAKE128(key, k): 84 words of 64 bits, read in order (FIPS 202: the Keccak permutation needs
64-bit and, not, xor and rotation only, so a compiled twin repeats it over an array). Everything else here is 64-bit
integers and the basic operations of IEEE doubles (+ - * / and the square root) in the order written: no logarithm of
a library, which another machine rounds otherwise. `LOG_TABLE`, the one table, is part of the definition.
"""

import struct
from decimal import Context, Decimal
from hashlib import shake_128
from math import sqrt
from typing import Final

BLOCK_WORDS: Final = 84
"""Words of one block: four times the 21 that the permutation gives at once."""
CELLS: Final = 1024
LN2: Final = 0.6931471805599453

_BLOCK_BYTES: Final = 8 * BLOCK_WORDS
_UNPACK_FROM: Final = [struct.Struct(f"<{count}Q").unpack_from for count in range(BLOCK_WORDS + 1)]
_SOME_WORDS: Final = 12
_TO_UNIT: Final = 2.0**-53
_TO_CELL: Final = 2.0**-22


def _log_table() -> tuple[float, ...]:
    exact = Context(prec=25)
    return tuple(float(-exact.ln(1 - Decimal(cell) / (2 * CELLS))) for cell in range(CELLS + 1))


LOG_TABLE: Final = _log_table()
"""-ln(1 - i / 2048) for i = 0 .. 1024: the quantiles of a waiting time that is below its median."""


def spawn(seed: int, name: str, number: int = 0) -> bytes:
    """Key of the stream of one part of a run, 16 bytes: different names and numbers never share a stream.

    Parameters
    ----------
    seed
        Of the run, 0 .. 2**64 - 1.
    name
        What the stream is for.
    number
        Which of them, 0 .. 2**64 - 1.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    if not 0 <= seed < 1 << 64 or not 0 <= number < 1 << 64:
        raise ValueError(f"a seed and a number are 0 .. 2**64 - 1, got {seed} and {number}")
    return shake_128(struct.pack("<QQ", seed, number) + name.encode()).digest(16)


class Draws:
    """One stream. Its whole state is the key, the number of blocks begun and how many words of the last are left.

    Parameters
    ----------
    key
        From `spawn`, 16 bytes.
    """

    __slots__ = ("_bytes", "_key", "_next_block", "_place", "_words")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._next_block = 0
        # A block stays bytes, of which some words at a time are numbers: a crowd of streams fits the cache.
        self._bytes = b""
        self._place = _BLOCK_BYTES
        self._words: list[int] = []

    def word(self) -> int:
        """Return the next 64 bits, 0 .. 2**64 - 1."""
        words = self._words
        if not words:
            words.extend(self._read(_SOME_WORDS))
            words.reverse()
        return words.pop()

    def words(self, count: int) -> list[int]:
        """Return the next so many words, the first first: what as many calls of `word` give."""
        words = self._words
        found = words[: -count - 1 : -1]
        del words[len(words) - len(found) :]
        while len(found) < count:
            found += self._read(count - len(found))
        return found

    def _read(self, most: int) -> tuple[int, ...]:
        """Read on in the block, or in the next one: so many words, or what is left of it."""
        place = self._place
        if place == _BLOCK_BYTES:
            key = self._key + self._next_block.to_bytes(8, "little")
            self._bytes = shake_128(key).digest(_BLOCK_BYTES)
            self._next_block += 1
            place = 0
        count = min(most, (_BLOCK_BYTES - place) >> 3)
        self._place = place + 8 * count
        return _UNPACK_FROM[count](self._bytes, place)

    def uniform(self) -> float:
        """Return a number of [0, 1), a multiple of 2**-53: one word."""
        return (self.word() >> 11) * _TO_UNIT

    def bernoulli(self, probability: float) -> bool:
        """Return true with a probability, 0-1: one word."""
        return (self.word() >> 11) * _TO_UNIT < probability

    def below(self, count: int) -> int:
        """Return one of 0 .. count - 1, for a count of 1 .. 2**32, each alike but for count / 2**32: one word."""
        return (self.word() >> 32) * count >> 32

    def sign(self) -> int:
        """Return +1 or -1, equally likely: one word."""
        return 1 if self.word() >> 63 else -1

    def exponential(self) -> float:
        """Return a waiting time of mean 1: one word.

        It is G ln 2 + F: G, the leading zeros of the word's upper half, counts medians that passed in vain; F is a
        waiting time below its median, from the table, straight between its cells (true to 1.3e-7).
        """
        word = self.word()
        low = word & 0xFFFFFFFF
        cell = low >> 22
        start = LOG_TABLE[cell]
        part = start + (LOG_TABLE[cell + 1] - start) * ((low & 0x3FFFFF) * _TO_CELL)
        return (32 - (word >> 32).bit_length()) * LN2 + part

    def wait_ns(self, mean_ns: int) -> int:
        """Return nanoseconds to the next event of a Poisson process, >= 1: one word.

        Parameters
        ----------
        mean_ns
            Mean distance, nanoseconds, 1 .. 2**47.
        """
        return int(mean_ns * self.exponential()) + 1

    def normal(self) -> float:
        """Return a standard normal number: a point in the unit disc gives the direction, a waiting time the radius."""
        while True:
            across = 2.0 * ((self.word() >> 11) * _TO_UNIT) - 1.0
            along = 2.0 * ((self.word() >> 11) * _TO_UNIT) - 1.0
            square = across * across + along * along
            if 0.0 < square < 1.0:
                return across * sqrt(2.0 * self.exponential() / square)
