"""Time tslearn's scaler, for series of one length."""

from problems import CannotError, make_blocks
from tslearn.preprocessing import TimeSeriesScalerMeanVariance


def scale(n_series, length, n_features, statistics):
    if statistics == "expanding":
        raise CannotError("tslearn has no statistics of the rows so far")
    blocks = make_blocks(n_series, length, n_features)
    TimeSeriesScalerMeanVariance().fit_transform(blocks[:10])

    def run():
        TimeSeriesScalerMeanVariance().fit_transform(blocks)
        return {"rows": n_series * length}

    return run


def windows(**size):
    raise CannotError("tslearn makes no windows")
