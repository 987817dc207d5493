"""One daemon per lock: the second is told who is first, and a lock ends with its process."""

import os
import subprocess
import sys

import pytest

from executor.domain.errors import AlreadyRunning, ConfigError
from executor.runtime.lock import AccountLock, ProcessLock, key_lock_path


def test_the_second_holder_is_told_the_pid_of_the_first(tmp_path):
    path = tmp_path / "sub" / "executor.lock"
    with ProcessLock(path):
        with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}"), ProcessLock(path):
            pytest.fail("two hold one lock")
        assert path.read_text() == f"{os.getpid()}\n"
    assert path.exists()
    with ProcessLock(path):
        pass


def test_nobody_else_may_look(tmp_path):
    path = tmp_path / "sub" / "executor.lock"
    with ProcessLock(path):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.process
def test_a_lock_ends_with_its_process(tmp_path):
    path = tmp_path / "executor.lock"
    holder = "import sys; from pathlib import Path; from executor.runtime.lock import ProcessLock\n"
    holder += (
        "lock = ProcessLock(Path(sys.argv[1])); lock.__enter__(); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", holder, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "."},
    )
    with child:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning, match=f"pid {child.pid}"), ProcessLock(path):
            pytest.fail("two processes hold one lock")
        child.kill()
        child.wait(10)
    with ProcessLock(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_symbolic_link_is_not_followed(tmp_path):
    target = tmp_path / "precious"
    target.write_text("keep")
    link = tmp_path / "executor.lock"
    link.symlink_to(target)
    with pytest.raises(ConfigError, match="symbolic"), ProcessLock(link):
        pytest.fail("a link was followed")
    assert target.read_text() == "keep"


def test_a_key_has_one_lock_wherever_its_data_is_and_it_names_no_key():
    one = key_lock_path("https://api.example", "the-key")
    assert one == key_lock_path("https://api.example", "the-key")
    assert one != key_lock_path("https://api.example", "the-kez")
    assert one != key_lock_path("https://api-testnet.example", "the-key")
    assert "the-key" not in str(one)


def test_an_account_is_held_once_and_the_second_is_told_by_whom():
    number = f"test-{os.getpid()}"
    with AccountLock("https://api.example", number):
        for url in ("https://api.example", "https://API.example/"):
            with (
                pytest.raises(
                    AlreadyRunning, match=f"pid {os.getpid()} works account {number} of api.example"
                ),
                AccountLock(url, number),
            ):
                pytest.fail("two hold one account")
        with AccountLock("https://api-testnet.example", number), AccountLock("https://api.example", "9"):
            pass
    with AccountLock("https://api.example", number):
        pass


def test_however_often_it_is_asked_for_a_held_account_stays_held():
    number = f"test-{os.getpid()}-often"
    with AccountLock("https://api.example", number):
        for _ in range(300):
            with pytest.raises(AlreadyRunning), AccountLock("https://api.example", number):
                pytest.fail("two hold one account")


@pytest.mark.process
def test_an_account_is_held_whatever_a_process_thinks_of_its_directories_and_ends_with_it(tmp_path):
    number = f"test-{os.getpid()}-process"
    holder = "import sys; from executor.runtime.lock import AccountLock\n"
    holder += (
        "lock = AccountLock(*sys.argv[1:]); lock.__enter__(); print('held', flush=True); sys.stdin.read()"
    )
    places = {name: str(tmp_path) for name in ("TMPDIR", "HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")}
    child = subprocess.Popen(
        [sys.executable, "-c", holder, "https://api.example", number],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ".", **places},
    )
    with child:
        assert child.stdout.readline() == b"held\n"
        with (
            pytest.raises(AlreadyRunning, match=f"pid {child.pid} "),
            AccountLock("https://api.example", number),
        ):
            pytest.fail("two processes hold one account")
        child.kill()
        child.wait(10)
    with AccountLock("https://api.example", number):
        pass
