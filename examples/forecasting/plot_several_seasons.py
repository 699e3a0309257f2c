"""
Hourly data with a daily and a weekly pattern
=============================================

The electricity load of a building has a daily pattern, but the load of a Saturday is not that of a
Friday: there is also a weekly pattern. ``season_length=(24, 168)`` names both seasons in hours.
This example compares it with ``season_length=24``.
"""

# %%
# Data
# ----
#
# We generate the hourly loads of twelve buildings over six weeks. Six are offices, whose load is
# low at weekends. Six are hospitals, whose load is the same every day.

import numpy as np

from sklstm import stack_series

rng = np.random.default_rng(0)
hours = np.arange(24)
day = 0.4 + np.exp(-((hours - 13) ** 2) / 30)
office = np.concatenate([day] * 5 + [0.45 * day, 0.35 * day])  # Monday to Sunday
hospital = np.tile(day, 7)
n_weeks = 6
loads = {}
for number in range(12):
    kind, week = ("office", office) if number % 2 else ("hospital", hospital)
    noise = 0.03 * rng.normal(size=(n_weeks * 168, 1))
    load = rng.uniform(20, 200) * (np.tile(week, n_weeks)[:, np.newaxis] + noise)
    loads[f"{kind} {number:02d}"] = load
panel = stack_series(loads, columns=["load"])
ids = {"series": "series", "time": "time"}
panel.head(3)

# %%
# Find the seasons
# ----------------
#
# :func:`~sklstm.suggest_season_length` looks for seasons: numbers of rows after which the values
# repeat. It finds a day of 24 hours and a week of 168.

from sklstm import suggest_season_length

suggest_season_length(panel, **ids)

# %%
# Fit with one season and with two
# --------------------------------
#
# The last two days, a Saturday and a Sunday, are held out. A forecaster starts from a naive
# forecast, the last season repeated, and its network predicts the corrections. With one season, the
# naive forecast for a Saturday is a copy of Friday. With two, it is a mixture of the last day and
# the last week.

from sklstm import MultiSeriesForecaster

horizon = 48
is_held_out = panel.groupby(level="series").cumcount(ascending=False) < horizon
forecasts = {}
for seasons in [(24,), (24, 168)]:
    forecaster = MultiSeriesForecaster(
        horizon,
        season_length=seasons,
        window_length=336,  # two weeks
        hidden_units=16,
        n_estimators=1,
        random_state=0,
        **ids,
    )
    forecasts[seasons] = forecaster.fit(panel[~is_held_out]).forecast()

# %%
# Errors in percent of the load
# -----------------------------

import pandas as pd

observed = panel.reset_index()
errors = pd.DataFrame()
for seasons, forecast in forecasts.items():
    both = forecast.merge(observed, on=["series", "time"])
    error = (both["prediction"] - both["load"]).abs() / both["load"]
    kind = both["series"].str.split().str[0].rename("building")
    errors[f"season_length={seasons}"] = 100 * error.groupby(kind).mean()
errors.round(1)

# %%
# The weekend of an office and of a hospital
# ------------------------------------------

import matplotlib.pyplot as plt

colors = {(24,): "#D55E00", (24, 168): "#0072B2"}
figure, grid = plt.subplots(2, 1, figsize=(9, 5.5), layout="constrained", sharex=True)
for axes, name in zip(grid, ["office 01", "hospital 02"], strict=True):
    shown = panel.loc[name, "load"].iloc[-7 * 24 :]
    axes.plot((shown.index - shown.index[0]) / 24, shown, color="0.25", lw=1, label="observed")
    for seasons, forecast in forecasts.items():
        ahead = forecast[forecast["series"] == name]
        label = f"forecast, season_length={seasons}"
        day = (ahead["time"] - shown.index[0]) / 24
        axes.plot(day, ahead["prediction"], color=colors[seasons], label=label)
    axes.set(title=name, ylabel="load (kW)", ylim=(0, None), xlim=(0, 7))
    axes.spines[["top", "right"]].set_visible(False)
axes.set_xticks(np.arange(7) + 0.5, ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
axes.tick_params(axis="x", length=0)
figure.legend(
    *grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False
)
plt.show()

# %%
# With the daily season alone, the forecast for the office is much too high on Saturday, because it
# starts from a copy of Friday.
# With both seasons, it follows the low load of the weekend.
# The mixture is chosen for each building by its own past, so the weekly season does no harm to the
# forecast for the hospital, which has none.
