"""Tests of PerSeriesScaler, against loops over series, rows and features."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import panels
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils._param_validation import InvalidParameterError

from sklstm import PerSeriesScaler, stack_series

IDS = {"series": "unit", "time": "cycle"}
FEATURES = ["p", "q"]
SCALERS = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "maxabs": MaxAbsScaler(),
    "robust": RobustScaler(),
}
few = settings(max_examples=12, deadline=None)


@st.composite
def odd_panels(draw, dtype="float64", names="abcd"):
    """Draw panels in which a feature of some series is constant or missing."""
    panel = draw(panels(features=FEATURES, dtype=dtype, names=names))
    for feature in FEATURES:
        unit = draw(st.sampled_from([None, *panel["unit"].unique()]))
        if unit is not None:
            value = draw(st.sampled_from([0.0, 0.1, -3e6, np.nan]))
            panel.loc[panel["unit"] == unit, feature] = np.array(value, dtype)
    return panel


# --------------------------------------------------------------- reference implementations
def each_series(panel, function):
    """Apply a function of id and rows to the features of each series, oldest row first."""
    out = panel.copy()
    for unit, rows in panel.sort_values("cycle").groupby("unit"):
        result = function(unit, rows[FEATURES].to_numpy(np.float64))
        out.loc[rows.index, FEATURES] = result.astype(panel["p"].dtype)
    return out


def fit_one(scaler, values):
    with warnings.catch_warnings(action="ignore"):  # of features without values
        return clone(scaler).fit(values)


def scaled_by_loop(scaler, panel, fitted=None):
    """Scale by one scikit-learn scaler per series, and unknown series by that of all rows."""
    fitted = panel if fitted is None else fitted
    own = {
        unit: fit_one(scaler, rows[FEATURES].to_numpy(np.float64))
        for unit, rows in fitted.sort_values("cycle").groupby("unit")
    }
    pooled = fit_one(scaler, fitted[FEATURES].to_numpy(np.float64))
    return each_series(panel, lambda unit, values: own.get(unit, pooled).transform(values))


RULES = {
    "standard": (np.mean, lambda known: 0.0 if np.ptp(known) == 0 else np.std(known)),
    "minmax": (np.min, np.ptp),
    "maxabs": (lambda known: 0.0, lambda known: np.abs(known).max()),
    "robust": (np.median, lambda known: np.subtract(*np.percentile(known, [75, 25]))),
}


def count_center_scale(name, values):
    known = values[~np.isnan(values)]
    center, scale = RULES[name]
    return (len(known), center(known), scale(known)) if len(known) else (0, 0.0, 0.0)


def expanded(name, column, pooled, prior_rows):
    """Scale a feature of one series, each row by the rows up to and including it."""
    _, pooled_center, pooled_scale = count_center_scale(name, pooled)
    out = np.empty(len(column))
    for t in range(len(column)):
        count, center, scale = count_center_scale(name, column[: t + 1])
        own = count / (count + prior_rows) if count else 0.0
        center = own * center + (1 - own) * pooled_center
        scale = own * scale + (1 - own) * pooled_scale
        out[t] = (column[t] - center) / (scale if scale != 0 else 1.0)
    return out


def expanded_by_loop(name, panel, fitted=None, prior_rows=30):
    pooled = (panel if fitted is None else fitted)[FEATURES].to_numpy(np.float64)

    def columns(unit, values):
        each = [expanded(name, values[:, j], pooled[:, j], prior_rows) for j in range(2)]
        return np.stack(each, axis=1)

    return each_series(panel, columns)


def assert_close(result, expected, tolerance=1e-9):
    assert_frame_equal(result, expected, rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------- "fit" and "pooled"
@pytest.mark.parametrize("name", SCALERS)
@given(panel=odd_panels())
@few
def test_fit_equals_one_sklearn_scaler_per_series(name, panel):
    scaler = PerSeriesScaler(name, statistics="fit", **IDS)
    assert_close(scaler.fit_transform(panel), scaled_by_loop(SCALERS[name], panel))


@pytest.mark.parametrize("name", SCALERS)
@given(fitted=panels(), panel=panels(names="bcdef"))
@few
def test_other_rows_are_scaled_by_the_fitted_statistics(name, fitted, panel):
    fitted = fitted.fillna(1.0)  # scikit-learn turns features without a value in fit to NaN
    scaler = PerSeriesScaler(name, statistics="fit", **IDS).fit(fitted)
    assert_close(scaler.transform(panel), scaled_by_loop(SCALERS[name], panel, fitted))


@pytest.mark.parametrize("name", SCALERS)
@given(panel=odd_panels(), later=panels(names="bcdef"))
@few
def test_pooled_equals_one_sklearn_scaler(name, panel, later):
    assume(panel[FEATURES].notna().any().all())
    expected = later.copy()
    expected[FEATURES] = SCALERS[name].fit(panel[FEATURES]).transform(later[FEATURES])
    scaler = PerSeriesScaler(name, statistics="pooled", **IDS).fit(panel)
    assert_close(scaler.transform(later), expected)


@pytest.mark.parametrize("statistics", ["fit", "expanding", "pooled"])
@given(name=st.sampled_from(list(SCALERS)), panel=odd_panels(dtype="float32"))
@few
def test_float32_is_kept_and_as_precise_as_float64(name, statistics, panel):
    scaler = PerSeriesScaler(name, statistics=statistics, **IDS)
    result = scaler.fit_transform(panel)
    exact = scaler.fit_transform(panel.astype(dict.fromkeys(FEATURES, "float64")))
    assert list(result[FEATURES].dtypes) == [np.float32] * 2
    assert_frame_equal(result, exact.astype(dict.fromkeys(FEATURES, "float32")))


@pytest.mark.parametrize(
    "wrapped",
    [
        StandardScaler(with_std=False),
        PowerTransformer(),
        QuantileTransformer(n_quantiles=4, random_state=0),
        FunctionTransformer(np.cbrt),
    ],
    ids=lambda wrapped: type(wrapped).__name__,
)
def test_a_transformer_is_cloned_for_each_series(wrapped):
    rng = np.random.default_rng(0)
    panel = pd.DataFrame({"unit": list("aabbbcccc") * 3, "cycle": rng.permutation(27)})
    panel[FEATURES] = rng.gamma(2.0, size=(27, 2))
    later = panel.assign(unit=panel["unit"].replace("c", "new"), p=panel["p"] + 1)
    fit = PerSeriesScaler(wrapped, statistics="fit", **IDS).fit(panel)
    assert_close(fit.transform(later), scaled_by_loop(wrapped, later, panel))
    assert list(fit.scalers_) == ["a", "b", "c"]
    assert not hasattr(wrapped, "n_features_in_")  # the transformer itself is not fitted
    pooled = PerSeriesScaler(wrapped, statistics="pooled", **IDS).fit(panel)
    expected = later.copy()
    expected[FEATURES] = clone(wrapped).fit(panel[FEATURES]).transform(later[FEATURES])
    assert_close(pooled.transform(later), expected)


def test_statistics_are_public():
    X = pd.DataFrame({"unit": list("bbaa"), "p": [1.0, 3.0, 10.0, 10.0], "q": [2.0, np.nan] * 2})
    scaler = PerSeriesScaler(statistics="fit", series="unit").fit(X)
    assert list(scaler.series_ids_) == ["b", "a"]
    assert_array_equal(scaler.center_, [[2, 2], [10, 2]])
    assert_array_equal(scaler.scale_, [[1, 1], [1, 1]])
    assert_array_equal(scaler.pooled_center_, [6, 2])
    assert_allclose(scaler.pooled_scale_, [np.std(X["p"]), 0])
    assert scaler.n_features_in_ == 3


def test_a_feature_without_known_values_is_scaled_as_in_an_unknown_series():
    X = pd.DataFrame({"unit": list("aabb"), "p": [1.0, 5.0, np.nan, np.nan]})
    scaler = PerSeriesScaler(statistics="fit", series="unit").fit(X)
    result = scaler.transform(pd.DataFrame({"unit": ["b", "z"], "p": [7.0, 7.0]}))
    assert_array_equal(result["p"], [2.0, 2.0])


# ------------------------------------------------------------------------- "expanding"
@pytest.mark.parametrize("prior_rows", [0, 2.5, 30])
@pytest.mark.parametrize("name", SCALERS)
@given(panel=odd_panels())
@few
def test_expanding_equals_a_loop(name, prior_rows, panel):
    scaler = PerSeriesScaler(name, prior_rows=prior_rows, **IDS)
    expected = expanded_by_loop(name, panel, prior_rows=prior_rows)
    assert_close(scaler.fit_transform(panel), expected)


@pytest.mark.parametrize("name", SCALERS)
@given(panel=odd_panels(), data=st.data())
@few
def test_expanding_continues_from_the_fitted_rows(name, panel, data):
    """Each series is divided at a cycle of its own; some have only history, some have none."""
    cuts = {unit: data.draw(st.integers(-1, 20)) for unit in panel["unit"].unique()}
    past = panel["cycle"] <= panel["unit"].map(cuts)
    history, later = panel[past], panel[~past]
    assume(len(history) and len(later))
    scaler = PerSeriesScaler(name, prior_rows=3, **IDS).fit(history)
    whole = scaler.transform(panel)
    assert_close(whole, expanded_by_loop(name, panel, fitted=history, prior_rows=3))
    assert_close(scaler.transform(later), whole[~past])
    assert_frame_equal(whole[past], scaler.fit_transform(history))


@pytest.mark.parametrize("name", SCALERS)
@given(fitted=odd_panels(), panel=odd_panels())
@few
def test_without_time_statistics_start_at_the_first_passed_row(name, fitted, panel):
    panel = panel.sort_values("cycle")
    scaler = PerSeriesScaler(name, prior_rows=3, series="unit", columns=FEATURES).fit(fitted)
    assert_close(scaler.transform(panel), expanded_by_loop(name, panel, fitted, prior_rows=3))


def test_statistics_of_rows_that_were_fitted_start_at_the_first_passed_row():
    X = pd.DataFrame({"unit": "a", "cycle": range(6), "p": [5.0, 1, 4, 2, 8, 3]})
    scaler = PerSeriesScaler(prior_rows=2, **IDS).fit(X[:4])
    new = scaler.transform(X.assign(unit="new"))["p"]
    assert_allclose(scaler.transform(X)["p"], new)
    restarted = scaler.transform(X[2:])["p"]
    assert_allclose(restarted[:2], scaler.transform(X[2:].assign(unit="new"))["p"][:2])
    assert_allclose(restarted[2:], new[4:])


# ---------------------------------------------------------------------- no look-ahead
@pytest.mark.parametrize("time", ["cycle", None])
@pytest.mark.parametrize("statistics", ["expanding", "pooled"])
@pytest.mark.parametrize("name", SCALERS)
@given(fitted=panels(), panel=panels(names="cdef"), data=st.data())
@few
def test_later_rows_never_change_earlier_results(name, statistics, time, fitted, panel, data):
    """Results are equal bit by bit, for rows of fitted series and of others."""
    clock = panel["cycle"] if time else pd.Series(range(len(panel)), index=panel.index)
    late = clock > data.draw(st.integers(int(clock.min()), int(clock.max())))
    scaler = PerSeriesScaler(name, statistics=statistics, prior_rows=3, series="unit", time=time)
    scaler.set_params(columns=FEATURES).fit(fitted)
    before = scaler.transform(panel)[~late]
    changed = panel.copy()
    changed.loc[late, FEATURES] = data.draw(st.sampled_from([1e15, 0.0, np.nan]))
    assert_frame_equal(scaler.transform(changed)[~late], before, check_exact=True)
    assert_frame_equal(scaler.transform(panel[~late]), before, check_exact=True)


# --------------------------------------------------------------------- unknown series
@given(fitted=panels(), panel=panels(names="cdef"))
@few
def test_unknown_expanding_scales_fitted_series_by_stored_statistics(fitted, panel):
    fitted, known = fitted.fillna(1.0), panel["unit"].isin(fitted["unit"])
    scaler = PerSeriesScaler(statistics="fit", unknown="expanding", **IDS).fit(fitted)
    expected = expanded_by_loop("standard", panel, fitted)
    expected[known] = scaled_by_loop(StandardScaler(), panel, fitted)[known]
    assert_close(scaler.transform(panel), expected)


@pytest.mark.parametrize("scaler", ["standard", StandardScaler()])
def test_unknown_error_names_the_series(scaler, panel):
    scaler = PerSeriesScaler(scaler, statistics="fit", unknown="error", **IDS)
    assert_frame_equal(scaler.fit_transform(panel), scaler.transform(panel))
    with pytest.raises(ValueError, match=r"Series \['x', 'y'\] were not seen in fit"):
        scaler.transform(panel.replace({"unit": {"a": "x", "b": "y"}}))


# ------------------------------------------------------------------ where the ids are
@pytest.fixture
def panel():
    """Make three series of 3, 1 and 4 scattered rows."""
    rng = np.random.default_rng(0)
    panel = pd.DataFrame({"unit": list("cacbccaa"), "cycle": [3, 1, 2, 9, 5, 1, 0, 2]})
    panel[FEATURES] = rng.normal(10.0, 3.0, (8, 2))
    panel.index = pd.Index(np.arange(8)[::-1] * 10, name="row")
    return panel


def number_ids(panel):
    return panel.assign(unit=panel["unit"].map({"a": 7.0, "b": -1.0, "c": 2.5}))


FORMS = {
    "levels": (lambda X: X.set_index(["unit", "cycle"]), "unit", "cycle"),
    "level and column": (lambda X: X.set_index("unit"), "unit", "cycle"),
    "last columns": (lambda X: X[["p", "q", "cycle", "unit"]], "unit", "cycle"),
    "positions in a frame": (lambda X: X, 0, 1),
    "negative positions": (lambda X: X, -4, -3),
    "categorical": (lambda X: X.astype({"unit": "category"}), "unit", "cycle"),
    "intervals": (
        lambda X: X.assign(unit=pd.cut(number_ids(X)["unit"], [-2, 0, 5, 9])),
        "unit",
        "cycle",
    ),
    "dates": (
        lambda X: X.assign(cycle=pd.Timestamp("2020") + pd.to_timedelta(X["cycle"], "h")),
        "unit",
        "cycle",
    ),
    "object array": (lambda X: X.to_numpy(object), 0, 1),
    "float array": (lambda X: number_ids(X).to_numpy(np.float64), 0, 1),
    "nested list": (lambda X: number_ids(X).to_numpy().tolist(), 0, 1),
}


@pytest.mark.parametrize("statistics", ["fit", "expanding"])
@pytest.mark.parametrize("form", FORMS)
def test_ids_may_be_columns_or_index_levels(form, statistics, panel):
    change, series, time = FORMS[form]
    options = {"statistics": statistics, "prior_rows": 3}
    expected = PerSeriesScaler(**options, **IDS).fit(panel[2:]).transform(panel)[FEATURES]
    scaler = PerSeriesScaler(**options, series=series, time=time).fit(change(panel[2:]))
    result = scaler.transform(change(panel))
    if isinstance(result, pd.DataFrame):
        assert_array_equal(result[FEATURES], expected)
    else:
        assert_array_equal(result[:, 2:].astype(float), expected)


@pytest.mark.parametrize("statistics", ["fit", "expanding", "pooled"])
def test_without_ids_all_rows_are_one_series(statistics, panel):
    result = PerSeriesScaler(statistics=statistics).fit_transform(panel[FEATURES])
    one = panel.assign(unit=1)[["unit", *FEATURES]]
    expected = PerSeriesScaler(statistics=statistics, series="unit").fit_transform(one)
    assert_frame_equal(result, expected[FEATURES])


def test_any_column_may_group_the_rows():
    X = pd.DataFrame({"machine": [1, 1, 2, 2], "regime": [0, 1, 0, 1], "p": [1.0, 10, 3, 30]})
    scaler = PerSeriesScaler(statistics="fit", series="regime", columns="p")
    assert_array_equal(scaler.fit_transform(X)["p"], [-1, -1, 1, 1])


# --------------------------------------------------------------- numerical robustness
def test_a_small_deviation_at_a_high_level_is_precise():
    values = 1e9 + np.random.default_rng(0).normal(size=200)
    X = pd.DataFrame({"unit": 0, "cycle": range(200), "p": values})
    expected = expanded("standard", values, values, prior_rows=0)
    whole = PerSeriesScaler(prior_rows=0, **IDS).fit_transform(X)
    assert_allclose(whole["p"], expected, atol=1e-5)
    later = PerSeriesScaler(prior_rows=0, **IDS).fit(X[:100]).transform(X[100:])
    assert_allclose(later["p"], expected[100:], atol=1e-6)
    fit = PerSeriesScaler(statistics="fit", **IDS).fit_transform(X)
    assert_allclose(fit["p"], (values - values.mean()) / values.std(), atol=1e-6)


@pytest.mark.parametrize("name", SCALERS)
@pytest.mark.parametrize("options", [{"statistics": "fit"}, {"prior_rows": 0}])
def test_a_huge_series_does_not_change_the_others(name, options, panel):
    wild = panel.copy()
    wild.loc[wild["unit"] == "a", FEATURES] *= 1e15
    scaler = PerSeriesScaler(name, **options, **IDS)
    others = panel["unit"] != "a"
    calm = scaler.fit_transform(panel)[others]
    assert_frame_equal(scaler.fit_transform(wild)[others], calm, check_exact=True)


@pytest.mark.parametrize("statistics", ["fit", "expanding", "pooled"])
@pytest.mark.parametrize("name", SCALERS)
def test_constant_features_are_centered_and_not_divided(name, statistics):
    X = pd.DataFrame({"unit": list("aaabb"), "p": 0.1, "q": 0.0})
    result = PerSeriesScaler(name, statistics=statistics, series="unit").fit_transform(X)
    assert_allclose(result["p"], 1.0 if name == "maxabs" else 0.0, atol=1e-15)
    assert_array_equal(result["q"], np.zeros(5))


def test_very_many_series():
    """A Python loop over these series would take minutes."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"unit": rng.integers(0, 200_000, 400_000), "p": rng.normal(size=400_000)})
    fit = PerSeriesScaler(statistics="fit", series="unit").fit_transform(X)["p"]
    groups = X.groupby("unit")["p"]
    deviation = groups.transform("std", ddof=0)
    expected = (X["p"] - groups.transform("mean")) / deviation.where(deviation > 0, 1.0)
    assert_allclose(fit, expected, atol=1e-9)
    PerSeriesScaler(series="unit").fit_transform(X)


