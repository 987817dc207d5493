"""The layers joined into one, and each section validated, with every problem on the way."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.hosts import without_credentials
from config.problems import MASK, Problem, quoted
from config.schema import SECTIONS, setting_names
from config.secrets import ADVISER_ENV, ENV_NAMES
from config.section import Section
from config.written import Form, Layer, Written, nearest, read_environment, read_file

PROFILE_DIR: Final = Path(__file__).parent
PROFILES: Final = ("sandbox", "paper", "testnet", "demo", "live")

_SECRET_NAME: Final = re.compile(r"secret|passw|passphrase|private_?key|api_?key\Z|token\Z", re.IGNORECASE)
_S = TypeVar("_S", bound=Section)


def read_layers(profile: str | Path, extra: Path | None, environ: Mapping[str, str]) -> "Reader":
    """Read the profile, the extra file and the environment, each over the one before."""
    reader = Reader()
    for path in (_profile_path(profile), extra):
        if isinstance(path, Problem):
            reader.problems.append(path)
            reader.unread.append(path)
        elif path is not None:
            layer, problems = read_file(path)
            reader.unread += [] if layer else problems
            reader.add(layer, problems)
    reader.mode_in_files = reader.layer.get("executor", {}).get("mode")
    reader.add(*read_environment(environ, setting_names()))
    return reader


@dataclass(slots=True, kw_only=True)
class Reader:
    """What was written, joined, and the problems found so far.

    Parameters
    ----------
    mode_in_files
        What the files say about `executor.mode`, whatever the environment says.
    unread
        Those of the problems that kept a whole file from being read.
    refused
        Names of the settings that cannot be used, as `section.key`.
    """

    layer: Layer = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    mode_in_files: Written | None = None
    unread: list[Problem] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def add(self, layer: Layer, problems: list[Problem]) -> None:
        """Lay one more layer over what was read so far."""
        self.problems += problems
        for section, values in layer.items():
            if section in SECTIONS:
                self.layer.setdefault(section, {}).update(values)
            else:
                self.problems += _unknown_section(section, values)

    @property
    def origins(self) -> dict[str, str]:
        """Where each setting that was written was written last."""
        return {
            f"{section}.{key}": written.where
            for section, values in self.layer.items()
            for key, written in values.items()
        }

    def section(self, name: str, model: type[_S]) -> _S | None:
        """Validate one section; None if anything is wrong with it."""
        try:
            return model.model_validate(self.layer.get(name, {}))
        except ValidationError as error:
            self.problems += [_problem(name, model, details) for details in error.errors()]
            self.refused.update(f"{name}.{details['loc'][0]}" for details in error.errors())
            return None

    def usable(self, name: str, model: type[_S]) -> _S:
        """What is sound of a section that was validated before; a default stands in for each setting that is not."""
        values = self.layer.get(name, {})
        return model.model_validate(
            {key: written for key, written in values.items() if f"{name}.{key}" not in self.refused}
        )


def _profile_path(profile: str | Path) -> Path | Problem:
    if isinstance(profile, Path):
        return profile
    if profile in PROFILES:
        return PROFILE_DIR / f"{profile}.toml"
    return Problem(
        code="CONFIG_READ",
        where="profile",
        got=quoted(profile),
        allowed=f"one of {', '.join(PROFILES)}",
        next_step="choose a profile, and put your own settings into a file for --config",
    )


def _unknown_section(section: str, values: Mapping[str, Written]) -> list[Problem]:
    found = [
        unknown_key(f"{section}.{key}", written)
        for key, written in values.items()
        if _SECRET_NAME.search(key)
    ]
    where = next(iter(values.values())).where if values else f"section {quoted(section)}"
    problem = Problem(
        code="CONFIG_UNKNOWN_KEY",
        where=where,
        got=f"section {quoted(section)}",
        allowed=nearest(section, SECTIONS),
        next_step="correct the name of the section",
    )
    return [problem, *found]


def unknown_key(name: str, written: Written) -> Problem:
    """Say that a setting does not exist; a secret in a file gets its own warning, without its value."""
    if _SECRET_NAME.search(name.split(".")[1]):
        pairs = ", ".join(f"{key}/{secret}" for key, secret in ENV_NAMES.values())
        allowed = f"keys from the environment ({pairs}) or from venue.api_key_file"
        if name.startswith("adviser."):
            allowed = f"the key from the environment ({ADVISER_ENV}) or from adviser.api_key_file"
        return Problem(
            code="SECRET_INLINE",
            where=written.where,
            got=f"{quoted(name)} = {MASK}",
            allowed=allowed,
            next_step="remove it from the file and change the key where it was made if the file was shared",
        )
    return Problem(
        code="CONFIG_UNKNOWN_KEY",
        where=written.where,
        got=quoted(name),
        allowed=nearest(
            name,
            [known for known in setting_names() if known.split(".")[0] == name.split(".", maxsplit=1)[0]],
        ),
        next_step="correct the name or remove the line",
    )


def _problem(section: str, model: type[Section], details: ErrorDetails) -> Problem:
    key = str(details["loc"][0])
    written = details["input"]
    assert isinstance(written, Written), "fields are validated from what was written"
    if details["type"] == "extra_forbidden":
        return unknown_key(f"{section}.{key}", written)
    context = details.get("ctx", {})
    shown = without_credentials(written.text)
    return Problem(
        code=details["type"],
        where=written.where,
        got=f"{section}.{key} = {quoted(shown) if written.form is not Form.BARE else quoted(shown)[1:-1]}",
        allowed=str(context.get("allowed", f"a value of {model.__name__}")),
        next_step=str(context.get("next", "correct the value")),
    )
