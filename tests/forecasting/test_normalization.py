"""Compare normalisation, grid and windows with plain loops over each series."""

from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sklstm._panel import rows as panel_rows
from sklstm._panel.read import read_series_rows
from sklstm.forecasting import _normalization
from sklstm.forecasting._calibration import HeldOut
from sklstm.forecasting._grid import RegularGrid
from sklstm.forecasting._normalization import (
    MIN_SCALE,
    N_PRIOR_DIFFERENCES,
    ValueScale,
    fill_missing,
    next_values,
    seasonal_naive,
    trailing_sums,
    typical_scale,
    window_centers_and_scales,
)
from sklstm.forecasting._recipe import TrainingEffort
from sklstm.forecasting._window_builder import WindowBuilder


@st.composite
def many_series(draw):
    """Draw series with missing values, a season length and a window length."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = draw(st.lists(st.integers(1, 14), min_size=1, max_size=4))
    share = draw(st.sampled_from([0, 0.2, 0.7]))
    arrays = [rng.normal(size=n) for n in lengths]
    for array in arrays:
        array[rng.random(len(array)) < share] = np.nan
    return arrays, draw(st.integers(1, 4)), draw(st.integers(1, 6))


def joined(arrays):
    """Return the values, the mask of known ones, and the first position of each row's series."""
    values = np.concatenate(arrays)
    lengths = [len(array) for array in arrays]
    return values, ~np.isnan(values), np.repeat(np.cumsum(lengths) - lengths, lengths)


def filled_loop(series, season, window):
    out = series.copy()
    for t in np.flatnonzero(np.isnan(series)):
        reach = range(max(0, t - window + 1), t)
        seasons = [i for i in reach if (t - i) % season == 0 and not np.isnan(series[i])]
        known = [i for i in reach if not np.isnan(series[i])]
        if seasons or known:
            out[t] = series[(seasons or known)[-1]]
    return out


def naive_loop(filled, t, season, horizon):
    out = []
    for h in range(horizon):
        at = t + 1 - season + h % season
        out.append(filled[at] if at >= 0 and not np.isnan(filled[at]) else filled[t])
    return out


def units_loop(series, t, season, window, otherwise):
    last_season = series[max(0, t - season + 1) : t + 1]
    own = series[max(0, t - window + 1) : t + 1]
    center = otherwise
    for part in (own, last_season):
        if not np.isnan(part).all():
            center = np.nanmean(part)
    differences = np.abs(own[season:] - own[:-season])
    differences = differences[~np.isnan(differences)]
    scale = (differences.sum() + N_PRIOR_DIFFERENCES) / (len(differences) + N_PRIOR_DIFFERENCES)
    return center, max(scale, MIN_SCALE)


@given(many_series())
def test_missing_values_are_filled_from_earlier_seasons(drawn):
    arrays, season, window = drawn
    got = fill_missing(*joined(arrays), season, window)
    expected = [filled_loop(series, season, window) for series in arrays]
    assert_array_equal(got, np.concatenate(expected))


def test_fill_missing_by_hand():
    series = np.array([1.0, 2, 3, np.nan, np.nan, 6, *[np.nan] * 5])
    got = fill_missing(*joined([series]), 3, 5)
    assert_array_equal(got, [1, 2, 3, 1, 2, 6, 6, 6, 6, 6, np.nan])


@given(many_series())
def test_window_centers_and_scales(drawn):
    arrays, season, window = drawn
    values, known, starts = joined(arrays)
    otherwise = np.linspace(5, 6, len(values))
    got = window_centers_and_scales(
        values,
        known,
        starts,
        season_length=season,
        window_length=window,
        default_center=otherwise,
    )
    expected = [
        units_loop(series, t, season, window, 0.0) for series in arrays for t in range(len(series))
    ]
    center, scale = np.array(expected).T
    nothing = np.array(
        [
            np.isnan(series[max(0, t + 1 - max(season, window)) : t + 1]).all()
            for series in arrays
            for t in range(len(series))
        ]
    )
    assert_allclose(got[0], np.where(nothing, otherwise, center), atol=1e-12)
    assert_allclose(got[1], scale, atol=1e-12)