# ------------------------------------------------------------------------ partial_fit
@pytest.mark.parametrize("statistics", ["fit", "expanding", "pooled"])
@pytest.mark.parametrize("name", ["standard", "minmax", "maxabs", "wrapped"])
@given(panel=odd_panels(), later=panels(), data=st.data())
@few
def test_partial_fit_equals_fit_on_all_rows(name, statistics, panel, later, data):
    """Chunks contain rows of new series, and later or earlier rows of fitted series."""
    if name == "wrapped":
        name, statistics = StandardScaler(), "pooled" if statistics == "pooled" else "fit"
        panel = panel.dropna()  # a clone without known values cannot scale
        assume(len(panel))
    scaler = PerSeriesScaler(name, statistics=statistics, prior_rows=3, **IDS)
    chunk = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 3, len(panel))
    in_chunks = clone(scaler)
    for number in np.unique(chunk):
        assert in_chunks.partial_fit(panel[chunk == number]) is in_chunks
    scaler.fit(panel)
    assert_close(in_chunks.transform(later), scaler.transform(later), 1e-8)
    if statistics == "fit" and isinstance(name, str):
        assert set(in_chunks.series_ids_) == set(scaler.series_ids_)
        order = in_chunks.series_ids_.get_indexer(scaler.series_ids_)
        assert_allclose(in_chunks.center_[order], scaler.center_, atol=1e-12)
        assert_allclose(in_chunks.scale_[order], scaler.scale_, atol=1e-12)


