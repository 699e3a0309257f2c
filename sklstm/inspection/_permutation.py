"""Measure the importance of features, lags and series by exchanging windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, _safe_indexing, check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions, validate_params
from sklearn.utils.validation import _num_samples

from sklstm._panel.frames import as_plain, take
from sklstm._panel.weights import check_weights
from sklstm._panel.windows import Windows
from sklstm.inspection._exchanges import (
    NamedExchanges,
    exchange_features,
    exchange_lags,
    exchange_windows,
    group_lags,
)
from sklstm.inspection._explained import Explained, find_network
from sklstm.inspection._rows import row_positions
from sklstm.inspection._substitute import Responses, Substitute
from sklstm.lstm._base import BaseLSTM

# Name of the score where the scorer returns a number.
SINGLE = "score"

# Scores by name; the names of what is exchanged, its scores before, and after each exchange.
Scores: TypeAlias = dict[str, float]
ScoreTable: TypeAlias = tuple[list[Any], list[Scores], list[list[Scores]]]


@validate_params(
    {
        "by": [StrOptions({"feature", "lag", "series"})],
        "lag_groups": [Interval(Integral, 1, None, closed="left"), "array-like", None],
        "scoring": [str, callable, list, tuple, set, dict, None],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "rows": ["array-like", slice, Integral, None],
        "sample_weight": ["array-like", None],
        "max_samples": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="right"),
        ],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def permutation_importance(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    by: str = "feature",
    lag_groups: int | Sequence[Any] | None = None,
    scoring: Any = None,
    n_repeats: int = 5,
    rows: ArrayLike | slice | int | None = None,
    sample_weight: ArrayLike | None = None,
    max_samples: int | float = 1.0,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """Measure how much a score falls when parts of windows are exchanged between rows.

    The function is similar to :func:`sklearn.inspection.permutation_importance`, but it exchanges
    parts of whole windows. Shuffling a column of a panel instead would give each window a history
    that no series has.

    Parameters
    ----------
    estimator : estimator
        A fitted :class:`~sklstm.MultiSeriesLSTMRegressor`, or a fitted pipeline, search or
        :class:`~sklstm.PerSeriesTargetRegressor` around one.
    X : Windows, DataFrame or array-like of shape (n_rows, ...)
        As in ``estimator.predict``.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Targets. Rows whose targets are all missing are left out.
    by : {"feature", "lag", "series"}, default="feature"
        What is exchanged between windows.

        - "feature": the history of one feature. If the network has an embedding of the series, its
          vectors are exchanged likewise, under the name "series embedding".
        - "lag": all features at one lag, or at a group of lags.
        - "series": the windows of one series, for those of rows drawn from all series. The score is
          that of the rows of the series.
    lag_groups : int or list of lists of int, default=None
        With ``by="lag"``: the number of groups of adjacent lags, or the lags of each group. None:
        each lag is a group.
    scoring : str, callable, list, tuple, set, dict or None, default=None
        As in scikit-learn. None: the `score` of the estimator. With ``by="series"``, choose a score
        that is defined for the rows of one series, such as "neg_mean_absolute_error".
    n_repeats : int, default=5
        Number of permutations. The same ones are used for all features, lags or series.
    rows : slice, int or array-like, default=None
        The rows that are scored, and between which windows are exchanged: positions in X, or a mask
        of them. None: all rows.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows in the score.
    max_samples : int or float, default=1.0
        Number of rows, or their fraction, that is drawn from `rows`.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations and of the draw.

    Returns
    -------
    Bunch or dict of Bunch
        For several scores, a dict of results by the names of the scores. A result has the
        attributes

        - ``importances``: ndarray of shape (n_names, n_repeats), the fall of the score;
        - ``importances_mean``, ``importances_std``: ndarray of shape (n_names,);
        - ``names``: list of the features, of the lags or groups of lags, or of the ids;
        - ``baseline_score``: the score without permutation, by series with ``by="series"``;
        - ``by``: as passed.

    See Also
    --------
    integrated_gradients : Attribute single predictions.
    sklstm.plotting.ImportanceDisplay : Draw importances.

    Notes
    -----
    Windows stay lazy: the memory does not grow with the window length. Each permutation takes a
    prediction of all rows for each feature, lag or group. With ``by="series"``, it takes one.

    Rows close in time have similar windows. Permutations exchange windows between all rows, so that
    most of them come from another series.

    Padding stays with its row. A history that is shorter than the window it replaces is continued
    by its oldest row, as in ``padding="edge"``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import MultiSeriesLSTMRegressor
    >>> from sklstm.inspection import permutation_importance
    >>> X = np.random.default_rng(0).normal(size=(200, 4, 2))
    >>> net = MultiSeriesLSTMRegressor(8, epochs=10, learning_rate=0.01, random_state=0)
    >>> net.fit(X, X[:, -1, 1])
    MultiSeriesLSTMRegressor(...)
    >>> result = permutation_importance(net, X, X[:, -1, 1], random_state=0)
    >>> result.names[np.argmax(result.importances_mean)]
    'x1'
    """
    if lag_groups is not None and by != "lag":
        raise ValueError(f"lag_groups={lag_groups!r} groups lags, but by={by!r}: pass by='lag'.")
    explained = find_network(estimator, X)
    windows = _read_windows(explained)
    random = check_random_state(random_state)
    chosen = choose_rows(explained.network, y, rows, len(windows), max_samples, random)
    scorer = check_scoring(estimator, _search_scorer(estimator) if scoring is None else scoring)
    if sample_weight is not None:
        sample_weight = check_weights(sample_weight, len(windows))
    if isinstance(X, (list, tuple)):
        X = np.asarray(X)
    sample = Sample(explained, scorer, X, as_plain(y), sample_weight, chosen, windows[chosen])
    orders = [random.permutation(len(chosen)) for _ in range(n_repeats)]
    if by == "series":
        names, own, changed = _score_series(sample, orders)
    else:
        exchanges = _exchanges(sample, by, lag_groups)
        names, own, changed = _score_exchanges(sample, exchanges, orders)
    return _summarize(names, own, changed, by)


def _search_scorer(estimator: Any) -> Any:
    """Return the scorer with which a search chose its best estimator; None for other estimators."""
    scorer = getattr(estimator, "scorer_", None)
    return scorer[estimator.refit] if isinstance(scorer, dict) else scorer


def _read_windows(explained: Explained) -> Windows:
    """Read the input of a network as windows."""
    if not isinstance(explained.X, Windows) and np.ndim(explained.X) != 3:
        raise ValueError(
            "The network receives a table, whose rows are windows of length one: use "
            "sklearn.inspection.permutation_importance, or put a WindowTransformer before the "
            "network."
        )
    return explained.network._read(explained.X)


def choose_rows(
    network: BaseLSTM,
    y: Any,
    rows: Any,
    n_rows: int,
    max_samples: float,
    random: np.random.RandomState,
) -> np.ndarray:
    """Choose the rows to score: those with a known target, or as many of them as asked for."""
    y = as_plain(y)
    if _num_samples(y) != n_rows:
        raise ValueError(
            f"y has {_num_samples(y)} rows, and X has {n_rows}: pass a target per row."
        )
    targets, *_ = network._read_targets(y, n_rows, allow_unknown=True)
    is_known = ~np.isnan(targets).all(axis=1)
    chosen = row_positions(rows, n_rows)
    chosen = chosen[is_known[chosen]]
    if not len(chosen):
        raise ValueError("No row has a known target: choose rows whose y is not missing.")
    n_drawn = max_samples if isinstance(max_samples, Integral) else int(max_samples * len(chosen))
    if n_drawn >= len(chosen):
        return chosen
    return np.sort(random.choice(chosen, max(int(n_drawn), 1), replace=False))


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows that are scored.

    Attributes
    ----------
    explained : Explained
    scorer : callable
    X, y : array-like
        As the user passed them, for all rows.
    sample_weight : ndarray of shape (n_rows,) or None
    rows : ndarray of shape (n_scored,)
        Positions of the rows in X.
    windows : Windows
        Of these rows.
    """

    explained: Explained
    scorer: Any
    X: Any
    y: Any
    sample_weight: Any
    rows: np.ndarray
    windows: Windows

    def responses(self, windows: Windows) -> Responses:
        """Respond to other windows of these rows."""
        return Responses(self.explained, self.rows, windows)

    def scores(self, responses: Responses, chosen: np.ndarray | None = None) -> Scores:
        """Score responses, of all rows or of chosen ones."""
        chosen = np.arange(len(self.rows)) if chosen is None else chosen
        rows, weights = self.rows[chosen], {}
        if self.sample_weight is not None:
            weights["sample_weight"] = self.sample_weight[rows]
        X, y = take(self.X, rows), _safe_indexing(self.y, rows)
        found = self.scorer(Substitute(responses, chosen), X, y, **weights)
        return found if isinstance(found, dict) else {SINGLE: found}


