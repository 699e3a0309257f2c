"""Trigger the messages that TensorFlow writes when its parts are first used."""

from __future__ import annotations

import numpy as np

from sklstm._network.architecture import build_network
from sklstm._network.batches import Batches
from sklstm._network.devices import evenly_divided
from sklstm._network.plan import TrainingPlan
from sklstm._network.spec import NetworkSpec
from sklstm._network.trainer import TrainingSpec
from sklstm._network.training import train
from sklstm._panel.weighted_windows import WeightedWindows
from sklstm._panel.windows import Windows


def warm_up():
    """Train a tiny network, so that TensorFlow's first messages are written now."""
    network = NetworkSpec(1, 1, 1, hidden_units=1, n_layers=1, segment_length=1, dropout=0.0)
    batch_size = evenly_divided(1)
    spec = TrainingSpec(network, batch_size, "mse", "sgd", 0.0)
    zeros = np.zeros((1, 1), np.float32)
    windows = Windows.from_array(zeros[:, :, np.newaxis])
    batches = Batches(WeightedWindows(windows, zeros, np.ones(1)), batch_size)
    train(build_network(network, seed=0), spec, batches, None, TrainingPlan(epochs=1))
