"""Who somebody is: a token for each seat, given at the start, and never sent.

The hub asks with a word it uses once; whoever holds the token answers with a digest over that word and the seat. An
answer that was overheard or kept is worth nothing to another question, and a token nothing at another seat.
"""

import hashlib
import hmac
import secrets

TOKEN_BYTES = 32
QUESTION_BYTES = 16


def make_token() -> bytes:
    """Make a token out of the system's randomness: 32 bytes."""
    return secrets.token_bytes(TOKEN_BYTES)


def make_question() -> bytes:
    """Make a word that is asked once: 16 bytes."""
    return secrets.token_bytes(QUESTION_BYTES)


def answer(token: bytes, seat: int, question: bytes) -> bytes:
    """Answer a question: HMAC-SHA256 over seat and question, 32 bytes."""
    return hmac.digest(token, seat.to_bytes(8, "big") + question, hashlib.sha256)


def is_answer(token: bytes, seat: int, question: bytes, said: bytes) -> bool:
    """Whether this is the answer; takes as long for every wrong one."""
    return hmac.compare_digest(answer(token, seat, question), said)
