"""Tests of ImportanceDisplay."""

import numpy as np
import pandas as pd
import pytest
from attribution_examples import VALUES, attributions_of
from numpy.testing import assert_allclose
from sklearn.utils import Bunch

from sklstm.plotting import ImportanceDisplay

TABLE = pd.DataFrame([[1.0, 5.0, -1.0, 3.0], [3.0, 6.0, -2.0, 3.0]], columns=list("abcd"))


def widths_of(display):
    return [bar.get_width() for bar in display.ax_.patches]


def labels_of(display):
    return [label.get_text() for label in display.ax_.get_yticklabels()]


def test_bars_are_sorted_and_dots_are_repeats():
    display = ImportanceDisplay(TABLE, label="fall").plot()
    assert labels_of(display) == ["b", "d", "a", "c"] and display.ax_.yaxis_inverted()
    assert widths_of(display) == [5.5, 3.0, 2.0, -1.5]
    (dots,) = (line for line in display.ax_.lines if line.get_label() == "repeats")
    assert sorted(dots.get_xdata()) == sorted(TABLE.to_numpy().ravel())
    assert display.ax_.get_xlabel() == "fall"


def test_many_names_share_the_last_place():
    display = ImportanceDisplay(TABLE).plot(max_names=2)
    assert labels_of(display) == ["b", "3 others (largest)"] and widths_of(display) == [5.5, 3.0]
    display = ImportanceDisplay(TABLE, is_sum=True).plot(max_names=3)
    assert labels_of(display)[-1] == "2 others (sum)" and widths_of(display)[-1] == 0.5


def test_attributions_are_drawn_by_feature_and_by_lag():
    attributions = attributions_of(VALUES, spacing=2)
    display = ImportanceDisplay.from_attributions(attributions)
    expected = np.abs(VALUES.sum(axis=1)).mean(axis=0)
    assert_allclose(widths_of(display), np.sort(expected)[::-1])
    display = ImportanceDisplay.from_attributions(attributions, by="lag")
    assert display.ax_.xaxis_inverted()
    places = [bar.get_x() + bar.get_width() / 2 for bar in display.ax_.patches]
    assert_allclose(places, [6, 4, 2, 0])
    heights = [bar.get_height() for bar in display.ax_.patches]
    assert_allclose(heights, np.abs(VALUES.sum(axis=2)).mean(axis=0))
    with pytest.raises(ValueError, match="by 'feature' or by 'lag'"):
        ImportanceDisplay.from_attributions(attributions, by="series")


def test_an_estimator_is_inspected_and_drawn(monkeypatch):
    passed = {}
    result = Bunch(importances=np.array([[1.0, 2.0], [0.5, 0.5]]), names=["0-1", "2-3"], by="lag")

    def inspect(estimator, X, y, **options):
        passed.update(estimator=estimator, X=X, y=y, **options)
        return result

    monkeypatch.setattr("sklstm.plotting._importance.permutation_importance", inspect)
    options = {
        **{"by": "lag", "lag_groups": 2, "scoring": "r2", "n_repeats": 2},
        **{"max_samples": 0.5, "random_state": 0},
    }
    display = ImportanceDisplay.from_estimator("net", "X", "y", **options)
    assert passed == {"estimator": "net", "X": "X", "y": "y", **options}
    ticks = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert ticks == ["0-1", "2-3"] and display.ax_.xaxis_inverted()
    assert [bar.get_height() for bar in display.ax_.patches] == [1.5, 0.5]
    assert display.ax_.get_ylabel() == "fall of the score"
    with pytest.raises(ValueError, match=r"several scores, \['r2'\]: pass one"):
        ImportanceDisplay.from_importances({"r2": result})
