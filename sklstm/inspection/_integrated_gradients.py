"""Attribute predictions to lags and features by integrated gradients."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, validate_params

from sklstm._panel.user_warnings import warn_user
from sklstm._panel.windows import Windows
from sklstm.inspection._attributions import Attributions
from sklstm.inspection._explained import find_network
from sklstm.inspection._path import integrate
from sklstm.inspection._rows import row_positions
from sklstm.lstm._base import MEDIAN, BaseLSTM
from sklstm.lstm._samples import embedding_indices

# A baseline this many ranges of a feature beyond its values was probably not meant.
FAR_RANGES = 10
# A smaller spread of predictions, in deviations of the training targets, is not resolved.
MIN_SPREAD = 0.01


@validate_params(
    {
        "rows": ["array-like", slice, Integral, None],
        "output": [Interval(Integral, 0, None, closed="left"), None],
        "quantile": [Interval(Real, 0, 1, closed="neither"), None],
        "baseline": ["array-like", Real],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_nodes": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def integrated_gradients(
    estimator: Any,
    X: Any,
    *,
    rows: ArrayLike | slice | int | None = None,
    output: int | None = None,
    quantile: float | None = None,
    baseline: ArrayLike | float = 0.0,
    background: Any = None,
    tol: float = 1e-3,
    max_nodes: int = 512,
) -> Attributions:
    """Attribute predictions to the lags and features of their windows.

    The attribution of a cell of a window is its difference from the baseline, times the mean
    gradient of the prediction along the straight line from the baseline to the window (Sundararajan
    et al., 2017). The attributions of a row sum to its prediction less the baseline's.

    Parameters
    ----------
    estimator : estimator
        A fitted :class:`MultiSeriesLSTMRegressor`, or a fitted pipeline, search or
        :class:`PerSeriesTargetRegressor` around one.
    X : Windows, DataFrame or array-like of shape (n_rows, ...)
        As in ``estimator.predict``: with the rows that the windows need as history.
    rows : slice, int or array-like, default=None
        The rows to explain: positions in X, or a mask of them. None: all rows. The result takes
        ``8 * window_length * n_features`` bytes per row.
    output : int, default=None
        Position of the output to explain, if there are several.
    quantile : float, default=None
        Level of the quantile to explain, if the network predicts quantiles. None: the median.
    baseline : float or array-like, default=0.0
        The window to compare with, in the units that the network receives: a number, one value per
        feature, or an array of shape (window_length, n_features). After a :class:`PerSeriesScaler`,
        0 is the center of each series.
    background : Windows, DataFrame or array-like of shape (n_background, ...), default=None
        Rows in the form of X, whose mean is the baseline at every lag. It replaces `baseline`.
    tol : float, default=1e-3
        Largest difference of the sum of a row's attributions from its prediction less the
        baseline's, relative to the standard deviation of the predictions of the explained rows. At
        least a hundredth of the standard deviation of the training targets is used as the latter.
    max_nodes : int, default=512
        Number of gradients per row after which the integral is not refined further. Most rows need
        8. Parts of the path on which the integral has not converged are halved. A warning counts
        the rows for which the number is not enough.

    Returns
    -------
    Attributions
        In the units of the predictions, and in the order of `rows`.

    Raises
    ------
    TypeError
        If the estimator holds no network, or several.
    ValueError
        If there are several outputs and `output` is None, or if the baseline does not fit the
        windows.

    Warns
    -----
    UserWarning
        If rows miss `tol`, or if the baseline is far from all values of a feature.

    See Also
    --------
    permutation_importance : Importance of features, lags and series for a score.
    sklstm.plotting.AttributionDisplay : Draw attributions.

    Notes
    -----
    **Pipelines.** Attributions belong to the features of the windows, which have the names of the
    columns if the steps before keep them, as :class:`PerSeriesScaler` does. Scaling a column by its
    statistics is not attributed further.

    **Target units.** With :class:`PerSeriesTargetRegressor`, attributions are in the units of the
    targets. Center and scale of the targets of a row are held fixed.

    **Padding.** Masked padding (``padding="nan"``) stays masked in the baseline, and has
    attribution 0. Other padding enters the network as values and has attributions of its own.

    **Other inputs.** The series of a row is held fixed: the baseline has its embedding vector.
    Static features enter the network once, from the last row of the window, where they have their
    attribution.

    **Precision.** Gradients are computed in float32, also for a network that was trained with a
    mixed dtype policy.

    References
    ----------
    M. Sundararajan, A. Taly, Q. Yan (2017). Axiomatic attribution for deep networks. ICML.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer
    >>> from sklstm.datasets import make_series_panel
    >>> from sklstm.inspection import integrated_gradients
    >>> X, y = make_series_panel(random_state=0)
    >>> ids = {"series": "series", "time": "time"}
    >>> net = MultiSeriesLSTMRegressor(8, epochs=2, random_state=0)
    >>> pipe = make_pipeline(PerSeriesScaler(**ids), WindowTransformer(5, **ids), net).fit(X, y)
    >>> attributions = integrated_gradients(pipe, X, rows=[-1])
    >>> attributions.by_feature().columns.tolist()
    ['x0', 'x1']
    """
    explained = find_network(estimator, X)
    network = explained.network
    all_windows = network._read(explained.X)
    positions = row_positions(rows, len(all_windows))
    windows = all_windows[positions]
    names = explained.feature_names(windows)
    place = find_output(network, output, quantile)
    if background is None:
        start = _check_baseline(baseline, windows.shape[1:])
        _warn_of_far_baseline(start, all_windows, names)
    else:
        start = _mean_row(estimator, background, baseline, windows.shape[1:])
    indices = embedding_indices(windows, network.embedded_ids_)

    def gradients(points: Any, row_of_point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = None if indices is None else indices[row_of_point]
        found: tuple[np.ndarray, np.ndarray] = network._network.output_gradients(
            points, chosen, place
        )
        return found

    spread = _spread(network, windows, place)
    integral = integrate(gradients, windows, start, tol * spread, max_nodes, network._y_dtype)
    _warn_of_missed_rows(integral.errors / spread, tol, max_nodes)
    offset, deviation = (part[place[0]] for part in network._network.output_map)
    center, scale = (part[:, place[0]] for part in explained.units_of(positions))
    center, scale = center + scale * offset, scale * deviation
    return Attributions(
        integral.values * scale[:, np.newaxis, np.newaxis],
        integral.end * scale + center,
        integral.start * scale + center,
        names,
        np.arange(windows.window_length - 1, -1, -1) * windows.spacing,
        positions,
        windows.series,
        windows.n_observed,
    )


def find_output(network: BaseLSTM, output: int | None, quantile: float | None) -> tuple[int, ...]:
    """Return the position of an output in the outputs of a network for one window."""
    spec = network._network.spec
    if output is None and spec.n_outputs > 1:
        raise ValueError(
            f"The network has {spec.n_outputs} outputs, and attributions explain one of them: pass "
            f"output=0 to output={spec.n_outputs - 1}."
        )
    place = output or 0
    if place >= spec.n_outputs:
        raise ValueError(
            f"output={output} is no position of an output: the network has {spec.n_outputs}, "
            "counted from 0."
        )
    if spec.quantiles is None:
        if quantile is not None:
            raise ValueError(
                f"quantile={quantile}, but the network was fitted without quantiles. Leave "
                "quantile=None, or fit with quantiles."
            )
        return (place,)
    level = MEDIAN if quantile is None else quantile
    if level not in spec.quantiles:
        raise ValueError(
            f"quantile={quantile} is none of the levels that the network predicts: "
            f"{list(spec.quantiles)}. Name one of these."
        )
    return (place, spec.quantiles.index(level))


def _check_baseline(baseline: ArrayLike | float, shape: tuple[int, ...]) -> np.ndarray:
    """Convert a baseline to a window."""
    window_length, n_features = shape
    values = np.asarray(baseline, dtype=np.float64)
    if values.shape not in ((), (n_features,), shape):
        raise ValueError(
            f"baseline has shape {values.shape}: pass a number, one value per feature, "
            f"({n_features},), or a window, ({window_length}, {n_features})."
        )
    if not np.isfinite(values).all():
        raise ValueError("baseline contains NaN or infinity: pass finite values.")
    return np.broadcast_to(values, shape)


def _mean_row(
    estimator: Any, background: Any, baseline: ArrayLike | float, shape: tuple[int, ...]
) -> np.ndarray:
    """Return a window whose rows are the mean of the background rows."""
    if np.ndim(baseline) or baseline != 0:
        raise ValueError("baseline and background were both passed: use one of the two.")
    found = find_network(estimator, background)
    windows = found.network._read(found.X)
    mean = windows.rows[windows.ends].mean(axis=0, dtype=np.float64)
    return np.broadcast_to(mean, shape)


def _warn_of_far_baseline(baseline: np.ndarray, windows: Windows, names: list[str]) -> None:
    """Warn if the baseline is far from all values of a feature."""
    values = windows.rows[windows.ends]
    low, high = values.min(axis=0), values.max(axis=0)
    reach = FAR_RANGES * (high - low)
    too_low, too_high = (baseline < low - reach).any(axis=0), (baseline > high + reach).any(axis=0)
    far = np.flatnonzero((too_low | too_high) & (high > low))
    if len(far):
        first = far[0]
        warn_user(
            f"The baseline is far from all values of {len(far)} of {len(names)} features: "
            f"{names[first]!r} ranges from {low[first]:.3g} to {high[first]:.3g}, and its baseline "
            f"is {baseline[-1, first]:.3g}. Scale the features, or pass typical rows as background."
        )


def _spread(network: BaseLSTM, windows: Windows, place: tuple[int, ...]) -> float:
    """Return the spread of the predictions, in deviations of the training targets."""
    column = np.ravel_multi_index(place, network._network.spec.output_shape)
    predicted = network._predict_outputs(windows).reshape(len(windows), -1)[:, column]
    deviation = predicted.std(dtype=np.float64) / network._network.output_map[1][place[0]]
    return max(float(deviation), MIN_SPREAD)


def _warn_of_missed_rows(errors: np.ndarray, tol: float, max_nodes: int) -> None:
    """Warn of rows whose integrals have not converged."""
    n_missed = (errors > tol).sum()
    if n_missed:
        warn_user(
            f"The attributions of {n_missed} of {len(errors)} rows miss tol={tol:g} with "
            f"max_nodes={max_nodes}: their sums differ from the prediction less the baseline's by "
            f"up to {errors.max():.2g} times the spread of the predictions. Raise max_nodes, or "
            "choose a baseline that is closer to the windows."
        )
