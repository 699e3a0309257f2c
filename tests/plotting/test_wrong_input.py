"""Input that displays cannot draw raises an error, whose message is about it."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

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
)

PANEL = pd.DataFrame({"unit": [1, 1, 2, 2], "x": [1.0, 2.0, 3.0, 4.0]})
X, Y = PANEL[["x"]], PANEL["x"]
RIDGE = Ridge().fit(X, Y)
QUANTILES = np.column_stack([Y - 1, Y + 1])
HORIZONS = np.ones((4, 2))
RESULT = pd.DataFrame({"unit": [1, 1], "step": [1, 2], "y_true": [3.0, 4.0], "prediction": 3.0})


def coverage(y=Y, quantiles=QUANTILES, levels=(0.1, 0.9), **options):
    return CoverageDisplay.from_predictions(y, quantiles, levels, **options)


def lives(y=Y, predicted=Y, panel=PANEL, **options):
    return RemainingLifeDisplay.from_predictions(y, predicted, panel, **options)


def classes(proba, y=(0, 1, 0, 1), **options):
    return ClassesOverTimeDisplay.from_predictions(y, proba, PANEL, classes=[0, 1], **options)


def horizons(y_true=HORIZONS, y_pred=HORIZONS, **options):
    return HorizonErrorDisplay.from_predictions(y_true, y_pred, **options)


VALUES = {
    "rows of y": (lambda: coverage(Y[:2]), "y_true has 2 rows, y_quantiles has 4 rows"),
    "rows of a panel": (lambda: coverage(panel=PANEL[:2], series="unit"), "panel has 2 rows"),
    "no panel": (lambda: coverage(series="unit"), "series='unit' is a column of a panel"),
    "percentages": (lambda: coverage(levels=(10, 90)), "list of numbers between 0 and 1"),
    "text": (lambda: coverage(["a"] * 4), r"y_true holds text \(the first is 'a'\), expected num"),
    "no value": (lambda: coverage(Y * np.nan), "All values of y_true are missing"),
    "two axes": (lambda: coverage(ax=plt.subplots(1, 2)[1]), "holds 2 Axes, expected 1. Pass one"),
    "rows of lives": (lambda: lives(Y[:2]), "y_true has 2 rows, y_pred has 4 rows, panel has 4"),
    "rows of units": (lambda: lives(panel=PANEL[:3]), "y_pred has 4 rows, panel has 3 rows"),
    "two lives": (lambda: lives(HORIZONS, HORIZONS), "y_true has 2 outputs, expected one"),
    "one bound": (lambda: lives(lower=Y), "upper=None, but the other bound was passed"),
    "exchanged bounds": (lambda: lives(lower=Y, upper=Y - 1), "lower is above upper in 4 of 4"),
    "predicted classes": (lambda: lives(predicted=["a"] * 4), "y_pred holds text"),
    "one probability": (lambda: classes([0.1] * 4), r"shape \(4,\), expected one .*predict_proba"),
    "predicted labels": (lambda: classes(["a"] * 4), "y_proba holds text .*predict_proba"),
    "logits": (lambda: classes(HORIZONS * -2), "values from -2 to -2, expected probabilities"),
    "rows of labels": (lambda: classes(HORIZONS / 2, [0]), "y_true has 1 rows, y_proba has 4 rows"),
    "no errors": (lambda: horizons(HORIZONS * np.nan), "No error of 'model' is known"),
    "no errors of one model": (
        lambda: HorizonErrorDisplay.from_backtest(
            {"a": RESULT, "b": RESULT.assign(y_true=np.nan)}, metric="mae"
        ),
        "No error of 'b' is known",
    ),
    "no models": (lambda: horizons(y_pred={}), "dict of models is empty"),
    "mase": (lambda: horizons(metric="mase"), "'mase' needs the scale .* with from_backtest"),
    "text in a report": (
        lambda: SeriesReportDisplay(PANEL.assign(n="x")).plot(column="n"),
        "column 'n' holds text",
    ),
    "exchanged tables": (
        lambda: ForecastDisplay.from_forecast(PANEL, PANEL),
        r"forecast has no column \['step', 'prediction'\].*Pass a result of",
    ),
    "importances of scikit-learn": (
        lambda: ImportanceDisplay.from_importances({"importances": HORIZONS}),
        "no 'names'. Pass a result of sklstm.inspection.permutation_importance",
    ),
}


@pytest.mark.parametrize(("draw", "message"), VALUES.values(), ids=VALUES)
def test_wrong_values(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


TYPES = {
    "a figure as ax": (lambda: coverage(ax=plt.figure()), "ax is of type Figure, expected Axes"),
    "an array as result of a backtest": (
        lambda: CoverageDisplay.from_backtest(HORIZONS),
        "expected DataFrame. Pass a result of backtest",
    ),
    "an array of importances": (
        lambda: ImportanceDisplay.from_importances(HORIZONS),
        "result is of type ndarray, .*permutation_importance",
    ),
    "importances as attributions": (
        lambda: ImportanceDisplay.from_attributions({}),
        "attributions is of type dict, expected Attributions",
    ),
    "an array of attributions": (
        lambda: AttributionDisplay.from_attributions(HORIZONS),
        "attributions is of type ndarray, expected Attributions",
    ),
    "an estimator as report": (
        lambda: SeriesReportDisplay(RIDGE).plot(),
        "report is of type Ridge, .* call SeriesReportDisplay.from_estimator",
    ),
    "one history": (
        lambda: TrainingDisplay({"loss": [1.0]}).plot(),
        r"histories is of type dict, .*TrainingDisplay\(\[net.history_\]\)",
    ),
}


@pytest.mark.parametrize(("draw", "message"), TYPES.values(), ids=TYPES)
def test_wrong_types(draw, message):
    with pytest.raises(TypeError, match=message):
        draw()


METHODS = {
    "probabilities": (
        lambda: ClassesOverTimeDisplay.from_estimator(RIDGE, X, Y),
        "Ridge has no predict_proba. Pass a fitted classifier",
    ),
    "report": (
        lambda: SeriesReportDisplay.from_estimator(RIDGE, X, Y),
        "Ridge has no series_report. Pass a fitted estimator",
    ),
    "forecast": (
        lambda: ForecastDisplay.from_estimator(RIDGE, X),
        "Ridge has no forecast. Pass a fitted MultiSeriesForecaster",
    ),
    "a list": (
        lambda: HorizonErrorDisplay.from_estimator([RIDGE, RIDGE], X, Y),
        "list has no predict. Pass a fitted regressor, or a dict",
    ),
}


@pytest.mark.parametrize(("draw", "message"), METHODS.values(), ids=METHODS)
def test_missing_methods(draw, message):
    with pytest.raises(AttributeError, match=message):
        draw()


def test_one_share_of_coverage():
    class Net:
        def prediction_interval(self, X, coverage):
            return Y - 1, Y + 1

    display = CoverageDisplay.from_estimator(Net(), X, Y, shares=0.8)
    np.testing.assert_allclose(display.nominal, [0.8])
