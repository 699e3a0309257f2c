"""
Unseen machines and the scaler's statistics
===========================================

Machines differ in the levels of their sensors, so it seems natural to scale each machine by the
mean and deviation of its own data. For machines that run until they fail, this is a trap: the
statistics of a whole life tell when it ends. This example compares the three kinds of statistics of
:class:`~sklstm.PerSeriesScaler` on engines that were in training and on engines that were not.
"""

# %%
# Engines in training and unseen ones
# -----------------------------------
#
# :func:`~sklstm.datasets.load_turbofan` returns sensor data of 100 simulated jet engines that ran
# until they failed, one row per cycle. Here, 60 of them are for training and 40 are unseen. The
# target is the number of cycles until the failure, at most 125.

from sklstm.datasets import load_turbofan

data = load_turbofan()
X, y = data.train, data.train_rul.clip(upper=125)
seen = X["unit"] <= 60

# %%
# Three kinds of statistics
# -------------------------
#
# - ``"fit"``: each engine is scaled by all its rows in ``fit``. An unseen engine has none, so it is
#   scaled by the statistics of all training rows.
# - ``"expanding"``, the default: each row is scaled by the rows of its engine up to that row. While
#   these are few, they are mixed with the statistics of all training rows.
# - ``"pooled"``: every row is scaled by the statistics of all training rows, as by scikit-learn's
#   scalers.
#
# The same network is trained with each of them, on windows of the latest 30 rows.

import pandas as pd
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer

ids = {"series": "unit", "time": "cycle"}
sensors = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]
kinds = ["fit", "expanding", "pooled"]
errors, scaled = {}, {}
for statistics in kinds:
    pipe = make_pipeline(
        PerSeriesScaler(statistics=statistics, **ids),
        WindowTransformer(30, columns=sensors, **ids),
        MultiSeriesLSTMRegressor(
            32,
            # One step of the LSTM per five rows, for speed.
            segment_length=5,
            # Learn from engines as soon as they have 10 rows.
            min_observed=10,
            epochs=5,
            batch_size=256,
            learning_rate=3e-3,
            learning_rate_decay="cosine",
            random_state=0,
        ),
    )
    pipe.fit(X[seen], y[seen])
    errors[statistics] = {
        "engines in training": root_mean_squared_error(y[seen], pipe.predict(X[seen])),
        "unseen engines": root_mean_squared_error(y[~seen], pipe.predict(X[~seen])),
    }
    scaled[statistics] = pipe[0].transform(X)["sensor11"]
errors = pd.DataFrame(errors).T
errors.round(1)

# %%
# What the network receives
# -------------------------
#
# The upper figures show one scaled sensor of eight engines in training and eight unseen ones, as
# means of 15 cycles. The lower figure shows the errors.

import matplotlib.pyplot as plt

colors = {"engines in training": "C0", "unseen engines": "C1"}
figure = plt.figure(figsize=(9, 6), layout="constrained")
grid = figure.subplot_mosaic([kinds, ["errors"] * 3], height_ratios=[3, 2])
for statistics in kinds:
    ax = grid[statistics]
    for unit in [*range(1, 9), *range(61, 69)]:
        rows = X["unit"] == unit
        smooth = scaled[statistics][rows].rolling(15).mean()
        color = colors["engines in training" if unit <= 60 else "unseen engines"]
        ax.plot(data.train_rul[rows], smooth, color=color, lw=0.9)
    ax.set(xlim=(200, 0), ylim=(-2, 3), title=f'"{statistics}"')
    ax.set_xlabel("remaining life (cycles)")
grid["fit"].set_ylabel("sensor 11, scaled")

lower = grid["errors"]
for name, shift in [("engines in training", -0.15), ("unseen engines", 0.15)]:
    places = [place + shift for place in range(3)]
    bars = lower.barh(places, errors[name], height=0.28, color=colors[name], label=name)
    lower.bar_label(bars, fmt="%.1f", padding=3)
lower.set_yticks(range(3), [f'"{statistics}"' for statistics in kinds])
lower.invert_yaxis()
lower.set_xlabel("RMSE (cycles)")
lower.legend(frameon=False, loc="lower right")
for ax in grid.values():
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# With "fit", the lines of the engines in training lie close together, because the statistics of
# each engine contain its end: their scaled values tell the remaining life.
# The lines of unseen engines lie elsewhere, so what the network has learned does not hold for them,
# and their error is three times as large.
# "expanding" and "pooled" treat both groups alike, and the errors of unseen engines are far
# smaller.
