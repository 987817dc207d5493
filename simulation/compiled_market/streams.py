"""Random numbers as `simulation.draws` gives them, word for word, for compiled agents."""

from typing import Final

from simulation.compiled_market import layout
from simulation.compiling import compiled, get_real, highest_bit, load, store, turned, written_in
from simulation.draws import BLOCK_WORDS, LN2

# mypy: disable-error-code="no-any-return"
# What lies at an address is a number.

RATE_WORDS: Final = 21
"""Words that the permutation gives at once."""
_SUFFIX: Final = 0x1F
_LAST: Final = -(1 << 63)
_LOW32: Final = (1 << 32) - 1
_TO_CELL: Final = 2.0**-22


@compiled
def _permute(a: int, constants: int) -> None:
    """Keccak-f[1600] over 25 numbers at an address, which are kept in registers meanwhile."""
    a0, a1, a2, a3, a4 = load(a), load(a + 8), load(a + 16), load(a + 24), load(a + 32)
    a5, a6, a7, a8, a9 = load(a + 40), load(a + 48), load(a + 56), load(a + 64), load(a + 72)
    a10, a11, a12, a13, a14 = load(a + 80), load(a + 88), load(a + 96), load(a + 104), load(a + 112)
    a15, a16, a17, a18, a19 = load(a + 120), load(a + 128), load(a + 136), load(a + 144), load(a + 152)
    a20, a21, a22, a23, a24 = load(a + 160), load(a + 168), load(a + 176), load(a + 184), load(a + 192)
    for i in range(24):
        c0, c1 = a0 ^ a5 ^ a10 ^ a15 ^ a20, a1 ^ a6 ^ a11 ^ a16 ^ a21
        c2, c3 = a2 ^ a7 ^ a12 ^ a17 ^ a22, a3 ^ a8 ^ a13 ^ a18 ^ a23
        c4 = a4 ^ a9 ^ a14 ^ a19 ^ a24
        d0, d1, d2 = c4 ^ turned(c1, 1), c0 ^ turned(c2, 1), c1 ^ turned(c3, 1)
        d3, d4 = c2 ^ turned(c4, 1), c3 ^ turned(c0, 1)
        b0, b10, b20, b5, b15 = (
            a0 ^ d0,
            turned(a1 ^ d1, 1),
            turned(a2 ^ d2, 62),
            turned(a3 ^ d3, 28),
            turned(a4 ^ d4, 27),
        )
        b16, b1, b11, b21, b6 = (
            turned(a5 ^ d0, 36),
            turned(a6 ^ d1, 44),
            turned(a7 ^ d2, 6),
            turned(a8 ^ d3, 55),
            turned(a9 ^ d4, 20),
        )
        b7, b17, b2, b12, b22 = (
            turned(a10 ^ d0, 3),
            turned(a11 ^ d1, 10),
            turned(a12 ^ d2, 43),
            turned(a13 ^ d3, 25),
            turned(a14 ^ d4, 39),
        )
        b23, b8, b18, b3, b13 = (
            turned(a15 ^ d0, 41),
            turned(a16 ^ d1, 45),
            turned(a17 ^ d2, 15),
            turned(a18 ^ d3, 21),
            turned(a19 ^ d4, 8),
        )
        b14, b24, b9, b19, b4 = (
            turned(a20 ^ d0, 18),
            turned(a21 ^ d1, 2),
            turned(a22 ^ d2, 61),
            turned(a23 ^ d3, 56),
            turned(a24 ^ d4, 14),
        )
        a0, a1, a2 = b0 ^ (~b1 & b2) ^ load(constants + 8 * i), b1 ^ (~b2 & b3), b2 ^ (~b3 & b4)
        a3, a4 = b3 ^ (~b4 & b0), b4 ^ (~b0 & b1)
        a5, a6, a7, a8, a9 = (
            b5 ^ (~b6 & b7),
            b6 ^ (~b7 & b8),
            b7 ^ (~b8 & b9),
            b8 ^ (~b9 & b5),
            b9 ^ (~b5 & b6),
        )
        a10, a11, a12 = b10 ^ (~b11 & b12), b11 ^ (~b12 & b13), b12 ^ (~b13 & b14)
        a13, a14 = b13 ^ (~b14 & b10), b14 ^ (~b10 & b11)
        a15, a16, a17 = b15 ^ (~b16 & b17), b16 ^ (~b17 & b18), b17 ^ (~b18 & b19)
        a18, a19 = b18 ^ (~b19 & b15), b19 ^ (~b15 & b16)
        a20, a21, a22 = b20 ^ (~b21 & b22), b21 ^ (~b22 & b23), b22 ^ (~b23 & b24)
        a23, a24 = b23 ^ (~b24 & b20), b24 ^ (~b20 & b21)
    store(a, a0)
    store(a + 8, a1)
    store(a + 16, a2)
    store(a + 24, a3)
    store(a + 32, a4)
    store(a + 40, a5)
    store(a + 48, a6)
    store(a + 56, a7)
    store(a + 64, a8)
    store(a + 72, a9)
    store(a + 80, a10)
    store(a + 88, a11)
    store(a + 96, a12)
    store(a + 104, a13)
    store(a + 112, a14)
    store(a + 120, a15)
    store(a + 128, a16)
    store(a + 136, a17)
    store(a + 144, a18)
    store(a + 152, a19)
    store(a + 160, a20)
    store(a + 168, a21)
    store(a + 176, a22)
    store(a + 184, a23)
    store(a + 192, a24)


@compiled
def _more(at: int, agent: int, left: int) -> None:
    """Make the next 21 words of a stream: of the block that has been begun, or of another."""
    sponge = agent + 8 * layout.SPONGE
    if left == 0:
        for i in range(25):
            store(sponge + 8 * i, 0)
        block = load(agent + 8 * layout.BLOCK)
        store(sponge, load(agent + 8 * layout.KEY))
        store(sponge + 8, load(agent + 8 * layout.KEY + 8))
        store(sponge + 16, block)
        store(sponge + 24, _SUFFIX)
        store(sponge + 8 * (RATE_WORDS - 1), _LAST)
        store(agent + 8 * layout.BLOCK, block + 1)
        store(agent + 8 * layout.LEFT, BLOCK_WORDS)
    _permute(sponge, load(at + 8 * layout.ROUND_CONSTANTS))


@written_in
def word(at: int, agent: int) -> int:
    """Give the next 64 bits of an agent's stream, as a number with a sign."""
    left = load(agent + 8 * layout.LEFT)
    if left % RATE_WORDS == 0:
        _more(at, agent, left)
        if left == 0:
            left = BLOCK_WORDS
    store(agent + 8 * layout.LEFT, left - 1)
    return load(agent + 8 * (layout.SPONGE + (BLOCK_WORDS - left) % RATE_WORDS))


@written_in
def below(at: int, agent: int, count: int) -> int:
    """Draw one of 0 .. count - 1."""
    return ((((word(at, agent) >> 32) & _LOW32) * count) >> 32) & _LOW32


@compiled
def wait_ns(at: int, agent: int, mean_ns: int) -> int:
    """Draw nanoseconds to the next event of a Poisson process."""
    drawn = word(at, agent)
    low, high = drawn & _LOW32, (drawn >> 32) & _LOW32
    start = load(at + 8 * layout.LOG_TABLE) + 8 * (low >> 22)
    begin = get_real(start, 0)
    part = begin + (get_real(start, 1) - begin) * ((low & 0x3FFFFF) * _TO_CELL)
    zeros = 31 - highest_bit(high) if high != 0 else 32
    return int(mean_ns * (zeros * LN2 + part)) + 1
