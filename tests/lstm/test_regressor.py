"""Tests of MultiSeriesLSTMRegressor: inputs, errors, predictions and reports."""

import copy
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers import lstm, make_panel
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import InvalidParameterError

from sklstm import MultiSeriesLSTMRegressor, WindowTransformer, series_weights

LENGTHS = {"a": 30, "b": 20, "c": 10}
L, F = 4, 2


def make_data(seed=0):
    """Make a panel of three series, and a target that depends on its windows."""
    panel = make_panel(LENGTHS, seed=seed)
    return panel, (panel["p"] - 2 * panel["q"] + 3).to_numpy()


def make_windows(panel, **options):
    return WindowTransformer(L, series="unit", time="cycle", **options).fit_transform(panel)


PANEL, Y = make_data()
WINDOWS = make_windows(PANEL)
FULL = WINDOWS.n_observed == L
UNITS = PANEL["unit"].to_numpy()


@pytest.fixture(scope="module")
def fitted():
    return lstm().fit(WINDOWS, Y)


def assert_same_fit(one, other, X=WINDOWS):
    """Assert that two fits are equal to the last bit."""
    assert one.history_ == other.history_
    for a, b in zip(one.model_.get_weights(), other.model_.get_weights(), strict=True):
        assert_array_equal(a, b)
    assert_array_equal(one.predict(X), other.predict(X))


def differ(one, other):
    return not np.array_equal(one.predict(WINDOWS), other.predict(WINDOWS))


# ------------------------------------------------------------------------- kinds of input
def test_windows_and_array_give_the_same_fit(fitted):
    array = np.asarray(WINDOWS)
    # An array does not show which windows are padded: leave them out.
    of_array = lstm().fit(array[FULL], Y[FULL], series_ids=UNITS[FULL])
    assert_same_fit(fitted, of_array)
    assert_array_equal(fitted.predict(array), fitted.predict(WINDOWS))
    assert_array_equal(fitted.predict(array.tolist()), fitted.predict(WINDOWS))
    assert fitted.predict(WINDOWS).shape == (len(PANEL),)
    assert (fitted.n_features_in_, fitted.window_length_, fitted.n_outputs_) == (F, L, 1)
    assert not hasattr(fitted, "feature_names_in_")


def test_tables_are_windows_of_one_row():
    with_ids = lstm(series="unit", time="cycle").fit(PANEL, Y)
    assert list(with_ids.feature_names_in_) == list(PANEL.columns)
    assert with_ids.window_length_ == 1 and with_ids.n_features_in_ == 4
    array = PANEL[["p", "q"]].to_numpy()
    by_position = lstm(series=0).fit(np.c_[PANEL["unit"].map(ord), array], Y)
    own_ids = lstm().fit(array, Y, series_ids=UNITS)
    in_3d = lstm().fit(array[:, np.newaxis], Y, series_ids=pd.Series(UNITS))
    level = lstm(series="unit").fit(PANEL.set_index("unit")[["p", "q"]], Y)
    expected = with_ids.predict(PANEL)
    for other, X in [
        (by_position, np.c_[np.zeros(len(array)), array]),
        (own_ids, array),
        (in_3d, array[:, np.newaxis]),
        (level, PANEL.set_index("unit")[["p", "q"]]),
    ]:
        assert_array_equal(other.predict(X), expected)
    assert not np.array_equal(lstm().fit(array, Y).predict(array), expected)


@pytest.mark.parametrize(
    "change",
    [list, pd.Series, lambda y: y.astype("float32"), lambda y: pd.Series(y, dtype="Float64")],
    ids=["list", "Series", "float32", "nullable"],
)
def test_kinds_of_one_dimensional_targets(change, fitted):
    other = lstm().fit(WINDOWS, change(Y))
    # The moments of a float32 target differ in the last digits.
    assert_allclose(other.predict(WINDOWS), fitted.predict(WINDOWS), rtol=1e-4)


def test_missing_targets_among_objects_are_missing_values():
    rows = np.arange(len(Y)) % 5 == 0
    y = pd.Series(Y, dtype=object).mask(rows, pd.NA)
    expected = lstm(epochs=1).fit(WINDOWS, np.where(rows, np.nan, Y))
    assert_array_equal(lstm(epochs=1).fit(WINDOWS, y).predict(WINDOWS), expected.predict(WINDOWS))


