"""A strategy order of the venue as one child: sent once, reserved whole until its end is proved, no fill lost."""

import os
from collections import Counter
from decimal import Decimal
from random import Random

import pytest

from executor.domain.algo import AlgoKind
from executor.domain.commands import Outcome, PlaceAlgo, PlaceOrder, QueryAlgo, RefuseOrder, StopAlgo
from executor.domain.events import (
    AmendRequested,
    CancelRequested,
    HaltRequested,
    OrderFilled,
    OrderRejected,
    PauseRequested,
    RearmRequested,
    ResumeRequested,
    Stream,
)
from executor.domain.order_state import ChildStatus
from executor.domain.orders import ResidualRule, Side, StrategyParams
from executor.domain.parent_state import ParentStatus
from executor.engine.engine import Engine
from executor.runtime import record
from tests.builders import fill, submitted
from tests.engine.algo_world import AlgoRig, check_strategies, heal

D = Decimal


def test_one_strategy_order_works_the_whole_and_its_fills_find_their_parent():
    rig = AlgoRig()
    parent = rig.at_work()
    (place,) = rig.commands(PlaceAlgo)
    algo = place.approved.order
    assert (algo.terms.kind, algo.terms.interval_s, algo.order.qty) == (AlgoKind.TWAP, 30, D("0.6"))
    assert 570 <= algo.terms.duration_s <= 600
    assert D("50000") < algo.order.px <= D("50250.1")
    for _ in range(20):
        rig.venue.piece_fills(rig.strategy(), D("0.03"))
        rig.run(5)
        check_strategies(rig)
    assert parent.status is ParentStatus.COMPLETE
    assert parent.cum_qty == D("0.6")
    assert len(rig.commands(PlaceAlgo)) == 1
    assert not rig.commands(PlaceOrder)
    assert not rig.engine.state.orphans
    assert not {"OVER_FILL", "EXECUTION_UNEXPLAINED", "HALT"} & set(rig.alerts())


@pytest.mark.parametrize("foreign_links", [False, True])
@pytest.mark.parametrize("position_idx", [0, 1])
def test_a_fill_is_held_until_the_venue_says_whose_order_it_was_of(foreign_links, position_idx):
    rig = AlgoRig(foreign_links=foreign_links, position_idx=position_idx)
    parent = rig.at_work(position_idx=position_idx)
    rig.venue.piece_fills(rig.strategy(), D("0.05"))
    asked = len(rig.commands(QueryAlgo))
    rig.send(rig.venue.mail.pop())
    assert len(rig.commands(QueryAlgo)) == asked + 1
    assert parent.cum_qty == 0
    assert rig.child(1).open_qty == D("0.6")
    assert len(rig.engine.state.held) == 1
    check_strategies(rig) if not position_idx else None
    rig.settle()
    assert parent.cum_qty == D("0.05")
    assert rig.child(1).open_qty == D("0.55")
    assert not rig.engine.state.held
    assert not rig.engine.state.unattributed
    check_strategies(rig)


def test_a_fill_that_is_nobodys_blocks_the_symbol_after_a_minute():
    rig = AlgoRig()
    rig.at_work()
    stranger = fill(exec_id="x", client_order_id="", venue_order_id="by-hand", last_qty=D("0.01"))
    rig.send(OrderFilled(at_ns=0, fill=stranger))
    assert not rig.alerts()
    rig.venue.opening = {("BTCUSDT", 0): D("0.01")}
    rig.run(30)
    market = rig.engine.state.markets["linear:BTCUSDT"]
    assert not market.blocked
    rig.run(40)
    assert "EXECUTION_UNEXPLAINED" in market.blocked
    assert "EXECUTION_UNEXPLAINED" in rig.alerts()


