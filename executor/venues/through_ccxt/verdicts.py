"""What an error of ccxt may prove about the only transmission of a request, as a closed world of names.

ccxt sorts what venues answer into classes, and each venue's sorting is somebody's judgement: a double order id is an
`InvalidOrder` at one venue and something else at the next. So a class alone proves nothing. It can only agree: a
request counts as refused if its own answer says so in the venue's own words (`Dialect`), and the class that ccxt made
of it stands here. A class that does not stand here proves nothing, those of later versions included.

Pure; ccxt itself is not imported.
"""

from enum import Enum
from typing import Final

ERRORS_MODULE: Final = "ccxt.base.errors"


class Leaning(Enum):
    """Which way an error leans."""

    REFUSED = "the venue read the request and said no"
    SILENT = "nothing is proved"


REFUSING: Final = frozenset(
    {
        # the key, the account or our address: turned away before the order was looked at
        "AuthenticationError",
        "PermissionDenied",
        "AccountNotEnabled",
        "AccountSuspended",
        "RestrictedLocation",
        # the order was looked at
        "BadRequest",
        "BadSymbol",
        "OperationRejected",
        "MarketClosed",
        "ManualInteractionNeeded",
        "InsufficientFunds",
        "InvalidOrder",
        "OrderImmediatelyFillable",
        "OrderNotFillable",
        "ContractUnavailable",
    }
)
"""Classes that agree with a refusal. Missing on purpose: `DuplicateOrderId` (an order of that id exists: go and look),
`OrderNotFound`, `OrderNotCached` and `NoChange` (no answer to a create), `RateLimitExceeded`, `DDoSProtection`,
`InvalidNonce` and `OnMaintenance` (said by whoever stands in front, who may not know), `ExchangeError` itself (ccxt did
not recognise the answer), everything about the network, and `BadResponse`."""
BARRING: Final = frozenset({"RateLimitExceeded", "DDoSProtection"})
"""Classes after which less is asked for a while, and nothing is opened."""


def leaning_of(error: BaseException) -> Leaning:
    """Which way an error leans: by its own class alone, never by one that it descends from."""
    return Leaning.REFUSED if _name(error) in REFUSING else Leaning.SILENT


def is_barring(error: BaseException) -> bool:
    """Whether the venue asks for fewer requests."""
    return _name(error) in BARRING


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == ERRORS_MODULE else ""
