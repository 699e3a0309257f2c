"""Panels to try things on: one real, embedded in the package, and one made on demand."""

from sklstm.datasets._synthetic import make_series_panel
from sklstm.datasets._turbofan import load_turbofan

__all__ = ["load_turbofan", "make_series_panel"]
