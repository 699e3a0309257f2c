"""Estimators around one LSTM for many series."""

from sklstm.lstm._classifier import MultiSeriesLSTMClassifier
from sklstm.lstm._regressor import MultiSeriesLSTMRegressor

__all__ = ["MultiSeriesLSTMClassifier", "MultiSeriesLSTMRegressor"]