def test_a_dropped_tail_ends_the_strategy_short_and_what_is_left_is_sent_anew_while_there_is_time():
    rig = AlgoRig()
    parent = rig.at_work(duration_s=900)
    rig.venue.piece_fills(rig.strategy(), D("0.4"))
    rig.run(3)
    rig.venue.end(rig.strategy())
    rig.run(15)
    assert "ALGO_ENDED_SHORT" in rig.alerts()
    assert rig.child(1).status is ChildStatus.CANCELED
    assert rig.child(1).final_qty == D("0.4")
    first, second = rig.commands(PlaceAlgo)
    assert second.approved.order.order.qty == D("0.2")
    assert second.approved.order.terms.duration_s < first.approved.order.terms.duration_s
    check_strategies(rig)
    assert parent.status is ParentStatus.EXECUTING


def test_what_is_left_with_too_little_time_waits_for_the_residual_rule():
    rig = AlgoRig()
    parent = rig.at_work(duration_s=320, residual=ResidualRule.CROSS)
    rig.venue.piece_fills(rig.strategy(), D("0.5"))
    rig.run(30)
    rig.venue.end(rig.strategy())
    rig.run(30)
    assert parent.waiting == ("TIME_TOO_SHORT",)
    assert len(rig.commands(PlaceAlgo)) == 1
    rig.run(280)
    assert rig.commands(PlaceOrder)
    assert rig.commands(PlaceOrder)[0].approved.order.qty <= D("0.1")
    check_strategies(rig)


def test_the_deadline_stops_it_before_anything_of_ours_crosses():
    rig = AlgoRig()
    rig.at_work(duration_s=310, residual=ResidualRule.CROSS)
    rig.run(315)
    stops, orders = rig.commands(StopAlgo), rig.commands(PlaceOrder)
    assert stops
    assert orders
    assert rig.log.index(stops[0]) < rig.log.index(orders[0])
    assert not rig.strategy().is_open
    check_strategies(rig)


def test_an_unanswered_create_is_found_by_what_it_asked_for_and_never_sent_again():
    rig = AlgoRig()
    rig.open_market()
    rig.submit()
    rig.tick(1)
    (place,) = [each for each in rig.pending if isinstance(each, PlaceAlgo)]
    rig.pending.remove(place)
    rig.carry_out(place, "ack lost")
    assert rig.child(1).status is ChildStatus.UNKNOWN
    rig.venue.piece_fills(rig.strategy(), D("0.03"))
    rig.run(5)
    assert rig.child(1).status is ChildStatus.PARTIALLY_FILLED
    assert rig.child(1).venue_order_id == "s1"
    assert rig.parent().cum_qty == D("0.03")
    assert len(rig.commands(PlaceAlgo)) == 1


def test_a_create_that_never_arrived_stays_reserved_until_its_whole_time_has_passed():
    rig = AlgoRig()
    rig.open_market()
    rig.submit(duration_s=400)
    rig.tick(1)
    (place,) = [each for each in rig.pending if isinstance(each, PlaceAlgo)]
    rig.pending.remove(place)
    rig.carry_out(place, "lost")
    rig.run(300)
    child = rig.child(1)
    assert (child.status, child.open_qty) == (ChildStatus.UNKNOWN, D("0.6"))
    assert child.absent_rounds >= 3
    assert len(rig.commands(PlaceAlgo)) == 1
    rig.run(200)
    assert child.status is ChildStatus.REJECTED
    assert rig.parent().status is ParentStatus.EXPIRED


def test_a_person_lets_go_of_one_that_the_venue_does_not_show():
    rig = AlgoRig()
    rig.open_market()
    rig.submit("venue-iceberg", duration_s=400)
    rig.tick(1)
    (place,) = [each for each in rig.pending if isinstance(each, PlaceAlgo)]
    rig.pending.remove(place)
    rig.carry_out(place, "lost")
    rig.send(RearmRequested(at_ns=0, request_id="h", operator="o", reason="too early"))
    assert rig.child(1).status is ChildStatus.UNKNOWN
    rig.run(60)
    assert rig.child(1).status is ChildStatus.UNKNOWN
    rig.send(RearmRequested(at_ns=0, request_id="h", operator="o", reason="looked in the app: there is none"))
    assert rig.child(1).status is ChildStatus.REJECTED
    assert "does not show" in rig.last_reply().text
    rig.run(5)
    assert len(rig.commands(PlaceAlgo)) == 2


