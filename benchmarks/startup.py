"""How long the command line takes to answer, and what it must not import. `python -m benchmarks.startup`."""

import subprocess
import sys
from statistics import median
from time import perf_counter

HEAVY = ("ccxt", "openai", "numba", "plotly", "pandas", "ray", "pyarrow")
_RUNS = 5


def main() -> None:
    """Measure and print."""
    for name, words in (("executor --help", ["--help"]), ("executor config show", ["config", "show"])):
        spans = []
        for _ in range(_RUNS):
            began = perf_counter()
            command = [sys.executable, "-m", "executor.interfaces.cli", *words]
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own interpreter
            spans.append(perf_counter() - began)
        sys.stdout.write(f"{name:<24} median {median(spans) * 1e3:6.0f} ms of {_RUNS}\n")
    loaded = heavy_modules("executor.app.start")
    sys.stdout.write(f"heavy modules on the daemon's start path: {', '.join(loaded) or 'none'}\n")


def heavy_modules(module: str) -> list[str]:
    """Heavy modules that importing a module brings along, seen in a fresh interpreter."""
    probe = f"import sys, {module}; print(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)  # noqa: S603
    return done.stdout.split()


if __name__ == "__main__":
    main()
