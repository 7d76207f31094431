"""Tile programs: which operations a network becomes, in which stages, and what is refused."""

import pytest

from ntkreg.architecture import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    Identity,
    LocalAvgPool,
    Relu,
    Residual,
    cntk,
    myrtle,
    resnet,
)
from ntkreg.errors import SpecError
from ntkreg.kernels.image.compiler import compile_image_network
from ntkreg.kernels.image.program import End, Level, Op


def _program(*layers, size=(8, 8)):
    return compile_image_network([Architecture((*layers, GlobalAvgPool(), Dense()))], *size)


def _ops(stage):
    return [o.op for o in stage.operations]


def test_a_cntk_is_one_stage_of_one_operation_a_layer_and_a_read():
    program = compile_image_network([cntk(3, "lap", half_width=2)], 5, 7)
    (stage,) = program.stages
    assert _ops(stage) == [Op.LAYER] * 3 + [Op.READ]
    assert all(o.window == 3 and o.activation == Relu() for o in stage.operations[:3])
    assert stage.levels == (Level(5, 7, 1),)
    assert (stage.pool, stage.registers, stage.circular) == (0, 1, False)
    assert program.readouts == (LocalAvgPool(2),)
    # The Flatten after local pooling is part of it.
    assert program.ends == (End(0, (Dense(1.0),)),)


def test_an_operation_holds_the_convolutions_numbers():
    (stage,) = _program(Conv(5, 1.5, 0.5, False), Erf(), Conv(3, 2.0, 0.0)).stages
    first, second, _ = stage.operations
    assert (first.factor, first.bias, first.trained) == (1.5**2 / 25, 0.25, (0.0,))
    assert (first.origin, first.activation) == ((2, 2), Erf())
    assert (second.factor, second.bias, second.trained) == (4 / 9, 0.0, (1.0,))
    assert second.activation == Identity()


def test_an_activation_without_a_convolution_changes_nothing_but_by_its_dual():
    block = Residual((Relu(), Conv()))
    alone = _program(Conv(), block).stages[0].operations[2]
    assert (alone.window, alone.factor, alone.bias, alone.trained) == (1, 1.0, 0.0, (0.0,))
    assert alone.activation == Relu()


def test_several_depths_are_reads_of_one_pass_in_the_order_asked_for():
    program = compile_image_network([cntk(1), cntk(3), cntk(2)], 4, 4)
    (stage,) = program.stages
    assert _ops(stage) == [Op.LAYER, Op.READ] * 3
    assert [o.slot for o in stage.operations if o.op == Op.READ] == [0, 2, 1]
    assert program.n_reads == 3


def test_networks_trained_in_part_are_tangents_of_one_program_the_most_trained_at_the_input_first():
    networks = [cntk(3, frozen=1), cntk(1), cntk(3), cntk(2, frozen=1), cntk(2, frozen=2)]
    program = compile_image_network(networks, 4, 4)
    layers = [o for o in program.stages[0].operations if o.op == Op.LAYER]
    # Depths 1 and 2 share the field of a network of depth 3 where the flags begin alike.
    assert [end.tangent for end in program.ends] == [1, 0, 0, 1, 2]
    assert program.n_tangents == 3
    assert [o.trained for o in layers[:2]] == [(1.0, 0.0, 0.0), (1.0, 1.0, 0.0)]
    assert layers[2].trained[:2] == (1.0, 1.0)


def test_what_is_trained_of_a_block_is_told_apart_branch_by_branch():
    def network(body, shortcut):
        block = Residual((Relu(), Conv(trainable=body)), (Conv(1, trainable=shortcut),))
        return Architecture((Conv(), block, GlobalAvgPool(), Dense()))

    networks = [network(True, False), network(False, True), network(True, True)]
    program = compile_image_network(networks, 4, 4)
    trained = [o.trained for o in program.stages[0].operations if o.op == Op.LAYER]
    assert trained == [(1.0, 1.0, 1.0), (0.0,) * 3, (1.0, 1.0, 0.0), (1.0, 0.0, 1.0)]
    assert [end.tangent for end in program.ends] == [1, 2, 0]


def test_a_read_between_convolution_and_activation_keeps_them_apart():
    layers = (Conv(), Relu())
    networks = [Architecture((*layers[:k], Flatten(), Dense())) for k in (1, 2)]
    (stage,) = compile_image_network(networks, 4, 4).stages
    assert _ops(stage) == [Op.LAYER, Op.READ, Op.LAYER, Op.READ]
    assert [o.activation for o in stage.operations[::2]] == [Identity(), Relu()]


def test_pooling_ends_a_stage_and_drops_what_is_left_over():
    program = compile_image_network([myrtle(5)], 13, 9)
    assert [_ops(s) for s in program.stages] == [
        [Op.LAYER] * 2,
        [Op.LAYER],
        [Op.LAYER, Op.READ],
    ]
    assert [s.pool for s in program.stages] == [2, 2, 0]
    assert [s.levels for s in program.stages] == [
        (Level(13, 9, 1),),
        (Level(6, 4, 1),),
        (Level(3, 2, 1),),
    ]


def test_a_pooled_network_may_be_the_prefix_of_a_deeper_one():
    layers = (Conv(), AvgPool(2), Conv(), AvgPool(2))
    networks = [Architecture((*layers[:k], Flatten())) for k in (1, 2, 4)]
    program = compile_image_network(networks, 8, 8)
    assert [_ops(s) for s in program.stages] == [
        [Op.LAYER, Op.READ],
        [Op.READ, Op.LAYER],
        [Op.READ],
    ]


