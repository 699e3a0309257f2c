"""Write predictions of a stored panel block by block."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sklstm._bar import follow
from sklstm._files.atomic import write_atomically
from sklstm._panel.checks import check_type
from sklstm._panel.last_step import input_of_last_step
from sklstm._panel.read import as_names
from sklstm._streaming.arrow_tables import as_arrow, column_types
from sklstm._streaming.methods import check_series_of_parts
from sklstm._streaming.panel_dataset import PanelDataset


def write_predictions(
    estimator: Any,
    X: PanelDataset,
    folder: str | os.PathLike[str],
    *,
    method: str = "predict",
    columns: str | Sequence[str] | None = None,
    verbose: int = 0,
    **options: Any,
) -> None:
    """Write the predictions of a panel that is larger than memory to Parquet files.

    One block of whole series at a time is in memory.

    Parameters
    ----------
    estimator : estimator
        Fitted. A forecaster, a regressor, or a pipeline that ends in one.
    X : PanelDataset
    folder : path-like
        A new or empty folder. It receives one file per block, ``part-00000.parquet`` and so on, in
        the order of the blocks. A file that exists is complete.
    method : str, default="predict"
        Method of the estimator: "predict", "predict_quantiles" or "forecast", for example. An array
        is written to the column ``prediction``, or to ``prediction_0``, ``prediction_1`` and so on
        if there are several values per row: ``prediction_1_0`` is the first quantile of the second
        output. Several arrays, such as the bounds of "prediction_interval", are written alike.
    columns : str or list of str, default=None
        Columns of X that are written beside an array of predictions. None: the series ids. They do
        not appear beside a DataFrame, such as a forecaster's `forecast` returns.
    verbose : int, default=0
        1 shows a progress bar.
    **options
        Further arguments of the method.

    Raises
    ------
    ValueError
        If the folder is not empty, or if a step of the estimator has another `series` than X.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> import pandas as pd
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklstm import PanelDataset, write_predictions
    >>> frame = pd.DataFrame({"unit": [1, 1, 2], "p": [0.5, 0.6, 0.7], "y": [1.0, 2.0, 3.0]})
    >>> panel = PanelDataset(frame, series="unit")
    >>> model = DummyRegressor().fit(frame[["unit", "p"]], frame["y"])
    >>> folder = Path(mkdtemp())
    >>> write_predictions(model, panel.drop("y"), folder)
    >>> pd.read_parquet(folder)
       unit  prediction
    0     1         2.0
    1     1         2.0
    2     2         2.0
    """
    check_type(X, PanelDataset, "X", f"For a table in memory call {method}(X).")
    check_series_of_parts(estimator, X)
    kept = X[[X.series] if columns is None else as_names(columns)]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ValueError(f"The folder {str(folder)!r} is not empty. Choose a new folder.")
    types = column_types(X._parts, kept.columns)
    with follow(X.n_blocks, "block", title="write", show=verbose > 0) as progress:
        for number in range(X.n_blocks):
            with progress.step():
                predicted = _call(estimator, method, X.block(number), options)
                if not isinstance(predicted, pd.DataFrame):
                    predicted = _beside(kept.block(number), predicted)
                parquet = _to_parquet(predicted, types)
                write_atomically(folder / f"part-{number:05d}.parquet", [parquet])


def _to_parquet(table: pd.DataFrame, types: dict[str, Any]) -> Any:
    """Return a file of Parquet; `types` are as of `column_types`."""
    from pyarrow import BufferOutputStream, parquet

    file = BufferOutputStream()
    parquet.write_table(as_arrow(table, types), file)
    return file.getvalue()


def _call(estimator: Any, method: str, X: pd.DataFrame, options: dict[str, Any]) -> Any:
    """Call a method of an estimator, or of the last step of a pipeline or search."""
    if not hasattr(estimator, method):
        estimator, X = input_of_last_step(estimator, X, method)
    return getattr(estimator, method)(X, **options)


def _beside(kept: pd.DataFrame, predicted: Any) -> pd.DataFrame:
    """Put an array or several arrays, flattened to columns, beside columns of the panel."""
    is_several = isinstance(predicted, tuple)
    predicted = np.stack(predicted, axis=-1) if is_several else np.asarray(predicted)
    table = predicted.reshape(len(predicted), -1)
    names = ["prediction"]
    if predicted.ndim > 1:
        places = np.ndindex(predicted.shape[1:])
        names = ["_".join(["prediction", *map(str, place)]) for place in places]
    if lost := [name for name in kept.columns if name in names]:
        raise ValueError(
            f"columns= contains {lost[0]!r}, but the predictions have the columns "
            f"{', '.join(names)}. Rename that column, or leave it out."
        )
    return kept.assign(**dict(zip(names, table.T, strict=True)))
