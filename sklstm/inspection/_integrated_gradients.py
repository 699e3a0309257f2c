"""Attribute predictions to lags and features by integrated gradients."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, validate_params

from sklstm._panel.user_warnings import warn_user
from sklstm.inspection._attributions import Attributions
from sklstm.inspection._baseline import check_baseline, mean_row, warn_of_far_baseline
from sklstm.inspection._explained import find_network
from sklstm.inspection._explained_output import choose_output
from sklstm.inspection._path import integrate
from sklstm.inspection._rows import row_positions
from sklstm.lstm._samples import embedding_indices

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
        A fitted :class:`~sklstm.MultiSeriesLSTMRegressor` or
        :class:`~sklstm.MultiSeriesLSTMClassifier`, or a fitted pipeline, search or
        :class:`~sklstm.PerSeriesTargetRegressor` around one.
    X : Windows, DataFrame or array-like of shape (n_rows, ...)
        As in ``estimator.predict``: with the rows that the windows need as history.
    rows : slice, int or array-like, default=None
        The rows to explain: positions in X, or a mask of them. None: all rows. The result takes
        ``8 * window_length * n_features`` bytes per row.
    output : int, default=None
        Position of the output to explain, if there are several: of the target, or of one of more
        than two classes.
    quantile : float, default=None
        Level of the quantile to explain, if the network predicts quantiles. None: the median.
    baseline : float or array-like, default=0.0
        The window to compare with, in the units that the network receives: a number, one value per
        feature, or an array of shape (window_length, n_features). After a
        :class:`~sklstm.PerSeriesScaler`, 0 is the center of each series.
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
    columns if the steps before keep them, as :class:`~sklstm.PerSeriesScaler` does. Scaling a
    column by its statistics is not attributed further.

    **Classes.** The predictions of a classifier are explained as log-odds of the second of two
    classes. Of more classes, they are the logit of a class less the mean of all logits.

    **Target units.** With :class:`~sklstm.PerSeriesTargetRegressor`, attributions are in the
    units of the targets. Center and scale of the targets of a row are held fixed.

    **Padding.** Masked padding (``padding="nan"``) stays masked in the baseline, and has
    attribution 0. Other padding enters the network as values and has attributions of its own.

    **Other inputs.** The series and the categories of a row are held fixed: the baseline has their
    embedding vectors, and categorical features have attribution 0. Static features enter the
    network once, from the last row of the window, where they have their attribution.

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
    ['x0', 'x1', 'x2']
    """
    explained = find_network(estimator, X)
    network = explained.network
    all_windows = network._read(explained.X)
    positions = row_positions(rows, len(all_windows))
    windows = all_windows[positions]
    names = explained.feature_names(windows)
    explained_output = choose_output(network, output, quantile)
    categories = [place for place, _ in network._network.spec.categories]
    if background is None:
        start = check_baseline(baseline, windows.shape[1:])
        warn_of_far_baseline(start, all_windows, names, categories)
    else:
        start = mean_row(estimator, background, baseline, windows.shape[1:])
    indices = embedding_indices(windows, network.embedded_ids_)

    def gradients(points: Any, row_of_point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = None if indices is None else indices[row_of_point]
        found: tuple[np.ndarray, np.ndarray] = network._network.output_gradients(
            points, chosen, explained_output.weights
        )
        return found

    spread = max(explained_output.spread(network._predict_outputs(windows)), MIN_SPREAD)
    integral = integrate(gradients, windows, start, tol * spread, max_nodes, categories)
    _warn_of_missed_rows(integral.errors / spread, tol, max_nodes)
    center, scale = (part[:, explained_output.place] for part in explained.units_of(positions))
    center, scale = center + scale * explained_output.center, scale * explained_output.scale
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
