"""Compare forecast errors of sklstm with published values, simple forecasts, neuralforecast.

    python benchmarks/accuracy.py                                # all sets, 5 seeds
    python benchmarks/accuracy.py --sets beijing quantiles --peers
    python benchmarks/accuracy.py --sets                         # no set: only the page

The forecaster has its defaults, apart from horizon and season (and the window, where the problem
gives one). Figures are saved to `accuracy.json` as soon as they are computed, and from it to
`ACCURACY.md`. Data are read from SKLSTM_DATA; neuralforecast runs in its environment under
`.envs/`, as in run.py, with one seed.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from panels import (
    HOURS,
    PARTS,
    TARGET,
    TEST_START,
    UNSEEN,
    WINDOW,
    daily_origins,
    fill_gaps,
    read_beijing,
    split_beijing,
    untuned_panels,
)
from problems import PROBLEMS, CannotError, read_series, seasonal_naive
from report import fill, markdown
from run import Process, machine
from sklearn.metrics import mean_pinball_loss

from sklstm import make_targets, stack_series
from sklstm.metrics import mase, seasonal_scale, smape

HERE = Path(__file__).parent
OURS, PEER = "sklstm", "neuralforecast"
MAX_STEPS = 1_000  # of neuralforecast: its default

# Horizon and season; several seasons; further parameters of the peer; the mean MASE to reach;
# published errors (M4: the competition's results; the others: Monash archive).
PUBLIC = {
    "M4 hourly": {
        "size": {"folder": "m4_hourly", "horizon": 48, "season": 24},
        "seasons": (24, 168),
        "peer": {"window": 96, "units": 64},
        "goal": 0.80,
        "published": {"Doornik": 0.801, "FFORMA": 0.819, "ES-RNN": 0.893, "Monash, PR": 1.662},
    },
    "NN5 daily": {
        "size": {"folder": "nn5_daily", "horizon": 56, "season": 7},
        "peer": {"window": 112, "units": 64},
        "goal": 0.82,
        "published": {"Monash, TBATS": 0.858, "Monash, ETS": 0.865, "Monash, WaveNet": 0.916},
    },
    "tourism monthly": {
        "size": {"folder": "tourism_monthly", "horizon": 24, "season": 12},
        "peer": {"window": 36, "units": 64},
        "goal": 1.40,
        "published": {"Monash, DeepAR": 1.409, "Monash, WaveNet": 1.482, "Monash, ETS": 1.526},
    },
}

QUANTILES = (0.1, 0.5, 0.9)  # the outer two bound the interval of 80 %
ORIGINS = 5

# By case: the start of the forecasts and the end of the data. The second case is for choices.
BEIJING = {
    "the test year": (TEST_START, None),
    "half a year before": (pd.Timestamp("2015-09-01"), TEST_START),
}
# The peer's nets. All forecast the half year; the first and the chosen one forecast the test.
NETS = {
    "as it comes": {"scaler": "robust", "recurrent": False},
    "standard scaler": {"scaler": "standard", "recurrent": False},
    "standard scaler, recurrent": {"scaler": "standard", "recurrent": True},
}
CHOSEN = "standard scaler, recurrent"
CHOICE_STEPS = 300


# ------------------------------------------------------------------------------------ ours


def make_forecaster(horizon, season, target, seed, **options):
    """Make the default forecaster for tables with the columns series, time and `target`."""
    from sklstm import MultiSeriesForecaster

    return MultiSeriesForecaster(
        horizon,
        target=target,
        season_length=season,
        random_state=seed,
        series="series",
        time="time",
        **options,
    )


def forecast_series(train, horizon, season, seed):
    """Fit on a list of arrays; return the forecast (n_series, horizon) and its seconds."""
    panel = stack_series(train, columns=["y"]).reset_index()
    started = time.perf_counter()
    tidy = make_forecaster(horizon, season, "y", seed).fit(panel).forecast()
    found = tidy.pivot(index="series", columns="step", values="prediction").to_numpy()
    return found, time.perf_counter() - started


def forecast_beijing(train, rows, origins, seed):
    """Return the forecast (n_origins, 24) and its seconds."""
    started = time.perf_counter()
    model = make_forecaster(HOURS, HOURS, TARGET, seed, window_length=WINDOW).fit(train)
    found = np.asarray(model.predict(rows))[origins]
    return found, time.perf_counter() - started


def forecast_quantiles(series, horizon, season, seed, calibration):
    """Forecast (n_series, n_origins, horizon, n_quantiles) from one fit, and its seconds."""
    from sklstm import backtest

    panel = stack_series(series, columns=["y"]).reset_index()
    forecaster = make_forecaster(
        horizon, season, "y", seed, quantiles=QUANTILES, calibration=calibration
    )
    started = time.perf_counter()
    found = backtest(forecaster, panel, n_origins=ORIGINS, stride=horizon, refit=False)
    seconds = time.perf_counter() - started
    found = found.sort_values(["series", "origin", "step"])
    columns = ["prediction" if q == 0.5 else f"q{q}" for q in QUANTILES]
    return found[columns].to_numpy().reshape(len(series), ORIGINS, horizon, -1), seconds


# ------------------------------------------------------------------------------------- peer


def ask_peer(problem, **size):
    """Return the figures of neuralforecast and its seconds."""
    process = Process(PEER)
    answer = process.ask(do="prepare", problem=problem, size=size)
    if not answer:
        answer = process.ask(do="run")
    process.stop()
    if "cannot" in answer:
        raise CannotError(f"{PEER}: {answer['cannot']}")
    return answer["figures"], answer["seconds"]


# ----------------------------------------------------------------------------------- scores


def series_scale(train, season):
    """Compute the seasonal naive error of each array; short ones get a season of one row."""
    panel = stack_series(train, columns=["y"])
    scales = [seasonal_scale(panel, m, series="series", time="time") for m in (season, 1)]
    return scales[0].fillna(scales[1]).to_numpy()


def score_beijing(truth, forecast, unseen):
    """Compute the mean absolute error over known true values, µg/m³."""
    error = np.abs(np.asarray(truth) - forecast)
    return {"MAE, nine": np.nanmean(error[~unseen]), "MAE, three": np.nanmean(error[unseen])}


def score_quantiles(truth, forecast, scale):
    """Compute the coverage of the interval and the mean scaled pinball loss.

    `truth` has shape (n_series, n_origins, horizon), `forecast` a further axis of quantiles.
    """
    inside = (forecast[..., 0] <= truth) & (truth <= forecast[..., -1])
    rows = truth.reshape(len(truth), -1).T
    losses = [
        mean_pinball_loss(
            rows, forecast[..., i].reshape(len(truth), -1).T, alpha=q, multioutput="raw_values"
        )
        for i, q in enumerate(QUANTILES)
    ]
    known = scale > 0
    return {
        "coverage, %": 100 * inside.mean(),
        "pinball loss": (np.mean(losses, axis=0)[known] / scale[known]).mean(),
    }


def over_seeds(score, seeds):
    """Collect the figures of several seeds in lists."""
    found = [score(seed) for seed in range(seeds)]
    return {name: [figures[name] for figures in found] for name in found[0]}


# ------------------------------------------------------------------------------------- sets
# Each function yields (case, method, figures); a figure is a list with one entry per seed.


def read_points(case):
    """Read the training part of a public set; return it and a function that scores a forecast."""
    size = PUBLIC[case]["size"]
    train, test = (read_series(size["folder"], part) for part in PARTS)
    scale = series_scale(train, size["season"])

    def score(forecast):
        return {"MASE": mase(test, forecast, scale=scale), "sMAPE": smape(test, forecast)}

    return train, score


def score_points(case, season_length, seed):
    """Forecast each series of a public set, and score the forecasts."""
    train, score = read_points(case)
    forecast, seconds = forecast_series(train, PUBLIC[case]["size"]["horizon"], season_length, seed)
    return {**score(forecast), "seconds": seconds}


def several_seasons(case, seeds, peers):
    """Forecast each series of a public set with several seasons."""
    seasons = PUBLIC[case]["seasons"]
    if seeds:
        method = f"{OURS}, season_length={seasons}"
        yield case, method, over_seeds(partial(score_points, case, seasons), seeds)


def points(case, seeds, peers):
    """Forecast each series of a public set once."""
    known = PUBLIC[case]
    size = known["size"]
    horizon, season = size["horizon"], size["season"]
    train, score = read_points(case)
    yield case, "to reach", {"MASE": [known["goal"]]}
    for method, value in known["published"].items():
        yield case, f"{method}, published", {"MASE": [value]}
    naive = score(seasonal_naive(train, horizon, season))
    yield case, "seasonal naive", {name: [value] for name, value in naive.items()}
    if seeds:
        yield case, OURS, over_seeds(partial(score_points, case, season), seeds)
    if peers:
        told = PROBLEMS["forecast"].cases["M4 hourly"] | size | known["peer"]
        found, seconds = ask_peer("forecast", **told)
        yield case, PEER, {"MASE": [found["MASE"]], "seconds": [seconds]}


def simple_beijing(rows):
    """Make simple forecasts (n_rows, 24), with gaps filled by the last value."""
    filled = fill_gaps(rows)
    by_series = filled.groupby("series")[TARGET]
    day = by_series.transform(lambda x: x.rolling(HOURS, min_periods=1).mean())
    ahead = range(1, HOURS + 1)
    return {
        "last value": np.tile(filled[[TARGET]], HOURS),
        "the day before": np.column_stack([by_series.shift(HOURS - step) for step in ahead]),
        "mean of the last day": np.tile(day.to_frame(), HOURS),
    }


def beijing(case, seeds, peers):
    """Forecast PM2.5 of the next day, every day, at known and at unknown stations."""
    start, end = BEIJING[case]
    train, rows = split_beijing(read_beijing(), start, end)
    origins = daily_origins(rows, start)
    truth = make_targets(rows, HOURS, TARGET, series="series", time="time")
    truth = np.asarray(truth)[origins]
    unseen = rows.loc[origins, "series"].isin(UNSEEN).to_numpy()

    def ours(seed):
        forecast, seconds = forecast_beijing(train, rows, origins, seed)
        return {**score_beijing(truth, forecast, unseen), "seconds": seconds}

    for method, forecast in simple_beijing(rows).items():
        scored = score_beijing(truth, forecast[origins], unseen)
        yield case, method, {name: [value] for name, value in scored.items()}
    if seeds:
        yield case, OURS, over_seeds(ours, seeds)
    nets = NETS if end else {name: NETS[name] for name in (CHOSEN, "as it comes")}
    for method, net in nets.items() if peers else ():
        found, seconds = ask_peer(
            "beijing",
            **net,
            max_steps=CHOICE_STEPS if end else MAX_STEPS,
            start=str(start),
            end=end and str(end),
            seed=0,
        )
        scored = score_beijing(truth, np.array(found["forecast"]), unseen)
        scored["seconds"] = seconds
        yield case, f"{PEER}, {method}", {name: [value] for name, value in scored.items()}


def quantiles(case, seeds, peers):
    """Forecast intervals from rolling origins, with one fit before the first of them."""
    known = PUBLIC[case]
    size = known["size"]
    horizon, season = size["horizon"], size["season"]
    parts = [read_series(size["folder"], part) for part in PARTS]
    series = [np.concatenate(both) for both in zip(*parts, strict=True)]
    past = [x[: -ORIGINS * horizon] for x in series]
    scale = series_scale(past, season)
    truth = np.stack([x[-ORIGINS * horizon :].reshape(ORIGINS, horizon) for x in series])

    def ours(seed, calibration):
        forecast, seconds = forecast_quantiles(series, horizon, season, seed, calibration)
        return {**score_quantiles(truth, forecast, scale), "seconds": seconds}

    # The seasonal naive forecast with the quantiles of its past errors.
    naive = np.stack(
        [
            seasonal_naive([x[: -back * horizon] for x in series], horizon, season)
            for back in range(ORIGINS, 0, -1)
        ],
        axis=1,
    )
    spread = np.stack([np.quantile(x[season:] - x[:-season], QUANTILES) for x in past])
    scored = score_quantiles(
        truth, naive[..., np.newaxis] + spread[:, np.newaxis, np.newaxis], scale
    )
    yield case, "seasonal naive", {name: [value] for name, value in scored.items()}
    if seeds:
        yield case, OURS, over_seeds(partial(ours, calibration=None), seeds)
        calibrated = partial(ours, calibration="series")
        yield case, f"{OURS}, calibrated on series", over_seeds(calibrated, seeds)
    if peers:
        found, seconds = ask_peer(
            "quantiles",
            **size,
            **known["peer"],
            max_steps=MAX_STEPS,
            quantiles=QUANTILES,
            n_origins=ORIGINS,
            seed=0,
        )
        scored = score_quantiles(truth, np.array(found["forecast"]), scale)
        scored["seconds"] = seconds
        yield case, PEER, {name: [value] for name, value in scored.items()}


def untuned(seeds, peers):
    """Forecast panels that were used for no choice."""
    for case, (series, horizon, season) in untuned_panels().items():
        train, test = [x[:-horizon] for x in series], [x[-horizon:] for x in series]
        scale = series_scale(train, season)
        naive = mase(test, seasonal_naive(train, horizon, season), scale=scale)
        yield (
            case,
            "seasonal naive",
            {"MASE": [naive], "series": [len(scale)], "left out": [int((scale == 0).sum())]},
        )

        def ours(seed, train=train, test=test, horizon=horizon, season=season, scale=scale):
            forecast, seconds = forecast_series(train, horizon, season, seed)
            return {"MASE": mase(test, forecast, scale=scale), "seconds": seconds}

        if seeds:
            figures = over_seeds(ours, seeds)
            figures["times naive"] = [value / naive for value in figures["MASE"]]
            yield case, OURS, figures


# By the name on the command line: the section of the page, and the function.
SETS = {
    "m4_hourly": ("points", partial(points, "M4 hourly")),
    "m4_seasons": ("points", partial(several_seasons, "M4 hourly")),
    "nn5_daily": ("points", partial(points, "NN5 daily")),
    "tourism_monthly": ("points", partial(points, "tourism monthly")),
    "beijing": ("beijing", partial(beijing, "the test year")),
    "beijing_choice": ("beijing", partial(beijing, "half a year before")),
    "m4_quantiles": ("quantiles", partial(quantiles, "M4 hourly")),
    "nn5_quantiles": ("quantiles", partial(quantiles, "NN5 daily")),
    "untuned": ("untuned", untuned),
}


# ------------------------------------------------------------------------------------- page


def cell(values):
    """Format the mean over seeds, and the range if there are several."""
    text = f"{np.mean(values):.4g}"
    return text if len(values) == 1 else f"{text} ({min(values):.4g} to {max(values):.4g})"


def table(cases):
    """Make a table with a line per case and method."""
    entries = [entry["figures"] for case in cases.values() for entry in case.values()]
    names = list(dict.fromkeys(name for figures in entries for name in figures))
    lines = [
        [case, method, *(cell(figures[name]) if name in figures else "" for name in names)]
        for case, methods in cases.items()
        for method, figures in ((method, entry["figures"]) for method, entry in methods.items())
    ]
    made = {}
    for methods in cases.values():
        for method, entry in methods.items():
            if "seconds" in entry["figures"]:
                made.setdefault(entry["machine"], set()).add(method)
    notes = [f"{', '.join(sorted(methods))}: {where}." for where, methods in made.items()]
    return "\n\n".join([markdown(["set", "method", *names], lines), *notes])


def save(results):
    """Save the figures, and the page from them."""
    (HERE / "accuracy.json").write_text(json.dumps(results, indent=1) + "\n")
    page = HERE / "ACCURACY.md"
    texts = {section: table(cases) for section, cases in results.items()}
    page.write_text(fill(page.read_text(), texts))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", type=int, default=5, help="0 does not run sklstm")
    parser.add_argument("--peers", action="store_true", help="run neuralforecast as well")
    options = parser.parse_args()
    path = HERE / "accuracy.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    where = machine()
    for name in options.sets:
        section, measure = SETS[name]
        try:
            for case, method, figures in measure(options.seeds, options.peers):
                entry = {"figures": figures, "machine": where}
                results.setdefault(section, {}).setdefault(case, {})[method] = entry
                shown = ", ".join(f"{figure} {cell(values)}" for figure, values in figures.items())
                print(f"{name}, {case}, {method}: {shown}", flush=True)
                save(results)
        except CannotError as reason:
            print(f"{name}: {reason}", flush=True)
    save(results)


if __name__ == "__main__":
    main()
