"""What is paid for holding: dividends, interest, loans of shares, funding, and redemption at the end.

Each account gets its own amount, rounded half up to a whole unit. What the payer owes in all is rounded once; the
difference goes to the house's account, or comes from it, and is written down like everything else.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulation.clearing.house import ClearingHouse
from simulation.clearing.ledger import CASH, Kind
from simulation.clearing.rules import PPM


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodCharges:
    """What holding costs and brings each period, besides dividends.

    Parameters
    ----------
    credit_ppm, debit_ppm
        Interest on money held and on money borrowed, parts per million.
    loan_ppm
        Fee for borrowed shares, parts per million of their value at the mark.
    funding_ppm
        Of each asset with funding what longs pay shorts, parts per million of the value at the mark; 0 for the others.
    """

    credit_ppm: int = 0
    debit_ppm: int = 0
    loan_ppm: int = 0
    funding_ppm: tuple[int, ...] = ()


def charge_period(house: ClearingHouse, at_ns: int, charges: PeriodCharges) -> None:
    """Settle one period: interest, fees for loans, funding."""
    charge_interest(house, at_ns, charges.credit_ppm, charges.debit_ppm)
    for asset, lent_qty in enumerate(house.lent):
        if lent_qty and charges.loan_ppm and asset not in house.rules.margin_only:
            charge_loans(house, at_ns, asset, charges.loan_ppm)
    for asset, rate_ppm in enumerate(charges.funding_ppm):
        if rate_ppm:
            apply_funding(house, at_ns, asset, rate_ppm)


def pay_dividend(house: ClearingHouse, at_ns: int, asset: int, amount: int, lots: int = 1) -> None:
    """Pay every holder; who has borrowed shares pays for them.

    Parameters
    ----------
    at_ns
        Simulated time.
    amount
        Money for so many `lots`, >= 0.
    lots
        Lots that earn the amount, > 0.
    """
    _check(
        amount >= 0 and lots > 0, f"a dividend is not below zero, for one lot or more: {amount} for {lots}"
    )
    held = enumerate(_held(house, asset))
    _distribute(
        house,
        at_ns,
        Kind.DIVIDEND,
        ((who, lots_held * amount) for who, lots_held in held),
        lots,
        _income(house),
    )


def charge_interest(house: ClearingHouse, at_ns: int, credit_ppm: int, debit_ppm: int) -> None:
    """Pay interest on money held, and charge it on money borrowed, for one period.

    Parameters
    ----------
    credit_ppm, debit_ppm
        Parts per million of the balance for the period, >= 0.
    """
    _check(credit_ppm >= 0 and debit_ppm >= 0, f"interest is not below zero: {credit_ppm}, {debit_ppm} ppm")
    balances = house.cash[: house.numbers.participants]
    earned = ((who, cash * credit_ppm) for who, cash in enumerate(balances) if cash > 0)
    _distribute(house, at_ns, Kind.INTEREST, earned, PPM, _income(house))
    owed = ((who, cash * debit_ppm) for who, cash in enumerate(balances) if cash < 0)
    _distribute(house, at_ns, Kind.INTEREST, owed, PPM, _to_cash)


def charge_loans(house: ClearingHouse, at_ns: int, asset: int, fee_ppm: int) -> None:
    """Charge those who are short for the shares they have borrowed, for one period; the lender is outside.

    Parameters
    ----------
    fee_ppm
        Parts per million of the shares' value at the mark, >= 0.
    """
    _check(fee_ppm >= 0, f"a fee for a loan is not below zero, got {fee_ppm} ppm")
    lot_value = _mark(house, asset) * house.scale
    owed = ((who, lots * lot_value * fee_ppm) for who, lots in enumerate(_held(house, asset)) if lots < 0)
    _distribute(house, at_ns, Kind.LENDING_FEE, owed, PPM, _to_cash)


def apply_funding(house: ClearingHouse, at_ns: int, asset: int, rate_ppm: int) -> None:
    """Let longs pay shorts, or below zero shorts pay longs, through the house, which keeps what rounding leaves.

    Parameters
    ----------
    rate_ppm
        Parts per million of the position's value at the mark.
    """
    _check(
        asset in house.rules.margin_only,
        f"asset {asset} has no funding: it is not for accounts on margin only",
    )
    _check(sum(_held(house, asset)) == 0, f"asset {asset} has been delivered from outside: nothing nets")
    lot_value = _mark(house, asset) * house.scale
    for who, lots in enumerate(_held(house, asset)):
        amount = _half_up(-lots * lot_value * rate_ppm, PPM)
        house.transfer(at_ns, Kind.FUNDING, house.numbers.house, who, CASH, amount)


def redeem(house: ClearingHouse, at_ns: int, asset: int, amount: int, lots: int = 1) -> None:
    """Buy all shares back and close the asset; who is short pays, and its loan is returned.

    Parameters
    ----------
    amount
        Money for so many `lots`, >= 0.
    lots
        Lots that are worth the amount, > 0.

    Raises
    ------
    ValueError
        If orders in the asset are open, or the terms have no meaning.
    """
    _check(amount >= 0 and lots > 0, f"shares are not redeemed below zero: {amount} for {lots} lots")
    positions = _held(house, asset)
    house.close_asset(asset)
    _distribute(
        house,
        at_ns,
        Kind.REDEMPTION,
        ((who, held * amount) for who, held in enumerate(positions)),
        lots,
        _to_cash,
    )
    for who, held in enumerate(positions):
        house.transfer(at_ns, Kind.REDEMPTION, who, house.numbers.outside, asset, held)


def _distribute(
    house: ClearingHouse,
    at_ns: int,
    kind: Kind,
    shares: Iterable[tuple[int, int]],
    divisor: int,
    account: Callable[[int, int], int],
) -> None:
    """Pay each participant its share, numerators over one divisor, from outside; the house takes the remainder."""
    outside, paid, exact = house.numbers.outside, 0, 0
    for who, numerator in shares:
        amount = _half_up(numerator, divisor)
        house.transfer(at_ns, kind, outside, account(who, amount), CASH, amount)
        paid += amount
        exact += numerator
    house.transfer(at_ns, Kind.ROUNDING, outside, house.numbers.house, CASH, _half_up(exact, divisor) - paid)


def _income(house: ClearingHouse) -> Callable[[int, int], int]:
    if not house.rules.income_apart:
        return _to_cash
    # What is owed is paid out of the money that can be spent: income that is kept apart only grows.
    return lambda who, amount: house.numbers.income(who) if amount > 0 else who


def _to_cash(who: int, _: int) -> int:
    return who


def _held(house: ClearingHouse, asset: int) -> list[int]:
    _check(0 <= asset < len(house.shares), f"no asset has the number {asset!r}")
    return house.shares[asset][: house.numbers.participants]


def _mark(house: ClearingHouse, asset: int) -> int:
    _check(0 <= asset < len(house.marks) and house.marks[asset] > 0, f"asset {asset} has no mark")
    return house.marks[asset]


def _half_up(numerator: int, divisor: int) -> int:
    return (2 * numerator + divisor) // (2 * divisor)


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
