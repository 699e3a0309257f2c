"""Tests of make_series_scorer, against a plain loop over the series."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from helpers import make_random_walks, panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import Ridge
from sklearn.metrics import (
    get_scorer,
    get_scorer_names,
    max_error,
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
    median_absolute_error,
    r2_score,
    root_mean_squared_error,
)
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils.metadata_routing import get_routing_for_object

from sklstm import (
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    PerSeriesTimeSplit,
    WindowTransformer,
    make_series_scorer,
    make_targets,
)
from sklstm.metrics import (
    coverage,
    mase,
    pinball_loss,
    prognostic_score,
    seasonal_scale,
    smape,
)

IDS = {"series": "unit", "time": "cycle"}
PANEL = make_random_walks()


class Noisy(RegressorMixin, BaseEstimator):
    """Predict one or several outputs from the feature of the row."""

    def __init__(self, n_outputs=1):
        self.n_outputs = n_outputs

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        p = np.asarray(X["p"]).reshape(-1, 1) if hasattr(X, "columns") else np.asarray(X)[:, -1:]
        predicted = np.abs(p * np.linspace(0.5, 1.5, self.n_outputs)) + 1
        return predicted[:, 0] if self.n_outputs == 1 else predicted


def targets(n_outputs, missing=0.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.abs(rng.normal(20, 10, size=(len(PANEL), n_outputs))) + 0.1
    y[rng.random(y.shape) < missing] = np.nan
    y[(PANEL["unit"] == 2).to_numpy(), -1] = np.nan if missing else 3.0
    return y[:, 0] if n_outputs == 1 else y


def by_hand(function, y, predicted):
    """Score each series: the mean over outputs of the score of the known elements."""
    y, predicted = y.reshape(len(y), -1), predicted.reshape(len(y), -1)
    scores = {}
    for unit in PANEL["unit"].unique():
        rows = (PANEL["unit"] == unit).to_numpy()
        outputs = []
        for true, guess in zip(y[rows].T, predicted[rows].T, strict=True):
            known = ~np.isnan(true)
            if known.any():
                outputs.append(function(true[known], guess[known]))
        scores[unit] = np.mean(outputs) if outputs else np.nan
    return pd.Series(scores)


METRICS = {
    "neg_mean_absolute_error": lambda t, p: -mean_absolute_error(t, p),
    "neg_root_mean_squared_error": lambda t, p: -root_mean_squared_error(t, p),
    "r2": r2_score,
    "neg_max_error": lambda t, p: -max_error(t, p),
    mean_squared_error: lambda t, p: -mean_squared_error(t, p),
    median_absolute_error: lambda t, p: -median_absolute_error(t, p),
    r2_score: r2_score,
    smape: lambda t, p: -smape(t, p),
    prognostic_score: lambda t, p: -prognostic_score(t, p),
    partial(mase, scale=2.0): lambda t, p: -mean_absolute_error(t, p) / 2,
    partial(mean_pinball_loss, alpha=0.2): lambda t, p: -mean_pinball_loss(t, p, alpha=0.2),
}


def name_of(metric):
    """Name a metric: a function's address would differ between the processes of a test run."""
    return getattr(getattr(metric, "func", metric), "__name__", metric)


@pytest.mark.parametrize("metric", METRICS, ids=name_of)
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_macro_average_weights_series_equally(metric, n_outputs, missing):
    if metric in ("neg_max_error", prognostic_score) and n_outputs > 1 and not missing:
        pytest.skip("no metric of several outputs")
    y, model = targets(n_outputs, missing), Noisy(n_outputs)
    expected = by_hand(METRICS[metric], y, model.predict(PANEL))
    score = make_series_scorer(metric, **IDS)(model, PANEL, y)
    assert isinstance(score, float)
    assert score == pytest.approx(expected.mean())
    by_series = make_series_scorer(metric, average=None, **IDS)(model, PANEL, y)
    assert by_series.index.name == "unit"
    assert_allclose(by_series.loc[expected.index], expected)
    micro = make_series_scorer(metric, average="micro", **IDS)(model, PANEL, y)
    one = PANEL.assign(unit=1)
    expected = make_series_scorer(metric, average=None, series="unit")(model, one, y)
    assert micro == pytest.approx(expected.item())


