"""Holding the venue's positions against the ledger: by complete reads, and sooner when the stream differs.

A position is never booked from what the venue says of it; fills alone change the ledger. A difference that lasts
blocks the symbol until a person looks. One that is new may be a fill on its way and stops nothing, unless no reading
has agreed yet since we began to listen: until one does, nothing is opened. The next reading after a re-arm is taken
for the opening position. Spot is never read: what we hold there is counted, from zero when the symbol is first
followed and when a block is cleared.
"""

from executor.domain.commands import AlertCode, Severity
from executor.domain.events import PositionReport, PositionUpdated
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, plain
from executor.engine.desk import Desk
from executor.engine.state import EngineState, Ledger, MarketState, ledger_key, market_key, parents_of

POSITION_PATIENCE_S = 5
_LOOK_AGAIN_S = 1


def compare_positions(
    desk: Desk, category: Category, asked: list[str], reports: tuple[PositionReport, ...]
) -> bool:
    """Compare a complete read of the symbols asked for; True if all agree."""
    all_agree = _all_listed(desk, category, asked, {report.symbol for report in reports})
    for symbol in dict.fromkeys(report.symbol for report in reports):
        market = desk.state.markets.get(market_key(category, symbol))
        if market is None:
            continue
        mine = [report for report in reports if report.symbol == symbol]
        _check_mode(desk, market, category, symbol, apart=any(report.position_idx for report in mine))
        verdicts = [_compare(desk, market, report) for report in mine]
        agree = all(verdicts)
        market.compared = market.compared or agree
        all_agree = all_agree and agree
    return all_agree


def _all_listed(desk: Desk, category: Category, asked: list[str], listed: set[str]) -> bool:
    """Whether a read shows a row, be it of no position, for every symbol asked for; what lacks one is told once."""
    for symbol in asked:
        market = desk.state.markets[market_key(category, symbol)]
        if symbol not in listed and not market.unlisted:
            detail = f"{category}: the venue shows no position of {symbol}, not even an empty one, so none is compared"
            desk.alert(Severity.WARNING, AlertCode.RECONCILE_FAILED, "", detail)
        market.unlisted = symbol not in listed
    return listed.issuperset(asked)


def on_position(desk: Desk, event: PositionUpdated) -> None:
    """A position that differs is mostly a fill on its way; if it still differs a moment later, read everything."""
    report = event.report
    name = ledger_key(report.category, report.symbol, report.position_idx)
    ledger = desk.state.ledgers.get(name)
    if ledger is None or ledger.position_qty is None:
        return
    if report.qty == ledger.position_qty:
        ledger.told_qty = None
        return
    ledger.told_qty = report.qty
    desk.set_timer(f"position:{name}", desk.now_ns + _LOOK_AGAIN_S * NS_PER_S)


def still_differs(state: EngineState, name: str) -> bool:
    """Whether the stream's last word about a position is not what the ledger has by now."""
    ledger = state.ledgers.get(name)
    if ledger is None or ledger.told_qty is None:
        return False
    told_qty, ledger.told_qty = ledger.told_qty, None
    return told_qty != ledger.position_qty


def position_unknown(state: EngineState, market_name: str) -> bool:
    """Whether the venue's position in a symbol was never read."""
    names = [name for name in state.ledgers if name.rpartition(":")[0] == market_name]
    return not any(state.ledgers[name].opening_qty is not None for name in names)


def keeps_apart(state: EngineState, category: Category, symbol: str) -> bool | None:
    """Whether long and short are kept apart in a symbol: as the venue showed, before that as configured."""
    name = market_key(category, symbol)
    if category is not Category.SPOT and name in state.markets and not position_unknown(state, name):
        return state.markets[name].hedged
    return configured_apart(state, category, symbol)


