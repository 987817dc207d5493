"""What all tests share: the arithmetic context of the daemon, and Hypothesis profiles."""

import gc
import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from executor.domain.units import install_decimal_context

# No test speaks with the world outside; to read all its authorities takes 25 ms for each client, and each process.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("nobody.pem"))
# A shell that runs us in its background has Ctrl-C ignored, and so would be each process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
install_decimal_context()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin each test with the daemon's arithmetic: ccxt, which judges some, leaves another one behind."""
    install_decimal_context()


# Its rows assert, and whoever imports them may come first.
pytest.register_assert_rewrite("tests.conformance")

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
# The short form tries the same cases every time; the long one looks for new ones.
settings.register_profile(
    "ci", max_examples=50, derandomize=True, deadline=None, suppress_health_check=_QUIET, print_blob=True
)
settings.register_profile(
    "full", max_examples=20_000, deadline=None, suppress_health_check=_QUIET, print_blob=True
)
settings.load_profile("full" if os.environ.get("EXECUTOR_CAMPAIGN") == "full" else "ci")

SECONDS = {
    "tests/process/test_sentinel.py::test_a_killed": 45,
    "tests/process/test_testnet_page": 45,
    "tests/process/test_sentinel.py::test_a_stopped": 40,
    "tests/process/test_whole": 35,
    "tests/process/test_sentinel.py::test_a_healthy": 35,
    "tests/process/test_kill": 30,
    "tests/interfaces/test_demo": 20,
    "tests/deploy/": 30,
    "tests/docs/test_pages_run.py::test_the_first": 45,
    "tests/process/": 15,
    "tests/faults/test_wire_proof": 25,
    "tests/faults/test_routed_order": 20,
    "tests/faults/": 8,
    "tests/venues/test_two_venues": 8,
    "tests/venues/test_through_ccxt": 8,
    "tests/venues/test_through_binance": 3,
    "tests/sentinel/test_sweep_elsewhere": 8,
}
"""What tests of processes take, roughly; all others take less than one."""
WHOLE_DAEMONS = (
    "tests/process/",
    "tests/deploy/",
    "tests/interfaces/test_demo",
    "tests/docs/test_pages_run.py::test_the_first",
)


def pytest_configure(config):
    """Let every worker begin its reading elsewhere: what one has rewritten and compiled, the others find done."""
    worker = getattr(config, "workerinput", None)
    # The order of the tests, which must be the same for all of them, is drawn afterwards.
    if worker is None or config.args != ["tests"] or not config.getoption("randomly_reorganize", False):
        return
    folders = sorted(str(path) for path in Path("tests").iterdir() if any(path.glob("test_*.py")))
    first = int(worker["workerid"].removeprefix("gw")) * len(folders) // worker["workercount"]
    config.args = folders[first:] + folders[:first]


def pytest_ignore_collect(collection_path, config):
    """Where only tests of processes are wanted, leave a file without any unread: to import it all takes long."""
    if config.option.markexpr == "process" and collection_path.name.startswith("test_"):
        return "mark.process" not in collection_path.read_text() or None
    return None


@pytest.hookimpl(trylast=True)  # when all that is not wanted has been left out
def pytest_collection_modifyitems(config, items):
    worker = getattr(config, "workerinput", None)
    if config.option.markexpr == "process" and worker is not None:
        items[:] = dealt(items, worker["workercount"])
        return
    # What starts processes takes longest, and so does compiling: begun first, and by one worker, it does not keep
    # everybody waiting at the end.
    compiling = (
        "tests/simulation/test_replay",
        "tests/simulation/test_book",
        "tests/simulation/test_compiled",
    )
    first = (*WHOLE_DAEMONS, *compiling)
    items.sort(key=lambda item: not item.nodeid.startswith(first))


def dealt(items, workers):
    """Let every worker begin with its share of the longest; whoever has done takes from the ends of other shares.

    Only half of the workers get tests of whole daemons: more of them at once would starve each other. Short tests of
    one file stay together: what they share is made once.
    """
    sizes = [(len(items) + place) // workers for place in range(workers)]  # so the list is given out
    shares, taken_s = [[] for _ in sizes], [0] * workers
    for item in sorted(filter(seconds, items), key=seconds, reverse=True):
        some = max(1, workers // 2) if item.nodeid.startswith(WHOLE_DAEMONS) else workers
        free = [place for place in range(some) if len(shares[place]) < sizes[place]]
        place = min(free or range(workers), key=taken_s.__getitem__)
        shares[place].append(item)
        taken_s[place] += seconds(item)
    short = sorted(
        (item for item in items if not seconds(item)), key=lambda item: item.nodeid.partition("::")[0]
    )
    for share, size in zip(shares, sizes, strict=True):
        room = max(0, size - len(share))
        share.extend(short[:room])
        del short[:room]
    return [item for share in shares for item in share]


def seconds(item):
    return next((long for name, long in SECONDS.items() if item.nodeid.startswith(name)), 0)


def pytest_collection_finish():
    # What has been imported stays: to look for rubbish in it again and again takes a twentieth of the time.
    gc.collect()
    gc.freeze()
