"""Methods of a pipeline's last step: quantiles and the report by series."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from helpers import lstm, make_panel
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from sklstm import (
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
    make_series_scorer,
    predict_quantiles,
    series_report,
)
from sklstm.metrics import pinball_loss

IDS = {"series": "unit", "time": "cycle"}
LEVELS = (0.1, 0.9)
X = make_panel((12, 9, 15, 11), seed=1)
Y = X["p"].to_numpy() + 0.1


def make_pipe(**options):
    options = {"quantiles": LEVELS} | options
    return make_pipeline(PerSeriesScaler(**IDS), WindowTransformer(3, **IDS), lstm(**options))


@pytest.fixture(scope="module")
def pipe():
    return make_pipe().fit(X, Y)


@pytest.fixture(scope="module")
def by_hand(pipe):
    """The quantiles of the network for windows that are made step by step."""
    scaled = pipe[0].transform(X)
    return pipe[2].predict_quantiles(pipe[1].transform(scaled))


def test_quantiles_of_a_pipeline_are_those_of_its_last_step(pipe, by_hand):
    found = predict_quantiles(pipe, X)
    assert found.shape == (len(X), 2)
    assert_array_equal(found, by_hand)
    assert_array_equal(predict_quantiles(pipe[-1], pipe[:-1].transform(X)), by_hand)


def test_quantiles_of_pipelines_inside_pipelines(pipe, by_hand):
    nested = make_pipeline(make_pipeline(make_pipe()))
    assert_array_equal(predict_quantiles(nested.fit(X, Y), X), by_hand)


@pytest.mark.slow
def test_quantiles_of_a_search_are_those_of_its_best_estimator():
    scorer = make_series_scorer(
        partial(pinball_loss, quantiles=LEVELS),
        response_method="predict_quantiles",
        **IDS,
    )
    grid = {"windowtransformer__window_length": [2, 3]}
    search = GridSearchCV(make_pipe(), grid, scoring=scorer, cv=GroupKFold(2))
    search.fit(X, Y, groups=X["unit"])
    best = search.best_estimator_
    assert_array_equal(predict_quantiles(search, X), predict_quantiles(best, X))
    # The first score of the table, by a plain loop over folds and series.
    folds = GroupKFold(2).split(X, Y, X["unit"])
    scores = []
    for train, test in folds:
        fitted = make_pipe().set_params(windowtransformer__window_length=2)
        fitted.fit(X.iloc[train], Y[train])
        part = X.iloc[test]
        quantiles = predict_quantiles(fitted, part)
        losses = []
        for unit in part["unit"].unique():
            at = (part["unit"] == unit).to_numpy()
            error = Y[test][at, np.newaxis] - quantiles[at]
            losses.append(np.maximum(np.multiply(LEVELS, error), np.subtract(LEVELS, 1) * error))
        scores.append(-np.mean([loss.mean() for loss in losses]))
    assert_allclose(search.cv_results_["mean_test_score"][0], np.mean(scores), rtol=1e-5)


def test_quantiles_of_meta_estimators_at_the_end_of_a_pipeline():
    ensemble = SeriesEnsembleRegressor(lstm(quantiles=LEVELS), 2, random_state=0)
    pipe = make_pipeline(WindowTransformer(3, columns=["p", "q"], **IDS), ensemble).fit(X, Y)
    windows = pipe[0].transform(X)
    members = [member.predict_quantiles(windows) for member in pipe[1].estimators_]
    assert_allclose(predict_quantiles(pipe, X), np.mean(members, axis=0), rtol=1e-6)
    scaled = PerSeriesTargetRegressor(make_pipe(), series="unit").fit(X, Y)
    assert_array_equal(predict_quantiles(scaled, X), scaled.predict_quantiles(X))


def test_the_report_of_a_pipeline_is_that_of_its_last_step(pipe):
    windows = pipe[:-1].transform(X)
    weight = np.linspace(1, 2, len(X))
    expected = pipe[-1].series_report(windows, Y, weight)
    pd.testing.assert_frame_equal(series_report(pipe, X, Y, weight), expected)
    assert expected.index.tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("function", [predict_quantiles, partial(series_report, y=Y)])
def test_a_last_step_without_the_method_is_named(function):
    pipe = make_pipeline(WindowTransformer(3, output="2d", **IDS), Ridge()).fit(X, Y)
    with pytest.raises(AttributeError, match=r"Ridge has no \w+\. Pass a fitted estimator"):
        function(pipe, X=X)


def test_unfitted_estimators_raise():
    with pytest.raises(NotFittedError):
        predict_quantiles(make_pipe(), X)
    with pytest.raises(AttributeError, match="GridSearchCV has no .* Pass a fitted estimator"):
        predict_quantiles(GridSearchCV(make_pipe(), {}), X)
