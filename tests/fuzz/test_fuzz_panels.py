"""Panels of every layout and dtype: a documented error, or the result of a plain loop.

The loops are written from the documentation. `pytest -m fuzz -n 0` runs 10,000 panels and 300 fits;
the default run has a few of each. The counts by outcome are printed at the end.
"""

import re
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from fuzz_panels import FAULTS, fuzz_panels
from helpers import lstm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline

from sklstm import PerSeriesScaler, WindowTransformer, make_targets, series_weights

N_DEFAULT, N_PANELS, N_FITS = 100, 10_000, 300
CUT = "cuts the windows of"


def fuzz(check, n_examples, counts):
    """Call `check(data, counts)` for many drawn examples."""

    @settings(
        max_examples=n_examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def run(data):
        check(data, counts)

    run()


def call(function, panel, counts, name):
    """Return the result of a call; None if it raises the documented error of the panel's fault."""
    if panel.fault is None:
        counts[f"{name}: equal to the loop"] += 1
        return function()
    with pytest.raises(ValueError, match=FAULTS[panel.fault]):
        function()
    counts[f"{name}: error, {panel.fault}"] += 1
    return None


def split_in_time(data, panel):
    """Return the rows of fit and the rows passed afterwards, which may overlap."""
    if not panel.has_time or panel.fault is not None:
        return panel, panel
    first, last = int(panel.steps.min()), int(panel.steps.max())
    fitted = panel.steps <= data.draw(st.integers(first, last))
    passed = panel.steps >= data.draw(st.integers(first, last))
    return panel.take(fitted), panel.take(passed)


def rows_seen(fitted, passed):
    """List, for each passed row, the rows that it sees, oldest first: (step, values).

    The rule of the documentation: a row that is later than the last fitted row of its series
    sees the fitted rows and the passed rows that are later too; any other row sees passed rows.
    """
    known = {}
    for row in fitted.order():
        known.setdefault(fitted.series[row], []).append((fitted.steps[row], fitted.values[row]))
    if not passed.has_time:
        known = {}
    earlier, later, seen = {}, {}, [None] * len(passed.codes)
    for row in passed.order():
        name, step = passed.series[row], passed.steps[row]
        if name in known and step > known[name][-1][0]:
            own = later.setdefault(name, list(known[name]))
        else:
            own = earlier.setdefault(name, [])
        own.append((step, passed.values[row]))
        seen[row] = (own, len(own))
    return seen


# --------------------------------------------------------------------------------- windows
def plain_window(own, n_seen, window_length, spacing, padding, max_gap):
    """Return the window of the last of the seen rows, and its number of observed rows."""
    lag, rows = 0, []
    for back in range(n_seen - 1, -1, -1):
        if back < n_seen - 1 and max_gap and own[back + 1][0] - own[back][0] > max_gap:
            break
        if lag % spacing == 0:
            rows.append(own[back][1])
        if len(rows) == window_length:
            break
        lag += 1
    n_observed = len(rows)
    fill = {"edge": rows[-1], "zero": rows[-1] * 0, "nan": rows[-1] * np.nan}[padding]
    fill = np.zeros_like(fill) if padding == "zero" else fill
    rows += [fill] * (window_length - n_observed)
    return np.array(rows[::-1]), n_observed


def check_windows(data, panel, fitted, passed, counts):
    options = {
        "window_length": data.draw(st.integers(1, 12)),
        "spacing": data.draw(st.sampled_from([1, 1, 2, 3])),
        "padding": data.draw(st.sampled_from(["edge", "zero", "nan"])),
    }
    max_gap = data.draw(st.sampled_from([None, 1, 3])) if panel.has_time else None
    windows = WindowTransformer(
        **options,
        max_gap=None if max_gap is None else max_gap * panel.step,
        columns=panel.columns,
        **panel.names,
    )
    result = call(lambda: windows.fit(fitted.X).transform(passed.X), panel, counts, "windows")
    if result is None:
        return
    assert result.dtype == panel.precision
    array = np.asarray(result)
    for row, (own, n_seen) in enumerate(rows_seen(fitted, passed)):
        window, n_observed = plain_window(own, n_seen, **options, max_gap=max_gap)
        assert_array_equal(array[row], window)
        assert result.n_observed[row] == n_observed


# ---------------------------------------------------------------------------------- scaler
def plain_statistics(kind, values):
    """Return count, center and scale of each feature; NaN are ignored."""
    statistics = []
    for column in values.T:
        known = column[~np.isnan(column)]
        if len(known) == 0:
            statistics.append((0, np.nan, np.nan))
            continue
        low, high = known.min(), known.max()
        center, scale = {
            "standard": lambda k=known: (k.mean(), k.std()),
            "minmax": lambda low=low, high=high: (low, high - low),
            "maxabs": lambda low=low, high=high: (0.0, max(abs(low), abs(high))),
            "robust": lambda k=known: (
                np.median(k),
                np.percentile(k, 75) - np.percentile(k, 25),
            ),
        }[kind]()
        is_constant = low == high and kind != "maxabs"  # the deviation is then only rounding
        statistics.append((len(known), center, 0.0 if is_constant else scale))
    return np.array(statistics).T


def divide(values, center, scale):
    return (values - center) / np.where(scale == 0, 1, scale)


def plain_scaled(fitted, passed, kind, statistics, unknown, prior_rows):
    """Scale the passed rows one by one."""
    pooled = plain_statistics(kind, fitted.values)[1:]
    fitted_names, scaled = set(fitted.series), []
    own_statistics = {
        name: plain_statistics(kind, fitted.values[fitted.series == name])
        for name in (fitted_names if statistics == "fit" else ())
    }
    for (own, n_seen), values, name in zip(
        rows_seen(fitted, passed), passed.values, passed.series, strict=True
    ):
        expands = statistics == "expanding" or (unknown == "expanding" and name not in fitted_names)
        if statistics == "pooled" or (statistics == "fit" and not expands):
            center, scale = pooled
            if statistics == "fit" and name in fitted_names:
                count, *known = own_statistics[name]
                center, scale = np.where(count > 0, known, pooled)
        else:
            seen = np.array([row for _, row in own[:n_seen]])
            count, center, scale = plain_statistics(kind, seen)
            share = np.divide(count, count + prior_rows, out=np.zeros_like(count), where=count > 0)
            center = share * np.nan_to_num(center) + (1 - share) * pooled[0]
            scale = share * np.nan_to_num(scale) + (1 - share) * pooled[1]
        scaled.append(divide(values, center, scale))
    return np.array(scaled)


def check_scaler(data, panel, fitted, passed, counts):
    statistics = data.draw(st.sampled_from(["expanding", "expanding", "fit", "pooled"]))
    unknown = data.draw(st.sampled_from(["pooled", "expanding"]))
    options = {
        "statistics": statistics,
        "unknown": unknown if statistics == "fit" else "pooled",
        "prior_rows": data.draw(st.sampled_from([0, 2.5, 30])),
    }
    kind = data.draw(st.sampled_from(["standard", "minmax", "maxabs", "robust"]))
    scaler = PerSeriesScaler(kind, **options, columns=panel.columns, **panel.names)
    result = call(lambda: scaler.fit(fitted.X).transform(passed.X), panel, counts, "scaler")
    if result is None:
        return
    is_frame = isinstance(result, pd.DataFrame)
    result = result[panel.columns].to_numpy() if is_frame else result[:, panel.columns]
    expected = plain_scaled(fitted, passed, kind, **options)
    # Where no value of a feature was fitted, neither center nor scale is known to the loop.
    known = np.isfinite(expected)
    assert np.isnan(result[np.isnan(passed.values)].astype(float)).all()
    tolerance = 2e-3 if panel.precision == "float32" else 1e-6
    assert_allclose(result.astype(float)[known], expected[known], rtol=tolerance, atol=tolerance)


# ----------------------------------------------------------------------- targets and weights
def check_targets(data, panel, counts):
    horizon = data.draw(st.integers(1, 5))
    result = call(
        lambda: make_targets(panel.X, horizon, panel.columns, **panel.names),
        panel,
        counts,
        "make_targets",
    )
    if result is None:
        return
    expected = np.full((*panel.values.shape, horizon), np.nan)
    rows = {}
    for row in panel.order():
        rows.setdefault(panel.series[row], []).append(row)
    for own in rows.values():
        for i, row in enumerate(own):
            for step, later in enumerate(own[i + 1 : i + 1 + horizon]):
                expected[row, :, step] = panel.values[later]
    assert_array_equal(np.asarray(result), expected.reshape(len(expected), -1))


def check_weights(data, panel, counts):
    if "series" not in panel.names:
        return
    name = panel.names["series"]
    if isinstance(panel.X, pd.DataFrame):
        ids = panel.X[name] if name in panel.X else panel.X.index.get_level_values(name)
    else:
        ids = panel.X[:, name]
    scheme = data.draw(st.sampled_from(["balanced", 0.5, 0, None]))
    if panel.fault == "missing id":
        with pytest.raises(ValueError, match=FAULTS[panel.fault]):
            series_weights(ids, scheme)
        counts["series_weights: error, missing id"] += 1
        return
    sizes = Counter(panel.codes.tolist())
    power = {"balanced": 1, None: 0}.get(scheme, scheme)
    expected = np.array([sizes[code] ** -float(power) for code in panel.codes.tolist()])
    assert_allclose(series_weights(ids, scheme), expected / expected.mean(), rtol=1e-12)
    counts["series_weights: equal to the loop"] += 1


def check_panel(data, counts):
    panel = data.draw(fuzz_panels())
    fitted, passed = split_in_time(data, panel)
    counts["panels"] += 1
    counts.update(f"panels: {kind}" for kind in panel.kinds)
    with warnings.catch_warnings():
        # A warning of torn series is an error here: these series are whole.
        warnings.filterwarnings("ignore", message=f".*{re.escape(CUT)}")
        check_windows(data, panel, fitted, passed, counts)
        check_scaler(data, panel, fitted, passed, counts)
        check_targets(data, panel, counts)
        check_weights(data, panel, counts)


# ------------------------------------------------------------------------------ the network
def check_no_look_ahead(data, counts):
    """Predictions of early rows stay the same when later rows and other series change."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    sizes = rng.integers(1, 12, data.draw(st.integers(1, 6)))
    X = pd.DataFrame({"unit": np.repeat(np.arange(len(sizes)), sizes)})
    X["cycle"] = X.groupby("unit").cumcount() * data.draw(st.integers(1, 3))
    X[["p", "q"]] = rng.normal(size=(len(X), 2))
    X, y = X.iloc[rng.permutation(len(X))], rng.normal(size=len(X))
    ids = {"series": "unit", "time": "cycle"}
    statistics = data.draw(st.sampled_from(["expanding", "pooled"]))
    model = make_pipeline(
        PerSeriesScaler(statistics=statistics, **ids),
        WindowTransformer(3, padding="nan", **ids),
        lstm(hidden_units=2, epochs=1),
    ).fit(X, y)
    later = X.assign(unit=X["unit"] + data.draw(st.sampled_from([0, 100])))
    row = int(rng.integers(len(X)))
    past = (later["unit"] == later["unit"].iloc[row]) & (later["cycle"] <= later["cycle"].iloc[row])
    changed = later.copy()
    changed.loc[~past, ["p", "q"]] += 1e3
    before, after = model.predict(later), model.predict(changed)
    assert np.isfinite(before).all() and before.shape == (len(X),)
    assert_allclose(after[past], before[past], rtol=1e-5, atol=1e-6)
    counts["fits: no look-ahead"] += 1


# ------------------------------------------------------------------------------------ tests
@pytest.mark.parametrize("check", [check_panel, check_no_look_ahead])
@pytest.mark.parametrize(
    "is_full", [False, pytest.param(True, marks=pytest.mark.fuzz)], ids=["few", "all"]
)
def test_fuzz(check, is_full, record_property):
    counts = Counter()
    few, many = {check_panel: (N_DEFAULT, N_PANELS), check_no_look_ahead: (5, N_FITS)}[check]
    fuzz(check, many if is_full else few, counts)
    record_property("outcomes", dict(counts))
