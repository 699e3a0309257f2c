"""
Fine-tune a network on few machines
===================================

Suppose that few machines of a new type have failed so far, but many of an older type. A network
that was trained on the old type has learned how wear shows in the sensors. *Fine-tuning* starts
from the weights of this network and adapts them to the new type.
"""

# %%
# Data
# ----
#
# NASA's C-MAPSS FD001 has 100 engines that ran until they failed. The first 60 are the old type. To
# imitate a new type that wears twice as fast, we keep only every second cycle of the other 40.
# Remaining lives are capped, as usual: longer before a failure, the sensors show no wear. The cap
# is 125 cycles for the old type and 62 for the new one.

from sklstm.datasets import load_turbofan

train = load_turbofan().train
life = train.groupby("unit")["cycle"].transform("max")
old = train[train["unit"] <= 60]
new = train[(train["unit"] > 60) & ((life - train["cycle"]) % 2 == 0)]
new = new.assign(cycle=new.groupby("unit").cumcount() + 1)
test = new[new["unit"] > 80]  # 20 engines of the new type on which no network is trained

# %%
# Train on the old type
# ---------------------
#
# This network is the source of the fine-tuning.

from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer, make_remaining_life

ids = {"series": "unit", "time": "cycle"}
sensors = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]


def fit(engines, cap, **options):
    """Fit a pipeline to capped remaining lives; the options are those of the network."""
    net = MultiSeriesLSTMRegressor(32, segment_length=5, random_state=0, **options)
    windows = WindowTransformer(30, columns=sensors, **ids)
    scaler = PerSeriesScaler(statistics="pooled", **ids)  # one scale for all engines
    pipe = make_pipeline(scaler, windows, net)
    return pipe.fit(engines, make_remaining_life(engines, cap=cap, **ids)["time"])


source = fit(old, cap=125, epochs=5)

# %%
# Fine-tune on the new type
# -------------------------
#
# ``init_from`` copies the weights of the source. :class:`~sklearn.frozen.FrozenEstimator` keeps it
# fitted when scikit-learn clones the pipeline. ``trainable="head"`` trains the last layer alone; by
# default, all layers are trained. The last layer has few weights, so it can be trained at a higher
# learning rate. A network that starts from random weights needs more epochs.

import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import root_mean_squared_error

start = {"init_from": FrozenEstimator(source), "epochs": 10}
ways = {
    "from random weights": {"epochs": 30},
    "fine-tune the head": start | {"trainable": "head", "learning_rate": 1e-2},
    "fine-tune all layers": start,
}


def rmse_on_test(pipe):
    """Return the RMSE on the test engines."""
    true = make_remaining_life(test, cap=62, **ids)["time"]
    return root_mean_squared_error(true, pipe.predict(test))


# %%
# The few engines are drawn at random, three times for each number of engines.

import numpy as np

rng = np.random.default_rng(0)
rows = []
for n_engines in [2, 5, 10]:
    for _ in range(3):
        drawn = rng.choice(np.arange(61, 81), size=n_engines, replace=False)
        few = new[new["unit"].isin(drawn)]
        found = {name: rmse_on_test(fit(few, cap=62, **ways[name])) for name in ways}
        rows.append({"engines": n_engines} | found)
errors = pd.DataFrame(rows).set_index("engines")
errors.groupby("engines").mean().round(1)

# %%
# Errors by the number of engines
# -------------------------------

import matplotlib.pyplot as plt

styles = {
    "from random weights": ("o", "#D55E00"),
    "fine-tune the head": ("s", "#009E73"),
    "fine-tune all layers": ("^", "#0072B2"),
}
figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
for name, (marker, color) in styles.items():
    axes.plot(errors[name], marker, color=color, alpha=0.4)
    axes.plot(errors[name].groupby("engines").mean(), color=color, marker=marker, label=name)
axes.axhline(rmse_on_test(source), color="0.4", ls="--", label="source, not fine-tuned")
axes.set(xlabel="engines of the new type in training", ylabel="RMSE (cycles)", xticks=[2, 5, 10])
axes.set_ylim(bottom=0)
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()

# %%
# Without fine-tuning, the source has a large error, because it has only seen engines that wear
# slowly. Fine-tuned on five or ten engines, it is better than a network that starts from random
# weights, after a third of the epochs. Two engines are too few for any of the three: the error
# depends on which two were drawn (pale points).
