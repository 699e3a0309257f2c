"""Read labels of classes, some of which may be unknown."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from sklstm._panel.frames import as_plain
from sklstm._panel.show import did_you_mean, show
from sklstm._panel.weights import check_weights
from sklstm._streaming.blocks import Blocks
from sklstm.lstm._targets import check_n_targets, check_targets_passed


@dataclass(frozen=True, eq=False)
class Labels:
    """Hold the labels of rows.

    Attributes
    ----------
    given : ndarray of shape (n_rows,)
        The labels as they were passed.
    known : ndarray of shape (n_rows,)
        A mask. Unknown labels are None, NaN or another missing value.
    values : ndarray of shape (n_known,)
        The known labels.
    """

    given: np.ndarray
    known: np.ndarray
    values: np.ndarray

    @classmethod
    def read(cls, y, name: str, n_rows: int | None = None) -> Labels:
        """Convert y to labels.

        Parameters
        ----------
        y : array-like of shape (n_rows,)
        name : str
            Name of the estimator, for error messages.
        n_rows : int, default=None
            Required number of rows.
        """
        check_targets_passed(y, name)
        given = column_or_1d(as_plain(y), warn=True)
        _check_no_lives(given, name)
        if n_rows is not None:
            check_n_targets(len(given), n_rows)
        known = ~np.asarray(pd.isna(given))
        values = given[known]
        if values.dtype == object:  # numbers beside None
            values = pd.Series(values).infer_objects().to_numpy()
        if values.dtype.kind == "f":
            assert_all_finite(values, input_name="y")
        if len(values):
            _check_discrete(values, name)
        return cls(given, known, values)

    def check_some_known(self) -> None:
        """Raise ValueError if all labels are unknown."""
        if not self.known.any():
            raise ValueError("Input y contains only unknown labels: pass at least one known label.")

    def indicators(self, classes: np.ndarray) -> np.ndarray:
        """Mark the class of each row.

        Parameters
        ----------
        classes : ndarray of shape (n_classes,)

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            float32: 1 in the column of the row's class, and 0 elsewhere. Rows without a known label
            are NaN.
        """
        codes = pd.Index(classes).get_indexer(self.values)
        if (codes < 0).any():
            unknown = self.values[codes < 0][0]
            raise ValueError(
                f"y contains the label {show(unknown)}, but the classes are {classes.tolist()}. "
                "Set such labels to None or NaN, or fit with this class (classes= in partial_fit)."
            )
        marks = np.full((len(self.known), len(classes)), np.nan, np.float32)
        marks[self.known] = np.eye(len(classes), dtype=np.float32)[codes]
        return marks

    def accuracy(self, predicted: np.ndarray, sample_weight) -> float:
        """Compute the fraction of rows with a known label that were predicted correctly.

        Parameters
        ----------
        predicted : ndarray of shape (n_rows,)
        sample_weight : array-like of shape (n_rows,) or None
        """
        self.check_some_known()
        weights = check_weights(sample_weight, len(predicted))[self.known]
        return float(accuracy_score(self.values, predicted[self.known], sample_weight=weights))


def _check_no_lives(labels: np.ndarray, name: str) -> None:
    """Raise ValueError for lives, of which each would be a class."""
    if labels.dtype.names is not None:
        raise ValueError(
            f"y holds lives, a structured array of {list(labels.dtype.names)}, but {name} expects "
            "labels. Use MultiSeriesLSTMRegressor for lives, or label the rows before an event "
            "with make_event_targets."
        )


def _check_discrete(labels: np.ndarray, name: str) -> None:
    """Raise ValueError for numbers that are no labels."""
    try:
        check_classification_targets(labels)
    except ValueError as error:
        reason = str(error).split(". ")[0]  # the type that scikit-learn has found
        raise ValueError(
            f"y holds numbers such as {show(labels[0])}, but {name} expects the labels of classes "
            f"({reason}). Use MultiSeriesLSTMRegressor, or make labels, such as with pandas.cut."
        ) from error


def count_classes(y, sample_weight, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Find the classes, and sum the weights of the rows of each.

    Parameters
    ----------
    y : array-like of shape (n_rows,), or Blocks of them
    sample_weight : array-like of shape (n_rows,), Blocks or None
        Ignored if y consists of blocks.
    name : str
        Name of the estimator, for error messages.

    Returns
    -------
    classes, totals : ndarray of shape (n_classes,)
        The classes are sorted.
    """
    counted = []
    for part in y if isinstance(y, Blocks) else [y]:
        labels = Labels.read(part, name)
        weights = None if isinstance(y, Blocks) else sample_weight
        weights = check_weights(weights, len(labels.known), allow_zero=True)
        classes, codes = np.unique(labels.values, return_inverse=True)
        counted.append((classes, np.bincount(codes, weights[labels.known], len(classes))))
    classes = np.unique(np.concatenate([part for part, _ in counted]))
    totals = np.zeros(len(classes))
    for part, sums in counted:
        totals[np.searchsorted(classes, part)] += sums
    return classes, totals


def check_classes(classes: np.ndarray, name: str) -> np.ndarray:
    """Return the classes, if there are at least two; `name` is that of the estimator."""
    if len(classes) < 2:
        found = f"one class, {show(classes[0])}" if len(classes) else "only unknown labels"
        raise ValueError(
            f"y contains {found}: {name} needs at least two classes. Pass rows of another class."
        )
    return classes


def weights_of_classes(class_weight, classes: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Compute the weight of each class.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    classes, totals : ndarray of shape (n_classes,)
        From `count_classes`.

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    if class_weight is None or not totals.any():  # weights of 0 raise an error later
        return np.ones(len(classes))
    if isinstance(class_weight, str):  # "balanced"
        present = totals > 0
        return np.where(present, totals[present].mean() / np.where(present, totals, 1.0), 0.0)
    unknown = [label for label in class_weight if label not in classes]
    if unknown:
        names = classes.tolist()
        raise ValueError(
            f"class_weight= contains {show(unknown[0])}, which is not one of the classes {names}. "
            f"{did_you_mean(unknown[0], names, 'Use the labels of y.')}"
        )
    weights = [class_weight.get(label, 1.0) for label in classes.tolist()]
    valid = [isinstance(each, Real) and 0 <= float(each) < np.inf for each in weights]
    if not all(valid) or not np.any(weights):
        raise ValueError(
            f"class_weight={class_weight!r} must hold numbers of 0 or more, at least one above 0 "
            f"for the classes {classes.tolist()}. To leave rows out of the loss, make their labels "
            "NaN."
        )
    return np.asarray(weights, dtype=float)
