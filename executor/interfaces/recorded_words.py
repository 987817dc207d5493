"""What orders in recorded books came to, for people; no figure without what it rests on."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from backtest.beside import many
from backtest.contest import Contest, Duel
from backtest.recorded import Worked
from backtest.results import NOBODY
from executor.domain.units import BPS_PER_UNIT

EACH_MAX: Final = 24
"""Up to so many orders are told one by one."""
_SHORT: Final = {"unfilled": "without any fill", "partly_filled": "filled in part"}


def run_words(record: Mapping[str, object], all_worked: Sequence[Worked]) -> str:
    """Tell of a run."""
    lines = [*_heading(record), ""]
    if len(all_worked) <= EACH_MAX:
        lines += [_order_line(one) for one in all_worked]
    else:
        lines.append(f"{len(all_worked)} orders; --out keeps every one of them")
    lines += ["", f"cost           {_cost_words(record['arrival_shortfall_bps'])}"]
    if _fields(record["advice"])["questions"]:
        lines.append(f"advice         {_advice_words(record['advice'])}")
    if record["impact_model_bps"] is not None:
        lines.append(f"impact model   {_impact_words(record['impact_model_bps'])}")
    if _fields(record["funding"])["orders_charged"]:
        lines.append(f"funding        {_funding_words(record['funding'])}")
    lines.append(f"fills          {_grounds_words(record['fills_by_ground'])}")
    return "\n".join([*lines, *_closing(record)])


def contest_words(record: Mapping[str, object], found: Contest) -> str:
    """Tell of a comparison of policies."""
    recordings = record["recordings"]
    assert isinstance(recordings, list), "recordings are listed"
    lines = [line for one in recordings for line in _heading(one)]
    lines.append("")
    of_contest = _fields(record["contest"])
    filled = _fields(of_contest["filled"])
    lines += [
        f"{name:<14} {found.mean_bps(name):+.3f} bps mean cost{_filled_words(filled[name])}"
        for name in found.costs
    ]
    for key, words in (("impact_model_bps", _impact_words), ("funding", _funding_words)):
        for name, one in _fields(of_contest[key]).items():
            if one is not None and _fields(one).get("orders_charged", 1):
                lines.append(f"{name:<14} {words(one)}")
    lines.append("")
    for duel in found.duels:
        lines += [_duel_line(duel), f"{'':<14} {_meaning(duel)}"]
    one = found.duels[0].found
    lines += [
        "",
        (
            f"moments        {len(found.moments)} that every policy ended, {found.left_out} left out; both sides of"
            " one count once"
        ),
        (
            f"blocks         worth {one.blocks} of {one.block} moments each, as neighbours are not independent"
            f" ({found.overlap} live at the same time)"
        ),
        f"tests          {len(found.duels)}: p is Holm's, which allows for all of them; p alone in brackets",
    ]
    lines.append(f"fills          {_grounds_words(record['fills_by_ground'])}")
    return "\n".join([*lines, *_closing(record)])


def _duel_line(duel: Duel) -> str:
    found = duel.found
    name = f"{duel.first} - {duel.second}"
    return (
        f"{name:<14} {found.mean:+.3f} bps, {found.confidence:.0%} interval {found.low:+.3f} to {found.high:+.3f},"
        f" standard error {found.standard_error:.3f}, p {_p(duel.p_holm)} ({_p(found.p)})"
    )


def _meaning(duel: Duel) -> str:
    found, winner = duel.found, duel.winner
    if found.smallest is None:
        return (
            f"with {many(found.blocks, 'block')} no difference of any size can be shown: a longer recording, or more of"
            " them"
        )
    power = f"a true difference of {found.smallest:.3f} bps would be shown with a probability of {found.power:.0%}"
    if winner is not None:
        return f"{winner} is cheaper here; {power}"
    return f"no difference can be shown; {power}"


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"= {value:.4f}"


def _heading(record: Mapping[str, object]) -> list[str]:
    data, terms = _fields(record["recording"]), _fields(record["conditions"])
    queue = "order by order" if data["order_by_order"] else terms["queue_model"]
    fees = " and ".join(
        f"{float(str(terms[f'{kind}_fee_rate'])) * float(BPS_PER_UNIT):g} ({kind})"
        for kind in ("maker", "taker")
    )
    lines = [
        f"{data['venue']} {data['category']} {data['symbol']}, recorded {data['from']} to {data['to']}",
        _asked_words(_fields(terms["order"])),
        (
            f"queue {queue}; fees {fees} bps; latency: feed {terms['latency_feed']}{_clock_words(terms)}, orders"
            f" {terms['latency_order']}, responses {terms['latency_response']}"
        ),
        (
            f"venue: {_or_none(terms['requests_per_s'], 'requests of a kind a second')}, price band"
            f" {_or_none(terms['price_band_bps'], 'bps')}, prints up to {terms['print_lag_ms']} ms late; warm-up"
            f" {terms['warmup_s']} s"
        ),
    ]
    if terms["adviser"] != NOBODY:
        lines.append(
            f"adviser {terms['adviser']}: model {terms['adviser_model']}, asked every {terms['adviser_interval_s']} s,"
            f" {terms['adviser_deadline_ms']} ms for an answer"
        )
    return lines


def _asked_words(order: Mapping[str, object]) -> str:
    """What was ordered; a baseline puts in its own slices."""
    if not order:
        return "no orders"
    sides, policies = order["sides"], order["policies"]
    assert isinstance(sides, list), "sides are listed"
    assert isinstance(policies, list), "policies are listed"
    slices = f" in slices of {order['interval_s']} s" if "interval_s" in order else ""
    every = "" if order["every_s"] is None else f", every {order['every_s']} s"
    extension = f" by {order['extend_s']} s at most" if order["extend_s"] else ""
    return (
        f"orders: {' and '.join(sides)} {order['qty']} in {order['duration_s']} s{every}, by"
        f" {', '.join(policies)}{slices}, urgency {order['urgency']}, residual {order['residual']}{extension}"
    )


def _clock_words(terms: Mapping[str, object]) -> str:
    """How far the receiver's clock was moved, where it was."""
    moved = _fields(terms["receiver_clock_moved_ms"])
    if not any(moved.values()):
        return ""
    days = ", ".join(f"{float(str(ms)):+.1f} ms on {day}" for day, ms in moved.items())
    return f" with the receiver's clock moved ({days})"


