"""Which account a data directory trades: written once, read back, and never guessed."""

from pathlib import Path

import pytest

from executor.domain.errors import ConfigError
from executor.runtime.account_record import NAME, read_account, write_account


def test_written_and_read_back(tmp_path: Path):
    assert read_account(tmp_path) is None
    write_account(tmp_path, "24617703")
    assert read_account(tmp_path) == "24617703"
    assert [each.name for each in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"user_id": 7}', '{"user_id": ""}', "\x00"])
def test_a_file_that_says_nothing_is_not_an_unknown_account(tmp_path: Path, content):
    (tmp_path / NAME).write_text(content)
    with pytest.raises(ConfigError, match="account"):
        read_account(tmp_path)


def test_a_directory_in_its_place_and_one_that_cannot_be_written(tmp_path: Path):
    (tmp_path / NAME).mkdir()
    with pytest.raises(ConfigError):
        read_account(tmp_path)
    with pytest.raises(ConfigError, match="cannot be written"):
        write_account(tmp_path / "nowhere", "7")
