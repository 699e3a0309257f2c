"""Compare the default recipe of MultiSeriesForecaster with variants, on training data.

    python benchmarks/forecast_choices.py                     # about ten minutes on 2 cores

Forecasts the last horizon of the *training* part of three public data sets, with the default
recipe and with one element of it changed. One network per fit, two seeds.
"""

import warnings
from unittest.mock import patch

from problems import mean_mase, read_series, seasonal_naive

from sklstm import MultiSeriesForecaster, stack_series
from sklstm.forecasting import _recipe as recipe
from sklstm.forecasting._normalization import ValueScale

SETS = (("m4_hourly", 48, 24), ("nn5_daily", 56, 7), ("tourism_monthly", 24, 12))
SEEDS = 2

# Changes to constants of the recipe, to parameters of the network ("net") and of the forecaster
# ("own"), and to the transform of the values ("scale").
CHOICES = {
    "default": {},
    "no skip": {"net": {"skip": False}},
    "values not bounded": {"constants": {"VALUE_LIMIT": 1e6}},
    "values bounded by 3": {"constants": {"VALUE_LIMIT": 3.0}},
    "no logarithm": {"scale": None},
    "7 seasons": {"constants": {"SEASONS_IN_WINDOW": 7}},
    "half the steps": {
        "constants": {"STEPS_PER_SQRT_WINDOWS": 2, "STEPS_PER_SQRT_SERIES": 40, "MAX_PASSES": 2}
    },
    "128 units": {"own": {"hidden_units": 128}},
    "2 layers": {"net": {"n_layers": 2}},
    "3 networks": {"own": {"n_estimators": 3}},
}


def forecast(train, horizon, season, seed, *, constants=(), net=(), own=(), scale="chosen"):
    """Forecast a list of arrays with a changed recipe."""
    panel = stack_series(train, columns=["y"])
    default = recipe.default_regressor

    def changed(*data, **parameters):
        return default(*data, **parameters).set_params(**dict(net))

    learn = ValueScale.learn if scale == "chosen" else lambda values: ValueScale(scale)
    with (
        patch.multiple(recipe, default_regressor=changed, **dict(constants)),
        patch.object(ValueScale, "learn", learn),
    ):
        model = MultiSeriesForecaster(
            horizon,
            season_length=season,
            random_state=seed,
            series="series",
            time="time",
            **{"n_estimators": 1, **dict(own)},
        )
        found = model.fit(panel).forecast()["prediction"]
    return found.to_numpy().reshape(len(train), horizon)


def main():
    print("| change | data set | MASE per seed |\n|---|---|---|")
    for folder, horizon, season in SETS:
        series = read_series(folder, "train")
        past, held_out = [x[:-horizon] for x in series], [x[-horizon:] for x in series]
        naive = mean_mase(past, held_out, seasonal_naive(past, horizon, season), season)
        print(f"| seasonal naive | {folder} | {naive:.3f} |")
        for name, choice in CHOICES.items():
            errors = []
            for seed in range(SEEDS):
                with warnings.catch_warnings():
                    # Series too short for training are forecast nevertheless.
                    warnings.filterwarnings("ignore", message=".*no row in the loss")
                    found = forecast(past, horizon, season, seed, **choice)
                errors.append(mean_mase(past, held_out, found, season))
            shown = ", ".join(f"{error:.3f}" for error in errors)
            print(f"| {name} | {folder} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
