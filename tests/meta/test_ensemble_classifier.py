"""Tests of the ensemble of classifiers, against plain loops over its members."""

import numpy as np
import pandas as pd
import pytest
from helpers import make_panel
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from sklstm import (
    MultiSeriesLSTMClassifier,
    PerSeriesScaler,
    SeriesEnsembleClassifier,
    WindowTransformer,
)

PANEL = make_panel([9, 12, 7, 10, 8, 11])
FEATURES = PANEL[["unit", "p", "q"]].assign(unit=PANEL["unit"].map("abcdef".index))
LABELS = np.array(["low", "middle", "high"])[np.digitize(PANEL["p"], [-0.5, 0.5])]
UNITS = PANEL["unit"].to_numpy()


def ensemble(**options):
    return SeriesEnsembleClassifier(
        LogisticRegression(), **{"series": "unit", "random_state": 0} | options
    )


def aligned(members, X, classes):
    """Compute the probabilities of each member, 0 for classes that it does not know."""
    result = np.zeros((len(members), len(X), len(classes)))
    for number, member in enumerate(members):
        for column, label in enumerate(member.classes_):
            at = classes.tolist().index(label)
            result[number, :, at] = member.predict_proba(X)[:, column]
    return result


@pytest.mark.filterwarnings("ignore:.*ids.*features:UserWarning")
@pytest.mark.parametrize("assign", ["bootstrap", "all"])
def test_probabilities_are_the_mean_of_the_members(assign):
    fitted = ensemble(assign=assign).fit(FEATURES, LABELS)
    assert_array_equal(fitted.classes_, ["high", "low", "middle"])
    expected = aligned(fitted.estimators_, FEATURES, fitted.classes_).mean(axis=0)
    assert_allclose(fitted.predict_proba(FEATURES), expected)
    assert_array_equal(fitted.predict(FEATURES), fitted.classes_[expected.argmax(axis=1)])
    assert fitted.score(FEATURES, LABELS) == np.mean(fitted.predict(FEATURES) == LABELS)


@pytest.mark.filterwarnings("ignore:.*ids.*features:UserWarning")
def test_a_member_may_lack_a_class():
    labels = np.where(np.isin(UNITS, ["a", "b"]), np.where(PANEL["p"] > 0, "x", "y"), LABELS)
    kinds = {number: "one" if number < 2 else "two" for number in range(6)}
    fitted = ensemble(assign=kinds).fit(FEATURES, labels)
    probability = fitted.predict_proba(FEATURES)
    known = fitted.estimators_[0].predict_proba(FEATURES)
    columns = np.isin(fitted.classes_, ["x", "y"])
    first = np.isin(UNITS, ["a", "b"])
    assert_allclose(probability[first][:, columns], known[first])
    assert_array_equal(probability[first][:, ~columns], 0)
    new = FEATURES.assign(unit=99)  # predicted by all members together
    assert_allclose(
        fitted.predict_proba(new),
        aligned(fitted.estimators_, new, fitted.classes_).mean(axis=0),
    )


@pytest.mark.filterwarnings("ignore:.*ids.*features:UserWarning")
def test_weights_by_the_brier_score_of_held_out_series():
    fitted = ensemble(combine="error", n_estimators=3).fit(FEATURES, LABELS)
    marks = LABELS[:, np.newaxis] == fitted.classes_
    scores = []
    for number, member in enumerate(fitted.estimators_):
        drawn = fitted.draws_[number].reindex(FEATURES["unit"]).to_numpy()
        probability = aligned([member], FEATURES, fitted.classes_)[0][drawn == 0]
        scores.append(np.mean((probability - marks[drawn == 0]) ** 2))
    assert_allclose(fitted.errors_[:, 0], scores)
    weights = 1 / np.array(scores)
    expected = aligned(fitted.estimators_, FEATURES, fitted.classes_)
    expected = np.average(expected, axis=0, weights=weights)
    assert_allclose(fitted.predict_proba(FEATURES), expected)
    assert_allclose(fitted.predict_proba(FEATURES).sum(axis=1), 1.0)


@pytest.mark.slow
def test_networks_with_unknown_labels():
    labels = pd.Series(LABELS, dtype=object).where(PANEL["cycle"] > 3, None)
    ids = {"series": "unit", "time": "cycle"}
    net = MultiSeriesLSTMClassifier(4, epochs=1, batch_size=16)
    pipe = make_pipeline(
        PerSeriesScaler(**ids),
        WindowTransformer(3, **ids),
        SeriesEnsembleClassifier(net, 2, random_state=0),
    )
    fitted = clone(pipe).fit(PANEL, labels)
    assert sorted(fitted.classes_) == ["high", "low", "middle"]
    known = labels.notna().to_numpy()
    assert fitted.score(PANEL, labels) == np.mean(fitted.predict(PANEL)[known] == LABELS[known])
    again = clone(pipe).fit(PANEL, labels)
    assert_array_equal(again.predict_proba(PANEL), fitted.predict_proba(PANEL))
    grid = {"seriesensembleclassifier__assign": ["bootstrap", "all"]}
    search = GridSearchCV(pipe, grid, cv=GroupKFold(2)).fit(PANEL, labels, groups=UNITS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_failed_fit_keeps_the_earlier_one():
    X = PANEL[["p", "q"]]
    fitted = ensemble(series=None).fit(X, LABELS)
    before = fitted.predict_proba(X)
    with pytest.raises(ValueError, match="one class, 'high'"):
        fitted.fit(X, np.full(len(X), "high"))
    assert_array_equal(fitted.classes_, ["high", "low", "middle"])
    assert_array_equal(fitted.predict_proba(X), before)
