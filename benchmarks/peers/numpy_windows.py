"""An array of all windows by NumPy's sliding_window_view, each row with its own window."""

from problems import make_blocks, materialise


def windows(n_series, length, n_features, window, share):
    """A share of the panel: the array holds each value as often as a window has rows."""
    blocks = make_blocks(int(n_series * share), length, n_features)
    materialise(blocks[:10], window, pad=True)

    def run():
        materialise(blocks, window, pad=True)
        return {"rows": blocks.shape[0] * blocks.shape[1]}

    return run
