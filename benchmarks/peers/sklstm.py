"""sklstm itself, from this checkout."""

import time

import forecast_recipe
import pandas as pd
from problems import forecasting, make_blocks, make_epoch, make_ids, make_search
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer
from sklstm._network.lazy_import import load_network


def make_frame(blocks):
    """Convert blocks to one long table."""
    values = blocks.reshape(-1, blocks.shape[2])
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])
    return frame.assign(series=make_ids(blocks))


def make_windows(blocks, window):
    """Make one window per row of the blocks."""
    return WindowTransformer(window, series="series").fit_transform(make_frame(blocks))


def epoch(n_windows, batch, steps, units):
    blocks, y = make_epoch(n_windows, steps)
    windows = make_windows(blocks, steps)
    windows = windows[windows.n_observed == steps]
    assert windows.shape == (n_windows, steps, 1)

    def run():
        net = MultiSeriesLSTMRegressor(units, epochs=1, batch_size=batch, random_state=0)
        net.fit(windows, y)

    run()
    return run


def forecast(**size):
    # The recipe sets the window and the number of epochs.
    size = {name: size[name] for name in size if name not in ("window", "epochs", "max_steps")}
    quick = {"epochs": 1} if size["n_series"] else {}
    run = forecasting(forecast_recipe.forecast, **size, **quick)
    run()
    return run


def search(*, warm=True, n_series, length, windows, units, rates):
    blocks, y = make_search(n_series, length)
    X, groups = make_frame(blocks), make_ids(blocks)
    # min_observed=1: padded windows count too, as they do in a plain array of windows.
    net = MultiSeriesLSTMRegressor(epochs=2, batch_size=64, min_observed=1, random_state=0)
    grid = {
        "windowtransformer__window_length": windows,
        "multiserieslstmregressor__hidden_units": units,
        "multiserieslstmregressor__learning_rate": rates,
    }

    def run():
        pipe = make_pipeline(WindowTransformer(series="series"), net)
        found = GridSearchCV(pipe, grid, cv=GroupKFold(3), refit=False, error_score="raise")
        return {"best R2": found.fit(X, y, groups=groups).best_score_}

    load_network()
    if warm:
        run()
    return run


def search_cold(**size):
    return search(warm=False, **size)


def search_compile(n_series, length, window, units):
    """Measure how much longer the first fit of a shape takes than the second, on one fold."""
    blocks, y = make_search(n_series - n_series // 3, length)
    windows = make_windows(blocks, window)
    load_network()

    def fit():
        started = time.perf_counter()
        net = MultiSeriesLSTMRegressor(
            units, epochs=2, batch_size=64, min_observed=1, random_state=0
        )
        net.fit(windows, y)
        return time.perf_counter() - started

    def run():
        first, second = fit(), fit()
        return {"first fit": first, "second fit": second, "compile": first - second}

    return run


def scale(n_series, length, n_features, statistics):
    X = make_frame(make_blocks(n_series, length, n_features))
    scaler = PerSeriesScaler(statistics=statistics, series="series")
    scaler.fit_transform(X[:1_000])

    def run():
        scaler.fit_transform(X)
        return {"rows": len(X)}

    return run


def windows(n_series, length, n_features, window, share=None):
    X = make_frame(make_blocks(n_series, length, n_features))
    transformer = WindowTransformer(window, series="series").fit(X)
    transformer.transform(X[:1_000])

    def run():
        transformer.transform(X)
        return {"rows": len(X)}

    return run


def predict(n_series, length, n_features, window, segment, units, sample=None):
    windows = make_windows(make_blocks(n_series, length, n_features), window)
    net = MultiSeriesLSTMRegressor(units, segment_length=segment, epochs=1, min_observed=1)
    net.fit(windows[:2_000], windows.rows[:2_000, 0])
    net.predict(windows[:2_000])

    def run():
        net.predict(windows)
        return {"rows": len(windows)}

    return run


def growth(task, n_series, length, n_features, window):
    if task == "scale":
        return scale(n_series, length, n_features, "expanding")
    if task == "windows":
        return windows(n_series, length, n_features, window)
    blocks = make_blocks(n_series, length, n_features)
    inputs, n_steps = make_windows(blocks, window), 200 if task == "step" else None
    net = MultiSeriesLSTMRegressor(
        segment_length=12,
        epochs=1,
        steps_per_epoch=n_steps,
        batch_size=256,
        min_observed=1,
        random_state=0,
    )
    y = blocks[:, :, 0].ravel()
    net.fit(inputs[:256], y[:256])

    def run():
        net.fit(inputs, y)
        return {"rows": 256 * n_steps if n_steps else len(inputs)}

    return run
