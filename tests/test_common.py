"""The scikit-learn contract: what every estimator of sklstm owes to its users."""

import inspect
import re
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr, get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import sklstm
from sklstm import (
    MultiSeriesForecaster,
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
)

ESTIMATORS = [
    MultiSeriesForecaster(horizon=2, window_length=4, regressor=Ridge(), random_state=0),
    MultiSeriesForecaster(
        horizon=1,
        window_length=2,
        regressor=MultiSeriesLSTMRegressor(4, epochs=1, steps_per_epoch=2, min_observed=1),
        random_state=0,
    ),
    MultiSeriesLSTMRegressor(hidden_units=4, epochs=5, learning_rate=0.05, random_state=0),
    MultiSeriesLSTMRegressor(
        hidden_units=4, quantiles=(0.1, 0.5, 0.9), epochs=5, learning_rate=0.05, random_state=0
    ),
    MultiSeriesLSTMRegressor(
        hidden_units=4,
        attention=2,
        bidirectional=True,
        layer_norm=True,
        skip=True,
        epochs=5,
        learning_rate=0.05,
        random_state=0,
    ),
    MultiSeriesLSTMRegressor(
        hidden_units=4, series_embedding=2, epochs=5, learning_rate=0.05, random_state=0
    ),
    PerSeriesScaler(),
    PerSeriesScaler(scaler="robust"),
    PerSeriesScaler(scaler="minmax", statistics="fit"),
    PerSeriesScaler(scaler="robust", statistics="fit", unknown="expanding"),
    PerSeriesScaler(scaler="maxabs", statistics="pooled"),
    PerSeriesScaler(scaler=StandardScaler(), statistics="fit"),
    PerSeriesTargetRegressor(Ridge()),
    PerSeriesTargetRegressor(Ridge(), target=0),
    SeriesEnsembleRegressor(Ridge(), random_state=0),
    SeriesEnsembleRegressor(Ridge(), assign="all", combine="median", random_state=0),
    SeriesEnsembleRegressor(Ridge(), 2, assign="partition", combine="error", random_state=0),
    SeriesEnsembleRegressor(Ridge(), 2, assign="cluster", random_state=0),
    SeriesEnsembleRegressor(
        MultiSeriesLSTMRegressor(4, epochs=3, batch_size=8, learning_rate=0.05), 2, random_state=0
    ),
    WindowTransformer(window_length=3),
    WindowTransformer(window_length=3, output="3d"),
    WindowTransformer(window_length=3, output="2d", padding="zero"),
    WindowTransformer(window_length="longest", padding="nan"),
]
CLASSES = sorted({type(estimator) for estimator in ESTIMATORS}, key=lambda cls: cls.__name__)


def expected_failed_checks(estimator):
    """Name the checks that contradict what an estimator is for."""
    causal_target = isinstance(estimator, PerSeriesTargetRegressor) and estimator.target is not None
    expected = {}
    if (
        isinstance(estimator, (MultiSeriesForecaster, WindowTransformer))
        or (isinstance(estimator, PerSeriesScaler) and estimator.statistics == "expanding")
        or causal_target
    ):
        reason = "a row's result depends on the earlier rows of its series"
        expected["check_methods_sample_order_invariance"] = reason
        expected["check_methods_subset_invariance"] = reason
    if causal_target:
        reason = "a row that comes twice is two rows of history, a weight of 2 is not"
        expected["check_sample_weight_equivalence_on_dense_data"] = reason
    if isinstance(estimator, MultiSeriesLSTMRegressor) and estimator.series_embedding:
        # As in scikit-learn's bagging: the same in expectation, not draw for draw.
        reason = "training turns random rows into rows of an unseen series"
        expected["check_sample_weight_equivalence_on_dense_data"] = reason
    if isinstance(estimator, SeriesEnsembleRegressor) and estimator.assign != "all":
        # As scikit-learn expects it of its own BaggingRegressor.
        reason = "sample_weight is not equivalent to repeating rows, which are drawn or dealt out"
        expected["check_sample_weight_equivalence_on_dense_data"] = reason
    return expected


