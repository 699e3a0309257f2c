"""Tests of WindowTransformer, mostly against a plain loop over rows and lags."""

import pickle
import warnings
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from helpers import panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

from sklstm import Windows, WindowTransformer

IDS = {"series": "unit", "time": "cycle"}
OUTPUTS = ["windows", "3d", "2d"]
FEATURES = ["p", "q"]
# The random panels of these tests are often passed to windows that were fitted on others, with
# rows between those of fit. The warning of that is right, and tests/_panel/test_torn.py tests it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*max_gap=.* cuts the windows"),
    pytest.mark.filterwarnings("ignore:.*fall between rows used in fit"),
]


# -------------------------------------------------------------------- plain loops
def rows_by_unit(panel):
    """Return the rows of each series as (cycle, features), oldest first."""
    rows = {unit: [] for unit in panel["unit"]}
    for unit, cycle, *features in panel[["unit", "cycle", *FEATURES]].to_numpy(object):
        rows[unit].append((cycle, features))
    return {unit: sorted(rows[unit], key=lambda row: row[0]) for unit in rows}


def visible_rows(rows, known, cycle):
    """Return the rows that the window at `cycle` may contain, oldest first, ignoring gaps.

    `rows` are the rows of the series in transform, `known` those in fit. If `cycle` is later than
    all of `known`, these are `known` and the later rows; otherwise they are from `rows`.
    """
    if known and cycle > known[-1][0]:
        rows = known + [row for row in rows if row[0] > known[-1][0]]
    return [row for row in rows if row[0] <= cycle]


def plain_length(fitted, window_length, spacing=1, max_gap=None, **_):
    """Return the number of rows in a window."""
    if not isinstance(window_length, str):
        return window_length
    lengths = []
    for rows in rows_by_unit(fitted).values():
        run, longest = 0, 0
        for i, (cycle, _) in enumerate(rows):
            joins = i > 0 and (max_gap is None or cycle - rows[i - 1][0] <= max_gap)
            run = run + 1 if joins else 1
            longest = max(longest, run)
        lengths.append(len(range(0, longest, spacing)))
    return max(lengths) if window_length == "longest" else min(lengths)


def plain_windows(panel, fitted=None, window_length=3, spacing=1, padding="edge", max_gap=None):
    """Return the windows and their numbers of observed rows, in loops over rows and lags."""
    window_length = plain_length(
        panel if fitted is None else fitted, window_length, spacing, max_gap
    )
    rows, known = rows_by_unit(panel), {} if fitted is None else rows_by_unit(fitted)
    windows, counts = [], []
    for unit, cycle in zip(panel["unit"], panel["cycle"], strict=True):
        left = visible_rows(rows[unit], known.get(unit, []), cycle)
        run = [left.pop()]
        while left and (max_gap is None or run[-1][0] - left[-1][0] <= max_gap):
            run.append(left.pop())
        observed = [
            run[lag * spacing][1] for lag in range(window_length) if lag * spacing < len(run)
        ]
        filler = {"edge": observed[-1], "zero": [0, 0], "nan": [np.nan, np.nan]}[padding]
        windows.append([filler] * (window_length - len(observed)) + observed[::-1])
        counts.append(len(observed))
    return np.array(windows, panel["p"].dtype), np.array(counts)


params = st.fixed_dictionaries(
    {
        "window_length": st.one_of(st.integers(1, 5), st.sampled_from(["longest", "shortest"])),
        "spacing": st.integers(1, 3),
        "padding": st.sampled_from(["edge", "zero", "nan"]),
        "max_gap": st.sampled_from([None, 1, 2, 3.5]),
    }
)


def as_array(result):
    """Return a result of any `output` as a 2-D array."""
    return np.asarray(result).reshape(len(result), -1)


def to_layout(panel, layout):
    """Return the panel in one of the layouts that users pass, and the names of its ids."""
    if layout == "columns":
        return panel, IDS
    if layout == "index levels":
        return panel.set_index(["unit", "cycle"]), IDS
    if layout == "mixed":
        return panel.set_index("cycle"), IDS
    if layout == "object array":
        return panel[["p", "unit", "q", "cycle"]].to_numpy(object), {"series": 1, "time": -1}
    numbers = panel.assign(unit=panel["unit"].map(ord))
    return numbers[["cycle", "p", "q", "unit"]].to_numpy(), {"series": 3, "time": 0}


LAYOUTS = ["columns", "index levels", "mixed", "object array", "float array"]


@settings(max_examples=150, deadline=None)
@given(panel=panels(), fitted=panels(), params=params, layout=st.sampled_from(LAYOUTS))
def test_windows_equal_the_plain_loop(panel, fitted, params, layout):
    seen, where = to_layout(fitted, layout)
    rows, _ = to_layout(panel, layout)
    for fit_on, known in [(rows, panel), (seen, fitted)]:
        expected, counts = plain_windows(panel, known, **params)
        for output in OUTPUTS:
            transformer = WindowTransformer(output=output, **params, **where).fit(fit_on)
            result = transformer.transform(rows)
            assert_array_equal(as_array(result), expected.reshape(len(panel), -1))
            if output == "windows":
                assert_array_equal(result.n_observed, counts)
                names = panel["unit"].map(ord) if layout == "float array" else panel["unit"]
                assert list(result.series) == list(names)


