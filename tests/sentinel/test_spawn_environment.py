"""A sentinel starts beside a daemon that asks a model, and knows nothing of it."""

import time
from pathlib import Path

from config.secrets import ADVISER_ENV
from config.stop import load_stop_settings
from executor.sentinel.spawn import spawn_sentinel

KEY = "sk-cAnArY-4Qz7Xw2Vb9Nk5Mj8-mOdEl"
ADVISED = """
[adviser]
enabled = true
base_url = "https://llm.example.com/v1"
model = "m"
input_price = 1
output_price = 1
"""


def environment(pid: int) -> bytes:
    """What a process was started with; the system has it a moment after the start."""
    end_s = time.monotonic() + 10.0
    while not (found := Path(f"/proc/{pid}/environ").read_bytes()):
        assert time.monotonic() < end_s, "the process was given nothing"
    return found


def test_the_key_of_the_model_is_not_handed_on(tmp_path: Path):
    environ = {ADVISER_ENV: KEY, "BYBIT_TESTNET_API_KEY": "kept", "EXECUTOR_ADVISER__ENABLED": "true"}
    process = spawn_sentinel(tmp_path, ["--help"], environ)
    try:
        given = environment(process.pid).split(b"\0")
    finally:
        process.kill()
        process.wait(10)
    assert b"BYBIT_TESTNET_API_KEY=kept" in given
    assert KEY.encode() not in b"".join(given)


def test_a_stop_needs_nothing_of_the_model_and_remarks_nothing(tmp_path: Path):
    path = tmp_path / "extra.toml"
    path.write_text(ADVISED)
    for environ in ({}, {"EXECUTOR_ADVISER__MODEL": "m2"}):
        settings, remarks = load_stop_settings("sandbox", path, environ)
        assert (settings.credentials.api_key.reveal(), remarks) == ("sandbox-key", ())
    path.write_text(f"{ADVISED}breaker_open_s = 0\n")
    settings, _ = load_stop_settings("sandbox", path, {ADVISER_ENV: KEY})
    assert KEY not in repr(settings)
