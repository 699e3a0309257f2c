"""The progress bar: one line over a whole fit, forecast, backtest or ensemble."""

import pickle
import re

import joblib
import numpy as np
import pytest
from helpers import lstm, make_panel
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils.parallel import delayed

from sklstm import (
    MultiSeriesForecaster,
    PanelDataset,
    PerSeriesScaler,
    SeriesEnsembleRegressor,
    WindowTransformer,
    _bar,
    backtest,
)
from sklstm._bar import Progress, ReportingParallel, follow

IDS = {"series": "unit", "time": "cycle"}
PANEL = make_panel((12, 14, 16, 18))
Y = (PANEL["p"] - PANEL["q"] / 2).to_numpy()
WINDOWS = WindowTransformer(3, **IDS).fit_transform(PANEL)


class Lines:
    """The bars that were drawn on standard error: a list of states for each."""

    def __init__(self, capsys):
        self.capsys = capsys

    def read(self):
        shown = self.capsys.readouterr()
        assert shown.out == ""
        bars = [bar.split("\r")[1:] for bar in shown.err.split("\n")]
        return [[state.strip() for state in bar] for bar in bars if bar]


@pytest.fixture
def lines(capsys):
    return Lines(capsys)


def details(state):
    """Return what stands behind the times in a state of a bar."""
    return re.search(r"\[[^,]*, (.*)\]$", state)[1]


def forecaster(**options):
    settings = {"target": "p", "window_length": 4, "n_estimators": 2, "random_state": 0}
    return MultiSeriesForecaster(2, **settings | IDS | options)


def test_silent_by_default(lines):
    lstm().fit(WINDOWS, Y).predict(WINDOWS)
    forecaster().fit(PANEL).forecast()
    SeriesEnsembleRegressor(lstm(), 2, random_state=0).fit(WINDOWS, Y)
    assert lines.read() == []


@pytest.mark.parametrize("verbose", [1, True])
def test_one_bar_over_all_epochs_with_their_losses(verbose, lines):
    net = lstm(epochs=3, verbose=verbose).fit(WINDOWS, Y)
    (states,) = lines.read()
    assert states[0].startswith("fit:   0%") and details(states[0]) == "0/3 epochs"
    assert states[-1].startswith("fit: 100%")
    assert details(states[-1]) == f"3/3 epochs, loss={net.history_['loss'][-1]:.3g}"


def test_early_stopping_is_an_upper_bound_and_fills_the_bar(lines):
    options = {"early_stopping": True, "n_iter_no_change": 1, "learning_rate": 0.5}
    net = lstm(epochs=50, verbose=1, **options).fit(WINDOWS, Y)
    assert net.n_iter_ < 50
    (states,) = lines.read()
    assert all("at most, " in state for state in states[1:-1])
    losses = ", ".join(f"{name}={net.history_[name][-1]:.3g}" for name in ("loss", "val_loss"))
    assert states[-1].startswith("fit: 100%") and "at most" not in states[-1]
    assert details(states[-1]) == f"stopped after {net.n_iter_} of 50 epochs, {losses}"


@pytest.mark.slow
def test_networks_that_calibrate_are_in_the_same_bar(lines):
    lstm(quantiles=(0.4, 0.6), calibration="time", verbose=1).fit(WINDOWS, Y)
    (states,) = lines.read()
    assert details(states[-1]).startswith("2/2 networks, loss=")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_fit_that_fails_ends_its_bar_where_it_was(error, lines):
    class Fails:
        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            if context.task_name == "epoch" and context.task_id == 1:
                raise error

        setup = teardown = on_fit_task_begin

    pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")
    net = lstm(epochs=4, verbose=1).set_callbacks(Fails())
    with pytest.raises(error):
        net.fit(WINDOWS, Y)
    (states,) = lines.read()
    assert states[-1].startswith("fit:  50%") and "2/4 epochs" in states[-1]
    # The next fit has a bar of its own.
    net.set_callbacks().fit(WINDOWS, Y)
    (states,) = lines.read()
    assert "4/4 epochs" in states[-1]


def test_a_resumed_fit_starts_at_its_last_epoch(lines, tmp_path):
    net = lstm(epochs=3, verbose=1, random_state=0, checkpoint=tmp_path)
    net.fit(WINDOWS, Y)
    lines.read()
    net.fit(WINDOWS, Y)  # all epochs are in the checkpoint
    (states,) = lines.read()
    assert details(states[-1]).startswith("3/3 epochs")


# -------------------------------------------------------------------- several networks
@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_one_bar_over_the_members_of_an_ensemble(n_jobs, lines):
    pipe = make_pipeline(PerSeriesScaler(**IDS), WindowTransformer(3, **IDS), lstm(verbose=1))
    ensemble = SeriesEnsembleRegressor(pipe, 3, verbose=1, n_jobs=n_jobs, random_state=0, **IDS)
    ensemble.fit(PANEL, Y)
    (states,) = lines.read()
    assert details(states[0]) == "0/3 members"
    assert details(states[-1]).startswith("3/3 members, loss=")


