"""Tests of splits in time, scores by series and rolling origins, against plain loops."""

import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from helpers import panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.dummy import DummyRegressor
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
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_validate
from sklearn.pipeline import make_pipeline

from sklstm import (
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    PerSeriesTimeSplit,
    WindowTransformer,
    backtest,
    make_series_scorer,
    make_targets,
    stack_series,
)
from sklstm.metrics import coverage, mase, prognostic_score, seasonal_scale, smape

IDS = {"series": "unit", "time": "cycle"}


def make_panel(lengths=(14, 18, 22, 26), seed=0):
    """Make a panel of unequal series at levels of their own, its rows in no order."""
    rng = np.random.default_rng(seed)
    parts = [
        pd.DataFrame({"unit": unit, "cycle": 10 * unit + np.arange(length)})
        for unit, length in enumerate(lengths, start=1)
    ]
    panel = pd.concat(parts, ignore_index=True)
    panel["p"] = rng.normal(size=len(panel)).cumsum() + 10 * panel["unit"]
    return panel.iloc[rng.permutation(len(panel))].reset_index(drop=True)


PANEL = make_panel()


def folds_of(splitter, X):
    """Return the folds, whether or not series are too short for some."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* too short for all")
        return list(splitter.split(X))


# ------------------------------------------------------------------------ splits in time
@pytest.mark.parametrize(("n_splits", "test_size"), [(3, None), (2, 4), (1, 1), (5, None)])
@pytest.mark.parametrize("form", ["columns", "index", "array"])
def test_each_series_is_split_as_scikit_learn_splits_it_alone(n_splits, test_size, form):
    X, ids = PANEL, IDS
    if form == "index":
        X = PANEL.set_index(["unit", "cycle"])
    if form == "array":
        X, ids = PANEL.to_numpy(), {"series": 0, "time": 1}
    splitter = PerSeriesTimeSplit(n_splits, test_size=test_size, **ids)
    folds = list(splitter.split(X, PANEL["p"]))
    assert len(folds) == splitter.get_n_splits(X) == n_splits
    for unit in PANEL["unit"].unique():
        rows = PANEL.index[PANEL["unit"] == unit].to_numpy()
        rows = rows[np.argsort(PANEL["cycle"].to_numpy()[rows])]
        if n_splits > 1:
            alone = TimeSeriesSplit(n_splits, test_size=test_size).split(rows)
        else:
            alone = [(np.arange(len(rows) - test_size), np.arange(len(rows))[-test_size:])]
        for fold, expected in zip(folds, alone, strict=True):
            for got, wanted in zip(fold, expected, strict=True):
                assert_array_equal(np.intersect1d(got, rows), np.sort(rows[wanted]))
                assert (np.diff(got) > 0).all()


@settings(deadline=None)
@given(panels(), st.integers(1, 4), st.sampled_from([None, 1, 2, 3]))
def test_training_rows_are_all_the_past_of_the_test_rows(panel, n_splits, test_size):
    splitter = PerSeriesTimeSplit(n_splits, test_size=test_size, **IDS)
    longest = panel.groupby("unit").size().max()
    if longest <= n_splits * (test_size or 1):
        with pytest.raises(ValueError, match="No series is long enough for the first fold"):
            splitter.split(panel)
        return
    folds = folds_of(splitter, panel)
    assert len(folds) == n_splits
    tested = np.zeros(len(panel), int)
    for train, test in folds:
        assert len(np.intersect1d(train, test)) == 0
        assert len(train) and len(test)
        tested[test] += 1
        for _, rows in panel.reset_index(drop=True).groupby("unit"):
            in_time = rows.sort_values("cycle").index.to_numpy()
            past, next_rows = (in_time[np.isin(in_time, part)] for part in (train, test))
            # The past from the first row on, and right after it the test rows, or neither.
            assert_array_equal(np.r_[past, next_rows], in_time[: len(past) + len(next_rows)])
            assert (len(past) > 0) == (len(next_rows) > 0)
            if len(past):
                size = test_size or max(1, len(rows) // (n_splits + 1))
                assert len(next_rows) == size
    assert tested.max() == 1
    # Each series that has any past is tested on its last rows.
    last = panel.reset_index(drop=True).sort_values("cycle").groupby("unit").tail(1)
    sizes = panel.groupby("unit").size()
    assert_array_equal(tested[last.index] == 1, (sizes > (test_size or 1)).loc[last["unit"]])


@settings(deadline=None)
@given(panels(), st.integers(1, 3), st.integers(1, 4), st.booleans())
def test_test_rows_keep_their_windows(panel, n_splits, window_length, with_gap):
    sizes = panel.groupby("unit").size()
    if sizes.max() <= n_splits:
        return
    # The first test row may be farther from the past than any step in it: allow for that.
    transformer = WindowTransformer(
        window_length, max_gap=3 if with_gap else 100, padding="zero", output="3d", **IDS
    )
    whole = transformer.fit_transform(panel)
    for train, test in folds_of(PerSeriesTimeSplit(n_splits, **IDS), panel):
        fitted = clone(transformer).fit(panel.iloc[train])
        assert_array_equal(fitted.transform(panel.iloc[test]), whole[test])


def test_windows_are_split_as_the_panel_they_come_from():
    windows = WindowTransformer(3, **IDS).fit_transform(PANEL)
    from_panel = list(PerSeriesTimeSplit(3, **IDS).split(PANEL))
    for fold, expected in zip(PerSeriesTimeSplit(3).split(windows), from_panel, strict=True):
        assert_array_equal(np.concatenate(fold), np.concatenate(expected))
    # A part of the windows still knows the ids of all.
    part = windows[(PANEL["unit"] == 1).to_numpy()]
    (_, test), *_ = PerSeriesTimeSplit(1).split(part)
    assert len(test) == 7
    with pytest.raises(ValueError, match="Windows, which know their series"):
        PerSeriesTimeSplit(3, series="unit").split(windows)


def test_without_ids_it_is_scikit_learns_split():
    for X in (np.zeros((20, 1)), ["text"] * 20, pd.DataFrame({"word": ["text"] * 20})):
        for fold, expected in zip(
            PerSeriesTimeSplit(4).split(X), TimeSeriesSplit(4).split(X), strict=True
        ):
            assert_array_equal(fold[0], expected[0])
            assert_array_equal(fold[1], expected[1])


def test_features_need_not_be_numbers():
    X = PANEL.assign(place="here")
    train, _ = next(PerSeriesTimeSplit(2, **IDS).split(X))
    assert_array_equal(train, next(PerSeriesTimeSplit(2, **IDS).split(PANEL))[0])
    assert len(list(PerSeriesTimeSplit(2, **IDS).split(PANEL[["unit", "cycle"]]))) == 2


def test_short_series_are_counted():
    panel = make_panel((1, 3, 12))
    with pytest.warns(UserWarning, match=r"2 of 3 series \(.*\) are too short .* 1 of them") as w:
        folds = list(PerSeriesTimeSplit(5, **IDS).split(panel))
    assert w[0].filename == __file__
    units = [panel["unit"].to_numpy()[test].tolist() for _, test in folds]
    assert [sorted(unit) for unit in units] == [[3, 3]] * 3 + [[2, 3, 3]] * 2
    with pytest.raises(ValueError, match="each needs 13 rows. Lower n_splits or test_size"):
        PerSeriesTimeSplit(3, test_size=4, **IDS).split(panel)
    assert len(folds_of(PerSeriesTimeSplit(3, test_size=4, **IDS), make_panel((1, 13)))) == 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_splits": 0}, "'n_splits' parameter of PerSeriesTimeSplit"),
        ({"n_splits": 2.5}, "'n_splits' parameter of PerSeriesTimeSplit"),
        ({"test_size": 0}, "'test_size' parameter of PerSeriesTimeSplit"),
        ({"series": "shop"}, "series='shop' is neither a column nor an index level"),
        ({"series": "unit", "time": "unit"}, "name the same column"),
        ({"series": "p", "time": "unit"}, None),
        ({"time": "unit"}, r"repeat a \(series, time\) pair"),
    ],
)
def test_bad_splits(parameters, message):
    splitter = PerSeriesTimeSplit(**parameters)
    if message is None:  # every row its own series
        message = "No series is long enough"
    with pytest.raises(ValueError, match=message):
        splitter.split(PANEL)


def test_splitter_habits():
    splitter = PerSeriesTimeSplit(3, series="unit")
    assert repr(splitter) == (
        "PerSeriesTimeSplit(n_splits=3, series='unit', test_size=None, time=None)"
    )
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        splitter.split(PANEL, [1.0])
    with pytest.raises(ValueError, match="X has no rows"):
        splitter.split(PANEL[:0])
    with pytest.raises(ValueError, match="'n_splits' parameter"):
        PerSeriesTimeSplit(-1).get_n_splits()
    with pytest.warns(UserWarning, match="ignores groups"):
        splitter.split(PANEL, groups=PANEL["unit"])


# --------------------------------------------------------------------- the whole pipeline
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


def test_grid_search_scores_as_a_rolling_evaluation_by_hand():
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
            # Each series' rows before the cut, in the order of X, and the three after it.
            series = [rows.sort_values("cycle") for _, rows in PANEL.groupby("unit")]
            train = pd.concat([rows[:-n_left] for rows in series]).sort_index()
            pipe.fit(train, y.loc[train.index])
            for rows in series:
                upto = rows[: len(rows) - n_left + 3]
                # The history stands beside the test rows here; a search leaves it to `fit`.
                error = y.loc[upto.index] - pipe.predict(upto)
                errors.append(error.iloc[-3:].abs().mean().mean())
        scores.append(-np.mean(errors))
    assert_allclose(search.cv_results_["mean_test_score"], scores, atol=1e-6)
    assert_allclose(search.best_score_, max(scores), atol=1e-6)
    best = tuple(search.best_params_[name] for name in names)
    assert best == candidates[int(np.argmax(scores))]


# ---------------------------------------------------------------------- scores by series
class Noisy(RegressorMixin, BaseEstimator):
    """Predict from the feature alone, one or several outputs."""

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
    """Score the series one by one: the mean over outputs of the known elements' score."""
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


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_every_series_counts_the_same(metric, n_outputs, missing):
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


