"""Import Keras on first use, without TensorFlow's start-up messages."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager

import numpy as np

from sklstm._network.startup_messages import held_back
from sklstm._panel.show import did_you_mean

BACKENDS = ("tensorflow", "jax", "torch")

_loading = threading.Lock()
_forked_after_use = False


def load_network():
    """Import :mod:`sklstm._network.api`, and with it Keras, on first use."""
    check_not_forked()
    # One thread imports while others wait: sys.modules holds partly imported modules too.
    with _loading:
        loaded = sys.modules.get("sklstm._network.api")
        if loaded is not None:
            return loaded
        with held_back(), kept_random_state(), named_backend():
            from sklstm._network import api
            from sklstm._network.warm_up import warm_up

            warm_up()
        return api


@contextmanager
def named_backend():
    """Name the variable KERAS_BACKEND in the error if its package cannot be imported."""
    backend = os.environ.get("KERAS_BACKEND")
    try:
        yield
    except (ImportError, ValueError) as error:
        if backend in (None, "", "tensorflow"):
            raise
        remedy = "Install that package"
        if backend not in BACKENDS:
            remedy = (
                f"{did_you_mean(backend, BACKENDS)} Set KERAS_BACKEND to 'tensorflow' (the "
                "default), 'jax' or 'torch', install that package"
            ).lstrip()
        raise ImportError(
            f"KERAS_BACKEND={backend!r} names the package that Keras computes with, and it cannot "
            f"be imported ({error}). {remedy}, and start Python again."
        ) from error


@contextmanager
def kept_random_state():
    """Restore NumPy's global random state, from which the import of JAX draws."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)


def new_network():
    """Create an empty :class:`FittedNetwork`, whose state pickle sets afterwards."""
    kind = load_network().FittedNetwork
    return kind.__new__(kind)


def check_not_forked():
    """Raise an error in a process that was forked after its parent had used a network.

    A fork copies none of the threads of TensorFlow (or JAX), so the child would wait for ever.
    """
    if _forked_after_use:
        raise RuntimeError(
            "This process was forked after its parent had used a network. The threads of Keras' "
            "backend do not survive a fork, so training and predictions would hang. Start "
            "processes with multiprocessing.get_context('spawn') or with joblib's default backend "
            "(loky), or fork before the first fit or prediction."
        )


def _note_fork():
    global _forked_after_use
    _forked_after_use = "sklstm._network.api" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