@settings(max_examples=50, deadline=None)
@given(panel=panels(), params=params)
def test_rows_are_in_given_order_without_time(panel, params):
    params["max_gap"] = None
    in_order = panel.assign(cycle=range(len(panel)))
    expected, counts = plain_windows(in_order, **params)
    windows = WindowTransformer(series="unit", **params).fit_transform(panel[["unit", "p", "q"]])
    assert_array_equal(windows, expected)
    assert_array_equal(windows.n_observed, counts)
    expected, _ = plain_windows(in_order.assign(unit="all"), **params)
    assert_array_equal(WindowTransformer(**params).fit_transform(panel[FEATURES]), expected)


@settings(max_examples=50, deadline=None)
@given(panel=panels(), params=params, data=st.data())
def test_permuted_rows_give_permuted_windows(panel, params, data):
    order = data.draw(st.permutations(range(len(panel))))
    for output in OUTPUTS:
        transformer = WindowTransformer(output=output, **params, **IDS)
        expected = as_array(transformer.fit_transform(panel))[order]
        assert_array_equal(as_array(transformer.fit_transform(panel.iloc[order])), expected)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(max_examples=15, deadline=None)
@given(data=st.data(), params=params)
def test_dtype_is_kept(output, dtype, data, params):
    panel = data.draw(panels(dtype=dtype))
    transformer = WindowTransformer(output=output, **params, **IDS).fit(panel)
    result = transformer.transform(panel)
    assert result.dtype == dtype
    assert_array_equal(as_array(result), plain_windows(panel, **params)[0].reshape(len(panel), -1))
    # The dtype of the context does not change the dtype of later rows.
    for other in ["float32", "float64"]:
        later = panel.assign(cycle=panel["cycle"] + 50).astype(dict.fromkeys(FEATURES, other))
        assert transformer.set_params(max_gap=100).fit(panel).transform(later).dtype == other


# -------------------------------------------------------------------------- no look-ahead
@settings(max_examples=50, deadline=None)
@given(panel=panels(), fitted=panels(), params=params, data=st.data())
def test_windows_ignore_later_rows_and_other_series(panel, fitted, params, data):
    row = data.draw(st.integers(0, len(panel) - 1))
    unit, cycle = panel[["unit", "cycle"]].iloc[row]
    past = ((panel["unit"] == unit) & (panel["cycle"] <= cycle)).to_numpy()
    changed = panel.copy()
    changed.loc[~past, FEATURES] = 1e6
    for output in OUTPUTS:
        transformer = WindowTransformer(output=output, **params, **IDS)
        for fit in [lambda t, X: t.fit(X), lambda t, X: t.fit(fitted)]:
            before = as_array(fit(transformer, panel).transform(panel))
            after = as_array(fit(transformer, changed).transform(changed))
            assert_array_equal(after[past], before[past])


@settings(max_examples=50, deadline=None)
@given(panel=panels(), fitted=panels(), params=params, data=st.data())
def test_windows_are_the_same_without_the_later_rows(panel, fitted, params, data):
    cut = data.draw(st.integers(panel["cycle"].min(), panel["cycle"].max()))
    early = (panel["cycle"] <= cut).to_numpy()
    transformer = WindowTransformer(**params, **IDS).fit(fitted)
    whole, part = transformer.transform(panel), transformer.transform(panel[early])
    assert_array_equal(part, np.asarray(whole)[early])
    assert_array_equal(part.n_observed, whole.n_observed[early])


# -------------------------------------------------------------------------------- context
@settings(max_examples=80, deadline=None)
@given(data=st.data(), params=params)
def test_context_continues_regular_series(data, params):
    """Fit on the first part and transform the rest: the windows are those of the whole."""
    params["max_gap"] = data.draw(st.sampled_from([None, 2, 5]))
    panel = data.draw(panels()).reset_index(drop=True)
    position = panel.sort_values("cycle").groupby("unit").cumcount().sort_index()
    panel["cycle"] = 2 * position + 7  # regular steps of 2
    length = panel.groupby("unit")["cycle"].transform("size")
    first = (position < np.maximum(2, data.draw(st.floats(0, 1)) * length)).to_numpy()
    for output in OUTPUTS:
        transformer = WindowTransformer(output=output, **params, **IDS).fit(panel[first])
        whole = as_array(transformer.transform(panel))
        length = plain_length(panel[first], **params)
        expected = plain_windows(panel, **params | {"window_length": length})[0]
        assert_array_equal(whole, expected.reshape(len(panel), -1))
        if not first.all():
            assert_array_equal(as_array(transformer.transform(panel[~first])), whole[~first])