@pytest.mark.parametrize("scaler", ["robust", RobustScaler(), PowerTransformer()])
def test_partial_fit_exists_only_if_statistics_can_be_merged(scaler, panel):
    scaler = PerSeriesScaler(scaler, statistics="fit", **IDS)
    assert not hasattr(scaler, "partial_fit")
    with pytest.raises(AttributeError, match="no attribute 'partial_fit'") as raised:
        scaler.fit(panel).partial_fit(panel)
    assert "Call fit with all rows" in str(raised.value.__cause__)


def test_fit_discards_the_statistics_of_partial_fit(panel):
    other = panel.assign(unit="z", cycle=range(8), p=0.0)
    scaler = PerSeriesScaler(statistics="fit", **IDS)
    expected = scaler.fit_transform(panel)
    assert_frame_equal(scaler.partial_fit(other).fit(panel).transform(panel), expected)
    assert list(scaler.series_ids_) == list("cab")


# ------------------------------------------------------------------------- failed refits
@pytest.mark.parametrize("method", ["fit", "fit_transform", "partial_fit"])
@pytest.mark.parametrize("scaler", ["standard", StandardScaler()])
@pytest.mark.parametrize(
    "change",
    [
        {"p": np.inf},
        {"cycle": pd.date_range("2020", periods=8), "p": np.inf},
        {"q": [*range(7), np.inf], "r": 1.0},
    ],
    ids=["values", "time", "columns"],
)
def test_a_failed_refit_keeps_the_earlier_fit(panel, scaler, change, method):
    scaler = PerSeriesScaler(scaler, statistics="fit", **IDS).fit(panel)
    state, expected = pickle.dumps(scaler), scaler.transform(panel)
    with pytest.raises(ValueError):
        getattr(scaler, method)(panel.assign(**change))
    assert pickle.dumps(scaler) == state
    assert_frame_equal(scaler.transform(panel), expected)


