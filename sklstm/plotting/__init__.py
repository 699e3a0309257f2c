"""Draw forecasts, errors, coverage, lives, classes, windows, losses, and reasons for predictions.

The displays work like those of scikit-learn: a class method computes the data and draws it, and
`plot` draws it again. matplotlib is imported only when something is drawn.
"""

from sklstm.plotting._attributions import AttributionDisplay
from sklstm.plotting._classes_over_time import ClassesOverTimeDisplay
from sklstm.plotting._coverage import CoverageDisplay
from sklstm.plotting._forecast import ForecastDisplay
from sklstm.plotting._horizon_error import HorizonErrorDisplay
from sklstm.plotting._importance import ImportanceDisplay
from sklstm.plotting._remaining_life import RemainingLifeDisplay
from sklstm.plotting._series_report import SeriesReportDisplay
from sklstm.plotting._training import TrainingDisplay
from sklstm.plotting._window import WindowDisplay

__all__ = [
    "AttributionDisplay",
    "ClassesOverTimeDisplay",
    "CoverageDisplay",
    "ForecastDisplay",
    "HorizonErrorDisplay",
    "ImportanceDisplay",
    "RemainingLifeDisplay",
    "SeriesReportDisplay",
    "TrainingDisplay",
    "WindowDisplay",
]


def __dir__() -> list[str]:
    return __all__
