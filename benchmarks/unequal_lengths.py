"""What padding teaches a net: fixed windows beside windows of whole series.

    python benchmarks/unequal_lengths.py                     # both parts
    python benchmarks/unequal_lengths.py --part events       # the made-up series alone
    python benchmarks/unequal_lengths.py --paddings zero edge

Engines: FD001's training engines, three folds, a seed each; held-out engines are cut at random
cycles, RMSE with the truth capped at 125, one scale for all. Without the age among the features,
only padding tells how old an engine is.

Events: one target a series, the size of an event anywhere in its history, seen with noise; knowing
the event, RMSE 0.45 is the least. The length of a series says nothing about its event, but where
the two are tied. Fits on 2000 series, tests on as many others, three seeds.
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
    """Options of the windows, by name."""
    found = {f"the last {length} rows": {"window_length": length} for length in fixed}
    found["shortest"] = {"window_length": "shortest"}
    for padding in paddings:
        options = {"window_length": "longest", "padding": padding}
        found[f"longest, {PADDINGS[padding]}"] = options
    return found


def make_net(options, ids, columns, segment_length, **parameters):
    def fill_segments(windows):
        """Add what the oldest segment lacks, as padding."""
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
    """RMSE of each candidate, without the engine's age and with it: a list over the seeds."""
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
    """Series that are quiet but for one event each: five rows at its size, seen with noise.

    Parameters
    ----------
    sizes : ndarray of shape (n_series,)
        Of the events: the targets, known at each series' last row alone.
    lengths : ndarray of shape (n_series,)
        Rows of each series.
    rng : Generator
    part : str
        Goes into the ids: no series of the test continues one of training.

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
    """As `usual`, but long series have large events."""
    rank = (sizes + rng.normal(0, 0.5, len(sizes))).argsort().argsort()
    return 30 + (rank * 61) // len(sizes)


CASES = {  # lengths of training and of the test
    "30 to 90 rows": (usual, usual),
    "test: 10 to 30 rows": (usual, shorter),
    "tied to the target": (tied, tied),
    "tied in training alone": (tied, usual),
}


def events(paddings):
    """RMSE of each candidate by what the lengths are: lists over the seeds."""
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
    """Print a markdown table line by line: mean, least and most over the seeds."""
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
