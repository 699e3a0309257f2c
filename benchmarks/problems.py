"""Define the problems of the benchmark: sizes, data and peers.

This module depends on NumPy alone, because it is imported in the environment of every peer. All
data are made from seed 0, so that the process of each peer makes the same arrays.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

DATA = Path(os.environ.get("SKLSTM_DATA", Path(__file__).parents[2] / "shared" / "data"))


class CannotError(Exception):
    """Raised where a peer cannot solve a problem; the message gives the reason."""


@dataclass(frozen=True)
class Problem:
    """Describe one problem in several sizes.

    Attributes
    ----------
    peers : tuple of str
        Modules in `peers`; each has a function with the problem's name.
    cases, quick : dict
        By label, the arguments of that function; `quick` for a first look.
    fresh : {"problem", "case", "round"}
        When a peer gets a new process: for each problem, case or round.
    per_row : bool
        Whether peers may process different numbers of rows, so that rows per second are
        compared.
    memory : bool
        Whether the table shows the memory of the first run.
    """

    peers: tuple[str, ...]
    cases: dict[str, dict]
    quick: dict[str, dict] = field(default_factory=dict)
    fresh: str = "problem"
    per_row: bool = False
    memory: bool = False


# ------------------------------------------------------------------------------------ data


def make_blocks(n_series, length, n_features):
    """Make random walks, each with its own level: float32 (n_series, length, n_features)."""
    rng = np.random.default_rng(0)
    blocks = rng.standard_normal((n_series, length, n_features), dtype=np.float32)
    np.cumsum(blocks, axis=1, out=blocks)
    blocks /= np.float32(np.sqrt(length))
    blocks += rng.standard_normal((n_series, 1, n_features), dtype=np.float32)
    return blocks


def make_ids(blocks):
    """Make the id of each row of the blocks, laid out as one long table."""
    return np.repeat(np.arange(len(blocks)), blocks.shape[1])


def materialise(blocks, window_length, pad=False):
    """Make all windows as one array (n_windows, window_length, n_features) with NumPy.

    With `pad`, each row of a block gets a window, padded with the first row of the block.
    """
    if pad:
        before = np.repeat(blocks[:, :1], window_length - 1, axis=1)
        blocks = np.concatenate([before, blocks], axis=1)
    views = sliding_window_view(blocks, window_length, axis=1)
    n_windows = views.shape[0] * views.shape[1]
    return np.swapaxes(views, 2, 3).reshape(n_windows, window_length, blocks.shape[2])


def make_epoch(n_windows, steps):
    """Make blocks of one feature with `n_windows` full windows, and the next value of each."""
    n_series = 32
    blocks = make_blocks(n_series, n_windows // n_series + steps, 1)
    return blocks[:, :-1], blocks[:, steps:, 0].ravel()


def make_search(n_series, length, n_features=14):
    """Make blocks, and a target per row: the mean over the features, with noise."""
    blocks = make_blocks(n_series, length, n_features)
    noise = np.random.default_rng(1).standard_normal(n_series * length, dtype=np.float32)
    return blocks, blocks.mean(axis=2).ravel() + noise / 10


def clock():
    """Read the seconds of the wall clock and of the processor, ended child processes included."""
    return time.perf_counter(), sum(os.times()[:4])


# ------------------------------------------------------------------- forecasts and their error


def read_series(folder, part, n_series=None):
    """Read `train` or `test` of a data set: a list of arrays, oldest value first."""
    path = DATA / folder / f"{part}.csv"
    if not path.exists():
        raise CannotError(f"no data: {folder}/{part}.csv is not in the folder SKLSTM_DATA")
    lines = path.read_text().split()[:n_series]
    return [np.array(line.split(",")[1:], dtype=float) for line in lines]


def mean_mase(train, test, forecast, season):
    """Compute the mean over series of the error relative to the seasonal naive one."""
    scales = [np.abs(x[season:] - x[:-season]).mean() for x in train]
    errors = np.abs(np.asarray(test) - np.asarray(forecast)).mean(axis=1)
    return float(np.mean(errors / scales))


def seasonal_naive(train, horizon, season):
    """Repeat the last season of each series, or the last value of a series without seasons."""
    return np.stack([np.resize(x[-season if len(x) > season else -1 :], horizon) for x in train])


def forecasting(forecast, *, folder, n_series, horizon, season, **options):
    """Make the timed part of a forecast problem from a function that fits and predicts.

    ``forecast(train, horizon=..., season=..., **options)`` takes a list of arrays and returns
    an array (n_series, horizon).
    """
    train, test = (read_series(folder, part, n_series) for part in ("train", "test"))

    def run():
        predicted = forecast(train, horizon=horizon, season=season, **options)
        return {"MASE": mean_mase(train, test, predicted, season)}

    return run


# ----------------------------------------------------------------------------------- sizes


def _epoch(n_windows, *shapes):
    return {
        f"{batch} x {steps} x {units}": {
            "n_windows": n_windows,
            "batch": batch,
            "steps": steps,
            "units": units,
        }
        for batch, steps, units in shapes
    }


def _search(n_series, length, windows, units, rates):
    return {
        "n_series": n_series,
        "length": length,
        "windows": windows,
        "units": units,
        "rates": rates,
    }


_SEARCH = _search(100, 40, (20, 30), (32, 64), (1e-3, 3e-3, 1e-2))
_QUICK_SEARCH = _search(30, 20, (5,), (8,), (1e-3, 1e-2))


def _compile(search):
    shapes = [(window, units) for window in search["windows"] for units in search["units"]]
    size = {"n_series": search["n_series"], "length": search["length"]}
    return {f"{w} x {u}": {**size, "window": w, "units": u} for w, u in shapes}


def _panel(n_series, length, n_features=4, **options):
    return {"n_series": n_series, "length": length, "n_features": n_features, **options}


def _scale(n_series):
    size = _panel(n_series, 100)
    return {name: {**size, "statistics": name} for name in ("fit", "expanding")}


def _growth(n_rows, series, windows, rows, fitted):
    """Make the sizes of each axis; `fitted` are the numbers of rows of the measured fits."""
    cases = {}
    for task in ("scale", "windows"):
        for n in series:
            cases[f"series, {task}, {n:,}"] = _panel(n, n_rows // n, window=24, task=task)
    for task in ("windows", "step"):
        for n in windows:
            size = _panel(100, 1_000) if task == "step" else _panel(n_rows // 1_000, 1_000)
            cases[f"window, {task}, {n:,}"] = {**size, "window": n, "task": task}
    for task in ("scale", "windows", "fit"):
        for n in fitted if task == "fit" else rows:
            cases[f"rows, {task}, {n:,}"] = _panel(n // 100, 100, window=24, task=task)
    return cases


# neuralforecast takes a fixed number of steps; the others pass over all windows.
_M4 = {"folder": "m4_hourly", "horizon": 48, "season": 24, "window": 96}
_NN5 = {"folder": "nn5_daily", "horizon": 56, "season": 7, "window": 112}
_FULL = {"n_series": None, "units": 64, "max_steps": 1_000}
_TINY = {"n_series": 5, "units": 4, "max_steps": 3, "epochs": 1}

PROBLEMS = {
    "epoch": Problem(
        peers=("sklstm", "keras_recipe", "torch_loop", "limits"),
        cases=_epoch(8_192, (32, 24, 32), (256, 24, 64), (256, 96, 64), (1024, 168, 64)),
        quick=_epoch(2_048, (256, 24, 16)),
    ),
    "forecast": Problem(
        peers=("sklstm", "keras_recipe", "neuralforecast", "darts", "skforecast"),
        cases={
            "M4 hourly": {**_M4, **_FULL, "epochs": 3},
            "NN5 daily": {**_NN5, **_FULL, "epochs": 10},
        },
        quick={"M4 hourly": {**_M4, **_TINY}, "NN5 daily": {**_NN5, **_TINY}},
        fresh="case",
    ),
    "search": Problem(
        peers=("sklstm", "scikeras_plain", "limits"),
        cases={"36 fits": _SEARCH},
        quick={"6 fits": _QUICK_SEARCH},
    ),
    "search_cold": Problem(
        peers=("sklstm", "scikeras_plain"),
        cases={"36 fits": _SEARCH},
        quick={"6 fits": _QUICK_SEARCH},
        fresh="round",
    ),
    "search_compile": Problem(
        peers=("sklstm",),
        cases=_compile(_SEARCH),
        quick=_compile(_QUICK_SEARCH),
        fresh="round",
    ),
    "scale": Problem(
        peers=("sklstm", "sklearn_loop", "sklearn_global", "tslearn", "sktime", "limits"),
        cases=_scale(100_000),
        quick=_scale(1_000),
        per_row=True,
    ),
    "windows": Problem(
        peers=("sklstm", "numpy_windows", "sktime", "tslearn", "limits"),
        cases={"96 rows": _panel(100_000, 100, window=96, share=0.1)},
        quick={"24 rows": _panel(1_000, 100, window=24, share=0.1)},
        per_row=True,
        memory=True,
    ),
    "predict": Problem(
        peers=("sklstm", "keras_recipe", "torch_loop", "limits"),
        cases={
            "segments of 24": _panel(1_000, 1_000, window=96, segment=24, units=64, sample=50_000),
            "single rows": _panel(100, 1_000, window=96, segment=1, units=64, sample=50_000),
        },
        quick={"segments of 12": _panel(10, 1_000, window=24, segment=12, units=8, sample=2_000)},
        per_row=True,
    ),
    "import": Problem(peers=("sklstm", "sklearn_pandas"), cases={"": {}}, quick={"": {}}),
    "growth": Problem(
        peers=("sklstm",),
        cases=_growth(
            1_000_000,
            series=(100, 1_000, 10_000, 100_000),
            windows=(12, 24, 48, 96, 168, 336),
            rows=(10_000, 100_000, 1_000_000, 10_000_000),
            fitted=(10_000, 100_000),
        ),
        quick=_growth(10_000, (100,), (12,), (1_000,), (1_000,)),
        fresh="case",
        per_row=True,
        memory=True,
    ),
    "machine": Problem(
        peers=("limits",),
        cases={"copy": {"task": "copy"}, "matrix product": {"task": "product"}},
        quick={"copy": {"task": "copy"}},
    ),
}
