"""Draw every display for any number of series, from made data and without a network.

``python tests/plotting/drawn_displays.py FOLDER`` saves the pictures for 3 and 3,000 series.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.utils import Bunch

from sklstm import WindowTransformer, make_remaining_life
from sklstm.inspection import Attributions
from sklstm.plotting import (
    AttributionDisplay,
    ClassesOverTimeDisplay,
    CoverageDisplay,
    ForecastDisplay,
    HorizonErrorDisplay,
    ImportanceDisplay,
    RemainingLifeDisplay,
    SeriesReportDisplay,
    TrainingDisplay,
    WindowDisplay,
)

IDS = {"series": "machine", "time": "day"}


def make_machines(n_series, n_days=(60, 160), seed=0):
    """Make a panel of machines with one sensor and daily rows."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(*n_days, n_series)
    machine = np.repeat([f"M{number:04d}" for number in range(n_series)], lengths)
    day = np.concatenate([np.arange(length) for length in lengths])
    drift = 3 * (day / np.repeat(lengths, lengths)) ** 4
    sensor = drift + rng.normal(0, 0.3, len(day)) + np.repeat(rng.normal(size=n_series), lengths)
    dates = pd.Timestamp("2024-01-01") + pd.to_timedelta(day, "D")
    return pd.DataFrame({"machine": machine, "day": dates, "vibration": sensor})


def draw_horizon_errors(n_series):
    rng = np.random.default_rng(0)
    steps = np.tile(np.arange(1, 29), n_series)
    results = {}
    for name, growth in [("seasonal naive", 0.03), ("ridge", 0.02), ("LSTM", 0.012)]:
        error = np.abs(rng.normal(0, 0.8 + growth * steps))
        table = {"step": steps, "y_true": 10.0, "prediction": 10 + error, "scaled_error": error}
        results[name] = pd.DataFrame(table)
    yield "", HorizonErrorDisplay.from_backtest(results, baseline="seasonal naive")
    many = {f"candidate {number}": results["ridge"] for number in range(20)}
    yield "20 models", HorizonErrorDisplay.from_backtest(results | many)


def draw_coverage(n_series):
    panel = make_machines(n_series)
    rng = np.random.default_rng(0)
    spread = rng.lognormal(0, 0.3, n_series)[pd.factorize(panel["machine"])[0]]
    y = rng.normal(0, spread)
    levels = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
    quantiles = np.tile(norm.ppf(levels), (len(y), 1))
    options = {"panel": panel, "series": "machine"}
    display = CoverageDisplay.from_predictions(y, quantiles, levels, name="LSTM", **options)
    narrow = CoverageDisplay.from_predictions(y, 0.6 * quantiles, levels, name="narrow")
    yield "", narrow.plot(display.ax_)
    yield "quantiles", CoverageDisplay.from_predictions(y, quantiles, levels, by="quantile")


def draw_windows(n_series):
    panel = make_machines(n_series)
    transformer = WindowTransformer(24, **IDS)
    place = panel.groupby("machine").cumcount()
    early = transformer.fit(panel[place < 40])
    first_new = int(np.flatnonzero(place == 48)[0])
    yield "remembered", WindowDisplay.from_estimator(early, panel, first_new)
    new = panel[(place >= 40) | (panel["machine"] > "M0000")]
    yield "only new rows", WindowDisplay.from_estimator(early, new.reset_index(drop=True), 8)
    yield "padding", WindowDisplay.from_estimator(early, panel, 9)
    gap = panel[(place < 20) | (place >= 30)].reset_index(drop=True)
    broken = WindowTransformer(24, max_gap="2D", **IDS).fit(gap.head(1))
    yield "gap", WindowDisplay.from_estimator(broken, gap, 28)
    spaced = WindowTransformer(8, spacing=5, **IDS).fit(panel.head(1))
    yield "spacing", WindowDisplay.from_estimator(spaced, panel, 50)


def draw_lives(n_series):
    panel = make_machines(n_series)
    names = panel["machine"].unique()
    failed = {name: number % 3 != 1 for number, name in enumerate(names)}
    lives = make_remaining_life(panel, failed, unit="1D", **IDS)
    rng = np.random.default_rng(0)
    true = lives["time"] + np.where(lives["event"], 0, 40)
    spread = 2 + 0.15 * true
    error = pd.Series(rng.normal(0, 1, len(panel))).ewm(span=10).mean().to_numpy()
    predicted = np.maximum(np.minimum(true, 90) + 2 * spread * error, 0)
    bounds = {"lower": np.maximum(predicted - 1.3 * spread, 0), "upper": predicted + 1.3 * spread}
    options = {"coverage": 0.8, "unit": "days", **IDS}
    display = RemainingLifeDisplay.from_predictions(lives, predicted, panel, **bounds, **options)
    yield "", display
    kind = "error" if n_series < 10 else "series"
    yield (
        kind,
        RemainingLifeDisplay(
            display.lives, coverage=0.8, series_name="machine", time_name="day", unit="days"
        ).plot(kind=kind),
    )


