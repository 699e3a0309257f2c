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
# The first forecaster knows the season, the second does not. The third only repeats the last week,
# and any other forecaster should be better. A forecaster predicts by how much the values will
# differ from those one season ago, so a regressor that always predicts 0 repeats the last season.

import numpy as np
from sklearn.dummy import DummyRegressor

from sklstm import MultiSeriesForecaster

horizon = 28
options = {"n_estimators": 1, "random_state": 0, **ids}  # one network, for speed
naive = DummyRegressor(strategy="constant", constant=np.zeros(horizon))
forecasters = {
    "season of 7 days": MultiSeriesForecaster(horizon, season_length=7, **options),
    "no season": MultiSeriesForecaster(horizon, **options),
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
# Errors by day ahead
# -------------------
#
# :class:`~sklstm.plotting.HorizonErrorDisplay` draws the error of each day ahead. The sMAPE is the
# absolute error in percent of the mean of forecast and observed value, so large shops and small
# shops count alike.

import matplotlib.pyplot as plt

from sklstm.plotting import HorizonErrorDisplay

HorizonErrorDisplay.from_backtest(results, metric="smape", baseline="last week repeated")
plt.show()

# %%
# The forecaster that knows the season has the smallest error on most days ahead, from the first
# week to the fourth. The forecaster without it is no better than the repeated last week, so here
# the season matters more than the network. The errors hardly grow with the days ahead, because the
# weekly pattern of these sales is stable.