@pytest.fixture
def fitted():
    """Return cycles 1, 2, 4 of unit a, and 1, 2 of unit b."""
    return pd.DataFrame({"unit": list("aaabb"), "cycle": [1, 2, 4, 1, 2], "p": [1.0, 2, 4, 10, 20]})


def later(unit, *cycles):
    return pd.DataFrame(
        {"unit": unit, "cycle": cycles, "p": np.array(cycles) * (10.0 if unit == "b" else 1)}
    )


@pytest.mark.parametrize(
    ("max_gap", "rows", "expected"),
    [
        # None: no limit, neither before the first later row nor among later rows.
        (None, later("a", 6), [[2, 4, 6]]),
        (None, later("a", 99), [[2, 4, 99]]),
        (None, later("b", 3), [[10, 20, 30]]),
        (None, later("b", 4), [[10, 20, 40]]),
        (None, later("a", 7, 20), [[2, 4, 7], [4, 7, 20]]),
        (1, later("a", 5), [[4, 4, 5]]),
        (1, later("a", 6), [[6, 6, 6]]),
        (3, later("a", 7), [[2, 4, 7]]),
        (3, later("a", 8), [[8, 8, 8]]),
        (3, later("a", 7, 11), [[2, 4, 7], [11, 11, 11]]),
        # No context for a new series.
        (None, later("c", 3, 4), [[3, 3, 3], [3, 3, 4]]),
        # No context for rows of the fitted period: windows contain passed rows only.
        (None, later("a", 3, 4), [[3, 3, 3], [3, 3, 4]]),
        # Windows of later rows contain no earlier passed rows, with and without context.
        (None, later("a", 3, 6), [[3, 3, 3], [2, 4, 6]]),
        (None, later("a", 3, 4, 7), [[3, 3, 3], [3, 3, 4], [2, 4, 7]]),
    ],
)
def test_context(fitted, max_gap, rows, expected):
    transformer = WindowTransformer(3, max_gap=max_gap, **IDS).fit(fitted)
    assert_array_equal(np.asarray(transformer.transform(rows))[:, :, 0], expected)
    backwards = transformer.transform(rows[::-1])
    assert_array_equal(np.asarray(backwards)[::-1, :, 0], expected)


def test_rows_after_a_gap_longer_than_the_limit_are_counted(fitted):
    transformer = WindowTransformer(3, max_gap=3, **IDS).fit(fitted)
    rows = pd.concat([later("a", 7, 8, 20), later("b", 9, 10), later("c", 9)])
    with pytest.warns(
        UserWarning, match="^WindowTransformer: max_gap=3 cuts the windows of 3 of 6 rows: "
    ):
        transformer.transform(rows)


@settings(deadline=None)
@given(panel=panels(), fitted=panels(), params=params)
def test_every_window_that_a_limit_cuts_is_counted(panel, fitted, params):
    """In fit and later, in known and in unseen series."""
    if isinstance(params["window_length"], str):
        params["window_length"] = 4
    transformer = WindowTransformer(**params, **IDS)
    for known, convert in [
        (panel, lambda: transformer.fit_transform(panel)),
        (fitted, lambda: transformer.fit(fitted).transform(panel)),
    ]:
        _, cut = plain_windows(panel, known, **params)
        _, whole = plain_windows(panel, known, **params | {"max_gap": None})
        n_cut = int(np.sum(cut < whole))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            convert()
        found = [str(each.message) for each in caught if "max_gap" in str(each.message)]
        expected = f"max_gap={params['max_gap']} cuts the windows of {n_cut} of {len(panel)} rows"
        assert len(found) == (n_cut > 0)
        assert all(expected in message for message in found)


def test_history_is_kept_after_a_gap(fitted):
    """Pass the whole history again, with one row after a long gap."""
    transformer = WindowTransformer(3, **IDS).fit(fitted)
    whole = pd.concat([fitted, later("a", 99)])
    fresh = WindowTransformer(3, **IDS).fit_transform(whole)
    assert_array_equal(transformer.transform(whole), fresh)
    assert_array_equal(fresh[-1][:, 0], [2, 4, 99])


def test_no_context_without_time(fitted):
    transformer = WindowTransformer(3, series="unit").fit(fitted)
    assert transformer.context_ is None
    assert_array_equal(transformer.transform(later("a", 5))[0][:, 1], [5, 5, 5])


def test_context_of_several_series_at_once(fitted):
    rows = pd.concat([later("b", 3), later("c", 5), later("a", 5), later("b", 9)])
    windows = WindowTransformer(3, max_gap=2, **IDS).fit(fitted).transform(rows)
    assert_array_equal(
        np.asarray(windows)[:, :, 0], [[10, 20, 30], [5, 5, 5], [2, 4, 5], [90, 90, 90]]
    )
    assert_array_equal(windows.n_observed, [3, 1, 3, 1])
    assert list(windows.series) == ["b", "c", "a", "b"]


