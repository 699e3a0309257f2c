"""Tests of the generated panel."""

import numpy as np
import pandas as pd
import pytest

from sklstm.datasets import make_series_panel
from sklstm.datasets._synthetic import _target


def test_panel_layout():
    X, y = make_series_panel(n_series=7, n_steps=(5, 9), n_features=2, random_state=0)
    assert list(X.columns) == ["series", "time", "x0", "x1"]
    assert all(pd.api.types.is_integer_dtype(X[name]) for name in ("series", "time"))
    assert (X[["x0", "x1"]].dtypes == "float64").all()
    assert X["series"].unique().tolist() == list(range(7))
    for _, rows in X.groupby("series"):
        assert rows["time"].tolist() == list(range(len(rows)))
    pd.testing.assert_frame_equal(X, X.sort_values(["series", "time"]))
    pd.testing.assert_index_equal(X.index, pd.RangeIndex(len(X)), exact=True)
    pd.testing.assert_index_equal(y.index, X.index, exact=True)
    assert y.name == "y"
    assert np.isfinite(X.to_numpy()).all()
    assert np.isfinite(y).all()


def test_panel_lengths():
    X, _ = make_series_panel(n_series=200, n_steps=(3, 6), random_state=0)
    assert set(X.groupby("series").size()) == {3, 4, 5, 6}
    X, _ = make_series_panel(n_series=4, n_steps=np.int64(6), random_state=0)
    assert X.groupby("series").size().tolist() == [6] * 4
    assert make_series_panel(n_series=1, n_steps=1, n_features=1)[0].shape == (1, 3)


def test_panel_is_deterministic():
    X, y = make_series_panel(random_state=0)
    for seed in (0, np.random.RandomState(0)):
        X_again, y_again = make_series_panel(random_state=seed)
        pd.testing.assert_frame_equal(X, X_again)
        pd.testing.assert_series_equal(y, y_again)
    assert not X.equals(make_series_panel(random_state=1)[0])


def test_panel_does_not_change_the_global_random_state():
    before = np.random.get_state()
    make_series_panel(random_state=0, missing=0.1)
    after = np.random.get_state()
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


def test_panel_missing():
    X, y = make_series_panel(random_state=0)
    X_holed, y_holed = make_series_panel(random_state=0, missing=0.2)
    features = ["x0", "x1", "x2"]
    assert X_holed[features].isna().to_numpy().mean() == pytest.approx(0.2, abs=1e-3)
    assert X_holed[features].isna().any().all()
    pd.testing.assert_frame_equal(X_holed.fillna(X), X)
    pd.testing.assert_series_equal(y_holed, y)


def test_panel_noise():
    X, y = make_series_panel(n_series=50, random_state=0, noise=0)
    X_noisy, y_noisy = make_series_panel(n_series=50, random_state=0, noise=0.5)
    pd.testing.assert_frame_equal(X_noisy, X)
    assert (y_noisy - y).std() == pytest.approx(0.5, rel=0.1)


def test_scales_of_features_differ_and_those_of_targets_do_not():
    X, y = make_series_panel(n_series=50, n_steps=200, random_state=0)
    by_series = X.groupby("series")["x0"]
    assert by_series.std().max() > 10 * by_series.std().min()
    assert by_series.mean().std() > 1
    target_std = y.groupby(X["series"]).std()
    assert target_std.max() < 4 * target_std.min()


def lag_table(features, series, n_lags):
    lags = [features.groupby(series).shift(k).fillna(0) for k in range(n_lags)]
    return np.hstack([np.ones((len(features), 1)), *lags])


def r2_of_least_squares(A, y):
    residual = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    return 1 - residual.var() / y.var()


def test_target_needs_scaling_by_series_and_ten_rows():
    X, y = make_series_panel(n_series=50, random_state=0)
    series, raw = X["series"], X[["x0", "x1", "x2"]]
    scaled = raw.groupby(series).transform(lambda x: (x - x.mean()) / x.std())
    y = y.to_numpy()
    assert r2_of_least_squares(lag_table(scaled, series, 10), y) > 0.5
    assert r2_of_least_squares(lag_table(scaled, series, 1), y) < 0.1
    assert r2_of_least_squares(lag_table(raw, series, 10), y) < 0.1


def test_target_depends_on_the_last_ten_rows_only():
    z = np.random.RandomState(0).normal(size=(2, 30, 3))
    changed = z.copy()
    changed[:, 12] += 1
    moved = (_target(changed) != _target(z)).all(axis=0)
    assert np.flatnonzero(moved).tolist() == list(range(12, 22))


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({"n_series": 0}, ValueError, "n_series"),
        ({"n_series": 2.5}, TypeError, "n_series"),
        ({"n_features": 0}, ValueError, "n_features"),
        ({"n_steps": 0}, ValueError, "n_steps"),
        ({"n_steps": (9, 5)}, ValueError, "n_steps, longest"),
        ({"n_steps": (0, 5)}, ValueError, "n_steps, shortest"),
        ({"n_steps": (1.5, 5)}, TypeError, "n_steps, shortest"),
        ({"n_steps": (1, 2, 3)}, TypeError, "n_steps must be an int or a pair"),
        ({"n_steps": 2.5}, TypeError, "n_steps must be an int or a pair"),
        ({"noise": -0.1}, ValueError, "noise"),
        ({"missing": -0.1}, ValueError, "missing"),
        ({"missing": 1.0}, ValueError, "missing"),
        ({"missing": "some"}, TypeError, "missing"),
    ],
)
def test_panel_bad_input(params, error, words):
    with pytest.raises(error, match=words):
        make_series_panel(**params)
