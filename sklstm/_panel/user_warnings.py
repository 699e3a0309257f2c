"""Warn at the line of the user's code, in the name of the class that it uses."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import sklearn
from sklearn.base import BaseEstimator
from sklearn.model_selection import BaseCrossValidator

THIS_PACKAGE = f"{Path(__file__).parent.parent}{os.sep}"
# Methods of this package may also be called by scikit-learn: by a pipeline, or to set the output.
PACKAGES = (THIS_PACKAGE, f"{Path(sklearn.__file__).parent}{os.sep}")


def warn_user(message: str) -> None:
    """Issue a UserWarning at the line that called this package or scikit-learn.

    The message begins with the name of the innermost estimator or splitter that is at work, or, if
    there is none, with that of the function of this package that was called.
    """
    frame, level = sys._getframe(1), 2
    source, is_class = frame.f_code.co_name, False
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGES):
        worker = frame.f_locals.get("self")
        if not is_class and isinstance(worker, (BaseEstimator, BaseCrossValidator)):
            source, is_class = type(worker).__name__, True
        elif not is_class and frame.f_code.co_filename.startswith(THIS_PACKAGE):
            source = frame.f_code.co_name
        frame, level = frame.f_back, level + 1
    warnings.warn(f"{source}: {message}", UserWarning, stacklevel=level)
