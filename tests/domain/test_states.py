"""The two state tables as tables: complete, reasoned, reachable, and final where they say so."""

import pytest

from executor.domain.errors import InvariantViolation
from executor.domain.order_state import CHILD_FINAL, CHILD_MOVES, ChildStatus, check_child_move
from executor.domain.parent_state import PARENT_FINAL, PARENT_MOVES, ParentStatus, check_parent_move

TABLES = [
    pytest.param(
        ChildStatus, CHILD_MOVES, CHILD_FINAL, ChildStatus.PENDING_NEW, check_child_move, id="child"
    ),
    pytest.param(
        ParentStatus, PARENT_MOVES, PARENT_FINAL, ParentStatus.INITIALIZED, check_parent_move, id="parent"
    ),
]
EITHER = pytest.mark.parametrize(("statuses", "moves", "final", "first", "check"), TABLES)
LATE_FILL = {(ChildStatus.CANCELED, ChildStatus.FILLED)}


@EITHER
def test_every_status_has_a_row_and_every_row_names_statuses(statuses, moves, final, first, check):
    assert list(moves) == list(statuses)
    for source, targets in moves.items():
        assert targets.keys() <= set(statuses)
        assert source not in targets, "staying is no move"


@EITHER
def test_final_states_lead_nowhere_but_to_the_written_late_fill(statuses, moves, final, first, check):
    out_of_final = {(source, target) for source in final for target in moves[source]}
    assert out_of_final == (LATE_FILL if statuses is ChildStatus else set())
    assert all(moves[status] for status in set(statuses) - final), "what is not final must lead somewhere"


@EITHER
def test_final_never_becomes_open_again(statuses, moves, final, first, check):
    for source in final:
        assert set(moves[source]) <= final


@EITHER
def test_every_state_is_reached_from_the_first_and_leads_to_an_end(statuses, moves, final, first, check):
    def reached(start):
        found, to_visit = {start}, [start]
        while to_visit:
            for target in moves[to_visit.pop()].keys() - found:
                found.add(target)
                to_visit.append(target)
        return found

    assert reached(first) == set(statuses)
    for status in statuses:
        assert reached(status) & final


@EITHER
def test_every_reason_is_a_phrase_without_a_full_stop(statuses, moves, final, first, check):
    for targets in moves.values():
        for reason in targets.values():
            assert len(reason) >= 6
            assert reason == reason.strip()
            assert not reason.endswith(".")
            assert reason[0].islower()


@EITHER
def test_the_check_is_the_table(statuses, moves, final, first, check):
    for source in statuses:
        for target in statuses:
            if target in moves[source]:
                check(source, target)
            else:
                with pytest.raises(InvariantViolation, match=f"{source} to {target}"):
                    check(source, target)
