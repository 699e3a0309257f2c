"""Forecast many series with one network, built from the transformer and the regressor.

    python benchmarks/forecast_recipe.py

Each window is normalised by its level (mean of the last season) and its scale (mean absolute
seasonal difference). The network predicts the residual of the seasonal naive forecast in the same
units. Values are on a log scale. Run as a script, it forecasts the last horizon of the *training*
parts after different numbers of epochs; `EPOCHS` was chosen by these results.
"""

import time
import warnings

import keras
import numpy as np
from problems import mean_mase, read_series, seasonal_naive

from sklstm import MultiSeriesLSTMRegressor, WindowTransformer
from sklstm._panel.windows import Windows

STEPS_PER_EPOCH = 100
EPOCHS = 4


class WindowNormalization(Windows):
    """Windows normalised one by one: ``(values - center) / scale``."""

    @classmethod
    def of(cls, windows, center, scale):
        made = cls(**vars(windows))
        made.center, made.scale = center, scale
        return made

    def gather(self, key):
        values = super().gather(key)
        values -= self.center[key][:, np.newaxis, np.newaxis]
        values /= self.scale[key][:, np.newaxis, np.newaxis]
        return values

    def __getitem__(self, key):
        chosen = super().__getitem__(key)
        if isinstance(chosen, WindowNormalization):
            chosen.center, chosen.scale = self.center[key], self.scale[key]
        return chosen


def trailing_mean(values, last, first):
    """Compute the mean of the values from `first` to `last`, both included."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    return (total[last + 1] - total[first]) / (last + 1 - first)


def forecast(train, *, horizon, season, units=64, epochs=EPOCHS, segment=None, seed=0):
    """Forecast each series of a list of positive arrays.

    Segments are one season long by default. Returns an array of shape (n_series, horizon).
    """
    lengths = [len(values) for values in train]
    codes = np.repeat(np.arange(len(train)), lengths)
    end = np.cumsum(lengths)[codes]
    row = np.arange(len(codes))
    start = end - np.asarray(lengths)[codes]
    values = np.log1p(np.concatenate(train))
    window = -(-2 * horizon // season) * season
    center = trailing_mean(values, row, np.maximum(start, row - season + 1))
    difference = np.zeros_like(values)
    known = row - start >= season
    difference[known] = np.abs(values[known] - values[row[known] - season])
    first = np.minimum(np.maximum(start + season, row - window + season + 1), row)
    min_scale = difference[known].mean() / 100
    scale = np.maximum(trailing_mean(difference, row, first), min_scale)

    values, scale = values.astype(np.float32), scale.astype(np.float32)
    ahead = np.arange(horizon)
    naive = values[
        np.maximum(row[:, np.newaxis] - season + 1 + ahead % season, start[:, np.newaxis])
    ]
    future = row[:, np.newaxis] + 1 + ahead
    y = (values[np.minimum(future, len(values) - 1)] - naive) / scale[:, np.newaxis]
    y[future >= end[:, np.newaxis]] = np.nan

    panel = np.column_stack([codes.astype(np.float32), values])
    windows = WindowTransformer(window, series=0).fit_transform(panel)
    windows = WindowNormalization.of(windows, center.astype(np.float32), scale)
    net = MultiSeriesLSTMRegressor(
        units,
        segment_length=segment or season,
        loss="mae",
        optimizer=keras.optimizers.Adam(0.02, clipnorm=1.0),
        learning_rate_decay="cosine",
        epochs=epochs,
        steps_per_epoch=STEPS_PER_EPOCH,
        batch_size=64,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # Series shorter than a window are not used for training, but they are forecast.
        warnings.filterwarnings("ignore", message=".*series have no row in the loss")
        net.fit(windows, y)
    last = np.cumsum(lengths) - 1
    return np.expm1(naive[last] + net.predict(windows[last]) * scale[last, np.newaxis])


def main():
    print("set         epochs   MASE of 3 seeds on the last horizon of the training part   s")
    for folder, horizon, season in (("m4_hourly", 48, 24), ("nn5_daily", 56, 7)):
        series = read_series(folder, "train")
        past, held_out = [x[:-horizon] for x in series], [x[-horizon:] for x in series]
        naive = mean_mase(past, held_out, seasonal_naive(past, horizon, season), season)
        print(f"{folder:11s}  naive   {naive:.3f}")
        for epochs in (1, 2, 4, 8):
            started, errors = time.perf_counter(), []
            for seed in range(3):
                found = forecast(past, horizon=horizon, season=season, epochs=epochs, seed=seed)
                errors.append(mean_mase(past, held_out, found, season))
            seconds = (time.perf_counter() - started) / 3
            shown = "  ".join(f"{error:.3f}" for error in errors)
            print(f"{folder:11s} {epochs:6d}   {shown}   {seconds:.1f}", flush=True)


if __name__ == "__main__":
    main()
