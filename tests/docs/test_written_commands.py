"""Every command that a page shows is one that there is: each is read by the parser that it is meant for."""

import pytest

from executor.interfaces.cli import main
from executor.interfaces.exit_codes import ExitCode
from tests.docs import written_commands
from tests.docs.written_commands import PAGES, commands, mentions, unknown, wrong


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_understood(page):
    found = {f"{each.name}: {why}" for each in commands(page) if (why := wrong(each.words))}
    assert not found, "\n".join(sorted(found))


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_sentence_names_is_there(page):
    found = {f"{each.name}: {why}" for each in mentions(page) if (why := unknown(each.words))}
    assert not found, "\n".join(sorted(found))


def test_the_pages_are_full_of_commands():
    found = [each.words[0] for page in PAGES for each in commands(page)]
    assert found.count("executor") > 130
    assert {"make", "python", "pytest"} <= set(found)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("executor submitt --symbol BTCUSDT", "submitt"),
        ("executor submit --simbol BTCUSDT", "--simbol"),
        ("executor report", "PARENT"),
        ("executor impact flow --step", "--step"),
        ("executor submit … --simbol X", "--simbol"),
        ("executor submit --randomize-size much", "integer"),
        ("executor backtest", "Options"),
        ("executor backtest runn", "runn"),
        ("executor sandbox --market toys", "ended with 2"),
        ("make coffee", "coffee"),
        ("python -m sandbox --no-such-option", "ended with 2"),
        ("python -m benchmarks.no_such", "no_such"),
        ("pytest -q tests/no_such.py", "no_such"),
        (".venv/bin/executor amend", "PARENT"),
        ("docker compose exec executor executor bord", "bord"),
        ("PATH=/bin sudo-less && executor statuss", "statuss"),
    ],
)
def test_a_wrong_command_is_seen(line, why):
    (written,) = commands("page", f"```sh\n{line}   # said so\n```\n")
    assert why in wrong(written.words)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("do `executor hold P1`", "hold"),
        ("do `executor submit --simbol X`", "--simbol"),
        ("do `executor backtest runn`", "runn"),
    ],
)
def test_a_wrong_mention_is_seen(text, why):
    (written,) = mentions("page", text)
    assert why in unknown(written.words)


def test_lines_that_go_on_and_what_is_printed_are_told_apart():
    text = "```console\n$ executor status \\\n    P1\nP1 COMPLETE\n$ executor list\n```\n"
    first, second = commands("page", text)
    assert (first.words, first.shown, first.line) == (("executor", "status", "P1"), ("P1 COMPLETE",), 2)
    assert (second.words, second.shown) == (("executor", "list"), ())


def test_a_block_that_is_moved_in_is_read_too():
    text = "Do this:\n\n    $ executor status \\\n        P1\n    P1 COMPLETE\n\n    $ executor list\n\nand that:\n"
    first, second = commands("page", text)
    assert (first.words, first.shown, first.line) == (("executor", "status", "P1"), ("P1 COMPLETE", ""), 3)
    assert (second.words, second.line) == (("executor", "list"), 7)


def test_what_stands_in_a_file_of_a_shell_is_no_command():
    text = "```sh\ncat > a.toml <<'END'\nexecutor nonsense\nEND\nexecutor version\n```\n"
    assert [each.words for each in commands("page", text)] == [("executor", "version")]


def test_every_page_is_looked_at():
    assert {"README.md", "docs/index.md", "docs/reference/cli.md"} <= set(PAGES)
    assert all((written_commands.ROOT / page).is_file() for page in PAGES)


ORDERS = [
    each
    for page in PAGES
    for each in commands(page)
    if each.words[:2] in {("executor", "submit"), ("executor", "amend")} and "--config" not in each.words
]


def test_what_orders_say_is_what_an_order_may_say(tmp_path, monkeypatch, capsys):
    """Without a daemon each comes as far as looking for one, unless the page shows what is wrong with it."""
    monkeypatch.chdir(tmp_path)
    found = []
    for each in ORDERS:
        code = main(list(each.words[1:]))
        told = capsys.readouterr().err
        as_shown = bool(each.shown) and each.shown[0].strip() in told
        if code != (ExitCode.USAGE if as_shown else ExitCode.UNREACHABLE):
            found.append(f"{each.name} ended with {code}: {told}")
    assert not found, "\n".join(found)
    assert len(ORDERS) > 15
