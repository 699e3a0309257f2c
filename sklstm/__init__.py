"""One LSTM for many time series, as ordinary scikit-learn estimators.

A panel is a long table with one row for each (series, time step). Every class maps n
rows to n rows, so that Pipeline, GridSearchCV, cross_val_predict and scorers work as
they are. Importing sklstm imports neither TensorFlow nor Keras; the first fit does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sklstm._files.checkpoint import Checkpoint
from sklstm._network.registration import register_layers
from sklstm._panel.events import make_event_targets, make_remaining_life
from sklstm._panel.reshape import stack_series, unstack_series
from sklstm._panel.series_targets import make_series_targets
from sklstm._panel.targets import make_targets
from sklstm._panel.time_weights import time_weights
from sklstm._panel.weights import series_weights
from sklstm._panel.windows import Windows
from sklstm._show_versions import show_versions
from sklstm._streaming.panel_dataset import PanelDataset
from sklstm._streaming.write import write_predictions
from sklstm._version import __version__ as __version__
from sklstm.forecasting import MultiSeriesForecaster, suggest_season_length
from sklstm.lstm import MultiSeriesLSTMClassifier, MultiSeriesLSTMRegressor
from sklstm.meta import (
    PerSeriesTargetRegressor,
    SeriesEnsembleClassifier,
    SeriesEnsembleRegressor,
    predict_quantiles,
    prediction_interval,
    series_report,
)
from sklstm.model_selection import PerSeriesTimeSplit, backtest, make_series_scorer
from sklstm.persistence import load, save
from sklstm.preprocessing import PerSeriesImputer, PerSeriesScaler, WindowTransformer

__all__ = [
    "Checkpoint",
    "MultiSeriesForecaster",
    "MultiSeriesLSTMClassifier",
    "MultiSeriesLSTMRegressor",
    "PanelDataset",
    "PerSeriesImputer",
    "PerSeriesScaler",
    "PerSeriesTargetRegressor",
    "PerSeriesTimeSplit",
    "SeriesEnsembleClassifier",
    "SeriesEnsembleRegressor",
    "WindowTransformer",
    "Windows",
    "backtest",
    "load",
    "make_event_targets",
    "make_remaining_life",
    "make_series_scorer",
    "make_series_targets",
    "make_targets",
    "predict_quantiles",
    "prediction_interval",
    "save",
    "series_report",
    "series_weights",
    "show_versions",
    "stack_series",
    "suggest_season_length",
    "time_weights",
    "unstack_series",
    "write_predictions",
]

# They are imported when they are first used.
_SUBMODULES = ("cluster", "datasets", "inspection", "metrics", "plotting")

register_layers()


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBMODULES, "__version__"])


if TYPE_CHECKING:  # a type checker would accept any name if it saw `__getattr__`
    from sklstm import cluster as cluster
    from sklstm import datasets as datasets
    from sklstm import inspection as inspection
    from sklstm import metrics as metrics
    from sklstm import plotting as plotting
else:

    def __getattr__(name: str) -> Any:
        if name in _SUBMODULES:
            return import_module(f"sklstm.{name}")
        raise AttributeError(f"module 'sklstm' has no attribute {name!r}")