def test_micro_is_scikit_learns_score_of_the_known_rows():
    y = targets(1, 0.3)
    known = ~np.isnan(y)
    for name in ("r2", "neg_mean_absolute_error", "neg_median_absolute_error"):
        score = make_series_scorer(name, average="micro", **IDS)(Noisy(), PANEL, y)
        assert score == pytest.approx(get_scorer(name)(Noisy(), PANEL[known], y[known]))


def test_several_outputs_are_scored_as_scikit_learn_does():
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
        with pytest.raises(ValueError, match="missing values only"):
            make_series_scorer("neg_mean_absolute_error", **IDS)(Noisy(), panel, y)
        return
    for metric in ("neg_mean_absolute_error", median_absolute_error):
        score = make_series_scorer(metric, **IDS)
        expected = score(Noisy(), panel, y)
        assert score(Noisy(), panel.iloc[order], y.iloc[order]) == pytest.approx(expected)
        # One row a series, doubled: each series still counts once.
        twice = pd.concat([panel, panel.assign(cycle=panel["cycle"] + 1000)])
        assert score(Noisy(), twice, pd.concat([y, y])) == pytest.approx(expected)


def test_metrics_get_rows_in_time_order_and_the_ids():
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
    # Positions have no name: the ids are called "series" then.
    scale = scale.rename_axis("series")
    scorer = make_series_scorer(partial(mase, scale=scale), series=0, time=1)
    assert scorer(Noisy(), X.to_numpy(), y) == pytest.approx(-errors.mean())