class Interrupted(StandardScaler):
    """Raise KeyboardInterrupt when the series with a value of 1e6 is fitted."""

    def partial_fit(self, X, y=None, sample_weight=None):
        super().partial_fit(X)
        if (X == 1e6).any() and len(X) < 8:
            raise KeyboardInterrupt
        return self


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_interrupted_refit_keeps_the_earlier_fit(panel, method):
    scaler = PerSeriesScaler(Interrupted(), statistics="fit", **IDS).fit(panel)
    new = panel.assign(unit=panel["unit"] + "x")
    expected, expected_new = scaler.transform(panel), scaler.transform(new)
    with pytest.raises(KeyboardInterrupt):
        getattr(scaler, method)(panel.assign(p=[*range(7), 1e6]))
    assert_frame_equal(scaler.transform(panel), expected)
    assert_frame_equal(scaler.transform(new), expected_new)


# ------------------------------------------------------------------- inverse_transform
STORED = [(name, statistics) for name in SCALERS for statistics in ("fit", "pooled")]


@pytest.mark.parametrize(
    "scaler, statistics",
    [*STORED, (PowerTransformer(), "fit"), (MinMaxScaler((-1, 1)), "pooled")],
)
def test_inverse_transform_inverts_transform(scaler, statistics, panel):
    fitted = pd.concat([panel, panel.assign(cycle=panel["cycle"] + 20, p=panel["p"] ** 2)])
    scaler = PerSeriesScaler(scaler, statistics=statistics, **IDS).fit(fitted)
    panel = panel.replace({"unit": {"a": "new"}})
    panel.iloc[0, 2] = np.nan
    scaled = scaler.transform(panel)
    assert not np.isclose(scaled[FEATURES], panel[FEATURES]).any()
    # The inverse of PowerTransformer has more rounding errors with scipy 1.18.
    assert_close(scaler.inverse_transform(scaled), panel, 1e-7)


