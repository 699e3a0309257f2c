"""Validation rows that are passed to fit, in place of a part of X."""

import numpy as np
import pytest
from helpers import lstm, make_panel
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.pipeline import Pipeline, make_pipeline

from sklstm import PerSeriesScaler, PerSeriesTargetRegressor, WindowTransformer

IDS = {"series": "unit", "time": "cycle"}
PANEL = make_panel((12, 14, 16, 18))
Y = (PANEL["p"] - PANEL["q"] / 2).to_numpy()
OTHERS = make_panel({"x": 5, "y": 20}, seed=1)
Y_OTHERS = (OTHERS["p"] - OTHERS["q"] / 2).to_numpy()


def windows_of(panel, length=3, padding="edge"):
    return WindowTransformer(length, padding=padding, **IDS).fit_transform(panel)


X, X_VAL = windows_of(PANEL), windows_of(OTHERS)


def stopping(**options):
    return lstm(early_stopping=True, **options)


def loss_of_windows(net, panel, windows, y, embargo=0):
    """Mean over the series of their mean squared error, over full windows before the embargo."""
    later = panel.groupby("unit").cumcount(ascending=False).to_numpy()
    counted = (windows.n_observed == 3) & (later >= embargo) & ~np.isnan(y)
    squares = (net.predict(windows) - y)[counted] ** 2
    return np.mean(
        [squares[panel["unit"][counted] == unit].mean() for unit in panel["unit"].unique()]
    )


@pytest.mark.parametrize("embargo", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_the_loss_weights_series_as_in_training(embargo):
    y = np.where(np.arange(len(OTHERS)) % 7 == 3, np.nan, Y_OTHERS)
    net = stopping(epochs=1, embargo=embargo).fit(X, Y, X_val=X_VAL, y_val=y)
    expected = loss_of_windows(net, OTHERS, X_VAL, y, embargo)
    assert_allclose(net.history_["val_loss"], [expected], rtol=1e-5)


def test_no_training_rows_are_held_out():
    given = stopping().fit(X, Y, X_val=X_VAL, y_val=Y_OTHERS)
    # Without early stopping, all rows of X are trained on.
    everything = lstm().fit(X, Y)
    assert given.history_["loss"] == everything.history_["loss"]
    assert stopping().fit(X, Y).history_["loss"] != everything.history_["loss"]


def test_the_best_epoch_is_that_of_the_given_rows():
    options = {"epochs": 6, "learning_rate": 0.5, "n_iter_no_change": 1}
    net = stopping(**options).fit(X, Y, X_val=X_VAL, y_val=Y_OTHERS)
    losses = net.history_["val_loss"]
    best = int(np.argmin(losses)) + 1
    assert best < len(losses)
    shorter = lstm(learning_rate=0.5, epochs=best).fit(X, Y)
    assert_array_equal(net.predict(X), shorter.predict(X))


@pytest.mark.parametrize("length", [3, pytest.param(2, marks=pytest.mark.slow)])
def test_a_second_fit_reads_the_rows_as_its_own(length):
    net = stopping().fit(X, Y)
    again = windows_of(PANEL, length), windows_of(OTHERS, length)
    net.fit(again[0], Y, X_val=again[1], y_val=Y_OTHERS)
    fresh = stopping().fit(again[0], Y, X_val=again[1], y_val=Y_OTHERS)
    assert net.history_ == fresh.history_


def test_a_pipeline_transforms_the_rows():
    with config_context(enable_metadata_routing=True):
        steps = [
            ("scale", PerSeriesScaler(**IDS)),
            ("windows", WindowTransformer(3, **IDS)),
            ("net", stopping().set_fit_request(X_val=True, y_val=True)),
        ]
        pipe = Pipeline(steps, transform_input=["X_val"])
        pipe.fit(PANEL, Y, X_val=OTHERS, y_val=Y_OTHERS)
        before = pipe[:-1]
        alone = stopping().fit(
            before.fit_transform(PANEL), Y, X_val=before.transform(OTHERS), y_val=Y_OTHERS
        )
    assert pipe[-1].history_ == alone.history_


# --------------------------------------------------------------------------------- errors
ERRORS = {
    "no y_val": ({"X_val": X_VAL}, "X_val was passed without y_val"),
    "no X_val": ({"y_val": Y_OTHERS}, "y_val was passed without X_val"),
    "length": ({"X_val": windows_of(OTHERS, 4), "y_val": Y_OTHERS}, "expecting 3 rows x 2"),
    "rows": ({"X_val": X_VAL, "y_val": Y_OTHERS[1:]}, "X has 25 rows, y has 24"),
    "outputs": ({"X_val": X_VAL, "y_val": np.c_[Y_OTHERS, Y_OTHERS]}, "y has 2 outputs"),
    "too short": ({"X_val": X_VAL[:2], "y_val": Y_OTHERS[:2]}, "No row has a window of 3"),
}


@pytest.mark.parametrize(("options", "match"), ERRORS.values(), ids=ERRORS)
def test_bad_validation_rows_leave_the_earlier_fit(options, match):
    net = stopping().fit(X, Y)
    before = vars(net).copy()
    with pytest.raises(ValueError, match=match) as caught:
        net.fit(X, -Y, **options)
    assert vars(net) == before
    if len(options) == 2:
        assert caught.value.__notes__ == ["This is about the validation rows, X_val and y_val."]


def test_rows_without_early_stopping_raise():
    with pytest.raises(ValueError, match="Set early_stopping=True, or leave them out"):
        lstm().fit(X, Y, X_val=X_VAL, y_val=Y_OTHERS)


def test_targets_that_would_not_be_scaled_raise():
    for inner, prefix in (
        (stopping(), ""),
        (make_pipeline(stopping()), "multiserieslstmregressor__"),
    ):
        rows = {f"{prefix}X_val": X_VAL, f"{prefix}y_val": Y_OTHERS}
        with pytest.raises(ValueError, match="but not the y_val of its regressor"):
            PerSeriesTargetRegressor(inner).fit(X, Y, **rows)
