"""How late the event loop comes is looked at on an even grid: a hold of the loop counts for every instant in it."""

import asyncio
from types import SimpleNamespace

import pytest

import executor.runtime.live as live_module
from executor.runtime.live import LiveRuntime

EVERY_S = live_module._LAG_EVERY_S


class Ended(Exception):  # noqa: N818 - no error: the story is over
    """The story has been told."""


class Loop:
    """A loop whose clock is moved by hand: each sleep takes what was asked for and what the story adds to it."""

    def __init__(self, monkeypatch, *late_s):
        self.now_s = 100.0
        self.late_s = list(late_s)
        self.lags_s = []
        monkeypatch.setattr(live_module, "perf_counter", lambda: self.now_s)
        monkeypatch.setattr(live_module, "asyncio", SimpleNamespace(sleep=self.sleep))

    async def sleep(self, seconds):
        if not self.late_s:
            raise Ended
        self.now_s += seconds + self.late_s.pop(0)

    async def measured(self):
        telemetry = SimpleNamespace(on_loop_lag=self.lags_s.append)
        with pytest.raises(Ended):
            await LiveRuntime._measure_lag(SimpleNamespace(telemetry=telemetry))
        return self.lags_s


async def test_a_loop_in_time_is_not_late_and_one_that_is_early_neither(monkeypatch):
    loop = Loop(monkeypatch, 0.0, -0.0004, 0.003)
    assert await loop.measured() == pytest.approx([0.0, 0.0, 0.003], abs=1e-9)


async def test_an_instant_that_passed_while_the_loop_was_held_counts_with_its_own_wait(monkeypatch):
    loop = Loop(monkeypatch, 2.5 * EVERY_S, 0.0)
    assert await loop.measured() == pytest.approx(
        [2.5 * EVERY_S, 1.5 * EVERY_S, 0.5 * EVERY_S, 0.0], abs=1e-9
    )


async def test_the_grid_stays_even_however_late_a_look_was(monkeypatch):
    loop = Loop(monkeypatch, *[0.01] * 50)
    await loop.measured()
    assert loop.now_s == pytest.approx(100.0 + 50 * EVERY_S + 0.01, abs=1e-6)


def test_the_grid_falls_into_step_with_nothing_that_comes_every_second():
    phases_ms = {round(number * EVERY_S * 1_000) % 1_000 for number in range(1_000)}
    assert len(phases_ms) == 1_000


async def test_a_real_loop_that_is_held_is_seen(monkeypatch):
    """The same task on a real loop: it is held for a while by the clock alone, and says so."""
    lags_s, looked = [], asyncio.Event()

    def take(lag_s):
        lags_s.append(lag_s)
        looked.set()

    measuring = asyncio.create_task(
        LiveRuntime._measure_lag(SimpleNamespace(telemetry=SimpleNamespace(on_loop_lag=take)))
    )
    async with asyncio.timeout(30):
        await looked.wait()
        true_clock = live_module.perf_counter
        monkeypatch.setattr(live_module, "perf_counter", lambda: true_clock() + 5.0)
        looked.clear()
        await looked.wait()
    measuring.cancel()
    await asyncio.gather(measuring, return_exceptions=True)
    assert max(lags_s) > 4.0