def configured_apart(state: EngineState, category: Category, symbol: str) -> bool | None:
    """Whether long and short are to be kept apart in a symbol by what is configured; None where nobody said.

    Bybit's unified account knows hedge mode for perpetuals in USDT only.
    """
    if state.hedge_mode and not (category is Category.LINEAR and symbol.endswith("USDT")):
        return False
    return state.hedge_mode


def follow_spot(state: EngineState, symbols: list[str]) -> None:
    """Spot has no positions: what we hold is what was traded since a complete read first had the symbol."""
    for symbol in symbols:
        state.markets[market_key(Category.SPOT, symbol)].compared = True
        ledger = state.ledgers.setdefault(ledger_key(Category.SPOT, symbol, 0), Ledger())
        if ledger.opening_qty is None:
            ledger.opening_qty = -ledger.net_qty


def forget_positions(state: EngineState) -> list[str]:
    """Let the next reading say what is held wherever something is unexplained; returns what was given up.

    Of spot there is no reading: what is held there counts from zero again.
    """
    told = []
    for name, ledger in state.ledgers.items():
        market = state.markets.get(name.rpartition(":")[0])
        blocked = market is not None and bool(market.blocked)
        if not (blocked or ledger.differs_since_ns):
            continue
        if name.startswith(f"{Category.SPOT}:"):
            if ledger.position_qty:
                told.append(f"{plain(ledger.position_qty)} held in {name}: it counts from zero again")
                ledger.opening_qty = -ledger.net_qty
            continue
        told.append(
            f"the position in {name}, difference {plain(ledger.difference_qty)}: its next reading is taken"
        )
        ledger.opening_qty, ledger.rebase = None, True
        ledger.difference_qty, ledger.differs_since_ns = ZERO, 0
    return told


def _check_mode(desk: Desk, market: MarketState, category: Category, symbol: str, *, apart: bool) -> None:
    """Block a symbol whose positions are kept otherwise than an open parent assumes."""
    market.hedged = apart
    for parent in parents_of(desk.state, category, symbol):
        if bool(parent.order.position_idx) is not apart:
            has, assumes = ("hedge", "one-way") if apart else ("one-way", "hedge")
            detail = (
                f"the account's position mode is {has} in {symbol}, {parent.order.parent_id} assumes {assumes}"
                f" (position index {parent.order.position_idx})"
            )
            _block(desk, market, AlertCode.POSITION_MODE, detail)


def _compare(desk: Desk, market: MarketState, report: PositionReport) -> bool:
    """Hold one position against the ledger; the first reading sets the opening position."""
    name = ledger_key(report.category, report.symbol, report.position_idx)
    ledger = desk.state.ledgers.setdefault(name, Ledger())
    if ledger.opening_qty is None:
        ledger.opening_qty = report.qty - ledger.net_qty
        if ledger.rebase:
            ledger.rebase = False
            detail = f"the position in {name} is {plain(report.qty)} from now on, by the venue's reading"
            desk.alert(Severity.INFO, AlertCode.REARMED, "", detail)
        return True
    difference = report.qty - ledger.opening_qty - ledger.net_qty
    if difference == ZERO:
        ledger.difference_qty, ledger.differs_since_ns = ZERO, 0
        return True
    if difference != ledger.difference_qty:
        # Fills still on their way look like a difference; only one that stays the same is unexplained.
        ledger.difference_qty, ledger.differs_since_ns = difference, desk.now_ns
    elif desk.now_ns - ledger.differs_since_ns >= POSITION_PATIENCE_S * NS_PER_S:
        detail = f"{report.symbol}: the venue's position differs from the ledger by {difference}"
        _block(desk, market, AlertCode.POSITION_DIFFERS, detail)
    return False


def _block(desk: Desk, market: MarketState, code: AlertCode, detail: str) -> None:
    """Open nothing here until a person has looked; told once."""
    if not market.blocked:
        desk.alert(Severity.CRITICAL, code, "", detail)
    market.blocked = f"{code}: {detail}"