def test_a_kill_between_intent_and_answer_leads_to_a_search_and_not_to_a_second_one():
    rig = AlgoRig()
    rig.open_market()
    rig.submit()
    rig.tick(1)
    (place,) = [each for each in rig.pending if isinstance(each, PlaceAlgo)]
    rig.venue.begin(place, now_ns=rig.now_ns)
    rig.restart()
    assert rig.child(1).status is ChildStatus.UNKNOWN
    rig.open_market()
    rig.run(15)
    assert rig.child(1).venue_order_id == "s1"
    # The streams were down for a moment: like any order of ours it was withdrawn, and what is left is sent anew.
    assert (rig.child(1).status, rig.child(1).final_qty) == (ChildStatus.CANCELED, 0)
    assert [entry.is_open for entry in rig.venue.strategies()] == [False, True]
    check_strategies(rig)


def test_fills_that_came_while_the_process_was_away_are_read_and_attributed():
    rig = AlgoRig()
    parent = rig.at_work()
    rig.venue.piece_fills(rig.strategy(), D("0.03"))
    rig.venue.piece_fills(rig.strategy(), D("0.03"))
    rig.venue.mail.clear()
    rig.restart()
    rig.open_market()
    rig.run(5)
    assert rig.parent().cum_qty == D("0.06")
    check_strategies(rig)
    assert parent is not rig.parent()


def test_halt_stops_it_until_it_is_proved_however_often_the_stop_fails():
    rig = AlgoRig()
    parent = rig.at_work()
    rig.send(HaltRequested(at_ns=0, request_id="h", operator="o", reason="r"))
    for _ in range(4):
        for command in [each for each in rig.pending if isinstance(each, StopAlgo)]:
            rig.pending.remove(command)
            rig.carry_out(command, "lost")
        rig.tick(2)
    assert "CANCEL_UNPROVED" in rig.alerts()
    assert rig.strategy().is_open
    assert rig.child(1).open_qty == D("0.6")
    rig.run(10)
    assert not rig.strategy().is_open
    assert rig.child(1).is_released
    assert parent.status is ParentStatus.PAUSED
    rig.send(RearmRequested(at_ns=0, request_id="h", operator="o", reason="r"))
    rig.send(ResumeRequested(at_ns=0, request_id="h", parent_id="P1"))
    rig.run(3)
    assert len(rig.commands(PlaceAlgo)) == 2
    check_strategies(rig)


def test_pause_stops_it_and_resume_sends_what_is_left_anew():
    rig = AlgoRig()
    parent = rig.at_work()
    rig.venue.piece_fills(rig.strategy(), D("0.09"))
    rig.run(2)
    rig.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    rig.run(5)
    assert not rig.strategy().is_open
    rig.send(ResumeRequested(at_ns=0, request_id="p", parent_id="P1"))
    rig.run(5)
    assert [each.approved.order.order.qty for each in rig.commands(PlaceAlgo)] == [D("0.6"), D("0.51")]
    assert parent.status is ParentStatus.EXECUTING


def test_an_amendment_is_a_stop_and_another_one():
    rig = AlgoRig()
    rig.at_work()
    amend = dict(limit_px=None, clear_limit_px=False, deadline_ns=None, urgency=None, expected_version=None)
    rig.send(
        AmendRequested(
            at_ns=0, request_id="a", parent_id="P1", order_qty=D("0.9"), strategy=None, params=None, **amend
        )
    )
    assert rig.last_reply().outcome is Outcome.ACCEPTED
    rig.run(5)
    assert [each.approved.order.order.qty for each in rig.commands(PlaceAlgo)] == [D("0.6"), D("0.9")]
    assert [entry.is_open for entry in rig.venue.strategies()] == [False, True]
    check_strategies(rig)


