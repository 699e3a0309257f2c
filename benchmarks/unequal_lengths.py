"""Measure the effect of padding: fixed windows compared with windows of whole series.

    python benchmarks/unequal_lengths.py                     # both parts
    python benchmarks/unequal_lengths.py --part events       # the synthetic series alone
    python benchmarks/unequal_lengths.py --paddings zero edge

Engines: FD001's training engines, three folds with one seed each; held-out engines are cut at
random cycles, RMSE with the truth capped at 125, one scale for all. Without the age as a feature,
only padding shows how old an engine is.

Events: one target per series, the size of an event anywhere in its history, observed with noise.
The least possible RMSE is 0.45. The length of a series is unrelated to its event, except where the
two are tied. Fits on 2000 series, tests on as many others, three seeds.
"""

import argparse
import time

import numpy as np
import pandas as pd
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from turbofan import score_at_random_cycles
from turbofan_data import FEATURES, MAX_LIFE, load

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer
from sklstm._panel.windows import Windows

SEEDS = 3
EVERY = 3  # cycles from one target to the next: neighbours have nearly the same window
PADDINGS = {"zero": "zeros", "edge": "oldest row", "nan": "masked"}


def candidates(fixed, paddings):
    """List the options of the windows by name."""
    found = {f"the last {length} rows": {"window_length": length} for length in fixed}
    found["shortest"] = {"window_length": "shortest"}
    for padding in paddings:
        options = {"window_length": "longest", "padding": padding}
        found[f"longest, {PADDINGS[padding]}"] = options
    return found


def make_net(options, ids, columns, segment_length, **parameters):
    def fill_segments(windows):
        """Pad the oldest segment to its full length."""
        length = -(-windows.window_length // segment_length) * segment_length
        return Windows(**{**vars(windows), "window_length": length})

    return make_pipeline(
        PerSeriesScaler(statistics="pooled", columns=columns, **ids),
        WindowTransformer(columns=columns, **options, **ids),
        FunctionTransformer(fill_segments),
        MultiSeriesLSTMRegressor(
            segment_length=segment_length, learning_rate_decay="cosine", **parameters
        ),
    )


# --------------------------------------------------------------------------------- engines


def engines(paddings):
    """Compute the RMSE of each candidate, without and with the age, as lists over the seeds."""
    data, ids = load(), {"series": "unit", "time": "cycle"}
    X, y = data.train, data.train_rul.clip(upper=MAX_LIFE).astype(float)
    target = y.where(X["cycle"] % EVERY == 0)
    folds = list(GroupKFold(SEEDS, shuffle=True, random_state=0).split(X, y, X["unit"]))
    for name, options in candidates((30, 80), paddings).items():
        found = {}
        for label, columns in (("no age", FEATURES[:-1]), ("age", FEATURES)):
            found[label] = []
            for seed, (train, test) in enumerate(folds):
                net = make_net(
                    options,
                    ids,
                    columns,
                    10,
                    learning_rate=3e-3,
                    epochs=8,
                    min_observed=20,
                    random_state=seed,
                )
                net.fit(X.iloc[train], target.iloc[train])
                found[label].append(-score_at_random_cycles(net, X.iloc[test], y.iloc[test]))
        yield name, found


# ---------------------------------------------------------------------------------- events


def make_events(sizes, lengths, rng, part):
    """Make series with one event each: five rows of its size, observed with noise.

    Parameters
    ----------
    sizes : ndarray of shape (n_series,)
        Sizes of the events: the targets, known at the last row of each series only.
    lengths : ndarray of shape (n_series,)
        Rows of each series.
    rng : Generator
    part : str
        Prefix of the ids: no test series continues a training series.

    Returns
    -------
    X : DataFrame with columns series, time, level
    y : ndarray of shape (n_rows,)
    """
    n_series, n_rows = len(sizes), 5
    starts = np.cumsum(lengths) - lengths
    level = rng.normal(0, 0.1, lengths.sum())
    first = starts + (rng.random(n_series) * (lengths - n_rows)).astype(int)
    seen = sizes + rng.normal(0, 0.5, n_series)
    level[(first[:, np.newaxis] + np.arange(n_rows)).ravel()] += seen.repeat(n_rows)
    ids = pd.Index([f"{part} {i}" for i in range(n_series)])
    time = np.arange(len(level)) - starts.repeat(lengths)
    y = np.full(len(level), np.nan)
    y[starts + lengths - 1] = sizes
    return pd.DataFrame({"series": ids.repeat(lengths), "time": time, "level": level}), y


def usual(sizes, rng):
    return rng.integers(30, 91, len(sizes))


def shorter(sizes, rng):
    return rng.integers(10, 31, len(sizes))


def tied(sizes, rng):
    """Draw lengths as `usual`, with large events in long series."""
    rank = (sizes + rng.normal(0, 0.5, len(sizes))).argsort().argsort()
    return 30 + (rank * 61) // len(sizes)


CASES = {  # lengths in training and in the test
    "30 to 90 rows": (usual, usual),
    "test: 10 to 30 rows": (usual, shorter),
    "tied to the target": (tied, tied),
    "tied in training alone": (tied, usual),
}


def events(paddings):
    """Compute the RMSE of each candidate for each case of lengths, as lists over the seeds."""
    ids = {"series": "series", "time": "time"}
    for name, options in candidates((60,), paddings).items():
        found = {case: [] for case in CASES}
        for seed in range(SEEDS):
            fitted = {}
            for case, (of_training, of_test) in CASES.items():
                rng = np.random.default_rng(seed)
                sizes, new_sizes = rng.normal(size=(2, 2000))
                X, y = make_events(sizes, of_training(sizes, rng), rng, "training")
                if of_training not in fitted:
                    fitted[of_training] = make_net(
                        options,
                        ids,
                        ["level"],
                        5,
                        hidden_units=32,
                        learning_rate=5e-3,
                        epochs=30,
                        min_observed=1,
                        random_state=seed,
                    ).fit(X, y)
                X, y = make_events(new_sizes, of_test(new_sizes, rng), rng, "test")
                known = np.isfinite(y)
                predicted = fitted[of_training].predict(X)
                found[case].append(root_mean_squared_error(y[known], predicted[known]))
        yield name, found


# ----------------------------------------------------------------------------------- table


def table(title, results, form):
    """Print a markdown table line by line: mean and range over the seeds."""
    started = time.perf_counter()
    for number, (name, found) in enumerate(results):
        if number == 0:
            print(f"\n| {title} | {' | '.join(found)} | seconds |")
            print(f"|---|{'---|' * len(found)}---|")
        cells = [
            f"{np.mean(errors):{form}} ({min(errors):{form}} to {max(errors):{form}})"
            for errors in found.values()
        ]
        now = time.perf_counter()
        print(f"| {name} | {' | '.join(cells)} | {now - started:.0f} |", flush=True)
        started = now


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=["engines", "events"], default=None)
    parser.add_argument("--paddings", nargs="+", choices=list(PADDINGS), default=list(PADDINGS))
    options = parser.parse_args()
    if options.part != "events":
        table("engines, RMSE in cycles", engines(options.paddings), ".1f")
    if options.part != "engines":
        table("events, RMSE", events(options.paddings), ".2f")


if __name__ == "__main__":
    main()
