"""`Projection`: coordinates along random orthogonal directions, by a fast Fourier transform."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Projection", "draw_projection"]


@dataclass(frozen=True, eq=False)
class Projection:
    r"""Rows (n, d) to m of their coordinates after random signs and a Fourier transform.

    The subsampled randomised transform of Ailon and Chazelle (2009) with sines and cosines for
    its orthogonal matrix. Inner products are kept on average over draws; exactly, for m >= d,
    where every coordinate comes as often as any other or once more.

    Attributes
    ----------
    signs : ndarray of shape (d,)
        1 or -1.
    columns : ndarray of int, shape (m,)
        Of the transform's real and imaginary parts, side by side.
    scale : ndarray of shape (m,)
        What makes the transform orthogonal, times what makes up for the choice.
    """

    signs: np.ndarray
    columns: np.ndarray
    scale: np.ndarray

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return the coordinates (n, m) of rows (n, d); O(d log d) a row."""
        signed = np.multiply(rows, self.signs, order="C")
        spectrum = np.ascontiguousarray(np.fft.rfft(signed, axis=1, norm="ortho"))
        return spectrum.view(rows.dtype)[:, self.columns] * self.scale


def draw_projection(d: int, m: int, rng: np.random.Generator, dtype: np.dtype) -> Projection:
    """Draw a projection from d to m coordinates."""
    columns = np.arange(d) + (np.arange(d) > 0)  # all but the imaginary part of the mean, 0
    norms = np.full(d, np.sqrt(2))
    norms[0] = 1
    if d % 2 == 0:
        norms[-1] = 1  # the highest frequency is real too
    turn = np.arange(m) % d
    order = rng.permutation(d)[turn]
    share = np.sqrt(d / m) if m < d else 1 / np.sqrt(np.bincount(turn))[turn]
    return Projection(
        rng.choice(np.array([-1, 1], dtype), d),
        columns[order],
        (norms[order] * share).astype(dtype),
    )
