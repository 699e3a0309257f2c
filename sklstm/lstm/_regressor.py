"""One LSTM over the windows of many series, as a scikit-learn regressor.

This module is long because of its docstrings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from sklstm._network.lazy_import import load_network
from sklstm._panel.lives import separate_lives, without_censored
from sklstm._panel.user_warnings import warn_user
from sklstm._streaming.methods import concatenates_blocks
from sklstm.lstm._base import BaseLSTM, Inputs
from sklstm.lstm._conformal import central_interval, check_calibration, shift_quantiles
from sklstm.lstm._held_out import Errors, errors_of, held_out_parts
from sklstm.lstm._targets import check_quantiles, check_targets, r2_score_known

MEDIAN = 0.5


@dataclass(eq=False, repr=False, kw_only=True)
class MultiSeriesLSTMRegressor(RegressorMixin, BaseLSTM):
    """Train one LSTM on the windows of many series.

    Each row's window passes through one or more LSTM layers and a linear output layer. The
    prediction for a row depends on its own window alone. Series are weighted equally by default;
    see `series_weight`.

    The parameters form seven groups, in this order:

    - network: `hidden_units` to `static_features`;
    - optimisation: `optimizer` to `batch_size`;
    - rows and weights: `series_weight` to `embargo`;
    - early stopping: `early_stopping` to `n_iter_no_change`;
    - continuation of earlier fits: `init_from`, `trainable` and `warm_start`;
    - reporting, seed and ids: `callbacks` to `time`;
    - loss and quantiles: `loss` to `calibration`.

    Parameters
    ----------
    hidden_units : int, default=64
        Units of each LSTM layer.
    n_layers : int, default=1
        Number of stacked LSTM layers.
    segment_length : int, default=1
        Rows per recurrent step; must divide the window length L, except with padding "nan", where
        the oldest segment may be incomplete. With segments of p rows, the LSTM
        takes L / p steps of p rows each instead of L steps of one row. This is the first parameter
        to tune for speed: on long windows, it reduces the time of a fit to between an eighth and a
        half, at about the same error (docs/decisions.md). Try the length of a season, or a few
        rows.
    attention : bool or int, default=False
        Whether the output layer receives, besides the last LSTM state, a weighted sum of the
        states at all steps (additive attention; Bahdanau et al., 2015). An integer is the number
        of such sums ("heads"). `attention_weights` returns the weights. With `bidirectional`, the
        last state is the one at the last row.
    bidirectional : bool, default=False
        Whether each LSTM layer reads the window in both directions, with `hidden_units` units per
        direction. A window ends at its own row, so there is no look-ahead.
    dropout : float, default=0.0
        Fraction of each LSTM layer's outputs to drop in training.
    recurrent_dropout : float, default=0.0
        Fraction of the recurrent states to drop in training.
    layer_norm : bool, default=False
        Whether to normalise the outputs of each LSTM layer (Ba et al., 2016).
    skip : bool, default=False
        Whether the output layer also receives the window's last segment. This adds a linear
        autoregressive part, for targets that depend on recent values (LSTNet, 2018).
    series_embedding : int, default=0
        Length of an embedding vector that is learned per series. It sets the initial state of the
        LSTM and is also an input of the output layer. In training, a fifth of the rows use a shared
        vector instead, which then represents series that were not seen in fit. X must carry the
        ids. Continued fits (`warm_start`, `partial_fit`) add no vectors for new series.
    static_features : list of str or int, default=None
        Names, or positions in the window, of features that are constant within each series. They
        enter once per window, as the vectors of `series_embedding` do, instead of at each step.
    optimizer : str, class, keras.optimizers.Optimizer or dict, default="adam"
        As in Keras. An optimizer object is copied and keeps its own learning rate.
    learning_rate : float or keras LearningRateSchedule, default=1e-3
        Learning rate of an optimizer given by name or class.
    learning_rate_decay : {"cosine"} or None, default=None
        "cosine": the learning rate falls to 0 over the epochs of `fit`, along half a cosine.
        None: it is constant, as it always is in `partial_fit`.
    epochs : int, default=30
        Number of passes over the rows that enter the loss.
    steps_per_epoch : int, default=None
        Batches per epoch. None: those of one pass. A pass may continue in the next epoch.
    batch_size : int, default=64
        Rows per batch. With a distribution of Keras, the next multiple of the number of devices.
    series_weight : "balanced", float, dict, Series, callable or None, default="balanced"
        Weights of the series in training and validation loss; see
        :func:`sklstm.series_weights`. They are multiplied by `sample_weight`.
    half_life : float, default=None
        Number of rows after which the weight of a row has halved, counted from the last row of its
        series that is passed: recent rows count more. The weights multiply `sample_weight`, so
        that with "balanced" every series still counts the same. :func:`sklstm.time_weights` has
        such weights by time. None: age does not matter.
    min_observed : int, default=None
        Number of observed rows that a window needs to enter the loss. None: only full windows enter
        it, or all windows if padding is masked.
    embargo : int, default=0
        Number of last rows of each series that are excluded from the loss and serve as context
        only. Set it to the horizon of the targets, so that no target overlaps the test period. With
        ``validation_by="time"``, it is applied again before the validation rows.
    early_stopping : bool, default=False
        Whether to hold out validation rows, stop when their loss no longer falls, and restore the
        weights of the best epoch. `fit` accepts validation rows of your own, `X_val` and `y_val`.
    validation_fraction : float, default=0.1
        Fraction held out for early stopping: of the series, or of each series' rows.
    validation_by : {"series", "time"}, default="series"
        Whether to hold out whole series or the last rows of each series.
    n_iter_no_change : int, default=10
        Number of epochs without a lower validation loss after which training stops.
    init_from : FrozenEstimator, default=None
        A fitted regressor whose weights initialise the network, or a pipeline, search or
        :class:`PerSeriesTargetRegressor` around one. Pass it as
        ``sklearn.frozen.FrozenEstimator(fitted)``, so that clones and searches keep it. Weights are
        copied if their name and shape agree. The scale of the outputs is copied together with the
        output layer, and embedding vectors are matched by series id. The fitted regressor is never
        changed. A warning names the weights that are reinitialised: those of the first layer if the
        features differ, those of the output layer if the outputs differ.
    trainable : {"all", "head"} or int, default="all"
        Which weights are trained: all of them, those of the output layer, or those of the given
        number of layers from the top (the output layer, the attention if there is one, each LSTM).
        With `warm_start` it may change from fit to fit; the optimizer state is then reset.
    warm_start : bool, default=False
        Whether `fit` continues from the weights, optimizer state and history of the last fit.
    callbacks : list of keras.callbacks.Callback, default=None
        Called by Keras during fit. Their model is a compiled network with the current weights,
        which become those of ``model_`` at the end of fit. Callbacks of scikit-learn are another
        matter: see *Progress* in the notes.
    checkpoint : path-like or :class:`Checkpoint`, default=None
        Folder in which `fit` saves its state after each epoch. If it is interrupted, or its process
        is killed, the same `fit` later continues after the last finished epoch and ends with the
        same weights. It needs an integer `random_state` and one folder per fit; the folder of
        another fit raises an error. Callbacks of your own start with their initial state.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, order of rows, dropout and validation series.
    verbose : int, default=0
        0 is silent, 1 shows a progress bar, and 2 prints one line per epoch, as in Keras.
    series : str, int or None, default=None
        For 2-D input: column name, index level name or column position of the ids. `Windows` carry
        their ids.
    time : str, int or None, default=None
        For 2-D input: column name, index level name or column position of the time.
    loss : str, keras.losses.Loss or callable, default="mse"
        As in Keras. Not used with `quantiles`.
    quantiles : sequence of float, default=None
        Levels in (0, 1) in ascending order, such as (0.1, 0.5, 0.9). The network predicts these
        quantiles of the target and minimises the mean of their pinball losses, in units of y.
        `predict` returns the median, which the network also predicts if 0.5 is not among the
        levels, and `predict_quantiles` returns the given levels.
    calibration : {"series", "time"} or None, default=None
        Whether to shift the quantiles so that each has its share of smaller targets among rows that
        were not in training (conformal prediction). Further networks leave out such rows, and
        train as the network itself does, which is trained on all rows and predicts the same median.

        - "series": shares that hold for series never seen. Each of up to five networks leaves out
          a fifth of the series, until 200 series have been left out.
        - "time": shares that hold for the next rows of the series in fit. One network leaves out
          the last rows of each series, a share of `validation_fraction`, and the `embargo` before.

        See *Calibration* in the notes.

    Attributes
    ----------
    model_ : keras.Model
        The network; maps (n, window_length, n_features) to (n, n_outputs) in units of y. With
        `quantiles`, to (n, n_outputs, n_quantiles), including the median.
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
        Number of outputs per row.
    quantiles_ : ndarray of shape (n_quantiles,) or None
        Levels of `predict_quantiles`, as floats.
    shifts_ : ndarray of shape (n_outputs, n_levels) or None
        With `calibration`, what is added to the quantiles of the network, in units of y. The
        levels are `quantiles` and the median, whose shift is 0.
    embedded_ids_ : pandas.Index or None
        The series with an embedding vector of their own: those with rows in the training loss.
    reinitialized_weights_ : list of str
        With `init_from`, names of the weights that could not be copied.

    See Also
    --------
    WindowTransformer : Create the windows.
    PerSeriesScaler : Scale the series beforehand.

    Notes
    -----
    Targets need no scaling. The last layer maps the network's outputs to the mean and standard
    deviation of the training targets, which are fixed before training. Losses and predictions are
    in the units of y.

    Missing target elements are excluded from the loss: the loss of a row is the mean over its known
    elements, and rows without known elements do not enter the loss. Losses that are not 0 for a
    perfect prediction (such as "poisson") do not support missing elements and raise an error.

    **Padding.** Windows padded with "edge" or "zero" are used as they are: padding enters the
    network as values. Padding "nan" is masked: no recurrent step is taken over it, and its
    attention weight is 0. In a 3-D array, leading rows of NaN count as such padding.

    **Lives.** Targets may be lives of which some are censored: a structured array of (event, time),
    as :func:`make_remaining_life` makes it. Without its event, a life is only known to be longer
    than its time, and the target is the larger of time and prediction: only predictions that fall
    short of the time have a loss. With `quantiles`, this holds for each of them, which is Powell's
    censored quantile regression (Journal of Econometrics 32, 1986).

    A 3-D array carries no ids: pass `series_ids`.

    Training runs on all cores, in float32 or in the precision of Keras' dtype policy. It works on
    any Keras backend (``KERAS_BACKEND``), but only TensorFlow is optimised; JAX is also tested.

    A fit that fails leaves the attributes of the earlier fit unchanged.

    **Calibration.** The held-out rows are those that would enter the loss, with the weights that
    they have there. So by default every held-out series counts the same, however long it is, and
    the shares hold for a random row of a random series: for remaining life, for a machine at a
    random time of its life. Censored lives are left out: those with an event must be typical. A
    quantile is a bound for a new series among n held-out ones, so its level can be at most n / (n +
    1); a warning names levels beyond. All rows are shifted alike. The share in all rows is
    therefore right, and the share in a part of them, such as the rows of young machines, may not
    be. Where a fit continues an earlier one (`warm_start`, `partial_fit`), the quantiles are no
    longer calibrated, and a warning says so. Callbacks of Keras are called in the further networks
    too, callbacks of scikit-learn are not.

    **Progress.** `set_callbacks` sets callbacks of scikit-learn (version 1.9 or later), such as
    ``sklearn.callback.ProgressBar``. They are called at each epoch, receive a regressor that is
    fitted so far if they ask for it, and end the training if they return True. Unlike `callbacks`,
    they are also passed down by pipelines and searches, and do not change the compiled program.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer
    >>> from sklstm.datasets import make_series_panel
    >>> X, y = make_series_panel(random_state=0)
    >>> pipe = make_pipeline(
    ...     PerSeriesScaler(series="series", time="time"),
    ...     WindowTransformer(10, series="series", time="time"),
    ...     MultiSeriesLSTMRegressor(epochs=2, random_state=0),
    ... )
    >>> pipe.fit(X, y).predict(X).shape == (len(X),)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = BaseLSTM._parameter_constraints | {
        "loss": "no_validation",
        "quantiles": ["array-like", None],
        "calibration": [StrOptions({"series", "time"}), None],
    }

    loss: Any = "mse"
    quantiles: npt.ArrayLike | None = None
    calibration: Literal["series", "time"] | None = None

    @concatenates_blocks
    def predict(self, X: Inputs) -> np.ndarray:
        """Predict the target of every row.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
            As in `fit`. Rows with padded windows are predicted like all others.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_outputs)
            In the order of X and the shape of y in fit. With `quantiles`, the median.
        """
        check_is_fitted(self, "model_")
        return self._ravel_outputs(self._median(self._predict_outputs(self._read(X))))

    def predict_quantiles(self, X: Inputs) -> np.ndarray:
        """Predict the quantiles of every row. They never cross.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
            As in `fit`. With a fitted pipeline, ``pipe[:-1].transform(...)`` creates it.

        Returns
        -------
        ndarray of shape (n_rows, n_quantiles) or (n_rows, n_outputs, n_quantiles)
            Rows in the order of X, outputs in that of y in fit, and levels in that of `quantiles`.

        Raises
        ------
        ValueError
            If the regressor was fitted without `quantiles`.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import MultiSeriesLSTMRegressor
        >>> X = np.random.default_rng(0).normal(size=(50, 4, 1))
        >>> net = MultiSeriesLSTMRegressor(8, quantiles=(0.1, 0.9), epochs=2, random_state=0)
        >>> low, high = net.fit(X, X[:, -1, 0]).predict_quantiles(X).T
        >>> bool((low <= net.predict(X)).all() and (net.predict(X) <= high).all())
        True
        """
        quantiles = self._predict_levels(X)
        chosen = np.isin(self._network_levels(), np.asarray(self.quantiles_, float))
        return quantiles[..., np.flatnonzero(chosen)]

    def prediction_interval(
        self, X: Inputs, coverage: float = 0.8
    ) -> tuple[np.ndarray, np.ndarray]:
        """Predict a central interval for every row.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
            As in `fit`. With a pipeline, call :func:`sklstm.prediction_interval`.
        coverage : float, default=0.8
            Share of the targets in the interval: as many are below as above. See `calibration`,
            without which the share is only what the network learned.

        Returns
        -------
        lower, upper : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            The quantiles (1 - coverage) / 2 and (1 + coverage) / 2. A level that is none of
            `quantiles` is interpolated between its two neighbours, of which the median is always
            one, linearly in the normal score of the level: exactly so for normal distributions.

        Raises
        ------
        ValueError
            If the regressor was fitted without `quantiles`, or if the interval reaches beyond the
            lowest or the highest of them.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import MultiSeriesLSTMRegressor
        >>> X = np.random.default_rng(0).normal(size=(50, 4, 1))
        >>> net = MultiSeriesLSTMRegressor(8, quantiles=(0.1, 0.9), epochs=2, random_state=0)
        >>> low, high = net.fit(X, X[:, -1, 0]).prediction_interval(X, coverage=0.5)
        >>> bool((low <= net.predict(X)).all() and (net.predict(X) <= high).all())
        True
        """
        quantiles = self._predict_levels(X)
        interval = central_interval(quantiles, self._network_levels(), coverage)
        return interval[..., 0], interval[..., 1]

    @concatenates_blocks
    def _predict_levels(self, X: Inputs) -> np.ndarray:
        """Predict all quantiles of the network, the median among them, with their calibration."""
        check_is_fitted(self, "model_")
        if self.quantiles_ is None:
            raise ValueError(
                f"This {type(self).__name__} was fitted without quantiles: set quantiles, to "
                "(0.1, 0.5, 0.9) for example, and fit again."
            )
        quantiles = self._predict_outputs(self._read(X))
        shifts = getattr(self, "shifts_", None)  # pickles of earlier versions have none
        if shifts is not None:
            median = int(np.searchsorted(self._network_levels(), MEDIAN))
            quantiles = shift_quantiles(quantiles, shifts.astype(quantiles.dtype), median)
        return self._ravel_outputs(quantiles)

    def _network_levels(self) -> np.ndarray:
        """Return the levels that the network predicts: `quantiles` and the median."""
        return np.asarray(self._network.spec.quantiles, float)

    def score(
        self, X: Inputs, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Compute the coefficient of determination, ignoring missing and censored targets.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            NaN elements are missing. Of lives, those with an event are scored, whose truth is
            known; :func:`sklstm.metrics.concordance_index` compares all.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        float
            Unweighted mean over the outputs that have a known target.
        """
        predicted = self.predict(X)
        targets, _ = check_targets(without_censored(y), len(predicted), type(self).__name__)
        self._check_n_outputs(targets)
        return r2_score_known(targets, predicted.reshape(targets.shape), sample_weight)

    # ------------------------------------------------------------- targets and outputs

    def _read_targets(self, y, n_rows, *, allow_unknown=False):
        times, censored = separate_lives(y)
        name = type(self).__name__
        targets, one_dimensional = check_targets(times, n_rows, name, allow_unknown=allow_unknown)
        if censored is not None:
            censored = censored.reshape(targets.shape)
        form = {"_one_dimensional": one_dimensional, "_y_dtype": targets.dtype}
        return targets, censored, form

    def _output_spec(self):
        if self.quantiles is None:
            return {}
        return {"quantiles": tuple(np.union1d(check_quantiles(self.quantiles), MEDIAN).tolist())}

    def _loss_of(self, spec):
        return self.loss if spec.quantiles is None else load_network().PinballLoss(spec.quantiles)

    def _check_loss(self, spec, training):
        if spec.quantiles is None:
            api = load_network()
            api.check_outputs_may_be_unbounded(self.loss, spec.n_outputs)
            api.check_missing_targets(self.loss, training.targets_with_gaps())

    def _fitted_attributes(self, network, history):
        levels = None if self.quantiles is None else check_quantiles(self.quantiles)
        own = {"quantiles_": levels, "shifts_": None}
        return super()._fitted_attributes(network, history) | own

    def _check_calibration(self, calibrates):
        check_calibration(self.calibration, self.quantiles)
        if self.calibration is not None and not calibrates:
            warn_user(
                f"calibration={self.calibration!r} has no effect in partial_fit, and where "
                "warm_start continues an earlier fit: the network has been trained on rows that "
                "would be held out. The quantiles are not calibrated now. To calibrate them, set "
                "warm_start=False and fit on all rows."
            )

    def _calibrate(self, train, training, seed, progress):
        """Train networks that leave out a part of the rows, and compute the shifts of quantiles."""
        if self.calibration is None:
            return {}
        rng = np.random.default_rng(seed)
        parts = held_out_parts(training, self.calibration, self._split_rule(), rng)
        fits = progress.among(len(parts) + 1, "network")
        errors = []
        for number, divide in enumerate(parts):
            rows, held_out = divide()
            errors.append(errors_of(train(rows, number, fits), held_out))
        levels = np.union1d(check_quantiles(self.quantiles), MEDIAN)
        return {"shifts_": Errors.concatenate(errors).shifts(self.calibration, levels)}

    def _predict_outputs(self, windows):
        """Apply the network, and convert its outputs to the precision of y."""
        return super()._predict_outputs(windows).astype(self._y_dtype, copy=False)

    def _error_by_series(self, targets, predicted, mean):
        return np.sqrt(mean((targets - self._median(predicted)) ** 2))

    def _median(self, predicted) -> np.ndarray:
        """Select the median where the network predicts quantiles."""
        levels = self._network.spec.quantiles
        return predicted if levels is None else predicted[..., levels.index(MEDIAN)]

    def _ravel_outputs(self, predicted) -> np.ndarray:
        """Drop the axis of the outputs if y had one dimension in fit."""
        return predicted[:, 0] if self._one_dimensional else predicted

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
