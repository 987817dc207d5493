"""Scenarios of simulated markets as they are written: TOML with typed, bounded fields; what is unknown is refused.

Prices are ticks, quantities lots, cash is ticks times lots. A field of an agent that ends in `_ns` may be written in
seconds under the same name with `_s`. The files lie in config/scenarios; anybody's own file of this form does as well.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from backtest.market.cast import KINDS
from backtest.market.study import Measure
from config.problems import ConfigProblems, Problem, quoted
from executor.domain.timeline import NS_PER_S

FOLDER: Final = Path(__file__).resolve().parents[2] / "config" / "scenarios"
STEPS_MAX: Final = 10_000_000
AGENTS_MAX: Final = 100_000
_HELP: Final = "docs/simulate.md describes every field"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Time = Annotated[float, Field(ge=0.0, le=1e9, allow_inf_nan=False)]
Lots = Annotated[int, Field(ge=0, le=10**12)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Words = Annotated[str, Field(min_length=1, max_length=2000)]


class RunPart(_Part):
    """How long it runs and how it is looked at.

    Parameters
    ----------
    steps
        Number of steps.
    step_s
        Length of one, seconds.
    warm_up_s
        Time at the beginning that is not measured, in which the book fills.
    day_s
        Length of a trading day, of whose volume the sizes of orders are told.
    seeds
        Runs of a check.
    """

    steps: Annotated[int, Field(ge=10, le=STEPS_MAX)]
    step_s: Annotated[float, Field(ge=1e-3, le=86_400.0)] = 1.0
    warm_up_s: Time = 0.0
    day_s: Annotated[float, Field(gt=0.0, le=86_400.0)] = 86_400.0
    seeds: Annotated[int, Field(ge=1, le=1_000)] = 20


class ShockPart(_Part):
    """A change of the value at an instant."""

    at_s: Annotated[float, Field(ge=1e-9, le=1e9, allow_inf_nan=False)]
    change_ticks: Annotated[float, Field(allow_inf_nan=False)]


class ValuePart(_Part):
    """What the asset is worth; which fields count is the kind's to say.

    Parameters
    ----------
    kind
        `constant`, `mean-reverting` (reversion_per_s 0 is a random walk), `jump`.
    px
        At the beginning, ticks.
    reversion_per_s, volatility_ticks, every_s
        Of a mean-reverting value: pull towards the mean in a second, standard deviation that a second adds, and the
        length of its steps.
    mean_wait_s, jump_ticks
        Of a jumping value: mean time between jumps and their standard deviation.
    published
        Whether changes are news.
    shocks
        Chosen changes.
    """

    kind: Literal["constant", "mean-reverting", "jump"] = "constant"
    px: Annotated[float, Field(ge=1.0, le=1e9)]
    reversion_per_s: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    volatility_ticks: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    every_s: Positive = 1.0
    mean_wait_s: Positive = 60.0
    jump_ticks: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    published: bool = False
    shocks: tuple[ShockPart, ...] = ()


class SecondPart(_Part):
    """A second asset, number 1, whose value goes with the first one's.

    Parameters
    ----------
    px
        At the beginning, ticks.
    beta_ratio
        Per cent that it moves for one of the first.
    reversion_per_s, volatility_ticks, every_s
        Of what its value does besides: pull towards nothing in a second, standard deviation that a second adds, ticks,
        and the length of its steps.
    """

    px: Annotated[float, Field(ge=1.0, le=1e9)]
    beta_ratio: Annotated[float, Field(ge=-100.0, le=100.0)] = 1.0
    reversion_per_s: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    volatility_ticks: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    every_s: Positive = 1.0


class FeesPart(_Part):
    """What the clearing house charges, parts per million of the value of a trade; a maker's below zero is a rebate."""

    taker_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    maker_ppm: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0


class ListensPart(_Part):
    """What agents are told beyond prices: `news`, the `value`, a `signal` of it, or the `flow` that others indicate."""

    source: Literal["news", "value", "signal", "flow"]
    asset: Literal[0, 1] = 0
    every_s: Positive = 1.0
    delay_s: Time = 0.0
    noise_ticks: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    wakes: bool = False


