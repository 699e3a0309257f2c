"""Check that parameters, and the kind and the zone of the time, are those of fit."""

from __future__ import annotations

import re
from typing import Any

from sklstm._panel.time import TIME_KINDS

# In the representation of a function, or of an object without one of its own.
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def check_unchanged(estimator: Any, names: list[str], *, reset: bool) -> None:
    """Store the parameters that the fitted state depends on, or check that they are the same.

    Parameters
    ----------
    estimator : estimator
        The estimator.
    names : list of str
        Names of the parameters.
    reset : bool
        Whether to store them (in `fit`) or to check them (afterwards).
    """
    # An address in memory is another one in a copy or after a pickle.
    now = {name: ADDRESS.sub("", repr(getattr(estimator, name))) for name in names}
    if reset:
        estimator._fitted_with = now
        return
    changed = [name for name in names if now[name] != estimator._fitted_with[name]]
    if changed:
        values = [f"{estimator._fitted_with[name]} to {now[name]}" for name in changed]
        raise ValueError(
            f"{', '.join(changed)} changed since fit ({', '.join(values)}), and the fitted state "
            "depends on the old value: call fit again."
        )


def check_time_kind(estimator: Any, kind: str | None, reset: bool) -> None:
    """Store the kind of the time on the estimator (in `fit`), or check that it is the same."""
    if reset:
        estimator._time_kind = kind
    elif kind != (before := getattr(estimator, "_time_kind", None)):
        expected, found = TIME_KINDS.get(before, before), TIME_KINDS.get(kind, kind)
        raise ValueError(
            f"The time was {expected} in fit and is {found} now. Pass the same column of "
            f"{expected} as in fit."
        )


def check_time_zone(estimator: Any, stamps: Any, reset: bool) -> None:
    """Store the time zone on the estimator (in `fit`), or check that it is the same."""
    zone = getattr(stamps, "tz", None)
    if reset:
        estimator._time_zone = None if zone is None else str(zone)
    elif (before := getattr(estimator, "_time_zone", None)) not in (None, str(zone)):
        raise ValueError(
            f"The time zone was {before} in fit and is {zone} now, whose days begin at other "
            f"times. Convert the time with .dt.tz_convert({before!r})."
        )
