"""Counting tokens, roughly, and remembering which beginnings of prompts have been seen before."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

BYTES_PER_TOKEN: Final = 4
BLOCK_TOKENS: Final = 64
"""A prompt is cached in whole blocks of this many tokens."""
BLOCKS_MAX: Final = 65_536
"""Blocks remembered; the ones not seen for longest are forgotten."""


def count_tokens(text: str) -> int:
    """Return how many tokens a text has, by its length: an honest order of magnitude, no tokenizer."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def first_tokens(text: str, tokens: int) -> str:
    """Return the beginning of a text that has at most so many tokens; no letter is cut in two."""
    return text.encode()[: tokens * BYTES_PER_TOKEN].decode(errors="ignore")


class PromptCache:
    """Which beginnings of prompts the server still has in memory, for each model apart."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def meet(self, model: str, prompt: str) -> int:
        """Return how many tokens at the beginning have been seen before, and remember the whole prompt."""
        cached, unbroken = 0, True
        for mark in _marks(model, prompt):
            unbroken = unbroken and mark in self._seen
            cached += BLOCK_TOKENS if unbroken else 0
            self._seen[mark] = None
            self._seen.move_to_end(mark)
        while len(self._seen) > BLOCKS_MAX:
            self._seen.popitem(last=False)
        return cached


def _marks(model: str, prompt: str) -> Iterator[bytes]:
    """Yield for each whole block a mark that depends on everything up to its end."""
    running = hashlib.sha256(model.encode())
    raw = prompt.encode()
    size = BLOCK_TOKENS * BYTES_PER_TOKEN
    for start in range(0, len(raw) - size + 1, size):
        running.update(raw[start : start + size])
        yield running.digest()
