"""Names of losses and optimizers, and losses that do not suit unbounded outputs."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from sklstm._network.keras_objects import get_loss, get_optimizer
from sklstm._network.losses import (
    KnownElementsLoss,
    PinballLoss,
    check_outputs_may_be_unbounded,
)


@pytest.mark.parametrize(
    ("loss", "meant"),
    [("msee", "mse"), ("hubber", "huber"), ("MeanSquareError", "MeanSquaredError")],
)
def test_misspelt_loss(loss, meant):
    message = rf"loss='{loss}' is not a name .*'mae', .* Did you mean '{meant}'\?"
    with pytest.raises(ValueError, match=message):
        get_loss(loss)


@pytest.mark.parametrize(
    ("optimizer", "meant"), [("adm", "adam"), ("sdg", "sgd"), ("RMSProb", "rmsprop")]
)
def test_misspelt_optimizer(optimizer, meant):
    message = rf"optimizer='{optimizer}' is not a name .*'adamw', .* Did you mean '{meant}'\?"
    with pytest.raises(ValueError, match=message):
        get_optimizer(optimizer)


def test_name_that_is_like_no_other():
    with pytest.raises(
        ValueError, match="loss='zzz' is not a name that .*'poisson'. keras.losses has all"
    ):
        get_loss("zzz")


def test_known_names_and_objects():
    assert get_loss("mse") is keras.losses.mean_squared_error
    assert isinstance(get_loss("MeanAbsoluteError"), keras.losses.MeanAbsoluteError)
    assert isinstance(get_optimizer("Adam"), keras.optimizers.Adam)
    own = keras.losses.Huber()
    assert get_loss(own) is own


@pytest.mark.parametrize("item", [3, {"class_name": "nothing", "config": {}}])
def test_what_is_no_name_keeps_the_error_of_keras(item):
    with pytest.raises((TypeError, ValueError), match="(?i)interpret|locate|not find"):
        get_optimizer(item)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize(
    "loss", ["binary_crossentropy", "bce", keras.losses.BinaryCrossentropy(), "kl_divergence"]
)
def test_losses_of_probabilities(loss, n_outputs):
    with pytest.raises(ValueError, match="expects probabilities, .*loss='mse'.*from_logits=True"):
        check_outputs_may_be_unbounded(loss, n_outputs)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize(
    "loss",
    [
        *(
            "mse",
            "mae",
            "huber",
            "log_cosh",
            "msle",
            "mean_absolute_percentage_error",
            "poisson",
            "hinge",
        ),
        "cosine_similarity",
        keras.losses.BinaryCrossentropy(from_logits=True),
        lambda true, guess: 1 / 0,  # functions of users are not called
    ],
    ids=lambda loss: loss if isinstance(loss, str) else type(loss).__name__,
)
def test_losses_of_any_output(loss, n_outputs):
    check_outputs_may_be_unbounded(loss, n_outputs)


def test_gradient_of_censored_quantiles():
    """A quantile beyond the bound of a censored target is not moved, one below it is raised."""
    levels = [0.25, 0.5, 0.75]
    y = [[[10.0, 1.0]], [[10.0, 0.0]], [[np.nan, 0.0]]]
    predicted = tf.constant([[[8.0, 10.0, 12.0]]] * 3)
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        losses = KnownElementsLoss(PinballLoss(levels), censored=True).call(
            tf.constant(y), predicted
        )
    assert_allclose(losses, [0.25 * 2 / 3, (0.25 * 2 + 0.25 * 2) / 3, 0])
    expected = np.array([[-0.25, 0, 0], [-0.25, 0, 0.25], [0, 0, 0]]) / 3
    assert_allclose(tape.gradient(losses, predicted)[:, 0], expected, atol=1e-7)


def test_a_loss_is_rebuilt_from_its_configuration():
    loss = KnownElementsLoss("mae", censored=True)
    assert KnownElementsLoss.from_config(loss.get_config()).get_config() == loss.get_config()