class MarginPart(_Part):
    """Terms of an account on margin."""

    initial_bps: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    maintenance_bps: Annotated[int, Field(ge=1, le=100_000)] = 2_500
    short: bool = False


class AgentsPart(_Part):
    """A group of agents of one kind.

    Parameters
    ----------
    name
        Of the group.
    kind
        What they are.
    count
        How many.
    scales
        Whether `--agents` changes how many they are.
    cash, position_qty, second_qty
        What each begins with: ticks times lots, and lots of the first and the second asset.
    feed_ms, order_ms, jitter_ms
        Latency from the market, to the market, and the mean of what is added to that at random.
    come_s, leave_s
        When they come and leave; not given is from the beginning to the end.
    listens
        What they are told.
    margin
        None is a cash account.
    params
        Of the agent, by its own names.
    """

    name: Name
    kind: str
    count: Annotated[int, Field(ge=1, le=AGENTS_MAX)] = 1
    scales: bool = False
    cash: Annotated[int, Field(ge=0, le=10**15)]
    position_qty: Lots = 0
    second_qty: Lots = 0
    feed_ms: Time = 0.0
    order_ms: Time = 0.0
    jitter_ms: Time = 0.0
    come_s: Time = 0.0
    leave_s: Time | None = None
    listens: tuple[ListensPart, ...] = ()
    margin: MarginPart | None = None
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> "AgentsPart":
        """Refuse a kind that nobody knows, and parameters that the kind does not have."""
        if self.kind not in KINDS:
            raise ValueError(f"{quoted(self.kind)} is no kind of agent; there are {', '.join(sorted(KINDS))}")
        if self.leave_s is not None and self.leave_s <= self.come_s:
            raise ValueError("agents leave after they came")
        self.parameters()
        return self

    def parameters(self) -> object:
        """Make the parameters of one agent.

        Raises
        ------
        ValueError
            If a name is unknown or a value is none.
        """
        kind = KINDS[self.kind]
        given = _model_of(kind.params).model_validate(self.params).model_dump(exclude_unset=True)
        return kind.params(**{_in_ns(name): _ns(name, value) for name, value in given.items()})


class ExpectPart(_Part):
    """What the scenario must show.

    Parameters
    ----------
    says
        In words.
    measure
        Of each run.
    group
        Whose, for `gain_bps`: median over its agents of what trading earned beside holding what they began with.
    statistic
        `median`, `mean`, `least` or `most` over the seeds must lie within the bounds; or `share`: so large a share of
        the seeds (`share`) has the measure within them. A run without the measure counts as outside.
    at_least, at_most
        Bounds, both included; one at least.
    """

    says: Words
    measure: Annotated[Measure, Field(strict=False)]
    group: Name | None = None
    statistic: Literal["median", "mean", "least", "most", "share"] = "median"
    at_least: float | None = None
    at_most: float | None = None
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9

    @model_validator(mode="after")
    def _bounded(self) -> "ExpectPart":
        if self.at_least is None and self.at_most is None:
            raise ValueError("an expectation has a bound: at_least, at_most or both")
        if (self.measure is Measure.GAIN_BPS) != (self.group is not None):
            raise ValueError("gain_bps is that of a group, and nothing else is")
        return self


class LeavePart(_Part):
    """A group that leaves at an instant."""

    group: Name
    at_s: Time


class VariantPart(_Part):
    """The same market without some of its agents, or with others of their times, and what that must show.

    Parameters
    ----------
    without
        Groups that are left out.
    stay
        Groups that do not leave.
    leave
        Groups that do.
    """

    name: Name
    says: Words
    without: tuple[Name, ...] = ()
    stay: tuple[Name, ...] = ()
    leave: tuple[LeavePart, ...] = ()
    expect: Annotated[tuple[ExpectPart, ...], Field(min_length=1)]


