"""The image engine in plain jax.numpy: the same tile programs, on whatever JAX runs on."""

import functools
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkreg.architecture import Architecture
from ntkreg.kernels.image import ImageEngine
from ntkreg.kernels.image_inputs import ImageInputs
from ntkreg.kernels.image_loops import SKIPPED, Images
from ntkreg.kernels.image_program import compile_image_network
from ntkreg.kernels.jax_axes import PackedAxis, packed_axes
from ntkreg.kernels.jax_program import Tables, groups_of, make_run
from ntkreg.kernels.lanes import n_lanes

__all__ = ["JaxImageEngine"]

_LANES = {"cpu": 32}
_MOST_LANES = 128
_ENTRIES = {"cpu": 2**15}
_MOST_ENTRIES = 2**20

_ONE_AT_A_TIME = Lock()


@functools.lru_cache(maxsize=16)
def _compiled(networks: tuple[Architecture, ...], h: int, w: int, dtype: str) -> Any:
    """The jitted program; cached, so that a second engine of a network does not compile again."""
    program = compile_image_network(networks, h, w)
    axes = packed_axes(program.stages, program.readout)
    return jax.jit(make_run(program, axes, np.dtype(dtype)))


@dataclass(frozen=True)
class JaxImageEngine(ImageEngine):
    """`ImageEngine` whose pairs of images are computed by XLA (`jax_program`)."""

    @cached_property
    def axes(self) -> list[tuple[PackedAxis, PackedAxis]]:
        """Which offsets run in every stage."""
        return packed_axes(self.program.stages, self.program.readout)

    @cached_property
    def chunk(self) -> tuple[int, int]:
        """Images x and z of one call."""
        return 1, 32

    @property
    def block(self) -> int:
        return 32

    @property
    def columns_at_once(self) -> int:
        """The lanes."""
        return self.chunk[1]

    def symmetric(self, X: np.ndarray | ImageInputs) -> np.ndarray:
        """Values of all pairs within X; the lower triangle is the upper one's mirror."""
        x = self._inputs(X)
        fields = self._run(x, x, np.zeros((len(x), len(x))))
        # What is right on the diagonal only to rounding is known there exactly.
        i = np.arange(len(x))
        fields[..., i, i] = self._diagonal_fields(x)
        lower = np.tril_indices(len(x), -1)
        fields[..., lower[0], lower[1]] = fields[..., lower[1], lower[0]]
        return self._finish(fields, x, x)

    def _run(self, x: ImageInputs, z: ImageInputs, own: np.ndarray) -> np.ndarray:
        rows, lanes = self.chunk
        run = _compiled(self.networks, *self.shape[:2], self.dtype.name)
        out = np.empty((2, self.program.n_reads, len(x), len(z)))
        with jax.enable_x64(True):
            columns = [
                (j, self._as_z(_part(z.as_x, j, lanes))) for j in range(0, len(z), lanes)
            ]
            for i in range(0, len(x), rows):
                one = self._as_x(_part(x.as_x, i, rows))
                for j, many in columns:
                    sums = np.asarray(run(True, one, many))
                    out[:, :, i : i + rows, j : j + lanes] = sums[
                        :, :, : len(x) - i, : len(z) - j
                    ]
        return out

    def _as_x(self, images: list[Images]) -> list[Tables]:
        return [self._tables(k, stage) for k, stage in enumerate(images)]

    def _as_z(self, images: list[Images]) -> list[Tables]:
        """x's tables with lanes last, twice along both axes of pixels."""
        twice = lambda t: np.moveaxis(np.tile(t, (1, 1, 2, 2)), 1, -1)  # noqa: E731
        return [
            Tables(
                np.moveaxis(np.tile(t.pixels, (1, 1, 2, 2)), 0, -1),
                tuple(map(twice, t.a)),
                tuple(map(twice, t.b)),
            )
            for t in self._as_x(images)
        ]

    def _tables(self, k: int, images: Images) -> Tables:
        stage, axes, runnable = self.program.stages[k], self.axes[k], self.stages[k]
        steps, stored = runnable.steps(self.dtype), runnable.columns_stored
        n = len(images.a)

        def packed(values: np.ndarray, level: int, width: int) -> np.ndarray:
            h, w = (axis.sizes[level] for axis in axes)
            out = np.zeros((*values.shape[:-1], *(axis.moduli[level] for axis in axes)), self.dtype)
            out[..., :h, :w] = values.reshape(*values.shape[:-1], h, width)[..., :w]
            return out

        def of(table: np.ndarray) -> tuple[np.ndarray, ...]:
            arrays = []
            for group in groups_of(stage):
                if group.has_tables:
                    level = group.operations[0].level
                    size = axes[0].sizes[level] * int(steps.width[group.first])
                    starts = [int(steps.table[group.first + i]) for i in range(len(group.operations))]
                    arrays.append(
                        np.stack(
                            [
                                packed(table[:, at : at + size], level, int(steps.width[group.first]))
                                for at in starts
                            ]
                        )
                    )
            return tuple(arrays)

        pixels = np.zeros((n, 0, 1, 1), self.dtype)
        if k == 0:
            pixels = packed(images.pixels, 0, axes[1].sizes[0] * stored)
        return Tables(pixels, of(images.a), of(images.b))


def _part(images: list[Images], start: int, size: int) -> list[Images]:
    """Rows of the tables, filled up with zeros to `size`."""
    out = []
    for stage in images:
        arrays = [a[start : start + size] for a in (stage.pixels, stage.a, stage.b)]
        full = [np.concatenate([a, np.zeros((size - len(a), *a.shape[1:]), a.dtype)]) for a in arrays]
        out.append(Images(*full, stage.variance, stage.tangent))
    return out
