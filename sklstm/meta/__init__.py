"""Meta-estimators: scaling of targets by series, ensembles by series, methods of pipelines."""

from sklstm.meta._ensemble_classifier import SeriesEnsembleClassifier
from sklstm.meta._ensemble_regressor import SeriesEnsembleRegressor
from sklstm.meta._last_step import predict_quantiles, prediction_interval, series_report
from sklstm.meta._target_regressor import PerSeriesTargetRegressor

__all__ = [
    "PerSeriesTargetRegressor",
    "SeriesEnsembleClassifier",
    "SeriesEnsembleRegressor",
    "predict_quantiles",
    "prediction_interval",
    "series_report",
]
