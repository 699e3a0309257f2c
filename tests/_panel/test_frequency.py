"""Tests of frequencies, against regular time stamps of pandas with some of them removed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklstm._panel.frequency import fill_gaps
from sklstm._panel.infer_frequency import infer_frequency

N = 24


def dates(freq, start="2024-01-01", **options):
    return pd.date_range(start, periods=N, freq=freq, **options)


# Time stamps without gaps: the first 20 are a series, the last 4 the expected next ones.
RUNS = {
    "integers": pd.Index(range(3, 3 + N)),
    "even integers": pd.Index(range(4, 4 + 2 * N, 2)),
    "small integers": pd.Index(np.arange(126 - N, 126, dtype=np.int8).astype(np.int64)),
    "floats": pd.Index(0.1 * np.arange(N)),
    "unix seconds": pd.Index(1.7e9 + 0.1 * np.arange(N)),
    "minutes": dates("15min"),
    "hours": dates("h"),
    "hours over a clock change": dates("h", "2024-10-26 20:00", tz="Europe/Berlin"),
    "four hours": dates("4h"),
    "days": dates("D"),
    "days over a clock change": dates("D", "2024-03-20", tz="Europe/Berlin"),
    "every other day": dates("2D", "2024-03-20", tz="America/New_York"),
    "weeks": dates("W-WED"),
    "business days": dates("B"),
    "month starts": dates("MS"),
    "month ends": dates("ME"),
    "every other month": dates("2MS"),
    "months with a zone": dates("MS", tz="Europe/Berlin"),
    "quarters": dates("QE"),
    "years": dates("YS"),
    "half months": dates("SMS"),
    "half months with a zone": dates("SMS", tz="America/New_York"),
    "days 1 and 16": dates(pd.offsets.SemiMonthBegin(day_of_month=16)),
    "middles and ends of months": dates(pd.offsets.SemiMonthEnd(), "2023-12-20"),
    "days of 1875 in seconds": dates("D", "1875-01-01", unit="s"),
    "daily periods": pd.period_range("2024-01-01", periods=N, freq="D"),
    "monthly periods": pd.period_range("2024-01", periods=N, freq="M"),
    "quarterly periods": pd.period_range("2024", periods=N, freq="Q-NOV"),
    "timedeltas": pd.timedelta_range("3h", periods=N, freq="h"),
    "daily timedeltas": pd.timedelta_range("0h", periods=N, freq="D"),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("missing", [(), (5,), (1, 2, 9), (3, 6, 11, 12)])
def test_frequency_of_every_kind_of_time(run, missing):
    # Two series: one with all steps but the missing ones, and a short one that starts later.
    long, short = np.delete(np.arange(20), missing), np.arange(7, 10)
    stamps = run[long].append(run[short])
    starts = np.array([0, len(long)])
    frequency = infer_frequency(stamps, starts)
    assert_array_equal(frequency.numbers(stamps, starts), [*long, 0, 1, 2])
    ahead = frequency.after(stamps.take([len(long) - 1, len(stamps) - 1]), 4)
    expected = run[20:24].append(run[10:14])
    if run.dtype == float:
        np.testing.assert_allclose(ahead, expected, rtol=1e-14)
    else:
        assert ahead.dtype == run.dtype
        assert ahead.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("zone", "clock", "change"),
    [
        ("Africa/Cairo", "00:00", "2024-04-26"),
        ("Europe/Berlin", "02:30", "2024-03-31"),
        ("Europe/Berlin", "02:30", "2024-10-27"),
    ],
    ids=["no midnight", "no hour", "two hours"],
)
def test_days_whose_hour_a_clock_change_skips_or_repeats(zone, clock, change):
    first = pd.Timestamp(f"{change} {clock}") - pd.Timedelta(days=5)
    days = pd.DatetimeIndex([first + pd.Timedelta(days=number) for number in range(12)])
    days = days.tz_localize(zone, nonexistent="shift_forward", ambiguous=[True] * 12)
    frequency = infer_frequency(days, np.array([0]))
    assert_array_equal(frequency.numbers(days, np.array([0])), range(12))
    assert_array_equal(frequency.after(days[:1], 11), days[1:])
    assert_array_equal(frequency.after(days[4:5], 2), days[5:7])
    moved = days[:8].insert(8, days[8] + pd.Timedelta(hours=1))
    with pytest.raises(ValueError, match="1 of them are not a whole number of steps"):
        frequency.numbers(moved, np.array([0]))


def test_weekends_are_no_gaps_in_business_days():
    days = dates("B")
    assert_array_equal(infer_frequency(days, np.array([0])).numbers(days, [0]), np.arange(N))
    # Three rows before the first weekend do not show business days.
    assert infer_frequency(days[:3], np.array([0])).after(days[4:5], 1)[0].day_name() == "Saturday"
    weekend = days.delete(6).append(pd.DatetimeIndex(["2024-02-03"]))
    assert infer_frequency(weekend, np.array([0])).numbers(weekend, [0])[-1] == 33


def test_series_with_and_without_weekends():
    stamps = dates("B").append(dates("D")[:20])
    frequency = infer_frequency(stamps, np.array([0, N]))
    assert frequency.numbers(stamps, np.array([0, N]))[:7].tolist() == [0, 1, 2, 3, 4, 7, 8]


@pytest.mark.parametrize(
    ("first", "second"), [("QS-JAN", "QS-FEB"), ("QE-DEC", "QE-JAN"), ("YS-JAN", "YS-APR")]
)
def test_quarters_and_years_that_start_in_different_months(first, second):
    stamps = dates(first)[:20].append(dates(second)[:5])
    starts = np.array([0, 20])
    frequency = infer_frequency(stamps, starts)
    assert frequency.numbers(stamps, starts).tolist() == [*range(20), *range(5)]
    ahead = frequency.after(stamps.take([19, 24]), 2)
    assert ahead.tolist() == [*dates(first)[20:22], *dates(second)[5:7]]
    same = infer_frequency(stamps[:20], starts[:1]).step
    assert same.freqstr.startswith(first[:2])


@pytest.mark.parametrize("freq", ["MS", "ME"])
@pytest.mark.parametrize("rows", [[0, 1], [0, 1, 3, 4, 6, 7], [[0, 1], [4, 5]]])
def test_months_of_which_no_three_follow_each_other(freq, rows):
    rows = np.atleast_2d(rows)
    stamps, starts = dates(freq)[rows.ravel()], np.arange(len(rows)) * rows.shape[1]
    frequency = infer_frequency(stamps, starts)
    assert_array_equal(frequency.numbers(stamps, starts), (rows - rows[:, :1]).ravel())
    assert frequency.after(stamps[1:2], 2).tolist() == dates(freq)[2:4].tolist()


def test_two_weeks_that_begin_on_the_days_of_half_months():
    days = pd.DatetimeIndex(["2023-02-01", "2023-02-15", "2023-03-01"])
    assert infer_frequency(days, np.array([0])).after(days[2:], 2).day.tolist() == [15, 29]


def test_weeks_are_counted_from_the_first_weekday_of_each_series():
    sunday, monday = dates("W-SUN"), dates("W-MON")
    stamps = sunday[:5].append(monday[:3])
    frequency = infer_frequency(stamps, np.array([0, 5]))
    assert_array_equal(frequency.numbers(stamps, np.array([0, 5])), [0, 1, 2, 3, 4, 0, 1, 2])
    assert frequency.after(stamps.take([7]), 2).tolist() == monday[3:5].tolist()


def test_a_short_series_with_regular_gaps_does_not_determine_the_step():
    gapped, whole = dates("D")[[0, 2, 4]], dates("D")
    starts = np.array([0, 3])
    stamps = gapped.append(whole)
    assert_array_equal(infer_frequency(stamps, starts).numbers(stamps, starts)[:3], [0, 2, 4])


@pytest.mark.parametrize(
    ("stamps", "freq", "expected"),
    [
        (dates("D"), "12h", 2 * np.arange(N)),
        (dates("D"), pd.offsets.Hour(6), 4 * np.arange(N)),
        (dates("D"), pd.Timedelta(days=1), np.arange(N)),
        (dates("D"), pd.Timedelta(hours=1).to_pytimedelta(), 24 * np.arange(N)),
        (pd.Index(range(0, 3 * N, 3)), 1.5, 2 * np.arange(N)),
        (pd.timedelta_range(0, periods=N, freq="D"), "h", 24 * np.arange(N)),
        (dates("D", "2024-03-20", tz="Europe/Berlin"), pd.Timedelta(days=1), np.arange(N)),
    ],
)
def test_passed_freq(stamps, freq, expected):
    starts = np.array([0])
    assert_array_equal(infer_frequency(stamps, starts, freq).numbers(stamps, starts), expected)


@pytest.mark.parametrize(
    ("stamps", "freq", "message"),
    [
        (dates("D"), 2, "freq=2 is a plain number, but the time holds dates"),
        (dates("D"), "-1D", "freq='-1D' must be positive"),
        (dates("D"), pd.Timedelta(0), "must be positive"),
        (dates("D"), "soon", "freq='soon' is not a step that pandas knows"),
        (pd.Index(range(4)), "D", "freq='D' must be a number, since the time holds numbers"),
        (pd.Index(range(4)), 0, "freq=0 must be positive"),
        (RUNS["daily periods"], "D", "periods, which have a frequency"),
        (RUNS["timedeltas"], "MS", "freq='MS' has no fixed length, .* lengths of time: .*'h' or"),
        (RUNS["timedeltas"], pd.offsets.Week(), "has no fixed length"),
        (pd.Index(range(4)), np.inf, "freq=inf must be positive and finite"),
    ],
)
def test_bad_freq(stamps, freq, message):
    with pytest.raises(ValueError, match=message):
        infer_frequency(stamps, np.array([0]), freq)


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        (pd.Index([0, 2, 4, 5, 7, 9]), r"3 of them are not .* \(2\) .* that at 5"),
        (dates("MS").append(dates("MS") + pd.Timedelta(days=3)), "24 of them are not a whole"),
        (dates("D").insert(3, pd.Timestamp("2024-01-03 01:00")), "1 of them are not"),
        (dates("MS") + pd.Timedelta(days=9), r"pd\.DateOffset\(months=1\), the same day of each"),
        (
            dates("12h", "2024-03-25").tz_localize("Europe/Berlin"),
            r"summer time, drop the zone with \.dt\.tz_localize\(None\)",
        ),
    ],
)
def test_irregular_time_stamps(stamps, message):
    starts = np.array([0]) if len(stamps) < 2 * N else np.array([0, N])
    with pytest.raises(ValueError, match=message):
        infer_frequency(stamps, starts).numbers(stamps, starts)


@pytest.mark.parametrize(
    ("stamps", "freq"),
    [
        (dates("D").insert(3, dates("D")[2] + pd.Timedelta(seconds=9)), None),
        (dates("15min"), "365D"),
        (pd.Index([0.0, 1.0, 2.0, 3.0, 3.0001, 4.0]), None),
    ],
)
def test_two_rows_at_one_step(stamps, freq):
    frequency = infer_frequency(stamps, np.array([0]), freq)
    with pytest.raises(ValueError, match="of the rows are at the same step .* pass a smaller"):
        frequency.numbers(stamps, np.array([0]))
    # Rows of different series may have the same step.
    later = stamps[[0, 0]]
    assert frequency.numbers(later, np.array([0, 1])).tolist() == [0, 0]


def test_series_of_one_row_each():
    starts = np.arange(3)
    assert infer_frequency(pd.Index([4, 9, 1]), starts).step == 1
    with pytest.raises(ValueError, match="No series has two rows"):
        infer_frequency(dates("D")[:3], starts)
    assert (
        infer_frequency(dates("D")[:3], starts, "D").numbers(dates("D")[:3], starts).tolist()
        == [0] * 3
    )


@given(st.lists(st.sets(st.integers(1, 9)), min_size=1, max_size=4))
def test_filled_grid_has_every_step(series):
    # The step numbers of each series; the first one is 0.
    rows = [(code, number) for code, own in enumerate(series) for number in sorted(own | {0})]
    grid = [(code, n) for code, own in enumerate(series) for n in range(max(own | {0}) + 1)]
    codes, numbers = map(np.array, zip(*rows, strict=True))
    at, grid_codes = fill_gaps(codes, numbers)
    assert at.tolist() == [grid.index(row) for row in rows]
    assert grid_codes.tolist() == [code for code, _ in grid]


def test_a_wrong_time_stamp_raises_before_memory_is_allocated():
    with pytest.raises(ValueError, match="The 3 rows would have 99999998 missing steps"):
        fill_gaps(np.zeros(3, int), np.array([0, 1, 10**8]))