def test_it_is_stopped_when_the_market_runs_beyond_its_worst_price():
    rig = AlgoRig()
    rig.at_work("venue-pov")
    rig.tick(1, volume="50", move="200")
    rig.settle()
    assert not rig.commands(StopAlgo)
    rig.tick(1, volume="50", move="100")
    assert len(rig.commands(StopAlgo)) == 1


def test_a_lost_stream_stops_it_and_the_stream_s_return_starts_what_is_left():
    rig = AlgoRig()
    rig.at_work()
    rig.stream(Stream.PRIVATE, live=False)
    rig.run(3)
    assert not rig.strategy().is_open
    rig.streams_live()
    rig.run(15)
    assert [entry.is_open for entry in rig.venue.strategies()] == [False, True]


def test_a_refused_create_is_asked_after_before_another():
    rig = AlgoRig()
    rig.open_market()
    rig.submit()
    rig.tick(1)
    (place,) = [each for each in rig.pending if isinstance(each, PlaceAlgo)]
    rig.pending.remove(place)
    rig.carry_out(place, "refused")
    assert rig.parent().unread == "x-1-1"
    rig.run(10)
    assert len(rig.commands(PlaceAlgo)) == 2
    assert len(rig.venue.strategies()) == 1


def test_one_that_was_refused_and_exists_stops_everything():
    rig = AlgoRig()
    rig.open_market()
    rig.submit()
    rig.tick(1)
    (place,) = [each for each in rig.pending if isinstance(each, PlaceAlgo)]
    rig.pending.remove(place)
    rig.venue.begin(place, now_ns=rig.now_ns)
    rig.send(OrderRejected(at_ns=0, client_order_id="x-1-1", code=10001, text="", fatal=False))
    rig.run(5)
    assert rig.engine.state.latched
    assert "ORDER_CONFLICT" in rig.alerts()
    assert not rig.strategy().is_open


@pytest.mark.parametrize(
    ("over", "word"),
    [
        ({"limit_px": D(50_000)}, "limit price"),
        ({"duration_s": 299}, "300 to 86400"),
        ({"params": StrategyParams(interval_s=20)}, "interval"),
        ({"params": StrategyParams(interval_s=30, randomize_size_pct=10)}, "20 per cent"),
        ({"params": StrategyParams(interval_s=30, participation_max=D("0.1"))}, "participation_max"),
        ({"params": StrategyParams(interval_s=5), "duration_s": 80_000}, "at most 3000"),
        ({"advised": True}, "model"),
        ({"strategy": "venue-iceberg", "params": StrategyParams(interval_s=30)}, "display_qty"),
        (
            {"strategy": "iceberg", "params": StrategyParams(interval_s=30, display_qty=D("1.2"))},
            "display_qty 1.2 is more than the whole, 1",
        ),
        (
            {"strategy": "venue-pov", "params": StrategyParams(interval_s=30), "duration_s": 900},
            "participation",
        ),
        (
            {
                "strategy": "venue-pov",
                "params": StrategyParams(interval_s=30, participation=D("0.05")),
                "duration_s": 899,
            },
            "900 to 86400",
        ),
    ],
)
def test_what_the_venue_cannot_do_is_said_before_anything_is_sent(over, word):
    rig = AlgoRig()
    rig.open_market()
    usual = dict(strategy="venue-twap", duration_s=600, params=StrategyParams(interval_s=30))
    rig.send(submitted(**{**usual, **over}))
    assert rig.last_reply().outcome is Outcome.INVALID
    assert word in rig.last_reply().text


