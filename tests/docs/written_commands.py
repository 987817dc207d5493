"""The commands that the documents show: found in blocks and sentences, and read by the parsers they are meant for."""

import argparse
import importlib
import importlib.util
import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from executor.interfaces.cli import app
from sandbox.__main__ import parse as read_sandbox_words

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")))
BLOCK = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:\A|\n)\n((?: {4}[^\n]*\n|\n(?= {4}))+)")
INLINE = re.compile(r"`(executor [a-z][^`\n]*)`")
SHELL = ("", "sh", "bash", "console")
"""Languages of blocks in which a line may be a command."""
ASSIGNMENT = re.compile(r"\A[A-Z_][A-Z0-9_]*=")
HEREDOC = re.compile(r"<<-?\s*'?(\w+)'?")
STOPS = frozenset({"&&", "||", ";", "|", "&", "<", ">", "<<", ">>"})
TARGETS = frozenset(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@dataclass(frozen=True)
class Written:
    """A command where it stands."""

    page: str
    line: int
    words: tuple[str, ...]
    shown: tuple[str, ...] = ()
    """Lines that the page shows as what it prints."""

    @property
    def name(self):
        return f"{self.page}:{self.line}: {shlex.join(self.words)}"


@dataclass(frozen=True)
class Block:
    """A block of a page that a shell would understand: its lines with their numbers, and whether they have prompts."""

    page: str
    first: int
    lines: tuple[str, ...]

    @property
    def prompted(self):
        return any(line.startswith("$ ") for line in self.lines)


def blocks(page, text=None):
    """Blocks between fences, and those that are moved in by four blanks, in their order."""
    text = (ROOT / page).read_text() if text is None else text
    found = [(each.start(3), len(each[1]), each[3]) for each in BLOCK.finditer(text) if each[2] in SHELL]
    found += [(each.start(1), 4, each[1]) for each in INDENTED.finditer(_without_fences(text))]
    for start, indent, body in sorted(found):
        lines = tuple(line[indent:] for line in body.splitlines())
        yield Block(page, text[:start].count("\n") + 1, lines)


def _without_fences(text):
    """The text with nothing but ends of lines where fences are, so that places stay."""
    return BLOCK.sub(lambda found: re.sub(r"[^\n]", "x", found[0]), text)


def commands(page, text=None):
    """Every command of a page, in order; with the words for another shell around it taken off."""
    for block in blocks(page, text):
        yield from _commands_of(block)


def _commands_of(block):
    lines, at = block.lines, 0
    while at < len(lines):
        first, line = at, lines[at]
        at += 1
        if block.prompted and not line.startswith("$ "):
            continue
        line = line.removeprefix("$ ")
        while line.endswith("\\") and at < len(lines):
            line = f"{line[:-1]} {lines[at].strip()}"
            at += 1
        body = HEREDOC.search(line)
        while body and at < len(lines) and lines[at] != body[1]:
            at += 1
        after = at
        while block.prompted and after < len(lines) and not lines[after].startswith("$ "):
            after += 1
        for words in split(line):
            shown = lines[at:after] if block.prompted else ()
            yield Written(block.page, block.first + first, words, shown)


def split(line):
    """The commands of a line of a shell that are ours; none where it is no line of a shell."""
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        tokens = list(lexer)
    except ValueError:
        return
    part = []
    for token in [*tokens, ";"]:
        if token not in STOPS:
            part.append(token)
            continue
        words = ours(part)
        if words:
            yield words
        part = []


def ours(words):
    """The words of a command of ours without assignments, paths and what starts it; empty if it is none."""
    words = list(words)
    while words and ASSIGNMENT.match(words[0]):
        del words[0]
    if not words or any("$@" in word for word in words):
        return ()
    if words[0] in {"docker", "systemd-run"}:
        at = [
            place for place, word in enumerate(words) if word == "executor" or word.endswith("/bin/executor")
        ]
        if not at:
            return ()
        words = words[at[0] :]
        if words[1:2] == ["executor"]:
            del words[0]
    if words[0] == "executor-at":
        words = ["executor", *words[2:]]
    if words[0].endswith("/bin/executor"):
        words[0] = "executor"
    if words[0] in {"executor", "make", "pytest"} and len(words) > 1:
        return tuple(words)
    return tuple(words) if words[:2] == ["python", "-m"] and len(words) > 2 else ()


def wrong(words):
    """What the one who is meant says against these words; empty if nothing."""
    match words[0]:
        case "executor" if "…" in words:
            return unknown(words)  # the rest is as it was said before
        case "executor":
            return _wrong_for_executor(list(words[1:]))
        case "make":
            return _wrong_for_make(words[1:])
        case "pytest":
            return _wrong_for_pytest(words[1:])
        case _:
            return _wrong_for_module(words[2], list(words[3:]))


@cache
def _root():
    return get_command(app)


def _wrong_for_executor(words):
    """Let every parser on the way have its words, and call no command."""
    command, name, parent = _root(), "executor", None
    try:
        while isinstance(command, TyperGroup):
            context = command.make_context(name, words, parent=parent)
            words = [*context._protected_args, *context.args]
            if not words:
                return "" if command.invoke_without_command else f"{name}: a command is missing"
            parent, (name, command, words) = context, command.resolve_command(context, words)
        if name == "sandbox":
            return _parsed(lambda: read_sandbox_words(words))
        command.make_context(name, words, parent=parent)
    except TyperException as error:
        return error.format_message()
    return ""


def _wrong_for_make(words):
    for word in words:
        known = "=" in word or word in TARGETS or word.startswith((".venv/.", "-"))
        if not known:
            return f"make has no target {word}"
    return ""


def _wrong_for_pytest(words):
    missing = [
        word for word in words if word.startswith("tests/") and not (ROOT / word.partition("::")[0]).exists()
    ]
    return f"there is no {', '.join(missing)}" if missing else ""


def _wrong_for_module(name, words):
    if importlib.util.find_spec(name) is None:
        return f"there is no module {name}"
    entry = f"{name}.__main__" if importlib.util.find_spec(name).submodule_search_locations else name
    module = importlib.import_module(entry)
    if name == "sandbox":
        return _parsed(lambda: read_sandbox_words(words))
    main = getattr(module, "main", None)
    if main is None:
        return "" if not words else f"{name} takes no words"
    return _parsed(lambda: main(words))


class _ParsedError(Exception):
    """The words were read; nothing is to be done."""


def _parsed(call):
    """Call something that reads its words with argparse, and stop it there."""
    with pytest.MonkeyPatch.context() as patch:
        read = argparse.ArgumentParser.parse_args

        def parse_args(self, *given, **named):
            read(self, *given, **named)
            raise _ParsedError

        patch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
        try:
            call()
        except _ParsedError:
            return ""
        except SystemExit as error:
            return f"ended with {error.code}"
    return "its words were never read"


def mentions(page, text=None):
    """Commands in the sentences of a page, and in its tables: not all of them whole."""
    text = (ROOT / page).read_text() if text is None else text
    prose = _without_fences(text)
    for found in INLINE.finditer(prose):
        try:
            words = tuple(shlex.split(found[1]))
        except ValueError:
            words = tuple(found[1].split())
        yield Written(page, prose[: found.start()].count("\n") + 1, words)


def unknown(words):
    """The command or option of a mention that there is not; empty if there are all."""
    command, path, rest = _root(), ["executor"], list(words[1:])
    while isinstance(command, TyperGroup):
        names = [word for word in rest if not word.startswith("-")]
        if not names or names[0] in {"…", "COMMAND"}:
            break
        if names[0] not in command.commands:
            if command.invoke_without_command:
                break
            return f"{' '.join(path)} has no {names[0]}"
        path.append(names[0])
        command = command.commands[names[0]]
        rest = rest[rest.index(names[0]) + 1 :]
    if path[1:2] == ["sandbox"]:
        return ""
    options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {
        "--help"
    }
    given = {word.partition("=")[0] for word in rest if re.match(r"--[a-z]", word)}
    wrong_ones = sorted(given - options)
    return f"{' '.join(path)} has no {', '.join(wrong_ones)}" if wrong_ones else ""
