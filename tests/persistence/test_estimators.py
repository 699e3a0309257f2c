"""Estimators come back from a file: the same predictions, parameters and further training."""

import os
import pickle
import re
import subprocess
import sys
import textwrap
import time
import warnings
from functools import cache

import keras
import numpy as np
import pandas as pd
import pytest
from helpers import lstm, make_panel, slow_except
from numpy.testing import assert_array_equal
from sklearn import config_context, dummy
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeRegressor

import sklstm
from sklstm import (
    MultiSeriesForecaster,
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
)
from sklstm.persistence import _objects

IDS = {"series": "unit", "time": "cycle"}
PANEL = make_panel([20, 25, 30, 22], scattered=True)
Y = PANEL["p"].to_numpy() * 2 + 1
LATER = make_panel([24, 29, 30, 26, 8], seed=1)


def with_ids(panel, kind):
    """Replace the ids and times of a panel by those of another type."""
    numbers = panel["unit"].map("abcdefghijkl".index)
    day = pd.to_timedelta(panel["cycle"], unit="D")
    ids = {
        "int": numbers * 7,
        "float": numbers / 2,
        "str": panel["unit"],
        "object": panel["unit"].astype(object),
        "category": panel["unit"].astype("category"),
        "Int64": numbers.astype("Int64"),
        "time zone": pd.Timestamp("2020", tz="Europe/Berlin") + pd.to_timedelta(numbers, unit="D"),
        "period": pd.PeriodIndex.from_ordinals(numbers, freq="M"),
    }
    times = {
        "time zone": pd.Timestamp("2020-02-01", tz="Europe/Berlin") + day,
        "str": pd.Timestamp("2020-01-01") + day,
        "period": pd.PeriodIndex.from_ordinals(panel["cycle"], freq="M"),
    }
    return panel.assign(unit=ids[kind], cycle=times.get(kind, panel["cycle"]))


ID_KINDS = ["int", "float", "str", "object", "category", "Int64", "time zone", "period"]


def outputs(estimator, X):
    """Everything that an estimator computes from X, as bytes."""
    names = ["predict", "transform"]
    if getattr(estimator, "quantiles", None) is not None:
        names.append("predict_quantiles")
    results = [getattr(estimator, name)(X) for name in names if hasattr(estimator, name)]
    assert results
    return pickle.dumps([np.asarray(result) for result in results])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.sklstm"