def test_predictions_have_shape_and_precision_of_y():
    pairs = np.c_[Y, 2 * Y]
    for y in (Y, Y[:, np.newaxis], pairs, pd.DataFrame(pairs), pairs.astype("float32")):
        predicted = lstm(epochs=1).fit(WINDOWS, y).predict(WINDOWS)
        assert isinstance(predicted, np.ndarray)
        assert predicted.shape == np.shape(y)
        assert predicted.dtype == np.asarray(y).dtype


def test_outputs_are_in_the_order_of_y():
    y = np.c_[Y, 1000 - Y]
    predicted = lstm(epochs=1).fit(WINDOWS, y).predict(WINDOWS)
    assert_allclose(predicted.mean(axis=0), y.mean(axis=0), atol=3)


def test_order_of_the_rows_does_not_matter_to_predictions(fitted):
    order = np.random.default_rng(0).permutation(len(PANEL))
    shuffled = make_windows(PANEL.iloc[order])
    assert_array_equal(fitted.predict(shuffled), fitted.predict(WINDOWS)[order])


def test_predictions_do_not_depend_on_other_rows(fitted):
    chosen = np.arange(1500) % len(PANEL)  # more rows than a batch of predict
    assert_allclose(fitted.predict(WINDOWS[chosen]), fitted.predict(WINDOWS)[chosen], rtol=1e-5)
    alone = [fitted.predict(WINDOWS[[row]])[0] for row in range(0, len(PANEL), 7)]
    assert_allclose(alone, fitted.predict(WINDOWS)[::7], rtol=1e-5)
    changed = np.asarray(WINDOWS)
    changed[1::2] = 99.0
    assert_array_equal(fitted.predict(changed)[::2], fitted.predict(WINDOWS)[::2])


# ---------------------------------------------------------------------- rows in the loss
def test_rows_without_any_target_equal_absent_rows():
    missing = np.arange(len(Y)) % 5 == 0
    y = np.where(missing, np.nan, Y)
    assert_same_fit(lstm().fit(WINDOWS, y), lstm().fit(WINDOWS[~missing], Y[~missing]))


def test_rows_of_weight_zero_equal_absent_rows():
    out = np.arange(len(Y)) % 5 == 0
    absurd = np.where(out, 1e6, Y)
    weight = np.where(out, 0.0, np.random.default_rng(0).uniform(1, 2, len(Y)))
    weighted = lstm().fit(WINDOWS, absurd, sample_weight=weight)
    assert_same_fit(weighted, lstm().fit(WINDOWS[~out], Y[~out], sample_weight=weight[~out]))


@pytest.mark.parametrize("min_observed", [None, 1, 2])
def test_min_observed_excludes_rows_with_short_history(min_observed):
    enough = WINDOWS.n_observed >= (min_observed or L)
    regressor = lstm(min_observed=min_observed).fit(WINDOWS, Y)
    absurd = np.where(enough, Y, 1e6)
    assert_same_fit(regressor, lstm(min_observed=min_observed).fit(WINDOWS, absurd))
    report = regressor.series_report(WINDOWS, Y)
    assert report["windows"].tolist() == [enough[UNITS == unit].sum() for unit in LENGTHS]
    assert regressor.predict(WINDOWS).shape == Y.shape


def test_warns_of_series_without_full_windows():
    panel = PANEL[(PANEL["unit"] != "c") | (PANEL["cycle"] < L - 1)]
    with pytest.warns(UserWarning, match=r"1 of 3 series have no row in the loss \('c'\)"):
        lstm(epochs=1).fit(make_windows(panel), Y[panel.index])


def test_embargo_excludes_the_last_rows():
    embargo = 3
    from_end = PANEL.groupby("unit")["cycle"].transform("max") - PANEL["cycle"]
    late = (from_end < embargo).to_numpy()
    changed = PANEL.copy()
    changed.loc[late, ["p", "q"]] += 100
    regressor = lstm(embargo=embargo).fit(WINDOWS, Y)
    other = lstm(embargo=embargo).fit(make_windows(changed), np.where(late, -1e3, Y))
    assert_same_fit(regressor, other)
    later = (from_end < embargo + 1).to_numpy()
    assert differ(regressor, lstm(embargo=embargo).fit(WINDOWS, np.where(later, -1e3, Y)))


