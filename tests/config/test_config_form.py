"""C1 to C3: files that cannot be read, text that is no TOML of ours, names that do not exist."""

import os
from pathlib import Path

import pytest
from config_files import load, only, problems_of

from config.load import load_settings
from config.problems import ConfigProblems


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\xef\xbb\xbf[log]\n", "byte order mark"),
        (b"\xff\xfe[\x00", "byte order mark"),
        (b'[log]\nlevel = "a\x00"\n', "NUL byte at offset 16"),
        (b"[log]\n# caf\xe9\n", "not UTF-8 at offset 11"),
        (b"#" * 300_000, "more than 262144 bytes"),
    ],
)
def test_a_file_that_is_no_text_of_ours(tmp_path: Path, raw: bytes, reason: str):
    problem = only(problems_of(tmp_path, raw))
    assert (problem.code, reason in problem.got) == ("CONFIG_READ", True)
    assert "extra.toml" in problem.where


def test_a_missing_file_a_directory_and_a_path_with_nul(tmp_path: Path):
    for path, reason in (
        (tmp_path / "none.toml", "No such file"),
        (tmp_path, "a directory"),
        (Path("a\0b"), "NUL"),
    ):
        with pytest.raises(ConfigProblems) as caught:
            load_settings("sandbox", path, {}, yes_live=False)
        problem = only(list(caught.value.problems))
        assert problem.code == "CONFIG_READ"
        assert reason in problem.got


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path):
    path = tmp_path / "secret.toml"
    path.write_text("")
    path.chmod(0)
    with pytest.raises(ConfigProblems, match="CONFIG_READ"):
        load_settings("sandbox", path, {}, yes_live=False)


def test_an_unknown_profile_lists_the_profiles(tmp_path: Path):
    problem = only(problems_of(tmp_path, profile="prod"))
    assert (problem.code, problem.got) == ("CONFIG_READ", '"prod"')
    assert "sandbox, paper, testnet, demo, live" in problem.allowed


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[log]\nlevel = yes\n", ":2 column 9"),
        ("[log\n", ":1 column 5"),
        ('[log]\nlevel = "info"\nlevel = "debug"\n', ":3 column 16"),
        ("[log]\n[log]\n", ":2 column"),
        ('[log]\nlevel = "info', ":2 column"),
        ('[log]\nlevel: "info"\n', ":2 column"),
        ("level = 3\n", ":1"),
        ("[[log]]\nlevel = 3\n", ":1"),
        ("[log]\nlevel = !!python/object\n", ":2 column"),
        ("a: &a [*a, *a]\n", ":1 column"),
        ("[limits]\nx = " + "[" * 2_000, ":1"),
        ("[limits]\nday_loss_max = " + "9" * 5_000 + "\n", ":2"),
    ],
)
def test_bad_syntax_names_line_and_column(tmp_path: Path, text: str, place: str):
    problems = problems_of(tmp_path, text)
    assert problems[0].code in ("CONFIG_SYNTAX", "CONFIG_NUMBER")
    assert f"extra.toml{place}" in problems[0].where


@pytest.mark.parametrize(
    "text",
    [
        'log = { level = "info" }\n',
        'log.level = "info"\n',
        '[log]\n"level" = "info"\n',
        '[log]\nlevel = """\nformat = "json"\n"""\n',
        '[log.deep]\nlevel = "info"\n',
    ],
)
def test_toml_that_hides_its_lines_is_refused(tmp_path: Path, text: str):
    assert {problem.code for problem in problems_of(tmp_path, text)} == {"CONFIG_SYNTAX"}


def test_a_duplicate_is_called_one(tmp_path: Path):
    problem = only(problems_of(tmp_path, '[log]\nlevel = "info"\nlevel = "info"\n'))
    assert "already given" in problem.got


def test_an_unknown_key_gets_the_nearest_name(tmp_path: Path):
    problem = only(problems_of(tmp_path, "[limits]\n\nchild_notional_mx = 5\n"))
    assert problem.code == "CONFIG_UNKNOWN_KEY"
    assert problem.where.endswith("extra.toml:3")
    assert problem.allowed == "nearest name: limits.child_notional_max"


def test_an_unknown_section_gets_the_nearest_name(tmp_path: Path):
    problem = only(problems_of(tmp_path, "[limit]\nday_loss_max = 5\n"))
    assert (problem.code, problem.allowed) == ("CONFIG_UNKNOWN_KEY", "nearest name: limits")


def test_an_empty_file_and_comments_change_nothing(tmp_path: Path):
    assert load(tmp_path, "# nothing\n\n").limits == load(tmp_path).limits


def test_everything_is_reported_at_once(tmp_path: Path):
    text = '[limits]\nday_loss_max = 1e3\n[shutdown]\ndrain = "5"\n[market]\nbook_depth = 7\n[log]\nfoo = 1\n'
    codes = [problem.code for problem in problems_of(tmp_path, text, {"EXECUTOR_LOG__LEVL": "info"})]
    assert sorted(codes) == [
        "CONFIG_DURATION",
        "CONFIG_ENV_UNKNOWN",
        "CONFIG_NUMBER",
        "CONFIG_NUMBER",
        "CONFIG_UNKNOWN_KEY",
    ]


def test_control_characters_are_shown_not_sent(tmp_path: Path):
    problem = only(problems_of(tmp_path, '[log]\nlevel = "\\u001b[31mred\\u202e"\n'))
    assert problem.got == 'log.level = "\\x1b[31mred\\u202e"'
    assert problem.line().isprintable()


def test_long_values_are_cut_at_eighty_characters(tmp_path: Path):
    problem = only(problems_of(tmp_path, f'[log]\nlevel = "{"x" * 500}"\n'))
    assert problem.got == f'log.level = "{"x" * 79}…"'
