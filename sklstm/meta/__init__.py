"""Meta-estimators: scaling of targets by series, ensembles by series, methods of pipelines."""

from sklstm.meta._ensemble import SeriesEnsembleRegressor
from sklstm.meta._last_step import predict_quantiles, series_report
from sklstm.meta._target_regressor import PerSeriesTargetRegressor

__all__ = [
    "PerSeriesTargetRegressor",
    "SeriesEnsembleRegressor",
    "predict_quantiles",
    "series_report",
]
