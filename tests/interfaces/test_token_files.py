"""C13 and the way the command line finds the daemon: token file and control file."""

from pathlib import Path

import pytest

from config.problems import ConfigProblems
from executor.interfaces.control_file import (
    ControlFile,
    control_url,
    read_control_file,
    remove_control_file,
    write_control_file,
)
from executor.interfaces.token import ensure_token, read_token

CONTENT = ControlFile(url="http://127.0.0.1:1", pid=7, version="1", token_file="/x/token")


def test_a_missing_token_is_made_once(tmp_path: Path):
    path = tmp_path / "new" / "token"
    first = ensure_token(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert len(first.reveal()) >= 43
    assert ensure_token(path) == first == read_token(path)
    assert ensure_token(tmp_path / "other") != first


@pytest.mark.parametrize(
    "text", ["", "changeme", "a" * 64, "x" * 42, "with blank " * 5, "é" * 50, "abcdefgh" * 8, "\0" * 50]
)
def test_weak_tokens_are_refused(tmp_path: Path, text: str):
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigProblems, match="API_TOKEN_WEAK") as caught:
        ensure_token(path)
    if len(text) > 6:
        assert text not in str(caught.value)


def test_a_token_that_others_may_read_or_that_is_a_link(tmp_path: Path):
    path = tmp_path / "token"
    ensure_token(path)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(ConfigProblems, match="symbolic link"):
        ensure_token(link)
    path.chmod(0o644)
    with pytest.raises(ConfigProblems, match="mode 0644"):
        read_token(path)
    with pytest.raises(ConfigProblems, match=r"API_TOKEN_WEAK.*with --token-file"):
        read_token(tmp_path / "none")


def test_the_control_file_is_private_and_whole(tmp_path: Path):
    path = write_control_file(tmp_path, CONTENT)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_control_file(tmp_path) == CONTENT
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 1}', '{"url": "x", "pid": "7"}', "\x00"])
def test_a_control_file_of_another_form_is_none(tmp_path: Path, text: str):
    path = write_control_file(tmp_path, CONTENT)
    path.write_text(text)
    assert read_control_file(tmp_path) is None


def test_addresses_of_both_families():
    assert control_url("127.0.0.1", 80) == "http://127.0.0.1:80"
    assert control_url("::1", 80) == "http://[::1]:80"


def test_only_its_writer_removes_the_control_file(tmp_path: Path):
    write_control_file(tmp_path, CONTENT)
    remove_control_file(tmp_path, 8)
    assert read_control_file(tmp_path) == CONTENT
    remove_control_file(tmp_path, 7)
    assert read_control_file(tmp_path) is None
    remove_control_file(tmp_path, 7)
