"""Codecs of estimators and of the dataclasses that they keep: the list of what may be loaded."""

from __future__ import annotations

import importlib
import inspect
import sys
from dataclasses import fields
from typing import Any

import numpy as np
from sklearn.utils._metadata_requests import SIMPLE_METHODS, MetadataRequest

from sklstm._files.checkpoint import Checkpoint
from sklstm._network.spec import NetworkSpec
from sklstm._panel.categories import CategoricalFeature
from sklstm._panel.frames import FrameKind
from sklstm._panel.frequency import Frequency
from sklstm._panel.rows import SeriesRows
from sklstm._panel.statistics import Extremes, MaxAbs, Moments, Quartiles
from sklstm._progress import CALLBACK_ATTRIBUTES
from sklstm.forecasting import MultiSeriesForecaster
from sklstm.forecasting._columns import PanelColumns
from sklstm.forecasting._context import FittedContext
from sklstm.forecasting._normalization import TargetScale, ValueScale
from sklstm.forecasting._window_builder import WindowBuilder
from sklstm.lstm import MultiSeriesLSTMClassifier, MultiSeriesLSTMRegressor
from sklstm.meta import (
    PerSeriesTargetRegressor,
    SeriesEnsembleClassifier,
    SeriesEnsembleRegressor,
)
from sklstm.meta._target_scaler import TargetScaler
from sklstm.persistence._graph import Codec, Decoder, Encoder, Entry, Place
from sklstm.persistence._hints import check_fields, check_hints
from sklstm.preprocessing import PerSeriesImputer, PerSeriesScaler, WindowTransformer

OWN = {
    kind.__name__: kind
    for kind in (
        *(MultiSeriesLSTMClassifier, MultiSeriesLSTMRegressor, MultiSeriesForecaster),
        *(PerSeriesImputer, PerSeriesScaler, WindowTransformer),
        *(PerSeriesTargetRegressor, SeriesEnsembleClassifier, SeriesEnsembleRegressor),
        TargetScaler,
    )
}
DATACLASSES = {
    kind.__name__: kind
    for kind in (
        *(
            CategoricalFeature,
            Checkpoint,
            Extremes,
            FittedContext,
            FrameKind,
            Frequency,
            MaxAbs,
            Moments,
            NetworkSpec,
            PanelColumns,
        ),
        *(Quartiles, SeriesRows, TargetScale, ValueScale, WindowBuilder),
    )
}
# scikit-learn's estimators whose attributes are plain data, and nothing that computes in C from
# positions in its own arrays, as trees do.
SKLEARN = {
    name: module
    for module, names in {
        "cluster": ["KMeans", "MiniBatchKMeans"],
        "compose": ["ColumnTransformer", "TransformedTargetRegressor"],
        "decomposition": ["PCA", "TruncatedSVD"],
        "dummy": ["DummyRegressor"],
        "feature_selection": ["VarianceThreshold"],
        "frozen": ["FrozenEstimator"],
        "impute": ["MissingIndicator", "SimpleImputer"],
        "kernel_ridge": ["KernelRidge"],
        "linear_model": [
            *("ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor"),
            *("Lasso", "LassoCV", "LinearRegression", "LogisticRegression", "QuantileRegressor"),
            *("Ridge", "RidgeCV", "TheilSenRegressor"),
        ],
        "multioutput": ["MultiOutputRegressor", "RegressorChain"],
        "pipeline": ["FeatureUnion", "Pipeline"],
        "preprocessing": [
            *("Binarizer", "FunctionTransformer", "LabelEncoder"),
            *("MaxAbsScaler", "MinMaxScaler", "Normalizer", "OneHotEncoder", "OrdinalEncoder"),
            *("PolynomialFeatures", "PowerTransformer", "QuantileTransformer", "RobustScaler"),
            *("StandardScaler", "TargetEncoder"),
        ],
    }.items()
    for name in names
}


# ---------------------------------------------------------------------------- dataclasses
def encode_dataclass(value: Any, encoder: Encoder, place: Place) -> Entry:
    """Encode a dataclass by its fields; what it has cached is left out."""
    names = [field.name for field in fields(value)]
    state = {name: encoder.value(getattr(value, name), (*place, name)) for name in names}
    return {"class": type(value).__name__, "state": state}