def test_which_metrics_are_losses_is_known_or_must_be_said():
    def own(y_true, y_pred):
        return 1.0

    for loss in (own, partial(own)):
        with pytest.raises(ValueError, match="own.* a score or a loss. Say greater_is_better"):
            make_series_scorer(loss)
    for function, sign in ((smape, -1), (partial(partial(mase), scale=1.0), -1), (r2_score, 1)):
        score = make_series_scorer(function, **IDS)(Noisy(), PANEL, Noisy().predict(PANEL) + 0.1)
        assert np.sign(score) == sign
    with pytest.raises(ValueError, match="knows its sign"):
        make_series_scorer("r2", greater_is_better=True)
    with pytest.raises(ValueError, match="needs more than predictions"):
        make_series_scorer("roc_auc")
    with pytest.raises(ValueError, match="not a valid scoring value"):
        make_series_scorer("mae")
    for bad in ({"metric": 3}, {"metric": "r2", "average": "mean"}):
        with pytest.raises(ValueError, match="parameter of make_series_scorer"):
            make_series_scorer(**bad)


def test_every_scorer_called_mean_is_a_weighted_mean():
    # They are scored in one call, with weights: none may be anything else.
    y, model = targets(1, 0.3), Noisy()
    names = [name for name in get_scorer_names() if name.startswith("neg_mean_")]
    assert len(names) >= 6
    for name in names:
        by_series = make_series_scorer(name, average=None, **IDS)(model, PANEL, y)
        score = make_series_scorer(name, **IDS)(model, PANEL, y)
        assert score == pytest.approx(by_series.mean())


