"""What a run over recorded books came to, as plain values and as files; the same run writes the same bytes.

Nothing of the machine it ran on is in it: no clock, no path, no speed.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from math import fsum
from pathlib import Path
from typing import Final

import msgspec

from backtest.beside import charged_record, funding_record, impact_record, impact_warnings, many, printed_bps
from backtest.blocks import BLOCKS_MIN, FEW_BLOCKS, blocked, usual_block
from backtest.contest import MOMENTS_MIN, Contest, Duel, overlap_of
from backtest.dataset.store import DAY_NS, day_of
from backtest.grounds import MODEL_NAMES, Ground, warning
from backtest.policies import BASELINES
from backtest.recorded import Conditions, Worked
from backtest.recording import Recording
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_MS, iso_utc
from executor.domain.units import ZERO, plain
from impact.models import NO_MODEL
from impact.shortfall import as_json
from simulation.replay.terms import Delay

NOTE: Final = (
    "A simulation: the recorded market does not react to these orders, and nobody saw them. docs/backtest.md says how"
    " backtest and live differ."
)
NOBODY: Final = "none"
"""Name of the adviser where nobody is asked."""
_PLACES: Final = 24
_CHOICES: Final = (
    "participation", "participation_max", "display_qty", "display_randomize_pct", "peg", "peg_offset_ticks",
    "reprices_max", "chase_bps_max", "give_up", "trigger_px", "trigger_qty", "risk_aversion",
    "session_weights", "wrappers",
)  # fmt: skip
"""Parameters that only some strategies read: told where they are given."""
SUMMARY: Final = "summary.json"
PARENTS: Final = "parents.csv"
TRADES: Final = "trades.csv"
_PARENT_COLUMNS: Final = (
    "name", "number", "start", "side", "policy", "status", "reason", "order_qty", "cum_qty", "arrival_px", "avg_px",
    "arrival_shortfall_bps", "vwap_slippage_bps", "spread_captured_bps", "fees_bps", "maker_share",
    "participation_pct", "orders_sent", "fills", "queue_model_fills", "funding_quote", "funding_bps",
    "impact_model_bps", "impact_model_low_bps", "impact_model_high_bps", "impact_model_unknown", "failure",
)  # fmt: skip
_TRADE_COLUMNS: Final = (
    "name", "exec_id", "time", "ts_exchange_ns", "client_order_id", "side", "qty", "px", "value", "value_unit", "fee",
    "liquidity", "ground",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was worked in one recording, and on which terms.

    Parameters
    ----------
    every_s
        Time from one moment to the next; None for a single one.
    """

    recording: Recording
    conditions: Conditions
    worked: Sequence[Worked]
    every_s: int | None


def recording_record(recording: Recording) -> dict[str, object]:
    """Describe the data."""
    stream = recording.stream
    return {
        "venue": stream.venue,
        "category": stream.category,
        "symbol": stream.symbol,
        "from": iso_utc(recording.first_ns),
        "to": iso_utc(recording.last_ns),
        "days": [day.day.isoformat() for day in recording.days],
        "tick_size": plain(recording.rules.tick_size),
        "qty_step": plain(recording.rules.qty_step),
        "rules_assumed": list(recording.assumed),
        "faults": {
            day: [f"{count} x {name}" for name, count in found.items()]
            for day, found in recording.faults.items()
        },
        "receive_times_known": recording.recv_known,
        "order_by_order": recording.has_orders,
    }


def conditions_record(run: Run) -> dict[str, object]:
    """Describe what was ordered, and on which terms it was traded."""
    recording, conditions = run.recording, run.conditions
    terms, adviser = conditions.terms, conditions.adviser
    clocks = list(zip(recording.days, recording.clocks, strict=True)) if recording.clocks else []
    record: dict[str, object] = {
        "order": order_record(run),
        "queue_model": MODEL_NAMES[terms.queue_model],
        "latency_feed": delay_words(terms.feed),
        "latency_order": delay_words(terms.entry),
        "latency_response": delay_words(terms.answer),
        "receiver_clock_moved_ms": {str(day.day): clock.moved_ns / NS_PER_MS for day, clock in clocks},
        "received_before_sent_pct": {str(day.day): round(clock.early_pct, 2) for day, clock in clocks},
        "quickest_message_ms": {str(day.day): clock.quickest_ns / NS_PER_MS for day, clock in clocks},
        "maker_fee_rate": plain(conditions.charges.maker_fee_rate),
        "taker_fee_rate": plain(conditions.charges.taker_fee_rate),
        "requests_per_s": terms.requests_per_s_max,
        "price_band_bps": terms.price_band_bps,
        "print_lag_ms": terms.print_lag_ns // NS_PER_MS,
        "book_conflated_ms": terms.conflate_ns // NS_PER_MS,
        "warmup_s": conditions.warmup_s,
        "over_gaps": conditions.over_gaps,
        "impact_model": NO_MODEL if conditions.impact is None else conditions.impact.name,
        "seed": conditions.seed,
        "adviser": conditions.adviser_name or NOBODY,
    }
    if adviser is not None:
        record |= {
            "adviser_model": adviser.model,
            "adviser_interval_s": adviser.interval_s,
            "adviser_deadline_ms": adviser.deadline_ms,
            "adviser_template_sha256": adviser.template_sha256,
        }
    return record