def decode_dataclass(entry: Entry, decoder: Decoder) -> Any:
    """Decode a dataclass and check the types of its fields."""
    kind = DATACLASSES[entry["class"]]
    state = {name: decoder.value(node) for name, node in entry["state"].items()}
    check_fields(kind, state)
    value = kind(**state)
    if isinstance(value, SeriesRows):
        _check_rows(value)
    return value


def _check_rows(rows: SeriesRows) -> None:
    """Raise ValueError unless codes and order are positions that exist."""
    n_rows = len(rows.codes)
    for values, stop, n_values in (
        (rows.codes, len(rows.ids), n_rows),
        (rows.order, n_rows, n_rows),
    ):
        if values is None:
            continue
        if values.dtype.kind not in "iu" or values.shape != (n_values,):
            raise ValueError("the index of rows by series is not valid")
        if len(values) and (values.min() < 0 or values.max() >= stop):
            raise ValueError("the index of rows by series has positions that do not exist")
    if rows.time is not None and np.shape(rows.time) != (n_rows,):
        raise ValueError("the times of rows are not valid")


# ----------------------------------------------------------------------------- estimators
def class_of(name: str) -> Any:
    """Return the class of an estimator in the lists of this module.

    The file names a class of the lists, and never a module.
    """
    if name in OWN:
        return OWN[name]
    module = importlib.import_module(f"sklearn.{SKLEARN[name]}")
    return getattr(module, name)


def is_known(value: Any) -> bool:
    """Whether a value is an estimator in the lists of this module."""
    kind = type(value)
    if kind in OWN.values():
        return True
    module = SKLEARN.get(kind.__name__)
    loaded = None if module is None else sys.modules.get(f"sklearn.{module}")
    return loaded is not None and getattr(loaded, kind.__name__, None) is kind


def encode_estimator(value: Any, encoder: Encoder, place: Place) -> Entry:
    """Encode an estimator by its attributes, as pickle would read them, without callbacks."""
    parameters = type(value)._get_param_names()
    state = {}
    # The versions are those of pickles. Ids keep their type, so that they stay shared.
    for name, item in {**value.__getstate__(), **vars(value)}.items():
        if name in CALLBACK_ATTRIBUTES:
            continue
        word = "parameter" if name in parameters else "attribute"
        state[name] = encoder.value(item, (*place, f"{word} {name!r}"))
    return {"class": type(value).__name__, "state": state}


def decode_estimator(entry: Entry, decoder: Decoder) -> Any:
    """Decode an estimator, and check that its state belongs to its class."""
    kind = class_of(entry["class"])
    state = {name: decoder.value(node) for name, node in entry["state"].items()}
    parameters = set(kind._get_param_names())
    if missing := parameters - state.keys():
        raise ValueError(f"{kind.__name__} lacks the parameters {sorted(missing)}")
    for name in state:
        own = inspect.getattr_static(kind, name, None)
        if name.startswith("__") or callable(own) or isinstance(own, (property, classmethod)):
            raise ValueError(f"{kind.__name__} has no attribute {name!r} in files")
    # Parameters are checked by fit, as those of a constructor are.
    check_hints(kind, {name: item for name, item in state.items() if name not in parameters})
    estimator = kind.__new__(kind)
    estimator.__setstate__(state)
    return estimator


# ----------------------------------------------------------------------- metadata requests
def encode_requests(value: Any, encoder: Encoder, place: Place) -> Entry:
    """Encode the metadata that an estimator requests, such as by `set_fit_request`."""
    owner = value.owner if isinstance(value.owner, str) else type(value.owner).__name__
    return {
        "owner": owner,
        "requests": {method: getattr(value, method).requests for method in SIMPLE_METHODS},
    }


def decode_requests(entry: Entry, decoder: Decoder) -> MetadataRequest:
    """Decode the metadata that an estimator requests; scikit-learn checks names and values."""
    request = MetadataRequest(owner=str(entry["owner"]))
    for method, requests in entry["requests"].items():
        if method not in SIMPLE_METHODS:
            raise ValueError(f"{method!r} is no method that requests metadata")
        for name, alias in requests.items():
            getattr(request, method).add_request(param=name, alias=alias)
    return request


CODECS = [
    Codec(
        "metadata requests",
        lambda value: type(value) is MetadataRequest,
        encode_requests,
        decode_requests,
    ),
    Codec("estimator", is_known, encode_estimator, decode_estimator),
    Codec(
        "data",
        lambda value: DATACLASSES.get(type(value).__name__) is type(value),
        encode_dataclass,
        decode_dataclass,
    ),
]