def test_micro_average_is_scikit_learns_score_of_the_known_rows():
    y = targets(1, 0.3)
    known = ~np.isnan(y)
    for name in ("r2", "neg_mean_absolute_error", "neg_median_absolute_error"):
        score = make_series_scorer(name, average="micro", **IDS)(Noisy(), PANEL, y)
        assert score == pytest.approx(get_scorer(name)(Noisy(), PANEL[known], y[known]))


def test_several_outputs_are_scored_like_in_scikit_learn():
    y, one = targets(3), PANEL.assign(unit=1)
    for name in ("r2", "neg_mean_absolute_error", "neg_root_mean_squared_error"):
        score = make_series_scorer(name, series="unit")(Noisy(3), one, y)
        assert score == pytest.approx(get_scorer(name)(Noisy(3), one, y))


@settings(deadline=None)
@given(panels(("p",)), st.randoms(use_true_random=False))
def test_scores_do_not_depend_on_the_order_of_rows(panel, random):
    panel = panel.fillna(1.0)
    y = panel["p"].mask(panel["cycle"] % 3 == 0) * 2
    order = random.sample(range(len(panel)), len(panel))
    if y.isna().all():
        with pytest.raises(ValueError, match="All values of y are missing"):
            make_series_scorer("neg_mean_absolute_error", **IDS)(Noisy(), panel, y)
        return
    for metric in ("neg_mean_absolute_error", median_absolute_error):
        score = make_series_scorer(metric, **IDS)
        expected = score(Noisy(), panel, y)
        assert score(Noisy(), panel.iloc[order], y.iloc[order]) == pytest.approx(expected)
        # All rows doubled: the average over series stays the same.
        twice = pd.concat([panel, panel.assign(cycle=panel["cycle"] + 1000)])
        assert score(Noisy(), twice, pd.concat([y, y])) == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
