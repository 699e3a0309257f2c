"""Load TensorFlow without the lines that its native code writes while it starts."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_loading = threading.Lock()


@contextmanager
def quiet_start():
    """Keep native start-up messages away from stderr; a failing start shows them.

    The first messages come before any log level is read, so file descriptor 2 itself is
    turned away while the block runs. A user who has chosen a log level gets what it says.
    The environment is left as it was.
    """
    try:
        kept = None if LEVEL in os.environ else os.dup(2)
    except OSError:  # there is no stderr to write to
        kept = None
    if kept is None:
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    os.environ[LEVEL] = "2"  # read once, when TensorFlow loads: errors are still written
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            held_back.seek(0)
            os.write(kept, held_back.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.environ.pop(LEVEL, None)


def load_training():
    """Import :mod:`sklstm._network.fit`, and with it Keras, on first need."""
    # One thread loads, others wait: a module that is still loading stands in sys.modules too.
    with _loading:
        loaded = sys.modules.get("sklstm._network.fit")
        if loaded is not None:
            return loaded
        with quiet_start():
            from sklstm._network import fit as training

            training.write_first_lines()
        return training
