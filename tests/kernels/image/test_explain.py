"""What `ntkreg plan --explain` prints: the program that will run, with honest numbers."""

from ntkreg.architecture import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    Relu,
    Residual,
    cntk,
    fully_connected,
    myrtle,
    resnet,
)
from ntkreg.kernels import StaxNetwork, make_engine


def _lines(network, shape, dtype="float32", **options):
    return make_engine(network, shape, dtype=dtype, **options).explain().splitlines()


def test_a_pooled_network_shows_its_stages_their_tiles_and_their_share():
    lines = _lines(myrtle(5), (32, 32, 3))
    assert lines[0].startswith("One image x with 16 images z at once (float32)")
    stages = [line for line in lines if line.startswith("stage")]
    entries = [2 * 32**4, 16**4, 8**4]  # of the LAYERs: two, one, one
    tiles = [63**2, 31**2, 15**2]
    for k, (line, side) in enumerate(zip(stages, (32, 16, 8), strict=True)):
        assert line.startswith(f"stage {k + 1} of 3: {side} x {side} pixels, {tiles[k]:,} tiles")
        assert f"{side**4:,} entries" in line
        assert f"{entries[k] / sum(entries):.1%} of the work" in line
    layer = "  LAYER  S, T: sums over 3 x 3, x 0.2222, T + S, dual of Relu()"
    assert lines.count(layer + "   (2 times)") == 1
    assert lines.count(layer) == 2
    assert lines.count("  POOL   2 x 2: every entry is added to one of the next stage") == 2
    assert "  READ   the sums, weights of GlobalAvgPool()" in lines
    assert lines[-1] == f"After the read-out, on the sums alone: {Dense(1.0)!r}"


def test_float64_has_half_the_lanes_and_flatten_one_tile():
    lines = _lines(cntk(2, "flatten"), (9, 7, 1), "float64")
    assert "8 images z at once (float64)" in lines[0]
    assert "1 tiles (1 x 1 offsets), 63 entries, 100.0% of the work" in "\n".join(lines)


def test_residual_blocks_strides_paddings_and_biases_are_told():
    block = Residual((Relu(), Conv(stride=2, bias_std=0.5)), (Conv(1, 1.0, stride=2),))
    text = "\n".join(_lines(Architecture((Conv(5, trainable=False), block, Flatten())), (8, 8, 1)))
    for line in (
        "  LAYER  tile 0, S, T: sums over 5 x 5, x 0.08",
        "  COPY   tile 0 to tile 1",
        "  LAYER  tile 0, dual of Relu()",
        "  LAYER  tile 0, S, T: sums over 3 x 3 every 2, x 0.2222, S + 0.25, T + S -> 4 x 4",
        "  LAYER  tile 1, S, T: sums over 1 x 1 every 2, x 1, T + S -> 4 x 4",
        "  ADD    tile 1 to tile 0",
        "After the read-out, on the sums alone: nothing",
    ):
        assert f"\n{line}\n" in text + "\n"
    assert "3 x 3, wrapped, x" in "\n".join(_lines(cntk(1, padding="CIRCULAR"), (4, 4, 1)))


def test_the_share_of_the_work_counts_layers_alone_and_where_they_end():
    block = Residual((Conv(),))
    layers = (Conv(stride=2), AvgPool(2), Conv(), block, Flatten())
    lines = _lines(Architecture(layers), (8, 12, 1))
    # Flatten reads 2 x 3 pixels, so of 4 x 6 before the pooling offsets -1, 0, 1 are needed.
    work = (3 + 4 + 3) * (5 + 6 + 5), 2 * (2 * 3)
    shares = [line.rsplit(", ", 1)[1] for line in lines if line.startswith("stage")]
    assert shares == [f"{w / sum(work):.1%} of the work" for w in work]


def test_every_operation_is_shown():
    engine = make_engine(resnet(1), (8, 8, 1), dtype="float32")
    shown = [line.split()[0] for line in engine.explain().splitlines() if line.startswith("  ")]
    assert shown == [o.op.name for o in engine.program.stages[0].operations]


def test_several_depths_are_numbered_in_the_order_asked_for():
    lines = _lines(cntk(3), (4, 4, 1), depths=(3, 1))
    reads = [line for line in lines if "READ" in line]
    assert ["network 2" in reads[0], "network 1" in reads[1]] == [True, True]


def test_read_outs_of_one_pass_and_what_follows_them_are_told_apart():
    variants = [{"readout": "flatten"}, {"train_last": False}, {}]
    lines = _lines(cntk(3), (4, 4, 1), variants=variants)
    assert [line for line in lines if "READ" in line] == [
        "  READ   the sums of network 1, weights of Flatten()",
        "  READ   the sums of networks 2, 3, weights of GlobalAvgPool()",
    ]
    untrained = Dense(1.0, trainable=False)
    assert lines[-4:] == [
        "After the read-out, on the sums alone:",
        f"  network 1: {Dense(1.0)!r}",
        f"  network 2: {untrained!r}",
        f"  network 3: {Dense(1.0)!r}",
    ]
    lines = _lines(fully_connected(1), (5,), variants=[{}, {"train_last": False}])
    assert lines[-2:] == [
        f"  READ  values of network 1: times sqrt(q q'), then {Dense(1.0)!r}",
        f"  READ  values of network 2: times sqrt(q q'), then {untrained!r}",
    ]


def test_a_dense_network_shows_what_runs_on_correlations():
    lines = _lines(fully_connected(3, frozen=1), (5,))
    assert lines[0].startswith("One matrix product of rows of unit norm")
    assert lines[-3:] == [
        "  RELU  t = t kappa0(c), c = kappa1(c)",
        "  RELU  t = (t + c) kappa0(c), c = kappa1(c)   (2 times)",
        f"  READ  values: times sqrt(q q'), then {Dense(1.0)!r}",
    ]
    lines = _lines(fully_connected(2, bias_std=0.1), (5,), depths=(1, 2))
    assert sum("BIAS" in line for line in lines) == 2
    assert "network 2" in lines[-1]


def test_dense_layers_without_a_compiled_form_are_listed_as_numpy_runs_them():
    lines = _lines(fully_connected(1, activation="erf"), (5,))
    assert lines[0].startswith("Products of 256 x 256 pairs at a time (float64, BLAS)")
    assert [line.strip() for line in lines[2:]] == [repr(Dense()), "Erf()", repr(Dense(1.0))]
    lines = _lines(fully_connected(1, activation="erf"), (5,), depths=(2, 1))
    assert "of network 2" in lines[-4]


def test_a_stax_kernel_says_that_neural_tangents_runs_it():
    lines = _lines(StaxNetwork(lambda x, z, get: None), (5,))
    assert lines[0].startswith("neural-tangents runs this kernel_fn")