def draw_classes(n_series):
    panel = make_machines(n_series)
    rng = np.random.default_rng(0)
    left = panel.groupby("machine").cumcount(ascending=False).to_numpy()
    due = (left < 30).astype(int)
    noise = pd.Series(rng.normal(0, 4, len(panel))).ewm(span=5).mean().to_numpy()
    risk = 1 / (1 + np.exp((left - 30 + 2 * noise) / 6))
    proba = np.column_stack([1 - risk, risk])
    kwargs = {"classes": [0, 1], **IDS}
    display = ClassesOverTimeDisplay.from_predictions(due, proba, panel, **kwargs)
    yield "", display
    kind = "change" if n_series < 10 else "series"
    yield kind, ClassesOverTimeDisplay.from_predictions(due, proba, panel, kind=kind, **kwargs)
    names = np.array(["idle", "cutting", "drilling", "cleaning", "waiting", "error", "off", "test"])
    state = rng.integers(0, len(names), 1 + len(panel) // 15).repeat(15)[: len(panel)]
    scores = rng.normal(0, 0.7, (len(panel), len(names)))
    scores[np.arange(len(panel)), state] += 2.5
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    kwargs["classes"] = names
    yield (
        "states",
        ClassesOverTimeDisplay.from_predictions(
            names[state], proba, panel, kind="series", **kwargs
        ),
    )
    kind_of = pd.factorize(panel["machine"])[0] % 3
    sure = 1 - 0.6 * np.exp(-panel.groupby("machine").cumcount().to_numpy() / 30)
    proba = np.full((len(panel), 3), ((1 - sure) / 2)[:, np.newaxis])
    proba[np.arange(len(panel)), kind_of] = sure + rng.uniform(-0.2, 0, len(panel))
    kwargs["classes"] = [0, 1, 2]
    yield (
        "start",
        ClassesOverTimeDisplay.from_predictions(kind_of, proba, panel, kind="start", **kwargs),
    )


def draw_training(n_series):
    rng = np.random.default_rng(0)
    histories = []
    for level in rng.lognormal(0, 0.4, n_series):
        fall = level * np.exp(-np.arange(15) / 4) + 0.2
        histories.append({"loss": list(fall), "val_loss": list(fall * rng.uniform(1.05, 1.3, 15))})
    yield "one network", TrainingDisplay(histories[:1]).plot()
    yield "", TrainingDisplay(histories).plot()


def draw_forecasts(n_series):
    panel = make_machines(n_series, (100, 120))
    last = panel.groupby("machine").tail(1)
    parts = []
    for step in range(1, 15):
        value = last["vibration"] + 0.02 * step
        part = {"machine": last["machine"], "day": last["day"] + pd.Timedelta(step, "D")}
        part |= {"step": step, "prediction": value}
        part |= {"q0.1": value - 0.1 * step**0.5, "q0.9": value + 0.1 * step**0.5}
        parts.append(pd.DataFrame(part))
    yield "", ForecastDisplay.from_forecast(pd.concat(parts), panel, **IDS)


def draw_report(n_series):
    names = pd.Index([f"M{number:04d}" for number in range(n_series)], name="machine")
    errors = np.random.default_rng(0).lognormal(size=n_series)
    yield "", SeriesReportDisplay(pd.DataFrame({"error": errors}, index=names)).plot()


def draw_attributions(n_series):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n_series, 48, 25)) * rng.lognormal(size=25)
    values *= np.exp(-np.arange(48)[::-1] / 12)[:, np.newaxis]
    attributions = Attributions(
        values,
        10 + values.sum(axis=(1, 2)),
        np.full(n_series, 10.0),
        [f"sensor{number}" for number in range(25)],
        np.arange(48)[::-1],
        np.arange(n_series),
        pd.Index(range(n_series)),
        np.full(n_series, 40),
    )
    yield "one row", AttributionDisplay.from_attributions(attributions, row=1)
    yield "", AttributionDisplay.from_attributions(attributions)
    yield "lags", ImportanceDisplay.from_attributions(attributions, by="lag")


def draw_importances(n_series):
    names = [f"M{number:04d}" for number in range(n_series)]
    values = np.random.default_rng(0).exponential(size=(n_series, 1)) + np.random.default_rng(
        1
    ).normal(0, 0.1, (n_series, 5))
    yield (
        "",
        ImportanceDisplay.from_importances(Bunch(importances=values, names=names, by="series")),
    )


DRAW = {
    "HorizonErrorDisplay": draw_horizon_errors,
    "CoverageDisplay": draw_coverage,
    "WindowDisplay": draw_windows,
    "RemainingLifeDisplay": draw_lives,
    "ClassesOverTimeDisplay": draw_classes,
    "TrainingDisplay": draw_training,
    "ForecastDisplay": draw_forecasts,
    "SeriesReportDisplay": draw_report,
    "AttributionDisplay": draw_attributions,
    "ImportanceDisplay": draw_importances,
}


def save_all(folder, *only):
    """Save the pictures of all displays, or of some, for 3 and 3,000 series."""
    import matplotlib.pyplot as plt

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in only or DRAW:
        for n_series in (3, 3000):
            for variant, display in DRAW[name](n_series):
                words = [name, variant.replace(" ", "_"), str(n_series)]
                path = folder / ("-".join(word for word in words if word) + ".png")
                display.figure_.savefig(path, dpi=80)
                plt.close("all")
                print(path)


if __name__ == "__main__":
    save_all(*sys.argv[1:])
