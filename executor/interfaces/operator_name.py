"""Who asks, where nobody says it: the name that is written beside a halt, a kill, a tightened limit, a calibration."""

import getpass
import os


def operator_name() -> str:
    """Name of the user of this process; its number where it has no name, as in a container with a bare id."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a stop is not refused because nobody wrote down who pulls it
        return f"uid {os.getuid()}"
