"""What all tests share: the arithmetic context of the daemon, and Hypothesis profiles."""

import gc
import os

from hypothesis import HealthCheck, settings

from executor.domain.units import install_decimal_context

install_decimal_context()

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
# The short form tries the same cases every time; the long one looks for new ones.
settings.register_profile(
    "ci", max_examples=50, derandomize=True, deadline=None, suppress_health_check=_QUIET, print_blob=True
)
settings.register_profile(
    "full", max_examples=20_000, deadline=None, suppress_health_check=_QUIET, print_blob=True
)
settings.load_profile("full" if os.environ.get("EXECUTOR_CAMPAIGN") == "full" else "ci")


def pytest_ignore_collect(collection_path, config):
    """Where only tests of processes are wanted, leave a file without any unread: to import it all takes long."""
    if config.option.markexpr == "process" and collection_path.name.startswith("test_"):
        return "mark.process" not in collection_path.read_text() or None
    return None


def pytest_collection_modifyitems(items):
    # What starts whole processes takes longest, and so does compiling: begun first, and by one worker, it does not keep
    # everybody waiting at the end.
    first = ("tests/process/", "tests/interfaces/test_demo", "tests/simulation/test_replay")
    items.sort(key=lambda item: not item.nodeid.startswith(first))


def pytest_collection_finish():
    # What has been imported stays: to look for rubbish in it again and again takes a twentieth of the time.
    gc.collect()
    gc.freeze()
