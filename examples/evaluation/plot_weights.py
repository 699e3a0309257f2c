"""
Who is served by which weights
==============================

Among many series, some may be fifty times as long as others. If every row counts the same, a
network mostly fits the long series. If every series counts the same, the few rows of the short ones
have a large influence. The parameter ``series_weight`` chooses between the two, and this example
shows which series gain and which lose.
"""

# %%
# Old and new pumps
# -----------------
#
# The example generates 80 pumps with records of 20 to 1000 hours, and the target is their power.
# The newer a pump is, the shorter is its record, and the more its power depends on the temperature.
# No column tells how new a pump is, so one network has to find a compromise. Half of the pumps are
# held out.

import numpy as np

from sklstm.datasets import make_series_panel

X, power = make_series_panel(n_series=80, n_steps=1000, random_state=0)
X = X.rename(columns={"series": "pump", "time": "hour", "x0": "temperature"})
features = ["temperature", "x1", "x2"]
by_pump = X.groupby("pump")[features]
X[features] = (X[features] - by_pump.transform("mean")) / by_pump.transform("std")

# Two pumps of each length, one for training and one held out.
lengths = np.geomspace(20, 1000, 40).astype(int).repeat(2)
length = lengths[X["pump"]]
newness = np.log(1000 / length) / np.log(50)  # from 0 (longest record) to 1 (shortest)
power = power + newness * X["temperature"]

recorded = X["hour"] < length
held_out = X["pump"] % 2 == 1
X_train, y_train = X[recorded & ~held_out], power[recorded & ~held_out]
X_test, y_test = X[recorded & held_out], power[recorded & held_out]
share = lengths[::2][-10:].sum() / len(X_train)
print(f"the ten longest of 40 training records have {share:.0%} of the rows")

# %%
# Three weightings
# ----------------
#
# With n rows, a series has the weight n if ``series_weight`` is 0, the square root of n if it is
# 0.5, and 1 if it is 1. The last one is the default, also called "balanced".

import pandas as pd
from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, WindowTransformer

schemes = {0: "0: rows are equal", 0.5: "0.5: between", 1: "1: pumps are equal"}
squared_errors = {}
for scheme, name in schemes.items():
    pipe = make_pipeline(
        WindowTransformer(10, series="pump", time="hour"),
        MultiSeriesLSTMRegressor(
            32,
            segment_length=2,
            # Learn from all rows, also from the first ones of a pump.
            min_observed=1,
            epochs=6,
            batch_size=256,
            learning_rate=5e-3,
            learning_rate_decay="cosine",
            series_weight=scheme,
            random_state=0,
        ),
    )
    squared_errors[name] = (pipe.fit(X_train, y_train).predict(X_test) - y_test) ** 2
squared_errors = pd.DataFrame(squared_errors)

# %%
# Two ways to score
# -----------------
#
# The error over all rows and the mean of the errors of the pumps do not agree on the best weights.
# :func:`~sklstm.make_series_scorer` makes scorers of both kinds for searches: ``average="micro"``
# for rows, ``average="macro"`` for series.

error_by_pump = np.sqrt(squared_errors.groupby(X_test["pump"]).mean())
scores = pd.DataFrame(
    {"all rows": np.sqrt(squared_errors.mean()), "mean of pumps": error_by_pump.mean()}
)
scores.round(3)

# %%
# Error by length
# ---------------
#
# Each point on the left is a held-out pump, and each line is a moving mean over nine pumps.

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4), width_ratios=[5, 3], layout="constrained"
)
rows_of_pump = X_test.groupby("pump").size()
styles = {"o": "#0072B2", "s": "#D55E00", "^": "0.25"}
for name, (marker, color) in zip(schemes.values(), styles.items(), strict=True):
    error = error_by_pump[name]
    smooth = error.rolling(9, center=True, min_periods=4).mean()
    left.plot(rows_of_pump, error, marker, color=color, ms=4, alpha=0.5, label=name)
    left.plot(rows_of_pump, smooth, color=color, lw=2)
    right.plot(scores.columns, scores.loc[name], marker, color=color, ls="-", ms=7)
left.set(xscale="log", xlabel="rows of the pump", ylabel="RMSE of the pump")
left.legend(frameon=False, title="series_weight")
right.set(ylabel="RMSE", xlim=(-0.4, 1.4))
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Equal weights per row serve the pumps with long records, equal weights per pump serve those with
# short ones, and no weights serve both.
# The score decides which is best: 0 has the smallest error over all rows, and 0.5 has the smallest
# mean error over pumps.
# So decide first which error has to be small, that of a random row or that of a random pump, and
# search ``series_weight`` with the scorer of that kind.
