"""Choose the output of a network to explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklstm._network.spec import NetworkSpec
from sklstm.lstm._base import BaseLSTM
from sklstm.lstm._regressor import MEDIAN


@dataclass(frozen=True)
class ExplainedOutput:
    """A weighted sum of the outputs of a network, and its map to the units of predictions.

    Attributes
    ----------
    place : int
        Position of the output.
    weights : ndarray of shape (n_outputs,) or (n_outputs, n_quantiles)
        float32.
    center, scale : float
        They map the sum, in deviations of the training targets, to the units of predictions.
    """

    place: int
    weights: np.ndarray
    center: float
    scale: float

    def spread(self, outputs: np.ndarray) -> float:
        """Return the standard deviation of the sums, in deviations of the training targets.

        Parameters
        ----------
        outputs : ndarray of shape (n_rows, *weights.shape)
            In the units of predictions.
        """
        sums = outputs.reshape(len(outputs), -1) @ self.weights.ravel().astype(np.float64)
        return float(sums.std()) / self.scale


def choose_output(network: BaseLSTM, output: int | None, quantile: float | None) -> ExplainedOutput:
    """Choose an output of a network.

    Parameters
    ----------
    network : BaseLSTM
    output : int or None
        Position; None: the only output.
    quantile : float or None
        Level; None: the median where the network predicts quantiles.

    Returns
    -------
    ExplainedOutput
        Of several classes, the logit less the mean of all logits: probabilities do not depend on a
        number that is added to all of them.
    """
    spec = network._network.spec
    place = _find_output(spec, output)
    weights = np.zeros(spec.output_shape, np.float32)
    weights[(place, *_find_quantile(spec, quantile))] = 1
    offset, deviation = network._network.output_map
    center = offset[place]
    if spec.logits and spec.n_outputs > 1:
        weights -= weights.mean()
        center = offset @ weights
    return ExplainedOutput(place, weights, float(center), float(deviation[place]))


def _find_output(spec: NetworkSpec, output: int | None) -> int:
    """Check the position of an output."""
    if output is None and spec.n_outputs > 1:
        what = "classes, in the order of classes_," if spec.logits else "outputs,"
        raise ValueError(
            f"The network has {spec.n_outputs} {what} and attributions explain one of them: pass "
            f"output=0 to output={spec.n_outputs - 1}."
        )
    place = output or 0
    if place >= spec.n_outputs:
        raise ValueError(
            f"output={output} is not the position of an output: the network has {spec.n_outputs}, "
            "counted from 0."
        )
    return place


def _find_quantile(spec: NetworkSpec, quantile: float | None) -> tuple[int, ...]:
    """Return the position of a quantile level, if there are some."""
    if spec.quantiles is None:
        if quantile is not None:
            raise ValueError(
                f"quantile={quantile}, but the network was fitted without quantiles. Leave "
                "quantile=None, or fit with quantiles."
            )
        return ()
    level = MEDIAN if quantile is None else quantile
    if level not in spec.quantiles:
        raise ValueError(
            f"quantile={quantile} is not one of the levels that the network predicts: "
            f"{list(spec.quantiles)}. Choose one of these."
        )
    return (spec.quantiles.index(level),)