@given(many_series(), st.integers(1, 7))
def test_naive_forecast_and_next_values(drawn, horizon):
    arrays, season, window = drawn
    values, known, starts = joined(arrays)
    filled = fill_missing(values, known, starts, season, window)
    rows = np.arange(len(values))
    expected = [
        naive_loop(filled_loop(series, season, window), t, season, horizon)
        for series in arrays
        for t in range(len(series))
    ]
    assert_array_equal(seasonal_naive(filled, starts, rows, season, horizon), expected)
    stops = np.repeat(np.unique(starts, return_counts=True)[1], 1)
    stops = np.concatenate(
        [np.full(n, s + n) for s, n in zip(np.unique(starts), stops, strict=True)]
    )
    future = [
        np.append(series[t + 1 : t + 1 + horizon], np.full(horizon, np.nan))[:horizon]
        for series in arrays
        for t in range(len(series))
    ]
    assert_array_equal(next_values(values, stops, rows, horizon), future)


@given(many_series())
def test_typical_scale_is_a_median_over_series(drawn):
    arrays, season, _ = drawn
    for lag in (season, 1):
        steps = [np.abs(series[lag:] - series[:-lag]) for series in arrays]
        means = [np.nanmean(step) for step in steps if not np.isnan(step).all()]
        if means:
            break
    expected = np.median(means) if means else 1.0
    assert typical_scale(*joined(arrays), season) == pytest.approx(expected)


def test_scale_of_constant_series():
    season = np.tile([1.0, 2, 4], 4)
    assert typical_scale(*joined([season, np.full(9, 7.0)]), 3) == pytest.approx(21 / 11)
    assert typical_scale(*joined([np.full(9, 7.0)]), 3) == 1


def test_large_values_cost_no_digits_of_other_series():
    # Sums over all series at once would lose every digit of the second one.
    arrays = [np.full(50, 1e12) + np.arange(50), 1e-6 * np.arange(50.0)]
    values, known, starts = joined(arrays)
    total, count = trailing_sums(values, known, starts, np.maximum(starts, np.arange(100) - 4))
    assert_allclose(total[-1], 1e-6 * (45 + 46 + 47 + 48 + 49), rtol=1e-12)
    assert count[-1] == 5


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [([0.0, 1, 5], True), ([-1e-9, 1, 5], False), ([0.0, 0], False), ([np.nan, 2], True)],
)
def test_transform_is_logarithmic_without_negative_values(values, logarithmic):
    scale = ValueScale.learn(np.array(values))
    assert (scale.unit is not None) == logarithmic
    given = np.array([-3.0, 0, 1e-9, 2, 1e9])
    assert_allclose(scale.inverse_transform(scale.transform(given)), given, rtol=1e-12, atol=1e-300)
    if logarithmic:
        # Equal factors become equal differences.
        far = scale.transform(np.array([1e6, 2e6, 4e6]))
        assert_allclose(np.diff(far), np.log(2), rtol=1e-6)


@pytest.mark.parametrize("unit", [None, 1e-3, 1e5])
def test_inverse_transform_is_finite(unit):
    undone = ValueScale(unit).inverse_transform(np.array([-np.inf, -1e5, 0.0, 1e5, np.inf]))
    most = np.finfo(float).max
    # The hyperbolic sine of 1e5 overflows as well.
    far = 1e5 if unit is None else most
    assert undone.tolist() == [-most, -far, 0, far, most]


# ------------------------------------------------------------------------------- windows
def grid_of(arrays, past=0, future=0):
    table = pd.DataFrame(np.concatenate(arrays))
    table["id"] = np.repeat(np.arange(len(arrays)), [len(array) for array in arrays])
    n = table.shape[1] - 1
    columns = {
        "target": list(range(n - past - future)),
        "past": list(range(n - past - future, n - future)),
        "future": list(range(n - future, n)),
    }
    return RegularGrid.read(table, read_series_rows(table, "id"), **columns)


