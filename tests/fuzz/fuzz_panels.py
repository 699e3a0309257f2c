"""Draw panels of every layout and dtype, with plain numbers beside them for the references."""

import datetime as dt
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

try:
    import pyarrow
except ImportError:  # the panels then have no Arrow columns
    pyarrow = None

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2020-03-28")  # days before and after the clocks change


def dates(steps):
    return START + pd.to_timedelta(steps, unit="D")


def arrow(values, dtype):
    return pd.array(values, dtype=pd.ArrowDtype(dtype))


ID_KINDS = {
    "int": lambda codes: codes * 7 - 300,
    "int8": lambda codes: codes.astype("i1"),
    "uint64": lambda codes: codes.astype("u8") + np.uint64(2**63),
    "float": lambda codes: codes / 4 - 3,
    "float16": lambda codes: codes.astype("f2"),
    "longdouble": lambda codes: codes.astype("g"),
    "str": lambda codes: np.array([f"unit {code}" for code in codes]),
    "object": lambda codes: pd.Series([f"ä{c}" if c % 2 else int(c) for c in codes], dtype=object),
    "bytes": lambda codes: np.array([b"%d" % code for code in codes]),
    "tuple": lambda codes: pd.Series([("a", int(code)) for code in codes]),
    "date": lambda codes: dates(codes),
    "string": lambda codes: pd.array([f"{code}" for code in codes], dtype="string"),
    "Int64": lambda codes: pd.array(codes, dtype="Int64"),
    "categorical": lambda codes: pd.Categorical([f"{code}" for code in codes]),
    "period": lambda codes: pd.PeriodIndex.from_ordinals(codes, freq="M"),
}
TIME_KINDS = {
    "int": (lambda steps: steps - 20, 1),
    "int32": (lambda steps: steps.astype("i4"), 1),
    "uint64": (lambda steps: steps.astype("u8") + np.uint64(2**62), 1),
    "float": (lambda steps: steps / 2 - 3, 0.5),
    "float16": (lambda steps: steps.astype("f2"), 1),
    "object": (lambda steps: steps.astype(object), 1),
    "Int64": (lambda steps: pd.array(steps, dtype="Int64"), 1),
    "datetime": (lambda steps: dates(steps), DAY),
    "datetime64[s]": (lambda steps: np.asarray(dates(steps).astype("M8[s]")), DAY),
    "date": (lambda steps: [day.date() for day in dates(steps)], DAY),
    "time zone": (lambda steps: dates(steps).tz_localize("UTC").tz_convert("CET"), DAY),
    "timedelta": (lambda steps: pd.to_timedelta(steps, unit="D"), DAY),
    "period": (lambda steps: pd.PeriodIndex.from_ordinals(steps, freq="Q"), 1),
}
if pyarrow is not None:
    ID_KINDS |= {
        "Arrow int": lambda codes: arrow(codes, pyarrow.int32()),
        "Arrow string": lambda codes: arrow([str(code) for code in codes], pyarrow.string()),
    }
    TIME_KINDS |= {
        "Arrow int": (lambda steps: arrow(steps, pyarrow.int64()), 1),
        "Arrow timestamp": (lambda s: arrow(dates(s), pyarrow.timestamp("us")), DAY),
        "Arrow zone": (lambda s: arrow(dates(s), pyarrow.timestamp("us", "UTC")), DAY),
        "Arrow date": (
            lambda steps: arrow([day.date() for day in dates(steps)], pyarrow.date32()),
            DAY,
        ),
    }
# Kinds that an array of numbers can hold beside the features.
ARRAY_IDS, ARRAY_TIMES = ["int", "int8", "float"], ["int", "int32", "float"]
VALUE_KINDS = ["float64", "float32", "float16", "int", "constant", "Float64", "large"]
ARRAYS = ["array", "Fortran", "read-only", "memory map", "object array"]
LAYOUTS = ["columns", "columns", "index", *ARRAYS]
# A fault of the panel and the documented message of its error.
FAULTS = {
    "duplicate": r"repeat a (\(series, time\) pair|time)",
    "missing id": "series id.* is missing",
    "missing time": "time.* is missing",
    "infinite": "infinity or a value too large",
    "text": "expected numbers",
    "far date": "expected dates from 1677",
}


