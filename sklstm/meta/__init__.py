"""Meta-estimators: scaling of targets by series, and ensembles by series."""

from sklstm.meta._ensemble import SeriesEnsembleRegressor
from sklstm.meta._target_regressor import PerSeriesTargetRegressor

__all__ = ["PerSeriesTargetRegressor", "SeriesEnsembleRegressor"]