def test_embargo_follows_time_and_not_the_order_of_rows():
    order = np.random.default_rng(0).permutation(len(PANEL))
    shuffled = PANEL.iloc[order]
    late = PANEL.groupby("unit")["cycle"].transform("max").iloc[order] - shuffled["cycle"] < 3
    y = Y[order]
    for X, ids in ((make_windows(shuffled), {}), (shuffled, {"series": "unit", "time": "cycle"})):
        one = lstm(embargo=3, **ids).fit(X, y)
        assert_same_fit(one, lstm(embargo=3, **ids).fit(X, np.where(late, -1e3, y)), X)


# --------------------------------------------------------------------- score and report
def test_score_is_r2_of_the_known_elements(fitted):
    predicted = fitted.predict(WINDOWS)
    weight = np.random.default_rng(0).uniform(size=len(Y))
    assert fitted.score(WINDOWS, Y) == pytest.approx(r2_score(Y, predicted))
    assert fitted.score(WINDOWS, Y, weight) == pytest.approx(
        r2_score(Y, predicted, sample_weight=weight)
    )
    known = np.arange(len(Y)) % 3 > 0
    assert fitted.score(WINDOWS, np.where(known, Y, np.nan), weight) == pytest.approx(
        r2_score(Y[known], predicted[known], sample_weight=weight[known])
    )


def test_score_is_the_mean_over_outputs():
    y = np.c_[Y, Y**2, np.where(np.arange(len(Y)) % 2, Y, np.nan)]
    regressor = lstm(epochs=1).fit(WINDOWS, y)
    predicted = regressor.predict(WINDOWS)
    by_hand = [r2_score(y[known, j], predicted[known, j]) for j, known in enumerate(~np.isnan(y.T))]
    assert regressor.score(WINDOWS, y) == pytest.approx(np.mean(by_hand))


def test_score_raises_for_a_wrong_number_of_outputs(fitted):
    with pytest.raises(ValueError, match="y has 2 outputs, but .* was fitted with 1"):
        fitted.score(WINDOWS, np.c_[Y, Y])


def test_series_report_by_hand():
    y = np.c_[Y, -Y]
    y[::7, 0] = np.nan
    weight = np.random.default_rng(0).uniform(0.5, 2, len(Y))
    regressor = lstm(loss="mae", embargo=1).fit(WINDOWS, y, sample_weight=weight)
    report = regressor.series_report(WINDOWS, y, sample_weight=weight)
    last = (PANEL.groupby("unit")["cycle"].transform("max") == PANEL["cycle"]).to_numpy()
    rows = FULL & ~last
    w = pd.Series(series_weights(UNITS[rows], sample_weight=weight[rows]))
    error = pd.DataFrame(regressor.predict(WINDOWS) - y)
    assert report.index.name == "series" and list(report.index) == list(LENGTHS)
    assert report["rows"].tolist() == list(LENGTHS.values())
    assert report["windows"].tolist() == [n - L for n in LENGTHS.values()]
    assert_allclose(report["weight"], w.groupby(UNITS[rows]).sum())
    assert_allclose(report["weight"], rows.sum() / 3)
    loss = error.abs().mean(axis=1)[rows].groupby(UNITS[rows]).mean()
    assert_allclose(report["loss"], loss, rtol=1e-5)
    squares = (error**2).stack().groupby(level=0).agg(["sum", "count"]).groupby(UNITS).sum()
    assert_allclose(report["error"], np.sqrt(squares["sum"] / squares["count"]), rtol=1e-5)


def test_series_report_of_other_series(fitted):
    panel, y = make_data(seed=1)
    panel = panel[panel["unit"] != "b"].replace({"unit": {"a": "new"}})
    report = fitted.series_report(make_windows(panel), y[panel.index])
    assert list(report.index) == ["new", "c"]
    assert report["weight"].sum() == pytest.approx(report["windows"].sum())


