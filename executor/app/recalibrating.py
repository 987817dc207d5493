"""Calibrations of impact beside the daemon, made again and again in a process of their own.

The engine knows nothing of it: parameters are read by whoever is started next. The process gets no key of anybody, the
lowest priority, and an end; what it did or why it failed is told in the log and counted. What was in use before stays
in use whenever anything goes wrong.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from config.impact import Apply, ImpactSection, ImpactSource
from config.secrets import ADVISER_ENV, ENV_NAMES
from executor.app.journal import JOURNAL_NAME
from executor.domain.events import Event
from executor.domain.ports import Log, Post
from executor.interfaces.kept_parameters import FOLDER
from executor.runtime.metrics import CalibrationOutcome

TIMEOUT_S: Final = 900.0
_FIRST_S: Final = 60.0
"""Until the first one, so that a start is left alone."""
_CLI: Final = "executor.interfaces.cli"
_SAID_CHARS_MAX: Final = 500


class Recalibration:
    """Makes calibrations on an interval.

    Parameters
    ----------
    commands
        For each instrument what is run.
    every_s
        Time between two rounds, seconds.
    count
        Told what became of each.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        every_s: float,
        log: Log,
        count: Callable[[CalibrationOutcome], None],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._commands = commands
        self._every_s = every_s
        self._log = log
        self._count = count
        self._timeout_s = timeout_s

    def notice(self, event: Event) -> None:
        """What the venue posts is in the journal, from where it is read."""

    async def run(self, post: Post) -> None:
        """Calibrate until cancelled."""
        await asyncio.sleep(min(_FIRST_S, self._every_s))
        while True:
            for instrument in self._commands:
                await self.calibrate(instrument)
            await asyncio.sleep(self._every_s)

    async def calibrate(self, instrument: str) -> CalibrationOutcome:
        """Calibrate one instrument, and tell what became of it."""
        code, out, err = await self._ended(self._commands[instrument])
        outcome = CalibrationOutcome.FAILED
        if code == 0:
            try:
                told = msgspec.json.decode(out, type=dict[str, object])
                outcome = CalibrationOutcome.APPLIED if told["in_use"] else CalibrationOutcome.KEPT
                self._log(
                    "impact calibrated",
                    instrument=instrument,
                    version=told["id"],
                    model=told["model"],
                    in_use=told["in_use"],
                    not_used_because=told["not_used_because"],
                )
            except (msgspec.DecodeError, msgspec.ValidationError, KeyError) as error:
                err = f"its answer cannot be read: {error}"
        if outcome is CalibrationOutcome.FAILED:
            self._log(
                "impact was not calibrated: what is in use stays in use",
                level="error",
                instrument=instrument,
                exit_code=code,
                said=err[-_SAID_CHARS_MAX:],
            )
        self._count(outcome)
        return outcome

    async def _ended(self, command: Sequence[str]) -> tuple[int | None, bytes, str]:
        """Run a command to its end; gives its exit code, None if it had none in time, and what it printed and said."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=without_keys(os.environ),
            )
        except OSError as error:
            return None, b"", f"it cannot be started: {error}"
        try:
            async with asyncio.timeout(self._timeout_s):
                out, err = await process.communicate()
        except TimeoutError:
            return None, b"", f"it took more than {self._timeout_s:g} s"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        # With --json what was refused stands where the answer would.
        return process.returncode, out, (err or out).decode("utf-8", "replace")


def without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Leave out every variable that holds a key of the exchange or of a model."""
    keys = {ADVISER_ENV, *(name for pair in ENV_NAMES.values() for name in pair)}
    return {name: value for name, value in environ.items() if name not in keys}


def recalibrations(
    section: ImpactSection, data_dir: Path, log: Log, count: Callable[[CalibrationOutcome], None]
) -> list[Recalibration]:
    """Make what calibrates as the settings ask; nothing where they ask for nothing."""
    if not section.calibrate_s or not section.instruments:
        return []
    nice = shutil.which("nice")
    words = [
        *([nice, "-n", "19"] if nice else []),
        sys.executable,
        "-m",
        _CLI,
        "impact",
        "calibrate",
        "--json",
    ]
    words += [
        "--model",
        section.model.value,
        "--kept",
        str(data_dir / FOLDER),
        "--kept-max",
        str(section.kept_max),
    ]
    if section.source is ImpactSource.JOURNAL:
        words += ["--from-journal", str(data_dir / JOURNAL_NAME)]
    else:
        words.append("--from-store")
        words += [] if section.store_dir is None else ["--data", str(section.store_dir)]
    if section.window:
        words += ["--window", str(section.window)]
    if section.apply is Apply.AUTO:
        words += ["--use-within-pct", str(section.drift_pct_max)]
    commands = {}
    for instrument in section.instruments:
        category, symbol = instrument.split("/")
        commands[instrument] = [*words, "--symbol", symbol, "--category", category]
    return [Recalibration(commands, float(section.calibrate_s), log, count)]
