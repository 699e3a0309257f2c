"""The recipe of benchmarks/turbofan.py; its figures are not tested."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklstm.datasets import load_turbofan

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import turbofan


@pytest.fixture(scope="module")
def engines():
    panel = load_turbofan().train
    return panel[panel["unit"] <= 6]


def quick_recipe():
    recipe = turbofan.make_recipe(views=["far", "near"])
    nets = [f"life__regressor__{name}__net__" for name in ("far0", "near1")]
    return recipe.set_params(**{net + "epochs": 1 for net in nets})


def in_six_regimes(panel):
    """Put every row in one of six regimes, with sensors on another scale in each."""
    regime = np.random.default_rng(0).integers(6, size=len(panel))
    settings = pd.DataFrame(
        {
            "setting1": np.array([0, 10, 20, 25, 35, 42])[regime],
            "setting2": np.array([0, 0.25, 0.7, 0.62, 0.84, 0.84])[regime],
            "setting3": np.array([100, 100, 100, 60, 100, 100])[regime],
        },
        index=panel.index,
    )
    jitter = np.random.default_rng(1).uniform(-0.003, 0.003, settings.shape)
    sensors = panel[turbofan.SENSORS].mul(1 + regime, axis=0)
    return panel.assign(**(settings + jitter), **sensors), regime


def test_regimes_are_found_from_noisy_settings(engines):
    assert turbofan.describe(engines)["regime"].nunique() == 1
    panel, regime = in_six_regimes(engines)
    found = pd.factorize(turbofan.describe(panel)["regime"])[0]
    assert (pd.crosstab(found, regime) > 0).to_numpy().sum() == 6


@pytest.mark.slow
@pytest.mark.parametrize("six", [False, True])
def test_prediction_depends_on_the_past_alone(engines, six):
    panel = in_six_regimes(engines)[0] if six else engines
    lives = panel.groupby("unit")["cycle"].transform("max") - panel["cycle"]
    known, new = (panel["unit"] <= 4), (panel["unit"] > 4)
    recipe = quick_recipe().fit(panel[known], lives[known])
    whole = recipe.predict(panel[new])
    assert ((whole >= 0) & (whole <= 125)).all()
    early = panel[new]["cycle"] <= 60
    np.testing.assert_allclose(recipe.predict(panel[new][early]), whole[early], atol=1e-3)
    # One engine's prediction does not depend on the others.
    other = panel["unit"] == 6
    np.testing.assert_allclose(recipe.predict(panel[other]), whole[other[new]], atol=1e-3)


def test_smoothing_stays_within_the_engine(engines):
    smoothed = turbofan.smooth(engines, halflife=2)
    for unit in (1, 4):
        one = engines.loc[engines["unit"] == unit, turbofan.SENSORS]
        expected = one.astype("float64").ewm(halflife=2).mean()
        found = smoothed.loc[one.index]
        np.testing.assert_allclose(found[turbofan.SENSORS], expected, rtol=1e-5)
        np.testing.assert_array_equal(found[turbofan.OWN], found[turbofan.SENSORS])


def test_weights_are_those_of_random_cuts(engines):
    weights = turbofan.cut_weights(engines)
    np.testing.assert_allclose(weights.groupby(engines["unit"]).sum(), 1.0)
    assert (weights[engines["cycle"] < turbofan.MIN_CYCLES] == 0).all()


def test_variants_can_be_cloned_and_differ():
    written = {
        name: clone(one).__repr__(N_CHAR_MAX=10**6) for name, one in turbofan.variants().items()
    }
    assert len(set(written.values())) == len(written)


def test_recipes_of_two_seeds_share_no_net():
    seeds = [
        net["net"].random_state
        for seed in range(3)
        for _, net in turbofan.make_recipe(seed)["life"].regressor.estimators
    ]
    assert len(set(seeds)) == len(seeds)