def test_one_bar_over_fit_and_one_over_forecast(lines):
    model = forecaster(verbose=1).fit(PANEL)
    model.forecast()
    model.predict(PANEL)
    fit, forecast, predict = lines.read()
    assert details(fit[-1]).startswith("2/2 networks, loss=")
    assert details(forecast[-1]) == "4/4 forecasts" and forecast[-1].startswith("forecast: 100%")
    assert details(predict[-1]) == f"{len(PANEL)}/{len(PANEL)} forecasts"


@pytest.mark.parametrize(
    ("options", "last"),
    [({}, "2/2 origins"), ({"refit": False}, "3/3 steps"), ({"n_jobs": 2}, "2/2 origins")],
    ids=str,
)
@pytest.mark.parametrize("by", ["backtest", "forecaster"])
def test_one_bar_over_a_backtest(by, options, last, lines):
    model = forecaster(regressor=Ridge(), verbose=int(by == "forecaster"))
    with joblib.parallel_config("threading"):
        backtest(model, PANEL, n_origins=2, verbose=int(by == "backtest"), **options)
    (states,) = lines.read()
    assert states[-1].startswith("backtest: 100%") and details(states[-1]) == last


def test_blocks_of_a_stored_panel(lines, tmp_path):
    panel = PanelDataset(PANEL.assign(y=Y), series="unit", block_rows=30)
    pipe = make_pipeline(WindowTransformer(3, **IDS), lstm(verbose=1))
    pipe.fit(panel.drop("y"), panel["y"]).predict(panel.drop("y"))
    fit, predict = lines.read()
    assert "2/2 epochs" in fit[-1]
    assert details(predict[-1]) == f"{panel.n_blocks}/{panel.n_blocks} blocks"
    PanelDataset.repartition(PANEL, tmp_path, series="unit", verbose=1)
    ((*_, last),) = lines.read()
    assert details(last) == "2/2 readings"


# ------------------------------------------------------------------------ the counting
def test_a_step_is_filled_by_the_tasks_inside_it(lines):
    with follow(2, "member", title="fit", show=True) as whole:
        with whole.step():
            with follow(4, "epoch", title="inner", show=True) as inner:
                with inner.step():
                    pass
                assert (whole.done, whole.text()) == (0.25, "0/2 members")
                assert inner.text() == "0/2 members, 1/4 epochs"
            assert (whole.done, whole.n_done) == (1, 0)
        assert (whole.done, whole.n_done) == (1, 1)
    assert len(lines.read()) == 1


def test_a_task_inside_a_silent_one_has_its_own_bar(lines):
    with follow(1, "member", title="outer", show=False) as whole, whole.step():
        with follow(1, "epoch", title="inner", show=True) as inner, inner.step():
            pass
    (states,) = lines.read()
    assert states[-1].startswith("inner: 100%") and details(states[-1]) == "1/1 epoch"


def test_speed_is_measured_without_the_first_step_and_resumed_ones(lines, monkeypatch):
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    clock = Clock()
    import tqdm.std

    monkeypatch.setattr(tqdm.std, "time", clock)
    monkeypatch.setattr(_bar, "time", clock)
    with follow(10, "epoch", title="fit", show=True) as progress:
        progress.skip(4)
        for seconds in (100, 2, 2):  # the first step compiles
            clock.now += seconds
            with progress.step():
                pass
    (states,) = lines.read()
    assert "[01:44<00:06, 7/10 epochs]" in states[-2]


def _square(progress, number):
    with progress.step(), follow(1, "epoch", title="inner", show=True) as inner, inner.step():
        return number**2


@pytest.mark.slow
def test_processes_draw_nothing_and_their_steps_are_counted(capfd):
    with follow(4, "origin", title="run", show=True) as progress:
        jobs = (delayed(_square)(progress, number) for number in range(4))
        assert ReportingParallel(progress, n_jobs=2)(jobs) == [0, 1, 4, 9]
        assert (progress.n_done, progress.done) == (4, 4)
    shown = capfd.readouterr().err
    assert "run: 100%" in shown and "inner" not in shown


def test_progress_is_sent_to_other_processes_without_its_bar():
    with follow(4, "origin", title="run", show=True) as progress:
        twin = pickle.loads(pickle.dumps(progress.part(2, "epoch")))
        assert isinstance(twin, Progress) and not twin.is_shown
        with twin.step():
            pass
        assert progress.done == 0 and twin.done == 0.5


def test_rounding_never_overfills_the_bar(lines):
    with follow(3, "fold", title="fit", show=True) as progress:
        for _ in range(3):
            with progress.step(), follow(49, "epoch", title="", show=False) as inner:
                for _ in range(49):
                    with inner.step():
                        pass
    assert np.isclose(progress.done, 3)
    ((*_, last),) = lines.read()
    assert last.startswith("fit: 100%") and details(last) == "3/3 folds"
