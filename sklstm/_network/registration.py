"""Register the layers of this package with Keras, without importing Keras."""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any


class _LayersAfterKeras(MetaPathFinder):
    """Import this package's layers right after the first import of Keras.

    `keras.saving.load_model` finds registered layers only. It does not import the module that a
    file names, and `import sklstm` must not import Keras.
    """

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find Keras as Python does, with a loader that imports the layers, too."""
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_with_layers(module: Any) -> None:
                load(module)
                _import_layers()

            spec.loader.exec_module = load_with_layers  # type: ignore[method-assign]
        return spec


def register_layers() -> None:
    """Register the layers now if Keras is imported, else when it is."""
    if "keras" in sys.modules:
        _import_layers()
    else:
        sys.meta_path.insert(0, _LayersAfterKeras())


def _import_layers() -> None:
    importlib.import_module("sklstm._network.layers")
