"""Scaler, windows and forecaster agree on the rows that continue a fitted series."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin

from sklstm import MultiSeriesForecaster, PerSeriesScaler, WindowTransformer

# The panels that are drawn pass rows between those of fit; tests/_panel/test_torn.py tests that.
pytestmark = pytest.mark.filterwarnings("ignore:.*fall between rows used in fit")
IDS = {"series": "unit", "time": "cycle"}
LENGTH = 40  # longer than any history of these tests


@st.composite
def fitted_and_passed(draw):
    """Rows of fit and rows passed later: overlapping, with gaps, with corrected values."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def part(units, first, last, share):
        rows = [
            (unit, cycle) for unit in units for cycle in range(first, last) if rng.random() < share
        ]
        panel = pd.DataFrame(rows, columns=["unit", "cycle"])
        return panel.assign(value=rng.normal(size=len(rows))).sample(frac=1, random_state=0)

    cut = draw(st.integers(3, 12))
    fitted = part("ab", 0, cut, draw(st.sampled_from([0.7, 1.0])))
    passed = part("abc", draw(st.integers(0, cut + 3)), cut + 6, draw(st.sampled_from([0.5, 1.0])))
    return fitted, passed


def rows_seen(fitted, passed, unit, cycle):
    """Values that may enter the statistics and windows of a row, oldest first: the rule."""
    known = fitted[fitted["unit"] == unit].sort_values("cycle")
    own = passed[(passed["unit"] == unit) & (passed["cycle"] <= cycle)].sort_values("cycle")
    if len(known) and cycle > known["cycle"].max():
        own = pd.concat([known, own[own["cycle"] > known["cycle"].max()]])
    return own


class Recorder(RegressorMixin, BaseEstimator):
    """Record how many steps before its own row each window begins, and predict 0."""

    def fit(self, X, y):
        self.n_outputs_ = y.shape[1]
        return self

    def predict(self, X):
        self.steps_ = X.n_observed - 1
        return np.zeros((len(X), self.n_outputs_))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


@settings(max_examples=60, deadline=None)
@given(panels=fitted_and_passed())
def test_windows_and_scaler_see_the_same_rows(panels):
    fitted, passed = panels
    if fitted["unit"].nunique() == 0 or len(passed) == 0:
        return
    windows = WindowTransformer(LENGTH, padding="nan", **IDS).fit(fitted).transform(passed)
    scaler = PerSeriesScaler(prior_rows=0, **IDS).fit(fitted)
    scaled = scaler.transform(passed)["value"].to_numpy()
    for i, (unit, cycle, value) in enumerate(passed.itertuples(index=False)):
        seen = rows_seen(fitted, passed, unit, cycle)["value"].to_numpy()
        window = windows[i][:, 0]
        assert_array_equal(window[~np.isnan(window)], seen)
        deviation = seen.std() or 1.0
        assert_allclose(scaled[i], (value - seen.mean()) / deviation, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(panels=fitted_and_passed())
def test_forecaster_begins_its_windows_where_the_window_transformer_does(panels):
    fitted, passed = panels
    if (fitted["unit"].value_counts() < 3).any() or fitted["unit"].nunique() < 2:
        return
    if len(passed) == 0:
        return
    forecaster = MultiSeriesForecaster(
        1, window_length=LENGTH, freq=1, regressor=Recorder(), n_estimators=1, **IDS
    )
    forecaster.fit(fitted)
    forecaster.predict(passed)
    before = forecaster.estimators_[0].steps_
    for i, (unit, cycle) in enumerate(passed[["unit", "cycle"]].itertuples(index=False)):
        first = rows_seen(fitted, passed, unit, cycle)["cycle"].min()
        assert before[i] == cycle - first
