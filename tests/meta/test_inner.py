"""Estimators that do not fit into a meta-estimator."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from sklstm import PerSeriesTargetRegressor, SeriesEnsembleClassifier, SeriesEnsembleRegressor

X = np.column_stack([np.repeat([0, 1], 4), np.arange(8.0)])
Y = np.arange(8) % 2


@pytest.mark.parametrize(
    ("meta", "inner"),
    [
        (SeriesEnsembleRegressor, Ridge),
        (SeriesEnsembleClassifier, LogisticRegression),
        (PerSeriesTargetRegressor, Ridge),
    ],
)
def test_a_class_is_no_estimator(meta, inner):
    with pytest.raises(TypeError, match=rf"got the class {inner.__name__}. Create an instance"):
        meta(inner, series=0).fit(X, Y)


@pytest.mark.parametrize("meta", [SeriesEnsembleRegressor, PerSeriesTargetRegressor])
@pytest.mark.parametrize("inner", [LogisticRegression(), make_pipeline(LogisticRegression())])
def test_a_regressor_holds_no_classifier(meta, inner):
    with pytest.raises(TypeError, match="predicts numbers, got a .* that predicts classes"):
        meta(inner, series=0).fit(X, Y)
