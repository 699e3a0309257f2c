"""
Find anomalies with the quantiles of a forecast
===============================================

A value may be an anomaly if it lies outside the interval that was forecast for it. This example
forecasts the next hour of many machines with intervals. The distance of a value from its interval
is its anomaly score.
"""

# %%
# Data
# ----
#
# We generate the hourly power of 30 machines. All machines have the same daily pattern, each at its
# own level. Ten of them are new: they are not in training. Each new machine has a fault of three
# hours, during which its power is 30 % too high.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
panel = pd.DataFrame({"machine": np.repeat(range(30), 200), "hour": np.tile(range(200), 30)})
level = rng.uniform(20, 80, 30)[panel["machine"]]
daily = 1 + 0.3 * np.sin(panel["hour"] * 2 * np.pi / 24)
panel["power"] = level * (daily + 0.03 * rng.normal(size=len(panel)))
is_new = panel["machine"] >= 20
fault_start = rng.integers(100, 190, 30)[panel["machine"]]
is_faulty = is_new & panel["hour"].between(fault_start, fault_start + 2)
panel.loc[is_faulty, "power"] *= 1.3

# %%
# Forecast the next hour
# ----------------------
#
# :func:`~sklstm.make_targets` makes the target of each row: the power of the same machine one hour
# later. :class:`~sklstm.PerSeriesTargetRegressor` scales targets by the past of each machine, so
# that machines of different levels can be predicted by one network. The quantiles 0.05 and 0.95 are
# the bounds of a 90 % interval. ``calibration="series"`` shifts them so that the interval also
# holds for machines that were not in training.

from sklearn.pipeline import make_pipeline

from sklstm import (
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    WindowTransformer,
    make_targets,
    prediction_interval,
)

ids = {"series": "machine", "time": "hour"}
next_power = make_targets(panel, 1, "power", **ids)["power_lead1"]
net = MultiSeriesLSTMRegressor(
    16,
    segment_length=6,
    min_observed=24,  # train and calibrate on rows with a day of history
    epochs=15,
    batch_size=256,
    learning_rate=1e-2,
    quantiles=(0.05, 0.95),
    calibration="series",
    random_state=0,
)
pipe = make_pipeline(PerSeriesScaler(**ids), WindowTransformer(48, **ids), net)
model = PerSeriesTargetRegressor(pipe, target="power", **ids)
model.fit(panel[~is_new], next_power[~is_new])

# %%
# Scores
# ------
#
# The score of a value is its distance from the interval, in units of the width of the interval. It
# is at most 0 inside the interval, and 1 if the value is one width outside. A forecast belongs to
# the next row, so the bounds are shifted by one row.

new = panel[is_new].copy()
new["lower"], new["upper"] = prediction_interval(model, new[["machine", "hour", "power"]], 0.9)
new[["lower", "upper"]] = new.groupby("machine")[["lower", "upper"]].shift(1)
outside = np.maximum(new["lower"] - new["power"], new["power"] - new["upper"])
new["score"] = outside / (new["upper"] - new["lower"])
new = new[new["hour"] >= 24]  # from the second day on
kind = is_faulty[new.index].map({True: "faulty hours", False: "normal hours"})
new.groupby(kind)["score"].describe().round(2)

# %%
# One machine, and the scores of all
# ----------------------------------

import matplotlib.pyplot as plt

figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 5.5), layout="constrained")
one = new[new["machine"] == 25]
top.fill_between(
    one["hour"], one["lower"], one["upper"], color="#0072B2", alpha=0.3, lw=0, label="90 % interval"
)
top.plot(one["hour"], one["power"], color="0.25", lw=1, label="observed")
faulty = one[is_faulty[one.index]]
top.plot(faulty["hour"], faulty["power"], "o", color="#D55E00", ms=5, label="faulty hours")
top.set(title="machine 25", xlabel="hour", ylabel="power (kW)")
top.legend(frameon=False, loc="upper left", ncols=3)
top.set_ylim(top=1.25 * one["power"].max())

bins = np.linspace(-0.5, 2, 51)
styles = {"normal hours": "#0072B2", "faulty hours": "#D55E00"}
for name, color in styles.items():
    bottom.hist(new["score"][kind == name], bins, color=color, alpha=0.8, label=name)
bottom.set(title="ten new machines", xlabel="score (widths of the interval)", ylabel="hours")
bottom.set(yscale="log", ylim=(0.5, None))
bottom.legend(frameon=False)
for axes in (top, bottom):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The first hour of a fault lies far outside its interval, since this was forecast before the fault.
# The later hours are closer to their intervals, because the forecasts already depend on the first.
# Nearly all normal hours have scores below 0.2, so a threshold of 0.2 finds most of the faulty
# hours with few false alarms.
