"""Tile programs: which operations a network becomes, and how its read-outs add up."""

import itertools

import numpy as np
import pytest

from ntkreg.architecture import (
    Architecture,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LocalAvgPool,
    Relu,
    cntk,
)
from ntkreg.errors import SpecError
from ntkreg.kernels.image_program import Op, compile_image_network
from ntkreg.kernels.image_readout import readout_weights


def _ops(*networks):
    return [step.op for step in compile_image_network(networks).operations]


def test_a_cntk_is_one_fused_operation_a_layer_and_a_read():
    assert _ops(cntk(3)) == [Op.CONV3_RELU] * 3 + [Op.READ]


def test_other_windows_run_unfused_and_mixed_windows_are_scaled():
    network = Architecture((Conv(3), Relu(), Conv(5), Relu(), GlobalAvgPool(), Dense()))
    assert _ops(network) == [Op.CONV3_RELU, Op.SCALE, Op.CONV, Op.RELU, Op.READ]


def test_several_depths_are_reads_of_one_pass_in_the_order_asked_for():
    program = compile_image_network([cntk(1), cntk(3), cntk(2)])
    assert [s.op for s in program.operations] == [Op.CONV3_RELU, Op.READ] * 3
    assert [s.slot for s in program.operations if s.op == Op.READ] == [0, 2, 1]


def test_networks_that_are_no_prefixes_are_refused():
    with pytest.raises(SpecError, match="prefixes"):
        compile_image_network([cntk(2, window=5), cntk(3)])
    with pytest.raises(SpecError, match="prefixes"):
        compile_image_network([cntk(2, "flatten"), cntk(3, "gap")])


def _brute_force(readout, h, w):
    """Weight of every pair of pixels, from the definition of the pooling."""
    weights = np.zeros((h, w, h, w))
    pixels = list(itertools.product(range(h), range(w)))
    c = readout.half_width if isinstance(readout, LocalAvgPool) else 0
    for p, q in itertools.product(pixels, pixels):
        if isinstance(readout, GlobalAvgPool):
            weights[*p, *q] = 1 / (h * w) ** 2
        else:
            centres = sum(
                max(abs(np.subtract(p, r))) <= c and max(abs(np.subtract(q, r))) <= c
                for r in pixels
            )
            weights[*p, *q] = centres / ((2 * c + 1) ** 4 * h * w)
    return weights


@pytest.mark.parametrize("size", [(1, 1), (4, 5), (5, 3)])
@pytest.mark.parametrize(
    "readout", [Flatten(), GlobalAvgPool(), LocalAvgPool(0), LocalAvgPool(1), LocalAvgPool(9)]
)
def test_separable_weights_are_the_definition_of_the_pooling(readout, size):
    h, w = size
    got = readout_weights(readout, h, w)
    total = np.zeros((h, w, h, w))
    for e, row in zip(got.rows, got.row_weights, strict=True):
        for d, column in zip(got.columns, got.column_weights, strict=True):
            for i in range(h - abs(e)):
                for j in range(w):
                    x_row, z_row = i + max(-e, 0), i + max(e, 0)
                    total[x_row, j, z_row, (j + d) % w] += row[i] * column[j]
    assert np.allclose(total, _brute_force(readout, h, w), rtol=1e-13, atol=0)


def test_read_outs_run_only_the_tiles_that_they_need():
    share = {r: readout_weights(r, 32, 32).share for r in (Flatten(), GlobalAvgPool())}
    assert share == {Flatten(): 1 / 1024, GlobalAvgPool(): 1.0}
    assert 0.2 < readout_weights(LocalAvgPool(4), 32, 32).share < 0.28
