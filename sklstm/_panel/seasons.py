"""Check the lengths of seasons."""

from __future__ import annotations

from numbers import Integral


def as_seasons(season_length) -> tuple[int, ...]:
    """Return the lengths of the seasons in ascending order.

    Parameters
    ----------
    season_length : int, sequence of int or None
        None: no season, which is one of a single row.

    Returns
    -------
    tuple of int
        At least one.
    """
    if season_length is None:
        return (1,)
    lengths = season_length if isinstance(season_length, (tuple, list)) else (season_length,)
    is_length = [
        isinstance(length, Integral) and not isinstance(length, bool) and int(length) >= 1
        for length in lengths
    ]
    if not lengths or not all(is_length):
        raise ValueError(
            f"season_length={season_length!r} must be a positive integer, or a tuple of them: the "
            "rows in a season, such as 24, or (24, 168) for a daily and a weekly pattern."
        )
    return tuple(sorted({int(length) for length in lengths}))
