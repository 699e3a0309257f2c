"""Compare the kinds of scaler statistics on held-out engines: ridge on FD001.

    python benchmarks/scaling_statistics.py

Ridge on mean and slope of 30 rows, trained on rows with a full window; one prediction per test
engine at its last known cycle, truth capped at 125. No network is trained, so it takes seconds.
"""

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from turbofan_data import IDS, MAX_LIFE, last_rows

from sklstm import PerSeriesScaler, WindowTransformer
from sklstm.datasets import load_turbofan

WINDOW = 30


def mean_and_slope(windows):
    """Compute mean and least-squares slope of each feature over each window."""
    array = np.asarray(windows)
    step = np.arange(WINDOW) - (WINDOW - 1) / 2
    return np.hstack([array.mean(axis=1), np.einsum("l,nlf->nf", step / (step @ step), array)])


def main():
    data = load_turbofan()
    last = last_rows(data.test)
    y = data.train_rul.clip(upper=MAX_LIFE).to_numpy()
    true = data.test_rul.clip(upper=MAX_LIFE).to_numpy()[last]

    def error(predicted):
        return root_mean_squared_error(true, predicted)

    for name, options in (
        ("pooled", {"statistics": "pooled"}),
        ("expanding", {"statistics": "expanding"}),
        ("fit, pooled for unknown", {"statistics": "fit"}),
        ("fit, expanding for unknown", {"statistics": "fit", "unknown": "expanding"}),
    ):
        scaler = PerSeriesScaler(**options, **IDS)
        windows = WindowTransformer(WINDOW, **IDS)
        train = windows.fit_transform(scaler.fit_transform(data.train))
        full = train.n_observed == WINDOW
        ridge = Ridge().fit(mean_and_slope(train[full]), y[full])
        test = windows.transform(scaler.transform(data.test))[last]
        print(f"{name:28s} {error(ridge.predict(mean_and_slope(test))):6.2f}")
    constant = DummyRegressor().fit(data.train, y).predict(data.test[last])
    print(f"{'a constant':28s} {error(constant):6.2f}")


if __name__ == "__main__":
    main()