# ---------------------------------------------------------------- copies and persistence
@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, copy.copy, lambda fit: pickle.loads(pickle.dumps(fit))],
    ids=["deepcopy", "copy", "pickle"],
)
def test_copies_predict_the_same_and_are_independent(duplicate):
    original = lstm().fit(WINDOWS, Y)
    predicted = original.predict(WINDOWS)
    twin = duplicate(original)
    assert_same_fit(twin, original)
    twin.partial_fit(WINDOWS, Y)
    assert_array_equal(original.predict(WINDOWS), predicted)
    # The optimizer state is copied too: both continue in the same way.
    assert_array_equal(original.partial_fit(WINDOWS, Y).predict(WINDOWS), twin.predict(WINDOWS))


@pytest.mark.parametrize(
    "dump",
    [pickle.dump, pytest.param(joblib.dump, marks=pytest.mark.slow)],
    ids=["pickle", "joblib"],
)
@pytest.mark.slow
def test_new_process_predicts_the_same_to_the_last_bit(dump, fitted, tmp_path):
    with open(tmp_path / "fit", "wb") as file:
        dump((fitted, WINDOWS), file)
    code = (
        "import joblib, numpy, sys; regressor, X = joblib.load(sys.argv[1]); "
        "numpy.save(sys.argv[2], regressor.predict(X))"
    )
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "fit", tmp_path / "predicted.npy"], check=True
    )
    assert_array_equal(np.load(tmp_path / "predicted.npy"), fitted.predict(WINDOWS))


def test_fits_are_independent():
    first = lstm().fit(WINDOWS, Y)
    model, weights, predicted = first.model_, first.model_.get_weights(), first.predict(WINDOWS)
    second = lstm(learning_rate=0.1).fit(WINDOWS, -Y)
    second.predict(WINDOWS)
    second.partial_fit(WINDOWS, Y)
    assert first.model_ is model
    for before, after in zip(weights, model.get_weights(), strict=True):
        assert_array_equal(before, after)
    assert_array_equal(first.predict(WINDOWS), predicted)
    # A second fit makes a new network, and the earlier model is unchanged.
    first.fit(WINDOWS, -Y)
    assert first.model_ is not model
    assert_array_equal(model.get_weights()[0], weights[0])


def test_input_is_unchanged():
    X, y, weight = np.asarray(WINDOWS), Y.copy(), np.ones(len(Y))
    y[0] = np.nan
    kept = [array.copy() for array in (X, y, weight)]
    for array in (X, y, weight):
        array.setflags(write=False)
    lstm(epochs=1).fit(X, y, weight).predict(X)
    for array, before in zip((X, y, weight), kept, strict=True):
        assert_array_equal(array, before)


# ------------------------------------------------------------------------------ bad input
def with_value(value):
    array = np.asarray(WINDOWS)
    array[3, 1, 0] = value
    return array


def y_with(value):
    return np.where(np.arange(len(Y)) == 3, value, Y)


