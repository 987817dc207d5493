"""A mistyped symbol must fail its own parent, with a hint, and nobody else's."""

import pytest

from tests.process.processes import Daemon, Exchange, wait_until


@pytest.mark.process
def test_mistyped_symbol_fails_alone_and_names_its_neighbours(tmp_path):
    exchange = Exchange.start(tmp_path, "--seed", "3")
    daemon = Daemon(tmp_path, exchange, {"EXECUTOR_TIMINGS__VOLATILITY_WARMUP_S": "2"})
    daemon.start()
    order = {"side": "buy", "qty": "0.2", "duration": "30s", "residual": "cross", "interval": "10s"}
    wrong = daemon.ask("POST", "/v1/parents", {**order, "symbol": "BTCUSTD"}, **{"Idempotency-Key": "a"})[
        "parent_id"
    ]
    right = daemon.ask("POST", "/v1/parents", {**order, "symbol": "BTCUSDT"}, **{"Idempotency-Key": "b"})[
        "parent_id"
    ]
    view = wait_until(
        lambda: (seen := daemon.ask("GET", f"/v1/parents/{wrong}"))["final"] and seen,
        "the end of the wrong one",
    )
    assert (view["status"], view["reason"]) == ("FAILED", "INSTRUMENT_UNUSABLE")
    assert "nearest: BTCUSDT" in daemon.log_tail()
    wait_until(
        lambda: daemon.ask("GET", f"/v1/parents/{right}")["status"] in {"ACTIVE", "EXECUTING", "COMPLETE"},
        "work",
    )
    assert daemon.stop() == 0
    exchange.close()
