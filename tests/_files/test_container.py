"""The container: round trips, damaged and hand-made files, writing that fails."""

import hashlib
import io
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from numpy.testing import assert_array_equal

from sklstm._files import atomic
from sklstm._files.container import DTYPES, ModelFileError, read_container, write_container

DOCUMENT = {"a": [1, 2.5, "ü", None, True], "b": {}}


def sealed(payload, magic=b"sklstm", version=1):
    """A preamble and a payload, written from the description of the format."""
    digest = hashlib.sha256(payload).digest()
    return struct.pack("<6sHQ32s", magic, version, len(payload), digest) + payload


def payload_of(header, data=b""):
    """A payload of safetensors, from the text of its header and its data."""
    return struct.pack("<Q", len(header)) + header + data


def document_payload(text):
    return safetensors.numpy.save({"document.json": np.frombuffer(text, np.uint8)})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def assert_error(path, content, match=None):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=match):
        read_container(path, "test")


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_arrays_and_document_come_back(path, dtype):
    arrays = {
        "x": np.arange(6).reshape(2, 3).astype(dtype),
        "scalar": np.ones((), dtype),
        "empty": np.empty((0, 3), dtype),
    }
    write_container(path, "test", DOCUMENT, arrays)
    container = read_container(path, "test")
    assert container.document == DOCUMENT
    assert container.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        assert container.arrays[name].dtype == array.dtype
        assert container.arrays[name].flags.writeable
        assert_array_equal(container.arrays[name], array, strict=True)


def test_layout_of_arrays_does_not_matter(path):
    array = np.arange(12.0).reshape(3, 4)
    views = {"fortran": np.asfortranarray(array), "strided": array[::2, ::-1], "t": array.T}
    views["big"] = array.astype(">f8")
    write_container(path, "test", None, views)
    for name, loaded in read_container(path, "test").arrays.items():
        assert_array_equal(loaded, views[name])


def test_the_file_is_what_the_docstring_says(path):
    write_container(path, "test", DOCUMENT, {"x": np.arange(3)})
    content = path.read_bytes()
    assert sealed(content[48:]) == content
    loaded = safetensors.numpy.load(content[48:])
    assert_array_equal(loaded["x"], np.arange(3))
    assert json.loads(loaded["document.json"].tobytes())["document"] == DOCUMENT


@pytest.mark.parametrize(
    ("document", "arrays"),
    [
        ({"a": object()}, {}),
        (float("nan"), {}),
        (None, {"x": np.array([object()])}),
        (None, {"x": np.array(["a"])}),
        (None, {"x": np.zeros(2, "M8[ns]")}),
        (None, {"document.json": np.zeros(2)}),
        ("a" * 2**25, {}),
    ],
)
def test_what_cannot_be_stored_raises_before_writing(path, document, arrays):
    with pytest.raises((TypeError, ValueError)):
        write_container(path, "test", document, arrays)
    assert os.listdir(path.parent) == []


def test_every_flipped_bit_and_every_cut_is_found(path):
    write_container(path, "test", [1], {"x": np.arange(3)})
    content = path.read_bytes()
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        assert_error(path, bytes(flipped))
        assert_error(path, content[:position])
    assert_error(path, content + b"\0", "extended")
    assert_error(path, content * 2, "extended")


def foreign_files():
    packed = io.BytesIO()
    np.savez(packed, x=np.arange(3))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../escape", b"0" * 10**6)
    return {
        "empty": b"",
        "text": b"sklstm is a package",
        "magic": b"sklstm",
        "pickle": pickle.dumps({"a": 1}),
        "npz": packed.getvalue(),
        "zip": zipped.getvalue(),
        "safetensors": safetensors.numpy.save({"x": np.arange(3)}),
    }


@pytest.mark.parametrize("kind", foreign_files())
def test_foreign_files(path, kind):
    content = foreign_files()[kind]
    assert_error(path, content, "not a model file|damaged|version")
    if kind != "safetensors":
        assert_error(path, sealed(content), "no valid document")


HUGE = b'{"x":{"dtype":"F64","shape":[1099511627776],"data_offsets":[0,8796093022208]}}'
SMALL = b'{"x":{"dtype":"F64","shape":[1099511627776],"data_offsets":[0,8]}}'
OVERFLOW = b'{"x":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'
OVERLAP = (
    b'{"x":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},'
    b'"y":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}'
)
FLOAT8 = b'{"x":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}'
NO_DATA = b'{"x":{"dtype":"F64","shape":[0,9223372036854775807,16],"data_offsets":[0,0]}}'


@pytest.mark.parametrize(
    "payload",
    [
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 10**8) + b"{}",
        payload_of(HUGE),
        payload_of(SMALL, bytes(8)),
        payload_of(OVERFLOW),
        payload_of(OVERLAP, bytes(8)),
        payload_of(FLOAT8, bytes(8)),
        payload_of(NO_DATA),
        payload_of(b"{}"),
        payload_of(b"[" * 100_000),
        payload_of(b'{"a":' * 100_000),
        document_payload(b"[" * 1_000_000),
        document_payload(b"[" * 100_000 + b"]" * 100_000),
        document_payload(b'{"kind":"test","version":"1","document":NaN}'),
        document_payload(b'{"kind":"test","version":"1","document":' + b"9" * 10_000 + b"}"),
        document_payload(b'{"kind":"test","version":"1"}'),
        document_payload(b'{"kind":"other","version":"1","document":null}'),
        document_payload(b'{"kind":"test","version":1,"document":null}'),
        document_payload(b'["kind"]'),
        document_payload(b"\xff\xfe{}"),
        document_payload(bytes(2**25 + 1)),
        safetensors.numpy.save({"document.json": np.zeros(3)}),
        safetensors.numpy.save({"document.json": np.zeros((2, 2), np.uint8)}),
    ],
    ids=range(23),
)
def test_hand_made_payloads_with_a_right_checksum(path, payload):
    assert_error(path, sealed(payload))


def test_another_version_of_the_format(path):
    assert_error(path, sealed(b"", version=2), "version 2 of the file format")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_container(tmp_path / "none", "test")
    with pytest.raises(ModelFileError, match="not a file"):
        read_container(tmp_path, "test")


# -------------------------------------------------------------------------------- writing
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_keeps_the_earlier_file_and_leaves_no_other(path, monkeypatch, step):
    write_container(path, "test", "earlier", {})

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(atomic.os, step, fail)
    with pytest.raises(OSError, match="no space"):
        write_container(path, "test", "later", {})
    assert read_container(path, "test").document == "earlier"
    assert os.listdir(path.parent) == [path.name]


def test_an_interruption_keeps_the_earlier_file(path):
    path.write_bytes(b"earlier")

    def chunks():
        yield b"later"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic.write_atomically(path, chunks())
    assert path.read_bytes() == b"earlier"
    assert os.listdir(path.parent) == [path.name]


def test_permissions_and_links_are_kept(path):
    path.write_bytes(b"earlier")
    path.chmod(0o600)
    link = path.with_name("link")
    link.symlink_to(path)
    atomic.write_atomically(link, [b"later"])
    assert link.is_symlink()
    assert path.read_bytes() == b"later"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_file_has_the_permissions_of_any_other(path):
    other = path.with_name("other")
    other.write_bytes(b"")
    atomic.write_atomically(path, [b""])
    assert path.stat().st_mode == other.stat().st_mode


def test_a_folder_is_not_replaced(tmp_path):
    with pytest.raises(IsADirectoryError, match="path of a file"):
        atomic.write_atomically(tmp_path, [b""])
    assert os.listdir(tmp_path) == []
