"""One LSTM over the windows of many series, as a scikit-learn regressor."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklstm._network.lazy_import import load_network
from sklstm._network.spec import NetworkSpec
from sklstm._panel.weights import check_weights
from sklstm._panel.windows import Windows
from sklstm.lstm._history import TrainingHistory
from sklstm.lstm._inputs import (
    as_array_like,
    check_float32,
    count_rows,
    read_windows,
    static_positions,
)
from sklstm.lstm._report import report_by_series, report_weights
from sklstm.lstm._samples import (
    Samples,
    embedding_indices,
    rows_with_loss,
    warn_of_series_without_loss,
)
from sklstm.lstm._state import restored_on_error
from sklstm.lstm._targets import check_quantiles, check_targets, r2_score_known
from sklstm.lstm._transfer import frozen_source, transfer_weights

if TYPE_CHECKING:
    from typing import Self

    from sklstm._network.fitted_network import FittedNetwork

Inputs: TypeAlias = Windows | pd.DataFrame | npt.ArrayLike

MEDIAN = 0.5


class MultiSeriesLSTMRegressor(RegressorMixin, BaseEstimator):
    """One LSTM trained over the windows of many series.

    Each row's window passes through one or more LSTM layers and a linear output layer. The
    prediction for a row depends on its own window alone. Series are weighted equally by default;
    see `series_weight`.

    The parameters form six groups, in this order:

    - network: `hidden_units` to `static_features`;
    - optimisation: `loss` to `batch_size`;
    - rows and weights: `series_weight` to `embargo`;
    - early stopping: `early_stopping` to `n_iter_no_change`;
    - continuation of earlier fits: `init_from`, `trainable` and `warm_start`;
    - reporting, seed and ids: `callbacks` to `time`.

    Parameters
    ----------
    hidden_units : int, default=64
        Units of each LSTM layer.
    n_layers : int, default=1
        Number of stacked LSTM layers.
    segment_length : int, default=1
        Rows per recurrent step; must divide the window length. For p, the LSTM takes L / p steps
        of p rows each instead of L steps of one row. This is the first parameter to tune for
        speed: on long windows, fits take between an eighth and a half of the time, for about the
        same error (docs/decisions.md). Try the length of a season, or a few rows.
    attention : bool or int, default=False
        Whether the output layer receives, besides the last LSTM state, a weighted sum of the
        states at all steps (additive attention; Bahdanau et al., 2015). An integer is the number
        of such sums ("heads"). `attention_weights` returns the weights. With `bidirectional`, the
        last state is the one at the last row.
    bidirectional : bool, default=False
        Whether each LSTM layer reads the window in both directions, with `hidden_units` units per
        direction. A window ends at its own row, so there is no look-ahead.
    dropout : float, default=0.0
        Fraction of each LSTM layer's outputs that are dropped in training.
    recurrent_dropout : float, default=0.0
        Fraction of the recurrent states that are dropped in training.
    layer_norm : bool, default=False
        Whether to normalise the outputs of each LSTM layer (Ba et al., 2016).
    skip : bool, default=False
        Whether the output layer also receives the window's last segment. This adds a linear
        autoregressive part, for targets that depend on recent values (LSTNet, 2018).
    series_embedding : int, default=0
        Length of an embedding vector that is learned per series. It sets the initial state of the
        LSTM and is also an input of the output layer. In training, a fifth of the rows use the
        vector of unseen series instead, which predictions for new series then use. X must carry
        the ids. Continued fits (`warm_start`, `partial_fit`) add no vectors for new series.
    static_features : list of str or int, default=None
        Names, or positions in the window, of features that are constant within each series. They
        enter once per window, as the vectors of `series_embedding` do, instead of at each step.
    loss : str, keras.losses.Loss or callable, default="mse"
        As in Keras. Not used with `quantiles`.
    quantiles : sequence of float, default=None
        Levels in (0, 1) in ascending order, such as (0.1, 0.5, 0.9). The network predicts these
        quantiles of the target and minimises the mean of their pinball losses, in units of y.
        `predict` returns the median, which is added where 0.5 is missing, and
        `predict_quantiles` returns the given levels.
    optimizer : str, class, keras.optimizers.Optimizer or dict, default="adam"
        As in Keras. An optimizer object is copied and keeps its own learning rate.
    learning_rate : float or keras LearningRateSchedule, default=1e-3
        Learning rate of an optimizer given by name or class.
    learning_rate_decay : {"cosine"} or None, default=None
        "cosine": the learning rate falls to 0 over the epochs of `fit`, along half a cosine.
        None: it is constant, as it always is in `partial_fit`.
    epochs : int, default=30
        Number of passes over the rows in the loss.
    steps_per_epoch : int, default=None
        Batches per epoch, by default one pass. Passes continue across epochs.
    batch_size : int, default=64
        Rows per batch.
    series_weight : "balanced", float, dict, Series, callable or None, default="balanced"
        Weights of the series in training and validation loss; see
        :func:`sklstm.series_weights`. They are multiplied by `sample_weight`.
    min_observed : int, default=None
        Number of real rows that a window needs to enter the loss. None: full windows only, or all
        windows where padding is masked.
    embargo : int, default=0
        Number of last rows of each series that are excluded from the loss and serve as context
        only. Set it to the horizon of the targets, so that no target overlaps the test period. It
        is applied again before a validation cut in time.
    early_stopping : bool, default=False
        Whether to hold out validation rows, stop when their loss no longer falls, and restore the
        weights of the best epoch.
    validation_fraction : float, default=0.1
        Fraction held out for early stopping: of the series, or of each series' rows.
    validation_by : {"series", "time"}, default="series"
        Whether to hold out whole series or the last rows of each series.
    n_iter_no_change : int, default=10
        Number of epochs without a lower validation loss after which training stops.
    init_from : FrozenEstimator, default=None
        A fitted regressor whose weights initialise the network, or a pipeline, search or
        :class:`PerSeriesTargetRegressor` around one. Pass it as
        ``sklearn.frozen.FrozenEstimator(fitted)``, so that clones and searches keep it. Weights
        are copied where name and shape agree, the scale of the outputs together with the output
        layer, and embedding vectors by series id. The fitted regressor is never changed. A warning
        names the weights that are reinitialised: those of the first layer for other features, those
        of the output layer for other outputs.
    trainable : {"all", "head"} or int, default="all"
        Which weights are trained: all of them, those of the output layer, or those of the given
        number of layers from the top (the output layer, the attention if there is one, each LSTM).
        With `warm_start` it may change from fit to fit; the optimizer state is then reset.
    warm_start : bool, default=False
        Whether `fit` continues from the weights, optimizer state and history of the last fit.
    callbacks : list of keras.callbacks.Callback, default=None
        Called by Keras during fit, with ``model_`` as their model.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, order of rows, dropout and validation series.
    verbose : int, default=0
        0 is silent, 1 shows a progress bar, 2 prints one line per epoch.
    series, time : str, int or None, default=None
        For 2-D input: column name, index level name or column position of the ids and of the
        time. `Windows` carry their ids.

    Attributes
    ----------
    model_ : keras.Model
        The network; maps (n, window_length, n_features) to (n, n_outputs) in units of y. With
        `quantiles`, to (n, n_outputs, n_quantiles), the median included.
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
    embedded_ids_ : pandas.Index or None
        The series with an embedding vector of their own: those with rows in the training loss.
    reinitialized_weights_ : list of str
        With `init_from`, names of the weights that could not be copied.

    See Also
    --------
    WindowTransformer : Makes the windows.
    PerSeriesScaler : Scales the series before.

    Notes
    -----
    Targets need no scaling. The last layer maps the network's outputs to the mean and standard
    deviation of the training targets, which are fixed before training. Losses and predictions are
    in the units of y.

    Missing target elements are excluded from the loss: the loss of a row is the mean over its known
    elements, and rows without any do not enter. Losses that are not 0 for a perfect prediction
    (such as "poisson") cannot exclude elements and raise an error.

    **Padding.** Windows padded with "edge" or "zero" are used as they are: padding enters the
    network as values. Padding "nan" is masked: no recurrent step is taken over it, and its
    attention weight is 0. In a 3-D array, rows of NaN in front of the others are such padding.

    A 3-D array carries no ids: pass `series_ids`.

    Training runs in float32, or as Keras' dtype policy says, and on all cores. With `verbose`,
    Keras counts calls of up to 16 steps. Training works on any backend of Keras
    (``KERAS_BACKEND``): TensorFlow is the one that is optimised, JAX is also tested.

    A fit that fails leaves the attributes of the earlier fit unchanged.

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

    history_: dict[str, list[float]]
    n_iter_: int
    n_features_in_: int
    window_length_: int
    n_outputs_: int
    quantiles_: np.ndarray | None
    embedded_ids_: pd.Index | None
    reinitialized_weights_: list[str]
    _network: FittedNetwork

    _parameter_constraints: dict = {
        "hidden_units": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "segment_length": [Interval(Integral, 1, None, closed="left")],
        "attention": ["boolean", Interval(Integral, 1, None, closed="left")],
        "bidirectional": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "recurrent_dropout": [Interval(Real, 0, 1, closed="left")],
        "layer_norm": ["boolean"],
        "skip": ["boolean"],
        "series_embedding": [Interval(Integral, 0, None, closed="left")],
        "static_features": ["array-like", str, Integral, None],
        "loss": "no_validation",
        "quantiles": ["array-like", None],
        "optimizer": "no_validation",
        "learning_rate": [Interval(Real, 0, None, closed="left"), HasMethods("get_config")],
        "learning_rate_decay": [StrOptions({"cosine"}), None],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "steps_per_epoch": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "series_weight": "no_validation",
        "min_observed": [Interval(Integral, 1, None, closed="left"), None],
        "embargo": [Interval(Integral, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "validation_by": [StrOptions({"series", "time"})],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        # Not FrozenEstimator alone: fit has the better message for an estimator that is not frozen.
        "init_from": [HasMethods("fit"), None],
        "trainable": [StrOptions({"all", "head"}), Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "series": [str, Integral, None],
        "time": [str, Integral, None],
    }

    def __init__(
        self,
        hidden_units=64,
        *,
        n_layers=1,
        segment_length=1,
        attention=False,
        bidirectional=False,
        dropout=0.0,
        recurrent_dropout=0.0,
        layer_norm=False,
        skip=False,
        series_embedding=0,
        static_features=None,
        loss="mse",
        quantiles=None,
        optimizer="adam",
        learning_rate=1e-3,
        learning_rate_decay=None,
        epochs=30,
        steps_per_epoch=None,
        batch_size=64,
        series_weight="balanced",
        min_observed=None,
        embargo=0,
        early_stopping=False,
        validation_fraction=0.1,
        validation_by="series",
        n_iter_no_change=10,
        init_from=None,
        trainable="all",
        warm_start=False,
        callbacks=None,
        random_state=None,
        verbose=0,
        series=None,
        time=None,
    ):
        self.hidden_units = hidden_units
        self.n_layers = n_layers
        self.segment_length = segment_length
        self.attention = attention
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.layer_norm = layer_norm
        self.skip = skip
        self.series_embedding = series_embedding
        self.static_features = static_features
        self.loss = loss
        self.quantiles = quantiles
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.batch_size = batch_size
        self.series_weight = series_weight
        self.min_observed = min_observed
        self.embargo = embargo
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_by = validation_by
        self.n_iter_no_change = n_iter_no_change
        self.init_from = init_from
        self.trainable = trainable
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose
        self.series = series
        self.time = time

    # --------------------------------------------------------------------------- fitting

    def fit(
        self,
        X: Inputs,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        series_ids: npt.ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : Windows, array of shape (n_rows, window_length, n_features) or 2-D table
            A 2-D table of shape (n_rows, n_columns) is read as windows of length one.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Target of each row. NaN elements are missing.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row, multiplied by the weight of its series. Rows of weight 0 serve as
            context only.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, for a 3-D array or a table without an id column.

        Returns
        -------
        self
        """
        self._validate_params()
        return self._fit(
            X,
            y,
            sample_weight,
            series_ids,
            earlier=getattr(self, "_network", None) if self.warm_start else None,
            epochs=self.epochs,
            early_stopping=self.early_stopping,
            decay=self.learning_rate_decay,
        )

    def partial_fit(
        self,
        X: Inputs,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        series_ids: npt.ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch on these rows, without early stopping.

        Parameters
        ----------
        X, y, sample_weight, series_ids
            As in `fit`.

        Returns
        -------
        self
        """
        self._validate_params()
        return self._fit(
            X,
            y,
            sample_weight,
            series_ids,
            earlier=getattr(self, "_network", None),
            epochs=1,
            early_stopping=False,
            decay=None,
        )

    def _fit(
        self, X, y, sample_weight, series_ids, *, earlier, epochs, early_stopping, decay
    ) -> Self:
        """Train a new network, or continue `earlier`, a FittedNetwork."""
        reset = earlier is None
        with restored_on_error(self):
            # All checks of the input come before TensorFlow is loaded.
            self._check_learning_rate(decay)
            source = self._source()
            X = as_array_like(X)
            targets, one_dimensional = check_targets(y, count_rows(X), type(self).__name__)
            samples = self._read_samples(X, targets, sample_weight, series_ids, reset=reset)
            spec = self._specify_network(samples, earlier)
            check_float32(targets, "y")
            random = check_random_state(self.random_state)
            seed, order_seed, split_seed = random.randint(np.iinfo(np.int32).max, size=3)
            training, validation = self._split(samples, early_stopping, split_seed)
            network, settings = self._start_network(spec, training, earlier, source, int(seed))
            past = TrainingHistory() if reset else TrainingHistory(self.history_, self.n_iter_)
            history = network.train(
                settings,
                training.with_embedding(network.embedded_ids),
                None if validation is None else validation.with_embedding(network.embedded_ids),
                n_steps=self.steps_per_epoch,
                seed=int(order_seed),
                first_epoch=past.n_epochs,
                epochs=epochs,
                patience=self.n_iter_no_change if early_stopping else None,
                decay=decay == "cosine",
                callbacks=self.callbacks or (),
                verbose=int(self.verbose),
            )
            self._publish(network, past.extend(history))
            if reset:
                self._one_dimensional, self._y_dtype = one_dimensional, targets.dtype
        return self

    def _check_learning_rate(self, decay):
        if decay is not None and not isinstance(self.learning_rate, Real):
            raise ValueError(
                f"learning_rate_decay={decay!r} needs a number as learning_rate, got the schedule "
                f"{self.learning_rate!r}: use one of the two."
            )

    def _source(self):
        """Return the fitted network whose weights initialise this one, or None."""
        if self.init_from is None:
            return None
        return frozen_source(self.init_from, MultiSeriesLSTMRegressor)._network

    def _levels(self):
        return None if self.quantiles is None else check_quantiles(self.quantiles)

    def _read_samples(self, X, targets, sample_weight, series_ids, *, reset) -> Samples:
        """Read all rows of X, with the user's weights."""
        weights = check_weights(sample_weight, len(targets))
        return Samples(read_windows(self, X, series_ids, reset=reset), targets, weights)

    def _specify_network(self, samples: Samples, earlier) -> NetworkSpec:
        """Describe the network, apart from what training rows and Keras add."""
        windows = samples.windows
        masked = windows.padding == "nan" or (earlier is not None and earlier.spec.masked)
        if windows.window_length % self.segment_length and not masked:
            raise ValueError(
                f"segment_length={self.segment_length} does not divide the window length "
                f"{windows.window_length}. Change one of the two, or pad with 'nan', where the "
                "oldest segment may be incomplete."
            )
        levels = self._levels()
        return NetworkSpec(
            window_length=windows.window_length,
            n_features=windows.shape[2],
            n_outputs=samples.targets.shape[1],
            hidden_units=int(self.hidden_units),
            n_layers=int(self.n_layers),
            segment_length=int(self.segment_length),
            dropout=float(self.dropout),
            recurrent_dropout=float(self.recurrent_dropout),
            skip=bool(self.skip),
            attention=int(self.attention),
            bidirectional=bool(self.bidirectional),
            layer_norm=bool(self.layer_norm),
            masked=masked,
            static_features=static_positions(windows, self.static_features),
            series_embedding=int(self.series_embedding),
            trainable={"all": None, "head": 1}.get(self.trainable, self.trainable),
            quantiles=None if levels is None else tuple(np.union1d(levels, MEDIAN).tolist()),
        )

    def _split(self, samples: Samples, early_stopping, seed):
        """Choose the rows that train and validate, and weight them.

        Returns
        -------
        training : Samples
        validation : Samples or None
        """
        in_loss = samples.select(rows_with_loss(samples, self.min_observed, self.embargo))
        positive = in_loss.weighted(self.series_weight).weights > 0
        # Series of weight 0 are treated as absent.
        training, validation = in_loss.select(positive), None
        counted = [in_loss.codes[~positive]]
        if early_stopping:
            rng = np.random.default_rng(seed)
            training, validation = training.split(
                self.validation_fraction, self.validation_by, self.embargo, rng
            )
            if self.validation_by == "series":
                counted.append(validation.codes)
            validation = validation.weighted(self.series_weight)
        warn_of_series_without_loss(samples, np.concatenate([training.codes, *counted]))
        return training.weighted(self.series_weight), validation

    def _start_network(self, spec, training: Samples, earlier, source, seed):
        """Start a new network, one with transferred weights, or the earlier one.

        Returns
        -------
        network : FittedNetwork
        settings : TrainingSpec
        """
        api = load_network()
        embedded_ids, n_series = None, 0
        if self.series_embedding:
            embedded_ids = training.present_ids if earlier is None else earlier.embedded_ids
        if embedded_ids is not None:
            n_series = next_power_of_two(len(embedded_ids))
        spec = replace(spec, n_series=n_series, dtype_policy=api.dtype_policy())
        loss = api.loss_of(spec, self.loss)
        batch_size = min(self.batch_size, next_power_of_two(len(training)))
        settings = api.TrainingSpec(spec, batch_size, loss, self.optimizer, self.learning_rate)
        if earlier is not None:
            return earlier.continue_as(settings), settings
        if spec.quantiles is None:
            api.check_missing_targets(self.loss, training.targets)
        network = api.FittedNetwork.initialize(
            spec,
            training,
            loss,
            seed,
            embedded_ids=embedded_ids,
            feature_names=training.windows.names,
        )
        if source is not None:
            transfer_weights(source, network)
        return network, settings

    def _publish(self, network, past: TrainingHistory):
        """Set the attributes of a successful fit."""
        self._network = network
        self.history_, self.n_iter_ = past.losses, past.n_epochs
        self.window_length_, self.n_outputs_ = network.spec.window_length, network.spec.n_outputs
        self.quantiles_ = self._levels()
        self.embedded_ids_ = network.embedded_ids
        self.reinitialized_weights_ = network.reinitialized_weights

    # -------------------------------------------------------------------------- applying

    @property
    def model_(self) -> Any:
        """The Keras network."""
        return self._network.model

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
            As in `fit`. A fitted pipeline makes it by ``pipe[:-1].transform(...)``.

        Returns
        -------
        ndarray of shape (n_rows, n_quantiles) or (n_rows, n_outputs, n_quantiles)
            In the order of X, of the outputs of y in fit and of `quantiles`.

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
        check_is_fitted(self, "model_")
        if self.quantiles_ is None:
            raise ValueError(
                f"This {type(self).__name__} was fitted without quantiles: set quantiles, to "
                "(0.1, 0.5, 0.9) for example, and fit again."
            )
        predicted = self._predict_outputs(self._read(X))
        levels = np.asarray(self._network.spec.quantiles)
        return self._ravel_outputs(predicted[..., np.isin(levels, self.quantiles_)])

    def attention_weights(self, X: Inputs) -> np.ndarray:
        """Compute the attention weights of the steps of every row's window.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
            As in `fit`. A fitted pipeline makes it by ``pipe[:-1].transform(...)``.

        Returns
        -------
        ndarray of shape (n_rows, n_steps)
            Weights of the steps, the oldest first; they sum to 1 per row. With several heads,
            their mean. With `segment_length` p, a step is a segment of p rows. Masked padding has
            weight 0.

        Raises
        ------
        ValueError
            If the regressor was fitted without `attention`.

        Examples
        --------
        >>> import numpy as np
        >>> from sklstm import MultiSeriesLSTMRegressor
        >>> X = np.random.default_rng(0).normal(size=(50, 4, 1))
        >>> net = MultiSeriesLSTMRegressor(8, attention=True, epochs=2, random_state=0)
        >>> weights = net.fit(X, X[:, 1, 0]).attention_weights(X)
        >>> weights.shape, bool(np.allclose(weights.sum(axis=1), 1))
        ((50, 4), True)
        """
        check_is_fitted(self, "model_")
        if not self._network.spec.attention:
            raise ValueError(
                f"This {type(self).__name__} was fitted without attention: set attention=True, or "
                "a number of heads, and fit again."
            )
        windows = self._read(X)
        indices = embedding_indices(windows, self.embedded_ids_)
        return self._network.attention_weights(windows, indices)

    def score(
        self, X: Inputs, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Compute the coefficient of determination, without missing target elements.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            NaN elements are missing.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        float
            Unweighted mean over the outputs that have a known target.
        """
        predicted = self.predict(X)
        targets = self._check_outputs(y, len(predicted))
        return r2_score_known(targets, predicted.reshape(targets.shape), sample_weight)

    def series_report(
        self,
        X: Inputs,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        series_ids: npt.ArrayLike | None = None,
    ) -> pd.DataFrame:
        """Report the weight of each series and the errors of its predictions.

        Parameters
        ----------
        X, y, sample_weight, series_ids
            As in `fit`.

        Returns
        -------
        DataFrame
            One row per series, with index ``series`` and the columns

            - ``rows``: number of rows;
            - ``windows``: number of rows that would enter the loss in fit;
            - ``weight``: sum of their weights, which over all series is the number of windows; NaN
              where a dict of weights lacks the id;
            - ``loss``: their mean loss;
            - ``error``: root mean squared error of all rows with a known target, in units of y;
              with `quantiles`, that of the median.
        """
        check_is_fitted(self, "model_")
        X = as_array_like(X)
        targets = self._check_outputs(y, count_rows(X))
        samples = self._read_samples(X, targets, sample_weight, series_ids, reset=False)
        predicted = self._predict_outputs(samples.windows)
        rows = rows_with_loss(samples, self.min_observed, self.embargo, allow_empty=True)
        losses = np.zeros(len(samples))
        if len(rows):
            api = load_network()
            loss = api.loss_of(self._network.spec, self.loss)
            losses[rows] = api.row_losses(loss, targets[rows], predicted[rows])
        weights = report_weights(samples, rows, self.series_weight)
        return report_by_series(samples, self._median(predicted), rows, losses, weights)

    def _read(self, X) -> Windows:
        return read_windows(self, as_array_like(X), reset=False)

    def _check_outputs(self, y, n_rows) -> np.ndarray:
        """Check targets that are compared with predictions."""
        targets, _ = check_targets(y, n_rows, type(self).__name__)
        if targets.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {targets.shape[1]} outputs, but {type(self).__name__} was fitted with "
                f"{self.n_outputs_}."
            )
        return targets

    def _predict_outputs(self, windows: Windows) -> np.ndarray:
        """Apply the network, and convert its outputs to the precision of y."""
        indices = embedding_indices(windows, self.embedded_ids_)
        return self._network.predict(windows, indices).astype(self._y_dtype, copy=False)

    def _median(self, predicted) -> np.ndarray:
        """Select the median where the network predicts quantiles."""
        levels = self._network.spec.quantiles
        return predicted if levels is None else predicted[..., levels.index(MEDIAN)]

    def _ravel_outputs(self, predicted) -> np.ndarray:
        """Drop the axis of the outputs if y had one dimension in fit."""
        return predicted[:, 0] if self._one_dimensional else predicted

    # --------------------------------------------------------------------------- plumbing

    def __copy__(self) -> Self:
        # Training changes a network in place, so each copy needs its own.
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        if hasattr(self, "_network"):
            twin._network = copy(self._network)
        return twin

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        return tags


def next_power_of_two(n: int) -> int:
    """Round up to a power of two.

    Folds with other numbers of rows or series then mostly share one compiled network.
    """
    return 1 << (n - 1).bit_length()
