"""Measure the effect of series weights where lengths differ a lot.

    python benchmarks/weights.py

Five schemes, from equal weights per row (0) to equal weights per series (1), five seeds. Test
series are not in training and have the same distribution of lengths. The table shows the RMSE over
all rows, the mean of the RMSE of each series, and the difference of that mean from scheme 0 with
the same seed. `rows that count` is the effective number of training rows, sum(w)^2 / sum(w^2).

One law: 60 series of 20 to 2000 rows with the target of `make_series_panel`. Short series differ:
the shorter a series, the more its target depends on its first feature. Engines: FD001's training
engines, half of them in training; records start late, 20 to all cycles before the end.
"""

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from turbofan_data import FEATURES, MAX_LIFE, load

from sklstm import (
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    WindowTransformer,
    make_series_scorer,
    series_weights,
)
from sklstm.datasets import make_series_panel

SCHEMES = (0, 0.25, 0.5, 0.75, 1)
SEEDS = 5
MIN_ROWS, MAX_ROWS = 20, 2000  # per series


def synthetic(seed, difference, n_series=60):
    """Make training and test panels; `difference` scales the effect of short lengths."""
    X, y = make_series_panel(2 * n_series, MAX_ROWS, random_state=seed)
    features = X.columns[2:]
    values = X.groupby("series")[features]
    X[features] = (X[features] - values.transform("mean")) / values.transform("std")
    lengths = np.geomspace(MIN_ROWS, MAX_ROWS, n_series).astype(int).repeat(2)[X["series"]]
    y = y + difference * np.log(MAX_ROWS / lengths) / np.log(MAX_ROWS / MIN_ROWS) * X["x0"]
    keep, test = X["time"] < lengths, X["series"] % 2 == 1
    return [(X[keep & part], y[keep & part]) for part in (~test, test)]


def engines(seed):
    """Make training and test engines whose records start late."""
    data = load()
    X, y = data.train, data.train_rul
    lengths = y.groupby(X["unit"]).max().to_numpy() + 1
    shares = np.random.default_rng(seed).random(len(lengths))
    kept = MIN_ROWS * (lengths / MIN_ROWS) ** shares
    keep = (y < kept[X["unit"] - 1]).to_numpy()
    X, y = X[keep].drop(columns="age"), y[keep].clip(upper=MAX_LIFE).astype(float)
    split = GroupShuffleSplit(1, test_size=0.5, random_state=seed)
    return [(X.iloc[rows], y.iloc[rows]) for rows in next(split.split(X, groups=X["unit"]))]


def plain_net(seed, scheme):
    return make_pipeline(
        WindowTransformer(10, series="series", time="time"),
        MultiSeriesLSTMRegressor(
            32,
            segment_length=2,
            min_observed=1,
            epochs=6,
            batch_size=256,
            learning_rate=5e-3,
            learning_rate_decay="cosine",
            series_weight=scheme,
            random_state=seed,
        ),
    )


def engine_net(seed, scheme):
    ids = {"series": "unit", "time": "cycle"}
    return make_pipeline(
        PerSeriesScaler(statistics="pooled", **ids),
        WindowTransformer(30, columns=FEATURES[:-1], **ids),
        MultiSeriesLSTMRegressor(
            32,
            segment_length=5,
            min_observed=1,
            epochs=10,
            learning_rate=3e-3,
            learning_rate_decay="cosine",
            series_weight=scheme,
            random_state=seed,
        ),
    )


PROBLEMS = {
    "one law": (lambda seed: synthetic(seed, 0.0), plain_net, "series"),
    "short series differ": (lambda seed: synthetic(seed, 1.0), plain_net, "series"),
    "engines": (engines, engine_net, "unit"),
}


def rows_that_count(ids, scheme):
    """Compute the effective number of rows as a share of all rows, in percent."""
    weights = series_weights(ids, scheme)
    return 100 / np.mean(weights**2)


def measure(make, net, series):
    """Measure errors by row and by series, and effective rows, grouped by scheme."""
    scorers = {
        average: make_series_scorer("neg_root_mean_squared_error", average=average, series=series)
        for average in ("micro", "macro")
    }
    found = []
    for seed in range(SEEDS):
        (X, y), test = make(seed)
        for scheme in SCHEMES:
            fitted = net(seed, scheme).fit(X, y)
            errors = {average: -score(fitted, *test) for average, score in scorers.items()}
            share = rows_that_count(X[series], scheme)
            found.append({"seed": seed, "scheme": scheme, "share": share} | errors)
    found = pd.DataFrame(found).set_index(["seed", "scheme"])
    found["gain"] = found["macro"] - found["macro"].xs(0, level="scheme")
    return found.groupby("scheme")


def main():
    columns = ["RMSE by row", "RMSE by series", "against 0", "rows that count"]
    print(f"| panel | series_weight | {' | '.join(columns)} |")
    print(f"|---|---|{'---|' * len(columns)}")
    for name, (make, net, series) in PROBLEMS.items():
        found = measure(make, net, series)
        mean, std = found.mean(), found.std()
        for scheme in SCHEMES:
            cells = [
                f"{mean.loc[scheme, error]:{form}f} ± {std.loc[scheme, error]:.3f}"
                for error, form in (("micro", ".3"), ("macro", ".3"), ("gain", "+.3"))
            ]
            share = f"{mean.loc[scheme, 'share']:.0f} %"
            print(f"| {name} | {scheme} | {' | '.join(cells)} | {share} |", flush=True)


if __name__ == "__main__":
    main()
