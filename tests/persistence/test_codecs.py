"""Values of every permitted type come back, with their types; all others raise."""

import datetime
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from sklstm.persistence._graph import Decoder, Encoder
from sklstm.persistence._save_load import CODECS


def round_trip(value):
    encoder = Encoder(CODECS)
    root = encoder.value(value, ())
    entries = json.loads(json.dumps(encoder.entries, allow_nan=False))
    arrays = {name: np.array(array, order="C") for name, array in encoder.arrays.items()}
    return Decoder(CODECS, arrays).decode(entries, root)


def assert_comes_back(value):
    """The bytes of the pickle hold type, order, dtype, layout and all values."""
    loaded = round_trip(value)
    assert type(loaded) is type(value)
    assert pickle.dumps(loaded) == pickle.dumps(value)


def decode(*entries):
    """Decode entries that are written by hand; the last one is the result."""
    return Decoder(CODECS, {}).decode(list(entries), {"ref": len(entries) - 1})


# ------------------------------------------------------------------------------ own types
scalars = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    *(st.dates(), st.datetimes(), st.timedeltas()),
)
numbers = numpy_strategies.arrays(
    st.sampled_from(["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]),
    numpy_strategies.array_shapes(min_dims=0, max_dims=3, min_side=0),
)
keys = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.tuples(st.text(), st.dates())
)
values = st.recursive(
    scalars | numbers,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=20,
)


def equal(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return equal(list(a.items()), list(b.items()))
    return a == b or (a != a and b != b)


@given(value=values)
def test_nested_values_come_back(value):
    assert equal(round_trip(value), value)


@pytest.mark.parametrize(
    "value",
    [
        *({1, 2}, set(), slice(1, None, 2), slice("a", "b"), range(2, 9, 3), float, str, object),
        *(-0.0, float("inf"), 2**200, "\ud800", (1, (2, 3))),
        *(np.float64, np.int32, np.dtype("f4"), np.dtype(object), np.dtype("M8[us]")),
        *(np.float32(1.5), np.int8(-3), np.bool_(True), np.float64("nan"), np.str_("ü")),
        *(np.datetime64("2020-01-02", "s"), np.timedelta64(3, "D")),
        *(np.log1p, np.sqrt),
    ],
    ids=repr,
)
def test_values_come_back(value):
    assert_comes_back(value)


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(["a", "", "üü", "a\0b"], object),
        np.array(["a", "bcd"]),
        np.array([["a"], ["bcd"]], object),
        np.array([1, "a", None, 2.5, (1, "b"), pd.Timestamp("2020", tz="UTC")], object),
        np.array([], object),
        np.array(["2020-01-01", "NaT"], "M8[s]"),
        np.array([[1, 2]], "m8[ns]"),
    ],
    ids=range(8),
)
def test_arrays_come_back(array):
    loaded = round_trip(array)
    assert loaded.dtype == array.dtype
    assert loaded.shape == array.shape
    assert loaded.flags.f_contiguous == array.flags.f_contiguous
    assert pickle.dumps(loaded.tolist()) == pickle.dumps(array.tolist())


def test_bfloat16_comes_back():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([1.5, -2], ml_dtypes.bfloat16)
    loaded = round_trip(array)
    assert loaded.dtype == array.dtype
    assert loaded.tobytes() == array.tobytes()


def test_random_states_continue():
    state = np.random.RandomState(3)
    state.normal()  # leaves a second normal value in store
    loaded = round_trip(state)
    assert loaded.normal(size=1000).tobytes() == state.normal(size=1000).tobytes()


def test_shared_objects_are_stored_once_and_stay_shared():
    array, inner = np.arange(1000.0), [1]
    encoder = Encoder(CODECS)
    encoder.value({"a": array, "b": [array, inner], "c": inner}, ())
    assert len(encoder.arrays) == 1
    loaded = round_trip({"a": array, "b": [array, inner], "c": inner})
    assert loaded["a"] is loaded["b"][0]
    assert loaded["c"] is loaded["b"][1]