@pytest.mark.parametrize("metric", [r2_score, root_mean_squared_error, "r2"])
@settings(deadline=None)
@given(data=st.data())
def test_metrics_of_sums_equal_scikit_learns_series_by_series(metric, data):
    """Constant series, series of one row, exact predictions, weights and missing targets."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    n_outputs = data.draw(st.integers(1, 2))
    ids = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    y = rng.choice([0.0, 0.1, 3.0, 5.0], size=(len(ids), n_outputs))
    y[ids == 0] = 0.1
    predicted = np.where(rng.random(y.shape) < 0.5, y, rng.normal(size=y.shape))
    weights = rng.choice([0.5, 1.0, 2.0], size=len(ids)) if data.draw(st.booleans()) else None
    if data.draw(st.booleans()):
        y[rng.random(y.shape) < 0.3] = np.nan
        y[0] = 1.0

    def score(true, guess, sample_weight):
        if metric is root_mean_squared_error:
            return -root_mean_squared_error(true, guess, sample_weight=sample_weight)
        if len(true) > 1 and np.ptp(true) == 0:
            # As documented. scikit-learn divides by rounding errors here, such as those of 3 x 0.1.
            return float((true == guess).all())
        return r2_score(true, guess, sample_weight=sample_weight)

    expected = []
    for series in range(len(sizes)):
        scores = []
        for true, guess in zip(y.T, predicted.T, strict=True):
            rows = (ids == series) & ~np.isnan(true)
            if rows.any():
                w = None if weights is None else weights[rows]
                scores.append(score(true[rows], guess[rows], w))
        expected.append(pd.Series(scores, dtype=float).mean())

    class Known(RegressorMixin, BaseEstimator):
        def predict(self, X):
            return predicted

    X = pd.DataFrame({"id": ids})
    found = make_series_scorer(metric, average=None, series="id")(
        Known(), X, y, sample_weight=weights
    )
    assert_allclose(found.sort_index(), expected, atol=1e-9)


class NoisyQuantiles(Noisy):
    """Also predict three quantiles of each output: the prediction, and values around it."""

    def predict_quantiles(self, X):
        predicted = self.predict(X)
        return predicted[..., np.newaxis] + [-2.0, 0.5, 1.0]


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_quantiles_are_scored_per_series(n_outputs, missing):
    levels = [0.1, 0.5, 0.8]
    y, model = targets(n_outputs, missing), NoisyQuantiles(n_outputs)

    def loss(true, predicted):
        shifted = zip(levels, [-2.0, 0.5, 1.0], strict=True)
        return np.mean([mean_pinball_loss(true, predicted + d, alpha=q) for q, d in shifted])

    expected = -by_hand(loss, y, model.predict(PANEL))
    metric = partial(pinball_loss, quantiles=levels)
    options = {"response_method": "predict_quantiles", **IDS}
    by_series = make_series_scorer(metric, average=None, **options)(model, PANEL, y)
    assert_allclose(by_series.loc[expected.index], expected)
    scorer = make_series_scorer(metric, **options)
    assert scorer(model, PANEL, y) == pytest.approx(expected.mean())
    assert "response_method='predict_quantiles'" in repr(scorer)


def test_a_scorer_of_quantiles_needs_a_function_and_an_estimator_with_quantiles():
    options = {"response_method": "predict_quantiles", **IDS}
    with pytest.raises(ValueError, match="scores predictions, and response_method is 'predict_q"):
        make_series_scorer("neg_mean_absolute_error", **options)
    scorer = make_series_scorer(partial(pinball_loss, quantiles=[0.1, 0.9]), **options)
    with pytest.raises(AttributeError, match="Noisy has no predict_quantiles"):
        scorer(Noisy().fit(PANEL), PANEL, targets(1))
    # y of another shape than the quantiles.
    with pytest.raises(ValueError, match="predict_quantiles"):
        scorer(NoisyQuantiles(3), PANEL, targets(1))


def test_metrics_get_ids_and_rows_in_time_order():
    seen = []

    def metric(y_true, y_pred):
        assert isinstance(y_true, pd.Series) and y_true.index.name == "unit"
        seen.append((y_true.index[0], y_true.tolist()))
        return 1.0

    y = PANEL["cycle"] + 0.0
    assert make_series_scorer(metric, greater_is_better=True, **IDS)(Noisy(), PANEL, y) == 1
    assert make_series_scorer(metric, greater_is_better=False, **IDS)(Noisy(), PANEL, y) == -1
    for unit, cycles in seen:
        assert cycles == sorted(y[PANEL["unit"] == unit])


def test_scaled_errors_by_id():
    train, test = next(PerSeriesTimeSplit(1, **IDS).split(PANEL))
    scale = seasonal_scale(PANEL.iloc[train], columns="p", **IDS)
    X, y = PANEL.iloc[test], PANEL["p"].iloc[test]
    scorer = make_series_scorer(partial(mase, scale=scale), **IDS)
    errors = (y - Noisy().predict(X)).abs().groupby(X["unit"]).mean() / scale
    assert scorer(Noisy(), X, y.to_numpy()) == pytest.approx(-errors.mean())
    # A series without a scale has no score.
    scorer = make_series_scorer(partial(mase, scale=scale.where(scale.index > 1, 0)), **IDS)
    assert scorer(Noisy(), X, y) == pytest.approx(-errors.drop(1).mean())
    with pytest.raises(ValueError, match=r"no value for series \[1\]"):
        make_series_scorer(partial(mase, scale=scale.drop(1)), **IDS)(Noisy(), X, y)
    # A position is no name: the level is called "series".
    scale = scale.rename_axis("series")
    scorer = make_series_scorer(partial(mase, scale=scale), series=0, time=1)
    assert scorer(Noisy(), X.to_numpy(), y) == pytest.approx(-errors.mean())


def test_the_sign_of_a_metric_is_inferred_or_passed():
    def own(y_true, y_pred):
        return 1.0

    for loss in (own, partial(own)):
        with pytest.raises(ValueError, match="own.* is a score or a loss: pass greater_is_better"):
            make_series_scorer(loss)
    for function, sign in ((smape, -1), (partial(partial(mase), scale=1.0), -1), (r2_score, 1)):
        score = make_series_scorer(function, **IDS)(Noisy(), PANEL, Noisy().predict(PANEL) + 0.1)
        assert np.sign(score) == sign
    with pytest.raises(ValueError, match="scorer 'r2' has a fixed sign"):
        make_series_scorer("r2", greater_is_better=True)
    with pytest.raises(ValueError, match="needs more than predictions"):
        make_series_scorer("roc_auc")
    with pytest.raises(ValueError, match="is not a scorer"):
        make_series_scorer("mae")
    for bad in ({"metric": 3}, {"metric": "r2", "average": "mean"}):
        with pytest.raises(ValueError, match="parameter of make_series_scorer"):
            make_series_scorer(**bad)


def test_scorers_with_mean_in_their_name_are_weighted_means():
    # These scorers are called once, with weights, for all series.
    y, model = targets(1, 0.3), Noisy()
    names = [name for name in get_scorer_names() if name.startswith("neg_mean_")]
    assert len(names) >= 6
    for name in names:
        by_series = make_series_scorer(name, average=None, **IDS)(model, PANEL, y)
        score = make_series_scorer(name, **IDS)(model, PANEL, y)
        assert score == pytest.approx(by_series.mean())


def test_metric_with_output_weights():
    weighted = partial(mean_absolute_error, multioutput=[0.2, 0.3, 0.5])
    y, model = targets(3), Noisy(3)
    errors = np.abs(y - model.predict(PANEL)) @ [0.2, 0.3, 0.5]
    expected = pd.Series(errors).groupby(PANEL["unit"]).mean().mean()
    assert make_series_scorer(weighted, **IDS)(model, PANEL, y) == pytest.approx(-expected)


@pytest.mark.parametrize("metric", ["neg_mean_absolute_error", partial(mase, scale=1.0), r2_score])
def test_scorers_are_pickled_and_work_in_other_processes(metric):
    scorer = make_series_scorer(metric, **IDS)
    y, model = targets(1, 0.3), Noisy()
    again = pickle.loads(pickle.dumps(scorer))
    assert again(model, PANEL, y) == scorer(model, PANEL, y)
    assert repr(again) == repr(scorer)
    y = PANEL["p"].to_numpy()
    search = GridSearchCV(
        Ridge(),
        {"alpha": [0.1, 10.0]},
        cv=PerSeriesTimeSplit(2, **IDS),
        scoring=scorer,
        error_score="raise",
    )
    one, two = clone(search).fit(PANEL, y), clone(search).set_params(n_jobs=2).fit(PANEL, y)
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    both = cross_validate(
        Ridge(), PANEL, y, cv=search.cv, scoring={"own": scorer, "r2": "r2"}, error_score="raise"
    )
    assert_allclose(
        both["test_own"].mean(),
        cross_validate(Ridge(), PANEL, y, cv=search.cv, scoring=scorer, error_score="raise")[
            "test_score"
        ].mean(),
    )


def test_repr_of_scorers():
    assert repr(make_series_scorer("r2", series="unit")) == (
        "make_series_scorer('r2', average='macro', series='unit', time=None)"
    )
    scorer = make_series_scorer(partial(mase, scale=pd.Series(1.0, range(100))), average=None)
    assert repr(scorer) == (
        "make_series_scorer(partial(mase, scale=...), average=None, series=None, time=None, "
        "greater_is_better=False)"
    )


WEIGHTED = {
    "neg_mean_absolute_error": mean_absolute_error,
    "neg_root_mean_squared_error": root_mean_squared_error,
    "neg_median_absolute_error": median_absolute_error,
}


@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_sample_weight_counts_within_each_series(name, n_outputs, missing):
    y, model = targets(n_outputs, missing), Noisy(n_outputs)
    # All rows of series 1 have weight 0, and some rows of the others.
    weights = np.where(PANEL["unit"] == 1, 0, PANEL["cycle"] % 4)
    counted = np.where(weights[:, np.newaxis] > 0, y.reshape(len(y), -1), np.nan)
    scores = {}
    for unit in (2, 3, 4):
        rows = (PANEL["unit"] == unit).to_numpy()
        outputs = []
        for true, guess in zip(
            counted[rows].T, model.predict(PANEL).reshape(len(y), -1)[rows].T, strict=True
        ):
            known = ~np.isnan(true)
            if known.any():
                options = {"sample_weight": weights[rows][known]}
                outputs.append(-WEIGHTED[name](true[known], guess[known], **options))
        if outputs:
            scores[unit] = np.mean(outputs)
    scores = pd.Series(scores)
    by_series = make_series_scorer(name, average=None, **IDS)
    found = by_series(model, PANEL, y, sample_weight=weights).dropna()
    assert_allclose(found.sort_index(), scores)
    macro = make_series_scorer(name, **IDS)(model, PANEL, y, sample_weight=weights)
    assert macro == pytest.approx(scores.mean())


def test_micro_average_with_weights_is_scikit_learns_score():
    y, weights = targets(1), (PANEL["cycle"] % 4).to_numpy()
    for name in ("r2", "neg_mean_absolute_error", "neg_median_absolute_error"):
        score = make_series_scorer(name, average="micro", **IDS)
        expected = get_scorer(name)(Noisy(), PANEL, y, sample_weight=weights)
        assert score(Noisy(), PANEL, y, sample_weight=weights) == pytest.approx(expected)


def test_weights_that_cannot_be_used():
    with pytest.raises(ValueError, match="'neg_max_error' takes no sample_weight"):
        make_series_scorer("neg_max_error", **IDS)(
            Noisy(), PANEL, targets(1), sample_weight=np.ones(len(PANEL))
        )
    with pytest.raises(ValueError, match="All weights are zero"):
        make_series_scorer("r2", **IDS)(
            Noisy(), PANEL, targets(1), sample_weight=np.zeros(len(PANEL))
        )
    y = targets(1)
    y[PANEL["unit"] != 1] = np.nan
    with pytest.raises(ValueError, match="All values of y are missing"):
        make_series_scorer("r2", **IDS)(Noisy(), PANEL, y, sample_weight=PANEL["unit"] != 1)


def test_weights_of_a_search_reach_all_its_scorers():
    # Without metadata routing, scikit-learn asks each scorer whether it takes weights.
    y, weights = PANEL["p"].to_numpy(), PANEL["cycle"].to_numpy() % 4
    scorer = make_series_scorer("neg_mean_absolute_error", **IDS)
    cv = PerSeriesTimeSplit(1, **IDS)
    search = GridSearchCV(Ridge(), {"alpha": [1.0]}, scoring=scorer, cv=cv, error_score="raise")
    several = clone(search).set_params(scoring={"own": scorer, "r2": "r2"}, refit="own")
    train, test = next(cv.split(PANEL))
    model = Ridge().fit(PANEL.iloc[train], y[train], sample_weight=weights[train])
    expected = scorer(model, PANEL.iloc[test], y[test], sample_weight=weights[test])
    if not hasattr(search, "_check_scorers_accept_sample_weight"):
        expected = scorer(model, PANEL.iloc[test], y[test])  # an older scikit-learn
    for found in (search, several):
        found.fit(PANEL, y, sample_weight=weights)
        assert found.best_score_ == pytest.approx(expected)


def test_metadata_requests():
    with config_context(enable_metadata_routing=True):
        scorer = make_series_scorer("r2", **IDS)
        assert scorer.set_score_request(sample_weight="importance") is scorer
        again = pickle.loads(pickle.dumps(scorer))
        for one in (scorer, again, clone(scorer, safe=False)):
            requests = get_routing_for_object(one)
            assert requests.score.requests == {"sample_weight": "importance"}
        unset = make_series_scorer("r2", **IDS)
        assert get_routing_for_object(unset).score.requests == {"sample_weight": None}
        unweighted = make_series_scorer("neg_max_error", **IDS)
        assert get_routing_for_object(unweighted).score.requests == {}
        with pytest.raises(ValueError, match="'neg_max_error' takes no sample_weight"):
            unweighted.set_score_request(sample_weight=True)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            cross_validate(
                Ridge().set_fit_request(sample_weight=True),
                PANEL,
                PANEL["p"],
                scoring=unset,
                params={"sample_weight": np.ones(len(PANEL))},
            )
    with pytest.raises(RuntimeError, match="enable_metadata_routing"):
        scorer.set_score_request(sample_weight=True)


def test_bad_input_of_scorers():
    scorer = make_series_scorer("neg_mean_absolute_error", **IDS)
    with pytest.raises(ValueError, match=r"y_true has shape \(80, 2\), y_pred has shape"):
        scorer(Noisy(), PANEL, np.zeros((80, 2)))
    with pytest.raises(ValueError, match="inconsistent numbers"):
        scorer(DummyRegressor().fit(PANEL[:5], [1.0] * 5), PANEL, [1.0])
    with pytest.raises(ValueError, match="An earlier step may have dropped it"):
        scorer(Noisy(), PANEL[["p"]], PANEL["p"])


def test_windows_are_scored_by_the_series_that_they_carry():
    windows = WindowTransformer(3, **IDS).fit_transform(PANEL)
    y = PANEL["p"].to_numpy()
    model = DummyRegressor(strategy="constant", constant=20.0).fit(windows, y)
    expected = make_series_scorer("r2", **IDS)(model, PANEL, y)
    assert make_series_scorer("r2")(model, windows, y) == pytest.approx(expected)


# -------------------------------------------------------- as the metric of a grid search
HORIZON = 2


def pipeline():
    return make_pipeline(
        PerSeriesScaler(columns=["p"], **IDS),
        WindowTransformer(3, **IDS),
        MultiSeriesLSTMRegressor(
            4,
            epochs=2,
            batch_size=16,
            learning_rate=0.05,
            embargo=HORIZON,
            random_state=0,
        ),
    )


def test_grid_search_equals_a_rolling_evaluation_by_hand():
    y = make_targets(PANEL, HORIZON, ["p"], **IDS)
    candidates = [(3, 4), (5, 2)]
    model = PerSeriesTargetRegressor(pipeline(), target="p", **IDS)
    names = (
        "regressor__windowtransformer__window_length",
        "regressor__multiserieslstmregressor__hidden_units",
    )
    search = GridSearchCV(
        model,
        [{name: [value] for name, value in zip(names, pair, strict=True)} for pair in candidates],
        cv=PerSeriesTimeSplit(2, test_size=3, **IDS),
        scoring=make_series_scorer("neg_mean_absolute_error", **IDS),
        error_score="raise",
        refit=False,
    ).fit(PANEL, y)
    scores = []
    for pair in candidates:
        pipe = clone(model).set_params(**dict(zip(names, pair, strict=True)))
        errors = []
        for n_left in (6, 3):
            # The rows before the cut, in the order of X, and the three rows after it.
            series = [rows.sort_values("cycle") for _, rows in PANEL.groupby("unit")]
            train = pd.concat([rows[:-n_left] for rows in series]).sort_index()
            pipe.fit(train, y.loc[train.index])
            for rows in series:
                upto = rows[: len(rows) - n_left + 3]
                # Here the history is passed with the test rows; in a search, `fit` keeps it.
                error = y.loc[upto.index] - pipe.predict(upto)
                errors.append(error.iloc[-3:].abs().mean().mean())
        scores.append(-np.mean(errors))
    assert_allclose(search.cv_results_["mean_test_score"], scores, atol=1e-6)
    assert_allclose(search.best_score_, max(scores), atol=1e-6)
    best = tuple(search.best_params_[name] for name in names)
    assert best == candidates[int(np.argmax(scores))]


def test_arguments_that_a_metric_needs():
    for metric, name in ((mase, "scale"), (pinball_loss, "quantiles")):
        with pytest.raises(ValueError, match=rf"needs the arguments .*'{name}'.*partial\("):
            make_series_scorer(metric)


@pytest.mark.parametrize(
    "metric",
    [
        partial(mase, scale=np.ones(len(PANEL))),
        partial(partial(mase, scale=1.0), scale=[1.0] * len(PANEL)),
        partial(smape, sample_weight=np.ones(len(PANEL))),
        partial(mean_absolute_error, sample_weight=np.ones(len(PANEL))),
        partial(coverage, upper=np.ones(len(PANEL))),
    ],
)
def test_values_per_row_cannot_be_part_of_the_metric(metric):
    # They would be those of other rows: a scorer sorts the rows, and receives those of a fold.
    with pytest.raises(ValueError, match=r"=\.\.\.\) holds one \w+ per row.* by id"):
        make_series_scorer(metric, greater_is_better=True, **IDS)
    # A function of one's own may have other uses for these names.
    make_series_scorer(partial(max, scale=[1.0]), greater_is_better=True)


def test_a_metric_that_returns_no_number():
    scorer = make_series_scorer(lambda true, _: true, greater_is_better=False, **IDS)
    with pytest.raises(TypeError, match="returned a Series, expected a number. Return the mean"):
        scorer(Noisy(), PANEL, PANEL["p"])


def test_a_search_without_targets():
    scorer, split = make_series_scorer("r2", **IDS), PerSeriesTimeSplit(2, **IDS)
    search = GridSearchCV(Noisy(), {}, scoring=scorer, cv=split, error_score="raise")
    with pytest.raises(ValueError, match=r"y is None.*make_targets.*leave scoring=None"):
        search.fit(PANEL)


def test_a_misspelt_name():
    with pytest.raises(ValueError, match=r"is not a scorer .* mean 'neg_mean_absolute_error'\?"):
        make_series_scorer("neg_mean_absolut_error")
