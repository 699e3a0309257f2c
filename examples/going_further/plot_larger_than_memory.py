"""
Train on a panel that is larger than memory
===========================================

A :class:`~sklstm.PanelDataset` takes the place of a DataFrame that would not fit in memory. It reads
Parquet files, a block of whole series at a time. The panel of this example is small, but the code
is that of a large one.
"""

# %%
# A folder of Parquet files
# -------------------------
#
# We write 480 series in twelve files. The column ``y`` is the target.

from pathlib import Path
from tempfile import TemporaryDirectory

from sklstm.datasets import make_series_panel

folder = TemporaryDirectory()
rows, stored = Path(folder.name, "rows"), Path(folder.name, "predictions")
rows.mkdir()
X, y = make_series_panel(n_series=480, n_steps=(200, 300), n_features=4, random_state=0)
X["y"] = y
for number, part in X.groupby(X["series"] // 40):
    part.to_parquet(rows / f"part{number:02d}.parquet")
len(X)

# %%
# Fit
# ---
#
# ``panel["y"]`` and ``panel.drop("y")`` read nothing yet. The pipeline is an ordinary one.

from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PanelDataset, PerSeriesScaler, WindowTransformer

panel = PanelDataset(rows, series="series", block_rows=10_000)
ids = {"series": "series", "time": "time"}
net = MultiSeriesLSTMRegressor(32, epochs=4, batch_size=256, learning_rate=5e-3, random_state=0)
pipe = make_pipeline(PerSeriesScaler(**ids), WindowTransformer(12, **ids), net)
pipe.fit(panel.drop("y"), panel["y"])
panel

# %%
# Write the predictions to files
# ------------------------------
#
# :func:`~sklstm.write_predictions` predicts block by block and writes one file per block.

import pandas as pd

from sklstm import write_predictions

write_predictions(pipe, panel.drop("y"), stored, columns=["series", "time"])
predicted = pd.read_parquet(sorted(stored.glob("*.parquet"))[0])
predicted.head(3)

# %%
# Measure the memory
# ------------------
#
# We fit the scaler to more and more of the files, once from a ``PanelDataset`` and once from a
# DataFrame, and record the peak memory of the arrays.

import tracemalloc


def peak_memory(fit):
    """Call a function, and return the largest memory of arrays during the call in megabytes."""
    tracemalloc.start()
    fit()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def fit_streamed(files):
    """Fit a scaler, a block at a time."""
    panel = PanelDataset(files, series="series", block_rows=10_000)
    PerSeriesScaler(**ids).fit(panel.drop("y"))


def fit_in_memory(files):
    """Fit a scaler to a DataFrame of all rows."""
    frame = pd.concat([pd.read_parquet(file) for file in files])
    PerSeriesScaler(**ids).fit(frame.drop(columns="y"))


files = sorted(rows.glob("*.parquet"))
peaks = pd.DataFrame(
    [
        {
            "rows": len(PanelDataset(files[:n_files], series="series")),
            "PanelDataset": peak_memory(lambda n=n_files: fit_streamed(files[:n])),
            "DataFrame": peak_memory(lambda n=n_files: fit_in_memory(files[:n])),
        }
        for n_files in (1, 3, 6, 9, 12)
    ]
).set_index("rows")
peaks.round(1)

# %%
# Memory, and a prediction from the files
# ---------------------------------------

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(peaks["DataFrame"], "o-", color="#D55E00", label="DataFrame")
left.plot(peaks["PanelDataset"], "s-", color="#0072B2", label="PanelDataset")
left.set(xlabel="rows of the panel", ylabel="peak memory of the arrays (MB)")
left.set(xlim=(0, 130_000), ylim=(0, None), xticks=range(0, 120_001, 40_000))
left.legend(frameon=False)
true = X[X["series"] == 0].set_index("time")["y"].loc[100:180]
shown = predicted[predicted["series"] == 0].set_index("time")["prediction"].loc[100:180]
right.plot(true, color="0.25", lw=1, label="observed")
right.plot(shown, color="#0072B2", label="predicted")
right.set(title="series 0", xlabel="time", ylabel="y")
right.legend(frameon=False)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()
