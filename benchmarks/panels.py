"""Read and make the panels of the accuracy benchmark.

This module depends on NumPy and pandas alone, because peers import it without sklstm.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from problems import DATA, CannotError, read_series

PARTS = ("train", "test")

# ------------------------------------------------------------------------------- Beijing air

HOURS = 24  # to forecast
WINDOW = 168  # hours of history per forecast
TARGET = "PM2.5"
WEATHER = ["TEMP", "PRES", "DEWP", "RAIN", "WSPM", "wind_sin", "wind_cos"]
TEST_START = pd.Timestamp("2016-03-01")
UNSEEN = ["Tiantan", "Wanliu", "Wanshouxigong"]  # the last three by name: not in training

_COMPASS = "N NNE NE ENE E ESE SE SSE S SSW SW WSW W WNW NW NNW".split()


def read_beijing():
    """Read PM2.5 (µg/m³) and the hourly weather of twelve stations: a long table with gaps.

    Columns: series (the station), time, `TARGET`, `WEATHER`; sorted by the first two, with a row
    for every hour.
    """
    files = sorted((DATA / "beijing_air").glob("*.csv.gz"))
    if not files:
        raise CannotError("no data: beijing_air is not in the folder SKLSTM_DATA")
    table = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    table = table.rename(columns={"station": "series"})
    table["time"] = pd.to_datetime(table[["year", "month", "day", "hour"]])
    angle = 2 * np.pi / len(_COMPASS) * table["wd"].map({p: i for i, p in enumerate(_COMPASS)})
    table["wind_sin"], table["wind_cos"] = np.sin(angle), np.cos(angle)
    table = table[["series", "time", TARGET, *WEATHER]]
    return table.sort_values(["series", "time"], ignore_index=True)


def split_beijing(table, start=TEST_START, end=None):
    """Split into training rows, and rows to forecast from `start` on with their history.

    Both have only rows before `end`. Nine stations are in the training rows; all twelve are
    forecast. For choices on the training years, set `end` to `TEST_START` and `start` before it.
    """
    if end is not None:
        table = table[table["time"] < end]
    train = table[(table["time"] < start) & ~table["series"].isin(UNSEEN)]
    history = table["time"] >= start - pd.Timedelta(hours=WINDOW)
    return train.reset_index(drop=True), table[history].reset_index(drop=True)


def daily_origins(rows, start=TEST_START):
    """Mark the rows from which a day is forecast: those at 23:00.

    The forecasts of 24 hours cover each hour from `start` to the end of `rows` once.
    """
    time = rows["time"]
    last = time.max() - pd.Timedelta(hours=HOURS)
    return ((time.dt.hour == 23) & (time >= start - pd.Timedelta(hours=1)) & (time <= last)).array


def fill_gaps(table):
    """Fill missing values with the last known value of the series, or with the first one."""
    by_series = table.drop(columns="time").groupby("series")
    filled = by_series.ffill().fillna(by_series.bfill())
    return table.assign(**filled)


# ------------------------------------------------------------- panels used for no choice


def sums(series, n):
    """Sum blocks of `n` values, aligned with the end of each series."""
    return [x[len(x) % n :].reshape(-1, n).sum(axis=1) for x in series]


def untuned_panels():
    """Make by name: the whole series, the horizon at their end, and the season."""
    m4, nn5, tourism = (
        [np.concatenate(both) for both in zip(*(read_series(name, p) for p in PARTS), strict=True)]
        for name in ("m4_hourly", "nn5_daily", "tourism_monthly")
    )
    rng = np.random.default_rng(0)
    sales = [rng.random(n) < 0.2 for n in rng.integers(150, 400, size=200)]
    lengths = np.geomspace(20, 2600, 100).astype(int)
    return {
        "NN5 weekly": (sums(nn5, 7), 8, 52),
        "NN5 in sums of 28 days": (sums(nn5, 28), 4, 13),
        "NN5 as counts of 0 to 10 or so": ([np.round(3 * x / x.mean()) for x in nn5], 14, 7),
        "tourism quarterly": (sums(tourism, 3), 8, 4),
        "tourism yearly": (sums(tourism, 12), 4, 1),
        "M4 hourly in daily sums": (sums(m4, 24), 7, 7),
        "intermittent counts": ([x * rng.geometric(0.4, size=len(x)) * 1.0 for x in sales], 14, 7),
        "random walks with drift": (
            [100 + rng.normal(rng.normal(0, 0.3), 1, size=200).cumsum() for _ in range(100)],
            12,
            1,
        ),
        "20 to 2600 rows": ([seasonal_series(n, 12, rng) for n in lengths], 12, 12),
    }


def seasonal_series(length, season, rng):
    """Make a series of level, trend, season and noise, each of random size."""
    time = np.arange(length)
    shape = np.resize(rng.normal(size=season), length)
    trend = rng.normal(0, 0.02) * time
    level = rng.lognormal(3, 1)
    return level * (10 + trend + rng.gamma(2) * shape + rng.normal(size=length)) / 10
