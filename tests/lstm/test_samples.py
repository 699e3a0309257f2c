"""Tests of samples: selection, splits, weights, rows in the loss, embedding indices."""

import numpy as np
import pandas as pd
import pytest
from helpers import make_panel, panels
from hypothesis import given, settings
from numpy.testing import assert_array_equal

from sklstm import WindowTransformer, series_weights
from sklstm.lstm._samples import Samples, SplitRule, embedding_indices, rows_with_loss
from sklstm.lstm._splits import rows_from_end

L = 2


def make_samples(panel, **options):
    windows = WindowTransformer(L, series="unit", time="cycle", **options).fit_transform(panel)
    rng = np.random.default_rng(len(panel))
    return Samples(windows, rng.normal(size=(len(panel), 2)), rng.uniform(1, 2, len(panel)))


@settings(max_examples=30, deadline=None)
@given(panels())
def test_rows_from_end_count_the_later_rows_of_the_series(panel):
    samples = make_samples(panel)
    windows = samples.windows
    later = [
        ((panel["unit"] == u) & (panel["cycle"] > c)).sum()
        for u, c in panel[["unit", "cycle"]].to_numpy()
    ]
    assert_array_equal(rows_from_end(windows.series_rows, windows.ends), later)
    # A row that is chosen twice counts once.
    twice = samples.select(np.tile(np.arange(len(panel)), 2)).windows
    assert_array_equal(rows_from_end(twice.series_rows, twice.ends), later * 2)


def test_select_keeps_rows_together():
    samples = make_samples(make_panel([5, 3], ["p"])).with_embedding(pd.Index(["b"]))
    rows = np.array([6, 1])
    for chosen in (samples.select(rows), samples.select(np.isin(np.arange(8), rows))):
        order = rows if chosen.codes[0] else np.sort(rows)
        assert len(chosen) == 2
        assert_array_equal(np.asarray(chosen.windows), np.asarray(samples.windows)[order])
        assert_array_equal(chosen.targets, samples.targets[order])
        assert_array_equal(chosen.weights, samples.weights[order])
        assert_array_equal(chosen.embedding_indices, [int(row > 4) for row in order])


def test_weighted_multiplies_series_weights():
    panel = make_panel([5, 3], ["p"])
    samples = make_samples(panel)
    expected = series_weights(panel["unit"], sample_weight=samples.weights)
    assert_array_equal(samples.weighted("balanced").weights, expected)


def rule(fraction, by, embargo=0):
    return SplitRule(None, embargo, None, fraction, by)


def test_split_by_series_and_in_time():
    panel = make_panel([8, 4, 4], ["p"])
    samples = make_samples(panel)
    training, validation = samples.split(rule(0.5, "series"), np.random.default_rng(0))
    assert not set(training.present_ids) & set(validation.present_ids)
    assert len(training) + len(validation) == len(samples)
    training, validation = samples.split(rule(0.25, "time", 1), np.random.default_rng(0))
    assert list(training.windows.series) == ["a"] * 5 + ["b"] * 2 + ["c"] * 2
    assert list(validation.windows.series) == ["a"] * 2 + ["b"] + ["c"]
    assert_array_equal(validation.targets, samples.targets[[6, 7, 11, 15]])
    with pytest.raises(ValueError, match="left 13 rows for training and 0 for validation"):
        samples.split(rule(0.01, "time", 1), np.random.default_rng(0))


def test_rows_with_loss():
    samples = make_samples(make_panel([5, 3], ["p"]))
    samples.targets[2] = np.nan
    samples.targets[1, 0] = np.nan  # the other output is known
    samples.weights[3] = 0
    assert_array_equal(rows_with_loss(samples, None, 0), [1, 4, 6, 7])
    assert_array_equal(rows_with_loss(samples, 1, 1), [0, 1, 5, 6])
    masked = make_samples(make_panel([5, 3], ["p"]), padding="nan")
    assert_array_equal(rows_with_loss(masked, None, 0), np.arange(8))
    assert len(rows_with_loss(samples, None, 5, allow_empty=True)) == 0
    with pytest.raises(ValueError, match="No row is left for the loss: of 8 rows"):
        rows_with_loss(samples, None, 5)


def test_embedding_indices():
    windows = make_samples(make_panel([2, 1, 1], ["p"])).windows
    assert embedding_indices(windows, None) is None
    indices = embedding_indices(windows, pd.Index(["c", "z", "a"]))
    assert indices.dtype == np.int32
    assert_array_equal(indices, [3, 3, 0, 1])