def test_several_outputs_may_have_weights():
    weighted = partial(mean_absolute_error, multioutput=[0.2, 0.3, 0.5])
    y, model = targets(3), Noisy(3)
    errors = np.abs(y - model.predict(PANEL)) @ [0.2, 0.3, 0.5]
    expected = pd.Series(errors).groupby(PANEL["unit"]).mean().mean()
    assert make_series_scorer(weighted, **IDS)(model, PANEL, y) == pytest.approx(-expected)


@pytest.mark.parametrize("metric", ["neg_mean_absolute_error", partial(mase, scale=1.0), r2_score])
def test_scorers_are_copied_and_go_to_other_processes(metric):
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


def test_bad_scores():
    scorer = make_series_scorer("neg_mean_absolute_error", **IDS)
    with pytest.raises(ValueError, match=r"y_true has shape \(80, 2\), y_pred has shape"):
        scorer(Noisy(), PANEL, np.zeros((80, 2)))
    with pytest.raises(ValueError, match="inconsistent numbers"):
        scorer(DummyRegressor().fit(PANEL[:5], [1.0] * 5), PANEL, [1.0])
    with pytest.raises(ValueError, match="An earlier step may have dropped it"):
        scorer(Noisy(), PANEL[["p"]], PANEL["p"])


def test_windows_are_scored_by_their_own_series():
    windows = WindowTransformer(3, **IDS).fit_transform(PANEL)
    y = PANEL["p"].to_numpy()
    model = DummyRegressor(strategy="constant", constant=20.0).fit(windows, y)
    expected = make_series_scorer("r2", **IDS)(model, PANEL, y)
    assert make_series_scorer("r2")(model, windows, y) == pytest.approx(expected)


# ----------------------------------------------------------------------- rolling origins
class SeasonalNaive(BaseEstimator):
    """Repeat the last season; a small stand-in with the interface of the forecaster.

    The level that `fit` learns (a mean over all series) goes into the forecast too, so that
    it matters on which rows it was fitted.
    """

    def __init__(
        self,
        horizon,
        *,
        target=None,
        season_length=None,
        known_future=(),
        quantiles=None,
        series=None,
        time=None,
    ):
        self.horizon = horizon
        self.target = target
        self.season_length = season_length
        self.known_future = known_future
        self.quantiles = quantiles
        self.series = series
        self.time = time

    def fit(self, panel):
        self.level_ = self._flat(panel)[self._targets(panel)].mean()
        self.panel_ = panel
        return self

    def forecast(self, panel=None, future=None):
        flat = self._flat(self.panel_ if panel is None else panel)
        series, time = self.series or "series", self.time or "time"
        steps = np.arange(1, self.horizon + 1)
        targets = self._targets(self.panel_)
        parts = []
        for name, rows in flat.groupby(series, sort=False):
            rows = rows.sort_values(time)
            for target in targets:
                last = rows[target].to_numpy()[-(self.season_length or 1) :]
                part = pd.DataFrame({series: name, "step": steps})
                part[time] = rows[time].iloc[-1] + steps
                if len(targets) > 1:
                    part["target"] = target
                part["prediction"] = np.resize(last, self.horizon) + 0.01 * self.level_[target]
                if future is not None:
                    known = self._flat(future)
                    known = known[known[series] == name].sort_values(time)
                    assert set(known.columns) == {series, time, *self.known_future}
                    part["prediction"] += known[list(self.known_future)].sum(axis=1).to_numpy()
                for q in self.quantiles or ():
                    part[f"q{q:g}"] = part["prediction"] + 10 * (q - 0.5)
                parts.append(part)
        # In an order of its own.
        return pd.concat(parts, ignore_index=True).sort_values("prediction")

    def _flat(self, panel):
        named = [name for name in panel.index.names if name is not None]
        flat = panel.reset_index() if named else panel
        if self.series is None:
            flat = flat.assign(series=0)
        if self.time is None:
            flat = flat.assign(time=flat.groupby(self.series or "series").cumcount())
        return flat

    def _targets(self, panel):
        if self.target is None:
            others = (self.series, self.time, *self.known_future)
            return [name for name in panel.columns if name not in others]
        return [self.target] if isinstance(self.target, str) else list(self.target)


