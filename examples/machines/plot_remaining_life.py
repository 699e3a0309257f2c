"""
Remaining life of engines, with intervals
=========================================

How many cycles will an engine run before it fails? This example predicts the remaining life of
engines that were not in training. Each prediction has an interval that should contain the true life
with a probability of 80 %.

The model is a scikit-learn pipeline of three steps: scale the sensors of each engine, turn each row
into a window of the latest rows, and train one LSTM on the windows of all engines.
"""

# %%
# Data
# ----
#
# :func:`~sklstm.datasets.load_turbofan` returns sensor data of simulated jet engines, published by
# NASA. One row is one cycle of one engine, such as a flight. The training engines ran until they
# failed. The test engines were stopped some time before, and their remaining life is known.
#
# The target of each row is the number of cycles that the engine still has to run. As is usual for
# these data, lives are capped at 125 cycles: longer before a failure, the sensors show no wear.
# Half of the training engines are enough for this example.

from sklstm.datasets import load_turbofan

data = load_turbofan()
data.train["age"] = data.train["cycle"].astype("float32")
data.test["age"] = data.test["cycle"].astype("float32")

chosen = data.train["unit"] <= 50
X, y = data.train[chosen], data.train_rul[chosen].clip(upper=125)
X_test, y_test = data.test, data.test_rul.clip(upper=125)
print(f"training: {X['unit'].nunique()} engines, {len(X)} rows")
print(f"test: {X_test['unit'].nunique()} engines, {len(X_test)} rows")
X[["unit", "cycle", "sensor2", "sensor11"]].head()

# %%
# Pipeline
# --------
#
# The names of two columns tell each step which rows belong together (``series``) and in which order
# they are (``time``). :class:`~sklstm.PerSeriesScaler` scales each row with the rows of the same
# engine up to that row. :class:`~sklstm.WindowTransformer` turns each row into the window of the 80
# rows that end there.
#
# With ``quantiles``, :class:`~sklstm.MultiSeriesLSTMRegressor` predicts quantiles of the life.
# ``calibration="series"`` shifts the quantiles so that they hold for engines that were not in
# training. To find the shifts, five further networks are trained, each without a fifth of the
# engines.

from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer

ids = {"series": "unit", "time": "cycle"}
sensors = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]
pipe = make_pipeline(
    PerSeriesScaler(**ids),
    WindowTransformer(80, columns=[*sensors, "age"], **ids),
    MultiSeriesLSTMRegressor(
        32,
        # One step of the LSTM per five rows, for speed.
        segment_length=5,
        # Learn from engines as soon as they have 20 rows.
        min_observed=20,
        quantiles=(0.1, 0.5, 0.9),
        calibration="series",
        batch_size=256,
        epochs=5,
        learning_rate=3e-3,
        learning_rate_decay="cosine",
        random_state=0,
    ),
)
pipe.fit(X, y)

# %%
# Predictions
# -----------
#
# ``predict`` returns one value per row: the median. :func:`~sklstm.prediction_interval` returns the
# bounds of the interval. :func:`~sklstm.metrics.coverage` is the share of the true lives that lie
# within it.

from sklearn.metrics import root_mean_squared_error

from sklstm import prediction_interval
from sklstm.metrics import coverage

predicted = pipe.predict(X_test)
lower, upper = prediction_interval(pipe, X_test, 0.8)
last = ~X_test["unit"].duplicated(keep="last")  # the last known cycle of each engine
rmse = root_mean_squared_error(y_test[last], predicted[last])
share = coverage(y_test, lower, upper)
share_of_last = coverage(y_test[last], lower[last], upper[last])
print(f"RMSE at the last cycles: {rmse:.1f} cycles")
print(f"lives in the interval, all cycles: {share:.0%}")
print(f"lives in the interval, last cycles: {share_of_last:.0%}")

# %%
# Four test engines
# -----------------
#
# :class:`~sklstm.plotting.RemainingLifeDisplay` draws the predictions of the pipeline, here for the
# four test engines with the longest records among those that are close to their failure.

import matplotlib.pyplot as plt

from sklstm.plotting import RemainingLifeDisplay

ends = X_test.loc[last].assign(life=y_test[last]).query("life < 40")
longest = ends.nlargest(4, "cycle")["unit"]
RemainingLifeDisplay.from_estimator(
    pipe, X_test, y_test, coverage=0.8, series_ids=longest, unit="cycles"
)
plt.show()

# %%
# While an engine is young, its sensors show no wear, and the network predicts a life near the cap.
# The interval is widest when wear begins, and narrow shortly before the failure, when a prediction
# is worth most.
# Unit 149 lives longer than its interval says, as may happen: an interval of 80 % misses one life
# in five.
