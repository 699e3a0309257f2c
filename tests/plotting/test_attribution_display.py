"""Tests of AttributionDisplay."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from attribution_examples import VALUES, attributions_of
from numpy.testing import assert_allclose, assert_array_equal

from sklstm.plotting import AttributionDisplay


def labels_of(display):
    return [label.get_text() for label in display.ax_.get_yticklabels()]


def test_the_map_of_one_row_shows_its_attributions():
    display = AttributionDisplay.from_attributions(attributions_of(VALUES), row=21)
    cells = VALUES[1]
    order = np.argsort(-np.abs(cells).sum(axis=0))
    assert_array_equal(display.image_.get_array(), cells[:, order].T)
    assert labels_of(display) == [f"p{j} ({cells[:, j].sum():+.3g})" for j in order]
    low, high = display.image_.get_clim()
    assert -low == high == np.abs(cells).max()
    left, right, *_ = display.image_.get_extent()
    assert (left, right) == (3.5, -0.5)  # the last lag is on the right
    total = cells.sum()
    expected = f"row 21: baseline 10, attributions {total:+.4g}, prediction {10 + total:.4g}"
    assert display.ax_.get_title(loc="left") == expected


def test_the_map_of_several_rows_shows_mean_sizes():
    display = AttributionDisplay(attributions_of(VALUES, spacing=2)).plot()
    cells = np.abs(VALUES).mean(axis=0)
    assert labels_of(display) == [f"p{j}" for j in np.argsort(-cells.sum(axis=0))]
    assert_allclose(np.sort(display.image_.get_array(), axis=None), np.sort(cells, axis=None))
    assert display.image_.get_clim()[0] == 0
    assert display.image_.get_extent()[:2] == [7, -1]
    assert display.ax_.get_title(loc="left") == "3 rows"


def test_many_features_share_the_last_place():
    display = AttributionDisplay.from_attributions(attributions_of(VALUES), row=20, max_features=3)
    cells = VALUES[0]
    others = np.argsort(-np.abs(cells).sum(axis=0))[2:]
    assert_allclose(display.image_.get_array()[-1], cells[:, others].sum(axis=1))
    assert labels_of(display)[-1] == f"3 others ({cells[:, others].sum():+.3g})"
    assert len(labels_of(display)) == 3
    with pytest.raises(ValueError, match="max_features == 1, must be >= 2"):
        display.plot(max_features=1)


def test_padding_is_marked():
    display = AttributionDisplay.from_attributions(attributions_of(VALUES, n_observed=3), row=20)
    assert [text.get_text() for text in display.ax_.texts] == ["padding"]
    assert display.ax_.texts[0].xy[0] == 2.5
    assert not AttributionDisplay(attributions_of(VALUES)).plot(row=20).ax_.texts


def test_rows_without_attributions_raise():
    with pytest.raises(ValueError, match=r"not one of the 3 rows with attributions \(20, 21, 22\)"):
        AttributionDisplay.from_attributions(attributions_of(VALUES), row=0)


def test_constant_predictions_are_drawn():
    display = AttributionDisplay.from_attributions(
        attributions_of(np.zeros((1, 1, 1)), n_observed=1)
    )
    assert display.image_.get_clim() == (-1, 1)


def test_an_estimator_is_explained_and_drawn(monkeypatch):
    passed = {}

    def explain(estimator, X, **options):
        passed.update(estimator=estimator, X=X, **options)
        return attributions_of(VALUES[:1])

    monkeypatch.setattr("sklstm.plotting._attributions.integrated_gradients", explain)
    _, ax = plt.subplots()
    options = {"rows": [7], "output": 1, "quantile": 0.9, "baseline": 2.0, "background": "B"}
    display = AttributionDisplay.from_estimator("net", "X", **options, max_features=3, ax=ax)
    assert passed == {"estimator": "net", "X": "X", **options}
    assert display.ax_ is ax and display.image_.get_array().shape == (3, 4)
