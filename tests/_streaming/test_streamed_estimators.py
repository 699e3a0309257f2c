"""Estimators give the same on a PanelDataset as on the panel in memory."""

import datetime
from decimal import Decimal
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from helpers import make_panel
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklstm
from sklstm import (
    MultiSeriesForecaster,
    MultiSeriesLSTMRegressor,
    PanelDataset,
    PerSeriesScaler,
    WindowTransformer,
    make_remaining_life,
    write_predictions,
)

NAMES = {"series": "unit", "time": "cycle"}
LENGTHS = [9, 14, 6, 11, 8, 12]


@pytest.fixture
def panel():
    panel = make_panel(LENGTHS)
    panel["y"] = panel["p"] + panel.groupby("unit")["q"].shift(1, fill_value=0.0)
    panel.loc[[3, 20], "y"] = np.nan
    return panel


load = lru_cache(sklstm.load)


def forecast_part(part, path):
    return load(path).forecast(part)


def stored(panel, tmp_path, block_rows=15):
    path = tmp_path / "panel.parquet"
    panel.to_parquet(path, index=False, row_group_size=7)
    return PanelDataset(path, series="unit", block_rows=block_rows)


def make_net(**options):
    options = {"hidden_units": 4, "batch_size": 16, "epochs": 3, "random_state": 0} | options
    return MultiSeriesLSTMRegressor(**options)


def make_pipe(**options):
    return make_pipeline(
        PerSeriesScaler(**NAMES), WindowTransformer(4, **NAMES), make_net(**options)
    )


def fit_both(panel, tmp_path, block_rows, **options):
    dataset = stored(panel, tmp_path, block_rows)
    in_memory = make_pipe(**options).fit(panel.drop(columns="y"), panel["y"])
    streamed = make_pipe(**options).fit(dataset.drop("y"), dataset["y"])
    return in_memory, streamed, dataset


@pytest.mark.parametrize(
    "scaler",
    [
        PerSeriesScaler(**NAMES),
        PerSeriesScaler("minmax", statistics="fit", **NAMES),
        PerSeriesScaler("maxabs", statistics="pooled", series="unit"),
        PerSeriesScaler(StandardScaler(), statistics="fit", **NAMES),
    ],
    ids=["expanding", "minmax", "maxabs", "clones"],
)
def test_scaler(scaler, panel, tmp_path):
    dataset = stored(panel, tmp_path)
    expected = clone(scaler).fit(panel)
    found = clone(scaler).fit(dataset)
    assert dataset.n_blocks == 6
    assert found.series_ids_.tolist() == expected.series_ids_.tolist()
    scaled = found.transform(panel)
    pd.testing.assert_frame_equal(scaled, expected.transform(panel), rtol=1e-12)
    pd.testing.assert_frame_equal(pd.concat(list(found.transform(dataset))), scaled, rtol=1e-12)
    # A later partial fit continues both in the same way.
    later = make_panel(LENGTHS, features=("p", "q", "y"), starts=LENGTHS, seed=1)
    pd.testing.assert_frame_equal(
        found.partial_fit(later).transform(later), expected.partial_fit(later).transform(later)
    )


@pytest.mark.parametrize("scaler", ["standard", StandardScaler()], ids=["named", "clones"])
def test_a_partial_fit_to_blocks_equals_one_to_a_table(scaler, panel, tmp_path):
    statistics = "expanding" if isinstance(scaler, str) else "fit"
    scaler = PerSeriesScaler(scaler, statistics=statistics, **NAMES)
    later = make_panel(LENGTHS, features=("p", "q", "y"), starts=LENGTHS, seed=1)
    expected = clone(scaler).partial_fit(panel).partial_fit(later)
    found = (
        clone(scaler)
        .partial_fit(stored(panel, tmp_path))
        .partial_fit(PanelDataset(later, series="unit", block_rows=9))
    )
    pd.testing.assert_frame_equal(found.transform(later), expected.transform(later), rtol=1e-12)
    with pytest.raises(ValueError, match="whole series of 'cycle'"):
        found.partial_fit(PanelDataset(later, series="cycle"))


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_blocks_are_not_converted_to_frames(output, panel, tmp_path):
    pytest.importorskip(output)
    dataset = stored(panel, tmp_path)
    scaler = PerSeriesScaler(**NAMES).fit(dataset)
    message = f"'{output}' .* block by block, .*set_output\\(transform='default'\\)"
    with config_context(transform_output=output), pytest.raises(ValueError, match=message):
        scaler.transform(dataset)
    with pytest.raises(ValueError, match=message):
        scaler.set_output(transform=output).fit_transform(dataset)


