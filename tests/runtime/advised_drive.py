"""A story with advice in a journal: an answer that holds, one that cannot be used, and one that comes too late."""

import json

from executor.advice.facts import snapshot_hash
from executor.domain.commands import RequestAdvice
from executor.domain.events import AdviceReceived
from executor.domain.orders import StrategyParams
from executor.domain.timeline import NS_PER_MS
from tests.advice_records import ADVISER, USAGE
from tests.builders import D, submitted
from tests.engine.rig import Rig
from tests.runtime.drives import JournaledRig

HOSTILE = "[bold]calm[/bold] <script>alert(1)</script> \x1b[2Jgone"


class AdvisedRig(JournaledRig):
    """A journaled rig with a model at hand."""

    def __init__(self, journal):
        self.book_keeper = journal
        Rig.__init__(self, adviser=ADVISER)

    def until_asked(self, count):
        for _ in range(200):
            asked = [command for command in self.log if isinstance(command, RequestAdvice)]
            if len(asked) >= count:
                return asked[count - 1]
            self.tick(1)
        raise AssertionError("nobody was asked")

    def advise(self, request, **over):
        reply = dict(
            decision_id=request.decision_id,
            snapshot_hash=snapshot_hash(request.facts),
            action="ACCELERATE",
            strategy=None,
            quantity=None,
            order_type=None,
            limit_price=None,
            rate="9",
            wait_seconds=None,
            confidence="0.9",
            impact_adjustment="1",
            reasoning=HOSTILE,
            risk_assessment="small",
        )
        self.send(
            AdviceReceived(
                at_ns=0,
                parent_id=request.parent_id,
                decision_id=request.decision_id,
                raw=json.dumps({**reply, **over}).encode(),
                model="wise",
                finish_reason="stop",
                refusal="",
                usage=USAGE,
                prompt_bytes=4_000,
                latency_ns=700 * NS_PER_MS,
            )
        )


def tell_advised_story(journal, kind=AdvisedRig):
    """P1 is advised and its three questions have ended; P2 is not advised. Gives the rig."""
    rig = kind(journal)
    rig.open_market()
    long = dict(order_qty=D(2), duration_s=1_200, params=StrategyParams(interval_s=60))
    rig.send(submitted(**long, advised=True))
    rig.send(submitted(**long, request_id="r2", idempotency_key="k2"))
    rig.settle()
    rig.advise(rig.until_asked(1))
    rig.advise(rig.until_asked(2), action="SELL EVERYTHING")
    late = rig.until_asked(3)
    while rig.engine.state.parents["P1"].advice.question is not None:
        rig.tick(1)
    rig.advise(late)
    journal.commit()
    return rig