def test_inverse_transform_of_expanding_statistics_raises(panel):
    expanding = PerSeriesScaler(**IDS).fit(panel)
    with pytest.raises(ValueError, match="inverse_transform needs stored statistics"):
        expanding.inverse_transform(panel)
    unseen = PerSeriesScaler(statistics="fit", unknown="expanding", **IDS).fit(panel)
    assert_close(unseen.inverse_transform(unseen.transform(panel)), panel)
    with pytest.raises(ValueError, match="inverse_transform needs stored statistics"):
        unseen.inverse_transform(panel.replace({"unit": {"a": "new"}}))


# ------------------------------------------------------------------------- containers
@pytest.fixture
def mixed(panel):
    """Make a panel with columns of many types between the features."""
    mixed = panel.astype({"unit": "category", "cycle": "int16", "p": "int64"})
    mixed.insert(3, "note", [f"n{row}" for row in range(8)])
    mixed.insert(4, "day", pd.date_range("2020", periods=8, tz="UTC"))
    return mixed


ALL = ["expanding", "fit", "pooled"]


@pytest.mark.parametrize("statistics", ALL)
@pytest.mark.parametrize("columns", [FEATURES, ["q", "p"], [2, 5], ("p", -1), pd.Index(FEATURES)])
def test_a_frame_returns_a_frame_with_other_columns_unchanged(mixed, statistics, columns):
    before = mixed.copy(deep=True)
    scaler = PerSeriesScaler(statistics=statistics, columns=columns, **IDS)
    result = scaler.fit_transform(mixed)
    assert_frame_equal(mixed, before)
    others = ["unit", "cycle", "note", "day"]
    assert_frame_equal(result[others], mixed[others])
    assert list(result.columns) == list(mixed.columns)
    expected = PerSeriesScaler(statistics=statistics, **IDS).fit_transform(
        mixed.drop(columns=["note", "day"])
    )
    assert_frame_equal(result[FEATURES], expected[FEATURES])