# The checks have no ids, of which an estimator with vectors of series warns.
@pytest.mark.filterwarnings("ignore:X carries no ids:UserWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failed_checks)
def test_scikit_learn_contract(estimator, check):
    name = check.func.__name__
    if "sample_weight_equivalence" in name and getattr(estimator, "attention", False):
        # Which side of 1e-7 float32 falls on is luck; tests/test_techniques.py asks for 1e-5.
        pytest.skip("equal up to the rounding of float32")
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_parameters_survive_clone_and_repr(estimator):
    copy = clone(estimator)
    assert repr(copy) == repr(estimator)
    assert type(estimator).__name__ in estimator_html_repr(estimator)
    again = type(estimator)(**estimator.get_params(deep=False))
    assert repr(again) == repr(estimator)
    assert set(estimator.get_params(deep=False)) == set(
        inspect.signature(type(estimator)).parameters
    )
    # Every parameter reaches the attribute of its own name, unchanged.
    marks = {name: object() for name in estimator.get_params(deep=False)}
    assert vars(type(estimator)(**marks)) == marks


def test_tags():
    regressor = get_tags(MultiSeriesLSTMRegressor())
    assert is_regressor(MultiSeriesLSTMRegressor())
    assert regressor.estimator_type == "regressor"
    assert regressor.input_tags.three_d_array and regressor.target_tags.multi_output
    assert not regressor.input_tags.allow_nan
    forecaster = get_tags(MultiSeriesForecaster(2))
    assert forecaster.input_tags.allow_nan and forecaster.requires_fit
    assert not forecaster.target_tags.required
    for transformer in (PerSeriesScaler(), WindowTransformer()):
        tags = get_tags(transformer)
        assert tags.input_tags.allow_nan and tags.requires_fit
        assert tags.transformer_tags is not None


def public_callables():
    """Yield every public class, method and function with its signature's owner."""
    for name in sklstm.__all__:
        item = getattr(sklstm, name)
        yield name, item
        if inspect.isclass(item):
            for method, function in inspect.getmembers(item, inspect.isfunction):
                if function.__module__.startswith("sklstm") and not method.startswith("_"):
                    yield f"{name}.{method}", function


@pytest.mark.parametrize(("name", "item"), list(public_callables()), ids=lambda item: str(item))
def test_docstring_defaults_are_those_of_the_signature(name, item):
    if not (inspect.getdoc(item) or "").count("Parameters\n----------"):
        pytest.skip("documents no parameters")
    section = inspect.getdoc(item).split("Parameters\n----------\n")[1]
    section = re.split(r"\n\n?[A-Z][A-Za-z ]+\n-{3,}", section)[0]
    documented = {}
    for line in section.splitlines():
        if match := re.match(r"^\*{0,2}(\w+(?:, \w+)*) :(.*)", line):
            default = re.search(r"default=(.*)$", match[2])
            documented |= dict.fromkeys(match[1].split(", "), default and default[1])
        elif match := re.match(r"^(\w+(?:, \w+)*)$", line):
            documented |= dict.fromkeys(match[1].split(", "))
    parameters = inspect.signature(item).parameters.values()
    parameters = {p.name: p.default for p in parameters if p.name != "self"}
    assert list(documented) == list(parameters)
    for parameter, default in documented.items():
        actual = parameters[parameter]
        if default is None:
            # Optional ids and the ignored y are described in words.
            assert actual in (inspect.Parameter.empty, None), parameter
        else:
            shown = default.replace('"series" and "time"', f'"{parameter}"')
            assert eval(shown) == actual, parameter


def test_estimators_are_all_tested_here():
    exported = {getattr(sklstm, name) for name in sklstm.__all__}
    estimators = {
        item for item in exported if inspect.isclass(item) and issubclass(item, BaseEstimator)
    }
    assert estimators == set(CLASSES)


@pytest.mark.parametrize("cls", CLASSES)
def test_constructor_does_nothing_but_assign(cls):
    # Validation belongs to fit: clone and set_params meet unvalidated values.
    nonsense = dict.fromkeys(inspect.signature(cls).parameters, np.nan)
    estimator = cls(**nonsense)
    with pytest.raises(ValueError, match="parameter of"):
        estimator.fit(np.zeros((4, 2)), np.zeros(4))


def test_import_is_light():
    code = (
        "import sys, sklstm, sklstm.metrics, sklstm.datasets; "
        "heavy = {'tensorflow', 'keras', 'scikeras', 'matplotlib'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
