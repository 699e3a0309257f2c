"""Tests of the embedded turbofan engines and of the made-up panel."""

import gzip
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from sklstm.datasets import load_turbofan, make_series_panel
from sklstm.datasets._synthetic import _target

FEATURES = [f"setting{i}" for i in range(1, 4)] + [f"sensor{i}" for i in range(1, 22)]


@pytest.fixture(scope="module")
def fd001():
    return load_turbofan()


def embedded_text(name):
    data = (files("sklstm.datasets") / "data" / f"{name}.gz").read_bytes()
    return gzip.decompress(data).decode("ascii")


def engine_lines(lengths):
    """Lines as NASA writes them, blanks at the end included."""
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


def test_fd001_ids_name_one_machine_each(fd001):
    assert fd001.train["unit"].unique().tolist() == list(range(1, 101))
    assert fd001.test["unit"].unique().tolist() == list(range(101, 201))


def test_fd001_rul_by_hand(fd001):
    published = [int(line) for line in embedded_text("RUL_FD001.txt").split()]
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


def test_fd001_last_test_rows_hold_the_published_rul(fd001):
    last_rows = fd001.test.groupby("unit").tail(1).index
    published = np.array(embedded_text("RUL_FD001.txt").split(), dtype=int)
    np.testing.assert_array_equal(fd001.test_rul[last_rows], published)
    assert fd001.train_rul.max() > 125


def test_fd001_values_are_those_of_the_file(fd001):
    lines = embedded_text("train_FD001.txt").splitlines()
    for row in (0, 191, 20630):
        expected = np.array(lines[row].split()[2:], dtype="float32")
        np.testing.assert_allclose(fd001.train.loc[row, FEATURES].to_numpy(float), expected)


def test_description_gives_source_and_licence(fd001):
    for words in ["NASA Prognostics Center of Excellence", "public domain", "Saxena", "2008"]:
        assert words in fd001.DESCR


def test_calls_share_nothing(fd001):
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
    assert len(load_turbofan("FD002", data_home="~").train) == 9


@pytest.mark.parametrize("subset", ["FD005", "fd001", 1, None])
def test_unknown_subset(subset):
    with pytest.raises(ValueError, match="FD001, FD002, FD003, FD004; got"):
        load_turbofan(subset)


def test_subset_that_is_not_embedded():
    with pytest.raises(ValueError, match="Only FD001 is embedded") as caught:
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
def test_line_without_all_numbers(tmp_path, last_line):
    write_subset(tmp_path)
    write(tmp_path, "test_FD002.txt", engine_lines([2]) + last_line)
    with pytest.raises(ValueError, match=r"test_FD002.txt' .* 26 finite numbers .* row 3 does not"):
        load_turbofan("FD002", data_home=tmp_path)


@pytest.mark.parametrize("text", ["", "<html> no data </html>", "1 2\n1 2 3\n"])
def test_content_that_is_no_table(tmp_path, text):
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


def test_panel_layout():
    X, y = make_series_panel(n_series=7, n_steps=(5, 9), n_features=2, random_state=0)
    assert list(X.columns) == ["series", "time", "x0", "x1"]
    assert all(pd.api.types.is_integer_dtype(X[name]) for name in ("series", "time"))
    assert (X[["x0", "x1"]].dtypes == "float64").all()
    assert X["series"].unique().tolist() == list(range(7))
    for _, rows in X.groupby("series"):
        assert rows["time"].tolist() == list(range(len(rows)))
    pd.testing.assert_frame_equal(X, X.sort_values(["series", "time"]))
    pd.testing.assert_index_equal(X.index, pd.RangeIndex(len(X)), exact=True)
    pd.testing.assert_index_equal(y.index, X.index, exact=True)
    assert y.name == "y"
    assert np.isfinite(X.to_numpy()).all()
    assert np.isfinite(y).all()


def test_panel_lengths():
    X, _ = make_series_panel(n_series=200, n_steps=(3, 6), random_state=0)
    assert set(X.groupby("series").size()) == {3, 4, 5, 6}
    X, _ = make_series_panel(n_series=4, n_steps=np.int64(6), random_state=0)
    assert X.groupby("series").size().tolist() == [6] * 4
    assert make_series_panel(n_series=1, n_steps=1, n_features=1)[0].shape == (1, 3)


