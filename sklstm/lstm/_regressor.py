"""One LSTM over the windows of many series, as a scikit-learn regressor."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
)

from sklstm._network.lazy_import import load_training
from sklstm._panel.read import column_names, read_panel
from sklstm._panel.rows import encode_ids
from sklstm._panel.weights import check_weights, weights_by_code
from sklstm._panel.windows import Windows
from sklstm.lstm._inputs import (
    all_finite,
    array_of,
    series_numbers,
    static_places,
    to_float32,
    warn_of_lost_digits,
    windows_of,
)
from sklstm.lstm._splits import rows_from_end, split_by_series, split_by_time
from sklstm.lstm._targets import check_quantiles, r2_of_known, read_targets, target_moments
from sklstm.lstm._transfer import begin_with, frozen_source

MEDIAN = 0.5


class MultiSeriesLSTMRegressor(RegressorMixin, BaseEstimator):
    """One LSTM trained over the windows of many series.

    Each row's window goes through one or more LSTM layers and a linear head; row t gets
    one prediction, from its own window alone. Every series counts the same in the loss
    unless `series_weight` says otherwise.

    Parameters
    ----------
    hidden_units : int, default=64
        Units of each LSTM layer.
    n_layers : int, default=1
        LSTM layers on top of one another.
    segment_length : int, default=1
        Rows that enter the LSTM at once; must divide the window length. With p, the LSTM
        takes L / p steps of p rows instead of L steps of one. The first knob for speed: fits
        of long windows take a half to an eighth of the time, for about the same error
        (docs/decisions.md). Try a season, or a handful of rows.
    attention : bool or int, default=False
        Whether the last layer sees, beside the last state of the LSTM, a weighted sum of its
        states at all steps, by learnt weights (additive attention; Bahdanau et al., 2015). A
        number is that of such sums ("heads"). `attention_weights` returns the weights. With
        `bidirectional`, the last state is that at the last row.
    bidirectional : bool, default=False
        Whether each LSTM layer reads the window from both ends, with `hidden_units` units each
        way. A window ends at its own row, so nothing looks ahead.
    dropout : float, default=0.0
        Share of each LSTM layer's outputs that training drops.
    recurrent_dropout : float, default=0.0
        Share of the states that training drops between an LSTM's steps.
    layer_norm : bool, default=False
        Whether each LSTM layer's outputs are normalised (Ba et al., 2016).
    skip : bool, default=False
        Whether the last layer sees the window's last segment beside the LSTM's state: a
        linear autoregressive part, for targets that hang on the last values (LSTNet, 2018).
    series_embedding : int, default=0
        Length of a vector that the net learns for each series of fit, from which the LSTM's
        state begins and which the last layer sees. Training turns a fifth of the rows into
        rows of an unseen series, so that series without a vector of their own get one that
        stands for all. X must carry the ids. Fits that go on (`warm_start`, `partial_fit`)
        give no vectors to further series.
    static_features : list of str or int, default=None
        Names of the features, or positions in the window, that are constant within a series:
        they enter once, as the vectors of `series_embedding` do, and not at each step.
    loss : str, keras.losses.Loss or callable, default="mse"
        As in Keras. Not used with `quantiles`.
    quantiles : sequence of float, default=None
        Rising levels in (0, 1), such as (0.1, 0.5, 0.9): the net learns these quantiles of
        the target, by the mean of their pinball losses in units of y. `predict` then returns
        the median, which is learnt in addition where 0.5 is not among them, and
        `predict_quantiles` the rest.
    optimizer : str, class, keras.optimizers.Optimizer or dict, default="adam"
        As in Keras. An optimizer object is copied and keeps its own learning rate.
    learning_rate : float or keras LearningRateSchedule, default=1e-3
        Learning rate of an optimizer given by name or class.
    learning_rate_decay : {"cosine"} or None, default=None
        "cosine": the learning rate falls to 0 over the epochs of `fit`, along half a cosine.
        None: it stays, as it does in `partial_fit`.
    epochs : int, default=30
        Passes over the rows in the loss.
    steps_per_epoch : int, default=None
        Batches an epoch, by default one pass. Passes go on across epochs.
    batch_size : int, default=64
        Rows in a batch.
    series_weight : "balanced", float, dict, Series, callable or None, default="balanced"
        How much each series counts in training and validation loss; see
        :func:`sklstm.series_weights`. It multiplies `sample_weight`.
    min_observed : int, default=None
        Rows with fewer real rows in their window carry no loss. None: only full windows, but
        all where the padding is masked.
    embargo : int, default=0
        Each series' last rows in fit that give context but carry no loss. Set it to the
        horizon of the targets, so that none reaches into the test period. It applies
        again before a validation cut in time.
    early_stopping : bool, default=False
        Whether to hold out validation rows, stop when their loss no longer falls, and go
        back to the best epoch's weights.
    validation_fraction : float, default=0.1
        Share that early stopping holds out: of the series, or of each series' rows.
    validation_by : {"series", "time"}, default="series"
        Whether to hold out whole series or each series' last rows.
    n_iter_no_change : int, default=10
        Epochs without a lower validation loss after which training stops.
    init_from : FrozenEstimator, default=None
        A fitted regressor to begin with, or a pipeline, search or
        :class:`PerSeriesTargetRegressor` around one, as
        ``sklearn.frozen.FrozenEstimator(fitted)``, so that clones and searches keep it. Its
        weights are copied where name and shape agree, the scale of the outputs with the last
        layer, vectors of series by id; it never changes. What must begin anew (the first layer
        for other features, the last for other outputs) is named in a warning.
    trainable : {"all", "head"} or int, default="all"
        What training changes: all weights, those of the last layer, or those of so many layers
        from the top (the last layer, the attention if there is one, each LSTM). With
        `warm_start` it may change from fit to fit; the optimizer then begins anew.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit's weights, optimizer and history.
    callbacks : list of keras.callbacks.Callback, default=None
        Called by Keras during fit, with ``model_`` as their model.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, order of rows, dropout and validation series.
    verbose : int, default=0
        0 is silent, 1 a progress bar, 2 a line an epoch.
    series, time : str, int or None, default=None
        For 2-D input: column name, index level name or column position of the ids and the
        time. `Windows` carry their ids.

    Attributes
    ----------
    model_ : keras.Model
        The network, from (n, window_length, n_features) to (n, n_outputs) in units of y;
        with `quantiles`, to (n, n_outputs, n_quantiles), the median among them.
    history_ : dict of list of float
        Loss (and with early stopping ``val_loss``, else NaN) by epoch.
    n_iter_ : int
        Epochs trained, those of earlier warm starts and partial fits included.
    n_features_in_ : int
        Features of a row of a window; for 2-D input, columns with ids included.
    feature_names_in_ : ndarray of str
        Column names, for 2-D input that has them.
    window_length_ : int
        Rows of a window; 1 for 2-D input.
    n_outputs_ : int
        Outputs of a row.
    quantiles_ : ndarray of shape (n_quantiles,) or None
        Levels of `predict_quantiles`, as floats.
    embedded_ids_ : pandas.Index or None
        The series that have a vector of their own, those with rows in the training loss.
    remade_ : list of str
        With `init_from`, names of the weights that began anew.

    See Also
    --------
    WindowTransformer : Makes the windows.
    PerSeriesScaler : Scales the series before.

    Notes
    -----
    Targets need no scaling: the last layer maps the net's unit-size outputs to the mean and
    deviation of the training targets, fixed before training. Losses and predictions are in
    the units of y.

    Missing target elements are left out of the loss; a row's loss is the mean over its
    known elements. Rows without any carry no loss. Losses that are not 0 for a perfect
    prediction ("poisson", say) cannot leave elements out and raise.

    **Padding.** Windows that are padded with "edge" or "zero" enter as they are: the net sees
    padding as values. Padding "nan" is masked: no step is taken over it, and attention gives it
    no weight. In a 3-D array, rows of NaN in front of the others are such padding.

    A 3-D array does not know its series: pass `series_ids`.

    Training runs in float32, or as Keras' dtype policy says, and on all cores; with
    `verbose`, Keras counts calls of up to 16 steps. Whatever backend Keras runs on
    (``KERAS_BACKEND``) trains; TensorFlow is the one that is tuned, JAX is tested too.

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

    model_: Any
    embedded_ids_: Any
    history_: dict[str, list[float]]
    n_iter_: int
    _loss_unit: float
    _network: Any
    _window_names: list | None
    _optimizer_state: list | None

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
        # Not FrozenEstimator alone: fit has the better message for what is not frozen.
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

    def fit(self, X, y, sample_weight=None, series_ids=None):
        """Train the network.

        Parameters
        ----------
        X : Windows, array of shape (n_rows, window_length, n_features) or 2-D table
            A 2-D table of shape (n_rows, n_columns) stands for windows of length one.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Whatever belongs to each row. NaN elements are missing.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row, multiplied by the series' weight. Rows of weight 0 are as if
            they were not there, but for the context that they give.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, for a 3-D array or a table without an id column.

        Returns
        -------
        self
        """
        self._validate_params()
        fresh = not (self.warm_start and hasattr(self, "model_"))
        return self._fit(
            X,
            y,
            sample_weight,
            series_ids,
            fresh=fresh,
            epochs=self.epochs,
            early_stopping=self.early_stopping,
            decay=self.learning_rate_decay,
        )

    def partial_fit(self, X, y, sample_weight=None, series_ids=None):
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
        fresh = not hasattr(self, "model_")
        return self._fit(
            X,
            y,
            sample_weight,
            series_ids,
            fresh=fresh,
            epochs=1,
            early_stopping=False,
            decay=None,
        )

    def _fit(self, X, y, sample_weight, series_ids, *, fresh, epochs, early_stopping, decay):
        # Everything that can be wrong with the input is found before TensorFlow is loaded.
        if decay is not None and not isinstance(self.learning_rate, Real):
            raise ValueError(
                f"learning_rate_decay={decay!r} goes with a plain learning rate, got the schedule "
                f"{self.learning_rate!r}: choose one of the two."
            )
        levels = None if self.quantiles is None else check_quantiles(self.quantiles)
        source = (
            None
            if self.init_from is None
            else frozen_source(self.init_from, MultiSeriesLSTMRegressor)
        )
        if not hasattr(X, "ndim"):
            X = array_of(X)
        n_rows = X.shape[0] if X.ndim else 0
        y, one_dimensional = read_targets(y, n_rows, type(self).__name__)
        own_weight = check_weights(sample_weight, n_rows)
        windows = self._read(X, series_ids, reset=fresh)
        masked = windows.padding == "nan" or (not fresh and self._network.masked)
        if windows.window_length % self.segment_length and not masked:
            raise ValueError(
                f"segment_length={self.segment_length} does not divide the window length "
                f"{windows.window_length}. Change one of the two, or pad with 'nan', where the "
                "oldest segment may be a part of one."
            )
        static = static_places(windows, self.static_features)
        y32 = to_float32(y, "y")
        warn_of_lost_digits(y, "y")
        random = check_random_state(self.random_state)
        seed, order_seed, split_seed = random.randint(np.iinfo(np.int32).max, size=3)
        rows = self._rows_in_loss(windows, y, own_weight)
        # Series of weight 0 are as if they were not there.
        weigh = self._weights(windows, own_weight, rows) > 0
        left_out, rows = rows[~weigh], rows[weigh]
        if early_stopping:
            rows, held_out = self._hold_out(windows, rows, np.random.default_rng(split_seed))
            if self.validation_by == "series":
                left_out = np.concatenate([left_out, held_out])
        self._warn_of_series_without_loss(windows, np.concatenate([rows, left_out]))
        weights = self._weights(windows, own_weight, rows)
        embedded_ids = None
        if self.series_embedding:
            trained = windows.ids[np.unique(windows.codes[rows])]
            embedded_ids = trained if fresh else self.embedded_ids_
        series = series_numbers(windows, embedded_ids)

        training = load_training()
        batch_size = self._fitting_batch_size(len(rows))
        network = training.NetworkSpec(
            window_length=windows.window_length,
            n_features=windows.shape[2],
            n_outputs=y.shape[1],
            hidden_units=int(self.hidden_units),
            n_layers=int(self.n_layers),
            segment_length=int(self.segment_length),
            dropout=float(self.dropout),
            recurrent_dropout=float(self.recurrent_dropout),
            skip=bool(self.skip),
            n_heads=int(self.attention),
            bidirectional=bool(self.bidirectional),
            layer_norm=bool(self.layer_norm),
            masked=masked,
            static=static,
            n_embedded=int(self.series_embedding),
            # A power of two, so that folds of other series need no other compiled network.
            n_series=0 if embedded_ids is None else 1 << (len(embedded_ids) - 1).bit_length(),
            n_trainable={"all": None, "head": 1}.get(self.trainable, self.trainable),
            policy=training.dtype_policy(),
            quantiles=None if levels is None else tuple(np.union1d(levels, MEDIAN).tolist()),
        )
        loss = training.loss_of(network, self.loss)
        spec = training.TrainingSpec(network, batch_size, loss, self.optimizer, self.learning_rate)
        if fresh:
            mean, deviation = target_moments(y[rows], weights)
            model = training.build_network(network, int(seed))
            training.set_target_scale(model, mean, deviation)
            remade = [] if source is None else self._begin(source, model, network, embedded_ids)
            if levels is None:
                self._check_loss(training, y32[rows])
            guess = np.broadcast_to(mean, network.output_shape[::-1]).T
            loss_unit = training.loss_unit(loss, y[rows], weights, guess)
            optimizer_state, past, n_past = None, {}, 0
        else:
            self._check_same(network, spec.optimizer_key)
            model, loss_unit = self.model_, self._loss_unit
            optimizer_state, past, n_past = self._optimizer_state, self.history_, self.n_iter_
            if network != self._network:  # other layers are trained, or padding is masked now
                model = training.model_from(network, training.to_arrays(model.variables))
                same = network.n_trainable == self._network.n_trainable
                optimizer_state = optimizer_state if same else None
        batches = training.Batches(
            windows[rows],
            y32[rows],
            weights,
            batch_size,
            loss_unit=loss_unit,
            n_steps=self.steps_per_epoch,
            seed=None if batch_size >= len(rows) else int(order_seed),
            first_epoch=n_past,
            series=None if series is None else series[rows],
        )
        validation = None
        if early_stopping:
            held_out_weights = self._weights(windows, own_weight, held_out)
            validation = training.Batches(
                windows[held_out],
                y32[held_out],
                held_out_weights,
                batch_size,
                loss_unit=loss_unit,
                series=None if series is None else series[held_out],
            )
        history, optimizer_state = training.fit(
            model,
            spec,
            batches,
            epochs=epochs,
            validation=validation,
            patience=self.n_iter_no_change if early_stopping else None,
            decay=decay == "cosine",
            callbacks=self.callbacks or (),
            verbose=int(self.verbose),
            optimizer_state=optimizer_state,
        )
        self.model_, self.embedded_ids_ = model, embedded_ids
        n_new = len(history["loss"])
        self.history_ = {
            name: past.get(name, [np.nan] * n_past) + history.get(name, [np.nan] * n_new)
            for name in past | history
        }
        self.n_iter_ = n_past + n_new
        self.quantiles_ = levels
        self._network, self._loss_unit = network, loss_unit
        self._optimizer_key, self._optimizer_state = spec.optimizer_key, optimizer_state
        if fresh:
            self.remade_ = remade
            self.window_length_, self.n_outputs_ = windows.window_length, y.shape[1]
            self._one_dimensional = one_dimensional
            self._y_dtype = np.float32 if y.dtype == np.float32 else np.float64
        return self

    def _begin(self, source, model, network, embedded_ids):
        """Copy the weights to begin with; return the names of those that are new."""
        here, there = self._window_names, source._window_names
        if here and there and here != there and sorted(here) == sorted(there):
            raise ValueError(
                f"init_from was fitted on the features {there}, X has the same in another order: "
                f"{here}. Put them into the same order."
            )
        numbers = np.zeros(0, np.intp)
        if embedded_ids is not None and source.embedded_ids_ is not None:
            numbers = source.embedded_ids_.get_indexer(embedded_ids) + 1
        return begin_with(source, model, network, numbers)

    def _check_loss(self, training, y):
        """Refuse missing elements where the loss has no way to leave them out."""
        partly = np.isnan(y).any(axis=1)
        if partly.any() and not training.leaves_out_missing(self.loss, y[partly]):
            raise ValueError(
                f"{partly.sum()} rows have missing target elements, and loss={self.loss!r} is not "
                "0 for a perfect prediction, so that they cannot be left out of it. Choose another "
                "loss, or drop or complete those rows."
            )

    def _check_same(self, network, optimizer_key):
        """Refuse to go on from an earlier fit with another network or optimizer."""
        before = asdict(self._network) | {"optimizer": self._optimizer_key}
        now = asdict(network) | {"optimizer": optimizer_key}
        may_change = ("n_trainable", "masked")
        changed = [name for name in now if now[name] != before[name] and name not in may_change]
        if changed:
            raise ValueError(
                "Going on from an earlier fit needs the same network and optimizer. The parameters "
                "and the data now ask for "
                + ", ".join(f"{name}={now[name]!r} (was {before[name]!r})" for name in changed)
                + "."
            )

    def _rows_in_loss(self, windows, y, own_weight, may_be_none=False):
        """Positions of the rows that carry loss."""
        enough = self.min_observed
        if enough is None:
            enough = 1 if windows.padding == "nan" else windows.window_length
        if enough > windows.window_length:
            raise ValueError(
                f"min_observed={enough} is more than the window length {windows.window_length}: "
                "no window can hold so many rows."
            )
        full = windows.n_observed >= enough
        known = ~np.isnan(y).all(axis=1)
        free = rows_from_end(windows.codes, windows.ends) >= self.embargo
        chosen = full & known & free & (own_weight > 0)
        if not chosen.any() and not may_be_none:
            if not full.any():
                raise ValueError(
                    f"No row has a window of {enough} real rows: the longest history has "
                    f"{windows.n_observed.max()} rows. Shorten the windows or lower min_observed."
                )
            raise ValueError(
                f"No row is left for the loss: of {len(y)} rows, {full.sum()} have {enough} real "
                f"rows in their window, {known.sum()} a known target, {free.sum()} lie before the "
                f"embargo of {self.embargo} rows and {(own_weight > 0).sum()} have a positive "
                "weight."
            )
        return np.flatnonzero(chosen)

    def _warn_of_series_without_loss(self, windows, rows):
        without = np.setdiff1d(windows.codes, windows.codes[rows])
        if len(without):
            names = ", ".join(repr(name) for name in windows.ids[without[:5]].tolist())
            more = ", ..." if len(without) > 5 else ""
            warnings.warn(
                f"{len(without)} of {len(np.unique(windows.codes))} series have no row in the loss "
                f"({names}{more}): none with enough real rows in its window (min_observed), a "
                "known target, a positive weight and outside of the embargo.",
                UserWarning,
                stacklevel=4,
            )

    def _hold_out(self, windows, rows, rng):
        """Split the rows in the loss into training and validation rows."""
        codes, ends = windows.codes[rows], windows.ends[rows]
        if self.validation_by == "series":
            after = split_by_series(codes, self.validation_fraction, rng)
            before = ~after
        else:
            before, after = split_by_time(codes, ends, self.validation_fraction, self.embargo)
        if not (before.any() and after.any()):
            raise ValueError(
                f"Early stopping left {before.sum()} rows for training and {after.sum()} for "
                f"validation (validation_fraction={self.validation_fraction}, validation_by="
                f"{self.validation_by!r}, embargo={self.embargo}). Change the fraction."
            )
        return rows[before], rows[after]

    def _weights(self, windows, own_weight, rows):
        return weights_by_code(
            windows.codes[rows], windows.ids, self.series_weight, own_weight[rows]
        )

    def _fitting_batch_size(self, n_rows):
        """Return the batch size, or for fewer rows the next power of two.

        Powers of two keep the number of compiled shapes small over folds of any size.
        """
        return min(self.batch_size, 1 << (n_rows - 1).bit_length())

    # -------------------------------------------------------------------------- applying

    def predict(self, X):
        """Predict every row.

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
        return self._like_y(self._points(self._apply(self._read(X, None, reset=False))))

    def predict_quantiles(self, X):
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
        predicted = self._apply(self._read(X, None, reset=False))
        return self._like_y(predicted[..., np.isin(self._network.quantiles, self.quantiles_)])

    def attention_weights(self, X):
        """Return how much the attention looks at each step of every row's window.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
            As in `fit`. A fitted pipeline makes it by ``pipe[:-1].transform(...)``.

        Returns
        -------
        ndarray of shape (n_rows, n_steps)
            Weights of the steps, the oldest first, which sum to 1 in each row; with several
            heads, their mean. With `segment_length` p, a step is a segment of p rows; masked
            padding has weight 0.

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
        if not self._network.n_heads:
            raise ValueError(
                f"This {type(self).__name__} was fitted without attention: set attention=True, or "
                "a number of heads, and fit again."
            )
        windows = self._read(X, None, reset=False)
        series = series_numbers(windows, self.embedded_ids_)
        return load_training().attention_weights(
            self.model_, self._network_for(windows), windows, series
        )

    def _apply(self, windows):
        """Return what the network returns, in the precision of y."""
        series = series_numbers(windows, self.embedded_ids_)
        network = self._network_for(windows)
        predicted = load_training().predict(self.model_, network, windows, series)
        return predicted.astype(self._y_dtype, copy=False)

    def _network_for(self, windows):
        """Return the network, one that masks where the windows hold masked padding."""
        return replace(self._network, masked=self._network.masked or windows.padding == "nan")

    def _points(self, predicted):
        """Take the median where the network returns quantiles."""
        levels = self._network.quantiles
        return predicted if levels is None else predicted[..., levels.index(MEDIAN)]

    def _like_y(self, predicted):
        return predicted[:, 0] if self._one_dimensional else predicted

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination, missing target elements left out.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            NaN elements are skipped.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        float
            Plain mean over the outputs that have a known target.
        """
        y_pred = self.predict(X)
        true, _ = read_targets(y, len(y_pred), type(self).__name__)
        self._check_n_outputs(true)
        return r2_of_known(true, y_pred.reshape(true.shape), sample_weight)

    def series_report(self, X, y, sample_weight=None, series_ids=None):
        """How the rows of each series count, and how well they are predicted.

        Parameters
        ----------
        X, y, sample_weight, series_ids
            As in `fit`.

        Returns
        -------
        DataFrame
            A row for each series, with index ``series``: ``rows``; ``windows``, those that
            would carry loss in fit; ``weight``, the sum of their weights (over all series
            the number of windows; NaN where a dict of weights lacks the id); ``loss``, their
            mean loss; ``error``, the root mean
            squared error of all rows with a known target, in units of y; with `quantiles`,
            that of the median.
        """
        check_is_fitted(self, "model_")
        windows = self._read(X, series_ids, reset=False)
        true, _ = read_targets(y, len(windows), type(self).__name__)
        self._check_n_outputs(true)
        own_weight = check_weights(sample_weight, len(windows))
        predicted = self._apply(windows)
        rows = self._rows_in_loss(windows, true, own_weight, may_be_none=True)
        codes, n_series = windows.codes, len(windows.ids)
        row_loss, weight = np.zeros(len(true)), np.zeros(len(true))
        if len(rows):
            training = load_training()
            loss = training.loss_of(self._network, self.loss)
            row_loss[rows] = training.row_losses(loss, true[rows], predicted[rows])
        if isinstance(self.series_weight, (Mapping, pd.Series)):
            # Held-out series may have no weight of their own.
            named = windows.series.isin(pd.Series(self.series_weight, dtype=float).index)
            weight[~named] = np.nan
            weighted = rows[named[rows]]
        else:
            weighted = rows
        if len(weighted):
            weight[weighted] = self._weights(windows, own_weight, weighted)
        in_loss = np.zeros(len(true))
        in_loss[rows] = 1

        def total(values):
            return np.bincount(codes, weights=values, minlength=n_series)

        known = ~np.isnan(true)
        squares = np.where(known, (true - self._points(predicted)) ** 2, 0).sum(axis=1)
        with np.errstate(invalid="ignore"):  # 0 / 0 for series without such rows gives NaN
            report = pd.DataFrame(
                {
                    "rows": total(None).astype(int),
                    "windows": total(in_loss).astype(int),
                    "weight": total(weight),
                    "loss": total(row_loss) / total(in_loss),
                    "error": np.sqrt(total(squares) / total(known.sum(axis=1))),
                },
                index=windows.ids.rename("series"),
            )
        return report[report["rows"] > 0]

    # ------------------------------------------------------------------- reading the input

    def _read(self, X, series_ids, reset):
        """Make `Windows` with float32 rows of whatever X is, and check them."""
        if not hasattr(X, "ndim"):
            X = array_of(X)
        if isinstance(X, Windows) or X.ndim == 3:
            windows = X if isinstance(X, Windows) else windows_of(X, type(self).__name__)
            self._check_windows(windows, reset)
            if not reset and isinstance(X, Windows):
                self._check_padding(windows)
        else:
            windows = self._windows_of_table(X, reset)
        carries_ids = isinstance(X, Windows) or (self.series is not None and X.ndim == 2)
        if series_ids is not None:
            if carries_ids:
                raise ValueError("X carries its series ids already: leave series_ids=None.")
            if self.series_embedding:
                raise ValueError(
                    "series_embedding needs the ids in X itself, since predict takes no others: "
                    "pass Windows, or a table with the ids named by series=."
                )
            check_consistent_length(windows, series_ids)
            windows = windows.with_series(*encode_ids(pd.Index(series_ids), len(windows)))
        if reset:
            self._ids_in_X = carries_ids
            if self.series_embedding and not carries_ids:
                warnings.warn(
                    "X carries no ids, so that all rows are one series and series_embedding has "
                    "nothing to tell apart. Pass Windows, or name the ids with series=.",
                    UserWarning,
                    stacklevel=4,
                )
        elif self.embedded_ids_ is not None and carries_ids != self._ids_in_X:
            raise ValueError(
                "series_embedding looks series up by the ids that X carries: X carried "
                f"{'ids' if self._ids_in_X else 'none'} in fit, which is not so now. Pass Windows, "
                "or a table with the ids named by series=."
            )
        rows = to_float32(windows.rows, "X")
        if reset:  # what fit has warned of, predict need not look for again
            warn_of_lost_digits(windows.rows, "X")
        return windows.with_rows(rows)

    def _windows_of_table(self, X, reset):
        panel = read_panel(
            X,
            series=self.series,
            time=self.time,
            estimator=self,
            reset=reset,
            ensure_all_finite=True,
        )
        if not reset and self.window_length_ != 1:
            raise ValueError(
                f"X is a 2-D table, but {type(self).__name__} was fitted on windows of "
                f"{self.window_length_} rows."
            )
        n_rows = len(panel.codes)
        names = column_names(X, panel.positions)
        if reset:
            self._window_names = names if hasattr(self, "feature_names_in_") else None
        ends = np.arange(n_rows)
        order = ends if panel.order is None else panel.order
        positions = np.empty(n_rows, np.intp)
        positions[order] = ends
        return Windows(
            panel.values[order],
            positions,
            np.ones(n_rows, np.int32),
            1,
            codes=panel.codes,
            ids=panel.ids,
            names=names,
        )

    def _check_windows(self, windows, reset):
        name = type(self).__name__
        n_rows, window_length, n_features = windows.shape
        if n_rows == 0 or n_features == 0:
            raise ValueError(
                f"Found array with {n_rows} sample(s) and {n_features} feature(s) "
                f"(shape={windows.shape}) while a minimum of 1 is required by {name}."
            )
        if not all_finite(windows.rows) and not all_finite(windows.rows[windows.used_rows()]):
            missing = np.isnan(windows.rows).any()
            raise ValueError(
                f"Input X contains {'NaN' if missing else 'infinity'}: {name} needs finite "
                "features. Impute before the windows, with SimpleImputer for example."
            )
        if reset:
            self.n_features_in_ = n_features
            self._window_names = windows.names
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
            return
        if n_features != self.n_features_in_ or window_length != self.window_length_:
            raise ValueError(
                f"X has windows of {window_length} rows x {n_features} features, but {name} is "
                f"expecting {self.window_length_} rows x {self.n_features_in_} features as input."
            )
        names = windows.names
        if names and self._window_names and names != self._window_names:
            raise ValueError(
                f"The windows hold the features {names}, but {name} was fitted on "
                f"{self._window_names}, in this order."
            )

    def _check_padding(self, windows):
        """Refuse windows that are padded with NaN where those of fit were not, or the reverse."""
        padded = (windows.n_observed < windows.window_length).any()
        if padded and (windows.padding == "nan") != self._network.masked:
            raise ValueError(
                f"The windows are padded with {windows.padding!r}, and those of fit were "
                f"{'' if self._network.masked else 'not '}padded with 'nan': choose the same "
                "padding in fit and predict."
            )

    def _check_n_outputs(self, y):
        if y.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {y.shape[1]} outputs, {type(self).__name__} was fitted with "
                f"{self.n_outputs_}."
            )

    # --------------------------------------------------------------------------- plumbing

    def __getstate__(self):
        # A Keras model is kept as its weights: the spec builds the rest again.
        state = super().__getstate__().copy()
        if "model_" in state:
            state["model_"] = load_training().to_arrays(self.model_.variables)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "model_" in state:
            self.model_ = load_training().model_from(self._network, state["model_"])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        return tags
