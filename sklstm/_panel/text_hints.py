"""Recognize text that a file with decimal commas, or with the day first, leaves in a table."""

from __future__ import annotations

import re
from typing import Any

DECIMAL_COMMA = re.compile(r"\s*[+-]?\d[\d. ]*,\d+\s*")
DAY_FIRST = re.compile(r"\s*\d{1,2}[./-]\d{1,2}[./-]\d{4}\b.*", re.DOTALL)


def number_hint(values: Any) -> str:
    """Return a sentence about decimal commas, or nothing.

    Parameters
    ----------
    values : iterable
        Values that should be numbers. The first text among them decides.
    """
    first = _first_text(values)
    if first is None or not DECIMAL_COMMA.fullmatch(first):
        return ""
    return f" {first!r} has a decimal comma: read the file with pandas.read_csv(..., decimal=',')."


def date_hint(values: Any) -> str:
    """Return a sentence about dates that start with the day, or nothing."""
    first = _first_text(values)
    if first is None or not DAY_FIRST.fullmatch(first):
        return ""
    return f" If {first!r} starts with the day, use pandas.to_datetime(..., dayfirst=True)."


def _first_text(values: Any) -> str | None:
    return next((str(value) for value in values if isinstance(value, str)), None)
