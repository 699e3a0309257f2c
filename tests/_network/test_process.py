"""The process around a network: standard error, forks, memory."""

import multiprocessing
import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
from helpers import lstm, slow_except

from sklstm._network.startup_messages import STARTUP_LINE

X = np.random.default_rng(0).normal(size=(32, 4, 2))
Y = X[:, -1, 0]


def run(code, **variables):
    """Run code in a new process; return what it wrote to standard output and error."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env=environment | variables,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.slow
def test_first_fit_loses_no_line_of_other_threads_and_processes():
    lines = """
        import ctypes, os, subprocess, sys, threading, time
        import numpy as np
        from sklstm import MultiSeriesLSTMRegressor

        before, n_written, stop = dict(os.environ), 0, False

        def write():
            global n_written
            while not stop:
                os.write(2, b"thread\\n")
                sys.stderr.write("python\\n")
                n_written += 1
                time.sleep(0.005)

        thread = threading.Thread(target=write)
        thread.start()
        child = "import os, time; [time.sleep(os.write(2, bytes([99, 10])) / 9) for _ in range(20)]"
        child = subprocess.Popen([sys.executable, "-c", child])
        MultiSeriesLSTMRegressor(2, epochs=1).fit(np.zeros((8, 2, 1)), np.arange(8.0))
        stop = True
        thread.join()
        child.wait()
        assert dict(os.environ) == before
        libc = ctypes.CDLL(None)
        libc.fputs(b"native\\n", ctypes.c_void_p.in_dll(libc, "stderr"))
        print(n_written)
    """
    printed, written = run(lines)
    lines = written.splitlines()
    assert lines.count("thread") == lines.count("python") == int(printed) > 50
    assert lines.count("c") == 20 and lines.count("native") == 1
    assert set(lines) == {"thread", "python", "c", "native"}


@pytest.mark.parametrize(
    ("backend", "remedy"), [("pytorch", "Did you mean 'torch'? "), ("mxnet", "")]
)
def test_an_unknown_backend_is_named(backend, remedy):
    code = """
        import numpy as np
        from sklstm import MultiSeriesLSTMRegressor

        try:
            MultiSeriesLSTMRegressor(2).fit(np.zeros((8, 2, 1)), np.arange(8.0))
        except ImportError as error:
            print(error)
    """
    printed, _ = run(code, KERAS_BACKEND=backend)
    assert f"KERAS_BACKEND='{backend}' names the package" in printed
    assert f"(Unable to import backend : {backend}). {remedy}Set KERAS_BACKEND to" in printed


def test_native_lines_of_others_arrive_while_keras_loads():
    code = """
        import ctypes
        from sklstm._network.startup_messages import held_back

        libc = ctypes.CDLL(None)
        stderr = ctypes.c_void_p.in_dll(libc, "stderr")
        with held_back():
            libc.fputs(b"I0000 00:00:1795554721.992904 7505 some_file.cc:31] start-up\\n", stderr)
            libc.fputs(b"a line of another library\\n", stderr)
        try:
            with held_back():
                libc.fputs(b"I0000 00:00:1795554721.992904 7505 some_file.cc:31] reason\\n", stderr)
                raise ImportError
        except ImportError:
            pass
    """
    _, written = run(code, TMPDIR="/no/such/folder")  # no temporary file is needed
    assert written.splitlines() == [
        "a line of another library",
        "I0000 00:00:1795554721.992904 7505 some_file.cc:31] reason",
    ]


@pytest.mark.slow
def test_log_level_of_the_user_is_respected():
    code = """
        import numpy as np
        from sklstm import MultiSeriesLSTMRegressor
        MultiSeriesLSTMRegressor(2, epochs=1).fit(np.zeros((8, 2, 1)), np.arange(8.0))
    """
    _, written = run(code, TF_CPP_MIN_LOG_LEVEL="0")
    assert any(STARTUP_LINE.match(line.encode()) for line in written.splitlines())


# --------------------------------------------------------------------------------- forks
def _in_child(queue, action):
    try:
        queue.put(action())
    except RuntimeError as error:
        queue.put(str(error))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:os.fork:RuntimeWarning")
def test_forked_process_raises_and_does_not_hang():
    net = lstm().fit(X, Y)
    context = multiprocessing.get_context("fork")
    actions = [
        lambda: net.predict(X),
        lambda: net.fit(X, Y),
        lambda: net.partial_fit(X, Y),
        lambda: lstm().fit(X, Y),
    ]
    for action in actions:
        queue = context.Queue()
        child = context.Process(target=_in_child, args=(queue, action))
        child.start()
        try:
            assert "do not survive a fork" in queue.get(timeout=60)
        finally:
            child.kill()
    assert len(net.predict(X)) == len(X)


# -------------------------------------------------------------------------------- memory
class Noted(keras.callbacks.Callback):
    """Note the models that callbacks see."""

    models: set[int] = set()

    def on_train_begin(self, logs=None):
        self.models.add(id(self.model))


def test_fits_with_callbacks_share_a_compiled_program():
    Noted.models.clear()
    nets = [lstm(callbacks=[Noted()]).fit(X, Y) for _ in range(3)]
    assert len(Noted.models) == 1
    assert len({id(net.model_) for net in nets} | Noted.models) == 4


class Meddler(keras.callbacks.Callback):
    """Change the model during training, and again afterwards."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def on_epoch_end(self, epoch, logs=None):
        if self.change is not CHANGES["compiled"]:  # Keras cannot go on after it
            self.change(self.model)

    def on_train_end(self, logs=None):
        self.change(self.model)


CHANGES = {
    "rate": lambda model: setattr(model.optimizer, "learning_rate", 0.5),
    "schedule": lambda model: setattr(
        model.optimizer, "learning_rate", keras.optimizers.schedules.CosineDecay(0.5, 9)
    ),
    "option": lambda model: setattr(model.optimizer, "clipnorm", 1e-6),
    "frozen": lambda model: setattr(model.get_layer("lstm_1"), "trainable", False),
    "compiled": lambda model: model.compile("sgd", "mae"),
    "stopped": lambda model: setattr(model, "stop_training", True),
    "weights": lambda model: model.set_weights([0 * w for w in model.get_weights()]),
}


@pytest.mark.parametrize("change", slow_except(CHANGES, "rate", "frozen", "compiled"))
def test_change_by_a_callback_does_not_reach_the_next_fit(change):
    options = {"callbacks": [keras.callbacks.Callback()]}
    expected = lstm(**options).fit(X, Y).predict(X)
    lstm(callbacks=[Meddler(change)]).fit(X, Y)
    np.testing.assert_array_equal(lstm(**options).fit(X, Y).predict(X), expected)


@pytest.mark.slow
def test_memory_stays_level_over_300_fits_with_callbacks():
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    sizes = []
    for number in range(300):
        lstm(callbacks=[keras.callbacks.Callback()], epochs=1).fit(X, Y)
        if number % 100 == 99:
            sizes.append(resident())
    assert sizes[-1] - sizes[0] < 20  # megabytes
