"""Dtypes of ids, time, features and targets: each is read exactly, or a clear error."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from helpers import lstm
from numpy.testing import assert_array_equal

from sklstm import (
    PerSeriesScaler,
    WindowTransformer,
    make_targets,
    series_weights,
    stack_series,
)
from sklstm.metrics import mase, smape

N_ROWS = 6
ORDER = [3, 1, 0, 2, 5, 4]
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(day) for day in range(N_ROWS)]
STAMPS = [dt.datetime(2024, 1, 1) + dt.timedelta(day) for day in range(N_ROWS)]
NUMBERS = np.arange(N_ROWS)


def arrow(values, name, *args):
    pyarrow = pytest.importorskip("pyarrow")
    return pd.array(values, dtype=pd.ArrowDtype(getattr(pyarrow, name)(*args)))


TIMES = {
    **{kind: lambda kind=kind: NUMBERS.astype(kind) for kind in ("i1", "u8", "f2", "f4", "g")},
    "object": lambda: NUMBERS.astype(object),
    "Int64": lambda: pd.array(NUMBERS, dtype="Int64"),
    "UInt64": lambda: pd.array(NUMBERS, dtype="UInt64"),
    "date": lambda: np.array(DAYS, dtype=object),
    "datetime": lambda: np.array(STAMPS, dtype=object),
    "timedelta": lambda: np.array([dt.timedelta(int(day)) for day in NUMBERS], dtype=object),
    "datetime64[s]": lambda: np.array(DAYS, dtype="M8[s]"),
    "time zone": lambda: pd.date_range("2024", periods=N_ROWS, tz="Europe/Berlin"),
    "period": lambda: pd.period_range("2024", periods=N_ROWS, freq="M"),
    "Arrow int": lambda: arrow(NUMBERS, "int64"),
    "Arrow half": lambda: arrow(NUMBERS.astype("f2"), "float16"),
    "Arrow date32": lambda: arrow(DAYS, "date32"),
    "Arrow date64": lambda: arrow(DAYS, "date64"),
    "Arrow timestamp": lambda: arrow(STAMPS, "timestamp", "us"),
    "Arrow time zone": lambda: arrow(STAMPS, "timestamp", "us", "UTC"),
    "Arrow duration": lambda: arrow([s - STAMPS[0] for s in STAMPS], "duration", "ms"),
}
IDS = TIMES | {
    "bool": lambda: np.array([False, True] * 3),
    "large uint64": lambda: NUMBERS.astype("u8") + np.uint64(2**63),
    "str": lambda: np.array(list("abcdef")),
    "bytes": lambda: np.array(list("abcdef"), dtype="S1"),
    "string": lambda: pd.array(list("abcdef"), dtype="string"),
    "Arrow string": lambda: arrow(list("abcdef"), "string"),
    "categorical": lambda: pd.Categorical(list("abcdef")),
    "tuples": lambda: pd.Series([(i,) for i in NUMBERS]).array,
}


# ----------------------------------------------------------------------------- time and ids
def skip_without_index(kind):
    """Skip the test if pandas has no index of this dtype."""
    if kind == "f2" or (kind == "Arrow half" and pd.__version__ < "3"):
        pytest.skip("pandas has no float16 index")


@pytest.mark.parametrize("kind", TIMES)
@pytest.mark.parametrize("place", ["column", "index"])
def test_time_of_every_dtype_orders_the_rows(kind, place):
    X = pd.DataFrame({"time": TIMES[kind](), "v": NUMBERS.astype(float)}).iloc[ORDER]
    if place == "index":
        skip_without_index(kind)
        X = X.set_index("time")
    windows = WindowTransformer(2, padding="nan", output="2d", time="time").fit(X.iloc[:4])
    assert_array_equal(windows.transform(X), [[2, 3], [0, 1], [np.nan, 0], [1, 2], [4, 5], [3, 4]])
    scaled = PerSeriesScaler("minmax", statistics="pooled", time="time").fit_transform(X)
    assert_array_equal(scaled["v"], np.array(ORDER) / 5)
    assert_array_equal(make_targets(X, time="time")["v_lead1"], [4, 2, 1, 3, np.nan, 5])


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("place", ["column", "index"])
def test_ids_of_every_dtype_separate_the_series(kind, place):
    ids = IDS[kind]()
    if place == "index":
        skip_without_index(kind)
    names = [hash(name) for name in ids]
    X = pd.DataFrame({"id": ids, "v": NUMBERS.astype(float)})
    X = pd.concat([X, X.assign(v=X["v"] + 10)], ignore_index=True)
    values, names = X["v"].tolist(), names * 2
    weights = series_weights(X["id"])
    if place == "index":
        X = X.set_index("id")
    before = [
        next((v for v, n in zip(values[:i][::-1], names[:i][::-1], strict=True) if n == name), None)
        for i, name in enumerate(names)
    ]
    windows = WindowTransformer(2, padding="nan", output="2d", series="id").fit_transform(X)
    assert_array_equal(windows, np.column_stack([np.array(before, float), values]))
    own = [[v for v, n in zip(values, names, strict=True) if n == name] for name in names]
    scaler = PerSeriesScaler("minmax", statistics="fit", unknown="error", series="id").fit(X)
    scaled = scaler.transform(X)["v"]
    expected = [(v - min(o)) / (max(o) - min(o)) for v, o in zip(values, own, strict=True)]
    assert_array_equal(scaled, expected)
    assert_array_equal(weights, 1.0)


@pytest.mark.parametrize(
    ("time", "message"),
    [
        (NUMBERS.astype("u8") + np.uint64(2**63 - 3), r"unsigned integers up to .*at most 2\*\*63"),
        (NUMBERS.astype(object) + 2**70, "must hold numbers, dates or periods, got dtype object"),
        (np.array(["1500-01-01"] * 6, "M8[s]"), "from 1500-01-01 .* expected dates from 1677"),
        (np.array([dt.date(2500, 1, 1)] * 6), "from 2500-01-01 .* expected dates from 1677"),
        (NUMBERS.astype("m8[D]") + np.timedelta64(10**6, "D"), "expected at most 292 years"),
        (NUMBERS.astype(complex), "got dtype complex128"),
        (np.array([str(n) for n in NUMBERS]), "Convert text to dates"),
        (NUMBERS > 2, "got dtype bool"),
    ],
    ids=["uint64", "huge", "year 1500", "year 2500", "long", "complex", "text", "bool"],
)
def test_other_times_raise_a_clear_error(time, message):
    X = pd.DataFrame({"time": time, "v": 1.0})
    for read in (WindowTransformer(time="time").fit, PerSeriesScaler(time="time").fit):
        with pytest.raises(ValueError, match=message):
            read(X)


def test_wide_floats_that_float64_cannot_hold_raise():
    wide = np.longdouble(1) + np.arange(4) * np.finfo(np.longdouble).eps
    if len(set(wide.astype(float))) == 4:
        pytest.skip("longdouble is float64 on this platform")
    X = pd.DataFrame({"id": wide, "v": 1.0})
    for names in ({"series": "id"}, {"time": "id"}):
        with pytest.raises(ValueError, match="float64 cannot hold exactly. Convert"):
            WindowTransformer(**names).fit(X)


# --------------------------------------------------------------------------------- features
TEXT = [
    np.array([["1"], ["2"]]),
    np.array([["1"], ["2"]], dtype=object),
    np.array([[b"1"], [b"2"]]),
    np.array([["2024-01-01"], ["2024-01-02"]], dtype="M8[D]"),
    np.array([[dt.date(2024, 1, 1)], [dt.date(2024, 1, 2)]]),
    [["1"], ["2"]],
    pd.DataFrame({"v": ["1", "2"]}),
    pd.DataFrame({"v": ["1", "2"]}, dtype=object),
    pd.DataFrame({"v": [b"1", b"2"]}, dtype=object),
    pd.DataFrame({"v": ["1", "2"]}, dtype="string"),
]


@pytest.mark.parametrize("X", TEXT, ids=lambda X: type(X).__name__)
def test_text_and_dates_are_no_features(X):
    for estimator in (WindowTransformer(2), PerSeriesScaler()):
        with pytest.raises(ValueError, match="expected numbers"):
            estimator.fit(X)
    with pytest.raises(ValueError, match="expected numbers"):
        make_targets(X)


# ---------------------------------------------------------------------------- masked arrays
def masked(values, mask, dtype=None):
    return np.ma.array(values, mask=mask, dtype=dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "O"])
def test_masked_features_are_missing(dtype):
    values = np.array([[0, 0, 5], [0, 1, 7], [0, 2, 9], [1, 0, 11]])
    X = masked(values, values == 7, dtype)
    expected = np.where(values == 7, np.nan, values).astype("f4" if dtype == "f4" else "f8")
    ids = {"series": 0, "time": 1}
    for names in (ids, {}):
        windows = WindowTransformer(2, output="2d", **names)
        assert_array_equal(windows.fit_transform(X), windows.fit_transform(expected))
        scaler = PerSeriesScaler(**names)
        assert_array_equal(
            np.asarray(scaler.fit_transform(X), float), scaler.fit_transform(expected)
        )
        assert_array_equal(make_targets(X, **names), make_targets(expected, **names))
        assert np.isnan(windows.transform(X)).any()
    others = PerSeriesScaler(columns=[0]).fit_transform(X)
    assert_array_equal(np.asarray(others, float)[:, 1:], expected[:, 1:])


@pytest.mark.parametrize(("column", "message"), [(0, "series id is missing"), (1, "time is miss")])
def test_masked_ids_raise(column, message):
    X = np.ma.array(np.arange(12.0).reshape(4, 3), mask=False)
    X[2, column] = np.ma.masked
    for estimator in (WindowTransformer(2, series=0, time=1), PerSeriesScaler(series=0, time=1)):
        with pytest.raises(ValueError, match=message):
            estimator.fit(X)


def test_masked_integers_that_float64_cannot_hold_raise():
    X = masked([[2**53 + 1], [1]], [[False], [True]])
    with pytest.raises(ValueError, match="too large for float64"):
        WindowTransformer(2).fit(X)


def test_masked_ids_beside_the_rows_raise():
    with pytest.raises(ValueError, match="series id is missing .* in 1 of 3 rows"):
        series_weights(masked([1, 1, 2], [False, True, False]))
    with pytest.raises(ValueError, match="NaN"):
        series_weights([1, 1, 2], sample_weight=masked([1.0, 1, 2], [False, True, False]))


def test_masked_arrays_are_stacked_with_their_gaps():
    panel = stack_series([masked([1.0, 2, 3], [False, True, False])])
    assert_array_equal(panel["x0"], [1, np.nan, 3])


def test_masked_targets_are_missing_targets():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 2, 1)), rng.normal(size=20)
    mask = rng.random(20) < 0.3
    y[mask] = 1e6  # hidden by the mask
    net = lstm(epochs=1).fit(X, masked(y, mask))
    same = lstm(epochs=1).fit(X, np.where(mask, np.nan, y))
    assert_array_equal(net.predict(X), same.predict(X))
    with pytest.raises(ValueError, match="NaN"):
        lstm(epochs=1).fit(masked(X, X > 1), y)


def test_masked_values_do_not_enter_metrics():
    true, mask = np.array([1.0, 2.0, 1e9]), [False, False, True]
    predicted = np.array([1.5, 2.5, 3.0])
    hidden = np.where(mask, np.nan, true)
    for metric in (smape, lambda t, p: mase(t, p, scale=2.0)):
        assert metric(masked(true, mask), predicted) == metric(hidden, predicted)
    with pytest.raises(ValueError, match="NaN"):
        smape(true, masked(predicted, mask))
