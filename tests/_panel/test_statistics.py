"""Tests of the statistics of many groups, against the same rule for one group at a time."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklstm._panel import run_statistics
from sklstm._panel.run_statistics import (
    blocks_of_runs,
    each_column,
    first_known,
    group_count,
    group_quantiles,
    repeat_by_code,
    run_cumsum,
    zero_if_constant,
    zero_if_tiny,
)
from sklstm._panel.statistics import SCALER_STATISTICS, expanding_blocks

N_GROUPS = 4


@pytest.fixture
def rows():
    """Make 60 rows of two features; group 3 has no rows, group 2 no known value of feature 1."""
    rng = np.random.default_rng(0)
    values, codes = rng.normal(5.0, 3.0, (60, 2)), rng.integers(0, 3, 60)
    values[rng.random(values.shape) < 0.2] = np.nan
    values[codes == 2, 1] = np.nan
    return values, codes


def known_values(values, codes, group, feature):
    column = values[codes == group, feature]
    return column[~np.isnan(column)]


def test_group_count_ignores_nan(rows):
    values, codes = rows
    for group in range(N_GROUPS):
        known = known_values(values, codes, group, 0)
        assert group_count(values[:, 0], codes, N_GROUPS)[group] == len(known)


@pytest.mark.parametrize("feature", [0, 1])
def test_group_quantiles_equal_those_of_numpy(rows, feature):
    values, codes = rows
    levels = (0.0, 0.1, 0.25, 0.5, 0.9, 1.0)
    result = group_quantiles(values[:, feature], codes, N_GROUPS, levels)
    for group in range(N_GROUPS):
        known = known_values(values, codes, group, feature)
        expected = np.quantile(known, levels) if len(known) else np.full(len(levels), np.nan)
        assert_allclose(result[:, group], expected)


def test_each_column_passes_float64_and_stacks_results_last():
    seen = []
    result = each_column(
        lambda column: seen.append(column.dtype) or column[:2], np.ones((5, 3), "f4")
    )
    assert result.shape == (2, 3)
    assert seen == [np.float64] * 3


def test_variance_is_zero_only_for_rounding_errors():
    constant = np.full(1000, 0.1)
    assert np.var(constant) > 0
    assert zero_if_constant(np.var(constant), 0.1, 1000) == 0
    assert zero_if_constant(1.0, 1e9, 1000) == 1.0
    assert zero_if_constant(1e-12, 0.0, 1000) == 1e-12


def test_tiny_ranges_become_zero():
    assert_array_equal(zero_if_tiny(np.array([0.0, 1e-16, 1e-14, 1.0])), [0.0, 0.0, 1e-14, 1.0])


RULES = {
    "standard": (np.mean, np.std),
    "minmax": (np.min, np.ptp),
    "maxabs": (lambda known: 0.0, lambda known: np.abs(known).max()),
    "robust": (np.median, lambda known: np.subtract(*np.percentile(known, [75, 25]))),
}


def one_by_one(name, values, codes, n_groups):
    """Compute count, center and scale per group and feature; zeros without known values."""
    result = np.zeros((3, n_groups, values.shape[1]))
    for group in range(n_groups):
        for feature in range(values.shape[1]):
            known = known_values(values, codes, group, feature)
            if len(known):
                center, scale = RULES[name]
                result[:, group, feature] = len(known), center(known), scale(known)
    return result


def assert_statistics(statistics, expected):
    assert_array_equal(statistics.count, expected[0])
    assert_allclose(np.stack(statistics.center_scale()), expected[1:], rtol=1e-12)


@pytest.mark.parametrize("name", SCALER_STATISTICS)
def test_statistics_equal_those_of_each_group(name, rows):
    assert_statistics(
        SCALER_STATISTICS[name].compute(*rows, N_GROUPS), one_by_one(name, *rows, N_GROUPS)
    )


@pytest.mark.parametrize("name", SCALER_STATISTICS)
def test_take_selects_groups_and_adds_empty_ones(name, rows):
    chosen = np.array([2, -1, 0, -1])
    expected = one_by_one(name, *rows, N_GROUPS)[:, chosen]
    expected[:, chosen < 0] = 0
    assert_statistics(SCALER_STATISTICS[name].compute(*rows, N_GROUPS).take(chosen), expected)


@pytest.mark.parametrize("name", ["standard", "minmax", "maxabs"])
def test_merge_and_pooled_equal_statistics_of_all_rows(name, rows):
    values, codes = rows
    kind = SCALER_STATISTICS[name]
    parts = [
        kind.compute(values[part], codes[part], N_GROUPS) for part in (slice(25), slice(25, None))
    ]
    merged = parts[0].merge(parts[1])
    assert type(merged) is kind
    assert_statistics(merged, one_by_one(name, values, codes, N_GROUPS))
    everything = one_by_one(name, values, np.zeros(len(codes), int), 1)
    assert_statistics(merged.pooled(), everything)


def test_all_statistics_but_quartiles_can_be_merged():
    assert [name for name, kind in SCALER_STATISTICS.items() if not kind.can_merge] == ["robust"]


@pytest.mark.parametrize("name", SCALER_STATISTICS)
@pytest.mark.parametrize("feature", [0, 1])
def test_expanding_continues_from_earlier_rows(name, feature, rows):
    values, codes = rows
    past, now = slice(30), slice(30, None)
    order = np.argsort(codes[now], kind="stable")
    later, later_codes = values[now][order], codes[now][order]
    statistics = SCALER_STATISTICS[name].compute(values[past], codes[past], N_GROUPS)
    results = statistics.expanding(np.ascontiguousarray(later.T), later_codes)
    result = [array[feature] for array in results]
    for row in range(len(later)):
        all_values = np.concatenate([values[past], later[: row + 1]])
        all_codes = np.concatenate([codes[past], later_codes[: row + 1]])
        expected = one_by_one(name, all_values, all_codes, N_GROUPS)
        assert_allclose(
            [array[row] for array in result],
            expected[:, later_codes[row], feature],
            rtol=1e-11,
        )


def test_expanding_deviation_keeps_its_digits_at_a_high_level():
    values = 1e9 + np.random.default_rng(0).normal(size=(200, 1))
    codes = np.zeros(200, int)
    _, center, scale = (
        SCALER_STATISTICS["standard"]
        .compute(values[:100], codes[:100], 1)
        .expanding(values[100:].T, codes[100:])
    )
    expected = [values[: 101 + row].std() for row in range(100)]
    assert_allclose(scale[0], expected, rtol=1e-7)
    assert_allclose(center[0, -1], values.mean(), rtol=1e-15)


def test_mean_of_many_rows_at_a_high_level_is_precise():
    """The error of a plain running sum would be a thousandth of the deviation."""
    values = 1e11 + np.random.default_rng(0).normal(size=(100_000, 1))
    moments = SCALER_STATISTICS["standard"].compute(values, np.zeros(len(values), int), 1)
    assert_allclose(moments.mean[0] - 1e11, (values - 1e11).mean(), atol=3e-5)


# ------------------------------------------------------------- blocks and runs of rows
LENGTHS = [[1], [1, 1, 1], [7], [8], [9], [1, 8, 9, 2], [40, 1, 3, 200]]


def starts_of(lengths):
    return np.cumsum(lengths) - lengths


@pytest.mark.parametrize("lengths", LENGTHS)
def test_cumulative_sums_restart_at_each_run(lengths):
    block = np.random.default_rng(0).normal(size=(2, sum(lengths)))
    starts = starts_of(lengths)
    parts = np.split(block, starts[1:], axis=1)
    expected = np.concatenate([np.cumsum(part, axis=1) for part in parts], axis=1)
    assert_allclose(run_cumsum(block, starts), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_cumulative_sums_depend_only_on_earlier_rows_of_the_run(lengths):
    rng = np.random.default_rng(0)
    own = rng.normal(size=(1, sum(lengths)))
    alone = run_cumsum(own, starts_of(lengths))
    for before, after in ([], [3]), ([5, 70], []), ([2], [90, 1]):
        huge = 1e300 * rng.normal(size=(1, sum(before) + sum(after)))
        block = np.insert(huge, [sum(before)] * sum(lengths), own[0], axis=1)
        starts = starts_of([*before, *lengths, *after])
        among = run_cumsum(block, starts)[:, sum(before) : sum(before) + sum(lengths)]
        assert_array_equal(among, alone)
    changed = own.copy()
    changed[:, -1] = 1e300
    assert_array_equal(run_cumsum(changed, starts_of(lengths))[:, :-1], alone[:, :-1])


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("size", [1, 4, 10, 1000])
def test_blocks_hold_each_row_once_and_divide_only_longer_runs(lengths, size):
    starts, n_rows = starts_of(lengths), sum(lengths)
    run_of_row = np.arange(len(lengths)).repeat(lengths)
    seen = []
    for rows, runs in blocks_of_runs(starts, n_rows, size):
        assert rows.stop - rows.start <= size
        assert_array_equal(np.unique(run_of_row[rows]), np.arange(runs.start, runs.stop))
        if rows.stop not in [*starts, n_rows]:
            run = run_of_row[rows.stop]
            assert lengths[run] > size
            assert (rows.stop - starts[run]) % size == 0
        seen.extend(range(rows.start, rows.stop))
    assert seen == list(range(n_rows))


def test_first_known_value_of_each_run():
    nan = np.nan
    block = np.array([[nan, 2.0, 3.0, 4.0, nan], [nan, nan, 5.0, nan, nan]])
    assert_array_equal(first_known(block, np.array([0, 3])), [[2.0, 4.0], [5.0, 0.0]])


@pytest.mark.parametrize("codes", [np.arange(40) // 20, np.arange(40) % 3])
def test_repeat_by_code_returns_the_values_of_each_group(codes):
    table = np.random.default_rng(0).normal(size=(3, 2))
    assert_array_equal(repeat_by_code(table, codes), table[codes].T)


def many_rows(layout, scattered):
    """Make 300 rows of three features in 5 groups, some longer than a small block, with NaN."""
    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(5), [120, 1, 60, 2, 117])
    values = rng.normal(5.0, 3.0, (300, 3)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    if scattered:
        codes = rng.permutation(codes)
    if layout == "columns of a wider array":
        return np.insert(values, 0, 0, axis=1)[:, 1:], codes
    return np.asarray(values, order=layout), codes


@pytest.mark.parametrize("name", SCALER_STATISTICS)
@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize("layout", ["C", "F", "columns of a wider array"])
@pytest.mark.parametrize("block_values", [1, 40, 10_000])
def test_statistics_do_not_depend_on_blocks(name, scattered, layout, block_values, monkeypatch):
    monkeypatch.setattr(run_statistics, "BLOCK_VALUES", block_values)
    values, codes = many_rows(layout, scattered)
    statistics = SCALER_STATISTICS[name].compute(values, codes, 5)
    assert_statistics(statistics, one_by_one(name, values.astype(np.float64), codes, 5))
    if scattered:
        order = np.argsort(codes, kind="stable")
        again = SCALER_STATISTICS[name].compute(values, codes, 5, order)
        assert_array_equal(again.center_scale(), statistics.center_scale())


@pytest.mark.parametrize("name", SCALER_STATISTICS)
@pytest.mark.parametrize("scattered", [False, True])
def test_expanding_statistics_do_not_depend_on_blocks(name, scattered, monkeypatch):
    values, codes = many_rows("F", scattered)
    order = np.argsort(codes, kind="stable") if scattered else None
    starts = starts_of(np.bincount(codes))
    past = SCALER_STATISTICS[name].compute(values[:150], codes[:150], 5)

    def at_each_row(block_values):
        monkeypatch.setattr(run_statistics, "BLOCK_VALUES", block_values)
        result = np.zeros((3, *values.shape))
        for at, block, *statistics in expanding_blocks(
            past.take(np.arange(5)), values, starts, order
        ):
            assert_array_equal(block.T, values[at])
            for part, whole in zip(statistics, result, strict=True):
                whole[at] = np.broadcast_to(part, block.shape).T
        return result

    whole = at_each_row(10_000)
    assert (whole[0] > 0).any()
    for block_values in (3, 60, 200):
        assert_allclose(at_each_row(block_values), whole, rtol=1e-9, atol=1e-12)