@settings(deadline=None)
@given(many_series(), st.integers(1, 3))
def test_windows_are_normalized_one_by_one(drawn, horizon):
    arrays, season, window = drawn
    arrays = [np.arange(-8.0, 8.0), *arrays]  # (negative: no logarithm)
    grid = grid_of([array[:, np.newaxis] for array in arrays])
    options = {"seasons": (season,), "step_weight": (1.0,) * horizon}
    options |= {"window_length": window, "limit": 3.0}
    builder = WindowBuilder.learn(grid, **options)
    values, known, starts = joined(arrays)
    typical, level = typical_scale(values, known, starts, season), np.nanmedian(values)
    prepared = builder.build(grid, np.arange(len(values)))
    expected, units, naives = [], [], []
    for series in arrays:
        filled = filled_loop(series, season, window)
        for t in range(len(series)):
            center, unit = units_loop(series / typical, t, season, window, level / typical)
            own = range(max(0, t - window + 1), t + 1)
            begun = [i for i in own if not np.isnan(filled[i])] or [t]
            row = np.zeros((window, 1 + builder.has_missing))
            for i in range(begun[0], t + 1):
                value = level if np.isnan(filled[i]) else filled[i]
                x = (value / typical - center) / unit
                row[i - t - 1, 0] = x / np.sqrt(1 + (x / 3) ** 2)
                row[i - t - 1, 1:] = np.isnan(series[i])
            expected.append(row)
            units.append(unit * typical)
            naives.append(np.nan_to_num(naive_loop(filled, t, season, horizon), nan=level))
    assert_allclose(prepared.windows, expected, atol=1e-4)
    assert_allclose(prepared.scale[:, 0], units)
    assert_array_equal(prepared.naive()[:, 0], naives)
    learned = prepared.residuals()
    future = next_values(values, grid.stops(), np.arange(len(values)), horizon)
    assert_allclose(
        learned, (future - naives) / np.array(units)[:, np.newaxis], rtol=1e-5, atol=1e-6
    )
    again = prepared.forecasts(learned[:, :, np.newaxis])
    assert_allclose(again[:, 0, :, 0], future, atol=1e-5)


