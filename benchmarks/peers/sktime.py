"""Time sktime: one scikit-learn scaler per series, and a table of lags."""

import pandas as pd
from problems import CannotError, make_blocks
from sklearn.preprocessing import StandardScaler
from sktime.transformations.series.adapt import TabularToSeriesAdaptor
from sktime.transformations.series.lag import Lag

MAX_SERIES = 1_000  # each takes some hundredths of a second


def make_frame(n_series, length, n_features):
    n_series = min(n_series, MAX_SERIES)
    index = pd.MultiIndex.from_product([range(n_series), range(length)], names=["series", "time"])
    values = make_blocks(n_series, length, n_features).reshape(-1, n_features)
    return pd.DataFrame(values, index, [f"x{i}" for i in range(n_features)])


def make_run(transformer, X):
    transformer.fit_transform(X.loc[:1])

    def run():
        transformer.fit_transform(X)
        return {"rows": len(X)}

    return run


def scale(n_series, length, n_features, statistics):
    if statistics == "expanding":
        raise CannotError("sktime's scalers have no statistics of the rows so far")
    X = make_frame(n_series, length, n_features)
    return make_run(TabularToSeriesAdaptor(StandardScaler()), X)


def windows(n_series, length, n_features, window, share):
    X = make_frame(n_series, length, n_features)
    return make_run(Lag(list(range(window)), index_out="original"), X)
