"""Estimators around one LSTM for many series."""

from sklstm.lstm._regressor import MultiSeriesLSTMRegressor

__all__ = ["MultiSeriesLSTMRegressor"]
