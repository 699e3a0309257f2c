"""Transformers that scale series, fill missing values and make windows."""

from sklstm.preprocessing._imputer import PerSeriesImputer
from sklstm.preprocessing._scaler import PerSeriesScaler
from sklstm.preprocessing._window_transformer import WindowTransformer

__all__ = ["PerSeriesImputer", "PerSeriesScaler", "WindowTransformer"]
