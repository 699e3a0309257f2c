"""Transformers that scale series and make windows."""

from sklstm.preprocessing._scaler import PerSeriesScaler
from sklstm.preprocessing._window_transformer import WindowTransformer

__all__ = ["PerSeriesScaler", "WindowTransformer"]
