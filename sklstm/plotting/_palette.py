"""Colours and line styles of all displays.

The colours are those of Okabe and Ito, whose colours most colour-blind people can distinguish,
without their yellow, which is too light for lines. Curves differ in line style, too.
"""

from __future__ import annotations

DARK, GREY, PALE = "#404040", "0.7", "0.92"
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, SKY, AMBER = "#CC79A7", "#56B4E9", "#E69F00"
COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER)
DASHES = ("-", "--", "-.", ":")
# Number of curves of which no two have both the colour and the line style in common.
MAX_CURVES = 12


def curve_style(number: int) -> dict[str, str]:
    """Return the colour and the line style of a curve.

    Parameters
    ----------
    number : int
        Number of the curve, from 0.

    Returns
    -------
    dict
        Options of ``Axes.plot``.
    """
    return {"color": COLORS[number % len(COLORS)], "ls": DASHES[number % len(DASHES)]}
