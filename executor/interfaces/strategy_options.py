"""Options that choose a strategy and what only some strategies read."""

from typing import Annotated

import typer

Strategy = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        help="twap (even slices; a new order's), vwap (by the usual volume of the hour), arrival-price (early rather"
        " than late, by urgency), close (late rather than early, done by the deadline), pov (a share of the volume),"
        " adaptive (twap that waits or takes by the flow of orders), iceberg (shows a part), chase (pegged to the"
        " market), sniper (takes what is displayed), and where the venue's own algorithms are switched on venue-twap,"
        " venue-iceberg, venue-pov.",
    ),
]
MaxParticipation = Annotated[
    str | None,
    typer.Option(
        "--max-participation",
        help="Every strategy: most of the market's volume since the start that its own trades may be, 0.001 to 0.9.",
    ),
]
Wrappers = Annotated[
    str | None,
    typer.Option("--wrappers", help="Every strategy: signals that hold it back or hurry it, with commas."),
]
Participation = Annotated[
    str | None,
    typer.Option(
        "--participation", help="pov: share of the market's volume, own trades included, 0.001 to 0.9 (0.1)."
    ),
]
Display = Annotated[
    str | None, typer.Option("--display", help="iceberg: quantity shown at a time (a tenth of the order).")
]
RandomizeDisplay = Annotated[
    int | None,
    typer.Option("--randomize-display", help="iceberg: largest deviation from it, per cent, 0 to 50 (0)."),
]
Peg = Annotated[
    str | None,
    typer.Option(
        "--peg",
        help="chase: touch (own side's best), mid, or far (a tick before the other side's best) (touch).",
    ),
]
PegOffsetTicks = Annotated[
    int | None,
    typer.Option("--peg-offset-ticks", help="chase: ticks by which it is more passive than that (0)."),
]
MaxReprices = Annotated[
    int | None,
    typer.Option("--max-reprices", help="chase: how often it follows a market that runs away (10)."),
]
MaxChase = Annotated[
    str | None,
    typer.Option("--max-chase", help="chase: how far from the mid at the start, basis points (no bound)."),
]
GiveUp = Annotated[
    str | None,
    typer.Option("--give-up", help="chase: after that, wait where it is, or cross (wait)."),
]
TriggerPrice = Annotated[
    str | None,
    typer.Option(
        "--trigger-price", help="sniper: other side's best price at which it takes, or a better one."
    ),
]
TriggerQty = Annotated[
    str | None,
    typer.Option(
        "--trigger-qty", help="sniper: quantity that must be displayed there; this or a price is required."
    ),
]
RiskAversion = Annotated[
    str | None,
    typer.Option(
        "--risk-aversion", help="arrival-price: lambda of its trajectory, 1 / quote unit, instead of urgency."
    ),
]
Curve = Annotated[
    str | None,
    typer.Option(
        "--curve",
        help="vwap: volume curve to follow instead of the usual one: NAME of var/curves/NAME.json, or a file"
        " (`executor data volume-curve` makes one).",
    ),
]
SessionWeights = Annotated[
    str | None,
    typer.Option(
        "--session-weights",
        help="vwap: how much more of each session's volume is wanted, such as asia=0.5,us=2; 0.1 to 10 (1).",
    ),
]
