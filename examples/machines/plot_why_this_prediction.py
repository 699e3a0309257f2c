"""
What the network looked at
==========================

A prediction of 20 remaining cycles is easier to believe if it has a reason. This example explains
predictions of remaining life: which sensors, and which of the latest cycles, have lowered the
prediction? It compares the same engine early and late in its life.
"""

# %%
# A fitted pipeline
# -----------------
#
# The pipeline predicts the remaining life of an engine, at most 125 cycles, from windows of its
# latest 60 cycles.

from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer
from sklstm.datasets import load_turbofan

data = load_turbofan()
ids = {"series": "unit", "time": "cycle"}
sensors = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]
X, y = data.train, data.train_rul.clip(upper=125)
pipe = make_pipeline(
    PerSeriesScaler(statistics="pooled", **ids),
    WindowTransformer(60, columns=sensors, **ids),
    MultiSeriesLSTMRegressor(
        32,
        # Learn from engines as soon as they have 20 rows.
        min_observed=20,
        batch_size=256,
        epochs=5,
        learning_rate=3e-3,
        learning_rate_decay="cosine",
        random_state=0,
    ),
)
pipe.fit(X, y)

# %%
# The parts of a prediction
# -------------------------
#
# :func:`~sklstm.inspection.integrated_gradients` compares the window of a row with a baseline, and
# divides the difference of the two predictions into parts, one for each sensor and cycle. With
# ``background``, the baseline is the mean of the given rows. Here these are the first 30 cycles of
# all engines, when they were healthy.
#
# The windows of the explained rows need the rows before them, so the call passes the whole engine
# and chooses two of its cycles with ``rows``.

from sklstm.inspection import integrated_gradients

healthy = X[X.groupby("unit").cumcount() < 30]
engine = data.test[data.test["unit"] == 176]
early, late = 79, len(engine) - 1
parts = integrated_gradients(pipe, engine, rows=[early, late], background=healthy)
print(f"prediction for a healthy engine: {parts.baseline_predictions[0]:.0f} cycles")
print(f"after {early + 1} cycles: {parts.predictions[0]:.0f} cycles")
print(f"after {late + 1} cycles: {parts.predictions[1]:.0f} cycles")

# %%
# The parts add up. For each row, their sum over all sensors and cycles is the difference between
# the prediction and that of the baseline.

by_sensor = parts.by_feature()
print(by_sensor.sum(axis=1).round(1).tolist())
by_sensor.T.round(1)

# %%
# Early and late
# --------------
#
# :class:`~sklstm.plotting.AttributionDisplay` draws the parts of one row. Blue cells lower the
# prediction, and orange cells raise it. Lag 0 is the explained cycle, and larger lags are earlier
# cycles. The number beside each sensor is the sum of its parts.

import matplotlib.pyplot as plt

from sklstm.plotting import AttributionDisplay

figure, axes = plt.subplots(2, 1, figsize=(7, 7), layout="constrained")
for ax, row in zip(axes, parts.rows, strict=True):
    display = AttributionDisplay(parts).plot(ax, row=row, max_features=8)
    display.image_.set_clim(-8, 8)  # the same colours in both
    ax.set_ylabel(f"after {row + 1} cycles")
plt.show()

# %%
# After 80 cycles the engine is nearly as good as new: its colours are pale, and its parts nearly
# cancel.
# Near its end, many sensors lower the prediction together, which speaks for wear and against a
# single broken sensor.
# The latest ten cycles have the strongest colours: for the network, the present state of the engine
# tells more than its past.