@dataclass
class FuzzPanel:
    """A panel in the form that is passed, and its content in plain numbers.

    `codes`, `steps` and `values` describe the rows in the order in which they stand.
    """

    X: Any
    codes: np.ndarray
    steps: np.ndarray
    values: np.ndarray
    step: Any  # the length in time of one step, for max_gap
    names: dict = field(default_factory=dict)
    columns: Any = None
    fault: str | None = None
    precision: str = "float64"
    layout: str = "columns"
    kinds: tuple = ()  # names of the layout and the dtypes

    def take(self, rows):
        """Choose rows by a mask."""
        X = self.X.iloc[rows] if isinstance(self.X, pd.DataFrame) else self.X[rows]
        parts = {name: getattr(self, name)[rows] for name in ("codes", "steps", "values")}
        return FuzzPanel(**{**vars(self), **parts, "X": X})

    @property
    def has_time(self):
        return "time" in self.names

    @property
    def series(self):
        """Series of each row; one series where no ids are named."""
        return self.codes if "series" in self.names else np.zeros(len(self.codes), int)

    def order(self):
        """Positions of the rows, oldest first."""
        return np.argsort(self.steps, kind="stable") if self.has_time else range(len(self.steps))


def _times(rng, sizes, gaps):
    """Steps in time of each series, with gaps."""
    return [
        rng.integers(0, 6) + np.cumsum(rng.choice([1, 1, 1, 2, 5] if gaps else [1], size))
        for size in sizes
    ]


def _values(rng, kind, n_rows, n_features):
    values = rng.normal(size=(n_rows, n_features)) * rng.choice([0.1, 1, 50]) + rng.choice([0, 9])
    if kind == "int":
        return np.rint(values * 5).astype(int)
    if kind == "constant":
        return np.repeat(np.rint(values[:1]) / 8, n_rows, axis=0)
    if kind == "large":
        return values * 1e12
    if kind in ("float16", "float32"):
        values = values.astype(kind)
    values[rng.random(values.shape) < rng.choice([0, 0, 0.2, 0.9])] = np.nan
    return values


def _sizes(draw, rng):
    n_rows = draw(st.one_of(st.integers(1, 40), st.integers(1, 120), st.integers(1, 500)))
    n_series = draw(st.integers(1, min(n_rows, 200)))
    extra = rng.multinomial(n_rows - n_series, rng.dirichlet(np.ones(n_series)))
    return 1 + extra