def test_quartiles_need_all_rows(panel, tmp_path):
    with pytest.raises(ValueError, match="robust' needs all rows.*Choose 'standard'"):
        PerSeriesScaler("robust", **NAMES).fit(stored(panel, tmp_path))


@pytest.mark.parametrize("length", [4, "longest", "shortest"])
def test_windows(length, panel, tmp_path):
    dataset = stored(panel, tmp_path)
    expected = WindowTransformer(length, **NAMES).fit(panel)
    found = WindowTransformer(length, **NAMES).fit(dataset)
    assert found.window_length_ == expected.window_length_
    windows = np.concatenate([np.asarray(block) for block in found.transform(dataset)])
    np.testing.assert_array_equal(windows, np.asarray(expected.transform(panel)))
    later = make_panel(LENGTHS, features=("p", "q", "y"), starts=LENGTHS, seed=1)
    np.testing.assert_array_equal(found.transform(later), expected.transform(later))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"early_stopping": True, "validation_fraction": 0.3},
        {
            "early_stopping": True,
            "validation_by": "time",
            "embargo": 1,
            "validation_fraction": 0.3,
        },
        pytest.param({"series_weight": None, "series_embedding": 2}, marks=pytest.mark.slow),
        {"series_weight": dict(zip("abcdef", [1, 0, 2, 1, 0.5, 3], strict=True)), "loss": "mae"},
        {"quantiles": (0.1, 0.9), "steps_per_epoch": 3},
    ],
    ids=["plain", "held-out series", "held-out rows", "embedding", "weights", "quantiles"],
)
def test_one_block_trains_what_memory_trains(options, panel, tmp_path):
    in_memory, streamed, dataset = fit_both(panel, tmp_path, 1000, **options)
    assert dataset.n_blocks == 1
    assert streamed[-1].history_ == in_memory[-1].history_
    X = panel.drop(columns="y")
    np.testing.assert_array_equal(streamed.predict(dataset.drop("y")), in_memory.predict(X))


@pytest.mark.parametrize("series_weight", ["balanced", None])
@pytest.mark.parametrize("validation_by", [None, "series", "time"])
def test_blocks_give_each_row_the_weight_that_it_has_in_memory(
    series_weight, validation_by, panel, tmp_path
):
    # A network that hardly moves has the loss of its first weights, a weighted mean over the rows.
    options = {"dropout": 0.0, "optimizer": "sgd", "learning_rate": 1e-9, "epochs": 1}
    if validation_by:
        options |= {"early_stopping": True, "validation_by": validation_by}
    in_memory, streamed, dataset = fit_both(
        panel, tmp_path, 15, series_weight=series_weight, validation_fraction=0.3, **options
    )
    assert dataset.n_blocks > 4
    for name, losses in in_memory[-1].history_.items():
        np.testing.assert_allclose(streamed[-1].history_[name], losses, rtol=1e-5)


@pytest.mark.slow
def test_blocks_calibrate_what_memory_calibrates(panel, tmp_path):
    # Networks that hardly move have the errors of their first weights.
    fixed = {"optimizer": "sgd", "learning_rate": 1e-9, "epochs": 1, "min_observed": 1}
    options = {"quantiles": (0.25, 0.75), "calibration": "series"}
    in_memory, streamed, dataset = fit_both(panel, tmp_path, 15, **fixed, **options)
    assert dataset.n_blocks > 4
    np.testing.assert_allclose(streamed[-1].shifts_, in_memory[-1].shifts_, rtol=1e-4)
    X = panel.drop(columns="y")
    found = sklstm.prediction_interval(streamed, dataset.drop("y"), 0.5)
    expected = sklstm.prediction_interval(in_memory, X, 0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="calibration='time' needs all rows in memory"):
        make_pipe(**options | {"calibration": "time"}).fit(dataset.drop("y"), dataset["y"])


def test_groups_of_blocks_train_in_one_step_what_memory_trains(panel, tmp_path):
    options = {"batch_size": 64, "epochs": 4, "dropout": 0.0, "optimizer": "sgd"}
    in_memory, streamed, dataset = fit_both(panel, tmp_path, 26, **options)
    assert 1 < dataset.n_blocks <= 4
    expected = in_memory[-1].history_["loss"]
    np.testing.assert_allclose(streamed[-1].history_["loss"], expected, rtol=1e-5)
    X = panel.drop(columns="y")
    np.testing.assert_allclose(streamed.predict(X), in_memory.predict(X), atol=1e-5)
    np.testing.assert_allclose(
        streamed.score(dataset.drop("y"), dataset["y"]), in_memory.score(X, panel["y"]), atol=1e-4
    )


