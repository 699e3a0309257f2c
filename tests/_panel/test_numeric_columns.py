"""What a message says about a column that holds no numbers."""

import datetime as dt

import pandas as pd
import pytest

from sklstm._panel.numeric_columns import check_numeric_columns

DAYS = pd.date_range("2024-01-01", periods=2)
COLUMNS = {
    "text": (["rain", "sun"], r"holds text \(the first is 'rain'\).* \.astype\('category'\)"),
    "bytes": ([b"rain", b"sun"], "holds text"),
    "numbers as text": (["1", "2"], "holds text .* Convert it with pandas.to_numeric"),
    "decimal commas": (
        ["3,0", "4,5"],
        "holds text .*'3,0'.* It has decimal commas: read",
    ),
    "dates": (DAYS, r"holds dates.* such as X\['x'\]\.dt\.day_of_week"),
    "periods": (DAYS.to_period("D"), r"holds dates.* X\['x'\]\.dt\.day_of_week"),
    "objects": ([dt.date(2024, 1, 1), dt.date(2024, 1, 2)], "holds dates.* the day of the week"),
    "categories": (pd.Categorical(["a", "b"]), "holds values of dtype category"),
    "lists": ([[1], [2]], "holds values of dtype object"),
}


@pytest.mark.parametrize(("values", "message"), COLUMNS.values(), ids=COLUMNS)
def test_the_message_fits_the_kind(values, message):
    table = pd.DataFrame({"x": values, "y": 1.0})
    with pytest.raises(ValueError, match=f"^Feature 'x' {message}") as caught:
        check_numeric_columns(table, "unit", "day")
    assert "the id?" not in str(caught.value)


def test_ids_and_times_may_be_forgotten():
    table = pd.DataFrame({"unit": ["a", "b"], "day": DAYS})
    with pytest.raises(ValueError, match=r"Is 'unit' the id\? Then pass series='unit'.*\['day'\]"):
        check_numeric_columns(table, None, None)
    with pytest.raises(ValueError, match=r"Is 'day' the time\? Then pass time='day'"):
        check_numeric_columns(table[["day"]], "unit", None)


def test_numbers_pass():
    table = pd.DataFrame({"x": [1, None], "y": [True, False], "z": pd.array([1, None], "Int64")})
    check_numeric_columns(table.astype({"x": object}), None, None)
