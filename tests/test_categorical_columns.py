"""Columns of categories, from the panel to the network."""

import pickle
from dataclasses import replace
from functools import cache

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import lstm, make_panel
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

import sklstm
from sklstm import (
    MultiSeriesForecaster,
    PanelDataset,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
    backtest,
)
from sklstm.persistence._networks import check_categories, check_size
from sklstm.plotting._forecast import _target_columns

IDS = {"series": "unit", "time": "cycle"}


def with_categories(panel, seed=0):
    """Add a category per unit, and one that differs from row to row and has gaps."""
    rng = np.random.default_rng(seed)
    site = panel["unit"].map({"a": "north", "b": "south", "c": "north", "d": "west"})
    product = rng.choice(["x", "y", "z", None], len(panel))
    return panel.assign(site=pd.Categorical(site), product=pd.Categorical(product))


PANEL = with_categories(make_panel([9, 7, 4, 2]))
Y = (PANEL["p"] + (PANEL["site"] == "north") - (PANEL["product"] == "y")).to_numpy()
SITE, PRODUCT = 2, 3  # positions in a window, after p and q


def codes(column):
    """Number the categories in alphabetical order, from 1; 0 is a missing one."""
    known = sorted(column.dropna().unique())
    return np.array([0 if pd.isna(value) else 1 + known.index(value) for value in column])


def windows_of(panel, length=3, **options):
    return WindowTransformer(length, **options, **IDS).fit_transform(panel)


def pipeline(net=None, **options):
    windows = WindowTransformer(3, **options, **IDS)
    return make_pipeline(PerSeriesScaler(**IDS), windows, net or lstm(min_observed=1))


@cache
def fitted(padding="edge"):
    return pipeline(padding=padding).fit(PANEL, Y)


# ------------------------------------------------------------------------- scaler, windows
@pytest.mark.parametrize("statistics", ["expanding", "fit", "pooled"])
def test_the_scaler_leaves_categories_as_they_are(statistics):
    scaler = PerSeriesScaler(statistics=statistics, **IDS)
    scaled = scaler.fit_transform(PANEL)
    pd.testing.assert_frame_equal(scaled[["site", "product"]], PANEL[["site", "product"]])
    numbers = PerSeriesScaler(statistics=statistics, **IDS)
    expected = numbers.fit_transform(PANEL[["unit", "cycle", "p", "q"]])
    pd.testing.assert_frame_equal(scaled[["p", "q"]], expected[["p", "q"]])
    # As text, which rows in production may be, and with other categories.
    other = PANEL.assign(site="east", product=PANEL["product"].astype(object))
    again = scaler.transform(other)
    assert again["site"].eq("east").all()
    pd.testing.assert_frame_equal(again[["p", "q"]], scaler.transform(PANEL)[["p", "q"]])


def test_the_scaler_keeps_the_columns_of_polars():
    frame = pl.from_pandas(PANEL)
    scaled = PerSeriesScaler(**IDS).fit_transform(frame)
    assert scaled.select("site", "product").equals(frame.select("site", "product"))
    assert scaled.schema["site"] == frame.schema["site"]


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_the_scaler_keeps_categories_whatever_its_container(kind):
    scaled = PerSeriesScaler(**IDS).set_output(transform=kind).fit_transform(PANEL)
    assert list(scaled["site"]) == list(PANEL["site"])


def test_text_is_no_category_unless_it_is_named():
    text = PANEL.assign(site=PANEL["site"].astype(str), product=PANEL["product"].cat.codes)
    for estimator in (PerSeriesScaler(**IDS), WindowTransformer(**IDS)):
        with pytest.raises(ValueError, match="'site' holds text.*'category'"):
            estimator.fit(text)
    windows = windows_of(text, categorical_features=["site"])
    assert_array_equal(windows.rows[:, SITE], codes(PANEL["site"]))
    with pytest.raises(ValueError, match="dtype category.*'product'. are not numeric"):
        windows_of(PANEL, categorical_features=None)


def forms(panel):
    """Return a panel in several forms, with the parameters that name its columns."""
    by_name, by_place = IDS, {"series": 0, "time": 1}
    named = {"categorical_features": ["site", "product"]}
    objects = panel.astype({"site": object, "product": object})
    return {
        "categories": (panel, by_name),
        "objects": (objects, {**by_name, **named}),
        "polars": (pl.from_pandas(panel), by_name),
        "text of polars": (pl.from_pandas(objects), {**by_name, **named}),
        "arrow": (pl.from_pandas(panel).to_arrow(), by_name),
        "array": (objects.to_numpy(object), {**by_place, "categorical_features": [4, 5]}),
        "positions": (panel, {**by_name, "categorical_features": [4, -1]}),
    }