def test_context_has_only_the_rows_that_windows_can_reach():
    panel = pd.DataFrame({"cycle": np.arange(1000), "p": 1.0})
    context = WindowTransformer(5, spacing=3, time="cycle").fit(panel).context_
    assert_array_equal(context.time, np.arange(988, 1000))


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_context_matches_ids_of_any_dtype(fitted, dtype):
    transformer = WindowTransformer(2, **IDS).fit(fitted.astype({"unit": dtype}))
    for other in [object, "str", pd.CategoricalDtype(["b", "c", "a"])]:
        rows = later("a", 5).astype({"unit": other})
        assert_array_equal(transformer.transform(rows)[0][:, 0], [4, 5])


@pytest.mark.parametrize("ids", [[7, 3], [0.5, 2.5], ["x", 3], [True, False]])
def test_ids_of_any_kind(fitted, ids):
    rename = dict(zip("ab", ids, strict=True))
    where = fitted["unit"].map(rename).astype(pd.Series(ids).dtype)
    windows = WindowTransformer(2, **IDS).fit_transform(fitted.assign(unit=where))
    assert list(windows.series) == list(where)
    assert_array_equal(windows, plain_windows_of_p(fitted))


def plain_windows_of_p(panel):
    return plain_windows(panel.assign(q=0.0), window_length=2)[0][:, :, :1]


# --------------------------------------------------------------------------- whole series
@pytest.fixture
def unequal():
    """Return series a of cycles 1, 2, 3 and 7 to 11, b of 1, 2, c of 1, 2, 3, 4."""
    cycles = {"a": [1, 2, 3, 7, 8, 9, 10, 11], "b": [1, 2], "c": [1, 2, 3, 4]}
    parts = [pd.DataFrame({"unit": unit, "cycle": cycles[unit]}) for unit in cycles]
    panel = pd.concat(parts, ignore_index=True)
    return panel.assign(p=np.arange(1.0, 1 + len(panel)))


@pytest.mark.parametrize(
    ("window_length", "params", "expected"),
    [
        ("longest", {}, 8),
        ("shortest", {}, 2),
        # A gap cuts a series into runs; the longest run counts.
        ("longest", {"max_gap": 1}, 5),
        ("longest", {"max_gap": 0.5}, 1),
        # Of 8 rows, at most four with spacing 2, and three with spacing 3.
        ("longest", {"spacing": 2}, 4),
        ("longest", {"spacing": 3}, 3),
        ("longest", {"spacing": 3, "max_gap": 1}, 2),
        ("shortest", {"spacing": 2}, 1),
        ("longest", {"series": None, "time": None}, 14),
        ("shortest", {"series": None, "time": None}, 14),
        (np.int64(3), {}, 3),
    ],
)
def test_length_of_windows(unequal, window_length, params, expected):
    for panel in (unequal, unequal[::-1].reset_index(drop=True)):
        where = IDS | {"columns": ["p"]} | params
        transformer = WindowTransformer(window_length, **where).fit(panel)
        assert transformer.window_length_ == expected
        assert type(transformer.window_length_) is int
        assert transformer.transform(panel).shape == (14, expected, 1)


def test_the_window_of_the_last_row_contains_the_whole_series(unequal):
    windows = WindowTransformer("longest", padding="nan", **IDS).fit_transform(unequal)
    for unit, rows in unequal.groupby("unit"):
        last = windows[int(rows.index[-1])][:, 0]
        assert_array_equal(last[8 - len(rows) :], rows["p"])
        assert np.isnan(last[: 8 - len(rows)]).all()
        assert list(windows.series[rows.index]) == [unit] * len(rows)
    assert_array_equal(windows.n_observed, [*range(1, 9), 1, 2, 1, 2, 3, 4])


@pytest.mark.parametrize(("window_length", "expected"), [("longest", 4), ("shortest", 2)])
def test_longer_histories_than_in_fit_are_cut_to_their_latest_rows(
    unequal, window_length, expected
):
    transformer = WindowTransformer(window_length, **IDS).fit(unequal[unequal["unit"] != "a"])
    windows = transformer.transform(unequal[unequal["unit"] == "a"])
    assert windows.shape == (8, expected, 1)
    assert_array_equal(windows[7][:, 0], np.arange(9 - expected, 9))
    # Windows of rows that continue a fitted series contain as many of its rows as fit in.
    later = pd.DataFrame({"unit": "c", "cycle": [5, 6], "p": [5.0, 6.0]})
    of_c = unequal.loc[unequal["unit"] == "c", "p"].to_numpy()
    assert_array_equal(transformer.transform(later)[1][:, 0], [*of_c, 5, 6][-expected:])


