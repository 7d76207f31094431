"""What each image brings to a program on its own, O(n): its tables, and its diagonal values.

In compiled loops on the CPU, whatever backend computes the pairs.
"""

from collections.abc import Sequence

import numpy as np

from ntkreg.kernels.compiled.lanes import group
from ntkreg.kernels.image.loops.tiles import Images
from ntkreg.kernels.image.run import run_program, run_variances
from ntkreg.kernels.image.runnable import RunnableProgram

__all__ = ["diagonal_fields", "make_tables"]


def make_tables(runnable: RunnableProgram, X: np.ndarray) -> list[Images]:
    """Return every stage's tables of images (n, h, w, c), as z: groups of images, lanes last."""
    n, h, w, channels = X.shape
    stages, n_tangents = runnable.stages, runnable.program.n_tangents
    pixels = X / np.sqrt(channels)
    squares = (pixels.astype(np.float64) ** 2).sum(axis=3).reshape(n, h * w)
    pixels = np.concatenate([pixels] * stages[0].columns_stored, axis=2)
    # Zeros around the image (`image.loops.first_layer`), and for want of channels.
    pixels = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, max(3 - channels, 0))))
    pixels = group(pixels.reshape(n, -1, pixels.shape[3]), runnable.dtype)
    squares = group(squares, runnable.dtype, np.dtype(np.float64))
    tangent = np.zeros((len(squares), n_tangents, squares.shape[1]))
    images = [stage.images(pixels[:, : None if k == 0 else 0]) for k, stage in enumerate(stages)]
    if len(images) == 1:
        stages[0].fill_tables(images[0], squares, tangent)
    else:
        for g in range(len(pixels)):
            part = [_slice(z, g) for z in images]
            run_variances(runnable, part, squares[g : g + 1], tangent[g : g + 1])
    return images


def diagonal_fields(runnable: RunnableProgram, z: Sequence[Images], n: int) -> np.ndarray:
    """Return all fields of n images with themselves right after the read-out, exact.

    From their tables as z; float64 (1 + n_tangents, n_reads, n).
    """
    wanted = np.eye(len(z[0].pixels), dtype=bool)
    fields = run_program(runnable, z, z, wanted, paired=True)
    groups = np.einsum("frggl->frgl", fields)
    return groups.reshape(*groups.shape[:2], -1)[..., :n]


def _slice(images: Images, k: int) -> Images:
    return Images(*(a[k : k + 1] for a in images))
