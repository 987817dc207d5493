"""The parts of paper trading: a venue that is simulated here, in the market that the settings name."""

import secrets
from contextlib import AsyncExitStack
from typing import Final
from urllib.parse import urlsplit

from config.schema import PaperSection, QueueModel
from config.settings import Settings
from executor.domain.ports import Log
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import Money
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.market_feed import MarketKeeper
from executor.venues.paper.account_file import NAME, AccountFile
from executor.venues.paper.venue import PaperTerms, PaperVenue
from risk.turnstile import Turnstile
from simulation.frictions import Charges
from simulation.replay import codes
from simulation.replay.terms import Delay, ReplayTerms

REQUESTS_PER_S_MAX: Final = 10
"""As Bybit allows for each kind of request."""
_MODELS: Final = {
    QueueModel.RISK_AVERSE: codes.RISK_AVERSE,
    QueueModel.PROPORTIONAL: codes.PROPORTIONAL,
    QueueModel.SQUARE: codes.SQUARE,
    QueueModel.CUBE: codes.CUBE,
}


async def open_paper(
    stack: AsyncExitStack,
    settings: Settings,
    instance: str,
    clock: Clock,
    turnstile: Turnstile,
    log: Log,
    keeper: MarketKeeper | None,
) -> PaperVenue:
    """Open the simulated account and the way to the market; both are closed with the stack.

    Raises
    ------
    JournalError
        If the account's file cannot be read.
    """
    file = stack.enter_context(AccountFile(settings.executor.data_dir / NAME))
    venue = PaperVenue(
        access=public_access(settings),
        instance=instance,
        clock=clock,
        turnstile=turnstile,
        log=log,
        seed=secrets.randbits(32),
        terms=paper_terms(settings.paper),
        file=file,
        keeper=keeper,
    )
    orders = len(venue.account.open_orders())
    log("paper trading: orders are simulated here", market=settings.venue.rest_url, open_orders=orders)
    return await stack.enter_async_context(venue)


def public_access(settings: Settings) -> Access:
    """Where the public data comes from, and nothing else."""
    hosts = (urlsplit(url).hostname for url in (settings.venue.rest_url, settings.venue.public_ws_url))
    return Access(
        rest_url=settings.venue.rest_url,
        public_ws_url=settings.venue.public_ws_url,
        private_ws_url="",
        hosts=frozenset(host for host in hosts if host is not None),
        api_key="",
        api_secret="",
        request_timeout_s=float(settings.venue.request_timeout_s),
        book_depth=settings.market.book_depth,
        route_levels=settings.market.route_levels,
        conflate_ms=settings.market.conflate_ms,
    )


def paper_terms(section: PaperSection) -> PaperTerms:
    """The simulated account and its wire, as the venue takes them."""
    return PaperTerms(
        replay=ReplayTerms(
            entry=Delay(constant_ns=section.entry_ms * NS_PER_MS),
            answer=Delay(constant_ns=section.answer_ms * NS_PER_MS),
            queue_model=_MODELS[section.queue],
            requests_per_s_max=REQUESTS_PER_S_MAX,
            order_qty_max=1 << 200,
        ),
        charges=Charges(maker_fee_rate=section.maker_fee_rate, taker_fee_rate=section.taker_fee_rate),
        balance=Money(section.balance),
        leverage=section.leverage,
    )
