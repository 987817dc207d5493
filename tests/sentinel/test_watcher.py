"""The sentinel's loop with a clock of the test's own and real files, against an exchange over real sockets."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from executor.sentinel.sweep import Sweep
from executor.sentinel.venue import SweepVenue
from executor.sentinel.watcher import METRICS_NAME, Ending, Watcher
from executor.watch.halt_file import halt_path, new_halt, read_halt, remove_halt, write_halt
from executor.watch.heartbeat import (
    DAEMON_NAME,
    SENTINEL_NAME,
    HeartbeatFile,
    Life,
    read_heartbeat,
    this_boot,
)
from sandbox.bybit_server import FlowSettings, SandboxOptions, running_server
from tests.sentinel.hand import KEY, SECRET, place

S = 1_000_000_000


class Bench:
    """An exchange, a daemon that is nothing but a heartbeat, and a sentinel that is looked through by hand."""

    def __init__(self, home, server):
        self.home, self.server, self.now_ns, self.lines = home, server, 1_000 * S, []
        self.daemon = HeartbeatFile(home / DAEMON_NAME, boot_id=this_boot(), mono_ns=lambda: self.now_ns)

    def new(self, **over):
        def open_venue():
            return SweepVenue(
                rest_url=self.server.rest_url,
                api_key=KEY,
                api_secret=SECRET,
                recv_window_ms=5_000,
                timeout_s=5.0,
            )

        usual = dict(
            silence_s_max=8.0,
            open_venue=open_venue,
            confirm_s=0.01,
            ends_with_daemon=False,
            now_text=lambda: "now",
            log=lambda message, **_: self.lines.append(message),
            mono_ns=lambda: self.now_ns,
        )
        return Watcher(self.home, **{**usual, **over})

    def look(self, watcher, seconds=0.25):
        """Let time pass as it does for a sentinel that runs: it looks four times a second."""
        end_ns = self.now_ns + int(seconds * S)
        ending = None
        while self.now_ns < end_ns and ending is None:
            self.now_ns = min(self.now_ns + S // 4, end_ns)
            ending = watcher.look()
        return ending

    def stand_still(self, watcher, seconds):
        """Let time pass in which the sentinel does not run, and look."""
        self.now_ns += int(seconds * S)
        return watcher.look()

    async def looked_until(self, watcher, condition):
        """Look again and again, a little later each time, until something is so."""
        async with asyncio.timeout(30):
            while not condition():
                ending = self.look(watcher, 0.01)
                if ending is not None:
                    return ending
                await asyncio.sleep(0)
        return None

    @property
    def open_count(self):
        (account,) = self.server.exchange.accounts.values()
        return len(account.open_orders)

    @property
    def swept(self):
        beat = read_heartbeat(self.home / SENTINEL_NAME)
        halt = read_halt(self.home)
        return beat is not None and halt is not None and beat.facts.get("swept") == halt.halt_id


@pytest.fixture
async def bench(tmp_path):
    options = SandboxOptions(flow=FlowSettings(frozen=True), address_requests_max=0)
    async with running_server(options) as server:
        bench = Bench(tmp_path, server)
        yield bench
        bench.daemon.close()


@asynccontextmanager
async def looking(watcher):
    yield watcher
    watcher._last_word(Ending.STOPPED)
    if watcher._sweep is not None:
        watcher._sweep.cancel()
        await asyncio.gather(watcher._sweep, return_exceptions=True)


async def test_silence_writes_the_latch_and_cancels_once(bench):
    await place(bench.server.rest_url)
    async with looking(bench.new()) as watcher:
        bench.daemon.write(Life.RUNNING)
        bench.look(watcher)
        assert bench.look(watcher, 7.5) is None
        assert read_halt(bench.home) is None
        bench.look(watcher, 0.5)
        halt = read_halt(bench.home)
        assert (halt.operator, halt.at) == ("sentinel", "now")
        await bench.looked_until(watcher, lambda: not bench.open_count and bench.swept)
        await bench.looked_until(watcher, lambda: len(read_halt(bench.home).orders) == 7)
        assert read_halt(bench.home).halt_id == halt.halt_id
        # What a person orders by hand afterwards is left alone, for as long as the daemon stays silent.
        await place(bench.server.rest_url)
        await bench.looked_until(watcher, lambda start=bench.now_ns: bench.now_ns > start + 5 * S)
        assert bench.open_count == 7


async def test_a_daemon_that_goes_on_can_fall_again(bench):
    async with looking(bench.new()) as watcher:
        bench.daemon.write(Life.RUNNING)
        bench.look(watcher)
        bench.look(watcher, 9)
        await bench.looked_until(watcher, lambda: bench.swept)
        bench.daemon.write(Life.RUNNING)
        bench.look(watcher)
        assert remove_halt(bench.home, read_halt(bench.home).halt_id)
        bench.look(watcher)
        assert read_halt(bench.home) is None
        await place(bench.server.rest_url)
        bench.look(watcher, 9)
        await bench.looked_until(watcher, lambda: not bench.open_count and bench.swept)


async def test_the_stop_pulled_by_anybody_is_carried_out_beside_a_daemon_that_beats(bench):
    await place(bench.server.rest_url)
    async with looking(bench.new()) as watcher:
        bench.daemon.write(Life.RUNNING)
        write_halt(bench.home, new_halt("t", "ann", "looks wrong"))
        bench.look(watcher)
        await bench.looked_until(watcher, lambda: not bench.open_count)
        assert read_halt(bench.home).operator == "ann"


async def test_a_rearm_ends_the_sweep_of_a_daemon_that_beats(bench):
    async with looking(bench.new(confirm_s=3_600.0)) as watcher:
        bench.daemon.write(Life.RUNNING)
        write_halt(bench.home, new_halt("t", "ann", "looks wrong"))
        bench.look(watcher)
        assert watcher._is_sweeping
        halt_path(bench.home).unlink()
        bench.look(watcher)
        await asyncio.gather(watcher._sweep, return_exceptions=True)
        assert not watcher._is_sweeping
        assert bench.look(watcher) is None


async def test_its_own_stop_is_not_the_daemons(bench):
    async with looking(bench.new()) as watcher:
        bench.daemon.write(Life.RUNNING)
        bench.look(watcher)
        bench.stand_still(watcher, 3_600)
        assert read_halt(bench.home) is None
        assert any("itself stood still for 3600.0 s" in line for line in bench.lines)
        bench.look(watcher, 7.5)
        assert read_halt(bench.home) is None
        bench.look(watcher, 1.0)
        assert read_halt(bench.home) is not None


@pytest.mark.parametrize("pause_s", [1.1, *range(2, 16), 15.9, 16.1, *range(17, 21)])
async def test_a_machine_that_paused_has_a_daemon_that_is_heard_again(bench, pause_s):
    """The sentinel runs first, and the daemon beats only after nearly its whole time."""
    async with looking(bench.new()) as watcher:
        for _ in range(3):
            bench.daemon.write(Life.RUNNING)
            bench.look(watcher, 0.5)
        bench.stand_still(watcher, pause_s)
        bench.look(watcher, 7.0)
        assert read_halt(bench.home) is None
        bench.daemon.write(Life.RUNNING)
        bench.look(watcher, 7.75)
        assert read_halt(bench.home) is None
        bench.look(watcher, 0.5)
        assert "its order loop stands still" in read_halt(bench.home).reason


@pytest.mark.parametrize(("gap_s", "latest_s"), [(0.25, 8.5), (0.99, 9.0), (1.5, 15.0)])
async def test_a_machine_that_is_slow_all_the_time_does_not_hide_a_fall(bench, gap_s, latest_s):
    """Gaps up to a second count; longer ones between ordinary looks only put the end off by their length."""
    async with looking(bench.new()) as watcher:
        bench.daemon.write(Life.RUNNING)
        bench.look(watcher)
        fell_ns = bench.now_ns
        while read_halt(bench.home) is None:
            bench.stand_still(watcher, gap_s)
            if gap_s > 1:
                bench.look(watcher, 2.0)
            assert bench.now_ns - fell_ns <= latest_s * S


@pytest.mark.parametrize("gap_s", [1.05, 2.0, 4.0, 7.9, 60.0])
async def test_a_machine_that_stops_it_between_all_looks_does_not_hide_a_fall(bench, gap_s):
    """The first stop is excused, those that follow it at once are not."""
    async with looking(bench.new()) as watcher:
        bench.daemon.write(Life.RUNNING)
        bench.look(watcher)
        fell_ns = bench.now_ns
        while read_halt(bench.home) is None:
            bench.stand_still(watcher, gap_s)
            assert bench.now_ns - fell_ns <= (8.0 + 2 * gap_s) * S


async def test_a_beat_of_the_other_boot_is_not_put_off_by_a_stop_for_ever(bench):
    other = HeartbeatFile(bench.home / DAEMON_NAME, boot_id="another boot", mono_ns=lambda: 10**18)
    other.write(Life.RUNNING)
    other.close()
    async with looking(bench.new()) as watcher:
        bench.look(watcher, 1.0)
        bench.stand_still(watcher, 30)
        bench.look(watcher, 6.75)
        assert read_halt(bench.home) is None
        bench.look(watcher, 0.5)
        assert "started anew" in read_halt(bench.home).reason


async def test_a_heartbeat_that_cannot_be_read_counts_again_after_a_rearm(bench):
    (bench.home / DAEMON_NAME).write_bytes(b"torn")
    async with looking(bench.new()) as watcher:
        bench.look(watcher, 8.5)
        await bench.looked_until(watcher, lambda: bench.swept)
        first = read_halt(bench.home)
        bench.look(watcher, 60)
        assert read_halt(bench.home) == first
        assert remove_halt(bench.home, first.halt_id)
        await place(bench.server.rest_url)
        bench.look(watcher, 7.5)
        assert read_halt(bench.home) is None
        bench.look(watcher, 1.0)
        assert read_halt(bench.home).halt_id != first.halt_id
        await bench.looked_until(watcher, lambda: not bench.open_count and bench.swept)


@pytest.mark.parametrize("rearmed", [False, True])
async def test_a_sentinel_after_it_fires_for_an_unreadable_heartbeat_only_if_somebody_rearmed(bench, rearmed):
    (bench.home / DAEMON_NAME).write_bytes(b"torn")
    async with looking(bench.new()) as watcher:
        bench.look(watcher, 8.5)
        await bench.looked_until(watcher, lambda: bench.swept)
    if rearmed:
        assert remove_halt(bench.home, read_halt(bench.home).halt_id)
    await place(bench.server.rest_url)
    second = bench.new()
    second._remember()
    async with looking(second):
        bench.look(second, 8.5)
        assert second._is_sweeping is rearmed
        assert read_halt(bench.home) is not None


async def test_a_second_latch_file_that_says_nothing_is_carried_out_too(bench):
    async with looking(bench.new()) as watcher:
        for number in range(2):
            await place(bench.server.rest_url, ("linear USDT",))
            bench.daemon.write(Life.RUNNING)
            halt_path(bench.home).write_bytes(b"{")
            await bench.looked_until(watcher, lambda: not bench.open_count and bench.swept)
            await bench.looked_until(watcher, lambda: not watcher._is_sweeping)
            assert remove_halt(bench.home, read_halt(bench.home).halt_id), number
            bench.look(watcher)


async def test_work_that_is_not_finished_is_not_remembered_as_done(bench, monkeypatch):
    """The latch cannot be written and the sentinel dies in mid-sweep: only its heartbeat speaks to the next one."""

    def refuse(*_):
        raise OSError(28, "No space left on device")

    await place(bench.server.rest_url)
    monkeypatch.setattr("executor.sentinel.watcher.write_halt", refuse)
    bench.daemon.write(Life.FAILED, "disk full")
    first = bench.new(confirm_s=3_600.0)
    bench.look(first, 2.5)
    assert first._is_sweeping
    assert read_heartbeat(bench.home / SENTINEL_NAME).facts["fallen"] == ""
    first._sweep.cancel()
    await asyncio.gather(first._sweep, return_exceptions=True)
    first._file.close()
    assert bench.open_count == 7
    second = bench.new()
    second._remember()
    async with looking(second):
        await bench.looked_until(second, lambda: not bench.open_count)


@pytest.mark.parametrize("then", ["a newer stop", "a rearm"])
async def test_what_was_found_is_written_only_into_the_latch_it_was_found_for(bench, monkeypatch, then):
    async with looking(bench.new()) as watcher:
        bench.daemon.write(Life.RUNNING)
        old = new_halt("t", "ann", "looks wrong")
        newer = new_halt("t", "kill", "no!")
        write_halt(bench.home, old)
        run = Sweep.run

        async def changed_at_the_end(sweep):
            await run(sweep)
            if then == "a newer stop":
                write_halt(bench.home, newer)
            else:
                assert remove_halt(bench.home, old.halt_id)

        monkeypatch.setattr(Sweep, "run", changed_at_the_end)
        bench.look(watcher)
        await asyncio.wait_for(watcher._sweep, 30)
        assert watcher._swept_id == old.halt_id
        left = read_halt(bench.home)
        if then == "a newer stop":
            assert (left.halt_id, left.orders, left.first.halt_id) == (newer.halt_id, (), old.halt_id)
        else:
            assert left is None


async def test_a_directory_that_takes_no_latch_does_not_save_the_orders(bench, monkeypatch):
    await place(bench.server.rest_url)

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("executor.sentinel.watcher.write_halt", refuse)
    async with looking(bench.new()) as watcher:
        bench.daemon.write(Life.FAILED, "disk full")
        bench.look(watcher)
        await bench.looked_until(watcher, lambda: not bench.open_count)
        assert any("latch file cannot be written" in line for line in bench.lines)


async def test_a_sweep_that_breaks_off_is_begun_again(bench, monkeypatch):
    await place(bench.server.rest_url)
    broken, run = [], Sweep.run

    async def breaks_once(sweep):
        if not broken:
            broken.append(sweep)
            raise RuntimeError("a fault of our own")
        await run(sweep)

    monkeypatch.setattr(Sweep, "run", breaks_once)
    async with looking(bench.new()) as watcher:
        bench.daemon.write(Life.FAILED, "")
        await bench.looked_until(watcher, lambda: not bench.open_count)
        assert any("broke off" in line for line in bench.lines)


async def test_what_was_done_is_known_to_the_next_sentinel(bench):
    async with looking(bench.new()) as watcher:
        bench.daemon.write(Life.FAILED, "")
        await bench.looked_until(watcher, lambda: bench.swept)
        await bench.looked_until(watcher, lambda start=bench.now_ns: bench.now_ns > start + 3 * S)
    await place(bench.server.rest_url)
    second = bench.new()
    second._remember()
    async with looking(second):
        for _ in range(20):
            bench.look(second, 1.0)
            await asyncio.sleep(0)
        assert bench.open_count == 7


@pytest.mark.parametrize(
    ("life", "expected"), [(Life.ENDED, Ending.DAEMON_ENDED), (Life.RUNNING, None), (Life.FAILED, None)]
)
async def test_a_sentinel_of_a_daemon_ends_with_it(bench, life, expected):
    """The process of this test is the daemon: it lives, so that a daemon that failed could still go on."""
    async with looking(bench.new(ends_with_daemon=True)) as watcher:
        bench.daemon.write(life)
        assert (
            await bench.looked_until(watcher, lambda start=bench.now_ns: bench.now_ns > start + 5 * S)
            is expected
        )


async def test_a_sentinel_of_a_daemon_that_is_gone_ends_when_nothing_is_open(bench, monkeypatch):
    await place(bench.server.rest_url)
    monkeypatch.setattr("executor.sentinel.watcher.process_lives", lambda pid: False)
    async with looking(bench.new(ends_with_daemon=True)) as watcher:
        bench.daemon.write(Life.RUNNING)
        bench.look(watcher)
        bench.look(watcher, 9)
        assert await bench.looked_until(watcher, lambda: False) is Ending.DAEMON_FELL
        assert bench.open_count == 0


async def test_a_sentinel_of_a_daemon_that_never_came_gives_up(bench):
    async with looking(bench.new(ends_with_daemon=True)) as watcher:
        assert bench.look(watcher) is None
        assert bench.look(watcher, 61) is Ending.STOPPED


async def test_a_sentinel_by_itself_stays(bench):
    async with looking(bench.new()) as watcher:
        assert bench.look(watcher, 100) is None
        bench.daemon.write(Life.ENDED)
        assert bench.look(watcher, 100) is None


async def test_figures_for_a_collector_follow_what_it_does(bench):
    async with looking(bench.new()) as watcher:
        bench.daemon.write(Life.RUNNING)
        bench.look(watcher)
        page = (bench.home / METRICS_NAME).read_text()
        assert "executor_sentinel_up 1\n" in page
        assert "executor_sentinel_daemon_fallen 0\n" in page
        bench.look(watcher, 9)
        await bench.looked_until(watcher, lambda: bench.swept)
        assert "executor_sentinel_daemon_fallen 1\n" in (bench.home / METRICS_NAME).read_text()
    assert not (bench.home / METRICS_NAME).exists()


async def test_asked_to_end_it_ends_and_says_when_orders_could_be_open(bench):
    stop = asyncio.Event()
    stop.set()
    assert await bench.new().run(stop) is Ending.STOPPED
    assert read_heartbeat(bench.home / SENTINEL_NAME).life is Life.ENDED
    bench.daemon.write(Life.FAILED)
    stop.clear()
    asyncio.get_running_loop().call_later(0.3, stop.set)
    assert await bench.new(confirm_s=3_600.0).run(stop) is Ending.UNFINISHED
