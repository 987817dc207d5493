"""What a person or a script hands to the daemon: a text for the model to read, a count of coins for orders to go by."""

from typing import Annotated

import typer

from executor.interfaces.client import Json
from executor.interfaces.options import (
    USUAL_PROFILE,
    AsJson,
    ConfigFile,
    Profile,
    TokenFile,
    Url,
    connect,
)
from executor.interfaces.output import cell, emit_json, show


def news(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What was reported.")],
    source: Annotated[str, typer.Option("--source", help="Who says so, in a word or two.")] = "desk",
    published: Annotated[
        str | None,
        typer.Option(
            "--published", help="When it was written, such as 2026-11-20T12:00:00Z; now, if left out."
        ),
    ] = None,
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Hand a text to the model that advises.

    The next questions show it as what it is, a text from outside; it decides nothing. The daemon must have been started
    with adviser.news_webhook = true.
    """
    body: Json = {"text": text, "source": source}
    if published is not None:
        body["published"] = published
    answer = connect(profile, config, url, token_file).post("/v1/news", body)
    if as_json:
        emit_json(answer)
    else:
        show(f"{cell(answer['outcome'])}: {cell(answer['text'])}")


def exchange_flow(
    coin: Annotated[str, typer.Argument(metavar="COIN", help="Such as BTC.")],
    inflow: Annotated[str, typer.Option("--inflow", help="Coins that went onto exchanges.")],
    outflow: Annotated[str, typer.Option("--outflow", help="Coins that left exchanges.")],
    span: Annotated[str, typer.Option("--span", help="The time it was counted over, such as 1h.")] = "1h",
    source: Annotated[str, typer.Option("--source", help="Who counts, in a word or two.")] = "desk",
    profile: Profile = USUAL_PROFILE,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Hand in how much of a coin went onto exchanges and off them.

    Orders with the wrapper exchange-flow go by it once 20 counts of one coin are in. Hand them in one after another,
    each over the same time.
    """
    body: Json = {"coin": coin, "source": source, "inflow": inflow, "outflow": outflow, "span": span}
    answer = connect(profile, config, url, token_file).post("/v1/exchange-flow", body)
    if as_json:
        emit_json(answer)
    else:
        show(f"{cell(answer['outcome'])}: {cell(answer['text'])}")
