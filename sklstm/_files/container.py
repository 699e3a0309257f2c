"""Write and read one file of JSON and arrays, with a checksum and without pickle.

A file is a preamble of fixed size, followed by a payload in the format of safetensors. The preamble
holds a magic number, the version of the format, and the size and the SHA-256 of the payload. The
payload holds the arrays, uncompressed, and the text of the JSON document as one more array.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import sys
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from sklstm._files.atomic import write_atomically
from sklstm._version import __version__

FORMAT_VERSION = 1
_MAGIC = b"sklstm"
_PREAMBLE = struct.Struct("<6sHQ32s")
_DOCUMENT = "document.json"
# Parsed JSON takes up to 30 times the memory of its text.
MAX_DOCUMENT_BYTES = 2**25
DTYPES = frozenset(
    ["bool", "float16", "float32", "float64"]
    + [f"{kind}int{bits}" for kind in ("", "u") for bits in (8, 16, 32, 64)]
)


class ModelFileError(ValueError):
    """Raised for a file that is damaged, incomplete, of another kind or not permitted."""


class Container(NamedTuple):
    """Content of a file.

    Attributes
    ----------
    document : JSON value
    arrays : dict of str to ndarray
        Writable, in C order.
    version : str
        Version of sklstm that wrote the file.
    """

    document: Any
    arrays: dict[str, np.ndarray]
    version: str


def write_container(
    path: str | os.PathLike[str], kind: str, document: Any, arrays: dict[str, np.ndarray]
) -> None:
    """Write a JSON document and arrays to one file, completely or not at all.

    Parameters
    ----------
    path : path-like
        An existing file is replaced.
    kind : str
        Purpose of the file, such as "model"; `read_container` requires the same.
    document : JSON value
        Made of None, bool, int, finite float, str, list and dict with str keys.
    arrays : dict of str to ndarray
        Of one of the `DTYPES`.

    Raises
    ------
    TypeError, ValueError
        If the document or an array cannot be stored. Nothing is written then.
    OSError
        If the file cannot be written. An existing file is unchanged then.
    """
    header = {"kind": kind, "version": __version__, "document": document}
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    if len(text) > MAX_DOCUMENT_BYTES:
        raise ValueError(
            f"The JSON document has {len(text)} bytes, at most {MAX_DOCUMENT_BYTES} are possible: "
            "store large tables as arrays."
        )
    if _DOCUMENT in arrays:
        raise ValueError(f"The name {_DOCUMENT!r} of an array is reserved.")
    tensors = {name: _storable(name, array) for name, array in arrays.items()}
    tensors[_DOCUMENT] = np.frombuffer(text, np.uint8)
    payload = safetensors.numpy.save(tensors)
    digest = hashlib.sha256(payload).digest()
    preamble = _PREAMBLE.pack(_MAGIC, FORMAT_VERSION, len(payload), digest)
    write_atomically(path, (preamble, payload))


def _storable(name: str, array: np.ndarray) -> np.ndarray:
    """Return an array as safetensors requires it: of a plain dtype, little-endian, contiguous."""
    if array.dtype.name not in DTYPES:
        raise TypeError(f"The array {name!r} has dtype {array.dtype}, which cannot be stored.")
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def read_container(path: str | os.PathLike[str], kind: str) -> Container:
    """Read a file of `write_container`.

    The memory is a small multiple of the size of the file, whatever sizes it declares. No code of
    the file is run.

    Parameters
    ----------
    path : path-like
    kind : str
        As passed to `write_container`.

    Returns
    -------
    Container

    Raises
    ------
    ModelFileError
        If the file is damaged, incomplete, or of another kind or version.
    OSError
        If the file cannot be read.
    """
    payload = _read_payload(path)
    try:
        arrays = safetensors.numpy.load(payload)
        header = _parse(arrays.pop(_DOCUMENT))
        found, version, document = header["kind"], header["version"], header["document"]
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{path} holds no valid document and arrays: {error}") from error
    if found != kind or not isinstance(version, str):
        remedy = ""
        if found == "checkpoint":
            remedy = " Call fit with checkpoint= this folder, on the same data, to continue it."
        raise ModelFileError(f"{path} is a file of kind {found!r}, expected {kind!r}.{remedy}")
    return Container(document, {name: _native(array) for name, array in arrays.items()}, version)


def _read_payload(path) -> bytes:
    """Read the payload and check its size and checksum."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ModelFileError(f"{path} is not a file. Pass the path of the file that save wrote.")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size - _PREAMBLE.size
        preamble = file.read(_PREAMBLE.size)
        if len(preamble) < _PREAMBLE.size or not preamble.startswith(_MAGIC):
            raise ModelFileError(
                f"{path} is not a model file: it does not begin as files of `sklstm.save` do. "
                "If it is a pickle, load it with joblib.load if you trust it."
            )
        _, version, declared, digest = _PREAMBLE.unpack(preamble)
        if version != FORMAT_VERSION:
            raise ModelFileError(
                f"{path} has version {version} of the file format, this version of sklstm "
                f"({__version__}) reads version {FORMAT_VERSION}: load it with the version of "
                "sklstm that saved it."
            )
        if declared != size:
            raise ModelFileError(
                f"{path} is incomplete or has been extended: it declares {declared} bytes, and has "
                f"{size}. Save or copy it again."
            )
        payload = file.read(size)
    if len(payload) != size or hashlib.sha256(payload).digest() != digest:
        raise ModelFileError(f"{path} is damaged: its checksum is wrong. Save or copy it again.")
    return payload


def _parse(text: np.ndarray) -> dict[str, Any]:
    """Parse the text of the document, and what this module has added to it."""
    if text.dtype != np.uint8 or text.ndim != 1 or text.size > MAX_DOCUMENT_BYTES:
        raise ValueError(f"the document is an array of {text.dtype} and shape {text.shape}.")
    header = json.loads(text.tobytes(), parse_constant=_raise_for_constant)
    if not isinstance(header, dict):
        raise TypeError("the document is no JSON object.")
    return header


def _raise_for_constant(name: str):
    raise ValueError(f"its JSON document contains {name}.")


def _native(array: np.ndarray) -> np.ndarray:
    """Return a writable array in the byte order of this machine."""
    if sys.byteorder == "big":
        array = array.byteswap()
    return array if array.flags.writeable else array.copy()