@pytest.mark.parametrize("columns", ["p", 2, ["p"]])
def test_features_that_are_not_named_are_unchanged(panel, columns):
    result = PerSeriesScaler(statistics="fit", columns=columns, **IDS).fit_transform(panel)
    assert_frame_equal(result.drop(columns="p"), panel.drop(columns="p"))
    assert not np.allclose(result["p"], panel["p"])


def test_changing_the_output_does_not_change_the_input(panel):
    before = panel.copy(deep=True)
    result = PerSeriesScaler(**IDS).fit_transform(panel)
    result.iloc[:, :] = result.iloc[::-1].to_numpy()
    assert_frame_equal(panel, before)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "object"])
def test_an_array_returns_an_array(panel, dtype):
    X = number_ids(panel).to_numpy().astype(dtype)
    before = X.copy()
    result = PerSeriesScaler(series=0, time=1).fit_transform(X)
    assert isinstance(result, np.ndarray)
    assert result.dtype == ("float64" if dtype == "int32" else dtype)
    assert_array_equal(result[:, :2], X[:, :2])
    assert_array_equal(X, before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_plain_array_is_scaled_in_a_copy(dtype):
    X = np.random.default_rng(0).normal(size=(5, 2)).astype(dtype)
    before = X.copy()
    result = PerSeriesScaler().fit_transform(X)
    assert result.dtype == dtype
    assert_array_equal(X, before)
    assert not np.shares_memory(result, X)


def test_string_ids_in_an_object_array(panel):
    X = panel.to_numpy(object)
    result = PerSeriesScaler(statistics="fit", series=0, time=1).fit_transform(X)
    expected = PerSeriesScaler(statistics="fit", **IDS).fit_transform(panel)
    assert_array_equal(result, expected.to_numpy(object))


def test_feature_names_are_those_of_the_columns(panel):
    framed = PerSeriesScaler(**IDS).fit(panel)
    assert list(framed.get_feature_names_out()) == list(framed.feature_names_in_)
    assert list(framed.feature_names_in_) == list(panel.columns)
    plain = PerSeriesScaler(series=0).fit(number_ids(panel).to_numpy())
    assert list(plain.get_feature_names_out()) == ["x0", "x1", "x2", "x3"]


def test_set_output_returns_a_frame_for_an_array(panel):
    X = number_ids(panel).to_numpy()
    scaler = PerSeriesScaler(series=0, time=1)
    expected = pd.DataFrame(scaler.fit_transform(X), columns=["x0", "x1", "x2", "x3"])
    assert_frame_equal(scaler.set_output(transform="pandas").fit_transform(X), expected)


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_a_frame_returns_the_same_frame_for_any_set_output(panel, output):
    indexed = panel.set_index(["unit", "cycle"])
    for X in (panel, indexed):
        expected = PerSeriesScaler(**IDS).fit_transform(X)
        assert_frame_equal(
            PerSeriesScaler(**IDS).set_output(transform=output).fit_transform(X), expected
        )
        with config_context(transform_output=output):
            assert_frame_equal(PerSeriesScaler(**IDS).fit_transform(X), expected)
            wrapped = PerSeriesScaler(StandardScaler(), statistics="fit", **IDS)
            plain = PerSeriesScaler(statistics="fit", **IDS)
            assert_close(wrapped.fit_transform(X), plain.fit_transform(X))


def test_columns_named_by_numbers_keep_their_names_for_any_set_output(panel):
    X = number_ids(panel).set_axis(range(4), axis=1)
    result = PerSeriesScaler(series=0).set_output(transform="pandas").fit_transform(X)
    assert list(result.columns) == [0, 1, 2, 3]


# --------------------------------------------------------------- an ordinary estimator
def test_clone_and_pickle(panel):
    scaler = PerSeriesScaler("robust", prior_rows=5, columns=["p"], **IDS).fit(panel[2:])
    copies = [clone(scaler).fit(panel[2:]), pickle.loads(pickle.dumps(scaler))]
    for copy in copies:
        assert copy.get_params() == scaler.get_params()
        assert_frame_equal(copy.transform(panel), scaler.transform(panel))
    with pytest.raises(NotFittedError):
        clone(scaler).transform(panel)


def test_remembered_rows_are_copies():
    """Quartiles continue from remembered rows; the caller may change its own."""
    X = stack_series({"a": np.arange(8.0).reshape(4, 2)})
    later = X.copy(deep=True).rename(index=lambda step: step + 4, level="time")
    scaler = PerSeriesScaler("robust", prior_rows=0, series="series", time="time").fit(X)
    expected = scaler.transform(later)
    X.iloc[:3] = 1e6
    assert_frame_equal(scaler.transform(later), expected)


def test_grid_search_in_a_pipeline(panel):
    X = panel.assign(unit=panel["unit"].map({"a": 0, "b": 1, "c": 2}))
    pipeline = make_pipeline(
        PerSeriesScaler(**IDS), FunctionTransformer(lambda X: X[FEATURES]), Ridge()
    )
    grid = {
        "perseriesscaler__statistics": ["expanding", "fit", "pooled"],
        "perseriesscaler__scaler": list(SCALERS),
    }
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, X["p"])
    assert search.predict(X).shape == (8,)
    assert len(search.cv_results_["params"]) == 12


