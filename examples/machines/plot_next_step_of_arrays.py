"""
Next step of a list of arrays
=============================

Recordings often come as a list of arrays of unequal length. This example turns such a list into a
table, trains one network on all recordings, and predicts the next row of each. The recordings have
levels and amplitudes that differ by orders of magnitude, which is no problem if each of them has a
scale of its own.
"""

# %%
# A list of arrays
# ----------------
#
# Each array is the recording of one pump, with one row per minute and two columns. The pressure
# repeats every 12 minutes, and the flow follows the pressure three minutes later. Each pump has its
# own level, amplitude and phase.

import numpy as np

rng = np.random.default_rng(0)


def record_pump():
    """Simulate the pressure and the flow of one pump."""
    n_steps = rng.integers(80, 200)
    step = np.arange(n_steps + 3) + rng.uniform(0, 12)
    wave = np.sin(2 * np.pi * step / 12) ** 3 + rng.normal(scale=0.2, size=n_steps + 3)
    values = np.column_stack([wave[3:], wave[:-3]])
    amplitude = rng.lognormal(sigma=1.5, size=2)
    return amplitude * (values + rng.normal(scale=3, size=2))


recordings = [record_pump() for _ in range(40)]
print([recording.shape for recording in recordings[:5]], "...")

# %%
# From arrays to a panel
# ----------------------
#
# :func:`~sklstm.stack_series` stacks the arrays into one table, and the index says which pump and
# which minute a row belongs to. :func:`~sklstm.make_targets` gives each row the values of the row
# after it. The last row of each pump has no next row, so its targets are missing. The network
# leaves missing targets out of its loss.

from sklstm import make_targets, stack_series

panel = stack_series(recordings, columns=["pressure", "flow"])
ids = {"series": "series", "time": "time"}
following = make_targets(panel, horizon=1, **ids)
panel.join(following).head(3)

# %%
# Train on the past, predict the rest
# -----------------------------------
#
# The last 30 rows of each pump are held out. :class:`~sklstm.PerSeriesTargetRegressor` scales the
# targets of each pump, as :class:`~sklstm.PerSeriesScaler` scales its features, and returns
# predictions in the original units. Both use the training rows alone. ``embargo=1`` leaves the last
# training row of each pump out of the loss, since its target is the first value that is held out.

from sklearn.pipeline import make_pipeline

from sklstm import (
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    WindowTransformer,
)

is_late = panel.groupby(level="series").cumcount(ascending=False) < 30
pipe = make_pipeline(
    PerSeriesScaler(statistics="fit", **ids),
    WindowTransformer(24, **ids),
    MultiSeriesLSTMRegressor(
        32,
        embargo=1,
        epochs=20,
        learning_rate=0.01,
        learning_rate_decay="cosine",
        random_state=0,
    ),
)
model = PerSeriesTargetRegressor(pipe, **ids)
model.fit(panel[~is_late], following[~is_late])

# %%
# The windows of the first held-out rows reach back into the training rows. There is no need to pass
# these again: the fitted pipeline remembers the last rows of each pump. The predictions become a
# table in the form of the panel, and :func:`~sklstm.unstack_series` would turn this table into a
# list of arrays again.

import pandas as pd

late = panel[is_late]
predicted = pd.DataFrame(model.predict(late), index=late.index, columns=late.columns)
actual = following[is_late].set_axis(late.columns, axis=1)

# %%
# All pumps at once
# -----------------
#
# The left figures show the flow of three pumps in their last 30 minutes. The right figure compares
# the error of the network with that of the simplest forecast, which repeats the last value.

import matplotlib.pyplot as plt

error = (predicted - actual).abs().groupby(level="series").mean()
error_of_last_value = (late - actual).abs().groupby(level="series").mean()

figure = plt.figure(figsize=(9, 4.6), layout="constrained")
grid = figure.subplot_mosaic([["0", "all"], ["1", "all"], ["2", "all"]])
spread = panel["flow"].groupby(level="series").std().sort_values()
for place, pump in enumerate(spread.index[[0, 20, -1]]):
    ax = grid[str(place)]
    flow = actual.loc[pump, "flow"]
    ax.plot(flow.index + 1, flow, ".-", color="0.25", lw=0.8, label="observed")
    ax.plot(flow.index + 1, predicted.loc[pump, "flow"], color="C1", label="predicted")
    ax.set_title(f"flow of pump {pump}", loc="left", size="medium")
grid["0"].legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
grid["2"].set_xlabel("minute")

right = grid["all"]
for column, marker in [("pressure", "o"), ("flow", "^")]:
    right.plot(error_of_last_value[column], error[column], marker, ms=4, label=column)
limits = [0.02, 20]
right.plot(limits, limits, color="0.5", lw=1)
right.annotate("same error", (6, 8), ha="right")
right.set(
    xscale="log",
    yscale="log",
    xlabel="mean absolute error of the last value",
    ylabel="mean absolute error of the network",
    title="Each point is a pump",
)
right.legend(frameon=False)
for ax in grid.values():
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# One network predicts all pumps, although the amplitudes on the left differ by a factor of more
# than a thousand.
# All points on the right are below the line, so the network is better than the last value for every
# pump, large or small.
# It gains most for the flow: the pressure of the minutes before tells which flow is coming, and the
# network has learned this from the data.
