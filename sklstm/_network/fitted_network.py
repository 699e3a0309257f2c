"""Train a network, apply it and pickle it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import pandas as pd

from sklstm._network import prediction
from sklstm._network.architecture import build_network
from sklstm._network.batches import Batches
from sklstm._network.checkpoints import TrainingCheckpoint, fingerprint
from sklstm._network.gradients import output_gradients
from sklstm._network.lazy_import import check_not_forked, new_network
from sklstm._network.losses import degree_of_homogeneity, loss_unit
from sklstm._network.plan import TrainingPlan
from sklstm._network.spec import NetworkSpec
from sklstm._network.target_scale import (
    initialize_logits,
    initialize_outputs,
    multiply_outputs,
    output_map,
    outputs_in_unit,
    unit_of_targets,
)
from sklstm._network.trainer import TrainingSpec
from sklstm._network.training import train
from sklstm._network.variables import assign_arrays, to_arrays
from sklstm._panel.categories import CategoricalFeature
from sklstm._panel.pickles import PlainIds
from sklstm._panel.windows import Windows


@dataclass(eq=False)
class FittedNetwork(PlainIds):
    """Hold a network together with everything that further training and predictions need.

    Attributes
    ----------
    spec : NetworkSpec
    model : keras.Model
    target_unit : float
        Unit of the targets in training, a power of two: 1 for targets of usual size.
    loss_unit : float
        Typical size of the loss for targets in their unit; the optimizer receives losses in this
        unit.
    loss_degree : int
        The power of the targets' unit in which the loss is.
    optimizer_key : str or None
        Identifies the optimizer; None before training.
    optimizer_state : list of ndarray or None
        Values of the optimizer's variables; None: those of a new optimizer.
    embedded_ids : pandas.Index or None
        The series with an embedding vector of their own, in the order of the vectors.
    feature_names : list of str or None
        Names of the features of a window, if they are known.
    categories : tuple of CategoricalFeature
        The features of a window that are categories.
    reinitialized_weights : list of str
        Names of the weights that a transfer did not copy.
    """

    spec: NetworkSpec
    model: keras.Model
    target_unit: float = 1.0
    loss_unit: float = 1.0
    loss_degree: int = 0
    optimizer_key: str | None = None
    optimizer_state: list[np.ndarray] | None = None
    embedded_ids: pd.Index | None = None
    feature_names: list[str] | None = None
    categories: tuple[CategoricalFeature, ...] = ()
    reinitialized_weights: list[str] = field(default_factory=list)

    @classmethod
    def initialize(cls, spec: NetworkSpec, samples, loss, seed, **attributes) -> FittedNetwork:
        """Build a network whose outputs start at the mean of the targets, or their logits.

        Parameters
        ----------
        spec : NetworkSpec
        samples : Samples
            The training rows, which determine the scale of the outputs and the unit of the loss.
        loss : str, keras.losses.Loss or callable
        seed : int
            Seed of the initial weights.
        **attributes
            `embedded_ids`, `feature_names` and `categories`.
        """
        mean, deviation = samples.target_moments()
        model = build_network(spec, seed)
        if spec.logits:
            unit, degree, guess = 1.0, 0, initialize_logits(model, mean)
        else:
            initialize_outputs(model, spec, mean, deviation)
            unit, degree = unit_of_targets(loss, spec, mean, deviation)
            guess = np.broadcast_to(mean, spec.output_shape[::-1]).T / unit
        targets, weights = samples.weighted_targets()
        targets = targets if unit == 1 else targets / unit
        loss_size = loss_unit(loss, targets, weights, guess)
        return cls(spec, model, unit, loss_size, degree, **attributes)

    def continue_as(self, training: TrainingSpec) -> FittedNetwork:
        """Return a network that continues the training of this one, which keeps its own state.

        The two share the model if the spec is the same.

        Raises
        ------
        ValueError
            If the network or the optimizer would differ from this one's, or if the loss cannot be
            computed in the unit of the targets.
        """
        spec = training.network
        changed = spec.differences(self.spec)
        if training.optimizer_key != self.optimizer_key:
            changed["optimizer"] = (training.optimizer_key, self.optimizer_key)
        if changed:
            raise ValueError(
                "Continuing an earlier fit needs the same network and optimizer. The parameters "
                "and the data now ask for "
                + ", ".join(f"{name}={new!r} (was {old!r})" for name, (new, old) in changed.items())
                + ". Restore them, or fit without warm_start."
            )
        degree = self._degree_of(training.loss)
        if spec == self.spec:
            return replace(self, loss_degree=degree)
        # Different layers are trained now, or padding is now masked.
        model = _rebuild(spec, to_arrays(self.model.variables))
        state = self.optimizer_state if spec.trainable == self.spec.trainable else None
        return replace(self, spec=spec, model=model, loss_degree=degree, optimizer_state=state)

    def _degree_of(self, loss) -> int:
        """Return the power of the targets' unit in which a loss is: that of fit may be another."""
        if self.target_unit == 1:
            return self.loss_degree
        degree = degree_of_homogeneity(loss, self.spec.n_outputs, self.spec.output_shape)
        if degree is None:
            raise ValueError(
                f"loss={loss!r} has a unit of its own, and the network was trained on targets in "
                f"units of {self.target_unit:.3g}. Choose 'mse' or 'mae', or fit without "
                "warm_start."
            )
        return degree

    def train(
        self,
        settings: TrainingSpec,
        training,
        validation,
        plan: TrainingPlan,
        *,
        first_epoch=0,
        reported=None,
    ) -> dict[str, list[float]]:
        """Train the model in place.

        Parameters
        ----------
        settings : TrainingSpec
        training : Samples
        validation : Samples or None
        plan : TrainingPlan
        first_epoch : int, default=0
            Number of epochs before this training.
        reported : ShownEpochs, default=None
            Called at the begin and end of each epoch.

        Returns
        -------
        dict of list of float
            Losses by epoch.
        """
        check_not_forked()
        training = training.with_embedding(self.embedded_ids)
        if validation is not None:
            validation = validation.with_embedding(self.embedded_ids)
        stream = {"n_steps": plan.n_steps, "seed": plan.seed, "first_epoch": first_epoch}
        batches = self._batches(training, settings.batch_size, **stream)
        validation_batches = validation and self._batches(validation, settings.batch_size)
        checkpoint = None
        if plan.checkpoint is not None:
            determined_by = plan.determines_weights | {"first_epoch": first_epoch}
            marks = fingerprint(self, settings, training, validation, determined_by)
        with outputs_in_unit(self.model, self.target_unit):
            if plan.checkpoint is not None:
                checkpoint = TrainingCheckpoint(plan.checkpoint, marks, self.model)
            history, self.optimizer_state = train(
                self.model,
                settings,
                batches,
                validation_batches,
                plan,
                optimizer_state=self.optimizer_state,
                checkpoint=checkpoint,
                reported=reported,
            )
        self.optimizer_key = settings.optimizer_key
        return history

    def snapshot(self, model, settings: TrainingSpec) -> FittedNetwork:
        """Return a network with the current state of the model that is compiled for training.

        Parameters
        ----------
        model : keras.Model
            As Keras' callbacks see it during `train`.
        settings : TrainingSpec
            Those of `train`.
        """
        twin = _rebuild(self.spec, to_arrays(model.variables))
        multiply_outputs(twin, self.target_unit)
        return replace(
            self,
            model=twin,
            optimizer_key=settings.optimizer_key,
            optimizer_state=to_arrays(model.optimizer.variables),
        )

    def _batches(self, samples, batch_size, **options):
        return Batches(
            samples,
            batch_size,
            target_unit=self.target_unit,
            loss_unit=self.loss_unit,
            logged_unit=self.loss_unit * self.target_unit**self.loss_degree,
            **options,
        )

    def predict(self, windows: Windows, embedding_indices=None) -> np.ndarray:
        """Predict the outputs per window.

        Parameters
        ----------
        windows : Windows
            float32.
        embedding_indices : ndarray of shape (n_rows,), default=None
            int32, for a network with series embedding.

        Returns
        -------
        ndarray of shape (n_rows, *spec.output_shape)
            float32.
        """
        return prediction.predict(self.model, self._spec_for(windows), windows, embedding_indices)

    def attention_weights(self, windows: Windows, embedding_indices=None) -> np.ndarray:
        """Compute the attention weights per window, averaged over the heads.

        Returns
        -------
        ndarray of shape (n_rows, spec.n_segments)
            float32; the weights of each row sum to 1.
        """
        spec = self._spec_for(windows)
        return prediction.attention_weights(self.model, spec, windows, embedding_indices)

    def output_gradients(self, windows, embedding_indices, weights):
        """Compute a weighted sum of the outputs per window, and its gradient by the window.

        Both are in deviations of the training targets.

        Parameters
        ----------
        windows : Windows, or an object with `gather`, `padding` and a length
            float32.
        embedding_indices : ndarray of shape (n_rows,) or None
        weights : ndarray of shape spec.output_shape
            float32.

        Returns
        -------
        sums : ndarray of shape (n_rows,)
        gradients : ndarray of shape (n_rows, window_length, n_features)
            0 for masked rows.
        """
        spec = self._spec_for(windows)
        return output_gradients(self.model, spec, windows, embedding_indices, weights)

    @property
    def output_map(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of each target, shape (n_outputs,), to which outputs are mapped."""
        return output_map(self.model)

    def _spec_for(self, windows):
        """Return the spec to apply, with masking if the windows contain masked padding."""
        check_not_forked()
        return replace(self.spec, masked=self.spec.masked or windows.padding == "nan")

    def __getstate__(self):
        # The model is kept as its weights; the spec rebuilds the rest.
        return {**super().__getstate__(), "model": to_arrays(self.model.variables)}

    def __setstate__(self, state):
        super().__setstate__({**state, "model": _rebuild(state["spec"], state["model"])})

    def __reduce__(self):
        # `new_network` imports this module without TensorFlow's start-up messages.
        return new_network, (), self.__getstate__()


def _rebuild(spec: NetworkSpec, arrays: list[Any]) -> keras.Model:
    """Build a network with the given values of its variables."""
    model = build_network(spec, seed=0)
    assign_arrays(model.variables, arrays)
    return model
