"""Measure classifiers: failure within 30 cycles, and labels of whole series.

    python benchmarks/classification.py --part engines             # FD001, embedded
    python benchmarks/classification.py --part series --aeon .envs/aeon/bin/python
    python benchmarks/classification.py --part search              # training parts alone

**engines**: the probability that an engine of FD001 fails within the next 30 cycles, at the last
cycle of each test engine and over all test rows. All models read the same scaled windows.

**series**: one label per series, for sets that the package aeon contains. aeon, and the TensorFlow
that it needs, are in an environment of their own (``pip install aeon tensorflow``). Series are read
from there, and its InceptionTime is fitted there.
"""

import argparse
import json
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from report import markdown
from run import machine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from turbofan_data import FEATURES, IDS, last_rows, load

from sklstm import (
    MultiSeriesLSTMClassifier,
    PerSeriesScaler,
    SeriesEnsembleClassifier,
    WindowTransformer,
    make_series_targets,
    stack_series,
)

HORIZON = 30  # cycles
WINDOW = 80
SETS = ("JapaneseVowels", "BasicMotions")

# ---------------------------------------------------------------------------- engines


def prepared(*steps):
    """Build a pipeline that scales each engine by its past, and continues with these steps."""
    return make_pipeline(PerSeriesScaler(**IDS), *steps)


def lag_table(classifier):
    """Build the pipeline of a classifier that reads each window as one row."""
    windows = WindowTransformer(WINDOW, columns=FEATURES, output="2d", **IDS)
    return prepared(windows, classifier)


def sklstm_network(seed):
    """Build the README's pipeline, for classes."""
    return prepared(
        WindowTransformer(WINDOW, columns=FEATURES, **IDS),
        MultiSeriesLSTMClassifier(
            segment_length=5,
            min_observed=20,
            batch_size=256,
            epochs=8,
            learning_rate_decay="cosine",
            random_state=seed,
        ),
    )


