"""Forecasts of many series by one network."""

from sklstm.forecasting._forecaster import MultiSeriesForecaster

__all__ = ["MultiSeriesForecaster"]
