"""
Compare with other regressors in the same pipeline
==================================================

Is the LSTM worth its training time? The scaler and the windows of sklstm also serve the regressors
of scikit-learn, so a loop is enough for the comparison. The task is to predict the remaining life
of turbofan engines that were not in training.
"""

# %%
# Data
# ----
#
# NASA's C-MAPSS FD001 has 100 engines that ran until they failed. We train on 50 of them and
# predict the other 50. The remaining life is capped at 125 cycles, as usual: longer before a
# failure, the sensors show no wear. The age of the engine is a further feature.

from sklstm.datasets import load_turbofan

data = load_turbofan()
X = data.train.assign(age=data.train["cycle"].astype("float32"))
y = data.train_rul.clip(upper=125)
is_train = X["unit"] <= 50
sensors = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]

# %%
# One pipeline, four regressors
# -----------------------------
#
# The scaler scales the sensors of each engine by their own past. The window of a row contains 8
# rows of the last 71: every tenth one. The LSTM reads a window as a sequence. The other regressors
# need one flat row per window, which ``output="2d"`` makes of the same values. Network and trees
# are small, so that this example is fast.

from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer

ids = {"series": "unit", "time": "cycle"}
windows = WindowTransformer(8, spacing=10, columns=[*sensors, "age"], **ids)
flat = WindowTransformer(8, spacing=10, columns=[*sensors, "age"], output="2d", **ids)
net = MultiSeriesLSTMRegressor(
    epochs=10, batch_size=128, learning_rate_decay="cosine", min_observed=4, random_state=0
)
trees = HistGradientBoostingRegressor(
    max_iter=40, learning_rate=0.15, max_leaf_nodes=15, random_state=0
)
models = {
    "constant": (flat, DummyRegressor()),
    "ridge": (flat, Ridge(alpha=10.0)),
    "gradient boosting": (flat, trees),
    "LSTM": (windows, net),
}

# %%
# Fit and predict
# ---------------

import time

import pandas as pd
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline

predictions, table = {}, {}
for name, (transformer, regressor) in models.items():
    pipe = make_pipeline(PerSeriesScaler(**ids), transformer, regressor)
    started = time.perf_counter()
    pipe.fit(X[is_train], y[is_train])
    seconds = time.perf_counter() - started
    predictions[name] = pipe.predict(X[~is_train])
    rmse = root_mean_squared_error(y[~is_train], predictions[name])
    table[name] = {"RMSE (cycles)": rmse, "fit (seconds)": seconds}
pd.DataFrame(table).T.round(1)

# %%
# Errors by remaining life
# ------------------------
#
# Each point is the RMSE of all rows whose remaining life is within the same ten cycles.

import matplotlib.pyplot as plt
import numpy as np

life = data.train_rul[~is_train]
middle = 10 * (life // 10) + 5
colors = {"constant": "0.6", "ridge": "#E69F00", "gradient boosting": "#009E73", "LSTM": "#0072B2"}
figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
axes.axvline(125, color="0.7", lw=1, ls=":", label="cap")
for name, predicted in predictions.items():
    squared = (predicted - y[~is_train]) ** 2
    axes.plot(np.sqrt(squared.groupby(middle).mean()), color=colors[name], label=name)
axes.set(xlabel="true remaining life (cycles)", ylabel="RMSE (cycles)", xlim=(200, 0), ylim=(0, 50))
axes.spines[["top", "right"]].set_visible(False)
figure.legend(frameon=False, loc="outside upper center", ncols=5)
plt.show()

# %%
# Except for the constant, all models have their largest errors near the cap, where the sensors show
# little wear.
# The LSTM has the smallest error almost everywhere, and its lead over gradient boosting is largest
# in the last 60 cycles, where the predictions matter most.
# Gradient boosting on flat rows is a strong baseline, and ridge takes less than a second: try both
# before you train a network.
