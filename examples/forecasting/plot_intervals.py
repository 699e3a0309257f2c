"""
Forecast with intervals, and calibrate them
===========================================

A forecast is more useful with an interval that tells how sure it is. An 80 % interval should
contain 80 % of the values that are observed later. The intervals of a network are often too narrow.
*Calibration* corrects them by the errors on values that were held out of training.
"""

# %%
# Data
# ----
#
# Daily sales of eight shops, one row per shop and day.

from pathlib import Path

import pandas as pd

folders = Path(".."), Path("examples")  # works in this folder and in that of the project
path = next(folder / "shop_sales.csv" for folder in folders if (folder / "shop_sales.csv").exists())
sales = pd.read_csv(path, parse_dates=["day"])
ids = {"series": "shop", "time": "day"}
sales.tail(3)

# %%
# Two forecasters
# ---------------
#
# With ``quantiles``, a forecaster also forecasts quantiles. The quantiles 0.1 and 0.9 are the
# bounds of the 80 % interval. With ``calibration="time"``, a second network is trained without the
# last 28 days of the training rows. Its errors on these days show by how much to shift the
# quantiles.

from sklearn.base import clone

from sklstm import MultiSeriesForecaster

levels = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
forecaster = MultiSeriesForecaster(
    horizon=28, season_length=7, quantiles=levels, n_estimators=1, random_state=0, **ids
)
forecasters = {
    "not calibrated": forecaster,
    "calibrated": clone(forecaster).set_params(calibration="time"),
}

# %%
# Forecast the past
# -----------------
#
# :func:`~sklstm.backtest` forecasts 28 days from each of four days in the past, the origins, and
# adds the observed values as the column ``y_true``. With ``refit=False``, each forecaster is
# trained once, on the rows before the first origin.

from sklstm import backtest

results = {
    name: backtest(forecaster, sales, n_origins=4, stride=7, refit=False)
    for name, forecaster in forecasters.items()
}
results["calibrated"].columns.tolist()

# %%
# These are the calibrated forecasts from the last origin, with the interval between the outermost
# quantiles.

import matplotlib.pyplot as plt

from sklstm.plotting import ForecastDisplay

result = results["calibrated"]
last_origin = result[result["origin"] == 3]
ForecastDisplay.from_forecast(last_origin, sales, n_history=42, **ids)
plt.show()

# %%
# Count the values in the intervals
# ---------------------------------
#
# :class:`~sklstm.plotting.CoverageDisplay` draws the share of observed values in each interval. On
# the diagonal, an interval contains exactly as many values as it should.

from sklstm.plotting import CoverageDisplay

display = CoverageDisplay.from_backtest(results["not calibrated"], name="not calibrated")
CoverageDisplay.from_backtest(results["calibrated"], name="calibrated", ax=display.ax_)
plt.show()

# %%
# Without calibration, every interval contains fewer values than it should: the network is too sure.
# With calibration, the intervals are wider, and the shares are close to the diagonal.
# Calibration relies on the future being like the last days in training: it cannot foresee a change
# that has not happened yet.
