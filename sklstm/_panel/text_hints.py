"""Recognize text that a file with decimal commas, or with the day first, leaves in a table."""

from __future__ import annotations

import re
from typing import Any

DECIMAL_COMMA = re.compile(r"\s*[+-]?\d[\d. ]*,\d+\s*")
DAY_FIRST = re.compile(r"\s*\d{1,2}[./-]\d{1,2}[./-]\d{4}\b.*", re.DOTALL)


def text_remedy(text: str | bytes, otherwise: str) -> str:
    """Return what to do about text in place of numbers, to end a message.

    Parameters
    ----------
    text : str or bytes
        The first text. It may have a decimal comma.
    otherwise : str
        The end of the message if it has none.
    """
    if not DECIMAL_COMMA.fullmatch(str(text)):
        return otherwise
    return "It has decimal commas: read the file with pandas.read_csv(..., decimal=',')."


def date_hint(values: Any) -> str:
    """Return a sentence about dates that start with the day, or nothing."""
    first = next((str(value) for value in values if isinstance(value, str)), None)
    if first is None or not DAY_FIRST.fullmatch(first):
        return ""
    return f" If {first!r} starts with the day, use pandas.to_datetime(..., dayfirst=True)."
