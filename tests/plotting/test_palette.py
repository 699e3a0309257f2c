"""Tests of the palette: colours differ for colour-blind readers."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from sklstm.plotting._palette import COLORS, MAX_CURVES, curve_style

# What people without one kind of cones see, in linear RGB: G. M. Machado, M. M. Oliveira,
# L. A. F. Fernandes, "A physiologically-based model for simulation of color vision deficiency",
# 2009.
SIGHT = {
    "full": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
# Distances in CIELAB above 2 are visible; those of neighbouring areas should be far larger.
SMALLEST_DISTANCE = 10


def lab(color, sight):
    """Convert a colour, as some people see it, to CIELAB."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(SIGHT[sight] @ linear, 0, 1)
    x, y, z = np.cbrt(TO_XYZ @ seen / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_differ(sight):
    distances = {
        (one, other): np.linalg.norm(lab(one, sight) - lab(other, sight))
        for one, other in combinations(COLORS, 2)
    }
    assert min(distances.values()) > SMALLEST_DISTANCE, distances


def test_curves_differ():
    styles = [tuple(curve_style(number).values()) for number in range(MAX_CURVES)]
    assert len(set(styles)) == MAX_CURVES