def rolling_loop(panel, horizon, n_origins, step, m=1, refit=True, promo=None):
    """Evaluate the seasonal naive forecast of p the slow way."""
    rows, level = [], None
    for origin in range(n_origins):
        n_left = horizon + step * (n_origins - 1 - origin)
        series = dict(list(panel.sort_values("cycle").groupby("unit")))
        units = [unit for unit in panel["unit"].unique() if len(series[unit]) > n_left]
        series = {unit: series[unit] for unit in units}
        past = {unit: part[: len(part) - n_left] for unit, part in series.items()}
        if refit or level is None:
            level = pd.concat(past.values())["p"].mean()
        for unit, part in series.items():
            history = past[unit]["p"].to_numpy()
            scale = np.nanmean(np.abs(history[m:] - history[:-m])) if len(history) > m else np.nan
            for s in range(1, horizon + 1):
                cycle = past[unit]["cycle"].iloc[-1] + s
                true = part.loc[part["cycle"] == cycle, "p"]
                predicted = history[-m:][(s - 1) % len(history[-m:])] + 0.01 * level
                if promo:
                    predicted += part.loc[part["cycle"] == cycle, promo].item()
                true = true.item() if len(true) else np.nan
                rows.append(
                    {
                        "unit": unit,
                        "origin": origin,
                        "cutoff": past[unit]["cycle"].iloc[-1],
                        "cycle": cycle,
                        "step": s,
                        "y_true": true,
                        "prediction": predicted,
                        "absolute_error": abs(true - predicted),
                        "scaled_error": abs(true - predicted) / scale,
                    }
                )
    return pd.DataFrame(rows)


def assert_same_table(got, expected):
    pd.testing.assert_frame_equal(got, expected, check_dtype=False)


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize(("n_origins", "step", "m"), [(3, None, 1), (2, 1, 3), (1, 5, 2)])
@pytest.mark.parametrize("form", ["columns", "index"])
def test_backtest_is_a_rolling_loop(refit, n_origins, step, m, form):
    panel = PANEL if form == "columns" else PANEL.set_index(["unit", "cycle"])
    forecaster = SeasonalNaive(4, season_length=m, **IDS)
    result = backtest(forecaster, panel, n_origins, step, refit=refit)
    assert_same_table(result, rolling_loop(PANEL, 4, n_origins, step or 4, m, refit))
    assert not hasattr(forecaster, "level_")
    parallel = backtest(forecaster, panel, n_origins, step, refit=refit, n_jobs=2)
    pd.testing.assert_frame_equal(parallel, result)


@settings(deadline=None)
@given(panels(("p",)), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.booleans())
def test_backtest_of_any_panel(panel, n_origins, horizon, step, refit):
    forecaster = SeasonalNaive(horizon, **IDS)
    n_needed = horizon + step * (n_origins - 1) + 1
    sizes = panel.groupby("unit").size()
    if sizes.max() < n_needed:
        with pytest.raises(ValueError, match=f"each needs {n_needed} rows. Lower n_origins, step"):
            backtest(forecaster, panel, n_origins, step)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = backtest(forecaster, panel, n_origins, step, refit=refit)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        expected = rolling_loop(panel, horizon, n_origins, step, refit=refit)
    assert_same_table(result, expected)
    n_short = int((sizes < n_needed).sum())
    assert [str(w.message).split(" are too")[0].split(" (")[0] for w in caught] == (
        [f"{n_short} of {len(sizes)} series"] if n_short else []
    )
    assert all(w.filename == __file__ for w in caught)


