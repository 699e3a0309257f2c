"""Tests of the group-wise statistics: each against the same rule on one group at a time."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklstm.grouped_statistics import (
    KINDS,
    each_column,
    group_count,
    group_quantiles,
    zero_if_constant,
    zero_if_tiny,
)

N_GROUPS = 4


@pytest.fixture
def rows():
    """60 rows of two features; group 3 has no rows, group 2 knows nothing of feature 1."""
    rng = np.random.default_rng(0)
    values, codes = rng.normal(5.0, 3.0, (60, 2)), rng.integers(0, 3, 60)
    values[rng.random(values.shape) < 0.2] = np.nan
    values[codes == 2, 1] = np.nan
    return values, codes


def known_values(values, codes, group, feature):
    column = values[codes == group, feature]
    return column[~np.isnan(column)]


def test_count_leaves_nan_out(rows):
    values, codes = rows
    for group in range(N_GROUPS):
        known = known_values(values, codes, group, 0)
        assert group_count(values[:, 0], codes, N_GROUPS)[group] == len(known)


@pytest.mark.parametrize("feature", [0, 1])
def test_quantiles_are_those_of_numpy(rows, feature):
    values, codes = rows
    shares = (0.0, 0.1, 0.25, 0.5, 0.9, 1.0)
    result = group_quantiles(values[:, feature], codes, N_GROUPS, shares)
    for group in range(N_GROUPS):
        known = known_values(values, codes, group, feature)
        expected = np.quantile(known, shares) if len(known) else np.full(len(shares), np.nan)
        assert_allclose(result[:, group], expected)


def test_each_column_gets_float64_and_is_stacked_last():
    seen = []
    result = each_column(
        lambda column: seen.append(column.dtype) or column[:2], np.ones((5, 3), "f4")
    )
    assert result.shape == (2, 3)
    assert seen == [np.float64] * 3


def test_variance_of_rounding_is_zero_and_that_of_data_is_not():
    constant = np.full(1000, 0.1)
    assert np.var(constant) > 0
    assert zero_if_constant(np.var(constant), 0.1, 1000) == 0
    assert zero_if_constant(1.0, 1e9, 1000) == 1.0
    assert zero_if_constant(1e-12, 0.0, 1000) == 1e-12


def test_tiny_ranges_are_zero():
    assert_array_equal(zero_if_tiny(np.array([0.0, 1e-16, 1e-14, 1.0])), [0.0, 0.0, 1e-14, 1.0])


RULES = {
    "standard": (np.mean, np.std),
    "minmax": (np.min, np.ptp),
    "maxabs": (lambda known: 0.0, lambda known: np.abs(known).max()),
    "robust": (np.median, lambda known: np.subtract(*np.percentile(known, [75, 25]))),
}


def one_by_one(name, values, codes, n_groups):
    """Count, center and scale of each group and feature; zeros where nothing is known."""
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


@pytest.mark.parametrize("name", KINDS)
def test_statistics_of_each_group(name, rows):
    assert_statistics(KINDS[name].of(*rows, N_GROUPS), one_by_one(name, *rows, N_GROUPS))


@pytest.mark.parametrize("name", KINDS)
def test_take_chooses_groups_and_invents_empty_ones(name, rows):
    chosen = np.array([2, -1, 0, -1])
    expected = one_by_one(name, *rows, N_GROUPS)[:, chosen]
    expected[:, chosen < 0] = 0
    assert_statistics(KINDS[name].of(*rows, N_GROUPS).take(chosen), expected)


@pytest.mark.parametrize("name", ["standard", "minmax", "maxabs"])
def test_merge_and_pooled_equal_statistics_of_all_rows(name, rows):
    values, codes = rows
    kind = KINDS[name]
    parts = [kind.of(values[part], codes[part], N_GROUPS) for part in (slice(25), slice(25, None))]
    merged = parts[0].merge(parts[1])
    assert type(merged) is kind
    assert_statistics(merged, one_by_one(name, values, codes, N_GROUPS))
    everything = one_by_one(name, values, np.zeros(len(codes), int), 1)
    assert_statistics(merged.pooled(), everything)


def test_only_quartiles_cannot_be_merged():
    assert [name for name, kind in KINDS.items() if not kind.can_merge] == ["robust"]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("feature", [0, 1])
def test_expanding_goes_on_from_what_was_seen(name, feature, rows):
    values, codes = rows
    past, now = slice(30), slice(30, None)
    order = np.argsort(codes[now], kind="stable")
    later, later_codes = values[now][order], codes[now][order]
    learned = KINDS[name].of(values[past], codes[past], N_GROUPS)
    results = learned.expanding(np.ascontiguousarray(later.T), later_codes)
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
        KINDS["standard"]
        .of(values[:100], codes[:100], 1)
        .expanding(values[100:].T, codes[100:])
    )
    expected = [values[: 101 + row].std() for row in range(100)]
    assert_allclose(scale[0], expected, rtol=1e-7)
    assert_allclose(center[0, -1], values.mean(), rtol=1e-15)


def test_mean_of_many_rows_at_a_high_level_is_as_good_as_that_of_scikit_learn():
    """A plain running sum is off by a thousandth of the deviation here."""
    values = 1e11 + np.random.default_rng(0).normal(size=(100_000, 1))
    moments = KINDS["standard"].of(values, np.zeros(len(values), int), 1)
    assert_allclose(moments.mean[0] - 1e11, (values - 1e11).mean(), atol=3e-5)
