"""Calibrations in files: each kept whole under its id, the oldest let go, and one of each instrument in use.

    <folder>/<venue>.<category>.<symbol>/<time>-<id>.json       one calibration
    <folder>/<venue>.<category>.<symbol>/in_use.json            which of them is to be used, and who said so

A file is seen whole or not at all. What was changed by hand, or cannot be read, is never used.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from executor.domain.errors import ConfigError
from executor.domain.timeline import iso_utc
from executor.watch.durable import read_small, replace_file
from impact.models import read_model
from impact.parameters import ParameterVersion, drift, read_version, written_version
from impact.protocol import ImpactModel

FOLDER: Final = "impact"
KEPT_USUAL: Final = 20
_IN_USE: Final = "in_use.json"
_BYTES_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One calibration on the disk."""

    path: Path
    version: ParameterVersion
    in_use: bool


class KeptParameters:
    """The calibrations below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, version: ParameterVersion, kept_max: int = KEPT_USUAL) -> Path:
        """Write a calibration, and let the oldest of its instrument go; what is in use or was chosen stays.

        Raises
        ------
        OSError
            If it cannot be written.
        ConfigError
            If another file of the instrument cannot be read.
        """
        folder = self._of(version.instrument)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = iso_utc(version.made_ns).partition(".")[0].rstrip("Z").replace(":", "").replace("-", "")
        path = folder / f"{stamp}-{version.version_id}.json"
        replace_file(path, written_version(version).encode(), durable=True)
        choice = _choice_in(folder)
        needed = {version.version_id, *(() if choice is None else (choice.used_id, choice.chosen_id))}
        for old in self.listed(version.instrument)[:-kept_max]:
            if old.version.version_id not in needed:
                old.path.unlink(missing_ok=True)
        return path

    def listed(self, instrument: str | None = None) -> list[Kept]:
        """Every calibration, of one instrument or of all; oldest first within each.

        Raises
        ------
        ConfigError
            If a file cannot be read or is not what was written.
        """
        kept = []
        for folder in self._folders(instrument):
            choice = _choice_in(folder)
            files = [path for path in folder.glob("*.json") if path.name != _IN_USE]
            for path in files:
                version = read_kept(path)
                kept.append(
                    Kept(
                        path=path,
                        version=version,
                        in_use=choice is not None and version.version_id == choice.used_id,
                    )
                )
        return sorted(kept, key=lambda one: (one.version.instrument, one.version.made_ns, one.path.name))

    def use(self, version_id: str, by: str, at_ns: int) -> ParameterVersion:
        """Say which calibration of its instrument is to be used from now on: a person's word.

        Parameters
        ----------
        version_id
            Its id, or the beginning of it where that is enough.
        by
            Who says so.
        at_ns
            When, UTC.

        Raises
        ------
        ConfigError
            If there is none of that id, more than one, or it cannot be read.
        OSError
            If it cannot be written.
        """
        found = [one for one in self.listed() if version_id and one.version.version_id.startswith(version_id)]
        if len({one.version.version_id for one in found}) != 1:
            known = ", ".join(one.version.version_id for one in found or self.listed()) or "none"
            raise ConfigError(f"{version_id!r} is not the id of one calibration; there are {known}")
        version = found[0].version
        self._say(version, _Choice(version.version_id, version.version_id, by), at_ns)
        return version

    def use_within(self, version: ParameterVersion, drift_max: float, at_ns: int) -> str:
        """Put a calibration to use without a person, if it is near enough to the one that a person chose last.

        It is not held against the one before, or many small steps would lead anywhere.

        Parameters
        ----------
        drift_max
            Largest change of any estimate, as a share of what it was, >= 0.
        at_ns
            When, UTC.

        Returns
        -------
        Why it was not put to use; empty where it was.

        Raises
        ------
        ConfigError
            If what is in use cannot be read.
        OSError
            If it cannot be written.
        """
        folder = self._of(version.instrument)
        choice = _choice_in(folder)
        if choice is None:
            return "nobody has chosen a first one: `executor impact use` does"
        chosen = [
            one.version
            for one in self.listed(version.instrument)
            if one.version.version_id == choice.chosen_id
        ]
        if not chosen:
            return f"{choice.chosen_id}, which a person chose, is not there any more"
        moved = drift(chosen[0], version)
        far = {name: share for name, share in moved.items() if share > drift_max}
        if far:
            told = ", ".join(f"{name} by {share:.0%}" for name, share in sorted(far.items()))
            return f"too far from {choice.chosen_id}, which {choice.by} chose: {told}; {drift_max:.0%} is allowed"
        self._say(version, _Choice(version.version_id, choice.chosen_id, choice.by), at_ns)
        return ""

    def in_use(self, instrument: str) -> ParameterVersion | None:
        """The calibration in use of an instrument; None where nobody has chosen one.

        Raises
        ------
        ConfigError
            If one was chosen and is not there any more, or cannot be read.
        """
        folder = self._of(instrument)
        choice = _choice_in(folder)
        if choice is None:
            return None
        found = [one.version for one in self.listed(instrument) if one.in_use]
        if not found:
            raise ConfigError(f"{folder}: {choice.used_id} is to be used, and is not there")
        return found[-1]

    def model_in_use(self, instrument: str) -> ImpactModel | None:
        """The model of the calibration in use; None where nobody has chosen one.

        Raises
        ------
        ConfigError
            As `in_use`, or if the model is none that may be used.
        """
        version = self.in_use(instrument)
        if version is None:
            return None
        try:
            return read_model(version.model)
        except ValueError as error:
            raise ConfigError(f"calibration {version.version_id}: {error}") from error

    def _of(self, instrument: str) -> Path:
        return self._folder / instrument.replace("/", ".")

    def _folders(self, instrument: str | None) -> Iterator[Path]:
        if instrument is not None:
            yield self._of(instrument)
        elif self._folder.is_dir():
            yield from sorted(path for path in self._folder.iterdir() if path.is_dir())

    def _say(self, version: ParameterVersion, choice: "_Choice", at_ns: int) -> None:
        said = {"id": choice.used_id, "chosen": choice.chosen_id, "by": choice.by, "at": iso_utc(at_ns)}
        replace_file(self._of(version.instrument) / _IN_USE, json.dumps(said).encode(), durable=True)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is in use, what a person chose last, and who that was."""

    used_id: str
    chosen_id: str
    by: str


def _choice_in(folder: Path) -> _Choice | None:
    path = folder / _IN_USE
    try:
        text = read_small(path, _BYTES_MAX)
        if text is None:
            return None
        said = json.loads(text)
        words = [said[name] for name in ("id", "chosen", "by")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: does not say which calibration is in use: {error}") from error
    if not all(isinstance(word, str) for word in words):
        raise ConfigError(f"{path}: does not say which calibration is in use")
    return _Choice(*words)


def read_kept(path: Path) -> ParameterVersion:
    """Read one file, and see that its model may be used.

    Raises
    ------
    ConfigError
        If it cannot be read, is not what was written, or its model is refused.
    """
    try:
        text = read_small(path, _BYTES_MAX)
        if text is None:
            raise ConfigError(f"{path}: no such file")
        version = read_version(text)
        read_model(version.model)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return version
