"""What each answer of the interface holds, field by field, for whoever reads it: a program or a person.

A shape is written as lines of `field: kind: words`. Tests hold every shape against real answers.
"""

from collections.abc import Mapping
from typing import Final

Json = dict[str, object]
_KINDS: Final[Mapping[str, object]] = {
    "text": {"type": "string"},
    "text?": {"type": ["string", "null"]},
    "whole": {"type": "integer"},
    "whole?": {"type": ["integer", "null"]},
    "number": {"type": "number"},
    "number?": {"type": ["number", "null"]},
    "yes-no": {"type": "boolean"},
    "list": {"type": "array"},
    "object": {"type": "object"},
    "object?": {"type": ["object", "null"]},
}
"""What stands for which JSON; a question mark allows null."""

_DONE: Final = """
outcome: text: ACCEPTED, or REPEATED where it was so already
code: text: what was done, as a code
text: text: what was done, for people
request_id: text: the name of this request in the journal
"""
_VERB: Final = f"""{_DONE}
parent_id: text: the parent order; empty where it is about none
"""
_PARENT: Final = """
id: text: name of the parent order
status: text: its state (docs/reference/states.md)
reason: text: why it is in that state
final: yes-no: whether it has ended
waiting: list: codes of why nothing is sent just now (docs/reference/refusals.md)
detail: text: more about the reason
version: whole: counts changes; an amendment may name it
idempotency_key: text: under which it was sent
basket: object?: the basket it is of
route: text?: the routed order it is a leg of
category: text: linear, inverse or spot
symbol: text: the instrument
side: text: buy or sell
qty: text: what was ordered, base units
filled: text: what was filled
leaves: text: what is left
reserved: text: what is open at the venue, or not proved to be otherwise
avg_price: text?: average price of the fills
limit_price: text?: worst price allowed
limit_price_works_as: text?: the same on the venue's tick
blocked: text: why nothing may be opened in the symbol; empty if nothing blocks it
decision_price: text?: price at the decision
arrival_price: text?: mid when it was begun
shortfall_bps: text?: running implementation shortfall, basis points
progress_pct: text?: filled, per cent
schedule_pct: text?: what the plan wants by now, per cent
deviation_pct: text?: ahead of the plan (+) or behind (-), per cent
created: object?: instants are objects of `utc` and `ns`
started: object?: when it began
start: object?: when it may begin
deadline: object?: when it must be done
time_left_s: whole: seconds
finished: object?: when it ended
residual: text: what becomes of the rest at the deadline
extend_s: whole: seconds more, with residual extend
urgency: text: how eager it is
strategy: text: its schedule
advised: yes-no: whether a model is asked about it
advice: object?: the last advice and what became of it
params: object: parameters of the strategy
reduce_only: yes-no: whether it may only shrink a position
position_idx: whole: which position of the instrument
seed: text: of its randomness; text, because it may be too large for a JSON number
plan: object?: slices, and which is at work
children: object: how many child orders, by status
tick_size: text?: the venue's tick
"""
_MORE: Final = """
cost: object: cost so far, in parts (docs/cost-analysis.md)
"""
_BASKET: Final = """
id: text: name of the basket
name: text: what it was called; may be empty
created: object?: when
idempotency_key: text: under which it was sent
gross_notional_max: text?: limit of its own
net_notional_max: text?: limit of its own
final: yes-no: whether all its orders have ended
orders: whole: how many
by_status: object: how many of each status
parent_ids: list: names of its orders
parents: list: its orders
"""
_ROUTE: Final = """
id: text: name of the routed order
status: text: its state
reason: text: why it is in that state
ending: text?: what it is on its way to
final: yes-no: whether it has ended
detail: text: more about the reason
version: whole: counts changes
idempotency_key: text: under which it was sent
side: text: buy or sell
qty: text: what was ordered
filled: text: what was filled, all legs together
leaves: text: what is left
granted: text: what its legs were given to do
progress_pct: text: filled, per cent
schedule_pct: text?: what the plan wants by now, per cent
limit_price: text?: worst price allowed
strategy: text: its schedule
urgency: text: how eager it is
params: object: parameters of the strategy
residual: text: what becomes of the rest at the deadline
extend_s: whole: seconds more
max_basis: text?: widest gap between markets, basis points
hysteresis: text: how much better another market must be, basis points
created: object?: when
started: object?: when it began
deadline: object?: when it must be done
time_left_s: whole: seconds
finished: object?: when it ended
report: object: sums and cost
legs: list: each market: what it was given, what it did, why it does nothing
"""
_LEGS: Final = """
parents: list: parent orders of its legs
"""
_CALL: Final = """
decision_id: text: name of the question
parent_id: text: the order it was about
asked: object: when
model: text: who was asked
messages: list: every word that was sent
reply: text?: what came back, as it came
refusal: text: words with which the model refused
finish_reason: text: why it stopped
failure: text: what went wrong; empty if nothing
detail: text: more about that
answered_by: text: the model that says it answered
latency_ms: whole: how long it took
"""

