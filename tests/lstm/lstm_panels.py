"""A small panel with a static feature, its windows, and a regressor for them."""

import numpy as np
import pandas as pd

from sklstm import MultiSeriesLSTMRegressor, WindowTransformer

L, UNITS = 4, 3
IDS = {"series": "unit", "time": "cycle"}


def make_panel(seed=0, lengths=(9, 6, 3, 1)):
    """Make a panel whose column `size` is constant within each unit."""
    rng = np.random.default_rng(seed)
    panel = pd.concat(
        [
            pd.DataFrame({"unit": f"u{number}", "cycle": range(length), "size": number / 2})
            for number, length in enumerate(lengths)
        ],
        ignore_index=True,
    )
    panel[["p", "q"]] = rng.normal(size=(len(panel), 2))
    return panel, (panel["p"] - panel["size"]).to_numpy()


def make_windows(panel, padding="edge", length=L, columns=("size", "p", "q")):
    return WindowTransformer(length, padding=padding, columns=list(columns), **IDS).fit_transform(
        panel
    )


def lstm(**options):
    # One batch size for panels and folds: few shapes to compile.
    options = {"epochs": 2, "learning_rate": 0.05, "min_observed": 1, "batch_size": 16, **options}
    return MultiSeriesLSTMRegressor(UNITS, random_state=0, **options)


PANEL, Y = make_panel()
EDGE, MASKED = make_windows(PANEL), make_windows(PANEL, "nan")
