"""Time statsforecast, which fits one local model per series."""

from pathlib import Path

import numpy as np
import pandas as pd
from problems import clock
from statsforecast import StatsForecast, models


def many_forecasts(*, source, result, horizon, season, model):
    """Fit a model to each series of a folder of Parquet files, and write all forecasts."""
    local = getattr(models, model)(season_length=season)

    def run():
        marks = [clock()]
        table = pd.read_parquet(source).rename(columns={"series": "unique_id", "time": "ds"})
        forecaster = StatsForecast([local], freq=1, n_jobs=-1).fit(table)
        marks.append(clock())
        forecaster.predict(horizon).to_parquet(Path(result) / "forecasts.parquet")
        marks.append(clock())
        return {"steps": np.diff(marks, axis=0).tolist()}

    return run