class LooksPart(_Part):
    """When something happens, and what counts as a fall or a bubble."""

    shock_s: Time | None = None
    event_s: Time | None = None
    fall_within_s: Positive = 60.0
    fall_after_s: Positive = 300.0
    overvalued: Positive = 0.10
    back: Annotated[float, Field(ge=0.0)] = 0.05


class TargetPart(_Part):
    """Book of the symbol that the market is to look like."""

    symbol: Words
    spread_bps: Positive
    one_tick_share: Annotated[float, Field(ge=0.0, le=1.0)]


class FactsPart(_Part):
    """Which gates of the stylised facts must be passed."""

    gates: tuple[Annotated[int, Field(ge=1, le=10)], ...]
    target: TargetPart | None = None


class Scenario(_Part):
    """A whole scenario."""

    name: Name
    title: Words
    expects: Words
    run: RunPart
    value: ValuePart
    second: SecondPart | None = None
    fees: FeesPart = FeesPart()
    lendable_qty: Lots = 0
    agents: Annotated[tuple[AgentsPart, ...], Field(min_length=1)]
    looks: LooksPart = LooksPart()
    facts: FactsPart | None = None
    expect: tuple[ExpectPart, ...] = ()
    variant: tuple[VariantPart, ...] = ()

    @model_validator(mode="after")
    def _coherent(self) -> "Scenario":
        names = [group.name for group in self.agents]
        groups = {one.group for one in self.expect if one.group is not None}
        if groups - set(names):
            raise ValueError(
                f"something is expected of {', '.join(sorted(groups - set(names)))}, who is not there"
            )
        if self.second is None and any(
            group.second_qty or any(one.asset for one in group.listens) for group in self.agents
        ):
            raise ValueError("agents hold or hear of a second asset, and there is none")
        if len(set(names)) < len(names):
            raise ValueError("two groups of agents have one name")
        for variant in self.variant:
            unknown = {*variant.without, *variant.stay, *(one.group for one in variant.leave)} - set(names)
            if unknown:
                raise ValueError(
                    f"variant {variant.name} speaks of agents that are not there: {', '.join(sorted(unknown))}"
                )
            if set(variant.without) >= set(names):
                raise ValueError(f"variant {variant.name} leaves nobody in the market")
        return self

    @property
    def assets(self) -> int:
        """How many assets are traded."""
        return 1 if self.second is None else 2

    def varied(self, variant: VariantPart) -> "Scenario":
        """Give the scenario of a variant: some groups are left out, some that would leave stay."""
        leaving: dict[str, float | None] = dict.fromkeys(variant.stay)
        leaving.update({one.group: one.at_s for one in variant.leave})
        groups = [
            group.model_copy(update={"leave_s": leaving.get(group.name, group.leave_s)})
            for group in self.agents
            if group.name not in variant.without
        ]
        return self.model_copy(
            update={"agents": tuple(groups), "expect": variant.expect, "variant": (), "facts": None}
        )

    def sized(self, agents: int | None, steps: int | None) -> "Scenario":
        """Give the scenario with another number of agents or steps.

        The groups that scale share what the others leave, in proportion to their own numbers, one at least each.

        Raises
        ------
        ConfigProblems
            If there is no group that scales, or no room for one agent of each.
        """
        groups = self.agents
        if agents is not None:
            fixed = sum(group.count for group in groups if not group.scales)
            scaled = [group for group in groups if group.scales]
            room = agents - fixed
            if not scaled or room < len(scaled) or agents > AGENTS_MAX:
                raise ConfigProblems(
                    [
                        Problem(
                            code="AGENTS",
                            where="--agents",
                            got=str(agents),
                            allowed=f"{fixed + len(scaled)} to {AGENTS_MAX}" if scaled else "no other number",
                            next_step="choose another number, or another scenario",
                        )
                    ]
                )
            counts = _shared(room, [group.count for group in scaled])
            by_name = {group.name: count for group, count in zip(scaled, counts, strict=True)}
            groups = tuple(
                group.model_copy(update={"count": by_name.get(group.name, group.count)}) for group in groups
            )
        run = self.run if steps is None else self.run.model_copy(update={"steps": steps})
        return self.model_copy(update={"agents": groups, "run": run})


