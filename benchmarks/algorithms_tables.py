"""What was measured, as Markdown; the sentences say what the intervals carry and no more."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from backtest.blocks import BLOCKS_MIN, Blocked, holm
from benchmarks.algorithms_cases import FOLLOWERS, POV_SHARE, POV_SHARES, Group
from benchmarks.algorithms_figures import (
    ADAPTIVE,
    LEARNED,
    PLAIN,
    TOLD,
    Completion,
    Judged,
    Measured,
    Row,
    Summed,
    shown,
)

BEGIN: Final = "<!-- measured: begin; `python -m benchmarks.algorithms` writes what follows -->"
END: Final = "<!-- measured: end -->"
BELIEVABLE_BPS: Final = 5.0
"""A difference of two ways to place the same schedule that is larger than this is a mistake until it is explained."""


def markdown(found: Measured) -> str:
    """Write all tables."""
    parts = [f"{found.parents:,} orders in all."]
    for one in found.summed:
        parts += [_cost(one), _tracking(one)]
    parts.append(_adaptive(found.summed))
    parts += [_completion(found.completions), _forecasts(found.judged), _bins(found.judged)]
    return "\n\n".join(part for part in parts if part) + "\n"


def placed(page: str, tables: str) -> str:
    """Put the tables between their marks.

    Raises
    ------
    ValueError
        If the page does not have both marks, in their order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for tables, between {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _cost(one: Summed) -> str:
    first = one.rows[0].cost
    parents = sorted({row.parents for row in one.rows})
    lines = [
        f"## Cost: {one.group}",
        f"{', '.join(one.cases)}; orders of {one.duration_s} s. {one.moments} moments, both sides:"
        f" {' to '.join(map(str, parents))} orders of each algorithm"
        + (f"; {one.left_out} moments are left out of the costs, as not every algorithm has one" * bool(one.left_out))
        + f". Up to {one.overlap} moments live at the same time; all is worth {first.blocks} blocks.",
        _table(
            ("algorithm", "cost, bps", "95 % interval", f"less {PLAIN}, bps", "95 % interval", "p (Holm)",
             "complete", "filled", "waited", "participation", "fills by queue model"),
            (_cost_cells(row) for row in one.rows),
        ),
        _verdict(one),
        "Mean cost in each recording, bps:",
        _table(
            ("algorithm", *one.cases),
            ((row.algorithm, *(f"{row.by_case[case]:+.3f}" if case in row.by_case else "" for case in one.cases))
             for row in one.rows),
        ),
    ]  # fmt: skip
    return "\n\n".join(lines)


def _cost_cells(row: Row) -> tuple[str, ...]:
    less = row.less_plain
    return (
        row.algorithm,
        f"{row.cost.mean:+.3f}",
        _interval(row.cost),
        "" if less is None else f"{less.mean:+.3f}",
        "" if less is None else _interval(less),
        "" if row.p_holm is None or less is None or not less.can_show else f"{row.p_holm:.4f}",
        f"{100 * row.complete / row.parents:.1f} %",
        f"{100 * row.filled:.1f} %",
        "" if row.maker_share is None else f"{100 * row.maker_share:.0f} %",
        "" if row.participation_pct is None else f"{row.participation_pct:.2f} %",
        f"{100 * row.guessed:.0f} %",
    )


def _verdict(one: Summed) -> str:
    less = {row.algorithm: row.less_plain for row in one.rows if row.less_plain is not None}
    found = {row.algorithm for row in one.rows if shown(row)}
    cheaper = [name for name, each in less.items() if name in found and each.mean < 0]
    dearer = [name for name, each in less.items() if name in found and each.mean > 0]
    equal = [name for name, each in less.items() if not each.mean and not each.standard_error]
    rest = [name for name in less if name not in {*cheaper, *dearer, *equal}]
    said = {
        f"Shown to be cheaper than {PLAIN}, all tests of the table together": cheaper,
        "Shown to be dearer": dearer,
        f"The same cost as {PLAIN} to the last digit": equal,
        "No difference can be shown": rest,
    }
    return " ".join(f"{what}: {', '.join(names) or 'none'}." for what, names in said.items())


def _adaptive(found: Sequence[Summed]) -> str:
    """Tell the one comparison that was chosen beforehand, in every group; p allows for the number of groups."""
    pairs = [(one, row, row.less_plain) for one in found for row in one.rows if row.algorithm == ADAPTIVE]
    known = [(one, row, less) for one, row, less in pairs if less is not None]
    if not known:
        return ""
    adjusted = holm([less.p for _, _, less in known])
    columns = (
        "group",
        f"{ADAPTIVE} less {PLAIN}, bps",
        "95 % interval",
        "pairs",
        "blocks",
        "p",
        "p (Holm)",
        "seen if",
    )
    rows = (
        (
            one.group, f"{less.mean:+.3f}", _interval(less), str(less.count), str(less.blocks), f"{less.p:.4f}",
            f"{p_holm:.4f}", "" if less.smallest is None else f"{less.smallest:.2f}",
        )
        for (one, _, less), p_holm in zip(known, adjusted, strict=True)
    )  # fmt: skip
    said = [
        f"- {one.group}: {_conclusion(less, p_holm)}"
        f" By recording: {', '.join(f'{case} {mean:+.3f}' for case, mean in row.less_by_case.items())}."
        for (one, row, less), p_holm in zip(known, adjusted, strict=True)
    ]
    heading = (
        f"## {ADAPTIVE.capitalize()} placement against a plain {PLAIN}\n\nPair by pair: both sides of a moment, the"
        " same instant. *Seen if*: the true difference, bps, that would be seen four times in five."
    )
    return "\n\n".join((heading, _table(columns, rows), "\n".join(said)))


def _conclusion(less: Blocked, p_holm: float) -> str:
    if abs(less.mean) > BELIEVABLE_BPS:
        return f"more than {BELIEVABLE_BPS:g} bps is not believable: look for what knew the future."
    if not less.can_show:
        return f"with fewer than {BLOCKS_MIN} blocks nothing can be shown."
    if less.low <= 0 <= less.high or p_holm >= 1 - less.confidence:
        return "no difference can be shown."
    word = "cheaper" if less.mean < 0 else "dearer"
    least = min(abs(less.low), abs(less.high))
    return f"adaptive placement was {word} in these recordings, by {least:.3f} bps at least."


def _tracking(one: Summed) -> str:
    rows = [row for row in one.rows if row.algorithm in FOLLOWERS and row.tracking_pct is not None]
    if not rows:
        return ""
    share = POV_SHARES.get(Group(one.group), POV_SHARE)
    heading = (
        f"Against the market's volume, {one.group}: tracking error over the slices, and own share of all that traded"
        f" until the order was done or its time was over (pov aims at {100 * float(share):g} %):"
    )
    columns = ("algorithm", "tracking error, per cent of the order", "own share")
    cells = ((row.algorithm, f"{row.tracking_pct:.1f}", f"{row.share_pct:.2f} %") for row in rows)
    return f"{heading}\n\n{_table(columns, cells)}"


def _completion(found: Sequence[Completion]) -> str:
    lines = [
        "## Completion, recording by recording",
        _table(
            ("recording", "orders of", "orders", "ended", "filled", "short"),
            (
                (one.case, one.group, str(one.parents), _ended(one), f"{100 * one.filled:.1f} %" if one.parents else "",
                 _short(one))
                for one in found
            ),
        ),
    ]  # fmt: skip
    return "\n\n".join(lines)


def _ended(one: Completion) -> str:
    if one.refused:
        return f"none can be worked: {one.refused.partition(';')[0]}"
    ends = [f"{count} {name}" for name, count in sorted(one.statuses.items(), key=lambda each: -each[1])]
    return ", ".join(ends + [f"{count} without a cost ({why})" for why, count in one.unmeasured.items()])


def _short(one: Completion) -> str:
    if one.short and not any(share for _, share in one.short.values()):
        return "nothing was filled of these, by whatever algorithm"
    return ", ".join(
        f"{name} {count} (filled {100 * share:.0f} %)" for name, (count, share) in one.short.items()
    )


def _forecasts(found: Sequence[Judged]) -> str:
    if not found:
        return ""
    told = {(one.group, one.algorithm): one for one in found if one.how == TOLD}
    learned = {(one.group, one.algorithm): one for one in found if one.how == LEARNED}
    columns = (
        "group", "algorithm", "orders", "realised, bps", "as told, bps", "bias, 95 % interval", "inside 95 %",
        "took before", "learned, bps", "bias, 95 % interval", "inside 95 %", "factor", "inside, widened",
    )  # fmt: skip
    rows = (_judged_cells(told[key], learned[key]) for key in told if key in learned)
    return f"## Predicted against realised cost\n\n{_table(columns, rows)}"


def _judged_cells(told: Judged, learned: Judged) -> tuple[str, ...]:
    return (
        told.group,
        told.algorithm,
        str(told.scored),
        f"{told.realised_bps:+.2f}",
        f"{told.predicted_bps:+.2f}",
        _bias(told),
        _inside(told.inside),
        "" if learned.crossing is None else f"{100 * learned.crossing:.0f} %",
        f"{learned.predicted_bps:+.2f}",
        _bias(learned),
        _inside(learned.inside),
        "" if learned.wider is None else f"{learned.wider:.2f}",
        "" if learned.inside_wider is None else _inside(learned.inside_wider),
    )


def _bias(one: Judged) -> str:
    interval = _interval(one.bias, digits=2)
    return f"{one.bias.mean:+.2f} ({interval})" if interval else f"{one.bias.mean:+.2f}"


def _inside(found: Blocked) -> str:
    """Write a share with its interval, which ends at none and at all."""
    share = f"{100 * found.mean:.0f} %"
    if not found.can_show:
        return share
    return f"{share} ({100 * max(found.low, 0.0):.0f} to {100 * min(found.high, 1.0):.0f})"


def _bins(found: Sequence[Judged]) -> str:
    parts = []
    for one in found:
        if one.algorithm == "all" and one.how == LEARNED and one.bins:
            columns = ("orders", "predicted, bps", "realised, bps")
            cells = (
                (str(each.count), f"{each.predicted_bps:+.2f}", f"{each.realised_bps:+.2f}")
                for each in one.bins
            )
            heading = f"Calibration, {one.group}: all strategies, crossing learned, in groups by what was predicted."
            parts.append(f"{heading}\n\n{_table(columns, cells)}")
    return "\n\n".join(parts)


def _interval(found: Blocked, digits: int = 3) -> str:
    return f"{found.low:+.{digits}f} to {found.high:+.{digits}f}" if found.can_show else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_lines(columns, rows))


def _lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
