"""The file that says whom to tell: read strictly, and never shown."""

import pytest

from config.notices import read_notices
from config.problems import ConfigProblems

GOOD = """
severity = "CRITICAL"
heartbeat_s = 3600
ping_url = "https://ping.example/abc"

[webhook]
url = "https://hooks.example/T0/B0"
token = "wh-secret"

[telegram]
token = "123:tg-secret"
chat_id = "-100200"

[mail]
host = "mail.example"
sender = "executor@example.org"
to = ["a@example.org", "b@example.org"]
user = "executor"
password = "mail-secret"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "notices.toml"

    def write(text, mode=0o600):
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def test_all_three_ways(file):
    told = read_notices(file(GOOD))
    assert (told.severity, told.heartbeat_s) == ("CRITICAL", 3_600)
    assert told.webhook.token.reveal() == "wh-secret"
    assert told.telegram.url == "https://api.telegram.org"
    assert told.mail.to == ("a@example.org", "b@example.org")
    assert told.mail.port == 587
    assert "secret" not in repr(told)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nobody to tell"),
        ("[webhook]\nurl = 'http://hooks.example/x'", "https://"),
        ("[webhook]\nurl = 'https://user:pw@hooks.example/x'", "https://"),
        ("[webhook]\nurl = 'ftp://x'", "https://"),
        ("[webhook]\nurl = 'https://x'\nurls = 1", "urls"),
        ("[telegram]\ntoken = ''\nchat_id = '1'", "[telegram]"),
        ("[mail]\nhost = 'h'\nsender = 'x'\nto = ['a@b']", "[mail]"),
        ("[mail]\nhost = 'h'\nsender = 'x@y'\nto = []", "[mail]"),
        ('[mail]\nhost = "h"\nsender = "x@y\\nBcc: z@y"\nto = ["a@b"]', "control character"),
        ("[mail]\nhost = 'h'\nsender = 'x@y'\nto = ['a@b']\ntls = false", "tls"),
        ("severity = 'LOUD'\n[webhook]\nurl = 'https://x'", "severity"),
        ("heartbeat_s = -1\n[webhook]\nurl = 'https://x'", "heartbeat_s"),
        ("not toml", ""),
    ],
)
def test_what_is_wrong_is_said(file, text, said):
    with pytest.raises(ConfigProblems) as caught:
        read_notices(file(text))
    (problem,) = caught.value.problems
    assert problem.code == "NOTICES"
    assert said in problem.got


def test_a_file_that_others_may_read_is_refused(file):
    with pytest.raises(ConfigProblems) as caught:
        read_notices(file(GOOD, mode=0o644))
    assert "wh-secret" not in str(caught.value.problems)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigProblems):
        read_notices(tmp_path / "none.toml")