# --------------------------------------------------------------------------------- pandas
DAYS = pd.date_range("2020-03-28", periods=3)
INDEXES = {
    "int": pd.Index([3, 1], name="unit"),
    "float": pd.Index([0.5, np.inf]),
    "bool": pd.Index([True, False]),
    "str": pd.Index(["a", "b"]),
    "object": pd.Index(["a", 1, None], dtype=object),
    "dates": pd.Index([datetime.date(2020, 1, 1)], dtype=object),
    "range": pd.RangeIndex(2, 10, 3, name="n"),
    "datetime": pd.DatetimeIndex(DAYS.to_numpy()),
    "seconds": pd.DatetimeIndex(DAYS.to_numpy()).as_unit("s"),
    "zone": pd.DatetimeIndex(DAYS.tz_localize("Europe/Berlin").array, freq=None),
    "fixed zone": pd.DatetimeIndex(DAYS.tz_localize("UTC+02:00").array, freq=None),
    "utc": pd.DatetimeIndex(DAYS.tz_localize("UTC").array, freq=None),
    "timedelta": pd.to_timedelta([1, 2], unit="D"),
    "period": pd.period_range("2020", periods=2, freq="Q"),
    "category": pd.CategoricalIndex(["a", "b", "a"], ["b", "a"], ordered=True),
    "string": pd.Index(["a", pd.NA], dtype="string[python]"),
    "Int64": pd.Index([1, pd.NA], dtype="Int64"),
    "Float32": pd.Index([1.5, pd.NA], dtype="Float32"),
    "boolean": pd.Index([True, pd.NA], dtype="boolean"),
    "multi": pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None]),
    "empty": pd.Index([], dtype="int64"),
}


def without_freq(index):
    if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        return index._with_freq(None)
    return index


@pytest.mark.parametrize("name", INDEXES)
def test_indexes_come_back(name):
    index = without_freq(INDEXES[name])
    pd.testing.assert_index_equal(round_trip(index), index, exact=True)


@pytest.mark.parametrize("name", [name for name in INDEXES if name != "multi"])
def test_columns_come_back(name):
    column = INDEXES[name].to_series(index=range(5, 5 + len(INDEXES[name])), name=("a", 1))
    pd.testing.assert_series_equal(round_trip(column), column)
    frame = pd.concat([column, column], axis=1, keys=["x", "x"])
    pd.testing.assert_frame_equal(round_trip(frame), frame)


def test_frames_come_back():
    frame = pd.DataFrame({"a": [1, 2], 3: ["x", None]}, index=INDEXES["multi"])
    pd.testing.assert_frame_equal(round_trip(frame), frame)
    pd.testing.assert_frame_equal(round_trip(frame[[]]), frame[[]])
    pd.testing.assert_frame_equal(round_trip(frame[:0]), frame[:0])


@pytest.mark.parametrize(
    "value",
    [
        pd.Timestamp("2020-01-01 12:00"),
        pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timestamp("2020-01-01", tz="UTC"),
        pd.Timestamp("2500-01-01").as_unit("s"),
        *(pd.Timedelta("3 days 4 us"), pd.Period("2020-01", "M"), pd.NaT, pd.NA),
        *(pd.offsets.MonthBegin(2), pd.offsets.Day(), pd.offsets.Week(weekday=2)),
    ],
    ids=str,
)
def test_times_come_back(value):
    loaded = round_trip(value)
    assert type(loaded) is type(value)
    assert loaded is value or loaded == value
    assert str(loaded) == str(value)


# -------------------------------------------------------------------------- what is not saved
class OwnDict(dict):
    """A subclass, whose code a file cannot hold."""