def test_weights_and_targets_may_be_arrays(panel, tmp_path):
    dataset = stored(panel, tmp_path, 1000).drop("y")
    weights = np.linspace(0, 2, len(panel))
    X = panel.drop(columns="y")
    routed = {"multiserieslstmregressor__sample_weight": weights}
    expected = make_pipe().fit(X, panel["y"], **routed).predict(X)
    found = make_pipe().fit(dataset, panel["y"].to_numpy(), **routed).predict(X)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match=r"X has 60 rows, y has the shape \(59,\)"):
        make_pipe().fit(dataset, panel["y"][1:])


def test_rows_of_two_datasets_are_not_combined(panel, tmp_path):
    dataset, other = stored(panel, tmp_path), stored(panel, tmp_path)
    with pytest.raises(ValueError, match="not of the same PanelDataset"):
        make_pipe().fit(dataset.drop("y"), other["y"])


def test_the_series_are_those_of_the_estimators(panel, tmp_path):
    with pytest.raises(ValueError, match="series='cycle'.*whole series of 'unit'"):
        PerSeriesScaler(series="cycle").fit(stored(panel, tmp_path))


def test_validation_rows_may_be_streamed(panel, tmp_path):
    dataset = stored(panel, tmp_path, 1000)
    X, y = panel[["p", "q"]], panel["y"]
    options = {"early_stopping": True, "series": None, "min_observed": 1}
    expected = make_net(**options).fit(X, y, X_val=X, y_val=y)
    columns = dataset[["p", "q"]]
    found = make_net(**options).fit(columns, dataset["y"], X_val=columns, y_val=dataset["y"])
    assert found.history_ == expected.history_


def test_errors_name_what_is_missing(panel, tmp_path):
    dataset = stored(panel.assign(y=np.nan), tmp_path)
    with pytest.raises(ValueError, match="have a known target"):
        make_pipe().fit(dataset.drop("y"), dataset["y"])


def test_validation_rows_without_loss_are_an_error(panel, tmp_path):
    columns = ["p", "q"]
    unknown = PanelDataset(panel.assign(y=np.nan), series="unit")
    net = make_net(early_stopping=True, min_observed=1)
    with pytest.raises(ValueError, match="have a known target"):
        net.fit(panel[columns], panel["y"], X_val=unknown[columns], y_val=unknown["y"])


def test_validation_without_events_is_warned_of(panel, tmp_path):
    y = make_remaining_life(panel, dict.fromkeys("abcdef", False) | {"b": True}, **NAMES)
    dataset = stored(panel, tmp_path)
    options = {"early_stopping": True, "validation_fraction": 0.2, "epochs": 1, "min_observed": 1}
    for X in (panel[["unit", "cycle", "p"]], dataset[["unit", "cycle", "p"]]):
        with pytest.warns(UserWarning, match="All lives of the 1 validation series are censored"):
            make_pipe(**options).fit(X, y)


def test_series_without_loss_are_warned_of(panel, tmp_path):
    panel.loc[panel["unit"] == "c", "y"] = np.nan
    dataset = stored(panel, tmp_path)
    with pytest.warns(UserWarning, match=r"1 of 6 series have no row in the loss \('c'\)"):
        make_pipe(epochs=1).fit(dataset.drop("y"), dataset["y"])


@pytest.mark.parametrize("season_length", [None, pytest.param((2, 3), marks=pytest.mark.slow)])
def test_forecaster(panel, tmp_path, season_length):
    panel = panel.drop(columns="y")
    dataset = stored(panel, tmp_path)
    forecaster = MultiSeriesForecaster(
        2,
        target="p",
        season_length=season_length,
        window_length=4,
        n_estimators=1,
        random_state=0,
        **NAMES,
    )
    expected = clone(forecaster).fit(panel)
    found = clone(forecaster).fit(dataset)
    pd.testing.assert_frame_equal(found.forecast(dataset), expected.forecast(panel))
    np.testing.assert_allclose(found.predict(dataset), expected.predict(panel), atol=1e-5)
    with pytest.raises(ValueError, match="remembers no rows"):
        found.forecast()
    sklstm.save(found, tmp_path / "model.sklstm")
    loaded = sklstm.load(tmp_path / "model.sklstm")
    pd.testing.assert_frame_equal(loaded.forecast(panel), expected.forecast(panel), rtol=1e-5)


