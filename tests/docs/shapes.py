"""Whether what a command prints has the shape that a page shows: the same words, with other figures in their places."""

import re

ELLIPSES = ("…", "...")
_FIGURES = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?"), "TIME"),
    (re.compile(r"(?<=instance )\S+|https?://\S+"), "NAME"),
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "HASH"),
    (re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?"), "N"),
)
_PLURAL = re.compile(r"N (\w+?)s\b")


def shape(line):
    """A line without its figures, and with one blank where there are several."""
    for pattern, name in _FIGURES:
        line = pattern.sub(name, line)
    return _PLURAL.sub(r"N \1", " ".join(line.split()))


def missing(shown, printed):
    """Lines of a page of whose shape nothing was printed, in the order of the page.

    A line of the page that is an ellipsis stands for any lines; so does the end of one that ends in it.
    """
    left = [shape(line) for line in printed]
    lost = []
    for line in shown:
        wanted = shape(line)
        if not wanted or wanted in ELLIPSES:
            continue
        opened = wanted.endswith(ELLIPSES)
        stem = wanted.removesuffix("…").removesuffix("...").rstrip()
        for place, got in enumerate(left):
            if got.startswith(stem) if opened else got == wanted:
                left = left[place + 1 :]
                break
        else:
            lost.append(line)
    return lost