ARRAY = np.asarray(WINDOWS)
BAD_FITS = {
    "NaN in X": ({}, with_value(np.nan), Y, {}, "X contains NaN.*Impute"),
    "infinite X": ({}, with_value(np.inf), Y, {}, "X contains infinity"),
    "both infinities": ({}, with_value(-np.inf), Y, {}, "X contains infinity"),
    "X beyond float32": ({}, with_value(1e39), Y, {}, "X contains.*(infinity|large)"),
    "NaN in a table": ({}, with_value(np.nan)[:, 1], Y, {}, "X contains NaN"),
    "no rows": ({}, WINDOWS[:0], Y[:0], {}, r"0 sample\(s\)"),
    "no columns": ({}, ARRAY[:, :, :0], Y, {}, r"0 feature\(s\)"),
    "4-D X": ({}, ARRAY[:, np.newaxis], Y, {}, "dim 4"),
    "unequal arrays": ({}, [ARRAY[0], ARRAY[0, :2]], Y[:2], {}, "stack_series"),
    "no y": ({}, WINDOWS, None, {}, "requires y to be passed"),
    "short y": ({}, WINDOWS, Y[:-1], {}, "X has 60 rows, y has 59"),
    "all-missing y": ({}, WINDOWS, Y * np.nan, {}, "All .* targets are NaN"),
    "infinite y": ({}, WINDOWS, y_with(np.inf), {}, "y contains infinity"),
    "y beyond float32": ({}, WINDOWS, y_with(1e39), {}, "y contains.*(infinity|large)"),
    "3-D y": ({}, WINDOWS, Y.reshape(-1, 1, 1), {}, "3|dim"),
    "text y": (
        {},
        WINDOWS,
        np.full(len(Y), "x"),
        {},
        r"y holds text \(the first is 'x'\).*MultiSeriesLSTMClassifier",
    ),
    "text among numbers": ({}, WINDOWS, [*Y[:-1], "x"], {}, "y holds text"),
    "categories": ({}, WINDOWS, pd.Series("x", range(len(Y)), "category"), {}, "y holds text"),
    "dates": ({}, WINDOWS, pd.date_range("2024", periods=len(Y)), {}, "y holds dates"),
    "lengths of time": ({}, WINDOWS, pd.to_timedelta(Y, "h"), {}, "y holds dates or lengths of t"),
    "negative weight": ({}, WINDOWS, Y, {"sample_weight": y_with(-1)}, "Negative values"),
    "zero weights": ({}, WINDOWS, Y, {"sample_weight": 0 * Y}, "All weights are zero"),
    "NaN weight": ({}, WINDOWS, Y, {"sample_weight": y_with(np.nan)}, "sample_weight contains NaN"),
    "short weights": ({}, WINDOWS, Y, {"sample_weight": Y[:9]}, r"inconsistent numbers of samples"),
    "2-D weights": ({}, WINDOWS, Y, {"sample_weight": np.c_[Y, Y]}, "1D array or scalar"),
    "id without weight": ({"series_weight": {"a": 1, "b": 2}}, WINDOWS, Y, {}, r"series \['c'\]"),
    "unknown scheme": ({"series_weight": "equal"}, WINDOWS, Y, {}, "'equal'.*'balanced'"),
    "ids twice": ({}, WINDOWS, Y, {"series_ids": UNITS}, "already: leave series_ids=None"),
    "short ids": ({}, ARRAY, Y, {"series_ids": UNITS[:5]}, "inconsistent numbers of samples"),
    "missing id": ({}, ARRAY, Y, {"series_ids": [None, *UNITS[1:]]}, "id is missing .* in 1 of 60"),
    "unknown id column": ({"series": "shop"}, PANEL, Y, {}, "series='shop' is neither"),
    "text column": ({}, PANEL, Y, {}, "'unit' holds text"),
    "no full window": ({}, WINDOWS[~FULL], Y[~FULL], {}, "No row has a window of 4.* 3 rows"),
    "large min_observed": ({"min_observed": 5}, WINDOWS, Y, {}, "min_observed=5.*length 4"),
    "embargo of all": ({"embargo": 30}, WINDOWS, Y, {}, "No row is left.*embargo of 30"),
    "segment": ({"segment_length": 3}, WINDOWS, Y, {}, "segment_length=3 does not divide.* 4"),
    "one series held out": (
        {"early_stopping": True, "validation_by": "series"},
        ARRAY,
        Y,
        {},
        "at least two series.*validation_by='time'",
    ),
    "nothing held out": (
        {"early_stopping": True, "validation_by": "time", "validation_fraction": 0.01},
        WINDOWS,
        Y,
        {},
        "left 51 rows for training and 0 for validation",
    ),
}


@pytest.mark.parametrize("case", BAD_FITS)
def test_bad_input_of_fit(case):
    options, X, y, fit_options, message = BAD_FITS[case]
    with pytest.raises(ValueError, match=message):
        lstm(**options).fit(X, y, **fit_options)


def test_losses_and_optimizers_are_checked():
    with pytest.raises(ValueError, match="loss='msee'.*Did you mean 'mse'"):
        lstm(loss="msee").fit(WINDOWS, Y)
    with pytest.raises(ValueError, match="optimizer='adm'.*Did you mean 'adam'"):
        lstm(optimizer="adm").fit(WINDOWS, Y)
    with pytest.raises(ValueError, match="'binary_crossentropy' expects probabilities"):
        lstm(loss="binary_crossentropy").fit(WINDOWS, (Y > 0).astype(float))
    # Quantiles do not use the loss.
    lstm(loss="binary_crossentropy", quantiles=[0.5], epochs=1).fit(WINDOWS, Y)


