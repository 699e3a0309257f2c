"""Base class of the estimators around one LSTM: fitting, reading of X, attention weights.

This module is long because of its docstrings.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklstm._files.checkpoint import as_checkpoint, member_checkpoint
from sklstm._network.lazy_import import load_network
from sklstm._network.plan import TrainingPlan
from sklstm._network.spec import NetworkSpec
from sklstm._panel.lives import check_some_event
from sklstm._panel.time_weights import decay
from sklstm._panel.weights import check_weights
from sklstm._panel.windows import Windows
from sklstm._progress import fit_task, with_callbacks
from sklstm._streaming.blocks import Blocks
from sklstm._streaming.methods import concatenates_blocks
from sklstm.lstm._categories import as_many_as, once_per_window
from sklstm.lstm._epochs import EpochTasks, ShownEpochs
from sklstm.lstm._history import TrainingHistory
from sklstm.lstm._inputs import (
    as_array_like,
    count_rows,
    read_windows,
    static_positions,
    to_float32,
    warn_of_lost_digits,
)
from sklstm.lstm._ongoing_fit import OngoingFit
from sklstm.lstm._outliers import warn_of_outliers
from sklstm.lstm._parameters import LSTMParameters, check_callbacks
from sklstm.lstm._report import mean_by_series, report_by_series, report_weights
from sklstm.lstm._samples import Samples, SplitRule, embedding_indices, rows_with_loss
from sklstm.lstm._splits import rows_from_end
from sklstm.lstm._state import restored_on_error
from sklstm.lstm._streamed_samples import StreamedSamples, UndividedRows
from sklstm.lstm._transfer import frozen_source, transfer_weights

if TYPE_CHECKING:
    from sklstm._network.fitted_network import FittedNetwork

Inputs: TypeAlias = Windows | Blocks | pd.DataFrame | npt.ArrayLike

TRAINABLE: dict[Any, Any] = {"all": None, "head": 1}


class BaseLSTM(LSTMParameters):
    """Base class of the estimators around one LSTM; see :class:`MultiSeriesLSTMRegressor`.

    A subclass reads the targets (`_read_targets`), describes the outputs of the network
    (`_output_spec`) and chooses its loss (`_loss_of`).
    """

    history_: dict[str, list[float]]
    n_iter_: int
    n_features_in_: int
    window_length_: int
    n_outputs_: int
    embedded_ids_: pd.Index | None
    reinitialized_weights_: list[str]
    _network: FittedNetwork

    # --------------------------------------------------------------------------- fitting

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
            A 2-D table of shape (n_rows, n_columns) is read as windows of length one.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Target of each row. NaN elements are missing. Lives that may be censored are a
            structured array of (event, time), as :func:`make_remaining_life` makes it.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row, multiplied by the weight of its series. Rows of weight 0 serve as
            context only.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, for a 3-D array or a table without an id column.
        X_val : Windows, 3-D array or 2-D table, default=None
            Validation rows for early stopping. No part of X is then held out: `validation_fraction`
            and `validation_by` are ignored. The rows enter the loss under the same conditions as
            those of X (`min_observed`, `embargo`), with weights by `series_weight`. In a pipeline,
            ``Pipeline(..., transform_input=["X_val"])`` transforms them by the steps before.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Target of each row of `X_val`, in the form of `y`.

        Returns
        -------
        self
        """
        self._validate_params()
        self._check_validation(X_val, y_val)
        self._check_learning_rate()
        plan = self._plan(
            self.epochs,
            patience=self.n_iter_no_change if self.early_stopping else None,
            decay=self.learning_rate_decay == "cosine",
            checkpoint=self._checkpoint(),
        )
        earlier = getattr(self, "_network", None) if self.warm_start else None
        given = None if X_val is None else (X_val, y_val)
        rows = (X, y, sample_weight, series_ids)
        return self._fit(*rows, plan, earlier, given=given, calibrates=earlier is None)

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
        rows = (X, y, sample_weight, series_ids)
        return self._fit(*rows, self._plan(epochs=1), getattr(self, "_network", None))

    def _plan(self, epochs, **options) -> TrainingPlan:
        """Plan the training, but for the order of the rows."""
        check_callbacks(self.callbacks)
        return TrainingPlan(
            epochs,
            n_steps=self.steps_per_epoch,
            callbacks=tuple(self.callbacks or ()),
            verbose=int(self.verbose),
            **options,
        )

    @with_callbacks
    def _fit(
        self,
        X,
        y,
        sample_weight,
        series_ids,
        plan: TrainingPlan,
        earlier: FittedNetwork | None,
        *,
        given=None,
        calibrates=False,
    ) -> Self:
        """Train a new network, or continue the `earlier` one.

        `given` are validation rows and their targets; None: a part of X is held out if the plan
        has a patience.
        """
        weights = None if sample_weight is None else {"sample_weight": sample_weight}
        # The state is restored in the task, which needs the attributes of the callbacks at its end.
        with self._follow(plan, X=X, y=y, metadata=weights) as task, restored_on_error(self):
            # All checks of the input come before TensorFlow is loaded.
            self._check_calibration(calibrates)
            source = self._source()
            samples, form = self._read_training(X, y, sample_weight, series_ids, earlier)
            spec = self._specify_network(samples.example, earlier)
            random = check_random_state(self.random_state)
            seed, order_seed, split_seed = random.randint(np.iinfo(np.int32).max, size=3).tolist()
            holds_out = plan.patience is not None and not given
            training, validation = samples.divide(self._split_rule(), holds_out, split_seed)
            warn_of_outliers(training.example)
            start = partial(self._start_network, spec, source=source, seed=seed)
            network, settings = start(training, earlier)
            fit = OngoingFit(self, network, settings, self._past(earlier), form)
            if given:
                validation = self._read_validation(given, fit.attributes(), training)
            plan = replace(plan, seed=order_seed)
            if calibrates:
                # Callbacks of Keras see the networks that calibrate first, and the network last.
                train = partial(self._train_part, start, validation, plan)
                fit.form |= self._calibrate(train, training, split_seed, task.progress)
            losses = network.train(
                settings,
                training,
                validation,
                plan,
                first_epoch=fit.past.n_epochs,
                reported=EpochTasks(task, fit.attributes_so_far),
            )
            self.__dict__.update(fit.attributes(losses))
        return self

    def _follow(self, plan: TrainingPlan, **data):
        """Report the fit, of which early stopping may leave epochs out."""
        bar: dict[str, Any] = {"unit": "epoch", "show": self.verbose == 1}
        bar["at_most"] = plan.patience is not None
        return fit_task(self, max_subtasks=plan.epochs, **bar, **data)

    def _past(self, earlier: FittedNetwork | None) -> TrainingHistory:
        """Return the history that the fit continues."""
        if earlier is None:
            return TrainingHistory()
        return TrainingHistory(self.history_, self.n_iter_)

    def _train_part(self, start, validation, plan, rows, number, fits) -> FittedNetwork:
        """Train one of several further networks, each on a part of the rows.

        `fits` is the progress of all of them.
        """
        network, settings = start(rows, None)
        if plan.checkpoint is not None:
            plan = replace(plan, checkpoint=member_checkpoint(plan.checkpoint, number))
        progress = fits.part(plan.epochs, "epoch")
        network.train(settings, rows, validation, plan, reported=ShownEpochs(progress))
        progress.finish()
        return cast("FittedNetwork", network)

    def _read_training(
        self, X, y, sample_weight, series_ids, earlier
    ) -> tuple[Samples | UndividedRows, dict[str, Any]]:
        """Read all rows with their targets.

        Returns
        -------
        samples : Samples or UndividedRows
        form : dict
            Attributes for the form of y, which later fits of the same network keep.
        """
        reset = earlier is None
        if reset:
            check_some_event(y)
        samples: Samples | UndividedRows
        if isinstance(X, Blocks):
            rows: Blocks = X.with_values(y=y, sample_weight=sample_weight, series_ids=series_ids)
            _, form = self._read_rows(*rows.block(0), reset=reset, is_block=True)
            # The state may change while the blocks are read.
            samples = UndividedRows(rows.map(partial(_read_block, self._reader(), reset)))
        else:
            samples, form = self._read_rows(X, y, sample_weight, series_ids, reset=reset)
        return samples, form if reset else {}

    def _read_rows(
        self, X, y, sample_weight, series_ids, *, reset, is_block=False, warn=True
    ) -> tuple[Samples, dict[str, Any]]:
        """Read rows with their targets and the user's weights, and the form of y.

        In one block of a panel, all targets may be missing and all weights 0.
        """
        X = as_array_like(X)
        targets, censored, form = self._read_targets(y, count_rows(X), allow_unknown=is_block)
        to_float32(targets, "y")
        if warn:
            warn_of_lost_digits(targets, "y")
        weights = check_weights(sample_weight, len(targets), allow_zero=is_block)
        windows = read_windows(self, X, series_ids, reset=reset, warn=warn and reset)
        if self.half_life is not None:
            age = rows_from_end(windows.series_rows, windows.ends)
            weights = weights * decay(age, self.half_life)
        return Samples(windows, targets, weights, censored=censored), form

    def _reader(self, **attributes) -> Self:
        """Return an estimator with this one's parameters and state, and these attributes."""
        reader = type(self).__new__(type(self))
        reader.__dict__.update(self.__dict__ | attributes)
        return reader

    def _check_validation(self, X_val, y_val):
        if (X_val is None) != (y_val is None):
            missing, passed = ("y_val", "X_val") if y_val is None else ("X_val", "y_val")
            raise ValueError(f"{passed} was passed without {missing}. Pass both, or none.")
        if X_val is not None and not self.early_stopping:
            raise ValueError(
                "X_val and y_val are the validation rows of early stopping, but "
                "early_stopping=False. Set early_stopping=True, or leave them out."
            )

    def _checkpoint(self):
        if self.checkpoint is not None and not isinstance(self.random_state, Integral):
            raise ValueError(
                f"checkpoint={self.checkpoint!r} needs an int as random_state, got "
                f"{self.random_state!r}: a fit with other random numbers cannot be resumed. Set "
                "random_state=0, for example."
            )
        return as_checkpoint(self.checkpoint)

    def _check_learning_rate(self):
        if self.learning_rate_decay is not None and not isinstance(self.learning_rate, Real):
            raise ValueError(
                f"learning_rate_decay={self.learning_rate_decay!r} needs a number as "
                f"learning_rate, got the schedule {self.learning_rate!r}: use one of the two."
            )

    def _source(self):
        """Return the fitted estimator whose weights initialise the network, or None."""
        if self.init_from is None:
            return None
        return frozen_source(self.init_from, BaseLSTM)

    def _check_calibration(self, calibrates: bool) -> None:
        """Check the parameters of the calibration; `calibrates` is whether this fit does."""

    def _calibrate(self, train, training, seed, progress) -> dict[str, Any]:
        """Calibrate predictions by further networks, and return attributes.

        ``train(rows, number, fits)`` trains one of them. `progress` is that of the last network.
        """
        return {}

    def _read_validation(self, given, attributes, training) -> Samples | StreamedSamples:
        """Read the validation rows that were passed to `fit`, and weight them.

        They are read as by an estimator with these attributes, those of the fit that has begun.
        """
        try:
            reader = self._reader(**attributes)
            X, y = given
            samples, _ = reader._read_training(X, y, None, None, reader._network)
            reader._check_n_outputs(samples.example.targets)
            if (samples.example.censored is None) != (training.example.censored is None):
                raise ValueError(
                    "Only one of y and y_val holds lives with their events. Pass both in one form."
                )
            return samples.in_loss(self._split_rule())
        except ValueError as error:
            error.add_note("This is about the validation rows, X_val and y_val.")
            raise

    def _split_rule(self) -> SplitRule:
        return SplitRule(
            self.min_observed,
            self.embargo,
            self.series_weight,
            self.validation_fraction,
            self.validation_by,
        )

    def _specify_network(self, samples: Samples, earlier) -> NetworkSpec:
        """Describe the network, except the number of embedded series and the dtype policy."""
        windows = samples.windows
        masked = windows.padding == "nan" or (earlier is not None and earlier.spec.masked)
        if windows.window_length % self.segment_length and not masked:
            length = windows.window_length
            divisors = [number for number in range(1, length + 1) if length % number == 0]
            divisors.sort(key=lambda number: abs(number - self.segment_length))
            nearest = " or ".join(map(str, sorted(divisors[:2])))
            raise ValueError(
                f"segment_length={self.segment_length} does not divide the window length {length}. "
                f"Choose a segment_length that divides it (such as {nearest}), change "
                "window_length, or set padding='nan' in WindowTransformer."
            )
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
            static_features=once_per_window(
                windows, static_positions(windows, self.static_features)
            ),
            categories=tuple(
                (each.position, next_power_of_two(len(each.categories)))
                for each in windows.categories
            ),
            series_embedding=int(self.series_embedding),
            trainable=TRAINABLE.get(self.trainable, self.trainable),
            **self._output_spec(),
        )

    def _start_network(self, spec, training: Samples | StreamedSamples, earlier, *, source, seed):
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
        before = earlier or (source and source._network)
        if before:
            categories = as_many_as(spec.categories, before.spec.categories)
            spec = replace(spec, categories=categories)
        loss = self._loss_of(spec)
        batch_size = min(self.batch_size, next_power_of_two(len(training)))
        batch_size = api.evenly_divided(batch_size)
        settings = api.TrainingSpec(
            spec,
            batch_size,
            loss,
            self.optimizer,
            self.learning_rate,
            censored=training.example.censored is not None,
        )
        self._check_loss(spec, training)
        if earlier is not None:
            return earlier.continue_as(settings), settings
        network = api.FittedNetwork.initialize(
            spec,
            training,
            loss,
            seed,
            embedded_ids=embedded_ids,
            feature_names=training.example.windows.names,
            categories=training.example.windows.categories,
        )
        if source is not None:
            transfer_weights(source._network, network, self._has_outputs_of(source))
        return network, settings

    def _fitted_attributes(self, network, history: TrainingHistory) -> dict[str, Any]:
        """Return the attributes of an estimator with this network."""
        return {
            "_network": network,
            "history_": history.losses,
            "n_iter_": history.n_epochs,
            "window_length_": network.spec.window_length,
            "n_outputs_": network.spec.n_outputs,
            "embedded_ids_": network.embedded_ids,
            "reinitialized_weights_": network.reinitialized_weights,
        }

    # ------------------------------------------------- targets and outputs, by subclass

    def _read_targets(
        self, y, n_rows, *, allow_unknown=False
    ) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]]:
        """Convert y to numbers.

        Returns
        -------
        targets : ndarray of shape (n_rows, n_outputs)
            Missing elements are NaN, and `allow_unknown` is whether all may be.
        censored : ndarray of shape (n_rows, n_outputs) or None
            Which targets are only known to be larger; None if y has no events.
        form : dict
            Attributes for the form of y.
        """
        raise NotImplementedError

    def _output_spec(self) -> dict[str, Any]:
        """Return the fields of the network's spec that describe the outputs."""
        raise NotImplementedError

    def _loss_of(self, spec: NetworkSpec):
        """Return the loss of a network, as in Keras."""
        raise NotImplementedError

    def _check_loss(self, spec: NetworkSpec, training: Samples | StreamedSamples) -> None:
        """Raise an error if the loss does not fit to the network or the targets."""

    def _has_outputs_of(self, source: BaseLSTM) -> bool:
        """Whether the outputs mean the same as those of another estimator with equal spec."""
        return True

    def _error_by_series(
        self, targets: np.ndarray, predicted: np.ndarray, mean: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Compute the error of the predictions of each series.

        `mean` averages an array of shape (n_rows, n) by series, without NaN.
        """
        raise NotImplementedError

    # -------------------------------------------------------------------------- applying

    @property
    def model_(self) -> Any:
        """The Keras network."""
        return self._network.model

    @concatenates_blocks
    def attention_weights(self, X: Inputs) -> np.ndarray:
        """Compute the attention weights of the steps of every row's window.

        Parameters
        ----------
        X : Windows, 3-D array or 2-D table
            As in `fit`. With a fitted pipeline, ``pipe[:-1].transform(...)`` creates it.

        Returns
        -------
        ndarray of shape (n_rows, n_steps)
            Weights of the steps, oldest first; they sum to 1 per row. With several heads, the mean
            over the heads. With `segment_length` p, a step is a segment of p rows. Masked padding
            has weight 0.

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

    def series_report(
        self,
        X: Inputs,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        series_ids: npt.ArrayLike | None = None,
    ) -> pd.DataFrame:
        """Report the weight of each series and the error of its predictions.

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
            - ``error``: root mean squared error of all rows with a known target, in units of y
              (with `quantiles`, that of the median), or the fraction of wrong labels.
        """
        check_is_fitted(self, "model_")
        samples, _ = self._read_rows(X, y, sample_weight, series_ids, reset=False, warn=False)
        self._check_n_outputs(samples.targets)
        predicted = self._predict_outputs(samples.windows)
        rows = rows_with_loss(samples, self.min_observed, self.embargo, allow_empty=True)
        losses = np.zeros(len(samples))
        if len(rows):
            loss = self._loss_of(self._network.spec)
            chosen = samples.select(rows)
            losses[rows] = load_network().row_losses(
                loss, chosen.targets, predicted[rows], chosen.censored
            )
        weights = report_weights(samples, rows, self.series_weight)
        mean = partial(mean_by_series, samples)
        error = self._error_by_series(samples.known_targets, predicted, mean)
        return report_by_series(samples, rows, losses, weights, error)

    def _read(self, X) -> Windows:
        return read_windows(self, as_array_like(X), reset=False)

    def _check_n_outputs(self, targets) -> None:
        """Check the shape of targets that are compared with predictions."""
        if targets.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {targets.shape[1]} outputs, but {type(self).__name__} was fitted with "
                f"{self.n_outputs_}. Pass the same outputs as in fit."
            )

    def _predict_outputs(self, windows: Windows) -> np.ndarray:
        """Apply the network."""
        return self._network.predict(windows, embedding_indices(windows, self.embedded_ids_))

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
        return tags


def _read_block(reader, reset, block) -> Samples:
    """Read a block of rows, of which the first block has been read before."""
    samples, _ = reader._read_rows(*block, reset=reset, is_block=True, warn=False)
    if reset and samples.windows.categories and not isinstance(block[0], Windows):
        raise ValueError(
            "X is a PanelDataset with columns of categories, whose codes must be the same in all "
            "blocks. Put WindowTransformer(1) before the network: it learns them from all blocks."
        )
    static_positions(samples.windows, reader.static_features)  # is checked in each block
    return samples


def next_power_of_two(n: int) -> int:
    """Round up to a power of two.

    Folds with other numbers of rows or series then mostly share one compiled network.
    """
    return 1 << (n - 1).bit_length()
