"""Import TensorFlow without the lines that its native code writes while it loads."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@contextmanager
def quiet_import():
    """Keep native start-up messages away from stderr; a failing import shows them.

    The messages come before any log level is read, so file descriptor 2 itself is turned
    away while the block runs. Nothing is done where Keras is loaded already, or where the
    user has chosen a log level. The environment is left as it was.
    """
    if "keras" in sys.modules or LEVEL in os.environ:
        yield
        return
    sys.stderr.flush()
    os.environ[LEVEL] = "3"
    kept = os.dup(2)
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