def round_trip(estimator, path):
    sklstm.save(estimator, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return sklstm.load(path)


def assert_same(loaded, estimator, X):
    assert type(loaded) is type(estimator)
    assert outputs(loaded, X) == outputs(estimator, X)
    assert repr(loaded.get_params()) == repr(estimator.get_params())
    assert repr(clone(loaded)) == repr(clone(estimator))
    assert vars(loaded).keys() == vars(estimator).keys()


def ensemble(**options):
    return SeriesEnsembleRegressor(lstm(**IDS), n_estimators=2, random_state=0, **options, **IDS)


def forecaster(**options):
    options = {"n_estimators": 1, "window_length": 6, "random_state": 0, **options}
    return MultiSeriesForecaster(2, regressor=lstm(), **options, **IDS)


FITTED = {
    "scaler": lambda: PerSeriesScaler(**IDS).fit(PANEL),
    "windows": lambda: WindowTransformer(5, **IDS).fit(PANEL),
    "pipeline": lambda: make_pipeline(
        PerSeriesScaler(**IDS), WindowTransformer(5, padding="nan", **IDS), lstm(attention=2)
    ).fit(PANEL, Y),
    "embedding": lambda: lstm(series_embedding=2, layer_norm=True, dropout=0.1, **IDS).fit(
        PANEL, Y
    ),
    "quantiles": lambda: lstm(quantiles=(0.1, 0.9), skip=True, bidirectional=True, **IDS).fit(
        PANEL, Y
    ),
    "target": lambda: PerSeriesTargetRegressor(lstm(**IDS), **IDS).fit(PANEL, Y),
    "bootstrap": lambda: ensemble().fit(PANEL, Y),
    "cluster": lambda: ensemble(assign="cluster").fit(PANEL, Y),
    "labels": lambda: ensemble(assign=dict(zip("abcd", [1, 1, 2, 2], strict=True))).fit(PANEL, Y),
    "forecaster": lambda: forecaster(freq=1, season_length=(2, 3), quantiles=(0.1, 0.5, 0.9)).fit(
        PANEL
    ),
    "transfer": lambda: lstm(
        init_from=FrozenEstimator(lstm(**IDS).fit(PANEL, Y)), trainable="head", **IDS
    ).fit(PANEL, Y),
    "columns": lambda: make_pipeline(
        ColumnTransformer(
            [("scale", StandardScaler(), ["p"])],
            remainder="passthrough",
            verbose_feature_names_out=False,
        ).set_output(transform="pandas"),
        TransformedTargetRegressor(lstm(**IDS), transformer=StandardScaler()),
    ).fit(PANEL, Y),
}


fitted = cache(lambda name: FITTED[name]())


@pytest.mark.parametrize(
    "name",
    slow_except(list(FITTED), "scaler", "windows", "pipeline", "target", "cluster", "forecaster"),
)
def test_fitted_estimators_come_back(name, path):
    estimator = fitted(name)
    loaded = round_trip(estimator, path)
    assert_same(loaded, estimator, LATER)
    # A file of the loaded one is the same file.
    content = path.read_bytes()
    sklstm.save(loaded, path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("scaler", ["standard", "minmax", "maxabs", "robust"])
@pytest.mark.parametrize("statistics", ["fit", "expanding", "pooled"])
def test_all_statistics_come_back(scaler, statistics, path):
    estimator = PerSeriesScaler(scaler, statistics=statistics, **IDS).fit(PANEL)
    assert_same(round_trip(estimator, path), estimator, LATER)


@pytest.mark.parametrize("kind", ID_KINDS)
def test_all_ids_come_back(kind, path):
    panel, later = with_ids(PANEL, kind), with_ids(LATER, kind)
    steps = make_pipeline(PerSeriesScaler(**IDS), WindowTransformer(5, **IDS)).fit(panel)
    assert_same(round_trip(steps, path), steps, later)
    pd.testing.assert_index_equal(
        round_trip(steps, path)[0].series_ids_, steps[0].series_ids_, exact=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ID_KINDS)
def test_networks_with_all_ids_come_back(kind, path):
    panel, later = with_ids(PANEL, kind), with_ids(LATER, kind)
    net = lstm(series_embedding=1, epochs=1, **IDS).fit(panel, Y)
    loaded = round_trip(net, path)
    assert_same(loaded, net, later)
    pd.testing.assert_index_equal(loaded.embedded_ids_, net.embedded_ids_)


@pytest.mark.parametrize("kind", slow_except(["int", "time zone", "period"], "period"))
def test_forecasts_come_back(kind, path):
    panel = with_ids(PANEL, kind)
    options = {"known_future": ["q"]} if kind == "time zone" else {}
    estimator = forecaster(**options).fit(panel)
    loaded = round_trip(estimator, path)
    future = None
    if options:
        last = panel.groupby("unit")["cycle"].max()
        parts = [last.reset_index().assign(q=day) for day in (1, 2)]
        for day, part in enumerate(parts, start=1):
            part["cycle"] += pd.DateOffset(days=day)
        future = pd.concat(parts)
    expected = estimator.forecast(future=future)
    pd.testing.assert_frame_equal(loaded.forecast(future=future), expected)


def test_unfitted_estimators_come_back(path):
    for estimator in (
        *(MultiSeriesForecaster(3), MultiSeriesLSTMRegressor(), PerSeriesScaler()),
        *(ensemble(), PerSeriesTargetRegressor(Ridge()), WindowTransformer(3)),
    ):
        assert repr(round_trip(estimator, path).get_params()) == repr(estimator.get_params())


def test_metadata_requests_come_back(path):
    with config_context(enable_metadata_routing=True):
        net = lstm().set_fit_request(sample_weight=True, series_ids="unit")
        steps = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), net)
        loaded = round_trip(steps, path)
        assert repr(loaded[1].get_metadata_routing()) == repr(net.get_metadata_routing())
        assert repr(loaded[0].get_metadata_routing()) == repr(steps[0].get_metadata_routing())


