"""Keras' own files of a network: saved, exported, and loaded after `import sklstm`."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import lstm
from numpy.testing import assert_allclose

X = np.random.default_rng(0).normal(size=(40, 3, 2)).astype("float32")
Y = X[:, -1] @ [1.0, 2.0]


@pytest.fixture(scope="module")
def fitted():
    return lstm(quantiles=(0.1, 0.9)).fit(X, Y)


def test_a_saved_network_predicts_the_same(fitted, tmp_path):
    fitted.model_.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    expected = fitted.predict_quantiles(X)
    assert_allclose(again.predict(X, verbose=0)[:, 0, [0, -1]], expected, rtol=1e-5)


def test_an_exported_network_predicts_the_same(fitted, tmp_path):
    tf = pytest.importorskip("tensorflow")
    fitted.model_.export(tmp_path / "network", verbose=False)
    exported = tf.saved_model.load(tmp_path / "network")
    served = exported.serve(X).numpy()
    assert_allclose(served[:, 0, [0, -1]], fitted.predict_quantiles(X), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["import sklstm, keras", "import keras, sklstm", "import keras"])
def test_layers_are_found_after_import_sklstm(fitted, tmp_path, order):
    fitted.model_.save(tmp_path / "network.keras")
    np.save(tmp_path / "X.npy", X)
    code = (
        f"{order}\n"
        "import sys, numpy as np\n"
        "hooks = [finder for finder in sys.meta_path if 'sklstm' in type(finder).__module__]\n"
        "assert not hooks, hooks\n"
        "network = keras.saving.load_model('network.keras')\n"
        "np.save('predicted.npy', network.predict(np.load('X.npy'), verbose=0))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    if "sklstm" in order:
        assert done.returncode == 0, done.stderr
        predicted = np.load(tmp_path / "predicted.npy")[:, 0, [0, -1]]
        assert_allclose(predicted, fitted.predict_quantiles(X), rtol=1e-5)
    else:
        assert "make sure they are all imported" in done.stderr