def test_panel_is_deterministic():
    X, y = make_series_panel(random_state=0)
    for seed in (0, np.random.RandomState(0)):
        X_again, y_again = make_series_panel(random_state=seed)
        pd.testing.assert_frame_equal(X, X_again)
        pd.testing.assert_series_equal(y, y_again)
    assert not X.equals(make_series_panel(random_state=1)[0])


def test_panel_leaves_global_random_state_alone():
    before = np.random.get_state()
    make_series_panel(random_state=0, missing=0.1)
    after = np.random.get_state()
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


def test_panel_missing():
    X, y = make_series_panel(random_state=0)
    X_holed, y_holed = make_series_panel(random_state=0, missing=0.2)
    features = ["x0", "x1", "x2"]
    assert X_holed[features].isna().to_numpy().mean() == pytest.approx(0.2, abs=1e-3)
    assert X_holed[features].isna().any().all()
    pd.testing.assert_frame_equal(X_holed.fillna(X), X)
    pd.testing.assert_series_equal(y_holed, y)


def test_panel_noise():
    X, y = make_series_panel(n_series=50, random_state=0, noise=0)
    X_noisy, y_noisy = make_series_panel(n_series=50, random_state=0, noise=0.5)
    pd.testing.assert_frame_equal(X_noisy, X)
    assert (y_noisy - y).std() == pytest.approx(0.5, rel=0.1)


def test_panel_scales_differ_and_targets_do_not():
    X, y = make_series_panel(n_series=50, n_steps=200, random_state=0)
    by_series = X.groupby("series")["x0"]
    assert by_series.std().max() > 10 * by_series.std().min()
    assert by_series.mean().std() > 1
    target_std = y.groupby(X["series"]).std()
    assert target_std.max() < 4 * target_std.min()


def lag_table(features, series, n_lags):
    lags = [features.groupby(series).shift(k).fillna(0) for k in range(n_lags)]
    return np.hstack([np.ones((len(features), 1)), *lags])


def r2_of_least_squares(A, y):
    residual = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    return 1 - residual.var() / y.var()


def test_panel_rewards_scaling_by_series_and_memory():
    X, y = make_series_panel(n_series=50, random_state=0)
    series, raw = X["series"], X[["x0", "x1", "x2"]]
    scaled = raw.groupby(series).transform(lambda x: (x - x.mean()) / x.std())
    y = y.to_numpy()
    assert r2_of_least_squares(lag_table(scaled, series, 10), y) > 0.5
    assert r2_of_least_squares(lag_table(scaled, series, 1), y) < 0.1
    assert r2_of_least_squares(lag_table(raw, series, 10), y) < 0.1


def test_panel_target_looks_back_ten_rows_and_never_ahead():
    z = np.random.RandomState(0).normal(size=(2, 30, 3))
    changed = z.copy()
    changed[:, 12] += 1
    moved = (_target(changed) != _target(z)).all(axis=0)
    assert np.flatnonzero(moved).tolist() == list(range(12, 22))


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({"n_series": 0}, ValueError, "n_series"),
        ({"n_series": 2.5}, TypeError, "n_series"),
        ({"n_features": 0}, ValueError, "n_features"),
        ({"n_steps": 0}, ValueError, "n_steps"),
        ({"n_steps": (9, 5)}, ValueError, "n_steps, longest"),
        ({"n_steps": (0, 5)}, ValueError, "n_steps, shortest"),
        ({"n_steps": (1.5, 5)}, TypeError, "n_steps, shortest"),
        ({"n_steps": (1, 2, 3)}, TypeError, "n_steps must be an int or a pair"),
        ({"n_steps": 2.5}, TypeError, "n_steps must be an int or a pair"),
        ({"noise": -0.1}, ValueError, "noise"),
        ({"missing": -0.1}, ValueError, "missing"),
        ({"missing": 1.0}, ValueError, "missing"),
        ({"missing": "some"}, TypeError, "missing"),
    ],
)
def test_panel_bad_input(params, error, words):
    with pytest.raises(error, match=words):
        make_series_panel(**params)
