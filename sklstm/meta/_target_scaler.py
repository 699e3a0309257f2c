"""Scale targets by series, and undo the scaling of predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklstm.preprocessing._scaler import PerSeriesScaler
from sklstm.preprocessing._scaling import one_if_zero


def typical_scale(scale, otherwise) -> np.ndarray:
    """Compute the median over series of the scales that are not 0, for each output.

    Parameters
    ----------
    scale : ndarray of shape (n_series, n_outputs)
    otherwise : ndarray of shape (n_outputs,)
        The result for outputs whose scales are all 0.

    Returns
    -------
    ndarray of shape (n_outputs,)
    """
    return np.ma.filled(np.ma.median(np.ma.masked_equal(scale, 0), axis=0), otherwise)


class TargetScaler(PerSeriesScaler):
    """Scale targets by series; a constant series has the scale of a typical series.

    A scale of 1, as in `PerSeriesScaler`, would depend on the unit of the targets. A prediction
    error of a tenth of a scale could then be a thousand times the size of the target.
    """

    _typical_scale: np.ndarray

    def _set_statistics(self, by_series, pooled):
        super()._set_statistics(by_series, pooled)
        scale = by_series.center_scale()[1]
        self._typical_scale = typical_scale(scale, one_if_zero(self.pooled_scale_))
        constant = (scale == 0) & (by_series.count > 0)
        self.scale_ = np.where(constant, self._typical_scale, self.scale_)

    def fit_center_scale(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Fit to a panel, and return the expanding center and scale at each of its rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)

        Returns
        -------
        center, scale : ndarray of shape (n_rows, n_scaled)
        """
        return self._center_scale(self._fit(X))

    def center_scale(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the expanding center and scale at each row of a panel.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)

        Returns
        -------
        center, scale : ndarray of shape (n_rows, n_scaled)
        """
        return self._center_scale(self._read(X, reset=False))

    def _center_scale(self, panel):
        center, scale = np.empty((2, *panel.values.shape))
        for at, _, *block in self._expand(panel, self._is_expanding(panel)):
            center[at], scale[at] = (part.T for part in block)
        return center, np.where(scale == 0, self._typical_scale, scale)
