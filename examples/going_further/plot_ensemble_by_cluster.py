"""
One network for each kind of series
===================================

One network for all series is a good default. But if the same input means opposite things for two
kinds of series, the network has to recognise the kind first. An *ensemble by cluster* groups the
series by features of their history, and trains one network per group.
"""

# %%
# Data
# ----
#
# We generate two kinds of machines. The load of steady machines changes slowly, and under load they
# get warmer. The load of jumpy machines changes fast, and under load they get cooler, because it
# also drives their fan. No feature names the kind of a machine.

import numpy as np
import pandas as pd
from scipy.signal import lfilter


def make_machines(n_machines, seed):
    """Generate machines of both kinds; only their names show the kind."""
    rng = np.random.default_rng(seed)
    machines = []
    for number in range(n_machines):
        is_jumpy = number % 2 == 1
        persistence = rng.uniform(0.2, 0.6) if is_jumpy else rng.uniform(0.7, 0.95)
        shocks = rng.normal(size=150) * np.sqrt(1 - persistence**2)
        load = lfilter([1], [1, -persistence], shocks)
        recent = lfilter(np.full(5, 0.2), [1], load)  # mean of the last five rows
        heat = (-1 if is_jumpy else 1) * recent / recent.std() + 0.1 * rng.normal(size=150)
        name = f"{'jumpy' if is_jumpy else 'steady'} {number:02d}"
        table = {"machine": name, "hour": range(150), "load": (1 + 0.5 * is_jumpy) * load}
        machines.append(pd.DataFrame(table | {"heat": heat}))
    return pd.concat(machines, ignore_index=True)


train, test = make_machines(40, seed=0), make_machines(40, seed=1)  # all test machines are new
train.head(3)

# %%
# One network, and two by cluster
# -------------------------------
#
# Both models predict the heat from windows of the last eight loads. In the ensemble, each network
# is trained on the machines of one cluster. For each row of a new machine, the ensemble uses the
# network whose cluster is nearest to the features of the machine up to that row.

from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, SeriesEnsembleRegressor, WindowTransformer

windows = WindowTransformer(8, series="machine", time="hour")
net = MultiSeriesLSTMRegressor(
    16, epochs=15, learning_rate=5e-3, learning_rate_decay="cosine", random_state=0
)
ensemble = SeriesEnsembleRegressor(net, n_estimators=2, assign="cluster", random_state=0)
models = {
    "one network": make_pipeline(windows, net),
    "two networks by cluster": make_pipeline(windows, ensemble),
}
columns = ["machine", "hour", "load"]
for model in models.values():
    model.fit(train[columns], train["heat"])

# %%
# Clusters
# --------
#
# The clusters are found by k-means. The features of a machine are the mean, the standard deviation
# and the mean absolute change of each column. ``assignment_`` contains, for each machine, the
# number of the network that was trained on it.

fitted = models["two networks by cluster"][-1]
kind = fitted.assignment_.index.str.split().str[0]
pd.crosstab(kind, fitted.assignment_, rownames=["kind"], colnames=["network"])

# %%
# Clusters, and errors on new machines
# ------------------------------------

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for number, (marker, color) in enumerate([("o", "#0072B2"), ("s", "#E69F00")]):
    features = fitted.features_[fitted.assignment_ == number]
    style = {"color": color, "label": f"network {number}"}
    left.plot(features["step_load"], features["deviation_load"], marker, **style)
left.set(title="training machines", xlabel="mean absolute change of the load")
left.set_ylabel("standard deviation of the load")
styles = {"one network": "#D55E00", "two networks by cluster": "#0072B2"}
for name, color in styles.items():
    # One point for every five hours
    squared = (models[name].predict(test[columns]) - test["heat"]) ** 2
    rmse = np.sqrt(squared.groupby(test["hour"] // 5 * 5 + 2).mean())
    right.plot(rmse, color=color, label=name)
right.set(title="new machines", xlabel="hours since the first row", ylabel="RMSE of the heat")
right.set_ylim(bottom=0)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
plt.show()

# %%
# The loads of the two kinds change at different speeds, so the clusters are exactly the two kinds.
# Each network of the ensemble learns one simple relation, and the error is less than half that of
# the single network.
# In the first hours the error is larger, because a new machine has not yet shown its kind: clusters
# only help where the features of a series reveal it.
