"""
Train on a panel that is larger than memory
===========================================

A :class:`~sklstm.PanelDataset` takes the place of a DataFrame that would not fit in memory. It
reads Parquet files, one block of whole series at a time. The panel of this example is small, but
the code is that of a large one. It needs pyarrow: ``pip install "sklstm[polars]"``.
"""

# %%
# A folder of Parquet files
# -------------------------
#
# We write 80 of the training engines of NASA's C-MAPSS FD001 into eight files, and the other 20
# into two files for testing. The column ``life`` is the target: the remaining life, at most 125.

from pathlib import Path
from tempfile import TemporaryDirectory

from sklstm.datasets import load_turbofan

temporary = TemporaryDirectory()
train_folder, test_folder, predictions_folder = (
    Path(temporary.name, name) for name in ("train", "test", "predictions")
)
train_folder.mkdir()
test_folder.mkdir()
data = load_turbofan()
engines = data.train.assign(life=data.train_rul.clip(upper=125))
for number, part in engines.groupby((engines["unit"] - 1) // 10):
    folder = train_folder if number < 8 else test_folder
    part.to_parquet(folder / f"part{number}.parquet")
sorted(path.name for path in train_folder.iterdir())

# %%
# Fit
# ---
#
# ``block_rows`` is the number of rows that are read at a time, by default half a million. Columns
# are selected as in pandas, but rows are not read before they are needed. The pipeline is an
# ordinary one.

from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PanelDataset, PerSeriesScaler, WindowTransformer

panel = PanelDataset(train_folder, series="unit", block_rows=2000)
print(panel)

ids = {"series": "unit", "time": "cycle"}
sensors = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]
net = MultiSeriesLSTMRegressor(
    32,
    segment_length=5,  # the LSTM takes one step per five rows, which is faster
    min_observed=20,
    batch_size=256,
    epochs=6,
    learning_rate=3e-3,
    learning_rate_decay="cosine",
    random_state=0,
)
scaler = PerSeriesScaler(statistics="pooled", **ids)  # one scale for all engines
windows = WindowTransformer(40, columns=sensors, **ids)
pipe = make_pipeline(scaler, windows, net)
pipe.fit(panel.drop("life"), panel["life"])

# %%
# Predict into files
# ------------------
#
# :func:`~sklstm.write_predictions` predicts one block at a time, and writes one file per block.

import pandas as pd

from sklstm import write_predictions

test = PanelDataset(test_folder, series="unit", block_rows=2000)
write_predictions(pipe, test.drop("life"), predictions_folder, columns=["unit", "cycle"])
predicted = pd.read_parquet(predictions_folder)
predicted.head(3)

# %%
# Measure the memory
# ------------------
#
# We fit the scaler to more and more files, from a ``PanelDataset`` and from a DataFrame, and record
# the peak memory of the arrays.

import tracemalloc


def peak_megabytes(fit, files):
    """Call a function, and return the peak memory during the call."""
    tracemalloc.start()
    fit(files)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def fit_to_blocks(files):
    """Fit a scaler to one block at a time."""
    panel = PanelDataset(files, series="unit", block_rows=2000)
    PerSeriesScaler(**ids).fit(panel.drop("life"))


def fit_in_memory(files):
    """Fit a scaler to a DataFrame of all rows."""
    frame = pd.concat([pd.read_parquet(file) for file in files])
    PerSeriesScaler(**ids).fit(frame.drop(columns="life"))


files = sorted(train_folder.glob("*.parquet"))
fit_to_blocks(files[:1])  # the first call imports modules
fit_in_memory(files[:1])
table = []
for n_files in (1, 2, 4, 6, 8):
    first = files[:n_files]
    rows = len(PanelDataset(first, series="unit"))
    blocks, frame = peak_megabytes(fit_to_blocks, first), peak_megabytes(fit_in_memory, first)
    table.append({"rows": rows, "PanelDataset": blocks, "DataFrame": frame})
peaks = pd.DataFrame(table).set_index("rows")
peaks.round(1)

# %%
# Memory, and predictions of two test engines
# -------------------------------------------

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(peaks["DataFrame"], "o-", color="#D55E00", label="DataFrame")
left.plot(peaks["PanelDataset"], "s-", color="#0072B2", label="PanelDataset")
left.set(title="fit of the scaler", xlabel="rows of the panel", ylabel="peak memory (MB)")
left.set(xlim=(0, None), ylim=(0, None), xticks=range(0, 16_001, 4_000))

lives = predicted.merge(engines, on=["unit", "cycle"])
for unit, color in {92: "#0072B2", 96: "#D55E00"}.items():
    life = lives[lives["unit"] == unit]
    right.plot(life["cycle"], life["prediction"], color=color, label=f"engine {unit}, predicted")
    right.plot(life["cycle"], life["life"], "--", color=color, lw=1, label=f"engine {unit}, true")
right.set(title="predictions read from the files", xlabel="cycle")
right.set(ylabel="remaining life (cycles, at most 125)", ylim=(0, None))
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
plt.show()
temporary.cleanup()

# %%
# The memory that a DataFrame needs grows with the number of rows, but a ``PanelDataset`` only needs
# memory for one block.
# The curves would look the same for a hundred million rows in blocks of half a million.
# Predictions were written block by block too, so that any part of them can be read from the files.
