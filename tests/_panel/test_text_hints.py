import numpy as np
import pandas as pd
import pytest

from sklstm import MultiSeriesLSTMRegressor, WindowTransformer
from sklstm._panel.text_hints import date_hint, text_remedy


@pytest.mark.parametrize("text", ["3,56", "-0,5", "1.234,5", " 12,0 "])
def test_decimal_commas_are_recognized(text):
    assert "decimal=','" in text_remedy(text, "Drop it.")


@pytest.mark.parametrize("text", ["3.56", "a, b", "12", b"1,5", "2,"])
def test_other_text_has_no_decimal_comma(text):
    assert text_remedy(text, "Drop it.") == "Drop it."


@pytest.mark.parametrize("text", ["31.12.2024", "1/2/2024", "10.02.2025 08:00"])
def test_dates_with_the_day_first_are_recognized(text):
    assert "dayfirst=True" in date_hint([text])


@pytest.mark.parametrize("values", [["2024-12-31"], ["20241231"], ["noon"], [1.5], []])
def test_other_dates_have_no_day_first(values):
    assert date_hint(values) == ""


def test_errors_about_text_have_the_hints():
    panel = pd.DataFrame({"unit": ["a"] * 3, "day": pd.date_range("2024-12-29", periods=3)})
    panel["pressure"] = ["3,1", "3,2", "3,3"]
    windows = WindowTransformer(2, series="unit", time="day")
    with pytest.raises(ValueError, match=r"'3,1'.* It has decimal commas"):
        windows.fit(panel)
    with pytest.raises(ValueError, match=r"'3,1'.* It has decimal commas"):
        WindowTransformer(2).fit(panel[["pressure"]].to_numpy(dtype=object))
    german = panel.assign(pressure=1.0, day=panel["day"].dt.strftime("%d.%m.%Y"))
    with pytest.raises(ValueError, match=r"'29.12.2024' starts with the day.*dayfirst=True"):
        windows.fit(german)
    with pytest.raises(ValueError, match=r"'0,5'.* It has decimal commas"):
        MultiSeriesLSTMRegressor(4).fit(np.zeros((3, 2, 1)), ["0,5", "1,5", "2,5"])