def test_boolean_targets_warn():
    with pytest.warns(UserWarning, match="y is bool.*0 and 1.*Classifier.*pass y.astype"):
        warned = lstm().fit(WINDOWS, Y > 0)
    expected = lstm().fit(WINDOWS, (Y > 0).astype(float))
    assert_array_equal(warned.predict(WINDOWS), expected.predict(WINDOWS))


@pytest.mark.parametrize("X", [np.ones((9, 2)), pd.Series(np.ones(9)), PANEL[["p", "q"]]])
def test_tables_where_windows_were_fitted(X):
    net = lstm(epochs=1).fit(WINDOWS, Y)
    with pytest.raises(
        ValueError, match=r"X has shape \(.*fitted on windows of 4 rows. Pass the output"
    ):
        net.predict(X)


def test_missing_values_name_their_features():
    panel = PANEL.assign(q=PANEL["q"].where(PANEL.index > 3))
    message = r"contains NaN in the features \['q'\].*PerSeriesImputer"
    with pytest.raises(ValueError, match=message):
        lstm().fit(WindowTransformer(4, series="unit").fit_transform(panel), Y)


def test_failed_first_fit_leaves_the_regressor_unfitted():
    regressor = lstm()
    with pytest.raises(ValueError, match="y has 59"):
        regressor.fit(WINDOWS, Y[:-1])
    with pytest.raises(NotFittedError):
        regressor.predict(WINDOWS)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (ARRAY[:, :, :1], "4 rows x 1 features.*expecting 4 rows x 2 features"),
        (ARRAY[:, 1:], "3 rows x 2 features.*expecting 4 rows x 2 features"),
        (ARRAY[:, 0], r"X has shape \(60, 2\).*windows of 4 rows"),
        (with_value(np.nan), "X contains NaN"),
        (ARRAY[:0], "0 sample"),
    ],
    ids=["features", "window length", "table", "NaN", "empty"],
)
def test_bad_input_of_predict(X, message, fitted):
    with pytest.raises(ValueError, match=message):
        fitted.predict(X)


def test_renamed_columns_raise():
    regressor = lstm(series="unit", time="cycle").fit(PANEL, Y)
    for columns in (["unit", "cycle", "p", "r"], ["unit", "cycle", "q", "p"]):
        with pytest.raises(ValueError, match="feature names"):
            regressor.predict(PANEL.set_axis(columns, axis=1))


def test_unused_rows_with_missing_features_are_no_error(fitted):
    panel = PANEL.copy()
    panel.loc[0, "p"] = np.nan
    windows = make_windows(panel)
    clean = ~np.isnan(np.asarray(windows)).any(axis=(1, 2))
    assert_array_equal(fitted.predict(windows[clean]), fitted.predict(WINDOWS)[clean])


@pytest.mark.parametrize("method", ["predict", "score", "series_report"])
def test_unfitted_use(method):
    arguments = (WINDOWS,) if method == "predict" else (WINDOWS, Y)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(lstm(), method)(*arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_units", 0),
        ("n_layers", 1.5),
        ("segment_length", 0),
        ("dropout", 1.0),
        ("learning_rate", -0.1),
        ("learning_rate", "fast"),
        ("epochs", 0),
        ("steps_per_epoch", 0),
        ("batch_size", None),
        ("min_observed", 0),
        ("embargo", -1),
        ("early_stopping", "yes"),
        ("validation_fraction", 1.0),
        ("validation_by", "rows"),
        ("n_iter_no_change", 0),
        ("callbacks", "checkpoint"),
        ("random_state", "seed"),
        ("verbose", -1),
    ],
)
def test_bad_parameters(name, value):
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter"):
        lstm().set_params(**{name: value}).fit(WINDOWS, Y)


