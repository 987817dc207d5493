"""The page of commands: every command of `executor` with its arguments and options, as `--help` tells them."""

import re
from collections.abc import Iterator
from typing import Final

from pages import table
from typer.core import TyperGroup
from typer.main import get_command

from executor.interfaces.cli import app

NAME: Final = "executor"
_PAGE: Final = re.compile(r"\bdocs/([\w/-]+\.md)")
_HEADS: Final = ("option", "meaning")


def commands_page() -> Iterator[str]:
    """Give the blocks of the page."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    context = root.make_context(NAME, ["--help"], resilient_parsing=True)
    yield (
        "`--json` prints one JSON document on standard output, where a command has it. Every command that speaks with "
        "a daemon finds it by `--profile` and `--config`, or by `--url` and `--token-file`. How a command ends: "
        "[exit-codes.md](exit-codes.md)."
    )
    yield table(_HEADS, _rows(root, context))
    for words, command in walk(root):
        yield from _blocks(words, command)


def walk(group: TyperGroup, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every command below a group, with the words that call it; a group that does something itself, too."""
    for name, command in group.commands.items():
        path = (*words, name)
        if not isinstance(command, TyperGroup):
            yield path, command
            continue
        if command.invoke_without_command:
            yield path, command
        yield from walk(command, path)


def _blocks(words: tuple[str, ...], command: object) -> Iterator[str]:
    context = command.make_context(" ".join((NAME, *words)), ["--help"], resilient_parsing=True)
    yield f"## `{' '.join((NAME, *words))}`"
    yield f"```text\n{' '.join((context.command_path, *command.collect_usage_pieces(context)))}\n```"
    yield _escaped(command.help or "")
    rows = list(_rows(command, context))
    if rows:
        yield table(_HEADS, rows)
    elif words == ("sandbox",):
        yield "Its options are those of the exchange: [../sandbox.md](../sandbox.md), and `executor sandbox --help`."


def _rows(command: object, context: object) -> Iterator[tuple[str, str]]:
    for parameter in command.params:
        told = parameter.get_help_record(context)
        if told is not None:
            name, text = told
            yield f"`{name}`", _escaped(" ".join(text.split()))


def _escaped(text: str) -> str:
    """Keep brackets from being HTML and a star from beginning something bold; lead to pages that are named."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("*", "\\*")
    return _PAGE.sub(r"[docs/\1](../\1)", plain)
