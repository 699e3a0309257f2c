"""Warnings of ids and times that are not named."""

import warnings

import pandas as pd
import pytest
from helpers import make_panel
from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesForecaster, PerSeriesScaler, WindowTransformer, make_targets

IDS = {"series": "unit", "time": "cycle"}
# Integer ids, which no validation of numbers rejects.
PANEL = make_panel({1: 9, 2: 7})
DAYS = make_panel([6, 5]).assign(
    day=[*pd.date_range("2024-01-01", periods=6), *pd.date_range("2024-01-01", periods=5)]
)


def warnings_of(call, *arguments):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*arguments)
    assert all(warning.filename == __file__ for warning in caught)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("scaler", "windows", "expected"),
    [
        (IDS, {}, ["'unit' is the series id of PerS.*=None", "'cycle' is the time of PerS"]),
        ({"series": 0, "time": 1}, {}, ["'unit' is the series id of PerS", "'cycle' is the time"]),
        (IDS, {"series": "unit"}, ["'cycle' .* and a feature of WindowTransformer"]),
        ({}, IDS, ["'unit' is the series id of Win.* feature of PerS.*=None", "'cycle' is the"]),
        ({"series": "unit"}, {**IDS, "columns": ["p"]}, ["'cycle' is the time of WindowT"]),
        (IDS, IDS, []),
        (IDS, {"series": 0, "time": 1}, []),
        (IDS, {"columns": ["p"]}, []),
        (IDS, {"series": "unit", "columns": ["p", "cycle"]}, []),
        ({"columns": ["p", "q"]}, IDS, []),
    ],
)
def test_ids_of_one_step_are_no_features_of_the_next(scaler, windows, expected):
    pipe = make_pipeline(PerSeriesScaler(**scaler), WindowTransformer(2, **windows))
    found = warnings_of(lambda: pipe.fit(PANEL))
    assert len(found) == len(expected)
    for message, pattern in zip(found, expected, strict=True):
        with pytest.raises(AssertionError, match=pattern):
            raise AssertionError(message)
    assert not warnings_of(lambda: pipe.transform(PANEL))


def test_a_panel_without_its_id_column_is_not_compared():
    scaled = PerSeriesScaler(**IDS).fit_transform(PANEL)
    assert not warnings_of(lambda: WindowTransformer(2).fit(scaled.drop(columns=["unit", "cycle"])))


def test_the_note_does_not_reach_the_table_of_the_user():
    X = PANEL.copy()
    X.attrs["source"] = "factory"
    scaled = PerSeriesScaler(**IDS).fit_transform(X)
    assert X.attrs == {"source": "factory"}
    assert scaled.attrs["source"] == "factory"
    assert not PANEL.attrs


READERS = {
    "windows": lambda X, **ids: WindowTransformer(2, columns="p", **ids).fit(X),
    "targets": lambda X, **ids: make_targets(X, columns="p", **ids),
    "forecaster": lambda X, **ids: MultiSeriesForecaster(1, **ids)._read(X[["p", "unit"]], True),
}


@pytest.mark.parametrize("reader", READERS)
def test_decreasing_dates_are_warned_of(reader):
    read = READERS[reader]
    reverse = DAYS.set_index("day")[::-1]
    (message,) = warnings_of(lambda: read(reverse, series="unit"))
    assert "'day' decreases in 2 of 2 series, the first is 'b'. Set time='day'" in message
    one = pd.concat([DAYS[:6].set_index("day"), DAYS[7:5:-1].set_index("day")])
    (message,) = warnings_of(lambda: read(one, series="unit"))
    assert "decreases in 1 of 2 series, the first is 'b'" in message
    assert not warnings_of(lambda: read(DAYS.set_index("day"), series="unit"))
    assert not warnings_of(lambda: read(reverse.rename_axis("t"), series="unit", time="t"))


def test_dates_in_columns_and_of_forgotten_series_count():
    fit = WindowTransformer(2, columns="p").fit
    (message,) = warnings_of(lambda: fit(DAYS))
    assert "'day' decreases in 1 of 1 series" in message
    assert message.endswith("If X holds several series, name their ids with series=.")
    assert not warnings_of(lambda: fit(DAYS[:6]))
    unknown = DAYS[::-1].assign(day=DAYS["day"].where(DAYS.index > 0))
    assert not warnings_of(lambda: fit(unknown))


def test_a_shuffled_default_index_says_nothing():
    # Rows that were sorted have one, too.
    in_order = make_panel([6, 5], scattered=True).sort_values(["unit", "cycle"])
    assert not warnings_of(lambda: WindowTransformer(2, columns="p", series="unit").fit(in_order))
