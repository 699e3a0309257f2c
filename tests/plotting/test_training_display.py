"""Tests of TrainingDisplay."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import line_of
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

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
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["training", "validation"]
    with pytest.raises(ValueError, match="has no network with losses"):
        TrainingDisplay.from_estimator(SimpleNamespace())
