"""What the clearing house takes for an order: admitting, settling, releasing, amending, in plain Python on one core.

A hundred participants; each call is one of 20 000 in a loop, whose own time is taken off. Processor time of this
thread, so that what else runs on the machine does not count; the quickest of the rounds is what a quiet machine takes,
the middle what this one took. The bar is 1.5 microseconds for a trade with fees and a ledger.
"""

import gc
import platform
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Final

from simulation.clearing.house import ClearingHouse
from simulation.clearing.ledger import MemoryLedger
from simulation.clearing.rules import ClearingRules, MarginTerms

BAR_NS: Final = 1_500
ROUNDS: Final = 15
ORDERS: Final = 20_000
PARTICIPANTS: Final = 100
_FEES: Final = ClearingRules(taker_fee_ppm=550, maker_fee_ppm=-100, lendable_lots=(1_000_000_000,))


def market(rules: ClearingRules, *, ledger: bool, margin: bool) -> ClearingHouse:
    """Make a house in which nobody runs out of anything."""
    house = ClearingHouse(PARTICIPANTS, 1, 100, rules, MemoryLedger() if ledger else None)
    house.mark(0, 10_000)
    for participant in range(PARTICIPANTS):
        house.deposit(0, participant, 1 << 50)
        house.deliver(0, participant, 0, 1 << 30)
        if margin:
            house.set_terms(participant, MarginTerms(initial_bps=2_000, maintenance_bps=1_000, short=True))
    return house


def admit_all(house: ClearingHouse) -> None:
    """Enter every order: all makers first, each with its taker afterwards."""
    for number in range(ORDERS):
        house.admit(number, number % PARTICIPANTS, 0, 1 if number & 1 else -1, 7, 10_000)


def settle_all(house: ClearingHouse) -> None:
    """Let neighbours trade; one call for two orders."""
    for number in range(0, ORDERS, 2):
        house.settle(number, number + 1, number, 10_000, 7)


def release_all(house: ClearingHouse) -> None:
    """Take every order back."""
    for number in range(ORDERS):
        house.release(number)


def amend_all(house: ClearingHouse) -> None:
    """Give every order another price."""
    for number in range(ORDERS):
        house.amend(number, 7, 9_990)


def spin() -> None:
    """Do nothing, as often: the loop itself."""
    for number in range(ORDERS):
        _nothing(number, number % PARTICIPANTS, 0, 1 if number & 1 else -1, 7, 10_000)


def main() -> None:
    """Tell each call's time, with and without fees, ledger and margin, and whether the bar is kept."""
    gc.disable()
    _tell(
        f"{platform.python_implementation()} {platform.python_version()}, {ROUNDS} rounds of {ORDERS} orders"
    )
    _tell(f"{'accounts':<26}{'admit ns':>16}{'settle ns':>16}{'amend ns':>16}{'release ns':>16}")
    loop = min(_timed(spin) for _ in range(ROUNDS)) / ORDERS
    settled = 0.0
    for name, rules, ledger, margin in (
        ("cash", ClearingRules(), False, False),
        ("cash, fees", _FEES, False, False),
        ("cash, fees, ledger", _FEES, True, False),
        ("margin, fees, ledger", _FEES, True, True),
    ):
        rounds = [_round(rules, ledger=ledger, margin=margin) for _ in range(ROUNDS)]
        cells = []
        for place, calls in enumerate((ORDERS, ORDERS // 2, ORDERS, ORDERS)):
            taken = [one[place] / calls - loop for one in rounds]
            cells.append(f"{min(taken):>8.0f} ({median(taken):.0f})")
        settled = max(settled, min(one[1] for one in rounds) / (ORDERS // 2) - loop)
        _tell(f"{name:<26}" + "".join(f"{cell:>16}" for cell in cells))
    verdict = "kept" if settled <= BAR_NS else "MISSED"
    _tell(
        f"bar of {BAR_NS} ns for a trade: {verdict}, the slowest kind takes {settled:.0f}; the middle in brackets"
    )


def _round(rules: ClearingRules, *, ledger: bool, margin: bool) -> tuple[float, float, float, float]:
    house = market(rules, ledger=ledger, margin=margin)
    admitted, settled = _timed(lambda: admit_all(house)), _timed(lambda: settle_all(house))
    admit_all(house)
    amended, released = _timed(lambda: amend_all(house)), _timed(lambda: release_all(house))
    found = house.breaches()
    if found:
        raise SystemExit(f"not conserved: {found}")
    return admitted, settled, amended, released


def _timed(work: Callable[[], None]) -> float:
    begun = time.thread_time_ns()
    work()
    return float(time.thread_time_ns() - begun)


def _nothing(*_: int) -> None:
    pass


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
