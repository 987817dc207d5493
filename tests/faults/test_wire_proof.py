"""Many short lives in bad weather, over real sockets: nothing is sent twice, over-filled, lost or left in doubt.

`EXECUTOR_CAMPAIGN=full` plays 2 000 seeds; otherwise a few. Runs share a process, five at a time: most of
each is waiting.
"""

import asyncio
import os
from collections import Counter
from random import Random

import pytest

from tests.faults.swarm import BREAKS, KINDS, play, weather_of

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
SHARDS, RUNS_PER_SHARD, AT_ONCE = (10, 200, 5) if FULL else (2, 12, 5)
CAMPAIGN_RUNS = 2_000
SOMETIMES = ("OrderOutcomeUnknown", "OrderFilled", "CancelAcked", "ReplaceAcked")
OFTEN_ENOUGH = ("OrderAbsent", "OrderRejected", "ReplaceOutcomeUnknown", "ReplaceRejected") if FULL else ()


pytestmark = [pytest.mark.process, pytest.mark.timeout(3_000 if FULL else 240)]


@pytest.mark.parametrize("shard", range(SHARDS))
async def test_every_order_leaves_once_and_every_doubt_ends(shard, tmp_path, record_property):
    room = asyncio.Semaphore(AT_ONCE)

    async def one(seed):
        async with room:
            try:
                return await play(tmp_path, seed)
            except (AssertionError, ExceptionGroup, LookupError, OSError) as error:
                error.add_note(f"seed {seed}")
                raise

    seeds = range(shard * RUNS_PER_SHARD, (shard + 1) * RUNS_PER_SHARD)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(seed)) for seed in seeds]
    told = [task.result() for task in tasks]
    events = sum((run.events for run in told), Counter())
    kinds = Counter(name for run in told for name in run.kinds)
    print(  # noqa: T201 - the campaign tells its figures
        f"\nseeds {seeds.start}-{seeds.stop - 1}: {sum(run.children for run in told)} children,"
        f" {dict(Counter(end for run in told for end in run.outcomes))}, {dict(events)}; faults {dict(kinds)}"
    )
    for name in (*SOMETIMES, *OFTEN_ENOUGH):  # a campaign in which it never happens proves nothing about it
        assert events[name], f"no {name} in {RUNS_PER_SHARD} runs"


def test_every_kind_of_fault_happens_in_the_campaign():
    chosen = Counter()
    for seed in range(CAMPAIGN_RUNS):
        kinds, breaks = weather_of(seed, Random(seed))
        chosen.update((*(kind.name for kind in kinds), *breaks))
    assert min(chosen[name] for name in (*BREAKS, *(kind.name for kind in KINDS))) >= 20