def test_where_they_are_off_they_are_not_offered_and_one_at_work_is_not_followed_by_another():
    off = AlgoRig(on=False)
    off.open_market()
    assert off.submit().outcome is Outcome.INVALID
    assert "not available" in off.last_reply().text
    rig = AlgoRig()
    parent = rig.at_work()
    rig.on = False
    rig.restart()
    rig.open_market()
    rig.venue.end(rig.strategy())
    rig.run(20)
    assert len(rig.commands(PlaceAlgo)) == 1
    assert rig.parent().waiting == ("VENUE_ALGORITHMS_OFF",)
    assert parent.order == rig.parent().order


def test_a_size_beyond_the_limits_is_cut_and_one_that_cannot_be_is_refused_with_its_reasons():
    rig = AlgoRig()
    rig.at_work(order_qty=D(15), duration_s=6_000)
    (place,) = rig.commands(PlaceAlgo)
    assert place.approved.order.order.qty < D(10)  # open_notional_max is half a million
    small = AlgoRig()
    small.open_market()
    small.submit("venue-iceberg", order_qty=D(9), params=StrategyParams(interval_s=30, display_qty=D(8)))
    small.run(2)
    assert {code for each in small.commands(RefuseOrder) for code in each.codes} >= {"CHILD_NOTIONAL"}
    assert not small.commands(PlaceAlgo)


def test_an_iceberg_keeps_a_limit_price_and_a_pov_only_as_much_as_one_order_may_be():
    rig = AlgoRig()
    rig.at_work("venue-iceberg", limit_px=D("50010"))
    (place,) = rig.commands(PlaceAlgo)
    assert (place.approved.order.order.px, place.approved.order.terms.display_qty) == (D("50010"), D("0.1"))
    pov = AlgoRig()
    pov.at_work("venue-pov", order_qty=D(6))
    (place,) = pov.commands(PlaceAlgo)
    assert place.approved.order.order.qty == D("1.990")  # child_notional_max
    assert place.approved.order.terms.rate_pct == D("5.00")


