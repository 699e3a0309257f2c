"""Print what a bug report needs to state about the system."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from joblib import cpu_count

from sklstm._version import __version__

REQUIRED = (
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "narwhals",
    "scikeras",
    "keras",
    "tensorflow",
    "safetensors",
    "tqdm",
)
OPTIONAL = ("matplotlib", "polars", "pyarrow", "distributed", "jax")
# Variables that change the number of threads, the device or the compilation.
VARIABLES = (
    "KERAS_BACKEND",
    "OMP_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "CUDA_VISIBLE_DEVICES",
)


def show_versions() -> None:
    """Print the versions of Python, sklstm and the packages that it uses, for bug reports.

    Nothing is imported for it. The versions of packages come from their metadata.

    Examples
    --------
    >>> import sklstm
    >>> sklstm.show_versions()
    System:
               python: 3...
    ...
    Dependencies:
               sklstm: ...
                numpy: ...
    ...
    Optional dependencies:
           matplotlib: ...
    ...
    Computation:
              backend: ...
    """
    _print("System", _system())
    versions = {"sklstm": __version__} | {name: _version(name) for name in REQUIRED}
    _print("Dependencies", versions)
    _print("Optional dependencies", {name: _version(name) for name in OPTIONAL})
    _print("Computation", _computation())


def _print(title: str, entries: dict[str, str]) -> None:
    print(f"{title}:")
    for name, value in entries.items():
        print(f"{name:>23}: {value}")
    print()


def _system() -> dict[str, str]:
    return {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _computation() -> dict[str, str]:
    """Describe the backend of Keras, the cores, and the variables that are set."""
    loaded = "loaded" if "keras" in sys.modules else "not loaded"
    variables = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return {"backend": f"{_backend()} ({loaded})", "usable cores": str(cpu_count()), **variables}


def _backend() -> str:
    """Return the backend that Keras uses, or will use: by a variable, or by its file."""
    if "keras" in sys.modules:
        return str(sys.modules["keras"].config.backend())
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    try:
        chosen = json.loads((Path(home) / "keras.json").read_text()).get("backend")
    except (OSError, ValueError):
        chosen = None
    return os.environ.get("KERAS_BACKEND") or chosen or "tensorflow"
