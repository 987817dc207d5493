"""A session over real sockets, played again from its journal and its tape: every order as it was, or why not."""

import asyncio
import json
import shutil
import sqlite3
from decimal import Decimal

import pytest
from msgspec import structs

from backtest.order_lines import orders_in
from backtest.pace import read_pace
from backtest.session import TOLERANCE_NS, replay_session
from executor.advice.capabilities import Capability, capabilities_of
from executor.adviser.client import ModelAdviser, ModelClient
from executor.adviser.counsel import ModelCounsel
from executor.adviser.playback import Recorder
from executor.adviser.tape import Heard, Line, TapeWriter, read_all, read_tape
from executor.adviser.template_files import load_template
from executor.domain.advice import AdviceOutcome
from executor.domain.advice_terms import AdviserTerms, Band, BreakerRules, Caps, Prices
from executor.domain.errors import JournalError
from executor.domain.orders import ResidualRule, StrategyParams
from executor.domain.timeline import iso_utc
from executor.interfaces.cli import main
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.experiments import session_words
from executor.runtime.journal import Journal
from sandbox.llm_server import DEFAULT_API_KEY, Latency, LlmOptions, running_llm_server
from tests.builders import D
from tests.faults.stage import stage

pytestmark = pytest.mark.process

DEADLINE_MS = 600
TEMPLATE = load_template()
TERMS = AdviserTerms(
    model="sandbox-trader",
    template_sha256=TEMPLATE.sha256,
    interval_s=1,
    min_gap_s=1,
    deadline_ms=DEADLINE_MS,
    caps=Caps(
        parent_cost_max=D(10), hour_cost_max=D(10), day_cost_max=D(10),
        parent_calls_max=1_000, hour_calls_max=1_000, day_calls_max=1_000,
    ),
    prices=Prices(prompt=D("0.15"), cached=D("0.075"), completion=D("0.6")),
    band=Band(strategies=("twap", "vwap", "arrival-price")),
    breaker=BreakerRules(failures_max=1_000),
)  # fmt: skip
ORDER = dict(
    order_qty=D("0.06"), duration_s=10, residual=ResidualRule.CROSS, advised=True,
    params=StrategyParams(interval_s=2, passiveness=D("0.5")),
)  # fmt: skip
ACTIONS = (
    "AGGRESSIVE", "PASSIVE", "AGGRESSIVE", "AGGRESSIVE", "DECELERATE", "AGGRESSIVE", "AGGRESSIVE", "ACCELERATE",
)  # fmt: skip
"""What is advised, question by question; the fourth answer comes too late, the sixth is an error of the server."""
CUT_OFF = 5
"""This question is out when the daemon is ended, to be started again."""
SLOW = Latency(median_ms=180, sigma=0.4)


class Recorded:
    """What a session leaves behind: a journal and a tape."""

    def __init__(self, folder):
        self.journal = folder / "journal.db"
        self.tape = folder / "advice.jsonl"

    def lines(self):
        return list(read_all(self.tape))

    def told(self):
        with Journal.open(self.journal, create=False) as journal:
            return journal.decisions("P1")


async def live(folder):
    """Work an advised parent with seeded latencies: one answer too late, one cut off by a restart, one an error."""
    made = Recorded(folder)
    async with (
        running_llm_server(LlmOptions(seed=5, latency=SLOW)) as model,
        stage(folder, terms=TERMS, started=False) as played,
    ):

        async def counsel(stack, venue, clock):
            client = ModelClient(
                model.base_url, TERMS.model, lambda: DEFAULT_API_KEY,
                capabilities_of(TERMS.model).overridden(on=[Capability.JSON_SCHEMA]), clock.now_ns,
                reasoning_tokens_max=0,
            )  # fmt: skip
            stack.push_async_callback(client.close)
            await client.open()
            tape = stack.enter_context(TapeWriter(made.tape))
            recorder = Recorder(ModelAdviser(client), TERMS.model, tape, lambda *_: Decimal(0), played.log)
            return ModelCounsel(
                adviser=recorder, template=TEMPLATE, scenery=venue.context, texts=lambda: None,
                now_ns=clock.now_ns, tokens_max=800, prompt_bytes_max=TERMS.prompt_bytes_max, log=played.log,
                hear=recorder.heard,
            )  # fmt: skip

        played._counsel = counsel
        for number, action in enumerate(ACTIONS, start=1):
            match = {"decision_id": f"P1-{number}"}
            model.fault({"act": "always", "action": action, "match": match, "times": None})
        model.fault({"act": "delay", "delay_ms": DEADLINE_MS + 300, "match": {"decision_id": "P1-4"}})
        model.fault(
            {"act": "delay", "delay_ms": DEADLINE_MS - 100, "match": {"decision_id": f"P1-{CUT_OFF}"}}
        )
        model.fault({"act": "status", "status": 500, "match": {"decision_id": "P1-6"}})
        await played.start()
        parent = await played.submit(**ORDER)
        await played.until(lambda: parent.advice.asked_no == CUT_OFF)
        await played.end()  # the fifth question is out, and nobody will ever hear its answer
        await played.start()
        await played.until(lambda: "P1" in played.state.parents)
        await played.finish(played.state.parents["P1"])
        await played.proved()
    return made


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return asyncio.run(live(tmp_path_factory.mktemp("session")))


