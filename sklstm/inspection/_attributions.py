"""Hold the attributions of predictions to lags and features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Attributions:
    """Attributions of predictions to the lags and features of their windows.

    :func:`integrated_gradients` returns them. All values are in the units of the predictions.

    Parameters
    ----------
    values : ndarray of shape (n_rows, window_length, n_features)
        Attribution of each cell of each window, oldest row first. Those of a row sum to its
        prediction less that of its baseline, up to `errors`. Masked padding has 0.
    predictions : ndarray of shape (n_rows,)
        Prediction of each row.
    baseline_predictions : ndarray of shape (n_rows,)
        Prediction for the baseline of each row. It differs between rows of series with different
        embedding vectors, and where padding is masked.
    feature_names : list of str
        Names of the features.
    lags : ndarray of shape (window_length,)
        Distance of each row of a window from the last one, in rows; 0 is the last row.
    rows : ndarray of shape (n_rows,)
        Positions of the rows in X.
    series : pandas.Index of shape (n_rows,)
        Id of the series of each row.
    n_observed : ndarray of shape (n_rows,)
        Number of observed rows in each window; the oldest other rows are padding.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import MultiSeriesLSTMRegressor
    >>> from sklstm.inspection import integrated_gradients
    >>> X = np.random.default_rng(0).normal(size=(50, 4, 2))
    >>> net = MultiSeriesLSTMRegressor(8, epochs=2, random_state=0).fit(X, X[:, -1, 0])
    >>> attributions = integrated_gradients(net, X, rows=[0, 7])
    >>> attributions
    <Attributions of 2 rows to 4 lags of 2 features>
    >>> attributions.by_lag().shape
    (2, 4)
    >>> bool((abs(attributions.errors) < 1e-3).all())
    True
    """

    values: np.ndarray
    predictions: np.ndarray
    baseline_predictions: np.ndarray
    feature_names: list[str]
    lags: np.ndarray
    rows: np.ndarray
    series: pd.Index
    n_observed: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Sum of each row's attributions, less what they should sum to; shape (n_rows,)."""
        total: np.ndarray = self.values.sum(axis=(1, 2))
        return total - (self.predictions - self.baseline_predictions)

    def by_feature(self) -> pd.DataFrame:
        """Sum the attributions of each row over the lags.

        Returns
        -------
        DataFrame of shape (n_rows, n_features)
            The index holds the positions of the rows in X.
        """
        return self._frame(self.values.sum(axis=1), pd.Index(self.feature_names, name="feature"))

    def by_lag(self) -> pd.DataFrame:
        """Sum the attributions of each row over the features.

        Returns
        -------
        DataFrame of shape (n_rows, window_length)
            The index holds the positions of the rows in X, the columns the lags, oldest first.
        """
        return self._frame(self.values.sum(axis=2), pd.Index(self.lags, name="lag"))

    def _frame(self, values: np.ndarray, columns: pd.Index) -> pd.DataFrame:
        return pd.DataFrame(values, index=pd.Index(self.rows, name="row"), columns=columns)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        n_rows, n_lags, n_features = self.values.shape
        return f"<Attributions of {n_rows} rows to {n_lags} lags of {n_features} features>"
