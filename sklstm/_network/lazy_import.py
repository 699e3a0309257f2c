"""Import Keras on first use, without TensorFlow's start-up messages."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_loading = threading.Lock()


@contextmanager
def silenced_startup():
    """Keep native start-up messages off stderr, unless the start fails.

    The first messages are written before TensorFlow reads its log level, so file descriptor 2
    itself is redirected while the block runs. A log level that the user has set is respected. The
    environment is left unchanged.
    """
    try:
        stderr = None if LEVEL in os.environ else os.dup(2)
    except OSError:  # the process has no stderr
        stderr = None
    if stderr is None:
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    os.environ[LEVEL] = "2"  # read once, when TensorFlow loads: errors are still written
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException:
            messages.seek(0)
            os.write(stderr, messages.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            os.environ.pop(LEVEL, None)


def load_network():
    """Import :mod:`sklstm._network.api`, and with it Keras, on first use."""
    # One thread imports while others wait: sys.modules holds partly imported modules too.
    with _loading:
        loaded = sys.modules.get("sklstm._network.api")
        if loaded is not None:
            return loaded
        with silenced_startup():
            from sklstm._network import api
            from sklstm._network.warm_up import warm_up

            warm_up()
        return api


def new_network():
    """Create an empty :class:`FittedNetwork`, whose state pickle sets afterwards."""
    kind = load_network().FittedNetwork
    return kind.__new__(kind)
