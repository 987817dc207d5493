"""What a request chooses for its strategy: under which name, as which parameter, and who reads it."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import fields
from typing import Final

from pydantic import BaseModel

from config.problems import Problem, quoted
from executor.domain.orders import StrategyParams
from strategies.reads import READS, readers, why_not

PARAM_OF: Final = {
    "interval": "interval_s",
    "passiveness": "passiveness",
    "randomize_size": "randomize_size_pct",
    "randomize_timing": "randomize_timing_pct",
    "catch_up": "catch_up",
    "max_catch_up": "catch_up_max",
    "reprice_ticks": "reprice_ticks",
    "participation": "participation",
    "max_participation": "participation_max",
    "display": "display_qty",
    "randomize_display": "display_randomize_pct",
    "peg": "peg",
    "peg_offset_ticks": "peg_offset_ticks",
    "max_reprices": "reprices_max",
    "max_chase": "chase_bps_max",
    "give_up": "give_up",
    "trigger_price": "trigger_px",
    "trigger_qty": "trigger_qty",
    "risk_aversion": "risk_aversion",
    "curve": "curve",
    "session_weights": "session_weights",
    "wrappers": "wrappers",
}
"""Parameter of a strategy by the field of a request that names it."""
_USUAL: Final = StrategyParams()
_NAMES: Final = tuple(field.name for field in fields(StrategyParams))
_FIELD_OF: Final = {param: field for field, param in PARAM_OF.items()}


def params_of(body: BaseModel) -> StrategyParams:
    """The parameters of a new order: what it does not name has its usual value."""
    named = {PARAM_OF[field]: getattr(body, field) for field in _fields(body)}
    return StrategyParams(**{param: value for param, value in named.items() if value is not None})


def changed(params: StrategyParams, body: BaseModel, strategy: str) -> StrategyParams:
    """Apply the named parameters to those in force.

    Parameters
    ----------
    strategy
        The one that reads them from now on; what it does not read falls back to the usual unless it is named.
    """
    from_now = {name: getattr(params if name in READS[strategy] else _USUAL, name) for name in _NAMES}
    named = {PARAM_OF[field]: getattr(body, field) for field in _fields(body)}
    return StrategyParams(**{**from_now, **named})


def names_choices(body: BaseModel) -> bool:
    """Whether a request names any parameter."""
    return bool(_fields(body))


def choice_problems(
    body: BaseModel, strategy: str, params: StrategyParams, name: Callable[[str], str]
) -> Iterator[Problem]:
    """Say which of the named parameters the strategy does not read, and what else keeps it from working."""
    unread = [field for field in _fields(body) if PARAM_OF[field] not in READS[strategy]]
    for field in unread:
        yield Problem(
            code="STRATEGY_PARAM",
            where=name(field),
            got=f"{quoted(_as_written(getattr(body, field)))} with strategy {strategy}",
            allowed=f"only with {_words(readers(PARAM_OF[field]))}",
            next_step="leave it out, or choose a strategy that reads it",
        )
    misfit = "" if unread else why_not(strategy, params)
    if misfit:
        yield Problem(
            code="STRATEGY_PARAM",
            where=name("strategy"),
            got=strategy,
            allowed=" ".join(_in_fields(word, name) for word in misfit.split(" ")),
            next_step="correct the parameters, or choose another strategy",
        )


def _fields(body: BaseModel) -> list[str]:
    return [field for field in PARAM_OF if field in body.model_fields_set]


def _as_written(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _words(names: Collection[str]) -> str:
    return f"strategy {' or '.join(names)}" if names else "no strategy"


def _in_fields(word: str, name: Callable[[str], str]) -> str:
    bare = word.rstrip(",;:")
    if "_" not in bare or bare not in _FIELD_OF:
        return word
    place = name(_FIELD_OF[bare])
    # The place in a file is said once already, before the sentence; within it the column's name is enough.
    return word.replace(bare, _FIELD_OF[bare] if " " in place else place)