class Walk:
    """One history of strategy orders: a seed is all there is to it."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.rig = AlgoRig(foreign_links=self.chance.random() < 0.5)
        self.seen = Counter()
        self.late: list[tuple[int, PlaceAlgo]] = []
        self.side = self.chance.choice(list(Side))
        self.keys = 0

    def go(self) -> None:
        rig, chance = self.rig, self.chance
        rig.open_market()
        self.submit()
        deeds = [
            (
                12,
                lambda: rig.tick(
                    chance.choice([0.5, 1, 1, 5]), volume="50", move=str(chance.randint(-15, 15))
                ),
            ),
            (22, self.carry_out),
            (14, self.mail),
            (12, self.fills),
            (3, self.ends),
            (0.7, self.submit),
            (0.6, lambda: self.verb(PauseRequested)),
            (1.5, lambda: self.verb(ResumeRequested)),
            (0.3, lambda: self.verb(CancelRequested)),
            (0.3, lambda: rig.send(HaltRequested(at_ns=0, request_id="h", operator="o", reason="r"))),
            (0.8, lambda: rig.send(RearmRequested(at_ns=0, request_id="h", operator="o", reason="r"))),
            (0.3, lambda: rig.stream(Stream.PRIVATE, live=False)),
            (0.9, lambda: rig.stream(Stream.PRIVATE, live=True)),
            (5, self.late_arrives),
            (1.5, rig.settle),
            (1.6, self.restart),
        ]
        weights = [weight for weight, _ in deeds]
        for _ in range(70):
            chance.choices(deeds, weights)[0][1]()
            check_strategies(rig)
            self.look()
        self.late.clear()
        heal(rig, self.look)

    def submit(self) -> None:
        self.keys += 1
        chance = self.chance
        qty = chance.randint(100, 900) * D("0.001")
        self.rig.submit(
            chance.choice(["venue-twap", "venue-twap", "venue-iceberg"]),
            idempotency_key=f"k{self.keys}",
            order_qty=qty,
            side=self.side,
            duration_s=chance.choice([300, 400, 900]),
            residual=chance.choice(list(ResidualRule)),
            extend_s=30,
        )

    def verb(self, kind) -> None:
        names = list(self.rig.engine.state.parents)
        self.rig.send(kind(at_ns=0, request_id="v", parent_id=self.chance.choice(names)))

    def carry_out(self) -> None:
        if not self.rig.pending:
            return
        command = self.rig.pending.pop(self.chance.randrange(len(self.rig.pending)))
        fate = self.chance.choice(["answer"] * 4 + ["ack lost", "lost", "refused", "late"])
        if isinstance(command, PlaceAlgo) and fate == "late":
            self.late.append((self.rig.now_ns, command))
        if isinstance(command, PlaceAlgo | StopAlgo):
            self.seen[f"{type(command).__name__} {fate}"] += 1
        self.rig.carry_out(command, "lost" if fate == "late" else fate)

    def late_arrives(self) -> None:
        if self.late:
            sent_ns, command = self.late.pop()
            if self.rig.now_ns - sent_ns < self.rig.timings.recv_window_ms * 1_000_000:
                self.rig.venue.begin(command, now_ns=self.rig.now_ns)
                self.seen["late create"] += 1

    def fills(self) -> None:
        at_work = [entry for entry in self.rig.venue.strategies() if entry.is_open]
        if at_work:
            entry = self.chance.choice(at_work)
            whole = self.chance.random() < 0.1
            qty = entry.order.qty if whole else self.chance.randint(1, 60) * D("0.001")
            self.rig.venue.piece_fills(entry, qty, same_order=self.chance.random() < 0.3)

    def ends(self) -> None:
        at_work = [entry for entry in self.rig.venue.strategies() if entry.is_open]
        if at_work:
            self.seen["ended short"] += 1
            self.rig.venue.end(self.chance.choice(at_work))

    def mail(self) -> None:
        mail = self.rig.venue.mail
        if not mail:
            return
        event = mail[self.chance.randrange(len(mail))]
        fate = self.chance.choice(["deliver"] * 4 + ["twice", "drop", "keep"])
        if fate != "keep":
            mail.remove(event)
        for _ in range({"drop": 0, "twice": 2}.get(fate, 1)):
            self.rig.send(event)
        self.seen[f"fill {fate}"] += 1

    def restart(self) -> None:
        if self.rig.engine.state.held:
            self.seen["restart with a held fill"] += 1
        self.rig.restart()

    def look(self) -> None:
        state = self.rig.engine.state
        for child in state.children.values():
            self.seen[f"child {child.status}"] += 1
            if child.status is ChildStatus.REJECTED and child.detail == "proved absent":
                self.seen["absence proved"] += 1
        if state.held:
            self.seen["held"] += 1
        if any(parent.status is ParentStatus.COMPLETE for parent in state.parents.values()):
            self.seen["complete"] += 1


SOMETIMES = {
    "held",
    "complete",
    "absence proved",
    "ended short",
    "late create",
    "PlaceAlgo ack lost",
    "PlaceAlgo lost",
    "PlaceAlgo refused",
    "StopAlgo ack lost",
    "StopAlgo lost",
    "fill twice",
    "fill drop",
    "restart with a held fill",
    "child UNKNOWN",
    "child FILLED",
    "child CANCELED",
    "child PENDING_CANCEL",
}


def test_no_history_over_commits_loses_a_fill_or_sends_twice():
    seen: Counter = Counter()
    for seed in range(4_000 if os.environ.get("EXECUTOR_CAMPAIGN") == "full" else 32):
        walk = Walk(seed)
        try:
            walk.go()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        seen += walk.seen
        if seed % 10 == 0:
            again = Engine()
            for kind, (body, commands) in zip(walk.rig.kinds, walk.rig.journal, strict=True):
                assert record.encode_commands(again.on_event(record.decode_event(kind, body))) == commands
            assert record.encode_state(again.state) == record.encode_state(walk.rig.engine.state)
    assert not [what for what in sorted(SOMETIMES) if not seen[what]], seen