def order_record(run: Run) -> dict[str, object]:
    """Describe what was ordered; what policies draw for each order, or put in, is told by their names."""
    orders = [one.errand.order for one in run.worked]
    if not orders:
        return {}
    first = orders[0]
    params = {one.errand.order.params for one in run.worked if one.errand.policy not in BASELINES}
    told: dict[str, object] = {
        "sides": list(dict.fromkeys(order.side.name.lower() for order in orders)),
        "qty": plain(first.order_qty),
        "duration_s": first.duration_s,
        "every_s": run.every_s,
        "policies": list(dict.fromkeys(one.errand.policy for one in run.worked)),
        "urgency": first.urgency.value,
        "residual": first.residual.value,
        "extend_s": first.extend_s,
    }
    if len(params) == 1:
        (only,) = params
        told |= {
            "interval_s": only.interval_s,
            "randomize_size_pct": only.randomize_size_pct,
            "randomize_timing_pct": only.randomize_timing_pct,
            "catch_up": only.catch_up,
            "catch_up_max": plain(only.catch_up_max),
            "passiveness": None if only.passiveness is None else plain(only.passiveness),
            "reprice_ticks": only.reprice_ticks,
            **({} if only.curve is None else {"curve": only.curve.name}),
            **{name: str(value) for name in _CHOICES if (value := getattr(only, name)) not in (None, ())},
        }
    return told


def delay_words(delay: Delay) -> str:
    """Say how long one way of the wire takes."""
    if delay.measured:
        return "measured"
    if delay.samples_ns:
        return "one of " + ", ".join(f"{ns / NS_PER_MS:g}" for ns in delay.samples_ns) + " ms"
    return f"{delay.constant_ns / NS_PER_MS:g} ms"


def worked_record(worked: Worked) -> dict[str, object]:
    """What one order came to: its cost report, and on what its fills rest."""
    errand = worked.errand
    report = {} if worked.report is None else as_json(worked.report)
    return {
        "name": errand.name,
        "number": errand.number,
        "start": iso_utc(errand.start_ns),
        "policy": errand.policy,
        "failure": worked.failure,
        "fills": len(worked.fills),
        "fills_by_ground": grounds_record([worked]),
        "venue_state": f"{worked.state_hash:016x}",
        "funding_quote": plain(_tidy(worked.funding)),
        "funding_bps": None if worked.funding_bps is None else printed_bps(worked.funding_bps),
        **impact_record(worked),
        "questions": {} if worked.drive is None else dict(sorted(worked.drive.outcomes.items())),
        "report": report,
    }


def grounds_record(all_worked: Sequence[Worked]) -> dict[str, dict[str, str | int]]:
    """Count fills, and sum up their quantity, by what they rest on."""
    counts, qty = Counter[Ground](), dict.fromkeys(Ground, ZERO)
    for one in all_worked:
        for fill, ground in one.fills:
            counts[ground] += 1
            qty[ground] += fill.last_qty
    return {
        ground.value: {"fills": counts[ground], "qty": plain(qty[ground])}
        for ground in Ground
        if counts[ground]
    }


def cost_record(all_worked: Sequence[Worked], every_s: int | None) -> dict[str, object] | None:
    """Mean cost of all orders that came to an end, with its interval where there are enough moments; basis points."""
    by_moment: dict[int, list[float]] = {}
    for one in all_worked:
        if one.drive is not None:
            by_moment.setdefault(one.errand.number, []).append(float(one.drive.cost_bps))
    if not by_moment:
        return None
    means = [fsum(costs) / len(costs) for _, costs in sorted(by_moment.items())]
    record: dict[str, object] = {
        "orders": sum(map(len, by_moment.values())),
        "mean": fsum(means) / len(means),
        **filled_record(all_worked),
    }
    if every_s is not None and len(means) >= MOMENTS_MIN:
        found = blocked(means, usual_block(len(means), overlap_of(all_worked, every_s)))
        record |= {"blocks": found.blocks, "block": found.block}
        if found.can_show:
            record |= {
                "low": found.low,
                "high": found.high,
                "confidence": found.confidence,
                "standard_error": found.standard_error,
            }
    return record