def test_every_estimator_of_the_package_is_listed():
    public = [getattr(sklstm, name) for name in sklstm.__all__]
    estimators = {
        kind for kind in public if isinstance(kind, type) and issubclass(kind, BaseEstimator)
    }
    assert len(estimators) >= 6
    assert estimators <= set(_objects.OWN.values())


# ------------------------------------------------------------------------ further training
def test_training_continues_as_if_nothing_had_happened(path):
    random = np.random.RandomState(0)
    net = lstm(warm_start=True, dropout=0.2, **IDS).set_params(random_state=random).fit(PANEL, Y)
    loaded = round_trip(net, path)
    for estimator in (net, loaded):
        estimator.fit(PANEL, Y)
        estimator.partial_fit(PANEL, Y)
    assert loaded.history_ == net.history_
    assert outputs(loaded, LATER) == outputs(net, LATER)


KERAS = {
    "loss": lambda: {"loss": keras.losses.MeanAbsoluteError()},
    "loss function": lambda: {"loss": keras.losses.mean_absolute_error},
    "optimizer": lambda: {"optimizer": keras.optimizers.SGD(0.1, momentum=0.9)},
    "optimizer class": lambda: {"optimizer": keras.optimizers.RMSprop},
    "schedule": lambda: {
        "learning_rate": keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.1, 0.01])
    },
    "schedule in optimizer": lambda: {
        "optimizer": keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 100))
    },
}


@pytest.mark.parametrize("kind", slow_except(list(KERAS), "schedule in optimizer"))
def test_objects_of_keras_come_back(kind, path):
    net = lstm(warm_start=True, **KERAS[kind](), **IDS).fit(PANEL, Y)
    loaded = round_trip(net, path)
    assert outputs(loaded, LATER) == outputs(net, LATER)
    for name, value in net.get_params().items():
        if hasattr(value, "get_config") and not isinstance(value, type):
            assert getattr(loaded, name).get_config() == value.get_config()
    for estimator in (net, loaded):
        estimator.fit(PANEL, Y)
    assert outputs(loaded, LATER) == outputs(net, LATER)


# ---------------------------------------------------------------------------- scikit-learn
def make_of_sklearn(name):
    kind = _objects.class_of(name)
    arguments = {
        "ColumnTransformer": ([("a", StandardScaler(), [0]), ("b", "drop", slice(1, 2))],),
        "FeatureUnion": ([("a", StandardScaler()), ("b", "passthrough")],),
        "FrozenEstimator": (Ridge().fit(np.eye(3), np.arange(3)),),
        "FunctionTransformer": (np.square,),
        "MultiOutputRegressor": (Ridge(),),
        "Pipeline": ([("a", StandardScaler()), ("b", Ridge())],),
        "RegressorChain": (Ridge(),),
        "TransformedTargetRegressor": (Ridge(),),
    }
    options = {
        "TransformedTargetRegressor": {"func": np.log1p, "inverse_func": np.expm1},
        "QuantileTransformer": {"n_quantiles": 10},
    }.get(name, {})
    options = {key: item for key, item in options.items() if key in kind._get_param_names()}
    return kind(*arguments.get(name, ()), **options)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", _objects.SKLEARN)
def test_all_listed_classes_of_scikit_learn_come_back(name, path):
    estimator = make_of_sklearn(name)
    X = np.random.default_rng(0).normal(size=(40, 3)).round(1)
    y = np.abs(X[:, 0]).round(1)
    if name in ("MultiOutputRegressor", "RegressorChain"):
        y = np.c_[y, y + 1]
    elif name == "LogisticRegression":
        y = y > 0.5
    if name == "LabelEncoder":
        estimator.fit(y)
        sklstm.save(estimator, path)
        assert_array_equal(sklstm.load(path).transform(y), estimator.transform(y))
        return
    estimator.fit(X, y)
    sklstm.save(estimator, path)
    loaded = sklstm.load(path)
    names = [method for method in ("predict", "transform") if hasattr(estimator, method)]
    assert names
    for method in names:
        expected = getattr(estimator, method)(X)
        assert pickle.dumps(getattr(loaded, method)(X)) == pickle.dumps(expected)
    assert vars(loaded).keys() == vars(estimator).keys()


