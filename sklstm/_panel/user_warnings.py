"""Warn at the line of the user's code."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import sklearn

# Methods of this package may also be called by scikit-learn: by a pipeline, or to set the output.
PACKAGES = tuple(
    f"{Path(file).parent}{os.sep}" for file in (Path(__file__).parent, sklearn.__file__)
)


def warn_user(message: str) -> None:
    """Issue a UserWarning at the line that called this package or scikit-learn."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGES):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)
