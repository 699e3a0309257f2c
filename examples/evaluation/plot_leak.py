"""
A leak made visible
===================

A score in cross-validation is a promise about new machines. It is broken if information about the
held-out rows leaks into training. This example makes two common mistakes on purpose, and compares
the score that each of them promises with the score on engines that arrive later.
"""

# %%
# Engines now and engines later
# -----------------------------
#
# :func:`~sklstm.datasets.load_turbofan` returns sensor data of 100 simulated jet engines that ran
# until they failed, one row per cycle. Half of them, those with even numbers, are known today. The
# others arrive later, when the model is in use. The target is the number of cycles until the
# failure, at most 125.

from sklstm.datasets import load_turbofan

data = load_turbofan()
now = data.train["unit"] % 2 == 0
X, y = data.train[now], data.train_rul[now].clip(upper=125)
X_later, y_later = data.train[~now], data.train_rul[~now].clip(upper=125)

# %%
# The network and the error are the same in all three experiments.

from sklearn.base import clone
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer

ids = {"series": "unit", "time": "cycle"}
sensors = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]
windows = WindowTransformer(30, columns=sensors, **ids)
net = MultiSeriesLSTMRegressor(
    32,
    # One step of the LSTM per five rows, for speed.
    segment_length=5,
    # Learn from engines as soon as they have 10 rows.
    min_observed=10,
    epochs=6,
    batch_size=64,
    learning_rate=5e-3,
    learning_rate_decay="cosine",
    random_state=0,
)
scoring = "neg_root_mean_squared_error"
promised, kept = {}, {}

# %%
# The honest way
# --------------
#
# One pipeline scales the sensors, turns each row into the window of the latest 30 rows of its
# engine, and trains the network. :class:`~sklearn.model_selection.GroupKFold` holds out whole
# engines.

pipe = make_pipeline(PerSeriesScaler(statistics="pooled", **ids), windows, net)
name = "honest"
engines = {"groups": X["unit"], "cv": GroupKFold(3)}
promised[name] = -cross_val_score(pipe, X, y, scoring=scoring, **engines)
kept[name] = root_mean_squared_error(y_later, pipe.fit(X, y).predict(X_later))

# %%
# First mistake: random rows
# --------------------------
#
# Make all windows first, then split them at random. A held-out window now overlaps with windows of
# the same engine in training. The model that is used later is the same as above, and only its score
# in cross-validation differs.

name = "random rows"
all_windows = pipe[:-1].transform(X)
rows = {"cv": KFold(3, shuffle=True, random_state=0)}
promised[name] = -cross_val_score(net, all_windows, y, scoring=scoring, **rows)
kept[name] = kept["honest"]

# %%
# Second mistake: statistics of whole lives
# -----------------------------------------
#
# Scale each engine by the mean and deviation of its whole life, then cross-validate with folds of
# engines. The folds look right, but the statistics of a held-out engine contain its future: they
# tell when it fails. An engine that arrives later has only a past, so each of its rows is scaled by
# the rows up to then (``unknown="expanding"``).

name = "whole lives"
scaler = PerSeriesScaler(statistics="fit", unknown="expanding", **ids)
front = make_pipeline(scaler, windows)
all_windows = front.fit_transform(X)
promised[name] = -cross_val_score(net, all_windows, y, scoring=scoring, **engines)
fitted = clone(net).fit(all_windows, y)
kept[name] = root_mean_squared_error(y_later, fitted.predict(front.transform(X_later)))

# %%
# Promised and kept
# -----------------
#
# Each line of the figure is one of the three experiments above.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for place, name in enumerate(promised):
    mean = promised[name].mean()
    ax.plot([mean, kept[name]], [place, place], color="0.7", lw=2, zorder=0)
    ax.plot(promised[name], [place] * 3, "C0|", ms=14, label="one fold")
    ax.plot(mean, place, "C0o", ms=9, label="promised by cross-validation")
    ax.plot(kept[name], place, "C1D", ms=8, label="on engines that arrive later")
ax.set_yticks(range(3), list(promised))
ax.set(ylim=(2.5, -0.6), xlim=(0, 34), xlabel="RMSE (cycles)")
handles, labels = ax.get_legend_handles_labels()
ax.legend(handles[:3], labels[:3], frameon=False, loc="upper right")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

for name in promised:
    print(f"{name}: promised {promised[name].mean():.1f}, kept {kept[name]:.1f}")

# %%
# The honest score is close to the score on later engines, and slightly worse, since each fold has
# fewer engines for training than the final model.
# Random rows promise too much for the same model: neighbours of the held-out rows were in training,
# so a search would choose the model that memorises engines best.
# Statistics of whole lives give a model that is useless on later engines, and folds of engines do
# not reveal it: everything that is computed from rows belongs in the pipeline.