def test_bad_input_is_found_before_tensorflow_is_imported():
    code = """
import sys
import numpy as np
from sklstm import MultiSeriesLSTMRegressor
X, y = np.zeros((9, 4, 2)), np.zeros(9)
for options, X_bad, y_bad in [
    ({}, X * np.nan, y), ({}, X, y * np.nan), ({}, X, y[:3]), ({"segment_length": 3}, X, y),
    ({"early_stopping": True}, X, y), ({"series_weight": {"a": 1}}, X, y), ({"epochs": 0}, X, y),
]:
    try:
        MultiSeriesLSTMRegressor(**options).fit(X_bad, y_bad)
    except (TypeError, ValueError):
        assert "tensorflow" not in sys.modules, options
    else:
        raise AssertionError(options)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ----------------------------------------------------------- series without rows or weights
def test_report_of_series_without_loss():
    known = UNITS != "c"
    regressor = lstm(series_weight={"a": 1.0, "b": 2.0})
    regressor.fit(ARRAY[known], Y[known], series_ids=UNITS[known])
    report = regressor.series_report(ARRAY, Y, series_ids=UNITS)
    assert np.isnan(report.loc["c", "weight"])  # not in the dict
    assert report.loc["c", "windows"] == (~known).sum() and report.loc["c", "error"] > 0
    report = lstm().fit(ARRAY, Y).set_params(embargo=len(Y)).series_report(ARRAY, Y)
    assert report["windows"].tolist() == [0] and np.isnan(report["loss"].iloc[0])
    assert report["error"].iloc[0] > 0


@pytest.mark.parametrize("seed", range(4))
def test_series_of_weight_0_never_validate(seed):
    regressor = lstm(
        series_weight={"a": 1.0, "b": 1.0, "c": 0.0},
        early_stopping=True,
        validation_fraction=0.4,
    ).set_params(random_state=seed)
    history = regressor.fit(ARRAY, Y, series_ids=UNITS).history_
    # The loss of rows without weight would be 0 or NaN.
    assert (np.array(history["val_loss"]) > 0).all()
    changed = np.where(UNITS == "c", Y + 1e3, Y)
    again = clone(regressor).fit(ARRAY, changed, series_ids=UNITS).history_
    assert_allclose(again["val_loss"], history["val_loss"], rtol=1e-5)


def test_warns_of_series_that_a_cut_in_time_leaves_without_rows():
    ids = np.array(["short"] * 4 + ["long"] * (len(Y) - 4))
    regressor = lstm(early_stopping=True, validation_by="time", validation_fraction=0.3, embargo=2)
    with pytest.warns(UserWarning, match="1 of 2 series have no row in the loss .'short'"):
        regressor.fit(ARRAY, Y, series_ids=ids)


def test_warns_of_digits_that_float32_loses():
    # The same variation far from 0: in the target, then in the second feature.
    for X, y in (
        (ARRAY, Y.astype(np.float64) + 1e8),
        (ARRAY.astype(np.float64) + np.eye(ARRAY.shape[2])[1] * 1e9, Y),
    ):
        with pytest.warns(UserWarning, match="varies by only .* float32"):
            lstm(epochs=1).fit(X, y)


def test_features_in_another_order_raise():
    frame = pd.DataFrame(ARRAY[:, 0], columns=["p", "q"])
    windows = WindowTransformer(4).fit_transform(frame)
    regressor = lstm(min_observed=1).fit(windows, Y)
    with pytest.raises(ValueError, match="in this order"):
        regressor.predict(WindowTransformer(4).fit_transform(frame[["q", "p"]]))


def test_skip_passes_the_last_segment_to_the_output_layer():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4, 2)).astype("float32")
    y = np.stack([3 * X[:, -2, 0], X[:, -1, 1]], axis=1)
    parameters = {"segment_length": 2, "epochs": 20, "learning_rate": 0.05, "random_state": 0}
    net = MultiSeriesLSTMRegressor(1, **parameters).fit(X, y)
    seeing = MultiSeriesLSTMRegressor(1, skip=True, **parameters).fit(X, y)
    assert seeing.score(X, y) > 0.99 > net.score(X, y) + 0.1
    kernel = seeing.model_.get_layer("head").kernel
    assert tuple(kernel.shape) == (1 + 2 * 2, 2)
