"""One signed request on its way in, the same through every door: rights of the key, allowance, answer."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from sandbox.bybit_server.accounts import Credentials
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.endpoints import SignedEndpoint
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.rate_limit import RollingLimits


def signed_call(
    exchange: Exchange,
    limits: RollingLimits,
    endpoint: SignedEndpoint,
    caller: Credentials,
    fields: Fields,
    headers: MutableMapping[str, Any],
    transport: str,
) -> JsonObject:
    """Answer a request whose signature has been checked.

    A batch costs as many units of its own allowance as it holds orders; those beyond what is left fail one by
    one while the others go through.

    Parameters
    ----------
    headers
        Receives the three headers of the allowance.
    transport
        Door it came through, for venues that count doors apart.

    Raises
    ------
    RefusalError
        For a dead or too weak key, an allowance used up, or whatever the endpoint refuses.
    """
    rights = exchange.key_ring.rights(caller.key)
    rights.refuse_if_dead(now_ms(exchange.clock))
    category = fields.text("category")
    rights.refuse_if_not_permitted(endpoint.method, endpoint.path, category)
    account = exchange.accounts[caller.uid]
    bucket = (caller.uid, endpoint.path, category)
    allowance = limits.visit(bucket, endpoint.limit(category), _units(endpoint, fields), transport)
    headers.update(allowance.headers())
    allowance.refuse_if_exceeded()
    request = Fields(fields.values, caller=caller.key, granted=allowance.granted)
    return endpoint.answer(exchange, account, request)


def _units(endpoint: SignedEndpoint, fields: Fields) -> int:
    """Return what a request costs: one, or one for each order of a batch."""
    orders = fields.values.get("request")
    return max(1, len(orders)) if endpoint.is_batch and isinstance(orders, list) else 1
