"""Keep an estimator's state consistent when fit fails."""

from __future__ import annotations

from contextlib import contextmanager


@contextmanager
def restored_on_error(estimator):
    """Restore the attributes of an estimator if the block raises an error.

    scikit-learn's validation sets attributes such as ``n_features_in_`` before training starts. If
    training then fails, the estimator keeps those of its earlier fit.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
