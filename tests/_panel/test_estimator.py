"""What all estimators of the package share."""

import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklstm import (
    MultiSeriesForecaster,
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    WindowTransformer,
)

MISSPELT = {
    "network": (MultiSeriesLSTMRegressor(), "hidden_unit", "hidden_units"),
    "windows": (WindowTransformer(2), "windows_length", "window_length"),
    "step": (make_pipeline(WindowTransformer(2)), "windowtransformer__colums", "columns"),
    "inner": (PerSeriesTargetRegressor(PerSeriesScaler()), "regressor__serie", "series"),
    "outer": (PerSeriesTargetRegressor(PerSeriesScaler()), "regresor__series", "regressor"),
    "forecaster": (MultiSeriesForecaster(2), "season_lenght", "season_length"),
}


@pytest.mark.parametrize(("estimator", "given", "meant"), MISSPELT.values(), ids=MISSPELT)
def test_a_misspelt_parameter_is_like_another(estimator, given, meant):
    message = rf"^Did you mean '{meant}'\? Invalid parameter .* Valid parameters are: \[.*\]\.$"
    with pytest.raises(ValueError, match=message):
        clone(estimator).set_params(**{given: 1})


def test_a_parameter_like_no_other():
    with pytest.raises(ValueError, match=r"Invalid parameter 'xyz'.*\]\.$"):
        WindowTransformer(2).set_params(xyz=1)


def test_parameters_are_set():
    windows = WindowTransformer(2)
    assert windows.set_params(window_length=3) is windows and windows.window_length == 3
