"""A stored panel is read in blocks of whole series, without losing or changing a row."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from helpers import make_panel
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm import PanelDataset


def write(panel, folder, **options):
    path = folder / "panel.parquet"
    panel.to_parquet(path, index=False, **options)
    return path


def same_rows(found, expected):
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), expected.reset_index(drop=True), check_dtype=False
    )


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    block_rows=st.integers(1, 40),
    row_group_size=st.integers(1, 20),
)
def test_blocks_hold_whole_series_and_all_rows(
    lengths, block_rows, row_group_size, tmp_path_factory
):
    panel = make_panel(lengths)
    path = write(panel, tmp_path_factory.mktemp("panel"), row_group_size=row_group_size)
    dataset = PanelDataset(path, series="unit", block_rows=block_rows)
    blocks = list(dataset)
    same_rows(pd.concat(blocks), panel)
    units = [set(block["unit"]) for block in blocks]
    assert sum(map(len, units)) == len(lengths)  # no unit is in two blocks
    for block in blocks:
        # Only a series that is longer than a block makes one that is too long.
        assert len(block) <= block_rows or block["unit"].nunique() == 1
    assert dataset.series_ids.tolist() == panel["unit"].unique().tolist()
    assert dataset.series_sizes.tolist() == lengths


def test_few_large_blocks_rather_than_many_small_ones(tmp_path):
    path = write(make_panel([5] * 8), tmp_path)
    assert PanelDataset(path, series="unit", block_rows=20).n_blocks == 2


def test_a_series_in_two_files_is_put_together(tmp_path):
    panel = make_panel([4, 6, 3])
    for number, rows in enumerate(np.split(np.arange(len(panel)), [2, 7])):
        panel.iloc[rows].to_parquet(tmp_path / f"{number}.parquet", index=False)
    dataset = PanelDataset(tmp_path, series="unit", block_rows=6)
    same_rows(dataset.to_pandas(), panel)
    assert [block["unit"].unique().tolist() for block in dataset] == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2], [1.5, np.nan], [1, 2, 1.5, np.nan]),
        ([None, None], ["ok", "worn"], [None, None, "ok", "worn"]),
        (None, [3, 4], [np.nan, np.nan, 3, 4]),
        ([1, 2], None, [1, 2, np.nan, np.nan]),
        (["ok", "worn"], pd.Categorical(["ok", "ok"]), ["ok", "worn", "ok", "ok"]),
    ],
    ids=["numbers", "missing text", "no first column", "no second column", "categories"],
)
def test_files_may_have_columns_of_other_types(first, second, expected, tmp_path):
    for number, values in enumerate((first, second)):
        frame = pd.DataFrame({"unit": [number, number], "p": [0.5, 0.6]})
        if values is not None:
            frame["value"] = values
        frame.to_parquet(tmp_path / f"{number}.parquet")
    found = PanelDataset(tmp_path, series="unit").to_pandas()
    wanted = pd.DataFrame({"unit": [0, 0, 1, 1], "p": [0.5, 0.6] * 2, "value": expected})
    same_rows(found[wanted.columns].astype({"value": object}), wanted.astype({"value": object}))


def test_interleaved_series_are_one_block_or_an_error(tmp_path):
    panel = make_panel([6, 6, 6]).sort_values("cycle", kind="stable")
    path = write(panel, tmp_path)
    same_rows(PanelDataset(path, series="unit", block_rows=18).block(0), panel)
    with pytest.raises(ValueError, match=r"3 series \(unit='a' is the first\).*repartition"):
        PanelDataset(path, series="unit", block_rows=17)


def test_a_series_that_returns_in_a_later_file_is_never_divided(tmp_path):
    panel = make_panel([3, 3])
    for number, rows in enumerate([[0, 1, 3, 4, 5], [2]]):
        panel.iloc[rows].to_parquet(tmp_path / f"{number}.parquet", index=False)
    with pytest.raises(ValueError, match="2 series"):
        PanelDataset(tmp_path, series="unit", block_rows=5)
    assert PanelDataset(tmp_path, series="unit", block_rows=6).n_blocks == 1


@pytest.mark.parametrize("n_files", [1, 3])
def test_repartition_puts_each_series_together_in_its_order(tmp_path, n_files):
    panel = make_panel([5, 2, 7, 4], scattered=True)
    path = write(panel, tmp_path)
    new = PanelDataset.repartition(path, tmp_path / "new", series="unit", n_files=n_files)
    found = new.to_pandas()
    assert len(found) == len(panel)
    for unit, rows in panel.groupby("unit"):
        same_rows(found[found["unit"] == unit], rows)
    # The rows of each series are now neighbours.
    assert (found["unit"] != found["unit"].shift()).sum() == 4
    with pytest.raises(ValueError, match="not empty"):
        PanelDataset.repartition(path, tmp_path / "new", series="unit")


def test_repartition_leaves_the_index_out(tmp_path):
    panel = make_panel([5, 2, 7])
    indexed = panel.set_index(pd.Index(panel["cycle"], name="cycle"))
    new = PanelDataset.repartition(indexed, tmp_path / "new", series="unit", n_files=1)
    assert new.columns == list(panel)
    same_rows(new.to_pandas(), panel)


def test_repartition_of_columns_without_values_in_the_first_rows(tmp_path):
    panel = make_panel([6, 6, 6])
    later = panel.index > 11
    panel["day"] = pd.Series(datetime.date(2020, 1, 1), panel.index, dtype=object).where(
        later, None
    )
    panel["note"] = pd.Series("worn", panel.index, dtype=object).where(later, None)
    panel["never"] = pd.Series(None, panel.index, dtype=object)
    panel["price"] = [Decimal(10**number) / 1000 for number in range(len(panel))]
    path = write(panel, tmp_path, row_group_size=4)
    dataset = PanelDataset.repartition(path, tmp_path / "new", series="unit", n_files=2)
    found = dataset.to_pandas().sort_values(["unit", "cycle"], ignore_index=True)
    for name in panel:
        expected = panel[name].astype(object).where(panel[name].notna(), None)
        assert found[name].astype(object).where(found[name].notna(), None).equals(expected)


def test_folders_by_series(tmp_path):
    panel = make_panel([3, 4]).assign(unit=[7] * 3 + [8] * 4)
    panel.to_parquet(tmp_path, partition_cols=["unit"], index=False)
    dataset = PanelDataset(tmp_path, series="unit", block_rows=4)
    same_rows(dataset.to_pandas()[panel.columns], panel)
    assert dataset.n_blocks == 2


def test_a_dask_frame(tmp_path):
    dask = pytest.importorskip("dask.dataframe")
    panel = make_panel([3, 4, 5])
    dataset = PanelDataset(dask.from_pandas(panel, npartitions=4), series="unit", block_rows=5)
    same_rows(dataset.to_pandas(), panel)
    assert dataset.n_blocks == 3


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow dataset", "list of files"])
def test_other_sources(kind, tmp_path):
    panel = make_panel([3, 4])
    path = write(panel, tmp_path)
    source = {
        "pandas": lambda: panel,
        "polars": lambda: pytest.importorskip("polars").from_pandas(panel),
        "pyarrow dataset": lambda: pytest.importorskip("pyarrow.dataset").dataset(path),
        "list of files": lambda: [path, path],
    }[kind]()
    repeats = 2 if kind == "list of files" else 1
    found = PanelDataset(source, series="unit").to_pandas()
    same_rows(found, pd.concat([panel] * repeats))


def test_columns_are_selected(tmp_path):
    panel = make_panel([3, 4])
    dataset = PanelDataset(write(panel, tmp_path), series="unit", block_rows=4)
    assert dataset.columns == ["unit", "cycle", "p", "q"] and dataset.shape == (7, 4)
    same_rows(dataset[["q", "unit"]].block(1), panel.loc[3:, ["q", "unit"]])
    assert dataset.drop("p").columns == ["unit", "cycle", "q"]
    assert dataset.drop(["p", "q"]).shape == (7, 2)
    column = dataset["q"]
    assert column.shape == (7,)
    np.testing.assert_array_equal(np.asarray(column), panel["q"])
    with pytest.raises(KeyError, match=r"'cycles' is not a column.*'cycle'"):
        dataset["cycles"]
    with pytest.raises(ValueError, match=r"series='units' is not a column.*'unit'"):
        PanelDataset(panel, series="units")


def test_a_table_is_not_converted_to_an_array():
    dataset = PanelDataset(make_panel([3, 4]), series="unit")
    with pytest.raises(TypeError, match="read block by block"):
        np.asarray(dataset)


def test_sample_reads_whole_series_in_their_order():
    panel = make_panel([3, 4, 5, 2, 6])
    dataset = PanelDataset(panel, series="unit", block_rows=7)
    sample = dataset.sample(3, random_state=0)
    units = sample["unit"].unique().tolist()
    assert len(units) == 3 and units == sorted(units)
    same_rows(sample, panel[panel["unit"].isin(units)])
    draws = {tuple(dataset.sample(3, random_state=i)["unit"].unique()) for i in range(20)}
    assert len(draws) > 3
    with pytest.raises(ValueError, match="between 1 and 5"):
        dataset.sample(6)


def test_one_column_is_sampled_like_the_others():
    panel = make_panel([4, 6, 3])
    panel["kind"] = pd.Categorical(np.where(panel["p"] > 0, "x", "y"))
    dataset = PanelDataset(panel, series="unit", block_rows=6)
    sample = dataset.sample(2, random_state=0)
    for name in ("p", "kind"):
        found = dataset[name].sample(2, random_state=0)
        pd.testing.assert_series_equal(found, sample[name])


def test_categories_of_all_blocks_stay_categories(tmp_path):
    for number in range(2):
        kind = pd.Categorical([f"kind {number}"] * 3)
        frame = pd.DataFrame({"unit": number, "kind": kind})
        frame.to_parquet(tmp_path / f"{number}.parquet")
    dataset = PanelDataset(tmp_path, series="unit", block_rows=3)
    assert dataset.n_blocks == 2
    expected = pd.Series(pd.Categorical(["kind 0"] * 3 + ["kind 1"] * 3), name="kind")
    pd.testing.assert_series_equal(dataset.to_pandas()["kind"], expected)
    pd.testing.assert_series_equal(dataset["kind"].to_pandas(), expected)


def test_files_without_rows(tmp_path):
    panel = make_panel([3])
    write(panel.iloc[:0], tmp_path)
    with pytest.raises(ValueError, match="has no rows"):
        PanelDataset(tmp_path, series="unit")
    panel.to_parquet(tmp_path / "more.parquet", index=False)
    same_rows(PanelDataset(tmp_path, series="unit").to_pandas(), panel)


@pytest.mark.parametrize(
    ("open_panel", "error", "message"),
    [
        (lambda panel, **ids: PanelDataset(panel.to_numpy(), **ids), TypeError, "type ndarray"),
        (lambda *args, **ids: PanelDataset(*args, **ids, block_rows=0), ValueError, "be >= 1"),
        (lambda *args, **ids: PanelDataset(*args, **ids, block_rows="9"), TypeError, "of int"),
        (lambda *args, **ids: PanelDataset(*args, **ids)[:3], TypeError, r"got \[:3\].*sample"),
        (
            lambda *args, **ids: PanelDataset(*args, **ids)[np.array([0, 1])],
            TypeError,
            r"got array\(\[0, 1\]\)\. Rows are not chosen by position",
        ),
        (lambda panel, **ids: PanelDataset(panel.iloc[:0], **ids), ValueError, "has no rows"),
        (lambda *args, **ids: PanelDataset(*args, **ids).sample(1.5), TypeError, "n_series"),
        (lambda *args, **ids: PanelDataset(*args, **ids).sample(3), ValueError, "between 1 and 2"),
    ],
)
def test_bad_arguments(open_panel, error, message):
    with pytest.raises(error, match=message):
        open_panel(make_panel([3, 2]), series="unit")


def test_other_files_are_no_panel(tmp_path):
    (tmp_path / "panel.csv").write_text("unit,p")
    with pytest.raises(ValueError, match="Parquet.*read_csv"):
        PanelDataset(tmp_path / "panel.csv", series="unit")


def test_repartition_of_a_misspelt_series(tmp_path):
    with pytest.raises(ValueError, match=r"series='units' is not a column .* 'unit'"):
        PanelDataset.repartition(make_panel([3, 2]), tmp_path / "new", series="units")
    assert not (tmp_path / "new").exists()


def test_missing_ids_are_named_by_their_rows(tmp_path):
    panel = make_panel([6, 6]).astype({"unit": object})
    panel.loc[[7, 9], "unit"] = None
    path = write(panel, tmp_path, row_group_size=5)
    message = r"series id \('unit'\) is missing .* in 2 of 10 rows \(the first is row 7\)"
    with pytest.raises(ValueError, match=message):
        PanelDataset(path, series="unit")
    with pytest.raises(ValueError, match=message):
        PanelDataset.repartition(path, tmp_path / "new", series="unit")
    assert not list((tmp_path / "new").iterdir())  # it can be passed again


def test_series_are_taken_by_position():
    panel = make_panel([4, 6, 3])
    dataset = PanelDataset(panel, series="unit", block_rows=6)
    same_rows(dataset.take_series([-1, 0]), panel[panel["unit"].isin(["a", "c"])])
    same_rows(dataset.take_series(1), panel[panel["unit"] == "b"])
    same_rows(dataset.take_series([]), panel.iloc[:0])
    same_rows(dataset.take_series([False, True, False]), panel[panel["unit"] == "b"])
