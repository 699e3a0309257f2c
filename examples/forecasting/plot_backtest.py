"""
Backtest a forecaster and choose its season
===========================================

How good will a forecast be? A *backtest* goes back in time: it hides the last rows of every series,
forecasts them, and compares the forecasts with the hidden values. Here a backtest shows whether a
forecaster of the sales of eight shops needs to know that a week has seven days.
"""

# %%
# Data
# ----
#
# The panel has one row per shop and day. Series may have different lengths: each shop has its own
# first day.

from pathlib import Path

import pandas as pd

folders = Path(".."), Path("examples")  # works in this folder and in that of the project
path = next(folder / "shop_sales.csv" for folder in folders if (folder / "shop_sales.csv").exists())
sales = pd.read_csv(path, parse_dates=["day"])
ids = {"series": "shop", "time": "day"}
sales.groupby("shop")["day"].agg(["count", "min", "max"])

# %%
# Look for a season
# -----------------
#
# :func:`~sklstm.suggest_season_length` looks for seasons: numbers of rows after which the values of
# a series repeat. In these daily sales, it finds seven rows, a week.

from sklstm import suggest_season_length

suggest_season_length(sales, **ids)

# %%
# Compare three forecasters
# -------------------------
#
# The first forecaster does not know the season, the second does. The third only repeats the last
# week, and any other forecaster should be better. A forecaster predicts by how much the values will
# differ from those one season ago, so a regressor that always predicts 0 repeats the last season.

import numpy as np
from sklearn.dummy import DummyRegressor

from sklstm import MultiSeriesForecaster

horizon = 28
options = {"n_estimators": 1, "random_state": 0, **ids}  # one network, for speed
naive = DummyRegressor(strategy="constant", constant=np.zeros(horizon))
forecasters = {
    "no season": MultiSeriesForecaster(horizon, **options),
    "season of 7 days": MultiSeriesForecaster(horizon, season_length=7, **options),
    "last week repeated": MultiSeriesForecaster(
        horizon, season_length=7, regressor=naive, **options
    ),
}

# %%
# :func:`~sklstm.backtest` forecasts 28 days from each of seven days in the past, the origins. They
# are five days apart, so that each is another day of the week. With ``refit=False``, the network is
# trained once, on the rows before the first origin. The result has one row per origin, shop and day
# ahead (``step``).

from sklstm import backtest

results = {
    name: backtest(forecaster, sales, n_origins=7, stride=5, refit=False)
    for name, forecaster in forecasters.items()
}
results["season of 7 days"].head()

# %%
# Large shops have large errors. To count all shops alike, each error is divided by the mean sales
# of its shop.

mean_sales = sales.groupby("shop")["sold"].mean()
errors = {
    name: 100 * result["absolute_error"] / result["shop"].map(mean_sales)
    for name, result in results.items()
}
pd.DataFrame(errors).mean().round(1)

# %%
# Errors by day ahead
# -------------------

import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
colors = {"no season": "#D55E00", "season of 7 days": "#0072B2", "last week repeated": "0.5"}
for name, error in errors.items():
    by_step = error.groupby(results[name]["step"]).mean()
    axes.plot(by_step, color=colors[name], label=name)
axes.set(xlabel="days ahead", ylabel="mean absolute error (% of mean sales)", xlim=(1, horizon))
axes.set_ylim(bottom=0)
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()

# %%
# The forecaster that knows the season has the smallest error on most days ahead, from the first
# week to the fourth. The forecaster without it is worse than the repeated last week, so here the
# season matters more than the network. The errors hardly grow with the days ahead, because the
# weekly pattern of these sales is stable.
