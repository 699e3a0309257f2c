"""Make an array of all windows with NumPy's sliding_window_view."""

from problems import make_blocks, materialise


def windows(n_series, length, n_features, window, share):
    """Use a share of the panel, since the array repeats each value per row of a window."""
    blocks = make_blocks(int(n_series * share), length, n_features)
    materialise(blocks[:10], window, pad=True)

    def run():
        materialise(blocks, window, pad=True)
        return {"rows": blocks.shape[0] * blocks.shape[1]}

    return run
