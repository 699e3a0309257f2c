"""Time plain SciKeras: a KerasRegressor in one GridSearchCV per window length."""

import keras
from problems import make_ids, make_search, materialise
from scikeras.wrappers import KerasRegressor
from sklearn.model_selection import GridSearchCV, GroupKFold


def make_net(units, meta):
    return keras.Sequential(
        [
            keras.Input(meta["X_shape_"][1:]),
            keras.layers.LSTM(units),
            keras.layers.Dense(1),
        ]
    )


def search(*, warm=True, n_series, length, windows, units, rates):
    blocks, y = make_search(n_series, length)
    groups = make_ids(blocks)
    grid = {"model__units": units, "optimizer__learning_rate": rates}

    def search_with(windows, grid):
        scores = []
        for window in windows:
            net = KerasRegressor(
                make_net, optimizer="adam", loss="mse", epochs=2, batch_size=64, verbose=0
            )
            found = GridSearchCV(net, grid, cv=GroupKFold(3), refit=False, error_score="raise")
            found.fit(materialise(blocks, window, pad=True), y, groups=groups)
            scores.append(found.best_score_)
        return {"best R2": max(scores)}

    if warm:  # each fit compiles again, so one setting suffices
        search_with(windows[:1], {name: values[:1] for name, values in grid.items()})
    return lambda: search_with(windows, grid)


def search_cold(**size):
    return search(warm=False, **size)
