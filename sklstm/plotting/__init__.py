"""Draw forecasts, training losses and errors per series.

The displays work like those of scikit-learn: a class method computes the data and draws it, and
`plot` draws it again. matplotlib is imported only when something is drawn.
"""

from sklstm.plotting._forecast import ForecastDisplay
from sklstm.plotting._series_report import SeriesReportDisplay
from sklstm.plotting._training import TrainingDisplay

__all__ = ["ForecastDisplay", "SeriesReportDisplay", "TrainingDisplay"]
