"""Test columns known beforehand where time steps are missing: what is filled, and what is said."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score

from sklstm import MultiSeriesForecaster, PerSeriesTimeSplit, backtest
from sklstm.metrics import seasonal_scale

IDS = {"series": "shop", "time": "day"}
HORIZON, WINDOW = 3, 6
FIRST = pd.Timestamp("2024-01-01")
# The last day of 103 is missing, and three days in a row of 7.
MISSING = {103: [12, 25, 31, 39], 7: [8, 9, 10, 33, 36], 55: []}


def make_complete():
    """Make three shops of 40 days, in random order of rows; sales depend on the promotion."""
    rng = np.random.default_rng(0)
    parts = []
    for shop in MISSING:
        promo = rng.integers(0, 2, 40).astype(float)
        sold = 20 + np.sin(np.arange(40)) + 5 * promo + rng.normal(0, 0.1, 40)
        day = FIRST + pd.to_timedelta(np.arange(40), unit="D")
        parts.append(pd.DataFrame({"shop": shop, "day": day, "promo": promo, "sold": sold}))
    panel = pd.concat(parts, ignore_index=True)
    return panel.iloc[rng.permutation(len(panel))].reset_index(drop=True)


COMPLETE = make_complete()
NUMBER = (COMPLETE["day"] - FIRST).dt.days
IS_MISSING = np.array(
    [number in MISSING[shop] for shop, number in zip(COMPLETE["shop"], NUMBER, strict=True)]
)
PANEL = COMPLETE[~IS_MISSING]
FUTURE = pd.DataFrame(
    [(shop, FIRST + pd.Timedelta(days=40 + k), k % 2) for shop in MISSING for k in range(HORIZON)],
    columns=["shop", "day", "promo"],
)


def make_model(**parameters):
    options = {"target": "sold", "season_length": 2, "window_length": WINDOW, **IDS}
    options |= {"known_future": ["promo"], "regressor": Ridge()}
    return MultiSeriesForecaster(HORIZON, **options | parameters)


MODEL = make_model().fit(PANEL)


def with_nan_rows(panel):
    """Set targets and covariates of the missing days to NaN; the rows stay."""
    return panel.assign(sold=panel["sold"].mask(IS_MISSING), promo=panel["promo"].mask(IS_MISSING))


def with_filled_rows(panel):
    """Set targets of the missing days to NaN, and covariates to the last known ones, in a loop."""
    filled = with_nan_rows(panel).sort_values(["shop", "day"])
    promo, shop = filled["promo"].tolist(), filled["shop"].tolist()
    known = [not np.isnan(value) for value in promo]
    for i in range(len(promo)):
        for lag in range(WINDOW):
            if i - lag >= 0 and shop[i - lag] == shop[i] and known[i - lag]:
                promo[i] = promo[i - lag]
                break
    return filled.assign(promo=promo).sort_index()


# The added days lie between the days of fit, which is the sign of torn series.
@pytest.mark.filterwarnings("ignore:.*rows used in fit", "ignore:.*days ahead|.*steps ahead")
@pytest.mark.parametrize("complete", [with_nan_rows, with_filled_rows])
def test_a_missing_day_equals_a_row_with_missing_target(complete):
    rows = complete(COMPLETE)
    assert_allclose(MODEL.predict(PANEL, FUTURE), MODEL.predict(rows, FUTURE)[~IS_MISSING])
    # As new series, of which nothing is remembered.
    names = {name: MISSING_NAMES[name] for name in MISSING}
    new = [frame.assign(shop=frame["shop"].map(names)) for frame in (PANEL, rows, FUTURE)]
    expected = MODEL.predict(new[1], new[2])[~IS_MISSING]
    assert_allclose(MODEL.predict(new[0], new[2]), expected)


MISSING_NAMES = {103: 1103, 7: 1007, 55: 1055}


@pytest.mark.filterwarnings("ignore:.*steps ahead")
def test_forecast_when_the_last_day_is_missing():
    forecast = MODEL.forecast(future=FUTURE).set_index(["shop", "day"])["prediction"]
    # 103 is forecast from day 38: its first step is the missing day 39.
    ahead = {103: range(39, 42), 7: range(40, 43), 55: range(40, 43)}
    assert {shop: part.index.get_level_values("day").tolist() for shop, part in
            forecast.groupby("shop")} == {
        shop: [FIRST + pd.Timedelta(days=day) for day in days] for shop, days in ahead.items()
    }  # fmt: skip
    # The promotion of day 39 is filled with that of day 38.
    last = COMPLETE.loc[(COMPLETE["shop"] == 103) & (NUMBER == 38), "promo"].item()
    given = pd.DataFrame({"shop": 103, "day": [FIRST + pd.Timedelta(days=39)], "promo": last})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = MODEL.forecast(future=pd.concat([given, FUTURE]))
    assert_allclose(forecast, whole["prediction"])
    other = MODEL.forecast(future=pd.concat([given.assign(promo=1 - last), FUTURE]))
    difference = (other["prediction"] - whole["prediction"]).abs()
    assert difference[other["shop"] == 103].max() > 1
    assert difference[other["shop"] != 103].max() == 0


def test_later_covariates_do_not_fill_a_missing_day():
    with pytest.warns(UserWarning, match="steps ahead"):
        before = MODEL.predict(PANEL, FUTURE)
    number = NUMBER[~IS_MISSING].to_numpy()
    for day in (9, 12, 33):
        # A forecast may depend on promotions up to `horizon` days ahead.
        changed = PANEL.assign(promo=PANEL["promo"].where(number <= day, 9.0))
        with pytest.warns(UserWarning, match="steps ahead"):
            after = MODEL.predict(changed, FUTURE)
        early = number <= day - HORIZON
        assert_allclose(after[early], before[early])
        assert (np.abs(after - before) > 1e-3).any(axis=1)[number == day].all()


@pytest.mark.filterwarnings("ignore:.*steps ahead")
def test_score_and_cross_validation_with_missing_days():
    split = PerSeriesTimeSplit(2, test_size=5, **IDS)
    scores = cross_val_score(make_model(), PANEL, cv=split, error_score="raise")
    for (train, test), score in zip(split.split(PANEL), scores, strict=True):
        train, test = PANEL.iloc[train], PANEL.iloc[test]
        model = make_model().fit(train)
        # The same forecasts from a complete future, in which missing days are filled by hand.
        filled = with_filled_rows(COMPLETE)
        ends = train.groupby("shop")["day"].max()
        ahead = filled["day"] > filled["shop"].map(ends)
        forecast = model.forecast(future=filled.loc[ahead, ["shop", "day", "promo"]])
        scale = seasonal_scale(train, 2, "sold", **IDS)
        errors = []
        for shop, part in forecast.groupby("shop"):
            true = test[test["shop"] == shop].set_index("day")["sold"]
            differences = [
                abs(true[row.day] - row.prediction) for row in part.itertuples() if row.day in true
            ]
            errors.append(np.mean(differences) / scale[shop])
        assert score == pytest.approx(-np.mean(errors))
        assert score == pytest.approx(model.score(test))


@pytest.mark.filterwarnings("ignore:.*steps ahead")
@pytest.mark.parametrize("refit", [True, False])
def test_backtest_with_missing_days(refit):
    result = backtest(make_model(), PANEL, 3, refit=refit)
    assert np.isfinite(result["prediction"]).all()
    days = {(row.shop, row.day): row.sold for row in PANEL.itertuples()}
    expected = [days.get((row.shop, row.day), np.nan) for row in result.itertuples()]
    assert_allclose(result["y_true"], expected)
    assert result["y_true"].isna().any()
    # The last origin, by hand: the forecaster receives the promotions of the rows after the cut.
    last = result[result["origin"] == 2]
    cutoff = PANEL["shop"].map(last.groupby("shop")["cutoff"].first())
    model = make_model()
    if refit:
        model.fit(PANEL[PANEL["day"] <= cutoff])
        future = PANEL.loc[PANEL["day"] > cutoff, ["shop", "day", "promo"]]
        forecast = model.forecast(PANEL[PANEL["day"] <= cutoff], future)
        assert_allclose(last["prediction"], forecast["prediction"])


def test_a_warning_names_the_steps_that_a_short_window_does_not_read():
    expected = r"window_length=2 is .* horizon=3, .*\['promo'\] at the first 1 steps"
    with pytest.warns(UserWarning, match=expected):
        short = make_model(window_length=2).fit(COMPLETE)
    promo = FUTURE["promo"].mask(FUTURE.index % HORIZON == 0, 9.0)  # at the first step
    first, second = (short.forecast(future=table) for table in (FUTURE, FUTURE.assign(promo=promo)))
    assert_allclose(first["prediction"], second["prediction"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_model(window_length=3).fit(PANEL)
        make_model(window_length=2, known_future=()).fit(PANEL.drop(columns="promo"))


def test_a_warning_counts_the_days_that_were_filled():
    message = (
        r"1 of the steps ahead has no known \['promo'\]: series 103 at 2024-02-09. The last known "
        r"values are used. Add these rows to future, or check its dates"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        MODEL.forecast(future=FUTURE)
    assert [warning.filename for warning in caught] == [__file__]
    # Once per step, not once per row that is forecast from.
    n_missing = IS_MISSING.sum()
    message = rf"{n_missing} of the steps ahead have no known \['promo'\]: the first is series"
    with pytest.warns(UserWarning, match=message):
        MODEL.predict(PANEL, FUTURE)
    # Steps that are not ahead of a row that is forecast from are left out.
    shop = PANEL["shop"] == 7
    end = FUTURE[FUTURE["shop"] == 7]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MODEL.forecast(PANEL[shop], end)
        MODEL.forecast(PANEL[PANEL["shop"] == 55], FUTURE)


@pytest.mark.filterwarnings("ignore:.*steps ahead")
@pytest.mark.parametrize("method", ["forecast", "predict"])
def test_messages_name_plain_ids_and_days(method):
    call = getattr(MODEL, method)
    incomplete = FUTURE[(FUTURE["shop"] != 7) | (FUTURE["day"] < FIRST + pd.Timedelta(days=42))]
    message = (
        "The columns ['promo'] must be known for the 3 steps after each row that is forecast "
        "from. They end too early in 1 series: 7 (known up to 2024-02-11, needed up to "
        "2024-02-12). Pass the missing rows as future=. When scoring, add them to X."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(PANEL, incomplete)
    unknown = FUTURE.assign(promo=FUTURE["promo"].mask(FUTURE.index.isin([1, 4, 5]), np.nan))
    message = (
        "future has missing values in ['promo'] in 3 rows, the first of series 103 at 2024-02-11. "
        "Fill them in."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        call(PANEL, unknown)
    # Rows of series that are not forecast are ignored.
    assert len(call(PANEL[PANEL["shop"] == 55], unknown[unknown["shop"] != 7])) > 0


def test_score_needs_the_promotions_of_the_whole_horizon():
    model = make_model().fit(PANEL[PANEL["day"] < FIRST + pd.Timedelta(days=36)])
    later = PANEL[
        PANEL["day"].between(FIRST + pd.Timedelta(days=36), FIRST + pd.Timedelta(days=37))
    ]
    with pytest.raises(ValueError, match=r"7 \(known up to 2024-02-07, needed up to 2024-02-08\)"):
        model.score(later)


def test_without_time_rows_are_counted():
    panel = PANEL.sort_values(["shop", "day"]).drop(columns="day")
    model = make_model(time=None).fit(panel)
    future = FUTURE.drop(columns="day")
    assert len(model.forecast(panel, future)) == 9
    with pytest.raises(ValueError, match=r"103 \(known up to row 37, needed up to row 38\)"):
        model.forecast(panel, future[1:])


def test_one_name_or_position_of_a_column_known_beforehand():
    expected = MODEL.predict(PANEL[PANEL["shop"] == 55], FUTURE)
    for name in ("promo", 2):
        model = make_model(known_future=name).fit(PANEL)
        assert_allclose(model.predict(PANEL[PANEL["shop"] == 55], FUTURE), expected)
    first = PANEL[["promo", "shop", "day", "sold"]]
    model = make_model(known_future=0).fit(first)
    assert_allclose(model.predict(first[first["shop"] == 55], FUTURE), expected)
    names = [backtest(make_model(known_future=name), COMPLETE, 1) for name in ("promo", ["promo"])]
    pd.testing.assert_frame_equal(*names)


# Columns of the panel, ids, and the levels of the index of the panel and of future.
LAYOUTS = {
    "levels in another order": (["shop", "day"], ["day", "shop"], IDS),
    "levels in the future only": ([], ["shop", "day"], IDS),
    "levels in the panel only": (["shop", "day"], [], IDS),
    "one level": (["day"], [], IDS),
    "positions": ([], [], {"series": 1, "time": 2}),
}


@pytest.mark.filterwarnings("ignore:.*steps ahead")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_ids_of_panel_and_future_may_stand_in_other_places(layout):
    of_panel, of_future, ids = LAYOUTS[layout]
    first = PANEL[["sold", "shop", "day", "promo"]]

    def placed(table, levels):
        return table.set_index(levels) if levels else table

    model = make_model(**ids).fit(placed(first, of_panel))
    future = placed(FUTURE, of_future)
    assert_allclose(
        model.forecast(future=future)["prediction"],
        MODEL.forecast(future=FUTURE)["prediction"],
        rtol=1e-6,
    )
    found = model.predict(placed(first, of_panel[::-1]), future)
    assert_allclose(found, MODEL.predict(PANEL, FUTURE), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*steps ahead")
def test_rows_that_continue_a_series_may_have_another_order_of_levels():
    later = FUTURE.assign(sold=20.0)
    next_days = FUTURE.assign(day=FUTURE["day"] + pd.Timedelta(days=HORIZON))
    model = make_model().fit(PANEL.set_index(["shop", "day"]))
    expected = MODEL.forecast(later[PANEL.columns], next_days)["prediction"]
    by_day = later.assign(note=0).set_index(["note", "day", "shop"])
    assert_allclose(model.forecast(by_day, next_days)["prediction"], expected, rtol=1e-6)
    assert model.score(by_day) == pytest.approx(MODEL.score(later[PANEL.columns]))


@pytest.mark.filterwarnings("ignore:.*steps ahead")
def test_backtest_of_ids_by_position():
    panel = PANEL[["sold", "shop", "day", "promo"]]
    positions = {"series": 1, "time": 2, "target": 0, "known_future": 3}
    results = [backtest(make_model(**options), panel, 2) for options in ({}, positions)]
    pd.testing.assert_frame_equal(*results)


@pytest.mark.filterwarnings("ignore:.*steps ahead")
def test_backtest_of_days_of_python():
    results = [
        backtest(make_model(), panel, 2)
        for panel in (PANEL, PANEL.assign(day=PANEL["day"].dt.date))
    ]
    assert results[1]["cutoff"].dtype == results[1]["day"].dtype
    pd.testing.assert_frame_equal(*results, check_dtype=False)


def test_a_future_that_is_passed_as_panel():
    message = r"not the targets \['sold'\]. Did you mean forecast\(future=...\)\?"
    with pytest.raises(ValueError, match=message):
        MODEL.forecast(FUTURE)
    # Without columns known beforehand, it is a panel that lacks a column.
    with pytest.raises(ValueError, match="feature names"):
        make_model(known_future=()).fit(PANEL).forecast(FUTURE)


@pytest.mark.parametrize(
    ("future", "message"),
    [
        (FUTURE[FUTURE["shop"] != 7], r"no rows of 1 of 3 series: \[7\]. It has .* \[103, 55\]"),
        (FUTURE.assign(shop=FUTURE["shop"].astype(str)), r"3 of 3 series.*equal in .* and type"),
        (
            FUTURE.assign(day=FUTURE["day"] - pd.Timedelta(days=1)),
            "2 rows that are not later .* series 7 at 2024-02-09. Expected only the next rows",
        ),
        (PANEL, "rows that are not later than the last row of their series, the first of series"),
        (FUTURE.rename(columns={"promo": "Promo"}), r"\['shop', 'day', 'Promo'\]. Did you mean 'P"),
        (FUTURE.drop(columns="promo"), r"Its columns are \['shop', 'day'\]. Add or rename"),
        (FUTURE.assign(promo="1"), r"'promo' holds text .* pandas.to_numeric"),
        (FUTURE.assign(promo=[np.inf] * 2 + [1.0] * 7), r"future .* \['promo'\] in 2 rows.*finite"),
    ],
    ids=["series", "type", "early", "panel", "column", "no column", "text", "infinite"],
)
def test_a_future_that_does_not_fit(future, message):
    for call in (lambda: MODEL.forecast(future=future), lambda: MODEL.predict(PANEL, future)):
        with pytest.raises(ValueError, match=message):
            call()


def test_missing_values_name_their_columns():
    panel = PANEL.assign(price=PANEL["promo"] + 1)
    model = make_model(known_future=["promo", "price"]).fit(panel)
    future = FUTURE.assign(price=np.where(np.arange(9) == 4, np.nan, 1.0))
    message = r"values in \['price'\] in 1 rows, the first of series 7 at 2024-02-11. Fill them in"
    with pytest.raises(ValueError, match=message):
        model.forecast(future=future)