@settings(deadline=None)
@given(many_series(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_blocks_and_chosen_rows_change_nothing(drawn, horizon, random):
    """Series are normalised in blocks; rows may be chosen in any order."""
    arrays, season, window = drawn
    grid = grid_of([array[:, np.newaxis] for array in [np.arange(-8.0, 8.0), *arrays]])
    options = {"seasons": (season,), "step_weight": (1.0,) * horizon}
    options |= {"window_length": window, "limit": 3.0}
    builder = WindowBuilder.learn(grid, **options)
    rows = np.arange(len(grid))
    whole = builder.build(grid, rows)
    with (
        patch.object(_normalization, "BLOCK_ROWS", 3),
        patch.object(panel_rows, "BLOCK_ROWS", 2),
    ):
        chosen = np.array(random.sample(range(len(rows)), (len(rows) + 1) // 2))
        for part, at in [(builder.build(grid, rows[chosen]), chosen), (whole[chosen], chosen)]:
            assert_array_equal(part.windows, np.asarray(whole.windows)[at])
            assert_array_equal(part.scale, whole.scale[at])
            assert_array_equal(part.naive(), whole.naive()[at])
            assert_array_equal(part.residuals(), whole.residuals()[at])


@settings(deadline=None)
@given(many_series(), st.integers(1, 4), st.sampled_from(["time", "series", None]))
def test_rows_with_targets_equal_a_loop(drawn, horizon, calibration):
    arrays, season, window = drawn
    arrays = [np.arange(-8.0, 8.0), *arrays]
    grid = grid_of([array[:, np.newaxis] for array in arrays])
    options = {"seasons": (season,), "step_weight": (1.0,) * horizon}
    options |= {"window_length": window, "limit": 3.0}
    prepared = WindowBuilder.learn(grid, **options).build(grid, np.arange(len(grid)))
    is_left_out = np.arange(len(arrays)) % 2 == 1
    held_out = {
        None: HeldOut(),
        "time": HeldOut(n_last=horizon),
        "series": HeldOut(series=is_left_out),
    }[calibration]
    y = prepared.residuals()
    trained, left, largest = np.zeros_like(y, bool), np.zeros_like(y, bool), [0] * horizon
    row = 0
    for number, series in enumerate(arrays):
        for t in range(len(series)):
            for step in range(1, horizon + 1):
                if t + step >= len(series) or np.isnan(series[t + step]):
                    continue
                in_time = calibration == "time" and t + step >= len(series) - horizon
                is_out = in_time or (calibration == "series" and is_left_out[number])
                (left if is_out else trained)[row, step - 1] = True
                n_observed = prepared.windows.n_observed[row]
                largest[step - 1] = max(largest[step - 1], n_observed)
            row += 1
    assert_array_equal(held_out.has_target(prepared), trained.any(axis=1))
    assert_array_equal(held_out.has_target(prepared, held_out=True), left.any(axis=1))
    assert_array_equal(held_out.targets(prepared), np.where(trained, y, np.nan))
    assert_array_equal(held_out.targets(prepared, held_out=True), np.where(left, y, np.nan))
    assert prepared.largest_observed().tolist() == largest


@given(st.integers(1, 400), st.integers(0, 5))
def test_training_draws_no_more_rows_than_it_uses(n_rows, seed):
    rows = 3 * np.arange(n_rows)
    drawn = TrainingEffort(batch_size=8, n_steps=25).draw(rows, seed)
    assert len(drawn) == min(n_rows, 200)
    assert len(np.unique(drawn)) == len(drawn) and np.isin(drawn, rows).all()
    assert (np.diff(drawn) > 0).all()
    assert_array_equal(drawn, TrainingEffort(8, 25).draw(rows, seed))
    if n_rows > 300:
        assert not np.array_equal(drawn, TrainingEffort(8, 25).draw(rows, seed + 1))


def test_covariates_are_standardized_and_known_future_is_read_ahead():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(5, 3, size=(n, 3)) for n in (9, 4)]
    arrays[0][4, 1:] = np.nan
    arrays[1][:2, 1] = np.nan
    grid = grid_of(arrays, past=1, future=1)
    builder = WindowBuilder.learn(
        grid, seasons=(1,), step_weight=(1.0, 1.0), window_length=3, limit=10.0
    )
    windows = builder.build(grid, np.arange(13)).windows
    table = pd.DataFrame(np.concatenate(arrays)).groupby(np.repeat([0, 1], [9, 4]))
    raw = np.concatenate(arrays)[:, 1:]
    mean, deviation = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    scaled = ((table.ffill().to_numpy()[:, 1:] - mean) / deviation).astype(np.float32)
    past, future = np.nan_to_num(scaled).T
    assert_allclose(windows.rows[:, 1], past, atol=1e-6)
    assert_allclose(windows.rows[:, 2], future, atol=1e-6)
    # Two rows ahead, at most the last row of the series.
    ahead = [2, 3, 4, 5, 6, 7, 8, 8, 8, 11, 12, 12, 12]
    assert_allclose(windows.rows[:, 3], future[ahead], atol=1e-6)


def test_constant_and_empty_covariates():
    table = np.column_stack([np.arange(5.0), np.full(5, 0.1), np.full(5, np.nan)])
    builder = WindowBuilder.learn(
        grid_of([table], past=2), seasons=(1,), step_weight=(1.0,), window_length=2, limit=1.0
    )
    table[3:, 1:] = [[0.3, 7.0], [np.nan, np.nan]]
    rows = builder.build(grid_of([table], past=2), np.arange(5)).windows.rows
    assert_allclose(rows[:, 1], [0, 0, 0, 0.2, 0.2], atol=1e-6)
    assert_array_equal(rows[:, 2], 0)


def test_steps_ahead():
    arrays = [np.zeros((6, 2)), np.zeros((2, 2))]
    arrays[0][[0, 3], 1] = np.nan
    grid = grid_of(arrays, future=1)
    # Rows 1 and 2 look ahead at row 3, and no row at row 0.
    for row, steps in enumerate([[], [3], [3], []]):
        grid.check_future(np.array([row]), 2, ["x"])
        assert grid.unknown_steps(np.array([row]), 2).tolist() == steps
    assert grid.unknown_steps(np.array([2, 0, 1, 3]), 2).tolist() == [3]
    assert grid.unknown_steps(np.array([6, 3]), 1).tolist() == []
    # Rows 4 to 7 look ahead beyond the end of their series.
    for row in range(4, 8):
        with pytest.raises(ValueError, match="in 1 series: [01] "):
            grid.check_future(np.array([0, row]), 2, ["x"])
    grid.check_future(np.array([4, 6]), 1, ["x"])