class HandWritten:
    """An LSTM with a sigmoid, as tutorials write it, in plain Keras."""

    classes_ = np.array([False, True])

    def __init__(self, seed):
        self.seed = seed

    def fit(self, X, y):
        """Train on the windows."""
        import keras

        keras.utils.set_random_seed(self.seed)
        self.model = keras.Sequential(
            [
                keras.Input(X.shape[1:]),
                keras.layers.LSTM(64),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        self.model.compile("adam", "binary_crossentropy")
        self.model.fit(X, np.asarray(y, np.float32), batch_size=256, epochs=8, verbose=0)
        return self

    def predict_proba(self, X):
        """Predict the probabilities of both classes."""
        probability = self.model.predict(X, batch_size=1024, verbose=0)
        return np.hstack([1 - probability, probability])


class Prepared:
    """Fit a model on the output of a transformer. It serves objects that are no estimators."""

    def __init__(self, transformer, model):
        self.transformer, self.model = transformer, model

    def fit(self, X, y):
        """Fit both."""
        self.model.fit(self.transformer.fit_transform(X), y)
        return self

    def predict_proba(self, X):
        """Predict the probabilities of both classes."""
        return self.model.predict_proba(self.transformer.transform(X))


def keras_network(seed):
    """Build the hand-written network behind the same windows."""
    windows = WindowTransformer(WINDOW, columns=FEATURES, output="3d", **IDS)
    return Prepared(prepared(windows), HandWritten(seed))


ENGINE_MODELS = {
    "MultiSeriesLSTMClassifier": sklstm_network,
    "SeriesEnsembleClassifier of three": lambda seed: make_pipeline(
        *sklstm_network(seed)[:-1],
        SeriesEnsembleClassifier(sklstm_network(seed)[-1], 3, assign="all", random_state=seed),
    ),
    "LSTM in plain Keras": keras_network,
    "HistGradientBoostingClassifier": lambda seed: lag_table(
        HistGradientBoostingClassifier(random_state=seed)
    ),
    "LogisticRegression": lambda seed: lag_table(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    ),
}
WITHOUT_SEED = ("LogisticRegression",)


def calibration_error(truth, probability, n_bins=10):
    """Compute the mean distance between probability and frequency, over bins of equal width."""
    bins = np.minimum((probability * n_bins).astype(int), n_bins - 1)
    sizes = np.bincount(bins, minlength=n_bins)
    gaps = np.bincount(bins, probability - truth, minlength=n_bins)
    return np.abs(gaps).sum() / sizes.sum()


def figures_of(truth, probability):
    """Compute the figures of one set of rows."""
    return {
        "ROC AUC": roc_auc_score(truth, probability),
        "average precision": average_precision_score(truth, probability),
        "Brier score": brier_score_loss(truth, probability),
        "calibration error": calibration_error(truth, probability),
    }


def measure_engines(n_seeds, names):
    """Fit the named models with each seed, and yield their figures on the test engines."""
    data = load()
    y, truth = data.train_rul <= HORIZON, (data.test_rul <= HORIZON).to_numpy()
    last = last_rows(data.test)
    for name in names:
        make = ENGINE_MODELS[name]
        for seed in range(1 if name in WITHOUT_SEED else n_seeds):
            started = time.perf_counter()
            model = make(seed).fit(data.train, y)
            seconds = time.perf_counter() - started
            probability = model.predict_proba(data.test)[:, 1]
            for rows, where in [(last, "last cycle"), (np.ones(len(last), bool), "all rows")]:
                figures = figures_of(truth[rows], probability[rows]) | {"seconds": seconds}
                yield {"model": name, "rows": where, "seed": seed} | figures


# ------------------------------------------------------------------- one label per series


def series_recipe(seed):
    """Build one recipe for series of any length: scaled by all series, read as a whole."""
    ids = {"series": "series", "time": "time"}
    net = MultiSeriesLSTMClassifier(
        64,
        bidirectional=True,
        attention=4,
        dropout=0.2,
        batch_size=16,
        epochs=30,
        learning_rate=3e-3,
        learning_rate_decay="cosine",
    )
    return make_pipeline(
        PerSeriesScaler(statistics="pooled", **ids),
        FunctionTransformer(add_changes),
        WindowTransformer("longest", padding="nan", **ids),
        SeriesEnsembleClassifier(net, 3, assign="all", random_state=seed),
    )


def add_changes(panel):
    """Add the change of each column since the row before."""
    changes = panel.groupby(level="series").diff().fillna(0.0)
    return panel.join(changes.add_suffix("_change"))


def to_panel(part, series, labels):
    """Make a panel of arrays of shape (n_columns, n_rows), and targets of its last rows.

    Ids begin with the name of the part: a test series would continue a training series of its id.
    """
    panel = stack_series({f"{part} {i}": each.T for i, each in enumerate(series)})
    return panel, make_series_targets(panel, labels, series="series", time="time")


def read_sets(python, folder, names):
    """Save the series of some of aeon's sets, by its own loader in its own environment."""
    code = (
        "import sys, pickle\n"
        "from aeon.datasets import load_classification\n"
        "parts = [load_classification(sys.argv[1], split=p) for p in ('train', 'test')]\n"
        "parts = [([x for x in X], [str(label) for label in y]) for X, y in parts]\n"
        "pickle.dump(parts, open(sys.argv[2], 'wb'))\n"
    )
    for name in names:
        subprocess.run([python, "-c", code, name, str(folder / name)], check=True)
        yield name, pd.read_pickle(folder / name)


INCEPTION = """
import sys, time, numpy as np, pickle
from aeon.classification.deep_learning import InceptionTimeClassifier
(X, y), (X_test, y_test) = pickle.load(open(sys.argv[1], "rb"))
length = max(x.shape[1] for x in X + X_test)
pad = lambda series: np.stack([np.pad(x, ((0, 0), (0, length - x.shape[1]))) for x in series])
started = time.perf_counter()
model = InceptionTimeClassifier(n_classifiers=3, n_epochs=int(sys.argv[3]), batch_size=16,
                                random_state=int(sys.argv[2]))
model.fit(pad(X), np.array(y))
seconds = time.perf_counter() - started
print(np.mean(model.predict(pad(X_test)) == np.array(y_test)), seconds)
"""


def measure_series(n_seeds, python, epochs, names):
    """Fit the recipe and InceptionTime on each set, and yield accuracies."""
    with TemporaryDirectory() as folder:
        for name, (train, test) in read_sets(python, Path(folder), names):
            for seed in range(n_seeds):
                started = time.perf_counter()
                model = series_recipe(seed).fit(*to_panel("train", *train))
                seconds = time.perf_counter() - started
                accuracy = model.score(*to_panel("test", *test))
                yield {"set": name, "model": "sklstm", "seed": seed} | {
                    "accuracy": accuracy,
                    "seconds": seconds,
                }
            for seed in range(n_seeds if epochs else 0):
                command = [python, "-c", INCEPTION, str(Path(folder) / name), str(seed)]
                done = subprocess.run(
                    [*command, str(epochs)], check=True, capture_output=True, text=True
                )
                accuracy, seconds = map(float, done.stdout.split()[-2:])
                yield {"set": name, "model": f"InceptionTime, {epochs} epochs", "seed": seed} | {
                    "accuracy": accuracy,
                    "seconds": seconds,
                }


def search_series(python, names):
    """Cross-validate the recipe on the training parts."""
    with TemporaryDirectory() as folder:
        for name, ((series, labels), _) in read_sets(python, Path(folder), names):
            labels = np.array(labels)
            folds = StratifiedKFold(3, shuffle=True, random_state=0).split(labels, labels)
            for number, (train, test) in enumerate(folds):
                pick = [([series[i] for i in rows], labels[rows]) for rows in (train, test)]
                model = series_recipe(0).fit(*to_panel("train", *pick[0]))
                accuracy = model.score(*to_panel("test", *pick[1]))
                yield {"set": name, "model": "sklstm", "fold": number, "accuracy": accuracy}


# -------------------------------------------------------------------------------- tables


def show(results):
    """Print a table with a line per model: the mean and deviation over the seeds."""
    table = pd.DataFrame(results)
    keys = [name for name in ("set", "rows", "model") if name in table]
    figures = table.columns.difference([*keys, "seed", "fold"], sort=False)
    lines = [
        [*key, *(f"{part[name].mean():.4g} ± {part[name].std(ddof=0):.2g}" for name in figures)]
        for key, part in table.groupby(keys, sort=False)
    ]
    print(machine())
    print(markdown([*keys, *figures], lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=["engines", "series", "search"], default="engines")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=ENGINE_MODELS, default=list(ENGINE_MODELS))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--aeon", default=".envs/aeon/bin/python", help="Python with aeon")
    parser.add_argument("--epochs", type=int, default=100, help="of InceptionTime; 0: not fitted")
    options = parser.parse_args()
    if options.part == "engines":
        measured = measure_engines(options.seeds, options.models)
    elif options.part == "series":
        measured = measure_series(options.seeds, options.aeon, options.epochs, options.sets)
    else:
        measured = search_series(options.aeon, options.sets)
    results = []
    for result in measured:
        print(json.dumps(result), flush=True)
        results.append(result)
    show(results)


if __name__ == "__main__":
    main()
