"""Attributions to draw."""

import numpy as np
import pandas as pd

from sklstm.inspection import Attributions

VALUES = np.random.default_rng(0).normal(size=(3, 4, 5))
VALUES *= [1, 8, 2, 16, 4]


def attributions_of(values, n_observed=4, spacing=1):
    n_rows, n_lags, n_features = values.shape
    return Attributions(
        values,
        10 + values.sum(axis=(1, 2)),
        np.full(n_rows, 10.0),
        [f"p{place}" for place in range(n_features)],
        np.arange(n_lags)[::-1] * spacing,
        np.arange(n_rows) + 20,
        pd.Index(["a"] * n_rows),
        np.full(n_rows, n_observed),
    )