SHAPES: Final[Mapping[str, str]] = {
    "GET /health": "alive: yes-no: always true\nversion: text: of the daemon",
    "GET /ready": "ready: yes-no: whether new orders can be worked\nwhy_not: list: codes; empty when ready",
    "GET /v1/status": """
daemon: object: version, instance, venue, profile, pid
time: object: the daemon's clock; instants are objects of `utc` and `ns`
started: object?: when it was started
ready: yes-no: whether new orders can be worked
why_not_ready: list: codes
halted: yes-no: whether the stop is pulled
halt_reason: text: why
draining: yes-no: whether it is shutting down
streams: object: which connections are live
restricted_until: object?: until when the venue bars us
sentinel: object: whether one is required, and alive
adviser: object?: the model, its breaker and its bill
wallet: object: balances by coin
reconciled: object: by category, whether the last complete read of the account succeeded
limits: object: every limit in force
orders_today: whole: child orders created this UTC day
blocked: list: symbols in which nothing may be opened, and why
orphan_fills: whole: executions that belong to no order of ours
markets: list: best prices, age of the book, references
open_parents: list: parent orders that have not ended
parents: whole: how many there ever were
unproved_children: list: child orders that may be open at the venue
open_routes: list: routed orders that have not ended
""",
    "GET /v1/parents": "parents: list: parent orders, newest first",
    "POST /v1/parents": f"{_VERB}parent: object: the parent order",
    "GET /v1/parents/{parent_id}": _PARENT + _MORE,
    "GET /v1/parents/{parent_id}/children": "parent_id: text: whose\nchildren: list: child orders, oldest first",
    "GET /v1/parents/{parent_id}/report": """
parent_id: text: whose
status: text: its state
reason: text: why it is in that state
""",
    "GET /v1/parents/{parent_id}/decisions": """
parent_id: text: whose
advised: yes-no: whether a model is asked about it
worst_case: object?: what advice can do at most
worth: object?: what advice was worth
decisions: list: every question and what became of it, newest last
""",
    "GET /v1/parents/{parent_id}/decisions/{decision_id}": _CALL,
    **{
        f"POST /v1/parents/{{parent_id}}/{verb}": f"{_VERB}parent: object?: the parent order as it is now"
        for verb in ("pause", "resume", "amend", "cancel")
    },
    "GET /v1/baskets": "baskets: list: all of them\nexposure: object: what all open orders could come to",
    "POST /v1/baskets": f"{_DONE}basket_id: text: its name\nbasket: object?: the basket",
    "GET /v1/baskets/{basket_id}": _BASKET,
    **{
        f"POST /v1/baskets/{{basket_id}}/{verb}": f"{_DONE}basket_id: text: its name\nbasket: object?: the basket"
        for verb in ("pause", "resume", "cancel")
    },
    "GET /v1/routes": "routes: list: routed orders, newest first",
    "POST /v1/routes": f"{_DONE}route_id: text: its name\nroute: object?: the routed order",
    "GET /v1/routes/{route_id}": _ROUTE + _LEGS,
    "GET /v1/routes/{route_id}/report": """
route_id: text: whose
filled: text: all legs together
notional: text: value of the fills
avg_price: text?: average price of the fills
fees: text: quote units
carry: text: what holding the legs costs, quote units
arrival_price: text?: the best leg's mid when it was begun
arrival_leg: text?: which leg that was
cost: object?: against that price, in parts, in quote units and basis points
""",
    **{
        f"POST /v1/routes/{{route_id}}/{verb}": f"{_DONE}route_id: text: its name\nroute: object?: the routed order"
        for verb in ("pause", "resume", "amend", "cancel")
    },
    "GET /v1/limits": "limits: list: each limit in force, how much of it is used, and who tightened it from what",
    "POST /v1/limits/tighten": f"{_DONE}limit: object: the limit as it is now",
    "GET /v1/journal": """
rows: list: seq, instant, kind, event, commands and the hash of each row, in the order of the journal
next_after: whole: the `after` of the next page
at_end: yes-no: whether the end of the journal was reached
head: whole: number of its last row
""",
    "POST /v1/halt": f"""{_VERB}parent: object?: null
were_open: list: child orders that could be open at that moment""",
    "POST /v1/rearm": f"{_VERB}parent: object?: null",
    "POST /v1/news": "outcome: text: ACCEPTED or REPEATED\ntext: text: what becomes of it",
    "POST /v1/exchange-flow": _VERB,
    "POST /v1/board/codes": "code: text: lets one browser in, once\ngood_for_s: number: seconds",
    "POST /v1/board/leave": "left: yes-no: always true",
    "POST /board/session": "token: text: of the session\naccess: text: read or operate",
    "GET /v1/board": "at_ms: whole: when the picture was made\naccess: text: read or operate",
    "GET /v1/board/{parent_id}": "at_ms: whole: when the picture was made\nparent: object: the parent order",
    "POST /v1/plan": """
order: object: what would be ordered
figures: object: what is known of the market
model: object: the model of impact
refused: text: why it would be refused; empty if it would not
slices: list: the plan
limits: list: limits that stand in its way
""",
    "POST /v1/route-plan": """
side: text: buy or sell
qty: text: what would be ordered
strategy: text: its schedule
slices: list: the plan
first_slice_bps: text: cost of the first slice
legs: list: how the first slice and the whole would be divided now
refused: text: why it would be refused; empty if it would not
""",
}
"""By method and path. Of the board, of plans and of cost reports only what does not change with the order."""
OPEN: Final = frozenset(
    {
        "GET /v1/board",
        "GET /v1/board/{parent_id}",
        "GET /v1/parents/{parent_id}/report",
        "POST /v1/plan",
    }
)
"""Answers that hold more than their shape says."""


def fields_of(route: str) -> Mapping[str, tuple[str, str]]:
    """Give the kind and the words of each field of an answer, by its name."""
    lines = (line.split(": ", 2) for line in SHAPES[route].splitlines() if line)
    return {name: (kind, words) for name, kind, words in lines}


def shape_schema(route: str) -> Json:
    """Give an answer's shape as a JSON schema."""
    told = fields_of(route)
    return {
        "type": "object",
        "required": list(told),
        "properties": {name: {**_kind(kind), "description": words} for name, (kind, words) in told.items()},
    }


def _kind(kind: str) -> Json:
    found = _KINDS[kind]
    assert isinstance(found, dict)
    return found