def _shared(room: int, weights: list[int]) -> list[int]:
    """Deal out a number in proportion to weights, one at least each, what is over to the largest remainders."""
    rest = room - len(weights)
    exact = [rest * weight / sum(weights) for weight in weights]
    counts = [1 + int(one) for one in exact]
    by_remainder = sorted(range(len(weights)), key=lambda at: int(exact[at]) - exact[at])
    for at in by_remainder[: room - sum(counts)]:
        counts[at] += 1
    return counts


def names() -> list[str]:
    """Names of the scenarios that come with the executor."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def path_of(name: str) -> Path:
    """Say where a scenario lies: a name is one of ours, what ends in .toml a path."""
    return Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"


def load(name: str) -> Scenario:
    """Read a scenario by its name, or by the path of a file that ends in .toml.

    Raises
    ------
    ConfigProblems
        If there is none, it is no TOML, or something in it cannot be used; every problem is told.
    """
    path = path_of(name)
    if not path.is_file() or (not name.endswith(".toml") and name not in names()):
        raise ConfigProblems(
            [
                Problem(
                    code="SCENARIO",
                    where="--scenario",
                    got=quoted(name),
                    allowed=f"{', '.join(names())}, or the path of a file that ends in .toml",
                    next_step="`executor simulate list` tells what each is",
                )
            ]
        )
    try:
        raw = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigProblems(
            [
                Problem(
                    code="TOML",
                    where=str(path),
                    got=quoted(str(error)),
                    allowed="TOML in UTF-8",
                    next_step="correct the file",
                )
            ]
        ) from error
    return parse(raw, str(path))


def parse(raw: Mapping[str, Any], where: str) -> Scenario:
    """Check what was read.

    Parameters
    ----------
    where
        Named in problems.

    Raises
    ------
    ConfigProblems
        With every problem that was found.
    """
    try:
        return Scenario.model_validate(_with_tuples(raw))
    except ValidationError as error:
        raise ConfigProblems(
            [
                Problem(
                    code="SCENARIO",
                    where=f"{where}: {'.'.join(map(str, one['loc'])) or 'scenario'}",
                    got=quoted(one["input"]) if one["type"] != "value_error" else quoted(one["msg"]),
                    allowed=_allowed(one["type"], one["msg"]),
                    next_step=_HELP,
                )
                for one in error.errors(include_url=False)
            ]
        ) from error


def _allowed(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "no field of that name"
    if kind == "missing":
        return "this field, which must be given"
    return message[0].lower() + message[1:]


def _with_tuples(value: Any) -> Any:  # noqa: ANN401 - whatever TOML holds
    """TOML has lists; strict fields are tuples. A whole number stands for the same number with a point."""
    if isinstance(value, Mapping):
        return {name: _with_tuples(inner) for name, inner in value.items()}
    return tuple(_with_tuples(inner) for inner in value) if isinstance(value, list) else value


@cache
def _model_of(params: type) -> type[BaseModel]:
    """Build the form of an agent's parameters: its own fields, and for each in nanoseconds one in seconds."""
    hints = get_type_hints(params)
    form: dict[str, Any] = {}
    for one in fields(params):
        default = ... if one.default is MISSING and one.default_factory is MISSING else one.default
        if one.name.endswith("_ns"):
            seconds = f"{one.name.removesuffix('_ns')}_s"
            form[seconds] = (Annotated[float, Field(ge=0.0, le=1e9)], 0.0)
            default = 0 if default is ... else default
        form[one.name] = (hints[one.name], default)
    config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)
    return create_model(params.__name__, __config__=config, **form)


def _in_ns(name: str) -> str:
    return f"{name.removesuffix('_s')}_ns" if name.endswith("_s") else name


def _ns(name: str, value: Any) -> Any:  # noqa: ANN401 - a parameter of any type
    return round(value * NS_PER_S) if name.endswith("_s") else value