@pytest.mark.parametrize("form", forms(PANEL))
def test_windows_hold_codes(form):
    X, names = forms(PANEL)[form]
    transformer = WindowTransformer(3, **names)
    windows = transformer.fit_transform(X)
    expected = [codes(PANEL[name]) for name in ("site", "product")]
    assert_array_equal(windows.rows[:, [SITE, PRODUCT]], np.transpose(expected))
    known = list(transformer.categories_.values())
    assert [each.tolist() for each in known] == [["north", "south", "west"], ["x", "y", "z"]]
    assert [each.is_constant for each in windows.categories] == [True, False]


@pytest.mark.parametrize("padding", ["edge", "zero", "nan"])
def test_codes_are_gathered_like_numbers(padding):
    numbers = PANEL.assign(site=codes(PANEL["site"]), product=codes(PANEL["product"]))
    windows = windows_of(PANEL, padding=padding)
    expected = windows_of(numbers, padding=padding)
    assert_array_equal(np.asarray(windows), np.asarray(expected))
    assert windows.nbytes == expected.nbytes
    assert windows_of(PANEL, length=50).nbytes == windows.nbytes


def test_categories_of_later_rows_are_those_of_fit():
    first, later = PANEL[PANEL["cycle"] < 5], PANEL[PANEL["cycle"] >= 5]
    later = later.assign(site="north", product=["v", "z"] * (len(later) // 2))
    transformer = WindowTransformer(3, **IDS).fit(first)
    windows = transformer.transform(later)
    known = transformer.categories_["product"].tolist()
    number = known.index("z") + 1
    for row, window in enumerate(np.asarray(windows)):
        assert window[-1, PRODUCT] == (number if row % 2 else 0)
    # The rows of fit that precede them have the same codes.
    assert_array_equal(windows[0][0], transformer.transform(first)[3][-1])


def test_lag_tables_hold_codes():
    table = windows_of(PANEL, length=2, output="2d")
    assert_array_equal(table[:, 4 + SITE], codes(PANEL["site"]))


def test_a_forgotten_id_of_dtype_category_is_warned_of():
    panel = PANEL.astype({"unit": "category"})
    scaled = PerSeriesScaler(time="cycle").fit_transform(panel.drop_duplicates("cycle"))
    with pytest.warns(UserWarning, match="'unit' is the series id of WindowTransformer and a feat"):
        WindowTransformer(3, **IDS).fit(scaled)


# ------------------------------------------------------------------------------- networks
def vectors(net, place):
    """Return the embedding vectors of a feature, that of unknown categories first."""
    shared, differences = net.model_.get_layer(f"category_{place}").get_weights()
    return shared + np.vstack([np.zeros_like(shared), differences])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def pass_forward(net, window):
    """Compute the prediction of a network for one window in NumPy."""
    weights = {variable.path: np.asarray(variable) for variable in net.model_.variables}
    once = vectors(net, SITE)[int(window[-1, SITE])]
    products = vectors(net, PRODUCT)[window[:, PRODUCT].astype(int)]
    h, c = (
        np.tanh(once @ weights[f"begin_1_{part}/kernel"] + weights[f"begin_1_{part}/bias"])
        for part in range(2)
    )
    names = ("kernel", "recurrent_kernel", "bias")
    kernel, recurrent, bias = (weights[f"lstm_1/lstm_cell/{name}"] for name in names)
    for step in np.hstack([window[:, :SITE], products]):
        i, f, g, o = np.split(step @ kernel + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    head = np.concatenate([h, once]) @ weights["head/kernel"] + weights["head/bias"]
    return (weights["target_scale/offset"] + weights["target_scale/scale"] * head)[0]


@pytest.mark.parametrize("padding", ["edge", pytest.param("nan", marks=pytest.mark.slow)])
def test_predictions_equal_the_reference(padding):
    pipe = fitted(padding)
    windows, net = pipe[:-1].transform(PANEL), pipe[-1]
    predicted = net.predict(windows)
    for row, window in enumerate(np.asarray(windows)):
        real = window[-windows.n_observed[row] :] if padding == "nan" else window
        assert_allclose(predicted[row], pass_forward(net, real), rtol=1e-4, atol=1e-5)


def test_unknown_categories_are_missing_ones():
    unknown, missing = PANEL.assign(site="east", product="v"), PANEL.assign(site=None, product=None)
    predicted = fitted().predict(unknown)
    assert_array_equal(predicted, fitted().predict(missing))
    assert not np.allclose(predicted, fitted().predict(PANEL))


@pytest.mark.parametrize("form", ["objects", "polars", "arrow"])
def test_predictions_do_not_depend_on_the_form(form):
    X, _ = forms(PANEL)[form]
    assert_array_equal(fitted().predict(X), fitted().predict(PANEL))


def test_later_rows_change_no_earlier_prediction():
    predicted = fitted().predict(PANEL)
    for cycle in (2, 5):
        later = PANEL["cycle"] >= cycle
        changed = PANEL.assign(product=PANEL["product"].where(~later, "x"), site=PANEL["site"])
        assert_array_equal(fitted().predict(changed)[~later], predicted[~later])


def test_categories_that_training_does_not_see_are_unknown():
    weight = (PANEL["site"] != "south").astype(float)
    with pytest.warns(UserWarning, match="1 of 4 series have no row in the loss"):
        net = pipeline().fit(PANEL, Y, multiserieslstmregressor__sample_weight=weight)[-1]
    unknown, north, south, _ = vectors(net, SITE)[:4]
    assert_array_equal(south, unknown)
    assert not np.allclose(north, unknown)


def test_training_replaces_categories_by_unknown_ones():
    vector = vectors(fitted()[-1], SITE)[0]
    start = vectors(pipeline(lstm(learning_rate=0.0, min_observed=1)).fit(PANEL, Y)[-1], SITE)[0]
    assert not np.allclose(vector, start)


def test_windows_of_another_transformer_are_recoded():
    net = fitted()[-1]
    scaled = fitted()[0].transform(PANEL)
    expected = net.predict(windows_of(scaled))
    # Without the first series and with a new category, all codes differ.
    part = scaled[scaled["unit"] != "a"].astype({"site": object})
    part.loc[part["unit"] == "d", "site"] = "atoll"
    windows = windows_of(part, categorical_features=["site", "product"])
    before = windows.rows.copy()
    rows = (PANEL["unit"] != "a").to_numpy()
    same = (part["site"] != "atoll").to_numpy()
    assert_array_equal(net.predict(windows)[same], expected[rows][same])
    assert_array_equal(windows.rows, before)


@pytest.mark.slow
def test_further_training_keeps_the_categories():
    # Without momentum, which moves the vectors of absent categories too.
    pipe = pipeline(lstm(min_observed=1, warm_start=True, optimizer="sgd")).fit(PANEL, Y)
    before = vectors(pipe[-1], SITE)
    west = PANEL[PANEL["unit"] == "d"].assign(site=pd.Categorical(["atoll"] * 2))
    pipe.fit(west, Y[PANEL["unit"] == "d"])
    assert pipe[-1].n_iter_ == 4
    moved = vectors(pipe[-1], SITE) - before
    # Only the shared vector moves, and with it all others alike.
    assert not np.allclose(moved[0], 0)
    assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-6)


def test_other_categories_than_in_fit_raise():
    windows = fitted()[:-1].transform(PANEL)
    net, plain = fitted()[-1], lstm(min_observed=1, epochs=1).fit(np.asarray(windows), Y)
    with pytest.raises(ValueError, match=r"\['site', 'product'\] are categories, and those of X"):
        net.predict(windows.with_categories(()))
    with pytest.raises(ValueError, match=r"\[2, 3\] are categories, and those of X are \[\]"):
        net.predict(np.asarray(windows))
    with pytest.raises(ValueError, match=r"\[\] are categories, and those of X are \['site', 'pr"):
        plain.predict(windows)


@pytest.mark.slow
def test_transfer_matches_categories():
    source = fitted()
    net = lstm(min_observed=1, learning_rate=0.0, init_from=FrozenEstimator(source))
    part = PANEL[PANEL["unit"] != "b"].astype({"site": object})
    part["site"] = part["site"].replace("west", "atoll")
    pipe = pipeline(net).fit(part.astype({"site": "category"}), Y[PANEL["unit"] != "b"])
    there, here = vectors(source[-1], SITE), vectors(pipe[-1], SITE)
    known, before = pipe[1].categories_["site"].tolist(), ["north", "south", "west"]
    assert known == ["atoll", "north"]
    assert_array_equal(here[0], there[0])
    assert_array_equal(here[1], there[0])  # a new category
    assert_array_equal(here[2], there[1 + before.index("north")])


def test_a_transferred_network_is_trained_further_without_its_source():
    """Its vectors have room for the categories of the source, of which there may be more."""
    rows = (PANEL["unit"] == "d").to_numpy()
    panel = PANEL[rows].assign(site=pd.Categorical(["atoll"] * rows.sum()))
    net = lstm(min_observed=1, epochs=1, init_from=FrozenEstimator(fitted()))
    pipe = pipeline(net).fit(panel, Y[rows])
    pipe[-1].set_params(init_from=None, warm_start=True)
    assert pipe.fit(panel, Y[rows])[-1].n_iter_ == 2


@pytest.mark.slow
def test_tables_without_windows():
    net = lstm(**IDS).fit(PANEL, Y)
    windows = windows_of(PANEL, length=1)
    assert_allclose(net.predict(PANEL), lstm().fit(windows, Y).predict(windows), atol=1e-6)
    text = PANEL.astype({"site": object, "product": object})
    assert_array_equal(net.predict(text), net.predict(PANEL))
    assert len(net.predict(PANEL.assign(site="atoll"))) == len(PANEL)
    with pytest.raises(ValueError, match="feature names should match"):
        net.predict(PANEL.drop(columns=["p", "q"]))


def test_save_pickle_and_clone(tmp_path):
    pipe, predicted = fitted(), fitted().predict(PANEL)
    sklstm.save(pipe, tmp_path / "file")
    loaded = sklstm.load(tmp_path / "file")
    assert_array_equal(loaded.predict(PANEL), predicted)
    assert_array_equal(pickle.loads(pickle.dumps(pipe)).predict(PANEL), predicted)
    assert clone(pipe)[1].categorical_features == "from_dtype"


def test_a_file_of_a_network_has_a_vector_for_each_category():
    network = fitted()[-1]._network
    check_categories(network.spec, network.categories)
    arrays = [np.zeros(10**4)]
    check_size(network.spec, arrays)
    for categories in [((SITE, 2**31), (PRODUCT, 4)), ((SITE, 2), (PRODUCT, 4)), ((9, 4),), ()]:
        spec = replace(network.spec, categories=categories)
        with pytest.raises(ValueError, match="categories of a network|weights of at least"):
            check_categories(spec, network.categories)
            check_size(spec, arrays)


def test_files_of_keras(tmp_path):
    pipe, windows = fitted(), np.asarray(fitted()[:-1].transform(PANEL), np.float32)
    pipe[-1].model_.save(tmp_path / "network.keras")
    network = keras.saving.load_model(tmp_path / "network.keras")
    assert_allclose(network.predict(windows, verbose=0)[:, 0], pipe.predict(PANEL), rtol=1e-5)


@pytest.mark.slow
def test_searches():
    grid = {"windowtransformer__categorical_features": ["from_dtype", ["site", "product"]]}
    net = lstm(min_observed=1, epochs=1)
    search = GridSearchCV(pipeline(net), grid, cv=GroupKFold(2)).fit(PANEL, Y, groups=PANEL["unit"])
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] == scores[1]


def test_the_parameter_may_not_change_after_fit():
    transformer = WindowTransformer(3, **IDS).fit(PANEL)
    transformer.set_params(categorical_features=["site"])
    with pytest.raises(ValueError, match="categorical_features changed since fit"):
        transformer.transform(PANEL)


@pytest.mark.slow
def test_checkpoints_continue(tmp_path):
    options = {"min_observed": 1, "epochs": 3, "random_state": 0}
    expected = pipeline(lstm(**options)).fit(PANEL, Y).predict(PANEL)
    pipe = pipeline(lstm(**options, checkpoint=tmp_path / "fit"))
    assert_array_equal(pipe.fit(PANEL, Y).predict(PANEL), expected)
    assert_array_equal(clone(pipe).fit(PANEL, Y).predict(PANEL), expected)


# ------------------------------------------------------------------- around the regressor
@pytest.mark.slow
def test_meta_estimators_pass_categories_on():
    scaled = PerSeriesTargetRegressor(pipeline(), **IDS).fit(PANEL, Y)
    assert scaled.predict(PANEL).shape == Y.shape
    for assign in ("bootstrap", "cluster"):
        ensemble = SeriesEnsembleRegressor(pipeline(), 2, assign=assign, random_state=0, **IDS)
        assert ensemble.fit(PANEL, Y).predict(PANEL).shape == Y.shape
    quantiles = pipeline(lstm(min_observed=1, quantiles=(0.1, 0.9))).fit(PANEL, Y)
    assert sklstm.predict_quantiles(quantiles, PANEL).shape == (len(Y), 2)


@pytest.mark.slow
def test_clusters_are_made_from_numbers():
    numbers = PANEL.drop(columns=["site", "product"])
    fits = [
        SeriesEnsembleRegressor(lstm(epochs=1, **IDS), 2, assign="cluster", random_state=0, **IDS)
        for _ in range(2)
    ]
    here, there = (fit.fit(X, Y).features_ for fit, X in zip(fits, (PANEL, numbers), strict=True))
    pd.testing.assert_frame_equal(here, there)


@pytest.mark.parametrize("stored", ["category", "dictionary per file"])
def test_panels_in_files(stored, tmp_path):
    frame = PANEL if stored == "category" else PANEL.astype({"site": object, "product": object})
    for number, units in enumerate(["ab", "cd"]):
        part = frame[frame["unit"].isin(list(units))]
        part = part.astype({"site": "category", "product": "category"})
        part.to_parquet(tmp_path / f"{number}.parquet")
    panel = PanelDataset(tmp_path, series="unit", block_rows=9)
    assert panel.n_blocks > 1
    transformer = WindowTransformer(3, **IDS)
    blocks = list(transformer.fit(panel).transform(panel))
    expected = np.asarray(windows_of(PANEL))
    assert_array_equal(np.concatenate([np.asarray(block) for block in blocks]), expected)
    with pytest.raises(ValueError, match=r"Put WindowTransformer\(1\) before the network"):
        lstm(**IDS).fit(panel, Y)


@pytest.mark.slow
def test_training_on_files(tmp_path):
    PANEL.assign(y=Y).to_parquet(tmp_path / "panel.parquet")
    panel = PanelDataset(tmp_path, series="unit", block_rows=9)
    pipe = pipeline().fit(panel.drop("y"), panel["y"])
    assert_allclose(pipe.predict(panel.drop("y")), pipe.predict(PANEL), rtol=1e-6)


# ----------------------------------------------------------------------------- forecaster
def make_sales(n_shops=6, n_days=40, horizon=3, seed=0):
    """Make sales that depend on a promotion known beforehand, on weather, and on a brand."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=n_days + horizon)
    tables = []
    for shop in range(n_shops):
        table = pd.DataFrame({"shop": f"s{shop}", "day": days, "brand": "AB"[shop % 2]})
        table["promo"] = rng.choice(["none", "half", "gift"], len(days))
        table["weather"] = rng.choice(["sun", "rain"], len(days))
        table["sold"] = 20 + table["promo"].map({"none": 0, "half": 5, "gift": 9})
        table["sold"] += rng.normal(size=len(days))
        tables.append(table)
    panel = pd.concat(tables, ignore_index=True)
    panel = panel.astype(dict.fromkeys(["brand", "promo", "weather"], "category"))
    is_past = panel["day"] < days[n_days]
    return panel[is_past], panel[~is_past]


PAST, FUTURE = make_sales()
SHOPS = {"series": "shop", "time": "day"}


def forecaster(**options):
    options = {"known_future": ["promo"], "window_length": 4, "random_state": 0, **options}
    return MultiSeriesForecaster(3, n_estimators=1, hidden_units=4, **options, **SHOPS)


@cache
def fitted_forecaster():
    return forecaster().fit(PAST)


def rows_of_windows(fitted):
    """Return the rows that the windows of the past are made of."""
    grid = fitted._grid(*fitted._read(PAST, reset=False))
    return fitted._builder.build(grid, np.arange(10)).windows.rows


def test_roles_of_categories_in_a_forecaster():
    fitted = fitted_forecaster()
    spec = fitted.estimators_[0]._network.spec
    # Windows hold sold, brand, weather, promo, and promo three days ahead.
    assert spec.n_features == 5
    assert dict(spec.categories) == {1: 2, 2: 2, 3: 4, 4: 4}
    assert spec.static_features == (1,)
    rows = rows_of_windows(fitted)
    assert_array_equal(rows[:40, 3], codes(PAST["promo"][:40]))
    assert_array_equal(rows[:37, 4], codes(PAST["promo"][3:40]))
    assert_array_equal(rows[:, 1], codes(PAST["brand"]))
    assert_array_equal(rows[:, 2], codes(PAST["weather"]))


@pytest.mark.slow
def test_categories_beside_several_seasons():
    fitted = forecaster(season_length=(2, 4), window_length=8).fit(PAST)
    spec = fitted.estimators_[0]._network.spec
    # Windows hold the error of the mixture of seasons between sold and the covariates.
    assert spec.n_features == 6
    assert dict(spec.categories) == {2: 2, 3: 2, 4: 4, 5: 4}
    assert spec.static_features == (2,)
    rows = rows_of_windows(fitted)
    for place, name in [(2, "brand"), (3, "weather"), (4, "promo")]:
        assert_array_equal(rows[:40, place], codes(PAST[name][:40]))


def test_constant_categories_need_no_rows_in_future():
    fitted, known = fitted_forecaster(), FUTURE[["day", "promo", "shop"]]
    forecast = fitted.forecast(future=known)
    pd.testing.assert_frame_equal(forecast, fitted.forecast(future=FUTURE))
    pd.testing.assert_frame_equal(forecast, fitted.forecast(PAST, future=known))
    text = PAST.astype(dict.fromkeys(["brand", "promo", "weather"], object))
    pd.testing.assert_frame_equal(forecast, fitted.forecast(text, future=known))
    frame = fitted.forecast(pl.from_pandas(PAST), future=pl.from_pandas(known))
    assert_allclose(frame["prediction"].to_numpy(), forecast["prediction"], rtol=1e-6)
    other = fitted.forecast(future=known.assign(promo="none"))
    assert not np.allclose(other["prediction"], forecast["prediction"])


def test_new_and_missing_categories_in_a_forecaster():
    fitted, known = fitted_forecaster(), FUTURE[["shop", "day", "promo"]]
    shifted = PAST.assign(shop="new " + PAST["shop"].astype(str), brand="C")
    new = known.assign(shop="new " + known["shop"].astype(str))
    assert fitted.forecast(shifted, future=new)["prediction"].notna().all()
    # Missing values are replaced by the last known one, like those of other covariates.
    last = shifted["day"] == shifted["day"].max()
    copies = shifted.assign(brand=PAST["brand"])
    gaps = copies.assign(brand=copies["brand"].where(~last))
    expected = fitted.forecast(copies, future=new)
    pd.testing.assert_frame_equal(fitted.forecast(gaps, future=new), expected)
    with pytest.raises(ValueError, match=r"future has missing values in \['promo'\]"):
        fitted.forecast(future=known.assign(promo=None))


def test_a_forecaster_depends_on_nothing_later():
    fitted = fitted_forecaster()
    new = PAST.assign(shop="x" + PAST["shop"].astype(str))
    future = FUTURE.assign(shop="x" + FUTURE["shop"].astype(str))
    changed = new.assign(weather=new["weather"].where(new["day"] < "2024-01-20", "sun"))
    before = (new["day"] < "2024-01-20").to_numpy()
    here, there = (fitted.predict(panel, future=future) for panel in (new, changed))
    assert_array_equal(here[before], there[before])
    assert not np.allclose(here, there)


def test_a_saved_forecaster_keeps_its_categories(tmp_path):
    sklstm.save(fitted_forecaster(), tmp_path / "file")
    loaded = sklstm.load(tmp_path / "file")
    expected = fitted_forecaster().forecast(future=FUTURE)
    pd.testing.assert_frame_equal(loaded.forecast(future=FUTURE), expected)
    assert np.isfinite(loaded.score(FUTURE))


def test_displays_draw_no_categories():
    assert _target_columns(forecaster(), PAST) == ["sold"]


@pytest.mark.slow
def test_backtests_forecast_no_categories():
    result = backtest(forecaster(), PAST, n_origins=1)
    assert "target" not in result and result["prediction"].notna().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": ["sold", "weather"]}, r"targets \['weather'\] are categories"),
        ({"categorical_features": ["climate"]}, "categorical_features= contains 'climate'"),
        (
            {"categorical_features": "brand"},
            r"='brand' is text.* in a list: \['brand'\]",
        ),
        ({"categorical_features": ["brand", "promo"]}, "'weather' holds values of dtype category"),
    ],
)
def test_bad_categories_of_a_forecaster_raise(options, message):
    with pytest.raises(ValueError, match=message):
        forecaster(**options).fit(PAST)
