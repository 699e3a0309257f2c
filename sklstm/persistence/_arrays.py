"""Codecs of NumPy's arrays, scalars, types and random states."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from sklstm._files.container import DTYPES
from sklstm.persistence._graph import Codec, Decoder, Encoder, Entry, Place, cannot_save
from sklstm.persistence._plain import check_id, is_id

TIMES = "mM"
DTYPE_NAME = re.compile(r"[<>|=]([biufcSU]\d+|O|[mM]8(\[\w+\])?)")
TIME_NAME = re.compile(r"<[mM]8\[\w+\]")
# Functions of scikit-learn's FunctionTransformer and TransformedTargetRegressor.
FUNCTIONS = {
    function.__name__: function
    for function in (
        *(np.abs, np.arcsinh, np.arctan, np.cbrt, np.cos, np.exp, np.exp2, np.expm1, np.log),
        *(np.log10, np.log1p, np.log2, np.negative, np.reciprocal, np.sin, np.sinh, np.sqrt),
        *(np.square, np.tanh),
    )
}
N_RANDOM = 624  # numbers in the state of a Mersenne Twister


# --------------------------------------------------------------------------------- arrays
def encode_array(value: np.ndarray, encoder: Encoder, place: Place) -> Entry:
    """Encode an array: its numbers, or its strings, or its elements if they are plain ids."""
    value = np.asarray(value)
    if value.dtype.kind in "OU":
        return _encode_objects(value, encoder, place)
    is_fortran = value.flags.f_contiguous and not value.flags.c_contiguous
    numbers = value.T if is_fortran else value
    entry: Entry = {"fortran": True} if is_fortran else {}
    dtype = value.dtype.newbyteorder("<")
    if dtype.kind in TIMES:
        entry["dtype"] = dtype.str
        numbers = np.asarray(numbers, dtype, order="C").view(np.int64)
    elif dtype.name == "bfloat16":
        entry["dtype"] = dtype.name
        numbers = np.asarray(numbers, order="C").view(np.uint16)
    elif dtype.name not in DTYPES:
        raise cannot_save(value, place, f"Arrays of {value.dtype} have no place in a file.")
    return {**entry, "tensor": encoder.tensor(numbers)}


def _encode_objects(value, encoder, place):
    """Encode the elements of an array of objects or strings."""
    items = value.ravel().tolist()
    entry: Entry = {"shape": list(value.shape)}
    if value.dtype.kind == "U":
        entry["dtype"] = value.dtype.str
    if all(type(item) is str for item in items):
        texts = [item.encode("utf-8", "surrogatepass") for item in items]
        sizes = np.array([len(text) for text in texts], np.uint64)
        sizes = sizes.astype(np.min_scalar_type(sizes.max(initial=0)))
        text = np.frombuffer(b"".join(texts), np.uint8)
        return {**entry, "text": encoder.tensor(text), "sizes": encoder.tensor(sizes)}
    for item in items:
        if not is_id(item):
            raise cannot_save(item, (*place, "element of an array of objects"))
    return {**entry, "items": [encoder.value(item, place) for item in items]}


def decode_array(entry: Entry, decoder: Decoder) -> np.ndarray:
    """Decode an array."""
    if "tensor" not in entry:
        return _decode_objects(entry, decoder)
    array = decoder.tensor(entry["tensor"])
    if (name := entry.get("dtype")) == "bfloat16":
        import ml_dtypes  # comes with Keras

        array = array.view(ml_dtypes.bfloat16)
    elif name is not None:
        if not TIME_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no dtype of times")
        array = array.view(name)
    return array.T if entry.get("fortran") else array


def _decode_objects(entry, decoder):
    items = (
        [check_id(decoder.value(node)) for node in entry["items"]]
        if "items" in entry
        else _decode_texts(decoder.tensor(entry["text"]), decoder.tensor(entry["sizes"]))
    )
    if any(type(size) is not int or size < 0 for size in entry["shape"]):
        raise ValueError(f"{entry['shape']} is no shape")
    if math.prod(entry["shape"]) != len(items):
        raise ValueError(f"{len(items)} elements do not have the shape {entry['shape']}")
    array = np.empty(len(items), object)
    array[:] = items
    if "dtype" in entry:
        # The width is that of the longest string: a declared one could be of any size.
        array = array.astype(str)
    return array.reshape(entry["shape"])


def _decode_texts(text, sizes):
    """Split a text of bytes into strings of the given sizes in bytes."""
    if text.dtype != np.uint8 or sizes.dtype.kind != "u" or text.ndim != 1 or sizes.ndim != 1:
        raise TypeError("strings are stored as bytes and their numbers")
    sizes = sizes.tolist()
    if sum(sizes) != len(text):
        raise ValueError("the sizes of strings do not match their text")
    content, items, start = text.tobytes(), [], 0
    for size in sizes:
        items.append(content[start : start + size].decode("utf-8", "surrogatepass"))
        start += size
    return items


# ------------------------------------------------------------------------ scalars, dtypes
def encode_scalar(value, encoder, place):
    """Encode a NumPy scalar by its bytes."""
    if isinstance(value, np.str_):
        return {"dtype": "str", "value": str(value)}
    if value.dtype.kind not in "biufmM" or value.dtype.itemsize > 8:
        raise cannot_save(value, place)
    return {"dtype": value.dtype.str, "value": value.tobytes().hex()}


def decode_scalar(entry, decoder):
    """Decode a NumPy scalar."""
    if entry["dtype"] == "str":
        return np.str_(entry["value"])
    return np.frombuffer(bytes.fromhex(entry["value"]), _dtype(entry["dtype"])).reshape(())[()]


def _dtype(name: str) -> np.dtype[Any]:
    if not DTYPE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no plain dtype")
    return np.dtype(name)


def encode_dtype(value, encoder, place):
    """Encode a dtype."""
    if not DTYPE_NAME.fullmatch(value.str):
        raise cannot_save(value, place)
    return {"name": value.str}


def _is_numpy_type(value) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, np.generic)
        and getattr(np, value.__name__, None) is value
    )


def decode_numpy_type(entry, decoder):
    """Decode a scalar type, such as ``numpy.float64``."""
    found = getattr(np, entry["name"])
    if not _is_numpy_type(found):
        raise ValueError(f"{entry['name']!r} is no type of NumPy")
    return found


# -------------------------------------------------------------------------- random states
def encode_random_state(value, encoder, place):
    """Encode a RandomState by its numbers."""
    kind, keys, position, has_gauss, gauss = value.get_state()
    if kind != "MT19937":
        raise cannot_save(value, place)
    return {
        "keys": encoder.tensor(keys.astype(np.uint32)),
        "position": int(position),
        "has_gauss": int(has_gauss),
        "gauss": encoder.value(float(gauss), place),
    }


def decode_random_state(entry, decoder):
    """Decode a RandomState."""
    keys, position = decoder.tensor(entry["keys"]), entry["position"]
    # NumPy itself does not check the position, which is one in memory.
    if keys.shape != (N_RANDOM,) or type(position) is not int or not 0 <= position <= N_RANDOM:
        raise ValueError("the state of a random generator is not valid")
    state = np.random.RandomState(0)
    gauss = float(decoder.value(entry["gauss"]))
    state.set_state(("MT19937", keys, position, int(bool(entry["has_gauss"])), gauss))
    return state


CODECS = [
    Codec(
        "array", lambda value: type(value) in (np.ndarray, np.memmap), encode_array, decode_array
    ),
    Codec("scalar", lambda value: isinstance(value, np.generic), encode_scalar, decode_scalar),
    Codec(
        "dtype",
        lambda value: isinstance(value, np.dtype),
        encode_dtype,
        lambda entry, _: _dtype(entry["name"]),
    ),
    Codec(
        "numpy type",
        _is_numpy_type,
        lambda value, *_: {"name": value.__name__},
        decode_numpy_type,
    ),
    Codec(
        "function",
        lambda value: isinstance(value, np.ufunc) and value in FUNCTIONS.values(),
        lambda value, *_: {"name": value.__name__},
        lambda entry, _: FUNCTIONS[entry["name"]],
    ),
    Codec(
        "random state",
        lambda value: type(value) is np.random.RandomState,
        encode_random_state,
        decode_random_state,
    ),
]
