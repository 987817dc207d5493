"""What a run over recorded books came to, as plain values and as files; the same run writes the same bytes.

Nothing of the machine it ran on is in it: no clock, no path, no speed.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import StringIO
from math import ceil, fsum
from pathlib import Path
from typing import Final

import msgspec

from backtest.beside import charged_record, funding_record, impact_record, impact_warnings, printed_bps
from backtest.blocks import blocked, usual_block
from backtest.contest import Contest, Duel
from backtest.dataset.store import DAY_NS, day_of
from backtest.grounds import MODEL_NAMES, Ground, warning
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
_PLACES: Final = 24
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
        "receive_times_known": recording.recv_known,
        "order_by_order": recording.has_orders,
    }


def conditions_record(conditions: Conditions) -> dict[str, object]:
    """Describe on which terms it was traded."""
    terms = conditions.terms
    return {
        "queue_model": MODEL_NAMES[terms.queue_model],
        "latency_feed": delay_words(terms.feed),
        "latency_order": delay_words(terms.entry),
        "latency_response": delay_words(terms.answer),
        "maker_fee_rate": plain(conditions.charges.maker_fee_rate),
        "taker_fee_rate": plain(conditions.charges.taker_fee_rate),
        "book_conflated_ms": terms.conflate_ns // NS_PER_MS,
        "warmup_s": conditions.warmup_s,
        "over_gaps": conditions.over_gaps,
        "impact_model": NO_MODEL if conditions.impact is None else conditions.impact.name,
        "seed": conditions.seed,
    }


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
    report = {} if worked.drive is None else as_json(worked.drive.reports[0])
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
    }
    if every_s is not None and len(means) >= 4:
        overlap = max(ceil(one.errand.order.duration_s / every_s) for one in all_worked)
        found = blocked(means, usual_block(len(means), overlap))
        record |= {
            "low": found.low,
            "high": found.high,
            "confidence": found.confidence,
            "standard_error": found.standard_error,
            "blocks": found.blocks,
        }
    return record


def warnings(
    recordings: Sequence[Recording], conditions: Conditions, all_worked: Sequence[Worked]
) -> list[str]:
    """Everything that a reader must know before believing the figures."""
    told = []
    model = MODEL_NAMES[conditions.terms.queue_model]
    modelled = warning((ground for one in all_worked for _, ground in one.fills), model)
    if modelled is not None:
        told.append(modelled)
    told += [
        f"the source does not say {', '.join(one.assumed)} of {one.rules.symbol} ({one.stream.category}): assumed"
        for one in recordings
        if one.assumed
    ]
    told += impact_warnings(all_worked, conditions.impact)
    failed = sum(one.drive is None for one in all_worked)
    if failed:
        told.append(
            f"{failed} of {len(all_worked)} orders came to no end that can be measured; they are in no mean"
        )
    return told


def run_record(
    recording: Recording, conditions: Conditions, all_worked: Sequence[Worked], every_s: int | None
) -> dict[str, object]:
    """Everything about a run."""
    return {
        "recording": recording_record(recording),
        "conditions": conditions_record(conditions),
        "orders": len(all_worked),
        "failed": sum(one.drive is None for one in all_worked),
        "arrival_shortfall_bps": cost_record(all_worked, every_s),
        "impact_model_bps": charged_record(all_worked),
        "funding": funding_record(all_worked),
        "fills_by_ground": grounds_record(all_worked),
        "warnings": warnings([recording], conditions, all_worked),
        "note": NOTE,
        "parents": [worked_record(one) for one in all_worked],
    }


def contest_record(
    found: Contest, runs: Sequence[tuple[Recording, Conditions, Sequence[Worked]]]
) -> dict[str, object]:
    """Everything about a comparison of policies; costs are basis points of the value at arrival."""
    all_worked = [one for _, _, worked in runs for one in worked]
    moments = frozenset(found.moments)
    compared = {
        name: [one for one in all_worked if one.errand.policy == name and one.errand.number in moments]
        for name in found.costs
    }
    numbers = [number for number, length in enumerate(found.lengths, start=1) for _ in range(length)]
    return {
        "recordings": [
            {"recording": recording_record(recording), "conditions": conditions_record(conditions)}
            for recording, conditions, _ in runs
        ],
        "orders": len(all_worked),
        "failed": sum(one.drive is None for one in all_worked),
        "contest": {
            "moments": len(found.moments),
            "moments_left_out": found.left_out,
            "mean_cost_bps": {name: found.mean_bps(name) for name in found.costs},
            "impact_model_bps": {name: charged_record(one) for name, one in compared.items()},
            "funding": {name: funding_record(one) for name, one in compared.items()},
            "tests": len(found.duels),
            "pairs": [_duel_record(duel) for duel in found.duels],
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
        "warnings": warnings([run[0] for run in runs], runs[0][1], all_worked),
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
