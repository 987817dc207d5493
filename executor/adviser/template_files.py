"""Reading the fixed text of a question from a file: the one shipped, or one of the operator's."""

from pathlib import Path
from typing import Final

from executor.advice.prompt import Template
from executor.domain.errors import ConfigError

DEFAULT: Final = Path(__file__).parent / "templates" / "execution.txt"
"""The text that is shipped."""
TEMPLATE_BYTES_MAX: Final = 32_768
"""Longest text that is read; every question carries it, and every byte of it costs."""


def load_template(path: Path = DEFAULT) -> Template:
    """Read a template; its name is the file's without the ending.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no UTF-8, is empty or too long.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(TEMPLATE_BYTES_MAX + 1)
        text = raw.decode("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"the template {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the template {path} is not UTF-8 (byte {error.start})") from error
    if len(raw) > TEMPLATE_BYTES_MAX:
        raise ConfigError(f"the template {path} is longer than {TEMPLATE_BYTES_MAX} bytes")
    if not text:
        raise ConfigError(f"the template {path} is empty")
    return Template(name=path.stem, text=text)