def filled_record(all_worked: Sequence[Worked]) -> dict[str, object]:
    """How many of the orders in a mean have no fill at all, and how many only a part."""
    facts = [one.drive.reports[0].facts for one in all_worked if one.drive is not None]
    unfilled = sum(not one.cum_qty for one in facts)
    short = sum(one.cum_qty < one.order_qty and not one.leaves_is_dust for one in facts)
    return {"unfilled": unfilled, "partly_filled": short - unfilled}


def advice_record(all_worked: Sequence[Worked]) -> dict[str, object]:
    """What was asked, what became of it, and what it cost, US dollars at the prices of the terms."""
    drives = [one.drive for one in all_worked if one.drive is not None]
    outcomes = sum((Counter(one.outcomes) for one in drives), Counter[str]())
    return {
        "questions": outcomes.total(),
        "sent": sum(one.calls for one in drives),
        "outcomes": dict(sorted(outcomes.items())),
        "bill": plain(sum((one.bill for one in drives), ZERO)),
    }


def warnings(runs: Sequence[Run]) -> list[str]:
    """Everything that a reader must know before believing the figures."""
    told = []
    all_worked = [one for run in runs for one in run.worked]
    conditions = runs[0].conditions
    model = MODEL_NAMES[conditions.terms.queue_model]
    modelled = warning((ground for one in all_worked for _, ground in one.fills), model)
    if modelled is not None:
        told.append(modelled)
    told += [text for run in runs for text in _of_recording(run)]
    told += impact_warnings(all_worked, conditions.impact)
    failed = sum(one.drive is None for one in all_worked)
    if failed:
        told.append(
            f"{failed} of {many(len(all_worked), 'order')} came to no end that can be measured; they are in no mean"
        )
    filled = filled_record(all_worked)
    if any(filled.values()):
        told.append(
            f"{filled['unfilled']} of {many(len(all_worked), 'order')} have no fill at all and"
            f" {filled['partly_filled']} only a part: in the means, what was not filled counts at the mid at the"
            " order's end, without spread and fee, as if not trading were free"
        )
    late = sum(one.ended_ns > run.recording.last_ns for run in runs for one in run.worked)
    if late:
        told.append(
            f"{late} of {many(len(all_worked), 'order')} were still at work when the recording ended: after that"
            " nobody trades and no book moves"
        )
    needed_s = conditions.timings.volatility_warmup_s
    if conditions.warmup_s < needed_s:
        told.append(
            f"a warm-up of {conditions.warmup_s} s is shorter than the {needed_s} s after which the engine knows"
            " volatility and volume: an order waits for them, and its arrival is later than its start"
        )
    return told


def _of_recording(run: Run) -> list[str]:
    """What must be known of one recording."""
    one = run.recording
    name = f"{one.rules.symbol} ({one.stream.category})"
    told = []
    if one.assumed:
        told.append(f"the source does not say {', '.join(one.assumed)} of {name}: assumed")
    told += [
        f"the check of {name} found {', '.join(f'{count} x {fault}' for fault, count in found.items())} on {day}; times"
        " that it doubts are put between their neighbours'; `executor data check` tells where"
        for day, found in one.faults.items()
    ]
    told += [
        f"the receiver's clock of {name} was behind: on {day.day} {clock.early_pct:.0f} % of the rows were received"
        f" before they were sent; it is moved by {clock.moved_ns / NS_PER_MS:+.1f} ms, so that the quickest messages"
        f" take {clock.quickest_ns / NS_PER_MS:g} ms; what they really took nobody knows (--latency-feed)"
        for day, clock in zip(one.days, one.clocks, strict=False)
        if clock.was_behind and clock.moved_ns
    ]
    return told


def few_blocks(record: Mapping[str, object] | None) -> list[str]:
    """Say that an interval rests on few blocks."""
    blocks = None if record is None else record.get("blocks")
    if not isinstance(blocks, int) or blocks >= FEW_BLOCKS:
        return []
    return [
        (
            f"FEW BLOCKS: all is worth {many(blocks, 'block')} only: "
            + (
                "that makes no interval"
                if blocks < BLOCKS_MIN
                else "the interval is as wide as Student's distribution makes it, and right where means of blocks are"
                " close to normal"
            )
        )
    ]


def run_record(run: Run) -> dict[str, object]:
    """Everything about a run."""
    cost = cost_record(run.worked, run.every_s)
    return {
        "recording": recording_record(run.recording),
        "conditions": conditions_record(run),
        "orders": len(run.worked),
        "failed": sum(one.drive is None for one in run.worked),
        "arrival_shortfall_bps": cost,
        "impact_model_bps": charged_record(run.worked),
        "funding": funding_record(run.worked),
        "advice": advice_record(run.worked),
        "fills_by_ground": grounds_record(run.worked),
        "warnings": [*warnings([run]), *few_blocks(cost)],
        "note": NOTE,
        "parents": [worked_record(one) for one in run.worked],
    }


