"""The clearing house: nobody spends what is reserved or not theirs, and a trade moves both sides or none.

Before the book sees an order, the house reserves what it could cost at worst; each trade is paid out of that, and what
it did not cost is free again at once, to the last unit. All figures are integers: prices ticks, quantities lots, money
units of which one tick times one lot is `scale`. Nothing is made or lost: every movement has a source and a target, so
that all accounts together, with the house's own and the world outside, hold zero (`conserved`).

A buyer on a cash account reserves for each lot its worst price and the highest fee on that, rounded up. A seller
reserves the lots. On margin (`MarginTerms`) an order burdens the account with the fee and with what it would lose at
its worst price against the mark, and position and open orders together need the initial margin.

The lists are open to be read, by participant or by asset and then participant, because a market reads them for every
agent that wakes up; only the house writes them.
"""

from itertools import repeat
from typing import Final

from executor.domain.errors import InvariantViolation
from simulation.clearing.ledger import CASH, Kind, Ledger, Numbers
from simulation.clearing.refusals import Refusal
from simulation.clearing.rules import BPS, PPM, ClearingRules, MarginTerms

_OPEN: Final = 0
_ON_MARGIN: Final = 1
_CLOSED: Final = 2
_LEAVES: Final = 3
_Order = tuple[int, int, int, int, int, int]
"""Participant, asset, side, lots left, money a lot, worst price. A tuple is one block of memory, a list two."""