def play(recorded, lines=None, pace="taped"):
    return replay_session(recorded.journal, recorded.lines() if lines is None else lines, read_pace(pace))


def hearing(lines, name):
    return next(line for line in lines if isinstance(line, Heard) and line.heard == name)


def without(lines, name):
    """The tape without the call of a question."""
    return [line for line in lines if getattr(line, "decision_id", "") != name]


def begins_ns(difference):
    """Instant from which the orders are others."""
    return min(each.at_ns for each in (difference.recorded, difference.replayed) if each is not None)


def sent_by(recorded):
    """Instants of all requests about child orders of the journal."""
    db = sqlite3.connect(recorded.journal)
    try:
        found = db.execute("SELECT at_ns, commands FROM journal ORDER BY seq").fetchall()
    finally:
        db.close()
    return [order.at_ns for at_ns, commands in found for order in orders_in(at_ns, commands)]


def test_with_the_taped_latencies_every_order_and_every_row_comes_out_again(recorded):
    result = play(recorded)
    assert result.difference is None
    assert result.identical
    assert (result.rebuilt, result.other_row) == (True, "")
    assert sum(result.requests.values()) == len(sent_by(recorded)) > 6
    with Journal.open(recorded.journal, create=False) as journal:
        report = json.loads(journal.report("P1"))
    assert result.orders == report["orders_sent"]
    assert (result.misses, result.cut_off) == ((), (f"P1-{CUT_OFF}",))
    assert (result.estimated, result.tolerance_ns, result.unasked) == (0, 0, 0)
    told = recorded.told()
    assert result.questions == len(told) > CUT_OFF
    assert {AdviceOutcome.APPLIED, AdviceOutcome.LATE, AdviceOutcome.FAILED} <= {one.outcome for one in told}


def test_with_no_latency_the_orders_are_others(recorded):
    result = play(recorded, pace="zero")
    assert not result.identical
    assert not result.rebuilt
    found = result.difference
    assert found.number == sum(result.requests.values()) + 1
    assert found.recorded != found.replayed
    assert "ms earlier than recorded" in found.why


def test_with_twice_the_latency_they_are_others_too(recorded):
    found = play(recorded, pace="x2").difference
    assert "ms later than recorded" in found.why


def test_a_call_that_was_cut_out_of_the_tape_is_a_miss(recorded):
    heard = hearing(recorded.lines(), "P1-1")
    result = play(recorded, without(recorded.lines(), "P1-1"))
    assert not result.identical
    assert result.misses[0] == "P1-1"
    assert "P1-1 is not on the tape" in result.difference.why
    assert begins_ns(result.difference) >= heard.heard_ns


def test_another_reply_differs_at_the_first_order_after_it(recorded):
    lines = recorded.lines()
    place = next(i for i, line in enumerate(lines) if getattr(line, "decision_id", "") == "P1-1")
    reply = json.loads(lines[place].reply)
    assert reply["action"] == "AGGRESSIVE"
    reply |= {"action": "PASSIVE", "rate": None, "order_type": None, "limit_price": None, "quantity": None}
    lines[place] = structs.replace(lines[place], reply=json.dumps(reply))
    result = play(recorded, lines)
    heard_ns = hearing(lines, "P1-1").heard_ns
    before = [at_ns for at_ns in sent_by(recorded) if at_ns < heard_ns]
    assert len(before) <= sum(result.requests.values()) <= len(before) + 1
    assert begins_ns(result.difference) >= heard_ns
    assert result.difference.why == "the answer to P1-1 is another one than was recorded"


