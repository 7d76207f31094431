"""An architecture's stax twin has its kernels, and its finite network has the widths asked for."""

import numpy as np
import pytest
from agreement import assert_agrees, tolerance

from ntkreg import (
    Architecture,
    AvgPool,
    Conv,
    Cos,
    Dense,
    Erf,
    Flatten,
    Gaussian,
    Gelu,
    GlobalAvgPool,
    Identity,
    LeakyRelu,
    NormalizedGaussian,
    Relu,
    Residual,
    Sin,
    cntk,
    fully_connected,
    resnet,
)
from ntkreg.errors import SpecError
from ntkreg.kernels import make_engine, to_stax
from ntkreg.kernels.reference import ReferenceEngine
from ntkreg.kernels.stax.compatibility import import_jax


def inputs(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


EVERY_ACTIVATION = (
    LeakyRelu(0.2),
    Erf(),
    Gelu(),
    Sin(),
    Cos(),
    Identity(),
    NormalizedGaussian(1.5),
    Gaussian(0.7),
    Relu(),
)
BRANCHES = Residual((Relu(), Conv(stride=2), Residual((Erf(), Conv(1)))), (AvgPool(2), Conv(1)))
TWINS = {
    "dense": (fully_connected(3, bias_std=0.2, weight_std=1.2), (7,)),
    "flatten": (cntk(2, "flatten", window=5), (4, 5, 3)),
    "gap": (cntk(2, "gap", bias_std=0.3), (4, 5, 3)),
    "lap": (cntk(2, "lap", half_width=1), (5, 4, 2)),
    "lap wider than the image": (cntk(2, "lap", half_width=4), (3, 4, 2)),
    "by hand": (Architecture((Conv(1, 1.1, 0.2), Conv(), Relu(), Flatten(), Dense())), (3, 4, 2)),
    "every activation": (
        Architecture([layer for phi in EVERY_ACTIVATION for layer in (Dense(1.2, 0.3), phi)]),
        (7,),
    ),
    "strides and paddings": (
        Architecture(
            (
                Conv(3, stride=2, padding="CIRCULAR"),
                Relu(),
                Conv(5, stride=3),
                Relu(),
                Conv(3, padding="VALID"),
                Relu(),
                Flatten(),
                Dense(1.0),
            )
        ),
        (17, 14, 2),
    ),
    "branches": (
        Architecture((Conv(), BRANCHES, Relu(), AvgPool(2), GlobalAvgPool(), Dense(1.0))),
        (8, 10, 2),
    ),
}


def reference_engine(network, shape):
    return ReferenceEngine(shape, np.dtype(float), ("nngp", "ntk"), 1, (network,))


@pytest.mark.parametrize(("network", "shape"), TWINS.values(), ids=TWINS)
def test_the_stax_twin_of_an_architecture_has_its_kernels(network, shape):
    X, Z = inputs(3, *shape), inputs(2, *shape, seed=1)
    ours = reference_engine(network, shape)
    twin = make_engine(to_stax(network)[2], shape, dtype=float)
    rows, columns = ours.diagonal(X)[:, 0], ours.diagonal(Z)[:, 0]
    cross = twin.cross(X, Z)[:, 0]
    assert_agrees(cross, ours.cross(X, Z)[:, 0], rows, columns, tolerance(np.float64))
    near_one = tolerance(np.float64, gap=0.0, depth=3)  # neural-tangents' own diagonal
    assert_agrees(twin.symmetric(X)[:, 0], ours.symmetric(X)[:, 0], rows, rows, near_one)


def finite(network, image, **widths):
    """Shape announced, outputs, and the widths of all parameters of the finite network."""
    jax = import_jax()
    init_fn, apply_fn, _ = to_stax(network, **widths)
    shape, params = init_fn(jax.random.PRNGKey(0), (-1, *image))
    outputs = apply_fn(params, inputs(2, *image, dtype=np.float32))
    return shape, outputs.shape, {leaf.shape[-1] for leaf in jax.tree_util.tree_leaves(params)}


def test_twin_has_the_widths_asked_for_and_runs():
    announced, outputs, widths = finite(cntk(2, "gap"), (4, 5, 2), width=6, n_outputs=3)
    assert announced == (-1, 3)
    assert outputs == (2, 3)
    assert widths == {6, 3}


def test_branches_of_the_twin_have_one_width_so_that_they_add_up():
    _, outputs, widths = finite(resnet(1, groups=2), (4, 5, 2), width=6, n_outputs=3)
    assert outputs == (2, 3)
    assert widths == {6, 3}
    ends_in_block = Architecture((Conv(), GlobalAvgPool(), Residual((Relu(), Dense()))))
    _, outputs, widths = finite(ends_in_block, (4, 5, 2), width=6, n_outputs=3)
    assert outputs == (2, 6)
    assert widths == {6}


def test_layers_that_are_not_trained_have_no_twin():
    with pytest.raises(SpecError, match=r"no stax twin.*: layer 0 \(Conv.*, 5 \(Dense") as error:
        to_stax(cntk(2, train_first=False, train_last=False))
    assert "Make them trainable or use ntkreg's kernel" in str(error.value)
    frozen = Conv(trainable=False)
    block = Residual((Relu(), Conv(), Residual((frozen,))), (frozen,))
    inside = r"layer 1, body layer 2, body layer 0 \(Conv\(.*, 1, shortcut layer 0 \(Conv\("
    with pytest.raises(SpecError, match=inside):
        to_stax(Architecture((Conv(), block, GlobalAvgPool())))


@pytest.mark.parametrize("option", ["width", "n_outputs"])
@pytest.mark.parametrize("value", [0, -1, 2.0, None])
def test_twin_refuses_widths_that_are_no_count(option, value):
    with pytest.raises(SpecError, match=f"to_stax: {option} must be an integer >= 1; got"):
        to_stax(fully_connected(1), **{option: value})