@st.composite
def fuzz_panels(draw, faults=True):
    """Draw a FuzzPanel: 1 to 500 rows of 1 to 200 series, of any layout and dtype."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layout = draw(st.sampled_from(LAYOUTS))
    is_array = layout in ARRAYS
    id_kind = draw(st.sampled_from(ARRAY_IDS if is_array else [*ID_KINDS]))
    time_kind = draw(st.sampled_from(ARRAY_TIMES if is_array else [*TIME_KINDS]))
    named = draw(st.sampled_from(["both", "both", "both", "series", "time", "neither"]))
    value_kind = draw(st.sampled_from(VALUE_KINDS))
    fault = draw(st.sampled_from([None] * 12 + [*FAULTS])) if faults else None

    sizes = _sizes(draw, rng)
    if id_kind == "int8":
        sizes = sizes[:127]
    if named in ("time", "neither"):
        sizes = sizes[:1]
    codes = np.repeat(np.arange(len(sizes)), sizes)
    steps = np.concatenate(_times(rng, sizes, draw(st.booleans())))
    if named in ("both", "time") and draw(st.booleans()):  # scattered
        order = rng.permutation(len(codes))
    elif draw(st.booleans()):  # series are mixed, each in time order
        order = np.argsort(steps, kind="stable")
    else:
        order = np.arange(len(codes))
    codes, steps = codes[order], steps[order]
    values = _values(rng, value_kind, len(codes), draw(st.integers(1, 3)))

    names = {"both": ["series", "time"], "neither": []}.get(named, [named])
    if fault == "duplicate" and len(codes) == 1:
        fault = None
    if fault == "duplicate":
        codes[0], steps[0] = codes[-1], steps[-1]
        fault = fault if "time" in names else None
    if fault in ("missing id", "missing time", "far date"):
        needed = "series" if fault == "missing id" else "time"
        if needed not in names or layout != "columns":
            fault = None
    if fault == "text" and layout == "memory map":
        fault = None
    to_time, step = TIME_KINDS[time_kind]
    panel = FuzzPanel(None, codes, steps, values.astype(float), step, layout=layout, fault=fault)
    panel.kinds = (f"layout {layout}", f"values {value_kind}")
    panel.kinds += tuple(
        f"{name} {kind}"
        for name, kind in (("series", id_kind), ("time", time_kind))
        if name in names
    )
    ids, times = ID_KINDS[id_kind](codes), to_time(steps)
    if is_array:
        _set_array(panel, ids, times, values, names)
    else:
        _set_frame(panel, ids, times, values, names, value_kind)
    return panel


def _faulty_values(fault, values):
    if fault == "infinite":
        values = values.astype(float)
        values[len(values) // 2, 0] = np.inf
    elif fault == "text":
        values = values.astype(object)
        values[len(values) // 2, 0] = "1.5"
    return values


def _set_frame(panel, ids, times, values, names, value_kind):
    fault, n_rows = panel.fault, len(values)
    frame = pd.DataFrame({"id": pd.Series(ids), "when": pd.Series(times)})
    if fault in ("missing id", "missing time"):
        name = "id" if fault == "missing id" else "when"
        frame[name] = frame[name].astype(object)
        frame.loc[n_rows // 2, name] = None
    if fault == "far date":
        frame["when"] = pd.Series([dt.datetime(1500 + int(step), 1, 1) for step in panel.steps])
    values = pd.DataFrame(_faulty_values(fault, values))
    if value_kind == "Float64" and fault is None:
        values = values.astype("Float64")
    values.columns = [f"v{j}" for j in range(values.shape[1])]
    frame = pd.concat([frame, values], axis=1)
    wanted = {"series": "id", "time": "when"}
    panel.names = {name: wanted[name] for name in names}
    panel.X = frame.drop(columns=[wanted[name] for name in wanted if name not in names])
    if panel.layout == "index":
        # pandas has no index of these floats.
        wide = [c for c in ("id", "when") if frame[c].dtype in (np.float16, np.longdouble)]
        levels = [c for c in panel.names.values() if c not in wide]
        panel.X = panel.X.set_index(levels) if levels else panel.X
    panel.columns = [f"v{j}" for j in range(values.shape[1])]
    if value_kind == "float32" and fault != "infinite":
        panel.precision = "float32"


def _set_array(panel, ids, times, values, names):
    values = _faulty_values(panel.fault, values)
    parts = {"series": ids, "time": times}
    columns = [*[np.asarray(parts[name])[:, np.newaxis] for name in names], values]
    is_object = panel.layout == "object array" or values.dtype == object
    X = np.concatenate([part.astype(object if is_object else float) for part in columns], axis=1)
    panel.names = {name: j for j, name in enumerate(names)}
    panel.columns = list(range(len(names), X.shape[1]))
    if panel.layout == "Fortran":
        X = np.asfortranarray(X)
    if panel.layout == "read-only":
        X.flags.writeable = False
    if panel.layout == "memory map":
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "X.npy", X)
            X = np.load(Path(folder) / "X.npy", mmap_mode="r")  # stays open without its name
    panel.X = X
