"""Load NASA's C-MAPSS turbofan engines."""

from __future__ import annotations

import os
import zlib
from gzip import BadGzipFile
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

SUBSETS = ("FD001", "FD002", "FD003", "FD004")
EMBEDDED = "FD001"
FEATURES = [f"setting{i}" for i in range(1, 4)] + [f"sensor{i}" for i in range(1, 22)]
COLUMNS = ["unit", "cycle", *FEATURES]


def load_turbofan(
    subset: str = "FD001", *, data_home: str | os.PathLike[str] | None = None
) -> Bunch:
    """Load a subset of the C-MAPSS turbofan engines, to predict remaining useful life.

    Training engines run until they fail; test engines stop earlier. Every row has a target, the
    number of cycles left. The tables are panels with `unit` as series and `cycle` as time. FD001
    is included in the package; the other subsets are read from NASA's files.

    Parameters
    ----------
    subset : {"FD001", "FD002", "FD003", "FD004"}, default="FD001"
        Name of the subset. FD001 and FD003 have one operating condition, FD002 and FD004 have
        six. FD001 and FD002 have one fault mode, FD003 and FD004 have two.
    data_home : str or path-like, default=None
        Folder with NASA's files: for FD002, these are `train_FD002.txt`, `test_FD002.txt` and
        `RUL_FD002.txt`, or gzipped files with `.gz` after these names. Required for all subsets
        but FD001. If given, FD001 is read from it too.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        train, test : DataFrame of shape (n_rows, 26)
            Columns `unit` and `cycle` (int64), then `setting1` to `setting3` and `sensor1` to
            `sensor21` (float32), sorted by unit and cycle. The numbers of test engines start
            after those of the training engines, so ids are unique.
        train_rul, test_rul : Series of shape (n_rows,)
            Number of cycles left (int64) for each row of `train` and `test`, named "rul" and not
            capped.
        feature_names : list of str
            Names of the 24 settings and sensors.
        DESCR : str
            Description of the columns, the source and the licence.

    Raises
    ------
    ValueError
        If `subset` is unknown, if it is not included and `data_home` is None, or if a file has
        unexpected content.
    FileNotFoundError
        If a file is missing in `data_home`.

    Notes
    -----
    The data set comes from the NASA Prognostics Center of Excellence and is in the public domain.

    References
    ----------
    A. Saxena, K. Goebel, D. Simon and N. Eklund (2008). Damage Propagation Modeling for Aircraft
    Engine Run-to-Failure Simulation. International Conference on Prognostics and Health
    Management.

    Examples
    --------
    >>> from sklstm.datasets import load_turbofan
    >>> turbofan = load_turbofan()
    >>> turbofan.train.shape, turbofan.test.shape
    ((20631, 26), (13096, 26))
    >>> turbofan.train["unit"].nunique(), turbofan.test["unit"].nunique()
    (100, 100)
    >>> turbofan.train_rul.head(3).tolist()
    [191, 190, 189]

    Most published work trains on a capped target:

    >>> turbofan.train_rul.clip(upper=125).head(3).tolist()
    [125, 125, 125]
    """
    embedded = files(__package__) / "data"
    folder = _folder(subset, data_home, embedded)
    train = _read_engines(folder, f"train_{subset}.txt")
    test = _read_engines(folder, f"test_{subset}.txt")
    rul_at_end = _read_rul(folder, f"RUL_{subset}.txt", n_engines=test["unit"].nunique())

    train_rul = _cycles_to_last(train)
    test_rul = _cycles_to_last(test) + rul_at_end[test["unit"] - 1]
    test["unit"] += train["unit"].nunique()
    return Bunch(
        train=train,
        test=test,
        train_rul=train_rul,
        test_rul=test_rul,
        feature_names=list(FEATURES),
        DESCR=(embedded / "turbofan.rst").read_text(encoding="utf-8"),
    )


def _folder(
    subset: str, data_home: str | os.PathLike[str] | None, embedded: Traversable
) -> Traversable:
    """Return `data_home`, or the folder in the package if `data_home` is None."""
    if subset not in SUBSETS:
        raise ValueError(f"subset must be one of {', '.join(SUBSETS)}; got {subset!r}.")
    if data_home is not None:
        return Path(data_home).expanduser()
    if subset != EMBEDDED:
        raise ValueError(
            f"Only {EMBEDDED} is included in the package; {subset} needs data_home, a folder with "
            f"the files train_{subset}.txt, test_{subset}.txt and RUL_{subset}.txt (or the same "
            "names with .gz). They are part of the 'Turbofan Engine Degradation Simulation' "
            "(C-MAPSS) data set of NASA's Prognostics Center of Excellence."
        )
    return embedded


def _read_table(folder: Traversable, name: str, n_columns: int) -> tuple[np.ndarray, Traversable]:
    """Read a table of numbers without a header; return it and its file."""
    file = next((f for f in (folder / name, folder / f"{name}.gz") if f.is_file()), None)
    if file is None:
        raise FileNotFoundError(f"Found neither {name} nor {name}.gz in the folder '{folder}'.")
    compression: Literal["gzip"] | None = "gzip" if file.name.endswith(".gz") else None
    try:
        with file.open("rb") as stream:
            table = pd.read_csv(
                stream, sep=r"\s+", header=None, dtype=float, compression=compression
            )
    except (ValueError, EOFError, BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"Cannot read '{file}' as {n_columns} columns of numbers separated by spaces: {error}"
        ) from error
    if table.shape[1] != n_columns:
        raise ValueError(
            f"'{file}' must have {n_columns} columns of numbers; it has {table.shape[1]}."
        )
    values = table.to_numpy()
    # The parser fills short lines with NaN.
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise ValueError(
            f"'{file}' must have {n_columns} finite numbers in every line; "
            f"row {bad[0] + 1} does not."
        )
    return values, file


def _read_engines(folder: Traversable, name: str) -> pd.DataFrame:
    values, file = _read_table(folder, name, n_columns=len(COLUMNS))
    data = pd.DataFrame(values, columns=COLUMNS)
    n_engines = data["unit"].nunique()
    # The RUL file has no ids: its lines are for engines 1, 2, ... in this order.
    in_order = np.array_equal(data["unit"].unique(), np.arange(1, n_engines + 1))
    if not in_order or (data["cycle"] != data.groupby("unit").cumcount() + 1).any():
        raise ValueError(
            f"'{file}' must hold the engines 1, 2, ... in this order, each with the cycles "
            "1, 2, ...; the first column is the unit, the second the cycle."
        )
    return data.astype({"unit": "int64", "cycle": "int64"} | dict.fromkeys(FEATURES, "float32"))


def _read_rul(folder: Traversable, name: str, n_engines: int) -> np.ndarray:
    """Read the number of cycles left after the last row of each test engine."""
    values, file = _read_table(folder, name, n_columns=1)
    rul = values[:, 0]
    if len(rul) != n_engines:
        raise ValueError(
            f"'{file}' must have one line for each of the {n_engines} test engines; "
            f"it has {len(rul)}."
        )
    if (rul < 0).any() or (rul % 1 != 0).any():
        raise ValueError(f"'{file}' must hold whole numbers of cycles, 0 or more.")
    return rul.astype("int64")


def _cycles_to_last(data: pd.DataFrame) -> pd.Series:
    """Return the number of cycles after each row until the last row of its engine."""
    last = data.groupby("unit")["cycle"].transform("max")
    return (last - data["cycle"]).rename("rul")