# ---------------------------------------------------------------------- what is not saved
class OwnRidge(Ridge):
    """An estimator of the user, whose code a file cannot hold."""


def own_loss(y_true, y_pred):
    return y_pred


NOT_SAVED = {
    "step 'multiserieslstmregressor', parameter 'loss'": lambda: make_pipeline(
        WindowTransformer(), lstm(loss=own_loss)
    ),
    "parameter 'callbacks', item 0": lambda: lstm(callbacks=[keras.callbacks.TerminateOnNaN()]),
    "parameter 'loss': .*get_config": lambda: lstm(loss=keras.losses.Huber(0.5)),
    "parameter 'optimizer'": lambda: lstm(
        optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())
    ),
    "step 'own', parameter 'func'": lambda: ColumnTransformer(
        [("own", FunctionTransformer(lambda X: X), [0])]
    ),
    "parameter 'regressor': OwnRidge": lambda: PerSeriesTargetRegressor(OwnRidge()),
    "parameter 'estimator': DecisionTree": lambda: SeriesEnsembleRegressor(DecisionTreeRegressor()),
    "GridSearchCV.*Save its best_estimator_": lambda: GridSearchCV(
        Ridge(), {"alpha": [1, 2]}, cv=2
    ).fit(np.eye(4), np.arange(4.0)),
}


@pytest.mark.parametrize("message", NOT_SAVED)
def test_what_cannot_be_saved_is_named_before_anything_is_written(message, path):
    path.write_bytes(b"earlier")
    with pytest.raises(TypeError, match=message) as caught:
        sklstm.save(NOT_SAVED[message](), path)
    assert "cannot be saved" in str(caught.value)
    assert path.read_bytes() == b"earlier"
    assert os.listdir(path.parent) == [path.name]


def test_only_estimators_are_saved(path):
    with pytest.raises(TypeError, match="takes an estimator"):
        sklstm.save({"a": 1}, path)


# -------------------------------------------------------------------------------- the file
def test_files_are_small(path):
    """At most 1.2 times the arrays: weights, state of the optimizer, kept rows, statistics."""
    panel = make_panel([400] * 10)
    y = panel["p"].to_numpy()
    size = {"hidden_units": 32, "epochs": 1, "batch_size": 512}
    net = lstm(**size, **IDS).fit(panel, y)
    variables = [variable.numpy() for variable in net.model_.variables]
    state = net._network.optimizer_state
    arrays = sum(array.nbytes for array in variables + state)
    sklstm.save(net, path)
    assert arrays < path.stat().st_size < 1.2 * arrays
    scaler = PerSeriesScaler("robust", **IDS).fit(panel)
    statistics = scaler._statistics
    arrays = statistics.values.nbytes + statistics.codes.nbytes
    sklstm.save(scaler, path)
    assert arrays < path.stat().st_size < 1.2 * arrays


CODE = """
    import pickle, sys, time
    import sklstm
    assert "keras" not in sys.modules
    with open(sys.argv[2], "rb") as file:
        later = pickle.load(file)
    loaded = sklstm.load(sys.argv[1])
    assert ("keras" in sys.modules) == (sys.argv[3] == "net")
    sys.stdout.buffer.write(pickle.dumps(loaded.predict(later)))
"""


