"""Which loops a stage runs, compiled where they are not yet, by address."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from numba import from_dtype, typeof
from numba.core import types

from ntkreg.architecture import Identity, Relu
from ntkreg.kernels.compiled.addresses import address_of, size_of
from ntkreg.kernels.compiled.arc_cosine import relu_dual
from ntkreg.kernels.image.loops import duals, ends, one_tangent, tiles, variances
from ntkreg.kernels.image.loops.first_layer import declare_first, first_layer_of
from ntkreg.kernels.image.loops.layers import declare_layer, layer_of
from ntkreg.kernels.image.loops.stages import StageArrays, StageLoops, declare_turn, run_turn
from ntkreg.kernels.image.program import Kind, Loop, Op, Operation, Stage

__all__ = [
    "addresses_of",
    "addresses_of_own",
    "kind_of",
    "loop_of",
    "size_of_stage",
    "stage_loops",
    "turn_loop",
]


@cache
def _kinds(dtype: np.dtype, n_tangents: int) -> dict[str, types.Type]:
    """Declare the arguments of all loops of operations in a dtype; their types by name."""
    number, dual = from_dtype(dtype), typeof(relu_dual(dtype.name, 0.5))
    return {
        "first": declare_first(number, n_tangents, dual),
        "layer": declare_layer(number, n_tangents, dual),
        "one tangent": one_tangent.declare_one_tangent(number, dual),
        "row": duals.declare_row(number, dual),
        "move": tiles.declare_move(number),
        "own": ends.declare_own(number),
        "read": ends.declare_read(number),
    }


@cache
def _own_kinds(table: np.dtype, _: int = 0) -> dict[str, types.Type]:
    """The same of loops on variances, with tables of a dtype."""
    return {
        "layer": variances.declare_own_layer(from_dtype(table)),
        "row": duals.declare_diagonal(from_dtype(table)),
        "move": tiles.declare_move(types.float64),
    }


@cache
def _address(loop: Any, kind: str, dtype: np.dtype, n_tangents: int, kinds: Any = _kinds) -> int:
    """Compile a loop, or find it on disk or here: types of arguments take long to make."""
    return address_of(loop, kinds(dtype, n_tangents)[kind])


def addresses_of(
    o: Operation, stage: Stage, on_pixels: bool, dtype: np.dtype, n_tangents: int
) -> dict[str, int]:
    """Return `run`, `run_paired` and `row` of an operation (`tiles.step_dtype`).

    `on_pixels`: whether it finds pixels of three channels, not a tile.
    """
    if o.op == Op.READ:
        return {}
    about = dtype, n_tangents
    if o.op != Op.LAYER:
        return {"run": _address(tiles.move, "move", *about)}
    loop = loop_of(o, stage)
    any_layer = _address(one_tangent.any_layer, "one tangent", *about)
    if loop == Loop.ANY:
        run = any_layer
    elif loop == Loop.AHEAD:
        run = _address(one_tangent.layer_ahead, "one tangent", *about)
    elif on_pixels and loop in (Loop.FIRST, Loop.FIRST_RESIZE):
        run = _address(first_layer_of(loop, o.stride), "first", *about)
    else:
        run = _address(layer_of(loop, kind_of(o)), "layer", *about)
    row = _address(duals.row_of(o.activation), "row", *about)
    return {"run": run, "run_paired": any_layer, "row": row}


def addresses_of_own(operations: Sequence[Operation], table: np.dtype) -> list[dict[str, int]]:
    """Return `run` and `row` of operations on variances, with tables of a dtype."""
    _own_kinds(table)  # `run_diagonal` may have nothing to run, and must compile
    return [_of_own(o, table) for o in operations]


def _of_own(o: Operation, table: np.dtype) -> dict[str, int]:
    if o.op == Op.READ:
        return {}
    if o.op != Op.LAYER:
        return {"run": _address(tiles.move, "move", table, 0, _own_kinds)}
    return {
        "run": _address(variances.layer_of_own, "layer", table, 0, _own_kinds),
        "row": _address(duals.diagonal_of(o.activation), "row", table, 0, _own_kinds),
    }


def loop_of(o: Operation, stage: Stage) -> Loop:
    """Return which loop runs a layer where no image is paired with itself."""
    same = stage.levels[o.level_in] == stage.levels[o.level]
    simple = isinstance(o.activation, Relu | Identity)
    # Tables of z that wrap around (`tiles.wrapped`): ANY alone knows.
    if o.op != Op.LAYER or stage.circular or o.window not in (1, 3):
        return Loop.ANY
    if o.window == 1:
        return Loop.POINT if simple else Loop.ANY
    if not simple:
        return Loop.AHEAD if same else Loop.ANY
    if o.first and o.trained[0] and isinstance(o.activation, Relu):
        return Loop.FIRST if same else Loop.FIRST_RESIZE
    return Loop.SAME if same else Loop.RESIZE


def kind_of(o: Operation) -> Kind:
    """Return what the loop of a layer does after the sums."""
    if isinstance(o.activation, Identity):
        return Kind.NONE
    return Kind.POSITIVE if o.positive and (o.trained[0] or o.window == 1) else Kind.RELU


_stage_kinds: dict[tuple[np.dtype, int], types.Type] = {}


def _stage_kind(stage: StageArrays) -> tuple[np.dtype, int]:
    """Know a type of stage by its dtype and number of tangents: to make it takes a millisecond."""
    about = stage.space.dtype, len(stage.trained)
    if about not in _stage_kinds:
        _stage_kinds[about] = typeof(stage)
    return about


def stage_loops(stage: StageArrays, *, reads: bool, pixels: bool) -> StageLoops:
    """Return the loops of a stage: whether it reads, and has pixels to load.

    Raises
    ------
    ValueError
        If any of its arrays is not contiguous: all loops are compiled for such as are.
    """
    for array in _arrays_in(stage):
        if not array.flags.c_contiguous:
            raise ValueError(
                f"StageArrays: arrays must be C-contiguous; got strides {array.strides}."
            )
    return _stage_loops(*_stage_kind(stage), reads, pixels, bool(stage.pool))


def _arrays_in(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _arrays_in(part)


@cache
def _stage_loops(
    dtype: np.dtype, n_tangents: int, reads: bool, pixels: bool, pools: bool
) -> StageLoops:
    kind, number = _stage_kinds[dtype, n_tangents], from_dtype(dtype)
    load, opening = ends.declare_load(kind, number), ends.declare_open(kind)
    pool = ends.declare_pool(kind, number, n_tangents)
    return StageLoops(
        np.uint64(address_of(ends.load_pixels if pixels else ends.load_field, load)),
        np.uint64(_address(ends.read_tile, "read", dtype, n_tangents) if reads else 0),
        np.uint64(_address(ends.set_own, "own", dtype, n_tangents) if reads else 0),
        np.uint64(address_of(ends.open_rows, opening) if pools else 0),
        np.uint64(address_of(ends.pool_tile, pool) if pools else 0),
    )


def turn_loop(stage: StageArrays) -> np.uint64:
    """Return the address of `run_turn` for a stage; its loops (`stage_loops`) come first."""
    return _turn_loop(*_stage_kind(stage))


@cache
def _turn_loop(dtype: np.dtype, n_tangents: int) -> np.uint64:
    _kinds(dtype, n_tangents)
    return np.uint64(address_of(run_turn, declare_turn(_stage_kinds[dtype, n_tangents])))


def size_of_stage(stage: StageArrays) -> int:
    """Return the bytes that `keep_stage` writes of a stage."""
    return _size_of_stage(*_stage_kind(stage))


@cache
def _size_of_stage(dtype: np.dtype, n_tangents: int) -> int:
    return size_of(_stage_kinds[dtype, n_tangents])
