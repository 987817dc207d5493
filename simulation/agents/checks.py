"""What every agent asks of its parameters."""


def wanted(holds: bool, otherwise: str) -> None:
    """Refuse parameters that make no sense.

    Parameters
    ----------
    holds
        Whether they do.
    otherwise
        What is wanted.

    Raises
    ------
    ValueError
        If they do not.
    """
    if not holds:
        raise ValueError(f"wanted: {otherwise}")
