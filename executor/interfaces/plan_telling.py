"""Asking a daemon for a plan, and telling it: in the terminal, as a page, or as JSON."""

from pathlib import Path

import typer

from config.problems import place
from executor.interfaces.client import Client, Json
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.output import emit_json, say
from executor.interfaces.plan_words import show_plan


def ask_plan(client: Client, body: Json, key: str | None = None) -> Json:
    """Ask a daemon for the plan of an order; it changes nothing.

    Parameters
    ----------
    key
        Idempotency key under which the order would be submitted, from which its randomness comes; None for none.
    """
    return client.post("/v1/plan", body, None if key is None else {"Idempotency-Key": key})


def tell_plan(view: Json, html: Path | None, *, as_json: bool) -> None:
    """Print a plan, and write its page where one is wanted; one that would be refused ends as a refusal does."""
    if html is not None:
        _write_page(view, html)
    if as_json:
        emit_json(view)
    else:
        show_plan(view)
    if html is not None:
        say(f"written: {place(html)}")
    if view["refused"]:
        raise typer.Exit(ExitCode.REFUSED)


def _write_page(view: Json, target: Path) -> None:
    from backtest.plan_page import plan_page  # noqa: PLC0415 - brings plotly

    try:
        target.write_text(plan_page(view), encoding="utf-8")
    except OSError as error:
        raise failed(
            ExitCode.REFUSED, "TARGET", place(target), error.strerror or str(error),
            "a folder that is there, is ours and has room", "make room, or name another file",
        ) from error  # fmt: skip
