"""Integrate gradients along straight paths from a baseline to windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import roots_legendre

from sklstm._panel.windows import Windows

N_NODES = 8  # per part of a path
BLOCK_BYTES = 2**26
# A part of a path has converged at this share of the tolerance, or at the rounding of float32.
SHARE, ROUNDING = 0.1, 2e-6

# Maps windows and positions of rows to outputs and gradients.
Gradients = Callable[[Any, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass
class PathPoints:
    """Points on the paths from the baseline to windows, as lazy windows.

    Points of one path follow each other. Masked padding stays masked.

    Attributes
    ----------
    windows : Windows
    baseline : ndarray of shape (window_length, n_features)
    places : ndarray of shape (n_paths, n_points)
        Places of the points on the path to each window: 0 is the baseline, 1 the window.
    fixed : list of int
        Positions of features that have the values of the window at all points.
    """

    windows: Windows
    baseline: np.ndarray
    places: np.ndarray
    fixed: list[int]

    @property
    def padding(self) -> str:
        """Padding of the windows."""
        return self.windows.padding

    def __len__(self) -> int:
        return self.places.size

    def gather(self, positions: np.ndarray) -> np.ndarray:
        """Compute the points at these positions."""
        values = self.windows.gather(positions // self.places.shape[1])
        place = self.places.ravel()[positions][:, np.newaxis, np.newaxis]
        mixed: np.ndarray = ((1 - place) * self.baseline + place * values).astype(values.dtype)
        mixed[:, :, self.fixed] = values[:, :, self.fixed]
        return mixed


@dataclass
class Parts:
    """Parts of paths.

    Attributes
    ----------
    rows : ndarray of shape (n_parts,)
        Position of the window to which each path leads.
    starts, stops : ndarray of shape (n_parts,)
        Places on the path where each part starts and stops.
    """

    rows: np.ndarray
    starts: np.ndarray
    stops: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Parts:
        return Parts(self.rows[key], self.starts[key], self.stops[key])

    @classmethod
    def concatenate(cls, parts: list[Parts]) -> Parts:
        """Concatenate lists of parts."""
        names = ("rows", "starts", "stops")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def halves(self) -> Parts:
        """Divide each part into two of the same length."""
        middles = (self.starts + self.stops) / 2
        return Parts(
            np.repeat(self.rows, 2),
            np.column_stack([self.starts, middles]).ravel(),
            np.column_stack([middles, self.stops]).ravel(),
        )

    def blocks(self, size: int) -> Iterator[Parts]:
        """Iterate over the parts, `size` at a time."""
        for start in range(0, len(self), size):
            yield self[start : start + size]


@dataclass
class Integral:
    """Integrated gradients of windows, and the outputs at both ends of their paths.

    Attributes
    ----------
    values : ndarray of shape (n_rows, window_length, n_features)
    start, end : ndarray of shape (n_rows,)
        Output for the baseline and for the window.
    """

    values: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Absolute difference of each sum from the difference of the two outputs."""
        total = self.values.sum(axis=(1, 2))
        errors: np.ndarray = np.abs(total - (self.end - self.start))
        return errors


def integrate(
    gradients: Gradients,
    windows: Windows,
    baseline: np.ndarray,
    tolerance: float,
    max_nodes: int,
    fixed: list[int],
) -> Integral:
    """Integrate the gradients of windows by adaptive Gauss-Legendre quadrature.

    The outputs at both ends of a part of a path show its error exactly. Parts that have not
    converged are halved. So a kink, such as that of sorted quantiles, takes nodes near it only.

    Parameters
    ----------
    gradients : callable
        Maps windows and the positions of their rows in `windows` to outputs and gradients.
    windows : Windows
    baseline : ndarray of shape (window_length, n_features)
    tolerance : float
        Largest error of a row.
    max_nodes : int
        Number of nodes of a row after which its parts are no longer halved.
    fixed : list of int
        Positions of features that are the same in the baseline as in the window.

    Returns
    -------
    Integral
    """
    n_rows = len(windows)
    integral = Integral(np.zeros(windows.shape), *np.empty((2, n_rows)))
    n_nodes = np.full(n_rows, N_NODES)
    allowed = max(SHARE * tolerance, ROUNDING)
    size = max(1, BLOCK_BYTES // (4 * (N_NODES + 2) * windows.shape[1] * windows.shape[2]))
    parts = Parts(np.arange(n_rows), np.zeros(n_rows), np.ones(n_rows))
    while len(parts):
        rejected = []
        for block in parts.blocks(size):
            values, outputs = _integrate_parts(gradients, windows, baseline, block, fixed)
            errors = np.abs(values.sum(axis=(1, 2)) - (outputs[:, -1] - outputs[:, 0]))
            is_whole = block.stops - block.starts == 1
            integral.start[block.rows[is_whole]] = outputs[is_whole, 0]
            integral.end[block.rows[is_whole]] = outputs[is_whole, -1]
            accepted = (errors <= allowed) | (n_nodes[block.rows] + 2 * N_NODES > max_nodes)
            np.add.at(integral.values, block.rows[accepted], values[accepted])
            np.add.at(n_nodes, block.rows[~accepted], 2 * N_NODES)
            rejected.append(block[~accepted].halves())
        parts = Parts.concatenate(rejected)
    return integral


def _integrate_parts(
    gradients: Gradients, windows: Windows, baseline: np.ndarray, parts: Parts, fixed: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Integrate the gradients over parts of paths.

    Returns
    -------
    values : ndarray of shape (n_parts, window_length, n_features)
    outputs : ndarray of shape (n_parts, n_points)
        Outputs at the points of each part, its ends included.
    """
    nodes, weights = roots_legendre(N_NODES)
    # The ends have no weight; their outputs show how exact the integral is.
    points = np.concatenate([[0.0], (nodes + 1) / 2, [1.0]])
    weights = np.concatenate([[0.0], weights / 2, [0.0]])
    lengths = parts.stops - parts.starts
    chosen = windows[parts.rows]
    path = PathPoints(chosen, baseline, parts.starts[:, None] + lengths[:, None] * points, fixed)
    outputs, slopes = gradients(path, np.repeat(parts.rows, len(points)))
    slopes = slopes.reshape(len(parts), len(points), *slopes.shape[1:])
    steps = np.nan_to_num(chosen.gather(slice(None)).astype(np.float64) - baseline, nan=0.0)
    steps[:, :, fixed] = 0
    values = np.einsum("p,k,pklf->plf", lengths, weights, slopes) * steps
    return values, outputs.reshape(len(parts), -1).astype(np.float64)
