"""One module per peer, with a function for each problem that it solves.

A function is called with the sizes of a case, makes the data, builds, warms up and returns
what is to be timed: a function without arguments, which may return figures by name. It
raises `problems.CannotError` with one sentence where the peer cannot.
"""

from typing import NamedTuple


class Peer(NamedTuple):
    """Name the environment of a peer, and the packages whose versions the README lists."""

    environment: str
    packages: tuple[str, ...]


_KERAS = ("keras", "tensorflow", "numpy")

PEERS = {
    "sklstm": Peer("keras", ("scikit-learn", "pandas", "scikeras", *_KERAS)),
    "keras_recipe": Peer("keras", _KERAS),
    "scikeras_plain": Peer("keras", ("scikeras", "scikit-learn", *_KERAS)),
    "sklearn_loop": Peer("keras", ("scikit-learn", "numpy")),
    "sklearn_global": Peer("keras", ("scikit-learn", "numpy")),
    "sklearn_pandas": Peer("keras", ("scikit-learn", "pandas")),
    "numpy_windows": Peer("keras", ("numpy",)),
    "limits": Peer("keras", ("numpy", "tensorflow")),
    "torch_loop": Peer("torch", ("torch", "numpy")),
    "neuralforecast": Peer("forecast", ("neuralforecast", "torch")),
    "statsforecast": Peer("statsforecast", ("statsforecast", "pandas")),
    "darts": Peer("forecast", ("darts", "torch")),
    "skforecast": Peer("skforecast", ("skforecast", "keras", "tensorflow")),
    "sktime": Peer("sktime", ("sktime", "scikit-learn", "pandas")),
    "tslearn": Peer("sktime", ("tslearn", "numpy")),
}