def test_forecaster_fits_a_sample_of_whole_series(panel, tmp_path, monkeypatch):
    monkeypatch.setattr("sklstm.forecasting._forecaster.MAX_ROWS", 40)
    read, fit = [], MultiSeriesForecaster._fit

    def spied(self, X, task):
        read.append(X)
        fit(self, X, task)

    monkeypatch.setattr(MultiSeriesForecaster, "_fit", spied)
    dataset = stored(panel.drop(columns="y"), tmp_path)
    MultiSeriesForecaster(2, target="p", n_estimators=1, random_state=0, **NAMES).fit(dataset)
    (sample,) = read
    assert 20 < len(sample) <= 40
    sizes = sample["unit"].value_counts()
    assert sizes.to_dict().items() <= panel["unit"].value_counts().to_dict().items()


def test_predictions_are_written(panel, tmp_path):
    dataset = stored(panel, tmp_path)
    pipe = make_pipe(epochs=1).fit(dataset.drop("y"), dataset["y"])
    folder = tmp_path / "predictions"
    write_predictions(pipe, dataset.drop("y"), folder, columns=["unit", "cycle"])
    assert len(list(folder.iterdir())) == dataset.n_blocks
    found = pd.read_parquet(folder)
    pd.testing.assert_frame_equal(found[["unit", "cycle"]], panel[["unit", "cycle"]])
    expected = pipe.predict(panel.drop(columns="y"))
    np.testing.assert_allclose(found["prediction"], expected, rtol=1e-5)
    with pytest.raises(ValueError, match="not empty"):
        write_predictions(pipe, dataset, folder)


def test_quantiles_of_a_pipeline_are_written(panel, tmp_path):
    class Net(BaseEstimator):
        def fit(self, X, y=None):
            self.fitted_ = True
            return self

        def predict_quantiles(self, X):
            return np.column_stack([X["p"], 2 * X["p"]])

    dataset, pipe = stored(panel, tmp_path), make_pipeline("passthrough", Net()).fit(panel)
    write_predictions(pipe, dataset, tmp_path / "quantiles", method="predict_quantiles")
    found = pd.read_parquet(tmp_path / "quantiles")
    np.testing.assert_allclose(found["prediction_1"], 2 * panel["p"])
    with pytest.raises(AttributeError, match="Net has no predict_quantile. Pass a fitted"):
        write_predictions(pipe, dataset, tmp_path / "other", method="predict_quantile")
    with pytest.raises(TypeError, match="X is of type DataFrame, expected PanelDataset"):
        write_predictions(pipe, panel, tmp_path / "other")