@pytest.mark.parametrize("refit", [True, False])
def test_later_rows_do_not_change_earlier_forecasts(refit):
    forecaster = SeasonalNaive(3, season_length=2, **IDS)
    before = backtest(forecaster, PANEL, 3, refit=refit)
    for origin in range(3):
        cutoff = before[before["origin"] == origin].groupby("unit")["cutoff"].first()
        later = PANEL["cycle"] > PANEL["unit"].map(cutoff)
        changed = PANEL.assign(p=PANEL["p"].mask(later, 1e6))
        after = backtest(forecaster, changed, 3, refit=refit)
        names = ["unit", "origin", "cutoff", "cycle", "step", "prediction"]
        known = before["origin"] <= origin
        pd.testing.assert_frame_equal(after.loc[known, names], before.loc[known, names])
        if origin < 2:
            assert (after.loc[~known, "prediction"] != before.loc[~known, "prediction"]).all()


def test_several_targets_quantiles_and_what_is_known_of_the_future():
    panel = PANEL.assign(
        q=PANEL["p"] * 2, promo=np.arange(len(PANEL)) % 5.0, price=PANEL["cycle"] / 7
    )
    known = ("price", "promo")
    forecaster = SeasonalNaive(
        3, target=["q", "p"], known_future=known, quantiles=(0.1, 0.9), **IDS
    )
    result = backtest(forecaster, panel, 2)
    assert result.columns.tolist() == (
        ["unit", "origin", "cutoff", "cycle", "step", "target", "y_true", "prediction"]
        + ["q0.1", "q0.9", "absolute_error", "scaled_error"]
    )
    assert result["target"].tolist() == ["q", "p"] * (len(result) // 2)
    panel["both"] = panel["promo"] + panel["price"]
    expected = rolling_loop(panel, 3, 2, 3, promo="both")
    for target, factor in (("p", 1), ("q", 2)):
        own = result[result["target"] == target].reset_index(drop=True)
        if target == "p":
            assert_same_table(own[expected.columns], expected)
        assert_allclose(own["y_true"], factor * expected["y_true"])
        scale = own["absolute_error"] / own["scaled_error"]
        assert_allclose(scale, factor * expected["absolute_error"] / expected["scaled_error"])
    assert_allclose(result["q0.9"] - result["q0.1"], 8)
    share = (result["y_true"] - result["prediction"]).abs().le(4).mean()
    assert coverage(result["y_true"], result["q0.1"], result["q0.9"]) == pytest.approx(share)
    # By default, all columns but those known beforehand.
    every = SeasonalNaive(3, known_future=known, **IDS)
    assert backtest(every, panel, 1)["target"].unique().tolist() == ["p", "q", "both"]
    with pytest.raises(ValueError, match="No column is left to forecast"):
        backtest(SeasonalNaive(3, known_future=["p"], **IDS), PANEL)
    with pytest.raises(ValueError, match=r"\['p'\] are both target and known_future"):
        backtest(SeasonalNaive(3, target="p", known_future=["p"], **IDS), panel)


def test_errors_by_group_are_the_published_ones():
    result = backtest(SeasonalNaive(4, season_length=2, **IDS), PANEL, 1)
    train = PANEL[PANEL["cycle"] <= PANEL["unit"].map(result.groupby("unit")["cutoff"].first())]
    scale = seasonal_scale(train, 2, "p", **IDS)
    for step, rows in result.groupby("step"):
        true = rows.set_index("unit")["y_true"]
        expected = mase(true, rows["prediction"], scale=scale)
        assert rows["scaled_error"].mean() == pytest.approx(expected), step


def test_missing_true_values_do_not_count():
    hidden = PANEL["cycle"] == 10 + 12  # second but last of unit 1
    panel = PANEL.assign(p=PANEL["p"].mask(hidden))
    result = backtest(SeasonalNaive(4, **IDS), panel, 1)
    assert result["y_true"].isna().sum() == 1
    errors = ["absolute_error", "scaled_error"]
    assert result.loc[result["y_true"].isna(), errors].isna().all(axis=None)
    assert result["prediction"].notna().all()
    # A constant past has no scale.
    result = backtest(SeasonalNaive(4, **IDS), PANEL.assign(p=1.0), 1)
    assert result["scaled_error"].isna().all() and result["absolute_error"].notna().all()


def test_dates_categories_and_no_ids():
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(PANEL["cycle"], unit="D")
    panel = PANEL.assign(cycle=days, unit=PANEL["unit"].map(str).astype("category"))
    result = backtest(SeasonalNaiveDays(3, **IDS), panel, 2)
    expected = backtest(SeasonalNaive(3, **IDS), PANEL, 2)
    assert_array_equal(
        result["cycle"],
        days.iloc[0] + pd.to_timedelta(expected["cycle"] - PANEL["cycle"].iloc[0], unit="D"),
    )
    assert_array_equal(result["unit"], expected["unit"].map(str))
    assert_allclose(result["scaled_error"], expected["scaled_error"])
    # One series without ids; its rows count the time.
    one = PANEL[PANEL["unit"] == 3].sort_values("cycle")[["p"]]
    result = backtest(SeasonalNaive(3), one, 2)
    assert result.columns[:5].tolist() == ["series", "origin", "cutoff", "time", "step"]
    assert result["time"].tolist() == list(range(16, 22))
    assert result["cutoff"].tolist() == [15] * 3 + [18] * 3
    assert_allclose(result["y_true"], one["p"].iloc[16:])


class SeasonalNaiveDays(SeasonalNaive):
    """The same, of a panel in days."""

    def forecast(self, panel=None, future=None):
        forecast = super().forecast(
            panel.assign(
                cycle=(panel["cycle"] - pd.Timestamp(0)).dt.days, unit=panel["unit"].map(str)
            )
        )
        cycle = pd.Timestamp(0) + pd.to_timedelta(forecast["cycle"], unit="D")
        return forecast.astype({"unit": panel["unit"].dtype}).assign(cycle=cycle)


class NumbersDays(SeasonalNaiveDays):
    """Numbers its days."""

    def forecast(self, panel=None, future=None):
        return super().forecast(panel).assign(cycle=0)


def test_times_of_another_kind():
    panel = PANEL.assign(cycle=pd.Timestamp(0) + pd.to_timedelta(PANEL["cycle"], unit="D"))
    with pytest.raises(ValueError, match="times of the kind 'number'; the panel has 'datetime'"):
        backtest(NumbersDays(3, **IDS), panel, 1)


class Forgetful(SeasonalNaive):
    """Forgets a row of its forecast; with quantiles it returns another one twice instead."""

    def forecast(self, panel=None, future=None):
        forecast = super().forecast(panel, future)
        return pd.concat([forecast[1:], forecast[1:2]]) if self.quantiles else forecast[1:]


@pytest.mark.parametrize("quantiles", [None, (0.5,)])
def test_a_forecast_must_be_whole(quantiles):
    with pytest.raises(ValueError, match="one for each of 'unit', 'step' was expected"):
        backtest(Forgetful(3, quantiles=quantiles, **IDS), PANEL, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SeasonalNaive(3, **IDS), PANEL, 0), "'n_origins' parameter of backtest"),
        ((SeasonalNaive(3, **IDS), PANEL, 2, 0), "'step' parameter of backtest"),
        ((3, PANEL), "'forecaster' parameter of backtest"),
        ((SeasonalNaive(0, **IDS), PANEL), "horizon=0 must be a positive integer"),
        ((SeasonalNaive(3, series="shop"), PANEL), "series='shop' is neither"),
        ((SeasonalNaive(3, target="x", **IDS), PANEL), "columns names 'x', which is not in X"),
        ((SeasonalNaive(3, known_future=["x"], **IDS), PANEL), "'x', which is not in X"),
        ((SeasonalNaive(3, **IDS), PANEL[:0]), "0 sample"),
        ((SeasonalNaive(3, target="unit", **IDS), PANEL), "which is the series id"),
        ((SeasonalNaive(3, **IDS), PANEL.assign(p=np.inf)), "panel contains infinity"),
        ((SeasonalNaive(3, season_length=0.5, **IDS), PANEL), "season_length=0.5 must be"),
        (
            (
                SeasonalNaive(3, series="unit", time="step"),
                PANEL.rename(columns={"cycle": "step"}),
            ),
            "two columns of one name",
        ),
    ],
)
def test_bad_backtests(arguments, message):
    with pytest.raises(ValueError, match=message):
        backtest(*arguments)


def test_backtest_takes_a_frame():
    with pytest.raises(TypeError, match="takes a DataFrame, got ndarray"):
        backtest(SeasonalNaive(3), PANEL.to_numpy())


def test_a_panel_of_arrays():
    panel = stack_series({"a": np.arange(10.0), "b": np.arange(6.0)}, columns=["y"])
    result = backtest(SeasonalNaive(2, series="series", time="time"), panel, 2)
    assert (result["scaled_error"] > 0).all() and len(result) == 8
