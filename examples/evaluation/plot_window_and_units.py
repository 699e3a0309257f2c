"""
Grid over window length and units
=================================

How many past rows should a prediction see, and how large should the network be? Both are ordinary
parameters of a pipeline, so :class:`~sklearn.model_selection.GridSearchCV` can search them
together. :class:`~sklearn.model_selection.GroupKFold` keeps whole engines together, so each
candidate is scored on engines that were not in its training.
"""

# %%
# Data
# ----
#
# :func:`~sklstm.datasets.load_turbofan` returns sensor data of simulated jet engines that ran until
# they failed, one row per cycle. This example takes 40 of them. The target is the number of cycles
# until the failure, at most 125.

from sklstm.datasets import load_turbofan

data = load_turbofan()
X = data.train[data.train["unit"] <= 40]
y = data.train_rul[X.index].clip(upper=125)

# %%
# Windows
# -------
#
# :class:`~sklstm.WindowTransformer` turns each row into the window that ends at this row. The
# number of rows stays the same whatever the window length, so a search can change it.
# :class:`~sklstm.plotting.WindowDisplay` shows the rows that the prediction for one row sees.

import matplotlib.pyplot as plt

from sklstm import WindowTransformer
from sklstm.plotting import WindowDisplay

ids = {"series": "unit", "time": "cycle"}
sensors = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]
windows = WindowTransformer(80, columns=sensors, **ids).fit(X)
WindowDisplay.from_estimator(windows, X, row=149, feature="sensor11")
plt.show()

# %%
# Search
# ------
#
# The grid has three window lengths and two sizes of the network. Each of the six candidates is
# fitted three times, each time without a third of the engines.

from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler

pipe = Pipeline(
    [
        ("scale", PerSeriesScaler(statistics="pooled", **ids)),
        ("windows", windows),
        (
            "net",
            MultiSeriesLSTMRegressor(
                # One step of the LSTM per five rows, for speed.
                segment_length=5,
                # Learn from all rows, also from the first ones of an engine.
                min_observed=1,
                epochs=4,
                batch_size=128,
                learning_rate=3e-3,
                learning_rate_decay="cosine",
                random_state=0,
            ),
        ),
    ]
)
grid = {"windows__window_length": [5, 20, 80], "net__hidden_units": [4, 32]}
search = GridSearchCV(
    pipe, grid, cv=GroupKFold(3), scoring="neg_root_mean_squared_error", refit=False
)
search.fit(X, y, groups=X["unit"])
print(search.best_params_)

# %%
# ``cv_results_`` has the scores of each fold. They are negative errors, as usual in scikit-learn.

import pandas as pd

results = pd.DataFrame(search.cv_results_).set_index(
    ["param_net__hidden_units", "param_windows__window_length"]
)
errors = -results[[f"split{fold}_test_score" for fold in range(3)]]
errors.index.names = ["units", "window"]
errors.columns = [f"fold {fold + 1}" for fold in range(3)]
errors.round(1)

# %%
# Candidates and folds
# --------------------
#
# Thin lines are the three folds, thick lines are their means.

# sphinx_gallery_thumbnail_number = 2
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for units, style in [(4, "C0o-"), (32, "C1s--")]:
    table = errors.loc[units]
    ax.plot(table, style, lw=0.8, ms=3, alpha=0.5)
    ax.plot(table.mean(axis=1), style, lw=2.5, ms=7, label=f"{units} units")
ax.set(
    xscale="log",
    xlabel="window length (cycles)",
    ylabel="RMSE on held-out engines (cycles)",
)
ax.set_xticks(grid["windows__window_length"], grid["windows__window_length"])
ax.minorticks_off()
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The two parameters depend on each other: a window of 80 cycles makes the network with 32 units
# much better, while the network with 4 units cannot use it.
# A search over one parameter at a time may miss this.
# The folds differ by two or three cycles, since some engines are harder to predict than others, so
# compare two candidates within the same folds.