def test_a_call_that_failed_otherwise_gives_the_same_orders_and_names_the_row_that_is_another(recorded):
    lines = [
        structs.replace(line, detail="otherwise") if getattr(line, "decision_id", "") == "P1-6" else line
        for line in recorded.lines()
    ]
    result = play(recorded, lines)
    assert result.identical
    assert not result.rebuilt
    heard_at = iso_utc(hearing(lines, "P1-6").heard_ns)
    assert f", AdviceFailed at {heard_at}; in its place row " in result.other_row
    assert result.other_row.endswith(f", AdviceFailed at {heard_at}")
    assert f"other rows are not, first {result.other_row}" in session_words(result, "taped")


def test_a_tape_from_before_hearings_were_written_is_played_with_a_tolerance(recorded):
    """Its latencies were the client's; these are the engine's, for how far the two are apart is the machine's doing."""
    took = {line.heard: line.heard_ns - line.asked_ns for line in recorded.lines() if isinstance(line, Heard)}
    old = [
        structs.replace(line, v=1, latency_ns=took.get(line.decision_id, line.latency_ns))
        for line in recorded.lines()
        if isinstance(line, Line)
    ]
    result = play(recorded, old)
    assert result.identical, result.difference
    assert result.estimated > 3
    assert result.tolerance_ns == TOLERANCE_NS
    assert not result.rebuilt
    assert result.other_row


def test_each_answer_that_was_heard_is_on_the_tape_with_its_verdict(recorded):
    told = {one.decision_id: one for one in recorded.told()}
    heard = {line.heard: line for line in recorded.lines() if isinstance(line, Heard)}
    assert set(heard) == set(told) - {f"P1-{CUT_OFF}"}
    for name, line in heard.items():
        assert (line.outcome, line.reason, line.asked_ns) == (
            told[name].outcome, told[name].reason, told[name].asked_ns,
        )  # fmt: skip
    assert len(list(read_tape(recorded.tape))) == len(told)


def test_a_journal_that_was_changed_is_not_played(recorded, tmp_path):
    copy = tmp_path / "journal.db"
    shutil.copy(recorded.journal, copy)
    db = sqlite3.connect(copy)
    db.execute("UPDATE journal SET at_ns = at_ns + 1 WHERE seq = 20")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="row 20 was changed"):
        replay_session(copy, recorded.lines(), read_pace("taped"))
    with pytest.raises(JournalError, match="no such file"):
        replay_session(tmp_path / "none.db", [], read_pace("taped"))


def test_on_the_command_line(recorded, capsys):
    words = ["backtest", "session", str(recorded.journal)]
    assert main(words) == ExitCode.OK
    assert "identical: every row of the journal came out again" in capsys.readouterr().out
    assert main([*words, "--latency", "zero"]) == ExitCode.AUDIT_DIFFERS
    out = capsys.readouterr().out
    assert "DIFFERS at request" in out
    assert "because" in out
    assert main([*words, "--latency", "zero", "--json"]) == ExitCode.AUDIT_DIFFERS
    told = json.loads(capsys.readouterr().out)
    assert told["identical"] is False
    assert told["first_difference"]["replayed"]["client_order_id"].startswith("x-1-")


@pytest.mark.parametrize("latency", ["", "fast", "x", "x-1", "x1001", "xNaN", "2"])
def test_a_latency_that_means_nothing_is_refused(latency, tmp_path, capsys):
    assert main(["backtest", "session", str(tmp_path / "j.db"), f"--latency={latency}"]) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert "--latency" in told
    assert "the same command with --help" in told


def test_no_tape_and_no_journal_are_said(tmp_path, capsys):
    (tmp_path / "journal.db").write_bytes(b"")
    words = ["backtest", "session", str(tmp_path / "journal.db")]
    assert main(words) == ExitCode.DURABILITY
    assert "no such table" in capsys.readouterr().err
    assert main([*words, "--tape", str(tmp_path / "advice.jsonl")]) == ExitCode.USAGE
    assert "advice.jsonl: No such file" in capsys.readouterr().err
    assert main(["backtest", "session", str(tmp_path / "none.db")]) == ExitCode.DURABILITY
    assert "no such file" in capsys.readouterr().err
