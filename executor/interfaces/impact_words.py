"""What `executor impact` tells: calibrations, scores and order flow, for people and for machines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from executor.domain.timeline import NS_PER_S, iso_utc
from executor.interfaces.kept_parameters import Kept
from impact.estimation.least_squares import LinearFit
from impact.order_flow.toxicity import Toxicity
from impact.parameters import ParameterVersion
from impact.scoring import Coverage, Score

if TYPE_CHECKING:
    from rich.table import Table

    from backtest.flow import Flow
    from backtest.tape import Tape

_UNKNOWN: Final = "not to be told"
_BAR_CHARS: Final = 41
_S_PER_HOUR: Final = 3_600


def version_words(version: ParameterVersion) -> str:
    """Tell one calibration."""
    lines = [
        f"{version.version_id}  {version.instrument}  {version.model}",
        (
            f"from {version.orders} orders ({_source(version)}),"
            f" ended {iso_utc(version.from_ns)} to {iso_utc(version.to_ns)}"
        ),
        (
            f"their sizes: {version.size_low:.3g} to {version.size_high:.3g} of a day's volume;"
            " beyond them this is a guess"
        ),
        (
            f"market: volatility {version.volatility_hourly_pct:.4g} %"
            f" and volume {version.volume_hourly_qty:.6g} an hour"
        ),
    ]
    lines += [
        f"  {one.name:<12} {one.value:>12.6g} +- {one.standard_error:<10.3g} {one.unit}"
        for one in version.estimates
    ]
    return "\n".join(lines)


def kept_record(kept: Kept) -> dict[str, object]:
    """One kept calibration, as JSON has it."""
    return {**kept.version.as_record(), "file": str(kept.path), "in_use": kept.in_use}


def kept_table(listed: Sequence[Kept]) -> "Table":
    """All of them as a table."""
    from rich.table import Table  # noqa: PLC0415 - slow to import, and only needed for tables
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for head in ("id", "instrument", "made", "from", "model", "estimates", ""):
        table.add_column(head, overflow="fold")
    for one in listed:
        version = one.version
        estimates = ", ".join(
            f"{each.name} {each.value:.4g} +- {each.standard_error:.2g}" for each in version.estimates
        )
        cells = (
            version.version_id,
            version.instrument,
            iso_utc(version.made_ns),
            f"{version.orders} {_source(version)}",
            version.model.partition(":")[0],
            estimates,
            "in use" if one.in_use else "",
        )
        table.add_row(*map(Text, cells))
    return table


def _source(version: ParameterVersion) -> str:
    return "own orders" if version.source == "journal" else "made up from trades"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredWith:
    """What forecasts that were scored were made with.

    Parameters
    ----------
    calibration
        Whose the model is; empty where it was named, or none is in use.
    crossing
        Share of the quantity that crosses the spread, 0-1.
    not_forecast
        Orders without a forecast.
    of_calibration
        Scored orders from the time of that calibration.
    beside_others
        Scored orders that were at work while another one was, scored or not.
    """

    model: str
    calibration: str
    crossing: float
    not_forecast: int
    of_calibration: int
    beside_others: int


def score_record(found: Score, told: ScoredWith) -> dict[str, object]:
    """A score, as JSON has it."""
    return {
        "model": told.model,
        "calibration": told.calibration or None,
        "of_calibration": told.of_calibration,
        "beside_others": told.beside_others,
        "fitted": found.fitted,
        "scored": found.plain.count,
        "not_forecast": told.not_forecast,
        "split": iso_utc(found.split_ns),
        "crossing": told.crossing,
        "bias_bps": found.bias_bps,
        "bias_error_bps": found.bias_error_bps,
        "line": None if found.line is None else _line_record(found.line),
        "coverage": {"as_foretold": _coverage(found.plain), "widened": _coverage(found.widened)},
        "widening": found.widening,
        "bins": [
            {
                "orders": one.count,
                "predicted_bps": one.predicted_bps,
                "realised_bps": one.realised_bps,
                "error_bps": one.error_bps,
            }
            for one in found.bins
        ],
    }


def _line_record(line: LinearFit) -> dict[str, float]:
    return {
        "constant_bps": line.coefficients[0],
        "constant_error_bps": line.standard_errors[0],
        "slope": line.coefficients[1],
        "slope_error": line.standard_errors[1],
    }


def _coverage(found: Coverage) -> dict[str, object]:
    return {
        "promised": found.promised,
        "inside": found.inside,
        "share": found.share,
        "low": found.low,
        "high": found.high,
        "holds": found.holds,
    }


def score_words(found: Score, told: ScoredWith) -> str:
    """The same for people, with a plot of realised against predicted cost."""
    plain, widened = found.plain, found.widened
    lines = [
        f"{told.model}: {plain.count} orders from {iso_utc(found.split_ns)} on, after {found.fitted} to learn from",
        f"spread         crossed by {told.crossing:.0%} of the quantity, as the earlier orders did",
        f"bias           {found.bias_bps:+.3f} +- {found.bias_error_bps:.3f} bps, realised less predicted",
    ]
    if found.line is not None:
        constant, slope = found.line.coefficients
        errors = found.line.standard_errors
        lines.append(
            f"line           realised = {constant:+.2f} (+- {errors[0]:.2f}) + {slope:.2f} (+- {errors[1]:.2f})"
            " x predicted; 0 and 1 if all is well"
        )
    lines += [
        f"coverage       {_coverage_words(plain)}",
        f"  x {found.widening:<10.3g} {_coverage_words(widened)}, widened as the earlier orders ask",
        "",
        "predicted   realised           orders",
    ]
    edge = max(abs(one.realised_bps) + one.error_bps for one in found.bins)
    edge = max(edge, *(abs(one.predicted_bps) for one in found.bins), 1e-9)
    lines += [
        f"{one.predicted_bps:+9.2f}   {one.realised_bps:+8.2f} +- {one.error_bps:<6.2f} {one.count:>4}  "
        + _plot(one.predicted_bps, one.realised_bps, one.error_bps, edge)
        for one in found.bins
    ]
    lines += [
        "",
        f"bps; | is predicted, o realised, - its standard error; the row spans -{edge:.1f} to {edge:.1f}",
    ]
    if told.not_forecast:
        lines.append(
            f"WARNING        {told.not_forecast} orders began in a market that had not been watched: not forecast"
        )
    if told.of_calibration:
        lines.append(
            f"WARNING        {told.of_calibration} of the scored orders are from the time of calibration"
            f" {told.calibration}, which may have been fitted to them: take orders that came later"
        )
    if told.beside_others:
        lines.append(
            f"WARNING        {told.beside_others} of the scored orders were at work while another one was: they met the"
            " same market, so what is told here is less sure than its errors say"
        )
    return "\n".join(lines)


def _coverage_words(found: Coverage) -> str:
    return (
        f"{found.inside} of {found.count} inside, {found.share:.1%}"
        f" (the truth is {found.low:.1%} to {found.high:.1%});"
        f" {found.promised:.0%} promised: {'holds' if found.holds else 'DOES NOT HOLD'}"
    )


def _plot(predicted: float, realised: float, error: float, edge: float) -> str:
    def at(value: float) -> int:
        return min(max(round((value / edge + 1.0) / 2.0 * (_BAR_CHARS - 1)), 0), _BAR_CHARS - 1)

    row = [" "] * _BAR_CHARS
    for place in range(at(realised - error), at(realised + error) + 1):
        row[place] = "-"
    row[at(predicted)] = "|"
    row[at(realised)] = "o"
    return "".join(row).rstrip()


def flow_record(tape: "Tape", found: "Flow") -> dict[str, object]:
    """Order flow, as JSON has it."""
    first_ns, last_ns = tape.span_ns
    stream = tape.stream
    return {
        "instrument": "/".join((stream.venue, stream.category, stream.symbol)),
        "from": iso_utc(first_ns),
        "to": iso_utc(last_ns),
        "fills": tape.fills,
        "trades": len(tape.prints),
        "quotes": len(tape.quotes),
        "receiver_clock": tape.by_receiver,
        "responses": [
            {
                "step_s": one.step_s,
                "order_flow_imbalance": None if one.by_quotes is None else _response(one.by_quotes),
                "trade_imbalance": _response(one.by_trades),
            }
            for one in found.responses
        ],
        "spreads_bps": {
            f"{after} s": None
            if parts is None
            else {
                "effective": parts.effective_bps,
                "realised": parts.realised_bps,
                "impact": parts.impact_bps,
            }
            for after, parts in found.spreads.items()
        },
        "queue_imbalance": found.lean,
        "microprice_correlation": found.micro_gain,
        "trade_imbalance": found.trade_imbalance,
        "vpin": {"by_sides": _vpin(found.vpin_by_sides), "by_bulk": _vpin(found.vpin_by_bulk)},
        "amihud_per_million": found.amihud_per_million,
        "roll_spread_bps": found.roll_bps,
        "volatility_hourly_pct": found.volatility_pct,
        "information": None
        if found.information is None
        else {"permanent_bps": found.information.permanent, "share": found.information.share},
        "regimes": None
        if found.regimes is None
        else {
            "log_volatility": [one[0] for one in found.regimes.regimes.means],
            "one_sidedness": [one[1] for one in found.regimes.regimes.means],
            "stay": [row[at] for at, row in enumerate(found.regimes.regimes.moves)],
            "shares": found.regimes.shares,
            "now": found.regimes.now,
            "settled": found.regimes.regimes.settled,
        },
    }


def _response(fit: LinearFit) -> dict[str, object]:
    return {
        "intervals": fit.count,
        "slope_ticks": fit.coefficients[1],
        "slope_error": fit.standard_errors[1],
        "r_squared": fit.r_squared,
    }


def _vpin(found: Toxicity | None) -> dict[str, object] | None:
    return None if found is None else {"vpin": found.vpin, "floor": found.floor, "buckets": found.buckets}


def flow_words(tape: "Tape", found: "Flow") -> str:
    """The same for people."""
    first_ns, last_ns = tape.span_ns
    stream = tape.stream
    lines = [
        f"{stream.venue} {stream.category} {stream.symbol}, {iso_utc(first_ns)} to {iso_utc(last_ns)}",
        (
            f"trades          {len(tape.prints)} orders of takers in {tape.fills} fills;"
            f" {len(tape.quotes)} changes of the touch"
        ),
        (
            f"imbalance       traded {_number(found.trade_imbalance)}, queues {_number(found.lean)} on average;"
            f" microprice to next move: correlation {_number(found.micro_gain)}"
        ),
    ]
    for one in found.responses:
        quotes = "no book" if one.by_quotes is None else _fit_words(one.by_quotes)
        trades = _fit_words(one.by_trades)
        lines.append(f"moves, {one.step_s:g} s".ljust(16) + f"by quotes {quotes}; by trades {trades}")
    for after, parts in found.spreads.items():
        told = (
            _UNKNOWN
            if parts is None
            else f"{parts.effective_bps:.3f} bps = realised {parts.realised_bps:.3f} + impact {parts.impact_bps:.3f}"
        )
        lines.append(f"spread, {after} s".ljust(16) + told)
    lines += [
        f"roll            {_number(found.roll_bps, ' bps')}, from the bounce of trade prices",
        f"vpin            {_vpin_words(found.vpin_by_sides)} by sides; {_vpin_words(found.vpin_by_bulk)} by bulk",
        f"amihud          {_number(found.amihud_per_million, ' of the price')}, for a million traded",
        "volatility      " + ", ".join(f"{name} {_number(value)}" for name, value in found.volatility_pct.items())
        + " (per cent an hour)",
        "information     "
        + (
            _UNKNOWN
            if found.information is None
            else f"a trade moves the price by {found.information.permanent:.4g} bps for good;"
            f" trades carry {found.information.share:.1%} of the news"
        ),
    ]  # fmt: skip
    if found.regimes is not None:
        for number, means in enumerate(found.regimes.regimes.means):
            lines.append(
                f"regime {number + 1}".ljust(16)
                + f"{found.regimes.shares[number]:.0%} of the time, now {found.regimes.now[number]:.0%};"
                f" log volatility {means[0]:.3g}, one-sidedness {means[1]:.3g}"
            )
    hours = (last_ns - first_ns) / NS_PER_S / _S_PER_HOUR
    if hours < 1.0:
        lines.append(f"WARNING         {hours * 60:.0f} minutes: every figure is of this moment alone")
    if tape.by_receiver:
        lines.append(
            "WARNING         the quotes carry no exchange's time:"
            " all is in the receiver's order, and spreads are not told"
        )
    return "\n".join(lines)


def _fit_words(fit: LinearFit) -> str:
    share = _UNKNOWN if fit.r_squared is None else f"{fit.r_squared:.3f}"
    return f"R2 {share}, slope {fit.coefficients[1]:.4g} +- {fit.standard_errors[1]:.2g} ticks"


def _vpin_words(found: Toxicity | None) -> str:
    return _UNKNOWN if found is None else f"{found.vpin:.3f} (floor {found.floor:.3f})"


def _number(value: float | None, unit: str = "") -> str:
    return _UNKNOWN if value is None else f"{value:.4g}{unit}"
