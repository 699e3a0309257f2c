"""
Use what is known beforehand: promotions
========================================

A shop plans its promotions weeks ahead. A forecaster that sees only past sales does not know the
plan, so every promotion is a surprise. This example forecasts the same sales twice, without and
with the plan.
"""

# %%
# Data
# ----
#
# We generate daily sales of 40 shops. They have a weekly pattern. A promotion lasts five days and
# raises the sales by 50 %.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n_shops, n_days = 40, 300
days = pd.date_range("2024-01-01", periods=n_days, freq="D")
week = np.array([1.0, 1.0, 1.05, 1.1, 1.3, 1.5, 0.6])  # Monday to Sunday
parts = []
for number in range(n_shops):
    promotion = np.repeat(rng.random(n_days // 5) < 0.15, 5).astype(int)
    expected = rng.uniform(30, 200) * week[days.day_of_week] * (1 + 0.5 * promotion)
    sold = rng.poisson(expected)
    table = {"shop": f"shop {number:02d}", "day": days, "promotion": promotion, "sold": sold}
    parts.append(pd.DataFrame(table))
sales = pd.concat(parts, ignore_index=True)
sales.head(3)

# %%
# Fit without and with the plan
# -----------------------------
#
# The last 28 days of each shop are held out. ``known_future`` names the columns whose values will
# be known when we forecast. From their past values, the network learns the effect of a promotion.

from sklstm import MultiSeriesForecaster

horizon = 28
ids = {"series": "shop", "time": "day"}
options = {"target": "sold", "season_length": 7, "n_estimators": 1, "random_state": 0, **ids}
is_held_out = sales.groupby("shop").cumcount(ascending=False) < horizon
train = sales[~is_held_out]

without_plan = MultiSeriesForecaster(horizon, **options).fit(train.drop(columns="promotion"))
with_plan = MultiSeriesForecaster(horizon, known_future=["promotion"], **options).fit(train)

# %%
# ``future`` contains the plan: shops, days and promotions, but no sales.

plan = sales.loc[is_held_out, ["shop", "day", "promotion"]]
forecasts = {
    "sales alone": without_plan.forecast(),
    "sales and plan": with_plan.forecast(future=plan),
}

# %%
# Errors
# ------
#
# To count all shops alike, each absolute error is divided by the mean sales of its shop.

compared = sales[is_held_out]
for name, forecast in forecasts.items():
    predicted = forecast.rename(columns={"prediction": name})[["shop", "day", name]]
    compared = compared.merge(predicted, on=["shop", "day"])
mean_sales = train.groupby("shop")["sold"].mean()
errors = pd.DataFrame(
    {
        name: 100 * (compared[name] - compared["sold"]).abs() / compared["shop"].map(mean_sales)
        for name in forecasts
    }
)
is_promoted = compared["promotion"].map({1: "promotion", 0: "no promotion"})
errors = errors.groupby(is_promoted).mean()
errors.round(1)

# %%
# One shop, and the errors of all
# -------------------------------

import matplotlib.pyplot as plt
from matplotlib.dates import ConciseDateFormatter

colors = {"sales alone": "#D55E00", "sales and plan": "#0072B2"}
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4), layout="constrained", width_ratios=[2, 1]
)
shop = compared[compared["shop"] == "shop 10"]
left.plot(shop["day"], shop["sold"], "o", color="0.25", ms=4, label="observed")
for name in forecasts:
    left.plot(shop["day"], shop[name], color=colors[name], label=f"forecast from {name}")
half_day = pd.Timedelta("12h")
for number, day in enumerate(shop.loc[shop["promotion"] == 1, "day"]):
    label = None if number else "promotion"
    left.axvspan(day - half_day, day + half_day, color="0.9", lw=0, label=label)
left.xaxis.set_major_formatter(ConciseDateFormatter(left.xaxis.get_major_locator()))
left.set(title="shop 10", xlabel="day", ylabel="sold", ylim=(0, None))
left.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
errors.loc[::-1].plot.bar(ax=right, color=colors, rot=0)
right.set(title="all shops", xlabel="", ylabel="mean absolute error (% of mean sales)")
right.legend(frameon=False)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The forecast from sales alone misses the promotions: its error on these days is five times that on
# other days.
# With the plan, the forecast rises on these days, and the error is less than half as large.
# On days without a promotion, the plan makes hardly any difference.
