"""Checks of arrays that a user passes."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sklstm import (
    PanelDataset,
    PerSeriesScaler,
    WindowTransformer,
    load,
    make_targets,
    suggest_season_length,
)
from sklstm._panel.checks import as_floats, check_exists, check_lengths


def test_numbers_are_converted():
    assert_array_equal(as_floats([1, 2.5, None], "y"), [1, 2.5, np.nan])


@pytest.mark.parametrize("values", [["a"], [[1], [2, 3]], [object()]])
def test_other_values_are_named(values):
    with pytest.raises(ValueError, match=r"weights is not numeric \(.*\), expected numbers"):
        as_floats(values, "weights")


def test_lengths_are_named():
    check_lengths(y_true=[1, 2], y_pred=np.ones((2, 3)), panel=None)
    message = "y_true has 2 rows, panel has 3 rows. Pass the same rows"
    with pytest.raises(ValueError, match=message):
        check_lengths(y_true=[1, 2], panel=pd.DataFrame({"a": [1, 2, 3]}))


READERS = {
    "WindowTransformer": WindowTransformer(2, series=0).fit,
    "PerSeriesScaler": PerSeriesScaler(series=0).fit,
    "make_targets": make_targets,
    "suggest_season_length": suggest_season_length,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("panel.csv", "X is 'panel.csv', expected a table.*read it first"),
        (5, "X is 5, expected a table"),
        (pd.Series([1.0, 2.0]), "X is a Series of 2 values, expected a table"),
    ],
)
def test_a_table_is_expected(read, X, message):
    with pytest.raises(ValueError, match=message):
        read(X)


def test_windows_of_windows():
    windows = WindowTransformer(2).fit_transform(np.ones((4, 1)))
    with pytest.raises(ValueError, match="Pass the panel itself, which is transformed once"):
        WindowTransformer(2).fit(windows)


def test_a_missing_file_and_one_like_it(tmp_path):
    (tmp_path / "shop.sklstm").write_text("")
    assert check_exists(tmp_path) == str(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no file .*Did you mean 'shop.sklstm'\?"):
        check_exists(tmp_path / "shops.sklstm")
    with pytest.raises(FileNotFoundError, match="models' does not exist either"):
        check_exists(tmp_path / "models" / "shop.sklstm")
    with pytest.raises(FileNotFoundError, match="Check the path"):
        check_exists("nothing at all")


@pytest.mark.parametrize("read", [load, partial(PanelDataset, series="shop")])
def test_files_are_missing(read):
    with pytest.raises(FileNotFoundError, match="There is no file 'nothing'. Check the path"):
        read("nothing")
