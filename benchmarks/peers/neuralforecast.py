"""neuralforecast's LSTM with its defaults, but for the hidden size and the input size."""

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.models import LSTM
from problems import forecasting


def forecast_lstm(train, horizon, season, *, window, units, max_steps, epochs):
    net = LSTM(
        h=horizon,
        input_size=window,
        encoder_hidden_size=units,
        max_steps=max_steps,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
    )
    sizes = [len(x) for x in train]
    table = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(len(train)), sizes),
            "ds": np.concatenate([np.arange(size) for size in sizes]),
            "y": np.concatenate(train),
        }
    )
    model = NeuralForecast([net], freq=1)
    model.fit(table)
    predicted = model.predict().sort_values(["unique_id", "ds"])
    return predicted["LSTM"].to_numpy().reshape(len(train), horizon)


def forecast(**size):
    return forecasting(forecast_lstm, **size)
