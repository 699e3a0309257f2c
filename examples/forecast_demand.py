"""Forecast sales of many shops with planned promotions: backtest, forecast, picture.

    python examples/forecast_demand.py [folder for the picture]

Promotions and calendar are known beforehand (`known_future`). A few shops are not among the
training rows; the same nets forecast them from their own history.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from sklstm import MultiSeriesForecaster, backtest
from sklstm.metrics import coverage

IDS = {"series": "shop", "time": "day"}
HORIZON = 28
KNOWN = ["promotion", "month_end"]


def make_sales(n_shops=60, n_days=400, promoted=0.12, seed=0):
    """Make daily sales of shops of all sizes: weekly pattern, trend, promotions, noise.

    Shops open on different days, so they have between half and all of the days. The share
    `promoted` of the days have promotions. The README forecasts examples/shop_sales.csv, which is
    ``make_sales(8, 300, promoted=0)`` without the column of promotions.
    """
    rng = np.random.default_rng(seed)
    days = pd.date_range("2023-06-01", periods=n_days, freq="D")
    parts = []
    for number in range(n_shops):
        week = rng.normal(scale=0.15, size=7) + [0, 0, 0.05, 0.1, 0.3, 0.45, -0.5]
        wave = 0.15 * np.sin(2 * np.pi * (np.arange(n_days) / 365 + rng.normal(scale=0.05)))
        trend = rng.normal(scale=0.2) * np.arange(n_days) / n_days
        promotion = np.repeat(rng.random(n_days // 5 + 1) < promoted, 5)[:n_days]
        log_mean = rng.normal(4.5, 0.9) + week[days.day_of_week] + wave + trend
        log_mean += np.where(promotion, 0.5, 0)
        log_mean += np.where(days.days_in_month - days.day < 3, 0.2, 0)
        sold = rng.poisson(np.exp(log_mean + rng.normal(scale=0.08, size=n_days)))
        table = {"shop": f"shop {number + 1:02d}", "day": days, "sold": sold}
        opened = rng.integers(n_days // 2)
        parts.append(pd.DataFrame(table | {"promotion": promotion.astype(int)})[opened:])
    return pd.concat(parts, ignore_index=True)


def add_calendar(sales):
    """Mark the last three days of each month, when salaries have been paid."""
    days_left = sales["day"].dt.days_in_month - sales["day"].dt.day
    return sales.assign(month_end=(days_left < 3).astype(int))


def main(folder=None, n_shops=60):
    sales = add_calendar(make_sales(n_shops))
    is_new = sales["shop"].isin(sales["shop"].unique()[-4:])
    known = MultiSeriesForecaster(
        HORIZON,
        target="sold",
        season_length=7,
        known_future=KNOWN,
        quantiles=(0.1, 0.5, 0.9),
        calibration="series",
        random_state=0,
        **IDS,
    )
    past_alone = MultiSeriesForecaster(
        HORIZON, target="sold", season_length=7, random_state=0, **IDS
    )

    # Four origins in the past; the nets are fitted once, on the rows before the first one.
    errors = {
        name: backtest(forecaster, panel[~is_new], n_origins=4, refit=False)
        for name, forecaster, panel in [
            ("promotions and calendar known", known, sales),
            ("sales alone", past_alone, sales[["shop", "day", "sold"]]),
        ]
    }
    table = pd.DataFrame(
        {name: result.groupby("shop")["scaled_error"].mean() for name, result in errors.items()}
    )
    print("MASE, mean over shops and four origins:")
    print(table.mean().round(3).to_string())

    # The last four weeks, of shops in the training rows and of new ones.
    last = sales.groupby("shop").cumcount(ascending=False) < HORIZON
    future = sales.drop(columns="sold")
    known.fit(sales[~last & ~is_new])
    forecast = pd.concat(
        [
            known.forecast(future=future[last & ~is_new]),
            known.forecast(sales[~last & is_new], future=future[last & is_new]),
        ]
    )
    print("\nforecasts of the new shops:")
    numbers = ["prediction", "q0.1", "q0.5", "q0.9"]
    of_new = forecast["shop"].isin(sales.loc[is_new, "shop"])
    print(forecast[of_new].round(dict.fromkeys(numbers, 1)))
    observed = forecast.merge(sales, on=["shop", "day"])
    share = coverage(observed["sold"], observed["q0.1"], observed["q0.9"])
    print(f"\n{share:.0%} of the observed values are in the 80% intervals")
    if folder is not None:
        from sklstm.plotting import ForecastDisplay

        shops = [*sales["shop"].unique()[:3], *sales.loc[is_new, "shop"].unique()[:3]]
        display = ForecastDisplay.from_forecast(
            forecast, sales, target="sold", series_ids=shops, n_history=56, **IDS
        )
        display.figure_.savefig(Path(folder) / "forecast_demand.png", dpi=110)
    return table, forecast


if __name__ == "__main__":
    main(*sys.argv[1:2])
