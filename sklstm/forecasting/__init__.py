"""Forecasts of many series by one network."""

from sklstm.forecasting._forecaster import MultiSeriesForecaster
from sklstm.forecasting._suggest import suggest_season_length

__all__ = ["MultiSeriesForecaster", "suggest_season_length"]