def _or_none(value: object, unit: str) -> str:
    return f"{value} {unit}" if value else "none"


def _order_line(worked: Worked) -> str:
    name = f"{worked.errand.name:<22}"
    if worked.drive is None:
        return f"{name} no end: {worked.failure}"
    report = worked.drive.reports[0]
    facts = report.facts
    maker = "" if report.maker_share is None else f", {report.maker_share:.0%} of it waited"
    return (
        f"{name} {facts.cum_qty:f} of {facts.order_qty:f} in {many(len(worked.fills), 'fill')}{maker};"
        f" cost {worked.drive.cost_bps:+.3f} bps, average {_px(report.avg_px)}"
        f" against {_px(facts.arrival_px)} at arrival{_beside(worked)}"
    )


def _beside(worked: Worked) -> str:
    """What one order has beside its cost."""
    told = ""
    if worked.impact is not None and worked.impact.estimate is not None:
        told += f"; impact model {worked.impact.estimate.estimate_bps:+.3f} bps"
    if worked.funding:
        told += f"; funding {_px(worked.funding)} quote units"
    return told


def _px(px: Decimal | None) -> str:
    return "-" if px is None else f"{round(px, 8).normalize():f}"


def _cost_words(cost: object) -> str:
    if cost is None:
        return "not to be told: no order came to an end that can be measured"
    found = _fields(cost)
    text = (
        f"{found['mean']:+.3f} bps of the value at arrival, mean of {_many(found['orders'], 'order')}, fees"
        f" included{_filled_words(found)}"
    )
    if "low" not in found:
        return text
    return f"{text}; {found['confidence']:.0%} interval {found['low']:+.3f} to {found['high']:+.3f}"


def _filled_words(found: object) -> str:
    """How much of a mean is not of whole orders."""
    told = _fields(found)
    parts = [f"{told[name]} {words}" for name, words in _SHORT.items() if told[name]]
    return f" ({', '.join(parts)})" if parts else ""


def _advice_words(found: object) -> str:
    told = _fields(found)
    outcomes = ", ".join(f"{name} {count}" for name, count in _fields(told["outcomes"]).items())
    questions = _many(told["questions"], "question")
    return f"{questions}, {told['sent']} of them sent: {outcomes}; bill {Decimal(str(told['bill'])):.4f} US dollars"


def _impact_words(found: object) -> str:
    told = _fields(found)
    if told["mean"] is None:
        return "the impact model can say nothing; the warnings say why"
    unknown = f"; {_many(told['unknown'], 'order')} without it" if told["unknown"] else ""
    return (
        f"{told['mean']:+.3f} bps beside the cost by the impact model, plausible {told['low']:+.3f} to"
        f" {told['high']:+.3f}{unknown}"
    )


def _funding_words(found: object) -> str:
    told = _fields(found)
    mean = (
        "of no order with a value at arrival" if told["mean_bps"] is None else f"{told['mean_bps']:+.4f} bps"
    )
    charged = _many(told["orders_charged"], "order")
    return f"{mean} beside the cost for holding (below zero: received); {charged} charged"


def _many(count: object, noun: str) -> str:
    assert isinstance(count, int), "what is counted is whole"
    return many(count, noun)


def _grounds_words(grounds: object) -> str:
    counted = _fields(grounds)
    return ", ".join(f"{name} {_fields(one)['fills']}" for name, one in counted.items()) or "none"


def _closing(record: Mapping[str, object]) -> list[str]:
    warnings = record["warnings"]
    assert isinstance(warnings, list), "warnings are listed"
    return [*(f"WARNING        {one}" for one in warnings), str(record["note"])]


def _fields(value: object) -> dict[str, object]:
    assert isinstance(value, dict), "a record has fields"
    return value
