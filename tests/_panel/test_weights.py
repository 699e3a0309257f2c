"""Tests of the weights of rows by series."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sklstm import series_weights

IDS = np.array(["long"] * 1000 + ["short"] * 10 + ["one"])
SIZES = {"long": 1000, "short": 10, "one": 1}


@pytest.fixture
def shuffled():
    return np.random.default_rng(0).permutation(IDS)


def sums(series, weights):
    return pd.Series(weights).groupby(np.asarray(series)).sum()[list(SIZES)].to_numpy()


def test_balanced_weights_are_equal_per_series(shuffled):
    weights = series_weights(shuffled)
    assert weights.dtype == "float64"
    assert_allclose(weights.mean(), 1)
    assert_allclose(sums(shuffled, weights), len(IDS) / 3)
    sizes = np.array([SIZES[name] for name in shuffled])
    assert_allclose(weights, len(IDS) / (3 * sizes))


@pytest.mark.parametrize("power", [0, 0.0, 0.5, np.float32(0.25), 1])
def test_weights_by_a_power_of_the_size(shuffled, power):
    weights = series_weights(shuffled, power)
    assert_allclose(weights.mean(), 1)
    by_size = weights * [SIZES[name] ** float(power) for name in shuffled]
    assert_allclose(by_size, by_size[0])


def test_powers_of_0_and_1(shuffled):
    assert_allclose(series_weights(shuffled, 0), 1)
    assert_allclose(series_weights(shuffled, None), 1)
    assert_allclose(series_weights(shuffled, 1), series_weights(shuffled, "balanced"))


@pytest.mark.parametrize(
    "scheme",
    [
        {"long": 1, "short": 3, "one": 0, "in another fold": 50},
        pd.Series([50, 0, 3, 1], ["in another fold", "one", "short", "long"]),
        lambda sizes: {"long": 1, "short": 3, "one": 0},
        lambda sizes: pd.Series([0, 3, 1], ["one", "short", "long"]),
        lambda sizes: np.select([sizes == 1000, sizes == 10, sizes == 1], [1, 3, 0]),
        lambda sizes: [{"long": 1, "short": 3, "one": 0}[name] for name in sizes.index],
    ],
    ids=["dict", "Series", "-> dict", "-> Series", "-> array", "-> list"],
)
def test_weights_by_id(shuffled, scheme):
    expected = np.select([shuffled == "long", shuffled == "short"], [1.0, 3.0], 0.0)
    assert_allclose(series_weights(shuffled, scheme), expected / expected.mean())


def test_a_callable_receives_the_sizes(shuffled):
    seen = []
    series_weights(shuffled, lambda sizes: seen.append(sizes) or sizes)
    assert seen[0].to_dict() == SIZES
    series_weights(["a", "b", "a"], lambda sizes: seen.append(sizes) or sizes, [0.5, 2, 4])
    assert seen[1].to_dict() == {"a": 4.5, "b": 2}


def test_sample_weight_is_a_factor_and_determines_sizes():
    own = [1.0, 3.0, 0.5, 0.5]
    weights = series_weights(["a", "a", "b", "b"], sample_weight=own)
    assert_allclose(weights, [0.5, 1.5, 1.0, 1.0])
    assert_allclose(series_weights(["a", "a", "b", "b"], None, own), np.array(own) / 1.25)
    by_id = series_weights(["a", "a", "b", "b"], {"a": 1, "b": 2}, own)
    assert_allclose(by_id, np.array([1, 3, 1, 1]) / 1.5)
    # A row of weight 2 is equivalent to two equal rows.
    twice = series_weights(["a", "a", "a", "b"], 0.5)
    once = series_weights(["a", "a", "b"], 0.5, [1, 2, 1])
    assert_allclose(once * 4 / 3, [twice[0], 2 * twice[1], twice[3]])


@pytest.mark.parametrize("scheme", ["balanced", 0.5, 0, None, {"a": 1, "b": 1}])
def test_rows_of_weight_0_and_their_series_have_weight_0(scheme):
    weights = series_weights(["a", "a", "b", "a"], scheme, sample_weight=[1, 1, 0, 0])
    assert_allclose(weights, [2, 2, 0, 0])


@pytest.mark.parametrize(
    "ids",
    [
        [3, 3, 7],
        pd.Series(["x", "x", "y"], index=[5, 5, 5]),
        pd.Categorical(["x", "x", "y"], categories=["z", "y", "x"]),
        pd.Series(["x", "x", "y"], dtype="category"),
        pd.to_datetime(["2024", "2024", "2025"]),
        pd.Index(["x", "x", 3]),
        (True, True, False),
    ],
    ids=lambda ids: type(ids).__name__,
)
def test_ids_of_any_type(ids):
    assert_allclose(series_weights(ids), [0.75, 0.75, 1.5])
    assert_allclose(series_weights(ids, dict.fromkeys(pd.Index(ids), 1)), 1)


@pytest.mark.parametrize(
    ("scheme", "sample_weight", "message"),
    [
        ("equal", None, "'equal'.*'balanced'"),
        (-0.1, None, r"\[0, 1\], got -0.1"),
        (1.5, None, r"\[0, 1\], got 1.5"),
        (np.nan, None, r"\[0, 1\], got nan"),
        (True, None, "got True"),
        ([1, 2], None, r"got \[1, 2\]"),
        ({"a": 1, "c": 2}, None, r"scheme= has no value for series \['b'\]. 'c' is not a"),
        ({"a": 1, "b": np.nan}, None, r"a missing value for series \['b'\]"),
        ({"a": 1, "b": -1}, None, "Negative values in scheme"),
        ({"a": 1, "b": np.inf}, None, "Infinite values in scheme"),
        ({"a": 0, "b": 0}, None, "All weights are zero"),
        ({"a": 1, "b": 0}, [0, 0, 1], "All weights are zero"),
        (lambda sizes: -sizes, None, "Negative"),
        (lambda sizes: {"a": 1}, None, r"value for series \['b'\]"),
        ("balanced", [0, 0, 0], "All weights are zero"),
        ("balanced", [1, -1, 1], r"Negative values in sample_weight \(the smallest is -1"),
        ("balanced", [1, np.nan, 1], "sample_weight contains NaN"),
        ("balanced", [1, np.inf, 1], "sample_weight contains infinity"),
        ("balanced", [1, 1], "inconsistent numbers of samples"),
        ("balanced", np.ones((3, 1)), r"1D array or scalar, got shape \(3, 1\)"),
    ],
)
def test_invalid_weights_raise(scheme, sample_weight, message):
    with pytest.raises(ValueError, match=message):
        series_weights(["a", "a", "b"], scheme, sample_weight)


def test_missing_ids_raise():
    with pytest.raises(ValueError, match="missing .* in 1 of 3 rows.*row 1"):
        series_weights(["a", None, "b"])