def contest_record(found: Contest, runs: Sequence[Run]) -> dict[str, object]:
    """Everything about a comparison of policies; costs are basis points of the value at arrival."""
    all_worked = [one for run in runs for one in run.worked]
    moments = frozenset(found.moments)
    compared = {
        name: [one for one in all_worked if one.errand.policy == name and one.errand.number in moments]
        for name in found.costs
    }
    numbers = [number for number, length in enumerate(found.lengths, start=1) for _ in range(length)]
    pairs = [_duel_record(duel) for duel in found.duels]
    return {
        "recordings": [
            {"recording": recording_record(run.recording), "conditions": conditions_record(run)}
            for run in runs
        ],
        "orders": len(all_worked),
        "failed": sum(one.drive is None for one in all_worked),
        "contest": {
            "moments": len(found.moments),
            "moments_left_out": found.left_out,
            "overlap": found.overlap,
            "mean_cost_bps": {name: found.mean_bps(name) for name in found.costs},
            "filled": {name: filled_record(one) for name, one in compared.items()},
            "impact_model_bps": {name: charged_record(one) for name, one in compared.items()},
            "funding": {name: funding_record(one) for name, one in compared.items()},
            "tests": len(found.duels),
            "pairs": pairs,
            "each": [
                {
                    "number": number,
                    "recording": recording,
                    **{name: costs[i] for name, costs in found.costs.items()},
                }
                for i, (number, recording) in enumerate(zip(found.moments, numbers, strict=True))
            ],
        },
        "fills_by_ground": grounds_record(all_worked),
        "warnings": [*warnings(runs), *few_blocks(pairs[0])],
        "note": NOTE,
        "parents": [worked_record(one) for one in all_worked],
    }


def _duel_record(duel: Duel) -> dict[str, object]:
    found = duel.found
    return {
        "first": duel.first,
        "second": duel.second,
        "cheaper": duel.winner,
        "mean": found.mean,
        "low": found.low,
        "high": found.high,
        "confidence": found.confidence,
        "standard_error": found.standard_error,
        "p": found.p,
        "p_holm": duel.p_holm,
        "smallest_shown": found.smallest,
        "power": found.power,
        "blocks": found.blocks,
        "block": found.block,
        "degrees": found.degrees,
    }


def write_results(folder: Path, record: dict[str, object], all_worked: Sequence[Worked]) -> None:
    """Write summary, orders and trades into a folder that is there."""
    (folder / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    (folder / PARENTS).write_text(_table(_PARENT_COLUMNS, map(_parent_line, all_worked)))
    lines = (_trade_line(one, number) for one in all_worked for number in range(len(one.fills)))
    (folder / TRADES).write_text(_table(_TRADE_COLUMNS, lines))


def _parent_line(worked: Worked) -> dict[str, object]:
    record = worked_record(worked)
    report = record["report"]
    assert isinstance(report, dict), "a report has fields"
    modelled = sum(ground is Ground.QUEUE_MODEL for _, ground in worked.fills)
    return {**report, **record, "side": worked.errand.order.side.name, "queue_model_fills": modelled}


def _trade_line(worked: Worked, number: int) -> dict[str, object]:
    fill, ground = worked.fills[number]
    of_day = fill.ts_exchange_ns % DAY_NS
    inverse = fill.category is Category.INVERSE
    return {
        "name": worked.errand.name,
        "exec_id": fill.exec_id,
        "time": f"{day_of(fill.ts_exchange_ns)}T{_clock(of_day)}",
        "ts_exchange_ns": fill.ts_exchange_ns,
        "client_order_id": fill.client_order_id,
        "side": fill.side.name,
        "qty": plain(fill.last_qty),
        "px": plain(fill.last_px),
        "value": plain(_tidy(fill.coin_qty if inverse else fill.notional)),
        "value_unit": "coin" if inverse else "quote",
        "fee": plain(_tidy(fill.fee)),
        "liquidity": fill.liquidity.value,
        "ground": ground.value,
    }


def _tidy(value: Decimal) -> Decimal:
    """A value without the zeros that calculations leave at its end; what was divided keeps 24 places."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "a sum of money is a number"
    return (round(value, _PLACES) if exponent < -_PLACES else value).normalize()


def _clock(of_day_ns: int) -> str:
    seconds, rest_ns = divmod(of_day_ns, 1_000_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest_ns:09d}Z"


def _table(columns: Sequence[str], lines: Iterator[dict[str, object]]) -> str:
    out = StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()
