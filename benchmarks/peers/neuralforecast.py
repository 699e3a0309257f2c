"""Time neuralforecast's LSTM with its defaults, except where a line here changes them."""

from pathlib import Path

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MQLoss
from neuralforecast.models import LSTM
from panels import (
    HOURS,
    TARGET,
    WEATHER,
    WINDOW,
    daily_origins,
    fill_gaps,
    read_beijing,
    split_beijing,
)
from problems import clock, forecasting, read_series


def make_net(horizon, **options):
    return LSTM(
        h=horizon,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        **options,
    )


def long_table(series):
    """Make one table of a list of arrays, with the columns that the library expects."""
    sizes = [len(x) for x in series]
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(len(series)), sizes),
            "ds": np.concatenate([np.arange(size) for size in sizes]),
            "y": np.concatenate(series),
        }
    )


def forecast_lstm(train, horizon, season, *, window, units, max_steps, epochs):
    net = make_net(horizon, input_size=window, encoder_hidden_size=units, max_steps=max_steps)
    model = NeuralForecast([net], freq=1)
    model.fit(long_table(train))
    predicted = model.predict().sort_values(["unique_id", "ds"])
    return predicted["LSTM"].to_numpy().reshape(len(train), horizon)


def forecast(**size):
    return forecasting(forecast_lstm, **size)


def beijing(*, scaler, recurrent, max_steps, start, end, seed):
    """Forecast (n_origins, 24) from the rows that `panels.daily_origins` marks.

    Its training windows start a day apart, all at midnight as those of the forecasts: with
    windows an hour apart, it copies 1.4 GB at each step. Gaps are filled, and
    `available_mask` marks the known targets.
    """
    start = pd.Timestamp(start)
    train, rows = split_beijing(read_beijing(), start, end and pd.Timestamp(end))

    def named(table):
        known = table[TARGET].notna().to_numpy(float)
        names = {"series": "unique_id", "time": "ds", TARGET: "y"}
        return fill_gaps(table).rename(columns=names).assign(available_mask=known)

    n_origins = int(daily_origins(rows, start).sum()) // rows["series"].nunique()

    def run():
        net = make_net(
            HOURS,
            input_size=WINDOW,
            hist_exog_list=WEATHER,
            scaler_type=scaler,
            recurrent=recurrent,
            step_size=HOURS,
            max_steps=max_steps,
            random_seed=seed,
        )
        model = NeuralForecast([net], freq="h")
        model.fit(named(train))
        found = model.cross_validation(
            named(rows), n_windows=n_origins, step_size=HOURS, use_fitted=True
        )
        found = found.sort_values(["unique_id", "ds"])["LSTM"].to_numpy(float)
        return {"forecast": found.reshape(-1, HOURS).tolist()}

    return run


def quantiles(*, folder, horizon, season, window, units, max_steps, quantiles, n_origins, seed):
    """Forecast (n_series, n_origins, horizon, n_quantiles) a horizon apart, from one fit."""
    parts = [read_series(folder, part) for part in ("train", "test")]
    table = long_table([np.concatenate(both) for both in zip(*parts, strict=True)])

    def run():
        net = make_net(
            horizon,
            input_size=window,
            encoder_hidden_size=units,
            loss=MQLoss(quantiles=quantiles),
            max_steps=max_steps,
            random_seed=seed,
        )
        found = NeuralForecast([net], freq=1).cross_validation(
            table, n_windows=n_origins, step_size=horizon
        )
        found = found.sort_values(["unique_id", "cutoff", "ds"])
        values = found.filter(regex="^LSTM").to_numpy(float)
        return {"forecast": values.reshape(len(parts[0]), n_origins, horizon, -1).tolist()}

    return run


def many_forecasts(*, source, result, horizon, window, units, max_steps, n_fitted):
    """Fit to the first series of a folder of Parquet files, and write the forecasts of all.

    Series are as short as the window, so that training windows are padded in front.
    """

    def read(**options):
        table = pd.read_parquet(source, **options)
        return table.rename(columns={"series": "unique_id", "time": "ds"})

    def run():
        marks = [clock()]
        net = make_net(
            horizon,
            input_size=window,
            encoder_hidden_size=units,
            encoder_n_layers=1,
            max_steps=max_steps,
            start_padding_enabled=True,
        )
        model = NeuralForecast([net], freq=1)
        model.fit(read(filters=[("series", "<", n_fitted)]))
        marks.append(clock())
        model.predict(read()).to_parquet(Path(result) / "forecasts.parquet")
        marks.append(clock())
        return {"steps": np.diff(marks, axis=0).tolist()}

    return run
