"""Draw forecasts, training losses, errors per series, and reasons for predictions.

The displays work like those of scikit-learn: a class method computes the data and draws it, and
`plot` draws it again. matplotlib is imported only when something is drawn.
"""

from sklstm.plotting._attributions import AttributionDisplay
from sklstm.plotting._forecast import ForecastDisplay
from sklstm.plotting._importance import ImportanceDisplay
from sklstm.plotting._series_report import SeriesReportDisplay
from sklstm.plotting._training import TrainingDisplay

__all__ = [
    "AttributionDisplay",
    "ForecastDisplay",
    "ImportanceDisplay",
    "SeriesReportDisplay",
    "TrainingDisplay",
]


def __dir__() -> list[str]:
    return __all__
