"""How the default recipe of MultiSeriesForecaster was chosen: on the training parts alone.

    python benchmarks/forecast_choices.py                     # about ten minutes on 2 cores

Forecasts the last horizon of the *training* part of three public sets, with the default recipe
and with one thing about it changed. One net a fit, two seeds.
"""

import warnings
from unittest.mock import patch

from problems import mean_mase, read_series, seasonal_naive

import sklstm.forecasting._forecaster
from sklstm import MultiSeriesForecaster, stack_series
from sklstm.forecasting._forecaster import LIMIT
from sklstm.forecasting._normalization import ValueScale

SETS = (("m4_hourly", 48, 24), ("nn5_daily", 56, 7), ("tourism_monthly", 24, 12))
SEEDS = 2

# What is changed: constants of the recipe, parameters of the net or of the forecaster.
CHOICES = {
    "default": {},
    "no skip": {"net": {"skip": False}},
    "values do not bend": {"constants": {"LIMIT": 1e6}},
    "values bend at 3": {"constants": {"LIMIT": 3.0}},
    "no logarithm": {"scale": None},
    "7 seasons": {"constants": {"SEASONS_IN_WINDOW": 7}},
    "half the steps": {
        "constants": {"STEPS_PER_ROOT": 2, "STEPS_PER_ROOT_OF_SERIES": 40, "PASSES": 2}
    },
    "128 units": {"own": {"hidden_units": 128}},
    "2 layers": {"net": {"n_layers": 2}},
    "3 nets": {"own": {"n_nets": 3}},
}


def forecast(train, horizon, season, seed, *, constants=(), net=(), own=(), scale="chosen"):
    """Forecast a list of arrays, as the forecaster does but for what is changed."""
    panel = stack_series(train, columns=["y"])
    default = MultiSeriesForecaster._default_regressor

    def changed(self, *data):
        return default(self, *data).set_params(**dict(net))

    of = ValueScale.of if scale == "chosen" else lambda values: ValueScale(scale)
    with (
        patch.multiple(sklstm.forecasting._forecaster, **{"LIMIT": LIMIT, **dict(constants)}),
        patch.object(MultiSeriesForecaster, "_default_regressor", changed),
        patch.object(ValueScale, "of", of),
    ):
        model = MultiSeriesForecaster(
            horizon,
            season_length=season,
            random_state=seed,
            series="series",
            time="time",
            **{"n_nets": 1, **dict(own)},
        )
        found = model.fit(panel).forecast()["prediction"]
    return found.to_numpy().reshape(len(train), horizon)


def main():
    print("| changed | set | MASE of each seed |\n|---|---|---|")
    for folder, horizon, season in SETS:
        series = read_series(folder, "train")
        past, held_out = [x[:-horizon] for x in series], [x[-horizon:] for x in series]
        naive = mean_mase(past, held_out, seasonal_naive(past, horizon, season), season)
        print(f"| seasonal naive | {folder} | {naive:.3f} |")
        for name, choice in CHOICES.items():
            errors = []
            for seed in range(SEEDS):
                with warnings.catch_warnings():
                    # Series too short to teach are forecast all the same.
                    warnings.filterwarnings("ignore", message=".*no row in the loss")
                    found = forecast(past, horizon, season, seed, **choice)
                errors.append(mean_mase(past, held_out, found, season))
            shown = ", ".join(f"{error:.3f}" for error in errors)
            print(f"| {name} | {folder} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
