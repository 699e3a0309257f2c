"""One LSTM over the windows of many series, as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import check_is_fitted

from sklstm._network.lazy_import import load_network
from sklstm._panel.shared_docs import with_parameters_of
from sklstm._streaming.methods import concatenates_blocks
from sklstm.lstm._base import BaseLSTM, Inputs
from sklstm.lstm._labels import Labels, check_classes, count_classes, weights_of_classes
from sklstm.lstm._regressor import MultiSeriesLSTMRegressor
from sklstm.lstm._state import restored_on_error


@with_parameters_of(MultiSeriesLSTMRegressor)
@dataclass(eq=False, repr=False, kw_only=True)
class MultiSeriesLSTMClassifier(ClassifierMixin, BaseLSTM):
    """Train one LSTM on the windows of many series, to predict classes.

    Each row's window passes through one or more LSTM layers and a linear output layer, whose
    outputs are the logits of the classes. The loss is the cross-entropy. The prediction for a row
    depends on its own window alone. Series are weighted equally by default; see `series_weight`.

    All parameters but `class_weight` are those of :class:`MultiSeriesLSTMRegressor`.

    Parameters
    ----------
    {parameters of the regressor}
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, by label; 1 for labels that a dict lacks. "balanced"
        weights a class inversely to the sum of its sample weights. They multiply the cross-entropy,
        after the weights by `series_weight` and `sample_weight`, and do not change the sum of the
        weights of a series.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    class_weight_ : ndarray of shape (n_classes,)
        Weight of each class in the loss.
    model_ : keras.Model
        The network; maps (n, window_length, n_features) to (n, n_outputs): the log-odds of the
        second of two classes, or the logits of more.
    history_ : dict of list of float
        Loss per epoch, and with early stopping also ``val_loss``; NaN for epochs without one.
    n_iter_ : int
        Number of epochs trained, including earlier warm starts and partial fits.
    n_features_in_ : int
        Number of features per row of a window; for 2-D input, of columns including ids.
    feature_names_in_ : ndarray of str
        Column names, for 2-D input that has them.
    window_length_ : int
        Rows per window; 1 for 2-D input.
    n_outputs_ : int
        Number of outputs of the network: 1 for two classes, else one per class.
    embedded_ids_ : pandas.Index or None
        The series with an embedding vector of their own: those with rows in the training loss.
    reinitialized_weights_ : list of str
        With `init_from`, names of the weights that could not be copied. Those of the output layer
        are copied from a classifier of the same classes only.

    See Also
    --------
    MultiSeriesLSTMRegressor : The same network for numbers.
    make_event_targets : Label the rows before an event.

    Notes
    -----
    **Unknown labels.** Rows whose label is None, NaN or another missing value do not enter the
    loss, and serve as context of later rows. -1 is a label like any other. `score` ignores rows
    without a label.

    **One label per series.** Label the last row of each series, and no other. With
    ``WindowTransformer("longest", padding="nan")``, the window of this row is the whole series.
    Then `fit` trains on one row per series, and `score` is the accuracy over series.

    See the notes of :class:`MultiSeriesLSTMRegressor` on padding, failed fits and progress.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import MultiSeriesLSTMClassifier, PerSeriesScaler, WindowTransformer
    >>> from sklstm.datasets import make_series_panel
    >>> X, y = make_series_panel(random_state=0)
    >>> rises = np.where(y > X["x0"], "up", "down")
    >>> pipe = make_pipeline(
    ...     PerSeriesScaler(series="series", time="time"),
    ...     WindowTransformer(10, series="series", time="time"),
    ...     MultiSeriesLSTMClassifier(epochs=2, random_state=0),
    ... )
    >>> pipe.fit(X, rises).predict_proba(X).shape == (len(X), 2)
    True
    >>> pipe.classes_.tolist()
    ['down', 'up']
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = BaseLSTM._parameter_constraints | {
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    class_weight: Mapping[Any, float] | Literal["balanced"] | None = None

    def fit(
        self,
        X: Inputs,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        series_ids: npt.ArrayLike | None = None,
        X_val: Inputs | None = None,
        y_val: npt.ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : Windows, array of shape (n_rows, window_length, n_features) or 2-D table
            As in the regressor.
        y : array-like of shape (n_rows,)
            Label of each row; None or NaN where it is unknown.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row, multiplied by the weight of its series. Rows of weight 0 serve as
            context only.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, for a 3-D array or a table without an id column.
        X_val : Windows, 3-D array or 2-D table, default=None
            Validation rows for early stopping, as in the regressor.
        y_val : array-like of shape (n_val,), default=None
            Label of each row of `X_val`.

        Returns
        -------
        self
        """
        self._validate_params()
        with restored_on_error(self):
            classes, totals = count_classes(y, sample_weight, type(self).__name__)
            if self.warm_start and hasattr(self, "_network"):
                totals = pd.Series(totals, classes).reindex(self.classes_, fill_value=0).to_numpy()
            else:
                self.classes_: np.ndarray = check_classes(classes, type(self).__name__)
            self.class_weight_ = weights_of_classes(self.class_weight, self.classes_, totals)
            return super().fit(X, y, sample_weight, series_ids, X_val, y_val)

    def partial_fit(
        self,
        X: Inputs,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        series_ids: npt.ArrayLike | None = None,
        classes: npt.ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch on these rows, without early stopping.

        Parameters
        ----------
        X, y, sample_weight, series_ids
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels, also those of later calls. The first call needs them, unless `fit` was
            called before.

        Returns
        -------
        self
        """
        self._validate_params()
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs the labels of all rows at once, and partial_fit "
                "receives some of them. Pass the weights of the classes as a dict."
            )
        with restored_on_error(self):
            _check_partial_fit_first_call(self, classes)
            classes = check_classes(self.classes_, type(self).__name__)
            totals = np.ones(len(classes))
            self.class_weight_ = weights_of_classes(self.class_weight, classes, totals)
            return super().partial_fit(X, y, sample_weight, series_ids)

    # ----------------------------------------------------------------------- applying

    @concatenates_blocks
    def predict_proba(self, X: Inputs) -> np.ndarray:
        """Predict the probability of each class, for every row.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
            As in `fit`. Rows with padded windows are predicted like all others.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            In the order of `classes_`. They sum to 1 per row.
        """
        check_is_fitted(self, "model_")
        return probabilities(self._predict_outputs(self._read(X)))

    def predict_log_proba(self, X: Inputs) -> np.ndarray:
        """Predict the logarithm of the probability of each class, for every row.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
        """
        with np.errstate(divide="ignore"):  # log(0) is minus infinity
            return np.log(self.predict_proba(X))

    def predict(self, X: Inputs) -> np.ndarray:
        """Predict the label of every row: that of the most probable class.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        probability = self.predict_proba(X)
        return self.classes_[probability.argmax(axis=1)]

    def score(
        self, X: Inputs, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Compute the accuracy over the rows with a known label.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
        y : array-like of shape (n_rows,)
            Label of each row; None or NaN where it is unknown.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        float
        """
        predicted = self.predict(X)
        labels = Labels.read(y, type(self).__name__, len(predicted))
        return labels.accuracy(predicted, sample_weight)

    # ---------------------------------------------------------------- targets and outputs

    def _read_targets(self, y, n_rows, *, allow_unknown=False):
        labels = Labels.read(y, type(self).__name__, n_rows)
        if not allow_unknown:
            labels.check_some_known()
        marks = labels.indicators(self.classes_)
        # One output for two classes.
        return marks[:, 1:] if len(self.classes_) == 2 else marks, None, {}

    def _output_spec(self):
        return {"logits": True}

    def _loss_of(self, spec):
        return load_network().ClassLoss(self.class_weight_.tolist())

    def _has_outputs_of(self, source):
        return isinstance(source, MultiSeriesLSTMClassifier) and np.array_equal(
            source.classes_, self.classes_
        )

    def _error_by_series(self, targets, predicted, mean):
        unknown = np.isnan(targets).any(axis=1)
        wrong = class_codes(targets - 0.5) != class_codes(predicted)
        return mean(np.where(unknown, np.nan, wrong)[:, np.newaxis])


def class_codes(logits: np.ndarray) -> np.ndarray:
    """Return the position of the most probable class, from logits of shape (n_rows, n_outputs)."""
    return logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(axis=1)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Compute the probabilities of classes.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_outputs)
        The log-odds of the second class if there is one output.

    Returns
    -------
    ndarray of shape (n_rows, n_classes)
        float64.
    """
    logits = logits.astype(np.float64)
    if logits.shape[1] == 1:
        return np.hstack([expit(-logits), expit(logits)])
    return softmax(logits, axis=1)
