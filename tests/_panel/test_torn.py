"""Series from which rows were removed before fit: the warning, and where it is silent."""

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import make_panel
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import BaggingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline

from sklstm import (
    MultiSeriesForecaster,
    PerSeriesScaler,
    PerSeriesTimeSplit,
    SeriesEnsembleRegressor,
    WindowTransformer,
)

IDS = {"series": "unit", "time": "cycle"}
TORN = r"\d+ rows of \d+ series \(.*\) fall between rows used in fit"


def pipeline(window_length=6):
    windows = WindowTransformer(window_length, output="2d", **IDS)
    return make_pipeline(PerSeriesScaler(**IDS), windows, LinearRegression())


def panel_and_target():
    X = make_panel([40, 50, 60], scattered=True)
    return X, X["p"].to_numpy()


# ------------------------------------------------------------------------------ torn series
def test_shuffled_folds_warn():
    X, y = panel_and_target()
    with pytest.warns(UserWarning, match=TORN):
        cross_val_score(pipeline(), X, y, cv=KFold(5, shuffle=True, random_state=0))


def test_train_test_split_warns():
    X, y = panel_and_target()
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = pipeline().fit(X_train, y_train)
    with pytest.warns(UserWarning, match=TORN):
        model.score(X_test, y_test)


def test_bagging_without_replacement_warns():
    X, y = panel_and_target()
    bagging = BaggingRegressor(
        make_pipeline(WindowTransformer(6, output="2d", series=0, time=1), LinearRegression()),
        n_estimators=2,
        max_samples=0.7,
        bootstrap=False,
        random_state=0,
    )
    X = np.column_stack([X["unit"].map({"a": 0, "b": 1, "c": 2}), X["cycle"], X["p"]])
    bagging.fit(X, y)
    with pytest.warns(UserWarning, match=TORN):
        bagging.predict(X)


class Sampler(RegressorMixin, BaseEstimator):
    """Fit a pipeline on every second row, as an under-sampler before it does."""

    def fit(self, X, y):
        self.model_ = pipeline().fit(X.iloc[::2], y[::2])
        return self

    def predict(self, X):
        return self.model_.predict(X)


def test_sampled_rows_warn():
    X, y = panel_and_target()
    with pytest.warns(UserWarning, match=TORN):
        Sampler().fit(X, y).predict(X)


def test_message_counts_rows_and_names_series_plainly():
    X = pd.DataFrame({"unit": np.repeat([103, 104], 10), "cycle": [*range(10)] * 2, "p": 1.0})
    kept = ~X["cycle"].isin([5, 7])
    windows = WindowTransformer(6, **IDS).fit(X[kept])
    with pytest.warns(UserWarning, match=r": 4 rows of 2 series \(103, 104\) ") as caught:
        windows.transform(X)
    assert caught[0].filename == __file__
    assert all(word in str(caught[0].message) for word in ("GroupKFold", "PerSeriesTimeSplit"))


def test_forecaster_warns():
    X, _ = panel_and_target()
    forecaster = MultiSeriesForecaster(
        1, target="p", window_length=8, freq=1, regressor=LinearRegression(), **IDS
    )
    forecaster.set_params(regressor=make_pipeline(SimpleImputer(), LinearRegression()))
    forecaster.fit(X[X["cycle"] % 7 != 3])
    with pytest.warns(UserWarning, match=TORN):
        forecaster.predict(X)
    forecaster.fit(X).predict(X)


# -------------------------------------------------------------------------- no false alarms
@pytest.mark.parametrize(
    "passed",
    [
        lambda X: X,
        lambda X: X[X["cycle"] > 20],
        lambda X: X.assign(cycle=X["cycle"] + 45),
        lambda X: X.assign(p=X["p"] + 1),
        lambda X: X.assign(unit="new " + X["unit"]).iloc[::2],
        lambda X: pd.concat([X, X.assign(cycle=X["cycle"] + 60)]),
        lambda X: X.assign(cycle=X["cycle"] - 100),
    ],
    ids=["same", "part", "later", "corrected", "unseen", "history too", "earlier"],
)
def test_whole_series_do_not_warn(passed):
    X, y = panel_and_target()
    model = pipeline().fit(X, y)
    model.predict(passed(X))


@pytest.mark.parametrize("window_length", [1, 6])
def test_without_time_or_history_there_is_no_warning(window_length):
    X, y = panel_and_target()
    time = {} if window_length > 1 else {"time": "cycle"}
    windows = WindowTransformer(window_length, series="unit", **time).fit(X.iloc[::2])
    windows.transform(X)


@pytest.mark.parametrize("cv", [GroupKFold(3), PerSeriesTimeSplit(3, series="unit", time="cycle")])
def test_named_splitters_do_not_warn(cv):
    X, y = panel_and_target()
    groups = X["unit"] if isinstance(cv, GroupKFold) else None
    cross_val_score(pipeline(), X, y, cv=cv, groups=groups)


def test_ensembles_of_whole_series_do_not_warn():
    X, y = panel_and_target()
    ensemble = SeriesEnsembleRegressor(pipeline(), n_estimators=2, random_state=0, **IDS)
    ensemble.fit(X, y).predict(X)


@pytest.mark.parametrize(("n_late", "warns"), [(1, False), (2, False), (6, True)])
def test_a_few_late_readings_do_not_warn(n_late, warns):
    """Up to 5 % of the rows between the first and the last remembered row: 2 of 49."""
    X = make_panel([60])
    late = X["cycle"].isin(range(20, 20 + 4 * n_late, 4))
    windows = WindowTransformer(51, **IDS).fit(X[~late])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        windows.transform(X)
    assert bool(caught) is warns


def test_a_single_late_reading_passed_alone_does_not_warn():
    X = make_panel([30])
    windows = WindowTransformer(10, **IDS).fit(X[X["cycle"] != 25])
    windows.transform(X[X["cycle"] == 25])


# -------------------------------------------------------------------------------- reference
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), window_length=st.integers(1, 8))
def test_count_equals_a_loop(seed, window_length):
    rng = np.random.default_rng(seed)
    X = make_panel(rng.integers(1, 15, 4), scattered=True, seed=seed % 1000)
    fitted, passed = X[rng.random(len(X)) < 0.6], X[rng.random(len(X)) < 0.6]
    if len(fitted) == 0 or len(passed) == 0:
        return
    windows = WindowTransformer(window_length, **IDS).fit(fitted)
    n_inside = n_unseen = 0
    for unit, cycle in passed[["unit", "cycle"]].itertuples(index=False):
        known = sorted(fitted.loc[fitted["unit"] == unit, "cycle"])[-max(window_length - 1, 1) :]
        if known and known[0] < cycle <= known[-1]:
            n_inside += 1
            n_unseen += cycle not in known
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        windows.transform(passed)
    found = int(str(caught[0].message).split()[1]) if caught else 0  # after the class
    assert found == (n_unseen if n_unseen > max(1, 0.05 * n_inside) else 0)
