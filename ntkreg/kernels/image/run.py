"""From a program and images' tables to the compiled loops and back to the fields at the reads."""

from collections.abc import Sequence

import numpy as np

from ntkreg.kernels.compiled.lanes import n_lanes
from ntkreg.kernels.image.loops.choice import size_of_stage, turn_loop
from ntkreg.kernels.image.loops.stages import StageArrays, keep_stage, run_stages
from ntkreg.kernels.image.loops.tiles import Images
from ntkreg.kernels.image.runnable import RunnableProgram
from ntkreg.kernels.image.schedule import Turn
from ntkreg.kernels.image.stage import RunnableStage

__all__ = ["run_program", "run_variances"]


def run_program(
    runnable: RunnableProgram,
    x: Sequence[Images],
    z: Sequence[Images],
    wanted: np.ndarray,
    *,
    paired: bool,
) -> np.ndarray:
    """Return all fields at the reads, float64 (1 + n_tangents, n_reads, len(x), groups, lanes).

    Parameters
    ----------
    runnable : RunnableProgram
    x, z : sequence of Images
        Tables of every stage; z a group of images a row, x an image a row, or a group if `paired`.
    wanted : ndarray of bool (len(x), groups)
        Other values may be anything.
    paired : bool
        Whether lanes meet lane by lane, as of images with themselves.
    """
    out = _no_reads(runnable, *wanted.shape)
    _run(runnable.turns, _arrays(runnable.stages, x, z), wanted, paired, out)
    return out


def run_variances(
    runnable: RunnableProgram, images: Sequence[Images], variance: np.ndarray, tangent: np.ndarray
) -> None:
    """Fill the tables of one group of images, a stage at a time.

    Below a pooling the variances are means over pairs of pixels: the group's images run with
    themselves.

    Parameters
    ----------
    runnable : RunnableProgram
    images : sequence of Images
        Of every stage, one group.
    variance, tangent : ndarray of float64 (1, h * w * lanes), (1, n_tangents, h * w * lanes)
        Fields of pixels p = p' at the input.
    """
    wanted, nothing = np.ones((1, 1), bool), _no_reads(runnable, 1, 1)
    stages = runnable.stages_of_variances
    arrays = _arrays(stages, images, images)
    for k, (stage, z) in enumerate(zip(stages, images, strict=True)):
        stage.fill_tables(z, variance, tangent)
        if stage.stage.pool:
            turns = [Turn(k, 0, stage.geometry.rows.length.shape[1])]
            _run(turns, arrays, wanted, True, nothing)
            later = stages[k + 1].own_tile(arrays[k].target)
            variance, tangent = later[:1], later[None, 1:]


def _run(
    turns: Sequence[Turn],
    arrays: Sequence[StageArrays],
    wanted: np.ndarray,
    paired: bool,
    out: np.ndarray,
) -> None:
    kept = [np.empty(size_of_stage(stage), np.uint8) for stage in arrays]
    for stage, memory in zip(arrays, kept, strict=True):
        keep_stage(stage, memory)
    addresses = np.array([memory.ctypes.data for memory in kept], np.uint64)
    run_stages(np.array(turns, np.uint64), addresses, turn_loop(arrays[0]), wanted, paired, out)


def _no_reads(runnable: RunnableProgram, n: int, groups: int) -> np.ndarray:
    """Room for the fields at the reads."""
    program = runnable.program
    return np.zeros((1 + program.n_tangents, program.n_reads, n, groups, n_lanes(runnable.dtype)))


def _arrays(
    stages: Sequence[RunnableStage], x: Sequence[Images], z: Sequence[Images]
) -> list[StageArrays]:
    """All stages for the loops, with memory to run in."""
    arrays: list[StageArrays] = []
    for stage, xs, zs in zip(stages, x, z, strict=True):
        source = arrays[-1].target if arrays else None
        arrays.append(stage.arrays(xs, zs, source, stage.make_room()))
    return arrays
