"""How often we may ask, counted on our side so that the venue never has to say no. Time is an argument.

Two budgets hold at once. The account has an allowance for each kind of order request, per product group and
rolling second; the venue's answers correct our count. The address has one for all HTTP requests in five
seconds, and exceeding it bars us for ten minutes: it is shared in lanes, so that queries cannot use what
orders need, nor orders what cancels need. What finds no room is refused or told when to come back, never
queued here.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_S
from executor.venues.bybit.order_bytes import Act

ADDRESS_WINDOW_NS: Final = 5 * NS_PER_S
ADDRESS_REQUESTS_MAX: Final = 600
"""What the venue allows one address in that window."""
OTHERS_REQUESTS: Final = 50
"""What is left of it to other processes of ours, such as the sentinel, which send from the same address."""
PAUSE_NS_MAX: Final = 60 * NS_PER_S
_WINDOW_NS: Final = NS_PER_S + NS_PER_S // 10
"""A rolling second, and a tenth for requests that bunch up on their way."""
_LIMIT_MAX: Final = 1_000
_PER_SECOND: Final = {Act.CREATE: 10, Act.AMEND: 10, Act.CANCEL: 10}
_PER_SECOND_SPOT: Final = {Act.CREATE: 20, Act.AMEND: 10, Act.CANCEL: 20}


class Lane(IntEnum):
    """Who asks; the value is how much of the address's budget may be used up when this one still gets through."""

    QUERY = ADDRESS_REQUESTS_MAX // 2
    ORDER = ADDRESS_REQUESTS_MAX * 2 // 3
    CANCEL = ADDRESS_REQUESTS_MAX - OTHERS_REQUESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What an answer says of one kind of request: how many a second, how many of them are left, and from when on again.

    `reset_ms` is by the venue's clock, milliseconds; it means something only when nothing is left.
    """

    limit: int
    remaining: int
    reset_ms: int


@dataclass(slots=True)
class _Bucket:
    limit: int
    paused_until_ns: int = 0
    sent_ns: deque[int] = field(default_factory=deque)

    def wait_ns(self, now_ns: int) -> int:
        _forget(self.sent_ns, now_ns - _WINDOW_NS)
        wait_ns = max(self.paused_until_ns - now_ns, 0)
        if len(self.sent_ns) >= self.limit:
            wait_ns = max(wait_ns, self.sent_ns[-self.limit] + _WINDOW_NS - now_ns)
        return wait_ns


class Limiter:
    """Counts what is sent, by kind of request and in all."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[Act, bool], _Bucket] = {}
        self._address_ns: deque[int] = deque()
        self._queries_paused_until_ns = 0

    def order_wait_ns(self, act: Act, category: Category, now_ns: int, *, http: bool) -> int:
        """Take room for an order request and return 0, or how long there is none, nanoseconds.

        Parameters
        ----------
        http
            Whether it would go as an HTTP request and count against the address's budget.
        """
        bucket = self._bucket(act, category)
        lane = Lane.CANCEL if act is Act.CANCEL else Lane.ORDER
        wait_ns = max(bucket.wait_ns(now_ns), self._address_wait_ns(lane, now_ns) if http else 0)
        if wait_ns == 0:
            bucket.sent_ns.append(now_ns)
            if http:
                self._address_ns.append(now_ns)
        return wait_ns

    def take_query(self, now_ns: int) -> int:
        """Take room for one query and return 0, or how long there is none, nanoseconds."""
        wait_ns = max(self._address_wait_ns(Lane.QUERY, now_ns), self._queries_paused_until_ns - now_ns, 0)
        if wait_ns == 0:
            self._address_ns.append(now_ns)
        return wait_ns

    def learn(self, act: Act, category: Category, said: Allowance, now_ns: int) -> None:
        """Take over what an answer says: the limit, and that somebody else uses the same account."""
        bucket = self._bucket(act, category)
        bucket.limit = min(max(said.limit, 1), _LIMIT_MAX)
        _forget(bucket.sent_ns, now_ns - _WINDOW_NS)
        unseen = bucket.limit - said.remaining - len(bucket.sent_ns)
        bucket.sent_ns.extend([now_ns] * min(max(unseen, 0), bucket.limit))

    def pause(self, act: Act, category: Category, until_ns: int, now_ns: int) -> None:
        """Send no request of this kind before an instant, which is at most a minute away."""
        bucket = self._bucket(act, category)
        bucket.paused_until_ns = max(bucket.paused_until_ns, min(until_ns, now_ns + PAUSE_NS_MAX))

    def pause_queries(self, until_ns: int, now_ns: int) -> None:
        """Let no query leave before an instant, which is at most a minute away; orders and cancels go on."""
        until_ns = min(until_ns, now_ns + PAUSE_NS_MAX)
        self._queries_paused_until_ns = max(self._queries_paused_until_ns, until_ns)

    def used_ratios(self, now_ns: int) -> tuple[tuple[str, float], ...]:
        """Tell how much of each budget is used, >= 0: `address` for all HTTP requests, `create_spot` and so on."""
        _forget(self._address_ns, now_ns - ADDRESS_WINDOW_NS)
        used = [("address", len(self._address_ns) / ADDRESS_REQUESTS_MAX)]
        for (act, spot), bucket in sorted(self._buckets.items()):
            _forget(bucket.sent_ns, now_ns - _WINDOW_NS)
            used.append(
                (
                    f"{act.name.lower()}_{'spot' if spot else 'derivatives'}",
                    len(bucket.sent_ns) / bucket.limit,
                )
            )
        return tuple(used)

    def _bucket(self, act: Act, category: Category) -> _Bucket:
        # Whether linear and inverse contracts share one allowance is not written anywhere; here they do.
        spot = category is Category.SPOT
        bucket = self._buckets.get((act, spot))
        if bucket is None:
            bucket = _Bucket(limit=(_PER_SECOND_SPOT if spot else _PER_SECOND)[act])
            self._buckets[act, spot] = bucket
        return bucket

    def _address_wait_ns(self, lane: Lane, now_ns: int) -> int:
        sent_ns = self._address_ns
        _forget(sent_ns, now_ns - ADDRESS_WINDOW_NS)
        if len(sent_ns) < lane:
            return 0
        return max(sent_ns[-int(lane)] + ADDRESS_WINDOW_NS - now_ns, 1)


def _forget(sent_ns: deque[int], before_ns: int) -> None:
    while sent_ns and sent_ns[0] <= before_ns:
        sent_ns.popleft()
