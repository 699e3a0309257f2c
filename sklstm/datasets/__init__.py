"""Load a panel of real machines, or generate a random panel."""

from sklstm.datasets._synthetic import make_series_panel
from sklstm.datasets._turbofan import load_turbofan

__all__ = ["load_turbofan", "make_series_panel"]


def __dir__() -> list[str]:
    return __all__
