"""`ImagePairs`: what a backend brings to the image engine, the loops over pairs of images."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from ntkreg.kernels.image.inputs import ImageInputs
from ntkreg.kernels.image.runnable import RunnableProgram

__all__ = ["ImagePairs"]


@dataclass(frozen=True)
class ImagePairs(ABC):
    """Loops over pairs of images, from their tables to the fields at the reads.

    All else is the engine's (`ntkreg.kernels.image.engine`): tables, the exact diagonal, the
    mirrored triangle, layers after the read-outs, rounding. Threads call one instance at the same
    time.

    Attributes
    ----------
    runnable : RunnableProgram
        Networks, dtype, and the program that runs on every tile.

    Raises
    ------
    SpecError
        When used, and not before: by a backend that cannot run the program. Says which can.
    BackendError
        By a backend whose device is not there.
    """

    runnable: RunnableProgram

    @property
    @abstractmethod
    def name(self) -> str:
        """What plans, `Gram.engine` and the manifests of folders call an engine of these pairs.

        The same for good. With the device where another one gives other bits: no other may go on
        with a folder half filled.
        """

    @property
    @abstractmethod
    def block(self) -> int:
        """Rows and columns that one call of `run` computes best; at most some seconds of work."""

    @property
    @abstractmethod
    def columns_at_once(self) -> int:
        """Columns that take no longer than one."""

    @property
    def rows_at_once(self) -> int:
        """Rows that take no longer than one."""
        return 1

    @abstractmethod
    def explain(self) -> str:
        """Return what will run as text: how, then which operations (`explain_image`)."""

    @abstractmethod
    def run(self, x: ImageInputs, z: ImageInputs, wanted: np.ndarray) -> np.ndarray:
        """Return the sums over the fields at every READ of the program, NNGP and tangents.

        A pair's values must have the same bits in any block.

        Parameters
        ----------
        x, z : ImageInputs
            n and m images with their tables of every stage: `as_x` an image a row, `as_z` groups
            of lanes.
        wanted : ndarray of bool (n, m)
            The pairs to compute. Values of the others may be anything.

        Returns
        -------
        ndarray of float64 (1 + n_tangents, n_reads, n, m)
        """
