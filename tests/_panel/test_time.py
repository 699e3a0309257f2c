"""Tests of converting time stamps and gaps in time to numbers."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sklstm._panel.time import gap_number, time_numbers

HOUR = 3600 * 10**9  # in nanoseconds
DATES = pd.to_datetime(["2024-03-31 01:00", "2024-03-31 04:00", "2024-03-30 00:00"])
HOURS = np.array([0, 3, -25])


@pytest.mark.parametrize(
    ("stamps", "kind", "unit"),
    [
        (np.array([5, 8, -20], np.int8), "number", 1),
        (pd.Series([5, 8, -20], dtype="Int64"), "number", 1),
        (pd.Series([0.5, 3.5, -24.5]), "number", 1),
        (np.array([5, 8, -20], object), "number", 1),
        (DATES, "datetime", HOUR),
        (pd.Series(DATES).astype("datetime64[s]"), "datetime", HOUR),
        (DATES.tz_localize("UTC").tz_convert("Europe/Berlin"), "datetime with time zone", HOUR),
        (DATES - DATES[0], "timedelta", HOUR),
        (np.array(list(DATES), object), "datetime", HOUR),
        (DATES.to_period("h"), "period[h]", 1),
    ],
)
def test_numbers_keep_order_and_differences(stamps, kind, unit):
    numbers, found = time_numbers(stamps)
    assert found == kind
    assert numbers.dtype in (np.int64, np.float64)
    assert_array_equal(numbers - numbers[0], HOURS * unit)


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        ([1.0, np.nan, np.nan], r"missing .* in 2 of 3 rows \(the first is row 1\)"),
        ([pd.NaT, pd.Timestamp(0)], r"missing .* in 1 of 2 rows \(the first is row 0\)"),
        ([1.0, np.inf], "holds infinite values"),
        (["2024-01-01"], "must hold numbers, dates or periods.*'2024-01-01'.*pandas.to_datetime"),
        ([True, False], "must hold numbers, dates or periods"),
        ([1j], "must hold numbers, dates or periods"),
    ],
)
def test_bad_time_stamps(stamps, message):
    with pytest.raises(ValueError, match=message):
        time_numbers(stamps)


@pytest.mark.parametrize(
    ("max_gap", "kind", "expected"),
    [
        (None, None, None),
        (None, "number", None),
        (2, "number", 2.0),
        (np.float32(0.5), "number", 0.5),
        (3, "period[M]", 3.0),
        ("2h", "datetime", 2 * HOUR),
        (timedelta(hours=1), "datetime with time zone", HOUR),
        (np.timedelta64(90, "m"), "timedelta", 1.5 * HOUR),
    ],
)
def test_gap_in_the_unit_of_the_time(max_gap, kind, expected):
    assert gap_number(max_gap, kind) == expected


@pytest.mark.parametrize(
    ("max_gap", "kind", "message"),
    [
        (2, None, "max_gap=2 needs the time"),
        (2, "datetime", "plain number, but the time holds dates"),
        ("two hours", "datetime", "is not a length of time"),
        ("2h", "number", "must be a number, like the time"),
        (True, "number", "must be a number, like the time"),
        ("2h", "period[h]", "must be a number of periods"),
        (0, "number", "must be positive"),
        (np.nan, "number", "must be positive"),
        ("-1h", "timedelta", "must be positive"),
    ],
)
def test_bad_gaps(max_gap, kind, message):
    with pytest.raises(ValueError, match=message):
        gap_number(max_gap, kind)
