"""The streams of a simulated market: fixed for ever, independent, and distributed as they say."""

from hashlib import shake_128
from math import exp, log, sqrt

import pytest

from simulation.draws import BLOCK_WORDS, LOG_TABLE, Draws, spawn

KEY = spawn(7, "agent", 3)
FIRST_WORDS = [4613311199480221605, 3661564530120868027, 7372254124101686944]


def test_a_block_is_what_the_standard_says() -> None:
    """Word after word of SHAKE128(key, k), little-endian, block after block."""
    draws = Draws(KEY)
    for block in range(3):
        octets = shake_128(KEY + block.to_bytes(8, "little")).digest(8 * BLOCK_WORDS)
        words = [int.from_bytes(octets[place : place + 8], "little") for place in range(0, len(octets), 8)]
        assert [draws.word() for _ in range(BLOCK_WORDS)] == words


def test_first_words_never_change() -> None:
    """Recorded once: runs that were kept must come out again."""
    draws = Draws(spawn(1, "noise", 0))
    assert [draws.word() for _ in range(3)] == FIRST_WORDS


def test_names_numbers_and_seeds_part_streams() -> None:
    keys = {spawn(seed, name, number) for seed in (0, 1) for name in ("a", "ab") for number in (0, 1)}
    assert len(keys) == 8
    for wrong in (-1, 1 << 64):
        with pytest.raises(ValueError, match="seed"):
            spawn(wrong, "a")


def test_several_words_at_once_are_the_same_words() -> None:
    one, other = Draws(KEY), Draws(KEY)
    counts = [1, 5, 80, 3, 200, 7]
    assert [word for count in counts for word in one.words(count)] == [
        other.word() for _ in range(sum(counts))
    ]


def test_table_is_the_logarithm() -> None:
    assert max(abs(value + log(1 - cell / 2048)) for cell, value in enumerate(LOG_TABLE)) < 1e-15


def test_distributions() -> None:
    """Means and variances within four standard errors, and the shape of a waiting time at some quantiles."""
    draws, count = Draws(KEY), 20_000
    waits = [draws.exponential() for _ in range(count)]
    assert abs(sum(waits) / count - 1.0) < 4 / sqrt(count)
    for level in (0.1, 0.7, 1.5, 3.0):
        share = sum(wait > level for wait in waits) / count
        assert abs(share - exp(-level)) < 4 * sqrt(exp(-level) / count)
    normals = [draws.normal() for _ in range(count)]
    assert abs(sum(normals) / count) < 4 / sqrt(count)
    assert abs(sum(value * value for value in normals) / count - 1.0) < 4 * sqrt(2 / count)
    assert abs(sum(value**4 for value in normals) / count - 3.0) < 4 * sqrt(96 / count)
    evens = [draws.uniform() for _ in range(count)]
    assert abs(sum(evens) / count - 0.5) < 4 / sqrt(12 * count)
    assert min(evens) >= 0.0
    assert max(evens) < 1.0
    chance = 0.3
    assert abs(sum(draws.bernoulli(chance) for _ in range(count)) / count - chance) < 4 * sqrt(0.21 / count)
    faces = [draws.below(6) for _ in range(count)]
    assert all(abs(faces.count(face) / count - 1 / 6) < 4 * sqrt(5 / 36 / count) for face in range(6))
    assert abs(sum(draws.sign() for _ in range(count))) < 4 * sqrt(count)
    assert min(draws.wait_ns(5) for _ in range(1_000)) == 1
