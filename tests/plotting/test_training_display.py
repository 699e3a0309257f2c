"""Tests of TrainingDisplay."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import line_of
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklstm import MultiSeriesLSTMRegressor
from sklstm.plotting import TrainingDisplay


def test_losses_of_every_network_are_drawn():
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [4.0, 3.0, 3.0]}
    net = SimpleNamespace(history_=history)
    holders = [
        net,
        make_pipeline(FunctionTransformer(), net),
        SimpleNamespace(regressor_=make_pipeline(FunctionTransformer(), net)),
        SimpleNamespace(best_estimator_=SimpleNamespace(regressor_=net)),
    ]
    for holder in holders:
        display = TrainingDisplay.from_estimator(holder)
        for label, key in [("training", "loss"), ("validation", "val_loss")]:
            line = line_of(display.ax_, label)
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
            np.testing.assert_array_equal(line.get_ydata(), history[key])
    several = SimpleNamespace(estimators_=[net, SimpleNamespace(history_={"loss": [5.0]})])
    display = TrainingDisplay.from_estimator(several)
    assert len(display.ax_.lines) == 3
    texts = [text.get_text() for text in display.figure_.legends[0].get_texts()]
    assert texts == ["training", "validation"]
    with pytest.raises(ValueError, match="contains no fitted network"):
        TrainingDisplay.from_estimator(SimpleNamespace())
    with pytest.raises(NotFittedError):
        TrainingDisplay.from_estimator(MultiSeriesLSTMRegressor())


def test_many_networks_are_summed_up():
    losses = np.random.default_rng(0).uniform(size=(15, 4))
    histories = [{"loss": list(curve), "val_loss": list(1 + curve)} for curve in losses]
    histories[0]["loss"] = histories[0]["loss"][:2]  # ended early
    display = TrainingDisplay(histories).plot()
    assert len(display.ax_.lines) == 2
    validation = line_of(display.ax_, "median validation loss")
    np.testing.assert_allclose(validation.get_ydata(), 1 + np.median(losses, axis=0))
    training = line_of(display.ax_, "median training loss").get_ydata()
    np.testing.assert_allclose(training[3], np.median(losses[1:, 3]))
    outer = display.ax_.collections[0]
    corners = outer.get_paths()[0].vertices
    first = corners[corners[:, 0] == 1, 1]
    expected = np.quantile(losses[:, 0], [0.05, 0.95])
    np.testing.assert_allclose([first.min(), first.max()], expected)
    assert outer.get_label() == "90% of training losses"
