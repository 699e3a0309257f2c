"""Splitters, scorers and rolling-origin evaluation for panels."""

from sklstm.model_selection._backtest import backtest
from sklstm.model_selection._scorer import make_series_scorer
from sklstm.model_selection._split import PerSeriesTimeSplit

__all__ = ["PerSeriesTimeSplit", "backtest", "make_series_scorer"]
