"""Time the Keras code that people write by hand: an array of windows, LSTM, Dense, fit."""

import keras
import numpy as np
from problems import forecasting, make_blocks, make_epoch, materialise


def make_net(shape, units, n_outputs=1):
    net = keras.Sequential(
        [keras.Input(shape), keras.layers.LSTM(units), keras.layers.Dense(n_outputs)]
    )
    net.compile("adam", "mse")
    return net


def epoch(n_windows, batch, steps, units):
    blocks, y = make_epoch(n_windows, steps)
    X = materialise(blocks, steps)
    net = make_net(X.shape[1:], units)

    def run():
        net.fit(X, y, batch_size=batch, epochs=1, verbose=0)

    run()
    return run


def predict(n_series, length, n_features, window, segment, units, sample):
    """Predict a sample, in windows of single rows."""
    blocks = make_blocks(-(-sample // length), length, n_features)
    X = materialise(blocks, window, pad=True)[:sample]
    net = make_net(X.shape[1:], units)

    def run():
        net.predict(X, batch_size=1024, verbose=0)
        return {"rows": len(X)}

    run()
    return run


def forecast_by_hand(train, horizon, season, *, window, units, epochs, max_steps):
    """Standardise each series, make a window per row, predict the whole horizon."""
    scaled = [((x - x.mean()) / x.std()).astype("float32") for x in train]
    pairs = np.concatenate([materialise(x[None, :, None], window + horizon) for x in scaled])
    net = make_net((window, 1), units, horizon)
    net.fit(pairs[:, :window], pairs[:, window:, 0], batch_size=256, epochs=epochs, verbose=0)
    last = np.stack([x[-window:, None] for x in scaled])
    predicted = net.predict(last, verbose=0)
    return np.stack([p * x.std() + x.mean() for p, x in zip(predicted, train, strict=True)])


def forecast(**size):
    return forecasting(forecast_by_hand, **size)
