"""Time Darts' BlockRNNModel with LSTM cells, on separately scaled series in float32."""

import numpy as np
from darts import TimeSeries
from darts.dataprocessing.transformers import Scaler
from darts.models import BlockRNNModel
from problems import forecasting
from sklearn.preprocessing import StandardScaler


def forecast_lstm(train, horizon, season, *, window, units, epochs, max_steps):
    series = [TimeSeries.from_values(x.astype(np.float32)) for x in train]
    scaler = Scaler(StandardScaler())
    scaled = scaler.fit_transform(series)
    model = BlockRNNModel(
        window,
        horizon,
        model="LSTM",
        hidden_dim=units,
        batch_size=256,
        n_epochs=epochs,
        random_state=0,
        pl_trainer_kwargs={
            "accelerator": "cpu",
            "logger": False,
            "enable_progress_bar": False,
            "enable_checkpointing": False,
        },
    )
    model.fit(scaled)
    predicted = scaler.inverse_transform(model.predict(horizon, series=scaled))
    return np.stack([each.values()[:, 0] for each in predicted])


def forecast(**size):
    return forecasting(forecast_lstm, **size)
