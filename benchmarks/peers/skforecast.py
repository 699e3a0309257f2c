"""skforecast's ForecasterRnn over series as columns of one table."""

import keras
import pandas as pd
from problems import CannotError, forecasting
from skforecast.deep_learning import ForecasterRnn, create_and_compile_model


def forecast_rnn(train, horizon, season, *, window, units, epochs, max_steps):
    table = pd.DataFrame({f"s{i}": pd.Series(x) for i, x in enumerate(train)})
    net = create_and_compile_model(
        table,
        lags=window,
        steps=horizon,
        recurrent_units=units,
        # The default is one optimizer object for all models of a process.
        compile_kwargs={"optimizer": keras.optimizers.Adam(), "loss": "mse"},
    )
    # A window contains all series at once. There are few windows, so it takes more passes.
    forecaster = ForecasterRnn(
        net,
        levels=list(table),
        lags=window,
        fit_kwargs={"epochs": 5 * epochs, "batch_size": 32, "verbose": 0},
    )
    try:
        forecaster.fit(table)
    except ValueError as error:
        if table.isna().any(axis=None):  # pandas fills shorter columns with NaN
            raise CannotError("rejects series of unequal length") from error
        raise
    return forecaster.predict().pivot(columns="level", values="pred")[list(table)].to_numpy().T


def forecast(**size):
    return forecasting(forecast_rnn, **size)
