"""Text from outside made harmless: what nobody can see is taken out, and it is short. It stays text, nothing more.

Whatever others wrote (headlines, names of sources, a model's own reasons) passes here before it is put into a question
or shown to people. What it says is not judged; that it can only be read as text is seen to here and by the JSON
encoding in `executor.advice.prompt`.
"""

import re
import unicodedata
from typing import Final

NAME_LEN_MAX: Final = 40
"""Longest name (symbol, strategy, source of a flow) that is written into a question, characters."""

_READ_PER_KEPT: Final = 8
"""Characters looked at for each that may be kept: bounds the work for a text of megabytes."""
_CUT: Final = "…"
_UNSEEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_UNSEEN_SIGNS: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
"""Characters without an image that Unicode counts as letters, marks or symbols: joiners, fillers, the blank Braille
cell, and the variation selectors, of which a run can carry a hidden message (Default_Ignorable_Code_Point; U+2800)."""
_MARKS_IN_A_ROW_MAX: Final = 3
"""More combining marks on one letter than any language writes cover the lines above and below."""
_NO_NAME_CHAR: Final = re.compile(r"[^A-Za-z0-9._:-]+")


def clean(text: str, len_max: int) -> str:
    """Keep of a text what can be seen, on one line and within a length.

    Control characters, direction marks, zero-width characters, halves of surrogate pairs, private and unassigned
    characters go; blanks and line ends of any kind become one space; the rest is in Unicode's NFC form.

    Parameters
    ----------
    len_max
        Longest result, characters, >= 1; a longer text ends with an ellipsis.

    Returns
    -------
    str
        Printable in the sense of `str.isprintable`; cleaning it again changes nothing.
    """
    read_max = len_max * _READ_PER_KEPT
    shown = _UNSEEN_SIGNS.sub("", text[:read_max])
    seen = "".join(" " if char.isspace() else char for char in shown if _is_seen(char))
    whole = _few_marks(" ".join(unicodedata.normalize("NFC", seen).split()))
    if len(whole) <= len_max and len(text) <= read_max:
        return whole
    return whole[: len_max - len(_CUT)].rstrip() + _CUT


def name_of(text: str) -> str:
    """Reduce a text that should be a name to letters, digits and `._:-`: no sentence can be written with them.

    Returns
    -------
    str
        At most `NAME_LEN_MAX` characters; a run of others is one underscore, nothing at all is "unnamed".
    """
    return _NO_NAME_CHAR.sub("_", text[: NAME_LEN_MAX * _READ_PER_KEPT])[:NAME_LEN_MAX] or "unnamed"


def _is_seen(char: str) -> bool:
    """Whether a character has an image, or is a blank of some kind."""
    return " " <= char <= "~" or char.isspace() or unicodedata.category(char) not in _UNSEEN_CATEGORIES


def _few_marks(text: str) -> str:
    """Leave out combining marks beyond the first few in a row."""
    if text.isascii():
        return text
    kept: list[str] = []
    run = 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run <= _MARKS_IN_A_ROW_MAX:
            kept.append(char)
    return "".join(kept)
