"""Tests of the fitted network: pickling, continuing, silence."""

import copy
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sklstm._network.fitted_network import FittedNetwork
from sklstm._network.plan import TrainingPlan
from sklstm._network.spec import NetworkSpec
from sklstm._network.trainer import TrainingSpec
from sklstm._panel.windows import Windows
from sklstm.lstm._samples import Samples

RNG = np.random.default_rng(0)
X = Windows.from_array(RNG.normal(size=(20, 4, 2)).astype("float32"))
SAMPLES = Samples(X, X[:, -1, :1] * 3.0 + 1, np.ones(20))
SPEC = NetworkSpec(4, 2, 1, hidden_units=4, n_layers=1, segment_length=1, dropout=0.0)
SETTINGS = TrainingSpec(SPEC, 16, "mse", "adam", 0.01)


@pytest.fixture
def fitted():
    network = FittedNetwork.initialize(SPEC, SAMPLES, "mse", seed=0, feature_names=["p", "q"])
    network.train(SETTINGS, SAMPLES, None, TrainingPlan(1))
    return network


def test_a_new_network_predicts_the_mean_of_the_targets():
    network = FittedNetwork.initialize(SPEC, SAMPLES, "mse", seed=0)
    scale = network.model.get_layer("target_scale")
    np.testing.assert_allclose(float(scale.offset[0]), SAMPLES.targets.mean(), rtol=1e-5)
    np.testing.assert_allclose(float(scale.scale[0]), SAMPLES.targets.std(), rtol=1e-5)
    assert network.loss_unit == 2.0 ** round(np.log2(SAMPLES.targets.var()))


DUPLICATES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda network: pickle.loads(pickle.dumps(network)),
}


@pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)
def test_copies_keep_the_embedded_series(duplicate):
    spec = replace(SPEC, series_embedding=2, n_series=1)
    network = FittedNetwork.initialize(spec, SAMPLES, "mse", 0, embedded_ids=pd.Index(["a"]))
    assert list(duplicate(network).embedded_ids) == ["a"]


@pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)
def test_copies_predict_and_train_like_the_original(duplicate, fitted):
    twin = duplicate(fitted)
    assert twin.model is not fitted.model
    assert (twin.spec, twin.loss_unit) == (fitted.spec, fitted.loss_unit)
    assert twin.feature_names == ["p", "q"]
    before = fitted.predict(X)
    assert_array_equal(twin.predict(X), before)
    twin.train(SETTINGS, SAMPLES, None, TrainingPlan(1))
    assert_array_equal(fitted.predict(X), before)
    fitted.train(SETTINGS, SAMPLES, None, TrainingPlan(1))
    assert_array_equal(twin.predict(X), fitted.predict(X))


def test_continuing_keeps_the_state_of_the_earlier_network(fitted):
    state = [value.copy() for value in fitted.optimizer_state]
    continued = fitted.continue_as(SETTINGS)
    assert continued.model is fitted.model
    continued.train(SETTINGS, SAMPLES, None, TrainingPlan(1))
    for now, before in zip(fitted.optimizer_state, state, strict=True):
        assert_array_equal(now, before)


def test_continuing_needs_the_same_network_and_optimizer(fitted):
    wider = NetworkSpec(4, 2, 1, hidden_units=5, n_layers=1, segment_length=1, dropout=0.0)
    with pytest.raises(ValueError, match=r"ask for hidden_units=5 \(was 4\)"):
        fitted.continue_as(TrainingSpec(wider, 16, "mse", "adam", 0.01))
    with pytest.raises(ValueError, match="optimizer='sgd' .was 'adam'."):
        fitted.continue_as(TrainingSpec(SPEC, 16, "mse", "sgd", 0.01))


@pytest.mark.slow
def test_unpickling_in_a_new_process_is_silent(fitted, tmp_path):
    with open(tmp_path / "network", "wb") as file:
        pickle.dump((fitted, X), file)
    code = (
        "import pickle, numpy, sys; network, X = pickle.load(open(sys.argv[1], 'rb')); "
        "numpy.save(sys.argv[2], network.predict(X))"
    )
    command = [sys.executable, "-c", code, tmp_path / "network", tmp_path / "predicted.npy"]
    # JAX sets this variable where it is installed.
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert (done.stdout, done.stderr) == ("", "")
    assert_array_equal(np.load(tmp_path / "predicted.npy"), fitted.predict(X))
