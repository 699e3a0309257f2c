"""A small panel with a static feature, its windows, and a regressor for them."""

import helpers
import numpy as np
import pandas as pd

from sklstm import WindowTransformer

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
    """Make a small regressor for these windows; one batch size limits compilation."""
    defaults = {"hidden_units": UNITS, "learning_rate": 0.05, "min_observed": 1}
    return helpers.lstm(**defaults | options)


PANEL, Y = make_panel()
EDGE, MASKED = make_windows(PANEL), make_windows(PANEL, "nan")
