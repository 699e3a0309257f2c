"""Warnings name the class or the function that warns, and the line of the user."""

import numpy as np
import pandas as pd
import pytest
from helpers import lstm
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sklstm import (
    MultiSeriesForecaster,
    PerSeriesTargetRegressor,
    PerSeriesTimeSplit,
    WindowTransformer,
    backtest,
)

IDS = {"series": "unit", "time": "cycle"}
PANEL = pd.DataFrame({"unit": [1] * 12 + [2] * 2, "cycle": [*range(12), 0, 9]})
PANEL["p"] = np.sin(np.arange(14.0))


class Own(WindowTransformer):
    """A class of the user's."""


CASES = {
    "WindowTransformer": lambda: WindowTransformer(3, max_gap=1, **IDS).fit_transform(PANEL),
    "Own": lambda: make_pipeline(Own(3, max_gap=1, **IDS)).fit_transform(PANEL),
    "PerSeriesTimeSplit": lambda: list(PerSeriesTimeSplit(3, **IDS).split(PANEL)),
    "backtest": lambda: backtest(
        MultiSeriesForecaster(2, window_length=2, regressor=Ridge(), **IDS), PANEL, n_origins=2
    ),
    # The innermost estimator is the one to change.
    "MultiSeriesLSTMRegressor": lambda: PerSeriesTargetRegressor(
        make_pipeline(WindowTransformer(3, **IDS), lstm()), **IDS
    ).fit(PANEL, PANEL["p"]),
}


@pytest.mark.parametrize(("name", "warn"), CASES.items(), ids=CASES)
def test_the_class_or_the_function_is_named(name, warn):
    with pytest.warns(UserWarning, match=f"^{name}: ") as record:
        warn()
    ours = [warning for warning in record if warning.category is UserWarning]
    assert {warning.filename for warning in ours} == {__file__}
