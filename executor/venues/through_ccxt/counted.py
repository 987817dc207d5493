"""How asking another venue went, counted where it is asked: for people to see, nothing is decided by it."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Counted:
    """What became of questions to one venue, since the process began.

    Parameters
    ----------
    answered, unanswered
        Questions with a whole answer, and with none.
    barred
        Times that it asked for fewer requests, or barred our address.
    read_ns
        When the last read was whole that began then, by what was read: `account`, `clock`, `market linear` and so on;
        UTC nanoseconds.
    """

    answered: int = 0
    unanswered: int = 0
    barred: int = 0
    read_ns: dict[str, int] = field(default_factory=dict)
