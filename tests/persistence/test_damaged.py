"""Damaged, foreign and malicious files: one error class, no code run, bounded memory."""

import hashlib
import json
import os
import pickle
import struct
import subprocess
import sys
import textwrap
import tracemalloc
import warnings
from functools import cache

import numpy as np
import pytest
import safetensors.numpy
from helpers import lstm, make_panel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import sklstm
from sklstm import PerSeriesScaler, WindowTransformer
from sklstm._files.container import ModelFileError, read_container, write_container

IDS = {"series": "unit", "time": "cycle"}
PANEL = make_panel([6, 8])
START = 48  # bytes of the preamble


def seal(payload):
    """Put the right size and checksum before a payload, as an attacker would."""
    digest = hashlib.sha256(payload).digest()
    return struct.pack("<6sHQ32s", b"sklstm", 1, len(payload), digest) + payload


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


@cache
def small_file(folder):
    """The bytes of a file without a network."""
    steps = make_pipeline(PerSeriesScaler(**IDS), WindowTransformer(3, **IDS)).fit(PANEL)
    sklstm.save(steps, folder / "small")
    return (folder / "small").read_bytes()


@cache
def network_file(folder):
    net = lstm(epochs=1, **IDS).fit(PANEL, PANEL["p"])
    sklstm.save(net, folder / "net")
    return (folder / "net").read_bytes()


def loads_or_raises(content, folder):
    """Return what a file holds, None where it raises the documented error."""
    path = folder / "damaged"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of another version, for example
        try:
            loaded = sklstm.load(path)
        except ModelFileError as error:
            assert str(path) in str(error)
            return None
    assert isinstance(loaded, BaseEstimator)
    return loaded


