"""What an experiment found, for people and for machines; no figure without what it means."""

from collections.abc import Mapping, Sequence
from typing import Final

from backtest.compare import Comparison
from backtest.order_lines import OrderLine
from backtest.session import SessionResult
from backtest.statistics import pairs_needed
from executor.domain.timeline import NS_PER_MS

SMALL_BPS: Final = 0.5
"""Difference whose number of pairs is told."""
MOST: Final = 0.5
"""Share of questions without an answer from which the figures are no longer the adviser's."""
KINDS: Final = ("create", "amend", "cancel")
"""Requests about orders."""
_FURTHER: Final = {"amend": "amended", "cancel": "canceled"}
BARS: Final = 9
BAR_CHARS: Final = 40


def session_record(result: SessionResult, latency: str) -> dict[str, object]:
    """What a session played again came to, as JSON has it."""
    found = result.difference
    return {
        "identical": result.identical,
        "latency": latency,
        "events": result.events,
        "orders": result.orders,
        "requests": {kind: result.requests.get(kind, 0) for kind in KINDS},
        "questions": result.questions,
        "not_on_tape": list(result.misses),
        "not_on_tape_then": list(result.missed_then),
        "cut_off": list(result.cut_off),
        "estimated": result.estimated,
        "tolerance_ms": result.tolerance_ns / NS_PER_MS,
        "calls_left": result.unasked,
        "journal_rebuilt": result.rebuilt,
        "first_other_row": result.other_row or None,
        "first_difference": None
        if found is None
        else {
            "request": found.number,
            "recorded": _order(found.recorded),
            "replayed": _order(found.replayed),
            "why": found.why,
        },
    }


def session_words(result: SessionResult, latency: str) -> str:
    """The same for people."""
    lines = [
        (
            f"latency {latency}: {result.events} events, {result.orders} child orders sent as recorded"
            f"{_further(result)}, {result.questions} questions asked"
        )
    ]
    if result.misses:
        cause = (
            "" if latency == "taped" else " (after an answer at another instant the next question is another)"
        )
        lines.append(f"NOT ON THE TAPE: {', '.join(result.misses)}{cause}")
    if result.missed_then:
        lines.append(f"not on the tape that the session itself played: {', '.join(result.missed_then)}")
    if result.cut_off:
        lines.append(f"the process ended before the answer: {', '.join(result.cut_off)}")
    if result.estimated:
        lines.append(
            f"the tape does not say when the engine heard {result.estimated} answers: their instants are the client's,"
            f" and orders may differ by {result.tolerance_ns // NS_PER_MS} ms"
        )
    found = result.difference
    if found is not None:
        lines += [
            f"DIFFERS at request {found.number} about an order; the recorded venue has no answer to it: the play ends",
            f"  recorded  {_words(found.recorded)}",
            f"  replayed  {_words(found.replayed)}",
            f"  because   {found.why}",
        ]
    elif result.rebuilt:
        lines.append(
            "identical: every row of the journal came out again to the last byte, the advice included"
        )
    elif result.identical:
        lines.append("identical: every child order is the recorded one")
        lines.append(f"  other rows are not, first {result.other_row}")
    return "\n".join(lines)


def _further(result: SessionResult) -> str:
    told = [
        f"{result.requests[kind]} {words}" for kind, words in _FURTHER.items() if result.requests.get(kind)
    ]
    return "".join(f", {one}" for one in told)


def comparison_record(found: Comparison, adviser: str) -> dict[str, object]:
    """What a comparison found, as JSON has it; gains and losses are basis points of the value at arrival."""
    gain = found.gain
    return {
        "adviser": adviser,
        "pairs": gain.pairs,
        "gain_bps": {
            "mean": gain.mean,
            "low": gain.low,
            "high": gain.high,
            "confidence": gain.confidence,
            "standard_error": gain.standard_error,
            "deviation": gain.deviation,
            "t": gain.t,
            "p": gain.p_value,
            "p_sign_flip": found.sign_p,
        },
        "pairs_for_half_a_bp": _needed(found),
        "bill": {"usd": str(found.bill), "bps": float(found.bill_bps)},
        "net_gain_bps": float(found.net_gain_bps),
        "calls": found.calls,
        "questions": found.questions,
        "fallback_rate": found.fallback_rate,
        "late_rate": found.late_rate,
        "outcomes": dict(sorted(found.outcomes.items())),
        "fallback_reasons": dict(sorted(found.reasons.items())),
        "not_on_tape": found.missed,
        "each": [
            {
                "seed": pair.plain.seed,
                "plain_cost_bps": float(pair.plain.cost_bps),
                "advised_cost_bps": float(pair.advised.cost_bps),
                "gain_bps": float(pair.gain_bps),
            }
            for pair in found.pairs
        ],
    }


