"""
Learn from machines that have not failed yet
============================================

Most machines in use have not failed yet. Of their remaining life we only know that it is longer
than what we have seen: it is *censored*. This example trains the same network in three ways:
without these machines, as if they had failed at their last row, and with censored lives.
"""

# %%
# Data
# ----
#
# The 100 training engines of NASA's C-MAPSS FD001 ran until they failed. Suppose that 70 of them
# were started 170 cycles ago. Some have failed since, and the others are still running. The 30
# remaining engines are used for testing, with their whole lives.

from sklstm.datasets import load_turbofan

data = load_turbofan()
ids = {"series": "unit", "time": "cycle"}
today = 170
X = data.train[(data.train["unit"] <= 70) & (data.train["cycle"] <= today)]
X_test = data.train[data.train["unit"] > 70]
y_test = data.train_rul[X_test.index].clip(upper=125)

life = data.train[data.train["unit"] <= 70].groupby("unit")["cycle"].max()
has_failed = life <= today
print(f"{has_failed.sum()} engines have failed, {(~has_failed).sum()} are still running")

# %%
# Targets
# -------
#
# :func:`~sklstm.make_remaining_life` needs to know which engines have failed. For each row, it
# returns the number of cycles to the last row of the engine (``time``), and whether the engine
# failed there (``event``). Lives are capped at 125 cycles, as usual: longer before a failure, the
# sensors show no wear. A life that is known to be longer than the cap counts as known. These are
# the targets of some engines at cycle 100:

from sklstm import make_remaining_life

censored = make_remaining_life(X, has_failed, cap=125, **ids)
all_failed = make_remaining_life(X, True, cap=125, **ids)  # as if all engines had failed today
targets = X[["unit", "cycle"]].assign(time=censored["time"], event=censored["event"])
targets[targets["cycle"] == 100].iloc[20:25]

# %%
# Three ways to train
# -------------------
#
# A prediction for a censored life has a loss only if it is shorter than the time that the engine is
# known to have survived.

from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer

sensors = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]


def make_model():
    """Build the pipeline, which is the same in all three ways."""
    scaler = PerSeriesScaler(statistics="pooled", **ids)  # one scale for all engines
    windows = WindowTransformer(40, columns=sensors, **ids)
    net = MultiSeriesLSTMRegressor(
        segment_length=5,  # the LSTM takes one step per five rows, which is faster
        min_observed=20,
        batch_size=128,
        epochs=8,
        learning_rate_decay="cosine",
        random_state=0,
    )
    return make_pipeline(scaler, windows, net)


is_of_failed = X["unit"].map(has_failed)
models = {
    "failed engines only": make_model().fit(X[is_of_failed], censored[is_of_failed]),
    "as if all had failed today": make_model().fit(X, all_failed),
    "censored lives": make_model().fit(X, censored),
}

# %%
# Errors on the test engines
# --------------------------
#
# The concordance is the share of pairs of rows that the predictions put into the right order.

import pandas as pd
from sklearn.metrics import root_mean_squared_error

from sklstm.metrics import concordance_index

predictions = {name: model.predict(X_test) for name, model in models.items()}
pd.DataFrame(
    {
        name: {
            "RMSE (cycles)": root_mean_squared_error(y_test, predicted),
            "mean error (cycles)": (predicted - y_test).mean(),
            "concordance": concordance_index(y_test, predicted),
        }
        for name, predicted in predictions.items()
    }
).T.round(2)

# %%
# Training engines, and predictions for the test engines
# ------------------------------------------------------

import matplotlib.pyplot as plt
import numpy as np

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
seen = life.clip(upper=today).sort_values(ignore_index=True)
n_failed = has_failed.sum()
left.hlines(seen.index, 0, seen, color="0.7", lw=1.5)
left.plot(seen[:n_failed], seen.index[:n_failed], "x", color="#D55E00", label="failed")
left.plot(seen[n_failed:], seen.index[n_failed:], ">", color="#0072B2", ms=4, label="still running")
left.set(title="70 training engines", xlabel="cycles since the start", ylabel="engine, sorted")
left.set(xlim=(0, 185), ylim=(-1, 84))
left.legend(frameon=False, loc="upper left", ncols=2)

colors = {
    "failed engines only": "#D55E00",
    "as if all had failed today": "#E69F00",
    "censored lives": "#0072B2",
}
true = 5 * np.round(y_test / 5)
right.plot([0, 125], [0, 125], color="0.25", lw=1, ls="--", label="true")
for name, predicted in predictions.items():
    mean = pd.Series(predicted, X_test.index).groupby(true).mean()
    right.plot(mean, color=colors[name], label=name)
right.set(title="30 test engines", xlabel="true remaining life (cycles)")
right.set(ylabel="mean prediction (cycles)", xlim=(125, 0), ylim=(0, 140))
right.legend(frameon=False, loc="upper right")
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The engines that have failed so far are those with the shortest lives, so a network that is
# trained on them alone predicts lives that are too short. It is even worse to treat the last row of
# the running engines as a failure. With censored lives, the running engines improve the
# predictions, although no failure of theirs has been seen.