class ClearingHouse:
    """Accounts of one market.

    Parameters
    ----------
    participants, assets
        How many; both are numbered from 0.
    scale
        Money of one tick times one lot; the larger, the finer fees are rounded.
    rules
        What it charges and allows.
    ledger
        Takes a row for every movement; None keeps none.

    Attributes
    ----------
    cash
        Money by account (`Numbers`), what is reserved included; below zero it is borrowed.
    free
        Money of each participant that no open order has reserved.
    shares
        Lots by asset and participant; below zero they are borrowed.
    up, down
        The same if all open orders to buy, or to sell, were filled.
    lent
        Lots of each asset that are borrowed, or would be if all orders to sell were filled.
    marks
        Price of each asset at which margin is counted, ticks; 0 before there is one.
    """

    __slots__ = (
        *("cash", "down", "free", "lent", "marks", "numbers", "rules", "scale", "shares", "terms", "up"),
        *("_amended", "_assets", "_count", "_fees", "_gate", "_held", "_house", "_ledger", "_lendable"),
        *("_maker_ppm", "_margin_admissions", "_margined", "_orders", "_qty_max", "_reach", "_rows"),
        *("_taker_ppm", "_unit_ppm"),
    )  # fmt: skip

    def __init__(
        self,
        participants: int,
        assets: int,
        scale: int = 1,
        rules: ClearingRules | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        if participants < 1 or assets < 1 or scale < 1:
            raise ValueError(
                f"{participants} participants, {assets} assets, scale {scale}: each is 1 or more"
            )
        rules = ClearingRules() if rules is None else rules
        if len(rules.lendable_lots) > assets or any(not 0 <= asset < assets for asset in rules.margin_only):
            raise ValueError("the rules speak of assets that are not there")
        self.rules = rules
        self.scale = scale
        self.numbers = Numbers(participants)
        self.cash = [0] * self.numbers.accounts
        self.free = [0] * participants
        self.shares = [[0] * self.numbers.accounts for _ in range(assets)]
        self.up = [[0] * participants for _ in range(assets)]
        self.down = [[0] * participants for _ in range(assets)]
        self.lent = [0] * assets
        self.marks = [0] * assets
        self.terms: list[MarginTerms | None] = [None] * participants
        self._count = participants
        self._assets = assets
        self._house = self.numbers.house
        self._gate = [_ON_MARGIN if asset in rules.margin_only else _OPEN for asset in range(assets)]
        self._lendable = [*rules.lendable_lots, *repeat(0, assets - len(rules.lendable_lots))]
        self._ledger = ledger
        self._rows = 0
        self._orders: dict[int, _Order] = {}
        self._margin_admissions = 0
        self._amended: tuple[int, tuple[int, int], _Order, int] = (-1, (0, 0), (0, 0, 0, 0, 0, 0), 0)
        self._qty_max = rules.order_qty_max
        self._taker_ppm = rules.taker_fee_ppm
        self._maker_ppm = rules.maker_fee_ppm
        self._unit_ppm = scale * (PPM + max(rules.taker_fee_ppm, rules.maker_fee_ppm))
        self._fees = self._unit_ppm != scale * PPM
        # Of accounts on margin, ticks times lots at the marks: what is held, and the most that open orders could lead
        # to. They are carried along, so that no order has the whole account valued again.
        self._margined: list[int] = []
        self._held = [0] * participants
        self._reach = [0] * participants

    # Orders

    def admit(
        self, order_id: int, participant: int, asset: int, side: int, qty: int, worst_px: int
    ) -> Refusal | None:
        """Reserve what an order could cost; None lets it go to the book.

        Parameters
        ----------
        order_id
            Unique for ever.
        side
            +1 to buy, -1 to sell.
        qty
            Lots, a hidden part included.
        worst_px
            Ticks: the limit, or for an order without one its protection price (`protection_px`). The book must not
            trade it at a worse one.
        """
        # One look for an order that is as most are; why another is not let in is found out afterwards.
        if not (
            0 <= participant < self._count
            and 0 <= asset < self._assets
            and qty.__class__ is int
            and 0 < qty <= self._qty_max
            and worst_px.__class__ is int
            and worst_px > 0
            and order_id not in self._orders
            and self.terms[participant] is None
            and not self._gate[asset]
        ):
            return self._admit_other(order_id, participant, asset, side, qty, worst_px)
        if side == 1:
            unit = (worst_px * self._unit_ppm + 999_999) // 1_000_000 if self._fees else worst_px * self.scale
            free = self.free[participant] - qty * unit
            if free < 0:
                return Refusal.CASH
            self.free[participant] = free
            self.up[asset][participant] += qty
        elif side == -1:
            unit = 0
            down = self.down[asset]
            left = down[participant] - qty
            if left < 0:
                return Refusal.SHARES
            down[participant] = left
        else:
            return Refusal.BAD_SIDE
        self._orders[order_id] = (participant, asset, side, qty, unit, worst_px)
        return None

    def release(self, order_id: int) -> int:
        """Free what an order had still reserved: it was canceled or has expired. Gives the lots that it had left.

        Raises
        ------
        InvariantViolation
            If no such order is open.
        """
        order = self._orders.pop(order_id, None)
        if order is None:
            raise InvariantViolation(f"order {order_id} is released and was not open")
        participant, asset, side, leaves, unit, _ = order
        self.free[participant] += leaves * unit
        if self.terms[participant] is not None:
            self._shrink(participant, asset, side, leaves)
        elif side > 0:
            self.up[asset][participant] -= leaves
        else:
            self.down[asset][participant] += leaves
        return leaves

    def amend(self, order_id: int, qty: int, worst_px: int) -> Refusal | None:
        """Reserve for an order at another size or price; if that is refused, it stays as it was.

        An amendment that the book does not take can be taken back by amending to what it was before: as long as nothing
        else was admitted on margin, that asks for no margin again.

        Parameters
        ----------
        qty
            Lots that it shall have left.
        worst_px
            Ticks.
        """
        order = self._orders.pop(order_id, None)
        if order is None:
            return Refusal.UNKNOWN_ORDER
        participant, asset, side, leaves, unit, px = order
        self.free[participant] += leaves * unit
        self._shrink(participant, asset, side, leaves)
        amended_id, amended_to, before, admitted = self._amended
        if (amended_id, amended_to, admitted) == (order_id, (leaves, px), self._margin_admissions) and (
            (before[_LEAVES], before[5]) == (qty, worst_px)
        ):
            self._orders[order_id] = before
            self._put_on(before)
            return None
        refusal = self.admit(order_id, participant, asset, side, qty, worst_px)
        if refusal is not None:
            self._orders[order_id] = order
            self._put_on(order)
        elif self.terms[participant] is not None:
            self._amended = (order_id, (qty, worst_px), order, self._margin_admissions)
        return refusal

    def reserved(self, order_id: int) -> tuple[int, int]:
        """Lots that an open order has left, and the money reserved for them; zeros if it is not open."""
        order = self._orders.get(order_id)
        return (0, 0) if order is None else (order[_LEAVES], order[_LEAVES] * order[4])

    def worst_px(self, order_id: int) -> int:
        """Worst price at which an open order may trade, ticks; 0 if it is not open."""
        order = self._orders.get(order_id)
        return 0 if order is None else order[5]

    def open_orders(self, participant: int) -> list[int]:
        """Numbers of a participant's open orders, oldest first."""
        return [order_id for order_id, order in self._orders.items() if order[0] == participant]

    def settle(  # noqa: PLR0915 - one path, of which every trade goes the whole way
        self, at_ns: int, taker_id: int, maker_id: int, px: int, qty: int
    ) -> None:
        """Move shares, money and fees of a trade between two admitted orders.

        Parameters
        ----------
        at_ns
            Simulated time.
        px
            Ticks.
        qty
            Lots.

        Raises
        ------
        InvariantViolation
            If the trade is not one that both orders allow; nothing has moved then.
        """
        orders = self._orders
        try:
            taker, maker = orders[taker_id], orders[maker_id]
        except KeyError as error:
            raise InvariantViolation(f"order {error} trades and is not open") from None
        if taker[2] > 0:
            buy, sell, buy_id, sell_id = taker, maker, taker_id, maker_id
        else:
            buy, sell, buy_id, sell_id = maker, taker, maker_id, taker_id
        buyer, asset, buy_side, buy_leaves, buy_unit, buy_worst = buy
        seller, sell_asset, sell_side, sell_leaves, sell_unit, sell_worst = sell
        if not (0 < qty <= buy_leaves and qty <= sell_leaves and sell_worst <= px <= buy_worst) or (
            buy_side <= sell_side
            or asset != sell_asset
            or qty.__class__ is not int
            or px.__class__ is not int
        ):
            raise InvariantViolation(
                f"{qty} lots at {px} ticks do not fit the orders {buy_id} {buy} and {sell_id} {sell}"
            )
        value = px * qty * self.scale
        buy_fee = sell_fee = 0
        if self._fees:
            taker_fee = (value * self._taker_ppm + 500_000) // 1_000_000
            maker_fee = (value * self._maker_ppm + 500_000) // 1_000_000
            if taker is buy:
                buy_fee, sell_fee = taker_fee, maker_fee
            else:
                buy_fee, sell_fee = maker_fee, taker_fee
            self.cash[self._house] += buy_fee + sell_fee
        cash, free = self.cash, self.free
        paid, received = value + buy_fee, value - sell_fee
        cash[buyer] -= paid
        free[buyer] += qty * buy_unit - paid
        cash[seller] += received
        free[seller] += received + qty * sell_unit
        shares = self.shares[asset]
        shares[buyer] += qty
        shares[seller] -= qty
        up, down = self.up[asset], self.down[asset]
        highest, was = up[seller], down[buyer]
        up[seller] = highest - qty
        if self._margined:
            # What an account could come to hold falls with what the fill took from its farther side, and no further.
            terms, mark = self.terms, self.marks[asset]
            if terms[seller] is not None:
                self._held[seller] -= qty * mark
                beyond = highest + down[seller]
                if beyond > 0:
                    self._reach[seller] -= (qty if qty < beyond else beyond) * mark  # noqa: FURB136 - half the time
            if terms[buyer] is not None:
                self._held[buyer] += qty * mark
                beyond = -up[buyer] - was
                if beyond > 0:
                    self._reach[buyer] -= (qty if qty < beyond else beyond) * mark  # noqa: FURB136
        down[buyer] = was + qty
        if was < 0:
            self.lent[asset] -= qty if qty < -was else -was  # noqa: FURB136
        if buy_leaves == qty:
            del orders[buy_id]
        else:
            orders[buy_id] = (buyer, asset, buy_side, buy_leaves - qty, buy_unit, buy_worst)
        if sell_leaves == qty:
            del orders[sell_id]
        else:
            orders[sell_id] = (seller, asset, sell_side, sell_leaves - qty, sell_unit, sell_worst)
        if self._ledger is not None:
            self._rows = number = self._rows + 1
            self._ledger.trade(
                (at_ns, number, asset, px, qty, buyer, seller, buy_id, sell_id, taker[2], buy_fee, sell_fee)
            )

    def _shrink(self, participant: int, asset: int, side: int, qty: int) -> None:
        """Take so many lots off what open orders could lead to."""
        up, down = self.up[asset], self.down[asset]
        highest, lowest = up[participant], down[participant]
        if side > 0:
            up[participant] = highest - qty
            beyond = highest + lowest
        else:
            down[participant] = lowest + qty
            beyond = -highest - lowest
            if lowest < 0:
                self.lent[asset] -= qty if qty < -lowest else -lowest  # noqa: FURB136 - half the time
        if beyond > 0 and self.terms[participant] is not None:
            self._reach[participant] -= (qty if qty < beyond else beyond) * self.marks[asset]  # noqa: FURB136

    def _put_on(self, order: _Order) -> None:
        """Reserve for an order what it reserves, whatever is left: it is the house's own, or was there before."""
        participant, asset, side, leaves, unit, _ = order
        self.free[participant] -= leaves * unit
        up, down = self.up[asset], self.down[asset]
        before = max(up[participant], -down[participant])
        if side > 0:
            up[participant] += leaves
        else:
            lowest = down[participant]
            down[participant] = lowest - leaves
            self.lent[asset] += max(0, leaves - lowest) - max(0, -lowest)
        if self.terms[participant] is not None:
            change = max(up[participant], -down[participant]) - before
            self._reach[participant] += change * self.marks[asset]

    # Margin

    def set_terms(self, participant: int, terms: MarginTerms) -> None:
        """Put an account on margin; before it has orders."""
        self._known(participant)
        if self.open_orders(participant):
            raise ValueError(f"participant {participant} has open orders")
        if self.terms[participant] is None:
            self._margined.append(participant)
        self.terms[participant] = terms
        self._held[participant], self._reach[participant] = self._valued(participant)

    def mark(self, asset: int, px: int) -> None:
        """Say at which price margin is counted from now on, ticks > 0."""
        if not 0 <= asset < self._assets or type(px) is not int or px <= 0:
            raise ValueError(
                f"a mark is a price of ticks above zero of a known asset, got {asset} and {px!r}"
            )
        risen = px - self.marks[asset]
        self.marks[asset] = px
        shares, up, down = self.shares[asset], self.up[asset], self.down[asset]
        for participant in self._margined:
            self._held[participant] += shares[participant] * risen
            self._reach[participant] += max(up[participant], -down[participant]) * risen

    def equity(self, participant: int) -> int:
        """What an account is worth at the marks, money; income that is kept apart is not in it."""
        held = sum(shares[participant] * px for shares, px in zip(self.shares, self.marks, strict=True))
        return self.cash[participant] + held * self.scale

    def exposure(self, participant: int) -> int:
        """Value of all its positions at the marks, long or short, money."""
        held = sum(abs(shares[participant]) * px for shares, px in zip(self.shares, self.marks, strict=True))
        return held * self.scale

    def below_maintenance(self, participant: int) -> bool:
        """Whether an account on margin must be liquidated."""
        terms = self.terms[participant]
        return (
            terms is not None
            and self.equity(participant) * BPS < self.exposure(participant) * terms.maintenance_bps
        )

    def admit_liquidation(
        self, order_id: int, participant: int, asset: int, side: int, qty: int, worst_px: int
    ) -> Refusal | None:
        """Admit an order of the house's own on an account that is below its maintenance margin.

        It asks for no margin and can only reduce: the account's own orders on that side are to be canceled before.
        """
        if not 0 <= participant < self._count:
            return Refusal.UNKNOWN_PARTICIPANT
        if not 0 <= asset < self._assets:
            return Refusal.UNKNOWN_ASSET
        if type(qty) is not int or qty <= 0:
            return Refusal.BAD_QTY
        if type(worst_px) is not int or worst_px <= 0:
            return Refusal.BAD_PX
        if order_id in self._orders:
            return Refusal.DUPLICATE_ORDER
        reach = self.down[asset][participant] if side < 0 else -self.up[asset][participant]
        if side not in (1, -1) or qty > reach or not self.below_maintenance(participant):
            return Refusal.NOT_LIQUIDATED
        order = (participant, asset, side, qty, 0, worst_px)
        self._orders[order_id] = order
        self._put_on(order)
        return None

    def _admit_other(
        self, order_id: int, participant: int, asset: int, side: int, qty: int, worst_px: int
    ) -> Refusal | None:
        """Admit on margin, or say what is wrong with an order."""
        if not 0 <= participant < self._count:
            return Refusal.UNKNOWN_PARTICIPANT
        if not 0 <= asset < self._assets:
            return Refusal.UNKNOWN_ASSET
        if type(qty) is not int or qty <= 0:
            return Refusal.BAD_QTY
        if qty > self._qty_max:
            return Refusal.QTY_MAX
        if type(worst_px) is not int or worst_px <= 0:
            return Refusal.BAD_PX
        if order_id in self._orders:
            return Refusal.DUPLICATE_ORDER
        terms = self.terms[participant]
        if terms is not None:
            return self._admit_on_margin(terms, order_id, participant, asset, side, qty, worst_px)
        return Refusal.CLOSED if self._gate[asset] == _CLOSED else Refusal.MARGIN_ACCOUNT

    def _admit_on_margin(
        self,
        terms: MarginTerms,
        order_id: int,
        participant: int,
        asset: int,
        side: int,
        qty: int,
        worst_px: int,
    ) -> Refusal | None:
        gate = self._gate[asset]
        if gate == _CLOSED:
            return Refusal.CLOSED
        if side not in (1, -1):
            return Refusal.BAD_SIDE
        mark = self.marks[asset]
        if mark == 0:
            return Refusal.NO_MARK
        up, down = self.up[asset], self.down[asset]
        highest, lowest = up[participant], down[participant]
        # Orders to buy only raise the one and orders to sell only lower the other: the farther one counts.
        reach_before = highest if highest > -lowest else -lowest  # noqa: FURB136 - half the time
        borrowed = 0
        if side > 0:
            highest += qty
        else:
            borrowed = qty if lowest <= 0 else qty - lowest if lowest < qty else 0
            if borrowed:
                if not terms.short:
                    return Refusal.SHARES
                if gate != _ON_MARGIN and self.lent[asset] + borrowed > self._lendable[asset]:
                    return Refusal.LENDABLE
            lowest -= qty
        reach_after = highest if highest > -lowest else -lowest  # noqa: FURB136
        scale = self.scale
        unit = (worst_px * (self._unit_ppm - scale * PPM) + 999_999) // 1_000_000 if self._fees else 0
        lost = side * (worst_px - mark)
        if lost > 0:
            unit += lost * scale
        # What cannot make the exposure larger may use the room between the two margins.
        need_bps = terms.initial_bps if reach_after > reach_before else terms.maintenance_bps
        reach = self._reach[participant] + (reach_after - reach_before) * mark
        free = self.free[participant] - qty * unit
        if (free + self._held[participant] * scale) * BPS < reach * scale * need_bps:
            return Refusal.MARGIN
        self.free[participant] = free
        self._reach[participant] = reach
        if side > 0:
            up[participant] = highest
        else:
            down[participant] = lowest
            self.lent[asset] += borrowed
        self._orders[order_id] = (participant, asset, side, qty, unit, worst_px)
        self._margin_admissions += 1
        return None

    def _valued(self, participant: int) -> tuple[int, int]:
        """Value an account from nothing but its lots: what is held, and the most that open orders could lead to."""
        held = reach = 0
        for shares, up, down, px in zip(self.shares, self.up, self.down, self.marks, strict=True):
            held += shares[participant] * px
            reach += max(abs(up[participant]), abs(down[participant])) * px
        return held, reach

    # Everything but trades

    def deposit(self, at_ns: int, participant: int, cash: int) -> None:
        """Bring money in from outside, >= 0."""
        self._known(participant)
        if type(cash) is not int or cash < 0:
            raise ValueError(f"a deposit is a whole number of units, 0 or more, got {cash!r}")
        self.transfer(at_ns, Kind.DEPOSIT, self.numbers.outside, participant, CASH, cash)

    def deliver(self, at_ns: int, participant: int, asset: int, lots: int) -> None:
        """Bring shares in from outside, lots >= 0."""
        self._known(participant)
        if not 0 <= asset < self._assets or type(lots) is not int or lots < 0:
            raise ValueError(
                f"a delivery is a whole number of lots of a known asset, got {lots!r} of {asset}"
            )
        self.transfer(at_ns, Kind.DELIVERY, self.numbers.outside, participant, asset, lots)

    def transfer(self, at_ns: int, kind: Kind, source: int, target: int, asset: int, amount: int) -> None:
        """Move money (`asset` is `CASH`) or lots between accounts and write it down; nothing if the amount is zero.

        Below zero it moves the other way.
        """
        if amount == 0:
            return
        if amount < 0:
            source, target, amount = target, source, -amount
        for account, change in ((source, -amount), (target, amount)):
            if asset == CASH:
                self.cash[account] += change
                if account < self._count:
                    self.free[account] += change
                continue
            self.shares[asset][account] += change
            if account < self._count:
                self.up[asset][account] += change
                down = self.down[asset]
                was = down[account]
                down[account] = now = was + change
                self.lent[asset] += max(0, -now) - max(0, -was)
                if self.terms[account] is not None:
                    self._held[account], self._reach[account] = self._valued(account)
        if self._ledger is not None:
            self._rows += 1
            self._ledger.transfer((at_ns, self._rows, int(kind), source, target, asset, amount))

    def close_asset(self, asset: int) -> None:
        """Let no order in any more.

        Raises
        ------
        ValueError
            If one is open.
        """
        if any(order[1] == asset for order in self._orders.values()):
            raise ValueError(f"asset {asset} has open orders; cancel them first")
        self._gate[asset] = _CLOSED

    def _known(self, participant: int) -> None:
        if not 0 <= participant < self._count:
            raise ValueError(f"no participant has the number {participant!r}")

    # What must always hold

    def conserved(self) -> bool:
        """Whether all accounts together hold no money and no shares: nothing was made or lost."""
        return sum(self.cash) == 0 and all(sum(held) == 0 for held in self.shares)

    def breaches(self) -> list[str]:
        """What does not hold although it must always, in words; everything is counted again from the open orders."""
        found = [] if self.conserved() else ["money or shares were made or lost"]
        count, assets = self._count, self._assets
        free = self.cash[:count]
        up = [held[:count] for held in self.shares]
        down = [held[:count] for held in self.shares]
        for order_id, (participant, asset, side, leaves, unit, _) in self._orders.items():
            free[participant] -= leaves * unit
            (up if side > 0 else down)[asset][participant] += side * leaves
            if leaves <= 0:
                found.append(f"order {order_id} is open with {leaves} lots left")
        lent = [sum(max(0, -lots) for lots in down[asset]) for asset in range(assets)]
        if (free, up, down, lent) != (self.free, self.up, self.down, self.lent):
            found.append("what is reserved is not what the open orders need")
        found.extend(
            f"participant {participant} on margin is not worth what was carried along"
            for participant in self._margined
            if (self._held[participant], self._reach[participant]) != self._valued(participant)
        )
        for participant, terms in enumerate(self.terms):
            if terms is None and (free[participant] < 0 or any(lots[participant] < 0 for lots in down)):
                found.append(f"participant {participant} has reserved more than is owned")
        found.extend(
            f"{lent[asset]} lots of asset {asset} are borrowed of {self._lendable[asset]} that can be lent"
            for asset in range(assets)
            if asset not in self.rules.margin_only and lent[asset] > self._lendable[asset]
        )
        return found
