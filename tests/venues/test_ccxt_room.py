"""What runs in the room of another library stays there: its arithmetic too."""

import asyncio
import decimal

import pytest

from executor.venues.through_ccxt.room import Room

pytestmark = pytest.mark.process


def test_what_ccxt_does_to_the_arithmetic_is_not_the_callers():
    from ccxt.base.decimal_to_precision import ROUND, decimal_to_precision

    before = decimal.getcontext().copy()

    async def reckon():
        assert decimal.getcontext().prec == before.prec, "it begins with the daemon's arithmetic"
        told = decimal_to_precision("1.2345", ROUND, 2)
        return told, decimal.getcontext().rounding

    async def ask():
        room = Room("reckoning")
        room.open()
        try:
            return [await room.ask(reckon) for _ in range(2)]
        finally:
            await room.close()

    assert asyncio.run(ask()) == [("1.23", decimal.ROUND_HALF_UP)] * 2
    after = decimal.getcontext()
    assert (after.rounding, after.prec, after.traps) == (before.rounding, before.prec, before.traps)
