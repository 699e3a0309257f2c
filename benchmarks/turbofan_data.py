"""Shared parts of the turbofan benchmarks: features, data, the README's pipeline, errors."""

import numpy as np
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import Pipeline, make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer
from sklstm.datasets import load_turbofan
from sklstm.metrics import prognostic_score

MAX_LIFE = 125  # the usual cap: further from its end, an engine shows no wear
IDS = {"series": "unit", "time": "cycle"}
# The sensors that vary in FD001's single operating regime, and the age of the engine.
FEATURES = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)] + ["age"]


def load(subset="FD001", data_home=None):
    """Load the engines of a subset, with their age as an additional feature."""
    data = load_turbofan(subset, data_home=data_home)
    for name in ("train", "test"):
        data[name] = data[name].assign(age=data[name]["cycle"].astype("float32"))
    return data


def make_net(**parameters) -> Pipeline:
    """Build the README's pipeline; `parameters` replace those of the net."""
    options = {
        "segment_length": 5,
        "min_observed": 20,
        "batch_size": 256,
        "epochs": 8,
        "learning_rate_decay": "cosine",
    }
    return make_pipeline(
        PerSeriesScaler(**IDS),
        WindowTransformer(80, columns=FEATURES, **IDS),
        MultiSeriesLSTMRegressor(**options | parameters),
    )


def last_rows(panel):
    """Mark the last row of each engine."""
    return ~panel["unit"].duplicated(keep="last").to_numpy()


def evaluate(model, data):
    """Compute errors over the test engines, each predicted once, at its last known cycle."""
    last = last_rows(data.test)
    true = data.test_rul[last].to_numpy()
    capped = np.minimum(true, MAX_LIFE)
    predicted = model.predict(data.test)[last]
    return {
        "RMSE, capped": root_mean_squared_error(capped, predicted),
        "RMSE, raw": root_mean_squared_error(true, predicted),
        "score, capped": prognostic_score(capped, predicted),
    }
