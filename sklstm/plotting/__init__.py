"""Pictures of forecasts, of training and of errors by series.

As scikit-learn"s displays: a class method makes the data and draws it, `plot` draws it
again. matplotlib is imported when something is drawn.
"""

from sklstm.plotting._forecast import ForecastDisplay
from sklstm.plotting._series_report import SeriesReportDisplay
from sklstm.plotting._training import TrainingDisplay

__all__ = ["ForecastDisplay", "SeriesReportDisplay", "TrainingDisplay"]
