"""Which loops a stage runs, compiled where they are not yet, by address."""

from functools import cache

import numpy as np
from numba import from_dtype, typeof
from numba.core import types

from ntkreg.architecture import Identity, Relu
from ntkreg.kernels.compiled.addresses import address_of
from ntkreg.kernels.compiled.arc_cosine import relu_dual
from ntkreg.kernels.image.loops import duals, ends, one_tangent, tiles, variances
from ntkreg.kernels.image.loops.first_layer import declare_first, first_layer_of
from ntkreg.kernels.image.loops.layers import declare_layer, layer_of
from ntkreg.kernels.image.loops.stages import StageLoops, declare_turn, run_turn
from ntkreg.kernels.image.program import Kind, Loop, Op, Operation, Stage

__all__ = [
    "addresses_of",
    "addresses_of_own",
    "kind_of",
    "loop_of",
    "stage_loops",
    "turn_loop",
]


def addresses_of(
    o: Operation, stage: Stage, fresh: bool, dtype: np.dtype, n_tangents: int
) -> dict[str, int]:
    """Return `run`, `run_paired` and `row` of an operation (`tiles.step_dtype`).

    `fresh`: whether it finds pixels, of three channels.
    """
    number, dual = _number(dtype), _dual(dtype)
    if o.op == Op.READ:
        return {}
    if o.op != Op.LAYER:
        return {"run": address_of(tiles.move, tiles.declare_move(number))}
    one = one_tangent.declare_one_tangent(number, dual)
    row = duals.declare_row(number, dual)
    found = {
        "run_paired": address_of(one_tangent.any_layer, one),
        "row": address_of(duals.row_of(o.activation), row),
    }
    loop = loop_of(o, stage)
    if loop == Loop.ANY:
        return {**found, "run": found["run_paired"]}
    if loop == Loop.AHEAD:
        return {**found, "run": address_of(one_tangent.layer_ahead, one)}
    if fresh and loop in (Loop.FIRST, Loop.FIRST_RESIZE):
        first = declare_first(number, n_tangents, dual)
        return {**found, "run": address_of(first_layer_of(loop, o.stride), first)}
    layer = declare_layer(number, n_tangents, dual)
    return {**found, "run": address_of(layer_of(loop, kind_of(o)), layer)}


def addresses_of_own(o: Operation, table: np.dtype) -> dict[str, int]:
    """Return `run` and `row` of an operation on variances, with tables of a dtype."""
    move = tiles.declare_move(types.float64)
    layer = variances.declare_own_layer(_number(table))
    row = duals.declare_diagonal(_number(table))
    if o.op == Op.READ:
        return {}
    if o.op != Op.LAYER:
        return {"run": address_of(tiles.move, move)}
    return {
        "run": address_of(variances.layer_of_own, layer),
        "row": address_of(duals.diagonal_of(o.activation), row),
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


@cache
def stage_loops(
    stage: types.Type, dtype: np.dtype, n_tangents: int, reads: bool, pixels: bool, pools: bool
) -> StageLoops:
    """Return the loops of a type of stage: whether it reads, has pixels to load, and pools."""
    number = _number(dtype)
    load = ends.declare_load(stage, number)
    own, read = ends.declare_own(number), ends.declare_read(number)
    opening, pool = ends.declare_open(stage), ends.declare_pool(stage, number, n_tangents)
    return StageLoops(
        np.uint64(address_of(ends.load_pixels if pixels else ends.load_field, load)),
        np.uint64(address_of(ends.read_tile, read) if reads else 0),
        np.uint64(address_of(ends.set_own, own) if reads else 0),
        np.uint64(address_of(ends.open_rows, opening) if pools else 0),
        np.uint64(address_of(ends.pool_tile, pool) if pools else 0),
    )


@cache
def turn_loop(stage: types.Type, dtype: np.dtype, n_tangents: int) -> np.uint64:
    """Return the address of `run_turn` for a type of stage."""
    number, dual = _number(dtype), _dual(dtype)
    tiles.declare_move(number)
    one_tangent.declare_one_tangent(number, dual)
    declare_first(number, n_tangents, dual)
    declare_layer(number, n_tangents, dual)
    ends.declare_load(stage, number)
    ends.declare_own(number)
    ends.declare_read(number)
    ends.declare_open(stage)
    ends.declare_pool(stage, number, n_tangents)
    return np.uint64(address_of(run_turn, declare_turn(stage)))


def _number(dtype: np.dtype) -> types.Type:
    return from_dtype(dtype)


def _dual(dtype: np.dtype) -> types.Type:
    return typeof(relu_dual(dtype.name, 0.5))