def test_parameters_of_a_wrapped_transformer_can_be_set(panel):
    scaler = PerSeriesScaler(StandardScaler(), statistics="fit", **IDS)
    scaler.set_params(scaler__with_std=False)
    centred = scaler.fit_transform(panel)[FEATURES]
    assert_allclose(centred, panel[FEATURES] - panel.groupby("unit")[FEATURES].transform("mean"))


# ------------------------------------------------------------------------ invalid input
@pytest.mark.parametrize(
    "options, change, message",
    [
        ({"series": "machine"}, None, "series='machine' is neither a column nor an index level"),
        ({"series": ["unit", "p"]}, None, "is neither .*Expected one name. Combine"),
        ({"time": "date"}, None, "An earlier step may have dropped it"),
        ({"columns": ["p", "r"]}, None, "columns= contains 'r', which is not a column of X"),
        ({"columns": ["p", "unit"]}, None, "columns= contains 'unit', which is the series id"),
        ({"columns": []}, None, "columns is empty"),
        ({}, {"unit": [None, *"acbccaa"]}, r"id \('unit'\) is missing \(NaN or None\) in 1 of 8"),
        ({}, {"cycle": [np.nan, *range(7)]}, r"time \('cycle'\) is missing .* in 1 of 8 rows"),
        ({}, {"cycle": 1}, r"5 rows repeat a \(series, time\) pair; the first are rows 0 and 2"),
        ({}, {"p": np.inf}, "Input X contains infinity"),
        ({}, {"p": "high"}, "Feature 'p' holds text"),
        ({"scaler": PolynomialFeatures(), "statistics": "fit"}, None, "must keep rows and columns"),
        ({"scaler": StandardScaler()}, None, "has no expanding statistics: choose"),
        (
            {"scaler": StandardScaler(), "statistics": "fit", "unknown": "expanding"},
            None,
            "has no expanding statistics: choose",
        ),
    ],
)
def test_invalid_input_raises(panel, options, change, message):
    scaler = PerSeriesScaler(**{**IDS, **options})
    with pytest.raises(ValueError, match=message):
        scaler.fit_transform(panel.assign(**(change or {})))


@pytest.mark.parametrize(
    "parameter, value",
    [
        ("scaler", "z-score"),
        ("scaler", Ridge()),
        ("statistics", "rolling"),
        ("unknown", "raise"),
        ("prior_rows", -1),
        ("prior_rows", np.inf),
        ("columns", 1.5),
        ("time", 1.5),
    ],
)
def test_invalid_parameters_raise(panel, parameter, value):
    with pytest.raises(InvalidParameterError, match=f"The '{parameter}' parameter"):
        PerSeriesScaler(**{parameter: value}).fit(panel)


