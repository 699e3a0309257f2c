"""Save fitted estimators to files that hold no code, and load them."""

from sklstm._files.container import ModelFileError
from sklstm.persistence._save_load import load, save

__all__ = ["ModelFileError", "load", "save"]
