"""Every display can be read with 3 and with 3,000 series.

Pictures are looked at by people (see drawn_displays.py); here stands what can be measured.
"""

from itertools import combinations

import matplotlib.pyplot as plt
import pytest
from drawn_displays import DRAW
from helpers import slow_except

from sklstm import plotting

# The largest numbers of curves, areas, texts and legend rows that a reader can distinguish.
MAX_ARTISTS, MAX_LEGEND = 60, 14
CASES = {
    f"{name} of {n_series} series": (name, n_series) for name in DRAW for n_series in (3, 3000)
}
FAST = [f"{name} of 3000 series" for name in DRAW if name.startswith(("Cov", "Hor", "Imp", "Tra"))]


def boxes_of(artists, renderer):
    """Return the places in the figure of the artists that are seen."""
    boxes = [artist.get_window_extent(renderer) for artist in artists if artist.get_visible()]
    return [box for box in boxes if box.width > 0 and box.height > 0]


def check_axes(axes, renderer):
    n_artists = len(axes.lines) + len(axes.collections) + len(axes.patches) + len(axes.texts)
    assert n_artists <= MAX_ARTISTS
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes = boxes_of([tick.label1 for tick in ticks], renderer)
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    has_label = axes.get_xlabel() or axes.figure.get_supxlabel()
    # A colour bar has only one axis.
    assert has_label or not axes.get_xticks().size or axes.get_label() == "<colorbar>"


def check_legends(figure, renderer):
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    for legend in filter(None, legends):
        assert len(legend.get_texts()) <= MAX_LEGEND
        box = legend.get_window_extent(renderer)
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1


def check_inside(figure, renderer):
    """Check that no label is cut off at the border of the figure."""
    box = figure.get_tightbbox(renderer)
    width, height = figure.get_size_inches()
    assert box.x0 > -0.05 and box.y0 > -0.05
    assert box.x1 < width + 0.05 and box.y1 < height + 0.05


def test_every_display_is_drawn():
    assert DRAW.keys() == set(plotting.__all__)


@pytest.mark.filterwarnings("ignore:.*max_gap=")
@pytest.mark.parametrize(("name", "n_series"), slow_except(CASES, *FAST))
def test_a_display_can_be_read(name, n_series):
    for _, display in DRAW[name](n_series):
        figure = display.figure_
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        check_legends(figure, renderer)
        check_inside(figure, renderer)
        for axes in figure.axes:
            check_axes(axes, renderer)
        plt.close("all")
