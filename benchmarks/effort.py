"""Measure whether more training steps would help a forecaster on a large panel.

    python benchmarks/effort.py                  # 100,000 series: about 15 minutes on 2 cores
    python benchmarks/effort.py --series 30000 --seeds 1

The training steps of the default forecaster grow with the number of windows, up to `MAX_WINDOWS`.
Seasonal series are made by `forecaster_scale.py`; their last horizon is held out. One network is
fitted with the limit and one without. Prints the error as a multiple of the seasonal naive error.
"""

import argparse
import time
from unittest.mock import patch

import numpy as np
from forecaster_scale import N_ROWS, SEASON, make_panel
from report import markdown
from run import machine

from sklstm import MultiSeriesForecaster
from sklstm.forecasting import _recipe

HORIZON = 12


def relative_error(panel, limit, seed):
    """Forecast the last horizon; return its relative error and the seconds of the fit."""
    held_out = panel["time"] >= N_ROWS - HORIZON
    past = panel[~held_out]
    model = MultiSeriesForecaster(
        HORIZON,
        season_length=SEASON,
        n_estimators=1,
        random_state=seed,
        series="series",
        time="time",
    )
    started = time.perf_counter()
    with patch.object(_recipe, "MAX_WINDOWS", limit):
        model.fit(past)
    seconds = time.perf_counter() - started
    truth = panel.loc[held_out, "y"].to_numpy()
    naive = past.loc[past["time"] >= N_ROWS - HORIZON - SEASON, "y"].to_numpy()
    forecast = model.forecast()["prediction"].to_numpy()
    return np.abs(forecast - truth).sum() / np.abs(naive - truth).sum(), seconds


def main():
    """Print a line per limit: mean and spread of the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    panel = make_panel(options.series)
    lines = []
    for name, limit in [("2 million windows", _recipe.MAX_WINDOWS), ("no limit", np.inf)]:
        found = [relative_error(panel, limit, seed) for seed in range(options.seeds)]
        errors, seconds = np.transpose(found)
        print(name, found, flush=True)
        lines.append([name, *(f"{value:.4f}" for value in errors), f"{np.median(seconds):.0f}"])
    print(machine())
    print(markdown(["limit", *(f"seed {seed}" for seed in range(options.seeds)), "fit, s"], lines))


if __name__ == "__main__":
    main()
