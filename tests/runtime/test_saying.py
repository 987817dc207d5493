"""Lines of the log: the first refusal is said, the same ones after it are counted."""

from executor.domain.approval import Approved
from executor.domain.commands import PlaceOrder, PublishMove, RefuseOrder
from executor.domain.parent_state import ParentStatus, Reason
from executor.runtime.saying import Teller
from tests.builders import new_order


def refuse(*codes, parent="P1"):
    return RefuseOrder(parent_id=parent, client_order_id="x", codes=codes, detail="the book moved")


def told(*commands):
    lines = []
    teller = Teller(
        lambda message, **fields: lines.append((message, fields.get("codes"), fields.get("times")))
    )
    for command in commands:
        teller.say(command)
    return lines


PLACED = PlaceOrder(approved=Approved(order=new_order(parent_id="P1"), ticket=1, halt_epoch=0))


def test_a_refusal_is_said_once_then_counted_and_the_count_is_told_when_something_else_happens():
    lines = told(*[refuse("SPREAD_WIDE")] * 7, PLACED, refuse("SPREAD_WIDE"))
    assert lines == [
        ("order refused", "SPREAD_WIDE", None),
        ("order refused again", "SPREAD_WIDE", 6),
        ("order sent", None, None),
        ("order refused", "SPREAD_WIDE", None),
    ]


def test_other_reasons_are_said_and_so_are_those_of_another_parent():
    lines = told(
        refuse("A"), refuse("A"), refuse("B"), refuse("A", parent="P2"), refuse("B"),
        PublishMove(
            parent_id="P1", source=ParentStatus.EXECUTING, target=ParentStatus.PAUSED, reason=Reason.BOOK_LOST
        ),
    )  # fmt: skip
    assert [line for line in lines if line[0] != "parent moved"] == [
        ("order refused", "A", None),
        ("order refused again", "A", 1),
        ("order refused", "B", None),
        ("order refused", "A", None),
        ("order refused again", "B", 1),
    ]


def test_a_flood_is_told_ever_more_rarely():
    lines = told(*[refuse("A")] * 2_500)
    assert lines == [
        ("order refused", "A", None),
        *(("order refused again", "A", n) for n in (10, 100, 1_000)),
    ]