def test_strides_and_windows_inside_the_image_make_levels():
    (stage,) = _program(
        Conv(stride=2), Conv(3, padding="VALID"), Conv(stride=3), size=(11, 14)
    ).stages
    assert stage.levels == (Level(11, 14, 1), Level(6, 7, 2), Level(4, 5, 2), Level(2, 2, 6))
    assert [(o.level_in, o.level) for o in stage.operations] == [(0, 1), (1, 2), (2, 3), (3, 3)]
    # Zero padding puts the odd pixel at the end: it comes first on 11 rows, not on 14 columns.
    assert stage.operations[0].origin == (1, 0)
    assert stage.operations[1].origin == (0, 0)
    assert stage.end == Level(2, 2, 6)


def test_a_residual_block_copies_runs_both_branches_and_adds():
    block = Residual((Relu(), Conv(stride=2)), (Conv(1, stride=2),))
    (stage,) = _program(Conv(), block).stages
    assert _ops(stage) == [Op.LAYER, Op.COPY, Op.LAYER, Op.LAYER, Op.LAYER, Op.ADD, Op.READ]
    assert [o.register for o in stage.operations] == [0, 0, 0, 0, 1, 0, 0]
    copy, add = stage.operations[1], stage.operations[5]
    assert copy.other == add.other == 1
    assert (copy.level, add.level) == (0, 1)
    assert stage.registers == 2


def test_nested_blocks_use_a_register_more_each_and_equal_ones_share():
    inner = Residual((Conv(),))
    (stage,) = _program(Conv(), Residual((Conv(), inner), (inner,)), inner).stages
    # Body and shortcut of the outer block each hold a block of their own.
    pairs = [(o.register, o.other) for o in stage.operations if o.op in (Op.COPY, Op.ADD)]
    assert pairs == [(0, 1), (0, 2), (0, 2), (1, 2), (1, 2), (0, 1), (0, 1), (0, 1)]
    assert stage.registers == 3


def test_a_resnets_projections_run_in_the_shortcuts_register():
    (stage,) = compile_image_network([resnet(1)], 8, 8).stages
    assert stage.end == Level(2, 2, 4)
    assert [o.window for o in stage.operations if o.register == 1] == [3, 3, 3]


def test_circular_windows_wrap_but_those_of_one_pixel_do_not():
    (stage,) = _program(Conv(3, padding="CIRCULAR"), Conv(1, padding="CIRCULAR")).stages
    assert [o.circular for o in stage.operations] == [True, False, False]
    assert stage.circular
    assert not _program(Conv(1, padding="CIRCULAR"), Conv()).stages[0].circular


def test_circular_and_other_convolutions_run_if_a_pooling_parts_them():
    program = _program(Conv(padding="CIRCULAR"), AvgPool(2), Conv())
    assert [s.circular for s in program.stages] == [True, False]
    with pytest.raises(SpecError, match="CIRCULAR convolutions apart from SAME and VALID"):
        _program(Conv(padding="CIRCULAR"), Conv())


@pytest.mark.parametrize(
    "layers",
    [
        (Conv(stride=2, padding="CIRCULAR"),),
        (Conv(padding="CIRCULAR"), Relu(), Conv(1, stride=2)),
        (Conv(padding="CIRCULAR"), Conv(1, stride=2, padding="CIRCULAR")),
    ],
)
@pytest.mark.parametrize("size", [(5, 6), (6, 5)])
def test_a_stride_on_a_wrapping_image_must_divide_it(layers, size):
    with pytest.raises(SpecError, match=f"2 does not divide {size[0]} x {size[1]}"):
        _program(*layers, size=size)
    assert _program(*layers, size=(6, 4)).stages[0].end == Level(3, 2, 2)


def test_a_stride_of_single_pixels_need_not_divide_an_image_that_does_not_wrap():
    (stage,) = _program(Conv(1, stride=2, padding="CIRCULAR"), Conv(), size=(5, 5)).stages
    assert stage.end == Level(3, 3, 2)


def test_networks_that_are_no_prefixes_are_refused():
    for other in (cntk(2, window=5), cntk(2, bias_std=0.1), cntk(3, activation="erf")):
        with pytest.raises(SpecError, match="must be prefixes of one another"):
            compile_image_network([other, cntk(3)], 8, 8)


@pytest.mark.parametrize("last", [Conv(stride=2), Conv(padding="VALID")])
def test_depths_on_both_sides_of_a_change_of_size_are_refused(last):
    networks = [Architecture((Conv(), Flatten())), Architecture((Conv(), last, Flatten()))]
    with pytest.raises(SpecError, match="changes the size of the image"):
        compile_image_network(networks, 8, 8)


def test_pooling_within_a_residual_block_is_refused_with_the_way_that_can():
    block = Residual((AvgPool(2), Conv()), (Conv(1, stride=2),))
    with pytest.raises(SpecError, match=r"no operation for AvgPool.*to_stax"):
        _program(Conv(), block)


def test_branches_of_different_strides_are_refused_though_their_sizes_agree():
    block = Residual((Conv(padding="VALID"), Conv(padding="VALID")), (Conv(5, padding="VALID"),))
    assert _program(block).stages[0].end == Level(4, 4, 1)
    with pytest.raises(SpecError, match=r"pixels 2 apart, .* 4 x 4 pixels 1 apart; .*to_stax"):
        # As large as each other by chance, but of other pixels: every second one, the first four.
        _program(Residual((Conv(stride=2),), (Conv(5, padding="VALID"),)))
