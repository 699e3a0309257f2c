"""Detect ids that are of another type than in fit."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from sklstm._panel.show import show
from sklstm._panel.user_warnings import warn_user


def warn_of_retyped_ids(fitted: pd.Index, ids: pd.Index) -> None:
    """Warn if new series are spelt like fitted ones, but have ids of another type.

    Numbers become text, and text becomes numbers, where files are written and read. Such series
    would be treated as new ones: "7" and "007" are no series of a fit on 7.

    Parameters
    ----------
    fitted : pandas.Index of shape (n_fitted,)
        The fitted series.
    ids : pandas.Index of shape (n_series,)
        Series of the rows passed after fit.
    """
    if is_numeric_dtype(fitted.dtype) == is_numeric_dtype(ids.dtype):
        return
    new = ids[~ids.isin(fitted)].tolist()
    spelt = {_spelling(series): series for series in fitted.tolist()} if new else {}
    retyped = [series for series in new if _spelling(series) in spelt]
    if not retyped:
        return
    series, known = retyped[0], spelt[_spelling(retyped[0])]
    kind = type(known).__name__
    warn_user(
        f"{len(retyped)} series of X count as new, but have ids that differ from those of fit only "
        f"in type: {show(series)} is of type {type(series).__name__}, and {show(known)} of type "
        f"{kind}. If they are the same series, convert the ids of X to {kind}."
    )


def _spelling(series: Any) -> Any:
    """Return an id as a number if its text is one, otherwise as text."""
    try:
        return float(str(series))
    except ValueError:
        return str(series)
