"""Tests of the turbofan engines."""

import gzip
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from sklstm.datasets import load_turbofan

FEATURES = [f"setting{i}" for i in range(1, 4)] + [f"sensor{i}" for i in range(1, 22)]


@pytest.fixture(scope="module")
def fd001():
    return load_turbofan()


def included_text(name):
    data = (files("sklstm.datasets") / "data" / f"{name}.gz").read_bytes()
    return gzip.decompress(data).decode("ascii")


def engine_lines(lengths):
    """Return lines as in NASA's files, with spaces at the end."""
    rows = [(unit, cycle) for unit, n in enumerate(lengths, 1) for cycle in range(1, n + 1)]
    return "".join(
        f"{unit} {cycle} " + " ".join(f"{unit + j / 4:.4f}" for j in range(24)) + "  \n"
        for unit, cycle in rows
    )


def write(folder, name, text, gz=False):
    if gz:
        (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    else:
        (folder / name).write_text(text)


def write_subset(folder, subset="FD002", gz=False, train=(4, 3, 2), test=(2, 3), rul="7 \n0 \n"):
    write(folder, f"train_{subset}.txt", engine_lines(train), gz)
    write(folder, f"test_{subset}.txt", engine_lines(test), gz)
    write(folder, f"RUL_{subset}.txt", rul, gz)
    return folder


def test_fd001_tables(fd001):
    for data, rul, n_rows in [
        (fd001.train, fd001.train_rul, 20631),
        (fd001.test, fd001.test_rul, 13096),
    ]:
        assert data.shape == (n_rows, 26)
        assert list(data.columns) == ["unit", "cycle", *FEATURES]
        assert (data[["unit", "cycle"]].dtypes == "int64").all()
        assert (data[FEATURES].dtypes == "float32").all()
        pd.testing.assert_index_equal(data.index, pd.RangeIndex(n_rows), exact=True)
        pd.testing.assert_index_equal(rul.index, data.index, exact=True)
        assert rul.name == "rul"
        assert rul.dtype == "int64"
        assert not data.isna().any(axis=None)
    assert fd001.feature_names == FEATURES


def test_fd001_ids_are_unique(fd001):
    assert fd001.train["unit"].unique().tolist() == list(range(1, 101))
    assert fd001.test["unit"].unique().tolist() == list(range(101, 201))


def test_fd001_rul_by_hand(fd001):
    published = [int(line) for line in included_text("RUL_FD001.txt").split()]
    for data, rul, at_end in [
        (fd001.train, fd001.train_rul, dict.fromkeys(range(1, 101), 0)),
        (fd001.test, fd001.test_rul, dict(enumerate(published, 101))),
    ]:
        last = {}
        for unit, cycle in zip(data["unit"], data["cycle"], strict=True):
            last[unit] = max(cycle, last.get(unit, 0))
        expected = [
            at_end[unit] + last[unit] - cycle
            for unit, cycle in zip(data["unit"], data["cycle"], strict=True)
        ]
        assert rul.tolist() == expected


def test_fd001_rul_of_last_test_rows_is_the_published_one(fd001):
    last_rows = fd001.test.groupby("unit").tail(1).index
    published = np.array(included_text("RUL_FD001.txt").split(), dtype=int)
    np.testing.assert_array_equal(fd001.test_rul[last_rows], published)
    assert fd001.train_rul.max() > 125


def test_fd001_values_are_those_of_the_file(fd001):
    lines = included_text("train_FD001.txt").splitlines()
    for row in (0, 191, 20630):
        expected = np.array(lines[row].split()[2:], dtype="float32")
        np.testing.assert_allclose(fd001.train.loc[row, FEATURES].to_numpy(float), expected)


def test_description_has_source_and_licence(fd001):
    for words in ["NASA Prognostics Center of Excellence", "public domain", "Saxena", "2008"]:
        assert words in fd001.DESCR


def test_results_share_no_memory(fd001):
    other = load_turbofan()
    other.feature_names.clear()
    other.train["sensor1"] = 0
    assert load_turbofan().feature_names == FEATURES
    assert (fd001.train["sensor1"] > 0).all()


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("as_type", [str, lambda path: path])
@pytest.mark.parametrize("subset", ["FD001", "FD002", "FD003", "FD004"])
def test_data_home(tmp_path, subset, as_type, gz):
    write_subset(tmp_path, subset, gz)
    data = load_turbofan(subset, data_home=as_type(tmp_path))
    assert data.train["unit"].tolist() == [1] * 4 + [2] * 3 + [3] * 2
    assert data.train_rul.tolist() == [3, 2, 1, 0, 2, 1, 0, 1, 0]
    assert data.test["unit"].tolist() == [4, 4, 5, 5, 5]
    assert data.test["cycle"].tolist() == [1, 2, 1, 2, 3]
    assert data.test_rul.tolist() == [8, 7, 2, 1, 0]
    assert data.train.loc[4, FEATURES].tolist() == [2 + j / 4 for j in range(24)]


def test_data_home_may_start_with_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_subset(tmp_path)
    found, expected = (load_turbofan("FD002", data_home=home) for home in ("~", tmp_path))
    assert len(found.train) == 9
    pd.testing.assert_frame_equal(found.train, expected.train)
    pd.testing.assert_frame_equal(found.test, expected.test)


@pytest.mark.parametrize("subset", ["FD005", "fd001", 1, None])
def test_unknown_subset(subset):
    with pytest.raises(ValueError, match="FD001, FD002, FD003, FD004; got"):
        load_turbofan(subset)


def test_subset_that_is_not_included():
    with pytest.raises(ValueError, match="Only FD001 is included") as caught:
        load_turbofan("FD003")
    for words in [
        "train_FD003.txt",
        "test_FD003.txt",
        "RUL_FD003.txt",
        "'Turbofan Engine Degradation Simulation' (C-MAPSS)",
        "NASA's Prognostics Center of Excellence",
        "data_home",
    ]:
        assert words in str(caught.value)


@pytest.mark.parametrize("name", ["train_FD002.txt", "test_FD002.txt", "RUL_FD002.txt"])
def test_missing_file(tmp_path, name):
    write_subset(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"neither {name} nor {name}.gz") as caught:
        load_turbofan("FD002", data_home=tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither train_FD002.txt"):
        load_turbofan("FD002", data_home=tmp_path / "nowhere")


def test_wrong_number_of_columns(tmp_path):
    write_subset(tmp_path)
    write(tmp_path, "train_FD002.txt", "1 1 0.5\n1 2 0.5\n")
    with pytest.raises(ValueError, match=r"train_FD002.txt' must have 26 columns .* it has 3"):
        load_turbofan("FD002", data_home=tmp_path)


@pytest.mark.parametrize("last_line", ["1 3 0.5\n", engine_lines([1]).replace("1.2500", "nan")])
def test_line_with_missing_numbers(tmp_path, last_line):
    write_subset(tmp_path)
    write(tmp_path, "test_FD002.txt", engine_lines([2]) + last_line)
    with pytest.raises(ValueError, match=r"test_FD002.txt' .* 26 finite numbers .* row 3 does not"):
        load_turbofan("FD002", data_home=tmp_path)


@pytest.mark.parametrize("text", ["", "<html> no data </html>", "1 2\n1 2 3\n"])
def test_file_that_is_not_a_table(tmp_path, text):
    write_subset(tmp_path)
    write(tmp_path, "train_FD002.txt", text)
    with pytest.raises(ValueError, match=r"Cannot read .*train_FD002.txt' as 26 columns"):
        load_turbofan("FD002", data_home=tmp_path)


@pytest.mark.parametrize("cut", [slice(40), slice(10, None)])
def test_damaged_gz(tmp_path, cut):
    write_subset(tmp_path, gz=True)
    file = tmp_path / "train_FD002.txt.gz"
    file.write_bytes(file.read_bytes()[cut])
    with pytest.raises(ValueError, match=r"Cannot read .*train_FD002.txt.gz'"):
        load_turbofan("FD002", data_home=tmp_path)


@pytest.mark.parametrize("keep", [slice(1, None), slice(None, None, -1), slice(None, None, 2)])
def test_engines_or_cycles_out_of_order(tmp_path, keep):
    write_subset(tmp_path)
    lines = engine_lines([3, 3]).splitlines(keepends=True)
    write(tmp_path, "train_FD002.txt", "".join(lines[keep]))
    with pytest.raises(ValueError, match=r"train_FD002.txt' must hold the engines 1, 2"):
        load_turbofan("FD002", data_home=tmp_path)


@pytest.mark.parametrize("rul", ["7\n", "7\n0\n3\n"])
def test_rul_lines_must_match_test_engines(tmp_path, rul):
    write_subset(tmp_path, rul=rul)
    n_lines = len(rul.split())
    with pytest.raises(ValueError, match=rf"each of the 2 test engines; it has {n_lines}\."):
        load_turbofan("FD002", data_home=tmp_path)


@pytest.mark.parametrize("rul", ["7\n-1\n", "7\n0.5\n"])
def test_rul_must_be_whole_cycles(tmp_path, rul):
    write_subset(tmp_path, rul=rul)
    with pytest.raises(ValueError, match=r"RUL_FD002.txt' must hold whole numbers"):
        load_turbofan("FD002", data_home=tmp_path)
