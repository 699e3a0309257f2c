"""Four real engines, and a small pipeline, for the tests of clients."""

import pandas as pd
from helpers import lstm
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

from sklstm import PerSeriesScaler, WindowTransformer, make_series_scorer
from sklstm.datasets import load_turbofan

DATA = load_turbofan()
IDS = {"series": "unit", "time": "cycle"}
FEATURES = ["sensor2", "sensor3", "sensor4", "sensor7"]
# The engines that failed first.
ENGINES = DATA.train["unit"].value_counts().nsmallest(4).index
X = DATA.train.loc[DATA.train["unit"].isin(ENGINES), ["unit", "cycle", *FEATURES]]
X = X.astype(dict.fromkeys(FEATURES, "float64"))
Y = DATA.train_rul[X.index].clip(upper=125)
UNITS = X["unit"]
BY_INDEX = X.set_index(["unit", "cycle"])
# Two engines that were not in training.
X_TEST = DATA.test.loc[DATA.test["unit"].isin([101, 102]), X.columns]
Y_TEST = DATA.test_rul[X_TEST.index].clip(upper=125)

FOLDS = GroupKFold(2)
SPLITS = list(FOLDS.split(X, Y, UNITS))
SCORER = make_series_scorer("neg_mean_absolute_error", **IDS)
RATE = "multiserieslstmregressor__learning_rate"


def pipeline(*first, **options):
    """Make a small pipeline behind `first`; equal shapes in all tests save compiling."""
    return make_pipeline(
        *first,
        PerSeriesScaler(**IDS),
        WindowTransformer(3, **IDS),
        lstm(**{"batch_size": 64, "learning_rate": 0.03} | options),
    )


def score_by_hand(train, test, **options):
    """Score a fit on some rows by the mean over the engines of their mean absolute errors."""
    predicted = pipeline(**options).fit(X.iloc[train], Y.iloc[train]).predict(X.iloc[test])
    errors = pd.Series(Y.iloc[test] - predicted).abs()
    return -errors.groupby(UNITS.iloc[test]).mean().mean()
