"""Tests of SeriesReportDisplay."""

import numpy as np
import pandas as pd
import pytest
from helpers import line_of
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklstm.plotting import SeriesReportDisplay


def test_the_series_with_the_largest_errors_are_drawn():
    errors = np.array([2.0, np.nan, 5.0, 1.0, 4.0])
    report = pd.DataFrame({"error": errors, "rows": 3}, index=pd.Index(list("abcde"), name="shop"))
    display = SeriesReportDisplay(report).plot(n_series=3)
    line = line_of(display.ax_, "the 3 largest")
    np.testing.assert_array_equal(line.get_xdata(), [5.0, 4.0, 2.0])
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["c", "e", "a"]
    assert display.ax_.yaxis_inverted() and display.ax_.get_ylabel() == "shop"
    assert line_of(display.ax_, "median of 4 series").get_xdata()[0] == 3.0
    with pytest.raises(ValueError, match="no column 'mase'"):
        display.plot(column="mase")
    with pytest.raises(ValueError, match="'error' are missing"):
        SeriesReportDisplay(report[["error"]].iloc[1:2]).plot()

    class Regressor:
        def series_report(self, X, y, sample_weight=None, series_ids=None):
            return pd.DataFrame({"loss": X[:, 0] + y})

    X, y = np.array([[1.0], [2.0]]), np.array([0.0, 5.0])
    pipe = make_pipeline(FunctionTransformer(lambda X: 10 * X), Regressor())
    display = SeriesReportDisplay.from_estimator(pipe, X, y, column="loss")
    np.testing.assert_array_equal(line_of(display.ax_, "series").get_xdata(), [25.0, 10.0])
