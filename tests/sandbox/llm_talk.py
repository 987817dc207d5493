"""What the tests of the language model share: a question, and the ways to ask it."""

import copy
import json

from sandbox.llm_server import DEFAULT_API_KEY
from sandbox.llm_server.question import read_question

SYSTEM = "You advise on the execution of an order. Answer with one JSON object and nothing else. " * 12
KEYS = (
    *("decision_id", "snapshot_hash", "action", "strategy", "quantity", "order_type", "limit_price", "rate"),
    *("wait_seconds", "confidence", "impact_adjustment", "reasoning", "risk_assessment"),
)
ACTIONS = ("AGGRESSIVE", "PASSIVE", "WAIT", "ACCELERATE", "DECELERATE", "SWITCH_STRATEGY", "CANCEL")
CALM = {
    "decision_id": "P1-7",
    "snapshot_hash": "0123456789abcdef",
    "answer_within_ms": 4000,
    "parent": {
        "symbol": "BTCUSDT",
        "category": "linear",
        "side": "Buy",
        "order_qty": "2",
        "cum_qty": "0.8",
        "leaves_qty": "1.2",
        "deadline_in_s": "1080",
        "duration_s": "1800",
        "decision_px": "65000",
        "limit_px": None,
        "strategy": "TWAP",
        "urgency": "MEDIUM",
    },
    "progress": {
        "executed_pct": "40",
        "elapsed_pct": "40",
        "ahead_pct": "0",
        "avg_px": "65001.2",
        "shortfall_bps": "0.18",
        "twap_px": "65000.5",
        "vs_twap_bps": "0.1",
        "slice_qty": "0.1",
        "slices_left": 12,
        "working_qty": "0",
    },
    "market": {
        "mid": "65000",
        "spread_bps": "1.5",
        "best_bid": "64995",
        "best_bid_qty": "2",
        "best_ask": "65005",
        "best_ask_qty": "2.1",
        "volatility_hourly_pct": "0.6",
        "volume_per_min_qty": "9",
        "mean_px_5min": "64990",
        "regime": "calm",
    },
    "band": {
        "rate_min": "0.5",
        "rate_max": "2",
        "slice_times_max": "2",
        "ahead_pct_max": "10",
        "behind_pct_max": "10",
        "wait_s_max": 60,
        "confidence_min": "0.5",
        "strategies": ["TWAP", "POV"],
        "cancel_allowed": False,
    },
    "impact": {"estimate_bps": "3.1", "low_bps": "1.9", "high_bps": "5"},
    "recent_decisions": [],
    "context": {
        "bids": [["64995", "2"]],
        "asks": [["65005", "2.1"]],
        "imbalance": "-0.02",
        "last_trades": [],
        "funding_rate": None,
        "funding_in_s": None,
        "open_interest_change_pct": None,
        "liquidations": None,
        "session": "Europe",
    },
    "outside_text": "none configured",
}


def question(**changes):
    """Return the calm question, changed: a change that is an object changes members of a part."""
    asked = copy.deepcopy(CALM)
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(asked.get(name), dict):
            asked[name].update(value)
        else:
            asked[name] = value
    return asked


def facts(**changes):
    return read_question(json.dumps(question(**changes)))


def messages(asked=None, system=SYSTEM):
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": json.dumps(CALM if asked is None else asked)},
    ]


def body(asked=None, **fields):
    return {"model": "sandbox-trader", "messages": messages(asked), **fields}


def reply_schema():
    """Return the JSON schema of a reply, as a client would send it."""
    nullable = {"strategy", "quantity", "limit_price", "rate", "wait_seconds"}
    members = {key: {"type": ["string", "null"] if key in nullable else "string"} for key in KEYS}
    members["action"] = {"type": "string", "enum": list(ACTIONS)}
    members["order_type"] = {"anyOf": [{"type": "string", "enum": ["LIMIT", "MARKET"]}, {"type": "null"}]}
    return {
        "type": "object",
        "properties": members,
        "required": list(KEYS),
        "additionalProperties": False,
    }


def structured(schema=None, **changes):
    """Return a ``response_format`` that holds a reply to a schema."""
    shape = {"name": "advice", "strict": True, "schema": schema or reply_schema()}
    return {"type": "json_schema", "json_schema": {**shape, **changes}}


class RawLlm:
    """Asks over HTTP with nothing in between, and looks at everything that comes back."""

    def __init__(self, session, server):
        self._session = session
        self.server = server
        self.headers = {"Authorization": f"Bearer {DEFAULT_API_KEY}"}

    def open(self, asked=None, **fields):
        """Return the pending answer to a question; the caller enters and reads it."""
        place = f"{self.server.base_url}/chat/completions"
        return self._session.post(
            place, json=body(asked, **fields), headers=self.headers, allow_redirects=False
        )

    async def completion(self, asked=None, **fields):
        """Return the whole body of a good answer."""
        async with self.open(asked, **fields) as response:
            assert response.status == 200, await response.text()
            return json.loads(await response.read())

    async def content(self, asked=None, **fields):
        """Return the text of a good answer."""
        return (await self.completion(asked, **fields))["choices"][0]["message"]["content"]

    async def reply(self, asked=None, **fields):
        """Return the reply object of a good answer."""
        return json.loads(await self.content(asked, **fields))