class Bounds(BaseEstimator):
    """Predict p, in the forms in which methods return predictions."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def predict(self, X, return_std=False):
        p = X["p"].to_numpy()
        return (p, np.ones(len(p))) if return_std else p

    def prediction_interval(self, X, coverage=0.8):
        both = np.column_stack([X["p"], -X["p"]])
        return both - coverage, both + coverage

    def report(self, X):
        return X.groupby("unit")[["p"]].mean()


def test_several_arrays_of_a_method_are_columns(panel, tmp_path):
    dataset, model = PanelDataset(panel, series="unit", block_rows=9), Bounds().fit(panel)
    write_predictions(model, dataset, tmp_path / "std", return_std=True)
    found = pd.read_parquet(tmp_path / "std")
    np.testing.assert_array_equal(found["prediction_0"], panel["p"])
    assert (found["prediction_1"] == 1).all()
    write_predictions(model, dataset, tmp_path / "bounds", method="prediction_interval")
    found = pd.read_parquet(tmp_path / "bounds")
    assert list(found) == ["unit", *(f"prediction_{at}" for at in ("0_0", "0_1", "1_0", "1_1"))]
    np.testing.assert_allclose(found["prediction_1_0"], -panel["p"] - 0.8)
    np.testing.assert_allclose(found["prediction_1_1"], -panel["p"] + 0.8)


def test_a_written_frame_keeps_the_names_of_its_rows(panel, tmp_path):
    dataset, model = PanelDataset(panel, series="unit", block_rows=9), Bounds().fit(panel)
    write_predictions(model, dataset, tmp_path / "reports", method="report")
    found = pd.read_parquet(tmp_path / "reports")
    pd.testing.assert_frame_equal(found, model.report(panel), check_index_type=False)


def test_columns_beside_predictions(panel, tmp_path):
    dataset, model = PanelDataset(panel, series="unit", block_rows=9), Bounds().fit(panel)
    write_predictions(model, dataset, tmp_path / "one", columns="cycle")
    assert list(pd.read_parquet(tmp_path / "one")) == ["cycle", "prediction"]
    with pytest.raises(KeyError, match="'cycl' is not a column of the panel"):
        write_predictions(model, dataset, tmp_path / "none", columns=["cycl"])
    with pytest.raises(ValueError, match=r"columns= contains 'prediction_1', .* prediction_1"):
        write_predictions(
            model,
            PanelDataset(panel.assign(prediction_1=0.0), series="unit"),
            tmp_path / "lost",
            columns=["unit", "prediction_1"],
            return_std=True,
        )


@pytest.mark.parametrize("in_files", [True, False])
def test_columns_without_values_in_the_first_blocks(in_files, panel, tmp_path):
    later = panel["unit"] > "c"
    panel["day"] = pd.Series(datetime.date(2020, 1, 1), panel.index, dtype=object).where(
        later, None
    )
    panel["note"] = pd.Series("worn", panel.index, dtype=object).where(later, None)
    panel["never"] = pd.Series(None, panel.index, dtype=object)
    panel["price"] = [Decimal(10 ** (number % 20)) / 1000 for number in range(len(panel))]
    dataset = (
        stored(panel, tmp_path) if in_files else PanelDataset(panel, series="unit", block_rows=9)
    )
    assert dataset.n_blocks == 6
    columns = ["unit", "day", "note", "never", "price"]
    write_predictions(Bounds().fit(panel), dataset, tmp_path / "predictions", columns=columns)
    found = pd.read_parquet(tmp_path / "predictions")
    assert list(found) == [*columns, "prediction"]
    for name in columns:
        expected = panel[name].astype(object).where(panel[name].notna(), None)
        assert found[name].astype(object).where(found[name].notna(), None).equals(expected)


def test_blocks_that_divide_the_series_of_a_step_are_not_predicted(panel, tmp_path):
    panel = panel.assign(site=np.arange(len(panel)) % 2)
    dataset = PanelDataset(panel, series="unit", block_rows=9)
    scaler = PerSeriesScaler(columns=["p"], series="site")
    pipe = make_pipeline("passthrough", scaler, Bounds()).fit(panel)
    with pytest.raises(ValueError, match="has series='site', .* whole series of 'unit'"):
        write_predictions(pipe, dataset, tmp_path / "predictions")
    assert not (tmp_path / "predictions").exists()
    pipe.set_params(perseriesscaler__series=panel.columns.get_loc("unit")).fit(panel)
    write_predictions(pipe, dataset, tmp_path / "predictions")
    np.testing.assert_allclose(
        pd.read_parquet(tmp_path / "predictions")["prediction"], pipe.predict(panel)
    )


def test_forecasts_are_written_with_progress(panel, tmp_path, capsys):
    dataset = stored(panel.drop(columns="y"), tmp_path)
    forecaster = MultiSeriesForecaster(2, target="p", n_estimators=1, random_state=0, **NAMES)
    forecaster.fit(dataset)
    folder = tmp_path / "forecasts"
    write_predictions(forecaster, dataset, folder, method="forecast", verbose=1)
    assert "6/6 blocks" in capsys.readouterr().err
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder), forecaster.forecast(dataset), check_dtype=False
    )


def test_a_failure_leaves_complete_files_only(panel, tmp_path):
    dataset = stored(panel, tmp_path)

    class Fails:
        def predict(self, X):
            if "d" in set(X["unit"]):
                raise RuntimeError("no prediction")
            return np.zeros(len(X))

    with pytest.raises(RuntimeError):
        write_predictions(Fails(), dataset, tmp_path / "predictions")
    written = pd.read_parquet(tmp_path / "predictions")
    assert not list((tmp_path / "predictions").glob(".*"))
    assert 0 < len(written) < len(panel) and not written["unit"].isin(["d"]).any()


def test_partitions_of_dask_are_forecast_by_a_loaded_model(panel, tmp_path):
    dask = pytest.importorskip("dask.dataframe")
    panel = panel.drop(columns="y")
    model = MultiSeriesForecaster(2, target="p", n_estimators=1, random_state=0, **NAMES)
    expected = model.fit(panel).forecast(panel)
    sklstm.save(model, tmp_path / "model.sklstm")
    path = str(tmp_path / "model.sklstm")
    frame = dask.from_pandas(panel.set_index("unit"), npartitions=3).reset_index()
    assert frame.npartitions == 3
    found = frame.map_partitions(forecast_part, path, meta=expected.iloc[:0])
    pd.testing.assert_frame_equal(
        found.compute().reset_index(drop=True), expected, check_dtype=False, rtol=1e-5
    )