@pytest.mark.parametrize("kind", slow_except(["net", "ridge"], "net"))
@pytest.mark.slow
def test_another_process_loads_quietly(kind, path):
    """And imports TensorFlow only where there is a network."""
    if kind == "net":
        estimator, later = fitted("pipeline"), LATER
    else:
        numbers = ["cycle", "p", "q"]
        later = LATER[numbers]
        estimator = make_pipeline(PerSeriesScaler(), Ridge()).fit(PANEL[numbers], Y)
    sklstm.save(estimator, path)
    rows = path.with_name("later.pickle")
    rows.write_bytes(pickle.dumps(later))
    # A log level of this run would hide TensorFlow's messages.
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CODE), str(path), str(rows), kind],
        capture_output=True,
        env=environment,
    )
    assert done.stderr == b""
    assert_array_equal(pickle.loads(done.stdout), estimator.predict(later))


@pytest.mark.slow
def test_ids_in_arrow_load_without_arrow(path):
    pytest.importorskip("pyarrow")
    panel = PANEL.astype({"unit": "string[pyarrow]"})
    sklstm.save(PerSeriesScaler(**IDS).fit(panel), path)
    code = (
        "import sys; sys.modules['pyarrow'] = None; import sklstm; "
        "print(*sorted(sklstm.load(sys.argv[1]).series_ids_))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.split() == sorted("abcd"), done.stderr


def test_loading_changes_nothing_global(path):
    sklstm.save(fitted("pipeline"), path)
    np.random.seed(0)
    before = pickle.dumps(np.random.get_state()), keras.config.floatx(), dict(os.environ)
    files = os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else []
    sklstm.load(path)
    assert before == (pickle.dumps(np.random.get_state()), keras.config.floatx(), dict(os.environ))
    if files:
        assert len(os.listdir("/proc/self/fd")) == len(files)


def test_loading_takes_little_time(path):
    """The budget of 3 s beyond TensorFlow's import includes a large margin."""
    sklstm.save(fitted("pipeline"), path)
    start = time.perf_counter()
    sklstm.load(path)
    assert time.perf_counter() - start < 3


def test_another_version_warns(path, monkeypatch):
    estimator = make_pipeline(PerSeriesScaler(**IDS), Ridge())
    monkeypatch.setattr("sklstm._panel.pickles.__version__", "0.0.1")
    sklstm.save(estimator, path)
    content = pickle.dumps(estimator)
    monkeypatch.undo()
    for restore in (lambda: sklstm.load(path), lambda: pickle.loads(content)):
        with pytest.warns(InconsistentVersionWarning, match=r"stored by sklstm 0\.0\.1") as caught:
            restore()
        assert len(caught) == 1
        assert re.search(rf"loaded by {re.escape(sklstm.__version__)}", str(caught[0].message))


def test_pickles_of_an_unknown_version_warn():
    state = PerSeriesScaler().__getstate__()
    assert state.pop("_sklstm_version") == sklstm.__version__
    with pytest.warns(InconsistentVersionWarning, match="unknown"):
        PerSeriesScaler().__setstate__(state)


@pytest.mark.parametrize("name", ["scaler", "windows", "pipeline", "target", "cluster"])
def test_pickles_are_exact(name):
    estimator = fitted(name)
    loaded = pickle.loads(pickle.dumps(estimator))
    assert_same(loaded, estimator, LATER)
    assert not any("_sklstm_version" in vars(part) for part in (loaded, estimator))


@pytest.mark.parametrize("kind", ID_KINDS)
def test_skops_dumps_scaler_and_windows(kind):
    """Ids are stored as plain arrays: besides sklstm's own classes, skops knows all types."""
    skops_io = pytest.importorskip("skops.io")
    panel, later = with_ids(PANEL, kind), with_ids(LATER, kind)
    steps = make_pipeline(PerSeriesScaler(**IDS), WindowTransformer(5, **IDS)).fit(panel)
    dumped = skops_io.dumps(steps)
    unknown = skops_io.get_untrusted_types(data=dumped)
    assert all(name.startswith("sklstm.") for name in unknown)
    assert_same(skops_io.loads(dumped, trusted=unknown), steps, later)


def test_dummy_is_listed():
    """A name of a listed class in another module is not enough."""
    fake = type("DummyRegressor", (dummy.DummyRegressor,), {})
    assert _objects.is_known(dummy.DummyRegressor())
    assert not _objects.is_known(fake())