# ------------------------------------------------------------------------- mutated files
def mutate(content, draw):
    """Flip bits, cut, extend, repeat or move parts of some bytes."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        kind = draw(st.sampled_from(["flip", "byte", "cut", "insert", "drop", "repeat"]))
        n_bytes = draw(st.integers(1, 16))
        if kind == "flip" and content:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte" and content:
            content[at] = draw(st.sampled_from(b'\x00\xff09-"[]{},:eE'))
        elif kind == "cut":
            del content[at:]
        elif kind == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=16))
        elif kind == "drop":
            del content[at : at + n_bytes]
        else:
            content[at:at] = content[at : at + n_bytes]
    return bytes(content)


def check_damaged(content, data, folder):
    damaged = mutate(content, data.draw)
    if damaged != content:
        assert loads_or_raises(damaged, folder) is None


def check_sealed(content, data, folder):
    """With a right checksum, a mutated file raises, or holds an estimator with other values."""
    loads_or_raises(seal(mutate(content[START:], data.draw)), folder)


def examples(n):
    return settings(max_examples=n, deadline=None, suppress_health_check=list(HealthCheck))


@examples(500)
@given(data=st.data())
def test_500_mutated_files(folder, data):
    check_damaged(small_file(folder), data, folder)


@examples(500)
@given(data=st.data())
def test_500_mutated_files_with_a_right_checksum(folder, data):
    check_sealed(small_file(folder), data, folder)


@pytest.mark.slow
@examples(10_000)
@given(data=st.data())
def test_10000_mutated_files_with_a_right_checksum(folder, data):
    check_sealed(small_file(folder), data, folder)


@pytest.mark.slow
@examples(1000)
@given(data=st.data())
def test_1000_mutated_files_of_a_network(folder, data):
    check_damaged(network_file(folder), data, folder)
    check_sealed(network_file(folder), data, folder)


# -------------------------------------------------------------------- mutated documents
nodes = st.one_of(
    *(
        st.none(),
        st.booleans(),
        st.integers(-3, 50),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=3),
    ),
    st.sampled_from([2**31, 2**63, 2**70, -1, 1e300]),
    st.integers(0, 60).map(lambda number: {"ref": number}),
    st.sampled_from(["list", "array", "dict", "estimator", "data", "network", "index", "Ridge"]),
    st.just([]),
    st.just({}),
)


def places_of(node, place=()):
    """Yield the place of every part of a document."""
    yield place
    items = enumerate(node) if isinstance(node, list) else ()
    items = node.items() if isinstance(node, dict) else items
    for key, item in items:
        yield from places_of(item, (*place, key))


def replace(document, place, value):
    if not place:
        return value
    document = document.copy()
    document[place[0]] = replace(document[place[0]], place[1:], value)
    return document


def check_document(content, data, folder):
    (folder / "whole").write_bytes(content)
    document, arrays, _ = read_container(folder / "whole", "model")
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(list(places_of(document))))
        document = replace(document, place, data.draw(nodes))
    write_container(folder / "changed", "model", document, arrays)
    loads_or_raises((folder / "changed").read_bytes(), folder)


@examples(500)
@given(data=st.data())
def test_500_documents_with_wrong_types_and_values(folder, data):
    check_document(small_file(folder), data, folder)


@pytest.mark.slow
@examples(1000)
@given(data=st.data())
def test_1000_documents_of_a_network(folder, data):
    check_document(network_file(folder), data, folder)


# ---------------------------------------------------------------------- malicious files
def write(folder, objects, arrays=None, root=None):
    root = {"ref": len(objects) - 1} if root is None else root
    path = folder / "malicious"
    write_container(path, "model", {"objects": objects, "root": root}, arrays or {})
    return path


def changed_network(folder, **spec):
    """The file of a network with other numbers in its spec."""
    (folder / "whole").write_bytes(network_file(folder))
    document, arrays, _ = read_container(folder / "whole", "model")
    (entry,) = [one for one in document["objects"] if one.get("class") == "NetworkSpec"]
    entry["state"] |= spec
    write_container(folder / "changed", "model", document, arrays)
    return folder / "changed"


@pytest.mark.parametrize(
    "spec",
    [
        {"hidden_units": 2**20},
        {"n_layers": 2**20},
        {"n_features": 2**31},
        {"segment_length": 2**31},
        {"n_outputs": 2**31},
        {"attention": 2**31},
        {"series_embedding": 2**31},
        {"series_embedding": 4, "n_series": 2**31},
        {"hidden_units": -1},
        {"hidden_units": 0},
        {"hidden_units": 4.0},
        {"hidden_units": True},
        {"hidden_units": 5},
        {"window_length": 0},
        {"dtype_policy": "int8_from_float32"},
        {"dropout": "0"},
    ],
    ids=str,
)
def test_a_network_is_never_larger_than_its_file(folder, spec):
    path = changed_network(folder, **spec)
    tracemalloc.start()
    with pytest.raises(ModelFileError):
        sklstm.load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6


class Harmful:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize("name", ["pickle", "npz", "skops", "keras"])
def test_renamed_files_run_no_code(folder, name, monkeypatch):
    monkeypatch.chdir(folder)
    content = pickle.dumps(Harmful())
    for harmful in (content, seal(content), content + small_file(folder)):
        assert loads_or_raises(harmful, folder) is None
    path = folder / f"model.{name}"
    if name == "npz":
        np.savez(path, x=np.array([Harmful()], object))
    elif name == "skops":
        path.write_bytes(pytest.importorskip("skops.io").dumps(Ridge()))
    elif name == "keras":
        network_file(folder)
        sklstm.load(folder / "net").model_.save(path)
    else:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match="not a model file"):
        sklstm.load(path)
    assert not (folder / "harmed").exists()


PARAMETERS = PerSeriesScaler().get_params()


@pytest.mark.parametrize(
    "objects",
    [
        [],
        [1],
        [{"type": "list", "items": []}],
        [{"type": "estimator", "class": "builtins.eval", "state": {}}],
        [{"type": "estimator", "class": "sklearn.linear_model.Ridge", "state": {}}],
        [{"type": "estimator", "class": "../../Ridge", "state": {}}],
        [{"type": "estimator", "class": "__import__", "state": {}}],
        [{"type": "estimator", "class": ["Ridge"], "state": {}}],
        [{"type": "estimator", "class": "PerSeriesScaler", "state": []}],
        [{"type": "estimator", "class": "PerSeriesScaler", "state": PARAMETERS | {"fit": 1}}],
        [
            {
                "type": "estimator",
                "class": "PerSeriesScaler",
                "state": PARAMETERS | {"__class__": "x"},
            }
        ],
        [{"type": "estimator", "class": "FunctionTransformer", "state": {"func": "os.system"}}],
        [{"type": "array", "tensor": "../../etc/passwd"}],
        [{"type": "index", "values": {"kind": "numpy", "values": {"tensor": "x"}}, "name": 1}],
    ],
    ids=range(14),
)
def test_malicious_documents(folder, objects):
    with pytest.raises(ModelFileError):
        sklstm.load(write(folder, objects))


def test_names_of_arrays_are_no_paths(folder, monkeypatch):
    """Nothing is written where a file is loaded."""
    monkeypatch.chdir(folder)
    arrays = {"../../escape": np.zeros(3), "/etc/passwd": np.zeros(3)}
    before = set(os.listdir(folder)) | {"malicious"}
    with pytest.raises(ModelFileError, match="expected an estimator"):
        sklstm.load(write(folder, [{"type": "array", "tensor": "../../escape"}], arrays))
    assert set(os.listdir(folder)) == before


def test_deep_nesting_is_decoded_without_recursion(folder):
    objects = [{"type": "list", "items": []}]
    objects += [{"type": "list", "items": [{"ref": n}]} for n in range(20_000)]
    with pytest.raises(ModelFileError, match="expected an estimator"):
        sklstm.load(write(folder, objects))
    text = b'{"kind":"model","version":"1","document":' + b"[" * 10**6
    payload = safetensors.numpy.save({"document.json": np.frombuffer(text, np.uint8)})
    assert loads_or_raises(seal(payload), folder) is None


def test_shared_objects_do_not_multiply(folder):
    """Each level refers twice to the one below: 2**60 objects, if they were copied."""
    objects = [{"type": "list", "items": ["x" * 1000]}]
    objects += [{"type": "list", "items": [{"ref": n}] * 2} for n in range(60)]
    with pytest.raises(ModelFileError, match="expected an estimator"):
        sklstm.load(write(folder, objects))


BOUNDED = """
    import resource, sys
    import sklstm, sklstm.persistence
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    limit = used + 200 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for path in sys.argv[1:]:
        try:
            sklstm.load(path)
        except sklstm.persistence.ModelFileError:
            print("raised")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_memory_is_bounded(folder):
    """Files that declare much memory are refused by a process that may only have 200 MiB."""
    huge = {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]}
    header = json.dumps({"x": huge}).encode()
    wide = {"type": "array", "shape": [2**40], "items": [], "dtype": "<U1"}
    strings = {"type": "array", "shape": [1], "text": "0", "sizes": "1", "dtype": "<U1000000000"}
    contents = [
        struct.pack("<6sHQ32s", b"sklstm", 1, 2**40, bytes(32)),
        seal(struct.pack("<Q", 2**40) + b"{}"),
        seal(struct.pack("<Q", len(header)) + header),
        write(folder, [wide]).read_bytes(),
        write(
            folder, [strings], {"0": np.zeros(1, np.uint8), "1": np.ones(1, np.uint8)}
        ).read_bytes(),
        changed_network(folder, hidden_units=2**20).read_bytes(),
    ]
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / f"bomb{number}")
        paths[-1].write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BOUNDED), *map(str, paths)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.split() == ["raised"] * len(contents), done.stderr


def test_a_sparse_file_is_not_read_into_memory(folder):
    """A file of 1 TB that is no model file costs nothing."""
    path = folder / "sparse"
    with open(path, "wb") as file:
        file.truncate(2**40)
    with pytest.raises(ModelFileError, match="not a model file"):
        sklstm.load(path)
    path.unlink()
