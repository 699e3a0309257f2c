"""Codecs of fitted networks and of Keras' losses, optimizers and schedules."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import Any

import numpy as np

from sklstm._network.lazy_import import load_network, new_network
from sklstm._network.spec import NetworkSpec, category_vector_length
from sklstm._panel.categories import CategoricalFeature
from sklstm.persistence._arrays import encode_array
from sklstm.persistence._graph import Codec, Decoder, Encoder, Entry, Place, cannot_save
from sklstm.persistence._hints import check_fields

ARRAYS = ("model", "optimizer_state")
POLICIES = {
    *("float16", "bfloat16", "float32", "float64"),
    *("mixed_float16", "mixed_bfloat16"),
}


# ------------------------------------------------------------------------ fitted networks
def is_network(value: Any) -> bool:
    """Whether a value is a FittedNetwork; does not import Keras."""
    module = sys.modules.get("sklstm._network.fitted_network")
    return module is not None and type(value) is module.FittedNetwork


def encode_network(value: Any, encoder: Encoder, place: Place) -> Entry:
    """Encode a network as the values of its variables, its spec and its training state."""
    state = {**value.__getstate__(), "embedded_ids": value.embedded_ids}
    arrays = {
        name: None
        if state[name] is None
        else [encode_array(a, encoder, place) for a in state[name]]
        for name in ARRAYS
    }
    rest = {name: item for name, item in state.items() if name not in ARRAYS}
    return {
        "arrays": arrays,
        "state": {name: encoder.value(item, (*place, name)) for name, item in rest.items()},
    }


def decode_network(entry: Entry, decoder: Decoder) -> Any:
    """Rebuild a network from its spec, if the spec and the arrays belong together."""
    state = {name: decoder.value(node) for name, node in entry["state"].items()}
    for name in ARRAYS:
        parts = entry["arrays"][name]
        arrays = None if parts is None else [decoder.entry({**p, "type": "array"}) for p in parts]
        state[name] = arrays
    if type(state["spec"]) is not NetworkSpec:
        raise TypeError("the spec of a network is not valid")
    check_categories(state["spec"], state["categories"])
    check_size(state["spec"], state["model"])
    api = load_network()
    hinted = {**state, "model": None}
    check_fields(api.FittedNetwork, hinted, ignored={"model"})
    network = new_network()
    network.__setstate__(state)
    return network


def check_categories(spec: NetworkSpec, categories: tuple[CategoricalFeature, ...]) -> None:
    """Raise ValueError unless each category of a network has an embedding vector."""
    sizes = dict(spec.categories)
    if (
        sizes.keys() != {each.position for each in categories}
        or any(position not in range(spec.n_features) for position in sizes)
        or any(not len(each.categories) <= sizes[each.position] for each in categories)
    ):
        raise ValueError("the categories of a network are not valid")


def check_size(spec: NetworkSpec, arrays: list[np.ndarray]) -> None:
    """Raise ValueError if a network of this spec has larger weights than the arrays.

    Called before the network is built, so that a file cannot make it allocate more memory than the
    file itself takes.
    """
    counts = [f.name for f in fields(spec) if f.type == "int"]
    if any(type(getattr(spec, name)) is not int or getattr(spec, name) < 0 for name in counts):
        raise ValueError("the numbers in the spec of a network are not valid")
    if spec.dtype_policy not in POLICIES:
        raise ValueError(f"{spec.dtype_policy!r} is no dtype policy of a network")
    units, n_static = spec.hidden_units, len(spec.static_features)
    n_outputs = spec.n_outputs * (1 if spec.quantiles is None else len(spec.quantiles))
    moving = max(spec.n_features - n_static, 1) * spec.segment_length
    smallest = max(
        # Kernels: recurrent, of the inputs, of static features and embeddings, attention, outputs.
        4 * units * units * spec.n_layers,
        4 * units * moving,
        units * (n_static + spec.series_embedding),
        spec.series_embedding * (spec.n_series + 1) if spec.series_embedding else 0,
        *(n * category_vector_length(n) for _, n in spec.categories),
        units * spec.attention,
        units * (spec.attention + 1) * n_outputs,
    )
    available = sum(array.size for array in arrays)
    if not 0 < smallest <= available:
        raise ValueError(
            f"the spec of a network has weights of at least {smallest} numbers, and the file has "
            f"{available}"
        )


# ----------------------------------------------------------------------- objects of Keras
def is_of_keras(value: Any) -> bool:
    """Whether a value is of Keras; does not import it."""
    module = getattr(value if callable(value) else type(value), "__module__", None)
    module = module or type(value).__module__
    kinds = (module, type(value).__module__)
    return "keras" in sys.modules and any(str(name).startswith("keras.") for name in kinds)


def encode_keras(value: Any, encoder: Encoder, place: Place) -> Entry:
    """Encode a loss, an optimizer or a schedule of Keras by its name and its arguments."""
    from sklstm._network.keras_objects import describe

    described = describe(value)
    if described is None:
        raise cannot_save(
            value,
            place,
            "Of Keras, files hold losses, optimizers and schedules whose `get_config` is complete. "
            "Use a name, such as 'huber', or set the parameter to None.",
        )
    module, name, arguments = described
    return {"module": module, "name": name, "arguments": encoder.value(arguments, place)}


def decode_keras(entry: Entry, decoder: Decoder) -> Any:
    """Build a loss, an optimizer or a schedule of Keras."""
    load_network()
    from sklstm._network.keras_objects import rebuild

    return rebuild(entry["module"], entry["name"], decoder.value(entry["arguments"]))


CODECS = [
    Codec("network", is_network, encode_network, decode_network),
    Codec("keras", is_of_keras, encode_keras, decode_keras),
]