@settings(max_examples=50, deadline=None)
@given(panel=panels(), params=params, data=st.data())
def test_whole_series_equal_a_fixed_length(panel, params, data):
    """The length depends on the numbers of rows, not on later values."""
    params["window_length"] = data.draw(st.sampled_from(["longest", "shortest"]))
    whole = WindowTransformer(**params, **IDS)
    windows = whole.fit_transform(panel)
    fixed = WindowTransformer(**params | {"window_length": whole.window_length_}, **IDS)
    assert_array_equal(windows, fixed.fit_transform(panel))
    cut = data.draw(st.integers(panel["cycle"].min(), panel["cycle"].max()))
    early = (panel["cycle"] <= cut).to_numpy()
    changed = panel.copy()
    changed.loc[~early, FEATURES] = 1e6
    assert_array_equal(np.asarray(whole.fit_transform(changed))[early], np.asarray(windows)[early])
    fewer = whole.fit_transform(panel[early])
    n_rows = min(fewer.window_length, windows.window_length)
    assert_array_equal(
        np.minimum(fewer.n_observed, n_rows), np.minimum(windows.n_observed[early], n_rows)
    )
    assert_array_equal(np.asarray(fewer)[:, -n_rows:], np.asarray(windows)[early][:, -n_rows:])


def test_whole_series_in_grid_search_pickle_and_lag_table(unequal):
    """The target is the first value of a series, which only whole windows contain."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(21, 31, 60)
    panel = pd.DataFrame({"unit": np.repeat(np.arange(60), lengths)})
    panel["cycle"] = panel.groupby("unit").cumcount()
    panel["p"] = rng.normal(size=len(panel))
    last = ~panel["unit"].duplicated(keep="last")
    y = panel.groupby("unit")["p"].transform("first")
    edges = WindowTransformer(output="2d", **IDS)
    search = GridSearchCV(
        make_pipeline(edges, LastRows(Ridge(alpha=1e-3))),
        {"windowtransformer__window_length": ["longest", 20]},
        cv=GroupKFold(3),
    ).fit(panel, y.where(last), groups=panel["unit"])
    assert search.best_params_ == {"windowtransformer__window_length": "longest"}
    table = search.best_estimator_[0]
    assert table.window_length_ == lengths.max()
    assert table.get_feature_names_out()[0] == f"p_lag{lengths.max() - 1}"
    again = pickle.loads(pickle.dumps(table))
    assert again.window_length == "longest"
    assert_array_equal(again.transform(panel), table.transform(panel))


class LastRows(RegressorMixin, BaseEstimator):
    """Fit and score only the rows with a known target, as the network does."""

    def __init__(self, regressor):
        self.regressor = regressor

    def fit(self, X, y):
        known = np.isfinite(y)
        self.regressor_ = clone(self.regressor).fit(X[known], y[known])
        return self

    def score(self, X, y):
        known = np.isfinite(y)
        return self.regressor_.score(X[known], y[known])


# ----------------------------------------------------------------------------------- time
START = pd.Timestamp("2024-03-30 22:00")
TIMES = {
    "int32": lambda cycle: cycle.astype("int32"),
    "float": lambda cycle: cycle / 8,
    "nullable": lambda cycle: cycle.astype("Int64"),
    "datetime": lambda cycle: START + pd.to_timedelta(cycle, unit="h"),
    "seconds": lambda cycle: (START + pd.to_timedelta(cycle, unit="h")).astype("datetime64[s]"),
    # The night in which the clocks go forward: gaps are in elapsed time.
    "zone": lambda cycle: (
        (START + pd.to_timedelta(cycle, unit="h"))
        .dt.tz_localize("UTC")
        .dt.tz_convert("Europe/Berlin")
    ),
    "timedelta": lambda cycle: pd.to_timedelta(cycle, unit="h"),
    "period": lambda cycle: pd.Series(
        pd.PeriodIndex.from_ordinals(cycle, freq="M"), index=cycle.index
    ),
}
HOURS = ["datetime", "seconds", "zone", "timedelta"]
GAPS = {
    **{"int32": [2, 2.0], "nullable": [2], "period": [2], "float": [0.25]},
    **{kind: ["2h", timedelta(hours=2), pd.Timedelta("120min")] for kind in HOURS},
}


@pytest.mark.parametrize(("kind", "gap"), [(k, g) for k, gaps in GAPS.items() for g in gaps])
@settings(max_examples=10, deadline=None)
@given(panel=panels(), fitted=panels())
def test_time_of_any_kind(kind, gap, panel, fitted):
    def stamp(rows):
        return rows.assign(cycle=TIMES[kind](rows["cycle"]))

    for max_gap, unit_gap in [(None, None), (gap, 2)]:
        expected, _ = plain_windows(panel, fitted, max_gap=unit_gap)
        transformer = WindowTransformer(3, max_gap=max_gap, **IDS).fit(stamp(fitted))
        assert_array_equal(transformer.transform(stamp(panel)), expected)
        in_index = stamp(panel).set_index(["unit", "cycle"])
        transformer.fit(stamp(fitted).set_index(["unit", "cycle"]))
        assert_array_equal(transformer.transform(in_index), expected)


def test_unit_and_zone_of_time_may_change_but_not_its_kind(fitted):
    def stamp(rows, kind):
        return rows.assign(cycle=TIMES[kind](rows["cycle"]))

    rows = later("a", 5)
    for kind, other in [("seconds", "datetime"), ("datetime", "seconds"), ("int32", "nullable")]:
        transformer = WindowTransformer(2, **IDS).fit(stamp(fitted, kind))
        assert_array_equal(transformer.transform(stamp(rows, other))[0], [[4], [5]])
    zone = WindowTransformer(2, **IDS).fit(stamp(fitted, "zone"))
    utc = stamp(rows, "zone").assign(cycle=lambda rows: rows["cycle"].dt.tz_convert("UTC"))
    assert_array_equal(zone.transform(utc)[0], [[4], [5]])
    for kind, other in [
        ("int32", "datetime"),
        ("datetime", "timedelta"),
        ("timedelta", "float"),
        ("period", "int32"),
    ]:
        transformer = WindowTransformer(2, **IDS).fit(stamp(fitted, kind))
        with pytest.raises(ValueError, match=r"time was .* in fit and is .* now"):
            transformer.transform(stamp(rows, other))


# ---------------------------------------------------------------- lag table and output
@pytest.fixture
def panel():
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([["u", "v", "w"], range(5)], names=["unit", "cycle"])
    return pd.DataFrame(rng.normal(size=(15, 2)), index=index, columns=FEATURES)


def test_lag_table_names_and_values(panel):
    table = WindowTransformer(3, spacing=2, output="2d", **IDS).set_output(transform="pandas")
    out = table.fit_transform(panel)
    names = ["p_lag4", "q_lag4", "p_lag2", "q_lag2", "p_lag0", "q_lag0"]
    assert list(table.get_feature_names_out()) == list(out.columns) == names
    pd.testing.assert_index_equal(out.index, panel.index)
    lagged = panel.groupby("unit").shift(2)
    known = lagged["p"].notna()
    assert_array_equal(out.loc[known, ["p_lag2", "q_lag2"]], lagged[known])
    assert_array_equal(out[["p_lag0", "q_lag0"]], panel)


def test_lag_table_names_without_names_in_x(panel):
    array = panel.reset_index()[["p", "cycle", "q", "unit"]].to_numpy(object)
    table = WindowTransformer(2, output="2d", series=3, time=1).fit(array)
    assert list(table.get_feature_names_out()) == ["x0_lag1", "x2_lag1", "x0_lag0", "x2_lag0"]
    given_names = table.get_feature_names_out(["p", "cycle", "q", "unit"])
    assert list(given_names) == ["p_lag1", "q_lag1", "p_lag0", "q_lag0"]
    with pytest.raises(ValueError, match="length equal to number of features"):
        table.get_feature_names_out(["p", "q"])


def test_names_that_differ_from_fit(panel):
    table = WindowTransformer(2, output="2d", **IDS).fit(panel)
    assert_array_equal(table.get_feature_names_out(FEATURES), table.get_feature_names_out())
    with pytest.raises(ValueError, match="not equal to feature_names_in_"):
        table.get_feature_names_out(["q", "p"])


@pytest.mark.parametrize("output", ["windows", "3d"])
def test_names_of_windows_are_those_of_their_features(panel, output):
    windows = WindowTransformer(3, output=output, columns=["q"], **IDS)
    result = windows.fit_transform(panel)
    assert list(windows.get_feature_names_out()) == ["q"]
    assert result.shape[-1] == 1
    scaled = make_pipeline(StandardScaler(), WindowTransformer(3, output=output, series=0))
    scaled.fit(panel.reset_index()[["cycle", *FEATURES]])
    assert list(scaled.get_feature_names_out()) == FEATURES
    with pytest.raises(ValueError, match="not equal to feature_names_in_"):
        windows.get_feature_names_out(["q", "p"])


@pytest.mark.parametrize("columns", [["q"], "q", [-1], -1, ["q", "p"], [1, 0]])
def test_columns_choose_and_order_the_features(panel, columns):
    names = {"q": "q", "p": "p", -1: "q", 1: "q", 0: "p"}
    chosen = [names[c] for c in (columns if isinstance(columns, list) else [columns])]
    table = WindowTransformer(2, output="2d", columns=columns, **IDS)
    assert_array_equal(
        table.fit_transform(panel),
        WindowTransformer(2, output="2d", **IDS).fit_transform(panel[chosen]),
    )
    assert list(table.get_feature_names_out()) == [f"{c}_lag{k}" for k in (1, 0) for c in chosen]


@pytest.mark.parametrize(("output", "kind"), [("windows", Windows), ("3d", np.ndarray)])
def test_set_output_has_no_effect_on_windows(panel, output, kind):
    transformer = WindowTransformer(3, output=output, **IDS)
    expected = transformer.fit_transform(panel)
    with config_context(transform_output="pandas"):
        under_config = [transformer.fit_transform(panel), transformer.transform(panel)]
    of_pipeline = make_pipeline(SimpleImputer(), clone(transformer)).set_output(transform="pandas")
    own = clone(transformer).set_output(transform="pandas")
    for result in [*under_config, own.fit_transform(panel), of_pipeline.fit_transform(panel)]:
        assert type(result) is kind
        assert_array_equal(result, expected)


def test_set_output_on_the_lag_table(panel):
    table = WindowTransformer(3, output="2d", **IDS)
    assert type(table.fit_transform(panel)) is np.ndarray
    with config_context(transform_output="pandas"):
        under_config = table.fit_transform(panel)
        assert type(clone(table).set_output(transform="default").fit_transform(panel)) is np.ndarray
    own = clone(clone(table).set_output(transform="pandas")).fit_transform(panel)
    pd.testing.assert_frame_equal(own, under_config)
    assert_array_equal(own, table.fit_transform(panel))


def test_clone_and_pickle(panel):
    transformer = WindowTransformer(3, spacing=2, padding="nan", columns=["q"], **IDS)
    assert clone(transformer).get_params() == transformer.get_params()
    first = panel.index.get_level_values("cycle") < 3
    transformer.fit(panel[first])
    again = pickle.loads(pickle.dumps(transformer))
    expected = transformer.transform(panel[~first])
    assert expected.n_observed.max() == 3  # the last window sees its row and the context
    assert_array_equal(again.transform(panel[~first]), expected)


def test_pipeline_with_an_imputer_of_scikit_learn(panel):
    panel.iloc[[3, 8], 0] = np.nan
    imputer = SimpleImputer(strategy="constant", fill_value=7.0).set_output(transform="pandas")
    pipeline = make_pipeline(imputer, WindowTransformer(3, **IDS))
    expected, _ = plain_windows(panel.fillna(7.0).reset_index())
    assert_array_equal(pipeline.fit_transform(panel), expected)


def test_window_length_is_a_parameter_of_a_grid(panel):
    """The target is the sum of the last two rows, so windows of two rows are best."""
    target = panel["p"] + panel.groupby("unit")["p"].shift(1).fillna(panel["p"])
    pipeline = make_pipeline(WindowTransformer(output="2d", **IDS), Ridge(alpha=1e-3))
    grid = {"windowtransformer__window_length": [1, 2, 3, 4]}
    search = GridSearchCV(pipeline, grid, cv=GroupKFold(3))
    search.fit(panel, target, groups=panel.index.get_level_values("unit"))
    assert search.best_params_ == {"windowtransformer__window_length": 2}
    assert search.best_score_ > 0.99


# ------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    "params",
    [
        *[{"window_length": 0}, {"window_length": 2.0}, {"window_length": None}],
        *[{"window_length": "max"}, {"window_length": "24"}],
        *[{"spacing": 0}, {"spacing": -1}, {"padding": "reflect"}, {"output": "4d"}],
        *[{"columns": 1.5}, {"series": 1.5}, {"time": ["cycle"]}],
    ],
    ids=str,
)
def test_bad_parameters(panel, params):
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        WindowTransformer(**params).fit(panel)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"series": "machine"}, "series='machine' is neither a column nor an index level.*earlier"),
        ({"time": "clock"}, "time='clock' is neither a column nor an index level.*earlier"),
        ({"series": 2}, "series=2 is neither"),
        ({"columns": ["r"]}, "'r', which is not a column of X"),
        ({"columns": [2]}, "2, which is not a column of X"),
        ({"columns": ["p", 0]}, "twice"),
        ({"columns": []}, "columns is empty"),
        ({"series": "p", "columns": ["p"]}, "is the series id or the time"),
        ({"max_gap": 2}, "max_gap=2 needs the time"),
        ({"max_gap": 0, "time": "cycle", "series": "unit"}, "must be positive"),
        ({"max_gap": -1, "time": "cycle", "series": "unit"}, "must be positive"),
        ({"max_gap": np.nan, "time": "cycle", "series": "unit"}, "must be positive"),
        ({"max_gap": "2h", "time": "cycle", "series": "unit"}, "must be a number"),
        ({"max_gap": True, "time": "cycle", "series": "unit"}, "must be a number"),
    ],
    ids=str,
)
def test_parameters_that_do_not_match_the_panel(panel, params, message):
    with pytest.raises(ValueError, match=message):
        WindowTransformer(**params).fit(panel)


@pytest.mark.parametrize("kind", HOURS)
def test_max_gap_of_dates_as_a_plain_number(fitted, kind):
    rows = fitted.assign(cycle=TIMES[kind](fitted["cycle"]))
    with pytest.raises(ValueError, match="plain number, but the time holds dates"):
        WindowTransformer(max_gap=2, **IDS).fit(rows)
    with pytest.raises(ValueError, match="must be positive"):
        WindowTransformer(max_gap="-2h", **IDS).fit(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.iloc[:0], "0 sample.*panel is empty"),
        (lambda X: X.assign(p=[1, np.inf, 1, 1, 1]), "infinity"),
        (lambda X: X.assign(p=list("vwxyz")), "'p' holds text|X holds text"),
        (
            lambda X: X.assign(p=pd.date_range("2024", periods=5)),
            r"dates.* X\['p'\].dt.day_of_week",
        ),
        (lambda X: X.assign(cycle=[1, 2, 2, 1, 2]), "repeat.*rows 1 and 2 of series 'a'"),
        (
            lambda X: X.assign(cycle=[1, 2, np.nan, 1, 2]),
            "time.* is missing .* in 1 of 5.*row 2",
        ),
        (lambda X: X.assign(cycle=[1, 2, np.inf, 1, 2]), "infinite"),
        (lambda X: X.assign(cycle=list("vwxyz")), "time must hold numbers.*pandas.to_datetime"),
        (lambda X: X.assign(cycle=True), "time must hold numbers"),
        (lambda X: X.assign(unit=["a", "a", None, "b", None]), "id.* is missing .* in 2 of 5.*2"),
        (lambda X: X.drop(columns="unit"), "unit"),
        (lambda X: X.drop(columns="cycle"), "cycle"),
        (lambda X: X.set_axis(["unit", "cycle", "unit"], axis=1), "unit|unique|feature names"),
    ],
)
def test_bad_panels_in_fit_and_in_transform(fitted, change, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        WindowTransformer(**IDS).fit(change(fitted))
    with pytest.raises(ValueError, match=f"(?s){message}"):
        WindowTransformer(**IDS).fit(fitted).transform(change(fitted))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.assign(cycle=1, q=1.0), "repeat"),
        (lambda X: X.assign(q=1.0).drop_duplicates("unit"), "at least two rows"),
    ],
)
def test_a_fit_that_fails_leaves_the_earlier_one_usable(fitted, change, message):
    transformer = WindowTransformer(elapsed=True, **IDS).fit(fitted)
    before = np.asarray(transformer.transform(fitted))
    with pytest.raises(ValueError, match=message):
        transformer.fit(change(fitted))
    assert_array_equal(np.asarray(transformer.transform(fitted)), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.assign(q=1.0), "feature names should match"),
        (lambda X: X.rename(columns={"p": "q"}), "feature names should match"),
        (lambda X: X[["p", "cycle", "unit"]], "same order as they were in fit"),
    ],
)
def test_columns_that_changed_since_fit(fitted, change, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        WindowTransformer(**IDS).fit(fitted).transform(change(fitted))


def test_number_of_columns_of_an_array_that_changed_since_fit():
    for where in [{}, {"series": 0}]:
        transformer = WindowTransformer(**where).fit(np.ones((4, 3)))
        with pytest.raises(ValueError, match="X has 2 features, but .* is expecting 3"):
            transformer.transform(np.ones((4, 2)))


def test_index_levels_missing_in_transform(panel):
    transformer = WindowTransformer(**IDS).fit(panel)
    with pytest.raises(ValueError, match="series='unit' is neither.*earlier step"):
        transformer.transform(panel.reset_index(drop=True))
    with pytest.raises(ValueError, match="time='cycle' is neither.*earlier step"):
        transformer.transform(panel.droplevel("cycle"))


def test_scaler_of_scikit_learn_that_drops_the_ids(panel):
    message = "series='unit' is neither.*array of 2 columns without names.*set_output"
    with pytest.raises(ValueError, match=message):
        make_pipeline(StandardScaler(), WindowTransformer(**IDS)).fit(panel)


def test_not_fitted(panel):
    for output in OUTPUTS:
        with pytest.raises(NotFittedError):
            WindowTransformer(output=output).transform(panel)
    with pytest.raises(NotFittedError):
        WindowTransformer(output="2d").get_feature_names_out()


@pytest.mark.parametrize(
    "X", [[1.0, 2.0], pd.Series([1.0, 2.0]), np.ones((2, 2, 2))], ids=["list", "Series", "3-D"]
)
def test_input_of_another_dimension(X):
    for where in [{}, {"series": 0}]:
        with pytest.raises(ValueError, match=r"Expected 2|expected a table|with dim 3"):
            WindowTransformer(**where).fit(X)


@pytest.mark.parametrize("change", [{"window_length": 9}, {"spacing": 2}, {"columns": ["q", "p"]}])
def test_parameters_changed_since_fit_raise(change):
    X = pd.DataFrame({"p": [1.0, 2.0, 3.0], "q": [4.0, 5.0, 6.0]})
    windows = WindowTransformer(2, columns=["p", "q"]).fit(X)
    with pytest.raises(ValueError, match=f"{next(iter(change))} changed since fit"):
        windows.set_params(**change).transform(X)