@pytest.mark.parametrize(
    "value",
    [
        *(len, lambda: 0, object(), OwnDict(), 1j, b"a"),
        *(np.array([object()]), np.longdouble(1)),
        *(np.zeros(2, "c16"), np.zeros(2, "i4,f4"), np.ma.masked_array([1]), np.add),
        *(pd.IntervalIndex.from_breaks([0, 1]), pd.DateOffset(months=1), {((1,),): 1}),
        *(datetime.datetime.now(datetime.UTC), np.random.default_rng(0)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_types_raise_and_are_named(value):
    with pytest.raises(TypeError, match=r"item 1, key 'here'.*cannot be saved"):
        round_trip([0, {"here": value}])


def test_cycles_raise():
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        round_trip(loop)


# --------------------------------------------------------------------- hand-written entries
ONE = {"type": "list", "items": [1]}


@pytest.mark.parametrize(
    "entry",
    [
        {},
        [],
        None,
        {"type": "unknown"},
        {"type": ["list"]},
        {"type": "list"},
        {"type": "list", "items": [[1]]},
        {"type": "list", "items": [{"ref": 0}]},
        {"type": "list", "items": [{"ref": -1}]},
        {"type": "list", "items": [{"ref": True}]},
        {"type": "list", "items": 3},
        {"type": "dict", "pairs": [[1]]},
        {"type": "set", "items": [[]]},
        {"type": "float", "value": "1.5"},
        {"type": "float", "value": "__import__('os')"},
        {"type": "type", "name": "eval"},
        {"type": "numpy type", "name": "load"},
        {"type": "numpy type", "name": "__builtins__"},
        {"type": "function", "name": "load"},
        {"type": "dtype", "name": "f8,f8"},
        {"type": "dtype", "name": "(1000000000,)f8"},
        {"type": "scalar", "dtype": "O", "value": "0000000000000000"},
        {"type": "scalar", "dtype": "<f8", "value": "00"},
        {"type": "array", "tensor": "0"},
        {"type": "array", "shape": [1 << 60], "items": []},
        {"type": "array", "shape": [-1], "items": []},
        {"type": "array", "shape": [1], "items": [{"ref": "0"}]},
        {"type": "timestamp", "value": 0, "unit": "s", "zone": "dateutil//etc/passwd"},
        {"type": "timestamp", "value": 0, "unit": "s", "zone": "../../etc/passwd"},
        {"type": "timestamp", "value": 0, "unit": "s", "zone": "/etc/passwd"},
        {"type": "timestamp", "value": "now", "unit": "s", "zone": "Nowhere"},
        {"type": "offset", "freq": "what"},
        {"type": "range index", "bounds": [0, 1, 0], "name": None},
        {"type": "data", "class": "Popen", "state": {}},
        {"type": "data", "class": "ValueScale", "state": {}},
        {"type": "data", "class": "ValueScale", "state": {"unit": "a"}},
        {"type": "data", "class": "ValueScale", "state": {"unit": 1, "x": 2}},
        {"type": "estimator", "class": "os.system", "state": {}},
        {"type": "estimator", "class": "DecisionTreeRegressor", "state": {}},
        {"type": "estimator", "class": "PerSeriesScaler", "state": {}},
        {"type": "keras", "module": "losses", "name": "Lambda", "arguments": None},
        {"type": "keras", "module": "layers", "name": "Lambda", "arguments": None},
        {"type": "keras", "module": "losses", "name": "deserialize", "arguments": None},
        {"type": "keras", "module": "losses", "name": "get", "arguments": None},
        {"type": "network", "arrays": {}, "state": {}},
    ],
    ids=range(45),
)
def test_hand_written_entries_raise(entry):
    with pytest.raises(ValueError, match="object 0 is not valid|no reference"):
        decode(entry)


def test_an_array_is_used_once():
    entries = [{"type": "array", "tensor": "0"}] * 2
    decoder = Decoder(CODECS, {"0": np.zeros(1)})
    with pytest.raises(ValueError, match="object 1 is not valid"):
        decoder.decode(entries, 0)


def test_nested_tuples_are_no_keys():
    """Hashing them would take time that is exponential in their depth."""
    pairs = [{"type": "tuple", "items": [0, 0]}]
    pairs += [{"type": "tuple", "items": [{"ref": i}, {"ref": i}]} for i in range(60)]
    with pytest.raises(ValueError, match="no plain id"):
        decode(*pairs, {"type": "dict", "pairs": [[{"ref": 60}, 1]]})


@pytest.mark.parametrize("position", [-1, 625, 2**40, 1.5, None])
def test_random_states_stay_inside_their_memory(position):
    entry = {"type": "random state", "keys": "0", "position": position, "has_gauss": 0, "gauss": 0}
    decoder = Decoder(CODECS, {"0": np.zeros(624, np.uint32)})
    with pytest.raises(ValueError, match="random generator"):
        decoder.decode([entry], {"ref": 0})