@pytest.mark.parametrize("scaler", ["standard", "robust", StandardScaler()])
def test_an_empty_panel_raises(panel, scaler):
    scaler = PerSeriesScaler(scaler, statistics="fit", **IDS)
    for X in (panel[:0], panel.set_index(["unit", "cycle"])[:0]):
        with pytest.raises(ValueError, match="the panel is empty"):
            scaler.fit(X)
    with pytest.raises(ValueError, match="the panel is empty"):
        scaler.fit(panel).transform(panel[:0])


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda X: X[["unit", "cycle", "q", "p"]], "must be in the same order"),
        (lambda X: X.drop(columns="q"), "Feature names seen at fit time, yet now missing"),
        (lambda X: X.assign(r=1.0), "Feature names unseen at fit time"),
        (lambda X: X.replace(X["p"].iloc[0], np.inf), "Input X contains infinity"),
        (
            lambda X: X.assign(cycle=pd.date_range("2020", periods=8)),
            "The time was numbers in fit and is dates now",
        ),
    ],
)
@pytest.mark.parametrize("method", ["transform", "inverse_transform", "partial_fit"])
def test_a_panel_unlike_the_fitted_one_raises(panel, method, change, message):
    scaler = PerSeriesScaler(statistics="fit", **IDS).fit(panel)
    with pytest.raises(ValueError, match=message):
        getattr(scaler, method)(change(panel))


def test_an_array_with_another_number_of_columns_raises(panel):
    X = number_ids(panel).to_numpy()
    with pytest.raises(ValueError, match="X has 3 features, but PerSeriesScaler is expecting 4"):
        PerSeriesScaler(series=0).fit(X).transform(X[:, :3])


def test_ids_dropped_by_an_earlier_step_raise(panel):
    pipeline = make_pipeline(StandardScaler(), PerSeriesScaler(series="unit"))
    with pytest.raises(ValueError, match=r"set_output\(transform='pandas'\)"):
        pipeline.fit(number_ids(panel))


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_unfitted_use_raises(panel, method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(PerSeriesScaler(**IDS), method)(panel)


def test_a_panel_without_features_raises(panel):
    with pytest.raises(ValueError, match="feature"):
        PerSeriesScaler(**IDS).fit(panel[["unit", "cycle"]])


def test_a_text_feature_raises_an_error_that_names_it(panel):
    X = panel.assign(p=pd.Series("high", index=panel.index, dtype=object))
    with pytest.raises(ValueError, match="'p'"):
        PerSeriesScaler(**IDS).fit(X)


def test_ids_that_floats_cannot_hold_raise():
    X = np.array([[2**53, 1], [2**53 + 1, 100]])
    with pytest.raises(ValueError, match="ids are too large"):
        PerSeriesScaler(series=0).fit_transform(X)
    result = PerSeriesScaler(series=0).fit_transform(X.astype(object))
    assert result[:, 0].tolist() == [2**53, 2**53 + 1]


@pytest.mark.parametrize(
    "change", [{"statistics": "fit"}, {"columns": ["p"]}, {"scaler": "minmax"}]
)
def test_parameters_changed_since_fit_raise(panel, change):
    scaler = PerSeriesScaler(**IDS).fit(panel)
    with pytest.raises(ValueError, match=f"{next(iter(change))} changed since fit"):
        scaler.set_params(**change).transform(panel)


# ---------------------------------------------------------------------- blocks of rows
@few
@given(panel=panels(features=FEATURES, dtype="float32"), block=st.integers(1, 12))
@pytest.mark.parametrize("statistics", ["fit", "expanding", "pooled"])
@pytest.mark.parametrize("name", SCALERS)
def test_results_do_not_depend_on_blocks(name, statistics, panel, block):
    scaler = PerSeriesScaler(name, statistics=statistics, **IDS)
    early = panel["cycle"] <= panel["cycle"].median()
    results = []
    for block_values in (block, 2**16):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sklstm._panel.run_statistics.BLOCK_VALUES", block_values)
            results.append((scaler.fit_transform(panel), scaler.fit(panel[early]).transform(panel)))
    for cut, whole in zip(*results, strict=True):
        assert cut["p"].dtype == np.float32
        assert_frame_equal(cut, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("statistics", ["fit", "expanding", "pooled"])
def test_fit_transform_equals_fit_then_transform(statistics):
    rng = np.random.default_rng(0)
    panel = pd.DataFrame({"unit": rng.integers(0, 4, 200), "cycle": rng.permutation(200)})
    panel[FEATURES] = rng.normal(5, 3, (200, 2)).astype(np.float32)
    for options in (IDS, {"series": "unit"}):
        scaler = PerSeriesScaler(statistics=statistics, **options)
        given = panel if options is IDS else panel.drop(columns="cycle")
        assert_frame_equal(scaler.fit_transform(given), scaler.fit(given).transform(given))


class Centered:
    """A transformer without a representation of its own: the default one shows its address."""

    def get_params(self, deep=True):
        return {}

    def fit(self, X, y=None):
        self.center_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return X - self.center_


def test_pickles_with_a_transformer_that_shows_its_address():
    X = pd.DataFrame({"unit": ["a", "a", "b"], "p": [1.0, 3.0, 5.0]})
    scaler = PerSeriesScaler(Centered(), statistics="fit", series="unit").fit(X)
    assert_frame_equal(pickle.loads(pickle.dumps(scaler)).transform(X), scaler.transform(X))
