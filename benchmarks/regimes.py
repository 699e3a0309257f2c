"""Measure the effect of scaling by operating regime: FD002, engines in six regimes.

    python benchmarks/regimes.py

Only the training engines are used: four folds of engines, held-out engines cut at random cycles,
RMSE with the truth capped at 125. Ridge on a table of 30 lags, and a net on the same windows.
Requires NASA's files in the folder SKLSTM_DATA.
"""

import time

import numpy as np
from problems import DATA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from turbofan import score_at_random_cycles
from turbofan_data import FEATURES, IDS, MAX_LIFE, load

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer

SENSORS = FEATURES[:-1]
SETTINGS = [f"setting{i}" for i in (1, 2, 3)]
WINDOW = 30
FOLDS = 4


def add_regime(X):
    """Name the regime after its altitude, in thousands of feet: 0, 10, 20, 25, 35 or 42."""
    return X.assign(regime=X["setting1"].round())


def scalings():
    """List the scaling steps and the features of the windows by name."""
    columns = SENSORS + SETTINGS
    regimes = FunctionTransformer(add_regime)
    by_regime = PerSeriesScaler(statistics="fit", series="regime", columns=SENSORS)
    return {
        "one scale": ([PerSeriesScaler(statistics="pooled", columns=columns, **IDS)], SENSORS),
        "one scale, settings as features": (
            [PerSeriesScaler(statistics="pooled", columns=columns, **IDS)],
            columns,
        ),
        "by unit": ([PerSeriesScaler(columns=SENSORS, **IDS)], SENSORS),
        "by regime": ([regimes, by_regime], SENSORS),
        "by regime, then by unit": (
            [regimes, by_regime, PerSeriesScaler(columns=SENSORS, **IDS)],
            SENSORS,
        ),
        'by regime, then by unit with "fit"': (
            [regimes, by_regime, PerSeriesScaler(statistics="fit", columns=SENSORS, **IDS)],
            SENSORS,
        ),
    }


def models(columns):
    """List the steps after the scaling by name."""
    net = MultiSeriesLSTMRegressor(
        segment_length=5,
        min_observed=20,
        batch_size=256,
        epochs=8,
        learning_rate=2e-3,
        learning_rate_decay="cosine",
        random_state=0,
    )
    return {
        "ridge": [WindowTransformer(WINDOW, columns=columns, output="2d", **IDS), Ridge(10.0)],
        "net": [WindowTransformer(WINDOW, columns=columns, **IDS), net],
    }


def main():
    data = load("FD002", DATA / "cmapss")
    X, y = data.train, data.train_rul.clip(upper=MAX_LIFE)
    cv = GroupKFold(FOLDS, shuffle=True, random_state=0)
    print("| sensors scaled | ridge | net | seconds |")
    print("|---|---|---|---|")
    for name, (scaling, columns) in scalings().items():
        started = time.perf_counter()
        cells = []
        for model in models(columns).values():
            errors = -cross_val_score(
                make_pipeline(*scaling, *model),
                X,
                y,
                groups=X["unit"],
                cv=cv,
                scoring=score_at_random_cycles,
            )
            cells.append(f"{np.mean(errors):.1f} ({min(errors):.1f} to {max(errors):.1f})")
        seconds = time.perf_counter() - started
        print(f"| {name} | {' | '.join(cells)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
