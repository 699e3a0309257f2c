"""Compare choices for several seasons, on training data and on generated meters.

    python benchmarks/season_choices.py                     # about ten minutes on 2 cores

M4 hourly: every fourth series, the last 120 hours of its *training* part held out, mean MASE of
four forecasts of 48 hours. Meters: 40 series of eight exact weeks with 7 % noise, the same
forecasts. One network per fit, two seeds. A day of 24 hours and a week of 168.
"""

import warnings
from contextlib import ExitStack
from unittest.mock import patch

import numpy as np
from problems import mean_mase, read_series

from sklstm import MultiSeriesForecaster, stack_series
from sklstm.forecasting import _mixture as mixture
from sklstm.forecasting import _recipe as recipe
from sklstm.forecasting import _window_builder as window_builder

DAY, WEEK = 24, 168
HORIZON = 48
ORIGINS = (120, 96, 72, 48)  # hours before the end of the training part
SEEDS = 2


def no_errors(values, *data, **options):
    """Stand in for the errors of the mixture."""
    return np.zeros(len(values))


# The seasons, and attributes of modules to be replaced.
CHOICES = {
    "default": ((DAY, WEEK), []),
    "the day alone": (DAY, []),
    "the last week, no means": ((DAY, WEEK), [(mixture, "N_REPEATS", 1)]),
    "means of up to two weeks": ((DAY, WEEK), [(mixture, "N_REPEATS", 2)]),
    "means of up to four weeks": ((DAY, WEEK), [(mixture, "N_REPEATS", 4)]),
    "windows of two weeks": ((DAY, WEEK), [(recipe, "LONG_SEASONS_IN_WINDOW", 2)]),
    "windows of four weeks": ((DAY, WEEK), [(recipe, "LONG_SEASONS_IN_WINDOW", 4)]),
    "errors are no feature": ((DAY, WEEK), [(window_builder, "season_errors", no_errors)]),
}


def make_meters(n_series=40, n_weeks=8, noise=0.07, seed=0):
    """Make loads that repeat each week, but for noise in proportion to their mean."""
    rng = np.random.default_rng(seed)
    meters = []
    for _ in range(n_series):
        day = rng.normal(size=DAY)
        days = [
            height * day + level
            for height, level in zip(rng.uniform(0.5, 1.5, 7), rng.normal(size=7), strict=True)
        ]
        load = 50 + 10 * np.tile(np.concatenate(days), n_weeks)
        meters.append(load + noise * load.mean() * rng.normal(size=len(load)))
    return meters


def error(series, season, seed):
    """Forecast from several origins with one fit; return the mean MASE."""
    table = {"series": "series", "time": "time"}
    model = MultiSeriesForecaster(
        HORIZON, season_length=season, n_estimators=1, random_state=seed, **table
    )
    model.fit(stack_series([x[: -ORIGINS[0]] for x in series], columns=["y"]))
    errors = []
    for origin in ORIGINS:
        past = [x[: len(x) - origin] for x in series]
        later = [x[len(x) - origin :][:HORIZON] for x in series]
        found = model.forecast(stack_series(past, columns=["y"]))["prediction"].to_numpy()
        errors.append(mean_mase(past, later, found.reshape(len(series), HORIZON), DAY))
    return np.mean(errors)


def main():
    data = {"M4 hourly": read_series("m4_hourly", "train")[::4], "meters": make_meters()}
    print("| choice | data | MASE per seed |\n|---|---|---|")
    for name, (season, replaced) in CHOICES.items():
        for label, series in data.items():
            with ExitStack() as stack, warnings.catch_warnings():
                # Series too short for training are forecast nevertheless.
                warnings.filterwarnings("ignore", message=".*no row in the loss")
                for module, attribute, value in replaced:
                    stack.enter_context(patch.object(module, attribute, value))
                errors = [error(series, season, seed) for seed in range(SEEDS)]
            shown = ", ".join(f"{each:.3f}" for each in errors)
            print(f"| {name} | {label} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