def comparison_words(found: Comparison, adviser: str) -> str:
    """The same for people."""
    gain = found.gain
    lines = [
        f"{gain.pairs} pairs with and without {adviser}; gains in basis points of the value at arrival",
        "",
        *_histogram([float(pair.gain_bps) for pair in found.pairs]),
        "",
        f"gain            {gain.mean:+.3f} bps, {gain.confidence:.0%} interval {gain.low:+.3f} to {gain.high:+.3f}",
        f"chance alone    {_chance(found)}",
        f"pairs needed    {_pairs(found)}",
        f"questions       {found.questions}, of them {found.calls} sent",
        f"fallback        {found.fallback_rate:.1%} left the order to its schedule; late {found.late_rate:.1%}",
        f"outcomes        {counted(found.outcomes)}",
        *([f"reasons         {counted(found.reasons)}"] if found.reasons else []),
        f"bill            {found.bill:.4f} US dollars, {found.bill_bps:.4f} bps",
        f"gain less bill  {found.net_gain_bps:+.3f} bps",
        "",
        _meaning(found, adviser),
        "A simulated market shows mechanics and measurement, never what a real one would pay.",
    ]
    return "\n".join(lines)


def _meaning(found: Comparison, adviser: str) -> str:
    """What the figures say, and no more."""
    gain = found.gain
    if not found.usable:
        return (
            "There was no advice: no question had a usable answer, so that nothing is said about its worth."
        )
    if gain.low == gain.high == 0:
        text = "Advice changed nothing at all: every pair cost the same to the last digit."
    elif gain.shows_gain and found.sign_p < 1 - gain.confidence:
        text = f"Advice gains here: the interval is above zero, {gain.low:.3f} bps at least."
    elif gain.shows_loss and found.sign_p < 1 - gain.confidence:
        text = f"Advice loses here: the interval is below zero, {-gain.high:.3f} bps at least."
    elif gain.shows_gain or gain.shows_loss:
        text = "The interval is on one side of zero, but the test without a normal mean does not agree: more pairs."
    else:
        text = (
            f"No gain can be shown: the truth may be anything from {gain.low:+.3f} to {gain.high:+.3f} bps."
        )
    if gain.shows_gain and found.net_gain_bps <= 0:
        text += " The bill takes all of it."
    if found.fallback_rate > MOST:
        text += f" Most questions left the order to its schedule: the figures measure that fallback, not {adviser}."
    return text


def _chance(found: Comparison) -> str:
    gain = found.gain
    if gain.t is None or gain.p_value is None:
        return "no t, since all pairs differ by the same"
    by_signs = f"{_p(found.sign_p)} by flipping signs, which asks for no normal mean"
    return f"t = {gain.t:+.2f}, p {_p(gain.p_value)}; p {by_signs}"


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"= {value:.4f}"


def _pairs(found: Comparison) -> str:
    needed = _needed(found)
    if needed is None:
        return "not to be told from pairs that do not vary"
    return f"{needed} to show a true difference of {SMALL_BPS} bps with a probability of 80 %"


def _needed(found: Comparison) -> int | None:
    """Pairs for a small difference; None where the pairs do not differ among themselves and tell nothing of it."""
    if not found.gain.deviation:
        return None
    return pairs_needed(found.gain.deviation, SMALL_BPS, found.gain.confidence)


def counted(outcomes: Mapping[str, int]) -> str:
    """Names with how often each came."""
    return ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items())) or "none"


def _histogram(gains: Sequence[float]) -> list[str]:
    """How the gains of the pairs are spread: bars of equal width in bps, zero at a bar's edge."""
    widest = max(abs(min(gains)), abs(max(gains)))
    if widest == 0:
        return [f"{'0':>8}          {'#' * BAR_CHARS} {len(gains)}"]
    width = 2 * widest / (BARS - 1)
    first = -(BARS // 2) * width
    counts = [0] * (BARS - 1)
    for gain in gains:
        counts[min(int((gain - first) / width), BARS - 2)] += 1
    most = max(counts)
    return [
        f"{first + width * index:+8.2f} to {first + width * (index + 1):+6.2f}"
        f" {'#' * -(-count * BAR_CHARS // most)} {count or ''}".rstrip()
        for index, count in enumerate(counts)
    ]


def _order(line: OrderLine | None) -> dict[str, str] | None:
    return None if line is None else line.fields()


def _words(line: OrderLine | None) -> str:
    return "nothing at this point" if line is None else line.words()