def _exchanges(sample: Sample, by: str, lag_groups: Any) -> NamedExchanges:
    """Return the exchange of each feature, lag or group of lags."""
    windows = sample.windows
    if by == "lag":
        groups = group_lags(lag_groups, windows.window_length, windows.spacing)
        return exchange_lags(windows, groups)
    has_embedding = sample.explained.network.embedded_ids_ is not None
    return exchange_features(windows, sample.explained.feature_names(windows), has_embedding)


def _score_exchanges(
    sample: Sample, exchanges: NamedExchanges, orders: list[np.ndarray]
) -> ScoreTable:
    """Score all rows after each exchange."""
    own = sample.scores(sample.responses(sample.windows))
    changed = [
        [sample.scores(sample.responses(exchange(order))) for order in orders]
        for _, exchange in exchanges
    ]
    return [name for name, _ in exchanges], [own] * len(exchanges), changed


def _score_series(sample: Sample, orders: list[np.ndarray]) -> ScoreTable:
    """Score the rows of each series after an exchange of all windows."""
    windows = sample.windows
    exchange = exchange_windows(windows)
    before = sample.responses(windows)
    after = [sample.responses(exchange(order)) for order in orders]
    by_series = [np.flatnonzero(windows.codes == code) for code in np.unique(windows.codes)]
    own = [sample.scores(before, rows) for rows in by_series]
    changed = [[sample.scores(responses, rows) for responses in after] for rows in by_series]
    first = np.array([rows[0] for rows in by_series])
    return windows.series[first].tolist(), own, changed


def _summarize(names: list[Any], own: list[Scores], changed: list[list[Scores]], by: str) -> Any:
    """Return a Bunch of importances, or a dict with one for each score."""
    results = {}
    for score in own[0]:
        baseline = np.array([scores[score] for scores in own])
        after = np.array([[scores[score] for scores in repeats] for repeats in changed])
        importances = baseline[:, np.newaxis] - after
        results[score] = Bunch(
            importances=importances,
            importances_mean=importances.mean(axis=1),
            importances_std=importances.std(axis=1),
            names=names,
            baseline_score=baseline if by == "series" else float(baseline[0]),
            by=by,
        )
    return results[SINGLE] if set(results) == {SINGLE} else results
