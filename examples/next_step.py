"""Predict the next row of every feature, for series of unequal length, evaluated in time.

    python examples/next_step.py

Each series is cut once: the net is trained on the rows before the cut and predicts the rows
after it. `embargo` excludes targets after the cut from the loss. The windows of the later rows
contain rows that `fit` remembered.
"""

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

from sklstm import (
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    WindowTransformer,
    make_targets,
    stack_series,
)

IDS = {"series": "series", "time": "time"}
HELD_OUT = 30  # the last rows of each series


def make_arrays(n_series=40, seed=0):
    """Make two noisy waves per series, with its own level, size and phase."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for number in range(n_series):
        step = np.arange(rng.integers(80, 200))[:, np.newaxis] + rng.integers(24)
        waves = np.sin(2 * np.pi * step / np.array([12, 24]))
        waves += rng.normal(scale=0.1, size=waves.shape)
        arrays[f"s{number}"] = rng.normal(scale=50) + rng.lognormal(sigma=1.5) * waves
    return arrays


def main():
    panel = stack_series(make_arrays())
    targets = make_targets(panel, horizon=1, **IDS)
    late = panel.groupby(level="series").cumcount(ascending=False) < HELD_OUT
    pipe = make_pipeline(
        PerSeriesScaler(statistics="fit", **IDS),
        WindowTransformer(24, **IDS),
        MultiSeriesLSTMRegressor(32, epochs=15, embargo=1, random_state=0),
    )
    # Inputs are scaled per series; so are targets, by the deviation of the training rows.
    size = panel[~late].groupby(level="series").std()
    scale = size.reindex(panel.index.get_level_values("series")).to_numpy()
    change = (targets - panel.to_numpy()) / scale
    pipe.fit(panel[~late], change[~late])
    error = np.abs(pipe.predict(panel[late]) - change[late].to_numpy())
    naive = np.abs(change[late].to_numpy())  # of predicting no change
    table = pd.DataFrame(
        {"LSTM": np.nanmean(error, axis=0), "last value": np.nanmean(naive, axis=0)},
        index=panel.columns,
    )
    print("mean absolute error, in deviations of the series:")
    print(table.round(3))
    return table


if __name__ == "__main__":
    main()
