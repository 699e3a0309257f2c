"""What a fit might change in a process, outside of its own objects."""

import logging
import multiprocessing
import os
import random
import signal
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import sklearn


def keras_state():
    """Return the settings of Keras and TensorFlow, and their global seeds."""
    import keras
    import tensorflow as tf
    from keras.src.backend.common.global_state import get_global_attribute
    from tensorflow.python.eager import context
    from tensorflow.python.framework.config import is_op_determinism_enabled

    threads = tf.config.threading
    return {
        "dtype policy": keras.config.dtype_policy().name,
        "floats": (keras.config.floatx(), keras.config.epsilon()),
        "image format": keras.config.image_data_format(),
        "interactive": keras.config.is_interactive_logging_enabled(),
        "traceback filtering": keras.config.is_traceback_filtering_enabled(),
        "seed of Keras": get_global_attribute("global_seed_generator"),
        "seed of TensorFlow": context.global_seed(),
        "determinism": is_op_determinism_enabled(),
        "threads": (
            threads.get_inter_op_parallelism_threads(),
            threads.get_intra_op_parallelism_threads(),
        ),
        "optimizer": tf.config.optimizer.get_jit(),
        "eager": tf.config.functions_run_eagerly(),
    }


def process_state():
    """Return what a fit might change in a process besides Keras and TensorFlow."""
    names = [None, "tensorflow", "keras", "absl", "joblib", "sklearn", "py.warnings"]
    loggers = [logging.getLogger(name) for name in names]
    return {
        "random": random.getstate(),
        "numpy": [part.tolist() if isinstance(part, np.ndarray) else part
                  for part in np.random.get_state()],
        "environment": dict(os.environ),
        "warnings": list(warnings.filters),
        "showwarning": warnings.showwarning,
        "logging": [
            (each.level, each.disabled, each.propagate, list(each.filters), list(each.handlers))
            for each in loggers
        ],
        "disabled": logging.root.manager.disable,
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook),
        "streams": (sys.stdout, sys.stderr, sys.stdin),
        "floating point": np.geterr(),
        "printing": (np.get_printoptions(), pd.get_option("display.max_rows")),
        "sklearn": sklearn.get_config(),
        "limits": (sys.getrecursionlimit(), sys.getswitchinterval()),
        "folder": os.getcwd(),
        "start method": multiprocessing.get_start_method(),
    }  # fmt: skip


def changed_names(before, after):
    """Return the names of the entries that differ between two states."""
    return sorted(name for name in before if after[name] != before[name])
